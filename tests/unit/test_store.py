"""Model files: found where they should be, and used only if they are those that the manifest names."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from stegcli.errors import ModelError, UsageError
from stegcli.models import store

REVISION = "0123456789abcdef0123456789abcdef01234567"
READ_BOTH = """
import sys, json
from stegcli.models import store
from stegcli.errors import StegError
try:
    files = store.find(weights=sys.argv[1])
    print(json.dumps({role: len(files.read(role)) for role in ("encoder", "decoder")}))
except StegError as error:
    print(json.dumps({"exit": int(error.exit_code), "message": error.message, "hint": error.hint}))
print(json.dumps("huggingface_hub" in sys.modules))
"""


def test_a_folder_is_found_and_read(exact_weights):
    files = store.find(weights=exact_weights)
    assert files.entry.id == "phase-tiny"
    assert files.is_local()
    assert files.read("encoder") == (exact_weights / "phase-tiny/encoder.onnx").read_bytes()


def test_models_read_a_manifest_once(monkeypatch):
    from stegcli.models.loading import Models

    models = Models(None)
    first = models.find("phase")
    monkeypatch.setattr(store, "_open", None)
    assert models.find("phase").files == first.files
    monkeypatch.undo()
    assert models.fingerprinted(first.fingerprint).files == first.files
    with pytest.raises(ModelError):
        models.find("nobody")


def test_a_fingerprint_is_found_in_the_given_folder(exact_weights):
    fingerprint = store.find(weights=exact_weights).entry.fingerprint
    assert store.find_by_fingerprint(fingerprint, exact_weights).entry.id == "phase-tiny"


def test_an_unknown_fingerprint_is_a_model_error_with_a_cure(exact_weights):
    with pytest.raises(ModelError, match="00000000") as caught:
        store.find_by_fingerprint(bytes(4), exact_weights)
    assert "--weights" in caught.value.hint


def test_one_flipped_byte_is_refused(make_weights):
    folder = make_weights()
    path = folder / "phase-tiny/decoder.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        store.find(weights=folder).read("decoder")


def test_a_missing_file_is_a_model_error(make_weights):
    folder = make_weights()
    (folder / "phase-tiny/encoder.onnx").unlink()
    with pytest.raises(ModelError, match="encoder") as caught:
        store.find(weights=folder).read("encoder")
    assert "--weights" in caught.value.hint


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"schema = "])
def test_a_folder_without_a_good_manifest_is_a_model_error(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.toml").write_bytes(content)
    with pytest.raises(ModelError, match=r"manifest\.toml"):
        store.find(weights=tmp_path)


def test_the_programs_own_models_are_whole():
    for files in store.catalog():
        for role in files.entry.files:
            assert not files.is_local() or files.read(role)


@pytest.mark.parametrize("address", ["hf://owner/repo", "hf://owner/repo@main", "hf://owner@" + REVISION])
def test_a_hub_address_must_pin_a_commit(address):
    with pytest.raises(UsageError) as caught:
        store.find(weights=address)
    assert "40 digits" in caught.value.hint


@pytest.fixture
def hub(exact_weights):
    """A server that answers like the Hub for one repository, and counts the requests."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(body=True)

        def do_HEAD(self):
            self.answer(body=False)

        def answer(self, body):
            if "/resolve/" in self.path:  # files; the library also asks for news of its own
                asked.append(self.path)
            path = exact_weights / self.path.removeprefix(f"/owner/repo/resolve/{REVISION}/")
            content = path.read_bytes() if path.is_file() else b""
            self.send_response(200 if content else 404)
            if not content:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("X-Repo-Commit", REVISION)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def read_both(weights, endpoint, home, **more):
    """In a new process, since the hub's library reads its settings once: (answer, hub imported?)."""
    settings = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    } | more
    done = subprocess.run(
        [sys.executable, "-c", READ_BOTH, str(weights)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_hub_is_asked_once_then_the_cache(hub, tmp_path):
    endpoint, asked = hub
    address = f"hf://owner/repo@{REVISION}"
    first, _ = read_both(address, endpoint, tmp_path / "home")
    assert first["encoder"] > 100
    assert asked
    asked.clear()
    assert read_both(address, endpoint, tmp_path / "home")[0] == first
    assert asked == []


def test_a_manifest_may_point_to_the_hub(hub, make_weights, tmp_path):
    endpoint, asked = hub
    folder = make_weights(extra=f'hub = "owner/repo"\nrevision = "{REVISION}"\n')
    assert read_both(folder, endpoint, tmp_path / "home")[1] is False
    assert asked == []
    for path in folder.glob("*/*.onnx"):
        path.unlink()
    assert read_both(folder, endpoint, tmp_path / "home")[0]["decoder"] > 100


def test_no_network_is_a_model_error_with_a_cure(tmp_path):
    # Told rather than found out: the library tries a dead address for 20 seconds.
    answer, _ = read_both(
        f"hf://owner/repo@{REVISION}", "http://127.0.0.1:9", tmp_path / "home", HF_HUB_OFFLINE="1"
    )
    assert answer["exit"] == 5
    assert "owner/repo" in answer["message"]
    assert "--weights DIR" in answer["hint"]


def test_an_unknown_repository_is_a_model_error(hub, tmp_path):
    answer, _ = read_both(f"hf://owner/other@{REVISION}", hub[0], tmp_path / "home")
    assert answer["exit"] == 5
    assert "owner/other" in answer["message"]


@pytest.mark.parametrize(
    "settings",
    [
        {"ALL_PROXY": "socks5://127.0.0.1:9", "HTTPS_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": ""},
        {"HTTPS_PROXY": "nonsense://127.0.0.1:9", "NO_PROXY": ""},
        {"HTTPS_PROXY": "http://[::1", "NO_PROXY": ""},
        {"HF_ENDPOINT": "ftp://127.0.0.1:9"},
        {"HF_ENDPOINT": "https://\u2603 \n"},
        {"HF_HUB_DOWNLOAD_TIMEOUT": "soon"},
    ],
    ids=["socks", "unknown proxy", "broken proxy", "no http", "no address", "no number"],
)
def test_whatever_the_hubs_client_raises_is_a_model_error(tmp_path, settings):
    answer, _ = read_both(f"hf://owner/repo@{REVISION}", "https://127.0.0.1:9", tmp_path / "home", **settings)
    assert answer["exit"] == 5
    assert "owner/repo" in answer["message"]
    assert "--weights DIR" in answer["hint"]
