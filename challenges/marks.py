"""Marks on pictures of the sky: how large it is, and which way it lies."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from .canvas import OUTLINE, PAPER

__all__ = ["compass", "scale_bar"]


def scale_bar(axes: Axes, half: float, pixel_arcsec: float, colour: str = "white") -> None:
    """A bar of a round length, with its length in arcsec and pixels, in the lower right corner.

    Arguments:
        axes: in arcsec, from -half to half.
        half: half the width of the picture, arcsec.
        pixel_arcsec: width of a pixel.
        colour: white, or one for light pictures.
    """
    length = next((n for n in (10, 5, 2, 1, 0.5) if n <= 0.6 * half), 0.2)
    x, y = 0.94 * half, -0.92 * half
    effects = OUTLINE if colour == "white" else PAPER
    axes.plot([x - length, x], [y, y], color=colour, linewidth=2, solid_capstyle="butt", path_effects=effects)
    axes.text(
        x,
        y + 0.04 * half,
        f"{length:g}″ = {length / pixel_arcsec:.0f} px",
        color=colour,
        ha="right",
        va="bottom",
        fontsize=8,
        path_effects=effects,
    )


def compass(axes: Axes, turn: np.ndarray, names: tuple[str, str] = ("x", "y"), size: float = 0.075) -> None:
    """Arrows along the sky's x (west) and y (north), in the lower left corner.

    Arguments:
        axes: square.
        turn: (2, 2) unit vectors along the sky's x and y in the frame of the axes, as columns.
        names: written at the arrows.
        size: length of an arrow, in widths of the axes.
    """
    centre = 0.07 + (size + 0.02) * np.clip(-turn.sum(axis=1), 0, None)
    arrow = {"arrowstyle": "->", "color": "white", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    for (right, up), name in zip(turn.T, names, strict=True):
        x, y = centre + size * np.array([right, up])
        axes.annotate("", (x, y), (centre[0], centre[1]), "axes fraction", "axes fraction", arrowprops=arrow)
        axes.text(
            x + 0.015 * right,
            y + 0.015 * up,
            name,
            transform=axes.transAxes,
            ha="center" if abs(right) < 0.5 else "left" if right > 0 else "right",
            va="center" if abs(up) < 0.5 else "bottom" if up > 0 else "top",
            color="white",
            fontsize=7.5,
            path_effects=OUTLINE,
        )
