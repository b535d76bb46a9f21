"""What the compiled samplers take and give: arrays in one place each, and the ziggurat's tables."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Scores = tuple[Floats, Floats, Floats]

TAIL: Final = 3.6541528853610087963519472518
"""Where the ziggurat's tail begins."""


class RowDesign(NamedTuple):
    """A `Design` sorted by the groups of its `RowFeatures`."""

    place: Integers
    starts: Integers
    linear: Floats
    quadratic: Floats
    to_columns: Floats
    to_products: Floats
    q: Floats
    clusters: Integers  # empty without
    n_clusters: int


class RowLaw(NamedTuple):
    """A `Cell` sorted alike; ``scale`` and ``deviations`` are empty where there are none."""

    rho: float
    other: float  # root of 1 - rho^2
    scale: Floats
    deviations: Floats
    shared: float
    signal: Floats
    theta: Floats


class RowErrors(NamedTuple):
    """Errors of one replication, and room for what is made of them."""

    u: Floats
    v: Floats
    whole: Floats
    projected: Floats
    square: Floats


class CellDesign(NamedTuple):
    """The cells of identical rows of a design, and a `Cell` in them."""

    q: Floats
    basis: Floats
    counts: Floats
    rho: float
    other: float
    scale: Floats
    deviations: Floats
    signal: Floats
    theta: Floats


class Output(NamedTuple):
    """Where `Draws` are written; score sums that are not wanted have no replications."""

    reduced_form: Floats
    first_stage: Floats
    residual_gram: Floats
    robust: Scores
    clustered: Scores


def ziggurat() -> tuple[Words, Floats, Floats]:
    """NumPy's 256 layers: bounds for acceptance, widths, densities."""
    density = math.exp(-0.5 * TAIL * TAIL)
    tail = math.sqrt(math.pi / 2) * math.erfc(TAIL / math.sqrt(2))
    area = TAIL * density + tail
    accept, width, height = np.zeros(256, np.uint64), np.zeros(256), np.zeros(256)
    x = previous = TAIL
    accept[0], width[0] = int(x * density / area * 2**52), area / density / 2**52
    width[255], height[0], height[255] = x / 2**52, 1.0, density
    for i in range(254, 0, -1):
        x = math.sqrt(-2 * math.log(area / previous + math.exp(-0.5 * previous * previous)))
        accept[i + 1] = int(x / previous * 2**52)
        width[i], height[i] = x / 2**52, math.exp(-0.5 * x * x)
        previous = x
    return accept, width, height
