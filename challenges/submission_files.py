"""Submissions as files: Parquet (native), FITS and CSV become one `Table`.

A file comes from a stranger. What it is follows from its first bytes, never from its name;
its size is checked before it is read; only plain columns of numbers are decoded; nothing is
ever unpickled or executed. Whatever a file holds, reading it gives a `Table` or a
`SubmissionError`.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import stat
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from .problems import Problem, SubmissionError, rows_text

__all__ = ["METADATA", "Limits", "Table", "kind_of_file", "read_submission", "write_submission"]

# The keys of a submission's metadata, and the FITS keywords (eight letters) that carry them.
METADATA = {"challenge": "CHALLENG", "track": "TRACK", "tier": "TIER", "split": "SPLIT", "dataset": "DATASET"}
PREFIX = "skysynergy."

NATIVE = "write Parquet with skysynergy.challenges.submissions.write_submission"
AGAIN = f"copy or export the file again, or {NATIVE}"


@dataclass(frozen=True)
class Limits:
    """The largest submission that is read.

    Attributes:
        bytes: of the file, and of its columns once decompressed.
        rows: number of rows.
        columns: number of columns.
    """

    bytes: int = 4 << 30
    rows: int = 100_000_000
    columns: int = 2_000


@dataclass(frozen=True)
class Table:
    """A submission as it was read, valid or not.

    Attributes:
        columns: (n_rows,) arrays by name: integers, floats or booleans; from CSV also text.
        metadata: challenge, track, tier, split, dataset ..., as far as the file states them.
        empty: (n_rows,) true where a cell holds nothing, for the columns that have such cells.
        foreign: what the columns hold that are no plain numbers, such as ``"text"``.
        problems: what was wrong already in reading.
        rows: (n_rows,) numbers of the rows, from 0, where some rows of the file could not be read.
        source: name of the file.
        digest: ``"sha256:..."`` of the file; empty if there is none.
    """

    columns: Mapping[str, np.ndarray]
    metadata: Mapping[str, str] = field(default_factory=dict)
    empty: Mapping[str, np.ndarray] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    rows: np.ndarray | None = None
    source: str = "the submission"
    digest: str = ""

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if np.ndim(column) != 1:
                raise ValueError(
                    f"column {name} has shape {np.shape(column)}: give an array with one value per row"
                )
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a table are equally long, these are not: {lengths}")

    @property
    def n_rows(self) -> int:
        return next((len(column) for column in self.columns.values()), 0)


def write_submission(
    path: str | Path, ids: np.ndarray, columns: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write predictions to Parquet, all of it or nothing.

    Arguments:
        path: the file; replaced if it exists.
        ids: (n,) int64, each once.
        columns: (n,) arrays by name.
        metadata: challenge, track, tier, split, dataset ...

    Raises:
        ValueError: if a column is not as long as the ids, or is named ``id``.
    """
    path = Path(path)
    arrays = {"id": np.asarray(ids, dtype=np.int64)}
    for name, values in columns.items():
        if name == "id":
            raise ValueError("the ids are an argument of their own: leave `id` out of the columns")
        arrays[name] = np.asarray(values)
        if arrays[name].shape != arrays["id"].shape:
            raise ValueError(f"column {name} has shape {arrays[name].shape}, the ids {arrays['id'].shape}")
    table = pa.table(arrays).replace_schema_metadata({PREFIX + k: str(v) for k, v in metadata.items()})
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def read_submission(path: str | Path, limits: Limits | None = None) -> Table:
    """Read a submission, whatever of the three forms it has.

    Arguments:
        path: a Parquet, FITS (first binary table) or CSV file.
        limits: the largest file that is read.

    Raises:
        SubmissionError: if it is no such file, is broken off, or is too large.
    """
    path, limits = Path(path), limits or Limits()
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise _refuse(path, f"cannot be opened: {error}", "check the path and its permissions") from error
    if not stat.S_ISREG(status.st_mode):
        raise _refuse(path, "is not a file", "name the file that holds the predictions")
    if status.st_size == 0:
        raise _refuse(path, "is empty", AGAIN)
    if status.st_size > limits.bytes:
        what = f"has {status.st_size:,} bytes; at most {limits.bytes:,} are read for this challenge"
        raise _refuse(path, what, "send one row per id and only the columns that are asked for")
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            file.seek(0)
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        table = _reader(path, head)(path, limits)
    except SubmissionError:
        raise
    except MemoryError as error:
        raise _refuse(path, "needs more memory than there is", "send fewer columns or rows") from error
    except Exception as error:  # a parser may raise anything on hostile bytes, and all of it is reported
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        what = f"cannot be read, it may be damaged or cut off: {reason}"
        raise _refuse(path, what, AGAIN) from error
    return Table(**{**vars(table), "source": _name(path), "digest": digest})


