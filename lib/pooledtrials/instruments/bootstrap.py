"""Wild bootstrap tests of an effect for few clusters: Anderson-Rubin and restricted efficient t.

Under the null residual ``u = y - beta0 x`` (partialled out) is known; every cluster's residuals are
multiplied by one random sign. AR: the statistic of the multiplied residuals, valid whatever the
strength [davidson2010wild, section 3]. WRE: also the first stage is redrawn, around coefficients
from the regression of x on instruments *and u*, which uses what the null says about them
[davidson2010wild]; its 2SLS t-statistic is far better than the normal law, though not
weak-instrument proof.

With G clusters there are 2^G sign patterns: if they are no more than ``draws`` all are used and
nothing is random. The p-value is the share of draws with a statistic strictly larger than the
data's, so with few clusters it is a coarse fraction, and it can be zero. Webb's six-point weights
[webb2023reworking] refine it when G is below about ten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pooledtrials.arguments import Columns, Matrix, Vector, choice, finite, fraction
from pooledtrials.clusters import cluster_sums
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.inversion import accepted_steps
from pooledtrials.instruments.moments import joint_moments
from pooledtrials.instruments.partialling import Partialled, partial_out
from pooledtrials.instruments.robust_panel import on_circle
from pooledtrials.resampling import Seed, sign_patterns
from pooledtrials.results import Test

_TIE = 1e-9  # relative: the pattern of all ones reproduces the data up to rounding
_CHUNK = 2_000_000  # numbers per block of draws


def wild_bootstrap_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    beta0: float = 0.0,
    statistic: str = "AR",
    draws: int = 9999,
    weights: str = "rademacher",
    seed: Seed = 0,
) -> Test:
    """Wild cluster bootstrap test of ``beta = beta0``.

    Parameters
    ----------
    y, x, z, controls, strata
        As everywhere.
    clusters : (n,) labels
        Clusters; without them every row is one (wild bootstrap for heteroskedasticity).
    beta0 : float
        Effect under the null.
    statistic : ``"AR"`` or ``"WRE"``
        Clustered Anderson-Rubin, or 2SLS t with restricted efficient resampling.
    draws : int
        Bootstrap draws; all sign patterns if there are no more than that.
    weights : ``"rademacher"`` or ``"webb"``
    seed : int, SeedSequence or Generator
        Same seed, same answer. A Generator is advanced.

    Returns
    -------
    Test
        ``statistic`` is AR / k or t squared.

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    setting = _prepare(y, x, z, controls, clusters, strata, statistic, draws, weights, seed)
    value, p_value = _p_value(setting, finite(beta0, "beta0"))
    return Test(
        f"wild bootstrap {'Anderson-Rubin' if statistic == 'AR' else 'WRE t squared'}",
        value,
        p_value,
        setting.words,
        (setting.signs.shape[0],),
        f"the effect is {beta0:g}",
        "clustered" if clusters is not None else "robust",
    )


def wild_bootstrap_set(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    statistic: str = "AR",
    draws: int = 999,
    weights: str = "rademacher",
    seed: Seed = 0,
    points: int = 200,
) -> ConfidenceSet:
    """Effects with a wild bootstrap p-value above ``1 - level``, the same draws for all.

    The p-value moves in steps, so no roots exist; it is looked up at ``points`` angles of the
    circle and its crossings are bisected, see `accepted_steps` for what could be missed.

    Parameters
    ----------
    level : float
    points : int
        Angles examined.
    y, x, z, controls, clusters, strata, statistic, draws, weights, seed
        As in `wild_bootstrap_test`.
    """
    level = fraction(level, "level")
    setting = _prepare(y, x, z, controls, clusters, strata, statistic, draws, weights, seed)
    if points < 8:
        raise ValueError(f"points is {points}: give at least 8 angles to examine")
    circle = on_circle(joint_moments(setting.data, "robust"))
    return accepted_steps(circle, lambda b: _p_value(setting, b)[::-1], level, points)


@dataclass(frozen=True, eq=False)
class _Setting:
    """What does not depend on the null: per-cluster cross products and the signs."""

    data: Partialled
    groups: npt.NDArray[np.intp]
    instrument_gram: npt.NDArray[np.float64]  # (G, k, k) q_g'q_g
    instrument_basis: npt.NDArray[np.float64]  # (G, k, p) q_g'W_g
    signs: Matrix  # (draws, G)
    statistic: str
    words: str


