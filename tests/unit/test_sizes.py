"""Secrets of every size: hidden at their own, with a margin, or reduced, and revealed as they were."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import stegcli
from stegcli import pipeline
from stegcli.carriers.phases import channel
from stegcli.envelope.header import Header
from stegcli.methods.phase import method, sizes
from stegcli.methods.phase.body import Body
from stegcli.methods.phase.planes import padded
from stegcli.pictures import metrics, reading

pytestmark = pytest.mark.usefixtures("quick_keys")

PROGRESSIVE = "phase-progressive-v1"


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 5000), (5000, 1), (64, 64), (7, 500), (1000, 999), (3, 200_000), (300, 400)]
)
@pytest.mark.parametrize("room", [4096, 5000, 65536])
def test_the_fitted_size_uses_the_room(shape: tuple[int, int], room: int) -> None:
    height, width = sizes.fit(shape, room)
    assert 1 <= height * width <= room
    assert height <= shape[0]
    assert width <= shape[1]
    if shape[0] * shape[1] <= room:
        assert (height, width) == shape
    elif min(height, width) > 16:
        assert (height % 8, width % 8) == (0, 0)
        assert height / width == pytest.approx(shape[0] / shape[1], rel=0.2)
        assert (height + 8) * (width + 8) > room


@pytest.mark.parametrize(("shape", "whole"), [((1, 400), (8, 400)), ((20, 30), (24, 32)), ((8, 16), (8, 16))])
def test_a_margin_repeats_the_edge_where_there_is_room(shape, whole) -> None:
    gray = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape).astype(np.uint8)
    assert padded(shape) == whole
    margin = sizes.in_whole_blocks(gray)
    assert margin.shape == whole
    assert np.array_equal(margin[: shape[0], : shape[1]], gray)
    assert (margin[shape[0] :, : shape[1]] == gray[-1]).all()
    assert sizes.in_whole_blocks(gray, room=whole[0] * whole[1]).shape == whole
    assert sizes.in_whole_blocks(gray, room=whole[0] * whole[1] - 1).shape == shape


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [((100, 90), (100, 90)), ((104, 96), (100, 90)), ((96, 88), (96, 88)), ((104, 90), (104, 90))],
)
def test_a_header_tells_a_margin_from_a_size(hidden, shown) -> None:
    """Format 1 never carried more than the secret in phases, so that no old file is cut."""
    header = Header(
        channel=channel.LUMA_PHASE,
        secret_height=100,
        secret_width=90,
        hidden_height=hidden[0],
        hidden_width=hidden[1],
        keyed=False,
        own=Body(b"abcd").to_bytes(),
    )
    assert method._shown_shape(header) == shown


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (3, 250), (12, 100), (100, 100), (1, 1), (61, 7)])
def test_secrets_of_odd_sizes_come_back_as_good_as_any(cover_rgb, secret_gray, shape) -> None:
    secret = np.array(Image.fromarray(secret_gray).resize((shape[1], shape[0]), Image.Resampling.BOX))
    report = stegcli.hide(cover_rgb, secret)
    assert report.hidden_size == report.secret_size == (shape[1], shape[0])
    assert report.revealed_psnr_db > 36
    revealed = stegcli.reveal(report.stego_rgb)
    assert np.array_equal(revealed.revealed_gray, report.revealed_gray)
    told = pipeline.info(report.stego_rgb)
    assert (told.hidden_size, told.bpp) == (report.hidden_size, report.bpp)
    assert stegcli.reveal(report.stego_rgb, size="hidden").size == (shape[1], shape[0])


def test_a_target_sends_the_whole_size_where_its_planes_fit(cover_rgb, secret_gray) -> None:
    large = np.array(Image.fromarray(secret_gray).resize((384, 384), Image.Resampling.LANCZOS))
    report = pipeline.hide(cover_rgb, large, target=26.0)
    assert report.model == PROGRESSIVE
    assert report.hidden_size == (384, 384)
    assert report.planes * 384 * 384 // 64 <= 256 * 256
    assert report.revealed_psnr_db >= 25.7
    assert not any("reduced" in notice for notice in report.notices)
    told = pipeline.info(report.stego_rgb)
    assert (told.hidden_size, told.planes, told.bpp) == (report.hidden_size, report.planes, report.bpp)


def test_what_reducing_loses_counts_against_the_target(cover_rgb, secret_gray) -> None:
    """At twice the cover's pixels neither fewer planes nor the reduced picture alone suffice."""
    large = np.array(Image.fromarray(secret_gray).resize((512, 512), Image.Resampling.LANCZOS))
    small = reading.resize_gray(reading.resize_gray(large, (256, 256)), large.shape)
    target = min(metrics.psnr(large, small) - 1, 45.0)
    report = pipeline.hide(cover_rgb, large, target=target)
    if report.hidden_size == (256, 256):
        assert report.planes == 64
    else:
        assert report.revealed_psnr_db >= target - 0.3
