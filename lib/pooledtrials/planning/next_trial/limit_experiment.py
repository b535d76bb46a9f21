"""The limit experiment of one or several planned trials: two normal vectors with known covariance.

For instruments made orthonormal, reduced form and first stage are, in large samples, ::

    first stage  ~ N(pi, W_x),   reduced form ~ N(effect pi, W_y)

with diagonal covariances and a correlation between the two that follows from effect and
endogeneity. Everything about strength and power is a property of this experiment. With one
instrument Anderson-Rubin, Kleibergen's K, the conditional likelihood ratio and the t-test of the
arms' difference in the outcome are one and the same test of no effect, a noncentral chi-square with
one degree of freedom; only the 2SLS t-test differs, and its power is an integral over the first
stage. With several, Anderson-Rubin is still exact, and the others are simulated through the
kernel that analyses data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from pooledtrials.arguments import Matrix, Vector, choice, correlation, finite, sequence_of
from pooledtrials.instruments import t_test_rejection
from pooledtrials.instruments.conditional import conditional_p_value
from pooledtrials.instruments.moments import Moments
from pooledtrials.instruments.robust_panel import statistics_at
from pooledtrials.planning.next_trial.arm_step import PlannedTrial
from pooledtrials.pooling.analysis_set import PER_DAYS

INSTRUMENTS = ("pooled", "per trial")


@dataclass(frozen=True, eq=False)
class LimitExperiment:
    """Reduced form and first stage, exposure in tens of days.

    Attributes
    ----------
    first_stage : (k,) mean of the first stage, in orthonormal coordinates
    exposure_variance, outcome_variance : (k,) variances of first stage and reduced form
    effect : change of the outcome per ten days
    endogeneity : correlation of what else moves the outcome with what else moves the exposure
    """

    first_stage: Vector
    exposure_variance: Vector
    outcome_variance: Vector
    effect: float
    endogeneity: float

    def __post_init__(self) -> None:
        finite(self.effect, "effect")
        correlation(self.endogeneity, "endogeneity")

    @property
    def n_instruments(self) -> int:
        """Instruments, k."""
        return int(self.first_stage.size)

    @property
    def concentration(self) -> float:
        """``pi' W_x^-1 pi``."""
        return float(np.sum(self.first_stage**2 / self.exposure_variance))

    @property
    def effective_concentration(self) -> float:
        """``pi'pi / tr W_x``, what the effective F estimates, less 1."""
        return float(np.sum(self.first_stage**2) / np.sum(self.exposure_variance))

    @property
    def noncentrality(self) -> float:
        """Of the Anderson-Rubin test of no effect: ``effect^2 pi' W_y^-1 pi``."""
        return float(self.effect**2 * np.sum(self.first_stage**2 / self.outcome_variance))

    @cached_property
    def structural_sd(self) -> Vector:
        """(k,) standard deviation of ``reduced form - effect * first stage``.

        The root of ``W_y = s^2 + 2 rho effect s w + effect^2 w^2``, with w^2 = W_x.

        Raises
        ------
        ValueError
            If there is none: the effect is too large for the outcome's spread.
        """
        moved = self.effect * np.sqrt(self.exposure_variance)
        under = self.outcome_variance - moved**2 * (1 - self.endogeneity**2)
        root = np.sqrt(np.maximum(under, 0.0)) - self.endogeneity * moved
        if np.any((under < 0) | (root <= 0)):
            raise ValueError(
                f"effect is {self.effect}: attendance alone would then spread the score more than"
                " score_sd, give a smaller effect or a larger score_sd"
            )
        return np.asarray(root)

    @property
    def covariance(self) -> Vector:
        """(k,) covariance of reduced form and first stage."""
        v = np.sqrt(self.exposure_variance)
        return np.asarray(v * (self.endogeneity * self.structural_sd + self.effect * v))

    @property
    def correlation(self) -> Vector:
        """(k,) correlation of reduced form and first stage: of two estimates under no effect."""
        return np.asarray(self.covariance / np.sqrt(self.exposure_variance * self.outcome_variance))

    def anderson_rubin_power(self, alpha: float) -> float:
        """Rejection rate of the Anderson-Rubin test of no effect, noncentral chi2(k)."""
        return chi2_power(self.noncentrality, self.n_instruments, alpha)

    def bounded(self, alpha: float) -> float:
        """How often the Anderson-Rubin set is bounded: the first stage rejects at ``alpha``."""
        return chi2_power(self.concentration, self.n_instruments, alpha)

    def t_power(self, alpha: float) -> float:
        """Rejection rate of the 2SLS t-test of no effect, one instrument."""
        mean = self.first_stage[0] / math.sqrt(self.exposure_variance[0])
        contrast = self.effect * self.first_stage[0] / math.sqrt(self.outcome_variance[0])
        return t_test_rejection(
            float(mean), float(np.clip(self.correlation[0], -1, 1)),
            critical=normal_quantile(alpha), mean_anderson_rubin=float(contrast),
        )[0]  # fmt: skip

    def t_size(self, alpha: float, endogeneity: float) -> float:
        """Rejection rate of the 2SLS t-test of the true effect, one instrument."""
        mean = self.first_stage[0] / math.sqrt(self.exposure_variance[0])
        return t_test_rejection(float(mean), endogeneity, critical=normal_quantile(alpha))[0]


