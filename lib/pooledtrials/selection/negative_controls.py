"""Negative controls: effects that must be zero, estimated the same way as the one of interest.

Future attendance cannot change a present outcome, attendance cannot change a baseline measurement,
and meetings about alcohol should not move what they have nothing to do with. An estimator that
finds an effect there finds bias, and would find some of it in the effect of interest too
[lipsitch2010negative].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from pooledtrials.arguments import Columns, Vector, finite, fraction, one_column, same_index
from pooledtrials.coding import labelled, pair, refuse_repeats
from pooledtrials.results import Estimate, Test


@dataclass(frozen=True, eq=False)
class NegativeControls:
    """Several placebo effects and their joint reading.

    Attributes
    ----------
    table : a row per control: ``coefficient``, ``standard_error``, ``p_value``, and ``p_holm``, the
        p-value adjusted for their number [holm1979simple]
    joint_p_value : of the hypothesis that all are as expected, the least adjusted p-value
        (Bonferroni), valid however they are correlated
    expected : the value they should have
    dof : degrees of freedom of each row's t reference, ``nan`` for a test
    """

    table: pd.DataFrame
    joint_p_value: float
    expected: float
    dof: Vector

    def rejected(self, alpha: float = 0.05) -> list[str]:
        """Controls that fail, with a familywise error of at most ``alpha`` (Holm)."""
        fraction(alpha, "alpha")
        return [str(name) for name in self.table.index[self.table["p_holm"] <= alpha]]

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    def describe(self, alpha: float = 0.05) -> str:
        """What the controls say together."""
        count = len(self.table)
        failed = self.rejected(alpha)
        p = f"joint p = {self.joint_p_value:.3g}"
        if failed:
            return (
                f"{len(failed)} of {count} negative controls fail ({', '.join(failed)}; {p}): the"
                " estimator finds effects where there can be none, so its estimate of interest is"
                " suspect too."
            )
        errors = self.table["standard_error"]
        if errors.isna().all():
            return (
                f"None of {count} negative controls fails ({p}); how much bias they leave room for"
                " these tests do not say."
            )
        half = stats.t.isf(alpha / 2 / count, self.dof) * errors
        reach = ((self.table["coefficient"] - self.expected).abs() + half).max()
        return (
            f"None of {count} negative controls fails ({p}), which is not evidence of no bias:"
            f" biases of up to {reach:.3g} in the least precise of them cannot be told from zero."
        )


def negative_controls(
    estimates: Mapping[str, Estimate | Test], *, expected: float = 0.0
) -> NegativeControls:
    """Placebo effects side by side, with a joint test.

    Parameters
    ----------
    estimates : results by name: `Estimate` (two-sided p-value against ``expected``, t with the
        estimate's ``dof``, normal if they are infinite), or a `Test` of the placebo's null, such as
        an Anderson-Rubin test where instruments are weak
    expected : value that every estimate should have

    Raises
    ------
    ValueError
        For no results, results of another kind, estimates without a standard error or degrees of
        freedom, tests that do not apply, or an ``expected`` other than zero beside a test.
    """
    finite(expected, "expected")
    if not isinstance(estimates, Mapping):
        raise ValueError(
            f"estimates is a {type(estimates).__name__}: give a mapping from names to results"
        )
    if not estimates:
        raise ValueError("estimates is empty: give at least one negative control")
    rows, dof = {}, []
    for name, found in estimates.items():
        if isinstance(found, Estimate):
            coefficient, error = found.coefficient, found.standard_error
            _refuse_unusable(name, found)
            t = (coefficient - expected) / error
            rows[name] = (coefficient, error, float(2 * stats.t.sf(abs(t), found.dof)))
            dof.append(found.dof)
        elif isinstance(found, Test):
            if not found.applicable:
                raise ValueError(f"estimates holds {name!r}, which does not apply: {found.reason}")
            if expected != 0:
                raise ValueError(
                    f"expected is {expected!r}, but {name!r} is a test with a null of its own: give"
                    " estimates, or leave expected out"
                )
            rows[name] = (math.nan, math.nan, found.p_value)
            dof.append(math.nan)
        else:
            raise ValueError(
                f"estimates holds {type(found).__name__} as {name!r}: give Estimate or Test"
            )
    columns = ["coefficient", "standard_error", "p_value"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index.name = "control"
    p = table["p_value"].to_numpy()
    table["p_holm"] = _holm(p)
    return NegativeControls(table, float(min(1.0, p.size * p.min())), expected, np.array(dof))


def leads(
    y: Columns,
    x: Columns,
    patients: Columns,
    waves: Columns,
    trials: Columns | None = None,
    *,
    lead: int = 1,
) -> pd.DataFrame:
    """Present outcome and exposure beside the exposure of a later wave: a placebo exposure.

    Regress ``y`` on ``lead`` given ``x``: exposure that lies in the future cannot have caused y, so
    a coefficient other than zero is selection (or anticipation, or exposure that persists while x
    is measured with error).

    Parameters
    ----------
    y, x : (n,)
        Outcome and exposure of each interview.
    patients : (n,) labels
    waves : (n,)
        Planned times, such as months; the k-th later one is counted among the waves that occur in
        the patient's trial.
    trials : (n,) labels, optional
        Of a pool: a label of ``patients`` in two trials is two patients, and each trial has a
        schedule of its own. Without it all rows are one trial's.
    lead : how many waves later, 1 or more

    Returns
    -------
    DataFrame
        ``patient``, ``wave``, ``y``, ``x``, ``lead`` for interviews whose patient has one ``lead``
        waves later, with ``trial`` first if trials were given; indexed by the row's position in the
        arguments.

    Raises
    ------
    ValueError
        For unusable arguments, a patient with two rows in one wave, or no pair at all.
    """
    if lead != int(lead) or lead < 1:
        raise ValueError(f"lead is {lead!r}: give a whole number of at least 1")
    same_index(y=y, x=x, patients=patients, waves=waves, trials=trials)
    outcome = one_column(y, "y", "give one outcome at a time")
    n = outcome.size
    exposure = one_column(x, "x", "give one exposure", n)
    label, names = labelled(patients, "patients", n)
    trial, _ = labelled(trials, "trials", n)
    person, names = pair(label, names, trial, True)
    times = one_column(waves, "waves", "give one column", n)
    planned, wave = np.unique(times, return_inverse=True)
    refuse_repeats(person, names, wave, tuple(planned.tolist()), trials is None)
    # a trial's waves follow each other, and nobody has a row in the turns of another trial
    _, turn = np.unique(trial * planned.size + wave, return_inverse=True)
    grid = np.full((len(names), int(turn.max()) + 1 + int(lead)), -1)
    grid[person, turn] = np.arange(n)
    later = grid[person, turn + int(lead)]
    kept = np.flatnonzero(later >= 0)
    if kept.size == 0:
        raise ValueError(f"no patient has an interview {lead} waves after another")
    pairs = pd.DataFrame(
        {
            "patient": np.asarray(patients).reshape(-1)[kept],
            "wave": times[kept],
            "y": outcome[kept],
            "x": exposure[kept],
            "lead": exposure[later[kept]],
        },
        index=kept,
    )
    if trials is not None:
        pairs.insert(0, "trial", np.asarray(trials).reshape(-1)[kept])
    return pairs


def _refuse_unusable(name: str, found: Estimate) -> None:
    """Refuse an estimate that has no t."""
    checks = {
        "coefficient": (found.coefficient, math.isfinite(found.coefficient)),
        "standard error": (found.standard_error, 0 < found.standard_error < math.inf),
        "dof": (found.dof, found.dof > 0),
    }
    for what, (value, usable) in checks.items():
        if not usable:
            raise ValueError(
                f"estimates holds {name!r}, whose {what} is {value}: leave it out, or fit it anew"
            )


def _holm(p: Vector) -> Vector:
    """Holm's step-down adjusted p-values."""
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, (p.size - np.arange(p.size)) * p[order])
    adjusted = np.empty(p.size)
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted
