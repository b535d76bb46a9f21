"""Prospects of a planned trial: against formulas, against data analysed, and against the twin."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.power import NormalIndPower

from pooledtrials import instruments as iv
from pooledtrials import pooling
from pooledtrials.planning.next_trial.arm_step import PlannedTrial, design_effect, remaining
from pooledtrials.planning.next_trial.limit_experiment import limit_experiment, simulate
from pooledtrials.planning.next_trial.pilot import pilot_spreads
from pooledtrials.planning.next_trial.power import anderson_rubin_power
from pooledtrials.planning.next_trial.prospects import prospects
from pooledtrials.planning.next_trial.trial_size import (
    noncentrality_needed,
    patients_for_strength,
    patients_needed,
    smallest_effect,
    step_for_strength,
    step_needed,
)
from pooledtrials.planning.next_trial.twin_plan import plans_of_twin
from pooledtrials.planning.studies import load_study
from pooledtrials.pooling import twin

TRIAL = PlannedTrial(
    patients=400, step=4.0, attendance_sd=10.0, score_sd=0.2, attendance_icc=0.4, score_icc=0.3,
    months=(3, 6, 12), follow_up=(0.9, 0.8, 0.7), half_month=6.0,
)  # fmt: skip
ONCE = replace(TRIAL, months=(6,), follow_up=1.0, half_month=math.inf)
SIX = tuple(
    replace(TRIAL, patients=n, step=step)
    for n, step in zip((471, 487, 345, 145, 112, 170), (2, 0.3, 4, 2, 2, 0), strict=True)
)

sizes = st.integers(20, 5000)
steps = st.floats(0.2, 15.0)
shares = st.floats(0.05, 1.0)
correlations = st.floats(0.0, 1.0)


@st.composite
def plans(draw):
    count = draw(st.integers(1, 5))
    return PlannedTrial(
        patients=draw(sizes),
        step=draw(steps),
        attendance_sd=draw(st.floats(1.0, 15.0)),
        score_sd=draw(st.floats(0.5, 2.0)),
        attendance_icc=draw(correlations),
        score_icc=draw(correlations),
        months=tuple(float(m) for m in np.cumsum([draw(st.integers(1, 6)) for _ in range(count)])),
        follow_up=tuple(draw(shares) for _ in range(count)),
        half_month=draw(st.floats(0.5, 100.0)),
        active_share=draw(st.floats(0.1, 0.9)),
    )


# --- by hand and against other programs ---


def test_by_hand():
    left = (6 / 9, 6 / 12, 6 / 18)
    step = 4 * (0.9 * left[0] + 0.8 * left[1] + 0.7 * left[2]) / 2.4
    together = 0.8 + 0.7 + 0.7
    variance = 100 * (1 + 0.4 * 2 * together / 2.4) / (400 * 0.25 * 2.4)
    assert_allclose(TRIAL.mean_step, step, rtol=1e-14)
    assert_allclose(TRIAL.step_error**2, variance, rtol=1e-14)
    assert_allclose(TRIAL.concentration, step**2 / variance, rtol=1e-14)
    assert_allclose(TRIAL.interviews, 960)
    found = prospects(TRIAL, -0.05, -0.2)
    assert_allclose(found.expected_f, 1 + step**2 / variance, rtol=1e-14)
    assert_allclose(found.contrast, -0.05 * step / 10, rtol=1e-14)
    se = 0.2 * math.sqrt((1 + 0.3 * 2 * together / 2.4) / (400 * 0.25 * 2.4))
    assert_allclose(found.contrast_error, se, rtol=1e-14)


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_intention_to_treat_is_the_two_sample_z_test_of_statsmodels(share):
    trial = replace(ONCE, active_share=share)
    active = share * trial.patients
    want = NormalIndPower().power(
        effect_size=0.1 * 4 / 10 / 0.2, nobs1=active, alpha=0.05, ratio=(1 - share) / share
    )
    found = prospects(trial, 0.1, 0.3)
    assert_allclose(found.intention_to_treat, want, rtol=1e-10)
    assert found.intention_to_treat == found.anderson_rubin == found.conditional_lr


def test_sample_size_is_that_of_statsmodels():
    want = NormalIndPower().solve_power(effect_size=0.2, alpha=0.05, power=0.8)
    trial = replace(ONCE, step=10.0, score_sd=1.0)
    assert patients_needed(trial, 0.2, 0.8) == math.ceil(2 * want)


def test_o_l1_in_the_limit():
    """R ivmodel's AR.power(n=250, ...), .6230113247, and AR.size, 379: a limit is a bit above."""
    trial = replace(ONCE, patients=250, step=0.5, attendance_sd=1.0, score_sd=math.sqrt(3))
    found = prospects(trial, 10.0, 0.5)  # 1 per day
    assert 0 < found.anderson_rubin - 0.6230113247 < 0.005
    assert 0 <= 379 - patients_needed(trial, 10.0, 0.8) <= 3
    case = {"gamma": 0.5, "z_variance": 0.25, "u_sd": 1, "v_sd": 1, "rho": 0.5}
    large = replace(trial, patients=40_000)
    want = anderson_rubin_power(40_000, 0.08, **case)
    # the score's spread follows from effect and endogeneity there, and is given here
    spread = math.sqrt(1 + 2 * 0.5 * 0.08 + 0.08**2)
    found = prospects(replace(large, score_sd=spread), 0.8, 0.5)
    assert_allclose(found.anderson_rubin, want, atol=2e-5)


