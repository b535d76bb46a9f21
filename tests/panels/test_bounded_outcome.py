"""Linear, fractional logit and two-part models of a bounded mean, on one contrast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import special, stats

from pooledtrials.panels import bounded_outcome


def draw(generator: np.random.Generator, n: int = 300, per_cluster: int = 3) -> pd.DataFrame:
    """Scores with many zeros, correlated in clusters through a patient's own level."""
    groups = np.repeat(np.arange(n // per_cluster), per_cluster)
    level = generator.normal(size=n // per_cluster)[groups]
    arm = generator.integers(0, 2, n // per_cluster)[groups].astype(float)
    days = generator.uniform(0, 3, n)
    w = generator.normal(size=n)
    stratum = groups % 3
    some = generator.random(n) < special.expit(0.5 - 0.6 * arm - 0.3 * days + 0.4 * w + 0.8 * level)
    mean = special.expit(-1 - 0.3 * arm - 0.1 * days + 0.2 * w + 0.2 * stratum + 0.5 * level)
    y = np.where(some, generator.beta(4 * mean, 4 * (1 - mean)), 0.0)
    return pd.DataFrame(
        {"y": y, "arm": arm, "days": days, "w": w, "g": groups, "s": stratum, "any": some * 1.0}
    )


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return draw(np.random.default_rng(5))


def design(rows: pd.DataFrame, x: str) -> np.ndarray:
    cells = pd.get_dummies(rows["s"], drop_first=True, dtype=float)
    return np.column_stack([np.ones(len(rows)), cells, rows["w"], rows[x]])


@pytest.mark.parametrize("outcome", ["y", "any"])
@pytest.mark.parametrize("x", ["arm", "days"])
@pytest.mark.parametrize("clustered", [True, False])
def test_statsmodels_has_the_same_marginal_effects(
    rows: pd.DataFrame, outcome: str, x: str, clustered: bool
) -> None:
    """`Logit.get_margeff`, which takes shares too, with a dummy's step or a derivative."""
    groups = rows["g"] if clustered else None
    found = bounded_outcome(rows[outcome], rows[x], rows["w"], groups, rows["s"])
    options: dict[str, Any] = {"cov_type": "HC1"}
    if clustered:
        options = {"cov_type": "cluster", "cov_kwds": {"groups": rows["g"]}}
    matrix = design(rows, x)
    fit = sm.Logit(rows[outcome].to_numpy(), matrix).fit(disp=False, tol=1e-12, **options)
    effects = fit.get_margeff(at="overall", dummy=x == "arm")
    got = found.fractional_logit
    if clustered:
        assert_allclose(got.standard_error, effects.margeff_se[-1], rtol=1e-7)
    else:  # HC1 of a discrete model there has no small-sample factor
        n, p = matrix.shape
        assert_allclose(
            got.standard_error, effects.margeff_se[-1] * np.sqrt(n / (n - p)), rtol=1e-7
        )
    assert_allclose(got.coefficient, effects.margeff[-1], rtol=1e-8)
    line = sm.OLS(rows[outcome].to_numpy(), matrix).fit(**options)
    assert_allclose(found.linear.coefficient, line.params[-1], rtol=1e-9)
    assert_allclose(found.linear.standard_error, line.bse[-1], rtol=1e-9)
    assert found.linear.dof == (99 if clustered else 295)


def predictions(rows: pd.DataFrame, used: np.ndarray, y: np.ndarray, x: str, at: Any) -> np.ndarray:
    matrix = design(rows, x)
    fit = sm.GLM(y[used], matrix[used], family=sm.families.Binomial()).fit(tol=1e-12)
    there = matrix.copy()
    there[:, -1] = at
    return fit.predict(there)


@pytest.mark.parametrize("contrast", [(0.0, 1.0), (0.5, 2.5), (2.0, 1.0)])
def test_two_parts_multiply_to_the_effect(
    rows: pd.DataFrame, contrast: tuple[float, float]
) -> None:
    found = bounded_outcome(
        rows["y"], rows["days"], rows["w"], rows["g"], rows["s"], contrast=contrast
    ).two_part
    assert found is not None
    y = rows["y"].to_numpy()
    everyone, positive = np.ones(y.size, dtype=bool), y > 0
    p = [predictions(rows, everyone, positive * 1.0, "days", at) for at in contrast]
    m = [predictions(rows, positive, y, "days", at) for at in contrast]
    assert_allclose(found.effect.coefficient, np.mean(p[1] * m[1] - p[0] * m[0]), rtol=1e-8)
    assert_allclose(found.any.coefficient, np.mean(p[1] - p[0]), rtol=1e-8)
    assert_allclose(found.amount.coefficient, np.mean(m[1] - m[0]), rtol=1e-8)
    assert_allclose(
        found.extensive.coefficient, np.mean((p[1] - p[0]) * (m[0] + m[1]) / 2), rtol=1e-8
    )
    total = found.extensive.coefficient + found.intensive.coefficient
    assert_allclose(total, found.effect.coefficient, rtol=1e-12)


def test_a_derivative_is_the_limit_of_small_steps(rows: pd.DataFrame) -> None:
    arguments = (rows["y"], rows["days"], rows["w"], rows["g"], rows["s"])
    found = bounded_outcome(*arguments).two_part
    assert found is not None
    y, days, step = rows["y"].to_numpy(), rows["days"].to_numpy(), 1e-5
    positive = y > 0
    p, m = (
        [predictions(rows, used, values, "days", days + move) for move in (-step, step)]
        for used, values in ((np.ones(y.size, dtype=bool), positive * 1.0), (positive, y))
    )
    numeric = np.mean(p[1] * m[1] - p[0] * m[0]) / (2 * step)
    assert_allclose(found.effect.coefficient, numeric, rtol=1e-6)


def test_delta_method_against_a_cluster_bootstrap(rows: pd.DataFrame) -> None:
    """Drawing patients anew; 300 draws know a standard error to 4 %, and rows move a little too."""
    names = ["fractional logit", "two-part", "through any", "through amount", "any", "amount"]

    def effects(frame: pd.DataFrame) -> pd.DataFrame:
        return bounded_outcome(frame["y"], frame["arm"], frame["w"], frame["g"]).to_frame()

    generator = np.random.default_rng(3)
    members = rows.groupby("g").indices
    draws = []
    for _ in range(300):
        chosen = generator.choice(len(members), len(members))
        index = np.concatenate([members[c] for c in chosen])
        sample = rows.iloc[index].assign(g=np.repeat(np.arange(len(members)), 3))
        draws.append(effects(sample).loc[names, "estimate"])
    spread = pd.DataFrame(draws).std()
    assert_allclose(effects(rows).loc[names, "standard_error"], spread, rtol=0.17)


@pytest.mark.parametrize("clustered", [True, False])
def test_saturated_models_are_the_difference_of_means(rows: pd.DataFrame, clustered: bool) -> None:
    """0/1 exposure, no covariates: one estimate and one error, three times."""
    found = bounded_outcome(rows["y"], rows["arm"], clusters=rows["g"] if clustered else None)
    means = rows.groupby("arm")["y"].mean()
    assert found.two_part is not None
    every = [found.linear, found.fractional_logit, found.two_part.effect]
    assert_allclose([e.coefficient for e in every], means[1] - means[0], rtol=1e-9)
    assert_allclose([e.standard_error for e in every], found.linear.standard_error, rtol=1e-9)
    some = rows[rows["y"] > 0].groupby("arm")["y"].mean()
    assert_allclose(found.two_part.amount.coefficient, some[1] - some[0], rtol=1e-8)


@given(
    st.integers(0, 1000),
    st.sampled_from([30.0, 0.01, 1.0]),
    st.sampled_from([1e-3, 20.0]),
    st.sampled_from([-5.0, 3.0]),
)
def test_scale_shift_order_and_labels(seed: int, upper: float, unit: float, shift: float) -> None:
    """Units of y scale effects; units of x, a step of so many units; shifts of controls nothing."""
    generator = np.random.default_rng(seed)
    rows = draw(generator, 120)
    first = bounded_outcome(rows["y"], rows["days"], rows["w"], rows["g"], rows["s"])
    other_rows = rows.sample(frac=1, random_state=seed)
    other = bounded_outcome(
        np.minimum(other_rows["y"] * upper, upper), other_rows["days"] * unit,
        shift + 2 * other_rows["w"], other_rows["g"].astype(str) + "p", "s" + other_rows["s"].astype(str),
        upper=upper,
    )  # fmt: skip
    a, b = first.to_frame(), other.to_frame()
    scale = np.where(a["of"] == "P(y > 0)", 1.0, upper) / unit
    for column in ("estimate", "standard_error", "low", "high"):
        assert_allclose(b[column], a[column] * scale, rtol=1e-5, atol=1e-7 * scale.max())


def test_a_linear_first_part_exists_where_a_stratum_has_no_zeros(rows: pd.DataFrame) -> None:
    y = np.where(rows["s"] == 1, 0.1 + rows["y"] / 2, rows["y"])
    arguments = (y, rows["arm"].to_numpy(), None, rows["g"].to_numpy(), rows["s"].to_numpy())
    with pytest.raises(ValueError, match=r"y > 0 is separated: .*stratum 1"):
        bounded_outcome(*arguments)
    found = bounded_outcome(*arguments, first_part="linear").two_part
    assert found is not None
    cells = pd.get_dummies(rows["s"], dtype=float)
    matrix = np.column_stack([cells, rows["arm"]])
    slope = np.linalg.lstsq(matrix, (y > 0) * 1.0, rcond=None)[0][-1]
    assert_allclose(found.any.coefficient, slope, rtol=1e-9)


def test_binary_and_days(rows: pd.DataFrame) -> None:
    abstinent = bounded_outcome(1 - rows["any"], rows["arm"], rows["w"], rows["g"])
    assert abstinent.two_part is None
    assert "either 0 or its upper bound" in abstinent.describe()
    assert list(abstinent.to_frame().index) == ["linear", "fractional logit"]
    used = bounded_outcome(rows["any"], rows["arm"], rows["w"], rows["g"])
    assert_allclose(used.linear.coefficient, -abstinent.linear.coefficient, rtol=1e-9)
    assert_allclose(
        used.fractional_logit.coefficient, -abstinent.fractional_logit.coefficient, rtol=1e-7
    )
    days = bounded_outcome(np.round(30 * rows["y"]), rows["arm"], upper=30)
    assert days.two_part is not None
    assert_allclose(days.two_part.effect.coefficient, days.linear.coefficient, rtol=1e-8)
    never_zero = bounded_outcome(0.1 + rows["y"] / 2, rows["arm"])
    assert never_zero.two_part is None
    assert "never 0" in never_zero.two_part_reason


def test_words_and_frame(rows: pd.DataFrame) -> None:
    found = bounded_outcome(rows["y"], rows["arm"], clusters=rows["g"])
    assert "from arm = 0 to 1" in found.describe()
    assert "no effect even in a randomized trial" in found.describe()
    assert f"{100 * (rows['y'] == 0).mean():.0f} % of rows" in found.describe()
    frame = found.to_frame(0.9)
    half = stats.t.isf(0.05, 99) * found.linear.standard_error
    assert_allclose(frame.loc["linear", "high"], found.linear.coefficient + half)
    assert "per unit of days" in bounded_outcome(rows["y"], rows["days"]).describe()
    assert "from x = 0 to 1" in bounded_outcome(rows["y"], rows["arm"].to_numpy()).contrast


def test_coverage_under_the_two_part_model() -> None:
    """Rows fixed, outcomes drawn: the truth is the average over these rows."""
    generator = np.random.default_rng(21)
    n, draws = 240, 300
    groups = np.repeat(np.arange(n // 2), 2)
    arm = generator.integers(0, 2, n // 2)[groups].astype(float)
    w = generator.normal(size=n)

    def chances(at: Any) -> tuple[Any, Any]:
        return special.expit(0.4 - 0.8 * at + 0.5 * w), special.expit(-0.8 - 0.5 * at + 0.3 * w)

    (p0, m0), (p1, m1), (p, m) = chances(0.0), chances(1.0), chances(arm)
    truth = {
        "two-part": np.mean(p1 * m1 - p0 * m0),
        "any": np.mean(p1 - p0),
        "amount": np.mean(m1 - m0),
        "through amount": np.mean((p1 + p0) / 2 * (m1 - m0)),
    }
    inside = dict.fromkeys(truth, 0)
    for _ in range(draws):
        # one uniform per cluster for "any": strong dependence within it
        some = generator.random(n // 2)[groups] < p
        y = np.where(some, generator.beta(6 * m, 6 * (1 - m)), 0.0)
        frame = bounded_outcome(y, arm, w, groups).to_frame(0.9)
        for name, value in truth.items():
            inside[name] += frame.loc[name, "low"] <= value <= frame.loc[name, "high"]
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], draws, 0.9)
    assert all(low <= count <= high for count in inside.values()), inside


N = 40
Y = np.where(np.arange(N) % 3 == 0, 0.0, (np.arange(N) % 7 + 1) / 10)
ARM = np.arange(N) % 2 * 1.0


@pytest.mark.parametrize(
    ("y", "x", "options", "message"),
    [
        (Y + 0.5, ARM, {}, "y is outside 0 to 1 in"),
        (Y - 0.1, ARM, {}, "y is outside 0 to 1 in"),
        (Y * 50, ARM, {"upper": 30}, "y is outside 0 to 30"),
        (np.zeros(N), ARM, {}, "y is 0 in every row"),
        (np.ones(N), ARM, {}, "y is 1 in every row"),
        (np.where(Y > 0.5, np.nan, Y), ARM, {}, "y is missing in"),
        (Y, np.where(Y > 0.5, np.nan, ARM), {}, "x is missing in"),
        (Y, ARM[:-1], {}, "x has 39 rows"),
        (Y, np.ones(N), {}, "x is constant"),
        (Y, np.column_stack([ARM, Y]), {}, "x has 2 columns"),
        (Y, ARM, {"controls": ARM * 2 + 1}, "x is constant, or a combination"),
        (Y, ARM, {"controls": np.ones(N)}, "controls column controls0 is constant"),
        (Y, ARM, {"strata": ARM}, "x is constant, or a combination"),
        (Y, ARM, {"strata": np.arange(N) // 20, "controls": np.arange(N) // 20}, "combination"),
        (Y, ARM, {"strata": np.arange(N)}, "y has 40 rows for 41 columns"),
        (Y, ARM, {"clusters": np.zeros(N)}, "clusters has 1 cluster"),
        (Y, ARM, {"clusters": np.zeros(3)}, "clusters has 3 rows"),
        (Y * ARM, ARM, {}, "y is separated: intercept, x tell the rows"),
        ((Y > 0) * 1.0, (Y > 0) + np.arange(N) / 1e3, {}, "y is separated"),
        (np.where(np.arange(N) < 9, 0.0, Y), ARM, {"strata": np.arange(N) // 8}, "y is separated"),
        (np.where(ARM == 1, (Y > 0) * 1.0, Y), ARM, {}, "y above 0 is separated"),
        (np.where((ARM == 1) & (np.arange(N) > 1), 0.0, Y), ARM, {"controls": np.arange(N) == 1},
         "separated"),
        (Y, ARM, {"contrast": (1, 1)}, "contrast is"),
        (Y, ARM, {"contrast": (1, np.inf)}, "contrast is"),
        (Y, ARM, {"contrast": 3}, "contrast is 3"),
        (np.where(ARM == 1, Y + 0.1, Y), ARM, {}, "y > 0 is separated: .* first_part='linear'"),
        (Y, ARM, {"first_part": "probit"}, "first_part is 'probit'"),
        (Y, ARM, {"upper": 0}, "upper is 0"),
        (Y, ARM, {"upper": "30"}, "upper is '30'"),
        (pd.Series(Y), pd.Series(ARM, np.arange(N) + 1), {}, "indexes"),
    ],
)  # fmt: skip
def test_bad_input(y: Any, x: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bounded_outcome(y, x, **options)


def test_level_is_checked(rows: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="level is 95"):
        bounded_outcome(rows["y"], rows["arm"]).to_frame(95)
