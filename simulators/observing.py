"""The visits of a real or simulated survey, read from its database or from a table.

A Rubin survey database is SQLite with a table ``observations``, one row for each visit, in the
columns of rubin_scheduler's output schema; `read_database` gives those whose field of view holds a
point of the sky. `read_parquet` reads a table of pointings, and `visits_from_columns` takes arrays
from anywhere. Depth is what every one of them must have: the noise of the pixels is inverted from
it. Seeing and airmass, where they are absent, are drawn jointly with the depth.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from .conditions import seeing_given_depth
from .surveys import BANDS, FIELD_RADIUS_DEG
from .visits import MAX_CONDENSED, Visits, widest_fwhm_eff

__all__ = ["read_database", "read_parquet", "visits_from_columns"]

_LSST = [band.name for band in BANDS.values() if band.survey == "LSST"]

# What we call a column: the names it has in tables, the first that is there counts.
_COLUMNS = {
    "band": ("band", "filter"),
    "mjd": ("mjd", "observationStartMJD"),
    "m5": ("m5", "fiveSigmaDepth"),
    "fwhm_eff_arcsec": ("fwhm_eff_arcsec", "seeingFwhmEff"),
    "fwhm_arcsec": ("fwhm_arcsec", "seeingFwhmGeom"),
    "airmass": ("airmass",),
    "exposure_s": ("exposure_s", "visitExposureTime"),
}
_NEEDED = ("band", "mjd", "m5")
# What a value may be, and what to say of it; depths beyond have their own check.
_RANGES = {
    "mjd": (40000.0, 100000.0, "a modified Julian date in days"),
    "m5": (10.0, 30.0, "a five-sigma depth in AB magnitudes"),
    "fwhm_eff_arcsec": (0.2, 10.0, "seeing in arcsec"),
    "fwhm_arcsec": (0.2, 10.0, "seeing in arcsec"),
    "airmass": (1.0, 10.0, "1 or more"),
    "exposure_s": (1.0, 600.0, "an exposure time in seconds"),
}
# Sharpest effective seeing a depth may ask for.
_SHARPEST_ARCSEC = 0.3


def visits_from_columns(
    columns: Mapping[str, Sequence[Any] | np.ndarray],
    *,
    rng: np.random.Generator,
    rows: np.ndarray | None = None,
    source: str = "the table",
) -> Visits:
    """LSST visits from arrays, checked.

    Arguments:
        columns: ``band`` (or ``filter``), ``mjd`` (``observationStartMJD``), ``m5``
            (``fiveSigmaDepth``); and if known ``fwhm_eff_arcsec`` (``seeingFwhmEff``) or
            ``fwhm_arcsec`` (``seeingFwhmGeom``), ``airmass``, ``exposure_s`` (``visitExposureTime``,
            of which every 30 s count as one visit, four at most).
        rng: for the seeing and the airmass where they are absent.
        rows: (n) numbers of the rows, for errors; from 0 if None.
        source: what errors call the table.

    Returns:
        The visits, sorted by time.

    Raises:
        ValueError: if a column is missing, or a value is; or it cannot be. Names column and row.
    """
    found = {
        ours: next((name for name in names if name in columns), None) for ours, names in _COLUMNS.items()
    }
    for ours in _NEEDED:
        if found[ours] is None:
            names = " or ".join(_COLUMNS[ours])
            raise ValueError(
                f"{source} has no column {names}: it has {', '.join(columns) or 'none at all'}. "
                f"Rename the one that holds it"
            )
    lengths = {name: len(columns[name]) for name in found.values() if name}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"the columns of {source} differ in length: {lengths}")
    rows = np.arange(next(iter(lengths.values()))) if rows is None else np.asarray(rows)

    values: dict[str, np.ndarray] = {}
    for ours, name in found.items():
        if name and ours != "band":
            values[ours] = _numbers(columns[name], ours, name, rows, source)
    code = _codes(columns[str(found["band"])], str(found["band"]), rows, source)
    condensed = np.ones(len(code), np.int8)
    if "exposure_s" in values:
        real = np.array([BANDS[name].exposure_s for name in _LSST])[code]
        condensed = np.clip(np.rint(values["exposure_s"] / real), 1, MAX_CONDENSED).astype(np.int8)
    # A visit that stands for several is as deep as one of them and 1.25 log10 of their number.
    single_m5 = values["m5"] - 1.25 * np.log10(condensed)
    widest = widest_fwhm_eff(code, single_m5)
    impossible = np.flatnonzero(widest < _SHARPEST_ARCSEC)
    if len(impossible):
        row = impossible[0]
        raise ValueError(
            f"row {rows[row]} of {source}: {found['m5']} is {values['m5'][row]:.4g} in {_LSST[code[row]]}, "
            f"which one visit reaches only in seeing under {_SHARPEST_ARCSEC} arcsec. "
            "Give the depth of single visits, not of a stack"
        )
    fwhm_eff, airmass = _seeing(rng, code, values, single_m5)
    order = np.argsort(values["mjd"], kind="stable")
    columns_out = (code, values["mjd"], fwhm_eff, values["m5"], airmass, condensed)
    return Visits(*(column[order] for column in columns_out))


def read_database(
    path: str | Path,
    *,
    ra_deg: float,
    dec_deg: float,
    rng: np.random.Generator,
    radius_deg: float = FIELD_RADIUS_DEG,
) -> Visits:
    """Visits of a Rubin survey database whose field of view holds a point of the sky.

    The database is opened for reading only.

    Arguments:
        path: SQLite file with a table ``observations`` (columns of rubin_scheduler's output schema;
            ``band`` and ``filter`` are both understood).
        ra_deg: right ascension, degrees.
        dec_deg: declination, degrees.
        rng: for the seeing and the airmass, if the table has none.
        radius_deg: of the field of view, degrees.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such database, a column or value is missing or cannot be, or no
            visit is near enough.
    """
    path = _existing(path)
    if not (math.isfinite(ra_deg) and -90 <= dec_deg <= 90):
        raise ValueError(f"ra_deg={ra_deg}, dec_deg={dec_deg} is not on the sky: give degrees")
    source = f"observations in {path.name}"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            there = [name for _, name, *_ in database.execute("PRAGMA table_info(observations)")]
            if not there:
                names = [
                    name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
                ]
                raise ValueError(
                    f"{path} has no table observations: it has {', '.join(names) or 'none'}. "
                    "Is it a survey database, as the survey's site gives them?"
                )
            for name in ("fieldRA", "fieldDec"):
                if name not in there:
                    raise ValueError(f"{source} has no column {name}: it has {', '.join(there)}")
            wanted = [name for names in _COLUMNS.values() for name in names if name in there]
            listed = ", ".join(f'"{name}"' for name in ["fieldRA", "fieldDec", *wanted])
            rows = database.execute(
                f"SELECT rowid, {listed} FROM observations WHERE fieldDec BETWEEN ? AND ? "
                "OR typeof(fieldDec) NOT IN ('real', 'integer')",
                (dec_deg - radius_deg, dec_deg + radius_deg),
            ).fetchall()
    except sqlite3.DatabaseError as error:
        raise ValueError(
            f"{path} cannot be read as an SQLite database ({error}): is the download complete, and not "
            "compressed?"
        ) from None
    columns = dict(zip(["rowid", "fieldRA", "fieldDec", *wanted], zip(*rows, strict=True), strict=False))
    if rows:
        number = np.array(columns.pop("rowid"))
        ra, dec = (_numbers(columns.pop(n), n, n, number, source) for n in ("fieldRA", "fieldDec"))
        near = np.flatnonzero(_separation_deg(ra, dec, ra_deg, dec_deg) <= radius_deg)
        if len(near):
            chosen = {name: [column[row] for row in near] for name, column in columns.items()}
            return visits_from_columns(chosen, rng=rng, rows=number[near], source=source)
    raise ValueError(
        f"{source} has no visit within {radius_deg} degrees of ra_deg={ra_deg}, dec_deg={dec_deg}: "
        "choose a point inside the survey"
    )


def read_parquet(path: str | Path, *, pointing: int, rng: np.random.Generator) -> Visits:
    """Visits of one pointing of a parquet table.

    Arguments:
        path: table with a column ``pointing``, and those of `visits_from_columns`.
        pointing: its number.
        rng: for the seeing and the airmass, if the table has none.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not parquet, a column or value is missing or cannot be, or it does not
            have that pointing.
    """
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    path = _existing(path)
    try:
        there = pq.read_schema(path).names
        if "pointing" not in there:
            raise ValueError(f"{path.name} has no column pointing: it has {', '.join(there)}")
        wanted = [name for names in _COLUMNS.values() for name in names if name in there]
        table = pq.read_table(path, columns=["pointing", *wanted])
    except ArrowException as error:
        raise ValueError(f"{path} cannot be read as a parquet table: {error}") from None
    numbers = table["pointing"].to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(numbers == pointing)
    if not len(rows):
        known = np.unique(numbers)
        raise ValueError(
            f"{path.name} has no pointing {pointing}: its {len(known)} go from {known.min()} to {known.max()}"
            if len(known)
            else f"{path.name} is empty"
        )
    columns = {name: table[name].to_numpy(zero_copy_only=False)[rows] for name in wanted}
    return visits_from_columns(columns, rng=rng, rows=rows, source=path.name)


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: give the path of a survey's table of visits")
    return path


def _seeing(
    rng: np.random.Generator, code: np.ndarray, values: Mapping[str, np.ndarray], m5: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Effective seeing and airmass: as given, else the one that goes with the other, else drawn."""
    given, air = values.get("fwhm_eff_arcsec"), values.get("airmass")
    if given is None and "fwhm_arcsec" in values:
        given = (values["fwhm_arcsec"] - 0.052) / 0.822  # SMTN-002
    if given is not None and air is not None:
        return given, air
    drawn, airmass = seeing_given_depth(rng, code=code, mjd=values["mjd"], m5=m5, airmass=air)
    return (drawn if given is None else given), airmass


