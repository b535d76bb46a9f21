"""Where the book's data are, from whichever folder a notebook runs."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """Return the ``data`` folder of the checkout this library was installed from.

    The environment variable ``POOLEDTRIALS_DATA`` overrides it.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, as when the library was installed without the book.
    """
    override = os.environ.get("POOLEDTRIALS_DATA")
    folder = Path(override) if override else Path(__file__).resolve().parents[3] / "data"
    if not (folder / "trials").is_dir():
        raise FileNotFoundError(
            f"no data folder with trials in it at {folder}; install the library from a checkout of "
            "the book (make book does), or set POOLEDTRIALS_DATA to the checkout's data folder"
        )
    return folder
