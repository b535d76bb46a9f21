"""Estimate from the HELP trial's real records the numbers that the synthetic twin takes from it.

Run from anywhere, with the library installed: ``python data/six/estimate_from_help.py``. It writes
``from_help.yaml`` beside itself; a test repeats it and compares. The values stand again, with
their reasons, in ``pooledtrials.pooling.twin.parameters``.

Every latent scale is normal, so quantiles of normals turn shares into positions on it: an item
that is 0 for half of the people has its threshold at their mean.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy.special import ndtri

from pooledtrials.pooling import asi, load_trial, read_raw

HERE = Path(__file__).parent
DRUGS = ("D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11")
# Standard deviation of an item's latent value given severity 0, as the generator composes it.
RATING_DRUG, RATING_ALCOHOL = (1.0, 0.7, 0.6), (0.4, 0.7, 0.6)
SECONDARY = (0.6, 0.9, 0.5)
Numbers = dict[str, float | list[float]]


def interviews() -> pd.DataFrame:
    """Return HELP's interviews held: wave, attendance, ASI items and composites."""
    trial = load_trial("help")
    raw = read_raw(trial.specification, HERE.parent / "help")
    items = {
        code: pd.to_numeric(raw.interviews[column.column])
        for code, column in trial.specification.items.items()
    }
    table = raw.keys.assign(**items)
    panel = trial.panel[trial.panel["observed"]]
    return table.merge(panel[["patient", "wave", "attendance", *_scores()]], on=["patient", "wave"])


def _scores() -> list[str]:
    return ["asi_drug", "asi_alcohol", "recognition", "ambivalence", "taking_steps",
            "primary_substance"]  # fmt: skip


def z(share: float) -> float:
    """Return the standard normal quantile of a share, kept off 0 and 1."""
    return float(ndtri(min(max(share, 1e-3), 1 - 1e-3)))


def attendance(table: pd.DataFrame) -> Numbers:
    """Fit days = curve x (latent above 0) squared to the shares of each answer at each wave."""
    cuts = np.array([0.5, 1.5, 3.0, 7.5, 20.0])  # between the six answers, in days per 30
    days = table.dropna(subset="attendance").groupby("wave")["attendance"]
    shares = {int(wave): [float((d > cut).mean()) for cut in cuts] for wave, d in days}
    points = {wave: np.array([z(s) for s in share]) for wave, share in shares.items()}
    # z(P(days > cut)) = level - sqrt(cut / curve): one slope, a level for each wave.
    x = np.sqrt(cuts)
    slope = np.mean([np.polyfit(x, p, 1)[0] for p in points.values()])
    level = {wave: float(np.mean(p - slope * x)) for wave, p in points.items()}
    follow = [wave for wave in level if wave > 0]
    decline, start = np.polyfit(follow, [level[wave] for wave in follow], 1)
    return {
        "attendance_curve": float(1 / slope**2),
        "attendance_baseline": level[0],
        "attendance_rise": float(start - level[0]),
        "attendance_decline": float(-decline),
        "attendance_stable": lag_correlations(table, "attendance")[12],
    }


def lag_correlations(table: pd.DataFrame, column: str) -> dict[int, float]:
    """Correlate normal scores between follow-ups 6, 12 and 18 months apart, averaged."""
    wide = table[table["wave"] > 0].pivot(index="patient", columns="wave", values=column)
    rank = (wide.rank() - 0.5) / wide.notna().sum()
    scores = pd.DataFrame(ndtri(rank), index=wide.index, columns=wide.columns)
    matrix = scores.corr()
    found: dict[int, list[float]] = {6: [], 12: [], 18: []}
    for a in matrix:
        for b in matrix:
            if a < b:
                found[b - a].append(float(matrix.loc[a, b]))
    return {lag: float(np.mean(values)) for lag, values in found.items()}


def course(table: pd.DataFrame, item: str, load: float, spread: float) -> float:
    """Fall of latent severity from baseline to follow-up implied by one item's share of zeros."""
    zero = table.groupby(table["wave"] > 0)[item].agg(lambda s: float((s.dropna() == 0).mean()))
    return (z(zero[True]) - z(zero[False])) * spread / load


def two_limits(answers: pd.Series) -> tuple[float, float]:
    """Return mean and standard deviation of the latent normal of an item cut at 0 and 30 days."""
    low = z(float((answers == 0).mean()))
    high = z(1 - float((answers == 30).mean()))
    spread = 29 / (high - low)  # from half a day to 29.5 days
    return 0.5 - low * spread, spread


def days_item(table: pd.DataFrame, item: str, fall: float) -> list[float]:
    """Return level at severity 0, slope and rest of the spread of a days item."""
    late, early = (table.loc[table["wave"].gt(0) == after, item].dropna() for after in (1, 0))
    (level, wide), (first, narrow) = two_limits(late), two_limits(early)
    slope = (first - level) / fall
    spread = (wide + narrow) / 2
    return [level, slope, float(np.sqrt(max(spread**2 - slope**2, 0)))]


