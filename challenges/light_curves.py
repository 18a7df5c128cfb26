"""Light curves: what a method of the transients challenge sees of many transients at once.

All observations of all transients follow each other in a few flat arrays, those of one transient in order of
time, and `row_size` says how many each has (a contiguous ragged array in the words of the CF conventions).
Stores, readers of other people's files, and the harness all give this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..simulators.hosts import LEVELS as Z_LEVELS
from ..simulators.lightcurves import DETECTION, about_detections, rows_of_runs
from ..simulators.surveys import BANDS, find_band
from .problems import ROWS_NAMED, Problem, SubmissionError, rows_text

__all__ = ["Z_LEVELS", "LightCurves", "light_curve_problems", "require_sound", "sound"]

_OF_OBSERVATIONS = ("mjd", "band", "flux", "error", "detected")
_NO_BAND = 255


@dataclass(frozen=True)
class LightCurves:
    """Transients and their observations.

    Fluxes are of difference images: what is there less what was there before the transient, so that they
    scatter about zero without it, below zero too.

    Attributes:
        id: (n,) int64, opaque.
        row_size: (n,) int64 how many observations each transient has; zero is allowed.
        mjd: (m,) float64 days; increasing for each transient and band.
        band: (m,) uint8 codes of `simulators.surveys.BANDS`.
        flux: (m,) float32 nJy.
        error: (m,) float32 its standard deviation, nJy.
        detected: (m,) bool whether a difference image alone would show it.
        host_z: (n, 5) float32 quantiles, at `Z_LEVELS`, of p(z) of what is taken for the host; NaN where
            there is none, or where a track hides it.
        host_spectrum: (n,) bool whether p(z) is that of a spectrum of the host.
        galactic_excess: (n,) float32 E(B-V) of the Milky Way, mag; fluxes are not corrected for it.
    """

    id: NDArray[np.int64]
    row_size: NDArray[np.int64]
    mjd: NDArray[np.float64]
    band: NDArray[np.uint8]
    flux: NDArray[np.float32]
    error: NDArray[np.float32]
    detected: NDArray[np.bool_]
    host_z: NDArray[np.float32]
    host_spectrum: NDArray[np.bool_]
    galactic_excess: NDArray[np.float32]

    def __post_init__(self) -> None:
        n, m = self.id.shape[0], self.mjd.shape[0]
        for one in fields(self):
            shape = (m,) if one.name in _OF_OBSERVATIONS else (n, 5) if one.name == "host_z" else (n,)
            if (found := getattr(self, one.name)).shape != shape:
                raise ValueError(f"{one.name} has shape {found.shape}, where {shape} is needed")
        if not np.issubdtype(self.row_size.dtype, np.integer) or (n and self.row_size.min() < 0):
            raise ValueError("row_size is a whole number of observations for each transient, zero or more")
        if self.row_size.sum() != m:
            raise ValueError(f"row_size adds up to {self.row_size.sum()}, but there are {m} observations")

    @classmethod
    def of(
        cls,
        *,
        id: ArrayLike,
        row_size: ArrayLike,
        mjd: ArrayLike,
        band: ArrayLike,
        flux: ArrayLike,
        error: ArrayLike,
        detected: ArrayLike | None = None,
        host_z: ArrayLike | None = None,
        host_spectrum: ArrayLike | None = None,
        galactic_excess: ArrayLike | None = None,
    ) -> LightCurves:
        """Light curves from anything that NumPy makes arrays of; see the attributes.

        Arguments:
            detected: left out, flux above five times its error.
            host_z, host_spectrum, galactic_excess: left out: no host, none, no dust.

        Raises:
            ValueError: if shapes do not fit together, or where codes, ids or sizes are no whole numbers.
        """
        ids = _whole("id", id)
        n = len(ids)
        brightness, sigma = (np.atleast_1d(np.asarray(one, dtype=np.float32)) for one in (flux, error))
        if detected is None and brightness.shape == sigma.shape:
            detected = brightness > DETECTION * sigma
        codes = np.atleast_1d(np.asarray(band))
        if codes.size and codes.dtype.kind not in "iuf":
            known = ", ".join(f"{one.name} {one.code}" for one in BANDS.values())
            raise ValueError(f"band holds codes, not {codes.dtype}: give those of {known}")
        return cls(
            id=ids,
            row_size=_whole("row_size", row_size),
            mjd=np.atleast_1d(np.asarray(mjd, dtype=np.float64)),
            # What no code can be stays wrong, for `light_curve_problems` to tell.
            band=np.where(
                (codes >= 0) & (codes < _NO_BAND) & (codes == np.floor(codes)), codes, _NO_BAND
            ).astype(np.uint8),
            flux=brightness,
            error=sigma,
            detected=np.zeros(brightness.shape, bool) if detected is None else np.asarray(detected, bool),
            host_z=np.full((n, 5), np.nan, np.float32) if host_z is None else np.asarray(host_z, np.float32),
            host_spectrum=np.zeros(n, bool) if host_spectrum is None else np.asarray(host_spectrum, bool),
            galactic_excess=np.zeros(n, np.float32)
            if galactic_excess is None
            else np.asarray(galactic_excess, np.float32),
        )

    def __len__(self) -> int:
        return self.id.shape[0]

    @property
    def ends(self) -> NDArray[np.int64]:
        """(n + 1,) where the observations of each transient begin, and where the last ones end."""
        return np.concatenate([[0], np.cumsum(self.row_size)])

    @property
    def owner(self) -> NDArray[np.int64]:
        """(m,) the number of the transient that each observation is of."""
        return np.repeat(np.arange(len(self)), self.row_size)

    @property
    def n_detections(self) -> NDArray[np.int64]:
        """(n,) observations in which each transient is detected."""
        return np.bincount(self.owner[self.detected], minlength=len(self))

    def first_detection(self) -> NDArray[np.float64]:
        """(n,) MJD of the first; infinite without any."""
        first = np.full(len(self), np.inf)
        np.minimum.at(first, self.owner[self.detected], self.mjd[self.detected])
        return first

    def select(self, which: ArrayLike) -> LightCurves:
        """Some of the transients, in the order given.

        Arguments:
            which: (n,) bool, or numbers of transients.
        """
        chosen = np.asarray(which)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        rows = rows_of_runs(self.ends[:-1][chosen], self.row_size[chosen])
        return LightCurves(
            **{
                one.name: getattr(self, one.name)[rows if one.name in _OF_OBSERVATIONS else chosen]
                for one in fields(self)
            }
        )

    def keep(self, observations: NDArray[np.bool_]) -> LightCurves:
        """All transients, with the observations for which `observations` (m,) is true."""
        row_size = np.bincount(self.owner[observations], minlength=len(self))
        kept = {name: getattr(self, name)[observations] for name in _OF_OBSERVATIONS}
        return replace(self, row_size=row_size, **kept)

    def until(self, mjd: ArrayLike) -> LightCurves:
        """All transients, with the observations up to a time: (n,) MJD, or one for all."""
        return self.keep(self.mjd <= np.broadcast_to(np.asarray(mjd), len(self))[self.owner])

    def about_detections(self) -> LightCurves:
        """All transients, with the observations that the dataset ``transients`` would keep.

        From 30 days before the first detection to 30 after the last, 400 days at the most; of a transient
        that would not be noticed, all.
        """
        noticed, near = about_detections(self.owner, self.mjd, self.detected, len(self))
        return self.keep(near | ~noticed[self.owner])

    def in_bands(self, bands: Sequence[str]) -> LightCurves:
        """All transients, with the observations in some bands, by name."""
        return self.keep(np.isin(self.band, [find_band(name).code for name in bands]))

    def without_host(self) -> LightCurves:
        """The same with no word of a host."""
        nothing = np.full_like(self.host_z, np.nan)
        return replace(self, host_z=nothing, host_spectrum=np.zeros(len(self), bool))

    @classmethod
    def joined(cls, parts: Sequence[LightCurves]) -> LightCurves:
        """The transients of several, in that order; at least one is given."""
        return cls(
            **{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)}
        )

    def batches(self, size: int) -> Iterator[LightCurves]:
        """The transients in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield self.select(np.arange(start, min(start + size, len(self))))


