"""Do fixed and random effects differ by more than chance? Hausman's test in two forms.

Random effects need what is constant about patients to be unrelated to the exposure; fixed effects
do not. If it is unrelated both estimate the same, and random effects more precisely.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import stats

from pooledtrials.arguments import Columns, choice
from pooledtrials.panels.design import MEAN
from pooledtrials.panels.layout import Layout, layout
from pooledtrials.panels.linear import mundlak, random_effects, within
from pooledtrials.panels.options import COVARIANCES, Options
from pooledtrials.results import Test

FORMS: Final = ("regression", "contrast")
TERMS: Final = ("exposure", "all")

_NULL: Final = "what is constant about patients is unrelated to "


def hausman_test(
    y: Columns,
    x: Columns,
    patients: Columns,
    waves: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    trials: Columns | None = None,
    *,
    form: str = "regression",
    terms: str = "exposure",
    effects: str = "trial-wave",
    covariance: str | None = None,
    variant: str = "CR1S",
    small_sample: bool = False,
    labels_within_trials: bool = True,
) -> Test:
    r"""Test that random effects estimate what fixed effects do.

    ``form="regression"`` adds each patient's means to the random-effects regression and tests that
    their coefficients, between less within, are zero [arellano1993testing]: a Wald test, with
    covariances that allow for dependence within clusters and unequal variances. Means of cells are
    added, too, and not tested: who was interviewed when may differ between patients.

    ``form="contrast"`` is Hausman's own [hausman1978specification]: ``d'(V_FE - V_RE)^-1 d`` with d
    the difference of the two estimates and V their classical covariances. It holds only if random
    effects are efficient: equal variances, no correlation of a patient's rows but through one
    constant. In a sample the difference of the covariances need not be positive definite. Then
    there is no statistic: one made with a generalized inverse has no known distribution, and a
    negative one is evidence of nothing. The answer says so, and the regression form is there.

    With ``terms="all"``, ``effects="none"`` and one residual variance in place of the two forms'
    own, the forms are the same test. With ``terms="exposure"`` and controls they ask different
    things: the contrast, whether the two estimates of b differ; the regression, whether the
    exposure's own mean matters once the controls' means are held constant. Neither says that fixed
    effects are right: what changes over time in a patient may bias both.

    Parameters
    ----------
    y, x, patients, waves, controls, clusters, trials
        As in `layout`.
    form : ``"regression"`` or ``"contrast"``
    terms
        ``"exposure"``: the coefficient of x alone; ``"all"``: those of x and of all controls that
        change within patients, jointly.
    effects : as in `fit`
    covariance
        ``"clustered"`` (the default of the regression form), ``"robust"`` or ``"classical"`` (the
        only one of the contrast).
    variant, small_sample, labels_within_trials : as in `fit`

    Returns
    -------
    Test
        ``"regression"``: F(q, G - 1) or F(q, n - k) for q terms; ``"contrast"``: chi2(q).

    Raises
    ------
    ValueError
        As `fit`; or for a covariance other than classical with the contrast.
    """
    choice(form, "form", FORMS)
    choice(terms, "terms", TERMS)
    if covariance is None:
        covariance = "clustered" if form == "regression" else "classical"
    choice(covariance, "covariance", COVARIANCES)
    if form == "contrast" and covariance != "classical":
        raise ValueError(
            f"covariance is {covariance!r} with form='contrast', whose formula holds for classical"
            " covariances only: use form='regression'"
        )
    options = Options(effects, covariance, variant, small_sample)
    data = layout(
        y, x, patients, waves, controls, clusters, trials, labels_within_trials=labels_within_trials
    )
    if form == "contrast":
        return _contrast(data, options, terms)
    return _regression(data, options, terms)


def _regression(data: Layout, options: Options, terms: str) -> Test:
    found = mundlak(data, options)
    means = [name for name in found.coefficients.index if name.startswith(MEAN)]
    tested = means if terms == "all" else [MEAN + data.names[0]]
    d = found.coefficients.loc[tested, "estimate"].to_numpy()
    covariance = found.covariance_matrix.loc[tested, tested].to_numpy()
    null = _NULL + ", ".join(name.removeprefix(MEAN) for name in tested)
    q = len(tested)
    if options.covariance == "clustered" and found.n_clusters <= q:
        reason = f"{found.n_clusters} clusters cannot test {q} terms jointly"
        return Test.not_applicable("Hausman, regression form", null, reason)
    statistic = float(d @ np.linalg.solve(covariance, d)) / q
    return Test(
        "Hausman, regression form",
        statistic,
        float(stats.f.sf(statistic, q, found.dof)),
        f"F({q}, {found.dof:g})",
        (q, found.dof),
        null,
        options.covariance,
    )


def _contrast(data: Layout, options: Options, terms: str) -> Test:
    fixed, random = within(data, options), random_effects(data, options)
    tested = list(fixed.coefficients.index) if terms == "all" else [data.names[0]]
    d = (fixed.coefficients["estimate"] - random.coefficients["estimate"]).loc[tested].to_numpy()
    covariance = (fixed.covariance_matrix - random.covariance_matrix).loc[tested, tested]
    null = _NULL + ", ".join(tested)
    # Judged in units of the fixed-effects errors, so that no column's scale decides.
    errors = fixed.coefficients.loc[tested, "se"].to_numpy()
    smallest = float(np.linalg.eigvalsh(covariance.to_numpy() / np.outer(errors, errors)).min())
    if smallest <= 1e-10:
        worse = int((np.diag(covariance) <= 0).sum())
        which = (
            f"random effects are less precise than fixed effects in {worse} of {len(tested)} terms"
            if worse
            else "random effects are less precise than fixed effects in some combination of terms"
        )
        reason = (
            f"the difference of the covariances is not positive definite (smallest eigenvalue"
            f" {smallest:.3g} of the fixed effects' variance): {which}, so that they are not"
            " efficient here and the statistic has no known distribution; use form='regression'"
        )
        return Test.not_applicable("Hausman, contrast", null, reason)
    statistic = float(d @ np.linalg.solve(covariance.to_numpy(), d))
    q = len(tested)
    p_value = float(stats.chi2.sf(statistic, q))
    return Test(
        "Hausman, contrast", statistic, p_value, f"chi2({q})", (q,), null, options.covariance
    )
