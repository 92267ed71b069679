"""The paper's own steganalyzer as a detector (Zhang, Dong and Liu 2019, Table 6). Needs `stegcli[train]`.

Trained on covers and stegos of some pictures, tested on others; half of each batch are covers and half are
the same covers' stegos. It has no high-pass filter, so what it misses may well be found by others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stegcli.lab.data import photos
from stegcli.lab.data.covers import load_cover
from stegcli.lab.extras import load
from stegcli.lab.security.subjects import Subject
from stegcli.pictures import luma

__all__ = ["accuracy"]

U8 = NDArray[np.uint8]

TRAIN_SHARE: Final = 5 / 7
"""As in the paper: 5,000 pictures to train, 2,000 to test."""
EPOCHS: Final = 12


def accuracy(subject: Subject, refs: Sequence[photos.ImageRef], seed: int) -> float:
    """Share of covers and stegos told right, on pictures that were not trained on.

    Args:
        subject: what hides.
        refs: pictures, as `covers.covers_of` gives them.
        seed: of embedding, initial weights and batches.
    """
    covers = np.stack([load_cover(ref) for ref in refs])
    secrets = [luma.gray(cover) for cover in np.roll(covers, -1, axis=0)]
    stegos = np.stack(
        [
            subject.stego(cover, secret, f"{seed}/{i}")
            for i, (cover, secret) in enumerate(zip(covers, secrets, strict=True))
        ]
    )
    split = round(len(covers) * TRAIN_SHARE)
    judging = load("stegcli.training.detectors.paper", "the paper's steganalyzer", "train")
    steps = EPOCHS * (split // judging.BATCH_PAIRS)
    settings = judging.JudgeSettings(high_pass=False, minutes=0.0, seed=seed, steps=steps)
    network, _ = judging.train_judge(covers[:split], stegos[:split], settings)
    return float(judging.judge_pairs(network, covers[split:], stegos[split:]).accuracy)
