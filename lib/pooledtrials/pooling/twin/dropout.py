"""Who is interviewed when: missed interviews, withdrawal and death in the synthetic twin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pooledtrials.pooling.twin.designs import Design
from pooledtrials.pooling.twin.latent import Draws, Floats, Latent, course
from pooledtrials.pooling.twin.parameters import Parameters

HELD, MISSED, WITHDREW, DIED = 0, 1, 2, 3
REASONS = ("", "missed", "withdrew", "died")


def outcome_of_interviews(
    design: Design, draws: Draws, hidden: Latent, drug: Floats, p: Parameters
) -> npt.NDArray[np.int8]:
    """Return, for each planned interview, whether it was held or why not (index of `REASONS`).

    The risk of withdrawing or missing is the trial's, times a person's relative risk, which rises
    with drug severity gained since baseline and falls with motivation: those who do badly leave,
    and what is missing depends on what it would have been.
    """
    n, waves = drug.shape
    status = np.zeros((n, waves), dtype=np.int8)
    first, last = design.follow_up
    span = max(design.waves[-1] - design.waves[1], 1)
    gone = np.zeros(n, dtype=np.bool_)
    dead = np.zeros(n, dtype=np.bool_)
    staying = alive = 1.0
    # Worse than at baseline, allowing for the fall that is common to all.
    worse = drug - drug[:, :1] + course(design, "drug", p)
    for k in range(1, waves):
        share = first + (last - first) * (design.waves[k] - design.waves[1]) / span
        lost = 1 - share
        alive_now = 1 - design.deaths * design.waves[k] / 12
        staying_now = 1 - p.withdrawal_share * lost
        # What is left to be missed once the withdrawn and the dead are gone.
        missed = 1 - min(share / (staying_now * alive_now), 1.0)
        motivation = 0.5 * (hidden.persistent + hidden.changing[:, k])
        risk = 1 + p.dropout_severity * worse[:, k] - p.dropout_motivation * motivation
        risk = np.clip(risk, *p.dropout_range)
        dead = dead | (draws.wave["u_died"][:, k] < 1 - alive_now / alive)
        leaving = draws.wave["u_withdrew"][:, k] < (1 - staying_now / staying) * risk
        gone = gone | (leaving & ~dead)
        skipped = draws.wave["u_missed"][:, k] < missed * risk
        status[:, k] = np.select([dead, gone, skipped], [DIED, WITHDREW, MISSED], HELD)
        staying, alive = staying_now, alive_now
    return status
