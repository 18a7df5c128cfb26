"""What sky_optics.py measures of a PSF image, and the visits and galaxies that it looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import galsim
import numpy as np
from scipy.optimize import brentq
from scipy.special import j0
from skysynergy.simulators.cadence import Visit, sample_visits
from skysynergy.simulators.chromatic import photon_fractions
from skysynergy.simulators.optics import pixel_response
from skysynergy.simulators.spectra import igm_transmission
from skysynergy.simulators.surveys import BANDS, SURVEYS

__all__ = [
    "VISITS",
    "Row",
    "centroid",
    "fwhm_arcsec",
    "scale_arcsec",
    "shape",
    "sharp",
    "square_size",
    "template",
    "template_fractions",
]

VISITS = {v.band: v for v in sample_visits(np.random.default_rng(0), dict.fromkeys(BANDS, 1))}
SEEING_ARCSEC = 0.8  # fwhm_eff, for what is not about seeing
WEIGHT_ARCSEC = 0.75  # sigma of the Gaussian weight of R²


class Row(NamedTuple):
    """One line of the table; `met` is None where nothing is required."""

    measure: str
    figure: str
    limit: str
    met: bool | None = None


def scale_arcsec(band: str) -> float:
    survey = SURVEYS[BANDS[band].survey]
    return survey.pixel_arcsec / survey.psf_oversampling


def fwhm_arcsec(band: str, psf: np.ndarray, *, pixel: bool = False) -> float:
    """Of the mean over all directions."""
    oversampling = SURVEYS[BANDS[band].survey].psf_oversampling
    transform = pixel_response(psf, oversampling if pixel else 0).real
    k = np.hypot(np.fft.fftfreq(len(psf)), np.fft.fftfreq(len(psf))[:, None])
    half = brentq(lambda r: np.sum(transform * (j0(2 * np.pi * r * k) - 0.5)), 0, len(psf) / 6, xtol=1e-9)
    return float(2 * np.asarray(half) * scale_arcsec(band))


def shape(psf: np.ndarray) -> tuple[float, float, float]:
    """g1, g2, sigma in samples, by adaptive moments."""
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(psf.astype(float), scale=1.0))
    return found.observed_shape.g1, found.observed_shape.g2, found.moments_sigma


def square_size(band: str, psfs: np.ndarray) -> np.ndarray:
    """R², square arcsec, of (..., n, n)."""
    y, x = (np.indices(psfs.shape[-2:]) - psfs.shape[-1] // 2) * scale_arcsec(band)
    weighted = psfs * np.exp(-(x**2 + y**2) / 2 / WEIGHT_ARCSEC**2)
    return (weighted * (x**2 + y**2)).sum(axis=(-2, -1)) / weighted.sum(axis=(-2, -1))


def centroid(psf: np.ndarray) -> np.ndarray:
    y, x = np.indices(psf.shape) - len(psf) // 2
    return np.array([np.sum(x * psf), np.sum(y * psf)]) / psf.sum()


def template(name: str, z: float) -> tuple[np.ndarray, np.ndarray]:
    """Observed wavelength (Angstrom) and f_lambda."""
    path = Path(galsim.meta_data.share_dir) / "SEDs" / f"CWW_{name}_ext.sed"
    wavelength, f_lambda = np.loadtxt(path, unpack=True)
    observed = wavelength * (1 + z)
    return observed, f_lambda * igm_transmission(observed, z)


def template_fractions(name: str, z: float, band: str, edges: np.ndarray) -> np.ndarray:
    wavelength, f_lambda = template(name, z)
    return photon_fractions(wavelength / 10, f_lambda, band, edges)


def sharp(band: str, airmass: float = 1.0) -> Visit:
    return replace(VISITS[band], fwhm_eff_arcsec=SEEING_ARCSEC, airmass=airmass)
