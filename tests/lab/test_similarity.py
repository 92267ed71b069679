import numpy as np
import pytest

from stegcli.lab.quality.similarity import MS_SSIM_MIN_SIDE, clipped_share, ms_ssim


def test_equal_pictures_are_alike_at_every_scale(secret_gray: np.ndarray) -> None:
    assert ms_ssim(secret_gray, secret_gray) == pytest.approx(1)


def test_pictures_below_the_last_scale_have_none() -> None:
    small = np.zeros((MS_SSIM_MIN_SIDE - 1, 300), np.uint8)
    assert ms_ssim(small, small) is None


@pytest.mark.train
def test_it_is_what_training_uses(secret_gray: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    from stegcli.training.isgan import losses

    noisy = np.clip(secret_gray + np.random.default_rng(0).normal(0, 12, secret_gray.shape), 0, 255)
    noisy = noisy.astype(np.uint8)
    first, second = (torch.from_numpy(each / 255)[None] for each in (secret_gray, noisy))
    theirs = float(losses.similarities(first, second)[1])
    assert ms_ssim(secret_gray, noisy) == pytest.approx(theirs, abs=2e-3)


def test_clipping_is_counted_by_sample() -> None:
    rgb = np.array([[[0, 255, 7], [1, 254, 3]]], np.uint8)
    assert clipped_share(rgb) == 2 / 6