def _refuse(path: Path, what: str, fix: str) -> SubmissionError:
    return SubmissionError([Problem(None, None, f"the file {what}", fix)], _name(path))


def _name(path: Path) -> str:
    return path.name or str(path)


_OTHERS = {
    b"\x89HDF": "HDF5",
    b"PK\x03\x04": "a zip archive (.npz, .xlsx, .zip)",
    b"\x1f\x8b": "gzip-compressed",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
    b"BZh": "bzip2-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"\x93NUMPY": "a NumPy array",
    b"ARROW1": "an Arrow or Feather file",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"{": "JSON",
    b"%PDF": "a PDF",
}


def kind_of_file(head: bytes) -> str | None:
    """What a file that begins with `head` is, where that is known and no table that is read here.

    Examples:
        >>> kind_of_file(b"\\x80\\x04.")
        'a pickle'
    """
    return next((name for magic, name in _OTHERS.items() if head.lower().startswith(magic.lower())), None)


def _reader(path: Path, head: bytes) -> Callable[[Path, Limits], Table]:
    """What reads a file that begins with `head`."""
    if head.startswith(b"PAR1"):
        return _read_parquet
    if head.startswith(b"SIMPLE  ="):
        return _read_fits
    if (kind := kind_of_file(head)) is not None:
        raise _refuse(path, f"is {kind}, which is not read here", f"{NATIVE}, or use FITS or CSV")
    if b"\0" in head or any(byte < 9 for byte in head):
        raise _refuse(path, "is neither Parquet, FITS nor CSV", NATIVE)
    return _read_csv


def _check_size(path: Path, rows: int, columns: int, limits: Limits) -> None:
    if rows > limits.rows:
        what = f"has {rows:,} rows; at most {limits.rows:,} are read for this challenge"
        raise _refuse(path, what, "send one row per id")
    if columns > limits.columns:
        what = f"has {columns:,} columns; at most {limits.columns:,} are read"
        raise _refuse(path, what, "send only the columns that are asked for")


def _read_parquet(path: Path, limits: Limits) -> Table:
    with open(path, "rb") as raw:
        raw.seek(-4, os.SEEK_END)
        if raw.read() != b"PAR1" or path.stat().st_size < 12:
            raise _refuse(path, "is Parquet cut off before its end", AGAIN)
        file = pq.ParquetFile(raw, page_checksum_verification=True)
        schema, footer = file.schema_arrow, file.metadata
        _check_size(path, footer.num_rows, len(schema), limits)
        sizes = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
        if sizes > limits.bytes:
            raise _refuse(path, f"unpacks to {sizes:,} bytes; at most {limits.bytes:,} are read", NATIVE)
        foreign = {f.name: _kind_of(f.type) for f in schema if not _is_plain(f.type)}
        names = schema.names
        foreign |= {name: "two columns of this name" for name in names if names.count(name) > 1}
        plain = [name for name in names if name not in foreign]
        data = file.read(columns=plain)
        columns, empty = {}, {}
        for name in plain:
            columns[name], gaps = _numbers(data.column(name))
            if gaps is not None:
                empty[name] = gaps
        metadata = {
            key.decode(errors="replace").removeprefix(PREFIX): value.decode(errors="replace")
            for key, value in (footer.metadata or {}).items()
            if key.startswith(PREFIX.encode())
        }
    return Table(columns, metadata, empty, foreign)


