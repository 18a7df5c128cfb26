"""Profiles as small images on the cells of a canvas, all of a size at once.

A stamp holds one profile of unit flux, blurred by the Gaussian of the canvas. It ends where the profile
has become too faint to matter, and is as fine as the canvas; what a periodic stamp folds back in at
its edges is as faint.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincinv

from ..profiles import Profiles
from .canvas import BLUR_CELLS, Canvas
from .sersic import profile_tables, radius_of, transform

__all__ = ["add_stamps", "stamp_cells"]

# A stamp ends where a profile has fallen to this fraction of its own peak after the PSF, or of a pixel's
# noise, whichever comes first.
_EDGE_OF_PEAK = 1e-5
_EDGE_OF_NOISE = 0.01
# The blur reaches this many of its own sigma.
_BLUR_REACH = 5.0
_SIZES = np.array([24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 480, 640, 800, 960, 1280, 1920])
# Frequencies of the stamps that are worked on together: they stay in the cache.
_TOGETHER = 1 << 16


def add_stamps(
    profiles: Profiles, flux: torch.Tensor, *, canvas: Canvas, cells: NDArray[np.int64]
) -> torch.Tensor:
    """The light of all profiles on the cells of a canvas, in each band.

    Arguments:
        profiles: (n) arrays or tensors.
        flux: (band, n) nJy.
        canvas: where its cells lie.
        cells: (n) along a side of the stamp of each profile, from `stamp_cells`.

    Returns:
        (band, size, size) nJy per cell, of the type and on the device of `flux`.
    """
    sky = flux.new_zeros(len(flux), canvas.size, canvas.size)
    x, y = (
        (torch.as_tensor(place).to(flux.device, torch.float64) - start) / canvas.step
        for place, start in zip((profiles.x, profiles.y), canvas.origin, strict=True)
    )
    corner_x, corner_y = (place.detach().round().long().cpu().numpy() - cells // 2 for place in (x, y))
    seen = (
        np.asarray((flux.detach() > 0).any(dim=0).cpu())
        & (corner_x + cells > 0)
        & (corner_x < canvas.size)
        & (corner_y + cells > 0)
        & (corner_y < canvas.size)
    )
    for size, some in _alike(cells, np.flatnonzero(seen)):
        index = torch.from_numpy(some).to(flux.device)
        stamps = _stamps(profiles, index, x, y, size, canvas.step, flux)
        for k, n in enumerate(some):
            (to_x, from_x), (to_y, from_y) = (
                _overlap(int(corner[n]), size, canvas.size) for corner in (corner_x, corner_y)
            )
            sky[:, to_y, to_x] += flux[:, n, None, None] * stamps[k, from_y, from_x]
    return sky


def stamp_cells(
    profiles: Profiles,
    *,
    step: float,
    psf_peak: float,
    faintest: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    """Cells along a side of the stamp of each profile.

    Arguments:
        profiles: (n).
        step: width of a cell, arcsec.
        psf_peak: highest surface brightness of a point of unit flux, per square arcsec.
        faintest: (n) surface brightness, for unit flux and per square arcsec, that is one sigma of the
            noise; None for no noise.
    """
    size, n, e1, e2 = (
        np.asarray(v.detach().cpu() if isinstance(v, torch.Tensor) else v, dtype=float)
        for v in (profiles.half_light_arcsec, profiles.sersic_n, profiles.e1, profiles.e2)
    )
    extended = size > 0
    r, n = np.where(extended, size, 1.0), np.where(extended, n, 1.0)
    # The peak of the image: no higher than the mean over the area that a PSF of that peak covers.
    reach = 1 / np.sqrt(np.pi * psf_peak)
    within = gammainc(2 * n, gammaincinv(2 * n, 0.5) * (reach / r) ** (1 / n))
    edge = _EDGE_OF_PEAK * 0.5 * within * psf_peak
    if faintest is not None:
        edge = np.maximum(edge, _EDGE_OF_NOISE * faintest)
    e = np.hypot(e1, e2)
    radius = np.where(extended, r * radius_of(n, edge * r**2) * np.sqrt((1 + e) / (1 - e)), 0.0)
    wanted = 2 * (radius / step + _BLUR_REACH * BLUR_CELLS + 1)
    return _SIZES[np.minimum(np.searchsorted(_SIZES, wanted), len(_SIZES) - 1)]


def _alike(cells: NDArray[np.int64], chosen: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    for size in np.unique(cells[chosen]):
        same = chosen[cells[chosen] == size]
        batch = max(1, _TOGETHER // (size * (size // 2 + 1)))
        for start in range(0, len(same), batch):
            yield int(size), same[start : start + batch]


def _stamps(
    profiles: Profiles,
    index: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    size: int,
    step: float,
    like: torch.Tensor,
) -> torch.Tensor:
    """(s, size, size) of unit flux; the centre of a profile lies within half a cell of cell size // 2."""

    def chosen(values) -> torch.Tensor:
        return torch.as_tensor(values).to(like)[index]

    r, n, e1, e2 = (
        chosen(v) for v in (profiles.half_light_arcsec, profiles.sersic_n, profiles.e1, profiles.e2)
    )
    k_x = 2 * np.pi * torch.fft.rfftfreq(size, dtype=torch.float64, device=like.device)
    k_y = 2 * np.pi * torch.fft.fftfreq(size, dtype=torch.float64, device=like.device)
    along = []
    for k, place in ((k_x, x[index]), (k_y, y[index])):
        # To its place, through half the stamp, under the blur.
        phase = -k * ((place - place.detach().round())[:, None] + size // 2)
        wave = torch.complex(torch.cos(phase), torch.sin(phase)) * torch.exp(-0.5 * (BLUR_CELLS * k) ** 2)
        along.append(wave.to(torch.complex64 if like.dtype == torch.float32 else torch.complex128))
    shift = along[1][:, :, None] * along[0][:, None, :]
    extended = bool((r > 0).any())
    if not extended:
        return torch.fft.irfft2(shift, s=(size, size))
    # |S k|² of the shear S = (1 − |e|²)^(−1/2) [[1 + e1, e2], [e2, 1 − e1]], in half-light radii.
    scale = (r / step) ** 2 / (1 - e1**2 - e2**2)
    xx, yy = scale * ((1 + e1) ** 2 + e2**2), scale * ((1 - e1) ** 2 + e2**2)
    xy = 4 * scale * e2
    k_x, k_y = k_x.to(like), k_y.to(like)
    x_squared = (xx[:, None] * k_x**2)[:, None, :] + (yy[:, None] * k_y**2)[:, :, None]
    x_squared = x_squared + (xy[:, None] * k_y)[:, :, None] * k_x
    tables = profile_tables(torch.where(r > 0, n, torch.ones_like(n)))
    return torch.fft.irfft2(transform(tables, x_squared.clamp(min=0)) * shift, s=(size, size))


def _overlap(corner: int, size: int, whole: int) -> tuple[slice, slice]:
    """Where a stamp lies on the canvas, and which part of it does."""
    low, high = max(corner, 0), min(corner + size, whole)
    return slice(low, high), slice(low - corner, high - corner)
