"""The HELP trial through the whole path, and the faults that must stop it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pooledtrials.pooling import (
    Choices,
    RawTableError,
    Trial,
    data_folder,
    harmonise,
    load_trial,
    read_raw,
)

EditTable = Callable[[Callable[[list[str]], list[str]]], Path]
EditText = Callable[[str, str], Path]


def set_value(row: int, column: str, value: str) -> Callable[[list[str]], list[str]]:
    """Change one field of a line (0 is the header)."""

    def change(lines: list[str]) -> list[str]:
        fields = lines[row].split(",")
        fields[lines[0].split(",").index(column)] = value
        return [*lines[:row], ",".join(fields), *lines[row + 1 :]]

    return change


def test_one_row_per_patient_and_planned_interview(help_trial: Trial) -> None:
    panel = help_trial.panel
    assert len(panel) == 470 * 5
    assert panel["patient"].nunique() == 470
    assert not panel.duplicated(["patient", "wave"]).any()
    assert panel.groupby("patient")["arm"].nunique().eq(1).all()


def test_counts_are_those_of_the_raw_table(help_trial: Trial) -> None:
    raw = pd.read_csv(data_folder() / "help" / "help.csv")
    panel = help_trial.panel
    assert panel["observed"].sum() == len(raw)
    by_wave = panel[panel["observed"]].groupby("wave").size()
    assert by_wave.tolist() == raw.groupby("TIME").size().tolist() == [470, 254, 217, 254, 277]


def test_composites_are_those_that_the_trial_stored() -> None:
    """The trial's own scores, made by its investigators: to the digits stored."""
    panel = load_trial("help", Choices(money="log_plus_one")).panel
    for area, compared in (("medical", 1472), ("alcohol", 1459), ("drug", 1469)):
        difference = panel[f"asi_{area}"] - panel[f"stored_asi_{area}"]
        assert difference.notna().sum() == compared
        assert difference.abs().max() < 1e-9
        pd.testing.assert_series_equal(
            panel[f"asi_{area}"].isna(), panel[f"stored_asi_{area}"].isna(), check_names=False
        )


def test_patient_one_by_hand(help_trial: Trial) -> None:
    """Line 2 and 3 of help.csv, read by eye."""
    first = help_trial.panel.query("patient == '1'").set_index("wave")
    assert first.loc[0, ["arm", "age", "female", "primary_substance"]].tolist() == [
        "health clinic", 37, 0, "cocaine",
    ]  # fmt: skip
    assert first.loc[0, "attendance"] == pytest.approx(30 / 7)
    assert first.loc[0, "days_drug"] == 30
    assert first.loc[6, "month"] == pytest.approx(241 / 30.4375)
    assert not first.loc[12, "observed"]
    assert first.loc[12, "missing_reason"] == "no interview"
    assert first.loc[12, ["attendance", "asi_drug", "month", "abstinent"]].isna().all()
    assert first["prior_attendance"].eq(first.loc[0, "attendance"]).all()


def test_abstinence_agrees_with_the_days(help_trial: Trial) -> None:
    seen = help_trial.panel.dropna(subset=["days_alcohol", "days_drug"])
    none = seen["days_alcohol"].eq(0) & seen["days_drug"].eq(0)
    assert seen["abstinent"].eq(1).equals(none)
    assert 0 < none.mean() < 1


def test_log_accounts_for_every_raw_value(help_trial: Trial) -> None:
    log = help_trial.log.to_frame()
    decoded = log[log["rule"].isin(["code", "number", "missing"])]
    rows = decoded.groupby("column")["rows"].sum()
    for per, expected in (("interview", 1472), ("patient", 470)):
        columns = list(help_trial.specification.columns(per))
        assert (rows[columns] == expected).all()
        rows = rows.drop(columns)
    assert rows.empty


def test_row_order_and_patient_labels_do_not_matter(help_trial: Trial, tmp_path: Path) -> None:
    specification = help_trial.specification
    lines = (data_folder() / "help" / "help.csv").read_text(encoding="utf-8").splitlines()
    relabelled = ["P" + line.split(",")[0].zfill(4) + line[line.index(",") :] for line in lines[1:]]
    np.random.default_rng(1).shuffle(relabelled)
    (tmp_path / "help.csv").write_text("\n".join([lines[0], *relabelled]), encoding="utf-8")
    panel = harmonise(specification, read_raw(specification, tmp_path)).panel
    expected = help_trial.panel.assign(patient="P" + help_trial.panel["patient"].str.zfill(4))
    pd.testing.assert_frame_equal(panel, expected)


def test_input_is_not_changed(help_trial: Trial) -> None:
    raw = read_raw(help_trial.specification, data_folder() / "help")
    before = copy.deepcopy(raw)
    harmonise(help_trial.specification, raw)
    pd.testing.assert_frame_equal(raw.interviews, before.interviews)
    pd.testing.assert_frame_equal(raw.patients, before.patients)


