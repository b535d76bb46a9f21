"""Coefficient stability: what movement on adding controls says of confounders not seen.

[oster2019unobservable] assumes *proportional selection*: the exposure's covariance with the
unobserved confounders, per unit of their variance, is delta times that with the observed ones.
Then the coefficient without controls (short), with them (medium), the two R2, the R2 a regression
on everything would have and three variances determine the effect, exactly. The popular ratio of
coefficient movement to R2 gain is an approximation of this and is not used here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pooledtrials.arguments import Columns, Vector, finite, numeric_columns, one_column, same_index

_REAL = 1e-8  # imaginary part, relative, below which a numerical root of the cubic counts as real
_ZERO = 1e-9  # sum, relative to its two terms, below which they cancel
_COLLINEAR = 1e-12  # share of variance below which nothing is left of a column


@dataclass(frozen=True)
class CoefficientMovement:
    """What Oster's formulas need to know of two regressions.

    Attributes
    ----------
    short, r2_short : coefficient of x and R2 without the controls
    medium, r2_medium : the same with them
    variance_y, variance_x : variances of outcome and exposure (given unrelated controls, for x)
    residual_variance_x : variance of the residual of x on the controls, Oster's tau_x

    Variances may have any one divisor: only their ratios matter.
    """

    short: float
    r2_short: float
    medium: float
    r2_medium: float
    variance_y: float
    variance_x: float
    residual_variance_x: float

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            finite(getattr(self, name), name)
        if not 0 <= self.r2_short <= self.r2_medium <= 1:
            raise ValueError(
                f"r2_short is {self.r2_short:.6g} and r2_medium {self.r2_medium:.6g}: give two R2"
                " between 0 and 1, the one with controls not the smaller (the same rows in both"
                " regressions)"
            )
        if self.variance_y <= 0:
            raise ValueError(f"variance_y is {self.variance_y:.6g}: give a positive variance")
        if not 0 < self.residual_variance_x <= self.variance_x:
            raise ValueError(
                f"residual_variance_x is {self.residual_variance_x:.6g}: give a positive variance"
                f" of at most variance_x ({self.variance_x:.6g})"
            )

    @property
    def suggested_r2_max(self) -> float:
        """``min(1.3 * r2_medium, 1)``: with this factor 90 % of Oster's trial results survive."""
        return min(1.3 * self.r2_medium, 1.0)


@dataclass(frozen=True)
class OsterDelta:
    """Oster's delta*: how strongly unobservables must be selected to make the effect ``effect``."""

    delta: float
    effect: float
    r2_max: float
    movement: CoefficientMovement

    def describe(self) -> str:
        """What delta* means, as a sentence."""
        setting = f"If everything relevant explained {100 * self.r2_max:.3g} % of the outcome"
        goal = f"the true effect would be {self.effect:.4g} only if"
        if math.isinf(self.delta):
            return (
                f"{setting}, no proportional selection on unobservables would make the true effect"
                f" {self.effect:.4g}."
            )
        if self.delta < 0:
            return (
                f"{setting}, {goal} the unobserved confounders biased the estimate in the opposite"
                f" direction to the observed ones, {abs(self.delta):.3g} times as strongly"
                " (delta* below 0)."
            )
        against = (
            "more strongly than the observed ones"
            if self.delta > 1
            else "no more strongly than the observed ones, which is not much to ask"
        )
        return (
            f"{setting}, {goal} selection on unobservables were {self.delta:.3g} times selection on"
            f" the observed controls: {against}."
        )


