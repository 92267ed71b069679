"""Headers, heads, bodies, parts, manifests and journals made of any bytes: a domain error, or a value."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from batch_cases import pairs
from coded_cases import forged
from fuzzing import fuzz, sound
from hypothesis import strategies as st
from skimage import data

from stegcli import pipeline
from stegcli.batch.entries import to_hide, to_reveal
from stegcli.batch.journal import JOURNAL, read_journal
from stegcli.codecs import choice
from stegcli.codecs.base import SecretError
from stegcli.envelope.head import Head
from stegcli.envelope.header import Header
from stegcli.envelope.sturdy import SturdyHead
from stegcli.errors import MissingExtraError, ModelError, StegError, UsageError
from stegcli.methods.coded.parts import Part
from stegcli.methods.phase.body import Body
from stegcli.models.manifest import Manifest, parse_manifest, render_manifest
from stegcli.ui.framing import parts_of

LIMIT = 1 << 16


@fuzz(
    st.binary(min_size=26, max_size=26) | st.binary(min_size=24, max_size=24).map(lambda b: b"\x01\x01" + b)
)
def test_a_header(plain: bytes) -> None:
    try:
        header = Header.from_bytes(plain)
    except (ValueError, ModelError):
        return
    assert header.to_bytes() == plain


@fuzz(st.binary(min_size=37, max_size=37) | st.binary(min_size=36, max_size=36).map(lambda b: b"\x02" + b))
def test_a_head(plain: bytes) -> None:
    try:
        head = Head.from_bytes(plain)
    except (ValueError, ModelError):
        return
    assert head.to_bytes() == plain


@fuzz(st.binary(min_size=8, max_size=8) | st.binary(min_size=7, max_size=7).map(lambda b: b"\x2c" + b))
def test_a_sturdy_head(fields: bytes) -> None:
    try:
        head = SturdyHead.from_bytes(fields)
    except (ValueError, ModelError):
        return
    assert head.to_bytes() == fields


@fuzz(st.binary(min_size=9, max_size=9))
def test_the_methods_part_of_a_header(own: bytes) -> None:
    try:
        body = Body.from_bytes(own)
    except (ValueError, struct.error):
        return
    assert body.to_bytes() == own


@fuzz(st.binary(max_size=120))
def test_a_part(body: bytes) -> None:
    try:
        part = Part.from_bytes(body)
    except ValueError:
        return
    assert part.to_bytes() == body


SIDES = st.integers(0, 300)
SHAPES = st.tuples(SIDES) | st.tuples(SIDES, SIDES) | st.tuples(SIDES, SIDES, st.integers(0, 4))


@fuzz(st.integers(0, 255), st.binary(max_size=200), SHAPES)
def test_a_payload(codec: int, payload: bytes, shape: tuple[int, ...]) -> None:
    try:
        secret = choice.decode(codec, payload, shape)
    except (SecretError, MissingExtraError):
        return
    assert getattr(secret, "shape", shape) == shape


sides = st.tuples(st.integers(1, 1 << 24), st.integers(1, 1 << 24)) | st.tuples(
    st.integers(1, 90), st.integers(1, 90)
)


@fuzz(
    st.binary(max_size=60),
    st.fixed_dictionaries(
        {"channel": st.sampled_from((0, 1, 3, 16, 17, 18, 255)), "codec": st.integers(0, 9)},
        optional={
            "secret_shape": sides, "hidden_shape": sides, "is_colour": st.booleans(),
            "content_bytes": st.integers(0, (1 << 32) - 1), "body_bytes": st.integers(0, (1 << 32) - 1),
            "own": st.binary(min_size=13, max_size=13),
        },
    ),
    share=0.1,
)  # fmt: skip
def test_a_stego_that_says_anything(payload: bytes, fields: dict[str, object]) -> None:
    """Sealed under the right keys, as anybody with the passphrase can; sizes are checked against limits."""
    if "secret_shape" in fields or "hidden_shape" in fields:
        fields = {"content_bytes": 0, "secret_shape": (9, 9), "hidden_shape": (9, 9)} | fields
    try:
        stego = forged(data.coffee()[:72, :72], payload, **fields)
    except ValueError:
        return  # no head can say so
    for look in (pipeline.info, pipeline.reveal):
        try:
            look(stego, max_pixels=LIMIT)
        except StegError as error:
            sound(error)


@fuzz(
    st.binary(max_size=300) | st.text(max_size=200).map(lambda text: ("cover,secret\n" + text).encode()),
    share=0.3,
)
def test_a_manifest_of_a_batch(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "pairs.csv"
    source.write_bytes(content)
    for read in (lambda: to_hide(source, lambda _: "stego.png"), lambda: to_reveal(source)):
        try:
            names = [entry.name for entry in read()]
        except UsageError as error:
            sound(error)
        else:
            assert len(set(names)) == len(names)
            assert all(Path(name).name == name for name in names)


values = st.text(max_size=20) | st.integers() | st.booleans()


@fuzz(
    st.dictionaries(
        st.text(max_size=12), st.dictionaries(st.text(max_size=12), values, max_size=5), max_size=3
    ),
    share=0.5,
)
def test_a_manifest_of_models(tables: dict[str, dict[str, object]]) -> None:
    lines = ["schema = 1"]
    for name, table in tables.items():
        lines.append(f"[models.{json.dumps(name)}]")
        lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
    for text in ("\n".join(lines), json.dumps(tables)):
        try:
            manifest = parse_manifest(text, "manifest")
        except ModelError:
            continue
        assert isinstance(manifest, Manifest)
        assert parse_manifest(render_manifest(manifest.models), "again") == manifest


lines = st.recursive(
    values | st.none() | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("begun", "done", "file", "sha256", "inputs", "how", "x")), inner, max_size=6
        )
    ),
    max_leaves=12,
)


@fuzz(st.lists(lines.map(json.dumps) | st.text(max_size=40), max_size=6), st.binary(max_size=20), share=0.5)
def test_a_journal(tmp_path: Path, written: list[str], tail: bytes) -> None:
    """Whatever it says, no file counts as finished that was not verified."""
    content = "\n".join(written).encode("utf-8", "surrogatepass") + b"\n" + tail
    (tmp_path / JOURNAL).write_bytes(content)
    journal = read_journal(tmp_path, "so")
    for entry in pairs(tmp_path / "pairs", 1):
        assert journal.kept(entry) is None


@fuzz(st.binary(max_size=60), st.text("0123456789,-+x ", max_size=30))
def test_a_request_of_the_page(body: bytes, lengths: str) -> None:
    try:
        assert b"".join(parts_of(body, lengths)) == body
    except UsageError as error:
        sound(error)
