"""stdin, stdout and stderr in any state (closed, full, unread), and pictures on them."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Outcome, command
from PIL import Image

import stegcli

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the shell that closes streams is POSIX")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")


@pytest.fixture(scope="module")
def stego_png(cover_rgb: np.ndarray, secret_gray: np.ndarray) -> bytes:
    """A stego of a small secret, made once."""
    file = io.BytesIO()
    stegcli.hide(cover_rgb, np.ascontiguousarray(secret_gray[::4, ::4]), file)
    return file.getvalue()


@pytest.fixture
def stego(desk: Desk, secret_gray: np.ndarray, stego_png: bytes) -> Desk:
    """A desk with small.png and a stego of it."""
    desk.put("small.png", secret_gray[::4, ::4])
    desk.put_bytes("stego.png", stego_png)
    return desk


def _shell(desk: Desk, line: str, *args: str, prelude: str = "") -> Outcome:
    """Run a shell line in which {} is stegcli with `args`."""
    words = shlex.join(command(*args, prelude=prelude))
    done = subprocess.run(
        ["bash", "-c", line.replace("{}", words)], cwd=desk.folder, capture_output=True, timeout=120
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@POSIX
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_stop_the_work(stego: Desk, closed: str) -> None:
    done = _shell(stego, f"{{}} {closed}", "reveal", "stego.png", "-o", "out.png")
    assert (done.code, done.err) == (0, "")
    assert stego.pixels("out.png").shape == (64, 64)


@POSIX
@pytest.mark.parametrize("args", [["reveal", "stego.png"], ["hide", "cover.png", "small.png"]])
def test_a_picture_is_not_said_to_be_written_to_a_closed_stdout(stego: Desk, args: list[str]) -> None:
    done = _shell(stego, "{} >&-", *args, "-o", "-", "--json")
    assert (done.code, done.error["kind"]) == (2, "usage")
    assert "closed" in done.error["message"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc says what is open, and is Linux's")
def test_a_file_does_not_get_the_number_of_a_closed_stream(desk: Desk) -> None:
    """Otherwise the output would become part of the picture."""
    prelude = (
        "import atexit, os\n"
        "def places(): return [os.readlink(f'/proc/self/fd/{number}') for number in range(3)]\n"
        "atexit.register(lambda: os.write(3, str(places()).encode()))"
    )
    done = _shell(desk, "{} 3>&1 <&- >&- 2>&-", "--version", prelude=prelude)
    assert done.out == str(["/dev/null"] * 3)


@POSIX
@pytest.mark.parametrize("args", [["--version"], ["--help"], ["hide", "--help"], ["models"]])
def test_what_only_prints(desk: Desk, args: list[str]) -> None:
    assert _shell(desk, "{} >&-", *args).code == 0
    gone = _shell(desk, "{} | true; exit ${PIPESTATUS[0]}", *args)
    assert gone.code in {0, 141}, "0 if it was faster than its reader"
    assert gone.err == ""


@POSIX
def test_the_reader_of_a_result_is_gone(desk: Desk) -> None:
    """Certainly gone, unlike a `true` that may be slow."""
    prelude = "import os; reader, writer = os.pipe(); os.dup2(writer, 1); os.close(writer); os.close(reader)"
    done = desk.run_process("models", prelude=prelude)
    assert (done.code, done.out, done.err) == (141, "", "")


@FULL
def test_a_full_stdout(stego: Desk) -> None:
    done = _shell(stego, "{} > /dev/full", "reveal", "stego.png", "-o", "out.png")
    assert done.code == 2
    assert "No space left on device" in done.err
    assert "complete" in done.err
    assert stego.pixels("out.png").shape == (64, 64)
    told = _shell(stego, "{} > /dev/full", "models", "--json")
    assert (told.code, told.error["kind"]) == (2, "output")


@FULL
def test_a_full_stderr_is_no_reason_to_stop(stego: Desk) -> None:
    done = _shell(stego, "{} 2> /dev/full", "hide", "cover.png", "small.png", "-o", "out.png")
    assert done.code == 0
    assert _shell(stego, "{} 2> /dev/full", "reveal", "missing.png").code == 3


@POSIX
def test_pictures_through_a_pipe(stego: Desk) -> None:
    hide = shlex.join(command("hide", "-", "small.png", "-o", "-", "-q"))
    done = _shell(stego, f"cat cover.png | {hide} | {{}} > r.png", "reveal", "-", "-o", "-", "--json")
    assert done.code == 0
    told = json.loads(done.err)
    assert (told["revealed"], told["size"]) == ("-", [64, 64])
    with Image.open(stego.folder / "r.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (64, 64))
    revealed = stego.pixels("r.png")
    assert np.corrcoef(revealed.ravel(), stego.pixels("small.png").ravel())[0, 1] > 0.9
    assert sorted(path.name for path in stego.folder.iterdir()) == [
        "cover.png",
        "r.png",
        "secret.png",
        "small.png",
        "stego.png",
    ]


def test_stdout_is_the_picture_and_the_report_goes_to_stderr(stego: Desk) -> None:
    done = subprocess.run(
        command("reveal", "stego.png", "-o", "-"), cwd=stego.folder, capture_output=True, check=True
    )
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.size == (64, 64)
    assert done.stderr.startswith(b"stdout: 64x64, ")


@POSIX
def test_no_picture_is_written_to_a_terminal(stego: Desk) -> None:
    import os
    import pty

    controller, terminal = pty.openpty()
    done = subprocess.run(
        command("reveal", "stego.png", "-o", "-"), cwd=stego.folder, stdout=terminal, stderr=subprocess.PIPE
    )
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert b"would be written to the terminal" in done.stderr


@POSIX
def test_check_and_cover_from_read_pipes(stego: Desk) -> None:
    check = _shell(stego, "{} <(cat cover.png) - < small.png", *["check", "--json"])
    assert check.code == 0, check.err
    assert check.json["cover_size"] == [256, 256]
    (stego.folder / "covers").mkdir()
    (stego.folder / "covers" / "one.png").write_bytes((stego.folder / "cover.png").read_bytes())
    chosen = _shell(stego, "{} < small.png", "hide", "-", "--cover-from", "covers", "-o", "out.png", "-q")
    assert (chosen.code, chosen.out) == (0, "out.png\n"), chosen.err


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_what_is_no_picture_on_stdin(desk: Desk, content: bytes) -> None:
    refused = desk.run("reveal", "-", "-o", "out.png", stdin=content)
    assert refused.code == 3
    assert refused.err.startswith("error: -: ")


def test_verbose_tells_the_seconds_of_each_stage(stego: Desk) -> None:
    told = stego.run("reveal", "stego.png", "-o", "out.png", "-v")
    stages = [line.rsplit(maxsplit=2)[0] for line in told.err.splitlines()]
    assert stages == ["reading", "revealing", "saving"]
    assert all(line.endswith(" s") for line in told.err.splitlines())
    assert told.out.startswith("out.png: ")
    stego.refuses(2, "reveal", "stego.png", "-v", "-q", words="exclude each other")


def test_json_keeps_stderr_clear(stego: Desk) -> None:
    done = stego.run("hide", "cover.png", "small.png", "-o", "out.png", "--json")
    assert done.err == ""
    assert any("anybody" in notice for notice in done.json["notices"])
    assert "reading" in stego.run("reveal", "stego.png", "-o", "r.png", "--json", "-v").err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on address space hold on Linux only")
def test_too_little_memory_is_no_bug(desk: Desk) -> None:
    prelude = "import resource; resource.setrlimit(resource.RLIMIT_AS, (60 << 20,) * 2)"
    done = desk.run_process("hide", "cover.png", "secret.png", "-o", "out.png", prelude=prelude)
    assert done.code in {7, 9}, done
    assert "memory" in done.err
    assert "Traceback" not in done.err


@POSIX
def test_libraries_in_c_do_not_speak_beside_json(desk: Desk) -> None:
    prelude = (
        "import os\n"
        "from stegcli import errors\nfrom stegcli.pictures import reading\n"
        "def chatter(*args, **options):\n"
        "    os.write(2, b'TIFFReadDirectory: Warning')\n"
        "    raise errors.ImageError('bad', 'cure')\n"
        "reading.load_stego = chatter"
    )
    loud = desk.run_process("reveal", "cover.png", "-o", "out.png", prelude=prelude)
    assert "TIFFReadDirectory" in loud.err
    quiet = desk.run_process("reveal", "cover.png", "-o", "out.png", "--json", prelude=prelude)
    assert quiet.code == 3
    assert quiet.error["kind"] == "image"
