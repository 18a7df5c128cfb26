"""Epochs: the measurements that visits to one place give of a point source, and how noisy they are.

Exposures of a band that follow each other within minutes, such as those of a sequence in a deep field or
the dithers of a mission in space, make one epoch: nothing that is looked for here changes in between.

A difference image holds the noise of its reference too, and what was measured is told with the noise
of what was measured, never of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .surveys import AB_ZERO_POINT, BANDS, SURVEYS
from .visits import Visits

__all__ = ["REFERENCE_EXPOSURES", "ZERO_POINT_SCATTER", "Epochs", "epochs_of", "measured", "saturated"]

REFERENCE_EXPOSURES = 10
"""Exposures of the kind of an epoch that its reference image is made of: order of magnitude, our choice."""

ZERO_POINT_SCATTER = 0.005
"""Relative scatter of the flux calibration from epoch to epoch: LSST's requirement on repeatability, 5 mmag
(Ivezić et al. 2019, ApJ 873, 111, Table 1)."""

# The most between exposures of one epoch, days: on the ground above the 9 minutes that the other half of a
# deep field takes and below the 13 of the shortest pair; in space the dithers of one pointing.
_GAP_GROUND, _GAP_SPACE = 12.0 / 1440.0, 0.1
# Pixels of a Gaussian PSF's noise-equivalent area: this times FWHM^2 (SMTN-002).
_AREA = 2.266


@dataclass(frozen=True)
class Epochs:
    """Measurements that a place gets, sorted by time.

    Attributes:
        band: (n,) codes of `surveys.BANDS`.
        mjd: (n,) mean of the exposures, days.
        m5: (n,) five-sigma depth of all exposures together, AB mag.
        fwhm_eff_arcsec: (n,) mean, arcsec.
        exposures: (n,) how many.
    """

    band: NDArray[np.int8]
    mjd: NDArray[np.float64]
    m5: NDArray[np.float64]
    fwhm_eff_arcsec: NDArray[np.float64]
    exposures: NDArray[np.int64]

    def __len__(self) -> int:
        return self.mjd.shape[0]

    def __getitem__(self, which: slice | NDArray) -> Epochs:
        return Epochs(*(column[which] for column in self._columns))

    @property
    def _columns(self) -> tuple[NDArray, ...]:
        return self.band, self.mjd, self.m5, self.fwhm_eff_arcsec, self.exposures

    @property
    def electrons(self) -> NDArray[np.float64]:
        """(n,) electrons that 1 nJy gives."""
        return _ELECTRONS[self.band] * self.exposures.astype(float)

    @property
    def background_variance(self) -> NDArray[np.float64]:
        """(n,) variance of a point source's flux without any light of its own, nJy^2.

        At the depth m5 signal is five times noise, that of its own photons included.
        """
        faintest = 10.0 ** (0.4 * (AB_ZERO_POINT - self.m5))
        return (faintest / 5.0) ** 2 - faintest / self.electrons


def epochs_of(visits: Visits) -> Epochs:
    """The epochs of all visits to one place, sorted by time.

    Depths add as inverse variances do.
    """
    order = np.lexsort((visits.mjd, visits.code))
    code, mjd = visits.code[order], visits.mjd[order]
    gap = np.where(_IN_SPACE[code], _GAP_SPACE, _GAP_GROUND)
    begins = np.ones(code.size, bool)
    begins[1:] = (np.diff(code) != 0) | (np.diff(mjd) > gap[1:])
    number = np.cumsum(begins) - 1
    many = np.bincount(number)
    depth = np.bincount(number, 10.0 ** (0.8 * visits.m5[order]))
    epochs = Epochs(
        band=code[begins],
        mjd=np.bincount(number, mjd) / many,
        m5=1.25 * np.log10(depth),
        fwhm_eff_arcsec=np.bincount(number, visits.fwhm_eff_arcsec[order]) / many,
        exposures=many.astype(np.int64),
    )
    return epochs[np.argsort(epochs.mjd, kind="stable")]


def measured(
    rng: np.random.Generator,
    epochs: Epochs,
    flux: ArrayLike,
    *,
    steady: ArrayLike = 0.0,
    surface_brightness: ArrayLike = 0.0,
    rows: ArrayLike | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fluxes of difference images, and their errors.

    Noise is that of sky, read-out, host and source in the epoch, and of sky, read-out and host in its
    reference; and a scatter of the zero point, `ZERO_POINT_SCATTER`.

    Arguments:
        rng: where the noise comes from.
        epochs: of the place.
        flux: (m,) of the transient, less what the reference holds of it, nJy.
        steady: (m,) of a point source in the same place that the reference holds too, nJy.
        surface_brightness: (m,) of the host where it is, nJy/arcsec^2.
        rows: (m,) the epoch that each is of; left out, all epochs in turn.

    Returns:
        (m,) flux and its standard deviation, nJy. The error holds the noise of the observed flux.
    """
    rows = np.arange(len(epochs)) if rows is None else np.asarray(rows)
    flux = np.asarray(flux, dtype=float)
    gain = epochs.electrons[rows]
    area = _AREA * epochs.fwhm_eff_arcsec[rows] ** 2
    besides = np.asarray(surface_brightness) * area + np.asarray(steady)
    still = (epochs.background_variance[rows] + besides / gain) * (1.0 + 1.0 / REFERENCE_EXPOSURES)
    true = np.sqrt(still + np.maximum(flux, 0.0) / gain + (ZERO_POINT_SCATTER * flux) ** 2)
    seen = flux + true * rng.standard_normal(flux.shape)
    error = np.sqrt(still + np.maximum(seen, 0.0) / gain + (ZERO_POINT_SCATTER * seen) ** 2)
    return seen.astype(np.float32), error.astype(np.float32)


def saturated(
    epochs: Epochs,
    flux: ArrayLike,
    *,
    steady: ArrayLike = 0.0,
    surface_brightness: ArrayLike = 0.0,
    rows: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """(m,) whether a source fills the well of its central pixel; arguments as those of `measured`.

    The pixel holds the light of a Gaussian PSF of the effective width at its centre.
    """
    rows = np.arange(len(epochs)) if rows is None else np.asarray(rows)
    band = epochs.band[rows]
    # 2.266 FWHM^2 is twice the area of a Gaussian whose height is its flux.
    light = np.asarray(flux, dtype=float) + np.asarray(steady)
    peak = light * 2.0 / (_AREA * epochs.fwhm_eff_arcsec[rows] ** 2)
    charge = (peak + np.asarray(surface_brightness)) * _PIXEL_AREA[band] * _ELECTRONS[band]
    return charge > _FULL_WELL[band]


_SURVEY = [SURVEYS[band.survey] for band in BANDS.values()]
_IN_SPACE = np.array([survey.mission is not None for survey in _SURVEY])
_PIXEL_AREA = np.array([survey.pixel_arcsec**2 for survey in _SURVEY])
_FULL_WELL = np.array([survey.full_well_e for survey in _SURVEY])
# Electrons of one exposure for 1 nJy.
_ELECTRONS = np.array(
    [10.0 ** (0.4 * (band.zero_point - AB_ZERO_POINT)) * band.exposure_s for band in BANDS.values()]
)
