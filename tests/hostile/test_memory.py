"""A machine, or a container, with less memory than the pictures need."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from desk import Desk

SHORT = """
import resource
from pathlib import Path
import stegcli.cli.app, stegcli.pipeline, stegcli.pictures.reading, PIL.PngImagePlugin
from stegcli.envelope import keys
from stegcli.models import runtime, store
store.find().read("encoder"), runtime.load_runtime(), keys.Keyring(None).keys(bytes(16))
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, 2 * (pages * resource.getpagesize() + {spare} * 2**20,))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and /proc of Linux")
@pytest.mark.parametrize("spare", [40, 120, 300])
def test_too_little_memory_is_no_bug(
    desk: Desk, cover_rgb: np.ndarray, secret_gray: np.ndarray, spare: int
) -> None:
    desk.put("cover.png", np.tile(cover_rgb, (8, 8, 1)))
    desk.put("secret.png", np.tile(secret_gray, (7, 7)))
    outcome = desk.run_process(
        "hide", "cover.png", "secret.png", "-o", "s.png", prelude=SHORT.format(spare=spare)
    )
    assert outcome.code in (3, 5, 9), outcome
    assert "memory" in outcome.err
    assert "bug" not in outcome.err
    assert not (desk.folder / "s.png").exists()
