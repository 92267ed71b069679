"""Where a passphrase comes from, and what it protects."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, command

import stegcli
from stegcli.envelope.keys import PUBLIC_PASSPHRASE
from stegcli.errors import UsageError

HIDE = ("hide", "cover.png", "secret.png", "-o", "stego.png")
REVEAL = ("reveal", "stego.png", "-o", "out.png")
WORDS = "correct horse Batterie façade"


@pytest.fixture(scope="module")
def keyed_stego(tmp_path_factory: pytest.TempPathFactory, files_of_a_desk: dict[str, bytes]) -> bytes:
    """A stego that was hidden with WORDS, made once."""
    desk = Desk(tmp_path_factory.mktemp("keyed"))
    for name, content in files_of_a_desk.items():
        desk.put_bytes(name, content)
    desk.put_bytes("words.txt", WORDS.encode() + b"\nsecond line\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk.folder)
        outcome = desk.run(*HIDE, "--passphrase-file", "words.txt", "--json")
    assert outcome.json["keyed"]
    assert "anybody" not in outcome.err
    return (desk.folder / "stego.png").read_bytes()


@pytest.fixture
def keyed(desk: Desk, keyed_stego: bytes) -> Desk:
    """A desk with that stego and the passphrase."""
    desk.put_bytes("words.txt", WORDS.encode() + b"\nsecond line\n")
    desk.put_bytes("stego.png", keyed_stego)
    return desk


def _reveals(desk: Desk, secret_gray: np.ndarray) -> bool:
    return np.corrcoef(desk.pixels("out.png").ravel(), secret_gray.ravel())[0, 1] > 0.9


def test_the_right_one_reveals(keyed: Desk, secret_gray: np.ndarray) -> None:
    outcome = keyed.run(*REVEAL, "--passphrase-file", "words.txt", "--json")
    assert outcome.json["keyed"]
    assert _reveals(keyed, secret_gray)


def test_none_and_a_wrong_one_find_nothing_with_the_same_words(keyed: Desk) -> None:
    keyed.put_bytes("wrong.txt", b"correct horse")
    without = keyed.refuses(4, *REVEAL)
    wrong = keyed.refuses(4, *REVEAL, "--passphrase-file", "wrong.txt")
    innocent = keyed.refuses(4, "reveal", "cover.png", "-o", "out.png")
    assert without.err == wrong.err == innocent.err
    keyed.refuses(4, "info", "stego.png", "--passphrase-file", "wrong.txt")


@pytest.mark.parametrize("content", [WORDS, WORDS + "\r\n", "\ufeff" + WORDS + "\nmore"])
def test_line_ends_and_byte_order_marks_do_not_count(keyed: Desk, content: str) -> None:
    keyed.put_bytes("again.txt", content.encode())
    assert keyed.run(*REVEAL, "--passphrase-file", "again.txt").code == 0


def test_from_stdin(keyed: Desk) -> None:
    assert keyed.run(*REVEAL, "--passphrase-file", "-", stdin=WORDS.encode()).code == 0


def test_stdin_cannot_be_two_things(keyed: Desk) -> None:
    keyed.refuses(2, "reveal", "-", "-o", "out.png", "--passphrase-file", "-", words="only one")


def test_from_the_environment(keyed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEGCLI_PASSPHRASE", WORDS)
    assert keyed.run(*REVEAL).code == 0
    assert keyed.run("info", "stego.png", "--json").json["keyed"]


def test_spaces_belong_to_it(keyed: Desk) -> None:
    keyed.put_bytes("spaced.txt", f" {WORDS} \n".encode())
    keyed.refuses(4, *REVEAL, "--passphrase-file", "spaced.txt")


def test_two_sources_are_one_too_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put_bytes("words.txt", b"words")
    desk.refuses(2, *HIDE, "--passphrase", "--passphrase-file", "words.txt", words="two passphrases")
    monkeypatch.setenv("STEGCLI_PASSPHRASE", "words")
    desk.refuses(2, *HIDE, "--passphrase-file", "words.txt", words="STEGCLI_PASSPHRASE")


NO_PASSPHRASES = [
    (b"", "empty"),
    (b"\nsecond line", "empty"),
    (b"\xff\xfe\x00", "not UTF-8"),
    (b" \t \n", "blank"),
    ("\u3000\u00a0".encode(), "blank"),
    ("\u200b\u00ad\u2060\x1b".encode(), "blank"),
    ("words".encode("utf-16-be"), "zero byte"),
    (PUBLIC_PASSPHRASE.encode() + b"\n", "public"),
    (b"a" * 4097, "more than 4,096 bytes"),
]


@pytest.mark.parametrize(("content", "words"), NO_PASSPHRASES)
def test_files_without_a_passphrase(desk: Desk, content: bytes, words: str) -> None:
    desk.put_bytes("words.txt", content)
    desk.refuses(2, *HIDE, "--passphrase-file", "words.txt", words=words)
    desk.refuses(2, "reveal", "cover.png", "-o", "out.png", "--passphrase-file", "words.txt", words=words)


@pytest.mark.parametrize("words", [" ", PUBLIC_PASSPHRASE])
def test_what_keeps_nothing_private_is_refused_from_everywhere(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Otherwise the report would say that it is keyed."""
    monkeypatch.setenv("STEGCLI_PASSPHRASE", words)
    desk.refuses(2, *HIDE)
    with pytest.raises(UsageError):
        stegcli.hide("cover.png", "secret.png", passphrase=words)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="devices without an end are POSIX")
