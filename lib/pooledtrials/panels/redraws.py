"""Panels that chance could have given instead: patients drawn anew, or arms assigned anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import Codes


@dataclass(frozen=True)
class ResamplePatients:
    """Draws as many whole patients as there are, with replacement, within strata.

    A patient drawn twice is two patients, with labels of their own. Called with a panel and a
    generator, it returns a panel with a new index.

    Attributes
    ----------
    units : column of what is drawn, patients or the clusters that they come in
    patients : column of the patient, unique within strata and unit
    strata : columns; such as the trial, so that each trial keeps its size
    """

    units: str = "patient"
    patients: str = "patient"
    strata: Sequence[str] = ("trial",)

    def __call__(self, panel: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
        """One resampled panel.

        Raises
        ------
        ValueError
            For unknown columns and missing labels.
        """
        unit, stratum, _ = unit_codes(panel, self.units, self.strata)
        drawn = np.concatenate(
            [
                generator.choice(members, members.size)
                for members in (np.flatnonzero(stratum == s) for s in range(stratum.max() + 1))
            ]
        )
        order = np.argsort(unit, kind="stable")
        sizes = np.bincount(unit)
        starts = np.cumsum(sizes) - sizes
        copy = np.repeat(np.arange(drawn.size), sizes[drawn])
        place = np.arange(copy.size) - np.repeat(
            np.cumsum(sizes[drawn]) - sizes[drawn], sizes[drawn]
        )
        rows = order[starts[drawn][copy] + place]
        found = panel.iloc[rows].reset_index(drop=True)
        person, _, _ = unit_codes(panel, self.patients, [*self.strata, self.units])
        labels = pd.factorize(pd.Series(copy) * (int(person.max()) + 1) + person[rows])[0]
        return found.assign(**{self.units: copy, self.patients: labels})


@dataclass(frozen=True)
class PermuteBetweenUnits:
    """Exchanges columns between units of a stratum, as randomization could have.

    Called with a panel and a generator, it returns a panel with the same index.

    Attributes
    ----------
    columns : what was randomized, constant in each unit, such as the arm and its indicator
    units : column of what was randomized: patients, or clusters
    strata : columns within which it was, such as the trial
    """

    columns: Sequence[str]
    units: str = "patient"
    strata: Sequence[str] = ("trial",)

    def __call__(self, panel: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
        """One panel with the columns exchanged.

        Raises
        ------
        ValueError
            For unknown columns, missing labels, and a column that varies within a unit.
        """
        if isinstance(self.columns, str):
            raise ValueError(f"columns is {self.columns!r}: give a list of names")
        unit, stratum, first = unit_codes(panel, self.units, self.strata)
        other = np.empty(stratum.size, dtype=np.intp)
        for s in range(stratum.max() + 1):
            members = np.flatnonzero(stratum == s)
            other[members] = generator.permutation(members)
        changed = {}
        for name in self.columns:
            if name not in panel:
                raise ValueError(f"columns has {name!r}, which the panel does not")
            values = panel[name].reset_index(drop=True)
            own = values.iloc[first[unit]].reset_index(drop=True)
            mixed = np.unique(unit[~((values == own) | (values.isna() & own.isna()))]).size
            if mixed:
                raise ValueError(
                    f"columns: {name} varies within {mixed} units, so that it was not what was"
                    " randomized: resample patients instead"
                )
            changed[name] = values.iloc[first[other[unit]]].array
        return panel.assign(**changed)


def unit_codes(
    panel: pd.DataFrame, units: str, strata: Sequence[str]
) -> tuple[Codes, Codes, Codes]:
    """Unit of each row, stratum of each unit, and each unit's first row.

    Raises
    ------
    ValueError
        For unknown columns and missing labels.
    """
    if isinstance(strata, str):
        raise ValueError(f"strata is {strata!r}: give a list of columns")
    for name in (units, *strata):
        if name not in panel:
            raise ValueError(
                f"panel has no column {name!r}: say which holds units, patients and strata"
            )
        missing = int(panel[name].isna().sum())
        if missing:
            raise ValueError(f"{name} is missing in {missing} of {len(panel)} rows: label them")
    unit = panel.groupby([*strata, units], sort=True).ngroup().to_numpy()
    stratum = panel.groupby(list(strata)).ngroup().to_numpy() if strata else unit * 0
    first = np.unique(unit, return_index=True)[1]
    return unit.astype(np.intp), stratum[first].astype(np.intp), first.astype(np.intp)
