"""Words of frequency to days: fixed values, order, and contradictions refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pooledtrials.pooling import CONVERSIONS, FREQUENCIES, days_from_frequency

answers = st.lists(
    st.one_of(
        st.tuples(st.just(0.0), st.none()),
        st.tuples(st.just(1.0), st.sampled_from(FREQUENCIES)),
        st.tuples(st.just(1.0), st.none()),
        st.tuples(st.just(np.nan), st.none()),
    ),
    min_size=1,
)


def columns(pairs: list[tuple[float, str | None]]) -> tuple[pd.Series, pd.Series]:
    attended, often = zip(*pairs, strict=True)
    return pd.Series(attended, dtype=float), pd.Series(often, dtype=object)


def test_midpoint_takes_each_answer_at_its_word() -> None:
    attended, often = columns([(1.0, word) for word in FREQUENCIES])
    days = days_from_frequency(attended, often, "midpoint")
    np.testing.assert_allclose(days, [30, 2.5 * 30 / 7, 30 / 7, 15 / 7, 1])


def test_not_going_is_zero_and_not_knowing_is_missing() -> None:
    attended, often = columns([(0.0, None), (1.0, None), (np.nan, None)])
    days = days_from_frequency(attended, often, "midpoint")
    assert days[0] == 0
    assert days[1:].isna().all()


@pytest.mark.parametrize("conversion", CONVERSIONS)
def test_every_conversion_keeps_the_order_of_the_answers(conversion: str) -> None:
    days = [CONVERSIONS[conversion][word] for word in FREQUENCIES]
    assert days == sorted(days, reverse=True)
    assert len(set(days)) == len(days)
    assert min(days) > 0
    assert max(days) <= 30


@given(answers)
def test_cautious_never_exceeds_midpoint_nor_midpoint_generous(
    pairs: list[tuple[float, str | None]],
) -> None:
    attended, often = columns(pairs)
    low, middle, high = (
        days_from_frequency(attended, often, name).fillna(-1)
        for name in ("cautious", "midpoint", "generous")
    )
    assert (low <= middle).all()
    assert (middle <= high).all()


@given(answers)
def test_only_known_answers_get_days(pairs: list[tuple[float, str | None]]) -> None:
    attended, often = columns(pairs)
    days = days_from_frequency(attended, often, "midpoint")
    known = attended.eq(0) | often.notna()
    pd.testing.assert_series_equal(days.notna(), known)


def test_unknown_names_are_refused_with_those_there_are() -> None:
    attended, often = columns([(1.0, "weekly")])
    with pytest.raises(ValueError, match=r"conversion: 'exact' is not one of midpoint, cautious"):
        days_from_frequency(attended, often, "exact")
    with pytest.raises(ValueError, match=r"often: unknown frequency 'yearly'; use daily"):
        days_from_frequency(attended, pd.Series(["yearly"]), "midpoint")


def test_a_frequency_for_someone_who_did_not_go_is_refused() -> None:
    attended = pd.Series([1.0, 0.0], index=["patient 1", "patient 2"])
    often = pd.Series(["daily", "weekly"], index=attended.index)
    with pytest.raises(ValueError, match=r"1 answers say how often.*the first at patient 2"):
        days_from_frequency(attended, often, "midpoint")
