"""Worst-case bounds for missing outcomes: what randomization still says when people are lost."""

from __future__ import annotations

import numpy as np

from pooledtrials.arguments import Columns, cluster_codes, one_column, same_index, zero_one
from pooledtrials.selection.bounds import Bounds
from pooledtrials.selection.counterfactual_means import (
    Item,
    Ledger,
    outcome_limits,
    within,
)


def missing_outcome_bounds(
    y: Columns,
    z: Columns,
    clusters: Columns | None = None,
    *,
    observed: Columns,
    outcome_range: tuple[float, float],
) -> Bounds:
    """Bounds on the difference of two randomized arms whatever the missing outcomes are.

    Missing outcomes are set to one end of the range in one arm and to the other end in the other
    [horowitz2000nonparametric]. The width is the range times the sum of the two arms' shares
    missing.

    Parameters
    ----------
    y : (n,)
        Outcome; where not observed its value is ignored and may be missing.
    z : (n,) of 0 and 1
        Arm as randomized.
    clusters : (n,) labels, optional
    observed : (n,) of 0 and 1
        Whether the outcome is known.
    outcome_range : least and greatest value the outcome can take, by its definition

    Raises
    ------
    ValueError
        For unusable arguments, or outcomes outside the range.
    """
    same_index(y=y, z=z, clusters=clusters, observed=observed)
    seen = zero_one(observed, "observed", may_be_constant=True)
    n = seen.size
    arm = zero_one(z, "z", n)
    raw = np.asarray(y, dtype=float)
    if raw.shape != (n,):
        raise ValueError(f"y has shape {raw.shape} but observed has {n} rows: give one column")
    known = one_column(raw[seen == 1], "y", "give one outcome at a time")
    limits = outcome_limits(known, outcome_range)
    ledger, ends = Ledger(), {}
    for a in (0, 1):
        cell = arm == a
        for side, fill in zip((-1, 1), limits, strict=True):
            filled = np.where(seen == 1, raw, fill)[cell]
            mean = float(filled.mean())
            ends[a, side] = [(ledger.add(within(Item(mean, filled - mean), cell)),)]
    codes = cluster_codes(clusters, n)
    return Bounds(
        "difference of the arms' mean outcomes",
        (),
        (),
        ledger.candidates(ends[1, -1], ends[0, 1], codes),
        ledger.candidates(ends[1, 1], ends[0, -1], codes),
    )
