"""The layout of a panel: who was interviewed when, in which trial and cluster, checked and coded.

Every function of this part begins here. A *cell* is a trial at a wave: trials have schedules of
their own, and each trial's mean course over its waves is taken out wherever cells are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    label_codes,
    numeric_columns,
    one_column,
    same_index,
)
from pooledtrials.coding import (
    labelled,
    ordered,
    pair,
    recode,
    refuse_repeats,
    refuse_split,
)
from pooledtrials.panels.independence import COLLINEAR, centred, independent, variation

EFFECTS: Final = ("trial-wave", "wave", "none")
"""What is taken out besides the intercept: an effect of each cell, of each wave, or nothing."""


@dataclass(frozen=True, eq=False)
class Layout:
    """One checked data set with n interviews of N patients.

    Attributes
    ----------
    y, x : (n,) arrays
        Outcome and exposure, as given.
    controls : (n, p) array
        Without an intercept; ``p`` may be 0.
    names : names of the exposure and of the p controls
    patients : (n,) codes 0, ..., N - 1; a patient is a pair of trial and label if trials are given
    waves : (n,) codes 0, 1, ... in the order of time, over all trials
    trials : (n,) codes, all 0 without trials
    clusters : (n,) codes; the patients' unless coarser ones are given
    wave_labels, trial_labels : what the codes stand for
    coarser : whether clusters were given
    """

    y: Vector
    x: Vector
    controls: Matrix
    names: tuple[str, ...]
    patients: Codes
    waves: Codes
    trials: Codes
    clusters: Codes
    wave_labels: tuple[Any, ...]
    trial_labels: tuple[Any, ...]
    coarser: bool

    @property
    def nobs(self) -> int:
        """Interviews, n."""
        return int(self.y.shape[0])

    @property
    def n_patients(self) -> int:
        """Patients, N."""
        return int(self.patients.max()) + 1

    @property
    def n_clusters(self) -> int:
        """Clusters, G."""
        return int(self.clusters.max()) + 1

    @property
    def n_trials(self) -> int:
        """Trials, 1 without trials."""
        return int(np.unique(self.trials).size)

    @cached_property
    def sizes(self) -> Codes:
        """Interviews of each patient, (N,)."""
        return np.bincount(self.patients)

    @cached_property
    def cells(self) -> Codes:
        """Trial x wave of each row, codes in the order of trials and, within them, of time."""
        return self.effect_codes("trial-wave")

    @cached_property
    def turns(self) -> Codes:
        """Place of each row's wave in its own trial's schedule: 0 for the trial's first wave.

        The schedule is the waves at which anybody in the trial was interviewed, so month 6 follows
        month 0 in a trial that planned no interview between, whatever other trials planned.
        """
        first = np.full(len(self.trial_labels), self.cells.max() + 1, dtype=np.intp)
        np.minimum.at(first, self.trials, self.cells)
        return np.asarray(self.cells - first[self.trials], dtype=np.intp)

    def effect_codes(self, effects: str) -> Codes:
        """Codes of the level of ``effects`` at each row; all 0 for ``"none"``."""
        if effects == "none":
            return np.zeros(self.nobs, dtype=np.intp)
        joint = self.waves.astype(np.intp)
        if effects == "trial-wave":
            joint = self.trials * len(self.wave_labels) + self.waves
        return recode(joint)

    def indicators(self, effects: str) -> Matrix:
        """A column of zeros and ones for each level of ``effects``; they sum to the intercept."""
        codes = self.effect_codes(effects)
        return np.asarray(np.equal.outer(codes, np.arange(codes.max() + 1)), dtype=float)

    def patient_means(self, values: Matrix) -> Matrix:
        """Means of each patient's rows, (N,) or (N, columns)."""
        if values.ndim == 1:
            sums = np.bincount(self.patients, weights=values, minlength=self.n_patients)
            return np.asarray(sums / self.sizes)
        columns = [self.patient_means(column) for column in values.T]
        return np.column_stack(columns) if columns else np.empty((self.n_patients, 0))

    def within(self, values: Matrix) -> Matrix:
        """Values less their patient's mean, of the shape of ``values``."""
        return np.asarray(values - self.patient_means(values)[self.patients])

    def keep(self, rows: npt.NDArray[np.bool_] | Codes) -> Layout:
        """The layout of some rows, a mask or positions, with patients and clusters coded anew."""
        return replace(
            self,
            y=self.y[rows],
            x=self.x[rows],
            controls=self.controls[rows],
            patients=recode(self.patients[rows]),
            waves=self.waves[rows],
            trials=self.trials[rows],
            clusters=recode(self.clusters[rows]),
        )