def test_noncentrality_for_eighty_percent():
    assert_allclose(
        noncentrality_needed(0.8, 1), (stats.norm.isf(0.025) + 0.8416212) ** 2, rtol=1e-5
    )
    for k in (1, 3, 6):
        at = noncentrality_needed(0.9, k, 0.01)
        assert_allclose(stats.ncx2.sf(stats.chi2.isf(0.01, k), k, at), 0.9, rtol=1e-9)


def test_help_is_as_precise_as_its_own_spreads_say():
    """HELP, real: the standard errors of arms' differences, from spreads and follow-up alone."""
    panel = pooling.load_trial("help").panel
    rows = pooling.analysis_set(panel)
    spreads = pilot_spreads(**rows.instrumented)
    held = rows.waves.value_counts().sort_index()
    active = rows.z.groupby(rows.patients).first()
    plan = PlannedTrial(
        patients=470, step=1.0, months=tuple(map(float, held.index)),
        follow_up=tuple(held / 470), active_share=235 / 470, **spreads.planned,
    )  # fmt: skip
    stage = iv.first_stage(**rows.instrumented)
    contrast = iv.arm_difference(
        rows.y, rows.z, rows.controls, clusters=rows.patients, strata=rows.strata
    )
    assert abs(active.mean() - 0.5) < 0.05
    # people come back after a missed interview: pairs are fewer than if who is lost stayed lost
    for planned, found in (
        (plan.step_error, 10 * stage.standard_errors[0]),
        (plan.contrast_error, contrast.standard_error),
    ):
        assert 1.0 < planned / found < 1.15


# --- identities ---


@given(plans(), st.floats(-0.9, 0.9))
@settings(max_examples=40, deadline=None)
def test_no_effect_is_rejected_at_the_level(plan, endogeneity):
    found = prospects(plan, 0.0, endogeneity)
    assert_allclose(found.anderson_rubin, 0.05, rtol=1e-9)
    assert_allclose(found.t_test, 1 - found.coverage, atol=1e-9)
    assert found.worst_coverage <= found.coverage


@given(plans())
@settings(max_examples=40, deadline=None)
def test_twice_the_step_is_four_times_the_strength_twice_the_patients_twice(plan):
    assert_allclose(
        replace(plan, step=2 * plan.step).concentration, 4 * plan.concentration, rtol=1e-12
    )
    assert_allclose(
        replace(plan, patients=2 * plan.patients).concentration, 2 * plan.concentration, rtol=1e-12
    )


