"""A reader's own trials: the book's tables for any pool, from a set of page templates.

``python -m pooledbook.own POOL`` (``make book POOL=...``) copies the templates beside this file,
``*.md``, to ``_build/own/<pool>``, executes them there on the trials that POOL names, and builds a
small site of them. Nothing else is written, and git ignores ``_build``.
"""

from pooledbook.own.records import Records, open_records
from pooledbook.own.showing import Drawing

__all__ = ["Drawing", "Records", "open_records"]
