"""Participant flow: who was randomized, who was interviewed when, who was not, and who died."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from pooledtrials.pooling.disclosure import suppress
from pooledtrials.pooling.specification import DIED


def participant_flow(panel: pd.DataFrame) -> pd.DataFrame:
    """Count patients by trial, arm and planned interview.

    Parameters
    ----------
    panel
        A panel that keeps the schema of `panel.SCHEMA`.

    Returns
    -------
    pandas.DataFrame
        Indexed by trial, arm and wave, with counts of patients: ``randomized``; ``interviewed``;
        ``not_interviewed``, of whom ``died`` before, or at some time
        in the study where no date was recorded; and ``share``, interviewed
        out of randomized. In each row, interviewed + not_interviewed = randomized.

    Raises
    ------
    ValueError
        If the panel has no rows.
    """
    if panel.empty:
        raise ValueError("panel: no rows to count; load a trial first")
    rows = panel.assign(
        interviewed=panel["observed"],
        not_interviewed=~panel["observed"],
        died=~panel["observed"] & (panel["died"].eq(1) | panel["missing_reason"].eq(DIED)),
    )
    groups = rows.groupby(["trial", "arm", "wave"], sort=True)
    flow = groups[["interviewed", "not_interviewed", "died"]].sum()
    flow.insert(0, "randomized", groups["patient"].nunique())
    flow["share"] = flow["interviewed"] / flow["randomized"]
    return flow


def shown_flow(panel: pd.DataFrame, private: Collection[str] = ()) -> pd.DataFrame:
    """Count patients as `participant_flow` does, for a page that others may see.

    Parameters
    ----------
    panel
        A panel that keeps the schema of `panel.SCHEMA`.
    private
        The trials whose records are private: their small counts are hidden, with those that would
        give them away, and so is the share.

    Returns
    -------
    pandas.DataFrame
        The flow; as text where a trial is private.
    """
    flow = participant_flow(panel)
    hidden = flow.index.get_level_values("trial").isin(list(private))
    if not hidden.any():
        return flow
    counts = flow.drop(columns="share")
    shown = counts.astype(str)
    parts = [("interviewed", "not_interviewed"), ("not_interviewed", "died")]
    shown[hidden] = suppress(counts[hidden], parts)
    shown["share"] = flow["share"].map("{:.2f}".format).mask(hidden, "hidden")
    return shown
