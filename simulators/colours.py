"""The colour of every light profile within a band: its photons in bins of wavelength.

A disk and its bulge share out the young and the old part of their galaxy's spectrum, so each has a PSF
of its own in an exposure whose PSF depends on wavelength (`optics.chromatic_psfs`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .chromatic import reference_fractions
from .morphology import BULGE, part_shares
from .profiles import Profiles
from .sources import Sources
from .spectra import band_fractions, flux_parts
from .surveys import BANDS, mag_from_flux

__all__ = ["photon_shares"]


def photon_shares(
    sources: Sources, profiles: Profiles, band: str, edges_nm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fraction of the photons of each profile in each bin of a band.

    Arguments:
        sources: what the profiles belong to. Stars have the spectrum of the reference star.
        profiles: of the sources.
        band: name of the band.
        edges_nm: (k + 1) edges of the bins, as `chromatic.bin_edges_nm` gives them.

    Returns:
        (profile, k) with sum 1.
    """
    shares = np.tile(reference_fractions(band, edges_nm), (len(sources), 2, 1))
    shares /= shares.sum(axis=2, keepdims=True)
    (galaxy,) = np.nonzero(~sources.is_star)
    if len(galaxy):
        chosen = sources[galaxy]
        i, here = BANDS["i"].code, BANDS[band].code
        # A galaxy of somebody else's may have no light in i: then all of it is the disk's.
        flux_i = np.where(chosen.flux[:, i] > 0, chosen.flux[:, i], 1.0)
        parts = flux_parts(chosen.spectrum, chosen.z, mag_from_flux(flux_i))
        taken = part_shares(parts, chosen.component_flux[:, BULGE, i] / flux_i)
        light = np.stack([1.0 - taken, taken], axis=1) * parts[:, None, :, here]  # component, part
        bins = band_fractions(chosen.spectrum, chosen.z, band, edges_nm)
        photons = light @ bins
        total = photons.sum(axis=2, keepdims=True)
        whole = parts[:, None, :, here] @ bins
        shares[galaxy] = np.where(total > 0, photons, whole) / np.where(
            total > 0, total, whole.sum(axis=2, keepdims=True)
        )
    return shares[profiles.source, profiles.component]
