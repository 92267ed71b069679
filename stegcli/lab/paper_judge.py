"""The paper's own steganalyzer as a detector (Zhang, Dong and Liu 2019, Table 6). Needs `stegcli[train]`.

Trained on covers and stegos of some pictures, tested on others; half of each batch are covers and half are
the same covers' stegos. It has no high-pass filter, so what it misses may well be found by others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stegcli import luma, photos
from stegcli.lab.covers import load_cover
from stegcli.lab.extras import load
from stegcli.lab.subjects import Subject

__all__ = ["accuracy"]

U8 = NDArray[np.uint8]

TRAIN_SHARE: Final = 5 / 7
"""As in the paper: 5,000 pictures to train, 2,000 to test."""
EPOCHS: Final = 12
BATCH_PAIRS: Final = 8
LEARNING_RATE: Final = 1e-3


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
    network = _trained(covers[:split], stegos[:split], seed)
    return _accuracy(network, covers[split:], stegos[split:])


def _trained(covers: U8, stegos: U8, seed: int) -> Any:  # noqa: ANN401 - a torch module
    torch = load("torch", "the paper's steganalyzer", "train")
    judge = load("stegcli.training.networks.steganalyzer", "the paper's steganalyzer", "train")
    torch.manual_seed(seed)
    network = judge.Steganalyzer()
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    rng = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = rng.permutation(len(covers))
        for start in range(0, len(order) - BATCH_PAIRS + 1, BATCH_PAIRS):
            rows = order[start : start + BATCH_PAIRS]
            logits = network(_tensor(torch, np.concatenate([covers[rows], stegos[rows]])))
            truth = torch.tensor([judge.COVER] * len(rows) + [judge.STEGO] * len(rows))
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, truth).backward()
            optimizer.step()
    return network.eval()


def _accuracy(network: Any, covers: U8, stegos: U8) -> float:  # noqa: ANN401
    torch = load("torch", "the paper's steganalyzer", "train")
    right = 0
    with torch.no_grad():
        for pictures, truth in ((covers, 0), (stegos, 1)):
            for start in range(0, len(pictures), 2 * BATCH_PAIRS):
                logits = network(_tensor(torch, pictures[start : start + 2 * BATCH_PAIRS]))
                right += int((logits.argmax(dim=1) == truth).sum())
    return right / (2 * len(covers))


def _tensor(torch: Any, pictures: U8) -> Any:  # noqa: ANN401
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 grey levels."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float()
