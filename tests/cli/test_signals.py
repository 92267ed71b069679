"""Ctrl-C, SIGTERM and a closed terminal: at any moment, repeatedly, and the messages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from desk import Desk, command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send one process a signal")

# A parent may ignore signals, as shells do for jobs in the background and nohup does, and children keep that.
LISTENING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
)
SIGNALS = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])

# Many short sleeps: a signal that comes just before a long one would not end it.
WAIT = (
    LISTENING
    + """
import time
def wait(*args, **options):
    print("here", flush=True)
    for _ in range(10_000):
        time.sleep(0.01)
"""
)
IN_A_COMMAND = WAIT + "import os; os.fsync = wait"
IN_AN_IMPORT = (
    WAIT
    + """
import sys
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            wait()
sys.meta_path.insert(0, Slow())
"""
)
SWALLOWED = (
    WAIT
    + """
import os
class Held:
    def __del__(self):
        wait()
def destroy(*args):
    del held[:]
    wait()
held, os.fsync = [Held()], destroy
"""
)


def _stopped(
    desk: Desk, prelude: str, *stops: signal.Signals, args: tuple[str, ...] = ()
) -> tuple[int, str, list[str]]:
    """Send signals to a command that waits: (exit code, stderr, files that are new)."""
    before = {path.name for path in desk.folder.iterdir()}
    args = args or ("hide", "cover.png", "small.png", "-o", "out.png")
    with subprocess.Popen(
        command(*args, prelude=prelude), cwd=desk.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        for stop in stops:
            if stop is stops[0]:
                assert process.stdout.readline() == b"here" + os.linesep.encode()
            process.send_signal(stop)
        _, err = process.communicate(timeout=60)
    left = {path.name for path in desk.folder.iterdir()} - before
    return process.returncode, err.decode(), sorted(left)


@pytest.fixture(autouse=True)
def _small(desk: Desk, secret_gray) -> None:
    desk.put("small.png", secret_gray[::4, ::4])


@pytest.mark.parametrize("stop", SIGNALS)
def test_a_draft_is_removed(desk: Desk, stop: signal.Signals) -> None:
    told = "error: interrupted\n  out.png was not written.\n"
    assert _stopped(desk, IN_A_COMMAND, stop) == (130, told, [])


def test_a_second_signal_does_not_cut_off_the_removal(desk: Desk) -> None:
    """`timeout` and a closing terminal send it twice."""
    slow = (
        IN_A_COMMAND
        + """
import pathlib
remove = pathlib.Path.unlink
def slowly(path, *args, **options):
    for _ in range(20):
        time.sleep(0.01)
    remove(path, *args, **options)
pathlib.Path.unlink = slowly
"""
    )
    code, err, left = _stopped(desk, slow, signal.SIGTERM, signal.SIGHUP)
    assert (code, left) == (130, [])
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["typer", "stegcli.cli.app", "stegcli.pipeline", "onnxruntime"])
def test_in_the_middle_of_an_import(desk: Desk, name: str) -> None:
    code, err, left = _stopped(desk, IN_AN_IMPORT.replace("{name}", name), signal.SIGINT)
    assert (code, left) == (130, [])
    assert err.startswith("error: interrupted\n  ")
    assert len(err.splitlines()) == 2


def test_where_python_would_drop_it(desk: Desk) -> None:
    """An exception in a destructor is only printed; the interrupt is raised again."""
    code, err, left = _stopped(desk, SWALLOWED, signal.SIGINT)
    assert (code, left) == (130, [])
    assert err.startswith("error: interrupted")


def test_an_interrupt_that_a_library_turns_into_its_own_error(desk: Desk) -> None:
    prelude = (
        IN_A_COMMAND
        + """
def turned(*args):
    try:
        wait()
    except KeyboardInterrupt as error:
        raise ValueError("no array interface") from error
os.fsync = turned
"""
    )
    assert _stopped(desk, prelude, signal.SIGINT)[:2] == (
        130,
        "error: interrupted\n  out.png was not written.\n",
    )


def test_as_json(desk: Desk) -> None:
    import json

    args = ("hide", "cover.png", "small.png", "-o", "out.png", "--json")
    for prelude in (IN_A_COMMAND, IN_AN_IMPORT.replace("{name}", "typer")):
        _, err, _ = _stopped(desk, prelude, signal.SIGINT, args=args)
        assert json.loads(err)["error"]["kind"] == "interrupted"


def test_the_old_file_stays(desk: Desk) -> None:
    desk.put_bytes("out.png", b"precious")
    args = ("hide", "cover.png", "small.png", "-o", "out.png", "--force")
    code, err, left = _stopped(desk, IN_A_COMMAND, signal.SIGINT, args=args)
    assert (code, err.splitlines()[1], left) == (130, "  out.png was not changed.", [])


def test_a_file_that_was_complete_by_then_is_named(desk: Desk) -> None:
    """Between the appearance of the file and the last line of output."""
    prelude = (
        WAIT
        + """
import pathlib, os
replace, link = pathlib.Path.replace, os.link
def replaced(*args, **options):
    replace(*args, **options)
    wait()
def linked(*args, **options):
    link(*args, **options)
    wait()
pathlib.Path.replace, os.link = replaced, linked
"""
    )
    code, err, left = _stopped(desk, prelude, signal.SIGINT)
    assert (code, left) == (130, ["out.png"])
    assert err.splitlines()[1] == "  out.png was complete by then and is kept."


def test_nohup_is_respected(desk: Desk) -> None:
    prelude = (
        "import os, signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "import atexit; atexit.register(lambda: print(signal.getsignal(signal.SIGHUP).name))\n"
    )
    assert desk.run_process("--version", prelude=prelude).out.splitlines()[-1] == "SIG_IGN"


def test_a_library_keeps_its_own_handlers() -> None:
    """Importing the command line installs no signal handler; only running the program does."""
    code = "import signal, stegcli.cli.app as a; print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.split() == [b"True"]
