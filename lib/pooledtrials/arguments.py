"""Checking arguments: what every public function does before it computes anything.

The order of arguments is the same everywhere: ``y`` outcome, ``x`` exposure, ``z`` instruments,
``controls``, ``clusters``, ``strata``. Every refusal is a ValueError that names the argument, says
what was found and how often, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Vector: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.intp]
Columns: TypeAlias = npt.ArrayLike | pd.Series | pd.DataFrame
Number: TypeAlias = int | float | np.number


def one_column(
    values: Columns, name: str, why: str, n: int | None = None, *, of: str = "y"
) -> Vector:
    """A single numeric column as (n,), or a ValueError that says ``why`` not several."""
    matrix, _ = numeric_columns(values, name, n, of=of)
    if matrix.shape[1] != 1:
        raise ValueError(f"{name} has {matrix.shape[1]} columns: {why}")
    return matrix[:, 0]


def numeric_columns(
    values: Columns, name: str, n: int | None = None, *, of: str = "y"
) -> tuple[Matrix, tuple[str, ...]]:
    """Finite numbers as an (n, columns) array with the columns' names; ``of`` has the n rows.

    Raises
    ------
    ValueError
        If ``values`` are not finite numbers in one or two dimensions with ``n`` rows.
    """
    _refuse_masked(values, name)
    table: Any = values
    if isinstance(values, pd.DataFrame):
        columns: tuple[str, ...] = tuple(str(c) for c in values.columns)
        table = values.to_numpy()
    elif isinstance(values, pd.Series):
        columns = (name if values.name is None else str(values.name),)
        table = values.to_numpy()
    else:
        columns = ()
    if isinstance(table, str) or table is None:
        raise ValueError(f"{name} is {table!r}: give an array, a Series or a frame of numbers")
    array = np.asarray(table)
    if array.dtype.kind not in "biuf":
        array = _numbers(array, name)
    if array.ndim not in (1, 2) or (name in ("y", "x") and array.ndim == 2 and not array.shape[1]):
        raise ValueError(f"{name} has shape {array.shape}: give (n,) or (n, columns)")
    matrix = array.astype(float)
    if array.ndim == 1:
        matrix = matrix[:, None] if array.size else matrix.reshape(0, 0)
    if n is not None and matrix.shape[0] != n:
        raise ValueError(
            f"{name} has {matrix.shape[0]} rows but {of} has {n}: give one row per observation"
        )
    if matrix.shape[0] == 0:
        raise ValueError(f"{name} has 0 rows: there is nothing to estimate")
    if not np.isfinite(matrix.sum()):  # one pass; which rows, only if something is wrong
        _refuse_gaps(matrix, name)
    return matrix, columns or tuple(f"{name}{j}" for j in range(matrix.shape[1]))


def label_codes(labels: Columns | None, name: str, n: int, *, of: str = "y") -> Codes | None:
    """Labels of any kind as codes 0, ..., G - 1 in order of appearance, or None.

    ``of`` names the argument that has the n rows.

    Raises
    ------
    ValueError
        If labels are not one per row, or missing.
    """
    if labels is None:
        return None
    _refuse_masked(labels, name)
    array = labels.to_numpy() if isinstance(labels, pd.Series | pd.DataFrame) else labels
    array = np.asarray(array)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}: give one label per row, (n,)")
    if array.shape[0] != n:
        raise ValueError(
            f"{name} has {array.shape[0]} rows but {of} has {n}: give one label per row"
        )
    codes, _ = pd.factorize(array)
    missing = int((codes < 0).sum())
    if missing:
        raise ValueError(f"{name} is missing in {missing} of {n} rows: label or drop them")
    return np.asarray(codes, dtype=np.intp)


def cluster_codes(clusters: Columns | None, n: int) -> Codes | None:
    """Clusters as codes 0, ..., G - 1 in order of appearance, or None.

    Raises
    ------
    ValueError
        If there is one cluster, or labels are missing or not one per row.
    """
    codes = label_codes(clusters, "clusters", n)
    if codes is not None and int(codes.max()) == 0:
        raise ValueError("clusters has 1 cluster: leave it out, or cluster at a finer level")
    return codes


def zero_one(
    values: Columns, name: str, n: int | None = None, *, may_be_constant: bool = False
) -> Vector:
    """A column of 0 and 1, both occurring unless it may be constant.

    Raises
    ------
    ValueError
        Otherwise.
    """
    column = one_column(values, name, "give one column", n)
    other = int(((column != 0) & (column != 1)).sum())
    if other:
        raise ValueError(f"{name} is neither 0 nor 1 in {other} rows: code it as 0 and 1")
    if not may_be_constant and column.min() == column.max():
        raise ValueError(f"{name} is constant: both 0 and 1 are needed")
    return column


def same_index(**arguments: Any) -> None:
    """Refuse pandas arguments whose indexes differ: rows would be matched by position unseen.

    Raises
    ------
    ValueError
        Naming the first pair that differs.
    """
    first: tuple[str, pd.Index[Any]] | None = None
    for name, value in arguments.items():
        if not isinstance(value, pd.Series | pd.DataFrame):
            continue
        if first is None:
            first = (name, value.index)
        elif len(value.index) == len(first[1]) and not value.index.equals(first[1]):
            raise ValueError(
                f"{name} and {first[0]} have different indexes: align them first, for instance by"
                " taking both from one frame"
            )


def fraction(value: float, name: str) -> float:
    """A number strictly between 0 and 1.

    Raises
    ------
    ValueError
        Otherwise.
    """
    if not isinstance(value, Number) or not 0 < float(value) < 1:
        raise ValueError(f"{name} is {value!r}: give a number strictly between 0 and 1")
    return float(value)


def finite(value: float, name: str) -> float:
    """One finite number.

    Raises
    ------
    ValueError
        Otherwise.
    """
    if not isinstance(value, Number) or not np.isfinite(float(value)):
        raise ValueError(f"{name} is {value!r}: give one finite number")
    return float(value)


def correlation(value: float, name: str) -> float:
    """A number from -1 to 1.

    Raises
    ------
    ValueError
        Otherwise.
    """
    if not -1 <= finite(value, name) <= 1:
        raise ValueError(f"{name} is {value}: a correlation is between -1 and 1")
    return float(value)


def whole(value: int, name: str, least: int) -> int:
    """A whole number of at least ``least``.

    Raises
    ------
    ValueError
        Otherwise.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} is {value!r}: give a whole number, {least} or more")
    return int(value)


