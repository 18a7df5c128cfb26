"""What the readers of other people's light curves share: words, redshifts, and what is said of bad rows.

A reader makes a `Part` of each file, or pair of files, and `join` makes one of all parts or says everything
that is wrong, with the file and the row of each fault.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..simulators.hosts import quantiles
from ..simulators.transient_classes import CLASSES, OUT_OF_DISTRIBUTION
from .light_curves import Z_LEVELS, LightCurves, light_curve_problems, sound
from .problems import Problem, SubmissionError, rows_text
from .submission_files import kind_of_file

__all__ = [
    "FLUXCAL_ZERO_POINT",
    "OUR_CLASSES",
    "CurveLimits",
    "Part",
    "Truth",
    "as_sequence",
    "check_file",
    "host_redshifts",
    "join",
    "normal_quantiles",
    "read_quantiles",
    "refusal",
]

FLUXCAL_ZERO_POINT = 27.5
"""AB magnitude of a FLUXCAL of one: mag = 27.5 - 2.5 log10(FLUXCAL) (SNANA, format of the data of
DES-SN5YR); PLAsTiCC's fluxes, which SNANA made, are the same. One of them is 36.308 nJy."""

NOT_READ = "nothing of it is read"
"""What becomes of files of light curves that have a problem."""

OUR_CLASSES = (*CLASSES, *OUT_OF_DISTRIBUTION)
"""Classes that have a word here; others keep the name that their makers gave them."""


@dataclass(frozen=True)
class CurveLimits:
    """The largest files of light curves that are read.

    A file is held in memory while it is read: about 150 bytes a row for CSV (420 MB for three million rows),
    and FITS twice over.

    Attributes:
        bytes: of one file, and of what it unpacks to where it is held as a whole (FITS).
        rows: of one table.
    """

    bytes: int = 64 << 30
    rows: int = 100_000_000


