"""Few numbers a row that stand for all columns of a design.

In pooled trials most columns are indicators of trial and arm. Rows of the same indicators differ
only in the m covariates that vary within, so that each row of ``[q, basis]`` is linear, and each
product of two columns of ``q`` quadratic, in ``(1, w_1, ..., w_m)`` with coefficients that the
group knows. Sums over rows of any such column times an error are then sums of 1 + m, or of
(1 + m)(2 + m) / 2, features in each group, and a small product. Nothing is approximated. A design
without such groups is one group whose features are the columns themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pooledtrials.arguments import Codes, Matrix
from pooledtrials.clusters import cluster_sums


@dataclass(frozen=True, eq=False)
class RowFeatures:
    """Features of the rows, sorted by group.

    Attributes
    ----------
    order : (n,) row of the design at each sorted place
    place : (n,) sorted place of each row of the design
    starts : (G + 1,) first sorted place of each group, and n
    linear : (f, n) features of the columns
    quadratic : (h, n) features of products of instruments
    to_columns : (G, f, k + p)
        ``linear[:, i] @ to_columns[g]`` is row i of ``[q, basis]``.
    to_products : (G, h, k (k + 1) / 2)
        The same for ``q_ia q_ib``, a <= b, row after row of the upper triangle.
    """

    order: Codes
    place: Codes
    starts: Codes
    linear: Matrix
    quadratic: Matrix
    to_columns: Matrix
    to_products: Matrix


def row_features(q: Matrix, basis: Matrix, columns: Matrix, labels: Codes | None) -> RowFeatures:
    """The cheapest `RowFeatures` of a design.

    Parameters
    ----------
    q, basis : (n, k), (n, p)
        Orthonormal; their joint span is that of an intercept, ``columns`` and indicators of
        ``labels``.
    columns : (n, c) instruments and controls
    labels : (n,) codes of strata, or None
    """
    joined = np.column_stack([q, basis])
    n, k, width = int(q.shape[0]), int(q.shape[1]), int(joined.shape[1])
    pairs = k * (k + 1) // 2
    levels = [np.unique(column).size for column in columns.T]
    columns = columns[:, np.argsort(levels, kind="stable")]
    fixed = np.zeros(n) if labels is None else labels

    def cost(groups: int, linear: int, quadratic: int) -> int:
        # multiplications a replication: sums over rows, then small products in each group
        return 6 * linear * (n + groups * width) + 3 * quadratic * (n + groups * pairs)

    best, least = None, cost(0, width, pairs)
    for constant in range(columns.shape[1] + 1):
        group = _codes(np.column_stack([fixed, columns[:, :constant]]))
        groups, f = int(group.max()) + 1, 1 + columns.shape[1] - constant
        now = cost(groups, f, f * (f + 1) // 2)
        if now < least:
            best, least = (group, columns[:, constant:]), now
        if 4 * groups > n:  # finer groups only cost more
            break
    if best is not None:
        return _grouped(joined, k, *best)
    rows = np.arange(n)
    products = _pairs(q, q)
    return RowFeatures(
        rows,
        rows,
        np.array([0, n]),
        np.ascontiguousarray(joined.T),
        np.ascontiguousarray(products.T),
        np.eye(width)[None],
        np.eye(pairs)[None],
    )


def _grouped(joined: Matrix, k: int, group: Codes, varying: Matrix) -> RowFeatures:
    n, m = varying.shape
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    w = (varying - varying.mean(axis=0)) / np.where(varying.std(axis=0) > 0, varying.std(axis=0), 1)
    # what a covariate adds to a column is the same in every group: its slope within groups
    centre, mean = (cluster_sums(part, group) / counts[:, None] for part in (w, joined))
    slope = np.linalg.lstsq(w - centre[group], joined - mean[group], rcond=None)[0]
    to_columns = np.empty((counts.size, 1 + m, joined.shape[1]))
    to_columns[:, 0], to_columns[:, 1:] = mean - centre @ slope, slope
    linear = np.vstack([np.ones(n), w.T])[:, order]
    one, two = np.triu_indices(1 + m)
    return RowFeatures(
        order,
        np.argsort(order, kind="stable"),
        np.concatenate([[0], np.cumsum(counts)]),
        np.ascontiguousarray(linear),
        np.ascontiguousarray(linear[one] * linear[two]),
        to_columns,
        _products(to_columns[:, :, :k], one, two),
    )


def _products(q: Matrix, one: Codes, two: Codes) -> Matrix:
    """(G, h, pairs) coefficients of the products of features ``one`` and ``two``."""
    direct = _pairs(q[:, one], q[:, two])
    mixed = _pairs(q[:, two], q[:, one])
    return np.ascontiguousarray(np.where((one == two)[:, None], direct, direct + mixed))


def _pairs(left: Matrix, right: Matrix) -> Matrix:
    """(..., k (k + 1) / 2) products of the last axes, upper triangle."""
    a, b = np.triu_indices(left.shape[-1])
    return np.asarray(left[..., a] * right[..., b])


def _codes(rows: Matrix) -> Codes:
    return np.asarray(np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1))
