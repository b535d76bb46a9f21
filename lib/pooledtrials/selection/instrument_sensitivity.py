"""Sensitivity of an instrument to what it omits, from the data: statistics, benchmarks, figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import linalg

from pooledtrials.arguments import Columns, choice, fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.selection.benchmarks import (
    ConfounderStrength,
    as_strong_as,
    benchmark_bound,
    group_share,
    largest_multiple,
)
from pooledtrials.selection.contours import Array, Contours, grid, mark, roomy
from pooledtrials.selection.just_identified import (
    JustIdentified,
    anderson_rubin_set,
    just_identified_of,
)
from pooledtrials.selection.least_squares import (
    COVARIANCES,
    Centred,
    Groups,
    centre,
    groups_of,
    residuals,
)
from pooledtrials.selection.omitted_variables_iv import (
    InstrumentRobustness,
    adjusted_anderson_rubin_critical_value,
    adjusted_anderson_rubin_set,
    instrument_robustness,
    regression_at,
)
from pooledtrials.selection.robustness import RobustnessValue, robustness_value

LIMITS: Final = ("lower limit", "upper limit")

_COLUMNS: Final = (
    "label",
    "benchmark",
    "multiple",
    "r2_exposure",
    "r2_outcome",
    "capped",
    "critical_value",
    "low",
    "high",
    "kind",
)


@dataclass(frozen=True, eq=False)
class InstrumentSensitivity:
    """How much confounding, or how strong a side effect, an instrument would survive.

    Attributes
    ----------
    fit : reduced form and first stage
    effects : Anderson-Rubin set with a valid instrument
    robustness : of the estimate, at ``level``
    first_stage, reduced_form : robustness values of the two regressions, at ``level``
    benchmarks : frame
        A row per benchmark and multiple: ``label``, ``benchmark``, ``multiple``, ``r2_exposure``
        (share of the *instrument*), ``r2_outcome`` (of the untreated outcome), whether that was
        ``capped`` at 1, ``critical_value`` of the Anderson-Rubin t at 0, ``low`` and ``high`` of
        the adjusted set and its ``kind``.
    sets : the adjusted sets, by label
    level : confidence level
    """

    fit: JustIdentified
    effects: ConfidenceSet
    robustness: InstrumentRobustness
    first_stage: RobustnessValue
    reduced_form: RobustnessValue
    benchmarks: pd.DataFrame
    sets: dict[str, ConfidenceSet]
    level: float

    def contours(self, **choices: Any) -> Contours:
        """`instrument_contours` of this instrument with its benchmarks marked; same choices."""
        return instrument_contours(self.fit, self.benchmarks, **choices)

    def to_frame(self) -> pd.DataFrame:
        """Estimate and robustness of the effect, the first stage and the reduced form, a row each.

        ``t_value`` of the effect is that of the Anderson-Rubin regression at zero.
        """
        forms = [regression_at(self.fit, b) for b in (0.0, math.inf)]
        values = [(value.extreme, value.value) for value in (self.reduced_form, self.first_stage)]
        values.insert(0, (self.robustness.extreme, self.robustness.value))
        return pd.DataFrame(
            {
                "estimate": [self.fit.coefficient, *(form.coefficient for form in forms)],
                "t_value": [self.fit.t_value(0.0), *(form.t_value for form in forms)],
                "extreme_robustness_value": [extreme for extreme, _ in values],
                "robustness_value": [value for _, value in values],
            },
            index=["effect", "reduced form", "first stage"],
        )

    def describe(self) -> str:
        """What statistics and benchmarks say, in words."""
        words = [self.effects.describe(), self.robustness.describe()]
        for _, row in self.benchmarks.iterrows():
            name = as_strong_as(row["multiple"], row["benchmark"])
            if np.isnan(row["r2_exposure"]):
                words.append(f"Nothing could be {name}.")
                continue
            found = self.sets[row["label"]]
            holds = "holds" if found.contains(0.0) else "excludes"
            words.append(
                f"With a confounder or side effect {name} the {100 * self.level:g} % set is"
                f" {found} and {holds} zero."
            )
        return " ".join(words)


def instrument_sensitivity(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    benchmarks: Groups = (),
    multiples: Sequence[float] = (1.0, 2.0, 3.0),
    covariance: str = "classical",
    q: float = 1.0,
    level: float = 0.95,
) -> InstrumentSensitivity:
    """Anderson-Rubin inference, and how much an invalid instrument would undo it.

    The share of the outcome that a benchmark explains is the largest over all effects b of its
    partial R2 with ``y - b x``, since the untreated outcome is not observed.

    Parameters
    ----------
    y, x, z : outcome, exposure and the one instrument, (n,)
    controls, clusters, strata, benchmarks, multiples, covariance, q, level
        As in `regression_sensitivity`.

    Returns
    -------
    InstrumentSensitivity

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    level = fraction(level, "level")
    choice(covariance, "covariance", COVARIANCES)
    data = centre(y, x, z, controls, clusters, strata)
    groups = groups_of(benchmarks, data.names)
    fit = just_identified_of(data, covariance)
    rows: list[tuple[Any, ...]] = []
    sets: dict[str, ConfidenceSet] = {}
    for name, members in groups.items():
        shares = instrument_shares(data, members)
        for multiple in multiples:
            label = f"{multiple:g}x {name}"
            head = (label, name, multiple)
            if multiple >= largest_multiple(shares.r2_exposure):
                rows.append((*head, np.nan, np.nan, False, np.nan, np.nan, np.nan, ""))
                continue
            bound = benchmark_bound(
                shares.r2_outcome, shares.r2_exposure, k_exposure=multiple, k_outcome=multiple
            )
            strength = (bound.r2_outcome, bound.r2_exposure)
            found = adjusted_anderson_rubin_set(fit, *strength, level=level)
            critical = adjusted_anderson_rubin_critical_value(fit, *strength, level=level)
            sets[label] = found
            rows.append(
                (*head, *strength[::-1], bound.capped, critical, *limits(found), found.kind)
            )
    return InstrumentSensitivity(
        fit,
        anderson_rubin_set(fit, level),
        instrument_robustness(fit, q=q, level=level),
        robustness_value(regression_at(fit, math.inf), level=level),
        robustness_value(regression_at(fit, 0.0), level=level),
        pd.DataFrame(rows, columns=list(_COLUMNS)),
        sets,
        level,
    )


