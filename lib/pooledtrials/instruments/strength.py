"""How strong the instruments are: the first stage and its several F statistics.

With one exposure Cragg and Donald's statistic [cragg1993testing] is the classical F, and
Kleibergen and Paap's [kleibergen2006generalized] the robust or clustered one; what differs is the
covariance, and what the number may be compared with (`five_f`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import linalg

from pooledtrials.arguments import Columns, Matrix, Vector, choice
from pooledtrials.instruments.conditional import chi2_or_f_sf
from pooledtrials.instruments.effective_f import EffectiveF, effective_f
from pooledtrials.instruments.moments import Moments, joint_moments
from pooledtrials.instruments.partialling import Partialled, partial_out
from pooledtrials.instruments.robust_panel import statistics_at
from pooledtrials.instruments.stock_yogo import stock_yogo_critical_value
from pooledtrials.results import Test

_NULL = "the instruments do not move the exposure"


@dataclass(frozen=True, eq=False)
class FirstStage:
    """The regression of the exposure on the instruments.

    Attributes
    ----------
    names, coefficients, standard_errors : of the k instruments, exposure units per unit of each
    partial_r2 : share of the exposure's remaining variance that the instruments explain
    root_mse : residual standard deviation, exposure units
    f_test : F of all instruments under ``covariance``
    effective : effective F and its critical values, same covariance
    covariance, nobs : the convention in force, rows
    """

    names: tuple[str, ...]
    coefficients: Vector
    standard_errors: Vector
    partial_r2: float
    root_mse: float
    f_test: Test
    effective: EffectiveF
    covariance: str
    nobs: int

    def to_frame(self) -> pd.DataFrame:
        """Coefficients, standard errors and t values, one row per instrument."""
        return pd.DataFrame(
            {
                "coefficient": self.coefficients,
                "standard_error": self.standard_errors,
                "t": self.coefficients / self.standard_errors,
            },
            index=pd.Index(self.names, name="instrument"),
        )

    def reading(self, tau: float = 0.10, alpha: float = 0.05) -> str:
        """What the effective F says, in words.

        Parameters
        ----------
        tau : tolerated bias of 2SLS as a share of the worst case
        alpha : level of the test
        """
        critical = self.effective.critical_value(tau, alpha)
        value = self.effective.statistic
        claim = f"that the bias of 2SLS is above {100 * tau:g} % of the worst case"
        if value > critical:
            return (
                f"The effective F is {value:.2f}, above the {critical:.2f} needed to reject {claim}"
                f" (at {100 * alpha:g} %): the instruments are not weak in this sense."
            )
        irrelevant = (
            " The instruments' effect on the exposure is not even significant."
            if self.f_test.p_value > alpha
            else ""
        )
        return (
            f"The effective F is {value:.2f}, below the {critical:.2f} needed to reject {claim} (at"
            f" {100 * alpha:g} %): report sets whose coverage does not depend on strength."
            f"{irrelevant}"
        )


def first_stage(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    debiased: bool = True,
) -> FirstStage:
    """First stage: coefficients, F under the chosen covariance, partial R2, effective F.

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere, see `partial_out`. ``y`` enters only the critical values of the effective F,
        which depend on the covariance of first stage and reduced form.
    covariance : ``"robust"`` (HC1), ``"classical"`` or ``"HC3"``; clustered with ``clusters``
    debiased : small-sample factors, see `moments`

    Returns
    -------
    FirstStage

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    return first_stage_from(data, joint_moments(data, covariance, debiased=debiased))


def first_stage_from(data: Partialled, moments: Moments) -> FirstStage:
    """The same from data already partialled out and their moments (Wald form)."""
    return first_stage_of(moments, data.r, data.instrument_names)


def first_stage_of(moments: Moments, r: Matrix, names: tuple[str, ...]) -> FirstStage:
    """The same from moments alone (Wald form), in the instruments' own units.

    Parameters
    ----------
    moments : of the orthonormal instruments
    r : (k, k) upper triangle
        The partialled instruments are the orthonormal ones times r.
    names : of the k instruments
    """
    inverse = linalg.solve_triangular(r, np.eye(moments.n_instruments))
    spread = inverse @ moments.omega[1, 1] @ inverse.T
    explained = float(moments.gram[1, 1])
    left = float(moments.residual_gram[1, 1])
    dof = moments.nobs - moments.n_partialled - moments.n_instruments
    return FirstStage(
        names=names,
        coefficients=inverse @ moments.first_stage,
        standard_errors=np.sqrt(np.diag(spread)),
        partial_r2=explained / (explained + left),
        root_mse=float(np.sqrt(left / (dof if moments.debiased else moments.nobs))),
        f_test=first_stage_f_test(moments),
        effective=effective_f(moments),
        covariance=moments.covariance,
        nobs=moments.nobs,
    )


