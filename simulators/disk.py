"""A folder as the place of a store: files are renamed into place, and are on the disk when a write ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .layout import StoreError
from .places import WORK, Place

__all__ = ["Folder"]

_NO_LOCK = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Folder(Place):
    """A local folder.

    Attributes:
        path: of the folder, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def zarr(self, *, writable: bool = False) -> Path:
        return self.path

    def is_empty(self) -> bool:
        return not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir()))

    def build(self, files: Mapping[str, bytes]) -> None:
        # Built beside its place and renamed into it, so that no half-made store is ever there.
        draft = self.path.with_name(f".{self.path.name}.creating")
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(parents=True)
        for name, content in files.items():
            file = draft / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            _sync(file)
        draft.rename(self.path)
        _sync(self.path.parent)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, content: bytes | memoryview) -> None:
        file = self.path / name
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}.partial")
        draft.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            _sync(draft)
            draft.replace(file)
        except OSError:
            draft.unlink(missing_ok=True)  # room for others, where the disk is full
            raise
        _sync(file.parent)

    def remove(self, name: str) -> None:
        file = self.path / name
        if file.exists():
            file.unlink()
            _sync(file.parent)

    def sizes(self, folder: str) -> dict[str, int]:
        if not (self.path / folder).is_dir():
            return {}
        with os.scandir(self.path / folder) as entries:
            return {
                entry.name: entry.stat().st_size for entry in entries if not entry.name.endswith(".partial")
            }

    def keep(self, folders: Iterable[str]) -> None:
        for folder in folders:
            _sync(*(file for file in (self.path / folder).rglob("*") if file.is_file()))
        _sync(self.path / "zarr.json")

    def tidy(self) -> None:
        if (self.path / WORK).exists():
            shutil.rmtree(self.path / WORK)
        for litter in self.path.rglob("*.partial"):
            litter.unlink()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        # The system holds the lock, on a file beside the store, and lets it go when this process ends,
        # however that ended. Where no file can be made or locked (a folder that is only read), none is held.
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(open(self.path.with_name(f".{self.path.name}.lock"), "ab"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(
                    f"another process is making {self}: wait until it has ended, then run again; what it "
                    "finished is kept"
                ) from error
            except OSError as error:
                if error.errno not in _NO_LOCK:
                    raise
            yield

    def told(self, error: BaseException, doing: str, needed: int = 0, whole: int = 0) -> Exception | None:
        if not isinstance(error, OSError) or error.errno is None or isinstance(error, FileNotFoundError):
            return None
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            if error.filename is None:  # of writing: it names no file by itself
                return OSError(error.errno, f"{error.strerror} while {doing}", str(self))
            return error
        free = shutil.disk_usage(self.path if self.path.exists() else self.path.parent).free
        total = f", the whole store at most {whole / 1e6:.1f} MB" if whole else ""
        return StoreError(
            f"the disk is full at {self} while {doing}: it takes up to {needed / 1e6:.1f} MB{total}; "
            f"{free / 1e6:.1f} MB are free. Free space and run again; finished shards are kept"
        )


def _sync(*paths: Path) -> None:
    """Wait until files, or the names in folders, are on the disk and not only on their way."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
