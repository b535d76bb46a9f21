"""From the words in which attendance was asked to days of meetings in the past thirty."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

DAYS_IN_WINDOW = 30
_WEEK = DAYS_IN_WINDOW / 7

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


def days_from_frequency(attended: pd.Series, often: pd.Series, conversion: str) -> pd.Series:
    """Convert "did you go, and how often" to meeting days per thirty.

    Parameters
    ----------
    attended
        Whether the patient went at all in the window asked about: 1, 0 or missing.
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
    unknown = sorted(set(often.dropna()) - set(FREQUENCIES))
    if unknown:
        raise ValueError(f"often: unknown frequency {unknown[0]!r}; use {', '.join(FREQUENCIES)}")
    contradiction = attended.eq(0) & often.notna()
    if contradiction.any():
        first = contradiction.idxmax()
        raise ValueError(
            f"often: {int(contradiction.sum())} answers say how often although attended is 0, "
            f"the first at {first}: correct the raw table or its codes"
        )
    days = often.map(dict(CONVERSIONS[conversion])).astype(float)
    return days.mask(attended.eq(0), 0.0).mask(attended.isna())
