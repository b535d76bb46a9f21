"""A specification that cannot be used is refused with file, field, what was found and a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pooledtrials.pooling import SpecificationError, data_folder, read_specification

Edit = Callable[[str, str], Path]

FAULTS = {
    "unknown field": ("population:", "populaton:", r"'populaton'.*did you mean 'population'"),
    "field twice": ("title: Health", "trial: help\ntitle: Health", r"'trial' appears more than once"),
    "no title": ("title: Health", "# title: Health", r"title: this field is required"),
    "unknown item": ("  D31: H19B", "  D331: H19B", r"unknown ASI item 'D331'; did you mean 'D31'"),
    "unknown source": ("source: real", "source: reel", r"source: .*did you mean 'real'.*'reel'"),
    "unknown role": ("role: active", "role: activ", r"arms.1.role.*did you mean 'active'"),
    "one role": ("role: active", "role: comparison", r"need both roles.*found \['comparison'\]"),
    "two arms of one code": ("code: 1\n", "code: 0\n", r"arm code 0 appears more than once"),
    "two waves of one code": ("{code: 6,", "{code: 12,", r"wave code 12 appears more than once"),
    "waves out of order": ("month: 6, window: [5, 9.1]", "month: 19, window: [5, 20]", r"months must start at 0"),
    "window without its month": ("window: [15, 21]", "window: [19, 21]", r"must contain the planned month"),
    "wrong type": ("rows: 1472", "rows: many", r"tables.interviews.rows: .*integer.*'many'"),
    "unknown layout": ("layout: long", "layout: wid", r"tables.interviews.layout: unknown value"),
    "unknown frequency": ("3: weekly", "3: weakly", r"unknown frequency 'weakly'; did you mean 'weekly'"),
    "bad name": ("trial: help", "trial: Help me", r"trial: .*pattern"),
    "not YAML": ("folder: ../help", "folder: [../help", r"not a readable YAML file"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named(fault: str, break_specification: Edit) -> None:
    old, new, message = FAULTS[fault]
    with pytest.raises(SpecificationError, match=rf"(?s)^help\.yaml.*{message}"):
        read_specification(break_specification(old, new))


def test_every_fault_is_listed_at_once(break_specification: Edit) -> None:
    break_specification("source: real", "source: reel")
    path = break_specification("layout: long", "layout: wid")
    with pytest.raises(SpecificationError) as error:
        read_specification(path)
    assert len(str(error.value).splitlines()) == 2


def test_absent_trial_names_the_nearest_there_is() -> None:
    with pytest.raises(SpecificationError, match=r"halp.yaml: no such file.*did you mean 'help'"):
        read_specification(data_folder() / "trials" / "halp.yaml")


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "42"])
def test_a_file_that_is_not_a_mapping_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(content)
    with pytest.raises(SpecificationError, match=r"x\.yaml: expected fields"):
        read_specification(path)


def test_shipped_specifications_are_valid_and_named_for_their_files() -> None:
    paths = sorted((data_folder() / "trials").glob("*.yaml"))
    assert paths
    assert [read_specification(path).trial for path in paths] == [path.stem for path in paths]
