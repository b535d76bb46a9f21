"""Solve for the numbers that make the synthetic twin's worlds hard to tell apart.

Run from anywhere, with the library installed: ``python data/six/calibrate.py`` (some minutes). It
writes ``calibrated.yaml`` beside itself, which stands again in `pooledtrials.pooling.twin.worlds`;
tests compare the two and simulate anew.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from pooledtrials.pooling.twin.calibration import calibrate

HERE = Path(__file__).parent


def main() -> None:
    """Write the calibrated instruments and worlds."""
    header = "# Solved by calibrate.py; do not edit. Used in pooledtrials.pooling.twin.worlds.\n"
    text = yaml.safe_dump(calibrate(copies=150, seed=2020), sort_keys=False)
    (HERE / "calibrated.yaml").write_text(header + text, encoding="utf-8")


if __name__ == "__main__":
    main()
