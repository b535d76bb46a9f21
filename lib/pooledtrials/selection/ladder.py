"""A ladder of evidence: every answer to one question, on one scale, each with what it trusts.

The rungs lead from answers that trust much and say much to answers that trust little and say
little. None of them is the right one; a reader chooses how far down to go by what they believe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from pooledtrials.arguments import fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.results import Estimate
from pooledtrials.selection.bounds import Bounds


@dataclass(frozen=True)
class Rung:
    """One answer.

    Attributes
    ----------
    name : what was done
    group : what is compared with what, the same word for neighbouring rungs
    trusts : what has to be true for the answer to be an effect, as half a sentence
    estimate : in outcome units, ``nan`` where there are only a set or bounds
    found : confidence set of the effect
    bounds : lower and upper bound where the effect itself is only bounded, else None
    """

    name: str
    group: str
    trusts: str
    estimate: float
    found: ConfidenceSet
    bounds: tuple[float, float] | None = None

    @property
    def verdict(self) -> str:
        """``lower``, ``higher``, ``open``, ``not zero`` or ``rejected``: the sign, by the set."""
        if not self.found.intervals:
            return "rejected"
        if self.found.contains(0.0):
            return "open"
        signs = {b > 0 for pair in self.found.intervals for b in pair}
        return "not zero" if len(signs) > 1 else ("higher" if signs.pop() else "lower")


def rung(
    name: str,
    answer: Estimate | ConfidenceSet | Bounds,
    *,
    group: str,
    trusts: str,
    level: float = 0.95,
) -> Rung:
    """One rung from a result of this library.

    Parameters
    ----------
    name, group, trusts : str
        As in `Rung`.
    answer : Estimate, ConfidenceSet or Bounds
        An estimate brings its own interval, bounds the confidence interval for the effect.
    level : float
        Of the interval; a confidence set has its own and must agree.

    Raises
    ------
    ValueError
        For another level than the set's, or an answer of another kind.
    """
    fraction(level, "level")
    if isinstance(answer, ConfidenceSet):
        if not math.isclose(answer.level, level):
            raise ValueError(
                f"answer of {name!r} has level {answer.level:g}, the ladder {level:g}: give one"
            )
        return Rung(name, group, trusts, math.nan, answer)
    if isinstance(answer, Estimate):
        return Rung(name, group, trusts, answer.coefficient, answer.interval(level))
    if isinstance(answer, Bounds):
        limits = (answer.lower, answer.upper)
        return Rung(name, group, trusts, math.nan, answer.interval(level), limits)
    raise ValueError(
        f"answer of {name!r} is a {type(answer).__name__}: give an Estimate, a ConfidenceSet or"
        " Bounds"
    )


@dataclass(frozen=True, eq=False)
class Ladder:
    """Answers from those that trust most to those that trust least.

    Attributes
    ----------
    rungs : in order
    effect : what is estimated, with its unit
    data : which people, and whether they are real or synthetic

    Raises
    ------
    ValueError
        For no rungs, or two of one name.
    """

    rungs: tuple[Rung, ...]
    effect: str
    data: str

    def __post_init__(self) -> None:
        if not self.rungs:
            raise ValueError("rungs has 0 entries: give at least one")
        names = [step.name for step in self.rungs]
        again = sorted({name for name in names if names.count(name) > 1})
        if again:
            raise ValueError(f"rungs has {again[0]!r} twice: name each answer apart")

    def __getitem__(self, name: str) -> Rung:
        """The rung of that name."""
        for step in self.rungs:
            if step.name == name:
                return step
        known = ", ".join(step.name for step in self.rungs)
        raise KeyError(f"no rung {name!r}: there are {known}")

    def to_frame(self) -> pd.DataFrame:
        """A row per rung: group, estimate, the set's hull and words, verdict, what it trusts."""
        rows = []
        for step in self.rungs:
            ends = [end for pair in step.found.intervals for end in pair]
            low, high = (min(ends), max(ends)) if ends else (math.nan, math.nan)
            lower, upper = step.bounds or (math.nan, math.nan)
            rows.append(
                {
                    "answer": step.name,
                    "group": step.group,
                    "estimate": step.estimate,
                    "lower_bound": lower,
                    "upper_bound": upper,
                    "low": low,
                    "high": high,
                    "set": str(step.found),
                    "zero": step.verdict,
                    "trusts": step.trusts,
                }
            )
        return pd.DataFrame(rows).set_index("answer")

    def describe(self) -> str:
        """The ladder read aloud, rung by rung."""
        words = {
            "lower": "lower, zero excluded",
            "higher": "higher, zero excluded",
            "open": "open: zero is in the set",
            "not zero": "of either sign, zero excluded",
            "rejected": "no effect fits: what it trusts is contradicted",
        }
        lines = [f"{self.effect}. {self.data}."]
        for step in self.rungs:
            size = "" if math.isnan(step.estimate) else f"{step.estimate:.4g}, "
            lines.append(
                f"{step.name}: {size}{step.found}; {words[step.verdict]}. Trusts that"
                f" {step.trusts}."
            )
        return "\n".join(lines)
