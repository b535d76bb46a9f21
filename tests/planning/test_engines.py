"""Two engines, one answer: compiled code against NumPy, replication by replication."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, special

from pooledtrials.instruments.conditional import conditional_p_value
from pooledtrials.planning import Cell, Tally, make_design, run
from pooledtrials.planning.montecarlo.compiled import available
from pooledtrials.planning.montecarlo.conditional_table import conditional_table
from pooledtrials.planning.montecarlo.draws import Draws, Scores
from pooledtrials.planning.montecarlo.normals import standard_normals
from pooledtrials.planning.montecarlo.panel import (
    Classical,
    Robust,
    classical_statistics,
    robust_statistics,
    score_sets,
)
from pooledtrials.planning.montecarlo.samplers import SAMPLERS, reduce_rows, row_errors
from pooledtrials.planning.montecarlo.tally import BINS, bins_of, edges

pytestmark = pytest.mark.skipif(not available(), reason="numba is not installed")

N = 310


def stream(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def designs() -> dict[str, object]:
    """Of every kind that the compiled sums treat in their own way."""
    g = np.random.default_rng(0)
    trial, arm = g.integers(0, 3, N), g.integers(0, 2, N)
    arms, clusters = np.eye(3)[trial] * arm[:, None], g.integers(0, 50, N)
    age = g.normal(40, 9, N)
    return {
        "trials": make_design(arms, clusters=clusters, strata=trial),
        "trials and a covariate": make_design(arms, age, clusters, trial),
        "one instrument": make_design(arm, age, clusters),
        "no groups": make_design(g.normal(size=(N, 4)), g.normal(size=(N, 3)), clusters),
        "nothing partialled out": make_design(g.normal(size=(N, 2)), clusters=clusters),
        "indicators as controls": make_design(
            arms, np.column_stack([np.eye(3)[trial][:, 1:], age]), clusters
        ),
        "a group of one": make_design(np.append(arm[:-1], 0), np.eye(N)[:, -1:], clusters),
    }


DESIGNS = designs()


def cells(design):
    by_row = np.random.default_rng(1).uniform(0.5, 2, (2, design.nobs))
    by_cell = by_row[:, design.first_rows][:, design.cells]
    theta = design.strength(10.0)
    return {
        "plain": Cell(theta, 0.2, 0.6),
        "by cell": Cell(theta, 0.2, 0.6, scale=by_cell[0], deviations=by_cell[1]),
        "by row": Cell(theta, 0.2, -0.6, scale=by_row[0], deviations=by_row[1]),
        "shared": Cell(theta, 0.2, 0.6, shared=0.3),
    }


def close(one, two, tolerance=1e-10):
    """Equal to a tolerance relative to what is typical of the array."""
    known = np.abs(one[np.isfinite(one)])
    # arrays with many zeros, which rounding makes something else, by their mean
    size = max(np.median(known), 1e-3 * known.mean()) if known.size else 1.0
    assert_allclose(one, two, rtol=tolerance, atol=tolerance * size)


def close_draws(one: Draws, two: Draws):
    for name in ("reduced_form", "first_stage", "residual_gram"):
        close(getattr(one, name), getattr(two, name))
    for word in ("robust", "clustered"):
        a, b = getattr(one, word), getattr(two, word)
        assert (a is None) == (b is None)
        if a is not None:
            close(a.wald, b.wald)
            close(a.fitted, b.fitted)
            assert (a.own is None) == (b.own is None)
            if a.own is not None:
                close(a.own, b.own)


@pytest.mark.parametrize("seed", [0, 3])
def test_normals_are_numpys(seed):
    """Two million, so that the edges of all layers and the tail occur."""
    one, two = stream(seed), stream(seed)
    for shape in ((7,), (1000, 1001), (1_000_000,)):
        a, b = one.standard_normal(shape), standard_normals(two, shape, "numba")
        assert_allclose(a, b, rtol=1e-10, atol=1e-15)
    assert np.abs(b).max() > 3.6541528853610088
    # and the stream goes on where NumPy's does
    assert one.integers(2**60) == two.integers(2**60)
    other = np.random.default_rng(5)
    want = np.random.default_rng(5).standard_normal(4)
    assert_array_equal(standard_normals(other, (4,), "numba"), want)


@pytest.mark.parametrize("name", DESIGNS)
def test_features_stand_for_the_columns(name):
    """Rows of [q, basis] and products of q's columns, from features and coefficients."""
    design = DESIGNS[name]
    found = design.features
    joined = np.column_stack([design.q, design.basis])[found.order]
    a, b = np.triu_indices(design.n_instruments)
    for g, (first, last) in enumerate(zip(found.starts[:-1], found.starts[1:], strict=True)):
        rows = joined[first:last]
        assert_allclose(found.linear[:, first:last].T @ found.to_columns[g], rows, atol=1e-12)
        products = rows[:, a] * rows[:, b]
        made = found.quadratic[:, first:last].T @ found.to_products[g]
        assert_allclose(made, products, atol=1e-12)
    assert_array_equal(found.order[found.place], np.arange(design.nobs))


