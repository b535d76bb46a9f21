"""What every panel regression returns: one coefficient, where it comes from, what it left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from scipy import stats

from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.results import Estimate

_COMPARES: Mapping[str, str] = {
    "pooled": "Between two interviews, whether of one patient or of two,",
    "within": "Between two interviews of the same patient,",
    "between": "Between two patients' averages over their interviews,",
    "random effects": (
        "Between two interviews, weighting comparisons of patients with themselves and with one"
        " another by their precision,"
    ),
    "mundlak": "Between two interviews of the same patient,",
    "first differences": "From one interview of a patient to the next,",
    "lagged": "At the interview after, between two interviews of the same patient,",
    "mixed": (
        "Between two interviews, weighting comparisons of patients with themselves and with one"
        " another by their likelihood,"
    ),
}

_TRUST: Mapping[str, str] = {
    "pooled": "whatever makes some patients attend more does not also change their outcomes",
    "within": "nothing that changes in a patient over time drives both",
    "between": "patients who attend more differ in nothing else that matters",
    "random effects": "what is constant about patients, too, is unrelated to the exposure",
    "mundlak": "nothing that changes in a patient over time drives both",
    "first differences": "nothing that changes in a patient between two interviews drives both",
    "lagged": (
        "nothing that changes in a patient over time drives both, and outcomes do not drive later"
        " exposure"
    ),
    "mixed": "what is constant about patients, too, is unrelated to the exposure",
}


def _nothing_dropped() -> pd.DataFrame:
    return pd.DataFrame({"what": [], "count": [], "why": []})


@dataclass(frozen=True, eq=False, kw_only=True)
class PanelEstimate(Estimate):
    """The coefficient of the exposure in one panel regression.

    Attributes
    ----------
    method, coefficient, standard_error, nobs, dof
        As in `Estimate`; ``nobs`` counts the rows the regression used (differences in first
        differences, patients in between). ``dof``: clusters less one if errors are clustered, the
        slopes' groups less one with random slopes, otherwise ``n - k``, patient effects counted.
    covariance : ``"clustered"``, ``"classical"`` or ``"robust"``
    variant : small-sample factor of a clustered covariance, see `VARIANTS`; otherwise empty
    exposure : name of the exposure
    effects : what was taken out besides: ``"trial-wave"``, ``"wave"`` or ``"none"``
    n_patients, n_trials, n_clusters : how many the rows used come from
    columns : k, the columns counted in degrees of freedom, see `pooledtrials.panels.variants`
    coefficients : frame with a row per reported term, ``estimate``, ``se``, ``t``, ``p``
    covariance_matrix : of the reported terms
    variance_components : variances ``patient`` and ``residual``, the ``intraclass correlation``
        that they make; with random slopes ``slope`` and, if patients have them, their
        ``intercept-slope correlation``; empty where none is estimated
    theta : share of a patient's mean that is taken out, by number of interviews
    contextual : coefficient of the patient's mean, between less within, of `mundlak`
    between : coefficient between patients, of `mundlak`
    log_likelihood : maximum of the (restricted) likelihood, ``nan`` without one
    dropped : frame with what was left out, how many and why
    """

    exposure: str
    effects: str
    variant: str
    n_patients: int
    n_trials: int
    n_clusters: int
    columns: int
    coefficients: pd.DataFrame
    covariance_matrix: pd.DataFrame
    variance_components: Mapping[str, float] = field(default_factory=dict)
    theta: Mapping[int, float] = field(default_factory=dict)
    contextual: Estimate | None = None
    between: Estimate | None = None
    log_likelihood: float = float("nan")
    dropped: pd.DataFrame = field(default_factory=_nothing_dropped)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of a zero coefficient, t with ``dof`` degrees of freedom."""
        return float(2 * stats.t.sf(abs(self.t_value), self.dof))

    def interval(self, level: float = 0.95, reference: str = "t") -> ConfidenceSet:
        """Estimate plus and minus a quantile times the standard error.

        With few clusters it undercovers, whatever the reference.

        Parameters
        ----------
        level : confidence level
        reference : ``"t"`` with ``dof`` degrees of freedom, or ``"normal"``
        """
        return super().interval(level, reference)

    def describe(self, level: float = 0.95) -> str:
        """What the number says, in words; ``level`` of its interval."""
        ((low, high),) = self.interval(level).intervals
        errors = "; errors are " + (
            f"clustered in {self.n_clusters} clusters ({self.variant})"
            if self.covariance == "clustered"
            else self.covariance
        )
        lines = [
            f"{self.method}: {_COMPARES[self.method]} one unit more of {self.exposure} goes with"
            f" {self.coefficient:.4g} in the outcome ({100 * level:g} % interval {low:.4g} to"
            f" {high:.4g}){errors}.",
            f"From {self.nobs} rows of {self.n_patients} patients in {self.n_trials}"
            f" trial{'' if self.n_trials == 1 else 's'}.",
            f"It is an effect of {self.exposure} only if {_TRUST[self.method]}.",
        ]
        if self.between is not None and self.contextual is not None:
            lines.append(
                f"Between patients the coefficient is {self.between.coefficient:.4g}; it differs"
                f" from that within patients by {self.contextual.coefficient:.4g}"
                f" (s.e. {self.contextual.standard_error:.4g})."
            )
        if "slope" in self.variance_components:
            spread = self.variance_components["slope"] ** 0.5
            lines.append(
                f"It differs from group to group with a standard deviation of {spread:.4g}."
            )
        lines += [f"{row.count} {row.what}: {row.why}." for row in _rows(self.dropped)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Dropped:
    """One line of what a method left out."""

    count: int
    what: str
    why: str


def dropped_frame(lines: list[Dropped]) -> pd.DataFrame:
    """The lines that count something, as a frame."""
    counted = [line for line in lines if line.count]
    return pd.DataFrame(
        {
            "what": [line.what for line in counted],
            "count": [line.count for line in counted],
            "why": [line.why for line in counted],
        }
    )


def _rows(frame: pd.DataFrame) -> list[Dropped]:
    return [
        Dropped(int(count), str(what), str(why))
        for what, count, why in zip(frame["what"], frame["count"], frame["why"], strict=True)
    ]
