"""Wild cluster bootstrap: a t test of one regression coefficient for few clusters.

Under the null the residual is known up to effects and controls. Each draw multiplies every
cluster's residuals by one random number and computes the clustered t of the null effect anew
[cameron2008bootstrap], from cross products of the clusters alone, see `cluster_scores`.

With G clusters there are 2^G patterns of signs. If these are no more than ``draws`` all are used
and nothing is random. The pattern of the data and its mirror always tie with the data, so a p-value
that counts ties cannot be below 2 / 2^G, however strong the effect: 1/32 with six clusters. Webb's
six-point weights [webb2023reworking] give finer steps, 6 / 6^G; they add no information, and for
very few clusters no theory says that their finer p-values are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from pooledtrials.arguments import Columns, Matrix, choice, finite, fraction, whole
from pooledtrials.clusters import cluster_sums, small_sample_factor
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.panels.absorption import absorb
from pooledtrials.panels.cluster_scores import ClusterScores
from pooledtrials.panels.step_inversion import accepted_effects
from pooledtrials.resampling import Seed, sign_blocks
from pooledtrials.results import Test

POINTS = {"rademacher": 2, "webb": 6}
"""Values that a cluster's multiplier can take."""

_TIE = 1e-9  # relative: the data's own pattern reproduces the data up to rounding


@dataclass(frozen=True, kw_only=True)
class WildClusterTest(Test):
    """A wild cluster bootstrap test and how fine its p-value can be.

    Attributes
    ----------
    n_clusters : clusters
    weights : ``"rademacher"`` or ``"webb"``
    draws : patterns or random draws used
    enumerated : whether they are all there are
    above, ties : draws with a larger absolute t, and with the same one
    """

    __test__ = False

    n_clusters: int
    weights: str
    draws: int
    enumerated: bool
    above: int
    ties: int

    @property
    def p_value_counting_ties(self) -> float:
        """Share of draws with an absolute t at least as large, the data's own among them.

        It never rejects too often where signs of clusters may be flipped freely. ``p_value``, the
        share strictly above, can then reject up to ``smallest_p_value`` too often
        [canay2021wild].
        """
        if self.enumerated:
            return (self.above + self.ties) / self.draws
        return (self.above + self.ties + 1) / (self.draws + 1)

    @property
    def smallest_p_value(self) -> float:
        """Smallest p-value that these draws could give, ties counted."""
        return smallest_p_value(self.n_clusters, self.weights, self.draws)

    def describe(self) -> str:
        """What the p-value says and how small it could have been."""
        kind = "patterns" if self.enumerated else "random draws"
        words = (
            f"t = {self.statistic:.4g} with {self.n_clusters} clusters. Of {self.draws}"
            f" {self.weights.capitalize()} {kind}, {self.above} give a larger absolute t:"
            f" p = {self.p_value:.4g}; with the {self.ties} that tie with the data,"
            f" p = {self.p_value_counting_ties:.4g}. "
        )
        least = f"{self.smallest_p_value:.3g}"
        if not self.enumerated:
            return words + f"With {self.draws} draws no p-value below {least} can be had."
        words += (
            f"With {self.n_clusters} clusters and {self.weights.capitalize()} weights no p-value"
            f" below {POINTS[self.weights]}/{self.draws} = {least} can be had once ties are"
            " counted, however strong the effect."
        )
        if self.weights == "rademacher" and self.smallest_p_value > 0.005:
            finer = smallest_p_value(self.n_clusters, "webb", 6**self.n_clusters)
            words += (
                f" Webb's weights would give steps down to {finer:.2g}, but no more information."
            )
        return words


def smallest_p_value(n_clusters: int, weights: str, draws: int) -> float:
    """Smallest p-value a wild cluster bootstrap can give, ties with the data counted.

    Multiplying all clusters by one number leaves t as it is, so that many patterns as there are
    points always tie: ``2 / 2^G`` for Rademacher and ``6 / 6^G`` for Webb weights if patterns are
    enumerated, and ``1 / (draws + 1)`` if they are drawn.

    Raises
    ------
    ValueError
        For fewer than two clusters, no draws, or unknown weights.
    """
    points = POINTS[choice(weights, "weights", tuple(POINTS))]
    n_clusters = whole(n_clusters, "n_clusters", 2)
    draws = whole(draws, "draws", 1)
    return points / points**n_clusters if points**n_clusters <= draws else 1 / (draws + 1)


