"""Swamy and Arora's variances of a panel with random effects of patients [swamy1972exact].

With n rows of N patients, T_i of each, and columns X, intercept among them: RSS_w of the regression
within patients, of rank r_w, and RSS_b of that of patients' means, of rank r_b, give

    s2_e = RSS_w / (n - N - r_w),
    s2_u = RSS_b / (N - r_b) - s2_e * mean(1 / T_i),

the latter 0 if it comes out negative. Patients with unequal T_i make it one of two: this, with the
harmonic mean of the T_i, or with means weighted by T_i and the trace that makes it unbiased,

    s2_u = (RSS_b - (N - r_b) s2_e) / (n - trace),
    trace = tr[(sum T_i m_i m_i')^+ (sum T_i^2 m_i m_i')],  m_i the patient's mean of X,

of Baltagi and Chang [baltagi1994incomplete].
"""

from __future__ import annotations

import numpy as np

from pooledtrials.arguments import Matrix, Vector
from pooledtrials.panels.independence import orthonormal, variation
from pooledtrials.panels.layout import Layout


def swamy_arora(data: Layout, X: Matrix, small_sample: bool) -> tuple[float, float]:
    """Variances of patients and of the residual.

    Parameters
    ----------
    data : the layout
    X : (n, k) array
        Columns of full rank, the intercept first.
    small_sample : whether the trace is used where patients have unequal numbers of rows

    Returns
    -------
    (s2_u, s2_e)
    """
    sizes = data.sizes.astype(float)
    scales = variation(X)
    scales[0] = np.sqrt(data.nobs)
    basis, _ = orthonormal(data.within(X), scales)
    free = data.nobs - data.n_patients - basis.shape[1]
    residual = _sum_of_squares(data.within(data.y), basis) / free
    means, outcome = data.patient_means(X), data.patient_means(data.y)
    basis, _ = orthonormal(means, scales)
    free = data.n_patients - basis.shape[1]
    if small_sample and np.ptp(sizes) > 0:
        roots = np.sqrt(sizes)
        basis, _ = orthonormal(roots[:, None] * means, scales)
        trace = float((sizes[:, None] * basis**2).sum())
        left = _sum_of_squares(roots * outcome, basis) - free * residual
        patient = left / (data.nobs - trace)
    else:
        patient = _sum_of_squares(outcome, basis) / free - residual * float((1 / sizes).mean())
    return max(0.0, patient), residual


def _sum_of_squares(y: Vector, basis: Matrix) -> float:
    """Residual sum of squares of y on an orthonormal basis."""
    residual = y - basis @ (basis.T @ y)
    return float(residual @ residual)
