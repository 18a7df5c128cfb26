"""Noise that neighbouring pixels share.

The pixels of an infrared array are coupled by small capacitances: a part of each signal, and of its
photon noise, is seen in the four neighbours. In CCDs at the sky's level photon noise is white: the
brighter-fatter effect correlates neighbours in proportion to the charge in a pixel, and
thousandths of a full well leave thousandths of a correlation at most.

Read noise is added after the coupling, and is white everywhere: apply a kernel to the noise of
photons alone, and add that of the read-out as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .surveys import Survey, alike

__all__ = ["COUPLING", "correlate", "noise_kernel"]

# Part of the signal of a pixel seen in each of its four neighbours. NISP: "less than 1 %" (Kubik et al.,
# arXiv:2507.11326, abstract); a half of that is our choice. CCDs: white, see above.
COUPLING: Mapping[str, float] = {"LSST": 0.0, "EUCLID_VIS": 0.0, "EUCLID_NISP": 0.005}


def noise_kernel(survey: Survey) -> NDArray[np.float64]:
    """(3, 3) weights with which white noise becomes the noise of a detector.

    Their squares sum to 1: the variance of a pixel stays. The response of a CCD is the identity.

    Raises:
        ValueError: if `COUPLING` has neither the survey nor one like it.
    """
    part = alike(survey, COUPLING)
    kernel = np.array([[0.0, part, 0.0], [part, 1 - 4 * part, part], [0.0, part, 0.0]])
    return kernel / np.sqrt(np.sum(kernel**2))


def correlate(normals: NDArray[np.floating], kernel: NDArray[np.floating]) -> NDArray[np.float64]:
    """Weighted sums of each pixel and its eight neighbours.

    Pixels at the edge have neighbours outside: draw the noise with one more pixel on every side. Then
    nothing wraps around, and all pixels have the same variance.

    Arguments:
        normals: (..., ny + 2, nx + 2) white noise.
        kernel: (3, 3) as of `noise_kernel`.

    Returns:
        (..., ny, nx).

    Raises:
        ValueError: if the kernel is not (3, 3) or the noise not at least three pixels wide.
    """
    if kernel.shape != (3, 3):
        raise ValueError(f"a kernel has shape (3, 3), not {kernel.shape}")
    if normals.ndim < 2 or min(normals.shape[-2:]) < 3:
        raise ValueError(f"noise needs a margin of one pixel on every side: {normals.shape} has no inside")
    rows, columns = normals.shape[-2] - 2, normals.shape[-1] - 2
    total = np.zeros((*normals.shape[:-2], rows, columns))
    for y, x in zip(*np.nonzero(kernel), strict=True):
        total += kernel[y, x] * normals[..., y : y + rows, x : x + columns]
    return total