def test_choices_change_what_they_name_and_nothing_else(help_trial: Trial) -> None:
    cautious = load_trial("help", Choices(conversion="cautious")).panel
    changed = [name for name in cautious if not cautious[name].equals(help_trial.panel[name])]
    assert changed == ["attendance", "prior_attendance"]


TABLE_FAULTS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "missing column": (
        lambda lines: [lines[0].replace("E9B", "E9X"), *lines[1:]],
        r"help\.csv: no column 'E9B', asked for by attendance\.often; did you mean 'E9",
    ),
    "impossible code": (
        set_value(1, "E9B", "7"),
        r"attendance: not a code among 1, 2.*patient 1, month 0 \(help\.csv, line 2\): E9B = '7'",
    ),
    "unknown arm": (set_value(5, "GROUP", "2"), r"GROUP belongs to the patient but changes.*patient 2$"),
    "unknown arm throughout": (
        lambda lines: [
            set_value(i, "GROUP", "2")(lines)[i] if line.startswith("1,") else line
            for i, line in enumerate(lines)
        ],
        r"arm: not a code among 0, 1.*patient 1, month 0 .*GROUP = '2'",
    ),
    "missing arm": (set_value(1, "GROUP", ""), r"arm: no randomized arm.*patient 1, month 0"),
    "arm that changes": (set_value(4, "GROUP", "0"), r"GROUP belongs to the patient but changes.*patient 1$"),
    "unplanned visit": (set_value(2, "TIME", "7"), r"line 3: patient 1: TIME = '7' is not a planned"),
    "text for a number": (set_value(2, "H1_30", "many"), r"D1: not a finite number.*'many'"),
    "infinite": (set_value(2, "H1_30", "inf"), r"D1: not a finite number"),
    "out of bounds": (set_value(1, "AGE", "370"), r"age: not between 18 and 100"),
    "no patient number": (set_value(3, "ID", ""), r"help\.csv, line 4: no patient number in ID"),
    "duplicated interview": (
        lambda lines: [*lines[:-1], lines[1]],
        r"patient 1 has 2 interviews at month 0, lines 2, 1473; keep one",
    ),
    "no baseline": (
        set_value(1, "TIME", "12"),
        r"1 patients have no baseline interview, the first is patient 1",
    ),
    "truncated between lines": (lambda lines: lines[:700], r"699 rows where the specification declares 1472"),
    "truncated in a line": (
        lambda lines: [*lines[:700], lines[700][:40]],
        r"help\.csv, line 701: \d+ fields where the header has 53",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_broken_table_is_refused_with_the_place(fault: str, break_table: EditTable) -> None:
    change, message = TABLE_FAULTS[fault]
    path = break_table(change)
    before = sorted(path.parent.parent.rglob("*"))
    with pytest.raises(RawTableError, match=rf"(?s){message}"):
        load_trial(path)
    assert sorted(path.parent.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [("H8_30", "31", "31"), ("H18A", "5", "5"), ("H16A", "-10", "-10"), ("D3", "2.5", "2.5")],
)
def test_impossible_item_names_patient_item_and_value(
    column: str, value: str, found: str, break_table: EditTable
) -> None:
    items = {"H8_30": "D8", "H18A": "D28", "H16A": "D23", "D3": "M6"}
    path = break_table(set_value(3, column, value))
    with pytest.raises(ValueError, match=rf"patient 1\b.*18.*{items[column]}\b.*{found}"):
        load_trial(path)


def test_late_interviews_are_kept_and_flagged(help_trial: Trial) -> None:
    flags = help_trial.log.flags_to_frame()
    panel = help_trial.panel
    late = panel[panel["wave"].eq(24) & panel["month"].gt(30)]
    assert flags["doubt"].unique().tolist() == ["not within months 20.9 to 30: kept"]
    places = [f"patient {row.patient}, month 24 " for row in late.itertuples()]
    assert len(flags) == len(late) > 0
    assert all(place.startswith(tuple(places)) for place in flags["place"])


def test_a_code_declared_missing_is_missing_and_logged(
    break_table: EditTable, break_specification: EditText
) -> None:
    break_table(set_value(1, "RACE", "-9"))
    path = break_specification("visit: TIME", "visit: TIME\nmissing: [-9]")
    trial = load_trial(path)
    assert trial.panel["race"].isna().sum() == 5
    log = trial.log.to_frame()
    assert log.query("field == 'race' and before == '-9'")["rows"].tolist() == [1]


def test_decimal_commas_are_read_where_declared(
    help_trial: Trial, break_table: EditTable, break_specification: EditText
) -> None:
    break_table(lambda lines: [line.replace(",", ";").replace(".", ",") for line in lines])
    path = break_specification("rows: 1472}", "rows: 1472, separator: ';', decimal: ','}")
    panel = load_trial(path).panel
    np.testing.assert_array_equal(panel["physical_health"], help_trial.panel["physical_health"])
