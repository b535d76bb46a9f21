"""One trial's raw tables to the panel: one row per patient and planned interview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pooledtrials.pooling.answers import Choices, attendance, outcomes
from pooledtrials.pooling.decoding import Decoder, canonical
from pooledtrials.pooling.locations import data_folder
from pooledtrials.pooling.log import HarmonisationLog
from pooledtrials.pooling.panel import (
    ASKED_AT_INTERVIEWS,
    KEYS,
    NOT_INTERVIEWED,
    NOT_INTERVIEWED_DIED,
    UNITS,
    check_panel,
)
from pooledtrials.pooling.shaping import RawTrial, read_raw
from pooledtrials.pooling.specification import HELD, Column, Specification, read_specification

DAYS_PER_MONTH = 365.25 / 12


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


def load_trial(
    trial: str | Path, choices: Choices = Choices(), folder: Path | None = None
) -> Trial:
    """Read a trial's specification and raw tables, and harmonise them.

    Parameters
    ----------
    trial
        The name of a trial in ``data/trials`` (such as ``"help"``), or the path of a YAML file.
    choices
        The named judgements to make on the way.
    folder
        Where the raw tables are, if not where the specification says.

    Returns
    -------
    Trial

    Raises
    ------
    SpecificationError, RawTableError, PanelError, ValueError
        Whatever is wrong with the specification, a table, the panel or an item; each names the
        place. Nothing is written.
    """
    path = trial if isinstance(trial, Path) else data_folder() / "trials" / f"{trial}.yaml"
    specification = read_specification(path)
    log = HarmonisationLog(specification.trial)
    raw = read_raw(specification, folder or (path.parent / specification.folder).resolve(), log)
    return harmonise(specification, raw, choices, log)


def harmonise(
    specification: Specification,
    raw: RawTrial,
    choices: Choices = Choices(),
    log: HarmonisationLog | None = None,
) -> Trial:
    """Turn raw values into the panel, writing every recode and doubt to the log.

    Parameters
    ----------
    specification
        What the columns of the tables are.
    raw
        The values as text, as `shaping.read_raw` returns them.
    choices
        The named judgements to make on the way.
    log
        The log to go on with; a new one if None.
    """
    log = HarmonisationLog(specification.trial) if log is None else log
    table = specification.tables.interviews
    at_interview = Decoder(
        table.file, raw.interviews, raw.interview_places, specification.missing, table.decimal, log
    )
    own = specification.tables.patients or table
    of_patient = Decoder(
        own.file, raw.patients, raw.patient_places, specification.missing, own.decimal, log
    )
    patients = _patients(specification, of_patient)
    held = _status(specification, at_interview)
    interviews = pd.concat(
        [
            raw.keys,
            held,
            _month(specification, at_interview, of_patient, raw.keys),
            attendance(specification.attendance, at_interview, choices),
            outcomes(specification, at_interview, raw.keys, choices),
            _decode_all(at_interview, _extras(specification, "interview")),
        ],
        axis=1,
    )
    _refuse_contradiction(at_interview, interviews)
    panel = _planned_rows(specification, patients, interviews)
    return Trial(specification, check_panel(panel, specification.trial), log, choices)


def _patients(specification: Specification, decoder: Decoder) -> pd.DataFrame:
    """Return one row per patient: arm, what it facilitates, baseline covariates, death."""
    arms = {canonical(arm.code): arm for arm in specification.design.arms}
    names = {code: arm.name for code, arm in arms.items()}
    arm = decoder.decode("arm", Column(column=specification.arm, codes=names))
    decoder.refuse("arm", specification.arm, arm.fillna(""), arm.isna(), "no randomized arm")
    role = {arm.name: float(arm.role == "active") for arm in arms.values()}
    meetings = {arm.name: float(arm.facilitates == "meetings") for arm in arms.values()}
    rows = pd.DataFrame({"arm": arm, "active": arm.map(role), "facilitated": arm.map(meetings)})
    rows["site"] = decoder.text(specification.site) if specification.site else specification.trial
    rows["died"] = (
        decoder.decode("died", specification.died) if specification.died else float("nan")
    )
    covariates = dict(specification.baseline) | _extras(specification, "patient")
    return pd.concat([rows, _decode_all(decoder, covariates)], axis=1)


def _status(specification: Specification, decoder: Decoder) -> pd.Series:
    """Return what the trial says of each interview; a row of a long table is one that was held."""
    if specification.status is not None:
        status = decoder.decode("status", specification.status)
        column = specification.status.column
        decoder.refuse("status", column, decoder.text(column), status.isna(), "no status given")
        return status.rename("status")
    if specification.tables.interviews.layout == "long":
        return pd.Series(HELD, index=decoder.raw.index, name="status")
    answered = decoder.raw.apply(lambda column: column.ne("")).any(axis=1)
    return answered.map({True: HELD, False: NOT_INTERVIEWED}).rename("status")


def _refuse_contradiction(decoder: Decoder, interviews: pd.DataFrame) -> None:
    """Refuse an answer from an interview that, the trial says, was not held."""
    answers = interviews.filter(regex=ASKED_AT_INTERVIEWS).drop(columns="month")
    answered = interviews["status"].ne(HELD) & answers.notna().any(axis=1)
    decoder.refuse("status", "status", interviews["status"], answered, "contradicted by an answer")


def _month(
    specification: Specification, decoder: Decoder, of_patient: Decoder, keys: pd.DataFrame
) -> pd.Series:
    """Return months from randomization to each interview, flagging those at odd times."""
    timing = specification.time
    if timing.unit == "date":
        days = _days_between(specification, decoder, of_patient, keys)
    else:
        days = decoder.decode("month", Column(column=timing.column))
    months = days if timing.unit == "months" else days / DAYS_PER_MONTH
    if timing.unit != "months":
        decoder.log.write(
            "month", timing.column, "unit", "days", "days / 30.4375", days.notna().sum()
        )
    found = decoder.text(timing.column)
    at_start = keys["wave"].eq(0)
    # A first interview may precede randomization by a few days; time still starts at 0.
    months = months.mask(at_start & months.lt(0), 0.0).mask(at_start & months.isna(), 0.0)
    before = months.lt(0)
    decoder.log.flag(decoder.places, "month", found, before, "before randomization: set to missing")
    months = months.mask(before)
    for planned in specification.waves:
        low, high = planned.window
        outside = keys["wave"].eq(planned.month) & ~months.between(low, high) & months.notna()
        doubt = f"not within months {low:g} to {high:g}: kept"
        decoder.log.flag(decoder.places, "month", found, outside, doubt)
    in_order = pd.DataFrame({"patient": keys["patient"], "wave": keys["wave"], "month": months})
    in_order = in_order.dropna().sort_values(["patient", "wave"])
    earlier = (
        in_order.groupby("patient")["month"].diff().lt(0).reindex(keys.index, fill_value=False)
    )
    decoder.log.flag(decoder.places, "month", found, earlier, "before the previous interview: kept")
    return months.rename("month")


def _days_between(
    specification: Specification, decoder: Decoder, of_patient: Decoder, keys: pd.DataFrame
) -> pd.Series:
    timing = specification.time
    randomized = _dates(of_patient, "time.randomized", timing.randomized or "", timing.format)
    of_patient.refuse(
        "time.randomized", timing.randomized or "", of_patient.text(timing.randomized or ""),
        randomized.isna(), "no date of randomization",
    )  # fmt: skip
    interviewed = _dates(decoder, "month", timing.column, timing.format)
    return (interviewed - keys["patient"].map(randomized)).dt.days.astype(float)


def _dates(decoder: Decoder, name: str, column: str, pattern: str | None) -> pd.Series:
    text = decoder.raw[column]
    missing = text.isin({"", *map(str, decoder.missing)})
    dates = pd.to_datetime(text.mask(missing), format=pattern, errors="coerce")
    decoder.refuse(name, column, text, dates.isna() & ~missing, f"not a date like {pattern}")
    decoder.log.write(name, column, "date", pattern, "date", dates.notna().sum())
    decoder.log.write(name, column, "missing", "empty", "missing", missing.sum())
    return dates


def _planned_rows(
    specification: Specification, patients: pd.DataFrame, interviews: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each patient and planned interview, held or not."""
    waves = pd.DataFrame({"wave": [wave.month for wave in specification.waves]})
    held = interviews[interviews["status"].eq(HELD)].drop(columns="status").assign(observed=True)
    panel = patients.rename_axis("patient").reset_index().merge(waves, how="cross")
    panel = panel.merge(held, on=["patient", "wave"], how="left", validate="1:1")
    panel["observed"] = panel["observed"].eq(True)
    panel["missing_reason"] = _reasons(panel, interviews)
    panel.insert(0, "trial", specification.trial)
    at_start = held[held["wave"].eq(0)].set_index("patient")
    panel["prior_attendance"] = panel["patient"].map(at_start["attendance"])
    for score in [column for column in held if str(column).startswith("asi_")]:
        panel[f"{score}_baseline"] = panel["patient"].map(at_start[score])
    order = sorted(patients.index, key=lambda label: (len(label), label))
    panel["patient"] = pd.Categorical(panel["patient"], categories=order, ordered=True)
    panel = panel.sort_values(list(KEYS[1:])).astype({"patient": "str"})
    first = [column for column in UNITS if column in panel]
    first += [column for column in panel if str(column).startswith("asi_")]
    rest = [column for column in panel if column not in first]
    return panel[first + rest].reset_index(drop=True)


def _reasons(panel: pd.DataFrame, interviews: pd.DataFrame) -> pd.Series:
    """Say of each interview that was not held why, as far as the trial recorded it."""
    died = panel["died"].eq(1)
    assumed = died.map({True: NOT_INTERVIEWED_DIED, False: NOT_INTERVIEWED})
    recorded = interviews[interviews["status"].ne(HELD)]
    recorded = recorded.set_index(["patient", "wave"])["status"]
    known = pd.Series(list(zip(panel["patient"], panel["wave"], strict=True)), panel.index)
    reason = known.map(recorded.to_dict())
    return reason.where(reason.notna(), assumed).mask(panel["observed"], "").astype("str")


def _extras(specification: Specification, per: str) -> dict[str, Column]:
    return {name: extra for name, extra in specification.extras.items() if extra.per == per}


def _decode_all(decoder: Decoder, columns: Mapping[str, Column]) -> pd.DataFrame:
    decoded = {name: decoder.decode(name, column) for name, column in columns.items()}
    return pd.DataFrame(decoded, index=decoder.raw.index)
