"""One instrument, one exposure: two coefficients and their covariance say all there is to say.

The reduced form ``rho`` (of y on z) and the first stage ``pi`` (of x on z), after controls, with
their (2, 2) covariance V. At an effect b the Anderson-Rubin regression of ``y - b x`` on z has the
coefficient ``m(b) = rho - b pi`` with variance ``V(b) = V11 - 2 b V12 + b^2 V22``; the instrumental
variables estimate is ``rho / pi``, where m is 0, and its standard error ``sqrt(V(rho / pi)) /
|pi|``. Every set here is bounded by roots of quadratics in b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from pooledtrials.arguments import Columns, choice, finite, fraction
from pooledtrials.confidence_set import ConfidenceSet, from_boundaries
from pooledtrials.selection.least_squares import (
    COVARIANCES,
    Centred,
    centre,
    coefficients,
    residuals,
)

Covariance: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""((V11, V12), (V12, V22)), reduced form first."""

REFERENCES = ("t", "normal")


@dataclass(frozen=True)
class JustIdentified:
    """Reduced form and first stage of one instrument.

    Attributes
    ----------
    reduced_form : outcome units per unit of instrument
    first_stage : exposure units per unit of instrument
    covariance : their covariance, of the kind that tests and intervals use
    dof : degrees of freedom of its t reference: residual, or clusters less one
    kind : ``"classical"``, ``"robust"`` or ``"clustered"``, of ``covariance``
    classical : classical covariance, None if unknown
    residual_dof : its degrees of freedom, None if unknown
    instrument_variation : sum of squares of the instrument after controls, None if unknown
    """

    reduced_form: float
    first_stage: float
    covariance: Covariance
    dof: float
    kind: str
    classical: Covariance | None
    residual_dof: float | None
    instrument_variation: float | None = None

    @property
    def coefficient(self) -> float:
        """The instrumental variables estimate, outcome units per unit of exposure."""
        return self.reduced_form / self.first_stage

    @property
    def standard_error(self) -> float:
        """Its standard error, that of 2SLS; not to be trusted when the instrument is weak."""
        return math.sqrt(self.variance(self.coefficient)) / abs(self.first_stage)

    def moment(self, b: float) -> float:
        """Coefficient of the instrument in the regression of ``y - b x``."""
        return self.reduced_form - b * self.first_stage

    def variance(self, b: float) -> float:
        """Its variance."""
        return evaluate(self.covariance, b)

    def t_value(self, b: float) -> float:
        """Its t, the signed root of the Anderson-Rubin F at b."""
        return self.moment(b) / math.sqrt(self.variance(b))

    def critical_value(self, level: float, reference: str = "t") -> float:
        """Two-sided quantile of the t or normal reference."""
        choice(reference, "reference", REFERENCES)
        tail = (1 - fraction(level, "level")) / 2
        return float(stats.norm.isf(tail) if reference == "normal" else stats.t.isf(tail, self.dof))


def just_identified(
    reduced_form: float,
    first_stage: float,
    covariance: npt.ArrayLike,
    dof: float,
    *,
    kind: str = "classical",
    classical: npt.ArrayLike | None = None,
    residual_dof: float | None = None,
    instrument_variation: float | None = None,
) -> JustIdentified:
    """Bare numbers, checked.

    Parameters
    ----------
    reduced_form, first_stage : coefficients of the instrument, for outcome and exposure
    covariance : (2, 2), reduced form first
    dof : degrees of freedom of its t reference
    kind : ``"classical"``, ``"robust"`` or ``"clustered"``
    classical, residual_dof : classical covariance and residual degrees of freedom, which omitted
        variables need besides if ``kind`` is another
    instrument_variation : sum of squares of the instrument after controls, which only
        `anderson_rubin_sensitivity` needs

    Raises
    ------
    ValueError
        If a number is not finite, the first stage is 0, or a covariance is not one.
    """
    choice(kind, "kind", (*COVARIANCES, "clustered"))
    matrix = _covariance(covariance, "covariance")
    rho, pi = finite(reduced_form, "reduced_form"), finite(first_stage, "first_stage")
    if pi == 0:
        raise ValueError("first_stage is 0: the instrument moves nothing, and there is no estimate")
    dofs = {"dof": dof, "residual_dof": residual_dof, "instrument_variation": instrument_variation}
    for name, value in dofs.items():
        if value is not None and finite(value, name) <= 0:
            raise ValueError(f"{name} is {value:g}: give a positive number")
    if kind == "classical":
        return JustIdentified(rho, pi, matrix, dof, kind, matrix, dof, instrument_variation)
    if (classical is None) != (residual_dof is None):
        raise ValueError("classical and residual_dof belong together: give both, or neither")
    other = None if classical is None else _covariance(classical, "classical")
    return JustIdentified(rho, pi, matrix, dof, kind, other, residual_dof, instrument_variation)


