"""Lost follow-up: replications mean what they say, and the committed study is what they make."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from pooledtrials import panels
from pooledtrials.planning.studies import load_study, study_record
from pooledtrials.planning.studies.follow_up_remedies import weights
from pooledtrials.planning.studies.missing_follow_up import (
    COLUMNS,
    LOSSES,
    grade,
    lose,
    missing_follow_up,
    replicate,
)
from pooledtrials.pooling import twin

PLACE = ["world", "instrument", "loss", "seed"]


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return load_study("missing_follow_up")


@pytest.fixture(scope="module")
def replication() -> pd.DataFrame:
    return replicate("works", "strong", 12, "doing badly").set_index(["quantity", "method"])


@pytest.mark.parametrize(
    "place", [("selection", "strong", "as in the twin", 7), ("works", "strong", "doing badly", 71)]
)
def test_the_study_is_what_the_code_makes(study, place):
    world, lever, loss, nth = place
    seed = study_record("missing_follow_up")["first seed"] + nth
    kept = study.query(
        "world == @world and instrument == @lever and loss == @loss and seed == @seed"
    )
    again = replicate(world, lever, seed, loss)
    for column in COLUMNS:
        if again[column].dtype.kind == "f":
            np.testing.assert_allclose(kept[column], again[column], rtol=2e-6, err_msg=column)
        else:
            assert kept[column].tolist() == again[column].tolist()


def test_the_study_is_whole(study):
    pools = study_record("missing_follow_up")["pools in each place"]
    assert pools >= 80
    counts = study.groupby(["loss", "instrument", "world", "quantity", "method"]).size()
    assert (counts == pools).all()
    places = study[["loss", "instrument", "world"]].drop_duplicates()
    assert (places["instrument"] == study_record("missing_follow_up")["instrument"]).all()
    assert places.value_counts("loss").to_dict() == dict.fromkeys(LOSSES, len(twin.WORLDS))


def test_a_coin_leaves_the_contrast_and_fixed_effects_of_those_seen_unbiased(study):
    """The guard of the whole study: lost by chance, those seen answer as all would on average."""
    graded = grade(study).loc["by chance"]
    for quantity in ("arm contrast", "fixed effects", "level"):
        found = graded.xs((quantity, "seen"), level=["quantity", "method"])
        assert (found["bias"].abs() < 4 * found["bias_error"]).all(), quantity


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_lost_is_known_and_the_same_under_every_rule(loss):
    panel, whole = lose("works", "strong", 12, loss)
    plain = twin.simulate("works", "strong", 12)
    assert panel.index.equals(whole.index)
    held = panel["observed"]
    for name in whole:
        np.testing.assert_allclose(whole.loc[held, name], panel.loc[held, name], rtol=1e-12)
        assert panel.loc[~held, name].isna().all()
        np.testing.assert_array_equal(
            whole[name], plain.truth.complete.loc[whole.index, name].astype(float)
        )
    assert panel.loc[panel["wave"] == 0, "observed"].all()
    assert not panel["missing_reason"].eq("died").any()
    lost = 1 - panel.loc[panel["wave"] > 0].groupby("active")["observed"].mean()
    assert ((lost > 0.15) & (lost < 0.22) if loss == "as in the twin" else lost > 0.28).all()


def test_the_last_rule_is_one_rule_an_arm():
    one, badly, coin = (
        lose("selection", "weak", 3, loss)[0]
        for loss in ("doing badly, one arm", "doing badly", "by chance")
    )
    facilitated = one["active"] == 1
    pd.testing.assert_frame_equal(one[~facilitated], badly[badly["active"] == 0])
    pd.testing.assert_frame_equal(one[facilitated], coin[coin["active"] == 1])


def test_answers_by_hand(replication):
    panel, whole = lose("works", "strong", 12, "doing badly")
    rows = panel[panel["wave"] > 0]
    held = rows[rows["observed"]]
    cells = [rows["trial"], rows["wave"]]
    mean = whole.loc[rows.index, "asi_drug"].groupby(cells).mean()
    planned = rows.groupby(["trial", "wave"]).size()
    of_seen = held.groupby(["trial", "wave"])["asi_drug"].mean()
    level = replication.loc["level"]["estimate"]
    assert level["nobody lost"] == pytest.approx((mean * planned).sum() / len(rows), rel=1e-12)
    assert level["seen"] == pytest.approx((of_seen * planned).sum() / len(rows), rel=1e-12)
    # least squares with an intercept per trial and wave, on matrices
    names = held["trial"] + held["wave"].astype(str)
    design = np.column_stack(
        [held["active"], held["asi_drug_baseline"], pd.get_dummies(names, dtype=float)]
    )
    by_hand = np.linalg.lstsq(design, held["asi_drug"], rcond=None)[0][0]
    contrast = replication.loc["arm contrast"]["estimate"]
    assert contrast["seen"] == pytest.approx(by_hand, rel=1e-8)
    weight = np.sqrt(weights(panel).values[rows["observed"]])
    by_hand = np.linalg.lstsq(
        design * weight[:, None], held["asi_drug"] * weight, rcond=None
    )[0][0]  # fmt: skip
    assert contrast["weighted"] == pytest.approx(by_hand, rel=1e-8)
    bounds = panels.lee_bounds(
        rows["asi_drug"], rows["active"], rows["observed"], strata=rows["trial"]
    )
    ends = replication.loc[("arm contrast", "Lee bounds"), ["low", "high"]].tolist()
    assert ends == [bounds.lower.coefficient, bounds.upper.coefficient]
    lost = 1 - rows.groupby("active")["observed"].mean()
    assert replication.loc["lost"]["estimate"].iloc[:2].tolist() == lost.tolist()


def test_imputed_level_and_shift_add_up_to_the_whole(replication):
    """What was imputed, plus the shift needed, is the whole pool's level."""
    panel, _ = lose("works", "strong", 12, "doing badly")
    rows = panel[panel["wave"] > 0]
    gone = (~rows["observed"]).groupby(rows["active"]).sum().to_numpy()
    shift = replication.loc["shift needed"]["estimate"].to_numpy()
    level = replication.loc["level"]["estimate"]
    whole = level["imputed"] + gone @ shift / len(rows)
    assert level["nobody lost"] == pytest.approx(whole, rel=1e-12)
    assert (shift > 0.01).all()  # those who do badly are missed


