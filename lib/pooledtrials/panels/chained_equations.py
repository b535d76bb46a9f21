"""Chained equations: each incomplete column imputed from all others, round after round.

The engine is statsmodels' [vanbuuren2011mice]: a linear regression with coefficients drawn from
their approximate posterior, and predictive mean matching [little1988missing], in which a gap takes
the value seen in one of the patients whose predictions are nearest. Values seen are the only ones
that can be imputed, so scores stay in their range and keep their heap at zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.imputation.mice import MICEData

from pooledtrials.arguments import Matrix, Vector
from pooledtrials.panels.independence import independent, variation


class _Chain(MICEData):  # type: ignore[misc]
    """The engine with regressors taken from the array of columns.

    It would parse a formula that names all other columns twice for each column and round, which
    takes fifty times as long as the regression; what it computes is the same. A regressor that does
    not vary, or repeats others, among the patients in whom the column was seen is left out for that
    column: those who were seen say nothing about it.
    """

    def __init__(self, data: pd.DataFrame, k_pmm: int, rng: Any) -> None:
        super().__init__(data, k_pmm=k_pmm, rng=rng)
        self._told: dict[str, npt.NDArray[np.bool_]] = {}

    def get_fitting_data(self, vname: str) -> tuple[Vector, Matrix, dict[str, Any], dict[str, Any]]:
        """Outcome and regressors where the column was seen."""
        seen = self.ix_obs[vname]
        return self.data[vname].to_numpy()[seen], self._regressors(vname)[seen], {}, {}

    def get_split_data(
        self, vname: str
    ) -> tuple[Vector, Matrix, Matrix, dict[str, Any], dict[str, Any]]:
        """Outcome where seen, regressors where seen and where not."""
        seen, gaps, regressors = self.ix_obs[vname], self.ix_miss[vname], self._regressors(vname)
        return self.data[vname].to_numpy()[seen], regressors[seen], regressors[gaps], {}, {}

    def _regressors(self, vname: str) -> Matrix:
        values = self.data.to_numpy()
        others = np.delete(values, self.data.columns.get_loc(vname), axis=1)
        if vname not in self._told:
            seen = others[self.ix_obs[vname]]
            self._told[vname] = independent(seen - seen.mean(axis=0), variation(others))
        return np.column_stack([np.ones(values.shape[0]), others[:, self._told[vname]]])


def chained_equations(values: Matrix, cycles: int, donors: int, generator: Any) -> Matrix:
    """One completed copy of ``values`` (N, columns), after ``cycles`` rounds.

    Parameters
    ----------
    values : (N, columns)
        Gaps are nan. No row may be all gaps, no column constant or a combination of others.
    cycles : rounds over all incomplete columns before the copy is taken
    donors : how many nearest patients a value may come from
    generator : numpy Generator
    """
    columns = [f"column{j}" for j in range(values.shape[1])]
    chain = _Chain(pd.DataFrame(values, columns=columns), k_pmm=donors, rng=generator)
    chain.update_all(cycles)
    return np.asarray(chain.data.to_numpy(), dtype=float)