def just_identified_fit(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
) -> JustIdentified:
    """Reduced form and first stage from data.

    Parameters
    ----------
    y, x, z : (n,) outcome, exposure and the one instrument
    controls, clusters, strata
        As in `regression_sensitivity`.
    covariance : ``"robust"`` (HC1) or ``"classical"``; clustered (CR1) with clusters

    Raises
    ------
    ValueError
        For unusable arguments, or a second instrument.
    """
    return just_identified_of(centre(y, x, z, controls, clusters, strata), covariance)


def just_identified_of(data: Centred, covariance: str) -> JustIdentified:
    """Reduced form and first stage of centred data with an instrument."""
    choice(covariance, "covariance", COVARIANCES)
    left = residuals(np.column_stack([data.y, data.x, data.instrument]), data.controls)
    pair, instrument = left[:, :2], left[:, 2]
    found, classical, _, residual_dof = coefficients(pair, instrument, data)
    wanted = "robust" if data.clusters is not None else covariance
    _, other, kind, dof = coefficients(pair, instrument, data, wanted)
    return just_identified(
        float(found[0]),
        float(found[1]),
        other,
        dof,
        kind=kind,
        classical=classical,
        residual_dof=residual_dof,
        instrument_variation=float(instrument @ instrument),
    )


def refuse_other_fits(fit: Any) -> None:
    """Refuse what is no `JustIdentified`: an estimate alone does not hold both coefficients.

    Raises
    ------
    ValueError
        Saying how to make one.
    """
    if not isinstance(fit, JustIdentified):
        raise ValueError(
            f"fit is a {type(fit).__name__}: give just_identified_fit(y, x, z, ...), or"
            " just_identified(...) of the reduced form, the first stage and their covariance"
        )


def evaluate(covariance: Covariance, b: float) -> float:
    """V(b)."""
    return covariance[0][0] - 2 * b * covariance[0][1] + b * b * covariance[1][1]


def boundaries(
    fit: JustIdentified, multiple: float, covariance: Covariance, shift: float = 0.0
) -> list[float]:
    """Real b with ``(m(b) - shift)^2 = multiple V(b)``."""
    rho, pi = fit.reduced_form - shift, fit.first_stage
    (v11, v12), (_, v22) = covariance
    return quadratic_roots(
        pi * pi - multiple * v22, -2 * (rho * pi - multiple * v12), rho * rho - multiple * v11
    )


def anderson_rubin_set(
    fit: JustIdentified, level: float = 0.95, *, reference: str = "t", shift: float = 0.0
) -> ConfidenceSet:
    """Effects b at which ``|m(b) - shift|`` is within the critical value; exact at any strength."""
    c = fit.critical_value(level, reference)
    return from_boundaries(
        boundaries(fit, c * c, fit.covariance, shift),
        lambda b: abs(fit.moment(b) - shift) <= c * math.sqrt(fit.variance(b)),
        level,
    )


def quadratic_roots(a: float, b: float, c: float) -> list[float]:
    """Real roots of ``a x^2 + b x + c``, without cancellation."""
    discriminant = b * b - 4 * a * c
    if discriminant < 0:
        return []
    half = -(b + math.copysign(math.sqrt(discriminant), b)) / 2
    return [top / bottom for top, bottom in ((half, a), (c, half)) if bottom != 0]


def _covariance(matrix: npt.ArrayLike, name: str) -> Covariance:
    array = np.asarray(matrix, dtype=float)
    if array.shape != (2, 2) or not np.isfinite(array).all():
        raise ValueError(f"{name} has shape {array.shape}: give four finite numbers, (2, 2)")
    (v11, v12), (v21, v22) = array.tolist()
    if not math.isclose(v12, v21, rel_tol=1e-9, abs_tol=1e-12 * math.sqrt(abs(v11 * v22))):
        raise ValueError(f"{name} has off-diagonal {v12:g} and {v21:g}: a covariance is symmetric")
    if v11 <= 0 or v22 <= 0 or v12 * v12 >= v11 * v22:
        raise ValueError(f"{name} is not positive definite: check its four numbers")
    return ((v11, v12), (v12, v22))
