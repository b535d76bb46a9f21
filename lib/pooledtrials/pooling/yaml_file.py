"""YAML files as declared sections: every fault named with file, field and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator


class SpecificationError(ValueError):
    """A trial specification that cannot be used; the message names file, field and remedy."""


def nearest(word: object, allowed: Iterable[object]) -> str:
    """Say which allowed spelling is nearest to a word, or list those allowed."""
    names = [str(name) for name in allowed]
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return (f"did you mean {close[0]!r}? " if close else "") + f"allowed: {listed}"


class Section(BaseModel):
    """One mapping of the YAML file; unknown keys are refused with the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            fields = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in fields:
                    raise ValueError(f"unknown field {key!r}; {nearest(key, fields)}")
        return data


class _UniqueKeys(yaml.SafeLoader):
    """YAML keeps the last of two equal keys in silence; a specification may not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: key {key!r} appears more than once")
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping, refusing a key that stands twice.

    Raises
    ------
    SpecificationError
        If the file is absent (the nearest one there is is named), is not YAML or not a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        siblings = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise SpecificationError(
            f"{path.name}: no such file; {nearest(path.stem, siblings)}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path.name}: not a readable YAML file: {error}") from None
    if not isinstance(content, dict):
        raise SpecificationError(f"{path.name}: expected fields such as trial, found {content!r}")
    return content


def sentences(path: Path, error: ValidationError) -> str:
    """Say each fault of a file in a line: file, field, what is wrong, what was found."""
    return "\n".join(f"{path.name}: {_sentence(dict(problem))}" for problem in error.errors())


def _sentence(problem: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "specification"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{place}: this field is required and is missing"
    if problem["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
        message = f"unknown value; {nearest(problem['input'], allowed)}"
    found = "" if isinstance(problem["input"], Mapping) else f" (found {problem['input']!r})"
    return f"{place}: {message}{found}"
