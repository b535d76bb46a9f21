"""What a meta-analysis would say at each tau, and which tau the trials do not contradict.

Few trials leave tau, the standard deviation of their true effects, nearly free. So look at all of
it: at each tau the weights are ``1 / (v_i + tau^2)``, and Q, the mean, its error and the prediction
interval follow. A tau is kept if its Q is no surprise for a chi-squared law with k - 1 degrees of
freedom [viechtbauer2007confidence]; what differs between the kept ones, the trials cannot tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from pooledtrials.arguments import Vector, one_column
from pooledtrials.panels.heterogeneity import generalized_q
from pooledtrials.panels.meta_analysis import (
    MetaAnalysis,
    prediction_interval,
    random_effects_mean,
)


@dataclass(frozen=True, eq=False)
class TauProfile:
    """A meta-analysis at each of many values of tau.

    Attributes
    ----------
    table : a row per tau (the index): ``q`` and ``p_value``, the probability of a larger Q;
        ``estimate``, the mean, and its ``standard_error``; ends of the prediction interval, ``low``
        and ``high``
    estimate : tau as the meta-analysis estimates it
    least, most : what Q has to lie between for a tau to be kept
    level : of the prediction interval and of what is kept
    """

    table: pd.DataFrame
    estimate: float
    least: float
    most: float
    level: float

    @property
    def kept(self) -> pd.DataFrame:
        """The rows whose Q is no surprise."""
        return self.table[self.table["q"].between(self.least, self.most)]

    def describe(self) -> str:
        """Which tau are kept, and what the next trial may show at either end of them."""
        kept, percent = self.kept, f"{100 * self.level:g} %"
        if kept.empty:
            return f"No tau looked at is compatible with the trials at {percent}."
        first, last = kept.iloc[0], kept.iloc[-1]
        return (
            f"tau is estimated as {self.estimate:.3g}; of those looked at, {kept.index[0]:.3g} to"
            f" {kept.index[-1]:.3g} are compatible with the trials at {percent}. The effect in"
            f" another trial would lie in {first['low']:.3g} to {first['high']:.3g} at the smallest"
            f" of them, in {last['low']:.3g} to {last['high']:.3g} at the largest."
        )


def tau_profile(result: MetaAnalysis, taus: Sequence[float] | Vector) -> TauProfile:
    """Q, mean, error and prediction interval as if tau were each of the values given.

    Parameters
    ----------
    result : what `meta_analysis` returns, of three trials or more
        Its kind of interval and its level are kept.
    taus : (m,)
        Standard deviations of the true effects, in units of the estimates, zero or above.

    Returns
    -------
    TauProfile
        Rows in ascending order of tau.

    Raises
    ------
    ValueError
        For taus that are negative, missing or none, or two trials, which predict no third.
    """
    values = np.sort(one_column(np.asarray(taus, dtype=float), "taus", "give them in one row"))
    negative = int((values < 0).sum())
    if negative:
        raise ValueError(
            f"taus is negative in {negative} of {values.size} places: a standard deviation is zero"
            " or above"
        )
    k = len(result.trials)
    if k < 3:
        raise ValueError(f"result has {k} trials: a prediction interval needs at least 3")
    effects, errors = (
        result.trials[name].to_numpy(dtype=float) for name in ("estimate", "standard_error")
    )
    tail = (1 - result.level) / 2
    least, most = stats.chi2.ppf([tail, 1 - tail], k - 1)
    rows = [_row(effects, errors**2, float(tau), result) for tau in values]
    return TauProfile(
        table=pd.DataFrame(rows, index=pd.Index(values, name="tau")),
        estimate=math.sqrt(result.tau_squared),
        least=float(least),
        most=float(most),
        level=result.level,
    )


def _row(effects: Vector, variances: Vector, tau: float, result: MetaAnalysis) -> dict[str, float]:
    q = generalized_q(effects, variances, tau**2)
    mean = random_effects_mean(effects, variances + tau**2, result.method, result.interval)
    low, high = prediction_interval(mean, tau**2, result.level).end_points
    return {
        "q": q,
        "p_value": float(stats.chi2.sf(q, effects.size - 1)),
        "estimate": mean.coefficient,
        "standard_error": mean.standard_error,
        "low": low,
        "high": high,
    }
