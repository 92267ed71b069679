"""Files appear whole or not at all, and existing files keep their content."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stegcli.errors import OutputError
from stegcli.pictures import drafts

needs_unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or permissions")


@pytest.fixture(params=["the system's way", "drafts with names", "no links either"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every way in which a file may get its name, on any system on which the tests run."""
    if request.param != "the system's way":
        monkeypatch.setattr(drafts, "_UNNAMED", 0)
    if request.param == "no links either":

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    return request.param


def _fail(path: Path, force: bool, blow: type[BaseException]) -> None:
    with drafts.replacing(path, force) as draft:
        draft.file.write(b"half")
        raise blow


def _write(path: Path, content: bytes, force: bool = False) -> None:
    with drafts.replacing(path, force) as draft:
        draft.file.write(content)


def test_a_draft_can_be_read_and_becomes_the_file(tmp_path: Path, way: str) -> None:
    with drafts.replacing(tmp_path / "a", force=False) as draft:
        draft.file.write(b"whole")
        draft.file.flush()
        assert draft.path.read_bytes() == b"whole"
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("blow", [KeyboardInterrupt, MemoryError, ValueError])
@pytest.mark.parametrize("force", [False, True])
def test_what_fails_leaves_what_was_there(tmp_path: Path, way: str, blow: type, force: bool) -> None:
    if force:
        (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(blow):
        _fail(tmp_path / "a", force, blow)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([b"old"] if force else [])


@needs_unix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_new_files_have_the_user_s_usual_permissions(tmp_path: Path, way: str, mask: int) -> None:
    before = os.umask(mask)
    try:
        _write(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


@needs_unix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, way: str, mode: int) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(mode)
    _write(tmp_path / "a", b"new", force=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


@needs_unix
def test_a_named_draft_is_its_owner_s_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "_UNNAMED", 0)
    with drafts.replacing(tmp_path / "a", force=False) as draft:
        assert stat.S_IMODE(draft.path.stat().st_mode) == 0o600


@needs_unix
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_followed(tmp_path: Path, way: str, dangling: bool) -> None:
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real", tmp_path / "link"
    link.symlink_to(real)
    if not dangling:
        real.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        _write(link, b"new")
    _write(link, b"new", force=True)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert not real.is_symlink()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["real"]


@needs_unix
def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OutputError, match="leads back"):
        drafts.check_place(tmp_path / "a", force=True)


@needs_unix
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a device"])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif kind == "link to a device":
        path.symlink_to("/dev/null")
    else:
        path = Path("/dev/null")
    before = path.stat()
    for refused in (drafts.check_place, _write_forced):
        with pytest.raises(OutputError, match="not a file"):
            refused(path, True)
    assert (path.stat().st_mode, path.stat().st_ino) == (before.st_mode, before.st_ino)


def _write_forced(path: Path, force: bool) -> None:
    _write(path, b"x", force)


def test_what_is_mounted_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's single file: the kernel would refuse the last step."""
    (tmp_path / "a b").write_bytes(b"old")
    mounts = tmp_path / "mountinfo"
    name = str(tmp_path.resolve() / "a b").replace(" ", "\\040")
    mounts.write_text(
        f"36 35 98:0 /mnt1 / rw - ext3 /dev/root rw\n37 36 98:0 /x {name} rw - ext3 /dev/y rw\n"
    )
    monkeypatch.setattr(drafts, "_MOUNTS", mounts)
    with pytest.raises(OutputError, match="mounted"):
        drafts.check_place(tmp_path / "a b", force=True)
    drafts.check_place(tmp_path / "c", force=True)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_share_that_cannot_sync_is_written_to(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    _write(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


@needs_unix
def test_a_share_without_permissions_is_written_to(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int, _mode: int) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", fail)
    for force in (False, True):
        _write(tmp_path / "a", b"x", force)
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_to_sync_is_not(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError):
        _write(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_long_name_is_told_before_any_work(tmp_path: Path, letter: str) -> None:
    size = len(letter.encode())
    drafts.check_place(tmp_path / (letter * (255 // size)), force=False)
    for length in (255 // size + 1, 4000 // size):
        with pytest.raises(OutputError, match="name") as told:
            drafts.check_place(tmp_path / (letter * length), force=False)
        assert "shorter" in told.value.hint


def test_the_check_leaves_nothing(tmp_path: Path, way: str) -> None:
    drafts.check_place(tmp_path / "a", force=False)
    assert list(tmp_path.iterdir()) == []


@needs_unix
def test_two_programs_never_both_win_a_name(tmp_path: Path, way: str) -> None:
    """Eight threads write one name, 150 times: seven get an error, and the winner's bytes stay."""
    for number in range(150):
        path, gate, won = tmp_path / str(number), threading.Barrier(8), []

        def race(own: bytes, path: Path = path, gate: threading.Barrier = gate, won: list = won) -> None:
            with drafts.replacing(path, force=False) as draft:
                draft.file.write(own)
                gate.wait()
            won.append(own)

        threads = [threading.Thread(target=_quietly, args=(race, bytes([65 + i]))) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [path.read_bytes()] == won
    assert len(list(tmp_path.iterdir())) == 150


def _quietly(race, own: bytes) -> None:
    try:
        race(own)
    except OutputError as error:
        assert "exists already" in error.message  # noqa: PT017


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux writes files without a name")
def test_a_killed_program_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import os, signal\nfrom stegcli.pictures.drafts import replacing\n"
        "with replacing('a', False) as draft:\n"
        "    draft.file.write(b'secret'); draft.file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []
