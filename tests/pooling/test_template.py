"""The template of a reader's own trial works as shipped, and explains every field there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from pooledtrials.pooling import Specification, data_folder, load_pool, load_trial
from pooledtrials.pooling.pool import PoolFile
from pooledtrials.pooling.report import check
from pooledtrials.pooling.yaml_file import Section

TRIAL, POOL = "trial.yaml", "pool.yaml"


def template(name: str) -> Path:
    return data_folder() / "template" / name


def sections(section: type[Section]) -> Iterator[type[Section]]:
    """Yield a section and every section that its fields can hold."""
    yield section
    for field in section.model_fields.values():
        for held in inside(field.annotation):
            yield from sections(held)


def inside(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from inside(part)


def comments(name: str) -> str:
    lines = template(name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.lstrip().startswith("#"))


@pytest.mark.parametrize("name", [TRIAL, POOL])
def test_template_is_ready_as_shipped(name: str) -> None:
    ready, report = check(template(name))
    assert ready, report
    assert "my_trial: An invented trial (replace) (private records)" in report


def test_every_field_is_explained() -> None:
    said = comments(TRIAL)
    fields = {field for section in sections(Specification) for field in section.model_fields}
    assert {"arms", "window", "otherwise", "often", "format", "per"} <= fields  # the walk is deep
    silent = sorted(field for field in fields if not re.search(rf"(?<!\w){field}\b", said))
    assert silent == []


def test_every_field_of_a_pool_is_explained() -> None:
    said = comments(POOL)
    assert all(f"# {field}: " in said for field in PoolFile.model_fields)


def test_optional_fields_are_called_optional() -> None:
    said = comments(TRIAL)
    for name, field in Specification.model_fields.items():
        optional = re.search(rf"# {name} \(optional\): ", said) is not None
        assert optional == (not field.is_required()) or name == "visit", name


def test_template_says_that_its_records_are_invented() -> None:
    for name in (TRIAL, POOL):
        assert "invented" in template(name).read_text(encoding="utf-8").lower()
    assert "An invented trial (replace)" in load_trial(template(TRIAL)).specification.title


def test_template_can_be_analysed_beside_help() -> None:
    pool = load_pool(template(POOL))
    mine = pool.panel[pool.panel["trial"].eq("my_trial")]
    assert mine["patient"].nunique() == 24
    assert mine[["asi_drug", "asi_alcohol", "attendance", "taking_steps"]].notna().any().all()
    assert len(pool.flags[pool.flags["trial"].eq("my_trial")]) == 0
    assert not mine.loc[~mine["observed"], "missing_reason"].eq("").any()
