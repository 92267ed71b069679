"""`hide`, `reveal` and `info` as users run them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from desk import Desk
from PIL import Image, ImageCms
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

HIDE_KEYS = ["stego", "model", "cover_size", "secret_size", "hidden_size", "spread", "bpp"]
HIDE_KEYS += [
    "stego_psnr_db",
    "stego_ssim",
    "revealed_psnr_db",
    "revealed_ssim",
    "keyed",
    "device",
    "seconds",
    "notices",
]
REVEAL_KEYS = ["revealed", "model", "size", "secret_size", "keyed", "device", "seconds", "notices"]


def _ssim(first: np.ndarray, second: np.ndarray) -> float:
    channels = 2 if first.ndim == 3 else None
    return structural_similarity(
        first,
        second,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=channels,
    )


@pytest.mark.parametrize(
    ("cover", "secret"), [(data.coffee, data.camera), (data.chelsea, data.page), (data.astronaut, data.text)]
)
def test_the_figures_are_those_of_the_files(desk: Desk, cover, secret) -> None:
    """The reported figures, computed again from the files by independent code."""
    cover_rgb, secret_gray = cover()[:300, :400], secret()[:170]
    desk.put("c.png", cover_rgb)
    desk.put("s.png", secret_gray)
    report = desk.run("hide", "c.png", "s.png", "-o", "stego.png", "--json").json
    desk.keep("stego.png")
    told = desk.run("reveal", "stego.png", "-o", "out.png", "--json").json
    stego_rgb, revealed_gray = desk.pixels("stego.png"), desk.pixels("out.png")
    assert list(report) == HIDE_KEYS
    assert list(told) == REVEAL_KEYS
    assert report["stego_psnr_db"] == pytest.approx(peak_signal_noise_ratio(cover_rgb, stego_rgb), abs=1e-6)
    assert report["stego_ssim"] == pytest.approx(_ssim(cover_rgb, stego_rgb), abs=1e-4)
    assert report["revealed_psnr_db"] == pytest.approx(
        peak_signal_noise_ratio(secret_gray, revealed_gray), abs=1e-6
    )
    assert report["revealed_ssim"] == pytest.approx(_ssim(secret_gray, revealed_gray), abs=1e-4)
    assert report["cover_size"] == [cover_rgb.shape[1], cover_rgb.shape[0]]
    assert (
        report["secret_size"]
        == told["secret_size"]
        == told["size"]
        == [secret_gray.shape[1], secret_gray.shape[0]]
    )
    hidden = math.prod(report["hidden_size"])
    assert report["bpp"] == pytest.approx(8 * hidden / math.prod(report["cover_size"]))
    assert report["spread"] == math.prod(report["cover_size"]) // hidden
    assert (report["stego"], told["revealed"]) == ("stego.png", "out.png")
    assert report["stego_psnr_db"] > 50
    assert report["model"] == told["model"]
    assert (report["keyed"], told["keyed"]) == (False, False)


def test_default_names_are_in_the_current_folder(desk: Desk, cover_rgb: np.ndarray) -> None:
    (desk.folder / "sub").mkdir()
    desk.put("sub/holiday.photo.png", cover_rgb)
    assert desk.run("hide", "sub/holiday.photo.png", "secret.png").code == 0
    assert desk.run("reveal", "holiday.photo.stego.png").code == 0
    names = {path.name for path in desk.folder.iterdir()}
    assert {"holiday.photo.stego.png", "holiday.photo.stego.revealed.png"} <= names


def test_results_go_to_stdout_and_talk_to_stderr(desk: Desk) -> None:
    hidden = desk.run("hide", "cover.png", "secret.png", "-o", "stego.png")
    assert hidden.out.startswith("stego.png: 256x256 secret in 256x256 cover")
    assert "PSNR" in hidden.out
    assert "SSIM" in hidden.out
    assert "anybody with stegcli can reveal" in hidden.err
    revealed = desk.run("reveal", "stego.png", "-o", "out.png")
    assert revealed.out.startswith("out.png: 256x256")
    assert revealed.err == ""


def test_quiet_prints_the_name_alone(desk: Desk) -> None:
    hidden = desk.run("hide", "cover.png", "secret.png", "-o", "stego.png", "--quiet")
    assert (hidden.code, hidden.out, hidden.err) == (0, "stego.png\n", "")
    revealed = desk.run("reveal", "stego.png", "-o", "out.png", "--quiet")
    assert (revealed.code, revealed.out, revealed.err) == (0, "out.png\n", "")


def test_no_progress_without_a_terminal(desk: Desk) -> None:
    outcome = desk.run_process("hide", "cover.png", "secret.png", "-o", "stego.png")
    assert outcome.code == 0
    assert outcome.err.isascii()
    assert "\r" not in outcome.err
    assert "\x1b" not in outcome.err


@pytest.mark.parametrize("favor", ["cover", "balanced", "secret"])
def test_favor_shifts_the_quality(desk: Desk, favor: str) -> None:
    report = desk.run("hide", "cover.png", "secret.png", "-o", "s.png", "--json", "--favor", favor).json
    low, high = {"cover": (52.3, 54), "balanced": (51.5, 52.6), "secret": (50, 51.6)}[favor]
    assert low < report["stego_psnr_db"] < high


def test_a_small_secret_is_spread(desk: Desk, secret_gray: np.ndarray) -> None:
    desk.put("small.png", secret_gray[::4, ::4])
    report = desk.run("hide", "cover.png", "small.png", "-o", "s.png", "--json").json
    assert report["spread"] == 16
    assert report["hidden_size"] == [64, 64]
    assert report["stego_psnr_db"] > 60


def test_size_hidden_gives_what_was_carried(desk: Desk, secret_gray: np.ndarray) -> None:
    desk.put("large.png", np.kron(secret_gray, np.ones((2, 2), np.uint8)))
    report = desk.run("hide", "cover.png", "large.png", "-o", "s.png", "--json").json
    told = desk.run("reveal", "s.png", "-o", "out.png", "--size", "hidden", "--json").json
    assert told["size"] == report["hidden_size"]
    assert told["secret_size"] == [512, 512]
    assert desk.pixels("out.png").shape == tuple(reversed(report["hidden_size"]))


@pytest.mark.parametrize("name", ["s.png", "s.webp", "s.tif", "s.tiff", "s.bmp"])
def test_every_lossless_format(desk: Desk, name: str) -> None:
    assert desk.run("hide", "cover.png", "secret.png", "-o", name).code == 0
    assert desk.run("reveal", name, "-o", "out.png").code == 0


def test_force_replaces(desk: Desk) -> None:
    (desk.folder / "stego.png").write_bytes(b"old")
    assert desk.run("hide", "cover.png", "secret.png", "-o", "stego.png", "--force").code == 0
    assert desk.pixels("stego.png").shape == (256, 256, 3)


def test_metadata(desk: Desk, cover_rgb: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x010F] = "somebody"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    desk.put("c.png", cover_rgb, exif=exif, icc_profile=icc)
    for name, *options in (("plain.png",), ("kept.png", "--keep-metadata")):
        assert desk.run("hide", "c.png", "secret.png", "-o", name, *options).code == 0
    with Image.open(desk.folder / "plain.png") as plain, Image.open(desk.folder / "kept.png") as kept:
        assert dict(plain.getexif()) == {}
        assert dict(kept.getexif()) == {0x010F: "somebody"}
        assert plain.info["icc_profile"] == kept.info["icc_profile"] == icc


def test_alpha_is_kept_and_clear_pixels_carry_nothing(
    desk: Desk, cover_rgb: np.ndarray, secret_gray: np.ndarray
) -> None:
    alpha = np.full(cover_rgb.shape[:2], 255, np.uint8)
    alpha[:100], alpha[100:120] = 0, 1
    desk.put("c.png", np.dstack((cover_rgb, alpha)))
    desk.put("small.png", secret_gray[::2, ::2])
    assert desk.run("hide", "c.png", "small.png", "-o", "stego.png").code == 0
    stego = desk.pixels("stego.png")
    assert np.array_equal(stego[..., 3], alpha)
    assert np.array_equal(stego[:100, :, :3], cover_rgb[:100])
    assert desk.run("reveal", "stego.png", "-o", "out.png").code == 0


def test_a_jpeg_cover(desk: Desk, cover_rgb: np.ndarray) -> None:
    desk.put("c.jpg", cover_rgb)
    whole = desk.run("hide", "c.jpg", "secret.png", "-o", "whole.png")
    small = desk.run("hide", "c.jpg", "secret.png", "-o", "small.png", "--scale-cover", "0.7")
    assert "--scale-cover" in whole.err
    assert "--scale-cover" not in small.err
    assert desk.pixels("small.png").shape == (179, 179, 3)


@pytest.mark.parametrize("factor", ["0", "2", "-1", "nan"])
def test_senseless_scales(desk: Desk, factor: str) -> None:
    desk.refuses(2, "hide", "cover.png", "secret.png", "-o", "s.png", "--scale-cover", factor, words="scale")


def test_max_pixels(desk: Desk) -> None:
    outcome = desk.refuses(
        3, "hide", "cover.png", "secret.png", "-o", "s.png", "--max-pixels", "60000", words="60,000"
    )
    assert "--max-pixels" in outcome.err


def test_stdin(desk: Desk) -> None:
    cover = (desk.folder / "cover.png").read_bytes()
    assert desk.run("hide", "-", "secret.png", "-o", "stego.png", stdin=cover).code == 0
    stego = (desk.folder / "stego.png").read_bytes()
    assert desk.run("reveal", "-", "-o", "out.png", stdin=stego).code == 0
    assert desk.run("info", "-", stdin=stego).code == 0
    desk.refuses(2, "hide", "-", "secret.png", words="stdin")
    desk.refuses(2, "hide", "-", "-", "-o", "s.png", words="only one")


def test_info(desk: Desk) -> None:
    hidden = desk.run("hide", "cover.png", "secret.png", "-o", "stego.png", "--json").json
    desk.keep("stego.png")
    told = desk.run("info", "stego.png", "--json").json
    for key in ("model", "secret_size", "hidden_size", "spread", "bpp", "keyed"):
        assert told[key] == hidden[key]
    assert hidden["model"] in desk.run("info", "stego.png").out


def test_two_runs_differ_and_both_reveal(desk: Desk) -> None:
    """The salt is fresh each time."""
    for name in ("one.png", "two.png"):
        assert desk.run("hide", "cover.png", "secret.png", "-o", name).code == 0
    assert not np.array_equal(desk.pixels("one.png"), desk.pixels("two.png"))