def rating_cuts(
    table: pd.DataFrame, item: str, fall: float, parts: tuple[float, ...]
) -> list[float]:
    """Return the four thresholds of a rating, the average of baseline and follow-up."""
    spread = float(np.sqrt(sum(part**2 for part in parts)))
    late, early = (table.loc[table["wave"].gt(0) == after, item].dropna() for after in (1, 0))
    cuts = []
    for cut in range(4):
        at = [
            z(float((answers <= cut).mean())) * spread + shift
            for answers, shift in ((late, 0.0), (early, fall * parts[0]))
        ]
        cuts.append(float(np.mean(at)))
    return cuts


def others(table: pd.DataFrame, code: str) -> pd.DataFrame:
    """Return the interviews of people whose primary substance is not the drug of an item."""
    own = {"D3": "heroin", "D8": "cocaine", "D10": "cannabis"}.get(code)
    return table[table["primary_substance"] != own]


def persistence(lags: dict[int, float]) -> float:
    """Return the persistent share of a severity whose rest loses a tenth of itself every month.

    Correlations are r (s + (1 - s) 0.9^lag), where r allows for what is new at each interview.
    """
    moving = (lags[6] - lags[18]) / (0.9**6 - 0.9**18)
    stable = float(np.mean([c - moving * 0.9**lag for lag, c in lags.items()]))
    return stable / (stable + moving)


def estimate() -> dict[str, object]:
    """Return all estimates, rounded to what they are worth."""
    t = interviews()
    fall_drug = course(t, "D29", RATING_DRUG[0], float(np.sqrt(sum(p**2 for p in RATING_DRUG))))
    fall_alcohol = course(t, "D1", 1.0, float(np.sqrt(1 + 0.3**2)))
    drug, alcohol = lag_correlations(t, "asi_drug"), lag_correlations(t, "asi_alcohol")
    drinkers = t[t["D1"] > 0]
    dollars = (drinkers["D23"] / drinkers["D1"]).dropna()
    low, high = (float(dollars.quantile(q)) ** 0.5 for q in (0.25, 0.75))
    unit = ((high - low) / (2 * z(0.75))) ** 2
    share = (drinkers["D2"] / drinkers["D1"]).dropna()
    spread = float(np.sqrt(sum(part**2 for part in SECONDARY)))
    first = t[t["wave"] == 0]
    numbers: dict[str, object] = {
        **attendance(t),
        "course_drug": fall_drug,
        "course_alcohol": fall_alcohol,
        "severity_persistent": float(np.mean([persistence(drug), persistence(alcohol)])),
        "lag_correlations_drug": list(drug.values()),
        "lag_correlations_alcohol": list(alcohol.values()),
        "problem_days": days_item(t, "D27", fall_drug),
        "problem_days_alcohol": days_item(t, "D26", fall_alcohol),
        "alcohol_days": days_item(t, "D1", fall_alcohol)[:2],
        "medical_days": list(two_limits(t["M6"].dropna())),
        "medical_persistent": float(np.mean(list(_medical(t).values()))),
        "secondary_cut": {
            code: np.mean(
                [
                    SECONDARY[0] * (0 if after else fall_drug)
                    - z(float((others(t, code).query("(wave > 0) == @after")[code] > 0).mean()))
                    * spread
                    for after in (1, 0)
                ]
            )
            for code in DRUGS
        },
        "rating_cuts": {
            **{c: rating_cuts(t, c, fall_alcohol, RATING_ALCOHOL) for c in ("D28", "D30")},
            **{c: rating_cuts(t, c, fall_drug, RATING_DRUG) for c in ("D29", "D31")},
            **{c: rating_cuts(t, c, 0.0, (0.85, 0.53)) for c in ("M7", "M8")},
        },
        "drunk_share": [z(float((share == 0).mean())), z(float((share < 1).mean()))],
        "dollars_a_day": [float(dollars.median()) ** 0.5 / unit**0.5, unit],
        "readiness": {s: [first[s].mean(), first[s].std()] for s in
                      ("recognition", "ambivalence", "taking_steps")},
        "primary_substance": first["primary_substance"].value_counts(normalize=True).to_dict(),
    }  # fmt: skip
    return {name: _rounded(value) for name, value in numbers.items()}


def _medical(table: pd.DataFrame) -> dict[int, float]:
    scores = table.assign(
        medical=asi.composite(table[["M6", "M7", "M8"]], "medical", missing="complete")
    )
    return lag_correlations(scores, "medical")


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{float(value):.3g}")  # type: ignore[arg-type]


def main() -> None:
    """Write the estimates."""
    header = (
        "# Estimated from the HELP trial's real records by estimate_from_help.py; do not edit.\n"
        "# Used, with reasons, in pooledtrials.pooling.twin.parameters.\n"
    )
    text = yaml.safe_dump(estimate(), sort_keys=False, default_flow_style=None, width=100)
    (HERE / "from_help.yaml").write_text(header + text, encoding="utf-8")


if __name__ == "__main__":
    main()
