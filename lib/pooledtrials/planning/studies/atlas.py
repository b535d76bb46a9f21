"""The atlas: how estimators, tests and sets behave at every strength and endogeneity.

A place of the atlas is a trial of 1200 patients in twelve clinics of 100 with one instrument or
six, a concentration, an endogeneity, and errors that patients of a clinic share or do not. Its
truth is an effect of zero; effects are in standard deviations of the structural error u per
standard deviation of the first-stage error v. Shared errors make a difference of arms vary more;
the instruments of such a place push harder by as much, so that places of equal concentration
differ only in what an analyst has to estimate: the clinics' covariance.

Classical statistics come from their sufficient statistics, others from errors of every patient
(`samplers`), and tests that resample patients from a few places and replications.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from functools import cache
from math import sqrt
from typing import Final

import numpy as np
import pandas as pd

from pooledtrials.planning.montecarlo.design import Cell, Design, make_design
from pooledtrials.planning.montecarlo.panel import ESTIMATORS
from pooledtrials.planning.montecarlo.run import Study, run
from pooledtrials.planning.montecarlo.settings import ROW_TESTS, TESTS
from pooledtrials.planning.montecarlo.tally import Tally

CLINICS: Final = 12
CLINIC_SIZE: Final = 100
SHARED: Final = 0.02
"""Share of the errors' variance that patients of a clinic have in common, where they do."""

CLUSTERS: Final = (0, CLINICS)
INSTRUMENTS: Final = (1, 6)
CONCENTRATIONS: Final = (0.0, 1.0, 3.0, 6.0, 9.0, 24.0, 49.0, 99.0)
ENDOGENEITIES: Final = (0.0, 0.25, 0.5, 0.75, 0.95)
HYPOTHESES: Final = (-1.0, -0.5, 0.5, 1.0)

RESAMPLED_CONCENTRATIONS: Final = (1.0, 9.0, 49.0)
RESAMPLED_ENDOGENEITIES: Final = (0.5,)
"""Where tests that resample are tried; of the truth they see only u, whatever the place."""

RESAMPLED_HYPOTHESES: Final = (-1.0, 1.0)
DRAWS: Final = 99
"""Of a permutation or bootstrap test: with 99 a level of 5 % is exact, and more buy little."""

PROBABILITIES: Final = (0.01, *(i / 40 for i in range(1, 40)), 0.99)
"""Quantiles of estimates that are kept."""

PLACE: Final = ("clusters", "instruments", "concentration", "endogeneity")

# Six columns of a screening design of twelve runs [plackett1946design].
_FIRST_RUN: Final = (1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0)


@dataclass(frozen=True)
class Place:
    """A place of the atlas.

    Attributes
    ----------
    clusters : 0, or 12 if patients of a clinic share errors
    instruments : 1 or 6, dealt to clinics
    concentration : squared strength; the mean F is about 1 + concentration / instruments
    endogeneity : correlation of the errors u and v

    Raises
    ------
    ValueError
        If it is off the grid.
    """

    clusters: int
    instruments: int
    concentration: float
    endogeneity: float

    def __post_init__(self) -> None:
        for name, known in (
            ("clusters", CLUSTERS),
            ("instruments", INSTRUMENTS),
            ("concentration", CONCENTRATIONS),
            ("endogeneity", ENDOGENEITIES),
        ):
            if getattr(self, name) not in known:
                grid = ", ".join(f"{value:g}" for value in known)
                raise ValueError(f"{name} is {getattr(self, name)}: the atlas has {grid}")

    @property
    def number(self) -> int:
        """Its number in `PLACES`, which keys its random stream."""
        return PLACES.index(self)

    def cell(self) -> Cell:
        """Strength and errors, for `run`."""
        shared = SHARED if self.clusters else 0.0
        spread = 1 + (CLINIC_SIZE - 1) * shared  # of a contrast of clinics, over unshared errors'
        theta = atlas_design(self.clusters, self.instruments).strength(self.concentration * spread)
        return Cell(theta, 0.0, self.endogeneity, shared=shared, labels=asdict(self))


