"""Redshifts and colours of the simulated sky against cosmoDC2: writes sky_photometry.md and its figures.

    .venv/bin/python docs/results/sky_photometry.py

DC2 is RAIL's validation file, 20,449 galaxies at i < 25.3, from which nothing was fitted. Ours have the
same i magnitudes, redshifts and spectra drawn for them, and noise of ten years of LSST as in the file.
Redshifts are compared by quantiles, colours by medians and half of the 16 to 84 % range in bins of
redshift. Half a minute.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from skysynergy.challenges import canvas
from skysynergy.simulators.redshifts import draw_redshifts
from skysynergy.simulators.spectra import flux_parts
from skysynergy.simulators.surveys import BANDS, flux_from_mag

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LSST = "ugrizy"
# The errors of the file are sqrt(0.005^2 + (0.04 - g) x + g x^2), x = 10^(0.4 (mag - m)), to 3e-6: m and g.
DEPTH = np.array([25.17943, 26.88241, 26.97360, 26.56957, 25.94651, 25.03951])
GAMMA = np.array([0.0397267, 0.0398869, 0.0399254, 0.0399254, 0.0399200, 0.0399200])
# Fainter magnitudes in a colour count as this: 7 % of the galaxies are not seen in u.
FAINTEST = 27.5
I_LIMIT = 25.3
Z_EDGES = np.arange(0.0, 2.01, 0.25)
I_EDGES = (20.0, 21.0, 22.0, 23.0, 23.5, 24.0, 24.5, 25.0, 25.3)
COLOURS = tuple(zip(range(5), range(1, 6), strict=True))
# Median i - H of non-negative fits of 31 templates to DC2, in bins of redshift.
I_H_EDGES, I_H = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0), (0.85, 1.23, 1.51, 1.49, 1.06)
REPEATS = 4


@dataclass(frozen=True)
class Catalogue:
    """Galaxies as a survey lists them: redshifts (n,), magnitudes (n, 6), 99 where not detected."""

    z: NDArray[np.float64]
    mag: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.z)


def data_folder() -> Path:
    """Where RAIL's files are; ends the program where they are not."""
    folder = Path(os.environ.get("SKYSYNERGY_TEST_DATA", ROOT.parent / "shared" / "data")) / "photoz"
    if not folder.is_dir():
        print(f"no folder {folder}: set SKYSYNERGY_TEST_DATA to the one that holds photoz/", file=sys.stderr)
        sys.exit(2)
    return folder


def dc2(split: str) -> Catalogue:
    """``training`` or ``validation``."""
    import h5py

    with h5py.File(data_folder() / f"test_dc2_{split}_9816.hdf5") as file:
        table = file["photometry"]
        mag = np.stack([table[f"mag_{band}_lsst"][:] for band in LSST], axis=1).astype(float)
        return Catalogue(table["redshift"][:].astype(float), mag)


def simulated(rng: np.random.Generator, mag_i: NDArray[np.float64]) -> tuple[Catalogue, NDArray[np.float64]]:
    """Ours with these magnitudes before noise, those seen at i < 25.3, and their true i - H."""
    z, spectrum = draw_redshifts(rng, mag_i)
    flux = flux_parts(spectrum, z, mag_i).sum(axis=1)
    mag = observed(rng, flux[:, :6])
    seen = mag[:, 3] < I_LIMIT
    colour = 2.5 * np.log10(flux[:, BANDS["H"].code] / flux[:, BANDS["i"].code])
    return Catalogue(z[seen], mag[seen]), colour[seen]