def first_stage_f_test(moments: Moments) -> Test:
    """Wald F of the first stage: ``pi'W2^-1 pi / k``, F(k, n - p - k) or F(k, G - 1)."""
    k = moments.n_instruments
    value = float(statistics_at(moments, np.inf).anderson_rubin)
    names = {"classical": "first-stage F (Cragg-Donald)", "clustered": "first-stage F, clustered"}
    return Test(
        names.get(moments.covariance, "first-stage F, robust (Kleibergen-Paap)"),
        value / k,
        float(chi2_or_f_sf(value, k, moments.dof)),
        f"F({k}, {moments.dof:g})",
        (k, moments.dof),
        _NULL,
        moments.covariance,
    )


def rank_lm_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
) -> Test:
    """Underidentification: Kleibergen and Paap's rank LM test, classical Anderson's canonical one.

    The score form of the first stage, ``x'Q V^-1 Q'x`` with the exposure itself as residual and no
    small-sample factor, chi2(k) [kleibergen2006generalized]. Rejecting it does not make
    instruments strong. Parameters as in `first_stage`.
    """
    return rank_lm_from(partial_out(y, x, z, controls, clusters, strata), covariance)


def rank_lm_from(data: Partialled, covariance: str) -> Test:
    """`rank_lm_test` of data already partialled out."""
    choice(covariance, "covariance", ("classical", "robust"))
    moments = joint_moments(data, covariance, form="score", debiased=False)
    k, value = data.n_instruments, float(statistics_at(moments, np.inf).anderson_rubin)
    name = "Anderson canonical correlation LM"
    if moments.covariance != "classical":
        name = "Kleibergen-Paap rank LM"
    return Test(
        name, value, float(chi2_or_f_sf(value, k)), f"chi2({k})", (k,), _NULL, moments.covariance
    )


def five_f(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    tau: float = 0.10,
) -> pd.DataFrame:
    """The F statistics of one first stage side by side, and what each may be compared with.

    Classical (Cragg-Donald), robust (Kleibergen-Paap), effective; with ``clusters`` also clustered
    and clustered effective. Without clusters those two rows are absent: nothing stands in for them.

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As in `first_stage`.
    tau : tolerated relative bias of 2SLS for the thresholds

    Returns
    -------
    DataFrame
        One row per F: statistic, p_value (of a zero first stage; none for effective F), threshold,
        exceeds, compare_with.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    return five_f_from(data, first_stage_from(data, joint_moments(data)), tau)


def five_f_from(data: Partialled, stage: FirstStage, tau: float) -> pd.DataFrame:
    """`five_f` of data already partialled out, of which one first stage is known."""
    labels = ["classical", "robust"] + (["clustered"] if data.clusters is not None else [])
    unclustered = replace(data, clusters=None)
    rows: list[dict[str, object]] = []
    for label in labels:
        if label == stage.covariance:
            test, effective = stage.f_test, stage.effective
        else:
            source = data if label == "clustered" else unclustered
            moments = joint_moments(source, "classical" if label == "classical" else "robust")
            test, effective = first_stage_f_test(moments), effective_f(moments)
        rows.append({"F": label, "statistic": test.statistic, "p_value": test.p_value})
        rows[-1] |= _comparison(label, effective, data.n_instruments, tau)
        if label != "classical":
            rows.append(
                {
                    "F": f"effective, {label}",
                    "statistic": effective.statistic,
                    "p_value": float("nan"),
                    "threshold": effective.critical_value(tau),
                    "compare_with": f"Montiel Olea-Pflueger, 2SLS bias {100 * tau:g} %",
                }
            )
    frame = pd.DataFrame(rows).set_index("F")
    exceeds = (frame["statistic"] > frame["threshold"]).astype("boolean")
    frame.insert(3, "exceeds", exceeds.mask(frame["threshold"].isna()))
    return frame


def _comparison(label: str, effective: EffectiveF, k: int, tau: float) -> dict[str, object]:
    """What an ordinary F may be compared with, if anything."""
    if label == "classical":
        criterion, tolerance = ("bias", tau) if k >= 3 else ("size", max(tau, 0.10))
        return {
            "threshold": stock_yogo_critical_value(k, tolerance, criterion),
            "compare_with": f"Stock-Yogo {criterion} {100 * tolerance:g} %, homoskedastic errors"
            " only",
        }
    if k == 1:
        return {
            "threshold": effective.critical_value(tau),
            "compare_with": f"equals the effective F with one instrument, bias {100 * tau:g} %",
        }
    return {
        "threshold": float("nan"),
        "compare_with": "no weak-instrument threshold exists for it",
    }