@given(plans(), st.floats(0.01, 0.9))
@settings(max_examples=40, deadline=None)
def test_more_patients_a_longer_step_and_less_fading_never_hurt(plan, effect):
    def power(**changes):
        return limit_experiment(replace(plan, **changes), effect, 0.0).anderson_rubin_power(0.05)

    here = power() - 1e-9
    assert power(patients=plan.patients + 10) >= here
    assert power(step=1.1 * plan.step) >= here
    assert power(half_month=2 * plan.half_month) >= here
    assert power(score_icc=plan.score_icc / 2) >= here


@given(sizes, st.integers(2, 6), steps)
def test_strangers_and_twins(patients, count, step):
    """ICC 0: interviews are as good as patients. ICC 1: only patients count."""
    once = replace(ONCE, patients=patients, step=step)
    often = replace(once, months=tuple(range(1, count + 1)))
    strangers = replace(often, attendance_icc=0.0)
    assert_allclose(strangers.concentration, count * once.concentration, rtol=1e-12)
    copies = replace(often, attendance_icc=1.0)
    assert_allclose(copies.concentration, once.concentration, rtol=1e-12)


def test_a_late_interview_can_cost_strength():
    early = replace(TRIAL, months=(1, 2), follow_up=1.0, half_month=2.0)
    late = replace(early, months=(1, 2, 24))
    assert late.concentration < early.concentration


def test_fading():
    assert remaining(4, 0) == 1
    assert remaining(4, 4) == 0.5
    assert remaining(math.inf, 100) == 1
    assert design_effect((0.5, 0.5), 1.0) == 2
    assert TRIAL.steps == tuple(4 * 6 / (6 + m) for m in (3, 6, 12))


