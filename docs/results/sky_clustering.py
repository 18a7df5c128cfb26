"""Clustering of galaxies and counts of stars against published ones: writes sky_clustering.md and figures.

    .venv/bin/python docs/results/sky_clustering.py
    .venv/bin/python docs/results/sky_clustering.py --patches 20

About three minutes on one core; with 20 squares, half a minute.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skysynergy.challenges import canvas
from skysynergy.challenges.canvas import COLOURS, SOFT
from skysynergy.simulators import stars
from skysynergy.simulators.clustering import (
    UNIFORM,
    Clustering,
    angular_correlation,
    boost,
    count_variance,
    draw_groups,
    expected_correlation,
    published_correlation,
)
from skysynergy.simulators.counts import density_arcmin2
from skysynergy.simulators.galaxies import draw_galaxies
from skysynergy.simulators.scenes import Arrangement, Content, clustering_model, lay_galaxies
from skysynergy.simulators.surveys import BANDS, mag_from_flux

HERE = Path(__file__).parent
SEED = 20261124
I_LIMIT, SAMPLE = 27.5, 400_000
PATCH_ARCSEC, DEEP_PATCH_ARCSEC, DEEP_PATCHES, GROUPS = 600.0, 300.0, 60, 20
EDGES = np.geomspace(2.0, 120.0, 11)
SHARING_PATCHES = 100
SCENE_ARCSEC, MARGIN_ARCSEC, SCENES = 19.2, 3.0, 20_000
BRIGHT, DEEP = (22.0, 23.0, 24.0, 25.0), (26.0, 27.5)
DEPTHS = (*BRIGHT, *DEEP)
LATITUDES = (20, 30, 45, 60, 90)

HEAD = """# Galaxies clustered on the sky, and stars

Written by `sky_clustering.py`. Galaxies are drawn to i < 27.5 in groups that share a redshift; those with
i < 25 are picked out and correlated (Landy & Szalay) on {patches} squares of 10′ drawn by the same function
that draws a scene. Errors: scatter of {groups} sets of squares, 68 %.

The published fit is w(θ) = 0.014 (θ/1′)^-0.8: amplitude from the abstract of McCracken et al. (2007, ApJS
172, 314), at a median I_AB of 24, which is that of our i < 25; slope as their group held it in its fits, 15″
to 4′. The paper itself could not be opened. From 2″ to 15″ the fit is an extrapolation, ours.

| measure | figure | limit | met |
|---|---|---|---|
"""


DEPTH = """
The same sky by depth. A bright sample clusters more, because its groups are those of low redshift. Nothing
was fitted but the amplitude at i < 25. Postman et al. (1998, abstract) found the amplitude, in bins of
magnitude, to fall by a factor of 2 to 3 from I = 20 to 23.

"""

AGAINST = """
Against the formula of Bahcall & Soneira (1980, eq. B1; constants as two public codes have them), good to 15 %
of their model of a disk and a halo: ratio of ours to theirs. At the bright end ours lacks giants and stars
above 1.3 solar masses; at the faint end it has a thick disk, which theirs lacks.

| latitude | 18 < V < 19 | 19 < V < 20 | 20 < V < 21 | 21 < V < 22 |
|---|---|---|---|---|
"""


def patch(
    rng: np.random.Generator, width: float, arrangement: Arrangement = "clustered"
) -> tuple[NDArray[np.float64], ...]:
    """x, y, z and i of the galaxies of a square, as `scenes.draw_scene` lays them."""
    return lay_galaxies(rng, Content(arrangement, i_limit=I_LIMIT), across_arcsec=width)


def binned(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over each bin, weighted as random pairs are."""
    fine = [np.linspace(low, high, 200) for low, high in pairwise(edges)]
    return np.array([np.average(function(theta), weights=theta) for theta in fine])


