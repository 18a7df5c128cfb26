"""The fine, periodic square of sky on which all profiles are laid before exposures look at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from .psfs import Psfs
from .resampling import UPSAMPLING

__all__ = ["BLUR_CELLS", "Canvas", "plan"]

BLUR_CELLS = 1.53
"""Sigma of the Gaussian that blurs the canvas, in cells: 1e-5 is left of it at the Nyquist frequency."""

# Where PSF and pixel together have fallen to this fraction, an image ends in frequency; the canvas reaches
# a little further, so that what is left of its blur there can be undone.
_BAND_EDGE, _BAND_MARGIN = 1e-4, 1.1
# Where a PSF has fallen to this fraction of its peak it ends.
_PSF_EDGE = 1e-6


@dataclass(frozen=True)
class Canvas:
    """Where the cells of a canvas lie.

    Attributes:
        step: width of a cell, arcsec.
        size: cells along a side.
        per_pixel: cells along a pixel.
        reading_size: cells along a side of the finer grid from which values between cells are read.
        origin: (x, y) of the centre of the first cell, arcsec.
    """

    step: float
    size: int
    per_pixel: int
    reading_size: int
    origin: tuple[float, float]


def plan(psfs: Psfs, wcs: NDArray[np.float64], shape: tuple[int, int]) -> Canvas:
    """A canvas for exposures: fine enough for their PSFs, wide enough for all that they see.

    Arguments:
        psfs: of the exposures.
        wcs: (exposure, 2, 3) from arcsec to pixels.
        shape: (ny, nx) of the exposures.
    """
    pixel = 1 / np.sqrt(np.abs(np.linalg.det(wcs[:, :, :2]))).min()
    edge, radius = _extent(psfs)
    per_pixel = max(int(np.ceil(2 * edge * _BAND_MARGIN)), 1)
    corners = np.array([[-0.5, -0.5, shape[1] - 0.5, shape[1] - 0.5], [-0.5, shape[0] - 0.5] * 2])
    seen = np.linalg.inv(wcs[:, :, :2]) @ (corners - wcs[:, :, 2:])  # (exposure, 2, 4)
    low, high = seen.min(axis=(0, 2)), seen.max(axis=(0, 2))
    # In steps of a few pixels, so that the scenes of a field, differently dithered, share a size.
    pixels = 8 * int(np.ceil(((high - low).max() / pixel + 2 * radius + 1) / 8))
    size = per_pixel * _fast(pixels)
    step = pixel / per_pixel
    reading = max(size, _fast(size * UPSAMPLING * min(2 * edge / per_pixel, 1.0)))
    middle = (low + high) / 2 - (size - 1) / 2 * step
    return Canvas(step, size, per_pixel, reading, (float(middle[0]), float(middle[1])))


def _fast(size: float) -> int:
    return int(next_fast_len(int(np.ceil(size / 2)), real=True) or 1) * 2


@lru_cache(maxsize=16)
def _extent(psfs: Psfs) -> tuple[float, float]:
    """Where images with these PSFs end: in frequency, cycles per pixel along an axis, and in pixels.

    Beyond the frequency PSF and pixel pass next to nothing; beyond the radius there is no PSF.
    """
    images, oversampling = psfs.images.detach().to("cpu", torch.float32).numpy(), psfs.oversampling
    size = images.shape[-1]
    frequency = np.fft.fftfreq(size) * oversampling
    pixel = np.abs(np.sinc(frequency))
    passed = np.abs(np.fft.fft2(images)).max(axis=0) * pixel[:, None] * pixel
    along = np.maximum(np.abs(frequency)[:, None], np.abs(frequency))
    light = np.abs(images).max(axis=0)
    y, x = np.nonzero(light > _PSF_EDGE * light.max())
    radius = (np.hypot(x - size // 2, y - size // 2).max() + 3) / oversampling
    return float(along[passed > _BAND_EDGE * passed[0, 0]].max()), float(radius)
