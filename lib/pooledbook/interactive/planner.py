"""The calculator of the planning chapter: sliders, a curve of power, and words that say it.

What is written here stands by itself without JavaScript; ``_static/planner.js`` makes the sliders
move it. Both compute the same: `tests/planning/test_planner_js.py` holds them to it. On paper there
is a picture of the same curve.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from html import escape
from io import BytesIO
from typing import Any, Final

from matplotlib.figure import Figure

from pooledtrials.planning import PlannedTrial, patients_needed
from pooledtrials.planning.next_trial.limit_experiment import limit_experiment, normal_quantile
from pooledtrials.planning.next_trial.trial_size import noncentrality_needed

LEFT, TOP, WIDTH, HEIGHT, MOST, DOTS = 54, 34, 552, 230, 6000, 120
ALPHA: Final = 0.05
MILLION: Final = 1_000_000

STYLE: Final = """
.planner { max-width: 44rem; margin: 1rem 0; }
.planner svg { width: 100%; height: auto; display: block; }
.planner text { fill: var(--pst-color-text-base, #222); font: 14px sans-serif; }
.planner .frame { stroke: var(--pst-color-text-muted, #666); fill: none; }
.planner .guide { stroke: var(--pst-color-text-muted, #666); stroke-dasharray: 5 4; fill: none; }
.planner .curve { stroke: var(--pst-color-primary, #0072b2); stroke-width: 3; fill: none; }
.planner .here { fill: var(--pst-color-background, #fff); stroke-width: 3;
  stroke: var(--pst-color-text-base, #222); }
.planner form > div { display: grid; grid-template-columns: 15rem 1fr 7.5rem; gap: 0 1rem;
  align-items: center; margin: 0.4rem 0; }
.planner input { width: 100%; min-height: 1.75rem;
  accent-color: var(--pst-color-primary, #0072b2); }
.planner p { margin: 0.75rem 0; }
.planner output { font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) {
  .planner text { font-size: 22px; }
  .planner form > div { grid-template-columns: 1fr auto; }
  .planner input { grid-row: 2; grid-column: 1 / 3; }
}
@media print { .planner input { display: none; } }
"""


@dataclass(frozen=True)
class Planner:
    """The calculator, set to a plan; a notebook shows it as the value of a cell.

    Attributes
    ----------
    plan : PlannedTrial
        Its patients, step and half month are what the sliders start from; everything else stays as
        it is.
    effect : float
        Fall of the score per ten more meeting days in thirty, a positive number.

    Raises
    ------
    ValueError
        If a slider cannot stand where the plan is.
    """

    plan: PlannedTrial
    effect: float

    def __post_init__(self) -> None:
        for slider in _sliders(self.plan, self.effect):
            slider.refuse_misfit()

    def __repr__(self) -> str:
        return sentence(self.plan, self.effect)

    def _repr_html_(self) -> str:
        across, down = _across(self.plan.patients), _down(_power(self.plan, self.effect))
        words = sentence(self.plan, self.effect)
        sliders = "".join(slider.markup() for slider in _sliders(self.plan, self.effect))
        return f"""<style>{STYLE}</style>
<div class="planner" data-plan="{escape(json.dumps(plan_of(self.plan, self.effect)))}">
<svg viewBox="0 0 640 326" role="img" aria-labelledby="planner-title planner-desc">
<title id="planner-title">Power against the number of patients</title>
<desc id="planner-desc">{words}</desc>
{_axes()}
<path class="curve" data-part="curve" d="{curve(self.plan, self.effect)}"/>
<circle class="here" data-part="here" r="7" cx="{across:.1f}" cy="{down:.1f}"/>
</svg>
<p data-part="words" aria-live="polite">{words}</p>
<form hidden>
{sliders}</form>
<p data-part="still">The sliders need JavaScript. The drawing shows the plan of the text.</p>
</div>
<script src="../../_static/planner.js" defer></script>
"""

    def _repr_png_(self) -> bytes:
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        ax = figure.subplots()
        counts, powers = zip(*_curve(self.plan, self.effect), strict=True)
        ax.plot(counts, [100 * power for power in powers], marker="none")
        ax.plot(self.plan.patients, 100 * _power(self.plan, self.effect), marker="o", mfc="white")
        ax.axhline(80, linestyle="--", color="grey", marker="none")
        ax.set(xlabel="patients, both arms", ylabel="power (%)", xlim=(0, MOST), ylim=(0, 100))
        picture = BytesIO()
        figure.savefig(picture, format="png")
        return picture.getvalue()


def plan_of(plan: PlannedTrial, effect: float) -> dict[str, Any]:
    """What the script has to know of a plan."""
    return {
        "patients": plan.patients,
        "step": plan.step,
        "half": plan.half_month,
        "effect": effect,
        "months": plan.months,
        "shares": plan.shares,
        "active": plan.active_share,
        "attendanceSd": plan.attendance_sd,
        "attendanceIcc": plan.attendance_icc,
        "scoreSd": plan.score_sd,
        "scoreIcc": plan.score_icc,
        "critical": normal_quantile(ALPHA),
        "noncentrality": noncentrality_needed(0.8, 1, ALPHA),
    }


def curve(plan: PlannedTrial, effect: float) -> str:
    """Return power against the number of patients as a path."""
    points = _curve(plan, effect)
    return "M" + "L".join(f"{_across(n):.1f},{_down(power):.1f}" for n, power in points)


def sentence(plan: PlannedTrial, effect: float) -> str:
    """Say what the drawing shows."""
    f = 1 + plan.concentration
    needed = patients_needed(plan, effect, 0.8, alpha=ALPHA)
    return (
        f"Interviewed patients of the active arm attend {plan.mean_step:.1f} days more on average."
        f" The expected first-stage F is {f:.{1 if f < 10 else 0}f}."
        f" With {_whole(plan.patients)} patients the power is"
        f" {100 * _power(plan, effect):.0f} %;"
        f" 80 % takes {'more than a million' if needed > MILLION else _whole(needed)} patients."
    )


def _curve(plan: PlannedTrial, effect: float) -> list[tuple[int, float]]:
    counts = [MOST * i // DOTS for i in range(1, DOTS + 1)]
    return [(n, _power(replace(plan, patients=n), effect)) for n in counts]


def _power(plan: PlannedTrial, effect: float) -> float:
    return limit_experiment(plan, effect, 0.0).anderson_rubin_power(ALPHA)


def _across(patients: float) -> float:
    return LEFT + WIDTH * patients / MOST


def _down(power: float) -> float:
    return TOP + HEIGHT * (1 - power)


def _whole(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _axes() -> str:
    bottom = TOP + HEIGHT
    parts = [
        f'<path class="frame" d="M{LEFT},{TOP}V{bottom}H{LEFT + WIDTH}"/>',
        f'<path class="guide" d="M{LEFT},{_down(0.8):.1f}H{LEFT + WIDTH}"/>',
        f'<text x="{LEFT + WIDTH / 2}" y="{bottom + 54}" text-anchor="middle">patients, both arms'
        "</text>",
        '<text x="4" y="18">power (%)</text>',
    ]
    for percent in (0, 20, 40, 60, 80, 100):
        parts.append(
            f'<text x="{LEFT - 6}" y="{_down(percent / 100) + 5:.1f}" text-anchor="end">{percent}'
            "</text>"
        )
    for count in range(0, MOST + 1, 1000):
        parts.append(
            f'<text x="{_across(count):.1f}" y="{bottom + 25}" text-anchor="middle">{count}</text>'
        )
    return "\n".join(parts)


@dataclass(frozen=True)
class _Slider:
    """A range of whole numbers, which every locale writes alike: what is meant is number / per."""

    name: str
    label: str
    value: float
    low: int
    high: int
    step: int
    per: int
    digits: int
    say: str

    def refuse_misfit(self) -> None:
        number = self.value * self.per
        steps = (number - self.low) / self.step
        if not self.low <= number <= self.high or abs(steps - round(steps)) > 1e-9:
            raise ValueError(
                f"{self.name} is {self.value}: give {self.low / self.per:g} to"
                f" {self.high / self.per:g} in steps of {self.step / self.per:g}"
            )

    def markup(self) -> str:
        said = self.say.replace("#", f"{self.value:.{self.digits}f}")
        return (
            f'<div><label for="planner-{self.name}">{self.label}</label>'
            f'<input type="range" id="planner-{self.name}" name="{self.name}" min="{self.low}"'
            f' max="{self.high}" step="{self.step}" value="{round(self.value * self.per)}"'
            f' data-per="{self.per}" data-digits="{self.digits}" data-say="{self.say}"/>'
            f'<output for="planner-{self.name}" aria-live="off">{said}</output></div>\n'
        )


def _sliders(plan: PlannedTrial, effect: float) -> tuple[_Slider, ...]:
    return (
        _Slider("patients", "Patients", plan.patients, 10, MOST, 10, 1, 0, "#"),
        _Slider("step", "Days moved at the start", plan.step, 5, 150, 5, 10, 1, "# days in 30"),
        _Slider("half", "Half of the step is left at", plan.half_month, 1, 48, 1, 1, 0, "month #"),
        _Slider("effect", "Ten days lower the score by", effect, 1, 60, 1, 1000, 3, "#"),
    )
