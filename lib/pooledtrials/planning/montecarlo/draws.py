"""What samplers return: the moments of many replications.

All are moments of ``(u, x)``, the structural error and the exposure, in place of ``(y, x)``: the
outcome is ``y = effect x + u``, and estimates move with it one for one, so that an estimate from
these moments is its *error*, and a hypothesis about them the distance of an effect from the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pooledtrials.clusters import small_sample_factor
from pooledtrials.instruments.moments import Moments
from pooledtrials.planning.montecarlo.design import Design

if TYPE_CHECKING:
    from pooledtrials.planning.montecarlo.compiled_layout import Output

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """Sums of products of scores over rows, or over clusters in which they were summed first.

    Attributes
    ----------
    wald : (reps, 2, 2, k, k)
        Of instruments times regression residuals, before small-sample factors.
    fitted : (reps, 2, 2)
        Of the projected exposure times (u, x) partialled out, for robust errors of 2SLS and LIML.
    own : (reps, 2, 2) or None
        Of the exposure itself times (u, x), for those of OLS; it takes fourth moments of rows,
        which not every sampler has.
    """

    wald: Array
    fitted: Array
    own: Array | None


@dataclass(frozen=True, eq=False)
class Draws:
    """Moments of many replications.

    Attributes
    ----------
    reduced_form, first_stage : (reps, k)
        Coefficients of u and x on the orthonormal instruments.
    residual_gram : (reps, 2, 2)
        Cross products of their residuals.
    robust, clustered : Scores or None
    """

    reduced_form: Array
    first_stage: Array
    residual_gram: Array
    robust: Scores | None = None
    clustered: Scores | None = None

    def scores(self, covariance: str) -> Scores:
        """Those of ``"robust"`` or ``"clustered"``.

        Raises
        ------
        ValueError
            If they were not drawn.
        """
        found = self.robust if covariance == "robust" else self.clustered
        if found is None:
            raise ValueError(
                f"covariance is {covariance!r}, but its sums were not drawn: name it in"
                " covariances, with sampler='rows' (or 'cell_wishart' for 'robust')"
            )
        return found

    def moments(self, design: Design, covariance: str) -> Moments:
        """What the panel of `pooledtrials.instruments` takes, HC1 or CR1 unless classical."""
        n, p, k = design.nobs, design.n_partialled, design.n_instruments
        dof = float(design.dof)
        if covariance == "classical":
            omega = (self.residual_gram / dof)[..., None, None] * np.eye(k)
        else:
            factor = small_sample_factor(covariance, n, p + k, design.n_clusters, True)
            omega = self.scores(covariance).wald * factor
            if covariance == "clustered":
                dof = float(design.n_clusters - 1)
        return Moments(
            self.reduced_form,
            self.first_stage,
            omega,
            self.residual_gram,
            n,
            p,
            dof,
            covariance,
            "wald",
            True,
        )


def empty_draws(k: int, reps: int, covariances: Sequence[str], own: bool) -> tuple[Draws, Output]:
    """Room for compiled functions to write to, and the draws that it becomes.

    Parameters
    ----------
    k, reps : instruments and replications
    covariances : those of ``"robust"`` and ``"clustered"`` that are wanted
    own : whether the exposure's own scores are
    """
    from pooledtrials.planning.montecarlo.compiled_layout import Output

    def room(wanted: bool) -> tuple[Array, Array, Array]:
        some, few = reps if wanted else 0, reps if wanted and own else 0
        return np.empty((some, 2, 2, k, k)), np.empty((some, 2, 2)), np.empty((few, 2, 2))

    def scores(word: str, arrays: tuple[Array, Array, Array]) -> Scores | None:
        wald, fitted, mine = arrays
        return Scores(wald, fitted, mine if own else None) if word in covariances else None

    robust, clustered = room("robust" in covariances), room("clustered" in covariances)
    out = Output(
        np.empty((reps, k)), np.empty((reps, k)), np.empty((reps, 2, 2)), robust, clustered
    )
    draws = Draws(*out[:3], scores("robust", robust), scores("clustered", clustered))
    return draws, out
