"""Counts, sizes and shapes of our galaxies against COSMOS: writes sky_counts.md and its figures.

    .venv/bin/python docs/results/sky_counts.py
    .venv/bin/python docs/results/sky_counts.py --fit     print the fits of counts.py and morphology.py again

About half a minute. The COSMOS table is looked for under $SKYSYNERGY_TEST_DATA, else ../shared/data.
"""

from __future__ import annotations

import argparse
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import sky_counts_figures as figures
from numpy.typing import NDArray
from scipy.stats import ks_2samp, kstest
from skysynergy.challenges import canvas
from skysynergy.simulators import counts, morphology
from skysynergy.simulators.catalogues import I_MINUS_F814W
from skysynergy.simulators.galaxies import Galaxies, draw_galaxies
from skysynergy.simulators.growth import half_light_total
from skysynergy.simulators.redshifts import draw_redshifts
from skysynergy.simulators.spectra import flux_parts
from skysynergy.simulators.surveys import BANDS, mag_from_flux

HERE = Path(__file__).parent
DATA = Path(os.environ.get("SKYSYNERGY_TEST_DATA", HERE.parents[1].parent / "shared" / "data"))
SEED, GALAXIES, DEEP_GALAXIES, RESAMPLED = 3, 600_000, 100_000, 200
LIMIT, DRAWN_TO = 0.10, 25.4
EDGES = np.append(np.arange(20.0, 25.1, 0.5), 25.3)  # bins of i

# COSMOS2020, i band of The Farmer (Weaver et al. 2022, table 2): log10 per mag and deg^2.
COSMOS2020_MAG = np.arange(19.25, 27.0, 0.5)
COSMOS2020 = 10.0 ** np.array(
    [3.01, 3.23, 3.44, 3.64, 3.85, 4.03, 4.21, 4.38, 4.54, 4.71, 4.86, 4.97, 5.08, 5.20, 5.29, 5.35]
)
# The compilation of Driver et al. (2016), per 0.5 mag and deg^2: SDSS i, Subaru i of COSMOS (17 to 24.5),
# F775W of the three deepest fields of Hubble.
SDSS_MAG = np.arange(16.0, 18.6, 0.5)
SDSS = np.array([10.96, 21.56, 41.19, 76.07, 135.57, 239.74])
SUBARU_MAG = np.arange(17.0, 24.6, 0.5)
SUBARU = np.array(
    [
        *(45.99, 74.36, 136.99, 255.38, 516.63, 1002.9, 1132.1, 1736.8),
        *(2535.2, 4082.2, 6034.2, 8771.0, 12513.7, 17849.3, 26246.6, 36243.6),
    ]
)
DEEP_MAG = (np.arange(25.75, 28.8, 0.5), np.arange(25.75, 28.8, 0.5), np.arange(25.5, 28.6, 0.5))
DEEP = (
    np.array([77145.6, 87753.1, 114111.2, 155577.0, 192864.0, 245580.2, 304403.8]),
    np.array([75742.6, 98910.9, 129208.0, 180000.0, 244158.0, 279802.0, 392970.0]),
    np.array([62526.3, 93473.7, 106421.1, 154421.1, 189473.7, 270000.1, 347368.5]),
)
GOLD_ARCMIN2 = 48.0


def read_cosmos() -> dict[str, NDArray[Any]]:
    """The table, in LSST i, with the half-light radius of the fit that its flags prefer."""
    import pyarrow.parquet as pq

    path = DATA / "galaxies" / "cosmos_f814w.parquet"
    if not path.exists():
        print(f"there are no COSMOS galaxies at {path}: set SKYSYNERGY_TEST_DATA", file=sys.stderr)
        raise SystemExit(2)
    columns = pq.read_table(path)
    table = {name: columns[name].to_numpy() for name in columns.column_names}
    usable = (table["viable_sersic"] == 1) & (table["hlr_arcsec_sersic"] > 0)
    table = {name: values[usable].astype(float) for name, values in table.items()}
    both = table["use_bulgefit"] == 1
    bulge = np.where(both, table["flux_bulge"], 0.0)
    share = bulge / np.where(both, bulge + table["flux_disk"], 1.0)
    disk = np.where(both, table["hlr_arcsec_disk"], table["hlr_arcsec_sersic"])
    radii = np.stack([disk, np.where(both, table["hlr_arcsec_bulge"], 1.0)], axis=1)
    q = table["sersic_q"]
    return {
        "i": table["mag_f814w"] + I_MINUS_F814W,
        "ra": table["ra_deg"],
        "dec": table["dec_deg"],
        "z": table["zphot"],
        "odd": table["id"] % 2 == 1,
        "both": both,
        "share": share,
        "radius": half_light_total(share, radii, np.tile([1.0, 4.0], (len(q), 1))),
        "single_radius": table["hlr_arcsec_sersic"],
        "n": table["sersic_n"],
        "e": (1 - q) / (1 + q),
    }


