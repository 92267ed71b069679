"""Payloads that were written once: they stay readable, because files contain them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from stegcli.codecs import choice, containers
from stegcli.codecs.base import CodecId, FileSecret
from stegcli.pictures import metrics

GRAY = (np.add.outer(np.arange(12) ** 2, 7 * np.arange(20)) % 256).astype(np.uint8)
COLOUR = np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])

AVIF_GRAY = bytes.fromhex("081810e76cb010d06a15c00001003a3c8bf3fc600469c532a6eb9137c38d2d6f8fb547b6c770")
AVIF_444 = bytes.fromhex("083810e76ca021a0d21ac00000400046e2b7d1e0aafc2c7f3f1b21192f8d9fca74668e7686ef2d1310")
AVIF_420 = bytes.fromhex("091810e76c9010d068401ac0000040004fe25a55e43206af63b7ff1c8753a9abe404c067")
WEBP_GRAY = bytes.fromhex(
    "9003003f1182b4522c29a522b0080180220969000045a4b169f6db51800000feef4bdb0db1efe6a009523578300000"
)
WEBP_COLOUR = bytes.fromhex(
    "b003003f99b8d25dbfaf2a24b00803f033096c009d328331806173280bf8a000"
    "fec7f5250abe8699d575ef51361ca530cf9aa6392761d115600000"
)
WEBP_LOSSLESS = bytes.fromhex("cd6544ff030ada4852ee9e99dfbfdd91101113209154c4221e613352918e4c642317f908")

STORED = bytes.fromhex("05612e74787461")
DEFLATE = bytes.fromhex("634dd42ba928c9cf4b55c8c9cc4bd55180b100")
LZMA = bytes.fromhex(
    "00029a0e5055496eeb795c2c7d4f132c1e6894a64550b7c6ec300343e2df08d0c42cb557fa901fa155942786e7678f447fc8fe470480"
)


def test_lossless_pictures_are_what_they_were() -> None:
    np.testing.assert_array_equal(choice.decode(4, WEBP_LOSSLESS, GRAY.shape), GRAY)


def test_gray_avif_decodes_to_the_very_same_pixels() -> None:
    """AV1 leaves a decoder no choice."""
    decoded = choice.decode(6, AVIF_GRAY, GRAY.shape)
    assert isinstance(decoded, np.ndarray)
    assert hashlib.sha256(decoded.tobytes()).hexdigest()[:16] == "c2ea8b17ccb73660"


@pytest.mark.parametrize(
    ("codec_id", "payload", "secret", "psnr_db"),
    [
        (CodecId.AVIF, AVIF_GRAY, GRAY, 47.35),
        (CodecId.AVIF, AVIF_444, COLOUR, 35.13),
        (CodecId.AVIF, AVIF_420, COLOUR, 31.91),
        (CodecId.WEBP, WEBP_GRAY, GRAY, 35.25),
        (CodecId.WEBP, WEBP_COLOUR, COLOUR, 23.45),
    ],
)
def test_lossy_pictures_look_as_they_did(
    codec_id: CodecId, payload: bytes, secret: np.ndarray, psnr_db: float
) -> None:
    decoded = choice.decode(int(codec_id), payload, secret.shape)
    assert isinstance(decoded, np.ndarray)
    assert metrics.psnr(secret, decoded) == pytest.approx(psnr_db, abs=0.3)  # the libraries' own conversions


@pytest.mark.parametrize(
    ("codec_id", "payload", "length", "content"),
    [
        (CodecId.STORED, STORED, 7, b"a"),
        (CodecId.DEFLATE, DEFLATE, 24, b"one line, one line"),
        (CodecId.LZMA, LZMA, 218, b"It was the best of times, it was the worst of times. " * 4),
    ],
)
def test_files_are_what_they_were(codec_id: CodecId, payload: bytes, length: int, content: bytes) -> None:
    assert choice.decode(int(codec_id), payload, (length,)) == FileSecret("a.txt", content)


def test_the_container_that_the_reader_builds() -> None:
    file = containers.avif_file(AVIF_GRAY, GRAY.shape)
    assert len(file) == 312
    assert hashlib.sha256(file).hexdigest()[:16] == "2c0219a58259d20a"
