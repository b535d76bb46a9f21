"""``python -m pooledtrials check PATH``: say whether a trial, or a pool, is ready for the book."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pooledtrials.pooling.report import check


def main(arguments: list[str] | None = None) -> int:
    """Check what is named on the command line; 0 if it is ready, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m pooledtrials", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="validate a trial's or a pool's YAML and tables")
    checking.add_argument("path", type=Path, help="the YAML file of a trial or of a pool")
    ready, report = check(parser.parse_args(arguments).path)
    print(report, file=sys.stdout if ready else sys.stderr)
    return 0 if ready else 1


if __name__ == "__main__":
    sys.exit(main())
