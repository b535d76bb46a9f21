"""Pooling across trials in two stages: an estimate per trial, then their weighted mean.

The common-effect model takes all trials to have one effect and weighs by ``1 / v_i``. The
random-effects model lets effects differ with variance tau^2 (see `heterogeneity`) and weighs by
``1 / (v_i + tau^2)``; its mean is that of a population of such trials, and the prediction interval
says what the next trial's effect may be [higgins2009reevaluation].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from pooledtrials.arguments import Columns, Vector, choice, fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.panels.heterogeneity import (
    METHODS,
    cochran_q_test,
    estimate_tau_squared,
    generalized_q,
    inverse_variance_mean,
    q_profile,
    typical_variance,
)
from pooledtrials.panels.trial_estimates import trial_estimates
from pooledtrials.results import Estimate, Test

INTERVALS: Final = ("knapp-hartung", "truncated knapp-hartung", "normal")
"""How the standard error and reference of the random-effects mean are formed."""


@dataclass(frozen=True, eq=False)
class MetaAnalysis:
    """Trials pooled in two stages.

    Attributes
    ----------
    trials : one row per trial: ``estimate``, ``standard_error``, normal interval ``low`` and
        ``high``, and its share of each mean, ``weight_common`` and ``weight_random``
    method : estimator of tau^2
    interval : one of `INTERVALS`, for the random-effects mean and the prediction interval
    level : of every interval
    common, random : the means, with the standard error and degrees of freedom their intervals have
    test : test that the random-effects mean is zero
    heterogeneity : Cochran's Q
    tau_squared : variance of the trials' true effects
    tau_squared_set : its Q-profile interval, see `q_profile`
    typical_variance : sampling variance of a typical trial
    prediction : interval for the effect in another trial, None where it does not exist
    prediction_reason : why not, empty if it exists
    """

    trials: pd.DataFrame
    method: str
    interval: str
    level: float
    common: Estimate
    random: Estimate
    test: Test
    heterogeneity: Test
    tau_squared: float
    tau_squared_set: ConfidenceSet
    typical_variance: float
    prediction: ConfidenceSet | None
    prediction_reason: str = ""

    @property
    def i_squared(self) -> float:
        """Share of the variance between estimates that is heterogeneity, from tau^2."""
        return self.tau_squared / (self.tau_squared + self.typical_variance)

    @property
    def i_squared_from_q(self) -> float:
        """The same share from Cochran's Q, ``max(0, (Q - (k - 1)) / Q)``."""
        q = self.heterogeneity.statistic
        return max(0.0, 1 - self.heterogeneity.dof[0] / q) if q > 0 else 0.0

    @property
    def h_squared(self) -> float:
        """Variance between estimates over sampling variance, ``1 / (1 - I^2)``."""
        return self.tau_squared / self.typical_variance + 1

    @property
    def common_set(self) -> ConfidenceSet:
        """Interval of the common effect, normal reference."""
        return self.common.interval(self.level)

    @property
    def random_set(self) -> ConfidenceSet:
        """Interval of the random-effects mean, by the method of ``interval``."""
        return self.random.interval(self.level, "t")

    def to_frame(self) -> pd.DataFrame:
        """The trials, both means and the prediction interval, as a forest plot lists them."""
        rows = {
            name: {
                "estimate": mean.coefficient,
                "standard_error": mean.standard_error,
                "low": found.end_points[0],
                "high": found.end_points[-1],
            }
            for name, mean, found in (
                ("common effect", self.common, self.common_set),
                ("random effects", self.random, self.random_set),
            )
        }
        if self.prediction is not None:
            low, high = self.prediction.end_points
            rows["prediction"] = {"estimate": self.random.coefficient, "low": low, "high": high}
        pooled = pd.DataFrame.from_dict(rows, orient="index")
        pooled.loc["common effect", "weight_common"] = 1.0
        pooled.loc["random effects", "weight_random"] = 1.0
        return pd.concat([self.trials, pooled])[self.trials.columns]

    def heterogeneity_frame(self) -> pd.DataFrame:
        """tau^2, tau, I^2 and H^2 with the ends of their intervals; missing if the set is empty."""
        ends = self.tau_squared_set.end_points or (math.nan, math.nan)
        tau_squared = np.array([self.tau_squared, ends[0], ends[-1]])
        typical = self.typical_variance
        rows = [
            tau_squared,
            np.sqrt(tau_squared),
            tau_squared / (tau_squared + typical),
            tau_squared / typical + 1,
        ]
        index = pd.Index(["tau^2", "tau", "I^2", "H^2"], name="measure")
        return pd.DataFrame(rows, index=index, columns=["estimate", "low", "high"])

    def leave_one_out(self) -> pd.DataFrame:
        """The pooled results without each trial in turn; needs three trials or more.

        Raises
        ------
        ValueError
            With two trials, of which one alone would be left.
        """
        if len(self.trials) < 3:
            raise ValueError(
                f"trials has {len(self.trials)} rows: without one of them there is nothing to pool;"
                " at least 3 trials are needed"
            )
        rows = []
        for name in self.trials.index:
            rest = self.trials.drop(index=name)
            found = meta_analysis(
                rest["estimate"], rest["standard_error"],
                method=self.method, interval=self.interval, level=self.level,
            )  # fmt: skip
            low, high = found.random_set.end_points
            rows.append(
                {
                    "common": found.common.coefficient,
                    "estimate": found.random.coefficient,
                    "standard_error": found.random.standard_error,
                    "low": low,
                    "high": high,
                    "tau_squared": found.tau_squared,
                    "i_squared": found.i_squared,
                    "q_p_value": found.heterogeneity.p_value,
                }
            )
        return pd.DataFrame(rows, index=self.trials.index.rename("left out"))

    def describe(self) -> str:
        """What was found, in plain words."""
        k, percent = len(self.trials), f"{100 * self.level:g} %"
        low, high = self.random_set.end_points
        sentences = [
            f"{k} trials pooled in two stages ({self.method}, {self.interval} interval).",
            f"The mean of the trials' effects is {self.random.coefficient:.3g}, {percent} interval"
            f" {low:.3g} to {high:.3g}; if all had one effect it would be"
            f" {self.common.coefficient:.3g}.",
            f"True effects are estimated to differ between trials with a standard deviation tau of"
            f" {math.sqrt(self.tau_squared):.3g}; {self._tau_in_words(percent)}",
            f"{100 * self.i_squared:.0f} % of the variance between estimates is such heterogeneity"
            f" (I^2), the rest sampling error; {self.heterogeneity.name} has p ="
            f" {self.heterogeneity.p_value:.2g}.",
        ]
        if self.prediction is None:
            sentences.append(f"There is no prediction interval: {self.prediction_reason}.")
        else:
            low, high = self.prediction.end_points
            sentences.append(
                f"The effect in another such trial would lie in {low:.3g} to {high:.3g}"
                f" ({percent} prediction interval)."
            )
        return " ".join(sentences)

    def _tau_in_words(self, percent: str) -> str:
        if not self.tau_squared_set.intervals:
            return "the estimates agree better than chance lets them, and its interval is empty."
        low, high = (math.sqrt(end) for end in self.tau_squared_set.end_points)
        few = f"{len(self.trials)} trials say little about it: " if len(self.trials) < 10 else ""
        return f"{few}its {percent} interval is {low:.3g} to {high:.3g}."


