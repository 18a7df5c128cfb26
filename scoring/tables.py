"""Metrics as people read them: aligned text for a terminal, Markdown for a report.

Numbers are shown to two digits of their uncertainty, and to three significant digits without one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .metrics import DECISION_LEVEL, Group, Metric, Requirement

__all__ = ["aligned", "markdown"]


def aligned(title: str, metrics: Sequence[Metric], groups: Sequence[Group] = ()) -> str:
    """A title and tables in aligned text: one of `metrics` and one of each group."""
    lines = [title, "", *_aligned(metrics)]
    for group in groups:
        lines += ["", _group_title(group), *_aligned(group.metrics)]
    lines += ["", *_notes(metrics, groups)]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def markdown(
    title: str,
    metrics: Sequence[Metric],
    groups: Sequence[Group] = (),
    provenance: Mapping[str, object] | None = None,
) -> str:
    """A title and tables in Markdown, as `aligned`, and the provenance as a list."""
    lines = [f"## {_escaped(title)}", "", *_markdown_table(metrics)]
    for group in groups:
        lines += ["", f"### {_escaped(_group_title(group))}", "", *_markdown_table(group.metrics)]
    lines += ["", *(_escaped(note) for note in _notes(metrics, groups))]
    if provenance:
        lines += ["", *(f"- {_escaped(f'{key}: {value}')}" for key, value in provenance.items())]
    return "\n".join(lines).rstrip() + "\n"


def _format(number: float, half_width: float | None, signed: bool) -> str:
    """A number to two digits of its uncertainty; to three significant digits without one."""
    sign = "+" if signed else ""
    if not half_width:
        return f"{number:{sign}.3g}"
    decimals = max(0, 1 - math.floor(math.log10(half_width)))
    if decimals <= 7 and abs(number) < 1e6:
        return f"{number:{sign}.{decimals}f}"
    return f"{number:{sign}.2e}"


def _cells(metric: Metric) -> tuple[str, ...]:
    """name, value, interval, requirement, verdict, and the reason if there is one."""
    interval, half = "", None
    signed = metric.better == "zero"
    if metric.low is not None and metric.high is not None:
        half = metric.high / 2 - metric.low / 2
        interval = f"[{_format(metric.low, half, signed)}, {_format(metric.high, half, signed)}]"
    value = "-" if metric.value is None else _format(metric.value, half, signed)
    if metric.unit:
        value += f" {metric.unit}"
    requirement = ""
    if metric.requirement is not None:
        requirement = Requirement(metric.better, metric.requirement).describe(metric.name)
    return metric.name, value, interval, requirement, metric.verdict, metric.reason


def _aligned(metrics: Sequence[Metric]) -> list[str]:
    if not metrics:
        return ["no metrics"]
    rows = [_cells(metric) for metric in metrics]
    # The last column, the reason, may be long: nothing stands behind it to be aligned.
    widths = [max(len(row[index]) for row in rows) for index in range(5)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True) if width]
        lines.append("  ".join([*cells, row[5]]).rstrip())
    return lines


def _markdown_table(metrics: Sequence[Metric]) -> list[str]:
    lines = ["| metric | value | interval | requirement | verdict | note |", "|---|---|---|---|---|---|"]
    for metric in metrics:
        lines.append("| " + " | ".join(_escaped(cell) for cell in _cells(metric)) + " |")
    return lines


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    for character in "\\`*_<>|[]#":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _group_title(group: Group) -> str:
    return f"{group.by} from {group.range[0]:g} to {group.range[1]:g}"


def _notes(metrics: Sequence[Metric], groups: Sequence[Group]) -> list[str]:
    shown = [*metrics, *(metric for group in groups for metric in group.metrics)]
    levels = sorted({metric.level for metric in shown if metric.low is not None})
    notes = []
    if levels:
        notes.append("Intervals: " + ", ".join(f"{100 * level:g} %" for level in levels) + ".")
    if any(metric.requirement is not None for metric in shown):
        notes.append(f"Requirements are decided by the {100 * DECISION_LEVEL:g} % interval.")
    return [" ".join(notes)] if notes else []
