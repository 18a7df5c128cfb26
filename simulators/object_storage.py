"""A prefix of an object store as the place of a store: S3 and what speaks like it, Google's, Azure's.

Credentials and endpoint come from the environment, in the names of each provider: ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL`` ...; a put is whole or not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import from_url
from zarr.storage import ObjectStore

from .layout import StoreError
from .places import WORK, Place

__all__ = ["SCHEMES", "Bucket"]

SCHEMES = ("s3", "gs", "az")
"""Of URLs that are taken."""

# Eight tries within a minute: a store that is only busy gets over it, one that is away is told of soon.
_RETRY: Any = {
    "max_retries": 8,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=5),
        "base": 2,
    },
}
# Where credentials and address come from; only S3 is tested here.
_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
    "gs": "GOOGLE_SERVICE_ACCOUNT",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}

_CONNECT = timedelta(seconds=10)
_REQUEST = timedelta(minutes=5)

# Requests under way at once, where many small files are read.
_AT_ONCE = 16
# Names that S3 gives for one request: a store of fewer files is listed by one, not by one for each array.
_PAGE = 1000

# Made first where a store is built, so that what is left of one that was killed is known as ours.
_BUILDING = f"{WORK}/building"


class Bucket(Place):
    """Objects whose names begin with one prefix.

    Attributes:
        url: such as ``s3://bucket/prefix/train.zarr``.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        options: Any = {"connect_timeout": _CONNECT, "timeout": _REQUEST, "allow_http": plain}
        with self.telling("opening it"):
            self._objects: Any = from_url(self.url, client_options=options, retry_config=_RETRY)

    def __str__(self) -> str:
        return self.url

    def __reduce__(self) -> tuple[type[Bucket], tuple[str]]:
        return Bucket, (self.url,)

    def zarr(self, *, writable: bool = False) -> ObjectStore:
        return ObjectStore(self._objects, read_only=not writable)

    def is_empty(self) -> bool:
        if next(iter(obstore.list(self._objects, chunk_size=1)), None):
            return self._has(_BUILDING) and not self._has("zarr.json")
        return True

    def _has(self, name: str) -> bool:
        try:
            obstore.head(self._objects, name)
        except FileNotFoundError:
            return False
        return True

    def build(self, files: Mapping[str, bytes]) -> None:
        self.write(_BUILDING, b"")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda name: self.write(name, files[name]), [n for n in files if n != "zarr.json"]))
        self.write("zarr.json", files["zarr.json"])
        self.remove(_BUILDING)

    def read(self, name: str) -> bytes:
        return bytes(obstore.get(self._objects, name).bytes())

    def read_all(self, names: Sequence[str]) -> Iterator[bytes]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for first in range(0, len(names), _AT_ONCE):
                yield from pool.map(self.read, names[first : first + _AT_ONCE])

    def write(self, name: str, content: bytes | memoryview) -> None:
        obstore.put(self._objects, name, content)

    def remove(self, name: str) -> None:
        try:
            obstore.delete(self._objects, name)
        except FileNotFoundError:  # of stores that tell
            return

    def sizes(self, folder: str) -> dict[str, int]:
        start = f"{folder}/"
        entries = (entry for batch in obstore.list(self._objects, folder) for entry in batch)
        names = {entry["path"].removeprefix(start): int(entry["size"]) for entry in entries}
        return {name: size for name, size in names.items() if "/" not in name}

    def all_sizes(self, folders: Sequence[str]) -> dict[str, dict[str, int]]:
        if not folders:
            return {}
        page = next(iter(obstore.list(self._objects, chunk_size=_PAGE)), [])
        if len(page) == _PAGE:  # there may be more
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                return dict(zip(folders, pool.map(self.sizes, folders), strict=True))
        found: dict[str, dict[str, int]] = {folder: {} for folder in folders}
        for entry in page:
            folder, _, name = entry["path"].rpartition("/")
            if folder in found:
                found[folder][name] = int(entry["size"])
        return found

    def keep(self, folders: Iterable[str]) -> None:
        """Nothing: a put ends when it is there for good."""

    def tidy(self) -> None:
        for batch in obstore.list(self._objects, WORK, chunk_size=1000):
            obstore.delete(self._objects, [entry["path"] for entry in batch])

    @contextmanager
    def alone(self) -> Iterator[None]:
        # Objects can't be locked; of two runs the later one replaces the other (`stream`).
        yield

    def told(self, error: BaseException, doing: str, needed: int = 0, whole: int = 0) -> Exception | None:
        if not isinstance(error, (exceptions.BaseError, FileNotFoundError)):
            return None
        said = str(error).split("\n\nDebug source")[0].strip()
        kept = "; then run again: finished shards are kept" if needed else ""
        names = _VARIABLES[self.url.partition(":")[0]]
        if "NoSuchBucket" in said:
            return StoreError(f"{self}: there is no such bucket: make it, or mend the URL{kept}")
        if isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)) or any(
            word in said for word in ("SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied")
        ):
            return StoreError(
                f"{self} refused these credentials while {doing} ({_first(said)}): set {names} to what may "
                f"do that{kept}"
            )
        if isinstance(error, FileNotFoundError):
            return None
        return StoreError(
            f"{self} can't be reached while {doing} ({_first(said)}): see that the network is there and that "
            f"{names} are right{kept}"
        )


def _first(said: str) -> str:
    """The beginning of what a client said: some repeat a whole page of a server."""
    line = " ".join(said.split())
    return line if len(line) <= 200 else f"{line[:200]}..."
