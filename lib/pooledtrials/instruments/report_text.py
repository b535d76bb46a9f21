"""The report on weak instruments as a printed page."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pooledtrials.instruments.report import WeakInstrumentReport

WIDTH: Final = 88
"""Columns of the printed report; what is longer goes on, indented, in the next line."""

_UNBROKEN: Final = "\N{NO-BREAK SPACE}"


def report_text(report: WeakInstrumentReport) -> str:
    """The whole report, a section after another."""
    sections = {
        _heading(report): (),
        "First stage": _first_stage(report),
        "Estimates": [
            f"{name}: {row['coefficient']:.5g} ({row['standard_error']:.4g})"
            for name, row in report.estimates.iterrows()
        ],
        f"Tests (effect {report.beta0:g} where a null effect is named)": map(str, report.tests),
        f"{100 * report.level:g} % sets": _sets(report),
        "Readings": _readings(report),
    }
    blocks = []
    for title, items in sections.items():
        lines = [_wrapped(title, ""), *(_wrapped(item, "  ") for item in items)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _wrapped(text: str, indent: str) -> str:
    """A line, or several of which the further ones hang in."""
    lines = textwrap.fill(
        text.replace(" %", _UNBROKEN + "%"),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_on_hyphens=False,  # a negative number is not a compound
    )
    return lines.replace(_UNBROKEN, " ")


def _heading(report: WeakInstrumentReport) -> str:
    k, groups = report.n_instruments, report.n_clusters
    return (
        f"Weak-instrument report: n = {report.nobs}, {k} instrument{'' if k == 1 else 's'}"
        f"{'' if groups is None else f', {groups} clusters'}, {report.covariance} covariance"
    )


def _first_stage(report: WeakInstrumentReport) -> list[str]:
    lines = [str(report.first_stage.f_test)]
    for name, row in report.f_table.iterrows():
        threshold = row["threshold"]
        against = f" (threshold {threshold:.4g})" if math.isfinite(threshold) else ""
        lines.append(f"F {name}: {row['statistic']:.4g}{against}; {row['compare_with']}")
    return [*lines, report.first_stage.reading(report.tau)]


def _sets(report: WeakInstrumentReport) -> list[str]:
    lines = [f"2SLS Wald interval, for comparison only: {report.wald}"]
    lines += [f"{name}: {found}" for name, found in report.sets.items()]
    return [*lines, next(iter(report.sets.values())).describe()]


def _readings(report: WeakInstrumentReport) -> list[str]:
    cutoff = f"{100 * report.two_step.distortion_cutoff:.1f}"
    lines = [
        f"Distortion cutoff {cutoff} %: the 2SLS interval may cover {cutoff} points less than"
        f" {100 * report.level:g} %."
    ]
    if report.endogeneity is not None:
        lines.append(report.endogeneity.describe())
    if report.asymmetry is not None:
        lines.append(report.asymmetry.describe())
    return lines + [f"{name}: does not apply ({why})" for name, why in report.reasons.items()]