@dataclass(frozen=True)
class Truth:
    """What is true of other people's transients, as far as their files say.

    Attributes:
        name: (n,) text, what each transient is called in its file.
        kind: (n,) text, its class: a word of `OUR_CLASSES`, or the name its makers gave; empty if unknown.
        z: (n,) float32 true redshift; NaN if unknown.
        peak_mjd: (n,) float64 time of peak, or the estimate that the file has; NaN if unknown.
        skipped: what was wrong with transients that were left out.
    """

    name: NDArray[np.str_]
    kind: NDArray[np.str_]
    z: NDArray[np.float32]
    peak_mjd: NDArray[np.float64]
    skipped: tuple[Problem, ...] = ()

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) whether the class of each is known, by whatever name."""
        return self.kind != ""

    def codes(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """(n,) the place of each one's class among `classes`; -1 of those that are of none of them.

        What is of no class counts as out of distribution in scores, so an unknown class has no code.

        Raises:
            ValueError: if the class of one is not known (`known`).
        """
        if (unknown := np.flatnonzero(~self.known)).size:
            raise ValueError(
                f"the class is not known of {unknown.size:,} of {self.name.size:,} transients, the first is "
                f"{self.name[unknown[0]]}: leave them out, with curves.select(truth.known) and "
                "truth.select(truth.known), or say what their codes mean where files are read"
            )
        place = {kind: i for i, kind in enumerate(classes)}
        kinds, inverse = np.unique(self.kind, return_inverse=True)
        return np.array([place.get(str(kind), -1) for kind in kinds], dtype=np.int64)[inverse]

    def select(self, which: NDArray) -> Truth:
        """Of some transients, in the order given: (n,) bool, or numbers."""
        return replace(
            self,
            name=self.name[which],
            kind=self.kind[which],
            z=self.z[which],
            peak_mjd=self.peak_mjd[which],
        )


@dataclass(frozen=True)
class Part:
    """Light curves of one file, or pair of files, and where each row of them came from.

    Attributes:
        curves: in order of time for each transient.
        truth: of the same transients.
        files: of what comes from observations, and of what comes from transients.
        columns: names in the files, by those of `LightCurves`.
        rows: (m,) rows, from 0, of the observations in their file.
        transients: (n,) rows, from 0, of the transients in theirs.
        problems: of rows, found already; bands are among them, because the file has names of its own.
        lost: (n,) bool, transients of which there are rows that could not be read, so that nothing is said of
            what they lack; None for none of them.
    """

    curves: LightCurves
    truth: Truth
    files: tuple[str, str]
    columns: Mapping[str, str]
    rows: NDArray[np.int64]
    transients: NDArray[np.int64]
    problems: tuple[Problem, ...] = field(default=())
    lost: NDArray[np.bool_] | None = None


def join(
    parts: Sequence[Part], problems: Sequence[Problem], source: str, *, skip: bool = False
) -> tuple[LightCurves, Truth]:
    """The transients of all parts, with their names as ids if all are whole numbers, else numbered.

    Arguments:
        parts: any number.
        problems: what was wrong already, and cannot be left out.
        source: what the files are called together.
        skip: leave out transients of which some row is bad.

    Raises:
        SubmissionError: with all that is wrong.
    """
    fatal, skipped = list(problems), []
    for part in parts:
        (skipped if skip else fatal).extend([*part.problems, *_row_problems(part)])
    names = np.concatenate([part.truth.name for part in parts]) if parts else np.zeros(0, dtype="U1")
    _, first = np.unique(names, return_index=True)
    again = np.ones(len(names), bool)
    again[first] = False
    starts = np.cumsum([0, *(len(part.truth.name) for part in parts)])
    for part, start, end in zip(parts, starts[:-1], starts[1:], strict=True):
        if (rows := np.flatnonzero(again[start:end])).size:
            told = rows_text(rows, part.truth.name, part.transients)
            what = f"{part.files[1]}: a transient that came before: {told}"
            fix = "give each transient once, in one file, all its observations together"
            problem = Problem(int(part.transients[rows[0]]) + 1, part.columns["id"], what, fix, rows.size)
            (skipped if skip else fatal).append(problem)
    if fatal:
        raise SubmissionError(fatal, source, NOT_READ)
    keep = ~again
    if skip and parts:
        keep &= np.concatenate([sound(part.curves) for part in parts])
    if not keep.any():
        what = "there is no light curve" + (" without a problem" if skipped else "")
        raise SubmissionError(
            [*skipped, Problem(None, None, what, "check that these are the files")], source, NOT_READ
        )
    truth = Truth(
        name=names,
        kind=np.concatenate([part.truth.kind for part in parts]),
        z=np.concatenate([part.truth.z for part in parts]),
        peak_mjd=np.concatenate([part.truth.peak_mjd for part in parts]),
        skipped=tuple(skipped),
    )
    curves = parts[0].curves if len(parts) == 1 else LightCurves.joined([part.curves for part in parts])
    curves = replace(curves, id=_ids(names))
    return (curves, truth) if keep.all() else (curves.select(keep), truth.select(keep))


def _ids(names: NDArray[np.str_]) -> NDArray[np.int64]:
    # 18 digits fit whatever they are.
    if np.char.str_len(names).max(initial=0) <= 18 and np.char.isdecimal(names).all():
        numbers = names.astype(np.int64)
        if len(np.unique(numbers)) == len(np.unique(names)):  # 07 and 7 are two names
            return numbers
    return np.arange(len(names))


def _row_problems(part: Part) -> list[Problem]:
    curves = part.curves
    if part.lost is not None and part.lost.any():
        # A detection may be in the rows that could not be read.
        curves = replace(curves, detected=curves.detected | part.lost[curves.owner])
    found = light_curve_problems(curves, names=part.truth.name, rows=part.rows, transients=part.transients)
    told = []
    for problem in found:
        if problem.column in ("band", "id"):  # told in words of the file, and of all files together
            continue
        column = problem.column or ""
        file = part.files[0 if column in ("mjd", "flux", "error") else 1]
        # Files have units of their own.
        fix = problem.fix.removesuffix(", nJy") + ", or read with skip=True"
        column = part.columns.get(column, column)
        told.append(replace(problem, column=column, what=f"{file}: {problem.what}", fix=fix))
    return told


def refusal(path: Path, what: str, fix: str, *, column: str | None = None) -> SubmissionError:
    """An error with one problem, of a file."""
    return SubmissionError([Problem(None, column, f"{path.name}: {what}", fix)], path.name, NOT_READ)


def as_sequence(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    """One path or several, as a list.

    Raises:
        TypeError: if there is something else.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) or not isinstance(paths, Iterable) else [*paths]
    for one in given:
        if not isinstance(one, (str, os.PathLike)):
            raise TypeError(
                f"light curves are read from a path, or a list of paths, not from {one!r}: give the name of "
                "the file"
            )
    return [Path(path) for path in given]