def layout(
    y: Columns,
    x: Columns,
    patients: Columns,
    waves: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    trials: Columns | None = None,
    *,
    labels_within_trials: bool = True,
) -> Layout:
    """Check the arguments of a panel regression and turn its labels into codes.

    Parameters
    ----------
    y, x : (n,) array, Series or one-column frame
        Outcome and exposure, a row for each interview that took place. One exposure.
    patients : (n,) labels of any kind
        Unique within trials if ``trials`` are given, otherwise over all rows.
    waves : (n,) numbers, dates or an ordered categorical
        Planned time of the interview. Text is refused: its order is not known.
    controls : (n, p) array, Series or frame, optional
        Covariates, without an intercept.
    clusters : (n,) labels, optional
        What errors are clustered by instead of by patient, each patient in one cluster. They are
        taken as they are over all trials: name sites apart if two trials number theirs alike.
    trials : (n,) labels, optional
        Without them all patients belong to one trial.
    labels_within_trials
        With trials, whether a patient is known by trial *and* label, as in the panel of this
        library. Two trials that both have a patient 17 then have two patients, and one person who
        took part in both is not noticed. With ``False`` a label stands for one person everywhere,
        and a patient in two trials is refused.

    Returns
    -------
    Layout

    Raises
    ------
    ValueError
        For text, missing or infinite values, lengths or indexes that differ; a second exposure;
        constant columns, collinear controls; one wave, patient or cluster; two interviews of one
        patient at one wave; a patient in two clusters or, on request, in two trials.
    """
    outcome = one_column(y, "y", "give one outcome at a time")
    n = outcome.shape[0]
    exposure = one_column(
        x, "x", "give one exposure; pass further covariates as controls", outcome.shape[0]
    )
    same_index(
        y=y, x=x, patients=patients, waves=waves, controls=controls, clusters=clusters,
        trials=trials,
    )  # fmt: skip
    covariates, covariate_names = (
        (np.empty((n, 0)), ()) if controls is None else numeric_columns(controls, "controls", n)
    )
    names = (_name_of(x), *covariate_names)
    wave, wave_labels = ordered(waves, n)
    trial, trial_labels = labelled(trials, "trials", n)
    person, person_labels = labelled(patients, "patients", n)
    if trials is not None:
        person, person_labels = pair(person, person_labels, trial, labels_within_trials)
    if len(person_labels) == 1:
        raise ValueError("patients has 1 patient: two or more are needed")
    refuse_repeats(person, person_labels, wave, wave_labels, trials is None)
    groups = label_codes(clusters, "clusters", n)
    if groups is not None:
        refuse_split(person, person_labels, groups)
    _refuse_useless(outcome, exposure, covariates, names)
    return Layout(
        y=outcome,
        x=exposure,
        controls=covariates,
        names=names,
        patients=person,
        waves=wave,
        trials=trial,
        clusters=person if groups is None else groups,
        wave_labels=wave_labels,
        trial_labels=trial_labels,
        coarser=groups is not None,
    )


def several_trials(data: Layout, what: str) -> None:
    """Refuse a single trial where ``what`` needs several.

    Raises
    ------
    ValueError
        If there is one trial, or trials were not given.
    """
    if data.n_trials < 2:
        raise ValueError(f"trials has {data.n_trials} trial: {what} needs two or more; give trials")


def changing_exposure(data: Layout, what: str) -> None:
    """Refuse an exposure that changes in no patient where ``what`` compares patients to themselves.

    Raises
    ------
    ValueError
        If x is constant within every patient.
    """
    if not np.any(changes(data)):
        raise ValueError(
            f"x is constant within each of {data.n_patients} patients: {what} compares patients"
            " with themselves; use method='pooled' or 'between'"
        )


def changes(data: Layout) -> npt.NDArray[np.bool_]:
    """Whether each patient's exposure ever changes, (N,)."""
    exposure = centred(data.x)
    moved = np.zeros(data.n_patients)
    np.maximum.at(moved, data.patients, np.abs(data.within(exposure)))
    return np.asarray(moved > COLLINEAR * float(np.abs(exposure).max()))


def refuse_constant(column: Vector, name: str) -> None:
    """Refuse an outcome or exposure with one value.

    Raises
    ------
    ValueError
        If the column is constant but for rounding.
    """
    if np.ptp(column) <= COLLINEAR * float(np.abs(column).max()):
        raise ValueError(f"{name} is constant: there is nothing to compare")


def _name_of(x: Columns) -> str:
    if isinstance(x, pd.DataFrame):
        return str(x.columns[0])
    return "x" if not isinstance(x, pd.Series) or x.name is None else str(x.name)


def _refuse_useless(y: Vector, x: Vector, controls: Matrix, names: tuple[str, ...]) -> None:
    """Constant outcome, exposure or controls, collinear controls, names that clash."""
    refuse_constant(y, "y")
    refuse_constant(x, "x")
    spread, size = variation(controls), np.linalg.norm(controls, axis=0)
    constant = np.flatnonzero(spread <= COLLINEAR * size)
    if constant.size:
        found = ", ".join(names[1 + j] for j in constant)
        raise ValueError(f"controls column {found} is constant (an intercept is there): drop it")
    dependent = np.flatnonzero(~independent(controls - controls.mean(axis=0), spread))
    if dependent.size:
        found = ", ".join(names[1 + j] for j in dependent)
        raise ValueError(
            f"controls column {found} is a linear combination of the columns before it: drop it"
        )
    clashing = sorted({name for name in names if names.count(name) > 1})
    if clashing:
        raise ValueError(f"controls has a second column named {clashing[0]!r}: rename it")
