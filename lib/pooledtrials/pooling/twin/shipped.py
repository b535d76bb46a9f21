"""The synthetic twin whose raw tables the book ships, with its truth.

Readers of the book meet these six trials without knowing which world they come from, and learn
it in the last chapter on selection. If you are one of them, stop here. A toss chose the world; the
seed is the day on which the pooled paper appeared, and was not looked at before it was chosen.
"""

from __future__ import annotations

from pooledtrials.pooling.twin.generator import Twin, simulate

_WORLD = "works"
_INSTRUMENT = "weak"
_SEED = 20200804


def shipped() -> Twin:
    """Generate anew the synthetic twin that lies in ``data/six``, with its truth."""
    return simulate(_WORLD, _INSTRUMENT, _SEED)
