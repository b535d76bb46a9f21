"""A study before it is run: designs, cells, settings, the blocks it is cut into, and its digest.

A block is what one task computes: some replications of one cell, with a random stream keyed by the
cell's and the block's number. Nothing else decides its bits, neither where it runs nor what runs
beside it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from types import CodeType
from typing import Any, Final, NamedTuple

import numpy as np

from pooledtrials.arguments import whole
from pooledtrials.planning.montecarlo.design import Cell, Design
from pooledtrials.planning.montecarlo.samplers import ROWS_BLOCK, SAMPLERS
from pooledtrials.planning.montecarlo.settings import Settings

KERNEL: Final = 2
"""Version of what the engine computes: raised whenever the same seed gives other numbers."""

_ROW_TEST_REPS: Final = ROWS_BLOCK
_ROWS: Final = 2**25
_MOMENT_REPS: Final = {"wishart": 2**20, "cell_wishart": 2**18}


class Block(NamedTuple):
    """``reps`` replications: block ``number`` of cell ``cell``."""

    cell: int
    number: int
    reps: int


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that decides a study's numbers.

    Attributes
    ----------
    designs, cells : tuples; each cell names its design by number
    reps : replications of each cell
    settings : Settings
    block : replications of a block, or None for a third of a second's worth
    """

    designs: tuple[Design, ...]
    cells: tuple[Cell, ...]
    reps: int
    settings: Settings
    block: int | None = None

    def __post_init__(self) -> None:
        whole(self.reps, "reps", 1)
        if self.block is not None:
            whole(self.block, "block", 1)
        for name, values in (("design", self.designs), ("cells", self.cells)):
            if not values:
                raise ValueError(f"{name} has 0 entries: give at least one {name.title()[:6]}")
        for i, cell in enumerate(self.cells):
            if not 0 <= cell.design < len(self.designs):
                raise ValueError(
                    f"design of cell {i} is {cell.design}, but there are {len(self.designs)}"
                    " designs, numbered from 0"
                )
            cell.check(self.designs[cell.design], f"cell {i}")
        several = len(self.designs) > 1
        for i, design in enumerate(self.designs):
            self.settings.check(design, f"design {i}" if several else "the design")
        for cell in self.cells:  # one replication: samplers and laws refuse before anything runs
            generator = np.random.default_rng(0)
            sampler = SAMPLERS[self.settings.sampler]
            sampler(
                self.designs[cell.design], cell, 1, generator, self.settings.covariances, "numpy"
            )

    def design_of(self, cell: int) -> Design:
        """The design of a cell, by the cell's number."""
        return self.designs[self.cells[cell].design]

    def block_reps(self, design: Design) -> int:
        """Replications of a full block."""
        if self.block is not None:
            return self.block
        if self.settings.row_tests:
            return _ROW_TEST_REPS
        if self.settings.sampler == "rows":
            return max(_ROWS // design.nobs // ROWS_BLOCK, 1) * ROWS_BLOCK
        return _MOMENT_REPS[self.settings.sampler]

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks, cell after cell."""
        found = []
        for i in range(len(self.cells)):
            size = self.block_reps(self.design_of(i))
            for j, start in enumerate(range(0, self.reps, size)):
                found.append(Block(i, j, min(size, self.reps - start)))
        return tuple(found)

    def record(self) -> dict[str, Any]:
        """What the digest is taken of, fit for JSON: arrays and functions by digests of theirs.

        Raises
        ------
        ValueError
            For a cell's own errors, or ``block``, that cannot be told from others after this
            process has ended.
        """
        return {
            "kernel": KERNEL,
            "versions": {name: _version(name) for name in ("numpy", "scipy", "numba")},
            "settings": asdict(self.settings),
            "reps": int(self.reps),
            "block": None if self.block is None else int(self.block),
            "designs": [
                {
                    "nobs": design.nobs,
                    "arrays": _digest(
                        design.q,
                        design.basis,
                        design.cells,
                        design.z,
                        design.controls,
                        design.clusters,
                        design.strata,
                    ),
                }
                for design in self.designs
            ],
            "cells": [
                {
                    "design": cell.design,
                    "effect": float(cell.effect),
                    "rho": float(cell.rho),
                    "shared": float(cell.shared),
                    "arrays": _digest(np.asarray(cell.theta), cell.scale, cell.deviations),
                    "errors": None if cell.errors is None else _function_digest(cell.errors, i),
                }
                for i, cell in enumerate(self.cells)
            ],
        }

    def digest(self) -> str:
        """Sixty-four hexadecimal digits that two plans share only if their numbers are the same."""
        return hashlib.sha256(json.dumps(self.record(), sort_keys=True).encode()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _digest(*arrays: Any) -> str:
    found = hashlib.sha256()
    for array in arrays:
        values = np.ascontiguousarray(np.empty(0) if array is None else array)
        found.update(f"{array is None} {values.dtype.str} {values.shape};".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def _function_digest(function: Callable[..., Any], cell: int) -> str:
    """Of a function its name and its code, of another object what pickle writes."""
    try:
        found = hashlib.sha256(pickle.dumps(function))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"errors of cell {cell} cannot be kept apart from others in a folder ({error}): give a"
            " function of a module, or an object that can be pickled"
        ) from error
    code = getattr(function, "__code__", None)
    if code is not None:
        found.update(_code(code))
    return found.hexdigest()


def _code(code: CodeType) -> bytes:
    """Instructions and constants, of functions within too."""
    constants = [
        _code(value)
        if isinstance(value, CodeType)
        else repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value).encode()
        for value in code.co_consts
    ]
    return b" ".join([code.co_code, *map(str.encode, code.co_names), *constants])