def describe(galaxies: Galaxies) -> dict[str, NDArray[Any]]:
    """Our galaxies by the same names."""
    i = BANDS["i"].code
    share = galaxies.component_flux[:, morphology.BULGE, i] / galaxies.flux[:, i]
    return {
        "i": mag_from_flux(galaxies.flux[:, i]),
        "z": galaxies.z,
        "both": share > 0,
        "share": share,
        "radius": half_light_total(share, galaxies.half_light_arcsec, galaxies.sersic_n),
        "n": galaxies.sersic_n[:, morphology.DISK],
        "e": np.hypot(galaxies.e1[:, morphology.DISK], galaxies.e2[:, morphology.DISK]),
    }


def footprint_arcmin2(cosmos: dict[str, NDArray[Any]]) -> float:
    """Area of the cells of one arcmin^2 that hold a galaxy."""
    x = 60 * (cosmos["ra"] - cosmos["ra"].mean()) * np.cos(np.radians(cosmos["dec"].mean()))
    y = 60 * (cosmos["dec"] - cosmos["dec"].mean())
    edges = np.arange(-60.0, 60.5, 1.0)
    return float((np.histogram2d(x, y, bins=[edges, edges])[0] > 0).sum())


def counts_of_table(cosmos: dict[str, NDArray[Any]], edges: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Galaxies of the table per mag and arcmin^2, and the area that gives it our density overall."""
    number = np.histogram(cosmos["i"], edges)[0]
    expected = np.diff(counts.cumulative_arcmin2(edges))
    area = number.sum() / expected.sum()
    return number / np.diff(edges) / area, area


def rows_of_counts(cosmos: dict[str, NDArray[Any]]) -> list[list[Any]]:
    """Per half magnitude: ours, its ratio to the table and the table's Poisson error, and to COSMOS2020."""
    table, _ = counts_of_table(cosmos, EDGES)
    density = np.diff(counts.cumulative_arcmin2(EDGES)) / np.diff(EDGES)
    middle = (EDGES[1:] + EDGES[:-1]) / 2
    published = 10 ** np.interp(middle, COSMOS2020_MAG, np.log10(COSMOS2020 / 3600))
    error = density / table * np.histogram(cosmos["i"], EDGES)[0] ** -0.5
    columns = (EDGES[:-1], density, density / table, error, density / published)
    return [list(row) for row in zip(*columns, strict=True)]


def size_of(radius: NDArray[Any]) -> NDArray[Any]:
    """Median of ln(radius) and half the range from 16 to 84 %."""
    low, middle, high = np.percentile(np.log(radius), [16, 50, 84])
    return np.array([middle, (high - low) / 2])


def rows_of_sizes(cosmos: dict[str, NDArray[Any]], ours: dict[str, NDArray[Any]]) -> list[list[Any]]:
    """Per half magnitude: COSMOS's median and scatter (odd rows), our ratios, their error, single fits."""
    rng, rows = np.random.default_rng(SEED), []
    for edge, end in pairwise(EDGES):
        chosen = (cosmos["i"] >= edge) & (cosmos["i"] < end) & cosmos["odd"]
        mine = size_of(ours["radius"][(ours["i"] >= edge) & (ours["i"] < end)])
        radius = cosmos["radius"][chosen]
        data, single = size_of(radius), size_of(cosmos["single_radius"][chosen])
        again = np.array([size_of(rng.choice(radius, radius.size)) for _ in range(RESAMPLED)])
        error = again.std(axis=0) / [1.0, data[1]]
        ratio = [np.exp(mine[0] - data[0]), mine[1] / data[1]]
        other = [np.exp(mine[0] - single[0]), mine[1] / single[1]]
        rows.append([edge, np.exp(data[0]), data[1], *ratio, *error, *other])
    return rows


def rows_of_shapes(cosmos: dict[str, NDArray[Any]], ours: dict[str, NDArray[Any]]) -> list[str]:
    """Proportions of kinds, and the distance of distributions (KS)."""
    lines = []
    for low, high in ((20, 21), (21, 22), (22, 23), (23, 24), (24, 25)):
        cells = [f"{low} to {high}"]
        for sample in (cosmos, ours):
            inside = (sample["i"] >= low) & (sample["i"] < high)
            single = inside & ~sample["both"]
            early = single & (sample["n"] > 2.5)
            cells += [f"{sample['both'][inside].mean():.3f}", f"{early.sum() / inside.sum():.3f}"]
            cells += [f"{np.median(sample['share'][inside & sample['both']]):.2f}"]
            cells += [f"{np.median(sample['e'][single & ~early]):.3f}"]
        distances = []
        for name, part in (("share", "both"), ("e", "single")):
            pair = []
            for sample in (cosmos, ours):
                inside = (sample["i"] >= low) & (sample["i"] < high)
                kind = sample["both"] if part == "both" else ~sample["both"]
                pair.append(sample[name][inside & kind])
            distances.append(f"{ks_2samp(*pair).statistic:.3f}")
        lines.append("| " + " | ".join(cells + distances) + " |")
    return lines


def page(cosmos: dict[str, NDArray[Any]], ours: dict[str, NDArray[Any]]) -> str:
    """The Markdown page."""
    number_rows, size_rows = rows_of_counts(cosmos), rows_of_sizes(cosmos, ours)
    density = counts.density_arcmin2(25.3)
    faint = [row for row in size_rows if 22 <= row[0] < 25]
    measures = [
        worst("counts per half magnitude, 20 < i < 25.3, to the COSMOS table (its shape)", number_rows, 2, 3),
        worst("the same, to COSMOS2020 (absolute)", number_rows, 4),
        worst(
            f"density at i < 25.3: {density:.1f} per arcmin², to the gold 48", [[density / GOLD_ARCMIN2]], 0
        ),
        worst("half-light radius per half magnitude, 22 < i < 25: median", faint, 3, 5),
        worst("the same: scatter", faint, 4, 6),
    ]
    _, area = counts_of_table(cosmos, EDGES)
    foot = footprint_arcmin2(cosmos)
    low = float(counts.cumulative_arcmin2(counts.I_BRIGHTEST))
    total = counts.density_arcmin2(DRAWN_TO)
    drawn = kstest(ours["i"], lambda m: (counts.cumulative_arcmin2(m) - low) / total).statistic
    text = HEAD + "\n".join(measures) + "\n\n"
    text += ABOUT.format(area=area, foot=foot, share=area / foot, galaxies=GALAXIES, drawn=drawn)
    text += COUNTS + "\n".join(
        f"| {edge:.1f} | {density:.3f} | {table:.3f} ± {error:.3f} | {published:.3f} |"
        for edge, density, table, error, published in number_rows
    )
    text += SIZES + "\n".join(
        f"| {r[0]:.1f} | {r[1]:.3f} | {r[2]:.3f} | {r[3]:.3f} ± {r[5]:.3f} | {r[4]:.3f} ± {r[6]:.3f}"
        f" | {r[7]:.3f} | {r[8]:.3f} |"
        for r in size_rows
    )
    return text + SHAPES + "\n".join(rows_of_shapes(cosmos, ours)) + TAIL


def worst(name: str, rows: list[list[Any]], column: int, error: int | None = None) -> str:
    """A line of the first table: the ratio furthest from 1, and the error of its bin."""
    row = max(rows, key=lambda row: abs(row[column] - 1))
    figure, uncertain = abs(row[column] - 1), 0.0 if error is None else row[error]
    verdict = "not met" if figure > LIMIT else "met" if figure + uncertain < LIMIT else "met, by less than ±"
    shown = f"{figure:.3f}" + ("" if error is None else f" ± {uncertain:.3f}")
    return f"| {name} | {shown} | {LIMIT:.2f} | {verdict} |"


HEAD = """# Counts, sizes and shapes of galaxies

Written by `sky_counts.py`. Figures are the largest deviations from 1 of any bin; ± is the error of the
data in that bin, 68 % (Poisson for counts, bootstrap for sizes; the clustering of one field is not in it).

| measure | figure | limit | |
|---|---|---|---|
"""
ABOUT = """## What the data can tell

The COSMOS table (F814W < 25.2, 81,499 galaxies with parametric fits) is taken to LSST i with
i − F814W = 0.135. It fills {foot:,.0f} arcmin² of sky (cells of 1 arcmin² with a galaxy in them), but holds
only 14 galaxies per arcmin² where COSMOS itself has 50: it is a sample of them, and pairs nearer than 1″
are missing. What share it is the table cannot tell, so that it gives the SHAPE of the counts: its
effective area, {area:,.0f} arcmin² ({share:.0%} of the sky it fills), is the one that makes it agree with us
between i = 20 and 25.3 as a whole. Absolute counts are those of COSMOS2020
(Weaver et al. 2022), read from a public table; its total to 25.3 is 13 % above the gold sample's 48 per
arcmin², so that our 52 lies between. Magnitudes of {galaxies:,} galaxies as drawn follow the curve to a
KS distance of {drawn:.4f}.

"""
COUNTS = """## Counts

![Counts](sky_counts.png)

| i from | per mag and arcmin² | ours / table | ours / COSMOS2020 |
|---|---|---|---|
"""
SIZES = """

Beyond 25.3 the three variants are given by the deepest fields of Hubble: see `simulators/counts.py`.

## Half-light radii

![Sizes](sky_counts_sizes.png)

Circularised radii of all the light: of bulge and disk together where that fit is preferred, else of
the single Sersic fit. The constants were adjusted to rows of even id; these are the odd ones. Scatter is
half the range from 16 to 84 % in ln. The last two columns compare with the single fits of all galaxies.

| i from | COSMOS median, ″ | scatter | ours / COSMOS: median | scatter | ours / single: median | scatter |
|---|---|---|---|---|---|---|
"""
SHAPES = """

## Shapes

![Shapes](sky_counts_shapes.png)

Shares of galaxies with bulge and disk and of single ones with n > 2.5 (early), the median share of the
bulge, the median |e| of the other single ones; KS distances of the bulge's share, and of |e| of single fits.

| i | COSMOS: both | early | bulge | median e | ours: both | early | bulge | median e | KS bulge | KS e |
|---|---|---|---|---|---|---|---|---|---|---|
"""
TAIL = """

Fits of faint galaxies are noisy: beyond i = 24 more single fits stray to n > 2.5, and ellipticities grow.
Ours do not follow them there: proportions and ellipticities are those of the bright galaxies.
"""


def print_fits(cosmos: dict[str, NDArray[Any]]) -> None:
    """The parabola of `counts`, and the table of old light of `morphology`."""
    edges = np.append(np.arange(19.0, 25.1, 0.5), 25.3)
    middle = (edges[1:] + edges[:-1]) / 2
    table = np.histogram(cosmos["i"], edges)[0] / np.diff(edges)
    sets = [
        (COSMOS2020_MAG[:13], COSMOS2020[:13] / 3600, 0.03),
        (SDSS_MAG, SDSS / 1800, 0.03),
        (SUBARU_MAG, SUBARU / 1800, 0.06),
        (middle, table / table.sum(), 0.03),
    ]
    x = np.concatenate([mag - 22.0 for mag, _, _ in sets])
    y = np.concatenate([np.log10(value) for _, value, _ in sets])
    weight = np.concatenate([np.full(len(mag), 1 / error) for mag, _, error in sets])
    which = np.repeat(np.arange(4), [len(mag) for mag, _, _ in sets])
    # Subaru and the table have free factors.
    design = np.stack([x**0, x, x**2, which == 2, which == 3], axis=1)
    a, b, c, *_ = np.linalg.lstsq(design * weight[:, None], y * weight, rcond=None)[0]
    print(f"counts: log10 = {a:.4f} + {b:.4f} x + {c:.5f} x^2, before the constant is lowered")

    rng = np.random.default_rng(SEED)
    for mag in (19.0, 20.5, 22.0, 23.0, 24.0, 25.5):
        mag_i = mag + rng.uniform(-0.5, 0.5, 50_000)
        z, spectrum = draw_redshifts(rng, mag_i)
        light = flux_parts(spectrum, z, mag_i)[:, :, BANDS["i"].code]
        old = light[:, 1] / light.sum(axis=1)
        some = old > 1e-3
        shares = np.quantile(old[some], (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)).round(3).tolist()
        print(f"old light at {mag}: none {1 - some.mean():.3f}, quantiles of the others {shares}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fit", action="store_true", help="print the fits instead of comparing")
    options = parser.parse_args()
    cosmos = read_cosmos()
    if options.fit:
        print_fits(cosmos)
        return
    ours = describe(draw_galaxies(np.random.default_rng(SEED), GALAXIES, DRAWN_TO))
    text = page(cosmos, ours)
    print(text)
    canvas.write_whole(HERE / "sky_counts.md", text.encode())
    edges = np.arange(19.0, 25.1, 0.5)
    published = {
        "COSMOS2020 (Weaver+ 2022)": (COSMOS2020_MAG, COSMOS2020 / 3600),
        "SDSS (in Driver+ 2016)": (SDSS_MAG, SDSS / 1800),
        "Subaru, COSMOS (in Driver+ 2016)": (SUBARU_MAG, SUBARU / 1800),
        "COSMOS table, area fitted": (edges[:-1] + 0.25, counts_of_table(cosmos, edges)[0]),
        "Hubble deep fields (in Driver+ 2016)": (np.concatenate(DEEP_MAG), np.concatenate(DEEP) / 1800),
    }
    canvas.save(figures.counts_figure(published), HERE / "sky_counts.png")
    deep = {
        variant: describe(draw_galaxies(np.random.default_rng(SEED), DEEP_GALAXIES, 28.5, variant=variant))
        for variant in counts.VARIANTS
    }
    canvas.save(figures.sizes_figure(cosmos, ours, deep), HERE / "sky_counts_sizes.png")
    canvas.save(figures.shapes_figure(cosmos, ours), HERE / "sky_counts_shapes.png")


if __name__ == "__main__":
    main()
