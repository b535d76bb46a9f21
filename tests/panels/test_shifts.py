"""Levels far from zero, such as days since some date, do not change what a regression says."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_pool import arguments, small_pool

from pooledtrials.panels import METHODS, cr2, fit, hausman_test, one_stage, weighted_regression

POOL = small_pool(3, 20)


def by_method(pool, method, **options):
    return fit(*arguments(pool), method=method, **options)


def by_weights(pool):
    return weighted_regression(
        pool["y"], pool["x"], np.ones(len(pool)), pool["patient"], pool["wave"],
        pool[["c", "d"]], trials=pool["trial"],
    )  # fmt: skip


def by_stage(pool, method, part):
    return getattr(one_stage(*arguments(pool), method=method), part)


ESTIMATORS = {
    "weighted": by_weights,
    "cr2": lambda pool: cr2(pool["y"], pool["x"], pool[["c", "d"]], pool["site"]),
}
ESTIMATORS |= {
    f"{method}, {effects}": partial(by_method, method=method, effects=effects)
    for method in METHODS
    for effects in ("trial-wave", "none")
}
ESTIMATORS |= {
    f"slopes of {slopes}": partial(by_method, method="mixed", covariance="classical", slopes=slopes)
    for slopes in ("trials", "patients")
}
ESTIMATORS |= {
    f"one stage {method}, {part}": partial(by_stage, method=method, part=part)
    for method in ("within", "mixed")
    for part in ("common", "random")
}


def moved(columns, shift):
    return POOL.assign(**{name: POOL[name] + shift for name in columns})


@pytest.mark.parametrize("name", ESTIMATORS)
def test_shifts_change_nothing(name):
    want = ESTIMATORS[name](POOL)
    for columns, shift in (("x", 1e5), ("x", 1e7), ("x", 1e9), ("y", 1e7), ("cd", -1e7)):
        found = ESTIMATORS[name](moved(columns, shift))
        assert_allclose(
            [found.coefficient, found.standard_error],
            [want.coefficient, want.standard_error],
            rtol=1e-6,
            err_msg=f"{columns} + {shift:g}",
        )


@pytest.mark.parametrize("form", ["regression", "contrast"])
def test_shifts_do_not_change_hausmans_test(form):
    want = hausman_test(*arguments(POOL), form=form).statistic
    for columns, shift in (("x", 1e9), ("y", 1e7), ("cd", -1e7)):
        found = hausman_test(*arguments(moved(columns, shift)), form=form)
        assert_allclose(found.statistic, want, rtol=1e-5)


@pytest.mark.parametrize("method", ["within", "lagged"])
def test_days_since_a_date_are_a_control(method):
    days = np.arange(len(POOL)) % 3
    near, far = (
        by_method(POOL.assign(c=days + start), method).coefficient for start in (0.0, 738_000.0)
    )
    assert_allclose(far, near, rtol=1e-9)


@pytest.mark.parametrize("method", ["within", "lagged"])
def test_a_control_that_hardly_changes_is_refused_in_our_words(method):
    hardly = POOL["d"] + 1e-8 * np.random.default_rng(0).normal(size=len(POOL))
    with pytest.raises(ValueError, match=r"controls \(c, d\) hardly changes within patients"):
        by_method(POOL.assign(d=hardly), method)
