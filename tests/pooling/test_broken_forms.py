"""Every form can break in its own way: a clear error or a flagged row, never a wrong panel."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pooledtrials.pooling import (
    RawTableError,
    SpecificationError,
    Trial,
    data_folder,
    load_trial,
    participant_flow,
)

Lines = list[str]
Change = Callable[[Lines], Lines]


class Workshop:
    """A copy of the synthetic trials that a test may break."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(data_folder() / "trials", folder / "trials")
        shutil.copytree(data_folder() / "six", folder / "six")
        self.folder = folder

    def table(self, file: str, change: Change, encoding: str = "utf-8") -> None:
        path = self.folder / "six" / file
        lines = path.read_bytes().decode(encoding).splitlines()
        path.write_bytes(("\n".join(change(lines)) + "\n").encode(encoding))

    def specification(self, trial: str, old: str, new: str) -> None:
        path = self.folder / "trials" / f"{trial}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{trial}.yaml does not hold {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def load(self, trial: str) -> Trial:
        return load_trial(self.folder / "trials" / f"{trial}.yaml")


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "data")


def field(row: int, column: str, value: str, separator: str = ",") -> Change:
    def change(lines: Lines) -> Lines:
        fields = lines[row].split(separator)
        fields[lines[0].split(separator).index(column)] = value
        return [*lines[:row], separator.join(fields), *lines[row + 1 :]]

    return change


def column(name: str, value: str, separator: str = ",") -> Change:
    def change(lines: Lines) -> Lines:
        place = lines[0].split(separator).index(name)
        rows = [line.split(separator) for line in lines[1:]]
        return [lines[0], *(separator.join([*r[:place], value, *r[place + 1 :]]) for r in rows)]

    return change


def twice(row: int) -> Change:
    return lambda lines: [*lines, lines[row]]


def without(row: int) -> Change:
    return lambda lines: [*lines[:row], *lines[row + 1 :]]


ERRORS: dict[str, tuple[str, str, Change, str, str]] = {
    "patient twice in the patients' table": ("stage12", "stage12_patients.csv", lambda ls: [*ls[:-1], ls[1]], "utf-8", r"patient 1 stands on lines 2, 472; keep one"),
    "patient absent from the patients' table": ("cra_tsf", "cra_tsf_enrolled.csv", lambda ls: [*ls[:-1], ls[-1].replace("S-145", "S-999")], "utf-8", r"have no row in cra_tsf_enrolled\.csv, the first is patient S-145"),
    "fewer patients than declared": ("stage12", "stage12_patients.csv", without(5), "utf-8", r"470 rows where the specification declares 471"),
    "unknown arm": ("stage12", "stage12_patients.csv", field(3, "ARM", "XX"), "utf-8", r"arm: not a code among TAU, S12.*patient 3 \(stage12_patients\.csv, line 4\): ARM = 'XX'"),
    "unknown status": ("stage12", "stage12_visits.csv", field(1, "VSTATUS", "Q"), "utf-8", r"status: not a code among C, N, W, D"),
    "no status": ("stage12", "stage12_visits.csv", field(1, "VSTATUS", "-9"), "utf-8", r"status: no status given"),
    "answers from a missed visit": ("stage12", "stage12_visits.csv", field(1, "VSTATUS", "N"), "utf-8", r"status: contradicted by an answer.*patient 1, month 0"),
    "31 days": ("stage12", "stage12_visits.csv", field(1, "ASI_D8", "31"), "utf-8", r"patient 1.*D8.*31"),
    "negative meetings": ("stage12", "stage12_visits.csv", field(1, "SHG_DAYS", "-3"), "utf-8", r"amount: -3 meetings at patient 1, month 0"),
    "another trial's missing code": ("stage12", "stage12_visits.csv", field(1, "ASI_D8", "."), "utf-8", r"D8: not a finite number.*ASI_D8 = '\.'"),
    "decimal point for comma": ("ccts", "ccts.csv", field(2, "months", "1.02.3", ";"), "utf-8", r"month: not a finite number.*'1\.02\.3'"),
    "comma as separator": ("ccts", "ccts.csv", lambda ls: [x.replace(";", ",") for x in ls], "utf-8", r"ccts\.csv, line 2: \d+ fields where the header has|no column"),
    "arm that changes between visits": ("ccts", "ccts.csv", field(2, "cond", "9", ";"), "utf-8", r"cond belongs to the patient but changes.*patient C0001"),
    "visit not planned": ("ccts", "ccts.csv", field(2, "visit", "M33", ";"), "utf-8", r"patient C0001: visit = 'M33' is not a planned interview; did you mean 'M03'"),
    "interview twice": ("ccts", "ccts.csv", twice(2), "utf-8", r"patient C0001 has 2 interviews at month 1"),
    "column of a wave missing": ("referral", "referral.csv", lambda ls: [ls[0].replace("D8_t6", "D8_t7"), *ls[1:]], "latin-1", r"no column 'D8_t6', asked for by items\.D8; did you mean"),
    "answer without a word": ("referral", "referral.csv", field(1, "meet_t0", "6"), "latin-1", r"attendance: not a code among 0, 1, 2, 3, 4, 5.*patient 1, month 0 \(referral\.csv, line 2\)"),
    "saved in another encoding": ("referral", "referral.csv", lambda ls: [x.replace("Número", "N\ufffdmero") if i == 0 else x for i, x in enumerate(ls)], "utf-8", r"no column 'Número'"),
    "rating from 0": ("disulfiram", "disulfiram.csv", field(1, "w0_d29", "0", "\t"), "utf-8", r"D29: not a code among 1, 2, 3, 4, 5"),
    "no date of randomization": ("cra_tsf", "cra_tsf_enrolled.csv", field(1, "randomized", "NA"), "utf-8", r"time\.randomized: no date of randomization"),
    "impossible date": ("cra_tsf", "cra_tsf_assessments.csv", field(1, "assessed", "2005-02-30"), "utf-8", r"month: not a date like %Y-%m-%d.*'2005-02-30'"),
    "dates in another order": ("hivcm", "hivcm.csv", field(1, "Interview date", "31/12/2005"), "utf-8-sig", r"month: not a date like %m/%d/%Y"),
    "meetings of someone who did not go": ("hivcm", "hivcm.csv", lambda ls: field(1, "Attended 12-step", "No")(field(1, "Meetings", "4")(ls)), "utf-8-sig", r"attendance: 1 answers say how much although attended is 0, the first at patient HIV001"),
}  # fmt: skip


