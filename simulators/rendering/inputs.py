"""What every renderer is given, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..profiles import Profiles

__all__ = ["check"]


def check(profiles: Profiles, flux: Any, psf: Any, wcs: np.ndarray, sigma: Any) -> None:
    """Refuse what cannot be drawn; arrays or tensors, as `rendering.galsim.render` takes them.

    Raises:
        ValueError: if shapes do not fit together, a flux or size is negative or not finite, an ellipticity
            is 1 or more, a noise is not positive, or a WCS cannot be inverted.
    """
    n, rows = len(profiles), len(wcs)
    if tuple(flux.shape) != (rows, n) or len(psf) != rows or (sigma is not None and len(sigma) != rows):
        raise ValueError(
            f"{rows} WCS and {n} profiles need flux of ({rows}, {n}), not {tuple(flux.shape)}, "
            f"and as many PSFs, not {len(psf)}" + ("" if sigma is None else f", and noises, not {len(sigma)}")
        )
    flux, size, e1, e2 = (
        _array(each) for each in (flux, profiles.half_light_arcsec, profiles.e1, profiles.e2)
    )
    bad = np.flatnonzero(~(np.isfinite(flux) & (flux >= 0)).all(axis=0))
    if len(bad):
        worst = flux[:, bad[0]][~(np.isfinite(flux[:, bad[0]]) & (flux[:, bad[0]] >= 0))][0]
        raise ValueError(f"flux of profile {bad[0]} must be zero or more and finite, not {worst}")
    bad = np.flatnonzero(~(np.isfinite(size) & (size >= 0)))
    if len(bad):
        raise ValueError(
            f"half_light_arcsec of profile {bad[0]} must be positive, or 0 for a point, not {size[bad[0]]}"
        )
    bad = np.flatnonzero(~(np.hypot(e1, e2) < 1))
    if len(bad):
        raise ValueError(f"ellipticity of profile {bad[0]} must be below 1, not {e1[bad[0]]}, {e2[bad[0]]}")
    if sigma is not None and not np.all(_array(sigma) > 0):
        raise ValueError(f"noise of an empty pixel must be positive, not {_array(sigma).min()}")
    for affine in wcs:
        if not np.isfinite(affine).all() or np.linalg.det(affine[:, :2]) == 0:
            raise ValueError(f"the linear part of a WCS must have an inverse, not {affine[:, :2].tolist()}")


def _array(values: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=float)
