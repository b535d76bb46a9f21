"""Mixed models: O-I2, statsmodels' MixedLM, boundaries, and the likelihood written out."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize, stats
from small_pool import arguments, small_pool
from statsmodels.regression.mixed_linear_model import MixedLM

from pooledtrials.panels import RandomIntercept, fit
from pooledtrials.panels.layout import layout
from pooledtrials.panels.trial_slopes import trial_slopes

POOL = small_pool()
MODEL_BASED = {"method": "mixed", "covariance": "classical"}


def random_panel(seed, n_patients=60, largest=6, p=4, patient_sd=1.0):
    g = np.random.default_rng(seed)
    patients = np.repeat(np.arange(n_patients), g.integers(1, largest + 1, n_patients))
    n = patients.size
    X = np.column_stack([np.ones(n), g.normal(size=(n, p - 1))])
    y = X @ g.normal(size=p) + patient_sd * g.normal(size=n_patients)[patients] + g.normal(size=n)
    return X, y, patients


def mixedlm(model, reml=True):
    """MixedLM stops early by default: go on from there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # variances near 0, which it says at length
        near = model.fit(reml=reml, method="lbfgs")
        return model.fit(reml=reml, method="bfgs", start_params=near.params_object, gtol=1e-9)


def log_likelihood(X, y, V, reml):
    """Of a linear model with covariance s2 V, b and s2 at their best: the textbook's formula."""
    n, p = X.shape
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    b = np.linalg.solve(information, X.T @ inverse @ y)
    residual = y - X @ b
    degrees = n - p if reml else n
    value = degrees * math.log(2 * math.pi * (residual @ inverse @ residual) / degrees) + degrees
    value += np.linalg.slogdet(V)[1]
    if reml:
        value += np.linalg.slogdet(information)[1]
    return -value / 2


# --- references -------------------------------------------------------------------------------


def sleep(frame, **options):
    return fit(
        frame["Reaction"], frame["Days"], frame["Subject"], frame["Days"],
        effects="none", **MODEL_BASED, **options,
    )  # fmt: skip


def test_o_i2_random_slopes_of_subjects(sleepstudy):
    """Bates and others 2015, printed to three decimals.

    The printed sd 24.741 is where lme4 stopped: the criterion's minimum is at 24.74045, see below.
    """
    found = sleep(sleepstudy, slopes="patients")
    components = found.variance_components
    assert_allclose([found.coefficient, found.standard_error], [10.467, 1.546], atol=5e-4)
    assert_allclose(math.sqrt(components["patient"]), 24.741, rtol=0, atol=6e-4)
    assert_allclose(math.sqrt(components["slope"]), 5.922, rtol=0, atol=5.1e-4)
    assert_allclose(math.sqrt(components["residual"]), 25.592, rtol=0, atol=5.1e-4)
    assert_allclose(components["intercept-slope correlation"], 0.066, rtol=0, atol=5.1e-4)
    assert_allclose(-2 * found.log_likelihood, 1743.628, rtol=0, atol=5.1e-4)
    assert found.dof == 17


def test_o_i2_at_the_minimum_of_the_criterion(sleepstudy):
    """REML's criterion written out, minimized over the Cholesky factor that lme4 uses."""
    y, days = sleepstudy["Reaction"].to_numpy(), sleepstudy["Days"].to_numpy(float)
    X = np.column_stack([np.ones(y.size), days])
    same = np.equal.outer(sleepstudy["Subject"].to_numpy(), sleepstudy["Subject"].to_numpy())

    def relative(theta):
        factor = np.array([[theta[0], 0.0], theta[1:]])
        return factor @ factor.T

    def value(theta):
        V = np.eye(y.size) + same * (X @ relative(theta) @ X.T)
        return -log_likelihood(X, y, V, reml=True)

    best = optimize.minimize(
        value, [1.0, 0.01, 0.2], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13}
    )
    found = sleep(sleepstudy, slopes="patients")
    assert_allclose(found.log_likelihood, -best.fun, rtol=1e-10)
    components = found.variance_components
    want = relative(best.x) * components["residual"]
    assert_allclose([components["patient"], components["slope"]], np.diag(want), rtol=1e-5)
    assert_allclose(math.sqrt(want[0, 0]), 24.74045, rtol=1e-6)


def test_o_i2_maximum_likelihood(sleepstudy):
    found = sleep(sleepstudy, slopes="patients", reml=False)
    assert_allclose(-2 * found.log_likelihood, 1751.939, rtol=0, atol=5.1e-4)


