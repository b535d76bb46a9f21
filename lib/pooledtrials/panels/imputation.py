"""Multiple imputation of interviews not held: several completed panels, analysed and combined.

Each completed panel fills every gap with a value drawn from what patients like this one showed.
Under missing at random given what the imputation uses (every other interview of the patient, the
arm and baseline covariates) analyses of completed panels, combined by Rubin's rules, are valid
[rubin1987multiple]. What is not at random given all that is for `tipping_point` to vary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pooledtrials.arguments import Codes, Columns, Matrix, numeric_columns, same_index
from pooledtrials.coding import labelled, ordered, refuse_repeats
from pooledtrials.panels.chained_equations import chained_equations
from pooledtrials.panels.interview_rows import patient_codes, varying_within
from pooledtrials.panels.rubin import ImputedEstimate, pool_estimates
from pooledtrials.panels.wide_form import WideForm, usable_columns, wide_form
from pooledtrials.resampling import Seed, generator_of
from pooledtrials.results import Estimate


@dataclass(frozen=True, eq=False)
class Imputations:
    """Completed copies of the columns that had gaps.

    Attributes
    ----------
    completed : m frames with the columns of ``y`` and ``controls``, rows and index as given;
        ``panel.assign(**completed[0])`` is a completed panel
    missing : frame of the same shape, true where a value was imputed
    log : a row per incomplete column of each trial (and arm, where arms were imputed apart):
        ``where``, ``column``, ``wave`` (empty for a covariate), how many rows were ``imputed``, in
        how many patients it was ``seen``, and the number of ``predictors``
    cycles, donors : how it was done, see `impute`
    """

    completed: tuple[pd.DataFrame, ...]
    missing: pd.DataFrame
    log: pd.DataFrame
    cycles: int
    donors: int

    def to_frame(self) -> pd.DataFrame:
        """The log."""
        return self.log

    def describe(self) -> str:
        """What was imputed, in words."""
        if self.log.empty:
            return "Nothing was missing, so nothing was imputed: all copies are the data."
        per_column = ", ".join(
            f"{name} in {count} of {len(self.missing)} rows"
            for name, count in self.missing.sum().items()
            if count
        )
        return (
            f"{len(self.completed)} completed panels; imputed: {per_column}. Chained equations of"
            f" {self.cycles} rounds, matching each gap with {self.donors} patients of its trial."
        )


def impute(
    y: Columns,
    arms: Columns,
    patients: Columns,
    waves: Columns,
    controls: Columns | None = None,
    trials: Columns | None = None,
    *,
    imputations: int = 20,
    cycles: int = 10,
    donors: int = 5,
    by_arm: bool = False,
    seed: Seed = 0,
) -> Imputations:
    """Impute what was not seen by chained equations, each trial by itself.

    A patient is a row whose columns are every score at every wave, covariates and arm; each
    incomplete column is regressed on all others, `chained_equations`. Rows that are not given, such
    as those after a death, are not imputed: leave out what has no meaning.

    Parameters
    ----------
    y : (n, k) with gaps
        What was asked at interviews, a row per patient and planned interview: outcomes, exposure,
        and whatever predicts them. All that the analysis uses has to be here or in ``controls``.
    arms, patients : (n,) labels
    waves : (n,) numbers, dates or an ordered categorical
    controls : (n, p) with gaps, optional
        Baseline covariates, constant within patient.
    trials : (n,) labels, optional
    imputations : int
        m, two or more; twenty keep the Monte Carlo error small beside the standard error.
    cycles : int
        Rounds of the chain before each copy is taken, each copy from a chain of its own.
    donors : int
        Nearest patients from whom a value is drawn.
    by_arm : bool
        Whether arms are imputed apart, which lets everything interact with the arm and needs
        large arms, or arms are predictors.
    seed : int, SeedSequence or Generator

    Raises
    ------
    ValueError
        For unusable arguments; a score never seen at some wave of a trial or in one of its arms;
        fewer patients seen than predictors or donors; a column that repeats others.
    """
    same_index(y=y, arms=arms, patients=patients, waves=waves, controls=controls, trials=trials)
    for count, name, least in (
        (imputations, "imputations", 2), (cycles, "cycles", 1), (donors, "donors", 1)
    ):  # fmt: skip
        if not isinstance(count, int | np.integer) or count < least:
            raise ValueError(f"{name} is {count!r}: give a whole number, {least} or more")
    scores, names = _with_gaps(y, "y", None)
    n = scores.shape[0]
    covariates, covariate_names = (
        (np.empty((n, 0)), ()) if controls is None else _with_gaps(controls, "controls", n)
    )
    repeated = set(names) & set(covariate_names)
    if repeated:
        raise ValueError(f"controls and y both have a column {min(repeated)!r}: rename one")
    forms = _wide_forms(
        (scores, names), (covariates, covariate_names), arms, patients, waves, trials, by_arm
    )
    usable = [usable_columns(form, donors) for form in forms]
    # a seed for each chain, so that one trial's gaps do not change the draws of another
    keys = generator_of(seed).integers(2**63, size=(len(forms), imputations))
    index = y.index if isinstance(y, pd.Series | pd.DataFrame) else pd.RangeIndex(n)
    columns = [*names, *covariate_names]
    completed = []
    for i in range(imputations):
        filled = {"y": scores.copy(), "controls": covariates.copy()}
        for form, kept, own in zip(forms, usable, keys, strict=True):
            _fill(form, kept, cycles, donors, np.random.default_rng(own[i]), filled)
        completed.append(pd.DataFrame(np.column_stack([*filled.values()]), index, columns))
    missing = pd.DataFrame(
        np.isnan(np.column_stack([scores, covariates])), index=index, columns=columns
    )
    log = pd.DataFrame(
        [line for form, kept in zip(forms, usable, strict=True) for line in _lines(form, kept)],
        columns=["where", "column", "wave", "imputed", "seen", "predictors"],
    )
    return Imputations(tuple(completed), missing, log, cycles, donors)


def analyse_imputations(
    imputations: Imputations, analysis: Callable[[pd.DataFrame], Estimate]
) -> ImputedEstimate:
    """Apply an estimator to every completed panel and combine by Rubin's rules.

    Parameters
    ----------
    imputations : Imputations
    analysis : function of a completed frame that returns an `Estimate`
        Such as ``lambda frame: within(frame["asi_drug"], frame["attendance"], patients, waves)``.

    Raises
    ------
    ValueError
        Whatever the analysis refuses.
    """
    return pool_estimates([analysis(frame) for frame in imputations.completed])


def _with_gaps(values: Columns, name: str, n: int | None) -> tuple[Matrix, tuple[str, ...]]:
    """Numbers in which gaps are allowed, as nan."""
    if values is None or np.ndim(values) == 0:
        return numeric_columns(values, name, n)  # refuses them
    frame = pd.DataFrame(values)
    if isinstance(values, pd.Series):
        frame.columns = [name if values.name is None else values.name]
    elif not isinstance(values, pd.DataFrame):
        frame.columns = [f"{name}{j}" for j in range(frame.shape[1])]
    gaps = frame.isna()
    matrix, names = numeric_columns(frame.mask(gaps, 0.0), name, n)
    return np.where(gaps.to_numpy(), np.nan, matrix), names


def _wide_forms(
    scores: tuple[Matrix, tuple[str, ...]],
    covariates: tuple[Matrix, tuple[str, ...]],
    arms: Columns,
    patients: Columns,
    waves: Columns,
    trials: Columns | None,
    by_arm: bool,
) -> list[WideForm]:
    """Who is imputed together, by trial and perhaps arm, in the order of their names."""
    n = scores[0].shape[0]
    person = patient_codes(patients, trials, n)
    labels = np.asarray(patients).reshape(n).tolist()
    arm, arm_labels = labelled(arms, "arms", n)
    wave, wave_labels = ordered(waves, n)
    trial, trial_labels = labelled(trials, "trials", n)
    first = np.unique(person, return_index=True)[1]
    names = tuple(labels[i] for i in first)
    refuse_repeats(person, names, wave, wave_labels, trials is None)
    known = np.nan_to_num(covariates[0], nan=np.inf)  # a gap is the same as a gap
    for values, argument in ((arm[:, None], "arms"), (known, "controls")):
        split = max((varying_within(column, person) for column in values.T), default=0)
        if split:
            raise ValueError(
                f"{argument} varies between the rows of {split} patients: give one for each"
            )
    groups = {}
    for t, a in sorted({(t, a if by_arm else -1) for t, a in zip(trial, arm, strict=True)}):
        where = "all trials" if trials is None else f"trial {trial_labels[t]}"
        rows = trial == t
        if by_arm:
            where, rows = f"{where}, arm {arm_labels[a]}", rows & (arm == a)
        groups[where] = np.flatnonzero(rows)
    return [
        wide_form(
            where, groups[where], scores, covariates, (arm, arm_labels), person, labels, wave,
            wave_labels,
        )
        for where in sorted(groups)
    ]  # fmt: skip


def _fill(
    form: WideForm,
    kept: Codes,
    cycles: int,
    donors: int,
    generator: np.random.Generator,
    filled: Mapping[str, Matrix],
) -> None:
    """Put one imputation of these patients into copies of the long columns."""
    # a column that is left out but incomplete has one value wherever it was seen
    whole = np.where(np.isnan(form.values), np.nanmin(form.values, axis=0), form.values)
    if np.isnan(form.values[:, kept]).any():
        whole[:, kept] = chained_equations(form.values[:, kept], cycles, donors, generator)
    for j, column in enumerate(form.columns):
        if column.source not in filled:
            continue
        for rows, patients in form.rows_to_fill(j):
            filled[column.source][rows, column.place] = whole[patients, j]


def _lines(form: WideForm, kept: Codes) -> list[tuple[Any, ...]]:
    """The log of these patients."""
    lines = []
    for j, column in enumerate(form.columns):
        imputed = sum(rows.size for rows, _ in form.rows_to_fill(j))
        if imputed:
            wave = form.waves[column.wave] if column.source == "y" else ""
            seen = int((~np.isnan(form.values[:, j])).sum())
            predictors = kept.size - 1 if j in kept else 0
            lines.append((form.where, column.name, wave, imputed, seen, predictors))
    return lines
