"""Light curves in SNANA's FITS files: pairs `*_HEAD.FITS` and `*_PHOT.FITS`, gzipped or not.

The form is that of the writer of SNANA (`sntools_dataformat_fits.c`) and of the tables of ELAsTiCC and
DES-SN5YR: HEAD has a row for each transient, PHOT one for each observation. `PTROBS_MIN` and `PTROBS_MAX`,
counted from 1, say which rows of PHOT are whose; a row with MJD -777 follows those of each.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..simulators.surveys import find_band, flux_from_mag
from .curve_files import (
    FLUXCAL_ZERO_POINT,
    CurveLimits,
    Part,
    Truth,
    as_sequence,
    host_redshifts,
    join,
    read_quantiles,
)
from .fits_columns import read_fits_columns
from .light_curves import LightCurves
from .problems import Problem, SubmissionError, rows_text
from .snana_names import band_letter, class_of
from .snana_pairs import find_pairs

__all__ = ["DETECTION", "SATURATED", "SEPARATOR", "read_snana"]

DETECTION = 4096
"""The bit of PHOTFLAG for a detection (ELAsTiCC), unless the first header of the file has PHOTFLAG_DETECT."""

SATURATED = 1e8
"""FLUXCALERR of an observation that is saturated, so that it has no measurement (SNANA, `sndata.h`)."""

SEPARATOR = -777.0
"""MJD of the row after each light curve."""

_COLUMNS = {
    "mjd": "MJD", "band": "BAND", "flux": "FLUXCAL", "error": "FLUXCALERR",
    "detected": "SNID", "id": "SNID", "host_z": "HOSTGAL_PHOTOZ",
}  # fmt: skip
_TEXT = {"SNID", "BAND", "FLT", "SIM_TYPE_NAME"}
_HEAD_NEEDED = (("SNID",), ("PTROBS_MIN",), ("PTROBS_MAX",))
_HEAD_WANTED = re.compile(
    "NOBS|MWEBV|SNTYPE|SIM_GENTYPE|SIM_TYPE_INDEX|SIM_TYPE_NAME|SIM_REDSHIFT_CMB|SIM_PEAKMJD|PEAKMJD|ZP_FLUXCAL|"
    r"REDSHIFT_FINAL(_ERR)?|HOSTGAL_(PHOTOZ|SPECZ)(_ERR)?|HOSTGAL_ZPHOT_Q\d+"
)
_PHOT_NEEDED = (("MJD",), ("BAND", "FLT"), ("FLUXCAL",), ("FLUXCALERR",))
_QUANTILE = re.compile(r"HOSTGAL_ZPHOT_Q(\d+)")
# Errors of a redshift up to this are taken for those of a spectrum, where a file has REDSHIFT_FINAL alone:
# our choice, between 0.001 of spectra and 0.02 of the best photometric redshifts.
_SPECTRUM_ERROR = 0.01


def read_snana(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    bands: Mapping[str, str] | None = None,
    classes: Mapping[int | str, str] | None = None,
    skip: bool = False,
    limits: CurveLimits | None = None,
) -> tuple[LightCurves, Truth]:
    """Read light curves, and truth where there is some, from pairs of FITS files of SNANA.

    FLUXCAL has zero point 27.5 (a column ZP_FLUXCAL goes before that); it becomes nJy, times 36.308. Bands
    become those of LSST by the letter in their name: ``g``, ``LSST-g`` and ``g-DES`` are g, ``Y`` is y.
    Filters of other surveys are not quite those, and fluxes are left as they are. Observations of each
    transient are sorted by time, as SNANA does not promise their order; saturated ones are left out.

    Detected is what has the bit for it in PHOTFLAG; in a pair where no observation has it, what is above
    five times its error. The host's p(z) is HOSTGAL_SPECZ where it is positive; else HOSTGAL_ZPHOT_Q...,
    and else HOSTGAL_PHOTOZ and its error as a normal distribution cut at zero; without any such columns,
    REDSHIFT_FINAL. MWEBV that is missing or negative is zero.

    Classes come from SIM_GENTYPE or SIM_TYPE_INDEX where file names or the header say ELAsTiCC (codes of
    that challenge); else from SIM_TYPE_NAME, from the model in the name of the file, or from `classes`.

    Arguments:
        path: a HEAD file, a `.LIST` of them, a folder (with those below it), or several of these.
        bands: our names for bands, by the names in the files, such as ``{"a": "g", "Y": "Y"}``.
        classes: our names for classes, by SIM_TYPE_NAME or by code: SIM_GENTYPE, SIM_TYPE_INDEX, else SNTYPE.
        skip: leave out transients of which a row is bad, and say so in the truth, instead of refusing all.
        limits: the largest files that are read.

    Returns:
        The light curves, with SNID as id if all are whole numbers, else numbered; and what is true of them.

    Raises:
        SubmissionError: with everything that is wrong in any file, with its row, and what to do.
        ValueError: if `bands` names no band of ours.
        TypeError: if `path` is no path.
    """
    limits = limits or CurveLimits()
    given = {name: find_band(ours).code for name, ours in (bands or {}).items()}
    problems: list[Problem] = []
    parts = []
    paths = as_sequence(path)
    for head, phot in find_pairs(paths, problems):
        try:
            parts.append(_read_pair(head, phot, given, classes or {}, limits))
        except SubmissionError as error:
            problems += error.problems
    source = paths[0].name if len(paths) == 1 else f"{len(paths)} SNANA files"
    return join(parts, problems, source or str(path), skip=skip)


def _read_pair(
    head_path: Path,
    phot_path: Path,
    bands: Mapping[str, int],
    classes: Mapping[int | str, str],
    limits: CurveLimits,
) -> Part:
    problems: list[Problem] = []
    tables = []
    for path, needed, wanted in (
        (head_path, _HEAD_NEEDED, _HEAD_WANTED),
        (phot_path, _PHOT_NEEDED, re.compile("PHOTFLAG")),
    ):
        try:
            tables.append(read_fits_columns(path, needed, wanted, _TEXT, limits))
        except SubmissionError as error:
            problems += error.problems
    if problems:
        raise SubmissionError(problems, head_path.name)
    (header, head), (_, phot) = tables
    band_column = "BAND" if "BAND" in phot else "FLT"
    names = np.char.strip(np.char.decode(head["SNID"].astype("S"), "utf-8", "replace"))
    if names.dtype.itemsize == 0:
        names = names.astype("U1")
    start, size = _pointers(head, phot, names, (head_path.name, phot_path.name))

    rows = np.repeat(start - (np.cumsum(size) - size), size) + np.arange(size.sum())
    owner = np.repeat(np.arange(len(size)), size)
    # An error that is no number is not dropped: it is told.
    rows, owner = (one[~(phot["FLUXCALERR"][rows] >= SATURATED)] for one in (rows, owner))
    mjd = phot["MJD"][rows].astype(np.float64)
    same = owner[1:] == owner[:-1]
    if not np.all((np.diff(mjd) >= 0) | ~same):
        order = np.lexsort((mjd, owner))
        rows, owner, mjd = rows[order], owner[order], mjd[order]
    codes, unknown = _band_codes(
        phot[band_column][rows], bands, phot_path.name, band_column, rows, names[owner]
    )

    zero_point = _positive(head, "ZP_FLUXCAL", FLUXCAL_ZERO_POINT)
    unit = flux_from_mag(np.where(zero_point < 100, zero_point, FLUXCAL_ZERO_POINT))[owner]
    with np.errstate(over="ignore", invalid="ignore"):
        flux = (phot["FLUXCAL"][rows] * unit).astype(np.float32)
        error = (phot["FLUXCALERR"][rows] * unit).astype(np.float32)
        seen = flux > 5 * error
    bit = header.get("PHOTFLAG_DETECT")
    bit = bit if isinstance(bit, int) and bit > 0 else DETECTION
    flags = phot["PHOTFLAG"][rows].astype(np.int64) & bit if "PHOTFLAG" in phot else np.zeros(rows.size, int)
    host_z, host_spectrum = _hosts(head)
    mwebv = head.get("MWEBV", np.zeros(len(names)))
    curves = LightCurves.of(
        id=np.arange(len(names)),
        row_size=np.bincount(owner, minlength=len(names)),
        mjd=mjd,
        band=codes,
        flux=flux,
        error=error,
        detected=flags > 0 if np.any(flags) else seen,
        host_z=host_z,
        host_spectrum=host_spectrum,
        galactic_excess=np.where(mwebv > 0, mwebv, 0.0),
    )
    z = head.get("SIM_REDSHIFT_CMB", np.full(len(names), -9.0))
    truth = Truth(
        name=names,
        kind=_kinds(head, f"{header.get('VERSION', '')} {head_path.parent.name} {head_path.name}", classes),
        z=np.where(z >= 0, z, np.nan).astype(np.float32),
        peak_mjd=_positive(head, "SIM_PEAKMJD" if "SIM_PEAKMJD" in head else "PEAKMJD", np.nan),
    )
    columns = {**_COLUMNS, "band": band_column}
    return Part(
        curves, truth, (phot_path.name, head_path.name), columns, rows, np.arange(len(names)), unknown
    )


def _pointers(
    head: Mapping[str, NDArray], phot: Mapping[str, NDArray], names: NDArray, files: tuple[str, str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the rows of each transient begin in PHOT, from 0, and how many there are."""
    problems: list[Problem] = []

    def report(wrong: NDArray[np.bool_], column: str, what: str, fix: str) -> None:
        if (rows := np.flatnonzero(wrong)).size:
            told = f"{files[0]}: {what}: {rows_text(rows, names)}"
            problems.append(Problem(int(rows[0]) + 1, column, told, fix, rows.size))

    m = len(phot["MJD"])
    low, high = (head[name].astype(np.float64) for name in ("PTROBS_MIN", "PTROBS_MAX"))
    pair = "give the PHOT file that was written with this HEAD file"
    inside = (low >= 1) & (high <= m) & (high >= low - 1) & (low % 1 == 0) & (high % 1 == 0)
    report(~inside, "PTROBS_MIN", f"pointers that are not among the {m:,} rows of {files[1]}", pair)
    if "NOBS" in head:
        other = inside & (high - low + 1 != head["NOBS"])
        report(other, "NOBS", "pointers to another number of rows than NOBS", pair)
    start = np.where(inside, low - 1, 0).astype(np.int64)
    size = np.where(inside, high - low + 1, 0).astype(np.int64)
    order = np.argsort(start, kind="stable")
    order = order[size[order] > 0]
    shared = np.zeros(len(names), bool)
    shared[order[1:]] = start[order[1:]] < np.maximum.accumulate((start + size)[order])[:-1]
    report(shared, "PTROBS_MIN", "pointers to rows of another transient", pair)
    ends = np.concatenate([[0], np.cumsum(phot["MJD"] == SEPARATOR)])
    crossing = ends[start + size] > ends[start]
    report(
        crossing,
        "PTROBS_MAX",
        f"pointers across a row of MJD {SEPARATOR:.0f}, the end of a light curve",
        pair,
    )
    if problems:
        raise SubmissionError(problems, files[0])
    return start, size


