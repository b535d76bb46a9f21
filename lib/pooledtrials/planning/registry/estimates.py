"""What one pass over a registry found, and the estimates that follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pooledtrials.arguments import Matrix, Vector, choice
from pooledtrials.clusters import small_sample_factor
from pooledtrials.instruments.moments import Moments
from pooledtrials.instruments.strength import FirstStage, first_stage_of
from pooledtrials.panels.estimate import PanelEstimate
from pooledtrials.panels.layout import EFFECTS
from pooledtrials.planning.registry.cross_products import CrossProducts, Shape
from pooledtrials.planning.registry.factorized import (
    STRATA,
    Factorized,
    Instrumented,
    cell_codes,
)
from pooledtrials.planning.registry.files import Survey
from pooledtrials.planning.registry.within import within_estimate
from pooledtrials.results import Estimate

_CONSTANT = 1e-18  # share of a column's squares, as in `instruments.partialling`


@dataclass(frozen=True, eq=False)
class RegistrySums:
    """What one pass found; estimates follow from it without the rows.

    Each is the number that `instruments` and `panels` return for the same rows in memory, with
    errors clustered by patient, to the rounding of sums (about ten digits).

    Attributes
    ----------
    products : sums of the patients' cross products, by trial
    known : columns, labels of trials and waves
    shape : how many there are of each
    """

    products: CrossProducts
    known: Survey
    shape: Shape

    @property
    def cells(self) -> Matrix:
        """(trials, waves) rows in each trial at each wave."""
        step = 1 + self.shape.columns
        return np.asarray(self.products.first[:, : self.shape.waves * step : step])

    @property
    def nobs(self) -> int:
        """Rows."""
        return round(float(self.cells.sum()))

    @property
    def n_patients(self) -> int:
        """Patients, who are the clusters."""
        return round(float(self.products.patients.sum()))

    def moments(self, strata: str | None = None) -> Moments:
        """Reduced form, first stage and their joint covariance, clustered by patient.

        `instruments.null_test` and `instruments.robust_set` take them for any test or set.

        Parameters
        ----------
        strata
            What gets an indicator each, besides the controls: ``"trial-wave"``, ``"trial"``,
            ``"wave"``, or ``"none"`` for an intercept. By default the finest that was given.

        Raises
        ------
        ValueError
            For unknown strata or such as were not given, constant or collinear columns, no
            instruments, or no more patients than instruments.
        """
        found = self._instrumented(strata)
        k, x, y = found.n_instruments, found.x, found.x + 1
        errors = np.stack([found.residual(y), found.residual(x)])
        meat = found.factors.meat(np.tile(found.basis, (2, 1)), np.repeat(errors, k, axis=0))
        left = found.factors.triangle[x:, [y, x]]
        return Moments(
            reduced_form=found.along(y),
            first_stage=found.along(x),
            omega=self._factor(found.p + k) * meat.reshape(2, k, 2, k).transpose(0, 2, 1, 3),
            residual_gram=left.T @ left,
            nobs=self.nobs,
            n_partialled=found.p,
            dof=float(self.n_patients - 1),
            covariance="clustered",
            form="wald",
            debiased=True,
        )

    def first_stage(self, strata: str | None = None) -> FirstStage:
        """First stage with its F statistics; parameters and errors as in `moments`."""
        r = self._instrumented(strata).r
        return first_stage_of(self.moments(strata), r, self.known.roles.z)

    def tsls(self, strata: str | None = None) -> Estimate:
        """Two-stage least squares; parameters and errors as in `moments`."""
        found = self._instrumented(strata)
        stage = found.along(found.x)
        return self._estimate("2SLS", found, stage @ found.basis, stage, 1.0)

    def ols(self, strata: str | None = None) -> Estimate:
        """Least squares of all rows, which needs no instrument; parameters as in `moments`."""
        found = self._instrumented(strata, least=0)
        # x after partialling out is its part along the instruments and what is left of it
        own = found.factors.triangle[found.p : found.x + 1, found.x]
        return self._estimate("OLS", found, found.partialled(found.x), own, 0.0)

    def within(self, effects: str | None = None) -> PanelEstimate:
        """Fixed effects: patients compared with themselves only (`panels.fit`).

        Parameters
        ----------
        effects
            What is taken out besides patients: ``"trial-wave"``, ``"wave"`` or ``"none"``. By
            default the finest that was given.

        Raises
        ------
        ValueError
            For unknown effects or such as were not given, fewer than two patients with two rows,
            or if nothing is left of exposure or outcome within patients.
        """
        effects = self._given(effects, "effects", EFFECTS)
        cells = cell_codes(self.cells, effects)
        if effects == "none":
            cells = np.full_like(cells, -1)  # patients' effects leave nothing of an intercept
        k, columns = self.shape.instruments, self.shape.columns
        variation = np.delete(self._variation, np.arange(columns - 2 - k, columns - 2))
        return within_estimate(
            self.products, self.known.roles, self.shape, cells, variation, effects
        )

    def describe(self) -> str:
        """How much was read, in words."""
        trials, waves = self.shape.trials, self.shape.waves
        return (
            f"{self.nobs} rows of {self.n_patients} patients in {trials}"
            f" trial{'' if trials == 1 else 's'} at {waves} wave{'' if waves == 1 else 's'}."
            f" {self.shape.plain.count} products of each patient, and {self.shape.within.count}"
            f" within patients, are summed up in {self.shape.bytes / 2**20:.1f} MiB, however many"
            " patients there are."
        )

    @property
    def _totals(self) -> tuple[Vector, Vector]:
        """Sums and sums of squares of the measured columns, counted from their origin."""
        waves, columns = self.shape.waves, self.shape.columns
        whole = self.shape.plain.matrix(self.products.first.sum(axis=0))
        return whole[:waves, waves:].sum(axis=0), np.diag(whole)[waves : waves + columns]

    @property
    def _variation(self) -> Vector:
        """Sums of squares of the measured columns about their means."""
        sums, squares = self._totals
        return np.asarray(squares - sums**2 / self.nobs)

    def _instrumented(self, strata: str | None, least: int = 1) -> Instrumented:
        """The columns of a regression on instruments, at ``least`` so many, checked."""
        strata = self._given(strata, "strata", STRATA)
        roles, k = self.known.roles, self.shape.instruments
        if k < least:
            raise ValueError("z has 0 columns: at least one instrument is needed")
        if self.n_patients <= max(k, 1):
            raise ValueError(
                f"{roles.named(roles.patients)} has {self.n_patients} patients for {k} instruments:"
                " a covariance clustered by patient needs more"
            )
        variation, sums = self._variation, self._totals[0]
        squares = variation + (sums / self.nobs + self.known.origin) ** 2 * self.nobs
        for name, own, all_of_it in zip(roles.measured, variation, squares, strict=True):
            if own <= _CONSTANT * all_of_it:
                raise ValueError(f"{roles.named(name)} is constant: leave it out")
        products, cells = self.products, cell_codes(self.cells, strata)
        factors = Factorized.of(self.shape.plain, products.first, products.second, cells, variation)
        gone = np.setdiff1d(np.arange(len(factors.coefficients)), factors.kept)
        if gone.size:
            raise ValueError(
                f"{roles.named(roles.measured[gone[0] - factors.n_cells])} is a linear combination"
                f" of the {strata} strata and the columns before it"
                f" ({', '.join(roles.measured)}): leave out what spans it"
            )
        return Instrumented(factors, k)

    def _given(self, strata: str | None, argument: str, allowed: tuple[str, ...]) -> str:
        """The strata asked for, or the finest of those that were given."""
        roles = self.known.roles
        absent = {"trial"} if roles.trials is None else set()
        absent |= {"wave"} if roles.waves is None else set()
        possible = [word for word in allowed if not absent & set(word.split("-"))]
        if strata is None:
            return possible[0]
        if choice(strata, argument, allowed) not in possible:
            raise ValueError(
                f"{argument} is {strata!r}, but registry_sums was given no"
                f" {' and no '.join(sorted(word + 's' for word in absent))}: give them there, or"
                f" one of {', '.join(map(repr, possible))} here"
            )
        return strata

    def _factor(self, lost: int) -> float:
        return small_sample_factor("clustered", self.nobs, lost, self.n_patients, True)

    def _estimate(
        self, method: str, found: Instrumented, left: Vector, own: Vector, kappa: float
    ) -> Estimate:
        """``h'y / h'x`` for the instrument h with coefficients ``left`` and parts ``own``."""
        x, y = found.x, found.x + 1
        parts = slice(found.p, found.p + own.size)
        bread = float(own @ own)
        b = float(own @ found.factors.triangle[parts, y]) / bread
        residual = found.partialled(y) - b * found.partialled(x)
        meat = found.factors.meat(left[None], residual[None])
        error = math.sqrt(self._factor(found.p + 1) * float(meat[0, 0])) / bread
        return Estimate(method, b, error, "clustered", self.nobs, float(self.n_patients - 1), kappa)
