"""Figures of sky_counts.py: counts, sizes and shapes, ours over the data."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skysynergy.challenges.canvas import COLOURS, INK, SOFT, drawn, footnote
from skysynergy.simulators import counts
from skysynergy.simulators.morphology import SERSIC_INDICES, nearest_sersic

__all__ = ["counts_figure", "shapes_figure", "sizes_figure"]

Sample = dict[str, NDArray[Any]]
VARIANT_COLOURS = {"low": COLOURS["sky"], "mid": INK, "high": COLOURS["vermillion"]}
MARKS = dict(zip("osDv^", ("blue", "green", "purple", "orange", "vermillion"), strict=True))


@drawn
def counts_figure(published: dict[str, tuple[NDArray[Any], NDArray[Any]]]) -> Figure:
    """Differential counts, and the data over the middle variant."""
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for variant in counts.VARIANTS:
        mag = np.linspace(16 if variant == "mid" else counts.I_SHARED, counts.I_FAINTEST, 200)
        style = {"color": VARIANT_COLOURS[variant], "linewidth": 1.5, "label": f"ours, {variant}"}
        above.plot(mag, counts.per_magnitude(mag, variant), **style)
        ratio = counts.per_magnitude(mag, variant) / counts.per_magnitude(mag)
        below.plot(mag, ratio, **style)
    for (name, (at, value)), (mark, colour) in zip(published.items(), MARKS.items(), strict=True):
        style = {"marker": mark, "color": COLOURS[colour], "linestyle": "none", "markersize": 4}
        above.plot(at, value, label=name, **style)
        below.plot(at, value / counts.per_magnitude(np.minimum(at, 28.5)), **style)
    for axes in (above, below):
        axes.axvline(counts.I_SHARED, color=SOFT, linewidth=0.8, linestyle=":")
    below.axhspan(0.9, 1.1, color=SOFT, alpha=0.15, linewidth=0)
    above.set(yscale="log", ylabel="galaxies per mag and arcmin²", title="Number counts")
    above.legend(loc="upper left")
    below.set(xlabel="LSST i (AB mag)", ylabel="over ours, mid", ylim=(0.6, 1.5), xlim=(15.8, 28.8))
    footnote(
        figure,
        "Dotted: i = 25.3, to which all variants agree. Band: 10 %. The COSMOS table has no area of its own."
        " COSMOS2020 loses galaxies beyond 26.5. F775W and Subaru i are taken as LSST i.",
    )
    return figure


@drawn
def sizes_figure(cosmos: Sample, ours: Sample, deep: dict[str, Sample]) -> Figure:
    """Median and scatter against magnitude, distributions at three magnitudes, and against redshift."""
    figure = Figure(figsize=(9.5, 7.0), layout="constrained")
    first, second, third, fourth = figure.subplots(2, 2).flat
    bright, beyond = np.append(np.arange(20.0, 25.1, 0.5), 25.3), np.arange(25.1, 28.4, 0.4)
    curves = [("COSMOS", cosmos, bright, COLOURS["blue"]), ("ours", ours, bright, INK)]
    curves += [(f"ours, {name}", sample, beyond, VARIANT_COLOURS[name]) for name, sample in deep.items()]
    for name, sample, edges, colour in curves:
        quantiles = np.array([_quantiles(sample, low, high) for low, high in pairwise(edges)])
        middle = (edges[1:] + edges[:-1]) / 2
        line = {"color": colour, "linestyle": "none" if name == "COSMOS" else "-"}
        line |= {"marker": "o" if name == "COSMOS" else "", "markersize": 4}
        first.plot(middle, quantiles[:, 1], label=name, **line)
        if name in ("COSMOS", "ours"):
            style = {"color": colour, "alpha": 0.15, "linewidth": 0}
            first.fill_between(middle, quantiles[:, 0], quantiles[:, 2], **style)
        second.plot(middle, np.log(quantiles[:, 2] / quantiles[:, 0]) / 2, **line)
    first.set(yscale="log", xlabel="LSST i (AB mag)", ylabel="half-light radius (arcsec)")
    first.set(title="Median and range from 16 to 84 %")
    first.legend()
    second.set(xlabel="LSST i (AB mag)", ylabel="scatter in ln(radius)", ylim=(0.3, 0.7), title="Scatter")
    for low, colour in ((21, "green"), (23, "blue"), (24.5, "purple")):
        bins = np.linspace(np.log(0.02), np.log(3), 41)
        for sample, filled in ((cosmos, True), (ours, False)):
            inside = (sample["i"] >= low) & (sample["i"] < low + 0.5)
            style: dict[str, Any] = (
                {"histtype": "stepfilled", "alpha": 0.25} if filled else {"histtype": "step"}
            )
            label = None if filled else f"i = {low} to {low + 0.5}"
            radius = np.log(sample["radius"][inside])
            third.hist(radius, bins, density=True, color=COLOURS[colour], label=label, **style)
    third.set(xlabel="ln(half-light radius / arcsec)", ylabel="density", title="Filled: COSMOS; lines: ours")
    third.legend(loc="upper left")
    z_edges = np.array([0.0, 0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2, 3.5])
    for low, colour in ((21, "green"), (22, "orange"), (23, "blue"), (24, "purple")):
        for sample, line in ((cosmos, "o"), (ours, "-")):
            points = []
            for near, far in pairwise(z_edges):
                inside = (
                    (sample["i"] >= low)
                    & (sample["i"] < low + 1)
                    & (sample["z"] >= near)
                    & (sample["z"] < far)
                )
                points.append(np.median(sample["radius"][inside]) if inside.sum() > 100 else np.nan)
            label = f"i = {low} to {low + 1}" if line == "-" else None
            fourth.plot(
                (z_edges[1:] + z_edges[:-1]) / 2,
                points,
                line,
                color=COLOURS[colour],
                label=label,
                markersize=4,
            )
    fourth.set(
        yscale="log", xlabel="redshift", ylabel="median radius (arcsec)", title="Points: COSMOS; lines: ours"
    )
    fourth.set(ylim=(0.1, 1.3))
    fourth.legend(ncols=2, loc="upper right")
    footnote(
        figure,
        "Circularised radii of all the light. COSMOS: photometric redshifts, the fit its flags prefer.",
    )
    return figure


@drawn
def shapes_figure(cosmos: Sample, ours: Sample) -> Figure:
    """Ellipticity, share of the bulge, Sersic index, and proportions of kinds."""
    figure = Figure(figsize=(9.5, 7.0), layout="constrained")
    first, second, third, fourth = figure.subplots(2, 2).flat
    both = (cosmos, ours)
    single = [(s["i"] >= 22) & (s["i"] < 23) & ~s["both"] for s in both]
    late = [inside & (s["n"] <= 2.5) for s, inside in zip(both, single, strict=True)]
    early = [(s["i"] >= 20) & (s["i"] < 22) & ~s["both"] & (s["n"] > 2.5) for s in both]
    for pair, colour, name in (
        (late, "blue", "n ≤ 2.5, 22 < i < 23"),
        (early, "vermillion", "n > 2.5, 20 < i < 22"),
    ):
        _compare(
            first, [s["e"][k] for s, k in zip(both, pair, strict=True)], np.linspace(0, 0.9, 31), colour, name
        )
    first.set(xlabel="|e| = (1 − q) / (1 + q)", ylabel="density", title="Ellipticity of single profiles")
    first.legend()
    shares = [s["share"][(s["i"] >= 21) & (s["i"] < 24) & s["both"]] for s in both]
    _compare(second, shares, np.linspace(0, 1, 31), "green", "21 < i < 24")
    second.set(xlabel="share of the bulge in i", ylabel="density", title="Galaxies of bulge and disk")
    second.legend()
    width = 0.38
    for offset, s, colour, name in ((-0.5, cosmos, "blue", "COSMOS"), (0.5, ours, "vermillion", "ours")):
        inside = (s["i"] >= 22) & (s["i"] < 23.5) & ~s["both"]
        index = nearest_sersic(s["n"][inside])
        heights = [np.mean(index == n) for n in SERSIC_INDICES]
        third.bar(np.arange(7) + offset * width, heights, width, color=COLOURS[colour], label=name)
    third.set_xticks(range(7), [f"{n:g}" for n in SERSIC_INDICES])
    third.set(xlabel="nearest Sersic index", ylabel="share", title="Single profiles, 22 < i < 23.5")
    third.legend()
    middle = np.arange(20.25, 25.0, 0.5)
    for s, mark, name in ((cosmos, "o", "COSMOS"), (ours, "", "ours")):
        for kind, colour in (("bulge and disk", "green"), ("single, n > 2.5", "vermillion")):
            shares = []
            for mag in middle:
                inside = np.abs(s["i"] - mag) < 0.25
                chosen = s["both"] if kind == "bulge and disk" else ~s["both"] & (s["n"] > 2.5)
                shares.append(chosen[inside].mean())
            line = "none" if mark else "-"
            fourth.plot(
                middle, shares, marker=mark, linestyle=line, color=COLOURS[colour], label=f"{name}: {kind}"
            )
    fourth.set(xlabel="LSST i (AB mag)", ylabel="share of all galaxies", ylim=(0, 0.55), title="Kinds")
    fourth.legend()
    footnote(
        figure,
        "Filled: COSMOS; lines: ours. Beyond i = 24 noise moves fits of COSMOS to high n and high |e|.",
    )
    return figure


def _compare(axes: Axes, pair: list[NDArray[Any]], bins: NDArray[Any], colour: str, name: str) -> None:
    axes.hist(pair[0], bins, density=True, histtype="stepfilled", alpha=0.25, color=COLOURS[colour])
    axes.hist(pair[1], bins, density=True, histtype="step", color=COLOURS[colour], linewidth=1.5, label=name)


def _quantiles(sample: Sample, low: float, high: float) -> NDArray[Any]:
    return np.percentile(sample["radius"][(sample["i"] >= low) & (sample["i"] < high)], [16, 50, 84])