def instrument_shares(data: Centred, group: Sequence[str]) -> ConfounderStrength:
    """Partial R2 of a group of controls with the instrument and, at most, with any ``y - b x``.

    The latter is the largest generalized eigenvalue of the (2, 2) cross products of (y, x) that
    the group explains against all that instrument and other controls leave.
    """
    inside, others = data.chosen(group)
    with_instrument = np.column_stack([others, data.instrument])
    pair = residuals(np.column_stack([data.y, data.x]), with_instrument)
    basis = np.linalg.qr(residuals(inside, with_instrument))[0]
    explained = basis.T @ pair
    largest = linalg.eigh(explained.T @ explained, pair.T @ pair, eigvals_only=True)[-1]
    return ConfounderStrength(float(largest), group_share(data.instrument, inside, others))


def instrument_contours(
    fit: JustIdentified,
    benchmarks: pd.DataFrame | None = None,
    *,
    quantity: str = "lower limit",
    limit_instrument: float | None = None,
    limit_outcome: float | None = None,
    points: int = 41,
    level: float = 0.95,
) -> Contours:
    """A limit of the adjusted Anderson-Rubin set over the plane of strengths.

    Infinite where the set has no end on that side; an empty set cannot occur with one instrument.

    Parameters
    ----------
    fit : JustIdentified
    benchmarks : frame, optional
        As in `contours`; ``r2_exposure`` is the share of the instrument.
    quantity : ``"lower limit"`` or ``"upper limit"``
    limit_instrument, limit_outcome : largest shares shown; without, a quarter more than the
        robustness value of the estimate and every benchmark
    points : grid points on each axis
    level : of the set

    Raises
    ------
    ValueError
        For unusable limits or words.
    """
    choice(quantity, "quantity", LIMITS)
    least = instrument_robustness(fit).value
    z, y = grid(
        limit_instrument or roomy("r2_exposure", benchmarks, least),
        limit_outcome or roomy("r2_outcome", benchmarks, least),
        points,
    )
    side = LIMITS.index(quantity)

    def limit(r2_outcome: float, r2_instrument: float) -> float:
        return limits(adjusted_anderson_rubin_set(fit, r2_outcome, r2_instrument, level=level))[
            side
        ]

    def at(r2_outcome: Array, r2_instrument: Array) -> Array:
        pairs = np.broadcast(r2_outcome, r2_instrument)
        return np.array([limit(*pair) for pair in pairs]).reshape(pairs.shape)

    return Contours(
        z,
        y,
        at(y[:, None], z[None, :]),
        quantity,
        0.0,
        limit(0.0, 0.0),
        mark(benchmarks, at),
        "instrument",
    )


def limits(found: ConfidenceSet) -> tuple[float, float]:
    """The least and the largest effect of a set, infinite if there is none."""
    return found.intervals[0][0], found.intervals[-1][1]
