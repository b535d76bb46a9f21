"""Build the raw tables of the six synthetic trials, and their checksums.

Run from anywhere: ``python data/six/build.py``. Every record is generated; none is a patient's.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pooledtrials.pooling import twin

HERE = Path(__file__).parent


def build(folder: Path) -> dict[str, str]:
    """Write the tables into a folder and return the checksum of each."""
    written = twin.write_raw_tables(twin.shipped(), folder)
    paths = sorted(path for paths in written.values() for path in paths)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def main() -> None:
    """Write the tables beside this file, with their checksums."""
    digests = build(HERE)
    lines = [f"{digest}  {name}\n" for name, digest in digests.items()]
    (HERE / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    print(f"{len(digests)} synthetic raw tables")


if __name__ == "__main__":
    main()
