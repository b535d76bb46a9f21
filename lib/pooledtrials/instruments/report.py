"""One report: everything an analyst would put in an appendix about one instrumented effect."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from scipy import special

from pooledtrials.arguments import Columns, finite, fraction
from pooledtrials.confidence_set import ConfidenceSet, whole_line
from pooledtrials.instruments.bootstrap import wild_bootstrap_set, wild_bootstrap_test
from pooledtrials.instruments.conditional import chi2_or_f_sf, conditional_p_value
from pooledtrials.instruments.estimators import (
    estimates_frame,
    k_class_estimate,
    standard_estimates,
)
from pooledtrials.instruments.moments import Moments, joint_moments
from pooledtrials.instruments.partialling import partial_out
from pooledtrials.instruments.randomization import randomization_set, randomization_test
from pooledtrials.instruments.readings import (
    AsymmetryReading,
    EndogeneityReading,
    asymmetry_from,
    endogeneity_from,
)
from pooledtrials.instruments.report_text import report_text
from pooledtrials.instruments.robust_panel import statistics_at
from pooledtrials.instruments.robust_sets import robust_set
from pooledtrials.instruments.robust_tests import denominator, null_test, singular_reason
from pooledtrials.instruments.specification_tests import (
    durbin_wu_hausman_from,
    hansen_from,
    sargan_from,
)
from pooledtrials.instruments.strength import (
    FirstStage,
    first_stage_from,
    five_f_from,
    rank_lm_from,
)
from pooledtrials.instruments.tf import TF, tf_from
from pooledtrials.instruments.two_step import TwoStep, two_step_from
from pooledtrials.instruments.unmoved import unmoved_reason
from pooledtrials.resampling import Seed
from pooledtrials.results import Estimate, Test

_ONE_INSTRUMENT: Final = ("tF", "Angrist-Kolesar", "Keane-Neal")
_NEED_A_FIRST_STAGE: Final = ("2SLS", "LIML", "Fuller", "JIVE1", "UJIVE", "Andrews two-step")


@dataclass(frozen=True, eq=False)
class WeakInstrumentReport:
    """First stage, estimates, tests and sets of one effect.

    Attributes
    ----------
    first_stage, f_table : strength; `FirstStage` and the F statistics side by side
    tsls, estimates : 2SLS under the report's covariance, and all estimators as a frame
    wald : 2SLS interval, for comparison: not to be trusted when instruments are weak
    tests : AR, K, CLR and J at ``beta0``; rank LM; overidentification and endogeneity; bootstrap
        and randomization if asked for
    sets : confidence sets by name, the trustworthy ones
    tf, endogeneity, asymmetry : for one instrument, else None (`reasons` says why)
    two_step : Andrews' two-step set and distortion cutoff
        Where z does not move x at all, tsls is NaN, wald and two_step the whole line.
    reasons : what does not apply, and why
    nobs, n_instruments, n_clusters, covariance, level, beta0, tau : setting
    moments : the moments that all of it is a function of
    """

    first_stage: FirstStage
    f_table: pd.DataFrame
    tsls: Estimate
    estimates: pd.DataFrame
    wald: ConfidenceSet
    tests: tuple[Test, ...]
    sets: dict[str, ConfidenceSet]
    tf: TF | None
    endogeneity: EndogeneityReading | None
    asymmetry: AsymmetryReading | None
    two_step: TwoStep
    reasons: dict[str, str]
    nobs: int
    n_instruments: int
    n_clusters: int | None
    covariance: str
    level: float
    beta0: float
    tau: float
    reference: str
    moments: Moments

    def to_frame(self) -> pd.DataFrame:
        """Every number in one long frame: section, item, value, standard_error, p_value, text."""
        rows: list[tuple[str, str, float, float, float, str]] = []
        nan = math.nan
        stage = self.first_stage
        for name, b, s in zip(stage.names, stage.coefficients, stage.standard_errors, strict=True):
            rows.append(("first stage", name, float(b), float(s), nan, ""))
        rows.append(("first stage", "partial R2", stage.partial_r2, nan, nan, ""))
        for label, row in self.f_table.iterrows():
            text = str(row["compare_with"])
            rows.append(
                ("F", str(label), float(row["statistic"]), nan, float(row["p_value"]), text)
            )
        for label, row in self.estimates.iterrows():
            value, error = float(row["coefficient"]), float(row["standard_error"])
            rows.append(("estimate", str(label), value, error, nan, ""))
        for test in self.tests:
            text = test.reason or f"{test.distribution}; null: {test.null}"
            rows.append(("test", test.name, test.statistic, nan, test.p_value, text))
        rows.append(("set", "2SLS Wald interval", nan, nan, nan, str(self.wald)))
        for name, found in self.sets.items():
            rows.append(("set", name, nan, nan, nan, str(found)))
        cutoff = self.two_step.distortion_cutoff
        rows.append(("reading", "distortion cutoff", cutoff, nan, nan, "Andrews two-step"))
        if self.tf is not None:
            value = self.tf.critical_value
            rows.append(("reading", "tF critical value", value, nan, self.tf.p_value, ""))
        if self.endogeneity is not None:
            rows.append(("reading", "rho", self.endogeneity.rho, nan, nan, "Angrist-Kolesar"))
        rows += [("not applicable", name, nan, nan, nan, why) for name, why in self.reasons.items()]
        columns = ["section", "item", "value", "standard_error", "p_value", "text"]
        return pd.DataFrame(rows, columns=columns)

    def curves(
        self, points: int = 401, lower: float = math.nan, upper: float = math.nan
    ) -> pd.DataFrame:
        """p-values of the tests against the hypothesized effect, for a figure.

        Parameters
        ----------
        points : number of effects
        lower, upper : range; default half as wide again as all finite end points and the 2SLS
            interval

        Returns
        -------
        DataFrame
            Columns effect, AR, K, CLR (where it applies) and Wald; each set is where its curve is
            above 1 - level.
        """
        ends = [e for s in (self.wald, *self.sets.values()) for e in s.end_points]
        if not ends:  # nothing bounds the effect: show it around least squares
            _, b, error = next(self.estimates[["coefficient", "standard_error"]].itertuples())
            ends = [b - 2 * error, b + 2 * error]
        span = max(ends) - min(ends)
        low = min(ends) - span / 4 if math.isnan(lower) else lower
        high = max(ends) + span / 4 if math.isnan(upper) else upper
        grid = np.linspace(low, high, points)
        at, k = statistics_at(self.moments, grid), self.n_instruments
        dof = denominator(self.moments, self.reference)
        t = (grid - self.tsls.coefficient) / self.tsls.standard_error
        curves = {
            "effect": grid,
            "AR": chi2_or_f_sf(at.anderson_rubin, k, dof),
            "K": chi2_or_f_sf(at.score, 1, dof),
        }
        if not singular_reason(self.moments):
            curves["CLR"] = conditional_p_value(at.likelihood_ratio, at.rank, k, dof)
        return pd.DataFrame(curves | {"Wald": 2 * special.ndtr(-np.abs(t))})

    def pieces(self) -> pd.DataFrame:
        """The sets as segments for a figure: one row per piece, empty sets with missing ends."""
        rows = []
        for name, found in {"2SLS Wald interval": self.wald, **self.sets}.items():
            pairs = found.intervals or ((math.nan, math.nan),)
            rows += [(name, found.kind, a, b) for a, b in pairs]
        return pd.DataFrame(rows, columns=["set", "kind", "lower", "upper"])

    def __str__(self) -> str:
        return report_text(self)


def weak_instrument_report(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    level: float = 0.95,
    beta0: float = 0.0,
    reference: str = "F",
    tau: float = 0.10,
    bootstrap_draws: int = 0,
    randomized: bool = False,
    randomization_draws: int = 1999,
    seed: Seed = 0,
) -> WeakInstrumentReport:
    """Strength, estimates, tests, sets and readings of one instrumented effect.

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere, see `partial_out`.
    covariance : ``"robust"`` or ``"classical"``; clustered with ``clusters``
    level : confidence level of the sets
    beta0 : effect under the null of the tests
    reference : ``"F"`` or ``"chi2"``, see `robust_tests`
    tau : tolerated bias for the thresholds of the F statistics
    bootstrap_draws : if positive, wild (cluster) bootstrap Anderson-Rubin test and set
    randomized : bool
        Whether ``z`` was assigned at random to rows (or to ``clusters``) within ``strata``; if so,
        randomization inference is added. Only the design can tell.
    randomization_draws : permutations
    seed : for bootstrap and randomization

    Returns
    -------
    WeakInstrumentReport

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    level, beta0 = fraction(level, "level"), finite(beta0, "beta0")
    tau = fraction(tau, "tau")
    arguments = (y, x, z, controls, clusters, strata)
    data = partial_out(*arguments)
    moments = joint_moments(data, covariance)
    stage = first_stage_from(data, moments)
    reasons: dict[str, str] = {}
    unmoved = unmoved_reason(data)
    if unmoved:
        found = [k_class_estimate(data, 0.0, "OLS", covariance, True, "k-class")]
        nan = math.nan
        tsls = replace(found[0], method="2SLS", coefficient=nan, standard_error=nan, kappa=1.0)
        reasons |= dict.fromkeys(_NEED_A_FIRST_STAGE, unmoved)
    else:
        found = standard_estimates(data, covariance, True)
        tsls = found[1]
    wald = whole_line(level) if unmoved else tsls.interval(level)
    tests, sets = _robust(moments, level, beta0, reference)
    tests.append(rank_lm_from(data, covariance))
    classical = moments.covariance == "classical"
    tests.append(sargan_from(data) if classical else hansen_from(data))
    tests.append(durbin_wu_hausman_from(data, covariance))
    if bootstrap_draws:
        tests.append(wild_bootstrap_test(*arguments, beta0=beta0, draws=bootstrap_draws, seed=seed))
        sets["wild bootstrap Anderson-Rubin"] = wild_bootstrap_set(
            *arguments, level=level, draws=bootstrap_draws, seed=seed
        )
    else:
        reasons["wild bootstrap"] = "not asked for (bootstrap_draws)"
    if randomized:
        draws = randomization_draws
        tests.append(randomization_test(*arguments, beta0=beta0, draws=draws, seed=seed))
        sets["randomization"] = randomization_set(*arguments, level=level, draws=draws, seed=seed)
    else:
        reasons["randomization inference"] = "z was not declared randomized (randomized)"
    if unmoved:  # no interval around an estimate covers anything: the distortion is all of level
        two_step = TwoStep(wald, wald, wald, 0.05, level)
    else:
        two_step = two_step_from(moments, tsls, level)
        sets["Andrews two-step"] = two_step.chosen
    tf = endogeneity = asymmetry = None
    if unmoved:
        reasons |= dict.fromkeys(_ONE_INSTRUMENT, unmoved)
    elif data.n_instruments == 1:
        endogeneity, asymmetry = endogeneity_from(moments), asymmetry_from(moments)
        if math.isclose(level, 0.95):
            tf = tf_from(tsls, stage.f_test.statistic)
            sets["tF"] = tf.interval
        else:
            reasons["tF"] = "its critical values are published for 95 % only"
    else:
        reasons |= dict.fromkeys(_ONE_INSTRUMENT, "derived for one instrument")
    return WeakInstrumentReport(
        first_stage=stage,
        f_table=five_f_from(data, stage, tau),
        tsls=tsls,
        estimates=estimates_frame(found),
        wald=wald,
        tests=tuple(tests),
        sets=sets,
        tf=tf,
        endogeneity=endogeneity,
        asymmetry=asymmetry,
        two_step=two_step,
        reasons=reasons,
        nobs=data.nobs,
        n_instruments=data.n_instruments,
        n_clusters=data.n_clusters,
        covariance=moments.covariance,
        level=level,
        beta0=beta0,
        tau=tau,
        reference=reference,
        moments=moments,
    )


def _robust(
    moments: Moments, level: float, beta0: float, reference: str
) -> tuple[list[Test], dict[str, ConfidenceSet]]:
    """AR, K, CLR and J, and the sets of the first three; one set where they are the same."""
    reason = singular_reason(moments)
    tests = []
    for statistic in ("AR", "K", "CLR", "J"):
        if statistic == "CLR" and reason:
            null = f"the effect is {beta0:g}"
            tests.append(Test.not_applicable("conditional likelihood ratio", null, reason))
        else:
            tests.append(null_test(moments, statistic, beta0, reference))
    if moments.n_instruments == 1:
        one = robust_set(moments, "AR", level, reference)
        return tests, {"Anderson-Rubin (= K = CLR)": one}
    names = {"CLR": "conditional likelihood ratio", "AR": "Anderson-Rubin", "K": "Kleibergen K"}
    return tests, {
        name: robust_set(moments, statistic, level, reference)
        for statistic, name in names.items()
        if not (statistic == "CLR" and reason)
    }
