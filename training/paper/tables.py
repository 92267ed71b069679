"""What the paper reports (Zhang, Dong, Liu 2019): Tables 4, 5 and 6, to stand beside what we measure.

Quality is always (stego PSNR in dB, revealed PSNR in dB, stego SSIM, revealed SSIM); None where it gives
none. The text does not say whether its stego figures are of RGB or of the luma; ours name theirs.
"""

from __future__ import annotations

Quality = tuple[float | None, float | None, float | None, float | None]

TABLE_4: dict[str, Quality] = {
    "mse": (27.97, 26.30, 0.8592, 0.8391),
    "ssim": (21.71, 22.76, 0.8877, 0.8466),
    "mse+ssim": (27.12, 26.71, 0.8921, 0.8805),
    "mse+ms-ssim": (23.92, 25.97, 0.8287, 0.8832),
    "mse+ssim+ms-ssim": (26.72, 25.97, 0.9305, 0.9160),
}
"""LFW, basic model, 50 epochs, by loss."""

TABLE_5: dict[tuple[str, str], dict[str, Quality]] = {
    ("lfw", "lfw"): {
        "rehman": (33.7, 39.9, 0.95, None),
        "isgan-basic": (34.28, 33.53, 0.9529, 0.9453),
        "isgan": (34.63, 33.63, 0.9573, 0.9429),
    },
    ("imagenet", "imagenet"): {
        "rehman": (32.9, 36.6, 0.96, 0.96),
        "isgan-basic": (34.57, 33.53, 0.9634, 0.9510),
        "isgan": (34.89, 33.42, 0.9681, 0.9474),
    },
    ("voc2012", "voc2012"): {
        "rehman": (33.7, 35.9, 0.96, 0.95),
        "isgan-basic": (33.79, 33.47, 0.9617, 0.9475),
        "isgan": (34.49, 33.31, 0.9661, 0.9467),
    },
    ("voc2012", "lfw"): {
        "rehman": (33.8, 37.7, 0.96, 0.95),
        "isgan-basic": (33.85, 37.68, 0.9612, 0.9503),
        "isgan": (34.45, 37.59, 0.9647, 0.9495),
    },
    ("imagenet", "voc2012"): {
        "isgan": (34.57, 36.58, 0.9652, 0.9495),
    },
}
"""(covers, secrets) -> system -> figures."""

TABLE_6: dict[str, dict[str, float]] = {
    "lfw": {"basic": 0.8305, "isgan 50": 0.8059, "isgan 100": 0.7887, "isgan 150": 0.7825},
    "voc2012": {"basic": 0.7953, "isgan 50": 0.769, "isgan 100": 0.756, "isgan 150": 0.7438},
    "imagenet": {"basic": 0.7814, "isgan 50": 0.7655, "isgan 100": 0.7462, "isgan 150": 0.7360},
}
"""Accuracy of a steganalyzer that learned from 5,000 covers and their basic-model stegos; epochs of ISGAN."""