def test_features_are_few_where_trials_are():
    assert DESIGNS["trials and a covariate"].features.linear.shape[0] == 2
    assert DESIGNS["indicators as controls"].features.linear.shape[0] == 2
    assert DESIGNS["no groups"].features.linear.shape[0] == 8


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("law", ["plain", "by cell", "by row", "shared"])
def test_samplers_draw_the_same(name, law):
    design = DESIGNS[name]
    cell = cells(design)[law]
    close_draws(
        *(
            SAMPLERS["rows"](design, cell, 40, stream(1), ("robust", "clustered"), engine)
            for engine in ("numpy", "numba")
        )
    )
    tried = [("rows", ())]
    if law == "plain":
        tried.append(("wishart", ()))
    if law in ("plain", "by cell") and 2 * design.first_rows.size <= design.nobs:
        tried += [("cell_wishart", ()), ("cell_wishart", ("robust",))]
    for sampler, words in tried:
        close_draws(
            *(
                SAMPLERS[sampler](design, cell, 40, stream(2), words, engine)
                for engine in ("numpy", "numba")
            )
        )


def test_errors_of_ones_own_are_reduced_the_same():
    design = DESIGNS["trials and a covariate"]

    def skewed(generator, reps, n):
        return generator.standard_exponential((reps, n, 2)) - 1

    for cell in (
        Cell(design.strength(4.0), errors=skewed),
        Cell(design.strength(4.0), errors=skewed, scale=np.linspace(1, 2, N)),
    ):
        close_draws(
            *(
                SAMPLERS["rows"](design, cell, 20, stream(1), ("robust", "clustered"), engine)
                for engine in ("numpy", "numba")
            )
        )
    # and a generator whose stream the compiler does not know
    plain = cells(design)["shared"]
    close_draws(
        *(
            SAMPLERS["rows"](design, plain, 20, np.random.default_rng(4), ("robust",), engine)
            for engine in ("numpy", "numba")
        )
    )
    errors = next(row_errors(design, plain, 16, stream(0)))
    close_draws(*(reduce_rows(design, plain, errors, (), engine) for engine in ("numpy", "numba")))


