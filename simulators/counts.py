"""How many galaxies there are at each magnitude: counts in LSST i, from 16 to 28.5.

Down to i = 25.3 one curve, the same for everyone: a parabola in log10 of the differential counts,
fitted to COSMOS and SDSS (`docs/results/sky_counts.py --fit` repeats it). Fainter, the deep fields
of Hubble only bracket the counts: three variants, `low`, `mid` and `high`, go on from 25.3 with
constant slopes, and a result that depends on the choice is a result about undetected galaxies.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "I_BRIGHTEST",
    "I_FAINTEST",
    "I_SHARED",
    "VARIANTS",
    "Variant",
    "check_variant",
    "cumulative_arcmin2",
    "density_arcmin2",
    "draw_magnitudes",
    "per_magnitude",
]

Variant = Literal["low", "mid", "high"]
"""How the population goes on beyond `I_SHARED`."""

VARIANTS: tuple[Variant, ...] = get_args(Variant)

I_BRIGHTEST, I_SHARED, I_FAINTEST = 18.0, 25.3, 28.5
"""Brightest magnitude drawn unless told otherwise (brighter galaxies are rarer than 0.06 per arcmin^2 and
larger than a scene), the faintest for which all variants agree, and the faintest of all."""

# The curve itself was fitted from here on.
_FITTED_FROM = 16.0

# log10 of galaxies per magnitude and arcmin^2 = a + b x + c x^2, x = i - 22. Fitted to COSMOS2020 (Weaver
# et al. 2022, i band of "The Farmer", table 2), SDSS and Subaru i (in Driver et al. 2016), and the shape
# alone of the COSMOS table in F814W + 0.135. The constant is then lowered by 2 % so that i < 25.3 holds
# 52.0 per arcmin^2: 8 % above the gold sample's 48, 5 % below the 55 of COSMOS2020, a rich field.
_PIVOT = 22.0
_A, _B, _C = 0.5591, 0.3531, -0.01774

# d log10(counts) / d mag beyond 25.3. Three ultra-deep fields of Hubble in F775W (in Driver et al. 2016)
# hold 2.46, 2.80 and about 3.1e5 per deg^2 and half magnitude at 28.25; `mid` has 2.63. `low` passes 18 %
# below all three and `high` 12 % above: room for how fields of 11 arcmin^2 vary and galaxies fall in pieces.
_SLOPES: dict[str, float] = {"low": 0.175, "mid": 0.215, "high": 0.255}


def per_magnitude(mag_i: ArrayLike, variant: Variant = "mid") -> NDArray[np.float64]:
    """Galaxies per magnitude and arcmin^2.

    Arguments:
        mag_i: LSST i magnitudes, any shape, not fainter than `I_FAINTEST`.
        variant: one of `VARIANTS`; they differ only beyond `I_SHARED`.

    Returns:
        Differential counts, of the same shape.

    Raises:
        ValueError: if a magnitude is too faint or no number, or there is no such variant.
    """
    mag_i = _magnitudes(mag_i)
    bright, beyond = _split(mag_i)
    return 10.0 ** (_A + _B * bright + _C * bright**2 + _slope(variant) * beyond)


def cumulative_arcmin2(mag_i: ArrayLike, variant: Variant = "mid") -> NDArray[np.float64]:
    """Galaxies per arcmin^2 brighter than a magnitude: the integral of `per_magnitude`, in closed form.

    Arguments and errors are those of `per_magnitude`.

    Examples:
        >>> float(cumulative_arcmin2(25.3).round(1))
        52.0
    """
    mag_i = _magnitudes(mag_i)
    bright, beyond = _split(mag_i)
    steepness = _slope(variant) * math.log(10.0)
    return _below(bright) + per_magnitude(I_SHARED) * np.expm1(steepness * beyond) / steepness


def density_arcmin2(i_limit: float, variant: Variant = "mid", *, brightest: float = I_BRIGHTEST) -> float:
    """Galaxies per arcmin^2 with `brightest` < i < `i_limit`.

    Raises:
        ValueError: if the limits are not in order between 16 and `I_FAINTEST`, or there is no such variant.

    Examples:
        >>> round(density_arcmin2(27.5, "low")), round(density_arcmin2(27.5, "high"))
        (172, 205)
    """
    _check_limits(i_limit, brightest)
    return float(cumulative_arcmin2(i_limit, variant) - cumulative_arcmin2(brightest))


def draw_magnitudes(
    uniform: NDArray[np.float64],
    i_limit: float,
    variant: Variant = "mid",
    *,
    brightest: float = I_BRIGHTEST,
) -> NDArray[np.float64]:
    """Magnitudes that follow the counts: the exact inverse of their cumulative distribution.

    Arguments:
        uniform: (n,) numbers from 0 to 1; a larger one gives a fainter galaxy.
        i_limit: faintest magnitude.
        variant: one of `VARIANTS`.
        brightest: brightest magnitude.

    Returns:
        (n,) LSST i magnitudes.

    Raises:
        ValueError: as `density_arcmin2`.
    """
    from scipy.special import erfinv

    _check_limits(i_limit, brightest)
    steepness = _slope(variant) * math.log(10.0)
    low, high = float(cumulative_arcmin2(brightest)), float(cumulative_arcmin2(i_limit, variant))
    count = low + np.asarray(uniform, dtype=float) * (high - low)
    shared = float(cumulative_arcmin2(I_SHARED))
    scale, width, peak = _gaussian()
    bright = _PIVOT + peak + width * erfinv(np.minimum(count, shared) / scale - 1.0)
    excess = np.maximum(count - shared, 0.0)
    beyond = np.log1p(excess * steepness / per_magnitude(I_SHARED)) / steepness
    return np.clip(bright + beyond, brightest, i_limit)


def check_variant(variant: str) -> None:
    """Refuse a variant that does not exist.

    Raises:
        ValueError: if it is not one of `VARIANTS`.
    """
    if variant not in VARIANTS:
        raise ValueError(f"no variant is called {variant!r}: counts and sizes beyond 25.3 are {_named()}")


def _named() -> str:
    return "'low', 'mid' or 'high'"


def _slope(variant: str) -> float:
    check_variant(variant)
    return _SLOPES[variant]


def _magnitudes(mag_i: ArrayLike) -> NDArray[np.float64]:
    mag_i = np.asarray(mag_i, dtype=float)
    wrong = ~(mag_i <= I_FAINTEST)
    if np.any(wrong):
        first = mag_i[wrong].ravel()[0] if mag_i.ndim else float(mag_i)
        raise ValueError(
            f"a magnitude is {first}: nothing is known of counts beyond i = {I_FAINTEST}: leave those out"
        )
    return mag_i


def _check_limits(i_limit: float, brightest: float) -> None:
    if not _FITTED_FROM <= brightest < i_limit <= I_FAINTEST:
        raise ValueError(
            f"galaxies cannot be counted from i = {brightest} to {i_limit}:"
            f" the limits have to be in order, between {_FITTED_FROM} and {I_FAINTEST}"
        )


def _split(mag_i: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x of the parabola up to the shared limit, and how much fainter than it."""
    return np.minimum(mag_i, I_SHARED) - _PIVOT, np.maximum(mag_i - I_SHARED, 0.0)


def _gaussian() -> tuple[float, float, float]:
    """The parabola's exponential is a Gaussian: half its integral, width (sqrt 2 sigma), peak in x."""
    width = 1.0 / math.sqrt(-_C * math.log(10.0))
    peak = -_B / (2.0 * _C)
    return 10.0 ** (_A - _B**2 / (4.0 * _C)) * width * math.sqrt(math.pi) / 2.0, width, peak


def _below(x: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import erf

    scale, width, peak = _gaussian()
    return scale * (1.0 + erf((x - peak) / width))
