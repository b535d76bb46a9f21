"""Composite scores of the Addiction Severity Index (ASI), 5th edition.

A composite is the mean of an area's items, each divided by its maximum: 0 is no problem and 1 the
most severe (employment is one minus that mean). Money enters by its logarithm, over number of
items x cap: 36 = 4 x 9 for ``E12``, 46 = 5 x 9.2 for ``E17``, and for ``D23`` 6 x 7.3 = 43.8, used
as 44, for which reason the alcohol composite cannot exceed 0.9992.

Codes: ``F3`` is 0 no, 1 indifferent, 2 yes, and is reversed here. ``F18`` to ``F26`` are 0 no,
1 yes, `NO_CONTACT`; they enter as one item, the number of yes over the number answered yes or no
(0 without contact with any). ``E5`` (car) counts 0 when ``E4`` (license) is 0, even if missing:
the interview form has it that it must be no then. The ten days items of the drug composite leave
out inhalants (``D12``), which enter no composite.

References
----------
The composites belong to the ASI [mclellan1992fifth]; their manual is [mcgahan1986], of which only
the introduction could be read. The formulas come from three public programs that agree on every
denominator but one. A, a JavaScript ASI-5 form, is the source of the caps, of the ratio and of the
code of no contact, but counts an indifferent ``F3`` as satisfied. B is the ASAM software sponsored
by SAMHSA (https://github.com/obhita/Asam-Beta). VistA is the records system of the US Department
of Veterans Affairs (routines YSASCSB and YSASCSC in https://github.com/WorldVistA/VistA-M); its
natural logarithms have no cap, it leaves ``E5`` as it stands, and always divides the
relationships by nine.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

_Vector: TypeAlias = npt.NDArray[np.float64]
_Mask: TypeAlias = npt.NDArray[np.bool_]

AREAS: Final = ("medical", "employment", "alcohol", "drug", "legal", "family", "psychiatric")
MISSING_RULES: Final = ("complete", "zero", "prorate")
MONEY_RULES: Final = ("log", "log_plus_one", "log10")

NO_CONTACT: Final = -8
"""Code of ``F18``-``F26`` for a relationship without contact in the past 30 days."""

PRORATE_PERCENT: Final = MappingProxyType({a: 40 if a == "alcohol" else 20 for a in AREAS})
"""Largest share of missing items, in percent, that ``missing="prorate"`` still scores."""

MONEY_CAPS: Final = MappingProxyType({"E12": 9.0, "D23": 7.3, "E17": 9.2})
"""Largest natural logarithm of a money item: about 8103, 1480 and 9897 dollars."""

MONEY_DENOMINATORS: Final = MappingProxyType({"E12": 36.0, "D23": 44.0, "E17": 46.0})
"""What the logarithm of a money item is divided by."""

ALCOHOL_CEILING: Final = 5 / 6 + MONEY_CAPS["D23"] / MONEY_DENOMINATORS["D23"]
"""Largest alcohol composite of a complete interview under ``money="log"``: 0.9992."""

_SHOWN: Final = 5  # enough to recognise a coding error, few enough to read


@dataclass(frozen=True)
class Item:
    """One question of the ASI that enters a composite."""

    code: str  # the ASI's own, such as "D8"
    area: str  # where it is scored: E17, illegal income, in "legal"
    label: str
    kind: str  # "days", "rating", "yes_no", "money", "satisfaction" or "relationship"
    unit: str
    maximum: float  # infinite for money
    allowed: str  # every valid answer, readable


# Of each kind: how its labels begin, unit, maximum, allowed answers.
_KINDS: Final[Mapping[str, tuple[str, str, float, str]]] = {
    "days": ("days of ", "days of the past 30", 30, "a whole number of days from 0 to 30"),
    "rating": ("", "patient's rating", 4, "a whole number from 0 (not at all) to 4 (extremely)"),
    "yes_no": ("", "yes or no", 1, "0 no, 1 yes"),
    "money": ("", "dollars in the past 30 days", math.inf, "a finite amount of dollars, 0 or more"),
    "satisfaction": ("", "answer", 2, "0 no, 1 indifferent, 2 yes"),
    "relationship": (
        "serious problems with ", "yes or no", 1, f"0 no, 1 yes, {NO_CONTACT} no contact"
    ),
}  # fmt: skip

_QUESTIONNAIRE: Final[Mapping[str, str]] = {
    "medical": """M6 days medical problems; M7 rating troubled by medical problems;
        M8 rating importance of medical treatment""",
    "employment": """E4 yes_no valid driver's license; E5 yes_no car available for use;
        E11 days paid work; E12 money income from employment""",
    "alcohol": """D1 days any alcohol use; D2 days drinking to intoxication;
        D23 money money spent on alcohol; D26 days alcohol problems;
        D28 rating troubled by alcohol problems; D30 rating importance of alcohol treatment""",
    "drug": """D3 days heroin use; D4 days methadone use; D5 days other opiate use;
        D6 days barbiturate use; D7 days other sedative use; D8 days cocaine use;
        D9 days amphetamine use; D10 days cannabis use; D11 days hallucinogen use;
        D13 days using more than one substance; D27 days drug problems;
        D29 rating troubled by drug problems; D31 rating importance of drug treatment""",
    "legal": """L24 yes_no awaiting charges, trial or sentence;
        L27 days illegal activity for profit; L28 rating seriousness of legal problems;
        L29 rating importance of counseling for legal problems; E17 money illegal income""",
    "family": """F3 satisfaction satisfied with marital situation; F18 relationship mother;
        F19 relationship father; F20 relationship brothers and sisters;
        F21 relationship sexual partner or spouse; F22 relationship children;
        F23 relationship other family; F24 relationship close friends;
        F25 relationship neighbors; F26 relationship co-workers;
        F30 days serious conflict with family; F32 rating troubled by family problems;
        F34 rating importance of counseling for family problems""",
    "psychiatric": """P4 yes_no depression; P5 yes_no anxiety or tension; P6 yes_no hallucinations;
        P7 yes_no trouble understanding or concentrating; P8 yes_no violent behavior;
        P9 yes_no thoughts of suicide; P10 yes_no suicide attempt;
        P11 yes_no psychiatric medication; P12 days psychological problems;
        P13 rating troubled by psychological problems;
        P14 rating importance of psychological treatment""",
}


def _items() -> Iterator[Item]:
    for area, questions in _QUESTIONNAIRE.items():
        for question in questions.split(";"):
            code, kind, text = question.split(maxsplit=2)
            beginning, unit, maximum, allowed = _KINDS[kind]
            yield Item(code, area, beginning + text, kind, unit, maximum, allowed)


ITEMS: Final[Mapping[str, Item]] = MappingProxyType({item.code: item for item in _items()})
"""Every item that enters a composite, by code."""


def items_of(area: str) -> tuple[Item, ...]:
    """List the items of one area's composite, in the order of the interview."""
    _check("area", area, AREAS)
    return tuple(item for item in ITEMS.values() if item.area == area)


