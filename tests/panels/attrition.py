"""One trial, one follow-up, and patients lost to it in ways that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

EFFECT = 0.3


def attrition(seed: int, n: int = 300, loss: str = "given baseline") -> pd.DataFrame:
    """A row per patient: arm ``z``, baseline ``w``, outcome ``y`` of everybody, and ``seen``.

    ``"given baseline"``: the better of one arm and the worse of the other stay, by w alone.
    ``"given outcome"``: the same by y, whatever w is. ``"monotone"``: patients with a latent
    ``u``, which goes with y, above a limit stay; it is lower in arm 1, and ``always`` marks those
    above both.
    """
    generator = np.random.default_rng(seed)
    z = np.arange(n) % 2
    w, noise, u = generator.normal(size=(3, n))
    y = w + EFFECT * z + noise
    sign = 2 * z - 1
    always = np.ones(n, dtype=bool)
    if loss == "monotone":
        latent = 0.7 * (y - EFFECT * z) + u
        always, seen = latent > 0, latent > np.where(z == 1, -0.8, 0.0)
    else:
        driver = w if loss == "given baseline" else y
        seen = generator.random(n) < 1 / (1 + np.exp(-(1 + 1.2 * sign * driver)))
    return pd.DataFrame({"z": z, "w": w, "y": y, "seen": seen, "always": always})


def long(wide: pd.DataFrame) -> pd.DataFrame:
    """Two interviews a patient: w is asked at both, the score is w at baseline and y later."""
    n = len(wide)
    return pd.DataFrame(
        {
            "patient": np.repeat(np.arange(n), 2),
            "wave": np.tile([0, 6], n),
            "z": np.repeat(wide["z"].to_numpy(), 2),
            "score": np.column_stack([wide["w"], wide["y"].where(wide["seen"])]).ravel(),
        }
    )


def full_contrast(wide: pd.DataFrame) -> float:
    """The difference between arms had everybody been seen."""
    means = wide.groupby("z")["y"].mean()
    return float(means[1] - means[0])