def wild_cluster_test(
    y: Columns,
    x: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    patients: Columns | None = None,
    strata: Columns | None = None,
    *,
    beta0: float = 0.0,
    draws: int = 9999,
    weights: str = "rademacher",
    restricted: bool = True,
    seed: Seed = 0,
) -> WildClusterTest:
    """Wild cluster bootstrap test of one coefficient, ``beta = beta0``.

    The statistic is ``(estimate - beta0) / s.e.`` with the CR1 standard error, whose factor is
    ``G / (G - 1) (n - 1) / (n - K)``; K counts x, controls and effects, but for effects nested in
    clusters. This is what linearmodels does with ``group_debias=True`` and one set of effects (of
    two it counts both). The p-value does not depend on the factor.

    It fails where few clusters carry the exposure: with a single exposed cluster the restricted
    test hardly ever rejects and the unrestricted one far too often [mackinnon2017wild], see
    `few_clusters_reading`.

    Parameters
    ----------
    y, x : (n,) array, Series or one-column frame
        Outcome and exposure.
    controls : (n, p), optional
        Covariates without an intercept.
    clusters : (n,) labels, optional
        Default: ``patients`` if given, else each row its own (a wild bootstrap for
        heteroskedasticity).
    patients, strata : (n,) labels, optional
        Their effects are absorbed, such as an intercept per patient and one per trial and wave.
        A label stands for one level over all rows: where two trials number their patients alike,
        pass the codes of a `Layout`.
    beta0 : float
        Coefficient under the null, in outcome units per unit of exposure.
    draws : int
        Random draws; all patterns if they are no more than that (6^6 = 46656 for Webb weights).
    weights : ``"rademacher"`` or ``"webb"``
    restricted : bool
        Impose the null when residuals are formed (WCR, recommended), or not (WCU).
    seed : int, SeedSequence or Generator

    Returns
    -------
    WildClusterTest
        ``p_value`` is the share of draws with an absolute t strictly larger than the data's, as in
        other programs; it is 0 if none is.

    Raises
    ------
    ValueError
        For unusable arguments, or clusters whose scores are all zero, as with one exposed and one
        other cluster.
    """
    beta0 = finite(beta0, "beta0")
    kernel, blocks, words = _prepare(
        y, x, controls, clusters, patients, strata, draws, weights, seed
    )
    data = kernel.data
    own = (data.coefficient - beta0) * data.variation
    residual = data.residual + restricted * (own / data.variation) * data.x
    numerator, denominator = kernel.statistics(blocks, residual[:, None])
    sums = np.abs(cluster_sums((data.x * residual)[:, None], data.clusters)).sum()
    drawn, actual = numerator[:, 0] ** 2 * kernel.squares, own**2 * denominator[:, 0, 0]
    tolerance = _TIE * actual + (1e-12 * float(sums)) ** 2 * kernel.squares
    above = int((drawn > actual + tolerance).sum())
    ties = int((drawn >= actual - tolerance).sum()) - above
    factor = small_sample_factor("clustered", data.nobs, data.counted, data.n_clusters, True)
    return WildClusterTest(
        name=f"wild cluster bootstrap t ({'null imposed' if restricted else 'null not imposed'})",
        statistic=own / float(np.sqrt(factor * kernel.squares)),
        p_value=above / len(drawn),
        distribution=words,
        dof=(len(drawn),),
        null=f"the coefficient is {beta0:g}",
        covariance="clustered",
        n_clusters=data.n_clusters,
        weights=weights,
        draws=len(drawn),
        enumerated=words.startswith("all"),
        above=above,
        ties=ties,
    )


def wild_cluster_set(
    y: Columns,
    x: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    patients: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    draws: int = 9999,
    weights: str = "rademacher",
    restricted: bool = True,
    count_ties: bool = False,
    seed: Seed = 0,
) -> ConfidenceSet:
    """Coefficients that `wild_cluster_test` accepts, the same draws for all.

    Exact: with the null imposed the residual is linear in ``beta0``, so each draw's comparison with
    the data is a polynomial inequality of degree four (two without the null imposed), and the
    p-value is counted between their roots, see `accepted_effects`. The set can have several
    pieces.

    Parameters
    ----------
    level : float
    count_ties : bool
        Judge by ``p_value_counting_ties`` in place of ``p_value``. The set is larger: with few
        clusters the strict one can fall short of its level by ``smallest_p_value``.
    y, x, controls, clusters, patients, strata, draws, weights, restricted, seed
        As in `wild_cluster_test`.

    Returns
    -------
    ConfidenceSet
        Coefficients with a p-value above ``1 - level``.

    Raises
    ------
    ValueError
        As in `wild_cluster_test`; or if ties are so large a share of the draws that no coefficient
        could be refused once they are counted.
    """
    level = fraction(level, "level")
    kernel, blocks, words = _prepare(
        y, x, controls, clusters, patients, strata, draws, weights, seed
    )
    data = kernel.data
    _refuse_coarse(data.n_clusters, weights, draws, level)
    error = float(np.sqrt(kernel.squares)) / data.variation
    # residual of the null effect d errors from the estimate: residual - d * error * x
    moving = -error * restricted * data.x
    numerator, denominator = kernel.statistics(blocks, np.column_stack([data.residual, moving]))
    cross = 2 * denominator[:, 0, 1]
    return accepted_effects(
        numerator / np.sqrt(kernel.squares),
        np.column_stack([denominator[:, 0, 0], cross, denominator[:, 1, 1]]) / kernel.squares,
        np.array([0.0, -1.0]),
        np.array([1.0, 0.0, 0.0]),
        centre=data.coefficient,
        scale=error,
        level=level,
        count_ties=count_ties,
        add_own=count_ties and not words.startswith("all"),
    )


def _refuse_coarse(n_clusters: int, weights: str, draws: int, level: float) -> None:
    """Refuse a level that no p-value can reach, ties counted."""
    least, allowed = smallest_p_value(n_clusters, weights, draws), 1 - level + 1e-12
    if least <= allowed:
        return
    points = POINTS[weights]
    needed = next(g for g in count(2) if points ** (1 - g) <= allowed)
    patterns = points**n_clusters
    if patterns > draws:
        raise ValueError(
            f"draws is {draws}: no p-value below {least:.3g} can be had, so that no set has level"
            f" {level:g}; give {math.ceil(1 / allowed) - 1} draws or more"
        )
    raise ValueError(
        f"clusters has {n_clusters} clusters: with {weights} weights no p-value below"
        f" {points}/{patterns} = {least:.3g} can be had once ties are counted, so that no set has"
        f" level {level:g}; it takes {needed} clusters or more, or a lower level"
    )


def _prepare(
    y: Columns,
    x: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    patients: Columns | None,
    strata: Columns | None,
    draws: int,
    weights: str,
    seed: Seed,
) -> tuple[ClusterScores, Iterator[Matrix], str]:
    choice(weights, "weights", tuple(POINTS))
    kernel = ClusterScores.of(absorb(y, x, controls, clusters, patients, strata))
    return kernel, *sign_blocks(kernel.data.n_clusters, draws, weights, seed)
