"""Several trials as one panel: which trials make a pool, and where their records come from."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import Field, ValidationError

from pooledtrials.pooling import twin
from pooledtrials.pooling.answers import Choices
from pooledtrials.pooling.flow import shown_flow
from pooledtrials.pooling.harmonise import Trial, load_trial
from pooledtrials.pooling.locations import data_folder
from pooledtrials.pooling.panel import check_panel
from pooledtrials.pooling.yaml_file import Section, SpecificationError, read_yaml, sentences


class PoolFile(Section):
    """A pool as its YAML file declares it.

    ``trials`` names trials of ``data/trials``, or specification files beside the pool file.
    """

    pool: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    trials: list[str] = Field(min_length=1)


@dataclass(frozen=True)
class Pool:
    """Pooled trials, and their panels as one."""

    name: str
    title: str
    trials: tuple[Trial, ...]
    panel: pd.DataFrame

    @property
    def synthetic(self) -> tuple[str, ...]:
        """The trials whose records are generated; whatever shows them has to say so."""
        return tuple(t.specification.trial for t in self.trials if t.synthetic)

    @property
    def log(self) -> pd.DataFrame:
        """Every recode of every trial."""
        return pd.concat([trial.log.to_frame() for trial in self.trials], ignore_index=True)

    @property
    def flags(self) -> pd.DataFrame:
        """Every doubtful row of every trial."""
        return pd.concat([trial.log.flags_to_frame() for trial in self.trials], ignore_index=True)

    @property
    def flow(self) -> pd.DataFrame:
        """Participant flow by trial, arm and planned interview, small private counts hidden."""
        sources = {t.specification.trial: t.specification.source for t in self.trials}
        private = [name for name, source in sources.items() if source == "private"]
        return shown_flow(self.panel, private)


def load_pool(
    pool: str | Path,
    choices: Choices = Choices(),
    *,
    world: str | twin.World | None = None,
    instrument: str | twin.Instrument | None = None,
    seed: int | None = None,
) -> Pool:
    """Load all trials of a pool.

    Parameters
    ----------
    pool
        The name of a pool in ``data/pools`` (``"six"``, ``"seven"``), or the path of a pool file.
    choices
        The named judgements to make on the way.
    world, instrument, seed
        Given all three, the pool's synthetic trials are generated anew in that world, with that
        instrument and from that seed, and read from their raw tables like any others. Without
        them, they are read from the files that the book ships.

    Returns
    -------
    Pool

    Raises
    ------
    SpecificationError, RawTableError, PanelError, ValueError
        Whatever is wrong, with its place; and if only some of world, instrument and seed are given.
    """
    path = pool if isinstance(pool, Path) else data_folder() / "pools" / f"{pool}.yaml"
    declared = read_pool_file(path)
    sources = [_source(path, name) for name in declared.trials]
    if world is None and instrument is None and seed is None:
        trials = [load_trial(source, choices) for source in sources]
    elif world is None or instrument is None or seed is None:
        raise ValueError("world, instrument and seed go together: give all three, or none")
    else:
        generated = twin.simulate(world, instrument, seed)
        with tempfile.TemporaryDirectory() as folder:
            written = twin.write_raw_tables(generated, Path(folder))
            trials = [
                load_trial(source, choices, Path(folder) if name in written else None)
                for name, source in zip(declared.trials, sources, strict=True)
            ]
    names = [trial.specification.trial for trial in trials]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SpecificationError(f"{path.name}: trials: {repeated[0]} stands in the pool twice")
    panel = pd.concat([trial.panel for trial in trials], ignore_index=True)
    return Pool(declared.pool, declared.title, tuple(trials), check_panel(panel, declared.pool))


def read_pool_file(path: Path) -> PoolFile:
    """Read and validate a pool file; an error names file, field, what was found and a remedy."""
    content = read_yaml(path)
    try:
        return PoolFile.model_validate(content)
    except ValidationError as error:
        raise SpecificationError(sentences(path, error)) from None


def _source(path: Path, name: str) -> str | Path:
    return path.parent / name if name.endswith((".yaml", ".yml")) else name