PLACES: Final = tuple(
    Place(*values)
    for values in itertools.product(CLUSTERS, INSTRUMENTS, CONCENTRATIONS, ENDOGENEITIES)
)
RESAMPLED_PLACES: Final = tuple(
    place
    for place in PLACES
    if place.concentration in RESAMPLED_CONCENTRATIONS
    and place.endogeneity in RESAMPLED_ENDOGENEITIES
)


@cache
def atlas_design(clusters: int, instruments: int) -> Design:
    """The trial of a place: arms by clinic, and clinics as clusters if it has any.

    One instrument is given to every other clinic. Six are components, each of which half of the
    clinics get, in the columns of a screening design.
    """
    runs = [*(np.roll(_FIRST_RUN, i) for i in range(CLINICS - 1)), np.zeros(CLINICS - 1)]
    arms = np.array(runs)[:, :instruments] if instruments > 1 else np.arange(CLINICS)[:, None] % 2
    clinic = np.repeat(np.arange(CLINICS), CLINIC_SIZE)
    return make_design(arms[clinic].astype(float), clusters=clinic if clusters else None)


def characteristics_at(place: Place, reps: int, seed: int) -> pd.DataFrame:
    """Operating characteristics of everything that does not resample, and quantiles of estimates.

    Parameters
    ----------
    place : Place
    reps : int
        Replications.
    seed : int
        Of the atlas; the place's own is this plus its number.

    Returns
    -------
    pandas.DataFrame
        The place, ``method``, ``covariance``, ``characteristic``, ``value`` and ``mc_error``, as
        `Study.characteristics` has them, and ``quantile ...`` of each estimate. There is no ``mean
        bias`` of estimators that have no mean: LIML, and 2SLS with one instrument.

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    clustered, single = place.clusters > 0, place.instruments == 1
    # K and CLR take more clusters than twice the instruments
    tests = TESTS if single or not clustered else ("AR",)
    study = run(
        atlas_design(place.clusters, place.instruments),
        [place.cell()],
        reps,
        sampler="rows" if clustered else "wishart",
        methods=(*ESTIMATORS, *tests, *(("tF",) if single else ())),
        covariances=("classical", "clustered") if clustered else ("classical",),
        hypotheses=HYPOTHESES,
        seed=seed + place.number,
        workers=1,
    )
    found = study.characteristics()
    meanless = found["method"].isin(["LIML", *(["2SLS"] if single else [])])
    found = found[~(meanless & found["characteristic"].eq("mean bias"))]
    return pd.concat([found, _quantiles(study, place)], ignore_index=True)


def resampled_at(place: Place, reps: int, seed: int) -> pd.DataFrame:
    """Size and power of the randomization test and of wild AR, as `characteristics_at`."""
    study = run(
        atlas_design(place.clusters, place.instruments),
        [place.cell()],
        reps,
        sampler="rows",
        methods=ROW_TESTS,
        hypotheses=RESAMPLED_HYPOTHESES,
        draws=DRAWS,
        seed=seed + place.number,
        workers=1,
    )
    found = study.characteristics()
    return found[found["method"].isin(ROW_TESTS)].assign(covariance="resampled")


def _quantiles(study: Study, place: Place) -> pd.DataFrame:
    rows = []
    for name in ESTIMATORS:
        tally = study.tallies[0][f"error: {name}"]
        for probability in PROBABILITIES:
            rows.append(
                {**asdict(place), "method": name, "covariance": ""}
                | {"characteristic": f"quantile {probability:g}"}
                | {"value": tally.quantile(probability)}
                | {"mc_error": _quantile_error(tally, probability)}
            )
    return pd.DataFrame(rows)


def _quantile_error(tally: Tally, probability: float) -> float:
    """From the order statistics one standard error on either side."""
    step = sqrt(probability * (1 - probability) / tally.count)
    low, high = max(probability - step, 0.0), min(probability + step, 1.0)
    return (tally.quantile(high) - tally.quantile(low)) / 2