def test_the_whole_is_beside_every_answer(replication):
    for quantity in ("arm contrast", "fixed effects", "level"):
        found = replication.loc[quantity]
        assert (found["whole"] == found.loc["nobody lost", "estimate"]).all()
    assert replication.loc[["shift needed", "lost"], "whole"].isna().all()


def test_where_it_runs_does_not_matter():
    options = {"worlds": ["works"], "levers": ["weak"], "losses": ["by chance"]}
    alone = pd.concat(missing_follow_up([5, 6], **options))
    with ThreadPoolExecutor(2) as executor:
        together = pd.concat(missing_follow_up([5, 6], **options, executor=executor))
    pd.testing.assert_frame_equal(alone, together)
    assert alone[PLACE].drop_duplicates()["seed"].tolist() == [5, 6]


def test_grades_by_hand():
    rows = pd.DataFrame(
        {
            "world": "works", "instrument": "weak", "loss": "by chance", "seed": [1, 2, 3, 4],
            "quantity": "level", "method": "seen", "estimate": [1.0, 2.0, 3.0, 6.0],
            "standard_error": 1.0, "low": [0.0, 1.0, 2.0, 5.0], "high": [2.0, 3.0, 4.0, 7.0],
            "whole": [1.0, 1.0, 3.0, 3.0],
        }
    )  # fmt: skip
    found = grade(rows).loc[("by chance", "weak", "works", "level", "seen")]
    assert found["bias"] == 1.0
    assert found["noise"] == pytest.approx(np.std([0, 1, 0, 3], ddof=1))
    assert found["bias_error"] == pytest.approx(found["noise"] / 2)
    assert found["coverage"] == 0.75  # of 2, the mean of the wholes
    assert found["length"] == 2.0
    nothing = grade(rows.assign(low=np.nan, high=np.nan)).iloc[0]
    assert np.isnan(nothing["coverage"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("work", "weak", 1, "by chance"), "work"),
        (("works", "feeble", 1, "by chance"), "feeble"),
        (("works", "weak", -1, "by chance"), "seed is -1"),
        (("works", "weak", 1, "by accident"), "loss is 'by accident': give one of"),
    ],
)
def test_bad_places(arguments, message):
    with pytest.raises(ValueError, match=message):
        lose(*arguments)
    with pytest.raises(ValueError, match=message):
        replicate(*arguments)


def test_other_bad_input():
    with pytest.raises(ValueError, match="level is 95"):
        replicate("works", "weak", 1, "by chance", level=95)
    with pytest.raises(ValueError, match="seeds has 0 entries"):
        next(missing_follow_up([]))
    with pytest.raises(ValueError, match="replications has no column 'whole'"):
        grade(pd.DataFrame(columns=[c for c in COLUMNS if c != "whole"]))
