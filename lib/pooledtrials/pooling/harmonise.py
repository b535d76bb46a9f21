"""One trial's raw table to the panel: one row per patient and planned interview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pooledtrials.pooling import asi
from pooledtrials.pooling.attendance import CONVERSIONS, days_from_frequency
from pooledtrials.pooling.decoding import Decoder, HarmonisationLog, canonical
from pooledtrials.pooling.locations import data_folder
from pooledtrials.pooling.panel import KEYS, UNITS, check_panel
from pooledtrials.pooling.reading import RawTableError, read_raw
from pooledtrials.pooling.specification import (
    Column,
    Specification,
    nearest,
    read_specification,
)

DAYS_PER_MONTH = 365.25 / 12

ALCOHOL_DAYS = "D1"
DRUG_DAYS = ("D3", "D5", "D6", "D7", "D8", "D9", "D10", "D11")
"""Drugs whose days of use count. Methadone (D4) is left out: for many it is a prescription."""

NOT_INTERVIEWED = "no interview"
NOT_INTERVIEWED_DIED = "no interview; died during the study, date not recorded"


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


@dataclass(frozen=True)
class Trial:
    """A pooled trial: what it declared, its panel, and how the panel came about."""

    specification: Specification
    panel: pd.DataFrame
    log: HarmonisationLog
    choices: Choices

    @property
    def synthetic(self) -> bool:
        """Whether the records were generated, not observed."""
        return self.specification.source == "synthetic"


def load_trial(trial: str | Path, choices: Choices = Choices()) -> Trial:
    """Read a trial's specification and raw table, and harmonise them.

    Parameters
    ----------
    trial
        The name of a trial in ``data/trials`` (such as ``"help"``), or the path of a YAML file.
    choices
        The named judgements to make on the way.

    Returns
    -------
    Trial

    Raises
    ------
    SpecificationError, RawTableError, PanelError, ValueError
        Whatever is wrong with the specification, the table, the panel or an item; each names the
        place. Nothing is written.
    """
    path = trial if isinstance(trial, Path) else data_folder() / "trials" / f"{trial}.yaml"
    specification = read_specification(path)
    raw = read_raw(specification, (path.parent / specification.folder).resolve())
    return harmonise(specification, raw, choices)


def harmonise(
    specification: Specification, raw: pd.DataFrame, choices: Choices = Choices()
) -> Trial:
    """Turn a raw table into the panel, writing every recode to a log.

    Parameters
    ----------
    specification
        What the columns of the table are.
    raw
        The table as text, as `reading.read_raw` returns it.
    choices
        The named judgements to make on the way.
    """
    log = HarmonisationLog(specification.trial)
    keys = _interview_keys(specification, raw)
    places = "patient " + keys["patient"] + ", " + keys["wave"].map("month {:g}".format)
    places = places + " (line " + raw.index.astype(str) + ")"
    decoder = Decoder(specification, raw, places, log)
    interviews = pd.concat(
        [
            keys,
            _month(decoder, keys["wave"]),
            _attendance(decoder, choices.conversion),
            _outcomes(decoder, keys, choices),
            _decode_all(decoder, _extras(specification, "interview")),
        ],
        axis=1,
    )
    patients = _patients(decoder, keys)
    panel = _planned_rows(specification, patients, interviews)
    return Trial(specification, check_panel(panel, specification.trial), log, choices)


def _interview_keys(specification: Specification, raw: pd.DataFrame) -> pd.DataFrame:
    """Return patient and planned month of each row, refusing what cannot be told apart."""
    file = specification.table.file
    patient = raw[specification.patient].map(canonical)
    if patient.eq("").any():
        line = patient.eq("").idxmax()
        raise RawTableError(f"{file}, line {line}: no patient number in {specification.patient}")
    months = {canonical(wave.code): wave.month for wave in specification.waves}
    visit = raw[specification.visit].map(canonical)
    if not visit.isin(list(months)).all():
        line = visit.isin(list(months)).idxmin()
        raise RawTableError(
            f"{file}, line {line}: patient {patient[line]}: {specification.visit} = "
            f"{visit[line]!r} is not a planned interview; {nearest(visit[line], months)}"
        )
    keys = pd.DataFrame({"patient": patient, "wave": visit.map(months)})
    repeated = keys.duplicated(keep=False)
    if repeated.any():
        first = keys.index[repeated][0]
        same = keys.index[(keys == keys.loc[first]).all(axis=1)]
        raise RawTableError(
            f"{file}: patient {keys['patient'][first]} has {len(same)} interviews at month "
            f"{keys['wave'][first]:g}, lines {', '.join(map(str, same))}; keep one"
        )
    without = sorted(set(patient) - set(patient[keys["wave"].eq(0)]))
    if without:
        raise RawTableError(
            f"{file}: {len(without)} patients have no baseline interview, the first is patient "
            f"{without[0]}; every randomized patient needs one"
        )
    return keys


def _month(decoder: Decoder, wave: pd.Series) -> pd.Series:
    timing = decoder.specification.time
    elapsed = decoder.decode("month", Column(column=timing.column, minimum=0))
    months = elapsed / DAYS_PER_MONTH if timing.unit == "days" else elapsed
    if timing.unit == "days":
        decoder.log.write(
            "month", timing.column, "unit", "days", "days / 30.4375", int(elapsed.notna().sum())
        )
    months = months.mask(months.isna() & wave.eq(0), 0.0).rename("month")
    for planned in decoder.specification.waves:
        low, high = planned.window
        early_or_late = wave.eq(planned.month) & ~months.between(low, high) & months.notna()
        decoder.log.write(
            "month", timing.column, "outside the window: kept, flagged here",
            f"planned at {planned.month:g}", f"not in {low:g}-{high:g}", int(early_or_late.sum()),
        )  # fmt: skip
    return months


def _attendance(decoder: Decoder, conversion: str) -> pd.DataFrame:
    asked = decoder.specification.attendance
    attended = decoder.decode("attended", asked.any)
    often = decoder.decode("attendance", asked.often)
    days = days_from_frequency(
        attended.set_axis(decoder.places), often.set_axis(decoder.places), conversion
    ).set_axis(decoder.raw.index)
    for word, value in CONVERSIONS[conversion].items():
        decoder.log.write(
            "attendance", asked.often.column, f"conversion: {conversion}", word,
            f"{value:.2f} days in 30", int(often.eq(word).sum()),
        )  # fmt: skip
    decoder.log.write(
        "attendance", asked.any.column, "not attended", 0, "0 days in 30", int(attended.eq(0).sum())
    )
    unknown = attended.eq(1) & often.isna()
    decoder.log.write(
        "attendance",
        asked.often.column,
        "how often is not known",
        "",
        "missing",
        int(unknown.sum()),
    )
    return pd.DataFrame({"attended": attended, "attendance": days})


def _outcomes(decoder: Decoder, keys: pd.DataFrame, choices: Choices) -> pd.DataFrame:
    items = _decode_all(decoder, decoder.specification.items)
    labelled = items.set_axis(pd.MultiIndex.from_frame(keys), axis=0)
    scores = asi.composites(labelled, missing=choices.missing_items, money=choices.money)
    scores = scores.set_axis(items.index, axis=0)
    for area in scores:
        rule = f"composite: missing items {choices.missing_items}, money {choices.money}"
        decoder.log.write(
            str(area), "items", rule, "items", "score", int(scores[area].notna().sum())
        )
        decoder.log.write(
            str(area), "items", rule, "items incomplete", "missing", int(scores[area].isna().sum())
        )
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
    return pd.concat([scores, days], axis=1)


def _patients(decoder: Decoder, keys: pd.DataFrame) -> pd.DataFrame:
    """Return one row per patient: arm, what it facilitates, baseline covariates, death."""
    specification = decoder.specification
    arms = {canonical(arm.code): arm for arm in specification.design.arms}
    names = {code: arm.name for code, arm in arms.items()}
    arm = decoder.decode("arm", Column(column=specification.arm, codes=names))
    decoder.refuse("arm", specification.arm, arm.fillna(""), arm.isna(), "a randomized arm")
    decoder.constant_within_patients("arm", arm, keys["patient"])
    by_name = {a.name: a for a in specification.design.arms}
    rows = pd.DataFrame(
        {
            "patient": keys["patient"],
            "arm": arm,
            "active": arm.map(lambda name: float(by_name[name].role == "active")),
            "facilitated": arm.map(lambda name: float(by_name[name].facilitates == "meetings")),
        }
    )
    if specification.died is not None:
        rows["died"] = decoder.decode("died", specification.died)
        decoder.constant_within_patients("died", rows["died"], keys["patient"])
    else:
        rows["died"] = float("nan")
    covariates = dict(specification.baseline) | _extras(specification, "patient")
    rows = pd.concat([rows, _decode_all(decoder, covariates)], axis=1)
    return rows[keys["wave"].eq(0)].reset_index(drop=True)


def _planned_rows(
    specification: Specification, patients: pd.DataFrame, interviews: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each patient and planned interview, held or not."""
    waves = pd.DataFrame({"wave": [wave.month for wave in specification.waves]})
    panel = patients.merge(waves, how="cross").merge(
        interviews.assign(observed=True), on=["patient", "wave"], how="left", validate="1:1"
    )
    panel["observed"] = panel["observed"].eq(True)
    reason = panel["died"].eq(1).map({True: NOT_INTERVIEWED_DIED, False: NOT_INTERVIEWED})
    panel["missing_reason"] = reason.mask(panel["observed"], "")
    panel.insert(0, "trial", specification.trial)
    at_start = interviews.loc[interviews["wave"].eq(0)].set_index("patient")
    panel["prior_attendance"] = panel["patient"].map(at_start["attendance"])
    for score in [column for column in interviews if str(column).startswith("asi_")]:
        panel[f"{score}_baseline"] = panel["patient"].map(at_start[score])
    order = sorted(patients["patient"], key=lambda label: (len(label), label))
    panel["patient"] = pd.Categorical(panel["patient"], categories=order, ordered=True)
    panel = panel.sort_values(list(KEYS[1:])).astype({"patient": "str"})
    common = [column for column in UNITS if column in panel]
    scores = [column for column in panel if str(column).startswith("asi_")]
    first = common + scores
    rest = [column for column in panel if column not in first]
    return panel[first + rest].reset_index(drop=True)


def _extras(specification: Specification, per: str) -> dict[str, Column]:
    return {name: extra for name, extra in specification.extras.items() if extra.per == per}


def _decode_all(decoder: Decoder, columns: Mapping[str, Column]) -> pd.DataFrame:
    decoded = {name: decoder.decode(name, column) for name, column in columns.items()}
    return pd.DataFrame(decoded, index=decoder.raw.index)
