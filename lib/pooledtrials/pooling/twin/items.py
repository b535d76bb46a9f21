"""Answers to the ASI of a synthetic interview, from latent severity.

Every function is deterministic given the draws, so that the same person can be asked again after
more or fewer meetings: the difference is the effect and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from pooledtrials.pooling.twin.designs import Design
from pooledtrials.pooling.twin.latent import DRUGS, Draws, Floats, Ints, Latent, whole
from pooledtrials.pooling.twin.parameters import Parameters
from pooledtrials.pooling.twin.worlds import Instrument, World

PRIMARY_ITEM: Mapping[str, str] = {
    "heroin": "D3", "cocaine": "D8", "amphetamines": "D9", "cannabis": "D10"
}  # fmt: skip


def severity(
    hidden: Latent, attendance: npt.NDArray[np.int16], active: Floats, design: Design,
    world: World, instrument: Instrument, p: Parameters,
) -> dict[str, Floats]:  # fmt: skip
    """Return latent drug and alcohol severity after ``attendance`` meeting days."""
    dose = (attendance - p.dose_centre) / 10.0 * hidden.multiplier[:, None]
    after = (np.array(design.waves) > 0) * active[:, None]
    return {
        "drug": hidden.drug - world.meetings_drug * dose - instrument.direct_drug * after,
        "alcohol": hidden.alcohol
        - world.meetings_alcohol * dose
        - instrument.direct_alcohol * after,
    }


def substance_items(
    severe: Mapping[str, Floats], draws: Draws, primary: npt.NDArray[np.str_], design: Design,
    p: Parameters,
) -> dict[str, Ints]:  # fmt: skip
    """Return the items of the alcohol and drug composites."""
    alcohol = _alcohol(severe["alcohol"], draws, p)
    drug = _drug(severe["drug"], alcohol["D1"], draws, primary, design, p)
    return {**alcohol, **drug}


def _alcohol(a: Floats, draws: Draws, p: Parameters) -> dict[str, Ints]:
    d, w = draws.patient, draws.wave
    level, slope = p.alcohol_days
    days = whole(level + slope * (a + p.alcohol_noise * w["D1"]), 0, 30)
    low, high = p.drunk_share
    same, other = p.drunk_persistent, sqrt(1 - p.drunk_persistent**2)
    habit = same * d["drunk"][:, None] + other * w["drunk"]
    drunk = whole(days * np.clip((habit - low) / (high - low), 0.0, 1.0), 0, 30)
    offset, unit = p.dollars_a_day
    price = np.maximum(d["price"] + offset, 0.0)
    dollars = whole(days * unit * (price * price)[:, None], 0, 32000)
    level, slope, noise = p.problem_days_alcohol
    bother = w["bother_alcohol"]
    problems = (
        level + slope * a + noise * (p.problem_parts[0] * bother + p.problem_parts[1] * w["D26"])
    )
    shared, own = p.rating_parts
    rated = p.rating_load_alcohol * a + shared * bother
    return {
        "D1": days,
        "D2": drunk,
        "D23": dollars,
        "D26": whole(problems, 0, 30),
        "D28": _rating(rated + own * w["D28"], p.rating_cuts["D28"]),
        "D30": _rating(rated + own * w["D30"], p.rating_cuts["D30"]),
    }


def _drug(
    s: Floats, drinking: Ints, draws: Draws, primary: npt.NDArray[np.str_], design: Design,
    p: Parameters,
) -> dict[str, Ints]:  # fmt: skip
    d, w = draws.patient, draws.wave
    used: dict[str, Ints] = {}
    severe, taste, chance = p.secondary_parts
    main = whole(p.primary_slope * (s + p.primary_noise * w["days"]), 0, 30)
    if design.used_before:
        main[:, 0] = np.maximum(main[:, 0], 1)
    for code in DRUGS:
        liking = severe * s + taste * d[f"taste_{code}"][:, None] + chance * w[f"days_{code}"]
        days = whole(p.secondary_slope * (liking - p.secondary_cut[code]), 0, 30)
        mine = np.isin(primary, [name for name, item in PRIMARY_ITEM.items() if item == code])
        used[code] = np.where(mine[:, None], main, days).astype(np.int16)
    if design.methadone:
        # Prescribed and taken daily, but for the few days that a dose was missed.
        mean, spread = p.methadone_missed
        used["D4"] = whole(30 - np.maximum(mean + spread * w["days_D4"], 0.0), 0, 30)
    several = _overlap([drinking, *(v for k, v in used.items() if k != "D4")], w["D13"], p)
    level, slope, noise = p.problem_days
    bother = w["bother_drug"]
    problems = (
        level + slope * s + noise * (p.problem_parts[0] * bother + p.problem_parts[1] * w["D27"])
    )
    shared, own = p.rating_parts
    rated = p.rating_load_drug * s + shared * bother
    return {
        **used,
        "D13": several,
        "D27": whole(problems, 0, 30),
        "D29": _rating(rated + own * w["D29"], p.rating_cuts["D29"]),
        "D31": _rating(rated + own * w["D31"], p.rating_cuts["D31"]),
    }


def _overlap(days: Sequence[Ints], chance: Floats, p: Parameters) -> Ints:
    """Return days with more than one substance, between what must and what can coincide."""
    total = days[0].astype(np.int64)
    most = days[0].astype(np.int64)
    for other in days[1:]:
        total = total + other
        most = np.maximum(most, other)
    can = np.minimum(np.minimum(total - most, total // 2), 30)
    must = np.maximum(-((30 - total) // (len(days) - 1)), 0)
    share = np.clip(p.overlap[0] + p.overlap[1] * chance, 0.0, 1.0)
    return whole(must + (can - must) * share, 0, 30)


def _rating(value: Floats, cuts: Sequence[float]) -> Ints:
    rating = np.zeros(value.shape, dtype=np.int16)
    for cut in cuts:
        rating += value > cut
    return rating


def other_items(draws: Draws, design: Design, p: Parameters) -> dict[str, Ints]:
    """Return the items of the medical and psychiatric composites, which meetings do not move."""
    d, w = draws.patient, draws.wave
    stay, move = sqrt(p.medical_persistent), sqrt(1 - p.medical_persistent)
    ill = design.medical + stay * d["medical"][:, None] + move * w["medical"]
    level, slope = p.medical_days
    shared, own = p.medical_parts
    medical = {
        "M6": whole(level + slope * (shared * ill + own * w["M6"]), 0, 30),
        "M7": _rating(shared * ill + own * w["M7"], p.rating_cuts["M7"]),
        "M8": _rating(shared * ill + own * w["M8"], p.rating_cuts["M8"]),
    }
    months = np.array(design.waves, dtype=np.float64)
    fall = p.psychiatric_drop * months / (months + 1)
    stay, move = p.psychiatric_persistent, sqrt(1 - p.psychiatric_persistent**2)
    mind = p.psychiatric_any - fall + stay * d["psychiatric"][:, None] + move * w["psychiatric"]
    troubled = mind > 0  # who has no problem in the window answers no and 0 throughout
    psychiatric = {
        code: (troubled & (mind + p.psychiatric_noise * w[code] > cut)).astype(np.int16)
        for code, cut in p.psychiatric_cuts.items()
    }
    psychiatric["P10"] = psychiatric["P10"] * psychiatric["P9"]
    slope, spread = p.psychiatric_days
    days = whole(slope * mind + spread * w["P12"], 1, 30)
    psychiatric["P12"] = np.where(troubled, days, 0).astype(np.int16)
    for code, cuts in p.psychiatric_ratings.items():
        rating = _rating(mind + p.rating_parts[1] * w[code], cuts)
        psychiatric[code] = np.where(troubled, rating, 0).astype(np.int16)
    return {**medical, **psychiatric}
