"""How much each choice of a specification curve moves the estimate.

With estimates b over specifications and ``V`` their variance, one choice has

    alone:  Var(E[b | its option]) / V          what it explains by itself
    total:  E[Var(b | options of all others)] / V   what it moves when all else stays as it is

the first-order and total indices of a sensitivity analysis [saltelli2010variance]. If every
combination of options is there, ``total`` less ``alone`` is the choice's part in interactions, and
``alone`` of all choices sums to at most 1. If combinations are missing, ``alone`` also picks up
choices that go together with it; ``total`` is then of the specifications that have a counterpart
differing in this choice only, and compares like with like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd


def by_option(frame: pd.DataFrame, choices: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """Estimates of the specifications that have each option.

    Parameters
    ----------
    frame : of a `SpecificationCurve`
    choices : options by choice

    Returns
    -------
    pandas.DataFrame
        Indexed by choice and option, in the order of the choices: ``specifications``, those
        ``not_estimated``, and over the others ``smallest``, ``median``, ``largest``, and shares
        ``negative`` and ``significant``.
    """
    rows = {}
    for choice, options in choices.items():
        for option in options:
            asked = frame[frame[choice] == option]
            found = asked[asked["reason"] == ""]
            b = found["estimate"]
            rows[choice, option] = {
                "specifications": len(asked),
                "not_estimated": len(asked) - len(found),
                "smallest": b.min(),
                "median": b.median(),
                "largest": b.max(),
                "negative": (b < 0).mean(),
                "significant": ((found["low"] > 0) | (found["high"] < 0)).mean(),
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis(index=["choice", "option"])


def by_choice(estimated: pd.DataFrame, choices: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """What each choice moves.

    Parameters
    ----------
    estimated : rows of a curve that have an estimate
    choices : options by choice

    Returns
    -------
    pandas.DataFrame
        Indexed by choice: its number of ``options`` that were estimated; ``alone`` and ``total``
        as above, missing where estimates do not vary or nothing can be compared; ``switch``, the
        median over pairs of specifications that differ in this choice only of the difference of
        their estimates, in the estimate's unit; and the number of such ``pairs``.
    """
    b = estimated["estimate"].to_numpy()
    variance = b.var() if np.ptp(b) > 0 else np.nan
    rows = {}
    for choice in choices:
        others = [name for name in choices if name != choice]
        places = estimated.groupby(others, sort=False).indices.values() if others else [...]
        compared = [b[place] for place in places if b[place].size > 1]
        within = [((values - values.mean()) ** 2).sum() for values in compared]
        gaps = [np.abs(np.subtract.outer(v, v)[np.tril_indices(v.size, -1)]) for v in compared]
        every = np.concatenate(gaps) if gaps else np.empty(0)
        means = estimated.groupby(choice)["estimate"].transform("mean").to_numpy()
        rows[choice] = {
            "options": estimated[choice].nunique(),
            "alone": means.var() / variance,
            "total": sum(within) / sum(v.size for v in compared) / variance if gaps else np.nan,
            "switch": float(np.median(every)) if gaps else np.nan,
            "pairs": every.size,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("choice")
