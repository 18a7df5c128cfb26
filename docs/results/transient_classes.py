"""Light curves of the parametric series of every class: writes transient_classes.png.

    .venv/bin/python docs/results/transient_classes.py

One panel a class: the first four series at redshift 0.1, in g r i z, each dimmed or brightened so that it
peaks at the middle of the luminosity function of its class; no dust, no noise. Of active nuclei, one at
redshift 0.5. Bands are integrated on the wavelengths of the series, to about a hundredth of a magnitude.
Needs no data. It takes about ten seconds on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from skysynergy.challenges import canvas
from skysynergy.simulators.active_nuclei import nucleus_fluxes
from skysynergy.simulators.curves import filter_curve
from skysynergy.simulators.parametric_series import WAVELENGTH, parametric_series
from skysynergy.simulators.series import Series
from skysynergy.simulators.transient_classes import CLASSES, OUT_OF_DISTRIBUTION, TransientClass
from skysynergy.simulators.transient_population import distance_modulus

HERE = Path(__file__).parent
BANDS = ("g", "r", "i", "z")
COLOURS = tuple(canvas.BAND_COLOURS[band] for band in BANDS)
Z, SERIES, DEPTH = 0.1, 4, 4.5
# Days shown before and after maximum.
SHOWN = {"KN": (-2, 12), "SLSN-I": (-80, 220), "TDE": (-60, 220), "IIn": (-60, 200), "II": (-20, 180)}


def magnitudes(series: Series, band: str, z: float) -> np.ndarray:
    """(p,) AB magnitudes at 10 pc of a series seen at a redshift."""
    grid = WAVELENGTH * (1.0 + z)
    curve, response = filter_curve(band)
    through = np.interp(grid, curve, response, left=0.0, right=0.0) * grid * np.gradient(grid)
    zero = through @ (2.99792458e18 / grid**2)
    return -2.5 * np.log10(series.f_lambda[0] / (1.0 + z) @ through / zero) - 48.6


def draw_class(axes: Axes, kind: TransientClass) -> None:
    luminosity = kind.luminosity
    middle = np.mean(luminosity.limits) if luminosity.magnitudes is None else luminosity.magnitudes.peak
    ends: list[float] = []
    for index in range(SERIES):
        one = parametric_series(kind.name, index)
        shift = middle - magnitudes(one, luminosity.band, 0.0).min() + distance_modulus(Z)
        for band, colour in zip(BANDS, COLOURS, strict=True):
            light = magnitudes(one, band, Z) + shift
            ends.append(float(light.min()))
            label = band if index == 0 else None
            axes.plot(one.phase * (1 + Z), light, color=colour, lw=0.9, alpha=1 - 0.2 * index, label=label)
    axes.set_xlim(SHOWN.get(kind.name, (-25, 110)))
    axes.set_ylim(max(ends) + DEPTH, min(ends) - 0.5)


def draw_nucleus(axes: Axes) -> None:
    days = np.arange(0.0, 1500.0, 4.0)
    rng = np.random.default_rng(7)
    band = np.tile(np.arange(len(BANDS)), days.size)
    difference, _ = nucleus_fluxes(
        rng,
        [band.size],
        np.repeat(days, len(BANDS)),
        band,
        z=[0.5],
        m_g=[-22.5],
        distance_modulus=distance_modulus([0.5]),
        bands=BANDS,
    )
    for code, colour in enumerate(COLOURS):
        axes.plot(days, difference[band == code] / 1e3, color=colour, lw=0.7)
    axes.axhline(0.0, color=canvas.SOFT, lw=0.6)
    axes.set_ylabel("flux − template, µJy")


def figure() -> Figure:
    kinds = [*CLASSES.values(), *OUT_OF_DISTRIBUTION.values()]
    drawing = Figure(figsize=(11.0, 9.5), layout="constrained")
    grid = drawing.subplots(4, 4).ravel()
    for axes, kind in zip(grid, kinds, strict=False):
        if kind.always:
            draw_nucleus(axes)
        else:
            draw_class(axes, kind)
        held = " (held out)" if kind.name in OUT_OF_DISTRIBUTION else ""
        axes.set_title(kind.name + held)
    for axes in grid[len(kinds) :]:
        axes.set_axis_off()
    grid[0].legend(frameon=False, ncols=2, loc="upper right")
    drawing.supxlabel("days since maximum in blue light, observed (AGN: days)")
    drawing.supylabel(f"AB magnitude at z = {Z}, at the middle of the luminosity function")
    return drawing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.parse_args()
    canvas.save(canvas.drawn(figure)(), HERE / "transient_classes.png")
    print(f"wrote {HERE / 'transient_classes.png'}")


if __name__ == "__main__":
    main()
