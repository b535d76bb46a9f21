"""Spreads and intraclass correlations for planning, from records that exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pooledtrials.arguments import Codes, Columns, Vector
from pooledtrials.clusters import cluster_sums
from pooledtrials.instruments import partial_out
from pooledtrials.pooling.analysis_set import PER_DAYS


@dataclass(frozen=True)
class Spreads:
    """How much attendance and score vary, and how alike one patient's interviews are.

    Attributes
    ----------
    attendance_sd : float
        Meeting days in thirty.
    score_sd : float
        Units of the outcome.
    attendance_icc, score_icc : float
        Intraclass correlations over a patient's interviews.
    correlation : float
        Of a patient's summed attendance with the summed score. It is the endogeneity if attendance
        has no effect.
    patients, interviews : int
        How many they were worked out from.
    """

    attendance_sd: float
    score_sd: float
    attendance_icc: float
    score_icc: float
    correlation: float
    patients: int
    interviews: int

    @property
    def planned(self) -> dict[str, Any]:
        """The arguments of `PlannedTrial` that they are."""
        names = ("attendance_sd", "score_sd", "attendance_icc", "score_icc")
        return {name: getattr(self, name) for name in names}

    def to_frame(self) -> pd.DataFrame:
        """Attendance and score, a row each."""
        return pd.DataFrame(
            {
                "standard deviation": [self.attendance_sd, self.score_sd],
                "intraclass correlation": [self.attendance_icc, self.score_icc],
            },
            index=["attendance (days in 30)", "score"],
        )


def pilot_spreads(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
) -> Spreads:
    """Spreads of what arm, controls and strata leave of score and attendance.

    The intraclass correlation is the mean product of two interviews of one patient over the mean
    square. If it comes out negative, which chance can do to a small one, it is given as zero.

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere, ``x`` in tens of meeting days in thirty and ``clusters`` the patients: the
        arguments that `pooling.analysis_set` makes.

    Raises
    ------
    ValueError
        For unusable arguments, no clusters, or nobody interviewed twice.
    """
    if clusters is None:
        raise ValueError("clusters is missing: give the patient of each interview")
    data = partial_out(y, x, z, controls, clusters, strata)
    codes = data.clusters
    assert codes is not None
    counts = np.bincount(codes)
    if counts.max() < 2:
        raise ValueError(
            f"clusters has {counts.size} patients with one interview each: an intraclass"
            " correlation needs patients who were interviewed twice"
        )
    pair = np.column_stack([data.x_residual, data.y_residual])
    sums = cluster_sums(pair, codes)
    product = sums.T @ sums
    sd = np.sqrt((pair**2).sum(axis=0) / data.dof)
    return Spreads(
        attendance_sd=PER_DAYS * float(sd[0]),
        score_sd=float(sd[1]),
        attendance_icc=_intraclass(pair[:, 0], codes),
        score_icc=_intraclass(pair[:, 1], codes),
        correlation=float(product[0, 1] / np.sqrt(product[0, 0] * product[1, 1])),
        patients=counts.size,
        interviews=int(data.nobs),
    )


def _intraclass(values: Vector, codes: Codes) -> float:
    counts = np.bincount(codes)
    square = float(values @ values)
    between = float((cluster_sums(values[:, None], codes) ** 2).sum()) - square
    pairs = int((counts * (counts - 1)).sum())
    return max(between / pairs / (square / values.size), 0.0)
