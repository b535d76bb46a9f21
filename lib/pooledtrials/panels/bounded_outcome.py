"""A bounded outcome with many zeros: three models of its mean, one contrast.

A composite score between 0 and 1 is 0 in many interviews, and days of use run from 0 to 30. What
is the effect on the mean? Linear regression answers directly [angrist2001estimation]; a fractional
logit keeps predictions inside the bounds [papke1996econometric]; a two-part model
[duan1983comparison] splits the mean into the probability of any and the mean of those who have any,
``E[y] = P(y > 0) E[y | y > 0]``. With a 0/1 exposure and no covariates all three are the difference
of two means, with the same error; where they differ, covariates and functional form make the
difference.

The second part conditions on something that happens after randomization: those who still have
``y > 0`` in two arms are not the same kind of people, and the difference between them is a
description, no effect [angrist2001estimation].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import (
    Columns,
    Matrix,
    Vector,
    choice,
    finite,
    fraction,
    one_column,
    same_index,
)
from pooledtrials.panels.marginal_effects import (
    Contrast,
    Regression,
    Rows,
    fractional_logit,
    least_squares,
    moved,
    regression_rows,
)
from pooledtrials.results import Estimate

_SECOND_PART = (
    "The mean of those with y > 0 compares people whom the exposure itself may have selected: it"
    " describes, and is no effect even in a randomized trial."
)


@dataclass(frozen=True)
class TwoPart:
    """A two-part model's effects, each an `Estimate`.

    Attributes
    ----------
    effect : on the mean of y, ``extensive + intensive``
    extensive : of it, what comes through the probability of any: its change times the mean of
        those with any
    intensive : of it, what comes through the mean of those with any
    any : change in P(y > 0)
    amount : change in E[y | y > 0], averaged over all rows
    """

    effect: Estimate
    extensive: Estimate
    intensive: Estimate
    any: Estimate
    amount: Estimate


@dataclass(frozen=True)
class BoundedOutcome:
    """One contrast by three models.

    Attributes
    ----------
    linear, fractional_logit : effect on the mean of y
    two_part : see `TwoPart`, None where there are no two parts
    two_part_reason : why not, empty if there are
    contrast : in words
    zeros : share of rows with y = 0
    """

    linear: Estimate
    fractional_logit: Estimate
    two_part: TwoPart | None
    two_part_reason: str
    contrast: str
    zeros: float

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """The three effects on the mean, then the parts; intervals with t reference."""
        rows = [
            ("linear", "E[y]", self.linear),
            ("fractional logit", "E[y]", self.fractional_logit),
        ]
        if self.two_part is not None:
            parts = self.two_part
            rows += [
                ("two-part", "E[y]", parts.effect),
                ("through any", "E[y]", parts.extensive),
                ("through amount", "E[y]", parts.intensive),
                ("any", "P(y > 0)", parts.any),
                ("amount", "E[y | y > 0]", parts.amount),
            ]
        ends = [found.interval(fraction(level, "level"), "t").end_points for _, _, found in rows]
        return pd.DataFrame(
            {
                "of": [of for _, of, _ in rows],
                "estimate": [found.coefficient for _, _, found in rows],
                "standard_error": [found.standard_error for _, _, found in rows],
                "low": [low for low, _ in ends],
                "high": [high for _, high in ends],
            },
            index=pd.Index([name for name, _, _ in rows], name="effect"),
        )

    def describe(self) -> str:
        """What the models say, in plain words."""
        said = (
            f"The mean of y changes, {self.contrast}, by {_words(self.linear)} (linear) or"
            f" {_words(self.fractional_logit)} (fractional logit)"
        )
        zeros = f"y is 0 in {100 * self.zeros:.0f} % of rows."
        if self.two_part is None:
            return f"{said}. {zeros} There is no two-part model: {self.two_part_reason}."
        parts = self.two_part
        return (
            f"{said} or {_words(parts.effect)} (two-part). {zeros} Of the two-part effect"
            f" {parts.extensive.coefficient:.3g} comes through P(y > 0), which changes by"
            f" {_words(parts.any)}, and {parts.intensive.coefficient:.3g} through the mean of those"
            f" with y > 0, which changes by {_words(parts.amount)}. {_SECOND_PART}"
        )


def bounded_outcome(
    y: Columns,
    x: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    contrast: Contrast = None,
    upper: float = 1.0,
    first_part: str = "logit",
) -> BoundedOutcome:
    """Effect of an arm or an exposure on a bounded mean: linear, fractional logit, two-part.

    ``mean over rows of E[y | high, row] - E[y | low, row]``, or of ``dE[y | x, row] / dx``. The
    first part of the two-part model is a regression of ``y > 0`` on all rows, the second a
    fractional logit of y on the rows with ``y > 0``; the effect on their product splits as
    ``change(P) mid(M) + mid(P) change(M)`` with mid-points of the contrast, exactly.

    Parameters
    ----------
    y : (n,)
        Outcome from 0 to ``upper``. 0/1 outcomes are welcome (linear probability beside logit),
        and have no second part.
    x : (n,)
        Arm as 0 and 1, or an exposure.
    controls : (n, p), optional
    clusters : (n,) labels, optional
        Errors are CR1 over clusters, HC1 without them; the parts of the two-part model are
        correlated as their rows and clusters make them.
    strata : (n,) labels, optional
        Such as trial x wave; an indicator each.
    contrast : (low, high), optional
        Values of x to compare. Default: 0 and 1 if x has only these, otherwise per unit of x.
    upper : float
        The largest possible y, 1 for a composite score, 30 for days; effects are in units of y.
    first_part : {"logit", "linear"}
        Of the two-part model. A logit does not exist where a stratum has no zeros, as a trial may
        whose patients all take a prescribed opioid; a linear probability does, though what it
        predicts may leave 0 to 1.

    Raises
    ------
    ValueError
        For unusable arguments; y constant or outside its bounds; collinear columns; columns or
        strata that separate zeros from the rest, where no logit exists.
    """
    same_index(y=y, x=x, controls=controls, clusters=clusters, strata=strata)
    choice(first_part, "first_part", ("logit", "linear"))
    share, scale = _share(y, upper)
    rows = regression_rows(share.size, x, controls, clusters, strata)
    moves = _contrast(contrast, rows.matrix[:, -1])
    everyone = np.ones(share.size, dtype=bool)
    curve = fractional_logit(share, rows, everyone, "y", "use least squares")
    reason = _no_two_parts(share)
    return BoundedOutcome(
        linear=_effect("linear", least_squares(share, rows), rows, moves, scale),
        fractional_logit=_effect("fractional logit", curve, rows, moves, scale),
        two_part=None if reason else _two_part(share, rows, moves, scale, first_part),
        two_part_reason=reason,
        contrast=_in_words(moves, rows.names[-1]),
        zeros=float(np.mean(share == 0)),
    )


def _effect(
    method: str, regression: Regression, rows: Rows, contrast: Contrast, scale: float
) -> Estimate:
    move = moved(regression, rows, contrast)
    influence = regression.influence @ move.change_gradient.mean(axis=0)
    return rows.estimate(method, scale * float(move.change.mean()), scale * influence)


def _two_part(
    share: Vector, rows: Rows, contrast: Contrast, scale: float, first_part: str
) -> TwoPart:
    everyone, positive = np.ones(share.size, dtype=bool), share > 0
    some = positive.astype(float)
    if first_part == "linear":
        first = least_squares(some, rows)
    else:
        first = fractional_logit(some, rows, everyone, "y > 0", "take first_part='linear'")
    second = fractional_logit(share, rows, positive, "y above 0", "use least squares")
    p, m = moved(first, rows, contrast), moved(second, rows, contrast)
    outer = p.change * m.level, p.level * m.change
    influences = [
        first.influence @ _mean(by_p) + second.influence @ _mean(by_m)
        for by_p, by_m in (
            (m.level[:, None] * p.change_gradient, p.change[:, None] * m.level_gradient),
            (m.change[:, None] * p.level_gradient, p.level[:, None] * m.change_gradient),
        )
    ]
    parts = [
        rows.estimate(f"two-part, {name}", scale * float(value.mean()), scale * influence)
        for name, value, influence in zip(
            ("through any", "through amount"), outer, influences, strict=True
        )
    ]
    total = parts[0].coefficient + parts[1].coefficient
    return TwoPart(
        effect=rows.estimate("two-part", total, scale * (influences[0] + influences[1])),
        extensive=parts[0],
        intensive=parts[1],
        any=_effect("two-part, any", first, rows, contrast, 1.0),
        amount=_effect("two-part, amount", second, rows, contrast, scale),
    )


def _mean(gradient: Matrix) -> Vector:
    return np.asarray(gradient.mean(axis=0))


def _no_two_parts(share: Vector) -> str:
    if not (share == 0).any():
        return "y is never 0, so that everyone is in the second part"
    if np.isin(share, (0.0, 1.0)).all():
        return "y is either 0 or its upper bound, so that the first part is all there is"
    return ""


def _share(y: Columns, upper: float) -> tuple[Vector, float]:
    """Outcome as a share of its upper bound, and the bound."""
    outcome = one_column(y, "y", "give one outcome at a time")
    scale = finite(upper, "upper")
    if scale <= 0:
        raise ValueError(f"upper is {upper!r}: give the largest possible y, above 0")
    outside = int(((outcome < 0) | (outcome > scale)).sum())
    if outside:
        raise ValueError(
            f"y is outside 0 to {scale:g} in {outside} of {outcome.size} rows: correct it, or give"
            " the largest possible value as upper"
        )
    if outcome.min() == outcome.max():
        raise ValueError(f"y is {outcome[0]:g} in every row: there is nothing to compare")
    return outcome / scale, scale


def _contrast(contrast: Contrast, exposure: Vector) -> Contrast:
    if contrast is None:
        return (0.0, 1.0) if np.isin(exposure, (0.0, 1.0)).all() else None
    if np.shape(contrast) != (2,):
        raise ValueError(f"contrast is {contrast!r}: give two values of x, from and to")
    low, high = (finite(value, "contrast") for value in contrast)
    if low == high:
        raise ValueError(f"contrast is {contrast!r}: give two different values of x")
    return low, high


def _in_words(contrast: Contrast, name: str) -> str:
    if contrast is None:
        return f"per unit of {name}"
    return f"from {name} = {contrast[0]:g} to {contrast[1]:g}"


def _words(found: Estimate) -> str:
    return f"{found.coefficient:.3g} (s.e. {found.standard_error:.2g})"
