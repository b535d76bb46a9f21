"""``python -m pooledbook.own POOL``: the tables of the book for your own trials."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pooledbook.own import building
from pooledbook.tree import Book, BookError


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute the pages for one pool and build their site; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="pooledbook.own", description=__doc__)
    parser.add_argument("pool", help="a YAML file of a pool or trial, or a name the book ships")
    parser.add_argument("--root", type=Path, default=Path(), help="the book (default: around here)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="pages at once")
    wish = parser.parse_args(arguments)
    try:
        book = Book.around(wish.root)
        source = building.find(book, wish.pool)
        records = building.ready(source, wish.pool)
        own = building.prepare(book, records, source)
        building.execute(own, wish.jobs)
        first = building.build(own)
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"the pages of {records.name} are built: {first.relative_to(book.root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
