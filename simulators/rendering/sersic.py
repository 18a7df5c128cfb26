"""The Fourier transform of Sersic profiles, tabulated once and differentiable in everything.

A round profile of half-light radius r and index n has the transform T(k r; n), with T(0) = 1. It is a
Hankel transform, taken for 64 indices on a logarithmic grid (FFTLog, Hamilton 2000, MNRAS 312, 257, as
in `scipy.fft.fht`), and kept as piecewise cubics in u = ln(x² + x0²)/2, an even function of x = k r.
Between indices the cubics are interpolated by Lagrange's formula on the four that are nearest.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import fft
from scipy.interpolate import CubicSpline
from scipy.special import gamma, gammaincinv

__all__ = ["MAX_N", "MIN_N", "brightness", "fall_and_centre", "profile_tables", "radius_of", "transform"]

MIN_N, MAX_N = 0.3, 6.2
"""Sersic indices between which the table is good: GalSim's own range."""

# Knots in ln n, and pieces in u. Errors of T stay below 1e-6 (tests).
_INDICES = np.exp(np.linspace(np.log(MIN_N), np.log(MAX_N), 64))
_X0, _X_MAX, _PIECES = 1e-2, 1e4, 768
_U_MIN, _U_MAX = np.log(_X0), 0.5 * np.log(_X_MAX**2 + _X0**2)
_PER_U = _PIECES / (_U_MAX - _U_MIN)
# FFTLog: radii from e^-20 to e^20 half-light radii.
_SAMPLES, _LOG_RANGE = 8192, 40.0


def profile_tables(sersic_n: torch.Tensor) -> torch.Tensor:
    """Coefficients of the cubics of each profile, for `transform`.

    Arguments:
        sersic_n: (s) indices.

    Returns:
        (4, s, pieces) of the type and on the device of `sersic_n`.

    Raises:
        ValueError: if an index lies outside `MIN_N` and `MAX_N`.
    """
    if not bool(((sersic_n >= MIN_N) & (sersic_n <= MAX_N)).all()):
        bad = sersic_n[~((sersic_n >= MIN_N) & (sersic_n <= MAX_N))][0]
        raise ValueError(f"a Sersic index lies between {MIN_N} and {MAX_N}, not {float(bad):g}")
    table = _table_as(sersic_n.dtype, sersic_n.device)
    place = (torch.log(sersic_n) - np.log(MIN_N)) * ((len(_INDICES) - 1) / np.log(MAX_N / MIN_N))
    first = (place.detach().floor().long() - 1).clamp(0, len(_INDICES) - 4)
    t = place - first
    # Lagrange's polynomials on the knots 0, 1, 2, 3.
    weights = torch.stack(
        [
            (1 - t) * (2 - t) * (3 - t) / 6,
            t * (2 - t) * (3 - t) / 2,
            t * (t - 1) * (3 - t) / 2,
            t * (t - 1) * (t - 2) / 6,
        ]
    )
    a, b, c, d = (weights[j, :, None] * table[:, first + j] for j in range(4))
    return a + b + c + d


def transform(tables: torch.Tensor, profile: torch.Tensor, x_squared: torch.Tensor) -> torch.Tensor:
    """T at (k r)².

    Arguments:
        tables: (4, s, pieces) from `profile_tables`.
        profile: (k) which of the s profiles is meant.
        x_squared: (k, ...) squares of k times the half-light radius.

    Returns:
        (k, ...) between 1 at zero and 0.
    """
    place = (0.5 * torch.log(x_squared + _X0**2) - _U_MIN) * _PER_U
    place = place.clamp(0, _PIECES - 1e-3)
    whole = place.detach().to(torch.int32)
    t = place - whole
    rows = profile.to(torch.int32) * _PIECES
    index = (whole + rows.reshape(-1, *[1] * (whole.ndim - 1))).reshape(-1)
    c0, c1, c2, c3 = (c.reshape(-1).index_select(0, index).view_as(t) for c in tables)
    return c0 + t * (c1 + t * (c2 + t * c3))


def brightness(sersic_n: torch.Tensor, x_squared: torch.Tensor) -> torch.Tensor:
    """Surface brightness of a round profile of unit flux, per square half-light radius.

    Arguments:
        sersic_n: indices, to be broadcast with the radii.
        x_squared: squares of radii, in half-light radii.
    """
    # Ciotti & Bertin (1999, A&A 352, 447), equation 18: to 1e-6 from n = 0.5 on.
    n = sersic_n
    b = 2 * n - 1 / 3 + 4 / (405 * n) + 46 / (25515 * n**2) + 131 / (1148175 * n**3)
    log_central = 2 * n * torch.log(b) - np.log(2 * np.pi) - torch.log(n) - torch.lgamma(2 * n)
    return torch.exp(log_central - b * x_squared ** (0.5 / n))


def fall_and_centre(sersic_n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """b, with which a profile falls as exp(−b r^(1/n)), and its brightness in the centre, as `brightness`."""
    n = np.asarray(sersic_n, dtype=float)
    b = gammaincinv(2 * n, 0.5)
    return b, b ** (2 * n) / (2 * np.pi * n * gamma(2 * n))


def radius_of(sersic_n: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radius, in half-light radii, at which a profile of unit flux has a surface brightness.

    Arguments:
        sersic_n: (s) indices.
        share: (s) flux per square half-light radius.

    Returns:
        (s) radius; 0 where even the centre is fainter.
    """
    b, central = fall_and_centre(sersic_n)
    return (np.log(np.maximum(central / share, 1.0)) / b) ** sersic_n


@lru_cache(maxsize=4)
def _table_as(dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):
        return _table().to(device, dtype)


@lru_cache(maxsize=1)
def _table() -> torch.Tensor:
    """(4, indices, pieces) float64."""
    step = _LOG_RANGE / _SAMPLES
    log_r = (np.arange(_SAMPLES) - (_SAMPLES - 1) / 2) * step
    r = np.exp(log_r)
    offset = fft.fhtoffset(step, mu=0.0)
    log_k = offset + log_r
    u = np.linspace(_U_MIN, _U_MAX, _PIECES + 1)
    inside = (log_k > np.log(1e-3)) & (log_k < np.log(2 * _X_MAX))
    rows = []
    for n in _INDICES:
        b, central = fall_and_centre(n)
        light = 2 * np.pi * central * np.exp(-b * r ** (1 / n))
        # fht gives the integral of a(r) J(kr) k dr; the transform is that of r I(r) J(kr) dr.
        values = fft.fht(r * light, step, mu=0.0, offset=offset) / np.exp(log_k)
        # As a function of u it is smooth down to x = 0, where u = ln x0 and T = 1.
        places = 0.5 * np.log(np.exp(2 * log_k[inside]) + _X0**2)
        spline = CubicSpline(np.r_[_U_MIN, places], np.r_[1.0, values[inside]])
        at = np.clip(CubicSpline(u, spline(u)).c[::-1], -1e3, 1e3)  # lowest power first
        rows.append(at * (1 / _PER_U) ** np.arange(4)[:, None])
    return torch.from_numpy(np.stack(rows, axis=1))
