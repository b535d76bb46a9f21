"""What observed covariates say of a confounder: bounds on its strength [cinelli2020making].

Nobody knows how much a confounder explains, but one can often say that it explains no more of the
exposure than ``k`` times what some observed covariate does, such as readiness to change. With
``r2_outcome_j`` and ``r2_exposure_j`` the partial R2 of that covariate (or of a group of them) with
y given x and the *other* controls, and with x given the other controls, a confounder ``k_exposure``
and ``k_outcome`` times as strong has::

    r2_exposure = k_exposure r2_exposure_j / (1 - r2_exposure_j)
    m           = k_exposure r2_exposure_j^2 / ((1 - k_exposure r2_exposure_j) (1 - r2_exposure_j))
    r2_outcome <= (sqrt(k_outcome) + sqrt(m))^2 / (1 - m) * r2_outcome_j / (1 - r2_outcome_j)

since part of what it explains, the controls that stay explain already. The comparison must be
feasible: ``r2_exposure`` below 1 and ``m`` below 1. The bound on ``r2_outcome`` stops at 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pooledtrials.arguments import Matrix, Vector, finite
from pooledtrials.selection.least_squares import Centred, residuals


@dataclass(frozen=True)
class ConfounderStrength:
    """How strong a confounder is, or may be at most.

    Attributes
    ----------
    r2_outcome, r2_exposure : shares of what is left of outcome and exposure (or instrument)
    capped : whether the bound on ``r2_outcome`` came out above 1 and was cut there
    """

    r2_outcome: float
    r2_exposure: float
    capped: bool = False


def benchmark_bound(
    r2_outcome_j: float, r2_exposure_j: float, *, k_exposure: float = 1.0, k_outcome: float = 1.0
) -> ConfounderStrength:
    """Strength of a confounder that is ``k`` times as strong as an observed covariate.

    Parameters
    ----------
    r2_outcome_j : partial R2 of the covariate with the outcome, given the exposure and other
        controls
    r2_exposure_j : partial R2 of the covariate with the exposure, given the other controls
    k_exposure, k_outcome : how many times as much the confounder explains, of each

    Returns
    -------
    ConfounderStrength

    Raises
    ------
    ValueError
        If a share is outside [0, 1), a multiple is negative, or no confounder can be that strong.
    """
    y, x = finite(r2_outcome_j, "r2_outcome_j"), finite(r2_exposure_j, "r2_exposure_j")
    for share, name in ((y, "r2_outcome_j"), (x, "r2_exposure_j")):
        if not 0 <= share < 1:
            raise ValueError(f"{name} is {share:g}: give a share from 0 to below 1")
    for multiple, name in ((k_exposure, "k_exposure"), (k_outcome, "k_outcome")):
        if finite(multiple, name) < 0:
            raise ValueError(f"{name} is {multiple:g}: give a multiple of 0 or more")
    r2_exposure = k_exposure * x / (1 - x)
    overlap = k_exposure * x**2 / ((1 - k_exposure * x) * (1 - x)) if k_exposure * x < 1 else 1.0
    if r2_exposure >= 1 or overlap >= 1:
        raise ValueError(
            f"k_exposure is {k_exposure:g} and the covariate explains {100 * x:.3g} % of the"
            f" exposure: a confounder {k_exposure:g} times as strong would explain all that is left"
            f" of it or more, and cannot be; give a multiple below {largest_multiple(x):.3g}"
        )
    r2_outcome = (math.sqrt(k_outcome) + math.sqrt(overlap)) ** 2 / (1 - overlap) * y / (1 - y)
    return ConfounderStrength(min(r2_outcome, 1.0), r2_exposure, r2_outcome > 1)


def largest_multiple(r2_exposure_j: float) -> float:
    """The ``k_exposure`` from which on no confounder can be k times as strong.

    ``(1 - r) / r``: there ``r2_exposure`` reaches 1, and ``m`` too, both at once.
    """
    return math.inf if r2_exposure_j == 0 else (1 - r2_exposure_j) / r2_exposure_j


def as_strong_as(multiple: float, name: str) -> str:
    """The comparison in words."""
    return f"as strong as {name}" if multiple == 1 else f"{multiple:g} times as strong as {name}"


def group_share(outcome: Vector, group: Matrix, others: Matrix) -> float:
    """Partial R2 of a group of columns with one outcome, given other columns."""
    left = residuals(outcome, others)
    basis = np.linalg.qr(residuals(group, others))[0]
    explained = basis.T @ left
    return float(explained @ explained) / float(left @ left)


def covariate_shares(data: Centred, group: Sequence[str]) -> ConfounderStrength:
    """Partial R2 of a group of controls with outcome (given the exposure) and exposure."""
    inside, others = data.chosen(group)
    with_exposure = np.column_stack([others, data.x])
    return ConfounderStrength(
        group_share(data.y, inside, with_exposure), group_share(data.x, inside, others)
    )
