"""Results of several fits side by side, as tables of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def estimates(fits: Mapping[str, Any], term: str, level: float = 0.95) -> pd.DataFrame:
    """Collect one coefficient from several fits into a table of numbers.

    Parameters
    ----------
    fits
        Fitted models by name, with the ``params``, ``std_errors``, ``conf_int`` and ``nobs`` of a
        linearmodels result.
    term
        The coefficient to collect.
    level
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per fit: ``estimate``, ``se``, ``low``, ``high`` in units of the outcome per unit of
        the term, and ``n``, the number of rows used.

    Raises
    ------
    KeyError
        If a fit has no such term; the message names the fit and its terms.
    """
    rows = {}
    for name, fit in fits.items():
        if term not in fit.params.index:
            terms = ", ".join(map(str, fit.params.index))
            raise KeyError(f"term: {name} has no {term!r}; it has {terms}")
        low, high = fit.conf_int(level).loc[term]
        rows[name] = {
            "estimate": fit.params[term],
            "se": fit.std_errors[term],
            "low": low,
            "high": high,
            "n": int(fit.nobs),
        }
    return pd.DataFrame.from_dict(rows, orient="index")
