"""Every number of the synthetic twin that is neither design nor world nor instrument.

Each field carries its unit, its source and its reason; `Parameters.table` shows them. Sources:

- ``HELP``: estimated from the HELP trial by ``data/six/estimate_from_help.py``.
- ``published``: read in a paper or derived from it, see the reason.
- ``choice``: chosen for this book. Most are: the trials' records are not public.

Latent scales are standardised: 1 is about one standard deviation between HELP's interviews.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

import pandas as pd

SOURCES: Final = ("HELP", "published", "choice")

_SHARES: Final = (
    *("motivation_month", "severity_month", "severity_persistent", "severity_together"),
    *("medical_persistent", "psychiatric_persistent", "drunk_persistent", "withdrawal_share"),
)


def _p(default: Any, unit: str, source: str, reason: str) -> Any:
    note = {"unit": unit, "source": source, "reason": reason}
    if isinstance(default, Mapping):  # a view that nobody can change, shared by all
        return field(default_factory=lambda: default, metadata=note)
    return field(default=default, metadata=note)


def _frozen(**values: float) -> Mapping[str, float]:
    return MappingProxyType(values)


@dataclass(frozen=True)
class Parameters:
    """The parameters of the generator; change one with `dataclasses.replace`."""

    # Motivation, which no analyst observes. Persistent motivation is a standard normal.
    motivation_month: float = _p(
        0.85, "correlation between months", "choice",
        "Wave-to-wave motivation lasts for months and is mostly gone after a year.",
    )  # fmt: skip

    # Attendance: days = curve x (latent above 0)^2, at most 30; latent has variance 1.
    attendance_curve: float = _p(
        7.33, "days / SD^2", "HELP", "Shares of HELP's six answers about frequency."
    )
    attendance_baseline: float = _p(0.536, "SD", "HELP", "The same, at baseline.")
    attendance_rise: float = _p(
        0.85, "SD", "HELP", "Treatment brings people to meetings: the rise from baseline."
    )
    attendance_decline: float = _p(
        0.0224, "SD / month", "HELP", "Attendance then falls slowly over two years."
    )
    attendance_persistent: float = _p(
        0.35, "loading", "choice", "Persistent motivation brings people to meetings."
    )
    attendance_changing: float = _p(
        0.50, "loading", "choice",
        "So does wave-to-wave motivation; strong enough to produce HELP's FE without any effect.",
    )  # fmt: skip
    attendance_drug: float = _p(
        0.25, "loading", "choice",
        "People with more severe drug problems attended more in ccts (published, direction only).",
    )  # fmt: skip
    attendance_alcohol: float = _p(
        0.30, "loading", "choice",
        "The same of persistent alcohol severity: in HELP RE is weaker than FE, most in alcohol.",
    )  # fmt: skip
    attendance_habit: float = _p(
        0.295, "loading", "HELP",
        "The rest of what persists: squares of the four persistent loadings sum to 0.362, the "
        "correlation of HELP's attendance a year apart.",
    )  # fmt: skip
    dose_centre: float = _p(
        8.0, "days", "choice",
        "Effects of meetings count from here, about the mean, so that worlds share their levels.",
    )  # fmt: skip
    second_meeting: float = _p(
        0.15, "share of days", "choice", "Mean share of meeting days with a second meeting."
    )

    # Severity of drug and alcohol problems; 1 is its standard deviation between interviews.
    severity_persistent: float = _p(
        0.45, "share of variance", "HELP", "Correlations of composites 6, 12 and 18 months apart."
    )
    severity_month: float = _p(
        0.90, "correlation between months", "choice", "Relapse and remission last for months."
    )
    severity_together: float = _p(
        0.35, "correlation", "choice",
        "Drinking and drug use rise together; HELP's composites correlate 0.30 at follow-ups.",
    )  # fmt: skip
    course_drug: float = _p(1.09, "SD", "HELP", "Fall from baseline: zeros of item D29.")
    course_alcohol: float = _p(1.17, "SD", "HELP", "Fall from baseline: zeros of item D1.")
    course_half: float = _p(
        0.5, "months", "choice", "Half of the fall has happened; most people change at once."
    )
    alcohol_primary: float = _p(
        1.0, "SD", "choice",
        "Whose primary substance is alcohol has this much less drug and more alcohol severity; "
        "composites of HELP's patients by primary substance differ about so.",
    )  # fmt: skip

    # Drug and alcohol items given severity. Days: (level at severity 0, slope, spread).
    primary_slope: float = _p(
        22.0, "days / SD", "choice", "Use of the primary drug; zeros and thirties as in HELP."
    )
    primary_noise: float = _p(0.4, "SD", "choice", "What days of use do not share with severity.")
    secondary_slope: float = _p(
        10.0, "days / SD", "choice", "Who uses another drug does so about 10 days a month in HELP."
    )
    secondary_parts: tuple[float, float, float] = _p(
        (0.6, 0.9, 0.5), "SD / SD", "choice",
        "Use of another drug: parts of severity, of a person's taste for it, and of chance.",
    )  # fmt: skip
    secondary_cut: Mapping[str, float] = _p(
        _frozen(
            D3=1.85, D4=2.44, D5=1.7, D6=2.97, D7=1.63, D8=0.845, D9=3.34, D10=0.854, D11=3.16
        ),
        "SD", "HELP", "Shares that use each drug when it is not the primary one.",
    )  # fmt: skip
    problem_days: tuple[float, float, float] = _p(
        (5.77, 18.5, 21.5), "days", "HELP", "Item D27, its zeros and thirties."
    )
    problem_days_alcohol: tuple[float, float, float] = _p(
        (0.438, 8.0, 25.0), "days", "HELP", "Item D26, its zeros and thirties."
    )
    alcohol_days: tuple[float, float] = _p(
        (-0.935, 17.9), "days", "HELP", "Item D1, its zeros and thirties."
    )
    problem_parts: tuple[float, float] = _p(
        (0.75, 0.66), "SD / SD", "choice",
        "The spread of problem days: parts of being bothered, which ratings share, and of chance.",
    )  # fmt: skip
    alcohol_noise: float = _p(
        0.3, "SD", "choice", "What days of drinking do not share with severity."
    )
    overlap: tuple[float, float] = _p(
        (0.75, 0.3), "share; SD", "choice",
        "Days with several substances, between the fewest and the most that the days allow.",
    )  # fmt: skip
    methadone_missed: tuple[float, float] = _p(
        (-2.0, 2.0), "days", "choice", "Missed days of prescribed methadone: normal, from 0."
    )
    rating_load_drug: float = _p(
        1.0, "SD / SD", "choice", "Item D29 then falls from baseline as D27 does."
    )
    rating_load_alcohol: float = _p(
        0.4, "SD / SD", "choice", "Items D28 and D30 fall from baseline less than D1 does."
    )
    rating_parts: tuple[float, float] = _p(
        (0.7, 0.6), "SD / SD", "choice", "Ratings beyond severity: being bothered, and chance."
    )
    rating_cuts: Mapping[str, tuple[float, float, float, float]] = _p(
        MappingProxyType(
            {
                "D28": (0.242, 0.57, 0.823, 1.24),
                "D29": (0.0512, 0.456, 0.749, 1.35),
                "D30": (0.146, 0.217, 0.304, 0.526),
                "D31": (-0.0867, -0.00574, 0.062, 0.374),
                "M7": (-0.168, 0.325, 0.644, 1.23),
                "M8": (-0.124, 0.0304, 0.181, 0.512),
            }
        ),
        "SD", "HELP", "Thresholds between ratings 0 to 4.",
    )  # fmt: skip
    drunk_share: tuple[float, float] = _p(
        (-1.37, -0.805), "SD", "HELP", "Below: never drunk; above: drunk on every drinking day."
    )
    drunk_persistent: float = _p(
        0.7, "loading", "choice", "Drinking to intoxication is mostly a person's habit."
    )
    dollars_a_day: tuple[float, float] = _p(
        (1.47, 2.31), "SD; dollars / SD^2", "HELP",
        "Dollars a drinking day are the second times the square of (first + normal) above 0.",
    )  # fmt: skip

    # Medical and psychiatric items, which neither meetings nor motivation move.
    medical_days: tuple[float, float] = _p(
        (8.2, 19.6), "days", "HELP", "Item M6: mean and spread of latent days."
    )
    medical_persistent: float = _p(
        0.45, "share of variance", "choice",
        "HELP's medical composites correlate 0.38, of which items take something by chance.",
    )  # fmt: skip
    medical_parts: tuple[float, float] = _p(
        (0.85, 0.53), "loading", "choice", "Medical items: parts of illness and of chance."
    )
    psychiatric_any: float = _p(
        0.025, "SD", "published",
        "51 % of 492 patients in five other cocaine trials had a psychiatric composite above 0.",
    )  # fmt: skip
    psychiatric_drop: float = _p(
        0.15, "SD", "published", "Same trials: a fall of 0.16 SD by 12 weeks."
    )

    psychiatric_persistent: float = _p(
        0.75, "loading", "choice", "Psychiatric problems persist somewhat more than others."
    )
    psychiatric_cuts: Mapping[str, float] = _p(
        _frozen(P4=0.4, P5=0.2, P6=2.6, P7=0.9, P8=2.1, P9=1.9, P10=2.8, P11=1.5),
        "SD", "choice", "Anxiety and depression are common, hallucinations and attempts rare.",
    )  # fmt: skip
    psychiatric_noise: float = _p(0.8, "SD", "choice", "What a symptom does not share with others.")
    psychiatric_days: tuple[float, float] = _p(
        (14.0, 8.0), "days / SD", "choice", "Item P12: slope and spread, at least 1 if any problem."
    )
    psychiatric_ratings: Mapping[str, tuple[float, float, float, float]] = _p(
        MappingProxyType({"P13": (0.1, 0.7, 1.2, 1.9), "P14": (0.3, 0.6, 0.9, 1.4)}),
        "SD", "choice", "Thresholds: most rate their problems slight or moderate.",
    )  # fmt: skip

    # When interviews take place
    delay: tuple[float, float] = _p(
        (0.06, 0.12), "share of the shortest gap", "choice",
        "Mean and spread of how late an interview is, cut at a quarter early and 0.4 late.",
    )  # fmt: skip

    # Attrition beyond the trial's shares. HELP says little: see the moments.
    withdrawal_share: float = _p(
        0.5, "share", "choice", "Of those not interviewed, who have left for good."
    )
    dropout_severity: float = _p(
        0.30, "relative risk / SD", "choice",
        "Who got worse since baseline is harder to find. People then return towards their mean, so "
        "the severe at baseline are lost a little less: as in HELP, to whose share this is set.",
    )  # fmt: skip
    dropout_motivation: float = _p(
        0.25, "relative risk / SD", "choice", "Who is less motivated is harder to find."
    )

    dropout_range: tuple[float, float] = _p(
        (0.2, 3.0), "relative risk", "choice", "Nobody is certain to stay or to leave."
    )

    # Readiness at baseline: mean, standard deviation, correlation with motivation.
    readiness: Mapping[str, tuple[float, float, float]] = _p(
        MappingProxyType(
            {
                "recognition": (32.8, 2.79, 0.3),
                "ambivalence": (15.1, 3.84, 0.0),
                "taking_steps": (35.8, 3.61, 0.4),
            }
        ),
        "points; correlation", "HELP",
        "Means and spreads; how little they tell of motivation (0.8 persistent + 0.6 of the "
        "moment) is a choice.",
    )  # fmt: skip

    def __post_init__(self) -> None:
        names = ("persistent", "changing", "drug", "alcohol", "habit")
        used = sum(getattr(self, f"attendance_{name}") ** 2 for name in names)
        if not used <= 1:
            raise ValueError(
                f"squares of the attendance loadings ({', '.join(names)}) sum to {used:.3g}; "
                "latent attendance has variance 1, so give loadings whose squares sum to at most 1"
            )
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}; give a number from 0 to 1")

    @staticmethod
    def table() -> pd.DataFrame:
        """Return name, default, unit, source and reason of every parameter."""
        rows = [
            {"parameter": f.name, "default": getattr(DEFAULTS, f.name), **f.metadata}
            for f in fields(Parameters)
        ]
        return pd.DataFrame(rows).set_index("parameter")


DEFAULTS: Final = Parameters()
"""The parameters of the shipped twin."""
