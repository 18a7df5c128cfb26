"""What pictures of light curves are made of: an object and its truth, fluxes by band, the host, moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..simulators.surveys import BANDS, SURVEYS
from ..simulators.transients import KINDS
from .canvas import BAND_COLOURS, COLOURS, INK, PAPER, SOFT
from .light_curves import Z_LEVELS, LightCurves
from .transient_curves import TransientTrack, light_curves

__all__ = [
    "EVERYTHING",
    "SeenObject",
    "band_handle",
    "count_objects",
    "draw_host",
    "draw_moments",
    "draw_points",
    "draw_true_flux",
    "legend_handles",
    "object_of",
    "unit_of",
]

EVERYTHING = TransientTrack("everything", tuple(SURVEYS), "all that is known", redshift=True)
"""What figures show: that a track hides something is for methods, not for people."""

_MARKS = {"EUCLID_VIS": "s", "EUCLID_NISP": "D"}
_JOINED_DAYS = 40.0  # a line of true fluxes is broken where nobody looked for longer
_CERTAIN = 0.15  # forced photometry with errors below this part of the frame is never beyond it
_NEAR = 0.5  # a peak that lies beyond the observations by less than this part of their span is shown


@dataclass(frozen=True)
class SeenObject:
    """An object and what is true of it.

    Attributes:
        curve: it alone.
        until: MJD, the last moment that the early track shows.
        kind: name of the class; empty where it is not known.
        code: of the class; -1 where it is not known.
        z: true redshift; NaN where it is not known.
        peak: MJD; NaN where it is not known, or there is none.
        true_flux: (observation,) nJy; None where it is not known.
    """

    curve: LightCurves
    until: float
    kind: str = ""
    code: int = -1
    z: float = np.nan
    peak: float = np.nan
    true_flux: NDArray[Any] | None = None


def count_objects(data: xarray.DataTree, truth: xarray.DataTree | None) -> int:
    """How many objects there are."""
    if not {"objects", "observations"} <= set(data.children):
        raise ValueError("this is no opened split of transients: it has no groups /objects and /observations")
    ids = data["objects/id"].to_numpy()
    if truth is not None and not np.array_equal(ids, truth["objects/id"]):
        raise ValueError("data and truth have other object ids: open both from one split")
    return len(ids)


def object_of(data: xarray.DataTree, truth: xarray.DataTree | None, number: int) -> SeenObject:
    n = count_objects(data, truth)
    if not 0 <= number < n:
        there = f"this split has objects 0 to {n - 1}" if n else "this split has no objects"
        raise ValueError(f"there is no object {number}: {there}")
    curve = light_curves(data, EVERYTHING, slice(number, number + 1))
    until = float(data["objects/until"].to_numpy()[number])
    if truth is None:
        return SeenObject(curve, until)
    row = {name: float(truth[f"objects/{name}"].to_numpy()[number]) for name in ("kind", "z", "peak_mjd")}
    start = int(data["objects/row_size"].to_numpy()[:number].sum())
    seen = truth["observations"].to_dataset().isel(observation=slice(start, start + len(curve.mjd)))
    code = int(row["kind"])
    return SeenObject(curve, until, KINDS[code], code, row["z"], row["peak_mjd"], seen["flux"].to_numpy())


def unit_of(curve: LightCurves) -> tuple[float, str]:
    """What a flux in nJy is divided by, and the unit it then has."""
    strong = np.abs(curve.flux[curve.detected])
    return (1e3, "µJy") if strong.size and strong.max() >= 1e4 else (1.0, "nJy")


def draw_points(
    axes: Axes, curve: LightCurves, x: NDArray[Any], scale: float, size: float, line: float = 0.8
) -> int:
    """Fluxes with errors by band; returns how many lie beyond the frame."""
    axes.axhline(0, color=SOFT, linewidth=0.7)
    flux, error = curve.flux / scale, curve.error / scale
    for code in np.unique(curve.band):
        name, colour, mark = _look(int(code))
        for detected in (False, True):
            rows = (curve.band == code) & (curve.detected == detected)
            if not rows.any():
                continue
            axes.errorbar(
                x[rows], flux[rows], error[rows], linestyle="none", marker=mark, color=colour,
                markersize=size if detected else 0.8 * size,
                markerfacecolor=colour if detected else "white",
                markeredgewidth=0 if detected else 0.8,
                elinewidth=line if detected else 0.6 * line,
                alpha=1.0 if detected else 0.45,
                zorder=4 if detected else 3,
                label=f"{name} {'detected' if detected else 'forced'}",
            )  # fmt: skip
    low, high = _frame(flux, error, curve.detected)
    axes.set_ylim(low, high)
    return int(((flux < low) | (flux > high)).sum())


def _look(code: int) -> tuple[str, str, str]:
    """Name, colour and mark of a band."""
    band = next((band for band in BANDS.values() if band.code == code), None)
    if band is None:
        return f"band {code}", SOFT, "^"
    mark = "o" if band.survey == "LSST" else _MARKS.get(band.survey, "^")
    return band.name, BAND_COLOURS.get(band.name, SOFT), mark


def _frame(flux: NDArray[Any], error: NDArray[Any], detected: NDArray[np.bool_]) -> tuple[float, float]:
    """The fluxes to show: all detections, and others that are certain or significant."""
    if not flux.size:
        return -1.0, 1.0
    certain = detected if detected.any() else error <= np.median(error)
    low = min(float((flux - error)[certain].min()), 0.0)
    high = max(float((flux + error)[certain].max()), 0.0)
    rest = ~certain & ((error < _CERTAIN * (high - low)) | (np.abs(flux) > 3 * error))
    if rest.any():
        low, high = min(low, float((flux - error)[rest].min())), max(high, float((flux + error)[rest].max()))
    pad = 0.06 * (high - low) or 1.0
    return low - pad, high + 2 * pad


def draw_true_flux(axes: Axes, one: SeenObject, scale: float) -> None:
    if one.true_flux is None:
        return
    for code in np.unique(one.curve.band):
        rows = np.flatnonzero(one.curve.band == code)
        name, colour, _ = _look(int(code))
        x, y = one.curve.mjd[rows], one.true_flux[rows] / scale
        breaks = np.flatnonzero(np.diff(x) > _JOINED_DAYS) + 1
        x, y = np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan)
        axes.plot(x, y, color=colour, linewidth=1.0, alpha=0.55, zorder=2, label=f"{name} true")


def draw_moments(axes: Axes, one: SeenObject, words: bool = True) -> None:
    """The peak, and what the early track hides; with words, or lines and shade alone."""
    mjd = one.curve.mjd
    if not mjd.size:
        return
    first, last = float(mjd.min()), float(mjd.max())
    span = max(last - first, 10.0)
    peak, written = one.peak, {"fontsize": 8, "path_effects": PAPER, "va": "top", "zorder": 5}
    near = bool(first - _NEAR * span <= peak <= last + _NEAR * span)
    ends = (min(first, peak), max(last, peak)) if near else (first, last)
    left, right = ends[0] - 0.03 * span, ends[1] + 0.03 * span
    axes.set_xlim(left, right)
    above: Any = axes.get_xaxis_transform()
    if near:
        axes.axvline(peak, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1, label="peak")
        if words:
            axes.text(peak, 0.99, " peak", color=INK, transform=above, **written)
    elif np.isfinite(peak) and words:
        days, before = abs(peak - (first if peak < first else last)), peak < first
        text = f"← peak {days:.0f} days before" if before else f"peak {days:.0f} days later →"
        x, side = (0.005, "left") if before else (0.995, "right")
        axes.text(x, 0.93, text, ha=side, color=INK, transform=axes.transAxes, **written)
    if left < one.until < right:
        axes.axvspan(one.until, right, color=SOFT, alpha=0.10, linewidth=0, zorder=0, label="hidden")
        if not words:
            return
        text = "hidden in the early track "
        fits = right - one.until > 0.2 * (right - left)
        axes.text(
            one.until, 0.06, f" {text}" if fits else text, ha="left" if fits else "right", color=SOFT,
            transform=above, **written,
        )  # fmt: skip


def draw_host(axes: Axes, one: SeenObject) -> None:
    """p(z) of the host: its density is taken as constant between its quantiles."""
    z = one.curve.host_z[0].astype(float)
    known = bool(np.isfinite(z).all())
    what = "spectrum" if one.curve.host_spectrum[0] else "photometric"
    axes.set_title(f"host p(z), {what}" if known else "no host was found")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("redshift", labelpad=1)
    high = np.nanmax([0.1, *1.25 * z[np.isfinite(z)], 1.25 * one.z])
    axes.set(xlim=(0, high), ylim=(0, 1.25))
    if known:
        # A step less wide than can be seen would be as high as it is narrow.
        density = np.diff(Z_LEVELS) / np.maximum(np.diff(z), 1e-3 * high)
        axes.stairs(density / density.max(), z, fill=True, color=COLOURS["sky"], alpha=0.6)
        axes.axvline(z[2], color=COLOURS["blue"], linewidth=1.2, ymax=0.8, label="median")
        axes.text(
            z[2],
            1.03,
            f"{z[2]:.3g}",
            ha="center",
            color=COLOURS["blue"],
            fontsize=8,
            path_effects=PAPER,
            zorder=5,
        )
    if np.isfinite(one.z):
        axes.axvline(one.z, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), label="true")
        right = one.z > 0.6 * high
        text = "true " if right else " true"
        axes.text(one.z, 1.24, text, ha="right" if right else "left", va="top", fontsize=8, color=INK)


def band_handle(code: int, **changes: Any) -> Line2D:
    name, colour, mark = _look(code)
    look = {"color": colour, "marker": mark, "markersize": 4.5, "markeredgewidth": 0, "linestyle": "none"}
    return Line2D([], [], **{"label": name, **look, **changes})


def legend_handles(curve: LightCurves, true: bool) -> list[Line2D]:
    """What the legend of a light curve says."""
    plain = {"color": SOFT, "marker": "o", "markersize": 4.5, "linestyle": "none"}
    handles = [band_handle(int(code)) for code in np.unique(curve.band)]
    handles += [
        Line2D([], [], label="detection", markeredgewidth=0, **plain),
        Line2D([], [], label="forced", markerfacecolor="white", markeredgewidth=0.8, **plain),
    ]
    return [*handles, Line2D([], [], color=SOFT, linewidth=1.0, label="true flux")] if true else handles
