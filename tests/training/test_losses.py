"""The mixed loss against scikit-image, against a plain MS-SSIM, and at the limits of its domain."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scipy.ndimage import gaussian_filter  # noqa: E402
from skimage import data  # noqa: E402
from skimage.metrics import structural_similarity  # noqa: E402

from stegcli.training.isgan import losses  # noqa: E402
from stegcli.training.isgan.generator import Generator  # noqa: E402
from stegcli.training.isgan.losses import (  # noqa: E402
    TABLE_4,
    LossSettings,
    Pictures,
    loss_terms,
    similarities,
    weighted_sum,
)

pytestmark = pytest.mark.train


def photograph(size=256, noise=0.05):
    """A photograph in 0..1 and a noisy copy, (H, W) float64."""
    picture = data.camera()[100 : 100 + size, 80 : 80 + size] / 255
    return picture, np.clip(picture + noise * np.random.default_rng(1).standard_normal(picture.shape), 0, 1)


def tensors(*pictures):
    return [torch.from_numpy(picture).float()[None] for picture in pictures]


def plain_ms_ssim(x, y, weights):
    """Wang et al. 2003, with scipy's filters."""

    def blur(z):
        return gaussian_filter(z, 1.5, truncate=3.5)[5:-5, 5:-5]

    total = 1.0
    for scale, weight in enumerate(weights):
        if scale:
            x, y = (z.reshape(z.shape[0] // 2, 2, -1, 2).mean((1, 3)) for z in (x, y))
        mx, my = blur(x), blur(y)
        factor = (2 * (blur(x * y) - mx * my) + losses.C2) / (
            blur(x * x) + blur(y * y) - mx * mx - my * my + losses.C2
        )
        if scale == len(weights) - 1:
            factor = factor * (2 * mx * my + losses.C1) / (mx * mx + my * my + losses.C1)
        total *= factor.mean() ** weight
    return total


@pytest.mark.parametrize("noise", [0.005, 0.05, 0.3])
def test_ssim_equals_scikit_image(noise):
    x, y = photograph(noise=noise)
    expected = structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
    )
    ours, _ = similarities(*tensors(x, y))
    assert float(ours) == pytest.approx(expected, abs=1e-4)


def test_ssim_of_rgb_equals_scikit_image():
    x = data.astronaut()[:96, :128] / 255
    y = np.clip(x + 0.05 * np.random.default_rng(0).standard_normal(x.shape), 0, 1)
    expected = structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=2
    )
    a, b = (torch.from_numpy(z).permute(2, 0, 1)[None] for z in (x, y))
    assert float(losses.ssim(a, b)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("size", "scales"), [(64, 3), (128, 4), (176, 5), (256, 5)])
def test_ms_ssim_equals_the_plain_one_at_every_size(size, scales):
    assert losses.scales_for(size, size) == scales
    x, y = photograph(size)
    weights = np.array(losses.SCALE_WEIGHTS[:scales]) / sum(losses.SCALE_WEIGHTS[:scales])
    _, ours = similarities(*tensors(x, y))
    assert float(ours) == pytest.approx(plain_ms_ssim(x, y, weights), abs=1e-4)


@pytest.mark.parametrize("size", [11, 64, 100, 175, 256])
def test_ms_ssim_is_one_for_equal_pictures(size):
    x, _ = tensors(*photograph(size))
    ssim, ms_ssim = similarities(x, x)
    assert float(ssim) == pytest.approx(1, abs=1e-5)
    assert float(ms_ssim) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("case", ["negative", "unrelated", "constant"])
def test_ms_ssim_has_a_value_and_a_gradient_where_pictures_disagree(size, case):
    x, _ = tensors(*photograph(size))
    y = {"negative": 1 - x, "unrelated": torch.rand_like(x), "constant": torch.full_like(x, 0.5)}[case]
    y.requires_grad_()
    _, ms_ssim = similarities(x, y)
    # in proportion to its value: Adam takes no notice of the scale
    (gradient,) = torch.autograd.grad(ms_ssim.log().sum(), y)
    assert 0 < float(ms_ssim.detach()) < 0.7
    assert torch.isfinite(gradient).all()
    assert float(gradient.abs().sum()) > 0.1


