"""Slow second computations with every effect a column of one dense design."""

from __future__ import annotations

import numpy as np
from scipy import linalg


def dummies(codes):
    return (np.asarray(codes)[:, None] == np.unique(codes)).astype(float)


def dense_design(x, controls=None, patients=None, strata=None):
    """x first, then a basis of intercept, controls and all effects, redundant columns left out."""
    n = np.size(x)
    parts = [np.ones((n, 1))]
    if controls is not None:
        parts.append(np.asarray(controls, dtype=float).reshape(n, -1))
    parts += [dummies(codes) for codes in (patients, strata) if codes is not None]
    return np.column_stack([np.asarray(x, dtype=float), linalg.orth(np.hstack(parts), rcond=1e-10)])


def clustered_t(design, y, clusters, beta0=0.0):
    """Least squares coefficient of the first column and its t, CR0."""
    bread = np.linalg.inv(design.T @ design)
    coefficient = bread @ (design.T @ y)
    residual = y - design @ coefficient
    scores = np.array(
        [design[clusters == g].T @ residual[clusters == g] for g in np.unique(clusters)]
    )
    variance = (bread @ (scores.T @ scores) @ bread)[0, 0]
    return coefficient[0], (coefficient[0] - beta0) / np.sqrt(variance)


def wild_t(design, y, clusters, patterns, beta0=0.0, restricted=True):
    """The data's t and that of each pattern, one regression at a time."""
    clusters = np.unique(clusters, return_inverse=True)[1]
    own = clustered_t(design, y, clusters, beta0)[1]
    fitted_by = design[:, 1:] if restricted else design
    target = y - beta0 * design[:, 0] if restricted else y
    fitted = fitted_by @ np.linalg.lstsq(fitted_by, target, rcond=None)[0]
    residual = target - fitted
    null = beta0 if restricted else clustered_t(design, y, clusters)[0]
    base = fitted + beta0 * design[:, 0] if restricted else fitted
    drawn = [
        clustered_t(design, base + residual * w[clusters], clusters, null)[1] for w in patterns
    ]
    return own, np.array(drawn)


def dense_cr2(design, y, clusters):
    """CR2 standard error and Satterthwaite dof of the first column, n x n matrices throughout."""
    n = design.shape[0]
    bread = np.linalg.inv(design.T @ design)
    annihilator = np.eye(n) - design @ bread @ design.T
    residual = annihilator @ y
    variance, quadratic = 0.0, []
    for g in np.unique(clusters):
        rows = clusters == g
        values, vectors = np.linalg.eigh(annihilator[np.ix_(rows, rows)])
        kept = values > 1e-10
        root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
        weights = root @ design[rows] @ bread[:, 0]
        variance += (weights @ residual[rows]) ** 2
        quadratic.append(annihilator[:, rows] @ weights)
    gram = np.array(quadratic) @ np.array(quadratic).T
    return np.sqrt(variance), np.trace(gram) ** 2 / np.trace(gram @ gram)
