"""One stage beside two: the same slopes, weighted otherwise."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import linalg, optimize, stats

from pooledtrials.panels import (
    bounded_outcome,
    by_trial,
    compare_stages,
    fit,
    meta_analysis,
    one_stage,
)
from pooledtrials.panels.layout import layout
from pooledtrials.panels.one_stage import STAGE_METHODS

COLUMNS = ("y", "x", "patients", "waves", "trials")


def draw(
    seed: int, tau: float = 0.5, sizes: tuple[int, ...] = (25, 40, 30, 20, 35)
) -> pd.DataFrame:
    """Trials with schedules, slopes and spreads of exposure of their own; interviews missed."""
    generator = np.random.default_rng(seed)
    slopes = 1 + tau * generator.normal(size=len(sizes))
    parts = []
    for t, size in enumerate(sizes):
        waves = np.array([0, 3, 6, 12])[: 3 + t % 2]
        patient, wave = (
            grid.ravel() for grid in np.meshgrid(np.arange(size), waves, indexing="ij")
        )
        level = generator.normal(size=size)[patient]
        x = 0.5 * level + (0.6 + 0.2 * t) * generator.normal(size=patient.size)
        y = slopes[t] * x + level + wave / 6 * (t - 2) + generator.normal(size=patient.size)
        w = generator.normal(size=patient.size)
        part = pd.DataFrame({"y": y, "x": x, "w": w, "patients": patient, "waves": wave})
        seen = generator.random(patient.size) < 0.85
        parts.append(part.assign(trials=f"trial {t}")[seen])
    return pd.concat(parts, ignore_index=True)


def arguments(panel: pd.DataFrame, **more: Any) -> dict[str, Any]:
    return {name: panel[name] for name in COLUMNS} | more


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return draw(7)


def dummies(panel: pd.DataFrame) -> np.ndarray:
    cells = panel["trials"] + " " + panel["waves"].astype(str)
    return pd.get_dummies(cells, dtype=float).to_numpy()


def demeaned(panel: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    labels = [panel["trials"], panel["patients"]]
    frame = pd.DataFrame(values, index=panel.index)
    return (frame - frame.groupby(labels).transform("mean")).to_numpy()


@pytest.mark.parametrize("controls", [False, True])
def test_the_common_slope_is_the_weighted_mean_of_the_trials(
    panel: pd.DataFrame, controls: bool
) -> None:
    more = {"controls": panel[["w"]]} if controls else {}
    found = one_stage(**arguments(panel, **more))
    slopes = np.array([e.coefficient for e in found.trials.values()])
    assert_allclose(found.weights.sum(), 1)
    assert_allclose(found.weights.to_numpy() @ slopes, found.common.coefficient, rtol=1e-10)
    assert list(found.weights.index) == list(found.trials)
    alone = panel[panel["trials"] == "trial 3"]
    own = fit(
        alone["y"], alone["x"], alone["patients"], alone["waves"],
        alone[["w"]] if controls else None,
    )  # fmt: skip
    assert found.trials["trial 3"].coefficient == own.coefficient
    assert found.trials["trial 3"].standard_error == own.standard_error


def test_mixed_weights_are_those_of_generalized_least_squares(panel: pd.DataFrame) -> None:
    """Slopes by trial of the quasi-demeaned rows, weighted, are the common slope."""
    found = one_stage(**arguments(panel), method="mixed")
    data = layout(panel["y"], panel["x"], panel["patients"], panel["waves"], trials=panel["trials"])
    share = np.array([found.common.theta[int(size)] for size in data.sizes])[data.patients]
    stack = np.column_stack([panel["y"], panel["x"], dummies(panel)])
    moved = stack - share[:, None] * (stack - demeaned(panel, stack))
    slopes = []
    for t in range(data.n_trials):
        here = moved[data.trials == t]
        slopes.append(np.linalg.lstsq(here[:, 1:], here[:, 0], rcond=None)[0][0])
    assert_allclose(found.weights.to_numpy() @ slopes, found.common.coefficient, rtol=1e-8)


@pytest.mark.parametrize("method", STAGE_METHODS)
def test_trials_that_are_copies_have_one_answer(panel: pd.DataFrame, method: str) -> None:
    trial = panel[panel["trials"] == "trial 1"]
    copies = pd.concat([trial.assign(trials=f"copy {c}") for c in range(4)], ignore_index=True)
    one = one_stage(**arguments(copies), method=method)
    two = meta_analysis(one.trials, interval="normal")
    assert one.tau_squared < 1e-10  # the search in tau resolves about 1e-6 here
    assert two.tau_squared == 0
    table = compare_stages(one, two)["estimate"].unstack()
    assert_allclose(table["two"], one.trials["copy 0"].coefficient, rtol=1e-12)
    assert_allclose(table.loc["random", "one"], one.common.coefficient, rtol=1e-7)
    if method == "within":  # mixed: REML counts one slope where four trials alone count four
        assert_allclose(one.common.coefficient, one.trials["copy 0"].coefficient, rtol=1e-10)
    assert_allclose(one.weights, 0.25)


def test_random_slopes_within_are_reml_with_a_dummy_for_each_patient(panel: pd.DataFrame) -> None:
    """The model as it is written, with dense matrices: n x n covariance, patients' indicators."""
    found = one_stage(**arguments(panel, controls=panel[["w"]]))
    by_one = pd.get_dummies(panel["trials"], dtype=float).to_numpy()
    x, w, y = (panel[[name]].to_numpy() for name in ("x", "w", "y"))
    people = pd.get_dummies(panel["trials"] + panel["patients"].astype(str), dtype=float)
    others = np.column_stack([w * by_one, dummies(panel), people])
    space = linalg.orth(others, rcond=1e-10)
    matrix = np.column_stack([x, space])
    n, p = matrix.shape

    def solve(ratio: float) -> tuple[float, float, float, float]:
        """-2 log restricted likelihood, slope, its variance, residual variance."""
        covariance = np.eye(n) + ratio * (x * by_one) @ (x * by_one).T
        weighted = np.linalg.solve(covariance, np.column_stack([matrix, y]))
        information = matrix.T @ weighted[:, :-1]
        b = np.linalg.solve(information, matrix.T @ weighted[:, -1])
        variance = float(y[:, 0] @ (weighted[:, -1] - weighted[:, :-1] @ b)) / (n - p)
        determinants = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
        deviance = (n - p) * np.log(variance) + determinants
        return deviance, b[0], variance * np.linalg.inv(information)[0, 0], variance

    best = optimize.minimize_scalar(
        lambda root: solve(root**2)[0], bounds=(0, 3), method="bounded", options={"xatol": 1e-7}
    )
    _, slope, of_slope, variance = solve(best.x**2)
    assert_allclose(found.tau_squared, best.x**2 * variance, rtol=1e-4)
    assert found.tau_squared > 0.01
    assert_allclose(found.random.coefficient, slope, rtol=1e-6)
    assert_allclose(found.random.standard_error, np.sqrt(of_slope), rtol=1e-5)


