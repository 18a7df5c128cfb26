"""How much of a source's light lies under its neighbours', in one fixed reference image.

The reference is the LSST i band at the median ten-year seeing and the ten-year depth, noise
left out of the blendedness, so that the number belongs to the sky and not to an exposure.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .cadence import Visit
from .optics import effective_pixels, psf_image
from .profiles import profiles_of
from .rendering import renderer
from .scenes import MARGIN_ARCSEC
from .sources import Sources
from .surveys import BANDS, SURVEYS, flux_from_mag

__all__ = ["blendedness"]

# Median effective seeing in i, 0.80″ at zenith times 1.2^0.6 for airmass 1.2, and the depth of
# ten years (Ivezic et al. 2019, ApJ 873, 111, tables 1 and 2).
TEN_YEAR_FWHM_EFF_ARCSEC = 0.89
TEN_YEAR_M5_I = 26.8


def blendedness(
    sources: Sources, width_arcsec: float, *, drawn_by: str = "fourier"
) -> tuple[np.ndarray, np.ndarray]:
    """Blendedness and S/N of each source in the reference image.

    With s the noiseless image of one source and t that of all, blendedness is
    1 − Σ s² / Σ s·t: 0 for a source alone, towards 1 for one drowned in its neighbours
    (Bosch et al. 2018, PASJ 70, S5, section 4.9.11, with true profiles as weights).
    S/N is that of a matched filter with the source's own profile, sqrt(Σ s²)/σ.

    Arguments:
        sources: (n) all sources of a scene and its margin, sheared.
        width_arcsec: of the scene, without the margin.
        drawn_by: name of the renderer, see `rendering`.

    Returns:
        (n,) blendedness in [0, 1) and (n,) S/N.
    """
    survey = SURVEYS["LSST"]
    psf, sigma = _reference()
    size = int(np.ceil((width_arcsec + 2 * MARGIN_ARCSEC) / survey.pixel_arcsec))
    wcs = np.array([[1, 0, 0], [0, 1, 0]]) / survey.pixel_arcsec
    wcs[:, 2] = (size - 1) / 2
    profiles = profiles_of(sources)
    owned = profiles.source == np.arange(len(sources))[:, None]
    alone = renderer(drawn_by)(
        profiles,
        np.where(owned, profiles.flux[:, BANDS["i"].code], 0.0),
        psf=np.repeat(psf[None], len(sources), axis=0),
        psf_oversampling=survey.psf_oversampling,
        wcs=np.repeat(wcs[None], len(sources), axis=0),
        shape=(size, size),
        sigma=np.full(len(sources), sigma),
    ).astype(np.float32)
    everything = alone.sum(axis=0)
    own = np.einsum("nyx,nyx->n", alone, alone, dtype=float)
    shared = np.einsum("nyx,yx->n", alone, everything, dtype=float)
    return np.where(own > 0, 1 - own / np.maximum(shared, own), 0.0), np.sqrt(own) / sigma


@lru_cache(maxsize=1)
def _reference() -> tuple[np.ndarray, float]:
    visit = Visit(
        band="i",
        mjd=0.0,
        fwhm_eff_arcsec=TEN_YEAR_FWHM_EFF_ARCSEC,
        m5=TEN_YEAR_M5_I,
        airmass=1.2,
        condensed=1,
    )
    psf = psf_image(visit, None)
    n_eff = effective_pixels(psf, SURVEYS["LSST"].psf_oversampling)
    return psf, float(flux_from_mag(visit.m5) / 5 / np.sqrt(n_eff))
