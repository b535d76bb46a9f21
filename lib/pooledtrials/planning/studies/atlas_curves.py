"""Look the atlas up: a characteristic of several methods along one direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from pooledtrials.planning.studies.atlas import PLACE


def curves(
    atlas: pd.DataFrame,
    characteristic: str,
    methods: Sequence[str],
    along: str = "concentration",
    *,
    covariance: str = "classical",
    **place: float,
) -> pd.DataFrame:
    """Look a characteristic up along one direction of the atlas.

    Parameters
    ----------
    atlas : pandas.DataFrame
        The study's table.
    characteristic : str
        Such as ``"size"``, ``"power at 1"``, ``"median bias"``, ``"quantile 0.25"``.
    methods : sequence of str
        The columns of the result.
    along : str
        What varies: one of `PLACE`.
    covariance : str
        ``"classical"``, ``"clustered"`` or ``"resampled"``; estimates have none and ignore it.
    **place : float
        The other three.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``along``.

    Raises
    ------
    ValueError
        If the place is not given wholly, or the atlas has nothing of a method there.
    """
    _refuse_place(place, along)
    here = atlas[atlas["characteristic"].eq(characteristic)]
    here = here[here["covariance"].isin([covariance, ""])]
    for name, value in place.items():
        here = here[here[name].eq(value)]
    missing = [name for name in methods if name not in set(here["method"])]
    if missing:
        where = ", ".join(f"{name} {value:g}" for name, value in place.items())
        raise ValueError(
            f"the atlas has no {characteristic!r} ({covariance}) of {', '.join(missing)} at"
            f" {where}: it has methods {', '.join(sorted(set(here['method']))) or 'none'} there"
        )
    return here.pivot(index=along, columns="method", values="value")[[*methods]]


def against_f(
    atlas: pd.DataFrame,
    characteristic: str,
    methods: Sequence[str],
    instruments: int = 1,
    endogeneity: float = 0.5,
) -> pd.DataFrame:
    """Look a characteristic up against the mean F, where patients share no errors.

    Parameters
    ----------
    atlas, characteristic, methods
        As in `curves`.
    instruments, endogeneity : numbers
        Of a `Place`.

    Returns
    -------
    pandas.DataFrame
        Indexed by 1 + concentration / instruments, to one decimal.

    Raises
    ------
    ValueError
        As in `curves`.
    """
    found = curves(
        atlas,
        characteristic,
        methods,
        clusters=0,
        instruments=instruments,
        endogeneity=endogeneity,
    )
    mean = (1 + found.index.to_numpy() / instruments).round(1)
    return found.set_axis(pd.Index(mean, name="mean F"))


def _refuse_place(place: Mapping[str, float], along: str) -> None:
    wanted = set(PLACE) - {along}
    if along not in PLACE or set(place) != wanted:
        raise ValueError(
            f"along is {along!r} and the place gives {', '.join(sorted(place)) or 'nothing'}: along"
            f" is one of {', '.join(PLACE)}, and the place gives the others"
        )
