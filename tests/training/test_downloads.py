"""Data sets from a local HTTP server: whole, broken, wrong, absent."""

import contextlib
import hashlib
import io
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pooch")
pytest.importorskip("torch")

from stegcli.errors import ExitCode, TrainingError
from stegcli.training.data import datasets, downloads

pytestmark = pytest.mark.train

PEOPLE = ("Ada_Lovelace", "Alan_Turing")


def archive(mode="w:gz", inside="lfw_funneled", extra=()):
    """A small data set as a tar file."""
    random = np.random.default_rng(1)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as tar:
        for name in [f"{inside}/{person}/{person}_{i:04d}.jpg" for person in PEOPLE for i in (1, 2)] + [
            *extra
        ]:
            picture = io.BytesIO()
            noise = random.integers(0, 256, (250, 250, 3), dtype=np.uint8)
            Image.fromarray(noise).save(picture, "PNG" if name.endswith("png") else "JPEG")
            info = tarfile.TarInfo(name)
            info.size = len(picture.getvalue())
            tar.addfile(info, io.BytesIO(picture.getvalue()))
    return content.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content`; each of the first `breaks` answers ends after `cut` bytes."""

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cut, self.breaks = content, 5000, 0
        self.knows_ranges, self.status, self.location = True, None, None
        self.drips = False
        self.starts = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/archive"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range", "bytes=0-")
        start = int(asked[len("bytes=") : -1]) if server.knows_ranges else 0
        server.starts.append(start)
        if server.status or start >= len(server.content):
            self.send_error(server.status or 416)
            return
        if server.location is not None:
            self.send_response(302)
            self.send_header("Location", server.location)
            self.end_headers()
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.breaks > 0:
            server.breaks -= 1
            body = body[: server.cut]
        pieces = [body[i : i + 1] for i in range(len(body))] if server.drips else [body]
        with contextlib.suppress(ConnectionError):  # nobody listens to the end
            for piece in pieces:
                self.wfile.write(piece)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server(archive()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def source(server, tmp_path, monkeypatch):
    """LFW comes from the local server, into its own cache; no data set is in the current folder."""
    checksum = "sha256:" + hashlib.sha256(server.content).hexdigest()
    source = downloads.Archive(server.url, checksum, "lfw-funneled.tgz", "https://lfw.example")
    monkeypatch.setitem(downloads.SOURCES, "lfw", source)
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "CHUNK", 1000)
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return source


def check_lfw(refs):
    assert len(refs) == 4
    assert {ref.key.split("/")[1] for ref in refs} == set(PEOPLE)
    assert refs[0].open().size == (250, 250)


@pytest.mark.parametrize("empty_root", [False, True])
def test_a_data_set_is_downloaded_and_unpacked_once(source, server, tmp_path, empty_root):
    root = tmp_path / "here" if empty_root else None
    check_lfw(datasets.find("lfw", root))
    check_lfw(datasets.find("lfw", root))
    assert server.starts == [0]
    assert not list((tmp_path / "cache").rglob("*.tgz")), "what is unpacked is not kept twice"
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_broken_transfer_goes_on_where_it_broke(source, server):
    server.breaks = 2
    check_lfw(datasets.find("lfw", None))
    assert server.starts == [0, server.cut, 2 * server.cut]


def test_a_server_without_ranges_starts_again(source, server):
    server.breaks, server.knows_ranges = 1, False
    check_lfw(datasets.find("lfw", None))
    assert server.starts == [0, 0]


def test_the_next_run_resumes_what_the_last_gave_up(source, server):
    server.breaks, server.cut = downloads.ATTEMPTS, 1000
    with pytest.raises(TrainingError, match=r"cannot download lfw-funneled.tgz") as caught:
        datasets.find("lfw", None)
    assert "it resumes" in caught.value.hint
    assert "--data-root" in caught.value.hint
    check_lfw(datasets.find("lfw", None))
    assert server.starts[-1] == 1000 * downloads.ATTEMPTS


def test_a_wrong_checksum_is_refused_and_nothing_stays(source, server, tmp_path):
    server.content = server.content[:-1] + bytes([server.content[-1] ^ 1])
    with pytest.raises(TrainingError, match="wrong checksum") as caught:
        datasets.find("lfw", None)
    assert caught.value.exit_code == ExitCode.TRAINING
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_server_that_refuses(source, server, status):
    server.status = status
    with pytest.raises(TrainingError, match="HTTPError"):
        datasets.find("lfw", None)


@pytest.mark.parametrize(
    "location",
    [
        "http://",
        "http://[::1",
        "nonsense://x/y",
        "http://.example./",
        "http://exa mple:port/",
        "http://\u00ff.\u00ff/",
    ],
)
def test_an_address_that_leads_nowhere_is_no_wrong_checksum(source, server, location):
    server.location = location.encode("utf-8").decode("latin-1")
    with pytest.raises(TrainingError, match=r"cannot download lfw-funneled\.tgz"):
        datasets.find("lfw", None)


def test_a_transfer_that_drips_is_given_up(source, server, monkeypatch):
    server.drips = True
    monkeypatch.setattr(downloads, "WINDOW_SECONDS", 0.05)
    monkeypatch.setattr(downloads, "WINDOW_BYTES", 1 << 30)
    with pytest.raises(TrainingError, match=r"cannot download lfw-funneled\.tgz.*Timeout"):
        datasets.find("lfw", None)


def test_a_transfer_without_end_does_not_fill_the_disk(source, server, monkeypatch, tmp_path):
    monkeypatch.setitem(downloads.SOURCES, "lfw", replace(source, most=len(server.content) - 1))
    with pytest.raises(TrainingError, match="sends more than"):
        datasets.find("lfw", None)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_lfw_is_to_be_had_elsewhere_when_its_mirror_fails():
    """Its own page is gone, so the hint must not send anybody there."""
    lfw = downloads.SOURCES["lfw"]
    assert "umass.edu" not in lfw.url + lfw.terms
    assert lfw.terms != lfw.url


def test_no_network(source, monkeypatch):
    nowhere = replace(source, url="http://127.0.0.1:9/archive")
    monkeypatch.setitem(downloads.SOURCES, "lfw", nowhere)
    with pytest.raises(TrainingError, match="cannot download") as caught:
        datasets.find("lfw", None)
    assert caught.value.exit_code == ExitCode.TRAINING
    assert "check the network" in caught.value.hint


def test_a_compressed_archive_of_the_users_is_unpacked_once(source, server, tmp_path, monkeypatch):
    path = tmp_path / "here" / "lfw-funneled.tgz"
    path.write_bytes(server.content)
    check_lfw(datasets.find("lfw", tmp_path / "here"))
    monkeypatch.setattr(downloads, "_unpack", None)
    check_lfw(datasets.find("lfw", tmp_path / "here"))
    assert path.exists()
    assert server.starts == []


def test_a_damaged_archive_of_the_users(source, server, tmp_path):
    (tmp_path / "here" / "lfw-funneled.tgz").write_bytes(server.content[:3000])
    with pytest.raises(TrainingError, match="cannot be unpacked"):
        datasets.find("lfw", tmp_path / "here")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def hostile(*members, mode="w:gz"):
    """A tar file of (name, type, further header fields)."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as tar:
        for name, kind, header in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            for field, value in header.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)
    return content.getvalue()


NEST = [("a/" * depth + "b", tarfile.REGTYPE, {}) for depth in (1, 3000)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (hostile(*NEST), "nested more than 32 deep"),
        (hostile(("a.jpg", tarfile.REGTYPE, {"size": 3 << 20})), "more than"),
        (hostile(("/etc/a.jpg", tarfile.REGTYPE, {}), ("../../a.jpg", tarfile.REGTYPE, {})), "outside"),
        (hostile(("a.jpg", tarfile.REGTYPE, {}))[:-30] + bytes(30), ""),
        (hostile(("a.jpg", tarfile.REGTYPE, {}), mode="w")[:150].ljust(512, b"\xff"), ""),
    ],
    ids=["nest", "bomb", "escape", "damaged gzip", "damaged header"],
)
def test_a_hostile_archive_is_refused_and_nothing_stays(source, tmp_path, monkeypatch, content, said):
    monkeypatch.setattr(downloads, "SPARE_BYTES", 1 << 20)
    (tmp_path / "here" / "lfw-funneled.tgz").write_bytes(content)
    with pytest.raises(TrainingError, match=rf"cannot be unpacked: .*{said}"):
        datasets.find("lfw", tmp_path / "here")
    assert not list((tmp_path / "cache").rglob("*.jpg"))
    assert not list((tmp_path / "cache").rglob(".unpacking*"))


def test_links_and_devices_of_an_archive_are_left_out(source, tmp_path):
    links = [
        ("dead.jpg", tarfile.LNKTYPE, {"linkname": "nothing.jpg"}),
        ("soft.jpg", tarfile.SYMTYPE, {"linkname": "x"}),
        ("pipe.jpg", tarfile.FIFOTYPE, {}),
        ("null.jpg", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 3}),
    ]
    path = tmp_path / "here" / "lfw-funneled.tgz"
    path.write_bytes(hostile(*links, ("a/b/c.jpg", tarfile.REGTYPE, {"size": 3})))
    folder = downloads.unpacked(path)
    assert [each.relative_to(folder).as_posix() for each in folder.rglob("*.jpg")] == ["a/b/c.jpg"]


def test_vocs_archive_gives_its_photographs_without_the_masks(tmp_path):
    mask = "VOCdevkit/VOC2012/SegmentationClass/2007_000032.png"
    content = archive("w:", "VOCdevkit/VOC2012/JPEGImages", [mask])
    (tmp_path / "VOCtrainval_11-May-2012.tar").write_bytes(content)
    refs = datasets.find("voc2012", tmp_path)
    assert len(refs) == 4
    assert all("JPEGImages" in ref.key for ref in refs)


def test_a_data_root_that_is_no_folder(tmp_path):
    with pytest.raises(TrainingError, match="is not a folder"):
        datasets.find("lfw", tmp_path / "none")


@pytest.mark.parametrize("gated", [True, False])
def test_imagenet_says_what_token_to_set(tmp_path, monkeypatch, gated):
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

    def refuse(*_, **__):
        if not gated:
            raise LocalEntryNotFoundError("offline")
        raise GatedRepoError.__new__(GatedRepoError)  # its arguments differ from release to release

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError) as caught:
        datasets.find("imagenet", None)
    assert "HF_TOKEN" in caught.value.hint
    assert "huggingface.co/datasets/timm/imagenet-1k-wds" in caught.value.hint


@pytest.mark.parametrize(
    "error", [ImportError("socksio"), RuntimeError("client"), ValueError("scheme"), KeyError("x")]
)
def test_whatever_the_hubs_client_raises_has_a_cure(tmp_path, monkeypatch, error):
    import huggingface_hub

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError, match=type(error).__name__) as caught:
        datasets.find("imagenet", None)
    assert "--data-root" in caught.value.hint