def _prepare(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    strata: Columns | None,
    statistic: str,
    draws: int,
    weights: str,
    seed: Seed,
) -> _Setting:
    choice(statistic, "statistic", ("AR", "WRE"))
    choice(weights, "weights", ("rademacher", "webb"))
    data = partial_out(y, x, z, controls, clusters, strata)
    if data.clusters is None:
        groups = np.arange(data.nobs)
    else:
        joint_moments(data)  # refuses clusters that leave nothing to draw
        groups = data.clusters
    n_groups, k, p = int(groups.max()) + 1, data.n_instruments, data.n_partialled
    gram = (data.q[:, :, None] * data.q[:, None, :]).reshape(data.nobs, k * k)
    cross = (data.q[:, :, None] * data.basis[:, None, :]).reshape(data.nobs, k * p)
    signs, words = sign_patterns(n_groups, draws, weights, seed)
    return _Setting(
        data,
        groups,
        cluster_sums(gram, groups).reshape(n_groups, k, k),
        cluster_sums(cross, groups).reshape(n_groups, k, p),
        signs,
        statistic,
        words,
    )


def _p_value(setting: _Setting, beta0: float) -> tuple[float, float]:
    """The statistic of the data and the share of draws above it."""
    data, groups = setting.data, setting.groups
    null = data.y - beta0 * data.x
    u = _Residual.of(setting, null)
    if setting.statistic == "AR":
        k = data.n_instruments
        value = float(_anderson_rubin(setting, u, np.ones((1, int(groups.max()) + 1)))[0])
        drawn = _blocks(setting, lambda w: _anderson_rubin(setting, u, w))
        return value / k, _share_above(drawn, value)
    # first stage given the null: x on instruments and the null residual
    regressors = np.column_stack([data.q, null])
    pi = np.linalg.solve(regressors.T @ regressors, regressors.T @ data.x)[: data.n_instruments]
    v = _Residual.of(setting, data.x - data.q @ pi)
    own = _t_squared(setting, u, v, pi, np.ones((1, int(groups.max()) + 1)))
    drawn = _blocks(setting, lambda w: _t_squared(setting, u, v, pi, w))
    return float(own[0]), _share_above(drawn, float(own[0]))


@dataclass(frozen=True, eq=False)
class _Residual:
    """Cluster sums of a residual with instruments (G, k) and with the partialled basis (G, p)."""

    instruments: Matrix
    basis: Matrix

    @classmethod
    def of(cls, setting: _Setting, residual: Vector) -> _Residual:
        data = setting.data
        return cls(
            cluster_sums(data.q * residual[:, None], setting.groups),
            cluster_sums(data.basis * residual[:, None], setting.groups),
        )

    def scores(self, setting: _Setting, w: Matrix) -> npt.NDArray[np.float64]:
        """(draws, G, k) instrument scores of the multiplied residual, partialled out again."""
        lost = np.einsum("gkp,bp->bgk", setting.instrument_basis, w @ self.basis)
        return np.asarray(w[:, :, None] * self.instruments - lost)


def _anderson_rubin(setting: _Setting, u: _Residual, w: Matrix) -> Vector:
    """Clustered AR, Wald form, of each draw; small-sample factors cancel in the comparison."""
    moment = w @ u.instruments
    scores = u.scores(setting, w) - np.einsum("gkl,bl->bgk", setting.instrument_gram, moment)
    variance = np.einsum("bgk,bgl->bkl", scores, scores)
    solved = np.linalg.solve(variance, moment[..., None])[..., 0]
    return np.asarray(np.einsum("bk,bk->b", moment, solved))


def _t_squared(setting: _Setting, u: _Residual, v: _Residual, pi: Vector, w: Matrix) -> Vector:
    """Squared clustered 2SLS t of the null effect in each draw (CR0)."""
    stage = pi + w @ v.instruments
    square = np.einsum("bk,bk->b", stage, stage)
    error = np.einsum("bk,bk->b", stage, w @ u.instruments) / square
    exposure = v.scores(setting, w) + setting.instrument_gram @ pi
    scores = u.scores(setting, w) - error[:, None, None] * exposure
    meat = np.einsum("bk,bgk->bg", stage, scores)
    return np.asarray((error * square) ** 2 / np.einsum("bg,bg->b", meat, meat))


def _blocks(setting: _Setting, function: Callable[[Matrix], Vector]) -> Vector:
    """A function of sign patterns in blocks of draws that fit the cache."""
    width = max(1, _CHUNK // (setting.signs.shape[1] * setting.data.n_instruments))
    parts = [
        function(setting.signs[i : i + width]) for i in range(0, setting.signs.shape[0], width)
    ]
    return np.concatenate(parts)


def _share_above(drawn: Vector, value: float) -> float:
    return float(np.mean(drawn > value * (1 + _TIE)))
