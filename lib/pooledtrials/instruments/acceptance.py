"""Where the classical conditional likelihood ratio test accepts: one number a data set.

With M the larger root, the same for every null, LR = M - QT, so that the test accepts exactly when
QT is at least the q* with ``q* + c(q*) = M``, c being the conditional critical value. It depends on
M, the level and k alone: a function of one variable, tabulated once. What is tabulated is
``c = M - q*`` against 1 / M, smooth from the critical value of chi2(1) at 1 / M = 0, where
instruments are strong, to that of chi2(k), where q* = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import fft, interpolate

from pooledtrials.arguments import Vector
from pooledtrials.instruments.conditional import chi2_or_f_isf, conditional_p_value

_FIRST_TERMS = 32
_MOST_TERMS = 512  # enough for some hundred instruments
_NEGLIGIBLE = 1e-14


def acceptance_strength(largest: float, alpha: float, k: int, dof: float | None = None) -> float:
    """The q* of the module for one M, to rounding.

    Zero if M is below the critical value at q = 0: then every null is accepted. The first call with
    a new (alpha, k) makes the table, some milliseconds. With ``dof`` the table is where a search
    for the root starts, since a table for each number of rows would not pay.
    """
    weak = chi2_or_f_isf(alpha, k, dof)
    if largest <= weak:
        return 0.0
    if k == 1:
        return largest - weak
    series = _critical_values(alpha, k)
    c = float(_evaluate(series, weak / largest))
    if dof is None:
        return largest - c
    strong, first, last = chi2_or_f_isf(alpha, 1, dof), *_ends(alpha, k)
    guess = strong + (c - first) * (weak - strong) / (last - first)
    return largest - float(_critical_at(np.array([largest]), np.array([guess]), alpha, k, dof)[0])


@lru_cache(maxsize=32)
def acceptance_table(alpha: float, k: int, dof: float | None = None) -> Callable[[Vector], Vector]:
    """`acceptance_strength` for arrays, from a table; its error is below 1e-6."""
    weak = chi2_or_f_isf(alpha, k, dof)
    if k == 1:
        return lambda largest: np.maximum(largest - weak, 0.0)
    largest = weak + np.append(0.0, np.geomspace(1e-6 * weak, 1e5 * weak, 800))
    c = [m - acceptance_strength(float(m), alpha, k, dof) for m in largest]
    # with the limit of strong instruments at the end nothing is extrapolated
    shares = np.append(1 / largest, 0.0)[::-1]
    curve = interpolate.CubicSpline(shares, np.append(c, chi2_or_f_isf(alpha, 1, dof))[::-1])
    # a line between close nodes, unlike a spline, is followed without the interpreter's lock
    fine = np.interp(np.linspace(0, shares.size - 1, 32_000), np.arange(shares.size), shares)
    values = curve(fine)

    def strength(largest: Vector) -> Vector:
        inside = np.maximum(largest, weak)
        found = inside - np.interp(1 / inside, fine, values)
        return np.where(largest > weak, found, 0.0)

    return strength


def _ends(alpha: float, k: int) -> tuple[float, float]:
    return chi2_or_f_isf(alpha, 1), chi2_or_f_isf(alpha, k)


@lru_cache(maxsize=64)
def _critical_values(alpha: float, k: int) -> Vector:
    """Chebyshev coefficients of c in ``2 weak / M - 1``, as many as matter."""
    strong, weak = _ends(alpha, k)
    terms, series = _FIRST_TERMS, np.array([strong + weak, weak - strong]) / 2
    while True:
        nodes = np.cos(np.pi * (np.arange(terms) + 0.5) / terms)
        start = np.asarray(np.polynomial.chebyshev.chebval(nodes, series), dtype=float)
        values = _critical_at(2 * weak / (nodes + 1), start, alpha, k, None)
        series = np.asarray(fft.dct(values, type=2), dtype=float) / terms
        series[0] /= 2
        if np.abs(series[-4:]).max() <= _NEGLIGIBLE * weak or terms >= _MOST_TERMS:
            return series
        terms *= 2


def _evaluate(series: Vector, share: float) -> float:
    """The series at ``weak / M = share``."""
    return float(np.cos(math.acos(2 * share - 1) * np.arange(series.size)) @ series)


def _critical_at(largest: Vector, start: Vector, alpha: float, k: int, dof: float | None) -> Vector:
    """The c at which ``P(LR > c | QT = M - c) = alpha``, by secants on the log of the p-value."""
    lowest = chi2_or_f_isf(alpha, 1, dof)
    highest = np.minimum(chi2_or_f_isf(alpha, k, dof), largest)

    def excess(c: Vector) -> Vector:
        return np.log(conditional_p_value(c, largest - c, k, dof) / alpha)

    c, moved = start, -1e-4 * start
    value = excess(c)
    for _ in range(30):
        last, value = value, excess(c + moved)
        change = value - last
        step = np.divide(value * moved, change, out=np.zeros_like(value), where=change != 0)
        c = c + moved
        # the error left by a secant is of the order of its step times the one before
        done = np.abs(step * moved).max() <= 1e-15
        moved = np.minimum(np.maximum(c - step, lowest), highest) - c
        if done:
            break
    return c + moved
