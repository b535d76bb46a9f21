"""Power formulas: O-L1 and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pooledtrials.instruments import anderson_rubin_test
from pooledtrials.planning.next_trial.power import (
    anderson_rubin_power,
    anderson_rubin_sample_size,
    tsls_power,
    tsls_sample_size,
)


def test_o_l1():
    assert_allclose(tsls_power(250, 1, 0.5, 1, 1), 0.9999999986, rtol=1e-8)
    assert tsls_sample_size(0.8, 1, 0.5, 1, 1) == 32
    case = {"beta": 1, "gamma": 0.5, "z_variance": 0.25, "u_sd": 1, "v_sd": 1, "rho": 0.5}
    assert_allclose(anderson_rubin_power(250, **case), 0.6230113247, rtol=1e-8)
    assert anderson_rubin_sample_size(0.8, **case) == 379
    found = anderson_rubin_power(250, **case, direct_effect=0.1)
    # 1.0e-8 relative from the truth: the noncentral F quantile of R and scipy, ten digits printed
    assert_allclose(found, 0.2669597036, rtol=2e-8)


@pytest.mark.parametrize("rho", [-0.8, 0.8])
def test_anderson_rubin_power_by_simulation(rho):
    generator = np.random.default_rng(1)
    reps, n, beta, gamma = 2000, 150, 0.5, 0.4
    z = generator.integers(0, 2, n).astype(float)
    rejected = 0
    for _ in range(reps):
        v = generator.normal(size=n)
        u = rho * v + math.sqrt(1 - rho**2) * generator.normal(size=n)
        x = gamma * z + v
        rejected += anderson_rubin_test(beta * x + u, x, z, covariance="classical").p_value <= 0.05
    want = anderson_rubin_power(n, beta, gamma, z.var(), 1, 1, rho)
    assert abs(rejected / reps - want) < 4 * math.sqrt(want * (1 - want) / reps)


def test_no_effect_is_rejected_at_the_level():
    assert_allclose(anderson_rubin_power(250, 0.0, 0.5, 0.25, 1, 1, 0.5), 0.05, rtol=1e-9)
    allowed = anderson_rubin_power(250, 0.1, 0.5, 0.25, 1, 1, 0.5, direct_effect=0.2)
    assert allowed < 0.05


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta": math.nan}, "beta is nan: give one finite number"),
        ({"gamma": math.nan}, "gamma is nan: give one finite number"),
        ({"gamma": "half"}, "gamma is 'half'"),
        (
            {"rho": -1},
            "rho is -1, with which u [+] beta v does not vary at beta 1: give a rho near",
        ),
        ({"partialled": 1.5}, "partialled is 1.5: give a whole number, 0 or more"),
    ],
)
def test_anderson_rubin_refuses(changes, message):
    case = {"beta": 1, "gamma": 0.5, "z_variance": 0.25, "u_sd": 1, "v_sd": 1, "rho": 0} | changes
    for function, first in ((anderson_rubin_power, 250), (anderson_rubin_sample_size, 0.8)):
        with pytest.raises(ValueError, match=message):
            function(first, **case)


def test_perfect_endogeneity_is_no_trouble_in_itself():
    assert 0.05 < anderson_rubin_power(250, 0.5, 0.5, 0.25, 1, 1, -1) < 1


@pytest.mark.parametrize("power", [0.05, 0.01])
def test_a_power_that_every_test_has_is_refused(power):
    with pytest.raises(ValueError, match=f"power is {power} and alpha 0.05: a test has its level"):
        tsls_sample_size(power, 1, 0.5, 1, 1)
    with pytest.raises(ValueError, match=f"power is {power} and alpha 0.05: a test has its level"):
        anderson_rubin_sample_size(power, 1, 0.5, 0.25, 1, 1, 0.5)


def test_sizes_beyond_reach_are_refused():
    words = "more than 1,000,000,000 rows would be needed"
    for beta in (1e-9, 1e-300):
        with pytest.raises(
            ValueError, match=f"beta {beta} or correlation 0.5 is too small: {words}"
        ):
            tsls_sample_size(0.8, beta, 0.5, 1, 1)
        with pytest.raises(ValueError, match=f"beta {beta} or gamma 0.5 is too small: {words}"):
            anderson_rubin_sample_size(0.8, beta, 0.5, 0.25, 1, 1, 0.5)
    near = anderson_rubin_sample_size(0.8, 4e-4, 0.5, 0.25, 1, 1, 0.5)
    assert 7e8 < near < 1e9
    assert_allclose(near, tsls_sample_size(0.8, 4e-4, 0.25, 1, 1), rtol=2e-3)


def test_refusals():
    with pytest.raises(ValueError, match="u_sd is 0"):
        tsls_power(100, 1, 0.5, 1, 0)
    with pytest.raises(ValueError, match=r"correlation is 1\.5: a correlation is between -1 and 1"):
        tsls_power(100, 1, 1.5, 1, 1)
    with pytest.raises(ValueError, match="correlation is -2"):
        tsls_sample_size(0.8, 1, -2, 1, 1)
    with pytest.raises(ValueError, match="beta or gamma is 0"):
        anderson_rubin_sample_size(0.8, 0, 1, 1, 1, 1, 0)
    with pytest.raises(ValueError, match="n is 2, too few"):
        anderson_rubin_power(2, 1, 1, 1, 1, 1, 0)
    with pytest.raises(ValueError, match="rho is 2"):
        anderson_rubin_power(20, 1, 1, 1, 1, 1, 2)
    with pytest.raises(ValueError, match="power is 1"):
        tsls_sample_size(1.0, 1, 1, 1, 1)