@dataclass(frozen=True)
class _Fault:
    """One way to be wrong: `wrong` is (n,) of transients or (m,) of observations."""

    wrong: NDArray[np.bool_]
    column: str
    what: str
    fix: str
    of_transients: bool = False


def light_curve_problems(
    curves: LightCurves,
    *,
    names: NDArray[Any] | None = None,
    rows: NDArray[np.int64] | None = None,
    transients: NDArray[np.int64] | None = None,
) -> list[Problem]:
    """Everything that keeps light curves from being classified, with rows of observations and what to do.

    Arguments:
        names: (n,) what the transients are called where they come from, if not by `id`.
        rows: (m,) the rows, from 0, that observations have there, if not their positions.
        transients: (n,) the rows, from 0, that transients have there, if not their positions.
    """
    names = curves.id if names is None else names
    problems: list[Problem] = []
    for fault in _faults(curves):
        if (found := np.flatnonzero(fault.wrong)).size:
            numbers = transients if fault.of_transients else rows
            shown = found[:ROWS_NAMED]
            owner = shown if fault.of_transients else np.searchsorted(curves.ends, shown, side="right") - 1
            named = dict(zip(shown.tolist(), names[owner], strict=True))
            first = int(found[0] if numbers is None else numbers[found[0]])
            what = f"{fault.what}: {rows_text(found, named, numbers)}"
            problems.append(Problem(first + 1, fault.column, what, fault.fix, found.size))
    return problems


