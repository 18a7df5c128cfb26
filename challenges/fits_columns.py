"""Columns out of the first binary table of FITS files, gzipped or not."""

from __future__ import annotations

import gzip
import io
import os
import re
import warnings
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .curve_files import CurveLimits, check_file, refusal
from .problems import Problem, SubmissionError

__all__ = ["read_fits_columns"]


def read_fits_columns(
    path: Path,
    needed: Sequence[tuple[str, ...]],
    wanted: re.Pattern[str],
    text: Container[str],
    limits: CurveLimits,
) -> tuple[Any, dict[str, NDArray[Any]]]:
    """The first header, and columns of the first table, by name in capitals; text as bytes.

    Arguments:
        path: FITS, or FITS gzipped; a gzipped file is unpacked in memory.
        needed: of each tuple, one has to be there; the first that is there is taken.
        wanted: names of others that are taken where they are.
        text: which of all these may hold text; numbers there become text.
        limits: the largest file.

    Raises:
        SubmissionError: with all that is wrong with the file.
    """
    again = "copy or download it again"
    head = check_file(path, limits)
    try:
        with open(path, "rb") as raw:
            file = _unpacked(raw, path, limits) if head.startswith(b"\x1f\x8b") else raw
            return _take(file, path, needed, wanted, text, limits)
    except SubmissionError:
        raise
    except MemoryError as error:
        raise refusal(path, "needs more memory than there is", "read fewer files at a time") from error
    except Exception as error:  # a parser may raise anything on hostile bytes, and all of it is reported
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise refusal(path, f"cannot be read, it may be damaged or cut off: {reason}", again) from error


def _unpacked(raw: BinaryIO, path: Path, limits: CurveLimits) -> BinaryIO:
    memory = io.BytesIO()
    with gzip.open(raw, "rb") as packed:
        while piece := packed.read(1 << 20):
            if memory.tell() + len(piece) > limits.bytes:
                what = f"unpacks to more than {limits.bytes:,} bytes, the most that are read"
                raise refusal(path, what, "raise `limits`, or leave this file out")
            memory.write(piece)
    memory.seek(0)
    return memory


def _take(
    file: BinaryIO,
    path: Path,
    needed: Sequence[tuple[str, ...]],
    wanted: re.Pattern[str],
    text: Container[str],
    limits: CurveLimits,
) -> tuple[Any, dict[str, NDArray[Any]]]:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    again = "copy or download it again"
    start = file.read(9)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if start != b"SIMPLE  =":
        raise refusal(path, "is not FITS, whatever its name", "give the file as SNANA wrote it")
    with warnings.catch_warnings():
        # What astropy only warns of (a file cut off, a malformed card) is checked below or harmless.
        warnings.simplefilter("ignore", AstropyWarning)
        options: Any = {"memmap": False, "lazy_load_hdus": True, "character_as_bytes": True}
        with fits.open(file, **options) as hdus:
            hdu: Any = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
            if hdu is None:
                raise refusal(path, "is FITS without a binary table, or cut off before it", again)
            rows, width = int(hdu.header["NAXIS2"]), int(hdu.header["NAXIS1"])
            if rows > limits.rows:
                what = f"has {rows:,} rows; at most {limits.rows:,} are read"
                raise refusal(path, what, "split the file, or raise `limits`")
            if hdu.fileinfo()["datLoc"] + rows * width > size:
                raise refusal(path, "is FITS cut off before its end", again)
            places = {name.upper(): i for i, name in reversed(list(enumerate(hdu.columns.names)))}
            problems = [
                Problem(None, names[0], f"{path.name}: there is no column {' or '.join(names)}",
                        "give the table as SNANA writes it, or add the column")
                for names in needed
                if not any(name in places for name in names)
            ]  # fmt: skip
            take = {next((name for name in names if name in places), "") for names in needed} - {""}
            take |= {name for name in places if wanted.fullmatch(name)}
            columns = {}
            for name in sorted(take):
                values = np.asarray(hdu.data.field(places[name]))
                is_text = values.dtype.kind in "SU"
                if values.ndim != 1 or (is_text and name not in text) or values.dtype.kind not in "SUiufb":
                    what = f"{path.name}: holds text, lists or other values that are no single numbers"
                    problems.append(Problem(None, name, what, "give one number a row"))
                elif name in text:
                    columns[name] = values if is_text else values.astype(str).astype("S")
                else:
                    columns[name] = values.astype(values.dtype.newbyteorder("="))
            if problems:
                raise SubmissionError(problems, path.name)
            primary: Any = hdus[0]
            return primary.header, columns
