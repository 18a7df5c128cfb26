"""Transients that a survey has noticed, as columns of the two stores: what it publishes, and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .early import draw_cuts
from .epochs import Epochs
from .lightcurves import Seen, rows_of_runs
from .surveys import AB_ZERO_POINT, BANDS
from .transient_candidates import Candidates

__all__ = ["Kept", "joined", "kept_of"]

# A follow-up programme takes spectra of transients brighter than about r = 22.5: 4MOST's, for one (Swann et
# al. 2019, arXiv:1903.02476, abstract); completeness and softness are our choice.
_SPECTRA, _HALF, _FALL = 0.9, 22.0, 0.4
# Relative error of the E(B-V) that is published: of maps of dust, order of magnitude.
_EXCESS_ERROR = 0.1

Columns = dict[str, NDArray]


@dataclass(frozen=True)
class Kept:
    """n transients with m observations: columns by name, as `transients_layout` has them.

    Attributes:
        objects: (n,) of the data, without ids.
        observations: (m,) of the data.
        true_objects: (n,) of the truth, without ids.
        true_observations: (m,) of the truth.
    """

    objects: Columns
    observations: Columns
    true_objects: Columns
    true_observations: Columns

    def __len__(self) -> int:
        return len(self.objects["row_size"])

    def select(self, which: NDArray[np.int64]) -> Kept:
        """Some of them, in the order of their numbers."""
        row_size = self.objects["row_size"]
        rows = rows_of_runs((np.cumsum(row_size) - row_size)[which], row_size[which])

        def of(columns: Columns, index: NDArray[np.int64]) -> Columns:
            return {name: column[index] for name, column in columns.items()}

        return Kept(
            objects=of(self.objects, which),
            observations=of(self.observations, rows),
            true_objects=of(self.true_objects, which),
            true_observations=of(self.true_observations, rows),
        )


def joined(parts: Sequence[Kept]) -> Kept:
    """One after the other."""
    groups = {name: [getattr(part, name) for part in parts] for name in Kept.__dataclass_fields__}
    return Kept(
        **{
            group: {name: np.concatenate([columns[name] for columns in every]) for name in every[0]}
            for group, every in groups.items()
        }
    )


def kept_of(rng: np.random.Generator, kind: int, candidates: Candidates, seen: Seen, epochs: Epochs) -> Kept:
    """What is kept of the candidates of one class that were noticed.

    Arguments:
        rng: for what is published with an error, and for cuts.
        kind: code of the class.
        candidates: all of them.
        seen: those that were noticed, and their observations.
        epochs: of the field.
    """
    which, n = seen.which, seen.which.size
    drawn, hosts = candidates.drawn, candidates.hosts
    mjd, band = epochs.mjd[seen.row], epochs.band[seen.row]
    cuts = draw_cuts(
        rng, peak_mjd=_peaks(candidates, seen, mjd), first_detection=seen.ends(seen.detected, mjd)[0]
    )
    # The moment itself would give the peak away, to one of a few days: told is the last epoch by then.
    until = seen.ends(mjd <= cuts.mjd[seen.owner], mjd)[1]
    excess = drawn.galactic_excess[which]
    in_r = band == BANDS["r"].code
    brightest = np.zeros(n)
    np.maximum.at(brightest, seen.owner[in_r], seen.true[in_r])
    with np.errstate(divide="ignore"):
        peak_r = AB_ZERO_POINT - 2.5 * np.log10(brightest)
    has_spectrum = rng.uniform(size=n) < _SPECTRA * expit((_HALF - peak_r) / _FALL)
    return Kept(
        objects={
            "row_size": seen.row_size,
            "until": until,
            "host_z": hosts.z[which].astype(np.float32),
            "host_spectrum": hosts.spectrum[which],
            "galactic_excess": (excess * (1 + _EXCESS_ERROR * rng.standard_normal(n))).astype(np.float32),
        },
        observations={
            "mjd": mjd,
            "band": band.astype(np.uint8),
            "flux": seen.flux,
            "error": seen.error,
            "detected": seen.detected,
        },
        true_objects={
            "kind": np.full(n, kind, np.int8),
            "series": candidates.series[which].astype(np.int16),
            "z": drawn.z[which],
            "peak_mjd": candidates.peak_mjd[which],
            "peak_r": peak_r,
            "absolute_magnitude": drawn.absolute_magnitude[which],
            "stretch": drawn.stretch[which],
            "colour": drawn.colour[which],
            "host_excess": drawn.host_excess[which],
            "host_rv": drawn.host_rv[which],
            "galactic_excess": excess,
            "host_magnitude": drawn.host_magnitude[which],
            "host_is_right": hosts.is_right[which],
            "has_spectrum": has_spectrum,
            "until_from": cuts.counts_from,
            "until_days": cuts.days,
        },
        true_observations={"flux": seen.true},
    )


def _peaks(candidates: Candidates, seen: Seen, mjd: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) MJD of peaks; of active nuclei, which have none, of the epoch in which they differ most.

    Else they alone would have no early curves that go on for more than ten days after the first detection.
    """
    size = np.abs(seen.true)
    # Sorted by size within each: the last is the largest.
    order = np.lexsort((size, seen.owner))
    largest = order[np.cumsum(seen.row_size) - 1]
    peak = candidates.peak_mjd[seen.which]
    return np.where(np.isnan(peak), mjd[largest], peak)
