"""Estimators: frozen references (O-A1 to O-A6), linearmodels, identities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from card_controls import CARD_4, CARD_15
from linearmodels.iv import IV2SLS, IVJIVE, IVLIML
from numpy.testing import assert_allclose

from pooledtrials.instruments import (
    estimates,
    first_stage,
    fuller,
    gmm,
    jive,
    k_class,
    liml,
    ols,
    tsls,
    wald_ratio,
)


def pair(found):
    return found.coefficient, found.standard_error


def test_o_a1_card_one_instrument(card, truths):
    want = truths["O-A1"]
    data = (card["lwage"], card["educ"], card["nearc4"], card[CARD_15])
    assert_allclose(pair(ols(*data, covariance="classical")), want["ols"], rtol=1e-7)
    assert_allclose(pair(tsls(*data, covariance="classical")), want["tsls"], rtol=1e-7)
    assert_allclose(pair(liml(*data, covariance="classical")), want["tsls"], rtol=1e-7)
    found = fuller(*data, covariance="classical")
    assert_allclose(found.coefficient, want["fuller"][0], rtol=1e-7)
    assert_allclose(found.standard_error, want["fuller"][1], atol=5e-7)  # printed to 6 dp
    assert_allclose(found.kappa, want["fuller_kappa"], atol=5e-7)
    assert_allclose(tsls(*data, debiased=False).standard_error, want["tsls_hc0"], rtol=1e-7)
    assert_allclose(tsls(*data).standard_error, want["tsls_hc1"], rtol=1e-7)
    stage = first_stage(*data, covariance="classical")
    assert_allclose(stage.coefficients[0], want["first_stage"][0], atol=5e-8)  # 7 dp
    assert_allclose(stage.standard_errors[0], want["first_stage"][1], atol=5e-8)
    assert_allclose(stage.f_test.statistic, want["F"], rtol=1e-7)


def test_o_a2_card_two_instruments(card, truths):
    want = truths["O-A2"]
    data = (card["lwage"], card["educ"], card[["nearc4", "nearc2"]], card[CARD_15])
    assert_allclose(pair(tsls(*data, covariance="classical")), want["tsls"], rtol=1e-7)
    found = liml(*data, covariance="classical")
    assert_allclose(pair(found), want["liml"], rtol=1e-7)
    assert_allclose(found.kappa, want["kappa"], rtol=1e-9)
    assert_allclose(pair(fuller(*data, covariance="classical")), want["fuller"], rtol=1e-7)
    # R ivmodel uses the k-class score for robust LIML and Fuller errors
    hc0 = {"debiased": False, "score": "k-class"}
    robust = [tsls(*data, debiased=False), liml(*data, **hc0), fuller(*data, **hc0)]
    assert_allclose([r.standard_error for r in robust], want["hc0"], rtol=1e-7)


def test_o_a3_card_stata(card, truths):
    want = truths["O-A3"]
    data = (card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_4])
    large = {"covariance": "classical", "debiased": False}
    assert_allclose(pair(tsls(*data, **large)), want["tsls"], rtol=1e-6)
    assert_allclose(tsls(*data, debiased=False).standard_error, want["tsls_hc0"], rtol=1e-6)
    assert_allclose(tsls(*data).standard_error, want["tsls_hc1"], rtol=1e-6)
    found = liml(*data, **large)
    assert_allclose((*pair(found), found.kappa), [*want["liml"], want["kappa"]], rtol=1e-6)
    # Stata's robust LIML error has the projected score
    assert_allclose(liml(*data, debiased=False).standard_error, want["liml_hc0"], rtol=1e-6)
    assert_allclose(pair(fuller(*data, **large)), want["fuller1"], rtol=1e-6)
    assert_allclose(pair(fuller(*data, alpha=4, **large)), want["fuller4"], rtol=1e-6)
    assert_allclose(pair(k_class(*data, kappa=0.5, **large)), want["half"], rtol=1e-6)
    assert_allclose(pair(gmm(*data)), want["gmm"], rtol=1e-6)


def of_controls(data, found):
    """Intercept and controls' coefficients, which follow from that of the exposure."""
    y, x, _, controls = (np.asarray(v, dtype=float) for v in data)
    regressors = np.column_stack([np.ones(y.size), controls])
    return np.linalg.lstsq(regressors, y - found.coefficient * x, rcond=None)[0]


def test_o_a4_mroz(mroz, truths):
    want = truths["O-A4"]
    data = (mroz["lwage"], mroz["educ"], mroz[["fatheduc", "motheduc"]], mroz[["exper", "expersq"]])
    for estimator, name in ((tsls, "tsls"), (liml, "liml"), (fuller, "fuller")):
        found = pair(estimator(*data, covariance="classical"))
        assert_allclose(found, want[name], rtol=1e-7, atol=5e-10)  # LIML, Fuller: 9 dp
    found = tsls(*data, covariance="classical")
    assert_allclose(pair(found), want["printed"], atol=5e-5)
    assert_allclose(of_controls(data, found)[1:], want["controls"], rtol=1e-7)


def test_o_a5_cigarettes(cigarettes, truths):
    want = truths["O-A5"]
    c = cigarettes
    data = (c["packs"], c["price"], c[["tdiff", "tax"]], c["income"])
    found = tsls(*data, covariance="classical")
    errors = [found.standard_error] + [
        tsls(*data, debiased=d).standard_error for d in (False, True)
    ]
    assert_allclose([found.coefficient, *errors], want["both"], rtol=1e-6)
    assert_allclose(of_controls(data, found), want["controls"], rtol=1e-6)
    found = tsls(c["packs"], c["price"], c["tdiff"], c["income"])
    assert_allclose(pair(found), want["tdiff"], rtol=1e-6)


