"""Light curves from the pixels of individual exposures: forced photometry on a model of the scene.

At a known place, in each band, all exposures together are

    pixel = host, as seen through the PSF of the exposure + A PSF of the exposure at the place,

with a host that never changes and an A for each exposure of the season; in those before the transient, A is
zero. The host is point sources on a grid on the sky, finer than the PSF: their fluxes and all A are linear,
and found together by weighted least squares. Nothing is resampled, and no two PSFs are matched. (Simultaneous
photometry without resampling: Astier et al. 2013, A&A 557, A55, from its abstract; the grid is our own.)

The grid is finer than the exposures tell, so that its fluxes have a prior, wide enough not to matter to A: a
normal distribution about zero as wide as all the light around. Errors are those of the fit, with the
variance that its model predicts: with that of observed pixels, bright by chance means heavy, and
fluxes would come out low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, ndimage

from ..challenges.light_curves import LightCurves
from ..challenges.method import Field, SurveyExposures
from ..challenges.sky_alerts import Alerts
from ..simulators.lightcurves import DETECTION
from ..simulators.surveys import BANDS

__all__ = ["ForcedPhotometry", "Measured", "PixelPsf", "fit", "forced_photometry", "psfs_of"]

# Samples of an oversampled PSF are doubled, so that splines between them are exact to 1e-4 and better.
_FINER = 2
# Passes of the fit: the first with the noise of the empty sky, the second with that of its model.
_PASSES = 2
# At least so many pixels across are used, where the PSF is narrower than pixels are.
_LEAST_PIXELS = 2.0


@dataclass(frozen=True)
class ForcedPhotometry:
    """Settings.

    Attributes:
        radius_fwhm: radius, in units of the median FWHM of a band, within which pixels are used.
        beyond_fwhm: how much further the host is modelled, in the same units.
        spacing_fwhm: of the grid, in units of the smallest FWHM of the band.
    """

    radius_fwhm: float = 2.0
    beyond_fwhm: float = 1.25
    spacing_fwhm: float = 0.5


@dataclass(frozen=True)
class Measured:
    """Fluxes in some exposures, n of them.

    Attributes:
        exposure: (n,) their numbers.
        flux: (n,) nJy.
        covariance: (n, n) nJy^2: they share a host.
    """

    exposure: NDArray[np.int64]
    flux: NDArray[np.float64]
    covariance: NDArray[np.float64]


class PixelPsf:
    """What part of a point's flux a pixel gets, by its distance from the point.

    Arguments:
        psf: (m, m) without the pixel response, odd-sized, sum 1, in the pixel frame.
        oversampling: samples of it per pixel.
        reach: pixels from the point, as far as it will be asked for.
    """

    def __init__(self, psf: np.ndarray, oversampling: int, reach: float) -> None:
        m = len(psf)
        spectrum = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(np.asarray(psf, float))))
        pixel = np.sinc(np.fft.fftshift(np.fft.fftfreq(m)) * oversampling)
        n = _FINER * m
        padded = np.zeros((n, n), complex)
        # Frequency zero is at n // 2 there, at m // 2 here.
        inside = slice(n // 2 - m // 2, n // 2 - m // 2 + m)
        padded[inside, inside] = spectrum * pixel * pixel[:, None]
        fine = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(padded)).real)
        self.per_pixel = _FINER * oversampling
        half = min(int(np.ceil(reach * self.per_pixel)) + 8, n // 2 - 1)
        cut = slice(n // 2 - half, n // 2 + half + 1)
        # Doubled samples hold the same light each, and a pixel many of them.
        self._splines = ndimage.spline_filter(fine[cut, cut] * (_FINER * oversampling) ** 2, order=3)
        self._half = half

    def __call__(self, dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of pixels at distances (dx, dy), pixels, any shape; zero beyond what was asked for."""
        at = np.stack([dy, dx]) * self.per_pixel + self._half
        return ndimage.map_coordinates(self._splines, at, order=3, mode="constant", prefilter=False)


def forced_photometry(field: Field, alerts: Alerts, settings: ForcedPhotometry | None = None) -> LightCurves:
    """Light curves of alerts, from the exposures of all surveys that a field has.

    Exposures without a good pixel around an alert have no observation, nor have those before the season, in
    which there is nothing. Of what always changes, such as an active nucleus, fluxes are differences
    to its mean in those.

    Arguments:
        field: with the scenes of the alerts.
        alerts: where to measure.
        settings: those of `ForcedPhotometry` by default.
    """
    settings = settings or ForcedPhotometry()
    bands = []
    for exposures in field.surveys.values():
        for band in dict.fromkeys(exposures.band.tolist()):
            chosen = exposures.select(exposures.band == band)
            bands.append((BANDS[band].code, chosen, psfs_of(chosen, settings)))
    columns: dict[str, list[NDArray]] = {"mjd": [], "band": [], "flux": [], "error": []}
    row_size = []
    for scene, x, y, quiet in zip(alerts.scene, alerts.x, alerts.y, alerts.quiet_until, strict=True):
        rows = []
        for code, chosen, psfs in bands:
            found = fit(chosen, psfs, int(scene), (float(x), float(y)), chosen.mjd >= quiet, settings)
            error = np.sqrt(np.diag(found.covariance))
            codes = np.full(len(found.flux), code)
            rows.append(np.stack([chosen.mjd[found.exposure], codes, found.flux, error]))
        table = np.concatenate(rows, axis=1) if rows else np.zeros((4, 0))
        table = table[:, np.lexsort((table[1], table[0]))]
        row_size.append(table.shape[1])
        for values, column in zip(table, columns.values(), strict=True):
            column.append(values)
    joined = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in columns.items()}
    return LightCurves.of(
        id=alerts.id,
        row_size=np.array(row_size, np.int64),
        # Below their mean active nuclei are seen too.
        detected=np.abs(joined["flux"]) > DETECTION * joined["error"],
        **joined,
    )