def test_patient_slopes_do_not_hang_on_units(sleepstudy):
    """The fit is made in units of spread about the mean, and brought back."""
    want = sleep(sleepstudy, slopes="patients")
    moved = sleepstudy.assign(Reaction=sleepstudy["Reaction"] * 1e-3 - 7)
    found = sleep(moved, slopes="patients")
    assert_allclose(found.coefficient, want.coefficient * 1e-3, rtol=1e-6)
    assert_allclose(found.standard_error, want.standard_error * 1e-3, rtol=1e-4)
    assert_allclose(
        found.variance_components["slope"], want.variance_components["slope"] * 1e-6, rtol=1e-4
    )
    shift = (len(moved) - 2) * math.log(1e3)
    assert_allclose(found.log_likelihood, want.log_likelihood + shift, rtol=1e-8)


@pytest.mark.parametrize("reml", [True, False])
def test_random_intercept_of_sleepstudy(sleepstudy, reml):
    """Against MixedLM, which stops when the likelihood has settled to 1e-8 or so."""
    X = np.column_stack([np.ones(len(sleepstudy)), sleepstudy["Days"]])
    want = mixedlm(MixedLM(sleepstudy["Reaction"], X, groups=sleepstudy["Subject"]), reml)
    found = RandomIntercept.of(X, sleepstudy["Subject"]).fit(sleepstudy["Reaction"], reml=reml)
    assert_allclose(found.coefficients, want.fe_params, rtol=1e-9)
    assert_allclose(found.log_likelihood, want.llf, rtol=0, atol=1e-6)
    assert found.log_likelihood >= want.llf - 1e-9
    assert_allclose(found.residual_variance, want.scale, rtol=1e-5)
    assert_allclose(found.patient_variance, want.cov_re.iloc[0, 0], rtol=1e-5)


# MixedLM ends in a singular matrix on some draws (seed 3 is one), hence fixed seeds.
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_random_intercept_against_mixedlm(seed, reml):
    X, y, patients = random_panel(seed)
    model = MixedLM(y, X, groups=patients)
    want = mixedlm(model, reml)
    found = RandomIntercept.of(X, patients).fit(y, reml=reml)
    assert found.log_likelihood >= want.llf - 1e-9
    assert_allclose(found.log_likelihood, want.llf, atol=1e-6)
    assert_allclose(found.coefficients, want.fe_params, rtol=1e-5)
    assert_allclose(found.residual_variance, want.scale, rtol=1e-5)
    assert_allclose(found.patient_variance, want.cov_re[0, 0], rtol=1e-5)
    # MixedLM's printed errors invert the observed Hessian with the variances in it; its block of
    # the coefficients is what holds with the variances as known.
    hessian = model.hessian(want.params_object)[0][:4, :4]
    assert_allclose(found.covariance, np.linalg.inv(-hessian), rtol=1e-4, atol=1e-8)
    assert np.all(want.bse_fe >= found.standard_errors * (1 - 1e-5))


# --- the likelihood itself ----------------------------------------------------------------------


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=20)
def test_random_intercept_is_the_maximum(seed, reml):
    """The value is that of the written-out likelihood, and no other variance ratio has a larger."""
    X, y, patients = random_panel(seed, n_patients=15)
    found = RandomIntercept.of(X, patients).fit(y, reml=reml)
    same = np.equal.outer(patients, patients)

    def value(lam):
        return log_likelihood(X, y, np.eye(y.size) + lam * same, reml)

    ratio = found.patient_variance / found.residual_variance
    assert_allclose(found.log_likelihood, value(ratio), rtol=1e-10)
    best = optimize.minimize_scalar(lambda s: -value(s / (1 - s)), bounds=(0, 0.999)).fun
    assert found.log_likelihood >= max(-best, value(0.0)) - 1e-9
    V = found.residual_variance * (np.eye(y.size) + ratio * same)
    information = X.T @ np.linalg.solve(V, X)
    assert_allclose(found.covariance, np.linalg.inv(information), rtol=1e-8)
    b = np.linalg.solve(information, X.T @ np.linalg.solve(V, y))
    assert_allclose(found.coefficients, b, rtol=1e-8, atol=1e-10)


def test_boundary():
    """Patients' means that differ less than chance: variance exactly 0, least squares follow."""
    X, _, patients = random_panel(3)
    noise = np.random.default_rng(3).normal(size=patients.size)
    y = X[:, 1] + noise - (np.bincount(patients, noise) / np.bincount(patients))[patients]
    found = RandomIntercept.of(X, patients).fit(y)
    assert found.at_boundary
    assert found.patient_variance == 0
    assert_allclose(found.coefficients, np.linalg.lstsq(X, y, rcond=None)[0], rtol=1e-10)
    residual = y - X @ found.coefficients
    assert_allclose(found.residual_variance, residual @ residual / (y.size - 4), rtol=1e-10)
    assert set(found.theta.values()) == {0.0}