@given(plans(), st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_copies_of_a_trial_pooled_are_one_large_trial(plan, count):
    large = prospects(replace(plan, patients=count * plan.patients), 0.05, 0.2)
    pooled = prospects([plan] * count, 0.05, 0.2)
    for name in ("concentration", "anderson_rubin", "contrast_error", "mean_step", "t_test"):
        assert_allclose(getattr(pooled, name), getattr(large, name), rtol=1e-9)
    apart = limit_experiment([plan] * count, 0.05, 0.2, "per trial")
    assert_allclose(apart.concentration, large.concentration, rtol=1e-9)
    assert_allclose(apart.noncentrality * large.contrast_error**2, large.contrast**2, rtol=1e-9)


def test_order_units_and_sign_do_not_matter():
    found = prospects(SIX, -0.05, -0.3, instruments="per trial")
    turned = prospects(SIX[::-1], -0.05, -0.3, instruments="per trial")
    assert_allclose(turned.anderson_rubin, found.anderson_rubin, rtol=1e-12)
    assert_allclose(turned.expected_effective_f, found.expected_effective_f, rtol=1e-12)
    here = prospects(SIX, -0.05, -0.3)
    percent = [replace(trial, score_sd=100 * trial.score_sd) for trial in SIX]
    for other in (prospects(percent, -5.0, -0.3), prospects(SIX, 0.05, 0.3)):
        for name in ("anderson_rubin", "t_test", "coverage", "worst_coverage", "expected_f"):
            assert_allclose(getattr(other, name), getattr(here, name), rtol=1e-9)


def test_pooling_unequal_steps_throws_strength_away():
    pooled = prospects(SIX, -0.05, -0.3)
    apart = prospects(SIX, -0.05, -0.3, instruments="per trial")
    assert apart.concentration > pooled.concentration
    assert apart.expected_f < pooled.expected_f  # it is shared among six
    assert_allclose(apart.expected_f, apart.expected_effective_f, rtol=1e-12)  # alike spreads
    wide = [replace(SIX[0], attendance_sd=15.0), *SIX[1:]]
    unlike = prospects(wide, -0.05, -0.3, instruments="per trial")
    assert abs(unlike.expected_f / unlike.expected_effective_f - 1) > 0.01


@pytest.mark.parametrize("instruments", ["pooled", "per trial"])
def test_questions_turned_round_come_back(instruments):
    options = {"instruments": instruments}
    plan = SIX[:3]
    least = patients_needed(plan, -0.05, 0.8, **options)
    total = sum(trial.patients for trial in plan)

    def power_with(patients):
        found = limit_experiment(plan, -0.05, 0.0, instruments)
        scaled = replace(found, first_stage=found.first_stage * math.sqrt(patients / total))
        return scaled.anderson_rubin_power(0.05)

    assert power_with(least) >= 0.8 > power_with(least - 1)
    alike = [replace(trial, step=step_needed(plan, -0.05, 0.9, **options)) for trial in plan]
    assert_allclose(prospects(alike, -0.05, 0.0, **options).anderson_rubin, 0.9, rtol=1e-9)
    effect = smallest_effect(plan, 0.7, **options)
    found = limit_experiment(plan, effect, 0.0, instruments).anderson_rubin_power(0.05)
    assert_allclose(found, 0.7, rtol=1e-9)
    strong = [replace(trial, step=step_for_strength(plan, 23.1, **options)) for trial in plan]
    assert_allclose(prospects(strong, 0.0, 0.0, **options).expected_f, 23.1, rtol=1e-9)
    patients = patients_for_strength(plan, 10.0, **options)
    now = prospects(plan, 0.0, 0.0, **options).expected_f - 1
    assert now * patients / total >= 9 > now * (patients - 1) / total


def test_a_whole_number_that_suffices_is_not_raised():
    trial = replace(ONCE, patients=400)
    exact = 1 + trial.concentration
    assert patients_for_strength(trial, exact) == 400


def test_no_answer_is_a_trial_that_cannot_be_planned():
    clear = replace(TRIAL, step=30.0)
    least = patients_needed(clear, 5.0)
    assert least == replace(clear, patients=least).patients == 4
    assert patients_for_strength([clear] * 6, 1.001) == 24


def test_follow_up_as_a_list_is_as_good():
    assert replace(TRIAL, months=[3, 6, 12], follow_up=[0.9, 0.8, 0.7]) == TRIAL


# --- by simulation ---


def within(rate: float, want: float, reps: int) -> bool:
    """Whether a simulated rate is within four binomial standard errors of what is wanted."""
    return abs(rate - want) < 4 * math.sqrt(max(want * (1 - want), 1 / reps) / reps)


def interviews(
    plan: PlannedTrial, effect: float, endogeneity: float, seed: int
) -> dict[str, object]:
    """Invented interviews of a plan: random intercepts, and who is lost stays lost."""
    g = np.random.default_rng(seed)
    n, waves = plan.patients, len(plan.months)
    arm = g.permutation(n) < round(plan.active_share * n)

    def errors(icc: float) -> np.ndarray:
        own = g.standard_normal((n, waves))
        return math.sqrt(icc) * g.standard_normal((n, 1)) + math.sqrt(1 - icc) * own

    assert plan.attendance_icc == plan.score_icc  # or endogeneity would differ between the two
    v, w = errors(plan.attendance_icc), errors(plan.attendance_icc)
    u = endogeneity * v + math.sqrt(1 - endogeneity**2) * w
    x = np.outer(arm, plan.steps) + plan.attendance_sd * v
    sd = limit_experiment(plan, effect, endogeneity).structural_sd[0]
    u_sd = float(sd / math.sqrt(plan.score_variance)) * plan.score_sd
    y = effect * x / 10 + u_sd * u
    seen = g.random((n, 1)) < np.array(plan.shares)  # nested where shares fall
    month = np.broadcast_to(np.array(plan.months), (n, waves))
    patient = np.broadcast_to(np.arange(n)[:, None], (n, waves))
    z = np.broadcast_to(arm[:, None], (n, waves)).astype(float)
    return {
        "y": y[seen], "x": x[seen] / 10, "z": z[seen], "clusters": patient[seen],
        "strata": month[seen],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("step", "effect", "endogeneity"), [(1.5, -0.1, -0.6), (1.5, 0.0, 0.8), (6.0, 0.05, 0.3)]
)
def test_data_analysed_do_as_expected(step, effect, endogeneity):
    plan = replace(TRIAL, step=step, score_icc=0.4)
    want = prospects(plan, effect, endogeneity)
    reps = 500
    f, ar, t, covers, bounded = np.empty(reps), 0, 0, 0, 0
    for seed in range(reps):
        data = interviews(plan, effect, endogeneity, seed)
        f[seed] = iv.first_stage(**data).f_test.statistic
        estimate = iv.tsls(**data)
        ar += iv.anderson_rubin_test(**data).p_value < 0.05
        t += estimate.p_value < 0.05
        covers += estimate.interval().contains(effect)
        bounded += f[seed] > stats.f.isf(0.05, 1, len(set(data["clusters"])) - 1)
    assert abs(f.mean() - want.expected_f) < 4 * f.std() / math.sqrt(reps)
    assert within(ar / reps, want.anderson_rubin, reps)
    assert within(t / reps, want.t_test, reps)
    assert within(covers / reps, want.coverage, reps)
    assert within(bounded / reps, want.bounded, reps)


@pytest.mark.parametrize("endogeneity", [-0.7, 0.4])
def test_the_simulation_agrees_with_the_integral_where_both_exist(endogeneity):
    weak = limit_experiment(replace(ONCE, step=1.5), 0.1, endogeneity)
    draws = 40_000
    found = simulate(weak, 0.05, draws, 3)
    assert within(found.conditional_lr, weak.anderson_rubin_power(0.05), draws)
    assert within(found.t, weak.t_power(0.05), draws)
    assert within(found.t_size, weak.t_size(0.05, endogeneity), draws)
    assert within(found.worst_t_size, weak.t_size(0.05, 1.0), draws)


def test_the_conditional_test_keeps_its_level_with_weak_trials_of_unlike_spread():
    weak = [replace(t, attendance_sd=sd) for t, sd in zip(SIX, (6, 8, 10, 12, 14, 15), strict=True)]
    found = prospects(weak, 0.0, 0.9, instruments="per trial", draws=10_000, seed=5)
    assert within(found.conditional_lr, 0.05, 10_000)
    assert found.t_test > 0.2  # the 2SLS t-test does not
    assert found.monte_carlo_error == pytest.approx(0.005)


def test_same_seed_same_answer():
    one, two = (prospects(SIX, -0.05, -0.3, instruments="per trial", seed=4) for _ in range(2))
    assert one == two
    other = prospects(SIX, -0.05, -0.3, instruments="per trial", seed=5)
    assert other.conditional_lr != one.conditional_lr


# --- against the twin ---


@pytest.fixture(scope="module", params=["weak", "strong"])
def foreseen(request):
    """What spreads, follow-up and true steps of a few synthetic pools lead to expect of many."""
    lever = request.param
    pools = [twin.simulate("works", lever, seed) for seed in range(4)]
    effect = np.mean([p.truth.complier_effect.loc[("all", -1, "drug"), "effect"] for p in pools])
    rows = [pooling.analysis_set(twin.observed_panel(pool)).instrumented for pool in pools]
    rho = np.mean([pilot_spreads(**r).correlation for r in rows])
    return lever, prospects(plans_of_twin(pools), float(effect), float(rho))


def test_the_twin_is_as_strong_as_foreseen(foreseen):
    lever, want = foreseen
    study = load_study("two_worlds")
    study = study[(study["world"] == "works") & (study["instrument"] == lever)]
    pools = study[study["method"] == "2SLS"]
    sets = study[study["method"] == "Anderson-Rubin"]
    reps = len(pools)
    error = pools["f"].std() / math.sqrt(reps)
    # 5 %: days that are cut at 0 and 30, spreads that differ between arms
    assert abs(pools["f"].mean() - want.expected_f) < 4 * error + 0.05 * want.expected_f
    assert within(float(np.isfinite(sets["length"]).mean()), want.bounded, reps)
    assert within(float(pools["covers"].mean()), want.coverage, reps)
    assert within(float(pools["excludes_zero"].mean()), want.t_test, reps)
    assert within(float(sets["excludes_zero"].mean()), want.anderson_rubin, reps)


def test_plans_of_the_twin_have_its_designs():
    plans = plans_of_twin([twin.simulate("works", "weak", 1)])
    assert [plan.patients for plan in plans] == [471, 487, 345, 145, 112, 170]
    assert plans[5].step == 0  # the weak lever does nothing there
    assert plans[2].months == (6.0, 12.0)
    assert plans[1].active_share == pytest.approx(121 / 487)
    with pytest.raises(ValueError, match="pools has 0 entries"):
        plans_of_twin([])


# --- what a pilot says ---


def test_pilot_spreads_are_those_of_the_model():
    plan = replace(
        TRIAL, patients=4000, attendance_icc=0.35, score_icc=0.35, months=(1, 2, 3),
        follow_up=1.0, half_month=math.inf,
    )  # fmt: skip
    found = pilot_spreads(**interviews(plan, 0.0, -0.5, 1))
    assert_allclose(found.attendance_sd, 10, rtol=0.03)
    assert_allclose(found.score_sd, 0.2, rtol=0.03)
    assert_allclose([found.attendance_icc, found.score_icc], 0.35, atol=0.05)
    assert_allclose(found.correlation, -0.5, atol=0.06)
    assert (found.patients, found.interviews) == (4000, 12000)
    assert found.to_frame().loc["score", "standard deviation"] == found.score_sd


def test_pilot_spreads_have_units():
    data = interviews(replace(TRIAL, score_icc=0.4), 0.0, 0.4, 2)
    one, other = pilot_spreads(**data), pilot_spreads(**data | {"y": -100 * data["y"]})
    assert_allclose(other.score_sd, 100 * one.score_sd, rtol=1e-12)
    assert_allclose(other.correlation, -one.correlation, rtol=1e-10)
    assert_allclose(other.score_icc, one.score_icc, rtol=1e-9)


def test_pilot_refusals():
    data = interviews(replace(TRIAL, score_icc=0.4), 0.0, 0.4, 2)
    with pytest.raises(ValueError, match="clusters is missing"):
        pilot_spreads(**data | {"clusters": None})
    with pytest.raises(ValueError, match="with one interview each"):
        pilot_spreads(**data | {"clusters": np.arange(len(data["y"]))})


# --- words, tables, refusals ---


def test_describe_and_frame():
    one = prospects(TRIAL, -0.05, -0.3)
    assert "400 patients in one trial" in one.describe()
    assert "which with one instrument is the same test as Anderson-Rubin and CLR" in one.describe()
    six = prospects(SIX, -0.05, -0.3, instruments="per trial")
    assert "1730 patients in 6 trials" in six.describe()
    assert "With 6 instruments Anderson-Rubin has" in six.describe()
    frame = six.to_frame()
    assert frame.loc["power, conditional LR", "expected"] == six.conditional_lr
    assert six.coverage_loss == pytest.approx(0.95 - six.worst_coverage)
    assert prospects(replace(TRIAL, patients=10**6), 0.0, 0.0).coverage_loss < 1e-4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patients": 3}, "patients is 3: give a whole number, 4 or more"),
        ({"patients": 100.5}, "patients is 100.5"),
        ({"step": math.nan}, "step is nan"),
        ({"attendance_sd": 0}, "attendance_sd is 0: give a positive number"),
        ({"attendance_sd": 16}, "spread by 15 at most"),
        ({"score_sd": -1}, "score_sd is -1"),
        ({"attendance_icc": 1.1}, "attendance_icc is 1.1: give a number from 0 to 1"),
        ({"score_icc": -0.1}, "score_icc is -0.1"),
        ({"months": ()}, "give at least one follow-up after month 0"),
        ({"months": (0, 6, 9)}, "give at least one follow-up after month 0"),
        ({"months": (6, 3, 9)}, "in order"),
        ({"follow_up": (0.9, 0.8)}, "follow_up has 2 shares for 3 months"),
        ({"follow_up": [0.9, 0.8]}, "follow_up has 2 shares for 3 months: give one share for all"),
        (
            {"follow_up": "all"},
            "follow_up is 'all': give one share for all months, or one for each",
        ),
        (
            {"follow_up": (0.9, None, 0.8)},
            "follow_up holds None: give one share for all months, or",
        ),
        ({"follow_up": math.nan}, "follow_up is nan: give a share above 0"),
        ({"months": 3}, r"months is 3: give the follow-ups in order, as in \(3, 6\)"),
        ({"months": (3, math.inf, 12)}, "months is inf"),
        ({"half_month": "x"}, "half_month is 'x'"),
        ({"step": 45}, "step is 45, but days between 0 and 30 differ by 30 at most"),
        ({"step": -30.5}, "step is -30.5"),
        ({"follow_up": 0.0}, "follow_up is 0.0: give a share above 0"),
        ({"follow_up": (0.9, 0.8, 1.2)}, "follow_up is 1.2"),
        ({"half_month": 0}, "half_month is 0"),
        ({"half_month": math.nan}, "half_month is nan"),
        ({"active_share": 1.0}, "active_share is 1.0"),
        ({"step": "four"}, "step is 'four'"),
    ],
)
def test_plans_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(TRIAL, **changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prospects([], 0.1, 0.0), "trials has 0 entries"),
        (
            lambda: prospects({"a": TRIAL}, 0.1, 0.0),
            "trials holds 'a': give a PlannedTrial or a seq",
        ),
        (
            lambda: step_needed(None, 0.1),
            "trials is None: give a PlannedTrial or a sequence of them",
        ),
        (
            lambda: prospects(TRIAL, 0.1, 0.0, draws=1000.5),
            "draws is 1000.5: give a whole number, 1",
        ),
        (lambda: patients_needed(TRIAL, 1e-160), "effect or step is 0"),
        (lambda: prospects(TRIAL, math.inf, 0.0), "effect is inf"),
        (lambda: prospects(TRIAL, 0.1, 1.5), "endogeneity is 1.5"),
        (lambda: prospects(TRIAL, 0.1, 0.0, alpha=5), "alpha is 5"),
        (lambda: prospects(TRIAL, 0.1, 0.0, instruments="each"), "instruments is 'each'"),
        (lambda: prospects(TRIAL, 0.1, 0.0, draws=10), "draws is 10"),
        (lambda: prospects(TRIAL, 0.5, 0.0), "attendance alone would then spread the score more"),
        (lambda: patients_needed(TRIAL, 0.0), "effect or step is 0"),
        (lambda: patients_needed(replace(TRIAL, step=0), 0.1), "effect or step is 0"),
        (lambda: patients_needed(TRIAL, 0.1, 0.05), "power is 0.05 and alpha 0.05"),
        (lambda: patients_needed(TRIAL, 0.1, 80), "power is 80"),
        (lambda: step_needed(TRIAL, 0.0), "effect is 0: no step"),
        (lambda: smallest_effect(replace(TRIAL, step=0)), "step is 0 in all trials"),
        (lambda: step_for_strength(TRIAL, 1.0), "expected_f is 1.0: chance alone gives 1"),
        (lambda: patients_for_strength(replace(TRIAL, step=0), 10), "step is 0"),
    ],
)
def test_questions_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
