"""Operating characteristics of a study as one long table, with Monte Carlo errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from pooledtrials.planning.montecarlo.design import Cell
from pooledtrials.planning.montecarlo.tally import Tally

_COVARIANCES = ("robust", "clustered")


def characteristics(cells: Sequence[Cell], tallies: Sequence[Mapping[str, Tally]]) -> pd.DataFrame:
    """A row per cell, method, covariance and characteristic; see `Study.characteristics`."""
    rows = [
        {**cell.labels, "method": method, "covariance": covariance, "characteristic": name}
        | {"value": value, "mc_error": error}
        for cell, found in zip(cells, tallies, strict=True)
        for outcome, tally in found.items()
        for method, covariance, name, value, error in _rows(outcome, tally)
    ]
    return pd.DataFrame(rows)


def _rows(outcome: str, tally: Tally) -> Iterator[tuple[str, str, str, float, float]]:
    """What one outcome says: method, covariance, characteristic, value, Monte Carlo error."""
    kind, _, name = outcome.partition(": ")
    method, covariance = _split(name)
    share = (tally.mean, tally.standard_error)
    if kind == "error":
        # an estimate's covariance is none
        yield method, "", "mean bias", tally.mean, tally.standard_error
        yield method, "", "median bias", tally.quantile(0.5), tally.median_standard_error
    elif kind == "covers":
        yield method, covariance, "size", 1 - tally.mean, tally.standard_error
    elif kind.startswith("rejects "):
        yield method, covariance, f"power at {kind.removeprefix('rejects ')}", *share
    elif kind == "length":
        yield method, covariance, "median length", tally.quantile(0.5), tally.median_standard_error
    elif kind == "unbounded":
        yield method, covariance, "unbounded", *share
    elif kind == "F":
        covariance = "classical" if not name else _split(name)[1]
        covariance = "robust" if name == "effective" else covariance
        label = "effective F" if name else "first-stage F"
        yield label, covariance, "mean", tally.mean, tally.standard_error


def _split(name: str) -> tuple[str, str]:
    """A method and its covariance."""
    for word in _COVARIANCES:
        if name.endswith(f" {word}"):
            return name.removesuffix(f" {word}"), word
    return name, "classical"
