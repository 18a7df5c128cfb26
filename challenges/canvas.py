"""What all figures share: their look, their colours, and how they are saved.

Figures are made without pyplot, so that a server or a test draws any number of them and none
leaks. The look is set whole, so that nobody's own matplotlib settings change a report.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .files import write_whole

__all__ = [
    "BAND_COLOURS",
    "COLOURS",
    "DPI",
    "INK",
    "OUTLINE",
    "PAPER",
    "SOFT",
    "VERDICTS",
    "drawn",
    "quiet",
    "save",
    "write_whole",
]

DPI = 150
"""Dots per inch of every PNG."""

INK, SOFT = "#1b1f24", "#6b7280"
"""Colours of text, and of what should stay in the background."""

COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
}
"""Colours that are told apart with any colour vision (Okabe & Ito 2008, Color Universal Design)."""

BAND_COLOURS = {
    "u": COLOURS["sky"],
    "g": COLOURS["blue"],
    "r": COLOURS["green"],
    "i": COLOURS["orange"],
    "z": COLOURS["vermillion"],
    "y": COLOURS["purple"],
    "VIS": "#000000",
    "Y": "#8a6d3b",
    "J": "#7f1d1d",
    "H": "#4c1d6e",
}
"""Colour of each band of LSST and Euclid; those of Euclid are dark, and need a mark of their own besides.
Other bands are drawn in `SOFT`."""

VERDICTS = {"met": COLOURS["blue"], "not met": COLOURS["vermillion"], "undecided": SOFT, "": INK}
"""Colour of each `scoring.metrics.Metric.verdict`."""

OUTLINE = (patheffects.withStroke(linewidth=2.0, foreground="black", alpha=0.75),)
"""Makes light text legible on any image; `PAPER` does the same for dark text."""

PAPER = (patheffects.withStroke(linewidth=2.0, foreground="white", alpha=0.8),)

_STYLE = matplotlib.rcParamsDefault | {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 5.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "image.interpolation": "nearest",
    "image.origin": "lower",
    "figure.dpi": DPI,
}
_STYLE: Any = {key: value for key, value in _STYLE.items() if not key.startswith("backend")}

_P = ParamSpec("_P")


def drawn(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    """Decorates a function that makes a figure, so that it has this look whoever calls it."""

    @functools.wraps(draw)
    def styled(*args: _P.args, **kwargs: _P.kwargs) -> Figure:
        with matplotlib.rc_context(_STYLE):
            figure = draw(*args, **kwargs)
            # Laid out here and never again: a layout moves a little whenever it is repeated.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            return figure

    return styled


def quiet(axes: Axes) -> None:
    """Axes that hold a picture: no ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def footnote(figure: Figure, text: str) -> None:
    """Small text below everything, wrapped to the width of the figure."""
    wrapped = textwrap.fill(text, int(15 * figure.get_figwidth()))
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=8.5, color=SOFT)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG: the same figure gives the same bytes, and half a file is never seen.

    Raises:
        ValueError: if the name does not end in ``.png``.
        FileNotFoundError: if the folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"a figure is written as PNG: end the name {path.name!r} with .png")
    with matplotlib.rc_context(_STYLE):
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": "skysynergy"})
    write_whole(path, picture.getvalue())
