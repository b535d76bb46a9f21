"""Trials pooled and one by one, and two samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from pooledtrials.instruments import (
    anderson_rubin_set,
    by_trial,
    first_stage,
    pooled_first_stage,
    trial_instruments,
    tsls,
    two_sample_tsls,
    wald_ratio,
)


@pytest.fixture
def trials():
    g = np.random.default_rng(11)
    n = 900
    trial = g.choice(["Oslo", "Bern", "Cork"], n)
    arm = g.choice(["usual", "facilitated"], n)
    arm[(trial == "Cork") & (g.random(n) < 0.4)] = "intensive"
    v = g.normal(size=n)
    shift = pd.Series(trial).map({"Oslo": 0.0, "Bern": 3.0, "Cork": -1.0}).to_numpy()
    x = (arm != "usual") * 0.8 + (arm == "intensive") * 0.5 + shift + v
    frame = pd.DataFrame({"y": 0.5 * x - shift + v + g.normal(size=n), "x": x})
    return frame.assign(trial=trial, arm=arm).set_index(pd.Index(range(100, 100 + n)))


def test_instruments_are_one_per_trial_and_arm(trials):
    z = trial_instruments(trials["arm"], trials["trial"], control="usual")
    assert sorted(z.columns) == [
        "Bern: facilitated", "Cork: facilitated", "Cork: intensive", "Oslo: facilitated",
    ]  # fmt: skip
    assert z.index.equals(trials.index)
    assert_allclose(z.sum(axis=1), (trials["arm"] != "usual").astype(float))


def test_pooled_first_stage_is_each_trials_own(trials):
    """With trial x arm instruments and trial effects the coefficients are the trials' contrasts."""
    pooled = pooled_first_stage(
        trials["y"], trials["x"], trials["arm"], trials["trial"], control="usual"
    )
    alone = by_trial(trials["y"], trials["x"], trials["arm"], trials["trial"], control="usual")
    found = pooled.to_frame()["coefficient"]
    assert_allclose(found, alone.frame.loc[found.index, "first_stage"], rtol=1e-9)
    z = trial_instruments(trials["arm"], trials["trial"], control="usual")
    same = first_stage(trials["y"], trials["x"], z, None, None, trials["trial"])
    assert same.f_test == pooled.f_test
    # 2SLS is the mean of the trials' ratios weighted by strength: between the extremes
    estimate = tsls(trials["y"], trials["x"], z, None, None, trials["trial"]).coefficient
    ratios = alone.frame["wald_ratio"]
    assert ratios.min() < estimate < ratios.max()


def test_by_trial_is_the_trial_alone(trials):
    alone = by_trial(trials["y"], trials["x"], trials["arm"], trials["trial"], control="usual")
    keep = trials[(trials["trial"] == "Bern")]
    data = (keep["y"], keep["x"], (keep["arm"] == "facilitated").astype(float))
    want = wald_ratio(*data)
    row = alone.frame.loc["Bern: facilitated"]
    assert_allclose(row["wald_ratio"], want.ratio.coefficient, rtol=1e-10)
    assert_allclose(row["wald_ratio_se"], want.ratio.standard_error, rtol=1e-9)
    assert row["n"] == len(keep)
    want = anderson_rubin_set(*data)
    assert_allclose(alone.sets["Bern: facilitated"].end_points, want.end_points, rtol=1e-9)


def test_every_trial_needs_a_contrast(trials):
    arm = trials["arm"].where(trials["trial"] != "Oslo", "usual")
    with pytest.raises(ValueError, match="arm has 1 value in trial 'Oslo'"):
        trial_instruments(arm, trials["trial"], control="usual")
    with pytest.raises(ValueError, match="arm has no 'placebo' in trial"):
        trial_instruments(trials["arm"], trials["trial"], control="placebo")


def test_refusals_within_a_trial_name_it(trials):
    x = trials["x"].where(trials["trial"] != "Cork", 1.0)
    want = "in trial Cork, arm facilitated against usual: x is constant"
    with pytest.raises(ValueError, match=want):
        by_trial(trials["y"], x, trials["arm"], trials["trial"], control="usual")


