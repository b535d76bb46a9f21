"""The shipped synthetic tables are what the generator makes, and give nothing away."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pooledtrials.pooling import data_folder, load_pool

FOLDER = data_folder() / "six"


def test_generator_reproduces_the_tables(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("build_six", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    digests = builder.build(tmp_path)
    lines = (FOLDER / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert digests == {name: digest for digest, name in map(str.split, lines)}
    for name in digests:
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
    assert len(digests) == 8


def test_nothing_but_the_tables_is_shipped() -> None:
    """No column that an analyst would not have: no world, no motivation, no potential outcome."""
    panel = load_pool("six").panel
    hidden = ("motivation", "persistent", "changing", "effect", "potential", "world", "truth")
    assert not [column for column in panel if any(word in column for word in hidden)]
