"""What a store needs of the place it lies in: whole files or none, sizes, and errors that say what to do.

There are two kinds of place: a folder (`disk`) and a prefix of an object store (`object_storage`).
`storage.place_at` finds the right one for a path or URL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from .layout import StoreError, some

__all__ = ["PARTS", "RUN", "WORK", "WORK_RECEIPTS", "Place", "damaged"]

WORK = ".writing"
"""What only an unfinished store has."""

PARTS = f"{WORK}/parts"
"""Rows of tables, a file for each shard."""

WORK_RECEIPTS = f"{WORK}/receipts"
"""The receipts, a file for each shard."""

RUN = f"{WORK}/run"
"""Names the run that may write; a run that finds another's name there has been replaced."""


class Place(ABC):
    """Named files of bytes. Names are relative, with slashes; ``str()`` names the place in messages."""

    @property
    def name(self) -> str:
        """The last part of where it is."""
        return str(self).rpartition("/")[2]

    @abstractmethod
    def zarr(self, *, writable: bool = False) -> Any:
        """What `zarr.open_group` and xarray open."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether nothing is here, so that a store may be made."""

    @abstractmethod
    def build(self, files: Mapping[str, bytes]) -> None:
        """Put a new store here: killed at any moment, there is none, or a whole one.

        Arguments:
            files: content by name; ``zarr.json``, the root's own, makes it a store.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's content; `FileNotFoundError` where there is none."""

    def read_all(self, names: Sequence[str]) -> Iterator[bytes]:
        """The content of many files, in their order, a few at a time."""
        return map(self.read, names)

    @abstractmethod
    def write(self, name: str, content: bytes | memoryview) -> None:
        """Put a whole file in its place, and wait until it is there for good.

        Killed at any moment, the old one or the new is there.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of each file of a folder, by name; nothing where there is no folder."""

    def all_sizes(self, folders: Sequence[str]) -> dict[str, dict[str, int]]:
        """`sizes` of many folders, by folder."""
        return {folder: self.sizes(folder) for folder in folders}

    @abstractmethod
    def keep(self, folders: Iterable[str]) -> None:
        """Wait until all that zarr wrote into these folders is there for good."""

    @abstractmethod
    def tidy(self) -> None:
        """Remove the working folder, and what writers that were killed left half written."""

    @abstractmethod
    def alone(self) -> AbstractContextManager[None]:
        """Keep every other process of this machine from making the store while this lasts.

        Raises:
            StoreError: if another process holds it.
        """

    @abstractmethod
    def told(self, error: BaseException, doing: str, needed: int = 0, whole: int = 0) -> Exception | None:
        """An error of the place itself, with its reason and remedy; None for any other error.

        Arguments:
            error: as it was raised.
            doing: what was done here, for the message.
            needed: bytes that this takes at most.
            whole: bytes that the whole store takes at most; 0 where nobody knows.
        """

    @contextmanager
    def telling(self, doing: str, needed: int = 0, whole: int = 0) -> Iterator[None]:
        """Turn the place's own errors into those that `told` gives."""
        try:
            yield
        except Exception as error:
            told = self.told(error, doing, needed, whole)
            if told is None or told is error:
                raise
            raise told from error


def damaged(place: Place, problems: Sequence[str], *, in_shards: bool = True) -> StoreError:
    """The error to raise about a damaged store: its problems, and how to mend it.

    Arguments:
        place: of the store.
        problems: what is wrong, and where.
        in_shards: whether an unfinished store is whole again once these shards are rewritten.
    """
    if in_shards and place.sizes(WORK_RECEIPTS):
        remedy = f"Delete {place}/{WORK_RECEIPTS}/<shard>.json (six digits) of each and run again"
    else:
        remedy = "Delete the store, and simulate or download it again"
    return StoreError(f"{place} is damaged: {some(problems, '; ')}. {remedy}")
