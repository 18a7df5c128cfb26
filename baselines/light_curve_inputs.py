"""Light curves as sequences of rows of numbers, which a recurrent network reads one after another.

A row is one observation, or all those of one night. What it says follows from the observations up to it
alone: fluxes are on a fixed scale, never on that of a maximum that is still to come. So the first k rows of
a curve are the rows of the curve that ends there, and one table serves early classification too. Nothing
tells of the id of a transient, of its place on the sky, or of the date.

A curve begins some days before its first detection, which is when anyone begins to look; without one there
is no row at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..challenges.light_curves import LightCurves

__all__ = [
    "COMPRESS",
    "FLUX_SCALE_NJY",
    "HISTORY_DAYS",
    "NIGHT_GAP_DAYS",
    "N_BANDS",
    "N_STATIC",
    "Per",
    "RowLayout",
    "SequenceInputs",
    "layout",
    "nights",
    "rows_of",
    "sequence_inputs",
    "static_inputs",
]  # fmt: skip

Per = Literal["observation", "night"]

N_BANDS = 10
"""LSST's and Euclid's; observations in other bands are left out."""

COMPRESS = 3.0
"""What the logarithms of fluxes are divided by, so that columns are of order one."""

FLUX_SCALE_NJY = 200.0
"""Fluxes well above it are seen by their logarithm, those below as they are. About the error of one LSST
visit in r: a depth of 24.0 mag at five sigma is 912 nJy, a fifth of it 182 nJy. Our choice."""

HISTORY_DAYS = 30.0
"""How long before its first detection a curve begins. Our choice: most transients are fainter than the
noise before that, and what is further back is noise."""

NIGHT_GAP_DAYS = 0.35
"""Observations closer than this follow each other in one night. Our choice: shorter than any day between
two nights, longer than the time between visits of a night."""

_DAYS = 10.0  # times well below it are seen as they are, those above by their logarithm; our choice
_MIN_ERROR = 1e-3


@dataclass(frozen=True)
class RowLayout:
    """What the columns of a row are.

    Attributes:
        n_columns: of a row.
        flux: columns that hold fluxes.
        error: columns with the logarithm of their errors.
        present: columns that say whether there is such a flux; none where each row has one.
        known: columns that are known before the fluxes of the row are: when, in which band, how deep.
    """

    n_columns: int
    flux: tuple[int, ...]
    error: tuple[int, ...]
    present: tuple[int, ...]
    known: tuple[int, ...]


def layout(per: Per) -> RowLayout:
    """The columns of a row for each kind of it.

    Raises:
        ValueError: if the kind is not known.
    """
    if per == "observation":
        # flux, S/N, error, time since the row before, since the first detection, detected, band
        return RowLayout(6 + N_BANDS, (0,), (2,), (), (2, 3, 4, *range(6, 6 + N_BANDS)))
    if per == "night":
        # of each band flux, S/N, error, whether it is there; then the two times, and detected
        n = N_BANDS
        bands = [tuple(range(k * n, (k + 1) * n)) for k in range(4)]
        return RowLayout(4 * n + 3, bands[0], bands[2], bands[3], (*bands[2], *bands[3], 4 * n, 4 * n + 1))
    raise ValueError(f"rows are per 'observation' or per 'night', not per {per!r}")


@dataclass(frozen=True)
class SequenceInputs:
    """Sequences of rows, those of one transient after those of another.

    Attributes:
        rows: (m, column) float32; see `layout`.
        row_size: (n,) int64 rows of each transient.
        first: (n,) int64 how many of them end with its first detection; 0 without one.
        static: (n, `N_STATIC`) float32, what does not change: see `static_inputs`.
    """

    rows: NDArray[np.float32]
    row_size: NDArray[np.int64]
    first: NDArray[np.int64]
    static: NDArray[np.float32]

    def __len__(self) -> int:
        return self.row_size.shape[0]

    @property
    def starts(self) -> NDArray[np.int64]:
        """(n,) where the rows of each transient begin."""
        return np.cumsum(self.row_size) - self.row_size

    def padded(
        self, which: NDArray[np.int64], size: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Some sequences with zeros at their ends, so that all are as long as the longest.

        Arguments:
            which: (b,) numbers of transients.
            size: (b,) how many rows to take of each; all of them by default.

        Returns:
            (b, row, column) float32, one row at least, and (b,) int64 sizes.
        """
        sizes = self.row_size[which] if size is None else size
        longest = max(int(sizes.max(initial=0)), 1)
        place = np.arange(longest)
        inside = place < sizes[:, None]
        rows = np.zeros((len(which), longest, self.rows.shape[1]), np.float32)
        rows[inside] = self.rows[(self.starts[which][:, None] + place)[inside]]
        return rows, sizes