def correlations(
    rng: np.random.Generator,
    *,
    limits: tuple[float, ...],
    width: float,
    patches: int,
) -> NDArray[np.float64]:
    """(limit, group, bin) w(theta) of the galaxies brighter than each limit, in the same squares."""
    found = np.empty((len(limits), GROUPS, len(EDGES) - 1))
    for group in range(GROUPS):
        squares = [patch(rng, width) for _ in range(max(patches // GROUPS, 1))]
        for k, limit in enumerate(limits):
            found[k, group] = angular_correlation(
                [(x[mag_i < limit], y[mag_i < limit]) for x, y, _, mag_i in squares],
                width_arcsec=width,
                edges_arcsec=EDGES,
                rng=rng,
                randoms=2,
                mean=density_arcmin2(limit) * (width / 60.0) ** 2,
            )
    return found


def amplitudes(found: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """w(1') of the shape expected, the best of all bins, for each limit; and its error."""
    ratio = 0.014 * found / binned(lambda theta: expected_correlation(theta, Clustering()), EDGES)
    weight = 1.0 / ratio.var(axis=1, keepdims=True)
    each = (ratio * weight).sum(axis=2) / weight.sum(axis=2)
    return each.mean(axis=1), each.std(axis=1, ddof=1) / np.sqrt(GROUPS)


def pairs_that_share(rng: np.random.Generator, arrangement: Arrangement) -> tuple[float, float]:
    """Of pairs 2 to 5 arcsec apart (i < 25), the fraction within 0.01 (1 + z) in redshift; its error."""
    from scipy.spatial import KDTree

    near, all_pairs = np.zeros(SHARING_PATCHES), np.zeros(SHARING_PATCHES)
    for k in range(SHARING_PATCHES):
        x, y, z, mag_i = patch(rng, PATCH_ARCSEC, arrangement)
        bright = mag_i < 25.0
        xy, z = np.stack([x, y], axis=-1)[bright], z[bright]
        pairs = KDTree(xy).query_pairs(5.0, output_type="ndarray")
        pairs = pairs[np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T) > 2.0]
        a, b = z[pairs[:, 0]], z[pairs[:, 1]]
        near[k] = np.sum(np.abs(a - b) < 0.01 * (1.0 + (a + b) / 2.0))
        all_pairs[k] = len(pairs)
    fraction = near.sum() / all_pairs.sum()
    return fraction, float(np.sqrt(np.sum((near - fraction * all_pairs) ** 2)) / all_pairs.sum())


def bahcall_soneira(v: float, latitude: float) -> float:
    """Stars per deg^2 brighter than V at l = 90: Bahcall & Soneira 1980, ApJS 44, 73, eq. B1."""
    b = np.radians(latitude)
    gamma = max(0.04 * (12.0 - v) + 0.36, 0.04)
    disk = 925.0 * 10.0 ** (0.035 * (v - 15.75)) / (1.0 + 10.0 ** (-0.132 * (v - 15.75))) ** 3
    halo = 1050.0 * 10.0 ** (0.087 * (v - 17.5)) / (1.0 + 10.0 ** (-0.180 * (v - 17.5))) ** 2.5
    return float(disk / np.sin(b) ** (3.0 - 5.0 * gamma) + halo)


@canvas.drawn
def clustering_figure(
    found: NDArray[np.float64],
    depths: NDArray[np.float64],
    drawn: NDArray[np.float64],
    drawn_error: NDArray[np.float64],
    counts: dict[str, NDArray[np.int64]],
) -> Figure:
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1.0, 1.0))
    theta = np.geomspace(1.2, 200.0, 200)
    fit = published_correlation(theta)
    inside = (theta >= 2.0) & (theta <= 120.0)
    left.fill_between(
        theta[inside], 0.8 * fit[inside], 1.2 * fit[inside], color=COLOURS["orange"], alpha=0.25,
        linewidth=0.0, label="±20 %, 2″ to 2′",
    )  # fmt: skip
    left.plot(theta, fit, color=COLOURS["orange"], label="published: 0.014 (θ/1′)$^{-0.8}$")
    left.plot(
        theta, expected_correlation(theta, Clustering()), "--", color=SOFT, linewidth=1.0,
        label="expected of the groups",
    )  # fmt: skip
    centre = np.sqrt(EDGES[1:] * EDGES[:-1])
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    left.errorbar(
        centre, found.mean(axis=0), error, fmt="o", markersize=4, color=COLOURS["blue"],
        label="drawn, i < 25",
    )  # fmt: skip
    left.set(
        xscale="log", yscale="log", xlabel="separation θ (arcsec)", ylabel="angular correlation w(θ)",
        title="Galaxies with i < 25",
    )  # fmt: skip
    left.legend(loc="lower left")

    middle.errorbar(DEPTHS, drawn, drawn_error, fmt="o", markersize=4, color=COLOURS["blue"], label="drawn")
    middle.plot(DEPTHS, depths, "--", color=SOFT, linewidth=1.0, label="expected")
    middle.plot(
        [25.0], [0.014], "D", markersize=8, markerfacecolor="none", color=COLOURS["orange"], label="published"
    )
    middle.set(
        yscale="log", xlabel="faintest i (mag)", ylabel="w at 1′", title="One sky, by depth",
    )  # fmt: skip
    ticks = [0.01, 0.02, 0.03, 0.04]
    middle.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    middle.set_yticks([], minor=True)
    middle.legend(loc="upper right")

    most = max(int(number.max()) for number in counts.values()) + 1
    for (name, number), colour in zip(counts.items(), ("blue", "vermillion"), strict=True):
        histogram = np.bincount(number, minlength=most) / len(number)
        right.step(np.arange(most), histogram, where="mid", color=COLOURS[colour], label=name)
    right.set(
        xlabel="galaxies with i < 27.5 in a scene", ylabel="fraction of scenes",
        title="Counts in 19.2″ squares",
    )  # fmt: skip
    right.legend(loc="upper right")
    return figure


@canvas.drawn
def stars_figure() -> Figure:
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    limits = np.linspace(17.0, 27.5, 43)
    for latitude, colour in zip(LATITUDES, COLOURS.values(), strict=False):
        density = [stars.star_density_arcmin2(latitude, limit) for limit in limits]
        left.plot(limits, density, color=colour, label=f"|b| = {latitude}°")
    galaxies = [density_arcmin2(limit) for limit in limits[limits > 18.5]]
    left.plot(limits[limits > 18.5], galaxies, ":", color=SOFT, label="galaxies")
    left.set(
        yscale="log", xlabel="faintest i (mag)", ylabel="stars per arcmin², 16 < i < limit",
        title="Stars by Galactic latitude",
    )  # fmt: skip
    left.legend(loc="upper left")
    drawn = stars.draw_stars(np.random.default_rng(SEED), width_arcsec=1200, latitude_deg=45, i_limit=25.0)
    mag = mag_from_flux(drawn.flux)
    g, r, i = (mag[:, BANDS[name].code] for name in "gri")
    right.plot(g - r, r - i, ".", markersize=2, color=COLOURS["blue"], label="drawn, LSST bands")
    locus = stars.COVEY_LOCUS
    right.plot(
        locus[:, 2],
        locus[:, 3],
        "o",
        markersize=3,
        color=COLOURS["orange"],
        label="Covey et al. 2007, SDSS bands",
    )
    right.set(xlabel="g − r (mag)", ylabel="r − i (mag)", title="Colours of stars, |b| = 45°, i < 25")
    right.legend(loc="upper left")
    return figure


def yes(met: bool) -> str:
    return "yes" if met else "no"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=600)
    options = parser.parse_args()
    rng = np.random.default_rng(SEED)
    model = clustering_model(I_LIMIT, "mid")
    rows: list[str] = []

    bright = correlations(rng, limits=BRIGHT, width=PATCH_ARCSEC, patches=options.patches)
    found = bright[BRIGHT.index(25.0)]
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(GROUPS)
    fit = binned(published_correlation, EDGES)
    off = mean / fit - 1.0
    worst = int(np.argmax(np.abs(off)))
    sure = np.abs(off) + 2.0 * error / fit
    met = "yes" if sure.max() < 0.2 else ("no" if np.abs(off).max() > 0.2 else "undecided at 2 σ")
    rows.append(
        f"| w(θ) of i < 25 against the published fit, 2″ to 2′, worst of ten bins |"
        f" {100 * off[worst]:+.1f} ± {100 * (error / fit)[worst]:.1f} % | 20 % | {met} |"
    )
    expected = binned(lambda t: expected_correlation(t, Clustering()), EDGES)
    chi = np.sum(((mean - expected) / error) ** 2)
    rows.append(
        f"| the same against what the groups are expected to give, χ² of ten bins | {chi:.1f} | – | – |"
    )

    deep = correlations(rng, limits=DEEP, width=DEEP_PATCH_ARCSEC, patches=DEEP_PATCHES)
    drawn, drawn_error = (
        np.concatenate(pair) for pair in zip(amplitudes(bright), amplitudes(deep), strict=True)
    )
    everything = draw_galaxies(rng, SAMPLE, I_LIMIT)
    everything_i = mag_from_flux(everything.flux[:, BANDS["i"].code])
    depths = np.array(
        [model.amplitude * boost(everything.z[everything_i < limit], everything.z) for limit in DEPTHS]
    )

    counts = {}
    for name, kind in (("clustered", model), ("uniform", UNIFORM)):
        number = []
        start = time.process_time()
        for _ in range(SCENES):
            x, y, _ = draw_groups(
                rng,
                width_arcsec=SCENE_ARCSEC + 2 * MARGIN_ARCSEC,
                density_arcmin2=density_arcmin2(I_LIMIT),
                model=kind,
            )
            number.append(np.sum(np.maximum(np.abs(x), np.abs(y)) < SCENE_ARCSEC / 2))
        spent = 1e3 * (time.process_time() - start) / SCENES
        counts[name] = np.array(number)
        ratio = counts[name].var() / counts[name].mean()
        known = count_variance(SCENE_ARCSEC, density_arcmin2(I_LIMIT), kind) / (
            density_arcmin2(I_LIMIT) * (SCENE_ARCSEC / 60.0) ** 2
        )
        blocks = counts[name].reshape(20, -1)
        scatter = (blocks.var(axis=1) / blocks.mean(axis=1)).std(ddof=1) / np.sqrt(20)
        rows.append(
            f"| variance over mean of the number of galaxies in a scene, i < 27.5, {name} |"
            f" {ratio:.3f} ± {scatter:.3f} | {known:.3f} expected | {yes(abs(ratio - known) < 3 * scatter)} |"
        )
        rows.append(
            f"| time for the positions of a scene to i < 27.5, {name} | {spent:.2f} ms | 1 ms |"
            f" {yes(spent < 1.0)} |"
        )
    start = time.process_time()
    draw_groups(rng, width_arcsec=PATCH_ARCSEC, density_arcmin2=density_arcmin2(25.0), model=Clustering())
    spent = time.process_time() - start
    rows.append(
        f"| time for the positions of a square of 10′ to i < 25 | {1e3 * spent:.0f} ms |"
        f" 5 s | {yes(spent < 5)} |"
    )
    share, share_error = pairs_that_share(rng, "clustered")
    alone, _ = pairs_that_share(rng, "uniform")
    w = np.average(published_correlation(np.linspace(2, 5, 99)), weights=np.linspace(2, 5, 99))
    rows.append(
        f"| pairs at 2″ to 5″, i < 25, within 0.01 (1 + z) of each other |"
        f" {100 * share:.1f} ± {100 * share_error:.1f} % | {100 * (w + alone) / (1 + w):.1f} % expected,"
        f" {100 * alone:.1f} % if uniform | {yes(abs(share - (w + alone) / (1 + w)) < 3 * share_error)} |"
    )

    text = HEAD.format(patches=options.patches, groups=GROUPS) + "\n".join(rows)
    text += "\n\n![Angular correlation, its depth, and counts in scenes](sky_clustering.png)\n\n"
    text += "| θ (arcsec) | w drawn | published fit | deviation |\n|---|---|---|---|\n"
    for k in range(len(fit)):
        text += (
            f"| {EDGES[k]:.1f}–{EDGES[k + 1]:.1f} | {mean[k]:.4f} ± {error[k]:.4f} | {fit[k]:.4f} |"
            f" {100 * off[k]:+.1f} ± {100 * error[k] / fit[k]:.1f} % |\n"
        )
    text += DEPTH + "| sample | w at 1′, drawn | expected |\n|---|---|---|\n"
    for k, limit in enumerate(DEPTHS):
        text += f"| i < {limit:g} | {drawn[k]:.4f} ± {drawn_error[k]:.4f} | {depths[k]:.4f} |\n"
    steps = [boost(everything.z[np.abs(everything_i - m) < 0.5], everything.z) for m in (20.5, 22.5)]
    text += f"\nFrom 20 < i < 21 to 22 < i < 23 it falls by a factor of {steps[0] / steps[1]:.2f}.\n"

    text += "\n## Stars\n\nStars per arcmin² with 16 < i < limit, longitude 90°.\n\n| |b| | "
    text += " | ".join(f"i < {limit}" for limit in (20, 22, 24, 25, 26, 27)) + " |\n|" + "---|" * 7 + "\n"
    text = text.replace("| |b| |", "| latitude |")
    for latitude in LATITUDES:
        density = (stars.star_density_arcmin2(latitude, limit) for limit in (20, 22, 24, 25, 26, 27))
        text += f"| {latitude}° | " + " | ".join(f"{value:.2f}" for value in density) + " |\n"
    text += AGAINST
    for latitude in LATITUDES[1:]:
        seen = stars.draw_stars(rng, width_arcsec=10_800, latitude_deg=latitude, i_limit=22.5)
        g, r = (mag_from_flux(seen.flux[:, BANDS[name].code]) for name in "gr")
        v = g - 0.58 * (g - r)
        ratios = [
            np.sum((v > m) & (v < m + 1))
            / 9.0
            / (bahcall_soneira(m + 1, latitude) - bahcall_soneira(m, latitude))
            for m in (18, 19, 20, 21)
        ]
        text += f"| {latitude}° | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |\n"
    text += "\n![Stars by latitude, and their colours](sky_clustering_stars.png)\n"

    canvas.write_whole(HERE / "sky_clustering.md", text.encode())
    canvas.save(clustering_figure(found, depths, drawn, drawn_error, counts), HERE / "sky_clustering.png")
    canvas.save(stars_figure(), HERE / "sky_clustering_stars.png")
    print(text)


if __name__ == "__main__":
    main()
