"""What a study asks of every cell: sampler, methods, covariances, hypotheses, engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pooledtrials.arguments import choice, finite, fraction, whole
from pooledtrials.planning.montecarlo.compiled import engine_of
from pooledtrials.planning.montecarlo.design import Design
from pooledtrials.planning.montecarlo.panel import ESTIMATORS
from pooledtrials.planning.montecarlo.samplers import SAMPLERS

TESTS: Final = ("AR", "K", "CLR")
ROW_TESTS: Final = ("randomization", "wild AR")
METHODS: Final = (*ESTIMATORS, *TESTS, "tF", *ROW_TESTS)
COVARIANCES: Final = ("classical", "robust", "clustered")


@dataclass(frozen=True)
class Settings:
    """Everything but designs, cells and their number of replications; checked when made.

    Attributes
    ----------
    sampler, methods, covariances, hypotheses, level, reference, draws, seed
        As in `run`.
    engine : ``"numpy"`` or ``"numba"``
    """

    sampler: str
    methods: tuple[str, ...]
    covariances: tuple[str, ...]
    hypotheses: tuple[float, ...]
    level: float
    reference: str
    draws: int
    seed: int
    engine: str

    def __post_init__(self) -> None:
        choice(self.sampler, "sampler", tuple(SAMPLERS))
        choice(self.reference, "reference", ("F", "chi2"))
        fraction(self.level, "level")
        object.__setattr__(self, "engine", engine_of(self.engine))
        for name, words, known in (
            ("methods", self.methods, METHODS),
            ("covariances", self.covariances, COVARIANCES),
        ):
            if not words:
                raise ValueError(f"{name} has 0 entries: give some of {', '.join(known)}")
            for word in words:
                choice(word, name, known)
            if len(set(words)) < len(words):
                raise ValueError(f"{name} names one twice: {', '.join(words)}")
        for b in self.hypotheses:
            finite(b, "hypotheses")
        object.__setattr__(self, "draws", whole(self.draws, "draws", 1))
        object.__setattr__(self, "seed", whole(self.seed, "seed", 0))
        if self.row_tests and self.sampler != "rows":
            raise ValueError(
                f"methods has {self.row_tests[0]!r}, which needs the data's rows: use"
                " sampler='rows'"
            )
        if "tF" in self.methods and round(self.level, 12) != 0.95:
            raise ValueError(
                f"methods has 'tF', whose critical values are for 5 %, but level is {self.level}:"
                " use level=0.95 or leave tF out"
            )

    @property
    def alpha(self) -> float:
        """One less the level, without rounding: p-values that are fractions may equal it."""
        return round(1 - self.level, 12)

    @property
    def row_tests(self) -> tuple[str, ...]:
        """Methods that resample the rows of each replication."""
        return tuple(m for m in self.methods if m in ROW_TESTS)

    def dof(self, denominator: float) -> float | None:
        """Denominator degrees of freedom of the tests' reference law, None for chi-square."""
        return float(denominator) if self.reference == "F" else None

    def check(self, design: Design, name: str) -> None:
        """Refuse a design on which a method or covariance does not exist.

        Raises
        ------
        ValueError
            Naming the design.
        """
        k, groups = design.n_instruments, design.n_clusters
        if "tF" in self.methods and k > 1:
            raise ValueError(
                f"methods has 'tF', which is derived for one instrument, but {name} has {k}"
            )
        if "clustered" not in self.covariances:
            return
        if not groups:
            raise ValueError(
                f"covariances has 'clustered', but {name} has no clusters: give them to make_design"
            )
        needed = 2 * k if {"K", "CLR"} & set(self.methods) else k
        if groups <= needed:
            raise ValueError(
                f"covariances has 'clustered', but {name} has {groups} clusters for {k}"
                f" instruments, and the methods need more than {needed}: use fewer instruments,"
                " more clusters, or leave out K and CLR"
            )