def test_immense_patient_variance():
    X, y, patients = random_panel(4)
    far = y + 300 * np.random.default_rng(0).normal(size=60)[patients]
    found = RandomIntercept.of(X, patients).fit(far)
    assert not found.at_boundary
    assert_allclose(found.residual_variance, 1, rtol=0.25)
    with pytest.raises(ValueError, match="y varies within patients less than a millionth"):
        RandomIntercept.of(X, patients).fit(y + 1e6 * (patients % 7))


def test_one_model_many_outcomes():
    """What imputation does: regressors once, then an outcome at a time."""
    X, y, patients = random_panel(5)
    model = RandomIntercept.of(X, patients)
    for seed in range(3):
        other = y + np.random.default_rng(seed).normal(size=y.size)
        alone = RandomIntercept.of(X, patients).fit(other)
        found = model.fit(other)
        assert_allclose(found.coefficients, alone.coefficients, rtol=1e-13)
        assert found.log_likelihood == alone.log_likelihood


@given(st.integers(0, 1000), st.floats(-1e5, 1e5), st.floats(1e-3, 1e3))
@settings(max_examples=20)
def test_random_intercept_invariances(seed, shift, scale):
    X, y, patients = random_panel(seed)
    want = RandomIntercept.of(X, patients).fit(y)
    order = np.random.default_rng(seed).permutation(y.size)
    labels = np.array([f"p{97 * k % 1009}" for k in patients])
    found = RandomIntercept.of(X[order], labels[order]).fit((scale * y + shift)[order])
    moved = want.coefficients * scale
    moved[0] += shift
    assert_allclose(found.coefficients, moved, rtol=1e-6, atol=1e-8 * scale + 1e-11 * abs(shift))
    assert_allclose(found.residual_variance, scale**2 * want.residual_variance, rtol=1e-6)
    assert_allclose(
        found.patient_variance, scale**2 * want.patient_variance, rtol=1e-5, atol=1e-8 * scale**2
    )
    assert_allclose(
        found.log_likelihood, want.log_likelihood - (y.size - 4) * math.log(scale), atol=1e-6
    )
    rotated = RandomIntercept.of(X @ np.triu(np.ones((4, 4))), patients).fit(y)
    assert_allclose(np.triu(np.ones((4, 4))) @ rotated.coefficients, want.coefficients, rtol=1e-7)


# --- through fit --------------------------------------------------------------------------------


def columns_of(pool):
    data = layout(*arguments(pool))
    cells = data.indicators("trial-wave")
    return data, np.column_stack([cells, pool[["c", "d", "x"]]])


@pytest.mark.parametrize("reml", [True, False])
def test_random_intercept_through_fit(reml):
    data, X = columns_of(POOL)
    want = RandomIntercept.of(X, data.patients).fit(data.y, reml=reml)
    found = fit(*arguments(POOL), reml=reml, **MODEL_BASED)
    assert_allclose(found.coefficient, want.coefficients[-1], rtol=1e-8)
    assert_allclose(found.standard_error, want.standard_errors[-1], rtol=1e-8)
    assert_allclose(found.variance_components["patient"], want.patient_variance, rtol=1e-6)
    if not reml:  # the restricted likelihood depends on the columns that span the cells
        assert_allclose(found.log_likelihood, want.log_likelihood, rtol=1e-10)


def test_clustered_errors_by_the_formula():
    data, X = columns_of(POOL)
    found = fit(*arguments(POOL), method="mixed", variant="CR0")
    variances = found.variance_components
    same = np.equal.outer(data.patients, data.patients)
    weight = np.linalg.inv(variances["residual"] * np.eye(data.nobs) + variances["patient"] * same)
    bread = np.linalg.inv(X.T @ weight @ X)
    residual = data.y - X @ (bread @ X.T @ weight @ data.y)
    meat = X.T @ weight @ (np.outer(residual, residual) * same) @ weight @ X
    assert_allclose(found.standard_error, np.sqrt((bread @ meat @ bread)[-1, -1]), rtol=1e-8)


@pytest.mark.parametrize("reml", [True, False])
def test_trial_slopes_are_the_maximum(reml):
    """By the written-out likelihood, at the estimate and at points all around it."""
    pool = small_pool(2, per_trial=10, slope_spread=3.0)
    data, X = columns_of(pool)
    z = data.x - np.array([data.x[data.trials == t].mean() for t in range(3)])[data.trials]
    same = np.equal.outer(data.patients, data.patients)
    together = np.equal.outer(data.trials, data.trials) * np.outer(z, z)
    found = trial_slopes(data.y, X, z, data.patients, data.trials, reml=reml)

    def value(lam, tau):
        return log_likelihood(X, data.y, np.eye(data.nobs) + lam * same + tau * together, reml)

    lam = found.patient_variance / found.residual_variance
    tau = found.slope_variance / found.residual_variance
    assert tau > 0.05
    assert_allclose(found.log_likelihood, value(lam, tau), rtol=1e-10)
    around = optimize.minimize(
        lambda at: -value(*np.exp(at)),
        np.log([lam, tau]) + 0.5,
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-10},
    )
    assert found.log_likelihood >= -around.fun - 1e-8
    assert_allclose([lam, tau], np.exp(around.x), rtol=1e-3)
    V = found.residual_variance * (np.eye(data.nobs) + lam * same + tau * together)
    assert_allclose(
        found.covariance, np.linalg.inv(X.T @ np.linalg.solve(V, X)), rtol=1e-6, atol=1e-12
    )


