"""Missing follow-up as it is: who was interviewed when, in which pattern, and whether arms differ.

Randomization makes arms alike among all patients, not among those who were still there. Equal
shares interviewed do not prove that the same kind of patient left each arm; unequal shares show
that arm and leaving go together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import Codes, Columns, Matrix, Vector, label_codes, same_index, zero_one
from pooledtrials.clusters import cluster_sums
from pooledtrials.coding import labelled, ordered, refuse_repeats
from pooledtrials.panels.equal_follow_up import equal_follow_up_test, together
from pooledtrials.panels.interview_rows import patient_codes, varying_within
from pooledtrials.results import Test

EVERY_TRIAL: Final = "all trials"


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Follow-up by trial, arm, wave and pattern.

    Attributes
    ----------
    shares : indexed by trial, arm and wave; counts ``randomized`` and ``interviewed``, their
        ``share`` and its ``standard_error`` (binomial, or clustered)
    arms : indexed by trial and arm; ``patients``, share of planned interviews ``held``, shares of
        patients with ``complete`` follow-up, who left for good (``monotone``: incomplete, with no
        interview after the first missed), and who missed one and came back (``intermittent``)
    patterns : indexed by trial, arm and pattern, one digit a wave, such as ``"1101"``; number of
        ``patients``, ``share`` of the arm, and whether it is ``monotone`` (``"1111"`` is)
    differences : indexed by trial, arm and wave; share interviewed less that of the trial's
        ``control`` arm, with ``standard_error``
    tests : by trial, and `EVERY_TRIAL` for all of them: the test of equal follow-up
    """

    shares: pd.DataFrame
    arms: pd.DataFrame
    patterns: pd.DataFrame
    differences: pd.DataFrame
    tests: Mapping[str, Test]

    @property
    def test(self) -> Test:
        """The test of equal follow-up in all trials at once."""
        return self.tests[EVERY_TRIAL]

    def to_frame(self) -> pd.DataFrame:
        """The shares."""
        return self.shares

    def describe(self) -> str:
        """What follow-up was like, a line per trial."""
        lines = []
        for trial, arms in self.arms.groupby(level="trial", sort=False):
            held, complete = 100 * arms["held"], 100 * arms["complete"]
            lines.append(
                f"{trial}: {held.min():.0f} to {held.max():.0f} % of planned interviews were held,"
                f" depending on the arm, and {complete.min():.0f} to {complete.max():.0f} % of"
                f" patients gave all of them. {self.tests[trial]}."
            )
        return "\n".join(lines)


def follow_up(
    observed: Columns,
    arms: Columns,
    patients: Columns,
    waves: Columns,
    clusters: Columns | None = None,
    trials: Columns | None = None,
    *,
    control: object = None,
) -> FollowUp:
    """Share interviewed by trial, arm and wave, patterns, differences between arms and their test.

    Errors are binomial, or clustered with the factor G / (G - 1); the test is that of
    `equal_follow_up_test`.

    Parameters
    ----------
    observed : (n,) of 0 and 1, or bool
        Whether the interview was held, a row for each patient and each wave of the patient's trial.
    arms, patients : (n,) labels
    waves : (n,) numbers, dates or an ordered categorical
    clusters : (n,) labels, optional
        Coarser than patients, such as therapy groups; each arm of each trial needs two or more.
    trials : (n,) labels, optional
        Patients are told apart by trial and label.
    control : label, or mapping of trial to label, optional
        The arm that others are compared with; default each trial's first in sorted order, which
        is 0 where arms are coded 0 and 1.

    Raises
    ------
    ValueError
        For unusable arguments, a planned interview without its row, a patient in two arms, a trial
        with one arm, or a control arm that a trial does not have.
    """
    same_index(
        observed=observed, arms=arms, patients=patients, waves=waves, clusters=clusters,
        trials=trials,
    )  # fmt: skip
    event = zero_one(observed, "observed", may_be_constant=True)
    n = event.size
    arm, arm_labels = labelled(arms, "arms", n, of="observed")
    person = patient_codes(patients, trials, n, of="observed")
    wave, wave_labels = ordered(waves, n, of="observed")
    trial, trial_labels = labelled(trials, "trials", n, of="observed")
    groups = label_codes(clusters, "clusters", n, of="observed")
    names = np.asarray(patients).reshape(n)[np.unique(person, return_index=True)[1]]
    refuse_repeats(person, tuple(names.tolist()), wave, wave_labels, trials is None)
    for codes, argument in ((arm, "arms"), (groups, "clusters")):
        split = 0 if codes is None else varying_within(codes, person)
        if split:
            raise ValueError(
                f"{argument} varies between the rows of {split} patients: give one for each"
            )
    tables: list[tuple[pd.DataFrame, ...]] = []
    tests: dict[str, Test] = {}
    for t, label in enumerate(trial_labels):
        rows = np.flatnonzero(trial == t)
        first = rows[np.unique(person[rows], return_index=True)[1]]
        units = _Units(
            label,
            _wide(event[rows], person[rows], wave[rows], label),
            [wave_labels[w] for w in np.unique(wave[rows])],
            *_arms(arm[first], arm_labels, control, label),
            None if groups is None else groups[first],
        )
        tables.append(_tables(units))
        tests[label] = equal_follow_up_test(units.held, units.arm, units.clusters, label)
    tests[EVERY_TRIAL] = together(list(tests.values()))
    shares, of_arm, patterns, differences = (
        pd.concat(table).sort_index() for table in zip(*tables, strict=True)
    )
    return FollowUp(shares, of_arm, patterns, differences, tests)


