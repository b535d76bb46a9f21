"""Indicators and clusters as this part's bounds and tests take them."""

from __future__ import annotations

from pooledtrials.arguments import Codes, Columns, Vector, label_codes, one_column


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


def cluster_codes(clusters: Columns | None, n: int) -> Codes | None:
    """Clusters as codes, or None.

    Raises
    ------
    ValueError
        If there is one cluster, or labels are missing or not one per row.
    """
    codes = label_codes(clusters, "clusters", n)
    if codes is not None and int(codes.max()) == 0:
        raise ValueError("clusters has 1 cluster: leave it out, or cluster at a finer level")
    return codes
