"""How large a trial, or how far its arms must move attendance: the questions turned round.

Concentration and noncentrality grow in proportion to the patients and with the square of step and
effect, so that each answer is one division. Power is that of the honest test of no effect
(Anderson-Rubin; with one instrument also the arms' difference in the outcome and CLR): the 2SLS
t-test has no smallest trial, since where instruments are weak it rejects without power.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy import optimize, stats

from pooledtrials.arguments import finite
from pooledtrials.planning.next_trial.arm_step import LEAST_PATIENTS, PlannedTrial
from pooledtrials.planning.next_trial.limit_experiment import (
    LimitExperiment,
    as_trials,
    chi2_power,
    limit_experiment,
)
from pooledtrials.planning.next_trial.power import check_power

Trials = PlannedTrial | Sequence[PlannedTrial]


def patients_needed(
    trials: Trials,
    effect: float,
    power: float = 0.8,
    *,
    instruments: str = "pooled",
    alpha: float = 0.05,
) -> int:
    """Smallest number of patients, in all trials, with which no effect is rejected this often.

    At least `LEAST_PATIENTS` in each trial, which is what a `PlannedTrial` takes.

    Parameters
    ----------
    trials : PlannedTrial or sequence of PlannedTrial
        All grow or shrink by one factor; their own numbers of patients say in which proportions.
    effect : float
        Change of the outcome per ten more meeting days in thirty.
    power : float
        Above ``alpha``.
    instruments, alpha
        As in `prospects`.

    Raises
    ------
    ValueError
        For unusable arguments, or if no number of patients would do.
    """
    found = limit_experiment(trials, effect, 0.0, instruments)
    needed = noncentrality_needed(power, found.n_instruments, alpha)
    return _patients(trials, found.noncentrality, needed, "effect or step")


def patients_for_strength(trials: Trials, expected_f: float, *, instruments: str = "pooled") -> int:
    """Smallest number of patients, in all trials, with this expected first-stage F.

    Parameters and errors as in `patients_needed`; ``expected_f`` is above 1, which chance alone
    gives.
    """
    found = _experiment(trials, instruments)
    return _patients(trials, found.concentration, _concentration(expected_f, found), "step")


def step_needed(
    trials: Trials,
    effect: float,
    power: float = 0.8,
    *,
    instruments: str = "pooled",
    alpha: float = 0.05,
) -> float:
    """Smallest step, in days in thirty at the start and alike in all trials, for this power.

    Parameters and errors as in `patients_needed`. The steps that the trials were given do not
    matter; their fading does. An answer above thirty days says that no arm can do it.
    """
    found = limit_experiment(_unit_steps(trials), effect, 0.0, instruments)
    if found.noncentrality == 0:
        raise ValueError("effect is 0: no step gives power")
    needed = noncentrality_needed(power, found.n_instruments, alpha)
    return math.sqrt(needed / found.noncentrality)


def step_for_strength(trials: Trials, expected_f: float, *, instruments: str = "pooled") -> float:
    """Smallest step, in days in thirty at the start and alike in all trials, for this expected F.

    Parameters and errors as in `patients_for_strength`.
    """
    found = _experiment(_unit_steps(trials), instruments)
    return math.sqrt(_concentration(expected_f, found) / found.concentration)


def smallest_effect(
    trials: Trials,
    power: float = 0.8,
    *,
    instruments: str = "pooled",
    alpha: float = 0.05,
) -> float:
    """Smallest effect per ten days, without its sign, that is told from none this often.

    Parameters and errors as in `patients_needed`. The spread of the score is held fixed. An answer
    that `prospects` refuses says that the trial can detect nothing that could be: attendance alone
    would spread the score more than it is spread.
    """
    found = _experiment(trials, instruments)
    per_unit = float((found.first_stage**2 / found.outcome_variance).sum())
    if per_unit == 0:
        raise ValueError("step is 0 in all trials: no effect on attendance, nothing to detect")
    return math.sqrt(noncentrality_needed(power, found.n_instruments, alpha) / per_unit)


def noncentrality_needed(power: float, k: int, alpha: float = 0.05) -> float:
    """Noncentrality at which a chi2(k) test at ``alpha`` has this power.

    With k = 1 it is nearly ``(z_{1 - alpha/2} + z_power)^2``: 7.85 for 80 % at 5 %.
    """
    check_power(power, alpha)
    high = float(stats.chi2.isf(alpha, k))
    while chi2_power(high, k, alpha) < power:
        high *= 2
    return float(
        optimize.brentq(lambda at: chi2_power(at, k, alpha) - power, 0.0, high, xtol=1e-12)
    )


def _experiment(trials: Trials, instruments: str) -> LimitExperiment:
    return limit_experiment(trials, 0.0, 0.0, instruments)


def _concentration(expected_f: float, experiment: LimitExperiment) -> float:
    if finite(expected_f, "expected_f") <= 1:
        raise ValueError(f"expected_f is {expected_f}: chance alone gives 1, ask for more")
    return experiment.n_instruments * (expected_f - 1)


def _unit_steps(trials: Trials) -> tuple[PlannedTrial, ...]:
    return tuple(replace(trial, step=1.0) for trial in as_trials(trials))


def _patients(trials: Trials, now: float, needed: float, what: str) -> int:
    if now < 1e-290:  # by which nothing can be divided
        raise ValueError(f"{what} is 0: no number of patients will do")
    planned = as_trials(trials)
    # a share of a billionth is rounding, not a patient
    found = sum(trial.patients for trial in planned) * needed / now * (1 - 1e-9)
    return max(math.ceil(found), LEAST_PATIENTS * len(planned))
