"""The Zarr hierarchy of a store: how its groups and arrays are made, and found again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from .disk import damaged
from .layout import RECEIPTS, Array, Layout, StoreError, restore

__all__ = [
    "CHECKSUM",
    "CHUNK_BYTES",
    "COMPRESSION",
    "FOLDED",
    "SCHEMA",
    "check_members",
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

FOLDED = {
    "sha256": ("shard", "item", "byte"),
    "rows": ("shard", "table"),
    "files": ("file", "member_number_bytes"),
}
"""Arrays of the group `RECEIPTS` of a finished store, and their dimensions."""

CHUNK_BYTES = 1 << 16
"""Arrays with fewer bytes per scene get inner chunks of several scenes, of about this size."""

COMPRESSION = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")
"""The default, zstd, writes nine times slower for nearly the same size."""

CHECKSUM = Crc32cCodec()
"""Of each compressed chunk: Blosc has none, and would hand out what a flipped byte decodes to."""


def open_root(path: Path, mode: Literal["r", "r+"] = "r") -> zarr.Group:
    """The root group of the store at `path`.

    Raises:
        StoreError: if there is no store, one of another schema, or its ``zarr.json`` is broken.
    """
    if not path.exists():
        raise StoreError(f"there is no store at {path}: simulate or download it, or mend the path")
    if not (path / "zarr.json").is_file():
        raise StoreError(f"{path} is not a store (it has no zarr.json): mend the path")
    with _metadata(path, "zarr.json"):
        root = zarr.open_group(path, mode=mode, zarr_format=3)
    if not {"schema", "complete"} <= root.attrs.keys():
        raise StoreError(
            f"{path} is another's or damaged: zarr.json can't be read (it lacks schema or complete). "
            "Mend the path, or simulate or download the store again"
        )
    schema = root.attrs["schema"]
    if schema != SCHEMA:
        remedy = "update skysynergy" if isinstance(schema, int) and schema > SCHEMA else "make it again"
        raise StoreError(f"{path} has schema {schema}, this version of skysynergy reads {SCHEMA}: {remedy}")
    return root


def layout_of(path: Path) -> tuple[Layout, dict[str, Any]]:
    """The layout of an existing store, without the values of its constants, and as it was described."""
    receipts = _member(path, open_root(path), RECEIPTS)
    with _metadata(path, f"{RECEIPTS}/zarr.json"):
        described: Any = receipts.attrs["layout"]
        return restore(described), described


def member_array(path: Path, root: zarr.Group, name: str) -> zarr.Array:
    """The array of this name in the store at `path`; a `StoreError` where it is gone or unreadable."""
    array = _member(path, root, name)
    if not isinstance(array, zarr.Array):
        raise damaged(path, [f"{name} is no array any more"], in_shards=False)
    return array


def check_members(path: Path, root: zarr.Group, described: Mapping[str, Any]) -> None:
    """Raise a `StoreError` if a group or array of the layout is gone, unreadable, or isn't as described."""
    arrays = [*described["arrays"], *described["constants"]]
    if "content_sha256" in root.attrs:  # before, columns and folded receipts may be half made
        for name, dims in FOLDED.items():
            if _dims(member_array(path, root, f"{RECEIPTS}/{name}")) != dims:
                problem = f"{RECEIPTS}/{name}/zarr.json changed since it was written"
                raise damaged(path, [problem], in_shards=False)
        for table in described["tables"]:
            for name, column in table["columns"].items():
                dims, shape = [table["dim"], *column["dims"]], [None, *column["shape"]]
                arrays.append(column | {"path": f"{table['path']}/{name}", "dims": dims, "shape": shape})
    groups = {array["path"].partition("/")[0] for array in arrays}
    for group in sorted(groups | {table["path"] for table in described["tables"]}):
        if not isinstance(_member(path, root, group), zarr.Group):
            raise damaged(path, [f"{group} is no group any more"], in_shards=False)
    for wanted in arrays:
        array = member_array(path, root, wanted["path"])
        shape = tuple(n if size else None for n, size in zip(array.shape, wanted["shape"], strict=False))
        found = (_dims(array), array.ndim, shape, array.dtype.name, dict(array.attrs))
        dims, shape, dtype = tuple(wanted["dims"]), tuple(wanted["shape"]), np.dtype(wanted["dtype"]).name
        if found != (dims, len(dims), shape, dtype, wanted["attributes"]):
            problem = f"{wanted['path']}/zarr.json changed since it was written"
            raise damaged(path, [problem], in_shards=False)


def _dims(array: zarr.Array) -> tuple[Any, ...]:
    names: Any = array.metadata.to_dict().get("dimension_names")
    return tuple(names or ())


def _member(path: Path, root: zarr.Group, name: str) -> zarr.Group | zarr.Array:
    file = f"{name}/zarr.json"
    if not (path / file).is_file():
        raise damaged(path, [f"{name} is gone: there is no {file}"], in_shards=False)
    with _metadata(path, file):
        return root[name]


@contextlib.contextmanager
def _metadata(path: Path, file: str) -> Iterator[None]:
    """Turn what reading a broken ``zarr.json`` raises into a `StoreError` that names it."""
    try:
        yield
    except Exception as error:  # broken metadata fail in the ways of JSON, zarr and layouts
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not what is on it
            raise
        problem = f"{file} can't be read ({type(error).__name__}: {error})"
        raise damaged(path, [problem], in_shards=False) from error


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
        compressors=[COMPRESSION, CHECKSUM],
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