def sequence_of(
    kind: type | UnionType, values: Any, name: str, what: str, *, alone: bool = False
) -> tuple[Any, ...]:
    """Values of one kind as a tuple; ``alone``, one may stand for a sequence of one.

    Raises
    ------
    ValueError
        For anything else, asking for ``what``.
    """
    if alone and isinstance(values, kind):
        return (values,)
    several = isinstance(values, Iterable) and getattr(values, "ndim", 1) > 0
    if isinstance(values, str) or not several:
        raise ValueError(f"{name} is {_shown(values)}: give {what}")
    found = tuple(values)
    for value in found:
        if not isinstance(value, kind):
            raise ValueError(f"{name} holds {_shown(value)}: give {what}")
    return found


def choice(value: str, name: str, allowed: Sequence[str]) -> str:
    """One of the allowed words.

    Raises
    ------
    ValueError
        Otherwise, listing them.
    """
    if value not in allowed:
        listed = ", ".join(repr(a) for a in allowed)
        raise ValueError(f"{name} is {value!r}: give one of {listed}")
    return value


def _shown(value: Any) -> str:
    plain = value is None or isinstance(value, str | Number)
    return repr(value) if plain else f"a {type(value).__name__}"


def _refuse_masked(values: Any, name: str) -> None:
    """A mask would be lost on the way to an ordinary array, and what it hides become data."""
    if np.ma.is_masked(values):
        masked = int(np.ma.getmaskarray(values).sum())
        raise ValueError(
            f"{name} is a masked array with {masked} masked entries: drop their rows from every"
            " argument, or impute"
        )


def _refuse_gaps(matrix: Matrix, name: str) -> None:
    missing = int(np.isnan(matrix).any(axis=1).sum())
    if missing:
        raise ValueError(
            f"{name} is missing in {missing} of {matrix.shape[0]} rows: drop those rows from every"
            " argument, or impute"
        )
    infinite = int(np.isinf(matrix).any(axis=1).sum())
    if infinite:
        raise ValueError(
            f"{name} is infinite in {infinite} of {matrix.shape[0]} rows: correct or drop them"
        )


def _numbers(array: npt.NDArray[Any], name: str) -> Matrix:
    """Objects (nullable integers, decimals) as floats; text is refused even if it reads as one."""
    if array.dtype.kind == "O" and not any(isinstance(v, str) for v in array.flat):
        missing = pd.isna(array)
        try:
            return np.where(missing, np.nan, np.where(missing, 0.0, array).astype(float))
        except (TypeError, ValueError):
            pass
    raise ValueError(f"{name} holds {array.dtype} values, not numbers: code them as numbers")
