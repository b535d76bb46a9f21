"""What the arms of a trial can tell apart: their step, its fading, repeated interviews.

Patients are randomized within a trial, interviewed at some of the planned months, and the arms are
compared by one regression with a level for each trial and month, clustered by patient. With N
patients, a share a of them in the active arm, expected shares r of them interviewed, steps s
and spreads sd with intraclass correlation icc ::

    s_t     = step h / (h + t)                           the step fades: half is left at month h
    step    = sum r_t s_t / sum r_t                      what the regression estimates
    error^2 = sd^2 D / (N a (1 - a) sum r_t),   D = 1 + icc sum_{t != s} r_ts / sum r_t

D is the design effect of asking the same people again [frison1992repeated]. Who is lost is taken
to stay lost, ``r_ts = min(r_t, r_s)``: if people come back, the same interviews are spread over
more patients, and the trial is a little stronger than this. Neglected are the step's own variation
around its mean, differences of spread between arms, and the uncertainty of standard errors from few
patients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from pooledtrials.arguments import Number, finite, fraction, sequence_of
from pooledtrials.pooling.analysis_set import PER_DAYS

LEAST_PATIENTS: Final = 4
"""Patients a trial has at least."""


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """A trial with one active and one comparison arm, as far as its strength depends on it.

    Attributes
    ----------
    patients : int
        Randomized, both arms together.
    step : float
        By how many meeting days in thirty the active arm attends more, at the start: at
        most 30, without its sign. (Another unit will do for expected F statistics, if
        ``attendance_sd`` has the same.)
    attendance_sd : float
        Standard deviation of meeting days in thirty within arm, trial and month, and given what the
        analysis holds constant. At most 15: days lie between 0 and 30.
    score_sd : float
        The same of the outcome, in its own units.
    attendance_icc, score_icc : float
        Intraclass correlation over a patient's interviews of what has these deviations. It does not
        matter for a single follow-up.
    months : tuple of float
        Planned follow-ups, in months since randomization.
    follow_up : float or tuple of float
        Share of patients interviewed, one for all months or one for each.
    half_month : float
        Month at which half of the step is left; infinite for a step that lasts.
    active_share : float
        Share of the patients in the active arm.

    Raises
    ------
    ValueError
        For a number out of its range, or as many follow-up shares as there are not months.
    """

    patients: int
    step: float
    attendance_sd: float
    score_sd: float
    attendance_icc: float
    score_icc: float
    months: tuple[float, ...]
    follow_up: float | tuple[float, ...] = 1.0
    half_month: float = math.inf
    active_share: float = 0.5

    def __post_init__(self) -> None:
        least = LEAST_PATIENTS
        if self.patients != int(finite(self.patients, "patients")) or self.patients < least:
            raise ValueError(f"patients is {self.patients}: give a whole number, {least} or more")
        if abs(finite(self.step, "step")) > 30:
            raise ValueError(
                f"step is {self.step}, but days between 0 and 30 differ by 30 at most: give it in"
                " days in thirty"
            )
        for name in ("attendance_sd", "score_sd"):
            if finite(getattr(self, name), name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}: give a positive number")
        if self.attendance_sd > 15:
            raise ValueError(
                f"attendance_sd is {self.attendance_sd}, but days between 0 and 30 spread by 15 at"
                " most: give it in days in thirty"
            )
        for name in ("attendance_icc", "score_icc"):
            if not 0 <= finite(getattr(self, name), name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give a number from 0 to 1")
        given = sequence_of(Number, self.months, "months", "the follow-ups in order, as in (3, 6)")
        object.__setattr__(self, "months", given)
        months = [finite(month, "months") for month in given]
        if not months or months[0] <= 0 or any(np.diff(months) <= 0):
            raise ValueError(
                f"months is {self.months}: give at least one follow-up after month 0, in order"
            )
        wanted = "one share for all months, or one for each"
        shares = sequence_of(Number, self.follow_up, "follow_up", wanted, alone=True)
        if not isinstance(self.follow_up, Number):
            if len(shares) != len(months):
                raise ValueError(
                    f"follow_up has {len(shares)} shares for {len(months)} months: give {wanted}"
                )
            object.__setattr__(self, "follow_up", shares)
        for share in shares:
            if not 0 < share <= 1:
                raise ValueError(f"follow_up is {share}: give a share above 0, up to 1")
        if self.half_month != math.inf and finite(self.half_month, "half_month") <= 0:
            raise ValueError(f"half_month is {self.half_month}: give a positive number of months")
        fraction(self.active_share, "active_share")

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the patients interviewed, month by month."""
        if isinstance(self.follow_up, tuple):
            return self.follow_up
        return (self.follow_up,) * len(self.months)

    @property
    def interviews(self) -> float:
        """Expected number of follow-up interviews."""
        return self.patients * sum(self.shares)

    @property
    def steps(self) -> tuple[float, ...]:
        """The step month by month."""
        return tuple(self.step * remaining(self.half_month, month) for month in self.months)

    @property
    def mean_step(self) -> float:
        """The step that the regression estimates, the mean over interviews held."""
        return sum(r * s for r, s in zip(self.shares, self.steps, strict=True)) / sum(self.shares)

    @property
    def information(self) -> float:
        """Sum of squares of the arm over interviews, its means by trial and month taken out."""
        return self.interviews * self.active_share * (1 - self.active_share)

    @property
    def attendance_variance(self) -> float:
        """``sd^2 D`` of attendance, in squared days: its variance per unit of `information`."""
        return self.attendance_sd**2 * design_effect(self.shares, self.attendance_icc)

    @property
    def score_variance(self) -> float:
        """The same of the score."""
        return self.score_sd**2 * design_effect(self.shares, self.score_icc)

    @property
    def step_error(self) -> float:
        """Standard error of the estimated step, clustered by patient, in days."""
        return math.sqrt(self.attendance_variance / self.information)

    @property
    def contrast_error(self) -> float:
        """Standard error of the arms' difference in the score (intention to treat)."""
        return math.sqrt(self.score_variance / self.information)

    @property
    def concentration(self) -> float:
        """Squared ratio of step to its error; the expected first-stage F is this plus 1."""
        return (self.mean_step / self.step_error) ** 2

    def contrast(self, effect: float) -> float:
        """The arms' true difference in the score if ten days in thirty change it by ``effect``."""
        return effect * self.mean_step / PER_DAYS


def remaining(half_month: float, month: float) -> float:
    """Share of a step that is left after some months, ``h / (h + month)``."""
    return 1.0 if math.isinf(half_month) else half_month / (half_month + month)


def design_effect(shares: tuple[float, ...], icc: float) -> float:
    """Variance of a patient's summed interviews over that of as many interviews of strangers."""
    each = np.asarray(shares)
    together = np.minimum.outer(each, each)
    return float(1 + icc * (together.sum() - each.sum()) / each.sum())