def observed(rng: np.random.Generator, flux: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitudes (n, 6) of true fluxes (nJy) after ten years of LSST; 99 where the flux is not positive."""
    x = flux_from_mag(DEPTH) / flux
    error = flux * np.sqrt(0.005**2 + (0.04 - GAMMA) * x + GAMMA * x**2)
    noisy = flux + error * rng.normal(size=flux.shape)
    return np.where(noisy > 0, 31.4 - 2.5 * np.log10(np.maximum(noisy, 1e-9)), 99.0)


def colours(mag: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 5) u - g to z - y."""
    mag = np.minimum(mag, FAINTEST)
    return mag[:, :5] - mag[:, 1:]


def summary(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and half of the 16 to 84 % range along the first axis."""
    low, middle, high = np.percentile(values, [16, 50, 84], axis=0)
    return middle, (high - low) / 2


def compare(data: Catalogue, ours: Catalogue) -> tuple[NDArray[np.float64], ...]:
    """Per bin of redshift and colour: both medians, both scatters: 4 of (bins, 5)."""
    rows = []
    for low, high in pairwise(Z_EDGES):
        rows.append(
            [
                part
                for catalogue in (data, ours)
                for part in summary(colours(catalogue.mag)[(catalogue.z >= low) & (catalogue.z < high)])
            ]
        )
    a, b, c, d = np.moveaxis(np.array(rows), 1, 0)
    return a, c, b, d


def table(data: Catalogue, ours: Catalogue, i_h: NDArray[np.float64]) -> str:
    """The page's tables."""
    rng, trained = np.random.default_rng(2), dc2("training")
    lines = ["| measure | figure | limit | met |", "|---|---|---|---|"]

    def row(name: str, figure: str, limit: str, met: bool) -> None:
        lines.append(f"| {name} | {figure} | {limit} | {'yes' if met else '**no**'} |")

    boots = [np.median(rng.choice(data.z, len(data))) for _ in range(200)]
    medians = np.median(ours.z), np.median(data.z)
    row(
        f"median z, i < {I_LIMIT}: ours, DC2",
        f"{medians[0]:.3f}, {medians[1]:.3f} ± {np.std(boots):.3f}",
        "within 0.05",
        abs(medians[0] - medians[1]) <= 0.05,
    )
    for low, high in pairwise(I_EDGES):
        a, b = (c.z[(c.mag[:, 3] >= low) & (c.mag[:, 3] < high)] for c in (data, ours))
        distance = ks_2samp(a, b).statistic
        fitted = trained.z[(trained.mag[:, 3] >= low) & (trained.mag[:, 3] < high)]
        row(
            f"p(z), {low:g} < i < {high:g}: KS ({len(a):,} of DC2)",
            f"{distance:.3f} (DC2's own files: {ks_2samp(a, fitted).statistic:.3f})",
            "0.05",
            bool(distance <= 0.05),
        )
    medians_dc2, medians_ours, scatters_dc2, scatters_ours = compare(data, ours)
    offset, ratio = medians_ours - medians_dc2, scatters_ours / scatters_dc2
    for colour, (blue, red) in enumerate(COLOURS):
        worst = np.argmax(np.abs(offset[:, colour]))
        row(
            f"{LSST[blue]} − {LSST[red]}: largest offset of a median, bins of z to 2",
            f"{offset[worst, colour]:+.3f} mag (z {Z_EDGES[worst]:g} to {Z_EDGES[worst + 1]:g})",
            "0.1",
            bool(np.abs(offset[:, colour]).max() <= 0.1),
        )
        row(
            f"{LSST[blue]} − {LSST[red]}: scatter, ours over DC2, least and largest bin",
            f"{ratio[:, colour].min():.2f}, {ratio[:, colour].max():.2f}",
            "0.7 to 1.3",
            bool(ratio[:, colour].min() >= 0.7 and ratio[:, colour].max() <= 1.3),
        )
    lines += ["", "Median i − H against fits of 31 templates to DC2 (no limit was set):", ""]
    lines += ["| z | ours | fits |", "|---|---|---|"]
    for low, high, fits in zip(I_H_EDGES[:-1], I_H_EDGES[1:], I_H, strict=True):
        inside = (ours.z >= low) & (ours.z < high)
        lines.append(f"| {low:g} to {high:g} | {np.median(i_h[inside]):.2f} | {fits:.2f} |")
    lines += ["", f"Galaxies of ours beyond z = 3, where DC2 ends: {100 * np.mean(ours.z > 3):.2f} %."]
    return "\n".join(lines)


@canvas.drawn
def colour_figure(data: Catalogue, ours: Catalogue, i_h: NDArray[np.float64]) -> Figure:
    figure = Figure(figsize=(9.5, 5.4), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True).ravel()
    edges = np.arange(0.0, 2.51, 0.125)
    for panel, (blue, red) in zip(panels, COLOURS, strict=False):
        for catalogue, colour, name in ((data, "blue", "DC2"), (ours, "vermillion", "ours")):
            middles, ranges = [], []
            for low, high in pairwise(edges):
                inside = (catalogue.z >= low) & (catalogue.z < high)
                low16, middle, high84 = np.percentile(colours(catalogue.mag)[inside, blue], [16, 50, 84])
                middles.append(middle)
                ranges.append((low16, high84))
            centre = (edges[1:] + edges[:-1]) / 2
            panel.fill_between(centre, *np.transpose(ranges), color=canvas.COLOURS[colour], alpha=0.25, lw=0)
            panel.plot(centre, middles, color=canvas.COLOURS[colour], label=f"{name}: median, 16–84 %")
        panel.set_ylabel(f"{LSST[blue]} − {LSST[red]} (mag)")
    panels[0].legend(loc="upper right")
    panel = panels[5]
    low16, middle, high84 = np.transpose(
        [np.percentile(i_h[(ours.z >= low) & (ours.z < high)], [16, 50, 84]) for low, high in pairwise(edges)]
    )
    centre = (edges[1:] + edges[:-1]) / 2
    panel.fill_between(centre, low16, high84, color=canvas.COLOURS["vermillion"], alpha=0.25, lw=0)
    panel.plot(centre, middle, color=canvas.COLOURS["vermillion"], label="ours, without noise")
    panel.plot([0.25, 0.75, 1.25, 1.75, 2.4], I_H, "o", color=canvas.INK, label="31 templates fitted to DC2")
    panel.set_ylabel("i − H (mag)")
    panel.legend(loc="lower right")
    for panel in panels[3:]:
        panel.set_xlabel("redshift")
    return figure


@canvas.drawn
def redshift_figure(data: Catalogue, ours: Catalogue) -> Figure:
    figure = Figure(figsize=(9.5, 5.0), layout="constrained")
    panels = figure.subplots(2, 4, sharex=True).ravel()
    bins = np.arange(0.0, 3.21, 0.1)
    for panel, low, high in zip(panels, I_EDGES[:-1], I_EDGES[1:], strict=True):
        for catalogue, colour, name in ((data, "blue", "DC2"), (ours, "vermillion", "ours")):
            inside = (catalogue.mag[:, 3] >= low) & (catalogue.mag[:, 3] < high)
            look = {"color": canvas.COLOURS[colour], "label": name, "density": True}
            panel.hist(catalogue.z[inside], bins, histtype="step", lw=1.3, **look)
        panel.set_title(f"{low:g} < i < {high:g}")
        panel.set_yticks([])
    panels[0].legend()
    for panel in panels[4:]:
        panel.set_xlabel("redshift")
    for panel in panels[::4]:
        panel.set_ylabel("p(z)")
    return figure


HEAD = """# Redshifts and colours of the sky against cosmoDC2

Written by `sky_photometry.py`. DC2 is the validation file of RAIL, {count:,} galaxies at i < 25.3 from which
nothing was fitted; ours have its i magnitudes, {repeats} times each, and noise of ten years of LSST.
Scatter is half of the 16 to 84 % range, in bins of 0.25 in z; magnitudes fainter than {faintest} count so.
KS of DC2's own two files stands beside ours: large-scale structure makes even these differ.

"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    rng = np.random.default_rng(1)
    data = dc2("validation")
    ours, i_h = simulated(rng, np.repeat(np.maximum(data.mag[:, 3], 16.0), REPEATS))
    text = HEAD.format(count=len(data), repeats=REPEATS, faintest=FAINTEST) + table(data, ours, i_h)
    text += "\n\n![Colours against redshift](sky_photometry.png)\n\n![Redshifts](sky_photometry_z.png)\n"
    print(text)
    canvas.write_whole(HERE / "sky_photometry.md", text.encode())
    canvas.save(colour_figure(data, ours, i_h), HERE / "sky_photometry.png")
    canvas.save(redshift_figure(data, ours), HERE / "sky_photometry_z.png")


if __name__ == "__main__":
    main()
