"""Tables of numbers from anywhere: read by their suffix, checked column by column.

All that is wrong with a table is told at once: columns that are missing, and for each other column how
many rows are bad, the first of them, and what was allowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SUFFIXES", "Column", "read_table", "take_columns"]

SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".fits": "fits",
    ".fit": "fits",
    ".csv": "ascii.csv",
    ".ecsv": "ascii.ecsv",
}
"""Formats that are read, by the end of a file's name; `.gz` may follow the last four."""

# Bad rows that are named, and names that are offered for a missing column.
_NAMED = 3


@dataclass(frozen=True)
class Column:
    """What a column has to be.

    Attributes:
        name: of the column.
        meaning: what it is, with its unit, for whoever has to supply it.
        low, high: the smallest and largest value allowed; every value has to be finite.
        above: whether `low` itself is too small.
        needed: whether the table has to have it.
    """

    name: str
    meaning: str
    low: float = -np.inf
    high: float = np.inf
    above: bool = False
    needed: bool = True

    def bad(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) which of the values are not allowed."""
        enough = values > self.low if self.above else values >= self.low
        return ~(np.isfinite(values) & enough & (values <= self.high))

    @property
    def allowed(self) -> str:
        """The range in words."""
        above = "" if self.low == -np.inf else f"{'above' if self.above else 'at least'} {self.low:g}"
        below = "" if self.high == np.inf else f"at most {self.high:g}"
        return " and ".join(part for part in (above, below) if part) or "finite"


def read_table(source: Any, columns: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """The columns of a table as arrays.

    Arguments:
        source: a file (Parquet, FITS, CSV, ECSV by its suffix), or anything with named columns: a
            dictionary of arrays, an astropy, Arrow or pandas table, a structured array.
        columns: the names wanted, those that there are; all by default.

    Raises:
        ValueError: if the file is of no known format or cannot be read, if this is no table, or its columns
            are no arrays or differ in length.
        FileNotFoundError: if there is no such file.
    """
    if isinstance(source, (str, Path)):
        source = _read_file(Path(source), columns)
    names = list(_names(source))
    wanted = names if columns is None else [name for name in columns if name in names]
    table = {name: _array(source[name]) for name in wanted}
    single = [str(name) for name, values in table.items() if not values.ndim]
    if single:
        raise ValueError(f"the columns of a table are arrays, one value a row, which {single[0]!r} is not")
    if len({len(values) for values in table.values()}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in table.items())
        raise ValueError(f"the columns of a table are of one length, not {lengths}")
    return table


def take_columns(
    table: Mapping[str, NDArray[Any]], columns: Iterable[Column], *, title: str
) -> dict[str, NDArray[np.float64]]:
    """The columns that are asked for, as float64, each within its range.

    Arguments:
        table: arrays by name.
        columns: what is needed, and what is taken if it is there.
        title: what the table is called in an error.

    Raises:
        ValueError: naming every column that is missing and every bad row's column, with what to do.
    """
    problems, taken = [], {}
    columns = list(columns)
    spare = [str(name) for name in table if name not in {column.name for column in columns}]
    for column in columns:
        if column.name not in table:
            if column.needed:
                problems.append(_missing(column, spare))
            continue
        try:
            values = np.asarray(np.ma.filled(np.ma.asarray(table[column.name], dtype=float), np.nan))
        except (TypeError, ValueError):
            problems.append(f"column {column.name!r} holds no numbers: it is {column.meaning}")
            continue
        if values.ndim != 1:
            problems.append(
                f"column {column.name!r} has {values.ndim} dimensions: one number a row is needed"
            )
            continue
        (rows,) = np.nonzero(column.bad(values))
        if rows.size:
            first = ", ".join(f"{values[row]:g} in row {row}" for row in rows[:_NAMED])
            more = f" and {rows.size - _NAMED} more" if rows.size > _NAMED else ""
            problems.append(
                f"column {column.name!r} ({column.meaning}) has to be {column.allowed}, not {first}{more}:"
                " mend those rows, or leave them out"
            )
        taken[column.name] = values
    if problems:
        raise ValueError(f"{title} cannot be used:\n" + "\n".join(f"  {problem}" for problem in problems))
    return taken


def _missing(column: Column, spare: list[str]) -> str:
    near = difflib.get_close_matches(column.name, spare, n=_NAMED, cutoff=0.5)
    hint = f" (rename {' or '.join(repr(name) for name in near)}?)" if near else ""
    return f"column {column.name!r} is missing: {column.meaning}{hint}"


def _names(source: Any) -> Iterable[str]:
    if isinstance(source, np.ndarray):
        return source.dtype.names or ()
    names = getattr(source, "column_names", None) or getattr(source, "colnames", None)
    if names is None and not hasattr(source, "keys"):
        raise ValueError(
            f"a {type(source).__name__} is no table: give the path of a file, or anything with named columns"
        )
    return source.keys() if names is None else names


def _array(values: Any) -> NDArray[Any]:
    if hasattr(values, "to_numpy"):
        try:
            values = values.to_numpy(zero_copy_only=False)  # Arrow
        except TypeError:
            values = values.to_numpy()  # pandas
    array = np.ma.asarray(values) if np.ma.isMaskedArray(values) else np.asarray(values)
    if array.dtype == object and len(array) and isinstance(array[0], (np.ndarray, list, tuple)):
        return np.stack([np.asarray(row) for row in array])
    # FITS is big-endian, which is slow and strange to some libraries.
    return array.astype(array.dtype.newbyteorder("=")) if array.dtype.kind in "fiu" else array


def _read_file(path: Path, columns: Iterable[str] | None) -> Any:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else "".join(suffixes[-1:])
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{path.name} is no table that can be read: its name has to end in {', '.join(SUFFIXES)}"
        )
    if not path.exists():
        raise FileNotFoundError(f"there is no table {path}")
    try:
        if SUFFIXES[suffix] == "parquet":
            import pyarrow.parquet as pq

            file = pq.ParquetFile(path)
            wanted = None if columns is None else [n for n in columns if n in file.schema_arrow.names]
            return file.read(columns=wanted)
        from astropy.table import Table

        return Table.read(path, format=SUFFIXES[suffix])
    except Exception as error:  # each reader has its own errors for a file that is damaged
        raise ValueError(f"{path} cannot be read as {SUFFIXES[suffix]}: {error}") from error
