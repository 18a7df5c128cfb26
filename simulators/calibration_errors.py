"""What a survey believes of its own exposures, and by how much it is wrong.

The pixels of an exposure know the true PSF, WCS and zero point. A participant is given those that a survey
has measured: near the truth, by as much as the surveys require of themselves.

Sizes and ellipticities are those of adaptive moments, second moments under the Gaussian that fits best:
they exist for every PSF, and a stretched image has exactly the stretched moments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import affine_transform

from .surveys import Survey, alike

__all__ = [
    "ACCURACIES",
    "Accuracy",
    "CalibrationErrors",
    "adaptive_moments",
    "draw_errors",
    "supplied_psf",
]


@dataclass(frozen=True)
class Accuracy:
    """How well a survey calibrates one exposure, all rms.

    Attributes:
        size: of dT/T, with T the trace of the second moments of the PSF.
        ellipticity: of each component, e = (1 − q)/(1 + q).
        offset_arcsec: of the WCS on each axis.
        zero_point: mag.
    """

    size: float
    ellipticity: float
    offset_arcsec: float
    zero_point: float


# LSST. Ellipticity: residuals may correlate by 1e-7 on large scales over the whole survey (LPM-17, TE2 in
# lsst/verify_metrics) and by some 100 times as much in one visit (LSSTDESC/DC2-production, issue 312): 2.2e-3
# of each component of (1 − q²)/(1 + q²), a half of it of ours. Size: as large as that, our choice. Offset:
# AM1, 10 mas. Zero point: PA1, 5 mmag in gri (7.5 in uzy).
# VIS. Size: sigma(R)/R < 5e-4 (R-SHE-PRD-F-120 in brgillis/SHE_Validation), T = R². Ellipticity: 2e-4, our
# choice, four times what R-SHE-PRD-F-110 there allows for the step from stars to galaxies alone.
# Offset: 5 mas against Gaia; zero point: 0.8 % from image to image (VIS processing of Q1, abstract).
# NISP. Offset: 9 to 15 mas; zero point: 5 mmag (arXiv:2503.15304, abstract). Its PSF measures no shapes: an
# order of magnitude, our choice.
ACCURACIES: Mapping[str, Accuracy] = {
    "LSST": Accuracy(2e-3, 1.1e-3, 0.010, 0.005),
    "EUCLID_VIS": Accuracy(1e-3, 2e-4, 0.005, 0.008),
    "EUCLID_NISP": Accuracy(1e-2, 2e-3, 0.012, 0.005),
}


@dataclass(frozen=True)
class CalibrationErrors:
    """Supplied minus true, for one exposure.

    Attributes:
        size: dT/T of the PSF, T the trace of its second moments.
        e1, e2: of the ellipticity of the PSF, e = (1 − q)/(1 + q) · exp(2iφ).
        offset_arcsec: (2,) x and y of the place on the sky that the WCS gives to a pixel.
        zero_point: mag; with a positive one fluxes come out too low, by 10^(−0.4 zero_point).
    """

    size: float
    e1: float
    e2: float
    offset_arcsec: tuple[float, float]
    zero_point: float


def draw_errors(rng: np.random.Generator, survey: Survey, scale: float = 1.0) -> CalibrationErrors:
    """Independent Gaussian errors at the accuracy of the survey.

    Arguments:
        rng: where the random numbers come from; six are taken.
        survey: the instrument.
        scale: factor on all of them: 0 for perfect calibration; other values show what an error does.

    Raises:
        ValueError: if `ACCURACIES` has neither the survey nor one like it, or the scale is negative.
    """
    if not 0 <= scale < np.inf:
        raise ValueError(f"errors are scaled by a number from zero up, not {scale}")
    known = alike(survey, ACCURACIES)
    size, e1, e2, x, y, zero_point = (scale * rng.standard_normal(6)).tolist()
    return CalibrationErrors(
        size=size * known.size,
        e1=e1 * known.ellipticity,
        e2=e2 * known.ellipticity,
        offset_arcsec=(x * known.offset_arcsec, y * known.offset_arcsec),
        zero_point=zero_point * known.zero_point,
    )


def supplied_psf(psf: ArrayLike, oversampling: int, errors: CalibrationErrors) -> NDArray[np.float32]:
    """The PSF that a survey believes in: the true one, stretched about its centre.

    Of all stretches that lead from its moments to the wrong ones, the symmetric one, which turns nothing.

    Arguments:
        psf: (m, m) of sum 1, well sampled, without the pixel response.
        oversampling: samples of it per pixel; the search for its moments starts with a Gaussian of one pixel.
        errors: of the exposure.

    Returns:
        (m, m) float32 of sum 1.

    Raises:
        ValueError: if the PSF is no square image with a width, or the errors leave it none.
    """
    image = np.asarray(psf, dtype=float)
    if image.ndim != 2 or image.shape[0] != image.shape[1] or not 0 < image.sum() < np.inf:
        raise ValueError(
            f"a PSF is a square image with light in it, not one of shape {image.shape} and sum {image.sum()}"
        )
    if errors.size == errors.e1 == errors.e2 == 0:
        return (image / image.sum()).astype(np.float32)
    centre, moments = adaptive_moments(image, float(oversampling))
    wrong = _moments(
        np.trace(moments) * (1 + errors.size), _ellipticity(moments) + errors.e1 + 1j * errors.e2
    )
    half = _root(moments)
    back = np.linalg.inv(half)
    stretch = back @ _root(half @ wrong @ half) @ back
    inverse = np.linalg.inv(stretch)[::-1, ::-1]  # from (x, y) to the axes (y, x) of an array
    middle = centre[::-1]
    back_to_true = np.column_stack([inverse, middle - inverse @ middle])
    stretched = affine_transform(image, back_to_true, order=5, mode="nearest")
    return (stretched / stretched.sum()).astype(np.float32)


def adaptive_moments(
    image: NDArray[np.floating], guess_pixels: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and second moments of an image under the elliptical Gaussian that fits it best.

    Under a Gaussian weight of moments W, a Gaussian of moments M has moments (1/M + 1/W)⁻¹: the weight is
    right when it finds W/2. GalSim's ``hsm.FindAdaptiveMom`` finds the same (a test compares).

    Arguments:
        image: (ny, nx), one positive peak.
        guess_pixels: rms width to start with, pixels.

    Returns:
        (2,) centre (x, y), pixels from the first one, and (2, 2) moments, pixels².

    Raises:
        ValueError: if no Gaussian fits.
    """
    y, x = np.indices(image.shape)
    peak = np.unravel_index(np.argmax(image), image.shape)
    centre = np.array([peak[1], peak[0]], dtype=float)
    weight = guess_pixels**2 * np.eye(2)
    for _ in range(200):
        inverse = np.linalg.inv(weight)
        dx, dy = x - centre[0], y - centre[1]
        distance = inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        light = image * np.exp(-distance / 2)
        total = light.sum()
        if not total > 0:
            break
        shift = np.array([np.sum(light * dx), np.sum(light * dy)]) / total
        xx, xy, yy = np.sum(light * dx**2), np.sum(light * dx * dy), np.sum(light * dy**2)
        # About the centre that has been found, not the one that was assumed.
        found = np.array([[xx, xy], [xy, yy]]) / total - np.outer(shift, shift)
        # The moments of the Gaussian that would have been found so: right at once if the image is one.
        bare = np.linalg.inv(found) - inverse if np.linalg.det(found) > 0 else -np.eye(2)
        step = (np.linalg.inv(bare) if np.linalg.eigvalsh(bare)[0] > 0 else 2 * found) - weight
        centre, weight = centre + 2 * shift, weight + step
        if np.linalg.eigvalsh(weight)[0] <= 0 or np.trace(weight) > image.size:
            break
        if np.abs(step).max() < 1e-10 * np.trace(weight) and np.abs(shift).max() < 1e-8:
            return centre, weight
    raise ValueError(
        "no Gaussian fits this PSF: give an image with one peak, wider than a sample and well inside"
    )


def _ellipticity(moments: NDArray[np.float64]) -> complex:
    """(1 − q)/(1 + q) · exp(2iφ) of second moments."""
    trace, root = moments[0, 0] + moments[1, 1], np.sqrt(np.linalg.det(moments))
    return complex(moments[0, 0] - moments[1, 1], 2 * moments[0, 1]) / (trace + 2 * root)


def _moments(trace: float, ellipticity: complex) -> NDArray[np.float64]:
    """Second moments of a trace and an ellipticity (1 − q)/(1 + q) · exp(2iφ)."""
    if not (trace > 0 and abs(ellipticity) < 1):
        raise ValueError("errors of this size leave no PSF: scale them down")
    # (1 − q²)/(1 + q²) = 2e/(1 + e²)
    chi = 2 * ellipticity / (1 + abs(ellipticity) ** 2)
    return trace / 2 * np.array([[1 + chi.real, chi.imag], [chi.imag, 1 - chi.real]])


def _root(symmetric: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root of a positive (2, 2) matrix: Cayley and Hamilton."""
    root = np.sqrt(np.linalg.det(symmetric))
    return (symmetric + root * np.eye(2)) / np.sqrt(np.trace(symmetric) + 2 * root)