def test_o_a6_jackknife(mroz, truths):
    want = truths["O-A6"]
    data = (
        mroz["lwage"], mroz["educ"], mroz[["age", "kidslt6", "kidsge6"]],
        mroz[["exper", "expersq"]],
    )  # fmt: skip
    assert_allclose(pair(jive(*data)), want["jive1"], rtol=1e-8)
    assert_allclose(jive(*data, method="ujive").coefficient, want["ujive"], rtol=1e-8)
    assert_allclose(jive(*data, method="ijive1").coefficient, want["ijive1"], rtol=1e-8)


def test_ujive_depends_on_the_origin_of_the_outcome_and_the_others_do_not(mroz):
    """Kolesar's UJIVE meets y as it is: a known property, and a reason to show the others too."""
    data = (
        mroz["educ"], mroz[["age", "kidslt6", "kidsge6"]], mroz[["exper", "expersq"]],
    )  # fmt: skip
    for method, moves in (("jive1", False), ("ijive1", False), ("ujive", True)):
        one = jive(mroz["lwage"], *data, method=method).coefficient
        two = jive(mroz["lwage"] + 10, *data, method=method).coefficient
        assert (abs(one - two) > 0.01) == moves


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize("covariance", ["classical", "robust"])
def test_equal_to_linearmodels(card, covariance, debiased, clustered):
    controls = card[CARD_4].assign(const=1.0)
    y, x, z = card["lwage"], card["educ"], card[["nearc2", "nearc4"]]
    names = {"classical": "unadjusted", "robust": "robust"}
    options = {"cov_type": names[covariance], "debiased": debiased}
    clusters = None
    if clustered:
        clusters = card["age"]
        options = {"cov_type": "clustered", "clusters": clusters, "debiased": debiased}
    ours = {"covariance": covariance, "debiased": debiased}
    data = (y, x, z, card[CARD_4], clusters)
    want = IV2SLS(y, controls, x, z).fit(**options)
    found = tsls(*data, **ours)
    assert_allclose(pair(found), [want.params["educ"], want.std_errors["educ"]], rtol=1e-9)
    want = IV2SLS(y, controls.join(x), None, None).fit(**options)
    found = ols(*data, **ours)
    assert_allclose(pair(found), [want.params["educ"], want.std_errors["educ"]], rtol=1e-9)
    want = IVLIML(y, controls, x, z).fit(**options)
    found = liml(*data, **ours)
    assert_allclose(pair(found), [want.params["educ"], want.std_errors["educ"]], rtol=1e-8)
    want = IVLIML(y, controls, x, z, fuller=1).fit(**options)
    found = fuller(*data, **ours)
    assert_allclose(pair(found), [want.params["educ"], want.std_errors["educ"]], rtol=1e-8)


def test_jive1_equal_to_linearmodels(card):
    controls = card[CARD_15].assign(const=1.0)
    want = IVJIVE(card["lwage"], controls, card["educ"], card[["nearc2", "nearc4"]]).fit(
        cov_type="robust", debiased=False
    )
    found = jive(card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_15])
    assert_allclose(pair(found), [want.params["educ"], want.std_errors["educ"]], rtol=1e-6)


def test_fuller_is_k_class_and_liml_minimizes_anderson_rubin(card):
    from pooledtrials.instruments import anderson_rubin_test

    data = (card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_4])
    found = fuller(*data)
    assert_allclose(pair(found), pair(k_class(*data, kappa=found.kappa)), rtol=1e-12)
    at = liml(*data).coefficient
    values = [
        anderson_rubin_test(*data, beta0=at + d, covariance="classical").statistic
        for d in (-1e-3, 0.0, 1e-3)
    ]
    assert values[1] < values[0]
    assert values[1] < values[2]


def test_wald_ratio_is_tsls_with_its_error_and_fieller_is_anderson_rubin(card):
    from pooledtrials.instruments import anderson_rubin_set

    for clusters in (None, card["age"]):
        data = (card["lwage"], card["educ"], card["nearc4"], card[CARD_4], clusters)
        found, want = wald_ratio(*data), tsls(*data)
        assert_allclose(pair(found.ratio), pair(want), rtol=1e-10)
        parts = found.intention_to_treat.coefficient / found.first_stage.coefficient
        assert_allclose(parts, want.coefficient, rtol=1e-10)
        assert found.fieller.intervals == anderson_rubin_set(*data).intervals


def test_estimates_frame_has_every_estimator(card):
    data = (card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_4])
    frame = estimates(*data)
    assert list(frame.index) == ["OLS", "2SLS", "LIML", "Fuller(1)", "Fuller(4)", "JIVE1", "UJIVE"]
    assert_allclose(frame.loc["LIML", "coefficient"], liml(*data).coefficient, rtol=1e-14)
    assert isinstance(frame, pd.DataFrame)
    assert np.isfinite(frame["standard_error"]).all()


@pytest.mark.parametrize("alpha", [0, -5])
def test_fuller_takes_something_off(alpha):
    g = np.random.default_rng(1)
    with pytest.raises(ValueError, match=r"alpha is .*: give a positive number"):
        fuller(*g.normal(size=(3, 50)), alpha=alpha)
