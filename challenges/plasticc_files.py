"""Light curves of PLAsTiCC: CSV tables of observations and of objects, gzipped or not.

Columns are those of the tables on Kaggle (`ddf`, `detected`, `target`) and of the unblinded ones on Zenodo
(record 2539456: `ddf_bool`, `detected_bool`, `true_target`, `true_z`, `true_peakmjd`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..simulators.surveys import BANDS, flux_from_mag
from .csv_columns import CsvColumns, read_csv_columns
from .curve_files import FLUXCAL_ZERO_POINT, CurveLimits, Part, Truth, as_sequence, host_redshifts, join
from .light_curves import LightCurves
from .problems import ROWS_NAMED, Problem, SubmissionError, rows_text

__all__ = ["PLASTICC_CLASSES", "read_plasticc"]

PLASTICC_CLASSES: dict[int, str] = {
    90: "Ia", 67: "Ia-91bg", 52: "Iax", 42: "II", 62: "Ibc", 95: "SLSN-I", 15: "TDE", 64: "KN", 88: "AGN",
    92: "RRL", 65: "M-dwarf", 16: "EB", 53: "Mira", 6: "uLens-Single",
    991: "uLens-Binary", 992: "ILOT", 993: "CaRT", 994: "PISN", 995: "uLens-String",
}  # fmt: skip
"""Classes by `target` and `true_target` (as public classifiers of these tables list them). II holds IIn here,
and Ibc is Ib and Ic; those from 991 on are in the test set alone."""

_BANDS = "ugrizy"
_COLUMNS = {
    "mjd": "mjd", "band": "passband", "flux": "flux", "error": "flux_err",
    "detected": "object_id", "id": "object_id", "host_z": "hostgal_photoz",
}  # fmt: skip
_OBSERVATIONS: Mapping[str, type] = {
    "object_id": np.int64, "mjd": np.float64, "passband": np.int16,
    "flux": np.float32, "flux_err": np.float32, "detected": np.bool_, "detected_bool": np.bool_,
}  # fmt: skip
_OBJECTS: Mapping[str, type] = {
    "object_id": np.int64, "hostgal_specz": np.float32, "hostgal_photoz": np.float32,
    "hostgal_photoz_err": np.float32, "mwebv": np.float32,
    "target": np.int64, "true_target": np.int64, "true_z": np.float32, "true_peakmjd": np.float64,
}  # fmt: skip
_OBJECTS_NEEDED = (
    ("object_id",), ("hostgal_specz",), ("hostgal_photoz",), ("hostgal_photoz_err",), ("mwebv",),
)  # fmt: skip


def read_plasticc(
    curves: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    metadata: str | os.PathLike[str] | None = None,
    *,
    objects: ArrayLike | None = None,
    partial: bool = False,
    skip: bool = False,
    limits: CurveLimits | None = None,
) -> tuple[LightCurves, Truth]:
    """Read light curves of PLAsTiCC, and truth where the metadata have it.

    Fluxes have zero point 27.5; they become nJy, times 36.308. Passbands 0 to 5 are LSST's u to y.
    Transients are in order of their id in each file, their observations in order of time. Without a column
    `detected` or `detected_bool`, what is above five times its error is detected. The host's p(z) is
    `hostgal_specz` where it is positive (without error), else `hostgal_photoz` with its error as a normal
    distribution cut at zero; zero, which stars have, is none.

    The files are read in pieces of 16 MB, and what is kept of them takes about 150 bytes a row while the
    light curves are made (measured on three million rows), and a fifth of that later.
    Give `objects` to keep few of a large file, or one file of many.

    Arguments:
        curves: one table of observations, or several; each object lies in one of them.
        metadata: the table of objects. None: no hosts, no dust, no truth.
        objects: ids to keep; others are read over.
        partial: the curves are of some objects of the metadata, or of `objects`, only, as when one of several
            files is read.
        skip: leave out transients of which a row is bad, and say so in the truth, instead of refusing all.
        limits: the largest files that are read.

    Raises:
        SubmissionError: with everything that is wrong in any file, with its row, and what to do.
        TypeError: if `curves` or `metadata` is no path.
    """
    limits = limits or CurveLimits()
    paths = as_sequence(curves)
    problems: list[Problem] = []
    wanted = None if objects is None else _whole(objects, problems)
    table = None
    if metadata is not None:
        if not isinstance(metadata, (str, os.PathLike)):
            raise TypeError(f"metadata is the path of one table, not {metadata!r}: give the name of its file")
        table = _read(Path(metadata), _OBJECTS, _OBJECTS_NEEDED, limits, None, problems)
        if table is not None:
            problems += _repeated_objects(table)
    needed = (("object_id",), ("mjd",), ("passband",), ("flux",), ("flux_err",))
    tables = [_read(path, _OBSERVATIONS, needed, limits, wanted, problems) for path in paths]
    parts = [_part(one, table) for one in tables if one is not None]
    there = None
    if all(one is not None and not one.unknown for one in tables):
        # Only when all rows could be read is it known what lacks.
        there = np.concatenate(
            [np.zeros(0, np.int64), *(part.curves.id for part in parts), *(one.lost for one in tables if one)]
        )
    if table is not None:
        problems += _missing(parts, table, None if partial or wanted is not None else there)
    if wanted is not None and there is not None and not partial:
        problems += _not_found(wanted, there)
    source = " and ".join(path.name for path in paths[:2]) or "no file"
    return join(parts, problems, source, skip=skip)


def _whole(objects: ArrayLike, problems: list[Problem]) -> NDArray[np.int64]:
    """Ids that are whole numbers, sorted; a problem is added for the others."""
    given = np.ravel(np.asarray(objects))
    whole = np.full(given.size, given.dtype.kind in "iu")
    if given.dtype.kind == "f":
        whole = np.isfinite(given) & (np.floor(given) == given)
    if not whole.all():
        named = ", ".join(str(one)[:40] for one in given[~whole][:ROWS_NAMED].tolist())
        what = f"`objects` holds {np.sum(~whole):,} that are no whole numbers: {named}"
        fix = "give ids as they stand in the column object_id, such as objects=[615, 713]"
        problems.append(Problem(None, None, what, fix, int(np.sum(~whole))))
    return np.unique(given[whole].astype(np.int64))


def _not_found(wanted: NDArray[np.int64], there: NDArray[np.int64]) -> list[Problem]:
    alone = np.setdiff1d(wanted, there)
    if not alone.size:
        return []
    more = f" and {alone.size - ROWS_NAMED:,} more" if alone.size > ROWS_NAMED else ""
    named = ", ".join(map(str, alone[:ROWS_NAMED].tolist()))
    what = f"`objects` names {alone.size:,} of which no table has an observation: {named}{more}"
    fix = "check the ids, give all tables of observations, or say partial=True"
    return [Problem(None, None, what, fix, alone.size)]


def _read(
    path: Path,
    types: Mapping[str, type],
    needed: Sequence[tuple[str, ...]],
    limits: CurveLimits,
    objects: NDArray[np.int64] | None,
    problems: list[Problem],
) -> CsvColumns | None:
    """The columns of a file, its problems added to others; None where it cannot be used."""
    try:
        table = read_csv_columns(path, types, needed, limits, key="object_id", keep=objects)
    except SubmissionError as error:
        problems += error.problems
        return None
    problems += table.problems
    return table


def _part(table: CsvColumns, metadata: CsvColumns | None) -> Part:
    taken = dict(table.columns)
    ids, mjd, passband = taken.pop("object_id"), taken.pop("mjd"), taken.pop("passband")
    detected: Any = taken.get("detected_bool", taken.get("detected"))
    rows = table.rows
    change = np.diff(ids)
    if not np.all((change > 0) | ((change == 0) & (np.diff(mjd) >= 0))):
        order = np.lexsort((mjd, ids))
        ids, mjd, passband, rows = ids[order], mjd[order], passband[order], rows[order]
        taken = {name: column[order] for name, column in taken.items()}
        detected = None if detected is None else detected[order]
    begin = np.flatnonzero(np.append(True, np.diff(ids) != 0)) if ids.size else np.zeros(0, np.int64)
    size = np.diff(np.append(begin, ids.size))
    own = ids[begin]
    names = own.astype(str)

    known = (passband >= 0) & (passband < len(_BANDS))
    codes = np.array([BANDS[name].code for name in _BANDS])
    unknown = []
    for value in np.unique(passband[~known]):
        where = np.flatnonzero(passband == value)
        what = f"{table.file}: the passband {value} is not known: {rows_text(where, ids, rows)}"
        fix = (
            "give "
            + ", ".join(f"{i} for {name}" for i, name in enumerate(_BANDS))
            + ", or read with skip=True"
        )
        unknown.append(Problem(int(rows[where[0]]) + 1, "passband", what, fix, where.size))

    of_object = _of_objects(metadata, own)
    unit = np.float32(flux_from_mag(FLUXCAL_ZERO_POINT))
    with np.errstate(over="ignore", invalid="ignore"):
        flux, error = taken["flux"] * unit, taken["flux_err"] * unit
    photo = of_object["hostgal_photoz"], of_object["hostgal_photoz_err"]
    host_z, host_spectrum = host_redshifts((of_object["hostgal_specz"], np.zeros(own.size)), photo)
    curves = LightCurves.of(
        id=own,
        row_size=size,
        mjd=mjd,
        band=np.where(known, codes[np.where(known, passband, 0)], -1),
        flux=flux,
        error=error,
        detected=detected,
        host_z=host_z,
        host_spectrum=host_spectrum,
        galactic_excess=np.where(of_object["mwebv"] > 0, of_object["mwebv"], 0.0),
    )
    code = of_object["true_target"]
    code = np.where(code > 0, code, of_object["target"]).astype(np.int64)
    every, inverse = np.unique(code, return_inverse=True)
    kinds = [PLASTICC_CLASSES.get(int(one), f"target {one}" if one > 0 else "") for one in every]
    z, peak = of_object["true_z"], of_object["true_peakmjd"]
    truth = Truth(
        name=names,
        kind=np.array([*kinds, ""], dtype=str)[:-1][inverse],
        z=np.where(z >= 0, z, np.nan).astype(np.float32),
        peak_mjd=np.where(peak > 0, peak, np.nan),
    )
    objects = np.arange(own.size)
    lost = np.isin(own, table.lost) | table.unknown
    return Part(curves, truth, (table.file, table.file), _COLUMNS, rows, objects, tuple(unknown), lost)


def _of_objects(metadata: CsvColumns | None, ids: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Columns of the metadata for some objects; -9 where there is none."""
    found = {name: np.full(ids.size, -9.0) for name in _OBJECTS if name != "object_id"}
    if metadata is None or not metadata.columns["object_id"].size:
        return found
    order = np.argsort(metadata.columns["object_id"], kind="stable")
    every = metadata.columns["object_id"][order]
    place = np.minimum(np.searchsorted(every, ids), every.size - 1)
    there = every[place] == ids
    for name, column in metadata.columns.items():
        if name != "object_id":
            found[name] = np.where(there, column[order[place]], -9.0)
    return found