def _band_codes(
    filters: NDArray,
    given: Mapping[str, int],
    file: str,
    column: str,
    rows: NDArray[np.int64],
    names: NDArray,
) -> tuple[NDArray[np.int64], tuple[Problem, ...]]:
    """Codes of our bands, -1 where the filter is unknown, and a problem for each that is."""
    every, inverse = np.unique(filters, return_inverse=True)
    codes = np.full(len(every), -1)
    problems = []
    for i, raw in enumerate(every):
        name = raw.decode("utf-8", "replace").strip("\0 ")
        code = given.get(name, band_letter(name))
        if code is not None:
            codes[i] = code
            continue
        where = np.flatnonzero(inverse == i)
        told = f"{file}: the band {name!r} is not known: {rows_text(where, names, rows)}"
        fix = f"say which of our bands it is, such as bands={{{name!r}: 'g'}}, or read with skip=True"
        problems.append(Problem(int(rows[where[0]]) + 1, column, told, fix, where.size))
    return codes[inverse], tuple(problems)


def _positive(head: Mapping[str, NDArray], name: str, default: float) -> NDArray[np.float64]:
    """(n,) a column where it is positive, else the default."""
    values = head.get(name, np.full(len(head["SNID"]), np.nan)).astype(np.float64)
    return np.where(values > 0, values, default)


