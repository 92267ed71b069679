"""The commit that measured results name."""

import subprocess
from pathlib import Path

import pytest

from stegcli.lab.provenance import commit


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "__init__.py").write_text("")
    git(tmp_path, "add", "__init__.py")
    git(tmp_path, "commit", "--quiet", "-m", "Begin")
    return tmp_path


def test_a_checkout_names_its_commit_and_says_when_files_differ(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    git(checkout, "tag", "-a", "v1", "-m", "named otherwise")
    assert commit(checkout) == head
    (checkout / "__init__.py").write_text("changed = True\n")
    assert commit(checkout) == f"{head}-dirty"


def test_a_copy_inside_another_checkout_has_none(checkout: Path) -> None:
    installed = checkout / "site-packages" / "stegcli"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert commit(installed) is None


def test_without_git_there_is_none(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert commit(checkout) is None
