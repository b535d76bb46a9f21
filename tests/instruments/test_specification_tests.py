"""Overidentification and endogeneity: O-D1 to O-D4, and answers where no test exists."""

from __future__ import annotations

import math

import numpy as np
import pytest
from card_controls import CARD_4, CARD_15
from linearmodels.iv import IV2SLS, IVGMM
from numpy.testing import assert_allclose

from pooledtrials.instruments import (
    durbin_wu_hausman_test,
    first_stage,
    hansen_j_test,
    liml_overidentification_test,
    sargan_test,
)

IID = {"covariance": "classical"}


def numbers(test):
    return test.statistic, test.p_value


def test_o_d1_mroz(mroz, truths):
    want = truths["O-D1"]
    data = (mroz["lwage"], mroz["educ"], mroz[["fatheduc", "motheduc"]], mroz[["exper", "expersq"]])
    assert_allclose(numbers(sargan_test(*data)), want["sargan"], rtol=1e-6)
    found = durbin_wu_hausman_test(*data, **IID)
    assert_allclose(numbers(found), want["hausman"], rtol=1e-6)
    assert found.dof == (1, 423)


def test_o_d2_cigarettes(cigarettes, truths):
    want = truths["O-D2"]
    c = cigarettes
    data = (c["packs"], c["price"], c[["tdiff", "tax"]], c["income"])
    assert_allclose(first_stage(*data, **IID).f_test.statistic, want["F"], rtol=1e-6)
    assert_allclose(numbers(durbin_wu_hausman_test(*data, **IID)), want["hausman"], rtol=1e-6)
    assert_allclose(numbers(sargan_test(*data)), want["sargan"], rtol=1e-6)
    hc0 = first_stage(*data, debiased=False).f_test.statistic
    assert_allclose(hc0, want["hc0_F"], rtol=1e-6)
    found = durbin_wu_hausman_test(*data, debiased=False)
    assert_allclose(found.statistic, want["hc0_hausman"][0], atol=5e-6)  # 5 dp
    assert_allclose(found.p_value, want["hc0_hausman"][1], atol=5e-7)  # 6 dp


def test_o_d3_card(card, truths):
    want = truths["O-D3"]
    # lwage is stored in single precision, rounded otherwise than in Stata's copy: it moves these
    # statistics by 1e-6. log(wage) in double precision is within the 1e-6 asked for.
    data = (np.log(card["wage"]), card["educ"], card[["nearc2", "nearc4"]], card[CARD_4])
    assert_allclose(numbers(sargan_test(*data)), want["sargan"], rtol=1e-6)
    assert_allclose(hansen_j_test(*data).statistic, want["hansen"], rtol=1e-6)
    found = [
        durbin_wu_hausman_test(*data, form="difference", covariance=c).statistic
        for c in ("classical", "robust")
    ]
    assert_allclose(found, want["dwh"], rtol=1e-6)
    assert_allclose(liml_overidentification_test(*data).statistic, want["liml"], rtol=1e-6)


def test_o_d4_mroz_three_instruments(mroz, truths):
    want = truths["O-D4"]
    z = mroz[["age", "kidslt6", "kidsge6"]]
    data = (mroz["lwage"], mroz["educ"], z, mroz[["exper", "expersq"]])
    assert_allclose(sargan_test(*data).statistic, want["sargan"], rtol=1e-6)
    assert sargan_test(*data).dof == (2,)
    assert_allclose(numbers(hansen_j_test(*data)), want["hansen"], rtol=1e-6)
    found = durbin_wu_hausman_test(*data, form="difference", **IID)
    assert_allclose(found.statistic, want["dwh"], rtol=3e-6)  # printed to 6 digits


@pytest.mark.parametrize("test", [sargan_test, hansen_j_test, liml_overidentification_test])
def test_just_identified_answers_why_it_does_not_exist(card, test):
    found = test(card["lwage"], card["educ"], card["nearc4"], card[CARD_15])
    assert not found.applicable
    assert math.isnan(found.statistic)
    assert math.isnan(found.p_value)
    assert "just identified" in found.reason
    assert "does not apply" in str(found)


def test_clustered_against_linearmodels(card):
    controls = card[CARD_4].assign(const=1.0)
    y, x, z = card["lwage"], card["educ"], card[["nearc2", "nearc4"]]
    want = IVGMM(y, controls, x, z, weight_type="clustered", clusters=card["age"]).fit(
        cov_type="clustered", clusters=card["age"]
    )
    found = hansen_j_test(y, x, z, card[CARD_4], card["age"])
    assert_allclose(found.statistic, want.j_stat.stat, rtol=1e-8)
    want = IV2SLS(y, controls, x, z).fit(cov_type="unadjusted")
    assert_allclose(sargan_test(y, x, z, card[CARD_4]).statistic, want.sargan.stat, rtol=1e-9)
    found = durbin_wu_hausman_test(y, x, z, card[CARD_4], covariance="classical")
    assert_allclose(found.statistic, want.wu_hausman().stat, rtol=1e-8)


def test_sargan_refuses_clusters(card):
    data = (card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_4], card["age"])
    for test in (sargan_test, liml_overidentification_test):
        with pytest.raises(ValueError, match=r"clusters is given.*hansen_j_test"):
            test(*data)
