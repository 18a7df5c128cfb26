"""Which place a path or a URL names: a folder, or a prefix of an object store."""

from __future__ import annotations

import re
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
    if mark and scheme == "file" and rest.startswith("/"):
        return Path(rest)
    if text and not mark and not re.match(r"[A-Za-z][A-Za-z0-9]+:/", text):
        # Whole, because other processes may have another working directory.
        return Path(text).expanduser().absolute()
    from .object_storage import SCHEMES  # here, because most stores lie in folders

    if scheme not in SCHEMES or not rest.strip("/"):
        raise StoreError(
            f"{text!r} is no place for a store: name a folder, or a URL such as s3://bucket/prefix "
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