@dataclass(frozen=True)
class OsterEffect:
    """Oster's beta*: the effect if selection on unobservables is ``delta`` times that on controls.

    Attributes
    ----------
    effect : the chosen root, ``nan`` if no root is admissible
    roots : every real root, from the nearest to the medium coefficient to the farthest
    admissible : whether each root keeps the sign of the covariance of exposure and observed
        confounders (Oster's assumption 3)
    delta, r2_max, movement : setting
    """

    effect: float
    roots: tuple[float, ...]
    admissible: tuple[bool, ...]
    delta: float
    r2_max: float
    movement: CoefficientMovement

    @property
    def identified_set(self) -> tuple[float, float]:
        """From delta = 0 (the medium coefficient) to this delta, in ascending order."""
        low, high = sorted((self.movement.medium, self.effect))
        return low, high

    def describe(self) -> str:
        """What beta* means, as a sentence."""
        setting = (
            f"If selection on unobservables is {self.delta:.3g} times selection on the controls and"
            f" everything relevant explains {100 * self.r2_max:.3g} % of the outcome"
        )
        if math.isnan(self.effect):
            return (
                f"{setting}, no effect is consistent with the observed confounders keeping the"
                " direction of their bias: selection that strong cannot be reconciled with these"
                " regressions."
            )
        low, high = self.identified_set
        sign = "excludes" if low > 0 or high < 0 else "includes"
        return (
            f"{setting}, the effect is {self.effect:.4g} (with controls {self.movement.medium:.4g},"
            f" without {self.movement.short:.4g}); the range [{low:.4g}, {high:.4g}] {sign} zero."
        )


def coefficient_movement(
    y: Columns, x: Columns, controls: Columns, unrelated: Columns | None = None
) -> CoefficientMovement:
    """Short and medium regressions of y on x, as `CoefficientMovement`.

    Parameters
    ----------
    y, x : (n,)
        Outcome and exposure.
    controls : (n, p)
        Observed confounders, in the medium regression only.
    unrelated : (n, q), optional
        Controls of both regressions that say nothing about the unobserved confounders, such as
        indicators of trials or strata.

    Raises
    ------
    ValueError
        For unusable arguments, or controls that leave nothing of x.
    """
    same_index(y=y, x=x, controls=controls, unrelated=unrelated)
    outcome = one_column(y, "y", "give one outcome at a time")
    n = outcome.shape[0]
    exposure = one_column(x, "x", "give one exposure", n)
    observed, _ = numeric_columns(controls, "controls", n)
    base = np.ones((n, 1))
    if unrelated is not None:
        base = np.column_stack([base, numeric_columns(unrelated, "unrelated", n)[0]])
    total = float(np.sum((outcome - outcome.mean()) ** 2))
    if total == 0:
        raise ValueError("y is constant: there is nothing to explain")
    found = []
    for block in (base, np.column_stack([base, observed])):
        targets = np.column_stack([outcome, exposure])
        fitted, _, rank, _ = np.linalg.lstsq(block, targets, rcond=None)
        if n - int(rank) < 2:
            raise ValueError(f"controls has {observed.shape[1]} columns, too many for {n} rows")
        rest_y, rest_x = (targets - block @ fitted).T
        square = float(rest_x @ rest_x)
        if square <= _COLLINEAR * float(np.sum((exposure - exposure.mean()) ** 2)):
            what = "constant" if np.ptp(exposure) == 0 else "a linear combination of the controls"
            raise ValueError(f"x is {what}: it must vary given them")
        slope = float(rest_x @ rest_y) / square
        r2 = 1 - float(np.sum((rest_y - slope * rest_x) ** 2)) / total
        found.append((slope, r2, square))
    (short, r2_short, square_x), (medium, r2_medium, tau) = found
    # rounding must not make a useless control lower R2, or leave more of x than there was
    return CoefficientMovement(
        short,
        r2_short,
        medium,
        max(r2_medium, r2_short),
        total / (n - 1),
        square_x / (n - 1),
        min(tau, square_x) / (n - 1),
    )


def oster_delta(
    movement: CoefficientMovement, effect: float = 0.0, r2_max: float | None = None
) -> OsterDelta:
    """Oster's delta*, exact: the delta whose effect is ``effect`` (her proposition 3).

    With d the short less the medium coefficient, v the medium one less ``effect``, s and t the
    variance of x before and after controls, A and B the variances of y gained by the controls and
    still to be gained up to ``r2_max``::

        delta = [v t A + v s t d^2 + 2 v^2 t d s + v^3 (t s - t^2)]
                / [B d s + v B (s - t) + v^2 t d s + v^3 (t s - t^2)]

    Parameters
    ----------
    movement : the two regressions, from `coefficient_movement` or bare numbers
    effect : the effect to be explained away to, in the coefficient's units
    r2_max : R2 of the outcome on x, controls and unobserved confounders; default 1.3 times the
        medium R2, at most 1

    Raises
    ------
    ValueError
        If ``r2_max`` is not between the medium R2 and 1.
    """
    r2_max = _r2_max(movement, r2_max)
    v = movement.medium - finite(effect, "effect")
    constant, *weights = _delta_terms(movement, r2_max)
    powers = np.array([1.0, v, v**2, v**3])
    bottom = float(powers @ [constant, *weights])
    top = float(powers @ _other_terms(movement))
    delta = top / bottom if bottom != 0 else math.copysign(math.inf, top)
    return OsterDelta(delta, effect, r2_max, movement)