def test_too_small_pictures_are_refused():
    with pytest.raises(ValueError, match="11x11"):
        similarities(torch.rand(1, 10, 40), torch.rand(1, 10, 40))


def pictures(batch=2, size=64):
    cover, stego = torch.rand(batch, 1, size, size), torch.rand(batch, 1, size, size)
    return Pictures(cover, 0.9 * cover + 0.1 * stego, stego, 0.7 * stego + 0.1)


def test_terms_and_sums_are_equations_10_to_12():
    terms = loss_terms(pictures())
    assert sorted(terms) == sorted(
        f"{pair}_{term}" for pair in ("cover", "secret") for term in ("ssim", "ms_ssim", "mse")
    )
    given = pictures()
    terms = loss_terms(given)
    ssim, ms_ssim = similarities(given.cover[:, 0], given.stego[:, 0])
    assert float(terms["cover_ssim"]) == pytest.approx(1 - float(ssim.mean()), abs=1e-6)
    assert float(terms["cover_ms_ssim"]) == pytest.approx(1 - float(ms_ssim.mean()), abs=1e-6)
    assert float(terms["secret_mse"]) == pytest.approx(
        float((given.secret - given.revealed).square().mean()), rel=1e-5
    )
    sums = weighted_sum(terms, LossSettings(alpha=0.6, beta=0.3, gamma=0.85))
    cover, secret = (
        0.6 * terms[f"{pair}_ssim"] + 0.4 * terms[f"{pair}_ms_ssim"] + 0.3 * terms[f"{pair}_mse"]
        for pair in ("cover", "secret")
    )
    torch.testing.assert_close(sums["cover_loss"], cover)
    torch.testing.assert_close(sums["basic_loss"], cover + 0.85 * secret)


@pytest.mark.parametrize("row", TABLE_4)
def test_rows_of_table_4_use_the_terms_in_their_name(row):
    used = {term for term, weight in TABLE_4[row].weights().items() if weight > 0}
    assert used == {part.replace("-", "_") for part in row.split("+")}
    sums = weighted_sum(loss_terms(pictures()), TABLE_4[row])
    assert float(sums["basic_loss"]) > 0


def test_before_ms_ssim_is_due_ssim_takes_its_share():
    assert LossSettings().weights(ms_ssim_yet=False) == {"ssim": 1.0, "ms_ssim": 0.0, "mse": 0.3}


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 1.5},
        {"beta": -1.0},
        {"gamma": -0.1},
        {"use_mse": False, "use_ssim": False, "use_ms_ssim": False},
        {"use_ssim": False, "use_ms_ssim": False, "beta": 0.0},
    ],
)
def test_contradictory_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r".+"):
        LossSettings(**wrong)


def test_the_cover_term_does_not_reach_the_decoder():
    torch.manual_seed(0)
    generator = Generator("isgan")
    cover = torch.randint(0, 256, (1, 3, 33, 33), dtype=torch.uint8)
    secret = torch.randint(0, 256, (1, 1, 33, 33), dtype=torch.uint8)
    sums = weighted_sum(generator(cover, secret).terms, LossSettings())

    def reached(loss, network):
        gradients = torch.autograd.grad(
            loss, list(network.parameters()), retain_graph=True, allow_unused=True
        )
        return [gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients]

    assert not any(reached(sums["cover_loss"], generator.decoder))
    assert all(reached(sums["cover_loss"], generator.encoder))
    assert all(reached(sums["secret_loss"], generator.decoder))
    assert all(reached(sums["secret_loss"], generator.encoder))


def test_gradients_match_finite_differences():
    torch.manual_seed(0)
    x = torch.rand(1, 24, 24)
    y = (0.8 * x + 0.2 * torch.rand_like(x)).requires_grad_()
    direction = torch.randn_like(y)
    ssim, ms_ssim = similarities(x, y)
    (gradient,) = torch.autograd.grad((ssim + ms_ssim).sum(), y)
    step = 1e-2 / float(direction.norm())

    def value(t):
        return float(sum(part.double().sum() for part in similarities(x, y.detach() + t * direction)))

    numeric = (value(step) - value(-step)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(numeric, rel=0.02)