def test_random_slopes_mixed_are_those_of_fit(panel: pd.DataFrame) -> None:
    found = one_stage(**arguments(panel), method="mixed")
    want = fit(**arguments(panel), method="mixed", slopes="trials", covariance="classical")
    assert found.random.coefficient == want.coefficient
    assert found.tau_squared == want.variance_components["slope"]
    assert found.random.dof == 4


def test_cochran_q_is_the_wald_test_of_equal_slopes(panel: pd.DataFrame) -> None:
    """One regression with x by trial, clustered by patient without small-sample factor."""
    rows = {name: panel[name] for name in COLUMNS[:-1]}
    q = meta_analysis(by_trial(partial(fit, variant="CR0"), panel["trials"], **rows)).heterogeneity
    by_one = pd.get_dummies(panel["trials"], dtype=float).to_numpy()
    matrix = demeaned(
        panel, np.column_stack([by_one * panel["x"].to_numpy()[:, None], dummies(panel)])
    )
    y = demeaned(panel, panel["y"].to_numpy())[:, 0]
    inverse = np.linalg.pinv(matrix.T @ matrix)
    b = inverse @ matrix.T @ y
    scores = pd.DataFrame(matrix * (y - matrix @ b)[:, None])
    sums = scores.groupby([panel["trials"], panel["patients"]]).sum().to_numpy()
    covariance = (inverse @ sums.T @ sums @ inverse)[:5, :5]
    contrasts = np.eye(5)[1:] - np.eye(5)[:1]
    gap = contrasts @ b[:5]
    wald = gap @ np.linalg.solve(contrasts @ covariance @ contrasts.T, gap)
    assert_allclose(q.statistic, wald, rtol=1e-7)


@pytest.mark.parametrize("method", STAGE_METHODS)
def test_units_order_and_labels(panel: pd.DataFrame, method: str) -> None:
    first = one_stage(**arguments(panel), method=method)
    other_panel = panel.sample(frac=1, random_state=3).assign(
        y=lambda rows: 30 * rows["y"] + 7,
        x=lambda rows: rows["x"] / 10,
        patients=lambda rows: "p" + rows["patients"].astype(str),
        trials=lambda rows: rows["trials"].str.upper(),
    )
    other = one_stage(**arguments(other_panel), method=method)
    a, b = first.to_frame(), other.to_frame()
    b.index = b.index.str.replace("TRIAL", "trial")
    b = b.loc[a.index]
    for column in ("estimate", "se", "low", "high", "tau"):
        assert_allclose(b[column], 300 * a[column], rtol=1e-5)
    assert_allclose(b["weight"], a["weight"], rtol=1e-6)


