"""Stock and Yogo's critical values for the homoskedastic first-stage F [stock2005testing].

A first stage is called weak if 2SLS can be badly biased, or its 5 % Wald test can reject a true
null too often, at the concentration ``mu^2 = pi'Z'Z pi / sigma_v^2``; the critical value is the
95 % quantile of the noncentral chi2(k, mu^2) over k at the border. Two sources:

- ``"printed"``: the spot values of the published table that every package quotes. They were
  simulated, and are off by up to 3 % where one can compute.
- ``"computed"``: from the definitions. The relative bias of 2SLS in the weak-instrument limit is
  ``1F1(1; k/2; -mu^2/2)``, for k of 3 or more (with fewer its mean does not exist); the size of the
  Wald test is that of its limit law at an endogeneity of one, the worst case, by quadrature. For
  one instrument and 10 % it gives 16.56 (a mean F of 6.88, the figure of [lee2022valid]), where the
  table prints 16.38. Not available for LIML with several instruments.

They presume homoskedastic, uncorrelated errors; otherwise use the effective F.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from scipy import optimize, special, stats

from pooledtrials.arguments import Vector, choice, fraction

_PRINTED: Final = {
    ("bias", 3): {0.05: 13.91, 0.10: 9.08, 0.20: 6.46, 0.30: 5.39},
    ("bias", 30): {0.05: 21.42, 0.10: 11.32, 0.20: 6.09, 0.30: 4.29},
    ("size", 1): {0.10: 16.38, 0.15: 8.96, 0.20: 6.66, 0.25: 5.53},
    ("size", 2): {0.10: 19.93, 0.15: 11.59, 0.20: 8.75, 0.25: 7.25},
    ("size", 3): {0.10: 22.30, 0.15: 12.83, 0.20: 9.54, 0.25: 7.80},
    ("size", 30): {0.10: 86.17, 0.15: 44.78, 0.20: 30.72, 0.25: 23.65},
    ("liml size", 1): {0.10: 16.38, 0.15: 8.96, 0.20: 6.66, 0.25: 5.53},
    ("liml size", 2): {0.10: 8.68, 0.15: 5.33, 0.20: 4.42, 0.25: 3.92},
    ("liml size", 3): {0.10: 6.46, 0.15: 4.36, 0.20: 3.69, 0.25: 3.32},
}


def stock_yogo_critical_value(
    k: int, tolerance: float, criterion: str = "bias", source: str = "computed"
) -> float:
    """Critical value for the classical F of one exposure on k instruments, at 5 %.

    Parameters
    ----------
    k : int
        Instruments.
    tolerance : float
        Tolerated bias of 2SLS relative to OLS (such as 0.10), or tolerated rejection rate of the
        nominal 5 % Wald test (such as 0.15).
    criterion : ``"bias"``, ``"size"`` or ``"liml size"``
    source : ``"computed"`` or ``"printed"``

    Returns
    -------
    float
        An F below it does not rule out, at 5 %, that instruments are weak in this sense.

    Raises
    ------
    ValueError
        For bias with fewer than three instruments, tolerated sizes of 5 % or less, printed values
        that are not among the spot values here, and LIML with several instruments computed.
    """
    choice(criterion, "criterion", ("bias", "size", "liml size"))
    choice(source, "source", ("computed", "printed"))
    fraction(tolerance, "tolerance")
    if not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k is {k!r}: give the number of instruments, 1 or more")
    if source == "printed":
        row = _PRINTED.get((criterion, int(k)), {})
        found = [value for t, value in row.items() if abs(t - tolerance) < 1e-12]
        if not found:
            raise ValueError(
                f"k is {k} and tolerance {tolerance}: no such printed value is kept here for"
                f" {criterion!r}; use source='computed' or the effective F"
            )
        return found[0]
    if criterion == "bias":
        if k < 3:
            raise ValueError(
                f"k is {k}, but the mean of 2SLS exists from 3 instruments on: use criterion='size'"
            )
        border = _bias_border(int(k), tolerance)
    else:
        if criterion == "liml size" and k > 1:
            raise ValueError(
                f"k is {k}: LIML's size is not computed for several instruments; use"
                " source='printed' (k of 2 or 3) or the effective F for LIML"
            )
        if tolerance <= 0.05:
            raise ValueError(
                f"tolerance is {tolerance}: a tolerated size of a 5 % test must exceed 0.05"
            )
        border = _size_border(int(k), tolerance)
    return float(stats.ncx2.isf(0.05, k, border) / k)


def tsls_relative_bias(k: int, concentration: float) -> float:
    """Bias of 2SLS over that of OLS in the weak-instrument limit, k of 3 or more."""
    return float(special.hyp1f1(1.0, k / 2, -concentration / 2))


def tsls_wald_size(k: int, concentration: float, nominal: float = 0.05) -> float:
    """Worst-case rejection rate of the nominal Wald test of 2SLS in the weak-instrument limit.

    At endogeneity one the errors of both equations are one vector; with ``z`` its coordinate along
    the concentration vector and ``w`` (chi2 with k - 1) the rest, the Wald statistic is
    ``(z^2 + l z + w)^2 ((z + l)^2 + w) / (l (z + l))^2`` with l the root of the concentration.
    """
    root = float(np.sqrt(concentration))
    bound = float(stats.chi2.isf(nominal, 1))
    if k == 1:  # |z (z + l)| > c l
        return _one_instrument_size(root, float(np.sqrt(bound)))
    nodes, weights = _normal_nodes()
    shift, square = nodes * (nodes + root), (nodes + root) ** 2
    target = bound * root**2 * square
    # (shift + w)^2 (square + w) falls to its zero at w = -shift, then rises: two borders
    bottom = np.maximum(-shift, 0.0)
    above = _crossing(shift, square, target, bottom, bottom + 1e3 + 10 * np.cbrt(target))
    start_above = shift**2 * square > target
    below = np.where(start_above, _crossing(shift, square, target, bottom, 0 * bottom), 0.0)
    rising = shift >= 0
    low = np.where(rising & start_above, 0.0, above)
    reject = special.chdtrc(k - 1, low) + np.where(rising, 0.0, special.chdtr(k - 1, below))
    return float(np.minimum(reject, 1.0) @ weights)


def _one_instrument_size(root: float, critical: float) -> float:
    half = root / 2
    outer = np.sqrt(half**2 + critical * root)
    size = special.ndtr(-half - outer) + special.ndtr(half - outer)
    if half**2 > critical * root:
        inner = np.sqrt(half**2 - critical * root)
        size += special.ndtr(-half + inner) - special.ndtr(-half - inner)
    return float(size)


def _crossing(shift: Vector, square: Vector, target: Vector, low: Vector, high: Vector) -> Vector:
    """w between ``low`` (value below target) and ``high`` (above), by bisection, vectorised."""
    for _ in range(60):
        middle = (low + high) / 2
        over = (shift + middle) ** 2 * (square + middle) > target
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return np.asarray((low + high) / 2)


@lru_cache(maxsize=64)
def _bias_border(k: int, tolerance: float) -> float:
    return float(
        optimize.brentq(lambda m: tsls_relative_bias(k, m) - tolerance, 1e-9, 1e5, xtol=1e-10)
    )


@lru_cache(maxsize=64)
def _size_border(k: int, tolerance: float) -> float:
    return float(
        optimize.brentq(lambda m: tsls_wald_size(k, m) - tolerance, 1e-2, 1e5, xtol=1e-6, rtol=1e-9)
    )


def _normal_nodes() -> tuple[Vector, Vector]:
    """Midpoints and standard normal masses of fine cells: the integrand has kinks."""
    edges = np.linspace(-9.0, 9.0, 6001)
    return (edges[1:] + edges[:-1]) / 2, np.diff(special.ndtr(edges))
