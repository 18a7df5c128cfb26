"""Profiles as small images on the cells of a canvas, many at a time.

A stamp holds one profile of unit flux, blurred by the Gaussian of the canvas. It ends where the profile
has become too faint to matter. A periodic stamp folds back in what lies beyond: faint and smooth, but a
thousandth of the flux where wings are wide, so that its value in the middle is taken off everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammainc, gammainccinv

from ..profiles import Profiles
from .canvas import BLUR_CELLS, Canvas
from .inputs import as_array
from .psfs import as_tensor
from .sersic import brightness, fall_and_centre, profile_tables, radius_of, transform

__all__ = ["add_stamps", "stamp_cells"]

# A stamp ends where a profile has fallen to this fraction of its own peak after the PSF, or of a pixel's
# noise, whichever comes first.
_EDGE_OF_PEAK = 1e-5
_EDGE_OF_NOISE = 0.01
# Without noise no more than this share of the flux is left out, as far as the canvas reaches.
_FLUX_LOST = 5e-5
# The blur reaches this many of its own sigma.
_BLUR_REACH = 5.0
_SIZES = np.array([24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 480, 640, 800, 960, 1280, 1920])
# Frequencies of the stamps that are worked on together: more need more memory, fewer more calls.
_TOGETHER = 1 << 18
# Rings of periodic stamps whose light is told from a stamp's own.
_PERIODS = 3


def stamp_cells(
    profiles: Profiles,
    *,
    cell_arcsec: float,
    across: int,
    psf_peak: float,
    noise: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    """Cells along a side of the stamp of each profile.

    Arguments:
        profiles: (n) arrays or tensors.
        cell_arcsec: width of a cell.
        across: cells along a side of the canvas.
        psf_peak: highest surface brightness of a point of unit flux, per square arcsec.
        noise: (n) sigma of a pixel's noise as a surface brightness, where the profile has unit flux,
            per square arcsec; None for no noise.
    """
    size, n, e1, e2 = (
        as_array(v) for v in (profiles.half_light_arcsec, profiles.sersic_n, profiles.e1, profiles.e2)
    )
    extended = size > 0
    r, n = np.where(extended, size, 1.0), np.where(extended, n, 1.0)
    # The peak of the image is about the mean over the area that a PSF of that peak covers.
    reach = 1 / np.sqrt(np.pi * psf_peak)
    fall, _ = fall_and_centre(n)
    within = gammainc(2 * n, fall * (reach / r) ** (1 / n))
    edge = _EDGE_OF_PEAK * 0.5 * within * psf_peak
    if noise is not None:
        edge = np.maximum(edge, _EDGE_OF_NOISE * noise)
    radius = radius_of(n, edge * r**2)
    if noise is None:
        whole = (gammainccinv(2 * n, _FLUX_LOST) / fall) ** n
        radius = np.maximum(radius, np.minimum(whole, across * cell_arcsec / r))
    e = np.hypot(e1, e2)
    radius = np.where(extended, r * radius * np.sqrt((1 + e) / (1 - e)), 0.0)
    wanted = 2 * (radius / cell_arcsec + _BLUR_REACH * BLUR_CELLS + 1)
    return _SIZES[np.minimum(np.searchsorted(_SIZES, wanted), len(_SIZES) - 1)]


def add_stamps(
    profiles: Profiles,
    flux: torch.Tensor,
    sheet: NDArray[np.int64],
    *,
    canvas: Canvas,
    cells: NDArray[np.int64],
) -> torch.Tensor:
    """The light of all profiles on sheets of a canvas.

    Arguments:
        profiles: (n) arrays or tensors.
        flux: (sheet, n) nJy.
        sheet: (sheet) frame of each; those of a frame follow each other.
        canvas: where the cells of its frames lie.
        cells: (n) along a side of the stamp of each profile, from `stamp_cells`.

    Returns:
        (sheet, size, size) nJy per cell, of the type and on the device of `flux`.
    """
    sky = flux.new_zeros(len(flux), canvas.size, canvas.size)
    x, y = (as_tensor(v).to(flux.device, torch.float64) for v in (profiles.x, profiles.y))
    linear, start = (torch.from_numpy(v).to(flux.device) for v in (canvas.linear, canvas.start))
    # (frame, n) in cells.
    place = tuple(
        (linear[:, k, 0, None] * x + linear[:, k, 1, None] * y - start[:, k, None]) * canvas.per_pixel
        for k in (0, 1)
    )
    corner = [p.detach().round().long().cpu().numpy() - cells // 2 for p in place]
    shapes = _shapes(profiles, canvas, cells, flux)
    # A fit may want to know what light would do that is not there yet.
    shines = ((flux.detach() > 0) | flux.requires_grad).cpu().numpy()
    # By frame: which sheets are its own, and what shines there.
    first = np.searchsorted(sheet, np.arange(len(canvas.linear)))
    last = np.searchsorted(sheet, np.arange(len(canvas.linear)), side="right")
    seen = np.stack([shines[a:b].any(axis=0) for a, b in zip(first, last, strict=True)])
    for c in corner:
        seen &= (c + cells > 0) & (c < canvas.size)
    alone = len(sheet) == len(first)  # every frame has one sheet: a tenth faster at once than one by one
    for size, frame, n in _batches(cells, seen):
        stamps = _stamps(size, frame, n, place, shapes)
        if alone:
            stamps = stamps * flux[first[frame], n][:, None, None]
        # What part of each stamp lies on the canvas, and where.
        at = np.stack([c[frame, n] for c in corner])
        low, high = np.maximum(at, 0), np.minimum(at + size, canvas.size)
        bounds = np.concatenate([low, high, low - at, high - at]).T.tolist()
        for k, (x0, y0, x1, y1, from_x, from_y, to_x, to_y) in enumerate(bounds):
            stamp, f = stamps[k, from_y:to_y, from_x:to_x], frame[k]
            if alone:
                sky[first[f], y0:y1, x0:x1] += stamp
            else:
                own = slice(first[f], last[f])
                sky[own, y0:y1, x0:x1] += flux[own, n[k], None, None] * stamp
    return sky


def _batches(
    cells: NDArray[np.int64], seen: NDArray[np.bool_]
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Frames and profiles whose stamps are of a size, a few at a time."""
    for size in np.unique(cells):
        frame, n = np.nonzero(seen & (cells == size))
        batch = max(1, _TOGETHER // (size * (size // 2 + 1)))
        for start in range(0, len(n), batch):
            some = slice(start, start + batch)
            yield int(size), frame[some], n[some]


@dataclass(frozen=True)
class _Shapes:
    """Shapes of the profiles in the cells of each frame.

    Attributes:
        forms: (3, frame, n) what gives (k r)² = xx kx² + yy ky² + xy kx ky, k in radians per cell.
        folded_back: (frame, n) what a periodic stamp has too much of, per cell.
        tables: of the profiles' transforms.
    """

    forms: torch.Tensor
    folded_back: torch.Tensor
    tables: torch.Tensor


def _shapes(profiles: Profiles, canvas: Canvas, cells: NDArray[np.int64], like: torch.Tensor) -> _Shapes:
    r, n, e1, e2 = (
        as_tensor(v).to(like)
        for v in (profiles.half_light_arcsec, profiles.sersic_n, profiles.e1, profiles.e2)
    )
    # |S k|² of the shear S = (1 − |e|²)^(−1/2) [[1 + e1, e2], [e2, 1 − e1]] and k on the sky.
    scale = (r * canvas.per_pixel) ** 2 / (1 - e1**2 - e2**2)
    xx, yy, xy = scale * ((1 + e1) ** 2 + e2**2), scale * ((1 - e1) ** 2 + e2**2), 2 * scale * e2
    # A wave k of the cells is linear.T k on the sky.
    a, b, c, d = torch.from_numpy(canvas.linear.reshape(-1, 4).T[:, :, None]).to(like)
    form = torch.stack(
        [
            a * a * xx + 2 * a * b * xy + b * b * yy,
            c * c * xx + 2 * c * d * xy + d * d * yy,
            2 * (a * c * xx + (a * d + b * c) * xy + b * d * yy),
        ]
    )
    index = torch.where(r > 0, n, torch.ones_like(n))
    folded_back = _folded_back(form, index, torch.from_numpy(cells).to(like.device))
    return _Shapes(form, folded_back, profile_tables(index))


def _stamps(
    size: int,
    frame: NDArray[np.int64],
    n: NDArray[np.int64],
    place: tuple[torch.Tensor, ...],
    shapes: _Shapes,
) -> torch.Tensor:
    """(k, size, size) of unit flux; the centre of a profile lies within half a cell of cell size // 2."""
    forms = shapes.forms
    k_x, k_y = (
        2 * np.pi * frequency(size, dtype=torch.float64, device=forms.device)
        for frequency in (torch.fft.rfftfreq, torch.fft.fftfreq)
    )
    waves = []
    for k, p in ((k_x, place[0][frame, n]), (k_y, place[1][frame, n])):
        # To its place, through half the stamp, under the blur.
        phase = -k * ((p - p.detach().round())[:, None] + size // 2)
        waves.append(torch.polar(torch.exp(-0.5 * (BLUR_CELLS * k) ** 2).expand_as(phase), phase))
    kind = torch.complex64 if forms.dtype == torch.float32 else torch.complex128
    wave_x, wave_y = (wave.to(kind) for wave in waves)
    shift = wave_y[:, :, None] * wave_x[:, None, :]
    xx, yy, xy = forms[:, frame, n]
    if not bool((xx > 0).any()):  # points
        return torch.fft.irfft2(shift, s=(size, size))
    k_x, k_y = k_x.to(forms), k_y.to(forms)
    squared = (xx[:, None] * k_x**2)[:, None, :] + (yy[:, None] * k_y**2)[:, :, None]
    squared = squared + (xy[:, None] * k_y)[:, :, None] * k_x
    waves_of_profiles = transform(shapes.tables, torch.from_numpy(n).to(forms.device), squared.clamp(min=0))
    stamps = torch.fft.irfft2(waves_of_profiles * shift, s=(size, size))
    return stamps - shapes.folded_back[frame, n][:, None, None]


def _folded_back(form: torch.Tensor, index: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """(frame, n) light per cell in the middle of periodic stamps that belongs to the stamps around them."""
    xx, yy, xy = form[..., None]
    # The form of (x / r)² is the inverse of that of (k r)².
    area = xx * yy - xy**2 / 4
    extended = area > 0
    area = torch.where(extended, area, torch.ones_like(area))
    j = torch.arange(-_PERIODS, _PERIODS + 1, device=form.device)
    y, x = torch.meshgrid(j, j, indexing="ij")
    others = (x != 0) | (y != 0)
    x, y = x[others] * cells[:, None], y[others] * cells[:, None]
    squared = (yy * x**2 + xx * y**2 - xy * x * y) / area
    around = brightness(index[:, None], squared.clamp(min=1e-6)) / area.sqrt()
    return torch.where(extended, around, torch.zeros_like(around)).sum(dim=-1)
