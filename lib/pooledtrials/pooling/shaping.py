"""Raw tables in whatever layout to one shape: a row per interview and a row per patient."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pooledtrials.pooling.decoding import canonical
from pooledtrials.pooling.log import HarmonisationLog
from pooledtrials.pooling.reading import RawTableError, read_table
from pooledtrials.pooling.specification import Specification, Table
from pooledtrials.pooling.yaml_file import nearest


@dataclass(frozen=True)
class RawTrial:
    """A trial's raw values, still text, with where each row stands in the files.

    ``interviews`` has a row per interview in the table, ``keys`` its patient and planned month.
    ``patients`` has a row per patient and is indexed by patient.
    """

    interviews: pd.DataFrame
    keys: pd.DataFrame
    interview_places: pd.Series
    patients: pd.DataFrame
    patient_places: pd.Series


def read_raw(
    specification: Specification, folder: Path, log: HarmonisationLog | None = None
) -> RawTrial:
    """Read a trial's raw tables, keep the declared columns and bring them to one shape.

    Parameters
    ----------
    specification
        What the trial declares.
    folder
        Where its tables are.
    log
        Where interviews that were not planned are flagged, if the specification lets them be.

    Raises
    ------
    RawTableError
        As `reading.read_table`; and if a declared column is absent, an interview has no patient,
        is not a planned one or stands in the table twice, a patient stands in the patients' table
        twice or not at all or has no baseline interview, or a quantity of the patient changes
        between interviews. The message names file, line, patient and interview.
    """
    log = HarmonisationLog(specification.trial) if log is None else log
    if specification.tables.interviews.layout == "wide":
        return _wide(specification, folder)
    return _long(specification, folder, log)


def _long(specification: Specification, folder: Path, log: HarmonisationLog) -> RawTrial:
    table = specification.tables.interviews
    separate = specification.tables.patients
    asked = specification.columns("interview")
    of_patients = specification.columns("patient")
    visit = specification.visit or ""
    wanted = {specification.patient: "patient", visit: "visit"} | asked
    raw = _read(folder, table, wanted if separate else wanted | of_patients)
    keys = _keys(specification, raw, log)
    raw = raw.loc[keys.index]
    places = _places(table.file, keys)
    if separate is None:
        _constant(specification, raw[list(of_patients)], keys)
        at_start = keys.index[keys["wave"].eq(0)]
        patients = raw.loc[at_start, list(of_patients)]
        patient_places = places[at_start].set_axis(keys.loc[at_start, "patient"])
        patients = patients.set_axis(keys.loc[at_start, "patient"])
        _refuse_strangers(table.file, keys, patients.index, "baseline interview")
    else:
        patients = _read(folder, separate, {specification.patient: "patient"} | of_patients)
        patients, patient_places = _one_row_each(specification, separate.file, patients)
        patients = patients[list(of_patients)]
        _refuse_strangers(table.file, keys, patients.index, f"row in {separate.file}")
    return RawTrial(raw[list(asked)], keys, places, patients, patient_places)


def _wide(specification: Specification, folder: Path) -> RawTrial:
    table = specification.tables.interviews
    asked = specification.columns("interview")
    of_patients = specification.columns("patient")
    codes = {canonical(wave.code): wave.month for wave in specification.waves}
    wanted = {specification.patient: "patient"} | of_patients
    for column, field in asked.items():
        wanted |= {column.replace("{visit}", code): field for code in codes}
    raw = _read(folder, table, wanted)
    patients, patient_places = _one_row_each(specification, table.file, raw)
    blocks, keys = [], []
    for code, month in codes.items():
        at_visit = {column.replace("{visit}", code): column for column in asked}
        blocks.append(patients[list(at_visit)].set_axis(list(at_visit.values()), axis=1))
        keys.append(pd.DataFrame({"patient": patients.index, "wave": month}))
    interviews = pd.concat(blocks, ignore_index=True)
    key = pd.concat(keys, ignore_index=True)
    line = patient_places.str.extract(r"(\(.*\))")[0]
    places = "patient " + key["patient"] + ", month " + key["wave"].astype(str) + " "
    places = places + key["patient"].map(line)
    return RawTrial(interviews, key, places, patients[list(of_patients)], patient_places)


def _read(folder: Path, table: Table, wanted: dict[str, str]) -> pd.DataFrame:
    raw = read_table(folder / table.file, table)
    absent = [
        f"{table.file}: no column {column!r}, asked for by {field}; {nearest(column, raw.columns)}"
        for column, field in wanted.items()
        if column not in raw.columns
    ]
    if absent and len(raw.columns) == 1:
        absent.append(f"{table.file}: the table has one column: is {table.separator!r} right?")
    if absent:
        raise RawTableError("\n".join(absent))
    return raw[list(wanted)]


def _keys(specification: Specification, raw: pd.DataFrame, log: HarmonisationLog) -> pd.DataFrame:
    """Return patient and planned month of each row, refusing what cannot be told apart."""
    file, column = specification.tables.interviews.file, specification.visit or ""
    patient = _patient_labels(specification, file, raw)
    months = {canonical(wave.code): wave.month for wave in specification.waves}
    visit = raw[column].map(canonical)
    unplanned = ~visit.isin(list(months))
    if unplanned.any() and specification.unplanned == "error":
        line = unplanned.idxmax()
        raise RawTableError(
            f"{file}, line {line}: patient {patient[line]}: {column} = {visit[line]!r} is not a "
            f"planned interview; {nearest(visit[line], months)}"
        )
    stray = pd.Series([f"patient {label} ({file}, line {line})" for line, label in patient.items()],
                      index=raw.index)  # fmt: skip
    log.flag(stray, "visit", visit, unplanned, "not a planned interview: left out")
    keys = pd.DataFrame({"patient": patient, "wave": visit.map(months)})[~unplanned]
    keys["wave"] = keys["wave"].astype(int)
    repeated = keys.duplicated(keep=False)
    if repeated.any():
        first = keys.index[repeated][0]
        same = keys.index[(keys == keys.loc[first]).all(axis=1)]
        raise RawTableError(
            f"{file}: patient {keys['patient'][first]} has {len(same)} interviews at month "
            f"{keys['wave'][first]}, lines {', '.join(map(str, same))}; keep one"
        )
    return keys


def _patient_labels(specification: Specification, file: str, raw: pd.DataFrame) -> pd.Series:
    labels = raw[specification.patient]
    patient = labels.map({label: canonical(label) for label in labels.unique()})
    if patient.eq("").any():
        line = patient.eq("").idxmax()
        raise RawTableError(f"{file}, line {line}: no patient number in {specification.patient}")
    return patient


def _one_row_each(
    specification: Specification, file: str, raw: pd.DataFrame
) -> tuple[pd.DataFrame, pd.Series]:
    """Index a table by patient and say where each stands."""
    patient = _patient_labels(specification, file, raw)
    repeated = patient.duplicated(keep=False)
    if repeated.any():
        label = patient[repeated].iloc[0]
        lines = ", ".join(str(line) for line in patient.index[patient.eq(label)])
        raise RawTableError(f"{file}: patient {label} stands on lines {lines}; keep one")
    places = [f"patient {label} ({file}, line {line})" for line, label in patient.items()]
    index = pd.Index(patient, name="patient")
    return raw.set_axis(index), pd.Series(places, index=index)


def _places(file: str, keys: pd.DataFrame) -> pd.Series:
    places = "patient " + keys["patient"] + ", month " + keys["wave"].astype(str)
    return places + f" ({file}, line " + keys.index.astype(str) + ")"


def _refuse_strangers(file: str, keys: pd.DataFrame, known: pd.Index, lacking: str) -> None:
    strangers = sorted(set(keys["patient"]) - set(known))
    if strangers:
        raise RawTableError(
            f"{file}: {len(strangers)} patients have no {lacking}, the first is patient "
            f"{strangers[0]}; every randomized patient needs one"
        )


def _constant(specification: Specification, raw: pd.DataFrame, keys: pd.DataFrame) -> None:
    """Refuse a quantity of the patient that changes between interviews where it is given."""
    unknown = {"", *map(canonical, specification.missing)}
    for column in raw:
        values = raw[column].map(canonical)
        given = ~values.isin(unknown)
        varying = values[given].groupby(keys.loc[given, "patient"]).nunique().gt(1)
        if varying.any():
            raise RawTableError(
                f"{specification.tables.interviews.file}: {column} belongs to the patient but "
                f"changes between interviews for {int(varying.sum())} patients, the first is "
                f"patient {varying.idxmax()}"
            )
