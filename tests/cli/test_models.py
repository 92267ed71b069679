"""`stegcli models` against a server with the Hub's routes, through the Hub's own client."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Outcome
from hub_server import FIRST, TOKEN, Hub, serving

BOX = Path(import_module("stegcli.weights").__path__[0])
MODEL = "isgan-lfw-v1"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def weights(desk: Desk) -> Path:
    """A folder with one of the bundled models."""
    folder = desk.folder / "mine"
    shutil.copytree(BOX / MODEL, folder / MODEL)
    section = re.search(rf"\[models\.{MODEL}\]\n(?:.+\n)+", (BOX / "manifest.toml").read_text())
    assert section
    (folder / "manifest.toml").write_text(f"schema = 1\n\n{section[0]}")
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _run(desk: Desk, hub: Hub, *words: str, **more: str) -> Outcome:
    return desk.run_process("models", *words, env=hub.settings(desk.folder / "home") | more)


def _refused(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 5, outcome
    reason, cure = outcome.err.splitlines()
    assert reason.startswith("error: ")
    assert all(word in reason + cure for word in words), outcome.err


def test_pushed_pulled_verified_and_used(desk: Desk, hub: Hub, weights: Path) -> None:
    pushed = _run(desk, hub, "push", "mine", "owner/new", "--private", "--json", HF_TOKEN=TOKEN)
    assert pushed.code == 0, pushed
    assert pushed.json == {"pinned": f"hf://owner/new@{FIRST}"}
    assert "owner/new" in hub.private
    there = hub.repos["owner/new"][FIRST]
    assert sorted(there) == ["README.md", f"{MODEL}/decoder.onnx", f"{MODEL}/encoder.onnx", "manifest.toml"]
    card = there["README.md"].decode()
    assert card.startswith('---\nlicense: "mit"\nlibrary_name: stegcli\n')
    assert "Faces in the Wild" in card

    pulled = _run(desk, hub, "pull", "hf://owner/new", "--out", "copy", "--json", HF_TOKEN=TOKEN)
    assert pulled.code == 0, pulled
    assert pulled.json["pinned"] == pushed.json["pinned"]
    assert _run(desk, hub, "verify", "--weights", "copy").code == 0
    hidden = desk.run("hide", "cover.png", "secret.png", "-o", "s.png", "--weights", "copy", "--model", MODEL)
    assert hidden.code == 0, hidden

    hub.asked.clear()
    offline = _run(desk, hub, "list", "--weights", pulled.json["pinned"], HF_HUB_OFFLINE="1")
    assert MODEL in offline.out
    assert hub.asked == []


def test_a_broken_download_is_taken_up_where_it_ended(desk: Desk, hub: Hub, weights: Path) -> None:
    """The client stores whole chunks of ten megabytes."""
    files = _files(weights)
    large = np.random.default_rng(1).bytes(12 << 20)
    small = files[f"{MODEL}/decoder.onnx"]
    digests = [hashlib.sha256(content).hexdigest().encode() for content in (small, large)]
    files[f"{MODEL}/decoder.onnx"] = large
    files["manifest.toml"] = files["manifest.toml"].replace(*digests)
    commit = hub.put("owner/repo", files)
    hub.break_after, hub.breaks = 11 << 20, 1
    pulled = _run(desk, hub, "pull", f"hf://owner/repo@{commit}", "--out", "copy")
    assert pulled.code == 0, pulled
    assert hub.breaks == 0
    assert any(line.endswith("bytes=10485760-") for line in hub.asked), hub.asked
    assert (desk.folder / "copy" / MODEL / "decoder.onnx").read_bytes() == large


def test_what_is_not_what_the_manifest_says_is_not_used(desk: Desk, hub: Hub, weights: Path) -> None:
    files = _files(weights)
    files[f"{MODEL}/decoder.onnx"] = files[f"{MODEL}/decoder.onnx"][:-1] + b"!"
    commit = hub.put("owner/repo", files)
    _refused(_run(desk, hub, "pull", f"hf://owner/repo@{commit}", "--out", "copy"), "SHA-256")
    assert not (desk.folder / "copy").exists()
    verified = _run(desk, hub, "verify", "--weights", f"hf://owner/repo@{commit}")
    assert verified.code == 5
    assert f"{MODEL} encoder: as it should be" in verified.out
    assert "1 of 2 files" in verified.err


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("hf://owner/nobody", ("owner/nobody", "log in")),
        (f"hf://owner/nobody@{FIRST}", ("owner/nobody", "log in")),
        (f"hf://owner/hidden@{FIRST}", ("owner/hidden", "HF_TOKEN")),
        (f"hf://owner/repo@{'f' * 40}", ("that commit is not",)),
        (f"hf://owner/empty@{FIRST}", ("manifest.toml", "no such file")),
    ],
)
def test_what_the_hub_refuses(
    desk: Desk, hub: Hub, weights: Path, address: str, words: tuple[str, ...]
) -> None:
    hub.put("owner/repo", _files(weights))
    hub.put("owner/hidden", _files(weights))
    hub.put("owner/empty", {"README.md": b""})
    hub.private.add("owner/hidden")
    _refused(_run(desk, hub, "pull", address), *words)


def test_a_push_without_a_login(desk: Desk, hub: Hub, weights: Path) -> None:
    _refused(_run(desk, hub, "push", "mine", "owner/new"), "owner/new", "log in")
    assert hub.repos == {}


def test_no_network(desk: Desk, hub: Hub) -> None:
    outcome = _run(desk, hub, "pull", f"hf://owner/repo@{FIRST}", HF_HUB_OFFLINE="1")
    _refused(outcome, "owner/repo", "--weights DIR")
    hub.url = "http://127.0.0.1:9"
    _refused(_run(desk, hub, "pull", "hf://owner/repo"), "owner/repo", "Check the network")


def test_the_library_s_own_words_are_not_put_beside_the_json(desk: Desk) -> None:
    """It warns of each retry, which no test waits for."""
    prelude = (
        "import atexit\n"
        "def warn():\n"
        "    from huggingface_hub.utils import logging\n"
        "    logging.get_logger('huggingface_hub').warning('Retrying')\n"
        "atexit.register(warn)"
    )
    assert desk.run_process("models", "--json", prelude=prelude).err == ""
    assert "Retrying" in desk.run_process("models", prelude=prelude).err


def test_damaged_weights_are_not_pushed(desk: Desk, hub: Hub, weights: Path) -> None:
    (weights / MODEL / "encoder.onnx").write_bytes(b"no graph")
    _refused(_run(desk, hub, "push", "mine", "owner/new", HF_TOKEN=TOKEN), "cannot be pushed")
    assert hub.asked == []


def test_names_that_are_none(desk: Desk, weights: Path) -> None:
    desk.refuses(2, "models", "push", "mine", "nobody", words="nobody")
    desk.refuses(2, "models", "pull", "owner/repo", words="not an address")
    desk.refuses(2, "models", "push", "nowhere", "owner/new", words="nowhere")
