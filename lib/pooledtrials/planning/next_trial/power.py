"""Power of an instrumented effect, before the data: the 2SLS t-test and the Anderson-Rubin test.

For one instrument with homoskedastic errors [wang2018sensitivity]: ``x = gamma z + v``,
``y = beta x + u``, the instrument's variance (after controls) ``z_variance``. The power of 2SLS is
that of its strong-instrument approximation and says nothing when the instrument is weak; that of
Anderson-Rubin holds at any strength, and depends on the *sign* of the endogeneity: under the null
the residual is u + beta v, whose variance is larger when rho and beta have the same sign.
"""

from __future__ import annotations

import math
from typing import Final

from scipy import stats

from pooledtrials.arguments import correlation as checked_correlation
from pooledtrials.arguments import finite, fraction, whole

LARGEST: Final = 10**9
"""Rows beyond which no size is given."""


def tsls_power(
    n: int, beta: float, correlation: float, x_sd: float, u_sd: float, *, alpha: float = 0.05
) -> float:
    """Power of the 2SLS z-test of no effect, strong-instrument approximation.

    Parameters
    ----------
    n : rows
    beta : true effect
    correlation : of instrument and exposure
    x_sd, u_sd : standard deviations of exposure and structural error
    alpha : two-sided level
    """
    _positive(n=n, x_sd=x_sd, u_sd=u_sd)
    fraction(alpha, "alpha")
    checked_correlation(correlation, "correlation")
    shift = finite(beta, "beta") * correlation * math.sqrt(n) * x_sd / u_sd
    critical = float(stats.norm.isf(alpha / 2))
    return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))


def tsls_sample_size(
    power: float,
    beta: float,
    correlation: float,
    x_sd: float,
    u_sd: float,
    *,
    alpha: float = 0.05,
) -> int:
    """Rows at which `tsls_power` reaches ``power`` (its far tail neglected), `LARGEST` at most."""
    _positive(x_sd=x_sd, u_sd=u_sd)
    check_power(power, alpha)
    unit = finite(beta, "beta") * checked_correlation(correlation, "correlation") * x_sd / u_sd
    if unit == 0:
        raise ValueError("beta or correlation is 0: no number of rows gives power")
    quantiles = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    if abs(quantiles / unit) > math.sqrt(LARGEST):
        raise _too_many(f"beta {beta} or correlation {correlation}")
    return math.ceil((quantiles / unit) ** 2)


def anderson_rubin_power(
    n: int,
    beta: float,
    gamma: float,
    z_variance: float,
    u_sd: float,
    v_sd: float,
    rho: float,
    *,
    partialled: int = 1,
    direct_effect: float = 0.0,
    alpha: float = 0.05,
) -> float:
    """Power of the Anderson-Rubin F test of no effect, one instrument, any strength.

    The non-centrality is ``n z_variance (beta gamma)^2 / (u_sd^2 + 2 rho beta u_sd v_sd + beta^2
    v_sd^2)``. With ``direct_effect`` d the test allows for an instrument that acts on the outcome
    by up to d: its critical value is that of the worst such case, and the power that of the least
    favourable direct effect.

    Parameters
    ----------
    n : rows
    beta, gamma : effect of the exposure, of the instrument on it
    z_variance : variance of the instrument after controls
    u_sd, v_sd, rho : standard deviations and correlation of the errors
    partialled : columns partialled out, intercept included
    direct_effect : largest direct effect the test allows for, 0 for the exclusion restriction
    alpha : level
    """
    _positive(n=n, z_variance=z_variance, u_sd=u_sd, v_sd=v_sd)
    fraction(alpha, "alpha")
    finite(beta, "beta"), finite(gamma, "gamma")
    checked_correlation(rho, "rho")
    if finite(direct_effect, "direct_effect") < 0:
        raise ValueError(f"direct_effect is {direct_effect}: give its largest absolute size")
    dof = float(n - whole(partialled, "partialled", 0) - 1)
    if dof < 1:
        raise ValueError(f"n is {n}, too few for {partialled} columns partialled out")
    variance = u_sd**2 + 2 * rho * beta * u_sd * v_sd + beta**2 * v_sd**2
    if variance <= 1e-12 * u_sd**2:
        raise ValueError(
            f"rho is {rho}, with which u + beta v does not vary at beta {beta}: give a rho nearer 0"
        )
    null = n * z_variance * direct_effect**2 / u_sd**2
    critical = float(stats.f.isf(alpha, 1, dof))
    if null > 0:
        critical = float(stats.ncf.isf(alpha, 1, dof, null))
    signal = max(abs(beta * gamma) - direct_effect, 0.0)
    if signal == 0:  # scipy's noncentral F is wrong at a noncentrality of exactly zero
        return float(stats.f.sf(critical, 1, dof))
    return float(stats.ncf.sf(critical, 1, dof, n * z_variance * signal**2 / variance))


def anderson_rubin_sample_size(
    power: float,
    beta: float,
    gamma: float,
    z_variance: float,
    u_sd: float,
    v_sd: float,
    rho: float,
    *,
    partialled: int = 1,
    alpha: float = 0.05,
) -> int:
    """Smallest number of rows, to `LARGEST`, at which `anderson_rubin_power` reaches ``power``."""
    check_power(power, alpha)
    if finite(beta, "beta") * finite(gamma, "gamma") == 0:
        raise ValueError("beta or gamma is 0: no number of rows gives power")

    def reached(n: int) -> bool:
        found = anderson_rubin_power(
            n, beta, gamma, z_variance, u_sd, v_sd, rho, partialled=partialled, alpha=alpha
        )
        return found >= power

    low = high = whole(partialled, "partialled", 0) + 2
    while not reached(high):
        if high >= LARGEST:
            raise _too_many(f"beta {beta} or gamma {gamma}")
        low, high = high, min(2 * high, LARGEST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def check_power(power: float, alpha: float) -> None:
    """Refuse a power that a test of this level has without an effect.

    Raises
    ------
    ValueError
        Also for what are no fractions.
    """
    fraction(power, "power")
    if power <= fraction(alpha, "alpha"):
        raise ValueError(
            f"power is {power} and alpha {alpha}: a test has its level for power already, ask more"
        )


def _too_many(what: str) -> ValueError:
    return ValueError(
        f"{what} is too small: more than {LARGEST:,} rows would be needed, suppose a larger one or"
        " ask for less"
    )


def _positive(**values: float) -> None:
    for name, value in values.items():
        if finite(value, name) <= 0:
            raise ValueError(f"{name} is {value}: give a positive number")
