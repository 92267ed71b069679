"""Settings of the image-in-image networks: ISGAN, its basic model, Rehman et al., Baluja.

Defaults are the paper's where it states a number (Zhang, Dong, Liu 2019, section 4), else those of its
authors' public code; recipes/*.toml have the settings with which our published models were trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from stegcli.pictures.metrics import SSIM_WINDOW
from stegcli.training.config import check_data, positive
from stegcli.training.isgan.generator import FAMILIES
from stegcli.training.isgan.losses import LossSettings


@dataclass(frozen=True)
class SteganalyzerSettings:
    """Settings of the adversary in the second stage."""

    high_pass: bool = False
    """Whether fixed high-pass filters precede it (stronger than the paper's)."""
    learning_rate: float = 0.01
    momentum: float = 0.9
    """Momentum of SGD, as in the paper."""
    l2: float = 5e-4
    """Weight of the L2 regularisation."""
    interval: int = 5
    """Generator steps per step of the steganalyzer."""
    warmup_steps: int = 200
    """First steps of the stage, in which it learns at every step and the generator does not use it yet."""
    noisy_labels: float = 0.05
    """Share of labels that are swapped in its training."""
    pool_size: int = 50
    """Number of past stegos in the pool, which make up half of each batch; 0 shows only fresh ones."""
    gradient_clip: float = 10.0

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or self.gradient_clip <= 0:
            raise ValueError("steganalyzer.learning_rate and steganalyzer.gradient_clip must be positive")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"steganalyzer.momentum must be in 0..1, below 1 (got {self.momentum})")
        if self.interval < 1:
            raise ValueError(f"steganalyzer.interval must be at least 1 (got {self.interval})")
        if not 0 <= self.noisy_labels < 0.5:
            raise ValueError(
                f"steganalyzer.noisy_labels must be in 0..0.5, below 0.5 (got {self.noisy_labels})"
            )
        if min(self.pool_size, self.warmup_steps, self.l2) < 0:
            raise ValueError("steganalyzer.pool_size, warmup_steps and l2 must not be negative")


@dataclass(frozen=True)
class IsganRecipe:
    """Settings of a training run. Times are in generator steps; stages count from the start of the run."""

    model: str = "isgan"
    name: str = "isgan"
    seed: int = 1
    basic_steps: int = 20_000
    """Steps of the first stage: the basic model alone."""
    adversarial_steps: int = 5_000
    """Steps of the second stage, against the steganalyzer (isgan only; 0 for the others)."""
    batch_size: int = 4
    crop: int = 256
    """Side of the square training crops in pixels."""
    learning_rate: float = 1e-4
    muon_learning_rate: float = 0.0
    """Learning rate of Muon for the inner convolutions; 0 uses Adam for everything, as in the paper."""
    muon_weight_decay: float = 0.2
    final_rate: float = 0.05
    """Share of the learning rate that is left at the end."""
    decay_from: float = 0.4
    """Share of the steps after which the rate decays along a cosine (the paper: after 20 of 50 epochs)."""
    warmup_steps: int = 100
    betas: tuple[float, ...] = (0.5, 0.999)
    """Betas of Adam."""
    l2: float = 1e-6
    """Weight of the L2 regularisation of the generator's convolutions."""
    gradient_clip: float = 1.0
    ssim_only_steps: int = 1_000
    """First steps, with SSIM in place of MS-SSIM."""
    frozen_steps: int = 500
    """Last steps, with frozen batch statistics: what is trained then is what is exported. If it equals
    `steps`, a run that starts from exported weights has no batch normalisation throughout."""
    adversarial_weight: float = 0.01
    """Weight of the generator's adversarial loss relative to the basic one."""
    flip_labels: bool = True
    """Whether the generator maximises log D(stego); else it minimises log(1 - D(stego)), equation (4)."""
    validate_every: int = 2_000
    checkpoint_every: int = 1_000
    validation_images: int = 64
    """Number of held-out pictures per data set that `validate` measures, two to a pair."""
    loss: LossSettings = field(default_factory=LossSettings)
    steganalyzer: SteganalyzerSettings = field(default_factory=SteganalyzerSettings)
    data: dict[str, float] = field(default_factory=lambda: {"lfw": 1.0})
    """Data set -> weight of its pictures in a batch: "lfw", "voc2012", "imagenet", "folder:PATH"."""

    def __post_init__(self) -> None:
        if self.model not in FAMILIES:
            raise ValueError(f"model must be one of {', '.join(FAMILIES)} (got {self.model})")
        self._check_numbers()
        if self.adversarial_steps and self.model != "isgan":
            raise ValueError(f"adversarial_steps must be 0: {self.model} has no steganalyzer")
        if self.model == "isgan" and not self.adversarial_steps:
            raise ValueError("adversarial_steps must be positive for isgan; the model without is isgan-basic")
        if self.validation_images < 2:
            raise ValueError(f"validation_images must be at least 2, a pair (got {self.validation_images})")
        if self.frozen_steps > self.steps:
            raise ValueError(f"frozen_steps must be no more than the {self.steps} steps of the run")
        check_data(self.data)

    def _check_numbers(self) -> None:
        positive(self, "batch_size", "learning_rate", "gradient_clip", "validate_every", "checkpoint_every")
        for name in ("basic_steps", "adversarial_steps", "warmup_steps", "ssim_only_steps", "frozen_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative (got {getattr(self, name)})")
        for name in ("final_rate", "decay_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be within 0..1 (got {getattr(self, name)})")
        if min(self.l2, self.adversarial_weight, self.muon_learning_rate, self.muon_weight_decay) < 0:
            raise ValueError("l2, adversarial_weight and Muon's settings must not be negative")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas: two numbers in 0..1, below 1 (got {self.betas})")
        if not 3 * SSIM_WINDOW <= self.crop <= 256:
            raise ValueError(f"crop must be within {3 * SSIM_WINDOW}..256 (got {self.crop})")

    @property
    def steps(self) -> int:
        """Steps of both stages."""
        return self.basic_steps + self.adversarial_steps

    def rate(self, step: int) -> float:
        """Return the share of `learning_rate` at a step: warm-up, plateau, cosine to `final_rate`."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        start = self.decay_from * self.steps
        gone = min(1.0, max(0.0, step - start) / max(1.0, self.steps - start))
        return warm * (self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * gone)))
