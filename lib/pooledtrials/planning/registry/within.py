"""Fixed effects of patients from the sums of a registry."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from pooledtrials.arguments import Codes, Vector
from pooledtrials.panels.estimate import Dropped, PanelEstimate, dropped_frame
from pooledtrials.panels.variants import factor
from pooledtrials.planning.registry.cross_products import CrossProducts, Shape
from pooledtrials.planning.registry.factorized import Factorized
from pooledtrials.planning.registry.files import Roles

_VARIANT = "CR1S"


def within_estimate(
    products: CrossProducts,
    roles: Roles,
    shape: Shape,
    cells: Codes,
    variation: Vector,
    effects: str,
) -> PanelEstimate:
    """Least squares within patients, as `panels.fit` has it.

    Parameters
    ----------
    products, roles, shape
        As in `registry.RegistrySums`.
    cells
        (trials, waves) codes of the effects, -1 where there is none.
    variation
        Of controls, exposure and outcome about their means.
    effects
        What the effects are, for the result.

    Raises
    ------
    ValueError
        If too few patients have two rows, or nothing is left of exposure or outcome.
    """
    patients, nobs, steady = (int(count) for count in products.repeated.sum(axis=0))
    if patients < 2:
        raise ValueError(
            f"{roles.named(roles.patients)}: {patients} patients have two rows or more, and others"
            " cannot be compared with themselves; use ols"
        )
    shown = cells if shape.waves > 1 else cells[:, :0]
    first, second = products.first_within, products.second_within
    found = Factorized.of(shape.within, first, second, shown, variation)
    controls = range(found.n_cells, len(found.coefficients) - 2)
    x, y = controls.stop, controls.stop + 1
    for column, name, words in (
        (x, roles.x, "does not change within patients beyond what controls and effects explain"),
        (y, roles.y, "is explained exactly by exposure, controls and effects"),
    ):
        if column not in found.kept:
            raise ValueError(f"{roles.named(name)} {words}: nothing is left to compare")
    columns = found.kept.size - 1  # all but the outcome, which is last
    spread = found.coefficients[:, :columns]
    terms = [x, *(j for j in controls if j in found.kept)]
    names = [roles.x, *(roles.controls[j - found.n_cells] for j in terms[1:])]
    slopes = (spread @ found.triangle[:columns, columns])[terms]
    residual = found.coefficients[:, columns] * found.triangle[columns, columns]
    influence = spread[terms] @ spread.T
    scale = factor(_VARIANT, nobs, columns, patients, intercept=False)
    covariance = scale * found.meat(influence, np.tile(residual, (len(terms), 1)))
    table = pd.DataFrame({"estimate": slopes, "se": np.sqrt(np.diag(covariance))}, names)
    table["t"] = table["estimate"] / table["se"]
    table["p"] = 2 * stats.t.sf(np.abs(table["t"]), patients - 1)
    gone = [roles.controls[j - found.n_cells] for j in controls if j not in found.kept]
    dropped = [
        Dropped(
            round(float(products.patients.sum())) - patients,
            "patients with one interview",
            "left out, since they cannot be compared with themselves",
        ),
        Dropped(
            steady,
            f"patients whose {roles.x} never changes",
            "they stay and help to estimate the other terms, but say nothing about this one",
        ),
        Dropped(
            len(gone),
            f"control{'' if len(gone) == 1 else 's'} ({', '.join(gone)})",
            "left out, having no change within patients beyond the effects",
        ),
    ]
    return PanelEstimate(
        method="within",
        coefficient=float(slopes[0]),
        standard_error=float(table["se"].iloc[0]),
        covariance="clustered",
        nobs=nobs,
        dof=float(patients - 1),
        exposure=roles.x,
        effects=effects,
        variant=_VARIANT,
        n_patients=patients,
        n_trials=int((products.repeated[:, 0] > 0).sum()),
        n_clusters=patients,
        columns=columns,
        coefficients=table,
        covariance_matrix=pd.DataFrame(covariance, names, names),
        dropped=dropped_frame(dropped),
    )
