"""Places that cannot be written to, and work that is cut short: nothing is left behind or changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from desk import Desk, command

HIDE = ("hide", "cover.png", "secret.png")

# The parent's SIGINT may be ignored (a shell's background job), and Python keeps that. A signal that comes
# between Python's last look for one and a sleep does not end that sleep: so sleeps are many and short.
STOP_AT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
def stop(*args, **options):
    print("here", flush=True)
    for _ in range(10_000):
        time.sleep(0.01)
import {module}
{module}.{name} = stop
"""
SMALL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""


@pytest.mark.parametrize("name", ["out.jpg", "out.jpeg", "out.avif", "out.gif", "out", "out.xyz"])
def test_names_that_would_lose_the_secret(desk: Desk, name: str) -> None:
    desk.refuses(2, *HIDE, "-o", name, words=name)


def test_existing_output(desk: Desk) -> None:
    desk.put_bytes("out.png", b"precious")
    outcome = desk.refuses(2, *HIDE, "-o", "out.png", words="out.png: exists")
    assert "--force" in outcome.err


@pytest.mark.parametrize("name", ["cover.png", "secret.png", "./cover.png"])
def test_inputs_are_not_replaced_even_by_force(desk: Desk, name: str) -> None:
    desk.refuses(2, *HIDE, "-o", name, "--force", words="input")


def test_refusal_comes_before_any_work(desk: Desk) -> None:
    """The cover is not even read."""
    desk.refuses(2, "hide", "missing.png", "secret.png", "-o", "out.jpg", words="out.jpg")


@pytest.mark.parametrize("folder", ["none", "cover.png"])
def test_folders_that_are_not_there(desk: Desk, folder: str) -> None:
    desk.refuses(2, *HIDE, "-o", f"{folder}/out.png", words="folder does not exist")


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="/proc, where even root may not write, is Linux's"
)
def test_folder_where_nobody_may_write(desk: Desk) -> None:
    desk.refuses(2, *HIDE, "-o", "/proc/self/out.png", words="/proc/self/out.png:")


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no limit on file sizes to play a full disk with"
)
def test_full_disk(desk: Desk) -> None:
    desk.refuses(2, *HIDE, "-o", "out.png", words="the disk is full", process=SMALL_DISK)


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no limit on file sizes to play a full disk with"
)
def test_full_disk_keeps_the_old_file(desk: Desk) -> None:
    desk.put_bytes("out.png", b"precious")
    desk.refuses(2, *HIDE, "-o", "out.png", "--force", words="the disk is full", process=SMALL_DISK)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send one process a Ctrl-C")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("module", "name"),
    [("stegcli.models.session", "Network.run"), ("os", "fsync"), ("stegcli.pictures.metrics", "psnr")],
)
def test_ctrl_c(desk: Desk, module: str, name: str, stop: signal.Signals) -> None:
    """Interrupted in a network, in the middle of writing, and after writing but before verification."""
    _interrupt(desk, (*HIDE, "-o", "out.png"), module, name, stop)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send one process a Ctrl-C")
@pytest.mark.parametrize(("module", "name"), [("stegcli.models.session", "Network.run"), ("os", "fsync")])
def test_ctrl_c_while_revealing(desk: Desk, module: str, name: str) -> None:
    assert desk.run(*HIDE, "-o", "stego.png").code == 0
    _interrupt(desk, ("reveal", desk.keep("stego.png"), "-o", "out.png"), module, name, signal.SIGINT)


def _interrupt(desk: Desk, args: tuple[str, ...], module: str, name: str, stop: signal.Signals) -> None:
    """Run a command, send it a signal when it reaches `module.name`, and check what is left."""
    before = sorted(desk.folder.iterdir())
    with subprocess.Popen(
        command(*args, prelude=STOP_AT.format(module=module, name=name)),
        cwd=desk.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"here" + os.linesep.encode()
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == b""
    assert err.decode().splitlines()[0] == "error: interrupted"
    assert len(err.splitlines()) == 2
    assert sorted(desk.folder.iterdir()) == before


def test_file_that_does_not_read_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that returns other bytes the stego is removed, because nobody could reveal from it."""
    from stegcli.pictures import reading

    whole = reading.load_stego

    def damaged(*args, **options):
        picture = whole(*args, **options)
        picture.rgb[:] = 0
        return picture

    monkeypatch.setattr(reading, "load_stego", damaged)
    desk.refuses(2, *HIDE, "-o", "out.png", words="read back")


def test_a_disk_without_room_for_a_small_file(desk: Desk, cover_rgb) -> None:
    """A small file waits in a buffer until it is closed."""
    desk.put("small.png", cover_rgb[::4, ::4])
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))"
    desk.refuses(2, "hide", "small.png", "secret.png", words="disk is full", process=limit)
