"""Tables of the pages *These trials* and *Pooling*: who, what was asked, and what was answered."""

from __future__ import annotations

import pandas as pd

from pooledbook.own.discretion import SAFE
from pooledbook.own.records import Records
from pooledtrials.pooling import analysis_set, shown_flow
from pooledtrials.pooling.disclosure import THRESHOLD


def flow(mine: Records) -> pd.DataFrame:
    """Participant flow; small private counts, and what would give them away, are hidden."""
    table = shown_flow(mine.panel, mine.private)
    table.attrs[SAFE] = True
    return table


def trials_table(mine: Records) -> pd.DataFrame:
    """Say of each trial what it is: a row per trial."""
    rows = {}
    for trial in mine.trials:
        said = trial.specification
        rows[said.trial] = {
            "title": said.title,
            "records": said.source,
            "who": said.population,
            "randomized": "sites" if said.design.allocation == "cluster" else "people",
            "patients": trial.panel["patient"].nunique(),
            "months": ", ".join(str(wave.month) for wave in said.waves),
            "attendance asked as": f"{said.attendance.asked} in {said.attendance.window_days} days",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("trial")


def arms_table(mine: Records) -> pd.DataFrame:
    """Say of each arm what it was to move, and why: a row per arm."""
    rows = [
        {"trial": trial.specification.trial, **arm.model_dump(exclude={"code"})}
        for trial in mine.trials
        for arm in trial.specification.design.arms
    ]
    table = pd.DataFrame(rows).rename(columns={"name": "arm"})
    return table.set_index(["trial", "arm"])


def facilitation(mine: Records) -> str:
    """Say which trials have an arm that set out to move attendance; refuse if none has."""
    facilitates = {
        trial.specification.trial: [
            arm.name for arm in trial.specification.design.arms if arm.facilitates == "meetings"
        ]
        for trial in mine.trials
    }
    some = {name: arms for name, arms in facilitates.items() if arms}
    none = [name for name, arms in facilitates.items() if not arms]
    if not some:
        raise ValueError(
            f"no arm of {', '.join(none)} facilitates twelve-step meetings: nothing was randomized"
            " that set out to move attendance. What follows compares active with comparison arms"
            " all the same; as an instrument for attendance the arm has no argument behind it."
        )
    lines = [f"{name}: {', '.join(arms)}." for name, arms in some.items()]
    if none:
        lines.append(f"No arm of {', '.join(none)} facilitates meetings.")
    return "\n".join(lines)


def characteristics(mine: Records) -> pd.DataFrame:
    """Means and standard deviations at the start, by trial and arm."""
    start = mine.panel[mine.panel["wave"].eq(0)]
    asked = [name for t in mine.trials for name in t.specification.baseline]
    names = [
        name
        for name in dict.fromkeys(["attendance", *mine.outcomes, *asked])
        if pd.api.types.is_numeric_dtype(start[name])
    ]
    groups = start.groupby(["trial", "arm"], sort=False)
    count, mean, sd = (groups[names].agg(how) for how in ("count", "mean", "std"))
    words = mean.map("{:.3g}".format) + " (" + sd.map("{:.2g}".format) + ")"
    words = words.mask(count.eq(0), "not asked")
    if mine.private:
        words = words.mask(count.gt(0) & count.lt(THRESHOLD), "hidden")
    return words.T.rename_axis("mean (SD)") if len(words) <= 4 else words


def flags_table(mine: Records) -> pd.DataFrame:
    """Count the doubts that harmonisation listed; rows of private trials are never named."""
    flags = [
        trial.log.flags_to_frame().assign(trial=trial.specification.trial) for trial in mine.trials
    ]
    table = pd.concat(flags)
    if table.empty:
        raise ValueError("nothing was flagged: no interview at an odd time, no value set aside")
    counts = table.groupby(["trial", "field", "doubt"], sort=False).size()
    return counts.to_frame("rows")


def log_table(mine: Records) -> pd.DataFrame:
    """List every recode of every trial."""
    logs = [trial.log.to_frame() for trial in mine.trials]
    return pd.concat(logs, ignore_index=True).set_index(["trial", "field"])


def coverage(mine: Records) -> pd.DataFrame:
    """Count interviews held, and those of them with each composite and with attendance."""
    panel = mine.panel
    scores = [c for c in panel if str(c).startswith("asi_") and not str(c).endswith("_baseline")]
    groups = panel[panel["observed"]].groupby(["trial", "wave"], sort=False)
    held = groups.size()
    scored = groups[["attendance", *scores]].count().add_suffix(" answers")
    scored.insert(0, "interviews", held)
    return scored


def rows_used(mine: Records, outcome: str) -> pd.DataFrame:
    """Count the rows of the two analysis sets, and those left out by reason."""
    used = {}
    for interviews in ("follow-up", "all"):
        rows = analysis_set(mine.panel, outcome, interviews=interviews)
        used[f"{interviews} rows"] = {"used": len(rows), **rows.dropped}
    return pd.DataFrame(used).fillna(0).astype(int).rename_axis("rows")


def attendance(mine: Records) -> pd.DataFrame:
    """Mean meeting days by trial, arm and month, with their standard errors."""
    groups = mine.panel.groupby(["trial", "arm", "wave"], sort=False)["attendance"]
    table = groups.agg(["count", "mean", "sem"])
    table = table[table["count"] > 0]
    table = table.set_axis(["answers", "mean days", "standard error"], axis=1)
    if mine.private:
        few = table["answers"].lt(THRESHOLD)
        table = table.astype(object)
        table.loc[few, ["mean days", "standard error"]] = "hidden"
    return table
