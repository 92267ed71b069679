"""The program around its commands: help, version, imports, and how errors look."""

from __future__ import annotations

import json
import sys

import pytest
from desk import Desk

import stegcli
from stegcli import errors, pipeline

COMMANDS = ["hide", "reveal", "info", "models", "train", "export"]
SLOW = ["torch", "numpy", "PIL", "onnxruntime", "huggingface_hub", "rich", "cryptography", "stegcli.training"]
TELL_IMPORTS = """
import atexit, sys
atexit.register(lambda: print("imported:", *sys.modules, file=sys.stderr))
"""


def _imported(err: str) -> set[str]:
    line = next(line for line in err.splitlines() if line.startswith("imported: "))
    return set(line.split()[1:])


@pytest.mark.parametrize("args", [["--help"], ["-h"], *([name, "--help"] for name in COMMANDS)])
def test_help(desk: Desk, args: list[str]) -> None:
    outcome = desk.run(*args)
    assert outcome.code == 0
    assert "Usage: " in outcome.out
    assert outcome.out.isascii()


def test_help_names_every_command(desk: Desk) -> None:
    outcome = desk.run("--help")
    assert all(f"  {name} " in outcome.out for name in COMMANDS)


@pytest.mark.parametrize("args", [["--help"], ["hide", "--help"], ["--version"]])
def test_help_imports_nothing_slow(desk: Desk, args: list[str]) -> None:
    outcome = desk.run_process(*args, prelude=TELL_IMPORTS)
    assert outcome.code == 0
    assert _imported(outcome.err).isdisjoint(SLOW)


def test_hide_and_reveal_never_import_torch(desk: Desk) -> None:
    for args in (
        ["hide", "cover.png", "secret.png", "-o", "stego.png"],
        ["reveal", "stego.png", "-o", "out.png"],
    ):
        outcome = desk.run_process(*args, prelude=TELL_IMPORTS)
        assert outcome.code == 0, outcome.err
        # rich is for a terminal, the hub for models that are not here.
        assert _imported(outcome.err).isdisjoint(
            {"torch", "stegcli.training", "huggingface_hub", "rich", "onnx"}
        )


def test_coded_bits_in_pixels_import_neither_runtime_to_reveal_nor_formats_that_are_not_there(
    desk: Desk,
) -> None:
    hide = ["hide", "cover.png", "secret.png", "--model", "coded", "-o", "stego.png"]
    for args, spared in ((hide, set()), (["reveal", "stego.png", "-o", "out.png"], {"onnxruntime"})):
        outcome = desk.run_process(*args, prelude=TELL_IMPORTS)
        assert outcome.code == 0, outcome.err
        jpeg = {"stegcli.carriers.jpeg_scan", "stegcli.carriers.coefficients"}
        assert _imported(outcome.err).isdisjoint({"PIL.PdfImagePlugin", *jpeg, *spared})


def test_version(desk: Desk) -> None:
    assert desk.run("--version").out == f"stegcli {stegcli.__version__}\n"


def test_module_runs_as_the_program(desk: Desk) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "stegcli", "--version"], cwd=desk.folder, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"stegcli ")


def test_public_names_are_lazy() -> None:
    assert stegcli.hide is pipeline.hide
    assert stegcli.reveal is pipeline.reveal
    assert stegcli.StegError is errors.StegError
    assert {"hide", "reveal", "StegError"} <= set(dir(stegcli))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = stegcli.nonsense


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["hide", "", "secret.png"], "an argument"),
        (["hide", "cover.png", "secret.png", "-o", ""], "an argument"),
        (["reveal", "cover.png", "--output="], "--output"),
    ],
)
def test_a_variable_of_the_shell_that_is_not_set(desk: Desk, words: list[str], named: str) -> None:
    desk.refuses(2, *words, words=f"{named} is empty")


@pytest.mark.parametrize(
    "args",
    [
        ["hide"],
        ["hide", "--nonsense"],
        ["nonsense"],
        ["hide", "a", "b", "--favor", "me"],
        ["hide", "a", "b", "c"],
    ],
)
def test_usage_errors(desk: Desk, args: list[str]) -> None:
    plain = desk.run(*args)
    assert plain.code == 2
    assert "Usage: " in plain.err
    assert plain.out == ""
    as_json = desk.run(*args, "--json")
    assert as_json.code == 2
    assert as_json.error["kind"] == "usage"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ImageError("bad", "cure"), 3),
        (errors.NothingFoundError(), 4),
        (errors.ModelError("bad", "cure"), 5),
        (errors.DeviceError("bad", "cure"), 6),
        (errors.MissingExtraError("bad", "cure"), 7),
        (errors.TrainingError("bad", "cure"), 8),
        (MemoryError(), 9),
        (RuntimeError("can't start new thread"), 9),
        (RuntimeError("ours"), 1),
        (OSError(24, "Too many open files", "x.png"), 9),
        (ImportError("libopenblas.so: failed to map segment"), 7),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("ours"), 1),
    ],
)
def test_every_error_becomes_its_exit_code(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "hide_as", fail)
    args = ("hide", "cover.png", "secret.png", "-o", "out.png")
    desk.refuses(code, *args)
    told = desk.run(*args, "--json")
    assert told.code == code
    assert set(told.error) == {"kind", "message", "hint"}
    if isinstance(error, errors.StegError):
        assert told.error == {"kind": error.kind, "message": error.message, "hint": error.hint}


@pytest.mark.parametrize("error", [errors.ImageError("bad", "cure"), ZeroDivisionError("ours")])
def test_debug_shows_the_traceback(desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "reveal", fail)
    outcome = desk.run("reveal", "cover.png", "--debug")
    assert "Traceback (most recent call last)" in outcome.err
    assert "error: " in outcome.err


def test_control_characters_in_a_name_stay_on_their_line(desk: Desk) -> None:
    outcome = desk.refuses(3, "hide", "a\nb\x1b[31m.png", "secret.png", "-o", "out.png")
    assert "a\\nb\\x1b[31m.png" in outcome.err


def test_names_that_the_terminal_cannot_show(desk: Desk) -> None:
    outcome = desk.run_process("reveal", "Blüte\udcff.png", "-o", "out.png")
    assert outcome.code == 3
    ascii_only = desk.run_process(
        "reveal", "Blüte.png", "-o", "out.png", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    )
    assert ascii_only.code == 3
    assert "Bl\\xfcte.png: no such file" in ascii_only.err


def test_models(desk: Desk) -> None:
    listed = desk.run("models", "--json").json["models"]
    default = [each for each in listed if each["default"] and each["family"] == "phase"]
    assert len(default) == 1
    assert default[0]["local"]
    assert default[0]["id"] in desk.run("models").out
    assert desk.run("models", "--quiet").out.splitlines() == [each["id"] for each in listed]


def test_json_is_one_object_on_one_line(desk: Desk) -> None:
    outcome = desk.run("models", "--json")
    assert len(outcome.out.splitlines()) == 1
    json.loads(outcome.out)
