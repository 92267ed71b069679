"""Secrets in JPEG files stay readable: see tests/support/jpeg_vectors.py for how the vectors were made."""

from __future__ import annotations

import json
from pathlib import Path

import jpeg_vectors
import pytest
from format_vectors import SALT

import stegcli
from stegcli.carriers import coefficients
from stegcli.carriers.jpeg_scan import read_luma
from stegcli.envelope import head, keys

FOLDER = Path(__file__).parent / "coded-jpeg-1"
VECTORS = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


def test_heads_lie_where_they_lay() -> None:
    assert jpeg_vectors.place_vectors() == VECTORS["places"]


@pytest.mark.parametrize("name", sorted(jpeg_vectors.STEGOS))
def test_committed_stego_reads_as_on_the_day_it_was_made(name: str) -> None:
    passphrase, _ = jpeg_vectors.STEGOS[name]
    values = coefficients.values(read_luma((FOLDER / f"{name}.jpg").read_bytes(), max_pixels=10**6))
    locator = keys.derive_locator(passphrase, len(values))
    salt, sealed = head.read_coefficients(values[head.COEFFICIENTS.draw(len(values), locator)], locator)

    assert salt == SALT
    opened = head.open_head(sealed, keys.derive(passphrase, salt))
    assert opened.to_bytes().hex() == VECTORS["stegos"][name]["head"]
    assert stegcli.reveal(FOLDER / f"{name}.jpg", passphrase=passphrase).secret == jpeg_vectors.SECRET


@pytest.mark.parametrize("name", sorted(jpeg_vectors.STEGOS))
def test_writer_still_writes_what_the_reader_reads(name: str, tmp_path: Path) -> None:
    """Run the vectors' own maker, so that the switch for making new ones keeps working."""
    content, _ = jpeg_vectors.make_stego(name)
    (tmp_path / "stego.jpg").write_bytes(content)
    passphrase, _ = jpeg_vectors.STEGOS[name]
    assert stegcli.reveal(tmp_path / "stego.jpg", passphrase=passphrase).secret == jpeg_vectors.SECRET
