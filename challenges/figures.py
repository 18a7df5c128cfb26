"""Pictures of a scene: what it looks like in all bands, and its single exposures as taken.

The colours and the means of exposures are for the eye (`composites`); methods see the pixels
of every exposure alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from scipy.ndimage import gaussian_filter

from ..simulators.surveys import BANDS, SURVEYS, find_band, mag_from_flux
from .canvas import COLOURS, OUTLINE, SOFT, drawn, footnote, quiet, save
from .composites import asinh_stretch, coadd, colour
from .marks import compass, scale_bar
from .scene_exposures import SceneExposures, exposures_of, field_of
from .typography import signed

__all__ = ["exposures_figure", "save", "scene_figure"]

DETECTED_SNR = 5.0
"""Sources above this S/N in ten years of LSST i are drawn in full (see `simulators.blending`)."""

STAR_ARCSEC = 0.3
"""Diameter of the circle around what has no size."""

N_LABELS = 4
"""Brightest sources whose redshift and magnitude are written beside them."""

SMOOTHING = 0.8
"""Standard deviation in pixels of the Gaussian that calms the noise of colour pictures."""

_MASKED = ListedColormap([COLOURS["vermillion"]])
_REDSHIFTS = ListedColormap(colormaps["viridis"](np.linspace(0.25, 1, 256)))


@drawn
def scene_figure(data: xarray.DataTree, truth: xarray.DataTree | None = None, scene: int = 0) -> Figure:
    """One scene: in colour, then in each band, all exposures of a band put together for display.

    Arguments:
        data: an opened split, images in nJy, with one survey or more.
        truth: its truth; adds a panel with the sources, and the shear to the title.
        scene: number of the scene in the split, from 0.

    Raises:
        ValueError: if there is no such scene.
        ValueError: if `data` is no opened split, or `truth` is of another one.
    """
    field = field_of(data, scene)
    if truth is not None:
        ids, true_ids = (np.asarray(tree["fields/id"]) for tree in (data, truth))
        if not np.array_equal(ids, true_ids):
            raise ValueError("data and truth have other field ids: open both from one split")
    taken = exposures_of(data, scene)
    coadds = {b: _coadd(t, b) for t in taken for b in dict.fromkeys(t.band)}
    # Half of what each survey shows, arcsec: they differ by part of a pixel.
    halves = {t.survey.name: t.image.shape[-1] * t.survey.pixel_arcsec / 2 for t in taken}
    n_top = len(taken) + (truth is not None)
    figure, tops, smalls = _panels(n_top, len(coadds))
    title = _title(data, truth, scene, field)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")

    for index, (one, axes) in enumerate(zip(taken, tops, strict=False)):
        picture, name = _composite(one, coadds)
        half = halves[one.survey.name]
        axes.imshow(picture, extent=_extent(half), cmap="gray", vmin=0, vmax=1, interpolation="bicubic")
        axes.set_title(f"{one.survey.title}   {name}", fontsize=11, y=1.0)
        quiet(axes)
        scale_bar(axes, half, one.survey.pixel_arcsec)
        if index == 0:
            compass(axes, np.eye(2), ("x, W", "y, N"), size=0.09)
    if truth is not None:
        axes = tops[-1]
        best = "VIS" if "VIS" in coadds else max(coadds, key=lambda b: _contrast(coadds[b]))
        half = halves[BANDS[best].survey]
        picture = 0.75 * asinh_stretch(_signal(coadds[best]))
        axes.imshow(picture, extent=_extent(half), cmap="gray", vmin=0, vmax=1)
        quiet(axes)
        _draw_sources(axes, truth, scene, half)
        axes.set_title(f"truth, on {best}", fontsize=11, y=1.0)
    for axes, (band, pair) in zip(smalls, coadds.items(), strict=True):
        survey = SURVEYS[BANDS[band].survey]
        half = halves[survey.name]
        axes.imshow(asinh_stretch(_signal(pair)), extent=_extent(half), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(band, fontweight="bold")
        n = sum(t.band.count(band) for t in taken)
        note = f"{n} exposure{'s' if n > 1 else ''}   {BANDS[band].wavelength_nm:.0f} nm"
        axes.set_title(note, loc="right", fontsize=8, color=SOFT)
        quiet(axes)
        scale_bar(axes, half, survey.pixel_arcsec, colour="black")
    footnote(
        figure,
        "Means of the exposures, put together for display only. Greys are asinh from −3σ to 60σ of an empty "
        f"pixel; colour pictures are smoothed by {SMOOTHING:g} pixels.",
    )
    return figure


@drawn
def exposures_figure(
    data: xarray.DataTree, scene: int = 0, band: str | None = None, most: int = 24
) -> Figure:
    """The single exposures of a scene as taken, each in its own pixel frame, with its PSF.

    Masked pixels are filled with colour, and arrows show where the sky's x and y point.

    Arguments:
        data: an opened split, images in nJy.
        scene: number of the scene in the split, from 0.
        band: show this band only; all bands if None.
        most: show at most so many exposures, spread evenly over those there are.

    Raises:
        ValueError: if there is no such scene.
        ValueError: for a band that was not observed, or if `data` is no opened split.
    """
    taken = exposures_of(data, scene)
    if most < 1:
        raise ValueError(f"at least one exposure is shown: most is 1 or more, not {most}")
    if band is not None:
        find_band(band)
        observed = [b for t in taken for b in dict.fromkeys(t.band)]
        if band not in observed:
            raise ValueError(f"no exposure was taken in {band}: this split has {' '.join(observed)}")
    every = [(t, e) for t in taken for e, name in enumerate(t.band) if band in (None, name)]
    chosen = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, most).round().astype(int))]
    n_columns = min(6, len(chosen)) if len(chosen) != 4 else 4
    n_rows = -(-len(chosen) // n_columns)
    figure = Figure(figsize=(max(2.55 * n_columns, 5.5), 2.95 * n_rows + 0.75), layout="constrained")
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.05, h_pad=0.06, wspace=0.02, hspace=0.03)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()
    for axes, (one, e) in zip(grid.flat, chosen, strict=False):
        _draw_exposure(axes, one, e)
    shown = (
        f"{len(chosen)} exposures"
        if len(chosen) == len(every)
        else f"{len(chosen)} of {len(every)} exposures"
    )
    what = f"scene {scene}: {shown}{f' in {band}' if band else ''}, as taken"
    figure.suptitle(what, x=0.01, ha="left", fontsize=13, fontweight="bold")
    note = (
        "Above each: FWHM of the PSF, five-sigma depth, date, and the PSF, 6 FWHM wide. "
        "Arrows: the sky's x (west) and y (north). ×n: stands for n visits."
    )
    footnote(figure, note)
    return figure


def _coadd(taken: SceneExposures, band: str) -> tuple[np.ndarray, np.ndarray]:
    keep = np.array([name == band for name in taken.band])
    return coadd(
        taken.image[keep], taken.mask[keep], taken.variance[keep], taken.wcs[keep], taken.survey.pixel_arcsec
    )


def _extent(half: float) -> tuple[float, float, float, float]:
    return (-half, half, -half, half)


def _signal(pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    flux, sigma = pair
    return flux / sigma


def _contrast(pair: tuple[np.ndarray, np.ndarray]) -> float:
    return float(np.nanpercentile(_signal(pair), 99))


def _composite(
    taken: SceneExposures, coadds: dict[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, str]:
    """The picture of a survey and the bands in it: in colour, or the best band in grey."""
    factors = dict(taken.survey.composite)
    if not factors or not set(factors) <= set(taken.band):
        best = max(dict.fromkeys(taken.band), key=lambda b: _contrast(coadds[b]))
        return asinh_stretch(_signal(coadds[best])), "" if len(taken.survey.bands) == 1 else best
    flux = {b: gaussian_filter(np.nan_to_num(coadds[b][0]), SMOOTHING) for b in factors}
    bands = [factor * flux[b] for b, factor in factors.items()]
    variance = [np.nanmedian(factor * coadds[b][1]) ** 2 for b, factor in factors.items()]
    sigma = float(np.sqrt(np.sum(variance) / (4 * np.pi * SMOOTHING**2)) / 3)
    white = max(float(np.percentile(np.mean(bands, axis=0), 99.7)), 40 * sigma)
    return colour(bands[0], bands[1], bands[2], sigma, white), " ".join(factors)


def _panels(n_top: int, n_bands: int) -> tuple[Figure, list[Axes], list[Axes]]:
    """Axes for large pictures, and for one picture of each band below them, or beside a single one."""
    n_columns = 5 if n_bands > 6 else min(n_bands, 3)
    n_rows = -(-n_bands // n_columns)
    if n_top == 1:
        top, small = 5.6, 5.6 / max(n_rows, 1) - 0.2
        figure = Figure(figsize=(top + n_columns * small, top + 0.9), layout="constrained")
        parts = figure.add_gridspec(1, 2, width_ratios=[top, n_columns * small])
    else:
        width = {2: 10.0, 3: 14.0}.get(n_top, 16.0)
        top, small = width / n_top + 0.45, width / n_columns + 0.25
        figure = Figure(figsize=(width, top + n_rows * small + 0.4), layout="constrained")
        parts = figure.add_gridspec(2, 1, height_ratios=[top, n_rows * small])
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.05, h_pad=0.04, wspace=0.0, hspace=0.0)
    upper, lower = parts[0].subgridspec(1, n_top), parts[1].subgridspec(n_rows, n_columns)
    axes = (
        [figure.add_subplot(upper[0, n]) for n in range(n_top)],
        [figure.add_subplot(lower[n // n_columns, n % n_columns]) for n in range(n_bands)],
    )
    for one in (*axes[0], *axes[1]):
        one.set_anchor("N")
    return figure, *axes


def _title(data: xarray.DataTree, truth: xarray.DataTree | None, scene: int, field: int) -> str:
    attributes = [str(data.attrs[key]) for key in ("tier", "split") if key in data.attrs]
    parts = [*attributes, f"scene {scene} of field {field}"]
    if truth is not None:
        g1, g2 = (float(np.asarray(truth[f"fields/{name}"])[field]) for name in ("g1", "g2"))
        parts.append(f"true shear g = ({signed(g1, 4)}, {signed(g2, 4)})")
    return "   ·   ".join(parts)


def _draw_sources(axes: Axes, truth: xarray.DataTree, scene: int, half: float) -> None:
    """Ellipses of twice the half-light radius of the sources of a scene, coloured by redshift."""
    table = truth["sources"].to_dataset()
    table = table.isel(source=np.flatnonzero(np.asarray(table["scene"]) == scene))
    column = {n: np.asarray(table[n]) for n in ("x", "y", "z", "half_light_arcsec", "e1", "e2", "snr")}
    flux_i = np.asarray(table["flux"])[:, BANDS["i"].code]
    # Of a disk and its bulge, the one that shines more.
    main = np.asarray(table["component_flux"])[:, :, BANDS["i"].code].argmax(axis=1)[:, None]
    for name in ("half_light_arcsec", "e1", "e2"):
        column[name] = np.take_along_axis(column[name], main, axis=1)[:, 0]
    inside = (np.abs(column["x"]) < half) & (np.abs(column["y"]) < half)
    norm = FuncNorm((np.log1p, np.expm1), vmin=0, vmax=4)
    size = np.hypot(column["e1"], column["e2"])
    q = (1 - size) / (1 + size)
    angle = np.rad2deg(np.arctan2(column["e2"], column["e1"])) / 2
    for n in np.flatnonzero(inside):
        diameter = max(4 * column["half_light_arcsec"][n], STAR_ARCSEC)
        seen = column["snr"][n] >= DETECTED_SNR
        axes.add_patch(
            Ellipse(
                (column["x"][n], column["y"][n]),
                diameter / np.sqrt(q[n]),
                diameter * np.sqrt(q[n]),
                angle=angle[n],
                fill=False,
                edgecolor=_REDSHIFTS(norm(column["z"][n])) if seen else "white",
                linewidth=1.6 if seen else 0.6,
                alpha=1.0 if seen else 0.45,
            )
        )
    brightest = [n for n in np.argsort(-flux_i) if inside[n] and column["snr"][n] >= DETECTED_SNR][:N_LABELS]
    placed: list[tuple[float, float]] = []
    for n in brightest:
        x, y = float(column["x"][n]), float(column["y"][n])
        reach = column["half_light_arcsec"][n] * np.hypot(np.sqrt(q[n]), 1 / np.sqrt(q[n])) + 0.02 * half
        left, bottom, side = _free_corner(x, y, float(reach), half, placed)
        axes.text(
            left,
            bottom,
            f"z {column['z'][n]:.2f}  i {float(mag_from_flux(flux_i[n])):.1f}",
            ha=side,
            color="white",
            fontsize=8,
            path_effects=OUTLINE,
        )
    n_seen = int((column["snr"][inside] >= DETECTED_SNR).sum())
    n_faint = int(inside.sum()) - n_seen
    note = f"ellipses at two half-light radii: {n_seen} above {DETECTED_SNR:g}σ, {n_faint} fainter in white"
    axes.set_xlabel(note, fontsize=8, color=SOFT, loc="left", labelpad=3)
    bar = axes.inset_axes((0.5, 1.015, 0.5, 0.022))
    bar.imshow(np.linspace(0, 1, 256)[None], cmap=_REDSHIFTS, extent=(0, 1, 0, 1), aspect="auto")
    ticks = np.array([0, 0.5, 1, 2, 4])
    bar.set_xticks(norm(ticks), [f"{z:g}" for z in ticks])
    bar.xaxis.set_ticks_position("top")
    bar.tick_params(length=0, pad=1, labelsize=7.5)
    bar.set_yticks([0.5], ["redshift"])
    bar.spines[:].set_visible(False)


def _free_corner(
    x: float, y: float, reach: float, half: float, placed: list[tuple[float, float]]
) -> tuple[float, float, str]:
    """Where a label beside (x, y) begins or ends: inside the panel, clear of those `placed` before."""
    width, height, away = 0.5 * half, 0.075 * half, 0.7 * reach

    def lower_left(right: int, up: int) -> tuple[float, float]:
        return x + right * away - (width if right < 0 else 0), y + up * away - (height if up < 0 else 0)

    def faults(corner: tuple[int, int]) -> int:
        left, bottom = lower_left(*corner)
        outside = left < -half or left + width > half or bottom < -half or bottom + height > half
        return 4 * outside + sum(abs(left - a) < width and abs(bottom - b) < height for a, b in placed)

    right, up = min(((1, 1), (1, -1), (-1, 1), (-1, -1)), key=faults)
    left, bottom = lower_left(right, up)
    placed.append((left, bottom))
    return (left, bottom, "left") if right > 0 else (left + width, bottom, "right")


def _draw_exposure(axes: Axes, taken: SceneExposures, e: int) -> None:
    """One exposure in its pixel frame, with its PSF."""
    size = taken.image.shape[-1]
    axes.imshow(
        asinh_stretch(taken.image[e] / np.sqrt(taken.variance[e]), high=40), cmap="gray", vmin=0, vmax=1
    )
    bad = taken.mask[e] != 0
    if bad.any():
        axes.imshow(np.where(bad, 1.0, np.nan), cmap=_MASKED, vmin=0, vmax=1)
    compass(axes, taken.wcs[e][:, :2] * taken.survey.pixel_arcsec)
    visits = {name: values[e] for name, values in taken.visits.items()}
    condensed = f"  ×{visits['condensed']:g}" if visits["condensed"] > 1 else ""
    axes.set_title(f"{taken.band[e]}{condensed}", fontweight="bold", y=1.0, pad=16)
    note = f"{visits['fwhm']:.2f}″   m5 {visits['m5']:.2f}   MJD {visits['mjd']:.1f}"
    axes.text(0, 1.015, note, transform=axes.transAxes, fontsize=7.5, color=SOFT, va="bottom")
    if bad.any():
        where = {"transform": axes.transAxes, "va": "baseline", "ha": "right", "fontsize": 8}
        axes.text(0.81, 1.095, f"■ {bad.sum()} masked", color=COLOURS["vermillion"], **where)
    quiet(axes)
    inset = axes.inset_axes((0.84, 1.012, 0.16, 0.16))
    psf = taken.psf[e]
    samples = taken.survey.psf_oversampling * 3 * visits["fwhm"] / taken.survey.pixel_arcsec
    middle = psf.shape[0] // 2
    near = slice(max(middle - round(samples), 0), middle + round(samples) + 1)
    inset.imshow(
        asinh_stretch(psf[near, near] / psf.max() * 100, low=0, high=100), cmap="magma", vmin=0, vmax=1
    )
    quiet(inset)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(-0.5, size - 0.5))
