"""Tipping points: exact lines, refits, and a truth that is not at random found by its own delta."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from attrition import EFFECT, attrition, full_contrast, long
from numpy.testing import assert_allclose

from pooledtrials.panels import (
    Imputations,
    analyse_imputations,
    impute,
    tipping_point,
    weighted_regression,
)
from pooledtrials.results import Estimate


def prepared(seed: int, loss: str = "given baseline", n: int = 300, imputations: int = 5):
    """Imputations, the analysis of the last wave, and the flag of arm 1 there."""
    frame = long(attrition(seed, n, loss))
    found = impute(
        frame["score"], frame["z"], frame["patient"], frame["wave"], imputations=imputations,
        cycles=1, seed=seed,
    )  # fmt: skip
    last = (frame["wave"] == 6).to_numpy()

    def analysis(done: pd.DataFrame) -> Estimate:
        y, z = done["score"].to_numpy()[last], frame["z"].to_numpy()[last]
        return weighted_regression(y, z, np.ones(last.sum()))

    return found, analysis, frame["z"].to_numpy() * last


IMPUTED, ANALYSIS, SHIFT = prepared(2)
GRID = np.linspace(-4, 4, 17)
FOUND = tipping_point(IMPUTED, ANALYSIS, "score", SHIFT, GRID)


def shifted(imputations: Imputations, shift: np.ndarray, delta: float) -> Imputations:
    frames = [
        done.assign(score=done["score"] + delta * shift * imputations.missing["score"])
        for done in imputations.completed
    ]
    return Imputations(
        tuple(frames), imputations.missing, imputations.log, imputations.cycles, imputations.donors
    )


def test_line_and_parabolas_are_refits_at_every_delta():
    """Round trip: what the polynomials give is what shifting and analysing again gives."""
    assert FOUND.linear
    assert FOUND.frame["delta"].tolist() == GRID.tolist()
    for row in FOUND.frame.itertuples():
        want = analyse_imputations(shifted(IMPUTED, SHIFT, row.delta), ANALYSIS)
        assert_allclose([row.estimate, row.standard_error], [want.coefficient, want.standard_error])
        assert_allclose([row.low, row.high], want.interval().end_points)
    assert_allclose(FOUND.estimate.coefficient, FOUND.frame["estimate"][8])


def test_an_end_of_the_interval_is_zero_where_the_conclusion_changes():
    assert FOUND.changes["below"].tolist() == ["below zero", "undecided"]
    assert FOUND.changes["above"].tolist() == ["undecided", "above zero"]
    for delta, side in zip(FOUND.changes["delta"], (1, 0), strict=True):
        ends = analyse_imputations(shifted(IMPUTED, SHIFT, delta), ANALYSIS).interval().end_points
        assert abs(ends[side]) < 1e-9
    estimate = analyse_imputations(shifted(IMPUTED, SHIFT, FOUND.sign_change), ANALYSIS)
    assert abs(estimate.coefficient) < 1e-9
    nearest = FOUND.changes["delta"][FOUND.changes["delta"].abs().idxmin()]
    assert FOUND.tipping_point == nearest
    assert f"shifted by {nearest:.3g}" in FOUND.describe()


def test_the_slope_is_the_share_of_the_arm_that_was_imputed():
    """Shifting all gaps of arm 1 by delta moves its mean by delta times the share of gaps."""
    gaps = IMPUTED.missing["score"].to_numpy() & (SHIFT > 0)
    assert_allclose(FOUND.slope, gaps.sum() / 150, rtol=1e-9)
    assert FOUND.shifted == gaps.sum()
    away = tipping_point(IMPUTED, ANALYSIS, "score", 2 * SHIFT, GRID / 2)
    assert_allclose(away.frame["estimate"], FOUND.frame["estimate"], rtol=1e-9)
    assert_allclose(2 * away.changes["delta"], FOUND.changes["delta"], rtol=1e-8)


def test_shifting_both_arms_alike_moves_the_difference_by_the_difference_in_losses():
    last = np.tile([0, 1], 300)
    found = tipping_point(IMPUTED, ANALYSIS, "score", last, [-1, 1])
    gaps = IMPUTED.missing["score"].to_numpy()
    share = [gaps[(last == 1) & (z == SHIFT)].sum() / 150 for z in (0, 1)]
    assert_allclose(found.slope, share[1] - share[0], atol=1e-9)


def test_an_estimator_that_is_not_linear_is_refitted():
    last = np.tile([False, True], 300)
    arm = SHIFT[last] > 0

    def median(done: pd.DataFrame) -> Estimate:
        y = done["score"].to_numpy()[last]
        middle = np.median(y[arm]) - np.median(y[~arm])
        return Estimate("difference of medians", float(middle), 0.15, "given", 300, 298)

    found = tipping_point(IMPUTED, median, "score", SHIFT, np.linspace(-2, 2, 9))
    assert not found.linear
    for row in found.frame.itertuples():
        want = analyse_imputations(shifted(IMPUTED, SHIFT, row.delta), median)
        assert_allclose([row.estimate, row.standard_error], [want.coefficient, want.standard_error])


def test_no_change_in_the_range_is_said():
    found = tipping_point(IMPUTED, ANALYSIS, "score", SHIFT, [-1e-4, 1e-4])
    assert math.isnan(found.tipping_point)
    assert found.changes.empty
    assert "does not change that" in found.describe()


def test_zero_is_always_on_the_grid_and_the_level_matters():
    found = tipping_point(IMPUTED, ANALYSIS, "score", SHIFT, [-4, -3, 4], level=0.8)
    assert 0.0 in found.frame["delta"].tolist()
    widths = found.changes["delta"].iloc[-1] - found.changes["delta"].iloc[0]
    assert widths < FOUND.changes["delta"].iloc[-1] - FOUND.changes["delta"].iloc[0]
    pd.testing.assert_frame_equal(found.to_frame(), found.frame)


DRAWS = 100


def test_the_delta_that_is_true_covers_a_truth_that_is_not_at_random():
    """Those lost differ from those imputed by the mean of their own outcomes less the imputed ones.

    With that delta in both arms, known here and never in life, the full-data contrast is met; at
    delta 0 it is missed by more than ten Monte Carlo errors.
    """
    plain, mended = [], []
    for seed in range(DRAWS):
        wide = attrition(seed, 300, "given outcome")
        found, analysis, arm = prepared(seed, "given outcome")
        last = np.tile([0.0, 1.0], 300)
        gaps = found.missing["score"].to_numpy() & (last > 0)
        truth = np.repeat(wide["y"].to_numpy(), 2)
        drawn = np.mean([done["score"].to_numpy() for done in found.completed], axis=0)
        deltas = {
            z: (truth - drawn)[gaps & (arm == z)].mean() for z in (0, 1)
        }  # worse in one arm, better in the other
        assert deltas[0] > 0 > deltas[1]
        shift = np.where(arm > 0, 1.0, deltas[0] / deltas[1]) * last
        ends = [deltas[1], -deltas[1]]
        result = tipping_point(found, analysis, "score", shift, ends)
        row = result.frame.set_index("delta").loc[deltas[1]]
        full = full_contrast(wide)
        assert_allclose(row["estimate"], full, atol=1e-9)
        plain.append(result.estimate.coefficient - full)
        mended.append(row["low"] <= EFFECT <= row["high"])
    assert np.mean(plain) > 10 * np.std(plain) / math.sqrt(DRAWS)
    assert np.mean(mended) > 0.95 - 4 * math.sqrt(0.95 * 0.05 / DRAWS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcome": "days"}, "outcome is 'days': give one of 'score'"),
        ({"shift": np.zeros(600)}, "shift is 0 wherever score was imputed"),
        ({"shift": 1.0 * ~IMPUTED.missing["score"]}, "shift is 0 wherever score was imputed"),
        ({"shift": SHIFT[:-1]}, "shift has 599 rows but the imputed panel has 600"),
        ({"shift": np.where(np.arange(600) == 1, np.nan, SHIFT)}, "shift is missing in 1"),
        ({"deltas": [0.5]}, "deltas has 1 value: give two or more"),
        ({"deltas": [0.5, np.inf]}, "deltas is infinite in 1 of 2"),
        ({"deltas": []}, "deltas has 0 rows"),
        ({"level": 95}, "level is 95"),
    ],
)
def test_bad_arguments(changes, message):
    good = {"outcome": "score", "shift": SHIFT, "deltas": GRID}
    with pytest.raises(ValueError, match=message):
        tipping_point(IMPUTED, ANALYSIS, **(good | changes))
