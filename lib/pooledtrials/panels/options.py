"""Choices of a panel regression besides its method, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pooledtrials.arguments import choice
from pooledtrials.panels.layout import EFFECTS
from pooledtrials.panels.previous import GAPS
from pooledtrials.panels.variants import VARIANTS

COVARIANCES: Final = ("clustered", "classical", "robust")
SLOPES: Final = ("trials", "patients")


@dataclass(frozen=True)
class Options:
    """See `fit` for what each means."""

    effects: str = "trial-wave"
    covariance: str = "clustered"
    variant: str = "CR1S"
    small_sample: bool = False
    gaps: str = "skip"
    slopes: str | None = None
    reml: bool = True

    def __post_init__(self) -> None:
        choice(self.effects, "effects", EFFECTS)
        choice(self.covariance, "covariance", COVARIANCES)
        choice(self.variant, "variant", VARIANTS)
        choice(self.gaps, "gaps", GAPS)
        if self.slopes is not None:
            choice(self.slopes, "slopes", SLOPES)