def oster_effect(
    movement: CoefficientMovement, delta: float = 1.0, r2_max: float | None = None
) -> OsterEffect:
    """Oster's beta*, exact: the effect if selection on unobservables is proportional to delta.

    It is the medium coefficient less a real root v of a quadratic (delta = 1) or cubic; with the
    letters of `oster_delta`::

        delta B d s + v [delta B (s - t) - A t - s t d^2] + v^2 t d s (delta - 2)
        + v^3 (delta - 1)(t s - t^2) = 0

    Root rule: a root is admissible if it keeps the sign of the covariance between exposure and
    observed confounders, ``d s + v (s - t)`` having the sign of d (her assumption 3); of several
    the one nearest to the medium coefficient is taken, as her own program does. With delta = 1
    exactly one root is admissible. With delta above 1 there may be none, which is said.

    Parameters
    ----------
    movement, r2_max : as in `oster_delta`
    delta : selection on unobservables as a multiple of selection on the controls

    Raises
    ------
    ValueError
        If ``r2_max`` is not between the medium R2 and 1, or delta is not finite.
    """
    r2_max = _r2_max(movement, r2_max)
    delta = finite(delta, "delta")
    coefficients = delta * np.array(_delta_terms(movement, r2_max)) - _other_terms(movement)
    d = movement.short - movement.medium
    s, t = movement.variance_x, movement.residual_variance_x
    gaps = _real_roots(coefficients)
    gaps.sort(key=abs)
    admissible = tuple(v == 0 or _keeps_sign(d * s, v * (s - t)) for v in gaps)
    roots = tuple(float(movement.medium - v) for v in gaps)
    kept = [root for root, ok in zip(roots, admissible, strict=True) if ok]
    return OsterEffect(kept[0] if kept else math.nan, roots, admissible, delta, r2_max, movement)


def _keeps_sign(seen: float, added: float) -> bool:
    """Whether the observed confounders' covariance with x keeps its sign; zero is not kept.

    With a single control one root has a covariance of exactly zero, which rounding must not revive.
    """
    total = seen + added
    return bool(abs(total) > _ZERO * (abs(seen) + abs(added)) and total * seen > 0)


def _r2_max(movement: CoefficientMovement, r2_max: float | None) -> float:
    if r2_max is None:
        return movement.suggested_r2_max
    if not movement.r2_medium <= finite(r2_max, "r2_max") <= 1:
        raise ValueError(
            f"r2_max is {r2_max:.6g}: give an R2 of at least that with controls"
            f" ({movement.r2_medium:.6g}) and at most 1"
        )
    return float(r2_max)


def _delta_terms(movement: CoefficientMovement, r2_max: float) -> list[float]:
    """Coefficients of 1, v, v^2, v^3 in what is multiplied by delta."""
    d = movement.short - movement.medium
    s, t = movement.variance_x, movement.residual_variance_x
    missing = (r2_max - movement.r2_medium) * movement.variance_y
    return [missing * d * s, missing * (s - t), t * d * s, t * s - t * t]


def _other_terms(movement: CoefficientMovement) -> list[float]:
    """Coefficients of 1, v, v^2, v^3 in what is not."""
    d = movement.short - movement.medium
    s, t = movement.variance_x, movement.residual_variance_x
    gained = (movement.r2_medium - movement.r2_short) * movement.variance_y
    return [0.0, gained * t + s * t * d * d, 2 * t * d * s, t * s - t * t]


def _real_roots(ascending: Vector) -> list[float]:
    """Real roots of a polynomial with coefficients of 1, v, v^2, ..."""
    used = np.trim_zeros(ascending, "b")
    if used.size == 0:
        return [0.0]  # controls without any relation to x: nothing moves
    roots = np.polynomial.Polynomial(used).roots()
    real = np.abs(roots.imag) <= _REAL * np.maximum(np.abs(roots), np.finfo(float).tiny)
    return [float(r) for r in roots[real].real]