def _hosts(head: Mapping[str, NDArray]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    none = np.full(len(head["SNID"]), -9.0)

    def pair(name: str) -> tuple[NDArray, NDArray]:
        return head.get(name, none), head.get(f"{name}_ERR", none)

    percent = {int(match[1]): name for name in head if (match := _QUANTILE.fullmatch(name))}
    levels = sorted(percent)
    quantiles = None
    if len(levels) > 1:
        quantiles = read_quantiles(levels, np.stack([head[percent[level]] for level in levels], axis=1))
    elif "HOSTGAL_PHOTOZ" not in head and "HOSTGAL_SPECZ" not in head:
        host_z, _ = host_redshifts((none, none), pair("REDSHIFT_FINAL"))
        error = pair("REDSHIFT_FINAL")[1]
        return host_z, ~np.isnan(host_z[:, 0]) & (error > 0) & (error <= _SPECTRUM_ERROR)
    return host_redshifts(pair("HOSTGAL_SPECZ"), pair("HOSTGAL_PHOTOZ"), quantiles)


def _kinds(head: Mapping[str, NDArray], where: str, classes: Mapping[int | str, str]) -> NDArray[np.str_]:
    """(n,) classes, one look-up for each code and name."""
    n = len(head["SNID"])
    column = next((c for c in ("SIM_GENTYPE", "SIM_TYPE_INDEX", "SNTYPE") if c in head), None)
    codes = head[column].astype(np.int64) if column else np.full(n, -9)
    words = head.get("SIM_TYPE_NAME", np.full(n, b""))
    pairs, inverse = np.unique(np.rec.fromarrays([codes, words]), return_inverse=True)
    simulated = column != "SNTYPE"
    kinds = [
        class_of(int(code), word.decode("utf-8", "replace").strip("\0 "), where, classes, simulated=simulated)
        for code, word in pairs.tolist()
    ]
    return np.array([*kinds, ""], dtype=str)[:-1][inverse]
