"""What was read, mapped and flagged, in words: the answer to "is my trial ready?"."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pooledtrials.pooling.disclosure import THRESHOLD, suppress
from pooledtrials.pooling.flow import participant_flow
from pooledtrials.pooling.harmonise import Trial, load_trial
from pooledtrials.pooling.panel import PanelError
from pooledtrials.pooling.pool import load_pool
from pooledtrials.pooling.reading import RawTableError
from pooledtrials.pooling.yaml_file import SpecificationError, read_yaml

_SHOWN = 6


def check(path: Path) -> tuple[bool, str]:
    """Validate a trial's or a pool's YAML file with its tables.

    Returns
    -------
    tuple of bool and str
        Whether it is ready, and a report: per trial what was read, mapped and flagged and the
        participant flow, small counts of private trials hidden; or else what is wrong and where.
        Nothing is written.
    """
    try:
        content = read_yaml(path)
        trials = load_pool(path).trials if "pool" in content else (load_trial(path),)
    except (SpecificationError, RawTableError, PanelError, ValueError) as error:
        return False, f"not ready: {path.name}\n\n{error}"
    return True, "\n\n".join(describe(trial) for trial in trials)


def describe(trial: Trial) -> str:
    """Return the report of one trial."""
    specification, panel = trial.specification, trial.panel
    log, flags = trial.log.to_frame(), trial.log.flags_to_frame()
    held, planned = int(panel["observed"].sum()), len(panel)
    scores = [c for c in panel if c.startswith("asi_") and not c.endswith("_baseline")]
    mapped = log[log["rule"].isin(["code", "number", "date"])]
    missing = log[log["rule"].eq("missing")].groupby("field")[["rows"]].sum()
    private = specification.source == "private"
    few_missed = private and planned - held < THRESHOLD
    interviews = "nearly all" if few_missed else f"{held} of {planned}"
    lines = [
        f"{specification.trial}: {specification.title} ({specification.source} records)",
        f"read     {panel['patient'].nunique()} patients, {interviews} planned interviews",
        f"mapped   {mapped['column'].nunique()} columns; {', '.join(scores) or 'no composite'}",
        f"missing  {_listed(missing.sort_values('rows', ascending=False), private)}",
    ]
    if private:
        doubts = flags["doubt"].value_counts().to_frame("rows")
        lines.append(f"flagged  {_listed(doubts, private)}")
    else:
        lines.append(f"flagged  {len(flags)} rows" + (", the first:" if len(flags) else ""))
        for flag in flags.head(_SHOWN).itertuples():
            lines.append(f"         {flag.place}: {flag.field} = {flag.found}: {flag.doubt}")
    counts = ["randomized", "interviewed", "not_interviewed"]
    flow = participant_flow(panel).droplevel("trial")[counts]
    shown = suppress(flow, parts=[counts[1:]]) if private else flow.astype(str)
    return "\n".join([*lines, "flow", shown.to_string()])


def _listed(counts: pd.DataFrame, private: bool) -> str:
    """Name the largest counts, hiding small ones of private records."""
    if counts.empty:
        return "nothing"
    shown = suppress(counts) if private else counts.astype(str)
    named = ", ".join(f"{name} {rows}" for name, rows in shown["rows"].head(_SHOWN).items())
    return named + (f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else "")