def test_trial_slopes_against_mixedlm():
    pool = small_pool(2, per_trial=25, slope_spread=3.0)
    frame = pool.assign(
        z=pool["x"] - pool.groupby("trial")["x"].transform("mean"),
        cell=pool["trial"] + pool["wave"].astype(str),
        pair=pool["trial"] + pool["patient"].astype(str),
    )
    model = MixedLM.from_formula(
        "y ~ 0 + C(cell) + c + d + x", frame, groups="trial", re_formula="0 + z",
        vc_formula={"patient": "0 + C(pair)"},
    )  # fmt: skip
    want = mixedlm(model)
    found = fit(*arguments(pool), slopes="trials", **MODEL_BASED)
    assert_allclose(found.coefficient, want.fe_params.iloc[-1], rtol=1e-4)
    # MixedLM's errors come from the observed Hessian, with the variances in it
    assert_allclose(found.standard_error, want.bse_fe.iloc[-1], rtol=5e-3)
    assert_allclose(found.variance_components["slope"], want.cov_re.iloc[0, 0], rtol=2e-3)
    assert_allclose(found.variance_components["patient"], want.vcomp[0], rtol=2e-3)
    assert_allclose(found.variance_components["residual"], want.scale, rtol=1e-3)
    assert found.dof == 2
    assert "standard deviation" in found.describe()


def test_trial_slopes_that_do_not_vary():
    """At zero slope variance it is the random-intercept model."""
    zero = next(
        found
        for found in (
            fit(*arguments(small_pool(seed)), slopes="trials", **MODEL_BASED) for seed in range(20)
        )
        if found.variance_components["slope"] == 0
    )
    candidates = [fit(*arguments(small_pool(seed)), **MODEL_BASED) for seed in range(20)]
    same = min(candidates, key=lambda found: abs(found.coefficient - zero.coefficient))
    assert_allclose(zero.coefficient, same.coefficient, rtol=1e-6)
    assert_allclose(zero.standard_error, same.standard_error, rtol=1e-6)
    assert_allclose(zero.log_likelihood, same.log_likelihood, rtol=1e-9)


def test_trial_slopes_invariances():
    pool = small_pool(2, slope_spread=3.0)
    want = fit(*arguments(pool), slopes="trials", **MODEL_BASED)
    moved = pool.sample(frac=1, random_state=1).assign(
        y=lambda rows: 5 - 2 * rows["y"],
        x=lambda rows: 10 * rows["x"] + 400,
        trial=lambda rows: rows["trial"].map({"t0": "z", "t1": "a", "t2": "m"}),
    )
    found = fit(*arguments(moved), slopes="trials", **MODEL_BASED)
    assert_allclose(found.coefficient, want.coefficient * -0.2, rtol=1e-5)
    assert_allclose(found.standard_error, want.standard_error * 0.2, rtol=1e-5)
    assert_allclose(
        found.variance_components["slope"], want.variance_components["slope"] * 0.04, rtol=1e-4
    )


def test_likelihood_ratio_of_no_patient_variance_has_half_its_mass_at_zero():
    """Half of draws estimate the variance as 0 (nearly, at 60 patients); 600 draws, binomial."""
    X, _, patients = random_panel(0)
    model = RandomIntercept.of(X, patients)
    g = np.random.default_rng(0)
    zeros = sum(model.fit(g.normal(size=patients.size)).at_boundary for _ in range(600))
    low, high = stats.binom.ppf([0.0005], 600, 0.48), stats.binom.ppf([0.9995], 600, 0.60)
    assert low <= zeros <= high


def test_reml_is_unbiased_for_the_residual_variance():
    """Mean of 600 estimates within four of its standard errors of the truth; ML is below."""
    X, _, patients = random_panel(1, n_patients=25, p=8)
    model = RandomIntercept.of(X, patients)
    g = np.random.default_rng(1)
    draws = [2 * g.normal(size=25)[patients] + g.normal(size=patients.size) for _ in range(600)]
    reml = np.array([model.fit(y).residual_variance for y in draws])
    ml = np.array([model.fit(y, reml=False).residual_variance for y in draws])
    assert abs(reml.mean() - 1) < 4 * reml.std() / math.sqrt(600)
    assert ml.mean() < 1 - 4 * ml.std() / math.sqrt(600)