def sequence_inputs(curves: LightCurves, *, per: Per = "night") -> SequenceInputs:
    """The rows of many light curves.

    Arguments:
        curves: sound ones (`challenges.light_curves.require_sound`).
        per: a row for each "observation" or for each "night".

    Raises:
        ValueError: if `per` is neither.
    """
    width = layout(per).n_columns
    curves = curves.keep(curves.band < N_BANDS)
    first = curves.first_detection()
    owner = curves.owner
    keep = curves.mjd >= first[owner] - HISTORY_DAYS
    owner, mjd = owner[keep], curves.mjd[keep]
    detected = curves.detected[keep]
    n = len(curves)
    static = static_inputs(curves)
    if not mjd.size:
        nothing = np.zeros(n, np.int64)
        return SequenceInputs(np.zeros((0, width), np.float32), nothing, nothing.copy(), static)
    row = np.arange(mjd.size) if per == "observation" else nights(owner, mjd)
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    row_owner = owner[begins]
    rows = rows_of(
        per, row, mjd, curves.band[keep], curves.flux[keep], curves.error[keep], detected,
        since_first=(mjd[begins] - first[row_owner]), new=np.diff(row_owner, prepend=-1) != 0,
    )  # fmt: skip
    size = np.bincount(row_owner, minlength=n)
    # Rows that begin before the first detection, and the one that it is in.
    until = np.bincount(row_owner[mjd[begins] <= first[row_owner]], minlength=n)
    return SequenceInputs(rows, size, until, static)


def rows_of(
    per: Per,
    row: NDArray[np.int64],
    mjd: NDArray[np.float64],
    band: NDArray[np.uint8],
    flux: NDArray[np.float32],
    error: NDArray[np.float32],
    detected: NDArray[np.bool_],
    *,
    since_first: NDArray[np.float64],
    new: NDArray[np.bool_],
    previous: float | None = None,
) -> NDArray[np.float32]:
    """Rows from observations in order.

    Arguments:
        row: (m,) which row each observation goes to: 0, ... k - 1, not decreasing.
        mjd, band, flux, error, detected: (m,) as in `LightCurves`, bands below `N_BANDS`.
        since_first: (k,) days from the first detection to the first observation of each row.
        new: (k,) whether a transient begins here, so that there is no row before.
        previous: MJD of the row before the first of these, where that one is not new.

    Returns:
        (k, column) float32.
    """
    k = len(new)
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    start = mjd[begins]
    gap = np.diff(start, prepend=start[0] if previous is None else previous)
    gap[new] = 0
    times = np.stack([_log_days(gap), _log_days(since_first)], axis=1)
    columns = layout(per)
    table = np.zeros((k, columns.n_columns), np.float32)
    if per == "observation":
        table[:, :3] = np.stack(_fluxes(flux, error), axis=1)
        table[:, 3:5] = times
        table[:, 5] = detected
        table[np.arange(k), 6 + band] = 1
        return table
    # The mean of a band in a night, each observation weighed by its inverse variance.
    cell = row * N_BANDS + band
    weight = 1 / np.maximum(error.astype(np.float64), _MIN_ERROR) ** 2
    total = np.bincount(cell, weight, k * N_BANDS)
    there = total > 0
    safe = np.where(there, total, 1)
    mean = np.bincount(cell, weight * flux, k * N_BANDS) / safe
    for place, values in enumerate((*_fluxes(mean, safe**-0.5), np.ones_like(mean))):
        table[:, place * N_BANDS : (place + 1) * N_BANDS] = (values * there).reshape(k, N_BANDS)
    table[:, -3:-1] = times
    table[:, -1] = np.bincount(row, detected, k) > 0
    return table


N_STATIC = 9
"""Numbers that each transient has only once."""


def static_inputs(curves: LightCurves) -> NDArray[np.float32]:
    """(n, `N_STATIC`) what each transient has only once.

    The five quantiles of the host's p(z) as ln(1 + z), zero without a host; whether there is one; whether its
    redshift is of a spectrum; ln of half the width of p(z), in ln(1 + z), over `COMPRESS`; and E(B-V) of the
    Milky Way.
    """
    known = np.asarray(np.isfinite(curves.host_z).all(axis=1))
    z = np.log1p(np.where(known[:, None], curves.host_z, 0))
    # 1e-3 is the accuracy of a redshift of a faint galaxy's spectrum, by order of magnitude.
    width = np.where(known, np.log(np.maximum((z[:, 3] - z[:, 1]) / 2, 1e-3)) / COMPRESS, 0)
    excess = np.nan_to_num(curves.galactic_excess)
    return np.column_stack([z, known, curves.host_spectrum & known, width, excess]).astype(np.float32)


def _fluxes(flux: NDArray, error: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Flux and S/N, nearly linear about zero and logarithmic far from it, and the logarithm of the error."""
    sigma = np.maximum(error, _MIN_ERROR)
    return (
        np.arcsinh(flux / FLUX_SCALE_NJY) / COMPRESS,
        np.arcsinh(flux / sigma) / COMPRESS,
        np.log(sigma / FLUX_SCALE_NJY) / COMPRESS,
    )


def _log_days(days: NDArray) -> NDArray:
    return np.arcsinh(days / _DAYS) / 2


def nights(owner: NDArray, mjd: NDArray) -> NDArray[np.int64]:
    """(m,) the number of the night of each observation, counted over all transients."""
    begins = (np.diff(owner, prepend=-1) != 0) | (np.diff(mjd, prepend=-np.inf) > NIGHT_GAP_DAYS)
    return np.cumsum(begins) - 1
