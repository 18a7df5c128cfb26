"""What every renderer is given, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..profiles import Profiles

__all__ = ["as_array", "check"]


def check(
    profiles: Profiles, flux: Any, psf: Any, psf_oversampling: Any, wcs: np.ndarray, shape: Any, sigma: Any
) -> None:
    """Refuse what cannot be drawn; arrays or tensors, as `rendering.galsim.render` takes them.

    Raises:
        ValueError: if shapes do not fit together, a flux or size is negative or not finite, a place is not
            finite, an ellipticity is 1 or more, a PSF is no odd square of positive sum, a noise is not
            positive, or a WCS cannot be inverted.
    """
    n, rows = len(profiles), len(wcs)
    if np.shape(wcs)[1:] != (2, 3):
        raise ValueError(f"a WCS is an affine map, (exposure, 2, 3), not {np.shape(wcs)}")
    if tuple(flux.shape) != (rows, n) or len(psf) != rows or (sigma is not None and len(sigma) != rows):
        raise ValueError(
            f"{rows} WCS and {n} profiles need flux of ({rows}, {n}), not {tuple(flux.shape)}, "
            f"and as many PSFs, not {len(psf)}" + ("" if sigma is None else f", and noises, not {len(sigma)}")
        )
    if len(shape) != 2 or any(int(k) != k or k < 1 for k in shape):
        raise ValueError(f"shape of an exposure is (ny, nx), at least (1, 1), not {tuple(shape)}")
    _check_psf(psf, psf_oversampling)
    names = ("x", "y", "half_light_arcsec", "sersic_n", "e1", "e2")
    x, y, size, _, e1, e2 = (as_array(getattr(profiles, name)) for name in names)
    flux = as_array(flux)
    bad = np.flatnonzero(~(np.isfinite(flux) & (flux >= 0)).all(axis=0))
    if len(bad):
        worst = flux[:, bad[0]][~(np.isfinite(flux[:, bad[0]]) & (flux[:, bad[0]] >= 0))][0]
        raise ValueError(f"flux of profile {bad[0]} must be zero or more and finite, not {worst}")
    bad = np.flatnonzero(~(np.isfinite(size) & (size >= 0)))
    if len(bad):
        raise ValueError(
            f"half_light_arcsec of profile {bad[0]} must be positive, or 0 for a point, not {size[bad[0]]}"
        )
    bad = np.flatnonzero(~np.isfinite(x + y))
    if len(bad):
        raise ValueError(f"place of profile {bad[0]} must be finite, not ({x[bad[0]]}, {y[bad[0]]})")
    bad = np.flatnonzero(~(np.hypot(e1, e2) < 1))
    if len(bad):
        raise ValueError(f"ellipticity of profile {bad[0]} must be below 1, not {e1[bad[0]]}, {e2[bad[0]]}")
    if sigma is not None and not np.all(as_array(sigma) > 0):
        raise ValueError(f"noise of an empty pixel must be positive, not {as_array(sigma).min()}")
    linear = wcs[:, :, :2]
    finite = np.isfinite(wcs).all(axis=(1, 2), keepdims=True)
    bad = np.flatnonzero(np.linalg.det(np.where(finite, linear, 0.0)) == 0)
    if len(bad):
        raise ValueError(f"the linear part of a WCS must have an inverse, not {linear[bad[0]].tolist()}")


def _check_psf(psf: Any, oversampling: Any) -> None:
    shape = tuple(psf.shape)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] % 2 == 0:
        raise ValueError(f"PSF images are squares of an odd size, (exposure, m, m), not {shape}")
    if int(oversampling) != oversampling or oversampling < 1:
        raise ValueError(f"samples of a PSF per pixel are a whole number from 1 on, not {oversampling}")
    # One pass: what is not finite anywhere has no finite sum.
    total = as_array(psf.sum((1, 2)))
    bad = np.flatnonzero(~(np.isfinite(total) & (total > 0)))
    if len(bad):
        raise ValueError(f"PSF of exposure {bad[0]} must be finite, with a positive sum")


def as_array(values: Any) -> np.ndarray:
    """An array of floats of what may be a tensor, on any device and with gradients."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=float)