def _is_plain(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _kind_of(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return "text"
    return f"values of type {kind}"


def _numbers(data: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray | None]:
    """The values of a column, zero in its empty cells, and where those are."""
    if data.null_count == 0:
        return data.to_numpy(), None
    gaps = data.is_null().to_numpy()
    return pc.fill_null(data, pa.scalar(0).cast(data.type)).to_numpy(), gaps


def _read_fits(path: Path, limits: Limits) -> Table:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    size = path.stat().st_size
    with open(path, "rb") as raw, warnings.catch_warnings():
        # What astropy only warns of (a file cut off, a malformed card) is checked below or harmless.
        warnings.simplefilter("ignore", AstropyWarning)
        # Checksums, in the files that carry them, are no such thing.
        warnings.filterwarnings("error", "(Checksum|Datasum) verification failed")
        options: Any = {"memmap": False, "disable_image_compression": True, "lazy_load_hdus": True}
        with fits.open(raw, checksum=True, **options) as hdus:
            hdu: Any = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
            if hdu is None:
                raise _refuse(path, "is FITS without a binary table, or cut off before it", NATIVE)
            header = hdu.header
            rows, n_columns = int(header["NAXIS2"]), int(header["TFIELDS"])
            _check_size(path, rows, n_columns, limits)
            if hdu.fileinfo()["datLoc"] + int(header["NAXIS1"]) * rows > size:
                raise _refuse(path, "is FITS cut off before its end", AGAIN)
            metadata = {key: str(header[word]) for key, word in METADATA.items() if word in header}
            names = list(hdu.columns.names)
            foreign = {
                column.name: "text, lists or other values that are no single numbers"
                for column in hdu.columns
                if not re.fullmatch(r"1?[LBIJKED]", str(column.format).strip())
            }
            foreign |= {name: "two columns of this name" for name in names if names.count(name) > 1}
            columns, empty = {}, {}
            for position, column in enumerate(hdu.columns):
                name = column.name
                if name in foreign:
                    continue
                values = np.asarray(hdu.data.field(position))
                columns[name] = values.astype(values.dtype.newbyteorder("="))
                if column.null is not None:
                    empty[name] = columns[name] == column.null
    return Table(columns, metadata, empty, foreign)


# Cells that mean "nothing here" to the programs that write CSV.
EMPTY_CELLS = ["", "NA", "N/A", "n/a", "null", "NULL", "None", "--"]


def _read_csv(path: Path, limits: Limits) -> Table:
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = file.readline(1_000_000)
        while file.read(1 << 20):  # bytes that are no UTF-8 raise here, not in the middle of the parser
            pass
    header = [name.strip() for name in next(csv.reader([first], strict=True), [])]
    if not any(header):
        raise _refuse(path, "has no header", "name the columns in the first line: id,...")
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        raise _refuse(path, f"separates its columns by something else than commas: {header[0][:80]!r}",
                      "separate values by commas")  # fmt: skip
    _check_size(path, 0, len(header), limits)
    wrong_length: list[tuple[int, int]] = []

    def skip(row: pacsv.InvalidRow) -> str:
        wrong_length.append((int(row.number or 0), int(row.actual_columns)))
        return "skip"

    if not first.endswith(("\n", "\r")):
        return Table({name: np.zeros(0, dtype=np.int64) for name in header})
    # Every cell is read as text and then understood here, so that each bad cell can be named.
    unique = [f"{i}" for i in range(len(header))]
    data = pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(use_threads=False, column_names=unique, skip_rows=1),
        parse_options=pacsv.ParseOptions(invalid_row_handler=skip),
        convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(unique, pa.string())),
    )
    _check_size(path, data.num_rows, len(header), limits)
    foreign = {name: "two columns of this name" for name in header if header.count(name) > 1}
    columns, empty = {}, {}
    for position, name in enumerate(header):
        if name in foreign:
            continue
        cells = pc.call_function("utf8_trim_whitespace", [data.column(position).cast(pa.string())])
        gaps = pc.call_function("is_in", [cells], pc.SetLookupOptions(pa.array(EMPTY_CELLS)))
        columns[name] = _understand(pc.call_function("if_else", [gaps, pa.scalar("0"), cells]))
        if gaps.to_numpy().any():
            empty[name] = gaps.to_numpy()
    if not wrong_length:
        return Table(columns, {}, empty, foreign)
    # The reader counts from 1 and counts the header; it skips blank lines.
    broken = np.array([number - 2 for number, _ in wrong_length])
    what = f"{wrong_length[0][1]} values where the header has {len(header)}, in {rows_text(broken)}"
    fix = "give every row one value per column"
    problem = Problem(int(broken[0]) + 1, None, what, fix, len(broken))
    rows = np.delete(np.arange(data.num_rows + len(broken)), broken)
    return Table(columns, {}, empty, foreign, (problem,), rows)


def _understand(cells: pa.ChunkedArray) -> np.ndarray:
    """Integers if all cells are, else floats if all cells are, else the text as it is."""
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(cells, kind).to_numpy()
        except pa.ArrowInvalid:
            continue
    return cells.to_numpy()