def composite(
    items: pd.DataFrame, area: str, *, missing: str, money: str = "log"
) -> pd.Series[float]:
    """Score one area of the ASI: `composites` for a single area.

    Returns
    -------
    pandas.Series
        Floats, shape (interviews,), named ``asi_<area>``, on the index of ``items``. Parameters,
        formula, range and errors are those of `composites`.
    """
    _check("area", area, AREAS)
    return composites(items, (area,), missing=missing, money=money)[f"asi_{area}"]


def composites(
    items: pd.DataFrame, areas: Sequence[str] | None = None, *, missing: str, money: str = "log"
) -> pd.DataFrame:
    """Score areas of the ASI, each as the mean of its items over their maxima.

    With n items, maxima m and answers x, the score is sum(x / m) / n, where a money item instead
    adds its logarithm over its denominator; employment is 1 minus the sum.

    Parameters
    ----------
    items : pandas.DataFrame
        One row per interview, which the index identifies; one column per item, named by its code
        in `ITEMS`, missing answers as NaN or NA. Other columns are ignored.
    areas : sequence of str, optional
        Names from `AREAS`. By default every area that has all its columns.
    missing : {"complete", "zero", "prorate"}
        "complete": any missing item leaves the score missing, as in VistA (and as the HELP trial
        stored its scores). "zero": a missing item adds nothing, except that family stays missing
        if any of ``F18``-``F26`` is, as in program A; an interview without any answer then scores
        0 (employment 1), and a missing income counts as none. "prorate": the mean over the items
        answered, missing beyond `PRORATE_PERCENT`; 40 % for alcohol and 20 % for drug follow a
        study's Stata program (which scored other item sets), 20 % elsewhere is this project's
        choice and allows no gap in medical and employment, one in legal and family, where the
        relationships are one item, missing if any of the nine is. The manual's own rule could
        not be read.
    money : {"log", "log_plus_one", "log10"}
        "log": natural logarithm, 0 below one dollar, at most `MONEY_CAPS`. "log_plus_one":
        ln(amount + 1), uncapped; it reproduces the alcohol scores stored by the HELP trial.
        "log10": the error of program B, offered only to reproduce its worked case: the common
        logarithm, uncapped, 0 below one dollar, and for ``E17`` log10(amount / 46), undivided.

    Returns
    -------
    pandas.DataFrame
        Float columns ``asi_<area>``, shape (interviews, areas), on the index of ``items``,
        unitless. Under "log" a score lies in [0, 1], alcohol in [0, `ALCOHOL_CEILING`] (up to 1
        if money spent is missing and prorated). The uncapped rules can exceed 1, or for
        employment fall below 0; "log10" makes a legal score fall when the income goes from 0 to
        under 46 dollars.

    Raises
    ------
    ValueError
        For an unknown area or rule; columns lacking or repeated; and any answer that is not a
        number or not allowed, naming the interview, the item, the answer and what is allowed.

    Notes
    -----
    Items are checked one by one, not against each other (more days drunk than days drinking is
    scored as it stands). Days of prescribed methadone count in ``D4`` if you put them there: the
    rule of the manual could not be read. See the module for the codes of the items and sources.
    """
    _check("missing", missing, MISSING_RULES)
    _check("money", money, MONEY_RULES)
    if areas is None:
        present = set(items.columns)
        areas = [a for a in AREAS if present.issuperset(item.code for item in items_of(a))]
        if not areas:
            raise ValueError("no area of the ASI has all its items among the columns of items")
    values = _read(items, [item for area in areas for item in items_of(area)])
    scores = {f"asi_{area}": _score(values, area, missing, money) for area in areas}
    return pd.DataFrame(scores, index=items.index)