def _repeated_objects(metadata: CsvColumns) -> list[Problem]:
    ids = metadata.columns["object_id"]
    _, first = np.unique(ids, return_index=True)
    again = np.setdiff1d(np.arange(ids.size), first)
    if not again.size:
        return []
    what = f"{metadata.file}: an object that came before: {rows_text(again, ids, metadata.rows)}"
    return [
        Problem(int(metadata.rows[again[0]]) + 1, "object_id", what, "give each object one row", again.size)
    ]


def _missing(parts: Sequence[Part], metadata: CsvColumns, there: NDArray[np.int64] | None) -> list[Problem]:
    """Curves without a row of metadata; and rows without a curve, where it is known which have one."""
    problems = []
    ids = metadata.columns["object_id"]
    for part in parts:
        its = np.isin(part.curves.id, np.concatenate([ids, metadata.lost]))
        if not metadata.unknown and (alone := np.flatnonzero(~its)).size:
            first = part.curves.ends[:-1][alone]
            told = rows_text(first, dict(zip(first.tolist(), part.truth.name[alone], strict=True)), part.rows)
            what = f"{part.files[0]}: objects that {metadata.file} does not have, from {told}"
            fix = "give the metadata of the same set, or none"
            problems.append(Problem(int(part.rows[first[0]]) + 1, "object_id", what, fix, alone.size))
    if there is not None and (alone := np.flatnonzero(~np.isin(ids, there))).size:
        what = f"{metadata.file}: objects without a light curve: {rows_text(alone, ids, metadata.rows)}"
        fix = "give all tables of observations, or say partial=True"
        problems.append(Problem(int(metadata.rows[alone[0]]) + 1, "object_id", what, fix, alone.size))
    return problems
