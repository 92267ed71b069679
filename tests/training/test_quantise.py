"""The rounding rules in torch, compared with `stegcli.pictures.luma`, their one home."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from skimage import data  # noqa: E402

from stegcli.pictures import luma  # noqa: E402
from stegcli.training.isgan import quantise  # noqa: E402

pytestmark = pytest.mark.train


def photograph():
    """(H, W, 3) uint8, with black, white and saturated pixels."""
    picture = data.astronaut()[:96, :120].copy()
    picture[:2] = 0
    picture[2:4] = 255
    picture[4:6] = (255, 0, 0)
    picture[6:8] = (0, 0, 255)
    return picture


def to_tensor(rgb):
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float()


def to_array(planes):
    return planes[0].permute(1, 2, 0).numpy()


def test_luma_is_exact():
    rgb = photograph()
    ours = quantise.luma(to_tensor(rgb))[0, 0].numpy()
    np.testing.assert_array_equal(ours, luma.luma_levels(rgb))


def test_ycrcb_has_the_same_numbers():
    rgb = photograph()
    ours = to_array(quantise.rgb_to_ycrcb(to_tensor(rgb)))
    np.testing.assert_allclose(ours, luma.rgb_to_ycrcb(rgb), atol=1e-4)


def test_ycrcb_back_to_rgb_has_the_same_numbers():
    ycrcb = luma.rgb_to_ycrcb(photograph())
    ycrcb[..., 0] += np.random.default_rng(0).normal(0, 3, ycrcb.shape[:2]).astype(np.float32)
    ours = to_array(quantise.to_8_bits(quantise.ycrcb_to_rgb(to_tensor(ycrcb))))
    expected = luma.ycrcb_to_rgb(ycrcb)
    assert np.abs(ours - expected).max() <= 1
    assert (ours != expected).mean() < 1e-3, "only where a half falls to either side"


def test_stego_keeps_the_chroma_as_the_way_through_ycrcb_does():
    rgb = photograph()
    change = np.random.default_rng(1).normal(0, 4, rgb.shape[:2]).astype(np.float32)
    ycrcb = luma.rgb_to_ycrcb(rgb)
    ycrcb[..., 0] += change
    stego_luma = quantise.luma(to_tensor(rgb)) + torch.from_numpy(change)
    ours = to_array(quantise.stego_from_luma(to_tensor(rgb), stego_luma))
    expected = luma.ycrcb_to_rgb(ycrcb)
    assert np.abs(ours - expected).max() <= 1
    assert (ours != expected).mean() < 1e-3, "only where a half falls to either side"


def test_rounding_is_that_of_the_files():
    values = np.array([-3.0, 0.5, 1.5, 2.5, 254.5, 254.51, 255.4, 300.0], dtype=np.float32)
    ours = quantise.to_8_bits(torch.from_numpy(values)).numpy()
    np.testing.assert_array_equal(ours, luma.to_uint8(values))


def test_gradient_passes_straight_through():
    cover = torch.full((1, 3, 4, 4), 250.0)
    stego_luma = torch.linspace(200, 300, 16).reshape(1, 1, 4, 4).requires_grad_()
    stego = quantise.stego_from_luma(cover, stego_luma)
    assert torch.equal(stego, stego.round())
    assert stego.max() <= 255
    stego.sum().backward()
    torch.testing.assert_close(stego_luma.grad, torch.full_like(stego_luma, 3.0))


def test_decoder_sees_the_luma_of_the_rounded_stego():
    cover = to_tensor(photograph())
    stego = quantise.stego_from_luma(cover, quantise.luma(cover) + 0.3)
    assert torch.equal(stego, cover), "a third of a grey level does not survive a file"
