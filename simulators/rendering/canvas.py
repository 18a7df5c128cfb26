"""The fine, periodic square on which all profiles are laid before exposures look at it.

A canvas lies in the frame of exposures: its cells are fractions of their pixels, along their axes. Exposures
whose pixels differ by a quarter turn, a mirror or a dither share a frame; one that is turned otherwise
has its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from .psfs import Psfs

__all__ = ["BLUR_CELLS", "Canvas", "axes_of", "plan", "turned"]

BLUR_CELLS = 1.53
"""Sigma of the Gaussian that blurs the canvas, in cells: 1e-5 is left of it at the Nyquist frequency."""

# Where PSF and pixel together have fallen to this fraction, an image ends in frequency; the canvas reaches
# a little further, so that what is left of its blur there can be undone.
_BAND_EDGE, _BAND_MARGIN = 1e-4, 1.1
# Where a PSF has fallen to this fraction of its peak it ends.
_PSF_EDGE = 3e-6
# Cells along each edge of a canvas over which its light fades: a sharp edge would ripple through the image.
_EDGE_CELLS = 4
# Pixels of exposures that share a frame, from the first to the last with the reach of their PSFs.
_LARGEST = 4096
# Samples that a PSF is padded to before its band is told: a smaller image has too few frequencies.
_PADDED = 128


@dataclass(frozen=True)
class Canvas:
    """Frames of exposures, and the cells that are laid in each.

    Attributes:
        per_pixel: cells along a pixel.
        size: cells along a side.
        columns: of the spectrum of its cells that hold anything of an image: no higher frequencies along x.
        linear: (frame, 2, 2) from arcsec to the pixels of the frame.
        start: (frame, 2) where the first cell lies, pixels of the frame.
        frame: (exposure) number of the frame of each.
        axes: (exposure, 2, 2) signed permutations: from the axes of the frame to the exposure's.
    """

    per_pixel: int
    size: int
    columns: int
    linear: NDArray[np.float64]
    start: NDArray[np.float64]
    frame: NDArray[np.int64]
    axes: NDArray[np.int64]

    @property
    def fading(self) -> NDArray[np.float64]:
        """(size,) 1, and less towards both ends, beyond all that any exposure sees."""
        rise = np.sin(np.pi / 2 * (np.arange(_EDGE_CELLS) + 0.5) / _EDGE_CELLS) ** 2
        return np.concatenate([rise, np.ones(self.size - 2 * _EDGE_CELLS), rise[::-1]])

    @property
    def pixel_arcsec(self) -> float:
        """Width of the smallest pixel of any frame, along its shorter axis, arcsec."""
        return float(1 / np.linalg.norm(self.linear, ord=2, axis=(1, 2)).max())


def plan(psfs: Psfs, wcs: NDArray[np.float64], shape: tuple[int, int]) -> Canvas:
    """Canvases for exposures: fine enough for their PSFs, wide enough for all that they see.

    Arguments:
        psfs: of the exposures.
        wcs: (exposure, 2, 3) from arcsec to pixels.
        shape: (ny, nx) of the exposures.
    """
    edge, radius = _extent(psfs)
    per_pixel = max(int(np.ceil(2 * edge * _BAND_MARGIN)), 1)
    axes = np.stack([axes_of(affine[:, :2]) for affine in wcs])
    back = np.swapaxes(axes, 1, 2)
    linear = back @ wcs[:, :, :2]
    # Turns by sines and cosines are a rounding off: that far apart they are one frame.
    digits = 12 - int(np.ceil(np.log10(np.abs(linear).max())))
    frames, frame = np.unique(linear.reshape(-1, 4).round(digits), axis=0, return_inverse=True)
    # The first and last pixel of each exposure, on the axes of its frame.
    ends = np.array([[0, shape[1] - 1], [0, shape[0] - 1]]) - wcs[:, :, 2:]
    ends = back @ ends
    low, high = np.full((len(frames), 2), np.inf), np.full((len(frames), 2), -np.inf)
    np.minimum.at(low, frame, ends.min(axis=2))
    np.maximum.at(high, frame, ends.max(axis=2))
    # Lengths of fast transforms are so far apart that the scenes of a field, differently dithered, share one.
    pixels = int(np.ceil((high - low).max() + 2 * (radius + _EDGE_CELLS / per_pixel) + 1))
    if pixels > _LARGEST:
        raise ValueError(
            f"exposures of one frame span {pixels} pixels, more than {_LARGEST}: draw those that lie far "
            "from each other in calls of their own"
        )
    pixels = int(next_fast_len(pixels, real=True) or pixels)
    start = (low + high) / 2 - (pixels - 1 / per_pixel) / 2
    size = pixels * per_pixel
    columns = min(size // 2, int(np.ceil(pixels * edge * _BAND_MARGIN))) + 1
    return Canvas(per_pixel, size, columns, frames.reshape(-1, 2, 2), start, frame.ravel(), axes)


def axes_of(linear: NDArray[np.float64]) -> NDArray[np.int64]:
    """The signed permutation of axes that comes nearest to a 2 x 2 matrix."""
    (a, b), (c, d) = np.sign(linear).astype(np.int64)
    if abs(linear[0, 0] * linear[1, 1]) >= abs(linear[0, 1] * linear[1, 0]):
        return np.array([[a, 0], [0, d]])
    return np.array([[0, b], [c, 0]])


def turned(image: torch.Tensor, axes: NDArray[np.int64]) -> torch.Tensor:
    """An image in axes q, seen in axes p = axes q: turned and mirrored."""
    image = image if axes[0, 0] else image.transpose(-1, -2)
    against = [axis for axis, sign in ((-2, axes[1].sum()), (-1, axes[0].sum())) if sign < 0]
    return image.flip(against) if against else image


@lru_cache(maxsize=16)
def _extent(psfs: Psfs) -> tuple[float, float]:
    """Where images with these PSFs end: in frequency, cycles per pixel along an axis, and in pixels.

    Beyond the frequency PSF and pixel pass next to nothing; beyond the radius there is no PSF.
    """
    images, oversampling = psfs.images.detach().to("cpu", torch.float32).numpy(), psfs.oversampling
    size = images.shape[-1]
    padded = max(size, _PADDED)
    frequency = np.fft.fftfreq(padded) * oversampling
    pixel = np.abs(np.sinc(frequency))
    passed = np.abs(np.fft.fft2(images, s=(padded, padded))).max(axis=0) * pixel[:, None] * pixel
    along = np.maximum(np.abs(frequency)[:, None], np.abs(frequency))
    light = np.abs(images).max(axis=0)
    y, x = np.nonzero(light > _PSF_EDGE * light.max())
    radius = np.abs([x - size // 2, y - size // 2]).max() + 3
    return float(along[passed > _BAND_EDGE * passed[0, 0]].max()), float(radius / oversampling)
