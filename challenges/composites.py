"""Exposures put together for the eye: a registered mean, and colour from three bands.

For display only. Nothing is measured on these: every method sees the single exposures.
"""

from __future__ import annotations

import numpy as np

__all__ = ["asinh_stretch", "coadd", "colour"]

SOFTENING = 3.0
"""Signal in units of σ at which a stretch turns from linear to logarithmic."""

COLOURFUL = 4.0
"""Signal in units of σ at which a pixel of `colour` has half of its colour."""


def coadd(
    image: np.ndarray, mask: np.ndarray, variance: np.ndarray, wcs: np.ndarray, pixel_arcsec: float
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of exposures on the sky, x to the right and y up, weighted by inverse variance.

    Each pixel of the sky takes the nearest pixel of every exposure.

    Arguments:
        image: (exposure, y, x) nJy.
        mask: (exposure, y, x), 0 is good.
        variance: (exposure,) of an empty pixel, nJy².
        wcs: (exposure, 2, 3) affine map from arcsec to pixels.
        pixel_arcsec: width of a pixel.

    Returns:
        (y, x) flux and its standard deviation in an empty pixel, nJy. Where every exposure is
        masked the flux is the mean of the masked ones, so that a saturated core is not a
        hole; both are NaN where no exposure looked.
    """
    height, width = image.shape[1:]
    x = (np.arange(width) - (width - 1) / 2) * pixel_arcsec
    y = (np.arange(height) - (height - 1) / 2) * pixel_arcsec
    sky = np.stack(np.meshgrid(x, y))
    total, weight, hidden, n_hidden = (np.zeros((height, width)) for _ in range(4))
    for pixels, bad, var, affine in zip(image, mask, variance, wcs, strict=True):
        column, row = np.rint(np.tensordot(affine[:, :2], sky, 1) + affine[:, 2, None, None]).astype(int)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        values = np.zeros((height, width))
        good = np.zeros((height, width), dtype=bool)
        values[inside] = pixels[row[inside], column[inside]]
        good[inside] = bad[row[inside], column[inside]] == 0
        total += np.where(good, values / var, 0.0)
        weight += good / var
        hidden += np.where(good, 0.0, values)
        n_hidden += inside & ~good
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = weight > 0
        flux = np.where(seen, total / weight, hidden / n_hidden)
        sigma = np.where(seen, 1 / np.sqrt(weight), np.sqrt(np.mean(variance) / n_hidden))
    return flux, np.where(np.isfinite(flux), sigma, np.nan)


def asinh_stretch(signal: np.ndarray, low: float = -3.0, high: float = 60.0) -> np.ndarray:
    """A signal in units of σ as brightness in [0, 1]: linear up to about 3 σ, logarithmic above.

    Arguments:
        signal: any shape; NaN becomes 0.
        low, high: the signals that are black and white.
    """
    black, white, value = (np.arcsinh(s / SOFTENING) for s in (low, high, signal))
    return np.nan_to_num(np.clip((value - black) / (white - black), 0, 1))


def colour(red: np.ndarray, green: np.ndarray, blue: np.ndarray, sigma: float, white: float) -> np.ndarray:
    """Three bands as one picture whose colours hold up to the brightest pixels.

    As by Lupton et al. 2004 (PASP 116, 133), the mean of the bands is stretched by asinh, and
    the bands keep their ratios; a pixel that would be too bright is dimmed in all three alike.
    Unlike there, colours fade to grey where the mean is lost in the noise.

    Arguments:
        red, green, blue: (y, x), in one unit.
        sigma: noise of their mean, in that unit.
        white: the mean that is shown at full brightness.

    Returns:
        (y, x, 3) in [0, 1].
    """
    bands = np.nan_to_num(np.stack([red, green, blue], axis=-1)) / sigma
    mean = bands.mean(axis=-1, keepdims=True)
    # Ratios to the mean, shrunk towards 1 as the mean goes below COLOURFUL.
    ratios = 1 + np.maximum(mean, 0) * (bands - mean) / (mean**2 + COLOURFUL**2)
    picture = np.clip(ratios, 0, None) * asinh_stretch(mean, high=white / sigma)
    return picture / np.maximum(picture.max(axis=-1, keepdims=True), 1.0)
