"""A user's desk: a folder with pictures, commands run in it, and a memory of what it held before."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from stegcli.cli.app import program


@dataclass(frozen=True)
class Outcome:
    """Output and exit code of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        return json.loads(self.err)["error"]


@dataclass(frozen=True)
class Streams:
    """Output of a command, byte for byte."""

    out: bytes
    err: bytes


@dataclass
class Desk:
    """A folder, which is the current one while a test runs."""

    folder: Path
    inputs: dict[Path, str] = field(default_factory=dict)

    def put(self, name: str, pixels: np.ndarray, **options: Any) -> str:
        """Save a picture as an input that nothing may change."""
        Image.fromarray(pixels).save(self.folder / name, **options)
        return self.keep(name)

    def put_bytes(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return self.keep(name)

    def keep(self, name: str) -> str:
        """Remember a file, so that `check_inputs` notices any change."""
        path = self.folder / name
        self.inputs[path] = _digest(path)
        return name

    def check_inputs(self) -> None:
        for path, digest in self.inputs.items():
            assert _digest(path) == digest, f"{path.name} was changed"

    def pixels(self, name: str) -> np.ndarray:
        with Image.open(self.folder / name) as image:
            return np.array(image)

    def run(self, *args: str, stdin: bytes | None = None) -> Outcome:
        """Run a command in this process."""
        result = CliRunner().invoke(program(args), list(args), input=stdin)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def run_process(self, *args: str, prelude: str = "", env: dict[str, str] | None = None) -> Outcome:
        """Run a command in a new process, after a few lines of Python."""
        done = subprocess.run(
            command(*args, prelude=prelude),
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def streams(self, *args: str, stdin: bytes | None = None) -> Streams:
        """Run a command in a new process that must succeed, with bytes in and out."""
        done = subprocess.run(command(*args), cwd=self.folder, input=stdin, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        return Streams(done.stdout, done.stderr)

    def refuses(self, code: int, *args: str, words: str = "", process: str | None = None) -> Outcome:
        """Run a command that must fail: this code, one line of reason, one of advice, nothing left behind."""
        before = sorted(self.folder.rglob("*"))
        outcome = self.run(*args) if process is None else self.run_process(*args, prelude=process)
        assert outcome.code == code, outcome
        assert outcome.out == ""
        reason, cure, *rest = outcome.err.splitlines()
        assert reason.startswith("error: ")
        assert words in reason
        assert cure.startswith("  ")
        assert cure.strip()
        assert not rest, outcome.err
        assert sorted(self.folder.rglob("*")) == before
        self.check_inputs()
        return outcome


def command(*args: str, prelude: str = "") -> list[str]:
    """A command line that runs stegcli after `prelude` has run in the same process."""
    return [sys.executable, "-c", f"{prelude}\nfrom stegcli.cli import main\nmain()", *args]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