def sound(curves: LightCurves) -> NDArray[np.bool_]:
    """(n,) the transients of which `light_curve_problems` has nothing to say."""
    good = np.ones(len(curves), bool)
    for fault in _faults(curves):
        good &= ~(fault.wrong if fault.of_transients else _any(fault.wrong, curves))
    return good


def _any(wrong: NDArray[np.bool_], curves: LightCurves) -> NDArray[np.bool_]:
    return np.bincount(curves.owner[wrong], minlength=len(curves)) > 0


def _faults(curves: LightCurves) -> Iterator[_Fault]:
    for name in ("mjd", "flux", "error"):
        yield _Fault(
            ~np.isfinite(getattr(curves, name)),
            name,
            "not a finite number",
            "leave out observations that have no measurement",
        )
    yield _Fault(
        curves.error <= 0,
        "error",
        "an error that is zero or negative",
        "give the standard deviation of the flux, nJy",
    )
    known = [band.code for band in BANDS.values()]
    yield _Fault(
        ~np.isin(curves.band, known),
        "band",
        "a band that is not known",
        "give a code of " + ", ".join(f"{band.name} {band.code}" for band in BANDS.values()),
    )
    same = curves.owner[1:] == curves.owner[:-1]
    before = np.zeros(len(curves.mjd), bool)
    before[1:] = same & (np.diff(curves.mjd) < 0)
    yield _Fault(
        before, "mjd", "a time before that of the row above", "sort each transient's observations by time"
    )
    yield _Fault(_repeated(curves), "mjd", "a time and band that came before", "give each observation once")
    _, first = np.unique(curves.id, return_index=True)
    again = np.ones(len(curves), bool)
    again[first] = False
    yield _Fault(
        again, "id", "an id that came before", "give each transient once, all its observations together", True
    )
    yield _Fault(
        curves.n_detections == 0,
        "detected",
        "a transient without any detection",
        "leave it out: there is nothing to classify",
        True,
    )
    z = curves.host_z
    # None of the quantiles is there where there is no host.
    unfinished = np.asarray(~np.isfinite(z).all(axis=1) & ~np.isnan(z).all(axis=1))
    yield _Fault(
        unfinished,
        "host_z",
        "quantiles of p(z) that are not all finite numbers",
        f"give all {z.shape[1]}, at levels {Z_LEVELS}, or NaN for all where there is no host",
        True,
    )
    yield _Fault(
        np.asarray(~unfinished & np.any(z[:, 1:] < z[:, :-1], axis=1)),
        "host_z",
        "quantiles of p(z) that decrease",
        f"sort them: they are at levels {Z_LEVELS}",
        True,
    )
    yield _Fault(
        np.any(z < 0, axis=1),
        "host_z",
        "a redshift below zero",
        "give quantiles of p(z) at zero or above",
        True,
    )
    dust = curves.galactic_excess
    yield _Fault(
        ~(np.isfinite(dust) & (dust >= 0)),
        "galactic_excess",
        "an E(B-V) that is no number, or below zero",
        "give that of the Milky Way, mag; zero where it is not known",
        True,
    )


def require_sound(curves: LightCurves, source: str = "the light curves") -> None:
    """Raise a `SubmissionError` with every problem there is, if there is one."""
    if problems := light_curve_problems(curves):
        raise SubmissionError(problems, source, "nothing of it is used")


def _repeated(curves: LightCurves) -> NDArray[np.bool_]:
    """(m,) observations of a transient in a band at a time that an earlier row has."""
    order = np.lexsort((curves.mjd, curves.band, curves.owner))
    owner, band, mjd = curves.owner[order], curves.band[order], curves.mjd[order]
    again = np.zeros(order.size, bool)
    again[order[1:]] = (owner[1:] == owner[:-1]) & (band[1:] == band[:-1]) & (mjd[1:] == mjd[:-1])
    return again


def _whole(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Whole numbers as int64, for nothing to be cut off them."""
    given = np.atleast_1d(np.asarray(values))
    if given.size and not (
        given.dtype.kind in "iu"
        or (given.dtype.kind == "f" and np.all(np.isfinite(given) & (given == np.floor(given))))
    ):
        raise ValueError(f"{name} holds a whole number for each transient, not {given.dtype}: give int64")
    return given.astype(np.int64)