def limit_experiment(
    trials: PlannedTrial | Sequence[PlannedTrial],
    effect: float,
    endogeneity: float,
    instruments: str = "pooled",
) -> LimitExperiment:
    """The experiment that one pooled arm, or an arm per trial, amounts to.

    Parameters
    ----------
    trials : PlannedTrial or sequence of PlannedTrial
    effect, endogeneity : float
        See `LimitExperiment`.
    instruments : {"pooled", "per trial"}

    Raises
    ------
    ValueError
        For no trials, or another word.
    """
    choice(instruments, "instruments", INSTRUMENTS)
    planned = as_trials(trials)
    weight = np.array([trial.information for trial in planned])
    step = np.array([trial.mean_step for trial in planned]) / PER_DAYS
    exposure = np.array([trial.attendance_variance for trial in planned]) / PER_DAYS**2
    outcome = np.array([trial.score_variance for trial in planned])
    first = step * np.sqrt(weight)
    if instruments == "pooled":
        total = weight.sum()
        first = np.array([weight @ step / math.sqrt(total)])
        exposure = np.array([weight @ exposure / total])
        outcome = np.array([weight @ outcome / total])
    return LimitExperiment(first, exposure, outcome, effect, endogeneity)


def as_trials(trials: PlannedTrial | Sequence[PlannedTrial]) -> tuple[PlannedTrial, ...]:
    """One trial or several, as several."""
    what = "a PlannedTrial or a sequence of them"
    planned = sequence_of(PlannedTrial, trials, "trials", what, alone=True)
    if not planned:
        raise ValueError("trials has 0 entries: give at least one PlannedTrial")
    return planned


def chi2_power(noncentrality: float, k: int, alpha: float) -> float:
    """P(chi2(k, noncentrality) > its central upper ``alpha`` point)."""
    return float(stats.ncx2.sf(stats.chi2.isf(alpha, k), k, noncentrality))


def normal_quantile(alpha: float) -> float:
    """Two-sided critical value of a standard normal."""
    return float(stats.norm.isf(alpha / 2))


@dataclass(frozen=True)
class Simulated:
    """Rejection rates of several instruments' tests, by simulation of the limit experiment.

    Attributes
    ----------
    conditional_lr, t : of no effect, by the conditional likelihood ratio and the 2SLS t-test
    t_size : of the true effect, by the 2SLS t-test
    worst_t_size : the same under perfect endogeneity
    """

    conditional_lr: float
    t: float
    t_size: float
    worst_t_size: float


def simulate(
    experiment: LimitExperiment, alpha: float, draws: int, seed: int | np.random.SeedSequence
) -> Simulated:
    """Draw the two vectors many times, and test with covariances known."""
    k = experiment.n_instruments
    normals = np.random.default_rng(seed).standard_normal((2, draws, k))
    v = np.sqrt(experiment.exposure_variance)
    first = experiment.first_stage + normals[0] * v
    rho, true = experiment.endogeneity, experiment.effect

    def reduced(endogeneity: float, spread: Vector) -> Matrix:
        own = math.sqrt(1 - endogeneity**2) * normals[1]
        return np.asarray(true * first + spread * (endogeneity * normals[0] + own))

    y = reduced(rho, experiment.structural_sd)
    blocks = [experiment.outcome_variance, experiment.covariance, experiment.exposure_variance]
    w_y, w_yx, w_x = (np.diag(block) for block in blocks)
    moments = Moments(
        y, first, np.array([[w_y, w_yx], [w_yx, w_x]]), np.zeros((2, 2)), draws, 0, math.inf,
        "clustered", "wald", True,
    )  # fmt: skip
    at = statistics_at(moments, 0.0)
    p_values = conditional_p_value(at.likelihood_ratio, at.rank, k)
    critical = normal_quantile(alpha)

    def rejects(null: float, outcome: Matrix, spread: Vector, rho: float) -> float:
        """Share of |t| above the critical value, 2SLS of an outcome with these errors."""
        b = np.vecdot(first, outcome) / np.vecdot(first, first)
        apart = (true - b)[:, None]  # the residual is that of the truth plus so much exposure
        variance = spread**2 + 2 * apart * rho * spread * v + apart**2 * v**2
        error = np.sqrt(np.sum(first**2 * variance, axis=1)) / np.vecdot(first, first)
        return float(np.mean(np.abs(b - null) > critical * error))

    spread = experiment.structural_sd
    return Simulated(
        conditional_lr=float(np.mean(p_values < alpha)),
        t=rejects(0.0, y, spread, rho),
        t_size=rejects(true, y, spread, rho),
        worst_t_size=rejects(true, reduced(1.0, spread), spread, 1.0),
    )
