"""What PSF and pixel of an exposure do to the waves of a canvas.

The response of an exposure is the transform of its PSF image times that of its pixel, over that of the
Gaussian by which the canvas is blurred. A stored PSF *is* its samples joined by the quintic interpolant of
Bernstein & Gruen (2014, PASP 126, 287; GalSim's default), whose transform is known.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from .canvas import BLUR_CELLS, Canvas, turned
from .psfs import Psfs

__all__ = ["quintic_transform", "responses"]


def responses(psfs: Psfs, canvas: Canvas) -> list[torch.Tensor]:
    """The factors on the waves of a canvas, for each exposure.

    Arguments:
        psfs: of the exposures.
        canvas: the waves are those of `torch.fft.rfft2` of its cells.

    Returns:
        For each exposure (size, columns) complex, 1 at zero, on the axes of its frame. Kept for the
        next scene of a field, unless gradients with respect to the PSFs are asked for.
    """
    where = (canvas.axes.tobytes(), canvas.per_pixel, canvas.size, canvas.columns)
    return _responses(psfs, *where) if psfs.images.requires_grad else _kept(psfs, *where)


def quintic_transform(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transform of the quintic interpolant at u cycles per sample (Bernstein & Gruen 2014, appendix A)."""
    s, c, v = np.sinc(u), np.cos(np.pi * u), (np.pi * u) ** 2
    return s**5 * (s * (55 - 19 * v) + 2 * c * (v - 27))


def _responses(psfs: Psfs, axes: bytes, per_pixel: int, size: int, columns: int) -> list[torch.Tensor]:
    f_x, f_y = np.fft.rfftfreq(size)[:columns], np.fft.fftfreq(size)  # cycles per cell
    along_x, along_y = (
        np.sinc(f * per_pixel)
        * quintic_transform(f * per_pixel / psfs.oversampling)
        * np.exp(2 * (np.pi * BLUR_CELLS * f) ** 2)
        for f in (f_x, f_y)
    )
    # Outside of a disk of frequencies nothing is left of the image, and too little of the blur.
    kept = f_x**2 + f_y[:, None] ** 2 <= 0.25
    factor = torch.from_numpy(kept * (along_y[:, None] * along_x)).to(psfs.images)
    period = size // per_pixel * psfs.oversampling
    turns = np.frombuffer(axes, dtype=np.int64).reshape(-1, 2, 2)
    found: list[torch.Tensor] = []
    for k, (psf, turn) in enumerate(zip(psfs.images, turns, strict=True)):
        # Sources that are drawn apart are drawn with one PSF.
        if k and torch.equal(psf, psfs.images[k - 1]) and (turn == turns[k - 1]).all():
            found.append(found[-1])
        else:
            found.append(_transform(turned(psf, turn.T), period, size, columns) * factor)
    return found


# Those of one field: LSST's ten years in four parts, Euclid's, and the reference of blendedness.
@lru_cache(maxsize=8)
def _kept(psfs: Psfs, axes: bytes, per_pixel: int, size: int, columns: int) -> list[torch.Tensor]:
    # Whatever mode they are first asked for in, they serve in all.
    with torch.inference_mode(False), torch.no_grad():
        copy = Psfs(psfs.digest, psfs.oversampling, psfs.images.clone())
        return _responses(copy, axes, per_pixel, size, columns)


def _transform(psf: torch.Tensor, period: int, size: int, columns: int) -> torch.Tensor:
    """Transform of a PSF in a period of so many samples, at the frequencies of so many cells."""
    half = len(psf) // 2
    room = (period - len(psf)) // 2
    if room < 0:
        # The canvas ends where the PSF does, within the corners and edges of its image.
        psf, half, room = psf[-room : len(psf) + room, -room : len(psf) + room], half + room, 0
    padded = torch.nn.functional.pad(psf, (0, period - len(psf)) * 2).roll((-half, -half), (0, 1))
    spectrum = torch.fft.rfft2(padded) / psf.sum()
    low = min(period, size) // 2
    row = torch.arange(-low, size - low if size <= period else low, device=psf.device)
    whole = spectrum.new_zeros(size, columns)
    last = min(low + 1, columns)
    whole[row % size, :last] = spectrum[row % period, :last]
    return whole
