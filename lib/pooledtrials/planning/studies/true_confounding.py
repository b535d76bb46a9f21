"""How strong the synthetic twin's confounder really is, and what adjusting for it shows.

Wave-to-wave motivation is what fixed effects leave of the twin's confounding. No analyst sees it,
but the truth holds it, so the two partial R2 that describe it (`selection.adjusted_estimate`) can
be worked out, and the method marked. At these strengths the adjusted estimate is the coefficient of
the regression with motivation in it, which is algebra; that this is near the effect of meetings is
not: it takes a confounder whose work a straight line describes [cinelli2020making].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials import panels, pooling, selection
from pooledtrials.arguments import choice, finite
from pooledtrials.panels import PanelEstimate
from pooledtrials.planning.studies.two_worlds import AREAS
from pooledtrials.pooling import twin
from pooledtrials.selection import AdjustedEstimate, ShortRegression
from pooledtrials.selection.omitted_variables import DIRECTIONS


@dataclass(frozen=True, eq=False)
class TrueConfounding:
    """A fixed-effects regression of a synthetic pool, and the confounder that it omits.

    All coefficients are changes of the composite per ten more meeting days in thirty.

    Attributes
    ----------
    short : ShortRegression
        What an analyst sees: score on attendance within patients, errors clustered by patient.
    long : PanelEstimate
        The same with wave-to-wave motivation held constant.
    r2_exposure : float
        Share of attendance, left by patients' and months' effects, that motivation explains.
    r2_outcome : float
        Share of the score, left by these and attendance, that motivation explains.
    direction : str
        Where adjusting moves the estimate, ``"towards zero"`` or ``"away from zero"``.
    average_effect : float
        The truth: the effect averaged over patients.
    weighted_effect : float
        The truth as fixed effects weight patients and interviews: the part of the short
        coefficient that meetings caused.
    """

    short: ShortRegression
    long: PanelEstimate
    r2_exposure: float
    r2_outcome: float
    direction: str
    average_effect: float
    weighted_effect: float

    @property
    def adjusted(self) -> AdjustedEstimate:
        """The short regression, adjusted for a confounder of the true strengths."""
        return selection.adjusted_estimate(
            self.short, self.r2_outcome, self.r2_exposure, direction=self.direction
        )

    def to_frame(self) -> pd.DataFrame:
        """Both estimates, what moves one to the other, and the truth, as one row."""
        return pd.DataFrame(
            {
                "estimate": [self.short.coefficient],
                "robustness_value": [selection.robustness_value(self.short).value],
                "r2_exposure": [self.r2_exposure],
                "r2_outcome": [self.r2_outcome],
                "adjusted": [self.adjusted.coefficient],
                "weighted_effect": [self.weighted_effect],
                "average_effect": [self.average_effect],
            }
        )

    def describe(self) -> str:
        """What the numbers say, in words."""
        return (
            f"Motivation explains {100 * self.r2_exposure:.3g} % of what is left of attendance and"
            f" {100 * self.r2_outcome:.3g} % of what is left of the score. Adjusting for it turns"
            f" {self.short.coefficient:.4g} into {self.adjusted.coefficient:.4g}; meetings caused"
            f" {self.weighted_effect:.4g}."
        )


def true_confounding(pool: twin.Twin, area: str = "drug") -> TrueConfounding:
    """Work out how strongly motivation confounds the fixed-effects regression of a pool.

    Parameters
    ----------
    pool : Twin
        From `twin.simulate`; its interviews are taken as answered, without raw tables between.
    area : {"drug", "alcohol"}
        Which ASI composite is the outcome.

    Returns
    -------
    TrueConfounding

    Raises
    ------
    ValueError
        For an unknown area.
    """
    choice(area, "area", AREAS)
    panel = _with_motivation(pool)
    rows = pooling.analysis_set(panel, f"asi_{area}", interviews="all").repeated
    motivation = panel.loc[rows["y"].index, "changing"]
    errors = {kind: panels.fit(**rows, covariance=kind) for kind in ("classical", "clustered")}
    short = selection.short_regression(errors["classical"], errors["clustered"])
    on_exposure = panels.fit(**rows | {"y": rows["x"], "x": motivation}, covariance="classical")
    with_exposure = rows | {"x": motivation, "controls": rows["x"].to_frame("attendance")}
    on_outcome = panels.fit(**with_exposure, covariance="classical")
    bias = on_exposure.coefficient * on_outcome.coefficient
    towards = math.copysign(1.0, bias) == math.copysign(1.0, short.coefficient)
    return TrueConfounding(
        short=short,
        long=panels.fit(**rows | {"controls": motivation.to_frame()}, covariance="classical"),
        r2_exposure=selection.partial_r2(on_exposure),
        r2_outcome=selection.partial_r2(on_outcome),
        direction=DIRECTIONS[0 if towards else 1],
        average_effect=pool.truth.average_effect[area],
        weighted_effect=float(pool.truth.selection.loc[area, "causal"]),
    )


def with_questionnaire(
    pool: twin.Twin, reliability: float, seed: int | np.random.SeedSequence | np.random.Generator
) -> pd.DataFrame:
    """Return the panel of a pool whose interviewers had asked about motivation every time.

    The new column ``questionnaire`` is wave-to-wave motivation plus noise,
    ``sqrt(r) m + sqrt(1 - r) e``: a standard normal of which the share r is what was meant. It is
    missing where no interview was held. Benchmarks made from it show what a benchmark is worth when
    the very confounder was asked for, but not measured well.

    Parameters
    ----------
    pool : Twin
        From `twin.simulate`.
    reliability : float
        Share of the answers' variance that is motivation, from 0 to 1.
    seed : int, SeedSequence or Generator
        Of the noise.

    Returns
    -------
    pandas.DataFrame
        `twin.observed_panel` with one column more. No row is a real patient.

    Raises
    ------
    ValueError
        If the reliability is not a share.
    """
    if not 0 <= finite(reliability, "reliability") <= 1:
        raise ValueError(f"reliability is {reliability:g}: give a share from 0 to 1")
    panel = _with_motivation(pool)
    motivation = panel.pop("changing")
    noise = np.random.default_rng(seed).standard_normal(len(panel))
    answers = math.sqrt(reliability) * motivation + math.sqrt(1 - reliability) * noise
    return panel.assign(questionnaire=answers.where(panel["observed"]))


def _with_motivation(pool: twin.Twin) -> pd.DataFrame:
    """The panel an analyst would see, and beside it what the truth says of motivation."""
    keys = ["trial", "patient", "wave"]
    hidden = pool.truth.complete.astype({"patient": "str"})[[*keys, "changing"]]
    return twin.observed_panel(pool).merge(hidden, on=keys, validate="one_to_one")