def _check(argument: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{argument} is {value!r}; choose one of {', '.join(allowed)}")


def _read(items: pd.DataFrame, needed: Sequence[Item]) -> dict[str, _Vector]:
    """Turn the needed columns into float vectors, or refuse the table with reasons."""
    count = Counter(items.columns)
    for problem, found in (
        ("lacks", [item for item in needed if count[item.code] == 0]),
        ("repeats", [item for item in needed if count[item.code] > 1]),
    ):
        if found:
            names = ", ".join(f"{item.code} ({item.label})" for item in found)
            raise ValueError(f"items {problem} {len(found)} of the columns to score: {names}")
    values: dict[str, _Vector] = {}
    refused: dict[str, _Mask] = {}
    for item in needed:
        values[item.code], bad = _numbers(items[item.code], item)
        if bad.any():
            refused[item.code] = bad
    if refused:
        raise ValueError(_explain(items, refused))
    return values


def _numbers(column: pd.Series[Any], item: Item) -> tuple[_Vector, _Mask]:
    """Read one column as floats and mark the answers that are not allowed."""
    two_answers = item.maximum == 1
    if column.dtype.kind in "iuf" or (two_answers and column.dtype.kind == "b"):
        value = column.to_numpy(dtype=np.float64, na_value=np.nan)
        unreadable = np.zeros(len(column), dtype=np.bool_)
    else:  # text and mixed columns, answer by answer: one bad answer must not hide behind a cast
        value = np.array([_number(answer, two_answers) for answer in column], dtype=np.float64)
        unreadable = column.notna().to_numpy() & np.isnan(value)
    valid = np.isfinite(value) & (value >= 0) & (value <= item.maximum)
    if item.kind != "money":
        valid &= value == np.floor(value)
    if item.kind == "relationship":
        valid |= value == NO_CONTACT
    return value, unreadable | ~(valid | np.isnan(value))


def _number(answer: object, two_answers: bool) -> float:
    if isinstance(answer, (bool, np.bool_)):  # True is not a number of days
        return float(answer) if two_answers else math.nan
    return float(answer) if isinstance(answer, Real) else math.nan


def _explain(items: pd.DataFrame, refused: Mapping[str, _Mask]) -> str:
    """Describe the first refused answers, interview by interview, and count them all."""
    total = sum(int(bad.sum()) for bad in refused.values())
    places = [(row, code) for code, bad in refused.items() for row in np.flatnonzero(bad)[:_SHOWN]]
    places = sorted(places, key=lambda place: int(place[0]))[:_SHOWN]
    names = ["row" if name is None else str(name) for name in items.index.names]
    lines = [f"{total} answer{'s' * (total > 1)} not allowed; set missing answers to NaN"]
    for row, code in places:
        label = items.index[row]
        keys = label if isinstance(items.index, pd.MultiIndex) else (label,)
        where = ", ".join(f"{name} {key}" for name, key in zip(names, keys, strict=True))
        answer = items[code].iloc[row]
        number = isinstance(answer, Real) and not isinstance(answer, bool)
        found = f"{answer:.15g}" if number else repr(answer)
        item = ITEMS[code]
        lines.append(f"{where}: {code} ({item.label}) is {found}; allowed: {item.allowed}")
    return "\n".join(lines) + (f"\n... and {total - len(places)} more" * (total > len(places)))


def _score(values: Mapping[str, _Vector], area: str, missing: str, money: str) -> _Vector:
    fractions = _fractions(values, area, money)
    n = len(fractions)
    total = sum(np.nan_to_num(fraction, nan=0.0) for fraction in fractions.values())
    absent = sum(np.isnan(fraction).astype(np.int64) for fraction in fractions.values())
    if missing == "prorate":
        mean = total / np.maximum(n - absent, 1)
        unscored = 100 * absent > PRORATE_PERCENT[area] * n
    else:
        mean = total / n
        unscored = absent > (0 if missing == "complete" else n)
        if area == "family":
            unscored |= np.isnan(fractions["ratio"])
    return np.where(unscored, np.nan, 1 - mean if area == "employment" else mean)


def _fractions(values: Mapping[str, _Vector], area: str, money: str) -> dict[str, _Vector]:
    """Return each item's share of its maximum, NaN where missing; their mean is the composite."""
    asked = items_of(area)
    related = [values[item.code] for item in asked if item.kind == "relationship"]
    single = [item for item in asked if item.kind != "relationship"]
    n = len(single) + bool(related)
    fractions = {item.code: values[item.code] / item.maximum for item in single}
    for code in MONEY_CAPS.keys() & fractions.keys():
        fractions[code] = n * _money_term(values[code], code, money)
    if area == "employment":
        fractions["E5"] = np.where(values["E4"] == 0, 0.0, fractions["E5"])
    if area == "family":
        fractions["F3"] = 1 - fractions["F3"]
        yes = sum((answer == 1).astype(np.int64) for answer in related)
        asked_about = sum((answer >= 0).astype(np.int64) for answer in related)
        unknown = np.logical_or.reduce([np.isnan(answer) for answer in related])
        fractions["ratio"] = np.where(unknown, np.nan, yes / np.maximum(asked_about, 1))
    return fractions


def _money_term(amount: _Vector, code: str, rule: str) -> _Vector:
    """Return what a money item adds to the sum of its composite."""
    if rule == "log_plus_one":
        return np.log1p(amount) / MONEY_DENOMINATORS[code]
    counted = np.where(amount < 1, 1.0, amount)  # so that the logarithm below a dollar is 0
    if rule == "log":
        return np.minimum(np.log(counted), MONEY_CAPS[code]) / MONEY_DENOMINATORS[code]
    if code == "E17":
        return np.where(amount < 1, 0.0, np.log10(counted / MONEY_DENOMINATORS[code]))
    return np.log10(counted) / MONEY_DENOMINATORS[code]
