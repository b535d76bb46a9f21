"""What differs between the outputs stored in a notebook and those of a new run."""

from __future__ import annotations

import base64
import difflib
import io
import json
from typing import Any

import numpy as np
from nbformat import NotebookNode
from PIL import Image

PIXEL_STEP = 32
"""A pixel differs when one of its channels (0 to 255) moves by more than this."""
PIXEL_SHARE = 2e-5
"""The share of differing pixels that is forgiven: 6 of a figure of 640 x 480.

Arithmetic on another processor may move a line by a rounding error and so change the shade of
a few pixels along its edge; a moved point or another digit changes far more.
"""
DIFF_LINES = 40


def differences(stored: NotebookNode, new: NotebookNode) -> list[str]:
    """Return one text for each code cell whose outputs differ; the cells themselves must agree."""
    pairs = zip(_code(stored), _code(new), strict=True)
    found = []
    for number, (old_cell, new_cell) in enumerate(pairs, start=1):
        reason = _outputs_differ(old_cell.outputs, new_cell.outputs)
        if reason:
            first = next(iter(new_cell.source.splitlines()), "")
            found.append(f"code cell {number}\n    {first}\n{reason}")
    return found


def unified(old: str, new: str, names: tuple[str, str]) -> str:
    """Return a unified diff, cut off when it gets long."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm=""))
    if len(lines) > DIFF_LINES:
        lines = [*lines[:DIFF_LINES], f"... and {len(lines) - DIFF_LINES} more lines"]
    return "\n".join(lines)


def _code(book: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def _outputs_differ(old: list[NotebookNode], new: list[NotebookNode]) -> str:
    kinds = [_kinds(outputs) for outputs in (old, new)]
    if kinds[0] != kinds[1]:
        return f"stored outputs: {kinds[0]}\nnew outputs:    {kinds[1]}"
    for one, other in zip(old, new, strict=True):
        for kind, value in _parts(one).items():
            reason = _part_differs(kind, value, _parts(other)[kind])
            if reason:
                return reason
    return ""


def _kinds(outputs: list[NotebookNode]) -> list[list[str]]:
    return [[output.output_type, *sorted(_parts(output))] for output in outputs]


def _parts(output: NotebookNode) -> dict[str, Any]:
    if output.output_type == "stream":
        return {output.name: output.text}
    if output.output_type == "error":
        return {"error": f"{output.ename}: {output.evalue}"}
    return {**output.data, "metadata": output.metadata}


def _part_differs(kind: str, old: Any, new: Any) -> str:
    if old == new:
        return ""
    if kind == "image/png":
        return images_differ(base64.b64decode(old), base64.b64decode(new))
    texts = [
        v if isinstance(v, str) else json.dumps(v, indent=1, sort_keys=True) for v in (old, new)
    ]
    return unified(texts[0], texts[1], (f"stored {kind}", f"new {kind}"))


def images_differ(old: bytes, new: bytes) -> str:
    """Say why two PNG images are not the same picture; empty when they are."""
    one, other = (
        np.asarray(Image.open(io.BytesIO(image)).convert("RGBA"), int) for image in (old, new)
    )
    if one.shape != other.shape:
        sizes = [f"{a.shape[1]} x {a.shape[0]}" for a in (one, other)]
        return f"the stored figure is {sizes[0]} pixels, the new one {sizes[1]}"
    differing = int((np.abs(one - other).max(axis=2) > PIXEL_STEP).sum())
    pixels = one.shape[0] * one.shape[1]
    if differing <= PIXEL_SHARE * pixels:
        return ""
    return f"{differing} of the figure's {pixels} pixels differ"