def _numbers(
    column: Sequence[Any] | np.ndarray, ours: str, name: str, rows: np.ndarray, source: str
) -> np.ndarray:
    """A column as floats, every one of them finite and possible."""
    try:
        values = np.array([math.nan if value is None else float(value) for value in column])
    except (TypeError, ValueError):
        bad = next(row for row, value in enumerate(column) if not _is_number(value))
        raise ValueError(
            f"row {rows[bad]} of {source}: {name} is {column[bad]!r}, not a number: correct it or leave the "
            "row out"
        ) from None
    low, high, meaning = _RANGES.get(ours, (-360.0, 360.0, "an angle in degrees"))
    bad = np.flatnonzero(~((values >= low) & (values <= high)))
    if len(bad):
        what = f"row {rows[bad[0]]} of {source}: {name} is {values[bad[0]]:g}"
        raise ValueError(
            f"{what}, and has to be {meaning} ({low:g} to {high:g}); {len(bad)} of {len(values)} rows are "
            "not. Correct them or leave them out"
        )
    return values


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None
    return True


def _codes(column: Sequence[Any] | np.ndarray, name: str, rows: np.ndarray, source: str) -> np.ndarray:
    codes = {band: code for code, band in enumerate(_LSST)}
    bad = next((row for row, band in enumerate(column) if band not in codes), None)
    if bad is not None:
        raise ValueError(
            f"row {rows[bad]} of {source}: {name} is {column[bad]!r}, which is no band of LSST: "
            f"write one of {' '.join(_LSST)}, or leave the row out"
        )
    return np.array([codes[band] for band in column], np.int8)


def _separation_deg(ra: np.ndarray, dec: np.ndarray, ra_deg: float, dec_deg: float) -> np.ndarray:
    """Angle on the sky, degrees: haversine, which is good for small ones."""
    one, two = np.radians(dec), math.radians(dec_deg)
    half = np.sin((one - two) / 2) ** 2
    half = half + np.cos(one) * math.cos(two) * np.sin(np.radians(ra - ra_deg) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.minimum(half, 1.0))))
