"""What patients answered, as exposure and outcomes: attendance, composites, days, abstinence."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pooledtrials.pooling import asi
from pooledtrials.pooling.attendance import CONVERSIONS, days_from_amount, days_from_frequency
from pooledtrials.pooling.decoding import Decoder
from pooledtrials.pooling.reading import RawTableError
from pooledtrials.pooling.specification import Attendance, Specification

ALCOHOL_DAYS = "D1"
DRUG_DAYS = ("D3", "D5", "D6", "D7", "D8", "D9", "D10", "D11")
"""Drugs whose days of use count. Methadone (D4) is left out: for many it is a prescription."""


@dataclass(frozen=True)
class Choices:
    """The judgements that pooling cannot avoid, each by name so that a chapter can vary it.

    Attributes
    ----------
    conversion : str
        How words of frequency become days: a name of `attendance.CONVERSIONS`.
    missing_items : str
        What a composite does with missing items: a rule of `asi.composite`.
    money : str
        How dollars enter a composite: a rule of `asi.composite`.
    """

    conversion: str = "midpoint"
    missing_items: str = "complete"
    money: str = "log"


def attendance(asked: Attendance, decoder: Decoder, choices: Choices) -> pd.DataFrame:
    """Return whether and how much a patient attended: ``attended`` and ``attendance``."""
    attended = None if asked.any is None else decoder.decode("attended", asked.any)
    amount = decoder.decode("attendance", asked.how_much)
    placed = None if attended is None else attended.set_axis(decoder.places)
    column = asked.how_much.column
    if asked.asked == "frequency":
        days = days_from_frequency(placed, amount.set_axis(decoder.places), choices.conversion)
        for word, value in CONVERSIONS[choices.conversion].items():
            rule, after = f"conversion: {choices.conversion}", f"{value:.2f} days in 30"
            decoder.log.write("attendance", column, rule, word, after, amount.eq(word).sum())
    else:
        days = days_from_amount(placed, amount.set_axis(decoder.places), asked.window_days)
        over = amount.gt(asked.window_days)
        if asked.asked == "days":
            doubt = f"more days than the {asked.window_days} asked about: read as all of them"
            decoder.log.flag(decoder.places, "attendance", amount, over, doubt)
        rule, window = f"conversion: {asked.asked}", asked.window_days
        decoder.log.write(
            "attendance", column, rule, f"{asked.asked} in {window}", f"x 30 / {window}",
            amount.notna().sum(),
        )  # fmt: skip
        decoder.log.write(
            "attendance", column, rule, f"more than {window}", "30 days in 30", over.sum()
        )
    days = days.set_axis(decoder.raw.index)
    if attended is None:
        attended = days.gt(0).astype(float).mask(days.isna())
    else:
        went = attended.eq(1)
        decoder.log.write(
            "attendance", column, "not attended", 0, "0 days in 30", attended.eq(0).sum()
        )
        decoder.log.write(
            "attendance", column, "attended, how much is not known", "empty", "missing",
            (went & days.isna()).sum(),
        )  # fmt: skip
    return pd.DataFrame({"attended": attended, "attendance": days})


def outcomes(
    specification: Specification, decoder: Decoder, keys: pd.DataFrame, choices: Choices
) -> pd.DataFrame:
    """Return the ASI composites that the items allow, days of use, and abstinence."""
    items = pd.DataFrame(
        {code: decoder.decode(code, column) for code, column in specification.items.items()},
        index=decoder.raw.index,
    )
    places = pd.MultiIndex.from_frame(keys.rename(columns={"wave": "month"}))
    labelled = items.set_axis(places, axis=0)
    scores = {}
    for area in asi.AREAS:
        codes = [item.code for item in asi.items_of(area)]
        lacking = [code for code in codes if code in specification.not_asked]
        if any(code not in items and code not in lacking for code in codes):
            continue
        # An item that a whole trial did not ask is not an answer that a patient did not give.
        rule = "prorate" if lacking else choices.missing_items
        asked = labelled.assign(**dict.fromkeys(lacking, float("nan")))
        try:
            score = asi.composite(asked, area, missing=rule, money=choices.money)
        except ValueError as error:
            raise RawTableError(f"{decoder.file}: {error}") from None
        score = score.set_axis(items.index)
        if lacking:
            score = score.mask(items[[code for code in codes if code in items]].isna().any(axis=1))
            rule = f"prorate, not asked: {', '.join(lacking)}"
        scores[f"asi_{area}"] = score
        text = f"composite: missing items {rule}, money {choices.money}"
        log = decoder.log
        log.write(f"asi_{area}", "items", text, "items", "score", score.notna().sum())
        log.write(f"asi_{area}", "items", text, "items incomplete", "missing", score.isna().sum())
    return pd.DataFrame(scores, index=items.index).join(_days_of_use(items))


def _days_of_use(items: pd.DataFrame) -> pd.DataFrame:
    days = pd.DataFrame(index=items.index)
    if ALCOHOL_DAYS in items:
        days["days_alcohol"] = items[ALCOHOL_DAYS]
    drugs = [code for code in DRUG_DAYS if code in items]
    if drugs:
        # Drug days overlap, so their sum counts a day twice: the most-used drug is a lower bound.
        days["days_drug"] = items[drugs].max(axis=1).mask(items[drugs].isna().any(axis=1))
    if len(days.columns) == 2:
        either = days.max(axis=1).mask(days.isna().any(axis=1))
        days["abstinent"] = either.eq(0).astype(float).mask(either.isna())
    return days
