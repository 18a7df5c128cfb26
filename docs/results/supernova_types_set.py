"""A set of supernovae like the one that SuperNNova was measured on: what `supernova_types.py` learns from.

SuperNNova (Möller & de Boissière 2020, MNRAS 491, 4277) was trained on simulations of the supernova
programme of the Dark Energy Survey. That has ten fields, seen about once a week in g r i z, and asks for
detections on two nights (Kessler et al. 2015, AJ 150, 172, abstract); two of the ten are deep ("Description
of the Dark Energy Survey for Astronomers", 2012). Depths, seeing, losses and the length of a season here are
our choice, by order of magnitude.

The curves of bands, photons per flux and saturation are those of LSST. In a shallow field 30 s of it gather
as many photons as two or three minutes of the Dark Energy Camera do, to a factor of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from skysynergy.challenges.light_curves import LightCurves
from skysynergy.simulators.epochs import Epochs
from skysynergy.simulators.hosts import quantiles
from skysynergy.simulators.lightcurves import observe
from skysynergy.simulators.noticed_transients import Kept, joined, kept_of
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.surveys import BANDS
from skysynergy.simulators.template_library import names
from skysynergy.simulators.transient_candidates import draw_candidates
from skysynergy.simulators.transient_population import expected_number
from skysynergy.simulators.transients import KINDS

__all__ = ["COLLAPSE", "Supernovae", "field_epochs", "series_of", "simulate"]

COLLAPSE = ("II", "IIn", "IIb", "Ib", "Ic", "Ic-BL")
"""Classes of core collapse; their numbers are as in nature, among those that are noticed."""

SECRET = b"supernovae of two types"
"""Of all that is random: this set is no challenge."""

_SEASONS, _SEASON_DAYS, _START_MJD = 5, 165.0, 61_000.0
# From one visit to the next, days; and the part of the visits that weather takes.
_GAP, _LOST = (4.0, 10.0), 0.1
# Five-sigma depth of a visit in a shallow and in a deep field, AB mag, and how much it scatters.
_DEPTH, _DEPTH_SCATTER = (24.0, 24.6), 0.25
# Exposures of an epoch there: photons of a source are so many times those of LSST's 30 s.
_EXPOSURES = (1, 4)
_SEEING, _SEEING_SCATTER = 1.2, 0.15  # arcsec, and of its logarithm
_BETWEEN_BANDS = (
    4.0 / 1440.0
)  # days: all bands of a night lie within the half hour that makes two detections one
_FIELDS, _SHALLOW = 10, 8

# Accuracy of the redshift of a galaxy's spectrum, of z / (1 + z): as in `simulators.hosts`.
_SPECTRUM_ERROR = 5e-4


@dataclass(frozen=True)
class Supernovae:
    """Light curves and what is true of them, n supernovae.

    Attributes:
        curves: what a survey has measured; p(z) is that of a spectrum of the host, which all have.
        code: (n,) 0 Ia, 1 core collapse.
        kind: (n,) codes of `KINDS`.
        z: (n,) true redshift.
        peak_mjd: (n,) of phase zero of the series: for Ia, the maximum in B.
    """

    curves: LightCurves
    code: NDArray[np.int64]
    kind: NDArray[np.int64]
    z: NDArray[np.float64]
    peak_mjd: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.code)


def series_of(ia: str, *, test: bool) -> dict[str, tuple[str, ...]]:
    """Names of the series of each class: one model of Ia with stretch and colour, and all of the others.

    Arguments:
        ia: name of the model of Ia, the same on both sides.
        test: whether the series of core collapse are those that are kept for tests.
    """
    return {"Ia": (ia,)} | {kind: names("sncosmo", kind, test=test) for kind in COLLAPSE}


def field_epochs(rng: np.random.Generator, *, deep: bool) -> Epochs:
    """What one field is given in five seasons.

    In a shallow field all bands are taken one after the other; in a deep one they take long, and each has
    nights of its own.
    """
    n_nights = int(_SEASON_DAYS / np.mean(_GAP) * 1.5)
    bands = [BANDS[name].code for name in "griz"]
    parts: list[NDArray[np.float64]] = []
    codes: list[NDArray[np.int8]] = []
    for season in range(_SEASONS):
        common = rng.uniform(*_GAP, n_nights).cumsum()
        for place, code in enumerate(bands):
            nights = rng.uniform(*_GAP, n_nights).cumsum() if deep else common + place * _BETWEEN_BANDS
            nights = nights[nights < _SEASON_DAYS]
            parts.append(_START_MJD + 365.25 * season + nights)
            codes.append(np.full(nights.size, code, np.int8))
    mjd, band = np.concatenate(parts), np.concatenate(codes)
    # Weather takes a night of a shallow field with all of its bands.
    night = np.unique(np.floor((mjd - _START_MJD) / 0.5), return_inverse=True)[1]
    kept = rng.uniform(size=night.max() + 1)[night] >= _LOST
    order = np.argsort(mjd[kept], kind="stable")
    mjd, band = mjd[kept][order], band[kept][order]
    return Epochs(
        band=band,
        mjd=mjd,
        m5=_DEPTH[deep] + _DEPTH_SCATTER * rng.standard_normal(mjd.size),
        fwhm_eff_arcsec=_SEEING * np.exp(_SEEING_SCATTER * rng.standard_normal(mjd.size)),
        exposures=np.full(mjd.size, _EXPOSURES[deep]),
    )


def simulate(
    series: Mapping[str, tuple[str, ...]], n: int, *, split: int, per_field: int = 500
) -> Supernovae:
    """Supernovae that the survey notices: half of them Ia, the others core collapse as nature mixes it.

    Arguments:
        series: names of the series of each class, of `series_of`.
        n: supernovae.
        split: number of the set; each has fields and supernovae of its own.
        per_field: supernovae of a field with visits of its own; of ten fields in turn two are deep.
    """
    parts: list[Kept] = []
    for number in range(-(-n // per_field)):
        rng = generator(SECRET, "supernova types", split, number)
        epochs = field_epochs(rng, deep=number % _FIELDS >= _SHALLOW)
        here = min(per_field, n - number * per_field)
        half = (here + number % 2) // 2
        for kinds, wanted in ((("Ia",), half), (COLLAPSE, here - half)):
            parts += _noticed(rng, kinds, wanted, epochs, series)
    every = joined(parts)
    every = every.select(generator(SECRET, "supernova types order", split).permutation(len(every)))
    truth = every.true_objects
    rng = generator(SECRET, "supernova types hosts", split)
    error = _SPECTRUM_ERROR * (1.0 + truth["z"])
    curves = LightCurves.of(
        id=np.arange(len(every)),
        **{name: every.objects[name] for name in ("row_size", "galactic_excess")},
        **every.observations,
    )
    curves = replace(
        curves,
        host_z=quantiles(truth["z"] + error * rng.standard_normal(len(every)), error).astype(np.float32),
        host_spectrum=np.ones(len(every), bool),
    )
    kind = truth["kind"].astype(np.int64)
    code = (kind != KINDS.index("Ia")).astype(np.int64)
    return Supernovae(curves, code, kind, truth["z"], truth["peak_mjd"])


def _noticed(
    rng: np.random.Generator,
    kinds: tuple[str, ...],
    wanted: int,
    epochs: Epochs,
    series: Mapping[str, tuple[str, ...]],
) -> Iterator[Kept]:
    """Supernovae of some classes as nature mixes them, until so many are noticed."""
    rates = np.array([expected_number(kind, square_degrees=1.0, years=1.0) for kind in kinds])
    share, done, size, total = rates / rates.sum(), 0, 3 * wanted, 0
    while done < wanted:
        parts: list[Kept] = []
        for kind, count in zip(kinds, rng.multinomial(size, share).tolist(), strict=True):
            if not count:
                continue
            drawn = draw_candidates(
                rng, kind, count, epochs, source="sncosmo", test=False, series=series[kind]
            )
            seen = observe(
                rng, epochs, drawn.row_size, drawn.row, drawn.flux, surface_brightness=drawn.hosts.surface_nJy
            )
            parts.append(kept_of(rng, KINDS.index(kind), drawn, seen, epochs))
        every = joined(parts)
        # Those that are too many are left out by lot, whatever their class.
        few = rng.permutation(len(every))[: wanted - done]
        yield every.select(few)
        done, total = done + len(few), total + size
        size = int(np.clip(1.2 * (wanted - done) * total / max(done, 1), 50, 20_000))
