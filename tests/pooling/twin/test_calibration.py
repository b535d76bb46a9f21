"""Worlds that the reference regressions cannot tell apart, and instruments of known strength."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from linearmodels import PanelOLS, RandomEffects

from pooledtrials.pooling.twin import INSTRUMENTS, Twin, simulate
from pooledtrials.pooling.twin.calibration import TARGETS, Coefficients, coefficients, large_sample
from pooledtrials.pooling.twin.regressions import Cells
from pooledtrials.pooling.twin.worlds import world_of

POOLS = 12  # pools of 5 copies; none shares a seed with the calibration
COPIES = 5
CELLS = [(world, lever) for lever in ("weak", "strong") for world in ("works", "selection")]


@cache
def replications(world: str, instrument: str) -> pd.DataFrame:
    lever = INSTRUMENTS[instrument]
    nature = world_of(world, lever)
    draws = [large_sample(nature, lever, COPIES, 7000 + k) for k in range(POOLS)]
    return pd.DataFrame(draws, columns=list(Coefficients._fields))


@pytest.mark.parametrize("instrument", ["weak", "strong"])
def test_worlds_agree_within_monte_carlo_error(instrument: str) -> None:
    """Paired over seeds: mean difference within four of its standard errors, itself small."""
    gap = replications("works", instrument) - replications("selection", instrument)
    error = gap.std() / POOLS**0.5
    for name in TARGETS:
        assert abs(gap[name].mean()) < 4 * error[name], name
        assert error[name] < 0.0003, name  # so that four of them stay below a tenth of the effect


@pytest.mark.parametrize("world", ["works", "selection"])
def test_coefficients_are_those_of_help(world: str) -> None:
    found = replications(world, "weak")
    for name, target in TARGETS.items():
        assert found[name].mean() == pytest.approx(target, abs=4 * found[name].std() / POOLS**0.5)


@pytest.mark.parametrize(("world", "instrument"), CELLS)
def test_first_stage_is_weak_or_strong(world: str, instrument: str) -> None:
    """Expected F of one pool: 2 to 5, or above 50."""
    f = replications(world, instrument)["f"]
    error = f.std() / POOLS**0.5
    if instrument == "weak":
        assert f.mean() - 2 * error > 2
        assert f.mean() + 2 * error < 5
    else:
        assert f.mean() - 4 * error > 50


def test_a_single_pool_looks_like_its_instrument(weak: Twin, strong: Twin) -> None:
    assert coefficients(weak).f < 20 < 50 < coefficients(strong).f


def test_worlds_have_the_same_means_and_spread() -> None:
    """Nor do levels, spread and zeros of the composites give the world away (within 5 %)."""
    shapes = []
    for world in ("works", "selection"):
        c = simulate(world, "weak", 31, copies=10).truth.complete
        scores = c[["asi_drug", "asi_alcohol"]]
        shapes.append(np.concatenate([scores.mean(), scores.std(), (scores == 0).mean()]))
    assert shapes[0] == pytest.approx(shapes[1], rel=0.05)


def test_reference_regressions_are_those_of_other_libraries(weak: Twin) -> None:
    complete = weak.truth.complete
    active = weak.patients[["trial", "patient", "active"]]
    held = complete[complete["held"]].merge(active, on=["trial", "patient"])
    ours = coefficients(weak)
    cells = pd.get_dummies(held["trial"] + held["wave"].astype(str)).astype(float)
    person = Cells.of(held).person
    index = pd.MultiIndex.from_arrays([person, held["wave"]])
    x = cells.assign(days=held["attendance"] / 10).set_index(index)
    for area, fe, re in (
        ("drug", ours.fe_drug, ours.re_drug),
        ("alcohol", ours.fe_alcohol, ours.re_alcohol),
    ):
        y = held[f"asi_{area}"].set_axis(index)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a dummy per trial is absorbed, as it should be
            theirs = PanelOLS(y, x, entity_effects=True, drop_absorbed=True).fit()
        assert fe == pytest.approx(theirs.params["days"], rel=1e-8)
        # Two customs of counting degrees of freedom in Swamy-Arora's variances.
        assert re == pytest.approx(RandomEffects(y, x).fit().params["days"], rel=2e-3)
    late = held["wave"] > 0
    stage = sm.OLS(
        held.loc[late, "attendance"].astype(float),
        cells[late].loc[:, cells[late].any()].assign(active=held.loc[late, "active"]),
    ).fit(cov_type="cluster", cov_kwds={"groups": person[late]})
    assert ours.f == pytest.approx(stage.tvalues["active"] ** 2, rel=1e-8)
