"""What compiles: one decorator, and whether there is a compiler at all.

Machine code is kept on disk under the time stamp of the file that holds the function. Every
compiled function therefore lives in one file with all the functions that it calls: no file can run
beside another's stale code.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

ENGINES: Final = ("numpy", "numba")

_Function = TypeVar("_Function", bound=Callable[..., Any])


def available() -> bool:
    """Whether numba is installed (the extra ``fast``)."""
    return importlib.util.find_spec("numba") is not None


def engine_of(word: str) -> str:
    """``"numpy"`` or ``"numba"`` for an engine's name, ``"auto"`` being numba where there is one.

    Raises
    ------
    ValueError
        For another word, or numba asked for where it is not installed.
    """
    if word == "auto":
        return "numba" if available() else "numpy"
    if word not in ENGINES:
        raise ValueError(f"engine is {word!r}: give one of 'auto', 'numpy', 'numba'")
    if word == "numba" and not available():
        raise ValueError(
            "engine is 'numba', which is not installed: install pooledtrials[fast], or use 'numpy'"
        )
    return word


def compiled(function: _Function) -> _Function:
    """Machine code that holds no lock of the interpreter.

    Sums may be taken in another order than written (they are vectorised), nothing else is relaxed:
    infinities and missing values mean what they mean in NumPy.
    """
    from numba import njit

    jit = njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
    return cast(_Function, jit(function))
