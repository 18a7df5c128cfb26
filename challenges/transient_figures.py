"""Pictures of light curves: one with its host, its truth and what is believed of it, or one of each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from ..simulators.transient_classes import CLASSES
from ..simulators.transients import KINDS
from .canvas import COLOURS, SOFT, drawn, footnote
from .light_curve_panels import (
    EVERYTHING,
    SeenObject,
    band_handle,
    count_objects,
    draw_host,
    draw_moments,
    draw_points,
    draw_true_flux,
    legend_handles,
    object_of,
    unit_of,
)
from .light_curves import LightCurves
from .transient_curves import light_curves

__all__ = ["Believes", "gallery_figure", "light_curve_figure"]

Believes = Callable[[LightCurves], ArrayLike]
"""What gives (object, class) probabilities of light curves, such as `predict` of a classifier."""

MOST_MOMENTS = 120
"""Nights after which a classifier is asked what it believes; spread evenly where there are more."""

N_CLASSES = 5
"""Most probable classes that get a line of their own, besides the true one."""

LOOKED_AT = 20_000
"""A gallery chooses among so many objects, the first of a split: classes are mixed, and more take longer."""

FULL = 0.9
"""A gallery shows the object at this quantile of the nights with a detection in its class: one that shows its
class well, and is no rarity. Our choice."""


@drawn
def light_curve_figure(
    data: xarray.DataTree,
    truth: xarray.DataTree | None = None,
    number: int = 0,
    *,
    probabilities: Believes | ArrayLike | None = None,
) -> Figure:
    """One light curve: fluxes in all bands, p(z) of the host, and what is believed of it over time.

    Arguments:
        data: an opened split of the transients.
        truth: its truth; adds the class and the redshift, the moment of the peak, and fluxes without noise.
        number: of the object in the split, from 0.
        probabilities: adds a panel with the probabilities of classes as time goes on. Either (observation,
            class), what is believed after each observation, such as that of a network that follows a stream;
            rows of NaN are left out. Or a function of light curves, that is asked about the curve as it was
            after each night from the first detection on (after `MOST_MOMENTS` of them at most). It is given
            the host too: ``lambda curves: classifier.predict(curves.without_host())`` hides it.

    Raises:
        ValueError: if there is no such object.
        ValueError: if `data` is no opened split of transients, or `truth` is of another one.
        ValueError: if probabilities have another shape.
    """
    one = object_of(data, truth, number)
    believed = None if probabilities is None else _over_time(one.curve, probabilities)
    figure = Figure(figsize=(10.5, 4.4 if believed is None else 6.6), layout="constrained")
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.05, h_pad=0.05, wspace=0.02, hspace=0.02)
    heights = [1.0] if believed is None else [1.65, 1.0]
    grid = figure.add_gridspec(len(heights), 2, width_ratios=[3.7, 1.0], height_ratios=heights)
    beside = grid[0, 1].subgridspec(2, 1, height_ratios=[1.0, 1.25])
    axes = figure.add_subplot(grid[0, 0])
    figure.suptitle(_title(data, one, number), x=0.01, ha="left", fontsize=13, fontweight="bold")

    curve = one.curve
    scale, unit = unit_of(curve)
    hidden = draw_points(axes, curve, curve.mjd, scale, size=4.5)
    draw_true_flux(axes, one, scale)
    draw_moments(axes, one)
    axes.set_ylabel(f"difference flux  [{unit}]")
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    n = int(curve.detected.sum())
    note = f"{n} detection{'s' * (n != 1)} among {len(curve.mjd)} observations"
    axes.set_title(note, loc="right", fontsize=8, color=SOFT)
    draw_host(figure.add_subplot(beside[0]), one)
    _legend(figure.add_subplot(beside[1]), legend_handles(curve, one.true_flux is not None), 2)
    lowest = axes
    if believed is not None:
        lowest = figure.add_subplot(grid[1, 0], sharex=axes)
        axes.tick_params(labelbottom=False)
        handles = _draw_beliefs(lowest, *believed, one)
        draw_moments(lowest, one, words=False)
        _legend(figure.add_subplot(grid[1, 1]), handles, 1, "after the last observation" if handles else "")
    lowest.set_xlabel("MJD")
    text = "Flux less that of the template image; bars are its standard deviation. "
    text += f"Milky Way E(B−V) = {curve.galactic_excess[0]:.3f} mag, not corrected for."
    if hidden:
        text += f" {hidden} uncertain observation{'s lie' if hidden > 1 else ' lies'} beyond the frame."
    footnote(figure, text)
    return figure


@drawn
def gallery_figure(data: xarray.DataTree, truth: xarray.DataTree, *, per_class: int = 1) -> Figure:
    """Light curves of every class, one or more of each, in days from their peaks.

    Classes that were held out are shown where the split has them. Chosen among the first `LOOKED_AT`
    objects by the nights in which they are detected, at the quantile `FULL`, or at quantiles spread about it.

    Arguments:
        data: an opened split of the transients.
        truth: its truth.
        per_class: light curves of each class.

    Raises:
        ValueError: if nothing is to be shown, `data` is no opened split of transients, or `truth` is not its.
    """
    if per_class < 1:
        raise ValueError(f"at least one light curve of each class is shown, not {per_class}")
    count_objects(data, truth)
    kinds = truth["objects/kind"].to_numpy()[:LOOKED_AT].astype(np.int64)
    n_nights = _detected_nights(light_curves(data, EVERYTHING, slice(0, LOOKED_AT)))
    shown = [code for code in range(len(KINDS)) if code < len(CLASSES) or (kinds == code).any()]
    n_columns = 4 if per_class == 1 else per_class
    n_rows = -(-len(shown) // n_columns) if per_class == 1 else len(shown)
    size = (max(2.9 * n_columns, 8.7), 2.0 * n_rows + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.05, h_pad=0.05, wspace=0.02, hspace=0.02)
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for axes in panels[len(shown) * per_class :]:
        axes.set_axis_off()
    bands: set[int] = set()
    for place, code in enumerate(shown):
        name = KINDS[code] + ("  (held out)" if code >= len(CLASSES) else "")
        chosen = _typical(np.flatnonzero(kinds == code), n_nights, per_class)
        for k, axes in enumerate(panels[place * per_class : (place + 1) * per_class]):
            axes.set_title(name, fontweight="bold")
            if k < len(chosen):
                one = object_of(data, truth, int(chosen[k]))
                bands |= set(_draw_small(axes, one, int(chosen[k])).band.tolist())
            else:
                axes.set_axis_off()
                text = "no object of this class" if not chosen.size else "no other object"
                axes.text(0.5, 0.5, text, ha="center", va="center", color=SOFT, transform=axes.transAxes)
    attributes = [str(data.attrs[key]) for key in ("tier", "split") if key in data.attrs]
    title = "   ·   ".join([*attributes, "light curves by class"])
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    if bands:
        figure.legend(
            handles=[band_handle(code) for code in sorted(bands)],
            loc="outside upper right", ncols=len(bands), columnspacing=1.0, handletextpad=0.2,
        )  # fmt: skip
    footnote(
        figure,
        "Difference flux in µJy against days from the peak (AGN: from the first detection). "
        "Filled: detections; open: forced photometry.",
    )
    return figure


def _title(data: xarray.DataTree, one: SeenObject, number: int) -> str:
    parts = [str(data.attrs[key]) for key in ("tier", "split") if key in data.attrs]
    parts.append(f"object {number}")
    if one.kind:
        parts.append(f"{one.kind} at z = {one.z:.3f}")
    return "   ·   ".join(parts)


def _legend(axes: Axes, handles: Sequence[Line2D], n_columns: int, title: str = "") -> None:
    """A legend that has axes of its own."""
    axes.set_axis_off()
    if handles:
        options: dict[str, Any] = {"title": title, "title_fontsize": 8, "alignment": "left"} if title else {}
        axes.legend(
            handles=handles, loc="upper left", ncols=n_columns, borderpad=0, handlelength=1.6,
            columnspacing=1.2, borderaxespad=0.2, **options,
        )  # fmt: skip


def _over_time(
    curve: LightCurves, probabilities: Believes | ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(time,) MJD and (time, class) of what is believed."""
    if callable(probabilities):
        night_ends = np.flatnonzero(np.diff(curve.mjd, append=np.inf) > 0.5)
        first = curve.mjd[curve.detected].min() if curve.detected.any() else np.inf
        moments = curve.mjd[night_ends][curve.mjd[night_ends] >= first]
        kept = np.unique(np.linspace(0, len(moments) - 1, MOST_MOMENTS).round().astype(int))
        moments = moments[kept] if len(moments) else moments
        if not len(moments):
            return moments, np.empty((0, len(CLASSES)))
        many = curve.select(np.zeros(len(moments), np.int64)).until(moments)
        p = np.asarray(probabilities(replace(many, id=np.arange(len(moments)))), dtype=np.float64)
        what = f"{len(moments)} light curves"
    else:
        moments, p = curve.mjd, np.asarray(probabilities, dtype=np.float64)
        what = f"{len(moments)} observations"
    if p.shape != (len(moments), len(CLASSES)):
        raise ValueError(
            f"probabilities have shape {p.shape}: {what} and {len(CLASSES)} classes need "
            f"({len(moments)}, {len(CLASSES)})"
        )
    said = np.isfinite(p).all(axis=1)
    return moments[said], p[said]


