"""The reference renderer: every light profile on every exposure by GalSim, one at a time.

A Sersic profile is sheared on the sky, mapped to pixels by the exposure's WCS, convolved with
the exposure's PSF image and with the pixel, and drawn at its sub-pixel position; a point is the PSF
itself. Everything is set up in units of pixels, so any affine WCS is exact.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import galsim
import numpy as np

from ..profiles import Profiles
from .inputs import check

__all__ = ["render", "stamp_radius"]

# Faint sources are drawn with looser numerics: what GalSim then gets wrong is below a
# hundredth of their own peak, itself far below the noise.
_CHEAP = galsim.GSParams(folding_threshold=2e-2, maxk_threshold=5e-3, kvalue_accuracy=1e-4)
_CHEAP_BELOW_SIGMA = 3.0  # total flux, in units of the noise of one pixel
# A stamp ends where a profile has fallen to this fraction of the noise of a pixel.
_STAMP_EDGE_SIGMA = 0.01


def render(
    profiles: Profiles,
    flux: np.ndarray,
    *,
    psf: np.ndarray,
    psf_oversampling: int,
    wcs: np.ndarray,
    shape: tuple[int, int],
    sigma: np.ndarray | None = None,
    gsparams: galsim.GSParams | None = None,
) -> np.ndarray:
    """Noiseless light of the profiles on the pixels of exposures.

    Arguments:
        profiles: (n) what is drawn, sheared already.
        flux: (exposure, n) nJy; 0 where a profile does not shine.
        psf: (exposure, m, m) without the pixel response, in the pixel frame, oversampled.
        psf_oversampling: samples of the PSF image per pixel.
        wcs: (exposure, 2, 3) affine maps, arcsec to pixels; pixel 0 is at its own centre.
        shape: (ny, nx) of each exposure.
        sigma: (exposure) noise of an empty pixel, nJy. If given, stamps end where a profile falls far
            below it and the faintest profiles are drawn more cheaply; if None, every one
            is drawn on the whole exposure.
        gsparams: GalSim's numerical settings, its defaults if None.

    Returns:
        (exposure, ny, nx) float64, nJy per pixel.

    Raises:
        ValueError: as `rendering.inputs.check`.
    """
    check(profiles, flux, psf, psf_oversampling, wcs, shape, sigma)
    images = []
    for n in range(len(wcs)):
        shines = flux[n] > 0
        images.append(
            _exposure(
                profiles[shines],
                flux[n][shines],
                psf=psf[n],
                psf_oversampling=psf_oversampling,
                wcs=wcs[n],
                shape=shape,
                sigma=None if sigma is None else sigma[n],
                gsparams=gsparams,
            )
        )
    return np.array(images).reshape(len(wcs), *shape)


def _exposure(
    profiles: Profiles,
    flux: np.ndarray,
    *,
    psf: np.ndarray,
    psf_oversampling: int,
    wcs: np.ndarray,
    shape: tuple[int, int],
    sigma: float | None,
    gsparams: galsim.GSParams | None,
) -> np.ndarray:
    linear, offset = wcs[:, :2], wcs[:, 2]
    determinant = abs(np.linalg.det(linear))
    positions = np.stack([profiles.x, profiles.y], axis=-1) @ linear.T + offset
    psf = np.ascontiguousarray(psf, dtype=np.float32)
    content = psf.tobytes()
    canvas = galsim.Image(shape[1], shape[0], xmin=0, ymin=0, dtype=float)
    for n in range(len(flux)):
        cheap = sigma is not None and flux[n] < _CHEAP_BELOW_SIGMA * sigma
        accuracy = _CHEAP if cheap else gsparams
        bounds = canvas.bounds
        if sigma is not None:
            radius = stamp_radius(flux[n] / sigma, profiles.half_light_arcsec[n], profiles.sersic_n[n])
            radius = radius * np.sqrt(determinant) + psf.shape[0] / psf_oversampling / 2 * (not cheap) + 6
            bounds = bounds & galsim.BoundsI(
                *(np.floor(positions[n, 0] + np.array([-radius, radius])).astype(int)),
                *(np.floor(positions[n, 1] + np.array([-radius, radius])).astype(int)),
            )
            if not bounds.isDefined():
                continue
        if profiles.half_light_arcsec[n] > 0:
            profile = _sersic(float(profiles.sersic_n[n]), accuracy).dilate(profiles.half_light_arcsec[n])
            profile = profile.shear(g1=profiles.e1[n], g2=profiles.e2[n])
            profile = profile.transform(*linear.ravel()) * (flux[n] / determinant)
        else:
            profile = galsim.DeltaFunction(flux[n], gsparams=accuracy)
        kernel = _kernel(content, psf.shape[0], psf_oversampling, accuracy)
        convolved: Any = galsim.Convolve(profile, kernel, gsparams=accuracy)
        convolved.drawImage(
            image=canvas[bounds], center=galsim.PositionD(*positions[n]), scale=1.0, add_to_image=True
        )
    return canvas.array


def stamp_radius(flux_sigma: float, half_light_arcsec: float, sersic_n: float) -> float:
    """Radius, arcsec, beyond which a face-on profile stays below a hundredth of a pixel's σ.

    Uses I(r) = I_e exp(−b_n[(r/r_e)^(1/n) − 1]) with b_n ≈ 2n − 1/3 (Ciotti & Bertin 1999,
    A&A 352, 447) and flux per 0.2″ pixel; an ellipse reaches further along its major axis,
    which the margin of the caller covers.
    """
    if half_light_arcsec == 0:
        return 0.0
    b = 2 * sersic_n - 1 / 3
    central = max(flux_sigma, 1e-3) * (0.2 / half_light_arcsec) ** 2
    drop = np.log(max(central / _STAMP_EDGE_SIGMA, 1.0))
    return float(half_light_arcsec * min((drop / b) ** sersic_n, 12.0) * 1.3)


@lru_cache(maxsize=64)
def _sersic(n: float, gsparams: galsim.GSParams | None) -> galsim.GSObject:
    # GalSim tabulates a profile once for each n: n must come from a short list (Sources).
    return galsim.Sersic(n=n, half_light_radius=1.0, gsparams=gsparams)


@lru_cache(maxsize=64)
def _kernel(
    content: bytes, size: int, oversampling: int, gsparams: galsim.GSParams | None
) -> galsim.GSObject:
    # Kept because GalSim takes longer to prepare a PSF image than to draw a galaxy with it.
    psf = np.frombuffer(content, dtype=np.float32).reshape(size, size).astype(float)
    return galsim.InterpolatedImage(galsim.Image(psf, scale=1 / oversampling), flux=1.0, gsparams=gsparams)
