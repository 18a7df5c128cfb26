"""The folder that a store lies in: whole files or none, on the disk before they are relied upon.

Only these functions, and the zarr store that `hierarchy` opens, know that it is a local folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from .layout import StoreError, some

__all__ = [
    "PARTS",
    "WORK",
    "WORK_RECEIPTS",
    "alone",
    "damaged",
    "disk_full",
    "file_sizes",
    "replace_file",
    "sync",
]

WORK = ".writing"
"""Folder of an unfinished store that `finish` removes."""

PARTS = f"{WORK}/parts"
"""The rows of ragged tables, a file for each shard."""

WORK_RECEIPTS = f"{WORK}/receipts"
"""The receipts, a file for each shard."""

_NO_LOCK = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def file_sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file of a folder, by name; nothing where there is no folder."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat().st_size for entry in entries}


def replace_file(file: Path, content: bytes) -> None:
    """Put a whole file in its place at once: killed at any moment, the old one or the new is there."""
    draft = file.with_suffix(".partial")
    draft.write_bytes(content)
    sync(draft)
    draft.replace(file)
    sync(file.parent)


def sync(*paths: Path) -> None:
    """Wait until files, or the names in folders, are on the disk and not only on their way."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep every other process from making the store at `path` while this lasts.

    The system holds the lock, on a file beside the store, and lets it go when this process ends, however
    that ended. Where no file can be made (a folder that is only read) or locked, nothing is held.

    Raises:
        StoreError: if another process holds it.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path.with_name(f".{path.name}.lock"), "ab"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"another process is making {path}: wait until it has ended, then run again; what it "
                "finished is kept"
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCK:
                raise
        yield


@contextlib.contextmanager
def disk_full(path: Path, doing: str, needed: int, whole: int = 0) -> Iterator[None]:
    """Turn a full disk, or a spent quota, into a `StoreError` that says how much room it takes.

    Any other error of the system that names no file, such as of one grown too large, gets the store's name.

    Arguments:
        path: of the store.
        doing: what is done there, for the message.
        needed: bytes that this takes at most.
        whole: bytes that the whole store takes at most; 0 where nobody knows.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            if error.errno is not None and error.filename is None:  # of writing: it names no file by itself
                raise OSError(error.errno, f"{error.strerror} while {doing}", str(path)) from error
            raise
        free = shutil.disk_usage(path if path.exists() else path.parent).free
        total = f", the whole store at most {whole / 1e6:.1f} MB" if whole else ""
        raise StoreError(
            f"the disk is full at {path} while {doing}: it takes up to {needed / 1e6:.1f} MB{total}; "
            f"{free / 1e6:.1f} MB are free. Free space and run again; finished shards are kept"
        ) from error


def damaged(path: Path, problems: Sequence[str], *, in_shards: bool = True) -> StoreError:
    """The error to raise about a damaged store: its problems, and how to mend it.

    Arguments:
        path: of the store.
        problems: what is wrong, and where.
        in_shards: whether an unfinished store is whole again once these shards are rewritten.
    """
    if in_shards and (path / WORK).exists():
        remedy = f"Delete {path / WORK_RECEIPTS}/<shard>.json (six digits) of each and run again"
    else:
        remedy = "Delete the store, and simulate or download it again"
    return StoreError(f"{path} is damaged: {some(problems, '; ')}. {remedy}")
