"""A report as one folder of plain files: a page, and the figures on it.

The page needs no network, no JavaScript and no server: it can be opened from disk, sent as a
folder, or put on any web host.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..scoring.metrics import DECISION_LEVEL, Metric, Requirement
from ..scoring.scorecard import Scorecard
from .files import write_whole
from .typography import measured

__all__ = ["FigureFile", "Section", "Step", "write_report"]


@dataclass(frozen=True)
class FigureFile:
    """A picture of a report.

    Attributes:
        path: of a PNG file; relative to the report's folder, or anywhere, and then it is copied
            into the folder.
        alt: what the picture shows, for those who do not see it.
        caption: printed below it.
    """

    path: Path
    alt: str
    caption: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        if self.path.suffix.lower() != ".png":
            raise ValueError(f"figures of a report are PNG files, not {self.path.name!r}")
        if not self.alt.strip():
            raise ValueError(f"the figure {self.path.name!r} needs an alt text: say what it shows")


@dataclass(frozen=True)
class Section:
    """A part of a report with its own heading.

    Attributes:
        title: the heading.
        text: plain text; an empty line begins a new paragraph.
        figures: shown in order below the text.
        scorecards: as tables below the figures.
        commands: lines that can be copied into a terminal, in one block.
    """

    title: str
    text: str = ""
    figures: tuple[FigureFile, ...] = ()
    scorecards: tuple[Scorecard, ...] = ()
    commands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("figures", "scorecards", "commands"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} of section {self.title!r} is a sequence, not one text")
            object.__setattr__(self, name, tuple(getattr(self, name)))


@dataclass(frozen=True)
class Step:
    """Something to do next.

    Attributes:
        text: what for.
        command: what to type.
    """

    text: str
    command: str


def write_report(
    folder: Path,
    *,
    title: str,
    intro: str,
    sections: Sequence[Section],
    next_steps: Sequence[Step] = (),
) -> Path:
    """Write ``index.html`` into a folder, which is made if needed, with all that it shows beside it.

    The page is written last and at once: while it is not there, or is the old one, the report is
    not done. All text is escaped.

    Arguments:
        folder: of the report.
        title: its heading.
        intro: plain text below; an empty line begins a new paragraph.
        sections: in order.
        next_steps: commands at the end.

    Returns:
        Path of the page.

    Raises:
        FileNotFoundError: if a figure does not exist.
        ValueError: if two figures from elsewhere have one name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sources = _gather(folder, [figure.path for section in sections for figure in section.figures])
    environment = Environment(
        loader=PackageLoader(__package__ or "skysynergy.challenges", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"paragraphs": _paragraphs, "cells": _cells, "note": _note}
    page = environment.get_template("report.html").render(
        title=title,
        intro=intro,
        sections=sections,
        next_steps=next_steps,
        sources=sources,
        decision=f"{100 * DECISION_LEVEL:g} %",
    )
    index = folder / "index.html"
    write_whole(index, page.encode())
    return index


def _gather(folder: Path, paths: Sequence[Path]) -> dict[Path, str]:
    """Brings figures into the folder; returns the address of each, relative to the page."""
    absolute = {path: (folder / path).resolve() for path in paths}
    missing = [str(file) for file in absolute.values() if not file.is_file()]
    if missing:
        raise FileNotFoundError(f"write the figures before the report: there is no {', '.join(missing)}")
    root = folder.resolve()
    places: dict[Path, Path] = {}
    for file in dict.fromkeys(absolute.values()):
        inside = file.is_relative_to(root)
        places[file] = file if inside else root / "figures" / file.name
    taken = list(places.values())
    twice = sorted({place.name for place in taken if taken.count(place) > 1})
    if twice:
        raise ValueError(f"figures of one report need names of their own: {', '.join(twice)} is there twice")
    for file, place in places.items():
        if file != place:
            place.parent.mkdir(exist_ok=True)
            draft = place.with_name(place.name + ".partial")
            shutil.copyfile(file, draft)
            draft.replace(place)
    return {path: quote(places[file].relative_to(root).as_posix()) for path, file in absolute.items()}


def _paragraphs(text: str) -> list[str]:
    """Paragraphs are parted by empty lines."""
    return [part.strip() for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]


def _cells(metric: Metric) -> dict[str, str]:
    """What a row of a table says of a metric."""
    value, interval, requirement = "none", "none", ""
    plus = metric.better == "zero"
    if metric.value is not None:
        value = measured(metric.value, metric.low, metric.high, plus=plus)
        value += f" {metric.unit}" if metric.unit else ""
    if metric.low is not None and metric.high is not None:
        ends = (measured(end, plus=plus) for end in (metric.low, metric.high))
        interval = f"{' to '.join(ends)} ({100 * metric.level:g} %)"
    if metric.requirement is not None:
        requirement = Requirement(metric.better, metric.requirement).describe(metric.name)
    return {
        "name": metric.name,
        "value": value,
        "interval": interval,
        "requirement": requirement or "none",
        "verdict": metric.verdict or "nothing required",
        "kind": metric.verdict.replace(" ", "-") or "free",
        "reason": metric.reason,
    }


def _note(card: Scorecard) -> str:
    """One sentence on how many requirements are met."""
    verdicts = [metric.verdict for metric in card.metrics if metric.verdict]
    if not verdicts:
        return "Nothing is required of these metrics."
    counts = {verdict: verdicts.count(verdict) for verdict in ("met", "not met", "undecided")}
    parts = [f"{count} {verdict}" for verdict, count in counts.items() if count]
    return f"Of {len(verdicts)} requirement{'s' if len(verdicts) > 1 else ''}: {', '.join(parts)}."