def test_a_file_without_an_end(desk: Desk) -> None:
    desk.refuses(2, *HIDE, "--passphrase-file", "/dev/zero", words="more than 4,096 bytes")


def test_only_the_first_line_is_read(keyed: Desk) -> None:
    keyed.put_bytes("long.txt", WORDS.encode() + b"\n" + b"\xff" * 100_000)
    assert keyed.run(*REVEAL, "--passphrase-file", "long.txt").code == 0


@pytest.mark.parametrize("error", ["ValueError('ours')", "MemoryError()", "KeyboardInterrupt()"])
def test_no_traceback_shows_it(keyed: Desk, error: str) -> None:
    """Not even --debug shows it, deep inside the derivation of keys."""
    prelude = f"""
from stegcli.envelope import keys
def fail(passphrase, salt):
    raise {error}
keys._argon2 = fail
"""
    for flags in (["--debug"], ["--debug", "--json"]):
        told = keyed.run_process(*REVEAL, "--passphrase-file", "words.txt", *flags, prelude=prelude)
        assert told.code in {1, 3, 130}
        assert "Traceback" in told.err
        assert WORDS not in told.out + told.err
        assert "Batterie" not in told.out + told.err


def test_missing_file_and_empty_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.refuses(2, *HIDE, "--passphrase-file", "missing.txt", words="missing.txt")
    monkeypatch.setenv("STEGCLI_PASSPHRASE", "")
    desk.refuses(2, *HIDE, words="empty")


# --- asking -

ON_A_TERMINAL = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)"


def _on_a_terminal(folder: Path, args: tuple[str, ...], answers: list[str | bytes]) -> tuple[int, str]:
    """Run a command on a pseudo-terminal and type each answer when prompted: (exit code, output)."""
    import pty
    import subprocess

    controller, terminal = pty.openpty()
    with subprocess.Popen(
        command(*args, prelude=ON_A_TERMINAL), cwd=folder, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        shown = b""
        while chunk := _read(controller):
            shown += chunk
            if answers and chunk.endswith(b": "):
                answer = answers.pop(0)
                os.write(controller, (answer if isinstance(answer, bytes) else answer.encode()) + b"\n")
        process.wait(60)
    os.close(controller)
    return process.returncode, shown.decode()


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 4096)
    except OSError:  # Linux's way of saying that the terminal was closed
        return b""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_asked_twice_and_never_shown(desk: Desk) -> None:
    code, shown = _on_a_terminal(desk.folder, (*HIDE, "--passphrase"), [WORDS, WORDS])
    assert code == 0, shown
    assert "Passphrase: " in shown
    assert "again: " in shown
    assert WORDS not in shown
    code, shown = _on_a_terminal(desk.folder, (*REVEAL, "--passphrase"), [WORDS])
    assert code == 0, shown
    assert WORDS not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_two_different_answers(desk: Desk) -> None:
    code, shown = _on_a_terminal(desk.folder, (*HIDE, "--passphrase"), ["one", "two"])
    assert code == 2
    assert "differ" in shown
    assert not (desk.folder / "stego.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_refusal_to_overwrite_comes_before_the_question(desk: Desk) -> None:
    desk.put_bytes("stego.png", b"precious")
    code, shown = _on_a_terminal(desk.folder, (*HIDE, "--passphrase"), [])
    assert code == 2
    assert "Passphrase" not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="sessions without a terminal are POSIX")
def test_nobody_to_ask(desk: Desk) -> None:
    desk.refuses(2, *HIDE, "--passphrase", words="no terminal", process="import os; os.setsid()")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("typed", [b"\xfc1", b"caf\xe9 \xff\xfe"])
def test_a_terminal_of_another_encoding(desk: Desk, monkeypatch: pytest.MonkeyPatch, typed: bytes) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    code, shown = _on_a_terminal(desk.folder, (*HIDE, "--passphrase"), [typed])
    assert code == 2, shown
    assert "bytes that are not text" in shown
    assert "caf" not in shown
