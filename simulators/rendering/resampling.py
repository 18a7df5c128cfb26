"""Band-limited periodic images, read at any place: the gridding of non-uniform Fourier transforms.

The image's spectrum is divided by the transform of a narrow kernel; then its value anywhere is a sum over
the few cells near the place (Barnett et al. 2019, SIAM J. Sci. Comput. 41, C479).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["KERNEL_CELLS", "UPSAMPLING", "kernel_transform", "read_at"]

KERNEL_CELLS = 6
"""Width of the gridding kernel; its error is about 10^(1 - width) of the image's peak."""

UPSAMPLING = 1.6
"""Cells per sample that the kernel needs: the grid's Nyquist frequency over that of the image."""

# Shape of the kernel exp(β (sqrt(1 − z²) − 1)): FINUFFT's choice for a given upsampling.
_BETA = 0.97 * np.pi * KERNEL_CELLS * (1 - 1 / (2 * UPSAMPLING))


def kernel_transform(size: int) -> torch.Tensor:
    """(size,) float64 transform of the gridding kernel at the frequencies of `numpy.fft.fftfreq`."""
    return torch.from_numpy(_kernel_transform(size))


@lru_cache(maxsize=32)
def _kernel_transform(size: int) -> NDArray[np.float64]:
    nodes, weights = np.polynomial.legendre.leggauss(64)
    kernel = np.exp(_BETA * (np.sqrt(1 - nodes**2) - 1))
    half = KERNEL_CELLS / 2
    return half * np.cos(2 * np.pi * half * np.outer(np.fft.fftfreq(size), nodes)) @ (weights * kernel)


def read_at(image: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Values of an image, its spectrum divided by `kernel_transform` on both axes.

    Arguments:
        image: (n, n).
        x, y: (k) places in cells, float64, at least half a kernel inside of the image.

    Returns:
        (k) of the type of the image.
    """
    n = image.shape[-1]
    first, weights = [], []
    cells = torch.arange(KERNEL_CELLS, device=image.device)[:, None]
    for place in (x, y):
        start = (place.detach() - KERNEL_CELLS / 2).ceil()
        z = ((start - place).to(image.dtype) + cells) * (2 / KERNEL_CELLS)
        weights.append(torch.exp(_BETA * torch.sqrt((1 - z * z).clamp(min=0)) - _BETA))
        first.append(start.to(torch.int32))
    start = first[1] * n + first[0]
    flat = image.reshape(-1)
    total = None
    for j in range(KERNEL_CELLS):
        row = weights[0][0] * flat[j * n :].index_select(0, start)
        for k in range(1, KERNEL_CELLS):
            row = torch.addcmul(row, flat[j * n + k :].index_select(0, start), weights[0][k])
        total = row * weights[1][j] if total is None else torch.addcmul(total, row, weights[1][j])
    assert total is not None
    return total
