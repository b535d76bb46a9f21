"""An ordered exposure: which steps of it an instrument moves people up.

With an ordered exposure 2SLS is a weighted mean of the effects of each step up, the weights being
how much assignment moves people past that step [angrist1995two]. Meetings attended are such an
exposure: an instrument that turns none into a few says nothing about a few more.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    cluster_codes,
    label_codes,
    one_column,
    same_index,
    zero_one,
)
from pooledtrials.clusters import cluster_sums
from pooledtrials.instruments.noncompliance import influence_error

_MOST_VALUES = 50


def causal_response_weights(
    y: Columns,
    x: Columns,
    z: Columns,
    clusters: Columns | None = None,
    strata: Columns | None = None,
) -> pd.DataFrame:
    """Average causal response weights of an ordered exposure [angrist1995two].

    For each value v above the lowest, the shift is what assignment adds to the share that reaches
    v: ``P(x >= v | z = 1) - P(x >= v | z = 0)``, and its weight is the shift times the step below
    v, over the first stage. They add up to one; a negative one contradicts monotonicity (or is
    chance, see its error).

    With ``strata`` the shift is the coefficient of z in the regression of ``1[x >= v]`` on z and
    the strata's indicators, ``sum z~ 1[x >= v] / sum z~ z~`` with z~ the assignment less its mean
    in the row's stratum. Those are the weights of the 2SLS estimate with strata indicators: if the
    exposure's effect is a step function of x, the same for all, the weights times its slopes add up
    to that estimate exactly.

    Parameters
    ----------
    y : (n,)
        Outcome; checked, not used.
    x : (n,)
        Ordered exposure with at most 50 distinct values.
    z : (n,) of 0 and 1
    clusters : (n,) labels, optional
    strata : (n,) labels, optional
        Within which assignment was randomized, such as trials.

    Returns
    -------
    DataFrame
        Index: the value reached. Columns: ``shift`` (the difference of probabilities), its
        ``standard_error`` (HC0, or CR0), ``step`` (distance to the value below), ``weight``.

    Raises
    ------
    ValueError
        For unusable arguments, too many values, assignment that varies in no stratum, or a first
        stage of exactly zero.
    """
    same_index(y=y, x=x, z=z, clusters=clusters, strata=strata)
    n = one_column(y, "y", "give one outcome at a time").shape[0]
    exposure = one_column(x, "x", "give one exposure", n)
    assigned = zero_one(z, "z", n)
    codes, cells = cluster_codes(clusters, n), label_codes(strata, "strata", n)
    values = np.unique(exposure)
    if values.size > _MOST_VALUES:
        raise ValueError(
            f"x has {values.size} distinct values: group it into at most {_MOST_VALUES} ordered"
            " ones"
        )
    if values.size < 2:
        raise ValueError("x is constant: an exposure must vary")
    reached = _within((exposure[:, None] >= values[1:]).astype(float), cells)
    centred = _within(assigned[:, None], cells)
    square = float(np.sum(centred**2))
    if square <= 1e-12:
        raise ValueError("z does not vary within any stratum: there is no response to weigh")
    shift = (centred.T @ reached)[0] / square
    step, influence = np.diff(values), centred * (reached - centred * shift) / square
    total = float(shift @ step)
    if abs(total) <= 1e-12 * float(np.abs(step).sum()):
        raise ValueError("z does not change the mean of x: there is no response to weigh")
    return pd.DataFrame(
        {
            "shift": shift,
            "standard_error": influence_error(influence, codes),
            "step": step,
            "weight": shift * step / total,
        },
        index=pd.Index(values[1:], name="value"),
    )


def _within(columns: Matrix, cells: Codes | None) -> Matrix:
    """Columns less their means, in each stratum if there are strata."""
    if cells is None:
        return np.asarray(columns - columns.mean(axis=0))
    means = cluster_sums(columns, cells) / np.bincount(cells)[:, None]
    return np.asarray(columns - means[cells])