def test_arms_as_arrays_go_with_an_outcome_that_has_an_index(trials):
    labels = trials["arm"].to_numpy(), trials["trial"].to_numpy()
    data = trials["y"], trials["x"]
    want = pooled_first_stage(*data, trials["arm"], trials["trial"], control="usual")
    for found in (
        pooled_first_stage(*data, *labels, control="usual"),
        pooled_first_stage(data[0].to_numpy(), data[1], *labels, control="usual"),
    ):
        assert found.f_test == want.f_test
        assert found.names == want.names
    assert trial_instruments(labels[0], trials["trial"], control="usual").index[0] == 100


def two_samples(seed, k=1, n=3000, strength=0.3):
    g = np.random.default_rng(seed)
    z, c = g.normal(size=(2 * n, k)), g.normal(size=(2 * n, 1))
    v = g.normal(size=2 * n)
    x = z.sum(axis=1) * strength + c[:, 0] + v
    y = 0.6 * x + v + g.normal(size=2 * n)
    return y[:n], x[n:], z[:n], z[n:], c[:n], c[n:]


def test_two_samples_one_instrument_is_a_ratio_of_regressions():
    y, x, zy, zx, cy, cx = two_samples(1)
    found = two_sample_tsls(y, x, zy, zx, cy, cx)
    reduced = first_stage(x, y, zy, cy)  # the regression of y on z and controls
    stage = first_stage(y, x, zx, cx)
    ratio = reduced.coefficients[0] / stage.coefficients[0]
    assert_allclose(found.estimate.coefficient, ratio, rtol=1e-10)
    variance = reduced.standard_errors[0] ** 2 + ratio**2 * stage.standard_errors[0] ** 2
    error = np.sqrt(variance) / abs(stage.coefficients[0])
    assert_allclose(found.estimate.standard_error, error, rtol=1e-9)
    assert_allclose(found.f_test.statistic, stage.f_test.statistic, rtol=1e-9)
    # Fieller for independent parts: (g - b p)^2 = c (vg + b^2 vp) at the end points
    for b in found.anderson_rubin.end_points:
        gap = reduced.coefficients[0] - b * stage.coefficients[0]
        spread = reduced.standard_errors[0] ** 2 + b**2 * stage.standard_errors[0] ** 2
        assert_allclose(gap**2 / spread, 3.841458820694124, rtol=1e-8)


def test_two_samples_several_instruments_is_the_regression_on_fitted_exposure():
    y, x, zy, zx, cy, cx = two_samples(2, k=3)
    found = two_sample_tsls(y, x, zy, zx, cy, cx)
    first = np.column_stack([np.ones(len(x)), cx, zx])
    fitted = np.column_stack([np.ones(len(y)), cy, zy]) @ np.linalg.lstsq(first, x, rcond=None)[0]
    second = np.column_stack([fitted, np.ones(len(y)), cy])
    want = np.linalg.lstsq(second, y, rcond=None)[0][0]
    assert_allclose(found.estimate.coefficient, want, rtol=1e-9)


def test_two_samples_cover():
    covered = 0
    for seed in range(200):
        found = two_sample_tsls(*two_samples(seed, n=400, strength=0.08))
        covered += found.anderson_rubin.contains(0.6)
    assert covered / 200 > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 200)


def test_two_samples_are_matched_by_the_names_of_their_columns():
    y, x, zy, zx, *_ = two_samples(4, k=2)
    zy[:, 1] *= 3  # so that the two are not exchangeable
    zx[:, 1] *= 3
    names = ["a", "b"]
    want = two_sample_tsls(y, x, zy, zx).estimate
    turned = pd.DataFrame(zx, columns=names)[["b", "a"]]
    assert two_sample_tsls(y, x, pd.DataFrame(zy, columns=names), turned).estimate == want


def test_two_samples_need_the_same_instruments():
    y, x, zy, zx, *_ = two_samples(3, k=2)
    with pytest.raises(ValueError, match="z_of_x has 1 columns and z_of_y 2"):
        two_sample_tsls(y, x, zy, zx[:, :1])
