"""What a person would measure of a light curve: how bright, how fast, what colour, how far.

One row of numbers for each transient, by reductions over all observations of all transients at once. What
cannot be measured is NaN. The list is ours, of the kind that light-curve classifiers have used for long
(Lochner et al. 2016, arXiv:1603.00882; Boone 2019, arXiv:1907.04690); nothing tells of id, place or date.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..challenges.light_curves import LightCurves
from ..simulators.surveys import BANDS
from .light_curve_inputs import FLUX_SCALE_NJY, HISTORY_DAYS, N_BANDS, static_inputs

__all__ = ["PHASES", "feature_names", "light_curve_features"]

PHASES = (-np.inf, -20.0, -7.0, 7.0, 20.0, 40.0, 80.0, np.inf)
"""Days from the peak between which fluxes of a band are averaged; our choice."""

_OF_BAND = ("n", "n_detections", "peak", "snr", "peak_time", "rise", "fall", "center", "width")
_OVERALL = (
    "n", "n_detections", "n_negative", "length", "detected_length", "gap_before", "peak_snr", "rise", "fall",
    "roughness", "late_detections",
)  # fmt: skip
_HOST = ("z_0", "z_1", "z_2", "z_3", "z_4", "host", "host_spectrum", "z_width", "galactic_excess")
_N_PHASES = len(PHASES) - 1
_AT_PEAK = 2  # the interval of phases about the peak


def feature_names() -> tuple[str, ...]:
    """The names of the features, in the order of `light_curve_features`."""
    bands = [band.name for band in sorted(BANDS.values(), key=lambda b: b.code) if band.code < N_BANDS]
    colours = [f"{blue}-{red}" for blue, red in pairwise(bands)]
    return (
        *_OVERALL,
        *_HOST,
        *(f"{what}_{band}" for what in _OF_BAND for band in bands),
        *(f"phase_{k}_{band}" for k in range(_N_PHASES) for band in bands),
        *(f"colour_{k}_{colour}" for k in (_AT_PEAK, _AT_PEAK + 1) for colour in colours),
    )


def light_curve_features(curves: LightCurves) -> NDArray[np.float32]:
    """(n, feature) of sound light curves; see `feature_names`. NaN where there is nothing to measure.

    Fluxes are arcsinh(flux / `FLUX_SCALE_NJY`), so that the difference of two bright ones is a colour;
    times are days, from the observation with the largest S/N where there is a peak.
    """
    n = len(curves)
    curves = curves.keep(curves.band < N_BANDS)
    first = curves.first_detection()
    seen = curves.mjd >= first[curves.owner] - HISTORY_DAYS
    owner, band = curves.owner[seen], curves.band[seen].astype(np.int64)
    mjd, detected = curves.mjd[seen], curves.detected[seen]
    flux, error = (
        curves.flux[seen].astype(np.float64),
        np.maximum(curves.error[seen].astype(np.float64), 1e-3),
    )
    snr = flux / error

    peak_time = mjd_of_peak(owner, mjd, snr, n)
    phase = mjd - peak_time[owner]
    overall = _overall(n, owner, phase, snr, detected, first - peak_time)
    cell = owner * N_BANDS + band
    of_band = _of_bands(n * N_BANDS, cell, phase, flux, snr, detected)
    means = _phase_means(n, cell, phase, flux, error)
    near = means[:, _AT_PEAK : _AT_PEAK + 2]
    colours = near[..., :-1] - near[..., 1:]
    parts = [
        overall,
        static_inputs(curves),
        *of_band.reshape(n, N_BANDS, len(_OF_BAND)).transpose(2, 0, 1),
        *means.transpose(1, 0, 2),
        *colours.transpose(1, 0, 2),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def mjd_of_peak(owner: NDArray, mjd: NDArray, snr: NDArray, n: int) -> NDArray[np.float64]:
    """(n,) MJD of the observation with the largest S/N of each transient; NaN without any."""
    order = np.lexsort((snr, owner))
    last = np.flatnonzero(np.diff(owner[order], append=n) > 0)
    found = np.full(n, np.nan)
    found[owner[order][last]] = mjd[order][last]
    return found


def _overall(
    n: int, owner: NDArray, phase: NDArray, snr: NDArray, detected: NDArray, first: NDArray
) -> NDArray[np.float64]:
    """(n, overall): numbers and times of all bands together; `first` (n,): phase of the first detection."""
    count = np.bincount(owner, minlength=n)
    n_detected = np.bincount(owner[detected], minlength=n)
    start, end = _extreme(np.minimum, owner, phase, n), _extreme(np.maximum, owner, phase, n)
    rise = _extreme(np.minimum, owner[detected], phase[detected], n)
    fall = _extreme(np.maximum, owner[detected], phase[detected], n)
    before = _extreme(np.maximum, owner[phase < first[owner]], phase[phase < first[owner]], n)
    # How S/N jumps from one observation to the next, against its scatter (von Neumann 1941, Ann. Math.
    # Statist. 12, 367): low where a curve is smooth, about two where it is noise.
    steps = np.flatnonzero(np.diff(owner) == 0)
    s = np.arcsinh(snr)
    jumps = np.bincount(owner[steps], np.square(s[steps + 1] - s[steps]), n)
    mean = np.bincount(owner, s, n) / np.maximum(count, 1)
    scatter = np.bincount(owner, np.square(s - mean[owner]), n)
    late = np.bincount(owner[detected & (phase > 80)], minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        roughness = np.where(scatter > 0, jumps / scatter, np.nan)
        # Infinite without a detection: nothing to measure.
        gap = np.where(np.isfinite(first), first - before, np.nan)
    top = np.arcsinh(_extreme(np.maximum, owner, snr, n))
    negative = np.bincount(owner[snr < -5], minlength=n)
    columns = [count, n_detected, negative, end - start, fall - rise, gap, top, -rise, fall, roughness, late]
    return np.column_stack(columns).astype(np.float64)


def _of_bands(
    n_cells: int, cell: NDArray, phase: NDArray, flux: NDArray, snr: NDArray, detected: NDArray
) -> NDArray[np.float64]:
    """(cell, of band): of the observations of each transient in each band."""
    count = np.bincount(cell, minlength=n_cells)
    n_detected = np.bincount(cell[detected], minlength=n_cells)
    peak = np.arcsinh(_extreme(np.maximum, cell, np.where(snr > 3, flux, np.nan), n_cells) / FLUX_SCALE_NJY)
    top = np.arcsinh(_extreme(np.maximum, cell, snr, n_cells))
    time = mjd_of_peak(cell, phase, snr, n_cells)
    rise = time - _extreme(np.minimum, cell[detected], phase[detected], n_cells)
    fall = _extreme(np.maximum, cell[detected], phase[detected], n_cells) - time
    # Moments of time, weighed by what shines significantly.
    light = np.where(snr > 3, flux, 0)
    total = np.bincount(cell, light, n_cells)
    with np.errstate(divide="ignore", invalid="ignore"):
        center = np.bincount(cell, light * phase, n_cells) / total
        width = np.sqrt(np.bincount(cell, light * np.square(phase - center[cell]), n_cells) / total)
    columns = [count, n_detected, peak, top, time, rise, fall, center, width]
    return np.column_stack(columns).astype(np.float64)


def _phase_means(n: int, cell: NDArray, phase: NDArray, flux: NDArray, error: NDArray) -> NDArray[np.float64]:
    """(n, phase, band) the mean flux between `PHASES`, weighed by inverse variance, as arcsinh."""
    interval = np.searchsorted(PHASES[1:-1], phase)
    place = (cell // N_BANDS * _N_PHASES + interval) * N_BANDS + cell % N_BANDS
    size = n * _N_PHASES * N_BANDS
    weight = 1 / np.square(error)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(place, weight * flux, size) / np.bincount(place, weight, size)
    return np.arcsinh(mean / FLUX_SCALE_NJY).reshape(n, _N_PHASES, N_BANDS)


def _extreme(which: np.ufunc, group: NDArray, values: NDArray, n: int) -> NDArray[np.float64]:
    """(n,) the least or the largest of the values of each group that are no NaN; NaN without any."""
    worst = np.inf if which is np.minimum else -np.inf
    found = np.full(n, worst)
    there = ~np.isnan(values)
    which.at(found, group[there], values[there])
    return np.where(np.isinf(found), np.nan, found)
