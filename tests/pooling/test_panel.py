"""The schema refuses a panel that contradicts itself; the flow adds up."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import pytest

from pooledtrials.pooling import PanelError, Trial, check_panel, participant_flow, shown_flow


def set_first(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(panel: pd.DataFrame) -> pd.DataFrame:
        panel = panel.copy()
        panel.loc[3, column] = value
        return panel

    return change


FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "no column": (lambda panel: panel.drop(columns="arm"), "arm"),
    "attendance above 30": (set_first("attendance", 31.0), "attendance: in_range(0, 30) fails at row 3 (found 31.0)"),
    "composite above 1": (set_first("asi_drug", 1.2), "asi_drug: in_range(0, 1.05) fails at row 3"),
    "half an arm": (set_first("active", 0.5), "active: isin([0.0, 1.0]) fails at row 3"),
    "negative wave": (set_first("wave", -1.0), "wave: greater_than_or_equal_to(0) fails"),
    "reason for an interview held": (set_first("missing_reason", "no interview"), "panel: observed and missing_reason contradict"),
    "answers without an interview": (lambda panel: panel.assign(observed=panel["wave"].eq(0), missing_reason=panel["wave"].eq(0).map({True: "", False: "lost"})), "panel: an interview that was not held has answers"),
    "a row twice": (lambda panel: pd.concat([panel, panel.head(1)], ignore_index=True), "unique"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named(fault: str, help_trial: Trial) -> None:
    change, message = FAULTS[fault]
    with pytest.raises(PanelError, match=rf"(?s)^somewhere: .*{re.escape(message)}"):
        check_panel(change(help_trial.panel), "somewhere")


def test_flow_adds_up(help_trial: Trial) -> None:
    flow = participant_flow(help_trial.panel)
    assert (flow["interviewed"] + flow["not_interviewed"] == flow["randomized"]).all()
    assert (flow["died"] <= flow["not_interviewed"]).all()
    assert flow["randomized"].unique().tolist() == [235]
    assert flow["interviewed"].sum() == help_trial.panel["observed"].sum() == 1472
    assert (flow["share"] == flow["interviewed"] / 235).all()
    assert flow.xs(0.0, level="wave")["not_interviewed"].eq(0).all()


def test_flow_of_nothing_is_refused(help_trial: Trial) -> None:
    with pytest.raises(ValueError, match="panel: no rows to count"):
        participant_flow(help_trial.panel.head(0))


def test_flow_of_private_records_hides_small_counts_and_their_complements(
    help_trial: Trial,
) -> None:
    few = help_trial.panel[help_trial.panel["patient"].astype(int) <= 60]
    pd.testing.assert_frame_equal(shown_flow(few), participant_flow(few))
    counts, shown = participant_flow(few), shown_flow(few, ["help"])
    assert set(shown["share"]) == {"hidden"}
    small = counts["not_interviewed"].between(1, 10)
    assert small.any()
    assert shown.loc[small, "not_interviewed"].eq("<11").all()
    assert shown.loc[small, "interviewed"].isin(["hidden", "<11"]).all()
    assert not shown["died"].isin([str(n) for n in range(1, 11)]).any()