@st.composite
def random_moments(draw):
    """Any moments that data could give, weak and strong, of two covariances."""
    k, reps = draw(st.integers(1, 6)), 8
    g = np.random.default_rng(draw(st.integers(0, 2**32)))
    design = make_design(np.random.default_rng(1).normal(size=(60, k)), clusters=np.arange(60) // 3)
    strength, spread = draw(st.sampled_from([0.0, 1.0, 30.0])), 10 ** draw(st.floats(-2, 2))

    def positive(*shape):
        roots = g.normal(size=(*shape, shape[-1] + 12))
        return roots @ np.swapaxes(roots, -1, -2)

    def scores(own):
        wald = positive(reps, 2 * k).reshape(reps, 2, k, 2, k).transpose(0, 1, 3, 2, 4)
        return Scores(np.ascontiguousarray(wald), positive(reps, 2), own)

    draws = Draws(
        g.normal(size=(reps, k)) * spread,
        g.normal(size=(reps, k)) + strength,
        positive(reps, 2) * np.array([[spread**2, spread], [spread, 1.0]]),
        scores(positive(reps, 2)),
        scores(None),
    )
    return design, draws, np.array([0.0, spread, -3 * spread, 0.2])


@given(random_moments())
def test_panels_agree_on_random_moments(case):
    design, draws, points = case
    one, two = (classical_statistics(draws, design, points, e) for e in ("numpy", "numba"))
    # LIML and Fuller divide by differences that can nearly vanish: compared where they do not
    firm = np.abs(one.bread) > 1e-3 * one.bread[0]
    for name in Classical.__dataclass_fields__:
        a, b = getattr(one, name), getattr(two, name)
        if name in ("error", "standard_error"):
            a, b = a[firm], b[firm]
        close(a, b)
    bounds = one.larger * np.linspace(0, 1.2, one.larger.size)
    for bound in (3.84, bounds):
        left, right = (score_sets(draws, design, bound, e) for e in ("numpy", "numba"))
        assert_array_equal(left.code, right.code)
        assert_allclose(left.lower, right.lower, rtol=1e-8)
        assert_allclose(left.upper, right.upper, rtol=1e-8)
    for covariance in ("robust", "clustered"):
        for conditional in (True, False):
            left, right = (
                robust_statistics(draws, design, covariance, one, points, conditional, e)
                for e in ("numpy", "numba")
            )
            for name in Robust.__dataclass_fields__:
                a, b = getattr(left, name), getattr(right, name)
                if name == "standard_error":
                    a, b = a[firm], b[firm]
                # rk is a difference of Wald statistics, and K may be one of nearly nothing
                close(a, b, 1e-9 if name in ("rank", "ratio", "score") else 1e-10)


@pytest.mark.parametrize("k", [1, 2, 6, 15])
@pytest.mark.parametrize("dof", [None, 300.0])
def test_table_of_conditional_p_values(k, dof):
    """To 3e-7 of the integral, in both engines; at strength 0 the law of Anderson-Rubin's."""
    g = np.random.default_rng(7)
    statistic = np.concatenate([g.chisquare(k, 2000), 10 ** g.uniform(-4, 3, 2000), [0.0]])
    strength = np.concatenate([g.chisquare(k + 4, 2000), 10 ** g.uniform(-4, 5, 2000), [0.0]])
    table = conditional_table(k, dof)
    want = conditional_p_value(statistic, strength, k, dof)
    for engine in ("numpy", "numba"):
        assert np.abs(table(statistic, strength, engine) - want).max() < 3e-7
        pair = np.array([[1.0, np.nan]]), np.array([[np.nan, 1.0]])
        assert np.isnan(table(*pair, engine)).all()
        square = statistic[:4].reshape(2, 2), strength[:4].reshape(2, 2)
        assert_allclose(table(*square, engine).ravel(), want[:4], atol=3e-7)
    if dof is None:
        at_zero = table(statistic, np.zeros_like(statistic), "numpy")
        assert np.abs(at_zero - special.chdtrc(k, statistic)).max() < 3e-7


def test_the_integral_behind_the_table():
    """Moreira's conditional law by another integration, over the share of S along T."""
    m, q, k = 4.0, 7.0, 3

    def tail(share):
        # with three instruments the share's root is uniform on [0, 1]
        return special.chdtrc(k, (q + m) / (1 + q * share**2 / m))

    want = integrate.quad(tail, 0, 1)[0]
    got = conditional_table(k, None)(np.array([m]), np.array([q]), "numpy")[0]
    assert_allclose(got, want, atol=3e-7)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=60))
def test_tallies_agree(values):
    array = np.array(values, dtype=float)
    one, two = Tally.of(array, "numpy"), Tally.of(array, "numba")
    assert (one.count, one.missing, one.infinite) == (two.count, two.missing, two.infinite)
    assert_array_equal(one.histogram, two.histogram)
    assert one.histogram.sum() == one.count - one.infinite
    assert_allclose(one.total, two.total, rtol=1e-12, atol=1e-12 * np.sqrt(one.square + 1))
    assert_allclose(one.square, two.square, rtol=1e-12)


@given(st.floats(-1e8, 1e8))
def test_values_lie_within_their_bins(value):
    ends, place = edges(), int(bins_of(np.array([value]))[0])
    assert ends.size == BINS + 1
    assert np.all(np.diff(ends) > 0)
    assert ends[place] <= value <= ends[place + 1]
    width = ends[place + 1] - ends[place]
    assert width <= 0.032 * (abs(value) + 2**-10)


def test_studies_of_both_engines_agree():
    """Whole runs: the same decisions in nearly every replication, sums to rounding."""
    design = DESIGNS["trials and a covariate"]
    cell = cells(design)["shared"]
    options = {
        "sampler": "rows",
        "covariances": ("classical", "robust", "clustered"),
        "hypotheses": (0.0,),
        "seed": 4,
    }
    one, two = (run(design, [cell], 2000, engine=e, **options) for e in ("numpy", "numba"))
    assert (one.engine, two.engine) == ("numpy", "numba")
    assert one.tallies[0].keys() == two.tallies[0].keys()
    for name, tally in one.tallies[0].items():
        other = two.tallies[0][name]
        assert (tally.count, tally.missing) == (other.count, other.missing)
        if tally.histogram is None:
            assert abs(tally.total - other.total) <= 1
        else:
            scale = np.sqrt(tally.square * tally.count)
            assert abs(tally.total - other.total) < 1e-8 * scale + 1e-12
