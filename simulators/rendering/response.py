"""What PSF and pixel of an exposure do to the waves of a canvas.

The response of an exposure is the transform of its PSF image, whose samples are joined by quintics, times
that of its pixel, over that of the Gaussian by which the canvas is blurred. A PSF *is* its samples and the
quintic interpolant of Bernstein & Gruen (2014, PASP 126, 287; GalSim's default).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from .canvas import BLUR_CELLS, Canvas
from .psfs import Psfs
from .resampling import KERNEL_CELLS, UPSAMPLING, kernel_transform, read_at

__all__ = ["axes_of", "quintic_transform", "responses", "turned"]


def responses(psfs: Psfs, linear: NDArray[np.float64], canvas: Canvas) -> list[torch.Tensor]:
    """The factors on the waves of a canvas in each exposure.

    Arguments:
        psfs: of the exposures.
        linear: (exposure, 2, 2) from arcsec to pixels.
        canvas: the waves are those of `torch.fft.rfft2` of its cells.

    Returns:
        For each exposure (size, size // 2 + 1) complex. Where pixels do not lie along the axes of the sky,
        divided by the transform of the kernel of `resampling`. Kept for the next scene of a field, unless
        gradients with respect to the PSFs are asked for.
    """
    where = (
        np.ascontiguousarray(linear, dtype=float).tobytes(),
        canvas.step,
        canvas.size,
        canvas.reading_size,
    )
    return _responses(psfs, *where) if psfs.images.requires_grad else _kept(psfs, *where)


def _responses(psfs: Psfs, linear: bytes, step: float, size: int, reading: int) -> list[torch.Tensor]:
    matrices = np.frombuffer(linear).reshape(-1, 2, 2)
    return [
        _response(psf, psfs.oversampling, matrix, step, size, reading)
        for psf, matrix in zip(psfs.images, matrices, strict=True)
    ]


_kept = lru_cache(maxsize=6)(_responses)


def _response(
    psf: torch.Tensor, oversampling: int, linear: NDArray[np.float64], step: float, size: int, reading: int
) -> torch.Tensor:
    axes = axes_of(linear)
    f_x, f_y = np.fft.rfftfreq(size), np.fft.fftfreq(size)
    # Outside of a disk of frequencies nothing is left of the image, and too little of the blur.
    kept = f_x**2 + f_y[:, None] ** 2 <= 0.25
    if axes is not None:
        cell = abs(linear[0].sum()) * step  # in pixels
        along_x, along_y = (
            np.sinc(f / cell) * quintic_transform(f / cell / oversampling) * _unblurred(f) for f in (f_x, f_y)
        )
        factor = torch.from_numpy(kept * (along_y[:, None] * along_x)).to(psf)
        return _on_axes(turned(psf, axes.T), round(size * cell * oversampling), size) * factor
    # A wave of the sky is one of the pixels, with the inverse, transposed, of what takes sky to pixels.
    (a, b), (c, d) = np.linalg.inv(linear).T / step
    row, column = np.nonzero(kept)
    here_x, here_y = f_x[column], f_y[row]
    pixel_x, pixel_y = a * here_x + b * here_y, c * here_x + d * here_y
    factor = np.sinc(pixel_x) * np.sinc(pixel_y)
    factor *= quintic_transform(pixel_x / oversampling) * quintic_transform(pixel_y / oversampling)
    factor *= _unblurred(here_x) * _unblurred(here_y)
    kernel = kernel_transform(reading).numpy()
    factor /= kernel[column] * kernel[np.where(here_y < 0, row - size, row) % reading]
    values = _anywhere(psf, pixel_x / oversampling, pixel_y / oversampling) * torch.from_numpy(factor).to(psf)
    whole = torch.zeros(kept.size, dtype=values.dtype, device=psf.device)
    flat = torch.from_numpy(np.flatnonzero(kept)).to(psf.device)
    return whole.index_copy(0, flat, values).view(kept.shape)


def quintic_transform(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transform of the quintic interpolant at u cycles per sample (Bernstein & Gruen 2014, eq. A.11)."""
    s, c, v = np.sinc(u), np.cos(np.pi * u), (np.pi * u) ** 2
    return s**5 * (s * (55 - 19 * v) + 2 * c * (v - 27))


def axes_of(linear: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """The signed permutation of axes that a matrix is, but for a factor; None if it is something else."""
    scaled = linear / np.sqrt(abs(np.linalg.det(linear)))
    whole = np.rint(scaled).astype(np.int64)
    permutes = np.array_equal(np.sort(np.abs(whole).ravel()), [0, 0, 1, 1]) and np.linalg.det(whole) != 0
    return whole if permutes and np.abs(scaled - whole).max() < 1e-9 else None


def turned(image: torch.Tensor, axes: NDArray[np.int64]) -> torch.Tensor:
    """An image in axes q, seen in axes p = axes q: turned and mirrored."""
    image = image if axes[0, 0] else image.transpose(-1, -2)
    against = [axis for axis, sign in ((-2, axes[1].sum()), (-1, axes[0].sum())) if sign < 0]
    return image.flip(against) if against else image


def _unblurred(f: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.exp(2 * (np.pi * BLUR_CELLS * np.asarray(f, dtype=float)) ** 2)


def _on_axes(psf: torch.Tensor, period: int, size: int) -> torch.Tensor:
    """Transform at the frequencies of a grid of that many cells, in a period of that many samples."""
    half = len(psf) // 2
    # The canvas is wider than the PSF (`canvas.plan`).
    padded = torch.nn.functional.pad(psf, (0, period - len(psf)) * 2).roll((-half, -half), (0, 1))
    spectrum = torch.fft.rfft2(padded) / psf.sum()
    low = min(period, size) // 2
    row = torch.arange(-low, size - low if size <= period else low, device=psf.device)
    whole = spectrum.new_zeros(size, size // 2 + 1)
    whole[row % size, : low + 1] = spectrum[row % period, : low + 1]
    return whole


def _anywhere(psf: torch.Tensor, u: NDArray[np.float64], v: NDArray[np.float64]) -> torch.Tensor:
    """Transform at any frequencies, cycles per sample along x and y."""
    m = len(psf)
    fine = int(next_fast_len(int(np.ceil(UPSAMPLING * m))) or m)
    start = fine // 2 - m // 2
    after = fine - m - start
    inverse = 1 / torch.fft.fftshift(kernel_transform(fine))[start : start + m].to(psf)
    padded = torch.nn.functional.pad(psf * inverse * inverse[:, None], (start, after, start, after))
    spectrum = torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(padded))) / psf.sum()
    # Room for the kernel beyond the last frequency.
    around = torch.arange(-KERNEL_CELLS, fine + KERNEL_CELLS, device=psf.device) % fine
    spectrum = spectrum[around][:, around]
    x, y = (torch.from_numpy(f * fine).to(psf.device) + (fine // 2 + KERNEL_CELLS) for f in (u, v))
    return torch.complex(read_at(spectrum.real, x, y), read_at(spectrum.imag, x, y))
