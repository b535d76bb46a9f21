"""Labels of patients, waves, trials and clusters as codes, and what they must not be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import Codes, Columns, label_codes


def recode(labels: npt.NDArray[Any]) -> Codes:
    """Codes 0, 1, ... in the order of the labels."""
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.intp)


def labelled(
    labels: Columns | None, name: str, n: int, *, of: str = "y"
) -> tuple[Codes, tuple[Any, ...]]:
    """Codes in order of appearance and the labels they stand for; one trial if there are none.

    ``of`` names the argument that has the n rows.
    """
    codes = label_codes(labels, name, n, of=of)
    if codes is None:
        if name == "patients":
            raise ValueError("patients is None: give the label of each row's patient")
        return np.zeros(n, dtype=np.intp), ("all",)
    _, first = np.unique(codes, return_index=True)
    flat = labels.to_numpy() if isinstance(labels, pd.Series | pd.DataFrame) else labels
    return codes, tuple(np.asarray(flat).ravel()[first].tolist())


def ordered(waves: Columns, n: int, *, of: str = "y") -> tuple[Codes, tuple[Any, ...]]:
    """Codes of the waves in the order of time, and their labels; ``of`` has the n rows."""
    several = np.shape(waves)[1] if np.ndim(waves) == 2 else 1
    if several != 1:
        raise ValueError(f"waves has {several} columns: give one, the planned time of each row")
    values: Any = waves.iloc[:, 0] if isinstance(waves, pd.DataFrame) else waves
    label_codes(values, "waves", n, of=of)  # refuses what is no label for each row
    if values is None:
        raise ValueError("waves is None: give the planned time of each row's interview")
    series = pd.Series(values).reset_index(drop=True)
    if isinstance(series.dtype, pd.CategoricalDtype) and series.cat.ordered:
        seen = series.cat.remove_unused_categories()
        codes, levels = seen.cat.codes.to_numpy(), seen.cat.categories
    elif pd.api.types.is_numeric_dtype(series) or pd.api.types.is_datetime64_any_dtype(series):
        infinite = 0 if series.dtype.kind != "f" else int(np.isinf(series.to_numpy()).sum())
        if infinite:
            raise ValueError(f"waves is infinite in {infinite} of {n} rows: correct or drop them")
        levels, codes = np.unique(series.to_numpy(), return_inverse=True)
    else:
        raise ValueError(
            f"waves holds {series.dtype} values, whose order in time is not known: give numbers"
            " (planned months), dates or an ordered categorical"
        )
    if len(levels) == 1:
        raise ValueError("waves has 1 wave: a panel needs patients interviewed at two or more")
    return np.asarray(codes, dtype=np.intp), tuple(levels.tolist())


def pair(
    person: Codes, labels: tuple[Any, ...], trial: Codes, within: bool
) -> tuple[Codes, tuple[Any, ...]]:
    """Patients as pairs of trial and label."""
    pairs, first, codes = np.unique(
        person * (int(trial.max()) + 1) + trial, return_index=True, return_inverse=True
    )
    repeated = len(pairs) - len(labels)
    if repeated and not within:
        of_label = np.bincount(person[first])
        name = labels[int(np.flatnonzero(of_label > 1)[0])]
        raise ValueError(
            f"patients has {int((of_label > 1).sum())} labels in more than one trial (first:"
            f" {name!r}): keep one trial of each person or, if labels are unique only within"
            " trials, pass labels_within_trials=True"
        )
    return np.asarray(codes, dtype=np.intp), tuple(labels[i] for i in person[first])


def refuse_repeats(
    person: Codes, labels: tuple[Any, ...], wave: Codes, wave_labels: tuple[Any, ...], alone: bool
) -> None:
    """Refuse two rows of one patient at one wave; ``alone`` says that no trials were given."""
    pair = person * len(wave_labels) + wave
    values, counts = np.unique(pair, return_counts=True)
    again = values[counts > 1]
    if again.size:
        patient, at = divmod(int(again[0]), len(wave_labels))
        hint = ", or give trials if patient labels are unique only within trials" if alone else ""
        raise ValueError(
            f"waves repeats {again.size} pairs of patient and wave (first: patient"
            f" {labels[patient]!r} at wave {wave_labels[at]!r}): keep one row of each{hint}"
        )


def refuse_split(person: Codes, labels: tuple[Any, ...], groups: Codes) -> None:
    """Refuse a single cluster, and clusters that split a patient."""
    if int(groups.max()) == 0:
        raise ValueError(
            "clusters has 1 cluster, and a clustered covariance needs two or more: leave it out, to"
            " cluster by patient"
        )
    first = np.empty(len(labels), dtype=np.intp)
    first[person[::-1]] = groups[::-1]
    split = np.unique(person[groups != first[person]])
    if split.size:
        raise ValueError(
            f"clusters splits {split.size} of {len(labels)} patients (first: {labels[split[0]]!r}):"
            " all interviews of a patient belong to one cluster, such as the site of the first"
        )
