"""What a planned trial can be expected to show: strength, power and coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import fraction, whole
from pooledtrials.planning.next_trial.arm_step import PlannedTrial
from pooledtrials.planning.next_trial.limit_experiment import (
    as_trials,
    chi2_power,
    limit_experiment,
    simulate,
)


@dataclass(frozen=True)
class Prospects:
    """What to expect of one trial, or of several that are pooled.

    Attributes
    ----------
    trials, patients : int
        Trials, and patients in all of them.
    interviews : float
        Expected number of follow-up interviews.
    instruments : int
        One for a pooled arm, else one per trial.
    effect, endogeneity, alpha : float
        What was supposed, and the level of all tests.
    mean_step : float
        Days by which the pooled arm moves attendance, over interviews held.
    contrast, contrast_error : float
        The pooled arms' difference in the outcome and its standard error (intention to treat).
    concentration : float
        Strength of the instruments, clustered by patient.
    expected_f, expected_effective_f : float
        Means of the first-stage F and of the effective F.
    bounded : float
        How often the Anderson-Rubin set will be an interval.
    intention_to_treat, anderson_rubin, conditional_lr, t_test : float
        Rejection rates of no effect. The first three are the same test with one instrument. That of
        the 2SLS t-test counts false alarms of a test that is not honest: see ``coverage``.
    coverage, worst_coverage : float
        Of the Wald interval around 2SLS at the supposed endogeneity, and at the worst one.
    monte_carlo_error : float
        Largest standard error of the simulated rates; 0 with one instrument, where none is.
    """

    trials: int
    patients: int
    interviews: float
    instruments: int
    effect: float
    endogeneity: float
    alpha: float
    mean_step: float
    contrast: float
    contrast_error: float
    concentration: float
    expected_f: float
    expected_effective_f: float
    bounded: float
    intention_to_treat: float
    anderson_rubin: float
    conditional_lr: float
    t_test: float
    coverage: float
    worst_coverage: float
    monte_carlo_error: float

    @property
    def coverage_loss(self) -> float:
        """By how much the Wald interval's coverage may fall short of its level, 0 or more."""
        return max(1 - self.alpha - self.worst_coverage, 0.0)

    def to_frame(self) -> pd.DataFrame:
        """Every number with its name, one column."""
        rows = {
            "patients": self.patients,
            "mean step (days in 30)": self.mean_step,
            "expected first-stage F": self.expected_f,
            "expected effective F": self.expected_effective_f,
            "arms' difference in the outcome": self.contrast,
            "its standard error": self.contrast_error,
            "power, intention to treat": self.intention_to_treat,
            "power, Anderson-Rubin": self.anderson_rubin,
            "power, conditional LR": self.conditional_lr,
            "rejections, 2SLS t-test": self.t_test,
            "Anderson-Rubin set is bounded": self.bounded,
            "coverage, 2SLS interval": self.coverage,
            "coverage, worst endogeneity": self.worst_coverage,
        }
        return pd.DataFrame({"expected": rows}).rename_axis("quantity")

    def describe(self) -> str:
        """What to expect, in words."""
        level = f"{100 * (1 - self.alpha):g} %"
        same = (
            "the arms' difference in the outcome, which with one instrument is the same test as"
            " Anderson-Rubin and CLR,"
            if self.instruments == 1
            else "the arms' difference in the outcome"
        )
        several = (
            f" With {self.instruments} instruments Anderson-Rubin has {self.anderson_rubin:.2f} and"
            f" CLR {self.conditional_lr:.2f}."
            if self.instruments > 1
            else ""
        )
        return (
            f"{self.patients} patients in {_counted(self.trials, 'trial')}, whose arms move"
            f" attendance by {self.mean_step:.3g} days in thirty on average, give an expected"
            f" first-stage F of {self.expected_f:.3g}. If ten days change the outcome by"
            f" {self.effect:.4g}, {same} rejects no effect with probability"
            f" {self.intention_to_treat:.2f}.{several} The {level} Anderson-Rubin set is bounded"
            f" with probability {self.bounded:.2f}; the {level} interval around 2SLS covers with"
            f" probability {self.coverage:.3f} at the supposed endogeneity and"
            f" {self.worst_coverage:.3f} at the worst."
        )


def prospects(
    trials: PlannedTrial | Sequence[PlannedTrial],
    effect: float,
    endogeneity: float,
    *,
    instruments: str = "pooled",
    alpha: float = 0.05,
    draws: int = 20_000,
    seed: int | np.random.SeedSequence = 0,
) -> Prospects:
    """Expected strength and power of planned trials, large-sample approximation.

    With one instrument everything is exact in the limit experiment (`limit_experiment`): noncentral
    chi-squares, and an integral for the t-test. With several, CLR and the t-test are simulated.
    Normal errors of equal variance and one interview each have finite-sample formulas, see
    `anderson_rubin_power`; from a hundred patients on they differ from these by less than one point
    of power.

    Parameters
    ----------
    trials : PlannedTrial or sequence of PlannedTrial
        Several are pooled, with a level for each trial and month.
    effect : float
        Change of the outcome per ten more meeting days in thirty.
    endogeneity : float
        Correlation, over patients, of what else moves the outcome with what else moves attendance;
        only 2SLS depends on it.
    instruments : {"pooled", "per trial"}
        One arm for all trials, or the arm of each trial as an instrument of its own.
    alpha : float
        Level of all tests.
    draws, seed : int
        Of the simulation, used with several instruments only.

    Returns
    -------
    Prospects

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    fraction(alpha, "alpha")
    whole(draws, "draws", 100)  # with fewer, rates mean nothing
    planned = as_trials(trials)
    pooled = limit_experiment(planned, effect, endogeneity)
    chosen = limit_experiment(planned, effect, endogeneity, instruments)
    honest, k = chosen.anderson_rubin_power(alpha), chosen.n_instruments
    if k == 1:
        conditional, t_test = honest, chosen.t_power(alpha)
        size, worst = chosen.t_size(alpha, endogeneity), chosen.t_size(alpha, 1.0)
    else:
        rates = simulate(chosen, alpha, draws, seed)
        conditional, t_test = rates.conditional_lr, rates.t
        size, worst = rates.t_size, rates.worst_t_size
    weight = sum(trial.information for trial in planned)
    return Prospects(
        trials=len(planned),
        patients=sum(trial.patients for trial in planned),
        interviews=sum(trial.interviews for trial in planned),
        instruments=k,
        effect=effect,
        endogeneity=endogeneity,
        alpha=alpha,
        mean_step=sum(trial.information * trial.mean_step for trial in planned) / weight,
        contrast=sum(trial.information * trial.contrast(effect) for trial in planned) / weight,
        contrast_error=float(np.sqrt(pooled.outcome_variance[0] / weight)),
        concentration=chosen.concentration,
        expected_f=1 + chosen.concentration / k,
        expected_effective_f=1 + chosen.effective_concentration,
        bounded=chosen.bounded(alpha),
        intention_to_treat=chi2_power(pooled.noncentrality, 1, alpha),
        anderson_rubin=honest,
        conditional_lr=conditional,
        t_test=t_test,
        coverage=1 - size,
        worst_coverage=1 - max(worst, size),
        monte_carlo_error=0.0 if k == 1 else 0.5 / float(np.sqrt(draws)),
    )


def _counted(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"