def test_table_of_stages(panel: pd.DataFrame) -> None:
    one = one_stage(**arguments(panel))
    two = meta_analysis(one.trials, level=0.9)
    table = compare_stages(one, two)
    assert table.loc[("common", "one"), "estimate"] == one.common.coefficient
    assert table.loc[("common", "two"), "estimate"] == two.common.coefficient
    assert table.loc[("random", "two"), "tau"] == np.sqrt(two.tau_squared)
    assert_allclose(table.loc[("random", "two"), ["low", "high"]], two.random_set.end_points)
    half = stats.t.isf(0.05, 4) * one.random.standard_error
    assert_allclose(table.loc[("random", "one"), "high"], one.random.coefficient + half)
    assert "5 trials in one model (within)" in one.describe()
    with pytest.raises(ValueError, match="two pools 4 trials"):
        compare_stages(one, meta_analysis(two.trials.iloc[1:]))


def test_coarser_clusters_reach_every_fit(panel: pd.DataFrame) -> None:
    sites = panel["trials"] + (panel["patients"] % 6).astype(str)
    one = one_stage(**arguments(panel, clusters=sites))
    assert one.common.n_clusters == 30
    assert one.trials["trial 0"].n_clusters == 6
    plain = one_stage(**arguments(panel))
    assert one.common.coefficient == plain.common.coefficient
    assert one.common.standard_error != plain.common.standard_error


def test_by_trial_takes_any_estimator(panel: pd.DataFrame) -> None:
    def linear(**rows: Any) -> Any:
        return bounded_outcome(**rows).linear

    low, high = panel["y"].min(), panel["y"].max()
    share = (panel["y"] - low) / (high - low)
    found = by_trial(linear, panel["trials"], y=share, x=panel["x"].to_numpy(), controls=None)
    here = panel["trials"] == "trial 2"
    want = np.polyfit(panel["x"][here], share[here], 1)[0]
    assert_allclose(found["trial 2"].coefficient, want)
    assert list(found) == list(panel["trials"].unique())


def test_coverage_of_the_mean_of_slopes() -> None:
    draws, inside = 40, {"random slopes": 0, "two": 0}
    for seed in range(draws):
        one = one_stage(**arguments(draw(seed, 0.4, (15, 20, 18, 16))))
        low, high = one.to_frame(0.8).loc["random slopes", ["low", "high"]]
        inside["random slopes"] += low <= 1 <= high
        inside["two"] += meta_analysis(one.trials, level=0.8).random_set.contains(1)
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], draws, 0.8)
    assert all(low <= count <= high for count in inside.values()), inside


def constant_in(panel: pd.DataFrame, column: str) -> pd.DataFrame:
    here = panel["trials"] == "trial 2"
    own = panel["patients"] if column == "x" else 1.0
    return panel.assign(**{column: panel[column].where(~here, own)})


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda p: p, {"method": "pooled"}, "method is 'pooled'"),
        (lambda p: p[p["trials"] == "trial 0"], {}, "trials has 1 trial"),
        (lambda p: p[p["trials"] == "trial 0"], {"trials": None}, "trials has 1 trial"),
        (lambda p: constant_in(p, "x"), {}, "in trial 'trial 2': x is constant within"),
        (lambda p: p[(p["trials"] != "trial 2") | (p["waves"] == 0)], {}, "in trial 'trial 2'"),
        (lambda p: p.assign(y=p["y"].where(p["x"] < 1)), {}, "y is missing"),
        (lambda p: p, {"trials": ["a"] * 3}, "trials has 3 rows"),
    ],
)
def test_bad_input(panel: pd.DataFrame, change: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one_stage(**(arguments(change(panel)) | options))


def test_a_control_that_is_constant_in_a_trial_is_named(panel: pd.DataFrame) -> None:
    changed = constant_in(panel, "w")
    with pytest.raises(ValueError, match="in trial 'trial 2': controls column w is constant"):
        one_stage(**arguments(changed, controls=changed[["w"]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.zeros(3)}, "y has 3 rows"),
        ({"y": pd.Series(np.zeros(4), [1, 2, 3, 4])}, "indexes"),
    ],
)
def test_bad_input_by_trial(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        by_trial(bounded_outcome, pd.Series(["a", "a", "b", "b"]), **arguments)