def _draw_beliefs(
    axes: Axes, moments: NDArray[np.float64], p: NDArray[np.float64], one: SeenObject
) -> list[Line2D]:
    """Probabilities over time; returns the lines, for a legend."""
    axes.set(ylim=(-0.02, 1.02), ylabel="probability")
    if not len(moments):
        text = "nothing is believed yet: no detection"
        axes.text(0.5, 0.5, text, ha="center", va="center", color=SOFT, transform=axes.transAxes)
        return []
    known = one.code in range(len(CLASSES))
    leading = np.argsort(-p.max(axis=0), kind="stable")[:N_CLASSES].tolist()
    shown = [*leading, one.code] if known and one.code not in leading else leading
    lines = []
    for code, colour in zip(shown, COLOURS.values(), strict=False):
        true = known and code == one.code
        name = tuple(CLASSES)[code]
        label = f"{name}{' (true)' if true else ''}  {p[-1, code]:.2f}"
        width = 2.4 if true else 1.2
        lines += axes.plot(moments, p[:, code], color=colour, linewidth=width, zorder=3 + true, label=label)
    rest = [code for code in range(len(CLASSES)) if code not in shown]
    together = p[:, rest].sum(axis=1)
    label = f"{len(rest)} others together  {together[-1]:.2f}"
    lines += axes.plot(moments, together, color=SOFT, linewidth=1.0, linestyle=(0, (4, 2)), label=label)
    for line in lines:
        # Steps, since nothing is learnt between two nights.
        line.set(drawstyle="steps-post", marker="." if len(moments) < 40 else "", markersize=4)
    return lines


