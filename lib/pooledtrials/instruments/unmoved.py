"""Instruments that do not move the exposure at all: no estimate exists, robust sets still do."""

from __future__ import annotations

from typing import Final

import numpy as np

from pooledtrials.instruments.moments import Moments
from pooledtrials.instruments.partialling import Partialled

_NOTHING: Final = 1e-10  # of the norm of x's residual: rounding of a first stage of zero


def unmoved_reason(data: Partialled | Moments) -> str:
    """Why no effect can be estimated: the first stage is zero. Empty if it is not.

    An estimate would divide by that zero, or by what rounding left of it.
    """
    left = np.sqrt(data.residual_gram[1, 1])
    if np.linalg.norm(data.first_stage) > _NOTHING * left:
        return ""
    return (
        "the instruments (z) do not move x at all in these rows, so there is no estimate; the"
        " Anderson-Rubin set still holds (anderson_rubin_set)"
    )


def refuse_unmoved(data: Partialled | Moments) -> None:
    """Refuse to estimate where `unmoved_reason` has a reason."""
    reason = unmoved_reason(data)
    if reason:
        raise ValueError(reason)