def check_file(path: Path, limits: CurveLimits) -> bytes:
    """The first 64 bytes of a plain file that is not too large.

    Raises:
        SubmissionError: if it is none, cannot be opened, is empty, or is something known that is no table.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise refusal(path, "is not a file", "name the file that holds the table")
        with open(path, "rb") as file:
            head = file.read(64)
    except (OSError, ValueError) as error:
        if isinstance(error, SubmissionError):
            raise
        raise refusal(path, f"cannot be opened: {error}", "check the path and its permissions") from error
    if status.st_size > limits.bytes:
        what = f"has {status.st_size:,} bytes; at most {limits.bytes:,} are read"
        raise refusal(path, what, "read fewer files at a time, or raise `limits`")
    if not head:
        raise refusal(path, "is empty", "copy or download it again")
    kind = kind_of_file(head)
    if kind is not None and kind != "gzip-compressed":
        raise refusal(path, f"is {kind}, whatever its name", "give the file as it was published")
    return head


def normal_quantiles(mean: ArrayLike, error: ArrayLike) -> NDArray[np.float32]:
    """Quantiles of p(z), at `Z_LEVELS`, of normal distributions that are cut at zero: (n, 5).

    Arguments:
        mean: (n,) of the normal before the cut; where it is not positive (the -9 and -99 of files, and the
            zero that PLAsTiCC gives to stars) there is no redshift, and all quantiles are NaN.
        error: (n,) its standard deviation; what is not positive is none, and all quantiles are the mean.

    Examples:
        >>> normal_quantiles([0.5, -9.0], [0.1, -9.0]).round(2).astype(str).tolist()
        [['0.3', '0.4', '0.5', '0.6', '0.7'], ['nan', 'nan', 'nan', 'nan', 'nan']]
    """
    mu, sigma = (np.asarray(one, dtype=float)[:, None] for one in (mean, error))
    known = np.isfinite(mu) & (mu > 0)
    width = np.where(known & np.isfinite(sigma) & (sigma > 0), sigma, 0.0)
    spread = np.where(width > 0, quantiles(mu[:, 0], np.where(width > 0, width, 1.0)[:, 0]), mu)
    return np.where(known, spread, np.nan).astype(np.float32)


def read_quantiles(percent: Sequence[float], values: NDArray) -> NDArray[np.float32]:
    """Quantiles at `Z_LEVELS`, from others by straight lines between them: (n, 5).

    Arguments:
        percent: (k,) levels, increasing; the first and the last hold beyond.
        values: (n, k) redshifts. Rows that decrease, or hold what is negative or no number, have no p(z).
    """
    z = np.asarray(values, dtype=float)
    at = 100 * np.array(Z_LEVELS)
    right = np.clip(np.searchsorted(percent, at), 1, len(percent) - 1)
    low, high = np.asarray(percent, float)[right - 1], np.asarray(percent, float)[right]
    share = np.clip((at - low) / (high - low), 0.0, 1.0)
    good = np.asarray(np.isfinite(z).all(axis=1) & (z >= 0).all(axis=1))
    good &= (np.diff(np.where(good[:, None], z, 0.0), axis=1) >= 0).all(axis=1) & (z[:, -1] > 0)
    read = (1 - share) * z[:, right - 1] + share * z[:, right]
    return np.where(good[:, None], read, np.nan).astype(np.float32)


def host_redshifts(
    spectrum: tuple[ArrayLike, ArrayLike],
    photometry: tuple[ArrayLike, ArrayLike],
    quantiles: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """p(z) of hosts, (n, 5), and whether it is that of a spectrum, (n,).

    Arguments:
        spectrum, photometry: (n,) redshifts and their errors; what is not positive is none. A spectrum goes
            before quantiles, and these before the photometric mean and error.
        quantiles: (n, 5) as `read_quantiles` gives them.
    """
    photo, spec = normal_quantiles(*photometry), normal_quantiles(*spectrum)
    if quantiles is not None:
        photo = np.where(np.isnan(quantiles), photo, quantiles)
    known = np.asarray(np.isfinite(spec).all(axis=1))
    return np.where(known[:, None], spec, photo), known
