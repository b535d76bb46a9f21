"""The same synthetic people after other numbers of meeting days."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.pooling.twin.designs import Design
from pooledtrials.pooling.twin.frames import cast, scores
from pooledtrials.pooling.twin.parameters import DEFAULTS, Parameters
from pooledtrials.pooling.twin.trials import DESIGNS
from pooledtrials.pooling.twin.worlds import Instrument, World, instrument_of, world_of

Days = npt.NDArray[np.int16]


def scores_after(
    world: World | str,
    instrument: Instrument | str,
    seed: int,
    change: Callable[[Days], npt.NDArray[np.integer]],
    *,
    copies: int = 1,
    parameters: Parameters = DEFAULTS,
    designs: Mapping[str, Design] = DESIGNS,
) -> pd.DataFrame:
    """Score every planned interview of a synthetic pool as if attendance had been another.

    Everything else about the people stays as `simulate` draws it, so the difference between two
    changes is the effect of meetings and of nothing else. Like `Twin.truth` it is for grading
    alone.

    Parameters
    ----------
    world, instrument, seed, copies, parameters, designs
        As in `simulate`.
    change : callable
        From meeting days in the past 30, a whole number for each person and interview, to what
        they would be instead: as many whole numbers from 0 to 30.

    Returns
    -------
    pandas.DataFrame
        A row for each row of ``truth.complete``, in its order: ``trial``, ``patient``, ``wave``,
        ``attendance`` (after the change), ``asi_drug``, ``asi_alcohol``.

    Raises
    ------
    ValueError
        If ``change`` returns anything else.
    """
    lever = instrument_of(instrument)
    nature = world_of(world, lever)
    tables = []
    for design in designs.values():
        people = cast(design, nature, lever, seed, range(copies), parameters)
        days = _changed(people.days(people.active), change)
        found = {f"asi_{area}": score for area, score in scores(people.answers(days)).items()}
        n, waves = days.shape
        columns = {
            "trial": design.name,
            "patient": np.repeat(np.arange(1, n + 1), waves),
            "wave": np.tile(np.array(design.waves, dtype=np.int64), n),
            "attendance": days.ravel(),
        }
        tables.append(pd.DataFrame(columns | found))
    return pd.concat(tables, ignore_index=True)


def _changed(days: Days, change: Callable[[Days], npt.NDArray[np.integer]]) -> Days:
    new = np.asarray(change(days))
    if new.shape != days.shape:
        raise ValueError(
            f"change returned shape {new.shape} for {days.shape}: give one number each"
        )
    if not np.issubdtype(new.dtype, np.integer):
        raise ValueError(f"change returned {new.dtype}: give whole numbers of days")
    outside = int(((new < 0) | (new > 30)).sum())
    if outside:
        raise ValueError(f"change returned {outside} values outside 0 to 30: give days in thirty")
    return new.astype(np.int16)