def psfs_of(exposures: SurveyExposures, settings: ForcedPhotometry) -> list[PixelPsf]:
    """What pixels get of points in each exposure of one band, as far as `fit` asks."""
    radius, beyond = _radii(exposures, settings)
    oversampling = round(exposures.pixel_arcsec / exposures.psf_pixel_arcsec)
    return [PixelPsf(psf, oversampling, 2 * radius + beyond + 1) for psf in exposures.psf]


def fit(
    exposures: SurveyExposures,
    psfs: Sequence[PixelPsf],
    scene: int,
    place: tuple[float, float],
    changes: NDArray[np.bool_],
    settings: ForcedPhotometry,
) -> Measured:
    """Fluxes of a point in the exposures of one band.

    Arguments:
        exposures: of one band.
        psfs: (exposure,) of `psfs_of`.
        scene: which of the scenes.
        place: x and y of the point, arcsec from the centre of the scene.
        changes: (exposure,) whether the point may shine; in the others it does not.
        settings: of the fit.
    """
    radius, _ = _radii(exposures, settings)
    data = [_Data.of(exposures, scene, e, place, radius) for e in range(len(exposures.mjd))]
    used = np.array([e for e, one in enumerate(data) if len(one.value)], dtype=int)
    shining = np.array([e for e in used if changes[e]], dtype=int)
    if not shining.size:
        return Measured(shining, np.zeros(0), np.zeros((0, 0)))
    nodes = _nodes(exposures, settings)
    k = len(nodes)
    points = np.vstack([nodes, np.zeros((1, 2))])
    column = {int(e): k + number for number, e in enumerate(shining)}
    seen = {int(e): data[e].of_points(psfs[e], points) for e in used}
    wide = _width(data, exposures)
    model: dict[int, NDArray[np.float64]] = {}
    for _ in range(_PASSES):
        normal, right = np.zeros((k + shining.size,) * 2), np.zeros(k + shining.size)
        normal[np.arange(k), np.arange(k)] = wide**-2
        for e in map(int, used):
            variance = data[e].background + np.maximum(model.get(e, 0.0), 0.0) * exposures.electron[e]
            rows = np.append(np.arange(k), column.get(e, k))[: k + (e in column)]
            design = seen[e][:, : rows.size]
            weighted = design / np.broadcast_to(variance, data[e].value.shape)[:, None]
            normal[np.ix_(rows, rows)] += design.T @ weighted
            right[rows] += weighted.T @ data[e].value
        factor = linalg.cho_factor(normal, lower=True)
        found = linalg.cho_solve(factor, right)
        for e in map(int, used):
            shines = found[column[e]] if e in column else 0.0
            model[e] = seen[e][:, :k] @ found[:k] + seen[e][:, k] * shines
    covariance = linalg.cho_solve(factor, np.eye(len(right))[:, k:])[k:]
    return Measured(shining, found[k:], covariance)


@dataclass(frozen=True)
class _Data:
    """The good pixels of one exposure around a place: places relative to the point's own, pixels."""

    dx: NDArray[np.float64]
    dy: NDArray[np.float64]
    value: NDArray[np.float64]
    background: float
    linear: NDArray[np.float64]

    @classmethod
    def of(
        cls, exposures: SurveyExposures, scene: int, e: int, place: tuple[float, float], radius: float
    ) -> _Data:
        linear, offset = exposures.wcs[scene, e, :, :2], exposures.wcs[scene, e, :, 2]
        here = linear @ np.array(place) + offset
        row, column = np.indices(exposures.image.shape[-2:])
        dx, dy = column - here[0], row - here[1]
        good = (np.hypot(dx, dy) <= radius) & (exposures.mask[scene, e] == 0)
        return cls(
            dx=dx[good],
            dy=dy[good],
            value=exposures.image[scene, e][good].astype(float),
            background=float(exposures.sky_variance[scene, e] + exposures.read_variance[scene, e]),
            linear=linear,
        )

    def of_points(self, psf: PixelPsf, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """(pixel, point) what each pixel gets of points of unit flux at places (point, 2), arcsec."""
        at = places @ self.linear.T
        return psf(self.dx[:, None] - at[:, 0], self.dy[:, None] - at[:, 1])


def _radii(exposures: SurveyExposures, settings: ForcedPhotometry) -> tuple[float, float]:
    """Pixels: within which pixels are used, and how much further the host is modelled."""
    fwhm = float(np.median(exposures.fwhm)) / exposures.pixel_arcsec
    return max(settings.radius_fwhm * fwhm, _LEAST_PIXELS), settings.beyond_fwhm * fwhm


def _nodes(exposures: SurveyExposures, settings: ForcedPhotometry) -> NDArray[np.float64]:
    """(k, 2) the grid of the host, arcsec from the place."""
    radius = sum(_radii(exposures, settings)) * exposures.pixel_arcsec
    spacing = settings.spacing_fwhm * float(np.min(exposures.fwhm))
    n = int(radius / spacing)
    axis = spacing * np.arange(-n, n + 1, dtype=float)
    grid: NDArray[np.float64] = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return grid[np.hypot(*grid.T) <= radius]


def _width(data: list[_Data], exposures: SurveyExposures) -> float:
    """Width of the prior of a node's flux, nJy: as much as there is around, and what noise can feign."""
    light = [abs(one.value.sum()) for one in data]
    noise = [np.sqrt(one.background * len(one.value)) for one in data]
    return float(np.max(light) + 5 * np.max(noise))