@pytest.mark.parametrize("fault", ERRORS)
def test_fault_is_an_error_with_its_place(fault: str, workshop: Workshop) -> None:
    trial, file, change, encoding, message = ERRORS[fault]
    if fault == "saved in another encoding":
        path = workshop.folder / "six" / file
        path.write_bytes(path.read_bytes().decode("latin-1").encode("utf-16"))
        message = r"referral\.csv"
    else:
        workshop.table(file, change, encoding)
    with pytest.raises((RawTableError, ValueError), match=rf"(?s){message}"):
        workshop.load(trial)


SPECIFICATION_FAULTS = {
    "wide without visit": ("referral", '"day_{visit}"', '"day"', r"time: column 'day' needs \{visit\} in a wide table"),
    "long with visit": ("stage12", "amount: SHG_DAYS", "amount: 'SHG_{visit}'", r"may not have \{visit\} in a long table"),
    "wide with a visit column": ("referral", "patient: Número", "patient: Número\nvisit: VISIT", r"visit names the column of a long table"),
    "date without format": ("cra_tsf", 'format: "%Y-%m-%d", ', "", r"format and randomized go with unit date"),
    "days without amount": ("stage12", "amount: SHG_DAYS", "often: SHG_DAYS", r"asked: days needs amount, and no often"),
    "item asked and not asked": ("disulfiram", "not_asked: [D23]", "not_asked: [D1]", r"item D1 appears more than once"),
    "unknown status": ("stage12", "C: held", "C: hold", r"status: unknown 'hold'; did you mean 'held'"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SPECIFICATION_FAULTS)
def test_fault_of_a_specification_is_named(fault: str, workshop: Workshop) -> None:
    trial, old, new, message = SPECIFICATION_FAULTS[fault]
    workshop.specification(trial, old, new)
    with pytest.raises(SpecificationError, match=rf"(?s)^{trial}\.yaml: .*{message}"):
        workshop.load(trial)


def doubts(trial: Trial) -> dict[str, int]:
    return trial.log.flags_to_frame()["doubt"].value_counts().to_dict()


def test_interviews_at_odd_times_are_kept_and_flagged(workshop: Workshop) -> None:
    whole = workshop.load("stage12")
    late = field(2, "STUDYDAY", "400")
    workshop.table("stage12_visits.csv", lambda lines: late(field(3, "VSTATUS", "C")(lines)))
    trial = workshop.load("stage12")
    assert len(trial.panel) == len(whole.panel)
    assert "not within months 0.5 to 1.5: kept" in doubts(trial)
    assert trial.panel["month"].max() == pytest.approx(400 / 30.4375)


def test_an_interview_before_randomization_loses_its_time_and_is_flagged(
    workshop: Workshop,
) -> None:
    workshop.table("stage12_visits.csv", field(2, "STUDYDAY", "-40"))
    trial = workshop.load("stage12")
    assert doubts(trial)["before randomization: set to missing"] == 1
    assert trial.panel.loc[1, ["patient", "wave"]].tolist() == ["1", 1]
    assert np.isnan(trial.panel.loc[1, "month"])


def test_interviews_in_the_wrong_order_are_flagged(workshop: Workshop) -> None:
    rows = load_trial("stage12").panel.query("observed and wave in [1, 2]")
    patient = rows.groupby("patient").filter(lambda g: len(g) == 2)["patient"].iloc[0]
    lines = 5 * (int(patient) - 1)
    workshop.table("stage12_visits.csv", field(lines + 3, "STUDYDAY", "1"))
    flags = workshop.load("stage12").log.flags_to_frame()
    wrong = flags[flags["doubt"].eq("before the previous interview: kept")]
    assert wrong["place"].str.contains(f"patient {patient}, month 2").tolist() == [True]


def test_an_unplanned_interview_is_listed_where_that_is_allowed(workshop: Workshop) -> None:
    workshop.specification("ccts", "visit: visit", "visit: visit\nunplanned: flag")
    workshop.table("ccts.csv", field(2, "visit", "extra", ";"))
    trial = workshop.load("ccts")
    assert doubts(trial)["not a planned interview: left out"] == 1
    assert not trial.panel.query("patient == 'C0001' and wave == 1")["observed"].any()


def test_a_value_that_cannot_be_mapped_is_listed_where_that_is_allowed(workshop: Workshop) -> None:
    workshop.specification("ccts", "O: other}", "O: other}\n    otherwise: flag")
    workshop.table("ccts.csv", column("ethnic", "Z", ";"))
    trial = workshop.load("ccts")
    assert trial.panel["race"].isna().all()
    assert trial.log.flags_to_frame()["found"].eq("Z").sum() == 487


def test_an_outcome_that_nobody_answered_is_missing_and_not_zero(workshop: Workshop) -> None:
    workshop.table("stage12_visits.csv", column("ASI_D8", "-9"))
    panel = workshop.load("stage12").panel
    assert panel[["asi_drug", "days_drug", "abstinent"]].isna().all(axis=None)
    assert panel["asi_alcohol"].notna().any()


def test_the_order_of_columns_does_not_matter(workshop: Workshop) -> None:
    whole = workshop.load("cra_tsf").panel
    path = workshop.folder / "six" / "cra_tsf_assessments.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.iloc[:, ::-1].to_csv(path, index=False)
    pd.testing.assert_frame_equal(workshop.load("cra_tsf").panel, whole)


def test_a_first_interview_before_randomization_starts_at_zero(workshop: Workshop) -> None:
    start = pd.read_csv(workshop.folder / "six" / "cra_tsf_enrolled.csv")["randomized"][0]
    earlier = (pd.Timestamp(start) - pd.Timedelta(days=5)).strftime("%Y-%m-%d")
    workshop.table("cra_tsf_assessments.csv", field(1, "assessed", earlier))
    assert workshop.load("cra_tsf").panel.loc[0, "month"] == 0


def test_a_trial_forty_times_as_large_loses_no_row(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "data")
    path = workshop.folder / "six" / "cra_tsf_assessments.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    enrolled = workshop.folder / "six" / "cra_tsf_enrolled.csv"
    first, *patients = enrolled.read_text(encoding="utf-8").splitlines()
    copies = 40
    many = [row.replace("S-", f"S{copy}-", 1) for copy in range(copies) for row in rows]
    people = [row.replace("S-", f"S{copy}-", 1) for copy in range(copies) for row in patients]
    path.write_text("\n".join([header, *many]) + "\n", encoding="utf-8")
    enrolled.write_text("\n".join([first, *people]) + "\n", encoding="utf-8")
    workshop.specification("cra_tsf", "rows: 145", f"rows: {145 * copies}")
    panel = workshop.load("cra_tsf").panel
    assert panel["observed"].sum() == len(many)
    assert panel["patient"].nunique() == 145 * copies
    one = load_trial("cra_tsf").panel["asi_drug"].mean()
    assert panel["asi_drug"].mean() == pytest.approx(one)


def test_more_days_than_the_window_has_are_flagged(workshop: Workshop) -> None:
    workshop.table("stage12_visits.csv", field(1, "SHG_DAYS", "45"))
    trial = workshop.load("stage12")
    assert doubts(trial) == {"more days than the 30 asked about: read as all of them": 1}
    assert trial.panel.loc[0, "attendance"] == 30


def test_deaths_that_the_trial_recorded_are_in_its_flow(workshop: Workshop) -> None:
    workshop.table(
        "hivcm.csv", lambda lines: [x.replace("Withdrawn", "Deceased") for x in lines], "utf-8-sig"
    )
    trial = workshop.load("hivcm")
    flow = participant_flow(trial.panel)
    assert flow["died"].sum() == trial.panel["missing_reason"].eq("died").sum() > 0
    assert (flow["died"] <= flow["not_interviewed"]).all()
