"""From the words in which attendance was asked to days of meetings in the past thirty."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

DAYS_IN_WINDOW = 30
_WEEK = DAYS_IN_WINDOW / 7

NEVER = "never"
FREQUENCIES = ("daily", "2-3 times a week", "weekly", "every 2 weeks", "monthly")
"""The frequencies that a trial may have offered as answers, most often first."""

CONVERSIONS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "midpoint": MappingProxyType(
            {
                "daily": 30.0,
                "2-3 times a week": 2.5 * _WEEK,
                "weekly": _WEEK,
                "every 2 weeks": _WEEK / 2,
                "monthly": 1.0,
            }
        ),
        "cautious": MappingProxyType(
            {
                "daily": 5 * _WEEK,
                "2-3 times a week": 2 * _WEEK,
                "weekly": _WEEK,
                "every 2 weeks": _WEEK / 2,
                "monthly": 1.0,
            }
        ),
        "generous": MappingProxyType(
            {
                "daily": 30.0,
                "2-3 times a week": 3 * _WEEK,
                "weekly": 1.5 * _WEEK,
                "every 2 weeks": 0.75 * _WEEK,
                "monthly": 1.5,
            }
        ),
    }
)
"""Named readings of each frequency, in meeting days per thirty.

A frequency is a judgement, not a count. ``midpoint`` takes each answer at its word and the middle
of "2-3 times a week". ``cautious`` reads "daily" as five days a week and the range at its lower
end. ``generous`` reads the range at its upper end and each rarer answer as half as often again.
They are this project's choices, made to be varied; no questionnaire defines them.
"""


def days_from_frequency(attended: pd.Series | None, often: pd.Series, conversion: str) -> pd.Series:
    """Convert "did you go, and how often" to meeting days per thirty.

    Parameters
    ----------
    attended
        Whether the patient went at all in the window asked about: 1, 0 or missing. None where
        that was not asked, and ``often`` may be "never".
    often
        One of `FREQUENCIES`, or missing; read only where ``attended`` is 1.
    conversion
        A name of `CONVERSIONS`.

    Returns
    -------
    pandas.Series
        Days per thirty, between 0 and 30. Zero where the patient did not go. Missing where it is
        not known whether, or where it is known that but not how often.

    Raises
    ------
    ValueError
        If the conversion or a frequency is unknown, or if a patient who did not go is given a
        frequency: the two answers contradict each other and nothing says which is right.
    """
    if conversion not in CONVERSIONS:
        raise ValueError(
            f"conversion: {conversion!r} is not one of {', '.join(CONVERSIONS)}; "
            "add a reading to attendance.CONVERSIONS or name one of these"
        )
    if attended is None:
        attended = often.ne(NEVER).astype(float).mask(often.isna())
        often = often.mask(often.eq(NEVER))
    unknown = sorted(set(often.dropna()) - set(FREQUENCIES))
    if unknown:
        raise ValueError(f"often: unknown frequency {unknown[0]!r}; use {', '.join(FREQUENCIES)}")
    _refuse_contradiction(attended.eq(0) & often.notna(), "how often")
    days = often.map(dict(CONVERSIONS[conversion])).astype(float)
    return days.mask(attended.eq(0), 0.0).mask(attended.isna())


def days_from_amount(attended: pd.Series | None, amount: pd.Series, window_days: int) -> pd.Series:
    """Convert a number of meetings, or of days with one, in a window to meeting days per thirty.

    Each meeting is taken to have its own day until the window is full:
    days per thirty = min(amount, window) * 30 / window. With several meetings on one day that
    overstates the days, and nothing in a count says by how much.

    Parameters
    ----------
    attended
        Whether the patient went at all in the window: 1, 0, missing, or None if not asked.
    amount
        Meetings, or days with a meeting, in the window; missing where not known.
    window_days
        Length of the window asked about.

    Returns
    -------
    pandas.Series
        Days per thirty, between 0 and 30; 0 where ``attended`` is 0.

    Raises
    ------
    ValueError
        If an amount is negative, or above 0 for a patient who did not go.
    """
    if amount.lt(0).any():
        raise ValueError(f"amount: {amount[amount.lt(0)].iloc[0]:g} meetings at "
                         f"{amount.lt(0).idxmax()}; an amount is 0 or more")  # fmt: skip
    if attended is not None:
        _refuse_contradiction(attended.eq(0) & amount.gt(0), "how much")
        amount = amount.mask(attended.eq(0), 0.0)
    return amount.clip(upper=window_days) * (DAYS_IN_WINDOW / window_days)


def _refuse_contradiction(contradiction: pd.Series, says: str) -> None:
    if contradiction.any():
        raise ValueError(
            f"attendance: {int(contradiction.sum())} answers say {says} although attended is 0, "
            f"the first at {contradiction.idxmax()}: correct the raw table or its codes"
        )
