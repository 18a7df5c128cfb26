"""Columns of numbers out of large CSV files, read in pieces, with the row of every bad cell.

Rows with bad cells, or with too few or too many, are told and left out, so that whoever reads can say what
else is wrong with the others in the same step.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from .curve_files import NOT_READ, CurveLimits, check_file, refusal
from .problems import Problem, SubmissionError, rows_text

__all__ = ["CsvColumns", "read_csv_columns"]

_BLOCK = 1 << 24
_LONGEST_HEADER = 1 << 16
# Bad cells that are looked for before the rest of the file is not: a column of words would have millions.
_ENOUGH = 10_000
_WORDS = {"i": "a whole number", "f": "a number", "b": "1 or 0"}


@dataclass(frozen=True)
class CsvColumns:
    """Columns of a CSV file.

    Attributes:
        file: its name.
        columns: (n,) by name.
        rows: (n,) the rows, from 0, in the file.
        problems: what is wrong with rows that were left out, and with the end of the file.
        lost: values of the column `key` in rows that were left out, as far as they can be read.
        unknown: whether there are rows left out in which they cannot.
    """

    file: str
    columns: Mapping[str, NDArray[Any]]
    rows: NDArray[np.int64]
    problems: tuple[Problem, ...] = ()
    lost: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    unknown: bool = False


def read_csv_columns(
    path: Path,
    types: Mapping[str, type],
    needed: Sequence[tuple[str, ...]],
    limits: CurveLimits,
    *,
    key: str,
    keep: NDArray[np.int64] | None = None,
) -> CsvColumns:
    """Read some columns of numbers. Cells of floats that are empty, or say nan, are NaN.

    Arguments:
        path: CSV, or CSV gzipped; the first line has the names of the columns.
        types: NumPy types of the columns that are taken where they are there.
        needed: of each tuple, one has to be there.
        limits: the largest file, and the most rows that are kept.
        key: a column of whole numbers that says what a row is about.
        keep: its values in the rows to be kept; None for all.

    Returns:
        The rows that can be read, and what is wrong with the others: rows of other length, cells that are no
        numbers, an end that is cut off.

    Raises:
        SubmissionError: with all that is wrong where no rows can be read: missing columns, bad cells without
            an end, bytes that are no CSV.
    """
    head = check_file(path, limits)
    zipped = head.startswith(b"\x1f\x8b")
    if not zipped and (b"\0" in head or head.startswith(b"SIMPLE  =")):
        raise refusal(path, "is not CSV, whatever its name", "give the table as it was published")
    again = "copy or download it again"
    try:
        header, ends = _header(path, zipped)
        names = [name for name in types if name in header]
        broken: list[tuple[int, int]] = []
        if problems := _column_problems(path, header, names, needed):
            # The cells of columns that are there are told with those that are not.
            alone = [name for name in names if header.count(name) == 1]
            with contextlib.suppress(pa.ArrowInvalid, SubmissionError):
                pieces = _pieces(path, zipped, header, alone, {}, broken)
                found = _salvaged(pieces, _Taken(path, types, alone, limits, key, None), broken)
                problems += [*_broken(path, broken, header), *found.problems]
            raise SubmissionError(problems, path.name, NOT_READ)
        if not ends:
            return CsvColumns(path.name, {name: np.zeros(0, types[name]) for name in names}, np.zeros(0, int))
        try:
            pieces = _pieces(path, zipped, header, names, types, broken)
            found = _gather(pieces, _Taken(path, types, names, limits, key, keep))
        except pa.ArrowInvalid as error:
            # The rows and cells are found by reading once more, as text.
            broken.clear()
            pieces = _pieces(path, zipped, header, names, {}, broken)
            found = _salvaged(pieces, _Taken(path, types, names, limits, key, keep), broken)
            if not found.problems:
                raise refusal(path, f"cannot be read: {_short(error)}", again) from error
        problems = [*_broken(path, broken, header), *found.problems]
        if not zipped and not _line_ends(path):
            what = f"{path.name}: the last line has no end, so that a number in it may be cut off"
            problems.append(Problem(None, None, what, f"{again}, or end the line if it is whole"))
        if not found.columns:
            raise SubmissionError(problems, path.name, NOT_READ)
        # Rows of another length were not counted yet.
        rows = found.rows
        for row in sorted(row for row, _ in broken):
            rows = rows + (rows >= row)
        return replace(found, rows=rows, problems=tuple(problems), unknown=found.unknown or len(broken) > 0)
    except SubmissionError:
        raise
    except MemoryError as error:
        fix = "read fewer files at a time, or fewer objects"
        raise refusal(path, "needs more memory than there is", fix) from error
    except Exception as error:  # a parser may raise anything on hostile bytes, and all of it is reported
        what = f"cannot be read, it may be damaged or cut off: {_short(error)}"
        raise refusal(path, what, again) from error


def _column_problems(
    path: Path, header: Sequence[str], names: Sequence[str], needed: Sequence[tuple[str, ...]]
) -> list[Problem]:
    problems = [
        Problem(None, one[0], f"{path.name}: there is no column {' or '.join(one)}",
                f"the header has {', '.join(header)[:200]}: add the column")
        for one in needed
        if not any(name in header for name in one)
    ]  # fmt: skip
    for name in names:
        if header.count(name) > 1:
            what = f"{path.name}: there are {header.count(name)} columns of this name"
            problems.append(Problem(None, name, what, "leave one of them"))
    return problems


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _header(path: Path, zipped: bool) -> tuple[list[str], bool]:
    """Names of the columns, and whether their line has an end."""
    opened: BinaryIO = gzip.open(path, "rb") if zipped else open(path, "rb")  # type: ignore[assignment]  # noqa: SIM115
    with opened as file:
        line = file.readline(_LONGEST_HEADER)
    if len(line) == _LONGEST_HEADER or b"\0" in line:
        raise refusal(path, "is not CSV, whatever its name", "give the table as it was published")
    text = line.decode("utf-8-sig")
    return [name.strip() for name in next(csv.reader([text], strict=True), [])], line.endswith((b"\n", b"\r"))


def _line_ends(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, 2)
        return file.read() in (b"\n", b"\r")


class _Ascii(io.RawIOBase):
    """A stream with question marks for bytes that are no ASCII, of which the parser cannot tell."""

    _TABLE = bytes(range(128)) + b"?" * 128

    def __init__(self, file: Any) -> None:
        super().__init__()
        self.file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return bytes(self.file.read(None if size < 0 else size)).translate(self._TABLE)


def _pieces(
    path: Path,
    zipped: bool,
    header: Sequence[str],
    names: Sequence[str],
    types: Mapping[str, type],
    broken: list[tuple[int, int]],
) -> Iterator[pa.RecordBatch]:
    """Pieces of the file with the columns named, of text where there is no type.

    Rows with another number of cells than the header are left out, and added to `broken` as the number of
    the row, from 0, and of its cells.
    """

    def skip(row: pacsv.InvalidRow) -> str:
        # The reader counts from 1 and counts the header; it skips blank lines.
        broken.append((int(row.number or 0) - 2, int(row.actual_columns)))
        return "skip"

    with pa.OSFile(str(path), "rb") as raw:
        file = pa.PythonFile(_Ascii(pa.CompressedInputStream(raw, "gzip") if zipped else raw), mode="r")
        kinds = {name: pa.from_numpy_dtype(types[name]) if name in types else pa.string() for name in names}
        reader = pacsv.open_csv(
            file,
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=_BLOCK, column_names=[*header], skip_rows=1
            ),
            parse_options=pacsv.ParseOptions(invalid_row_handler=skip),
            convert_options=pacsv.ConvertOptions(
                column_types=kinds, include_columns=[*names], strings_can_be_null=not types
            ),
        )
        yield from reader


def _gather(pieces: Iterator[pa.RecordBatch], taken: _Taken) -> CsvColumns:
    """The columns of pieces that have them as numbers."""
    for piece in pieces:
        columns = {}
        for name, kind in taken.types.items():
            column = piece.column(name)
            if column.null_count and kind not in (np.float32, np.float64):
                raise pa.ArrowInvalid(f"empty cells in column {name}")
            columns[name] = column.to_numpy(zero_copy_only=False).astype(kind, copy=False)
        taken.add(columns, np.arange(taken.n, taken.n + piece.num_rows))
        taken.n += piece.num_rows
    return taken.joined()


class _Taken:
    """What is kept of the pieces of a file.

    Attributes:
        path, limits, key, keep: as of `read_csv_columns`.
        types: of the columns that are taken.
        n: rows read so far.
    """

    def __init__(
        self,
        path: Path,
        types: Mapping[str, type],
        names: Sequence[str],
        limits: CurveLimits,
        key: str,
        keep: NDArray[np.int64] | None,
    ) -> None:
        self.path, self.limits, self.key, self.keep = path, limits, key, keep
        self.types = {name: types[name] for name in names}
        self.columns: dict[str, list[NDArray[Any]]] = {name: [] for name in self.types}
        self.rows: list[NDArray[np.int64]] = []
        self.n = self.kept = 0

    def add(self, columns: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]) -> None:
        """Keep the rows asked for of a piece."""
        chosen = None if self.keep is None else np.flatnonzero(np.isin(columns[self.key], self.keep))
        for name, values in columns.items():
            self.columns[name].append(np.array(values) if chosen is None else values[chosen])
        self.rows.append(rows if chosen is None else rows[chosen])
        self.kept += self.rows[-1].size
        if self.kept > self.limits.rows:
            what = (
                f"has more than {self.limits.rows:,} rows, the most that are kept at once (about 150 bytes "
                "each)"
            )
            fix = "split the file, name the objects to keep, or raise `limits`"
            raise refusal(self.path, what, fix)

    def joined(self) -> CsvColumns:
        """All that was kept."""
        joined = {
            name: np.concatenate(self.columns.pop(name) or [np.zeros(0, self.types[name])])
            for name in [*self.columns]
        }
        return CsvColumns(self.path.name, joined, np.concatenate(self.rows or [np.zeros(0, np.int64)]))


def _salvaged(pieces: Iterator[pa.RecordBatch], taken: _Taken, broken: list[tuple[int, int]]) -> CsvColumns:
    """The columns of pieces of text, without the rows of bad cells, which are told once for each column.

    There are no columns where there are so many that not all are looked for.
    """
    path, types, key = taken.path, taken.types, taken.key
    bad: dict[str, list[int]] = {name: [] for name in types}
    example: dict[str, str] = {}
    lost: list[NDArray[np.int64]] = []
    unknown = False
    for piece in pieces:
        n = taken.n
        good = np.ones(piece.num_rows, bool)
        key_reads = np.full(piece.num_rows, key in types)
        for name, kind in types.items():
            cells = piece.column(name)
            wrong = _wrong(cells, kind, _ENOUGH - len(bad[name]))
            for at in wrong:
                example.setdefault(name, str(cells[at].as_py() or ""))
            bad[name] += [n + at for at in wrong]
            good[wrong] = False
            if name == key:
                key_reads[wrong] = False
        taken.n += piece.num_rows
        if any(len(rows) >= _ENOUGH for rows in bad.values()):
            continue
        numbers = {
            name: _numbers(piece.column(name).filter(pa.array(good)), kind) for name, kind in types.items()
        }
        taken.add(numbers, n + np.flatnonzero(good))
        if not good.all():
            unknown |= not key_reads[~good].all()
            its = piece.column(key).filter(pa.array(~good & key_reads)) if key in types else None
            lost.append(np.zeros(0, np.int64) if its is None else _numbers(its, types[key]))
    problems = _cell_problems(path, bad, example, types, taken.n, np.array([row for row, _ in broken], int))
    if any(len(rows) >= _ENOUGH for rows in bad.values()):
        return CsvColumns(path.name, {}, np.zeros(0, np.int64), tuple(problems))
    ids = np.unique(np.concatenate([np.zeros(0, np.int64), *lost]))
    return replace(taken.joined(), problems=tuple(problems), lost=ids, unknown=unknown)


def _numbers(cells: pa.Array, kind: type) -> NDArray[Any]:
    """Text that can be read as that type; empty floats are NaN."""
    trimmed = pc.call_function("utf8_trim_whitespace", [cells])
    return pc.cast(trimmed, pa.from_numpy_dtype(kind)).to_numpy(zero_copy_only=False).astype(kind, copy=False)


def _cell_problems(
    path: Path,
    bad: Mapping[str, list[int]],
    example: Mapping[str, str],
    types: Mapping[str, type],
    n: int,
    lost: NDArray[np.int64],
) -> list[Problem]:
    """What is wrong with the cells of columns, all of them told once for each column."""
    numbers = np.delete(np.arange(n + lost.size), lost)
    problems = []
    for name, rows in bad.items():
        if rows:
            word = _WORDS[np.dtype(types[name]).kind]
            told = rows_text(np.array(rows), numbers=numbers)
            least = "at least " if len(rows) >= _ENOUGH else ""
            what = f"{path.name}: cells that are not {word}, such as {example[name][:40]!r}: {least}{told}"
            fix = f"give {word} in every row, or leave the row out"
            problems.append(Problem(int(numbers[rows[0]]) + 1, name, what, fix, len(rows)))
    return problems


def _wrong(cells: pa.Array, kind: type, most: int) -> list[int]:
    """The first places of cells that cannot be read as that type; floats may be empty."""
    trimmed = pc.call_function("utf8_trim_whitespace", [cells])
    wanted, may_lack = pa.from_numpy_dtype(kind), kind in (np.float32, np.float64)

    def reads(cell: pa.Array | pa.Scalar) -> bool:
        try:
            pc.cast(cell, wanted)
        except pa.ArrowInvalid:
            return False
        return True

    if reads(trimmed) and (may_lack or not cells.null_count):
        return []
    places = (i for i, cell in enumerate(trimmed) if not (reads(cell) if cell.is_valid else may_lack))
    return list(itertools.islice(places, most))


def _broken(path: Path, broken: Sequence[tuple[int, int]], header: Sequence[str]) -> list[Problem]:
    if not broken:
        return []
    rows = np.array([row for row, _ in broken])
    told = rows_text(np.arange(rows.size), numbers=rows)
    what = f"{path.name}: {broken[0][1]} values where the header has {len(header)}: {told}"
    fix = "the file may be cut off or mended by hand: copy or download it again"
    return [Problem(int(rows[0]) + 1, None, what, fix, len(rows))]
