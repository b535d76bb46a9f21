"""The effect of having been assigned: arms compared as they were randomized.

Nothing here is a model of errors. If assignment changed every outcome by ``b`` per unit of z, then
``y - b z`` is what outcomes would have been at z = 0 and cannot depend on the assignment: permuting
the assignment as it was randomized, within strata and between randomized units, gives the exact law
of any statistic. A patient interviewed several times is one unit.

The statistic is the covariance of assignment with unit totals of ``y - b z``, strata and controls
partialled out, over its robust standard error in that assignment. Studentized, the test is exact
for "no effect on anybody" and keeps its size in large samples also for "no effect on average",
whatever the arms' variances [wu2021randomization]; unit totals extend that to clusters
[su2021model]. Its square and that of each permutation are rational in b, so the confidence set is
exact, see `accepted_effects`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    choice,
    fraction,
    label_codes,
    one_column,
)
from pooledtrials.clusters import cluster_sums
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.panels.absorption import Absorbed, absorb
from pooledtrials.panels.bias_reduced import BiasReducedEstimate, bias_reduced_estimate
from pooledtrials.panels.step_inversion import accepted_effects
from pooledtrials.resampling import (
    Seed,
    assignments,
    generator_of,
    randomized_units,
)
from pooledtrials.results import Test

_TIE = 1e-10  # relative: a permutation that reproduces the data must count as a tie
_BLOCK = 100_000  # numbers per block of permutations, to stay in the cache


@dataclass(frozen=True)
class ArmContrast:
    """The intention-to-treat contrast of one trial or several.

    Attributes
    ----------
    estimate : least squares difference per unit of z, with CR2 (HC2) standard error
    test : randomization test of no effect on anybody
    effects : constant effects that randomization is consistent with
    units : randomized units
    """

    estimate: BiasReducedEstimate
    test: Test
    effects: ConfidenceSet
    units: int

    def describe(self) -> str:
        """The contrast as sentences."""
        return (
            f"Assignment goes with a difference of {self.estimate.coefficient:.4g} per unit of z"
            f" (s.e. {self.estimate.standard_error:.3g}, {self.units} randomized units). Had it"
            f" made no difference to anybody, a share of {self.test.p_value:.4g} of"
            f" {self.test.distribution} would give a statistic at least as large. At the"
            f" {100 * self.effects.level:g} % level randomization is consistent with an effect, the"
            f" same for all, in {self.effects}."
        )

    def to_frame(self) -> pd.DataFrame:
        """One row: estimate, its interval by CR2, randomization p-value and hull of the set."""
        low, high = self.estimate.interval(self.effects.level).intervals[0]
        hull = (self.effects.intervals[0][0], self.effects.intervals[-1][1])
        return pd.DataFrame(
            {
                "estimate": [self.estimate.coefficient],
                "standard_error": [self.estimate.standard_error],
                "dof": [self.estimate.dof],
                "low": [low],
                "high": [high],
                "p_randomization": [self.test.p_value],
                "set_low": [hull[0]],
                "set_high": [hull[1]],
                "units": [self.units],
            }
        )


def arm_contrast(
    y: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    statistic: str = "studentized",
    level: float = 0.95,
    draws: int = 9999,
    seed: Seed = 0,
) -> ArmContrast:
    """Intention-to-treat difference with randomization p-value and confidence set.

    It fails where assignment was not random within strata as given, and where outcomes are missing
    for reasons that assignment changed. The set supposes one effect for all; the test does not.

    Parameters
    ----------
    y : (n,)
        Outcome; several rows of a unit if it was interviewed repeatedly.
    z : (n,)
        Assignment, 0 and 1 or a dose, constant within a randomized unit.
    controls : (n, p), optional
        Baseline covariates without an intercept, partialled out of y once: more power, the same
        size.
    clusters : (n,) labels, optional
        Units of randomization, such as patients with several rows. Default: rows.
    strata : (n,) labels, optional
        Their effects are absorbed and assignment is permuted within them, such as trials.
    statistic : ``"studentized"`` or ``"difference"``
        The latter leaves the standard error out: exact as well, but for no effect on anybody only.
    level : float
    draws : int
        Random permutations; all distinct assignments if they are no more than that.
    seed : int, SeedSequence or Generator

    Returns
    -------
    ArmContrast
        The p-value is the share of assignments with a statistic at least as large, the actual one
        included, so the size never exceeds the level.

    Raises
    ------
    ValueError
        For unusable arguments, assignment or strata that vary within a cluster, or assignment that
        varies in no stratum.
    """
    choice(statistic, "statistic", ("studentized", "difference"))
    level = fraction(level, "level")
    data = absorb(y, z, controls, clusters, None, strata, "z")
    scale = float(np.sqrt(data.residual @ data.residual / data.variation / data.nobs))
    trial = _Trial.of(data, z, strata, scale, draws, seed)
    drawn = trial.statistics(trial.assignments, statistic)
    own = trial.statistics(np.arange(trial.z.size)[None], statistic)
    test = _test_of_no_effect(trial, drawn, own, -data.coefficient / scale, statistic)
    effects = accepted_effects(
        *drawn,
        own[0][0],
        own[1][0],
        centre=data.coefficient,
        scale=scale,
        level=level,
        count_ties=True,
        add_own=not trial.exact,
    )
    return ArmContrast(bias_reduced_estimate(data), test, effects, trial.z.size)


def _test_of_no_effect(
    trial: _Trial,
    drawn: tuple[Matrix, Matrix],
    own: tuple[Matrix, Matrix],
    at_zero: float,
    statistic: str,
) -> Test:
    """The same comparison as in the set, at ``centre + scale * at_zero``, which is 0."""
    powers = at_zero ** np.arange(3)
    numerator, denominator = drawn[0] @ powers[:2], drawn[1] @ powers
    actual, variance = float((own[0] @ powers[:2])[0]), float((own[1] @ powers)[0])
    at_least = int((numerator**2 * variance >= actual**2 * denominator * (1 - _TIE)).sum())
    count, more = len(numerator), 0 if trial.exact else 1
    return Test(
        f"randomization test ({statistic})",
        actual / float(np.sqrt(variance)),
        (at_least + more) / (count + more),
        f"all {count} assignments" if trial.exact else f"{count} permutations",
        (count,),
        "assignment changes nobody's outcome",
        "randomization",
    )


@dataclass(frozen=True, eq=False)
class _Trial:
    """Randomized units: totals of ``y - b z`` less strata and controls, assignments of them.

    ``b`` is ``estimate + scale * d``, and the totals are ``totals @ (1, d)``.
    """

    totals: Matrix  # (units, 2)
    z: Vector  # (units,)
    means: Vector  # (units,), of z in the unit's stratum
    assignments: Codes  # (draws, units): unit whose assignment each unit gets
    exact: bool

    @classmethod
    def of(
        cls,
        data: Absorbed,
        z: Columns,
        strata: Columns | None,
        scale: float,
        draws: int,
        seed: Seed,
    ) -> _Trial:
        assigned = one_column(z, "z", "give one contrast of arms at a time")
        cells = label_codes(strata, "strata", data.nobs)
        cells = np.zeros(data.nobs, dtype=np.intp) if cells is None else cells
        z_unit, cell = randomized_units(assigned[:, None], cells, data.clusters)
        n_cells = int(cell.max()) + 1
        if cell.size < n_cells + 2:
            raise ValueError(
                f"clusters has {cell.size} randomized units in {n_cells} strata, too few to tell an"
                f" effect from an error: at least {n_cells + 2} are needed"
            )
        drawn, exact = assignments(z_unit, cell, draws, generator_of(seed))
        means = (cluster_sums(z_unit, cell)[:, 0] / np.bincount(cell))[cell]
        rows = np.column_stack([data.residual, -scale * data.x])
        totals = cluster_sums(rows, data.clusters)
        return cls(totals, z_unit[:, 0], means, drawn, exact)

    def statistics(self, chosen: Codes, statistic: str) -> tuple[Matrix, Matrix]:
        """Numerators and denominators of each assignment, coefficients of powers of d.

        With ``r`` the totals, z centred within strata and ``t = sum z r / sum z^2``, the numerator
        is ``sum z r`` and the denominator ``sum z^2 (r - t z)^2``, or for the plain difference the
        constant that makes the ratio t. Centred after permuting: the unit that lends its
        assignment may belong to another stratum.
        """
        first, second = self.totals.T
        centred = self.z - self.means
        squares = float(centred @ centred)
        fourth = float(np.sum(centred**4)) / squares**2
        products = np.column_stack([first**2, 2 * first * second, second**2])
        numerators, denominators = np.empty((len(chosen), 2)), np.empty((len(chosen), 3))
        width = max(1, _BLOCK // self.z.size)
        room = np.empty((2, width, self.z.size))  # reused: fresh memory costs more than arithmetic
        for i in range(0, len(chosen), width):
            block = slice(i, i + width)
            z, power = room[:, : len(chosen[block])]
            np.subtract(self.z[chosen[block]], self.means, out=z)
            n = numerators[block] = z @ self.totals
            if statistic == "difference":
                denominators[block] = [squares**2, 0.0, 0.0]
                continue
            np.multiply(z, z, out=power)
            denominators[block] = power @ products + fourth * _product(n, n)
            np.multiply(power, z, out=power)
            denominators[block] -= 2 / squares * _product(n, power @ self.totals)
        return numerators, denominators


def _product(one: Matrix, two: Matrix) -> Matrix:
    """Coefficients of the products of linear functions, row by row."""
    cross = one[:, 0] * two[:, 1] + one[:, 1] * two[:, 0]
    return np.column_stack([one[:, 0] * two[:, 0], cross, one[:, 1] * two[:, 1]])
