"""Worlds (what meetings and motivation do) and instruments (what facilitation does) of the twin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from types import MappingProxyType
from typing import Final

LARGEST_EFFECT = 2.0
"""Largest effect, in standard deviations of latent severity, that a world may hold."""

LARGEST_SHIFT = 4.0
"""Largest shift of latent attendance, in standard deviations, that an instrument may hold."""

LARGEST_HETEROGENEITY = 0.55
"""Largest standard deviation of a person's effect as a share of the mean effect.

Multipliers of the effect are uniform with mean 1; beyond 1 / sqrt(3) = 0.577 some would be
negative, and meetings would harm somebody by accident of a formula.
"""


@dataclass(frozen=True)
class World:
    """What lowers severity in a synthetic world.

    Attributes
    ----------
    name : str
        How tables call it.
    meetings_drug, meetings_alcohol : float
        By how much ten meeting days lower latent severity, in its standard deviations.
    heterogeneity : float
        Standard deviation over persons of that effect, as a share of its mean.
    persistent_drug, persistent_alcohol : float
        By how much one standard deviation of persistent motivation lowers latent severity.
    changing_drug, changing_alcohol : float
        The same of wave-to-wave motivation, which fixed effects do not remove.

    Raises
    ------
    ValueError
        If an effect is not finite or out of range: effects of meetings and of wave-to-wave
        motivation lie between 0 and `LARGEST_EFFECT`. Persistent motivation may go with more
        severity, so it may be negative.
    """

    name: str
    meetings_drug: float = 0.0
    meetings_alcohol: float = 0.0
    heterogeneity: float = 0.3
    persistent_drug: float = 0.0
    persistent_alcohol: float = 0.0
    changing_drug: float = 0.0
    changing_alcohol: float = 0.0

    def __post_init__(self) -> None:
        for effect in ("meetings", "changing", "persistent"):
            low = -LARGEST_EFFECT if effect == "persistent" else 0.0
            for area in ("drug", "alcohol"):
                _inside(f"{effect}_{area}", getattr(self, f"{effect}_{area}"), low, LARGEST_EFFECT)
        _inside("heterogeneity", self.heterogeneity, 0.0, LARGEST_HETEROGENEITY)


@dataclass(frozen=True)
class Instrument:
    """What a synthetic trial's facilitation does to attendance.

    Attributes
    ----------
    name : str
        How tables call it.
    shift : mapping of str to float
        By trial, how much facilitation raises latent attendance at the very start, in its
        standard deviations. A trial that is not named has 0. Never negative: nobody attends less
        because of facilitation, so that the complier-average effect has its usual meaning.
    half_month : float
        Month at which half of the shift is left: the shift is multiplied by h / (h + month).
    direct_drug, direct_alcohol : float
        How much the facilitating arm lowers latent severity without meetings: a violation of
        the exclusion restriction, 0 unless you want one.

    Raises
    ------
    ValueError
        If a number is out of range. Unknown trials are refused by `simulate`.
    """

    name: str
    shift: Mapping[str, float] = field(default_factory=dict)
    half_month: float = 6.0
    direct_drug: float = 0.0
    direct_alcohol: float = 0.0

    def __post_init__(self) -> None:
        for trial, shift in self.shift.items():
            _inside(f"shift of {trial}", shift, 0.0, LARGEST_SHIFT)
        _inside("half_month", self.half_month, 0.01, 1e6)
        _inside("direct_drug", self.direct_drug, -LARGEST_EFFECT, LARGEST_EFFECT)
        _inside("direct_alcohol", self.direct_alcohol, -LARGEST_EFFECT, LARGEST_EFFECT)
        # A copy that nobody can change, so that a shared instrument stays what it was.
        object.__setattr__(self, "shift", MappingProxyType(dict(self.shift)))


def _inside(argument: str, value: float, low: float, high: float) -> None:
    if not (isfinite(value) and low <= value <= high):
        raise ValueError(f"{argument} is {value!r}; give a number from {low:g} to {high:g}")


def nearest(name: str, allowed: Iterable[str], argument: str) -> None:
    """Refuse a name that is not allowed, and say which allowed one is spelled most like it.

    Raises
    ------
    ValueError
        If ``name`` is not among ``allowed``.
    """
    known = list(allowed)
    if name in known:
        return
    alike = get_close_matches(str(name), known, n=1, cutoff=0.0)
    raise ValueError(
        f"{argument} is {name!r}; choose one of {', '.join(known)} (nearest: {alike[0]!r})"
    )


INSTRUMENTS: Final[Mapping[str, Instrument]] = MappingProxyType(
    {
        "weak": Instrument(
            "weak",
            {
                "stage12": 0.243,
                "ccts": 0.039,
                "referral": 0.485,
                "cra_tsf": 0.194,
                "disulfiram": 0.194,
            },
            half_month=4.0,
        ),
        "strong": Instrument(
            "strong",
            {
                "stage12": 0.596,
                "ccts": 0.596,
                "referral": 0.596,
                "cra_tsf": 0.596,
                "disulfiram": 0.596,
                "hivcm": 0.596,
            },
            half_month=24.0,
        ),
    }
)
"""The named instruments: relative shifts are chosen, their scale is solved by the script."""

# Solved by data/six/calibrate.py, which writes the same numbers to calibrated.yaml. In HELP random
# effects show less than fixed effects do, since the severely ill attend more: that is why
# persistent motivation has little to do here, and wave-to-wave motivation much.
_WORKS: Final = World(
    "works",
    meetings_drug=0.1463,
    meetings_alcohol=0.1877,
    persistent_drug=0.2104,
    persistent_alcohol=0.2032,
)
_SELECTION_WEAK: Final = World(
    "selection",
    changing_drug=0.4144,
    changing_alcohol=0.5189,
    persistent_drug=0.1001,
    persistent_alcohol=0.0813,
)
_SELECTION_STRONG: Final = World(
    "selection",
    changing_drug=0.4283,
    changing_alcohol=0.5329,
    persistent_drug=0.1043,
    persistent_alcohol=0.0879,
)

CALIBRATED: Final[Mapping[tuple[str, str], World]] = MappingProxyType(
    {
        ("works", "weak"): _WORKS,
        ("works", "strong"): _WORKS,
        ("selection", "weak"): _SELECTION_WEAK,
        ("selection", "strong"): _SELECTION_STRONG,
    }
)
"""The named worlds, by name and instrument.

`selection` is solved to show under each instrument the coefficients that `works` shows there:
facilitation moves attendance without moving motivation, so the stronger it is, the more motivation
must do to leave the same trace.
"""

WORLDS: Final = ("works", "selection")
"""Names of the calibrated worlds."""


def instrument_of(instrument: Instrument | str) -> Instrument:
    """Return the instrument itself or the one of that name."""
    if isinstance(instrument, Instrument):
        return instrument
    nearest(instrument, INSTRUMENTS, "instrument")
    return INSTRUMENTS[instrument]


def world_of(world: World | str, instrument: Instrument) -> World:
    """Return the world itself or the one of that name, as calibrated under the instrument."""
    if isinstance(world, World):
        return world
    nearest(world, WORLDS, "world")
    return CALIBRATED[world, instrument.name if instrument.name in INSTRUMENTS else "weak"]