def meta_analysis(
    estimates: Columns | Mapping[Any, Estimate] | Sequence[Estimate],
    standard_errors: Columns | None = None,
    *,
    method: str = "REML",
    interval: str = "knapp-hartung",
    level: float = 0.95,
) -> MetaAnalysis:
    """Pool the estimates of several trials: common effect, random effects, heterogeneity.

    The errors are taken as known, which is fair when each trial has many patients (or, if its
    error is clustered, many clusters).

    Parameters
    ----------
    estimates : (k,) array or Series, with ``standard_errors``
        Or, without, a frame with columns ``estimate`` and ``standard_error``, a mapping of trials'
        names to `Estimate`, or a sequence of `Estimate`. An index names the trials.
    standard_errors : (k,) array or Series, optional
    method : {"REML", "ML", "DL", "PM"}
        Estimator of tau^2: restricted maximum likelihood (the default, as in metafor
        [viechtbauer2010conducting]), maximum likelihood, DerSimonian-Laird, Paule-Mandel.
    interval : {"knapp-hartung", "truncated knapp-hartung", "normal"}
        ``"normal"``: standard error ``1 / sqrt(sum w)``, normal reference, too short with few
        trials. ``"knapp-hartung"`` multiplies its square by ``q = sum w (y - m)^2 / (k - 1)`` and
        refers to t with k - 1 degrees of freedom [hartung2001tests]; q may fall below 1, and the
        interval may then be the shorter one. ``"truncated knapp-hartung"`` takes ``max(q, 1)``, the
        ad-hoc variant of [knapp2003improved].
    level : float
        Level of all intervals. The prediction interval is
        ``m ± t(k - 2) sqrt(tau^2 + se^2)``, with the standard error of ``interval``.

    Returns
    -------
    MetaAnalysis

    Raises
    ------
    ValueError
        For fewer than two trials, errors that are not positive, missing values, or unknown words.
    """
    choice(method, "method", METHODS)
    choice(interval, "interval", INTERVALS)
    fraction(level, "level")
    trials = trial_estimates(estimates, standard_errors)
    effects, errors = (trials[name].to_numpy() for name in ("estimate", "standard_error"))
    variances = errors**2
    k = effects.size
    tau_squared = estimate_tau_squared(effects, variances, method)
    mean, variance = inverse_variance_mean(effects, variances)
    common = Estimate("common effect", mean, math.sqrt(variance), "inverse variance", k, math.inf)
    random = random_effects_mean(effects, variances + tau_squared, method, interval)
    prediction = prediction_interval(random, tau_squared, level) if k > 2 else None
    half_widths = float(stats.norm.isf((1 - level) / 2)) * errors
    return MetaAnalysis(
        trials=trials.assign(
            low=effects - half_widths,
            high=effects + half_widths,
            weight_common=_share(variances),
            weight_random=_share(variances + tau_squared),
        ),
        method=method,
        interval=interval,
        level=level,
        common=common,
        random=random,
        test=_mean_test(random),
        heterogeneity=cochran_q_test(effects, variances),
        tau_squared=tau_squared,
        tau_squared_set=q_profile(effects, variances, level),
        typical_variance=typical_variance(variances),
        prediction=prediction,
        prediction_reason="" if prediction else "it has k - 2 degrees of freedom, 0 with 2 trials",
    )


