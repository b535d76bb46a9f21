"""Panel regressions of one exposure: the methods of the literature on one data set.

==========================  ====================================================================
``"pooled"``                least squares of all interviews
``"within"``                fixed effects: patients compared with themselves only
``"between"``               least squares of patients' means: patients compared with one another
``"random effects"``        GLS with Swamy and Arora's variances [swamy1972exact]
``"mundlak"``               random effects with patients' means added [mundlak1978pooling]: the
                            coefficient within patients, and that between
``"first differences"``     changes from the previous interview
``"lagged"``                within, on the exposure of the previous interview
``"mixed"``                 random intercepts by REML or ML, and random slopes if asked for
==========================  ====================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import pandas as pd

from pooledtrials.arguments import Columns, choice, fraction
from pooledtrials.panels.estimate import PanelEstimate
from pooledtrials.panels.layout import Layout, layout
from pooledtrials.panels.linear import (
    between,
    first_differences,
    lagged_within,
    mundlak,
    pooled,
    random_effects,
    within,
)
from pooledtrials.panels.mixed import mixed
from pooledtrials.panels.options import Options

_METHODS: Final[Mapping[str, Callable[[Layout, Options], PanelEstimate]]] = MappingProxyType(
    {
        "pooled": pooled,
        "between": between,
        "random effects": random_effects,
        "mixed": mixed,
        "within": within,
        "mundlak": mundlak,
        "first differences": first_differences,
        "lagged": lagged_within,
    }
)
METHODS: Final = tuple(_METHODS)
"""Names of the methods, from those that compare patients with one another to those that do not."""


def fit(
    y: Columns,
    x: Columns,
    patients: Columns,
    waves: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    trials: Columns | None = None,
    *,
    method: str = "within",
    effects: str = "trial-wave",
    covariance: str = "clustered",
    variant: str = "CR1S",
    small_sample: bool = False,
    gaps: str = "skip",
    slopes: str | None = None,
    reml: bool = True,
    labels_within_trials: bool = True,
) -> PanelEstimate:
    """Coefficient of an exposure on an outcome over patients' repeated interviews.

    The model is ``y_it = b x_it + c'controls_it + effect of the cell + (patient) + e_it``; what is
    done about the patient is the method. None of the methods removes what changes in a patient
    over time and drives both exposure and outcome.

    Parameters
    ----------
    y, x, patients, waves, controls, clusters, trials
        As in `layout`. A coefficient is in units of ``y`` per unit of ``x``: pass attendance
        divided by ten to read it per ten more meeting days.
    method
        One of `METHODS`. Waves' places in a trial's own schedule decide what the previous
        interview is (first differences, lagged). ``between`` weights patients alike.
    effects
        ``"trial-wave"``: an effect of each trial at each wave; ``"wave"``: of each wave, alike in
        all trials; ``"none"``: an intercept. In ``between`` and ``mundlak`` they enter as means
        over each patient's interviews, too.
    covariance
        ``"clustered"`` by patient, or by ``clusters``; ``"classical"``: equal variances and, given
        the method's patient effects, independent errors; ``"robust"`` (HC1): independent errors,
        seldom true of a patient's interviews. Robust errors are refused with patient effects,
        where they are inconsistent [stock2008heteroskedasticity]. Classical errors of ``mixed``
        take its variances as known.
    variant
        Small-sample factor of the clustered covariance, one of `VARIANTS`: ``"CR1S"`` is G / (G -
        1) * (n - 1) / (n - k). Which columns k counts is told in `pooledtrials.panels.variants`.
    small_sample
        Which of Swamy and Arora's patient variances random effects and Mundlak use when patients
        have unequal numbers of interviews: ``False`` takes the harmonic mean of those numbers
        (Stata's ``xtreg, re``, linearmodels), ``True`` the traces of Baltagi and Chang
        [baltagi1994incomplete] (Stata's ``sa``, R's plm). In balanced panels they agree.
    gaps
        ``"skip"``: an interview after a missed wave has no previous interview; ``"span"``: its
        previous interview is the last one held.
    slopes
        For ``mixed``: ``"trials"`` lets the coefficient differ at random between trials, x taken
        about each trial's mean; ``"patients"`` between patients, correlated with their intercepts
        (the variance of these is then at x = 0).
    reml
        For ``mixed``: restricted likelihood, otherwise ML.
    labels_within_trials
        As in `layout`.

    Returns
    -------
    PanelEstimate

    Raises
    ------
    ValueError
        As `layout`, and: an exposure constant within every patient where they are compared with
        themselves; controls that the effects span; too few rows; no neighbouring interviews; one
        trial with ``slopes="trials"``; errors that a method does not have.

    Notes
    -----
    With the means of all columns that change, those of the cells among them, Mundlak's coefficient
    of x is the within coefficient exactly, in unbalanced panels too and whatever the variances:
    a patient's deviations are orthogonal to everything constant in the patient. Its coefficient
    between patients weights them by ``T (1 - theta)^2`` for T interviews; ``between`` weights all
    alike, so the two are equal if all patients have the same number of interviews. Random effects
    become pooled least squares as the patient variance goes to 0, and within as it grows.
    """
    choice(method, "method", METHODS)
    options = Options(effects, covariance, variant, small_sample, gaps, slopes, reml)
    data = layout(
        y, x, patients, waves, controls, clusters, trials, labels_within_trials=labels_within_trials
    )
    return _METHODS[method](data, options)


def fit_all(
    y: Columns,
    x: Columns,
    patients: Columns,
    waves: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    trials: Columns | None = None,
    *,
    methods: Sequence[str] = METHODS,
    effects: str = "trial-wave",
    covariance: str = "clustered",
    variant: str = "CR1S",
    small_sample: bool = False,
    gaps: str = "skip",
    reml: bool = True,
    labels_within_trials: bool = True,
) -> dict[str, PanelEstimate]:
    """Every method on the same data, by name, in the order of ``methods``.

    Parameters as in `fit`. See `compare` for the table.
    """
    for method in methods:
        choice(method, "methods", METHODS)
    options = Options(effects, covariance, variant, small_sample, gaps, None, reml)
    data = layout(
        y, x, patients, waves, controls, clusters, trials, labels_within_trials=labels_within_trials
    )
    return {method: _METHODS[method](data, options) for method in methods}


def compare(fits: Mapping[str, PanelEstimate], level: float = 0.95) -> pd.DataFrame:
    """The coefficient of the exposure by several methods, one row a method.

    Parameters
    ----------
    fits
        Results by name, as of `fit_all`.
    level
        Level of the intervals, t with each result's degrees of freedom.

    Returns
    -------
    pandas.DataFrame
        ``estimate``, ``se``, ``low``, ``high`` in units of the outcome per unit of the exposure;
        ``n`` rows, ``patients`` and ``clusters`` behind it, ``dof`` of its t reference.

    Raises
    ------
    ValueError
        If there are no fits, or the level is none.
    """
    fraction(level, "level")
    if not fits:
        raise ValueError("fits has 0 results: give one or more, as from fit_all")
    rows = {}
    for name, found in fits.items():
        ((low, high),) = found.interval(level).intervals
        rows[name] = {
            "estimate": found.coefficient,
            "se": found.standard_error,
            "low": low,
            "high": high,
            "n": found.nobs,
            "patients": found.n_patients,
            "clusters": found.n_clusters,
            "dof": found.dof,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
