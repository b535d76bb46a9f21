"""Small-sample factors of clustered covariances, by the names of the packages that use them.

All five multiply the same matrix, ``(X'X)^-1 (sum_g X_g'e_g e_g'X_g) (X'X)^-1``, for n rows, G
clusters and k columns [cameron2015practitioner]:

========================  ==================================================
``"CR0"``                 1
``"linearmodels"``        n / (n - k), the default of that package
``"CR1"``                 G / (G - 1)
``"CR1S"``                G / (G - 1) * (n - 1) / (n - k), Stata's
``"pyfixest"``            the same with k + 1 where patient effects stand in
                          for the intercept, which pyfixest counts
========================  ==================================================

Patient effects are not counted in k: a patient's rows lie in one cluster, and effects nested in
clusters use up nothing there. Effects of cells or waves are counted as far as they are identified,
unless patient effects are taken out too and they are nested in the clusters themselves, as
trial-wave effects are if clusters are trials. The intercept is counted where there is one.
"""

from __future__ import annotations

from typing import Final

from pooledtrials.arguments import choice

VARIANTS: Final = ("CR0", "linearmodels", "CR1", "CR1S", "pyfixest")
"""Names of the small-sample factors of a clustered covariance, by what programs multiply with."""


def factor(variant: str, nobs: int, columns: int, clusters: int, intercept: bool) -> float:
    """Factor on the clustered covariance.

    Parameters
    ----------
    variant : one of `VARIANTS`
    nobs, columns, clusters : n, k and G
    intercept : whether k has one in it

    Raises
    ------
    ValueError
        For an unknown variant.
    """
    choice(variant, "variant", VARIANTS)
    counted = columns if intercept or variant != "pyfixest" else columns + 1
    groups = clusters / (clusters - 1)
    return {
        "CR0": 1.0,
        "linearmodels": nobs / (nobs - counted),
        "CR1": groups,
        "CR1S": groups * (nobs - 1) / (nobs - counted),
        "pyfixest": groups * (nobs - 1) / (nobs - counted),
    }[variant]