def _detected_nights(curves: LightCurves) -> NDArray[np.int64]:
    """(n,) days in which each transient is detected: more exposures in one tell little more."""
    seen = np.stack([curves.owner, np.floor(curves.mjd)], axis=1)[curves.detected]
    return np.bincount(np.unique(seen, axis=0)[:, 0].astype(np.int64), minlength=len(curves))


def _typical(members: NDArray[np.int64], n_nights: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """At most n of the members, by the nights in which they are detected."""
    ordered = members[np.argsort(n_nights[members], kind="stable")]
    if len(ordered) <= n:
        return ordered[::-1]
    quantiles = 1 - 2 * (1 - FULL) * (np.arange(n) + 0.5) / n
    places = np.unique((quantiles * (len(ordered) - 1)).round().astype(int))
    # Where quantiles fall on one object, its neighbours are shown too.
    spare = [k for k in range(len(ordered) - 1, -1, -1) if k not in places]
    chosen = np.sort([*places, *spare[: n - len(places)]])
    return ordered[chosen[::-1]]


def _draw_small(axes: Axes, one: SeenObject, number: int) -> LightCurves:
    """A panel of a gallery; returns the observations that are in it."""
    curve = one.curve
    seen = curve.mjd[curve.detected] if curve.detected.any() else curve.mjd
    first, last = (float(seen.min()), float(seen.max())) if seen.size else (one.until, one.until)
    origin = one.peak if np.isfinite(one.peak) else first
    more = max(15.0, 0.15 * (last - first))
    inside = (curve.mjd >= first - more) & (curve.mjd <= last + more)
    shown = curve.keep(inside)
    draw_points(axes, shown, shown.mjd - origin, 1e3, size=2.8, line=0.6)
    axes.set_xlim(first - more - origin, last + more - origin)
    axes.locator_params(nbins=5)
    axes.set_title(f"z {one.z:.2f}   object {number}", loc="right", fontsize=7.5, color=SOFT)
    return shown
