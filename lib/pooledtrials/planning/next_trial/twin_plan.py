"""The plans that synthetic pools amount to: their true steps, their spreads and follow-up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pooledtrials.planning.next_trial.arm_step import PlannedTrial, remaining
from pooledtrials.planning.next_trial.pilot import pilot_spreads
from pooledtrials.pooling import analysis_set, twin


def plans_of_twin(pools: Sequence[twin.Twin], area: str = "drug") -> tuple[PlannedTrial, ...]:
    """The six trials as plans, averaged over pools that were generated alike.

    Steps are the true ones, fitted by least squares over interviews held to the fading of the
    pools' instrument; spreads and follow-up are those that an analyst would see.

    Parameters
    ----------
    pools : sequence of Twin
        From `twin.simulate`, one instrument and different seeds.
    area : {"drug", "alcohol"}
        Which ASI composite is the score.

    Raises
    ------
    ValueError
        For no pools.
    """
    if not pools:
        raise ValueError("pools has 0 entries: give at least one")
    half = pools[0].truth.instrument.half_month
    panels = [twin.observed_panel(pool) for pool in pools]
    days = pd.concat([pool.truth.complier_effect.xs(area, level="area")["days"] for pool in pools])
    steps = days.groupby(["trial", "wave"]).mean()
    plans = []
    for name, design in twin.DESIGNS.items():
        frames = [panel[panel["trial"] == name] for panel in panels]
        late = pd.concat([frame[frame["wave"] > 0] for frame in frames])
        seen = late.groupby("wave")["observed"].mean()
        left = np.array([remaining(half, month) for month in seen.index])
        start = (seen * left * steps[name].loc[seen.index]).sum() / (seen * left**2).sum()
        spreads = [
            pilot_spreads(**analysis_set(frame, f"asi_{area}").instrumented).planned
            for frame in frames
        ]
        plans.append(
            PlannedTrial(
                patients=design.patients,
                step=float(start),
                months=tuple(map(float, seen.index)),
                follow_up=tuple(map(float, seen)),
                half_month=half,
                active_share=sum(a.patients for a in design.arms if a.active) / design.patients,
                **pd.DataFrame(spreads).mean().to_dict(),
            )
        )
    return tuple(plans)
