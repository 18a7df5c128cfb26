"""Which place a path or a URL names: a folder, or a prefix of an object store."""

from __future__ import annotations

from pathlib import Path

from .disk import Folder
from .layout import StoreError
from .places import Place

__all__ = ["Where", "join", "place_at", "where_from"]

Where = Path | str
"""Where a store lies: the path of a folder, or a URL such as ``s3://bucket/prefix/train.zarr``."""


def where_from(text: str) -> Where:
    """A path, or a URL as it was typed.

    Raises:
        StoreError: for a URL of a kind that is not known.
    """
    scheme, mark, rest = text.partition("://")
    if not mark:
        return Path(text).expanduser()
    if scheme == "file":
        return Path(rest)
    from .object_storage import SCHEMES  # here, because most stores lie in folders

    if scheme not in SCHEMES or not rest:
        raise StoreError(
            f"{text} is no place for a store: name a folder, or a URL such as s3://bucket/prefix "
            f"({', '.join(SCHEMES)})"
        )
    return text.rstrip("/")


def join(where: Where, *parts: str) -> Where:
    """A place within a place."""
    return where.joinpath(*parts) if isinstance(where, Path) else "/".join([where.rstrip("/"), *parts])


def place_at(where: Where) -> Place:
    """The place that a path or URL names; nothing need be there yet.

    Raises:
        StoreError: for a URL of a kind that is not known, or with credentials that can't be used.
    """
    found = where_from(where) if isinstance(where, str) else where
    if isinstance(found, Path):
        return Folder(found)
    from .object_storage import Bucket

    return Bucket(found)
