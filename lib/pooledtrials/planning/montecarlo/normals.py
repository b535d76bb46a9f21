"""Standard normals of NumPy's stream, drawn by either engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt


def standard_normals(
    generator: np.random.Generator, shape: tuple[int, ...], engine: str
) -> npt.NDArray[np.float64]:
    """The array `generator.standard_normal` would give; a few times sooner if compiled."""
    if engine == "numpy" or not compilable(generator):
        return generator.standard_normal(shape)
    from pooledtrials.planning.montecarlo.compiled_rows import fill_normals

    out = np.empty(shape)
    with words(generator) as state:
        fill_normals(state, np.arange(out.size), out.reshape(-1))
    return out


def compilable(generator: np.random.Generator) -> bool:
    """Whether the compiled engine knows the generator's stream."""
    return isinstance(generator.bit_generator, np.random.SFC64)


@contextmanager
def words(generator: np.random.Generator) -> Iterator[npt.NDArray[np.uint64]]:
    """State of an SFC64 generator, which goes on from wherever the words are left."""
    whole = generator.bit_generator.state
    inner = whole["state"]
    state = np.array(inner["state"], dtype=np.uint64)
    yield state
    generator.bit_generator.state = {**whole, "state": {**inner, "state": state}}
