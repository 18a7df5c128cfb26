"""Colours within a band: bins of wavelength, and the light of a reference star in them.

Light adds up: the image of a source is the sum over bins of the fraction of its photons in the bin times
the image of a point that shines in that bin alone (`optics.chromatic_psfs`). Within a bin the
spectrum of the reference star stands for every other.

The reference star is a black body of 5800 K, our choice of an average star: it is what PSF stars
are, and what astrometry is calibrated to. The PSF that a store holds is its PSF.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .curves import filter_curve
from .surveys import find_band

__all__ = ["REFERENCE_K", "bin_edges_nm", "mixed", "photon_fractions", "reference_fractions", "wavelengths"]

REFERENCE_K = 5800.0
"""Temperature of the reference star, our choice: about the Sun's."""

# Cells across the curve of a band.
_CELLS = 600
# Below this fraction of the peak a curve is noise, and leaks: in u a red galaxy's leaked light, far from
# where the bins are, would go into the last of them.
_FLOOR = 1e-3
# Bins are equally wide between the wavelengths that leave this part of the star's photons on either side.
_TAIL = 0.02
_SECOND_RADIATION_NM_K = 1.438777e7  # h c / k


def bin_edges_nm(band: str, bins: int) -> NDArray[np.float64]:
    """Edges of equally wide bins across a band, nm: (bins + 1).

    The outer ones reach on to where the curve falls below a thousandth of its peak: fractions are of the
    photons within all of them, and add up to one.

    Raises:
        ValueError: if there is no such band, or less than one bin.
    """
    if bins < 1:
        raise ValueError(f"a band has at least one bin, not {bins}")
    edges, photons = _reference(find_band(band).name)
    share = np.concatenate([[0.0], np.cumsum(photons)])
    low, high = np.interp([_TAIL, 1 - _TAIL], share, edges)
    return np.concatenate([edges[:1], np.linspace(low, high, bins + 1)[1:-1], edges[-1:]])


def reference_fractions(band: str, edges_nm: ArrayLike) -> NDArray[np.float64]:
    """Fraction of the photons of the reference star in each bin: (bins), sum 1 if they span the curve."""
    edges, photons = _reference(find_band(band).name)
    share = np.concatenate([[0.0], np.cumsum(photons)])
    return np.diff(np.interp(_increasing(edges_nm), edges, share))


def photon_fractions(
    wavelength_nm: ArrayLike, f_lambda: ArrayLike, band: str, edges_nm: ArrayLike
) -> NDArray[np.float64]:
    """Fraction of the photons of an observed spectrum in each bin of a band.

    Arguments:
        wavelength_nm: (n) increasing, nm.
        f_lambda: (..., n) in any unit of energy per wavelength.
        band, edges_nm: the band and its (bins + 1) edges.

    Returns:
        (..., bins) with sum 1; a spectrum without light in the band has those of the reference star.
    """
    edges, response = _cells(find_band(band).name)
    centres = (edges[1:] + edges[:-1]) / 2
    wavelength, flux = np.asarray(wavelength_nm, dtype=float), np.asarray(f_lambda, dtype=float)
    flat = flux.reshape(-1, flux.shape[-1])
    photons = np.stack([np.interp(centres, wavelength, row) for row in flat]) * response * centres
    share = np.concatenate([np.zeros((len(flat), 1)), np.cumsum(photons, axis=1)], axis=1)
    wanted = _increasing(edges_nm)
    inside = np.diff(np.stack([np.interp(wanted, edges, row) for row in share]), axis=1)
    total = inside.sum(axis=1, keepdims=True)
    fractions = np.where(total > 0, inside / np.where(total > 0, total, 1), reference_fractions(band, wanted))
    return fractions.reshape(*flux.shape[:-1], -1)


def wavelengths(band: str, low_nm: float, high_nm: float, count: int) -> NDArray[np.float64]:
    """Wavelengths, nm, that stand for equal shares of the reference star's photons between two edges.

    Each is the photon-weighted mean of its share.

    Raises:
        ValueError: if the reference star has no light there.
    """
    edges, photons = _reference(find_band(band).name)
    share = np.concatenate([[0.0], np.cumsum(photons)])
    moment = np.concatenate([[0.0], np.cumsum(photons * (edges[1:] + edges[:-1]) / 2)])
    low, high = np.interp([low_nm, high_nm], edges, share)
    if not high > low:
        raise ValueError(f"band {band} has no light between {low_nm} and {high_nm} nm")
    places = np.linspace(low, high, count + 1)
    return np.diff(np.interp(np.interp(places, share, edges), edges, moment)) / np.diff(places)


def mixed(psfs: NDArray[np.floating], fractions: ArrayLike) -> NDArray[np.float64]:
    """The PSF of a spectrum: (..., k) fractions of (k, m, m) images to (..., m, m)."""
    return np.tensordot(np.asarray(fractions, dtype=float), np.asarray(psfs, dtype=float), axes=1)


def _increasing(edges_nm: ArrayLike) -> NDArray[np.float64]:
    edges = np.asarray(edges_nm, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise ValueError(f"edges of bins are two or more increasing wavelengths in nm, not {edges_nm}")
    return edges


@cache
def _cells(band: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges (nm) of equal cells across the curve of a band, and the response integrated over each."""
    wavelength, response = filter_curve(band)
    wavelength = wavelength / 10
    (inside,) = np.nonzero(response > _FLOOR * response.max())
    # One sample more on either side: the curve comes down to zero there.
    inside = slice(max(inside[0] - 1, 0), inside[-1] + 2)
    wavelength, response = wavelength[inside], response[inside]
    edges = np.linspace(wavelength[0], wavelength[-1], _CELLS + 1)
    light = np.concatenate([[0.0], np.cumsum(np.diff(wavelength) * (response[1:] + response[:-1]) / 2)])
    return edges, np.diff(np.interp(edges, wavelength, light))


@cache
def _reference(band: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same cells, and the reference star's share of photons in each; sum 1."""
    edges, response = _cells(band)
    centres = (edges[1:] + edges[:-1]) / 2
    photons = response * centres**-4.0 / np.expm1(_SECOND_RADIATION_NM_K / centres / REFERENCE_K)
    return edges, photons / photons.sum()