def random_effects_mean(effects: Vector, marginal: Vector, method: str, interval: str) -> Estimate:
    """Mean weighted by inverse marginal variances ``v_i + tau^2``, its error by ``interval``."""
    k = effects.size
    mean, variance = inverse_variance_mean(effects, marginal)
    label = f"random effects ({method})"
    if interval == "normal":
        return Estimate(label, mean, math.sqrt(variance), "inverse variance", k, math.inf)
    factor = generalized_q(effects, marginal) / (k - 1)
    if interval == "truncated knapp-hartung":
        factor = max(factor, 1.0)
    return Estimate(label, mean, math.sqrt(factor * variance), interval, k, k - 1)


def prediction_interval(mean: Estimate, tau_squared: float, level: float) -> ConfidenceSet:
    """``m ± t(k - 2) sqrt(tau^2 + se^2)``, for the effect in one more trial; k above 2."""
    spread = math.sqrt(tau_squared + mean.standard_error**2)
    half = float(stats.t.isf((1 - level) / 2, mean.nobs - 2)) * spread
    return ConfidenceSet(((mean.coefficient - half, mean.coefficient + half),), level)


def _mean_test(mean: Estimate) -> Test:
    name, null = "mean effect", "the trials' effects have mean zero"
    if mean.standard_error == 0:
        reason = "the estimates are all equal, and the Knapp-Hartung standard error is 0"
        return Test.not_applicable(name, null, reason)
    finite = math.isfinite(mean.dof)
    return Test(
        name=name,
        statistic=mean.t_value,
        p_value=float(2 * stats.t.sf(abs(mean.t_value), mean.dof)),
        distribution=f"t({mean.dof:g})" if finite else "normal",
        dof=(mean.dof,) if finite else (),
        null=null,
        covariance=mean.covariance,
    )


def _share(marginal: Vector) -> Vector:
    return 1 / marginal / np.sum(1 / marginal)
