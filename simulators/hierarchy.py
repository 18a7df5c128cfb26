"""The Zarr hierarchy of a store: how its groups and arrays are made, and found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from .disk import damaged
from .layout import RECEIPTS, Array, Layout, StoreError, restore

__all__ = [
    "CHUNK_BYTES",
    "COMPRESSION",
    "SCHEMA",
    "layout_of",
    "member_array",
    "new_array",
    "open_root",
    "preallocate",
    "shard_file",
    "writable",
    "write_whole",
]

SCHEMA = 1
"""Version of how a store is laid out; a store of any other is refused."""

CHUNK_BYTES = 1 << 16
"""Arrays with fewer bytes per scene get inner chunks of several scenes, of about this size."""

COMPRESSION = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
"""The default, zstd, writes nine times slower for nearly the same size."""


def open_root(path: Path, mode: Literal["r", "r+"] = "r") -> zarr.Group:
    """The root group of the store at `path`.

    Raises:
        StoreError: if there is no store, or one of another schema.
    """
    if not path.exists():
        raise StoreError(f"there is no store at {path}: simulate or download it, or mend the path")
    if not (path / "zarr.json").is_file():
        raise StoreError(f"{path} is not a store (it has no zarr.json): mend the path")
    root = zarr.open_group(path, mode=mode)
    schema = root.attrs.get("schema")
    if schema != SCHEMA or "complete" not in root.attrs:
        remedy = "update skysynergy" if isinstance(schema, int) and schema > SCHEMA else "make it again"
        raise StoreError(f"{path} has schema {schema}, this version of skysynergy reads {SCHEMA}: {remedy}")
    return root


def layout_of(path: Path) -> tuple[Layout, dict[str, Any]]:
    """The layout of an existing store, without the values of its constants, and as it was described."""
    receipts = open_root(path).get(RECEIPTS)
    if receipts is None or "layout" not in receipts.attrs:
        raise damaged(path, [f"{RECEIPTS} is gone"])
    described: Any = receipts.attrs["layout"]
    return restore(described), described


def member_array(path: Path, root: zarr.Group, name: str) -> zarr.Array:
    """The array of this name in the store at `path`; a `StoreError` where it is gone."""
    array = root.get(name)
    if not isinstance(array, zarr.Array):
        raise damaged(path, [f"the array {name} is gone"])
    return array


def shard_file(array: Array, shard: int) -> str:
    """Name of the file that holds one shard of an array, in the array's folder."""
    return f"c.{shard}" + ".0" * (len(array.shape) - 1)


def preallocate(root: zarr.Group, array: Array, each: int) -> None:
    """Make an array of a layout, with `each` scenes or fields a shard; its shards are yet to be written."""
    chunks = array.chunks
    if chunks is None:
        entry = np.dtype(array.dtype).itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
        most = max(1, CHUNK_BYTES // entry)
        leading = max(n for n in range(1, each + 1) if each % n == 0 and n <= most)
        chunks = (leading, *array.shape[1:])
    # A shard spans all other dimensions, so its file is <array>/c.<shard>.0.0 ...
    rest = (-(-size // chunk) * chunk for size, chunk in zip(array.shape[1:], chunks[1:], strict=True))
    new_array(root, array.path, array.dims, array.shape, array.dtype, chunks, (each, *rest), array.attributes)


def write_whole(
    root: zarr.Group, path: str, dims: Sequence[str], values: np.ndarray, attributes: Mapping[str, Any]
) -> None:
    """Write an array in one file, whatever was there."""
    shape = tuple(max(1, size) for size in values.shape)
    new_array(root, path, dims, values.shape, values.dtype, shape, None, attributes)[...] = values


def new_array(
    root: zarr.Group,
    path: str,
    dims: Sequence[str],
    shape: tuple[int, ...],
    dtype: Any,
    chunks: tuple[int, ...],
    shards: tuple[int, ...] | None,
    attributes: Mapping[str, Any],
) -> zarr.Array:
    """Make an array whose files are named ``c.0.0``, in place of any other.

    Arguments:
        root: of the store.
        path, dims, shape, dtype, attributes: as those of an `Array`.
        chunks: shape of what is compressed and read at once.
        shards: shape of what one file holds; None for one chunk a file.
    """
    array = root.create_array(
        path,
        shape=shape,
        dtype=np.dtype(dtype),
        chunks=chunks,
        shards=shards,
        compressors=COMPRESSION,
        fill_value=0,
        dimension_names=dims,
        attributes=dict(attributes),
        chunk_key_encoding={"name": "default", "separator": "."},
        overwrite=True,
    )
    return writable(array)


def writable(array: zarr.Array) -> zarr.Array:
    """The array, set to write chunks of zeros too: a file that isn't there is then always an error."""
    return array.with_config({"write_empty_chunks": True})