@dataclass(frozen=True, eq=False)
class _Units:
    """Patients of one trial: interviews held (N, W), arm and cluster."""

    trial: Any
    held: Matrix
    waves: Sequence[Any]
    arm: Codes  # 0 is the control arm
    arms: Sequence[Any]
    clusters: Codes | None


def _wide(event: Vector, person: Codes, wave: Codes, trial: Any) -> Matrix:
    rows = np.unique(person, return_inverse=True)[1]
    columns = np.unique(wave, return_inverse=True)[1]
    held = np.full((rows.max() + 1, columns.max() + 1), np.nan)
    held[rows, columns] = event
    absent = int(np.isnan(held).sum())
    if absent:
        raise ValueError(
            f"observed has no row for {absent} planned interviews of trial {trial!r}: a planned"
            " interview that was not held needs a row with 0, or shares are of the wrong whole"
        )
    return held


def _arms(
    arm: Codes, labels: Sequence[Any], control: object, trial: Any
) -> tuple[Codes, list[Any]]:
    """Codes and labels of a trial's arms, the control arm first."""
    present = [labels[a] for a in np.unique(arm)]
    try:
        present.sort()
    except TypeError:
        present.sort(key=str)
    if len(present) < 2:
        raise ValueError(
            f"arms has 1 value in trial {trial!r}: there is nothing to compare; leave its rows out"
        )
    chosen = control.get(trial) if isinstance(control, Mapping) else control
    if chosen is not None:
        if chosen not in present:
            raise ValueError(f"control is {chosen!r}, but arms of trial {trial!r} are {present}")
        present.remove(chosen)
        present.insert(0, chosen)
    place = {label: i for i, label in enumerate(present)}
    return np.array([place[labels[a]] for a in arm], dtype=np.intp), present


def _tables(units: _Units) -> tuple[pd.DataFrame, ...]:
    """Shares, arms, patterns and differences of one trial."""
    of_arm, patterns, influences = [], [], []
    shares = []
    for a, label in enumerate(units.arms):
        here = units.arm == a
        held = units.held[here]
        size, share = held.shape[0], held.mean(axis=0)
        influence = here[:, None] * (units.held - share) / size
        influences.append((share, influence))
        keys = {"trial": units.trial, "arm": label}
        shares.append(
            pd.DataFrame(
                keys | {
                    "wave": units.waves, "randomized": size,
                    "interviewed": held.sum(axis=0).astype(int), "share": share,
                    "standard_error": _error(influence, units, here),
                }
            )
        )  # fmt: skip
        words = pd.Series(["".join("01"[int(d)] for d in row) for row in held])
        counts = words.value_counts().rename_axis("pattern").rename("patients").reset_index()
        counts = counts.assign(
            **keys,
            share=counts["patients"] / size,
            monotone=counts["pattern"].map(lambda word: re.fullmatch("1*0*", word) is not None),
        )
        patterns.append(counts)
        complete = float(held.all(axis=1).mean())
        leavers = float(counts.loc[counts["monotone"], "share"].sum()) - complete
        of_arm.append(
            keys | {
                "patients": size, "held": held.mean(), "complete": complete,
                "monotone": leavers, "intermittent": 1 - complete - leavers,
            }
        )  # fmt: skip
    control, own = influences[0]
    differences = [
        pd.DataFrame(
            {
                "trial": units.trial, "arm": label, "wave": units.waves, "control": units.arms[0],
                "difference": share - control,
                "standard_error": _error(influence - own, units, np.isin(units.arm, (0, a))),
            }
        )
        for a, (label, (share, influence)) in enumerate(zip(units.arms, influences, strict=True))
        if a
    ]  # fmt: skip
    return (
        pd.concat(shares).set_index(["trial", "arm", "wave"]),
        pd.DataFrame(of_arm).set_index(["trial", "arm"]),
        pd.concat(patterns).set_index(["trial", "arm", "pattern"]),
        pd.concat(differences).set_index(["trial", "arm", "wave"]),
    )


def _error(influence: Matrix, units: _Units, members: npt.NDArray[np.bool_]) -> Vector:
    """Root sum of squares over patients (binomial), or over clusters times G / (G - 1)."""
    if units.clusters is None:
        return np.asarray(np.sqrt((influence**2).sum(axis=0)))
    codes = np.unique(units.clusters[members], return_inverse=True)[1].reshape(-1)
    groups = int(codes.max()) + 1
    if groups == 1:
        raise ValueError(
            f"clusters has 1 cluster in an arm of trial {units.trial!r}: leave out clusters, or the"
            " trial"
        )
    sums = cluster_sums(influence[members], codes)
    return np.asarray(np.sqrt(groups / (groups - 1) * (sums**2).sum(axis=0)))
