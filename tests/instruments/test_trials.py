"""On the book's own trials: agreement with ivmodels where it applies, and the shapes of the sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ivmodels.tests import anderson_rubin_test as peer_test
from ivmodels.tests import inverse_anderson_rubin_test as peer_set

from pooledtrials import instruments, pooling


def trial_rows(panel: pd.DataFrame, outcome: str, exposure: str) -> pd.DataFrame:
    rows = panel[panel["wave"] > 0].assign(per_ten=panel["attendance"] / 10)
    return rows.dropna(subset=[outcome, exposure])


def arrays(rows: pd.DataFrame, outcome: str, exposure: str, arm: str) -> tuple[np.ndarray, ...]:
    cells = rows["trial"] + rows["wave"].astype(str)
    months = pd.get_dummies(cells, dtype=float, drop_first=True).to_numpy()
    return (*(rows[name].to_numpy(float) for name in (outcome, exposure, arm)), months)


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return pooling.load_trial("help").panel


@pytest.fixture(scope="module")
def synthetic() -> pd.DataFrame:
    return pooling.load_pool("six").panel


@pytest.mark.parametrize("outcome", ["asi_drug", "asi_alcohol"])
@pytest.mark.parametrize(("exposure", "arm"), [("per_ten", "active"), ("linked", "active")])
def test_help_agrees_with_ivmodels(
    real: pd.DataFrame, outcome: str, exposure: str, arm: str
) -> None:
    agree(trial_rows(real, outcome, exposure), outcome, exposure, arm)


@pytest.mark.parametrize("outcome", ["asi_drug", "asi_alcohol"])
def test_synthetic_twin_agrees_with_ivmodels(synthetic: pd.DataFrame, outcome: str) -> None:
    agree(trial_rows(synthetic, outcome, "per_ten"), outcome, "per_ten", "facilitated")


def agree(rows: pd.DataFrame, outcome: str, exposure: str, arm: str) -> None:
    y, x, z, controls = arrays(rows, outcome, exposure, arm)
    convention = {"covariance": "classical", "reference": "chi2"}
    ours = instruments.anderson_rubin_set(y, x, z, controls, **convention)
    theirs = peer_set(z[:, None], x[:, None], y, C=controls, alpha=0.05)
    grid = np.concatenate([np.linspace(-2, 2, 401), [-1e6, 1e6]])
    accepted = np.asarray(theirs(grid[:, None])).ravel() <= 0
    assert [ours.contains(float(b)) for b in grid] == accepted.tolist()
    ends = [b for pair in ours.intervals for b in pair if np.isfinite(b)]
    size = np.abs(np.asarray(theirs(grid[:-2, None]))).max()
    for end in ends:
        assert float(np.asarray(theirs(np.array([[end]]))).ravel()[0]) == pytest.approx(
            0, abs=1e-8 * size
        )
    for beta in (-0.1, 0.0, 0.1):
        test = instruments.anderson_rubin_test(y, x, z, controls, beta0=beta, **convention)
        statistic, p_value = peer_test(z[:, None], x[:, None], y, np.array([beta]), C=controls)
        assert test.statistic == pytest.approx(statistic, rel=1e-8)
        assert test.p_value == pytest.approx(p_value, rel=1e-7)
    lr = instruments.conditional_lr_set(y, x, z, controls, **convention)
    np.testing.assert_allclose(lr.intervals, ours.intervals, rtol=1e-9)


def test_help_rules_out_nothing_on_attendance_and_something_on_linkage(real: pd.DataFrame) -> None:
    """The chapter's two sets: clustered by patient, the first score held constant."""
    for exposure, kind in (("per_ten", "whole line"), ("linked", "interval")):
        rows = trial_rows(real, "asi_drug", exposure).dropna(subset=["asi_drug_baseline"])
        y, x, z, months = arrays(rows, "asi_drug", exposure, "active")
        controls = np.column_stack([months, rows["asi_drug_baseline"]])
        found = instruments.anderson_rubin_set(y, x, z, controls, clusters=rows["patient"])
        assert found.kind == kind
