"""Exposures of a small scene in chosen visits, for tests of detection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from skysynergy.simulators.cadence import Visit
from skysynergy.simulators.exposures import expose
from skysynergy.simulators.observations import prepare
from skysynergy.simulators.sources import sersic_sources
from skysynergy.simulators.surveys import BANDS, flux_from_mag

WIDTH = 19.2
SECRET = b"exposures of a test"
DEEP = {"r": 27.0, "i": 26.6, "VIS": 27.0, "H": 25.5}


def points(x, y, mag=24.0):
    """Stars as far as pixels can tell, of one AB magnitude in all bands."""
    flux = flux_from_mag(np.broadcast_to(np.asarray(mag, float), np.shape(x)))
    return sersic_sources(x=x, y=y, flux=flux, half_light_arcsec=0.01)


def observed(sources, visits=DEEP, *, width=WIDTH, noisy=True, number=0):
    """Exposures and observations by survey; `visits` gives a depth for each band, twice for two exposures."""
    pairs = visits.items() if isinstance(visits, dict) else visits
    chosen = [
        Visit(b, 60000.0, 0.89 if b in "ugrizy" else BANDS[b].fwhm_eff_arcsec, m5, 1.0, 400)
        for b, m5 in pairs
    ]
    observations = prepare(SECRET, 0, number, chosen)
    exposures = {
        name: expose(sources, seen, width_arcsec=width, secret=SECRET, indices=(0, 0, number))
        for name, seen in observations.items()
    }
    if not noisy:
        exposures = {name: replace(taken, image=taken.light) for name, taken in exposures.items()}
    return exposures, observations


def blank(exposures, observations, seed):
    """The same exposures of nothing but the noise of the sky."""
    rng = np.random.default_rng(seed)
    return {
        name: replace(
            taken,
            image=np.stack(
                [
                    noise.sigma * rng.standard_normal(taken.image.shape[1:])
                    for noise in observations[name].backgrounds
                ]
            ),
            mask=np.zeros_like(taken.mask),
        )
        for name, taken in exposures.items()
    }


def turned(taken, seen, e, *, x=False, y=False, swap=False):
    """The same sky seen by a detector that lies otherwise: mirrored along x or y, axes swapped."""
    image, mask, wcs = taken.image.copy(), taken.mask.copy(), taken.wcs.copy()
    psf, last = seen.psf.copy(), taken.image.shape[1] - 1
    step = (slice(None, None, -1) if y else slice(None), slice(None, None, -1) if x else slice(None))
    for stack in (image, mask, psf):
        stack[e] = stack[e][step].T if swap else stack[e][step]
    for axis, flip in enumerate((x, y)):
        if flip:
            wcs[e, axis] *= -1
            wcs[e, axis, 2] += last
    if swap:
        wcs[e] = wcs[e][::-1]
    return replace(taken, image=image, mask=mask, wcs=wcs), replace(seen, psf=psf)
