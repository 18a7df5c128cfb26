"""The Zarr hierarchy of a store: how its groups and arrays are made, and found again."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import MemoryStore

from .layout import RECEIPTS, Array, Layout, StoreError, restore
from .places import Place, damaged

__all__ = [
    "CHECKSUM",
    "CHUNK_BYTES",
    "COMPRESSION",
    "FOLDED",
    "SCHEMA",
    "Encoder",
    "check_members",
    "encoder_of",
    "layout_of",
    "member_array",
    "new_array",
    "open_root",
    "preallocate",
    "shard_file",
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


def open_root(place: Place, *, writable: bool = False) -> zarr.Group:
    """The root group of the store at a place.

    Raises:
        StoreError: if there is no store, one of another schema, its ``zarr.json`` is broken, or the place
            can't be reached.
    """
    with _metadata(place, "zarr.json"):
        try:
            place.read("zarr.json")
        except (FileNotFoundError, NotADirectoryError) as error:
            if place.told(error, "opening it"):
                raise
            raise StoreError(
                f"there is no store at {place}: simulate or download it, or mend the path"
                if place.is_empty()
                else f"{place} is not a store (it has no zarr.json): mend the path"
            ) from error
        root = zarr.open_group(place.zarr(writable=writable), mode="r+" if writable else "r", zarr_format=3)
    if not {"schema", "complete"} <= root.attrs.keys():
        raise StoreError(
            f"{place} is another's or damaged: zarr.json can't be read (it lacks schema or complete). "
            "Mend the path, or simulate or download the store again"
        )
    schema = root.attrs["schema"]
    if schema != SCHEMA:
        remedy = "update skysynergy" if isinstance(schema, int) and schema > SCHEMA else "make it again"
        raise StoreError(f"{place} has schema {schema}, this version of skysynergy reads {SCHEMA}: {remedy}")
    return root


def layout_of(place: Place) -> tuple[Layout, dict[str, Any]]:
    """The layout of an existing store, without the values of its constants, and as it was described."""
    receipts = _member(place, open_root(place), RECEIPTS)
    with _metadata(place, f"{RECEIPTS}/zarr.json"):
        described: Any = receipts.attrs["layout"]
        return restore(described), described


def member_array(place: Place, root: zarr.Group, name: str) -> zarr.Array:
    """The array of this name in the store at `path`; a `StoreError` where it is gone or unreadable."""
    array = _member(place, root, name)
    if not isinstance(array, zarr.Array):
        raise damaged(place, [f"{name} is no array any more"], in_shards=False)
    return array


def check_members(place: Place, root: zarr.Group, described: Mapping[str, Any]) -> None:
    """Raise a `StoreError` if a group or array of the layout is gone, unreadable, or isn't as described."""
    arrays = [*described["arrays"], *described["constants"]]
    if "content_sha256" in root.attrs:  # before, columns and folded receipts may be half made
        for name, dims in FOLDED.items():
            if _dims(member_array(place, root, f"{RECEIPTS}/{name}")) != dims:
                problem = f"{RECEIPTS}/{name}/zarr.json changed since it was written"
                raise damaged(place, [problem], in_shards=False)
        for table in described["tables"]:
            for name, column in table["columns"].items():
                dims, shape = [table["dim"], *column["dims"]], [None, *column["shape"]]
                arrays.append(column | {"path": f"{table['path']}/{name}", "dims": dims, "shape": shape})
    groups = {array["path"].partition("/")[0] for array in arrays}
    for group in sorted(groups | {table["path"] for table in described["tables"]}):
        if not isinstance(_member(place, root, group), zarr.Group):
            raise damaged(place, [f"{group} is no group any more"], in_shards=False)
    for wanted in arrays:
        array = member_array(place, root, wanted["path"])
        shape = tuple(n if size else None for n, size in zip(array.shape, wanted["shape"], strict=False))
        found = (_dims(array), array.ndim, shape, array.dtype.name, dict(array.attrs))
        dims, shape, dtype = tuple(wanted["dims"]), tuple(wanted["shape"]), np.dtype(wanted["dtype"]).name
        if found != (dims, len(dims), shape, dtype, wanted["attributes"]):
            problem = f"{wanted['path']}/zarr.json changed since it was written"
            raise damaged(place, [problem], in_shards=False)


def _dims(array: zarr.Array) -> tuple[Any, ...]:
    names: Any = array.metadata.to_dict().get("dimension_names")
    return tuple(names or ())


def _member(place: Place, root: zarr.Group, name: str) -> zarr.Group | zarr.Array:
    file = f"{name}/zarr.json"
    with _metadata(place, file):
        try:
            return root[name]
        except KeyError as error:
            raise damaged(place, [f"{name} is gone: there is no {file}"], in_shards=False) from error


@contextlib.contextmanager
def _metadata(place: Place, file: str) -> Iterator[None]:
    """Turn what reading a broken ``zarr.json`` raises into a `StoreError` that names it."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # broken metadata fail in the ways of JSON, zarr and layouts
        if told := place.told(error, f"reading {file}"):  # the place, not what is in it
            raise told from error
        problem = f"{file} can't be read ({type(error).__name__}: {error})"
        raise damaged(place, [problem], in_shards=False) from error


def shard_file(array: Array, shard: int) -> str:
    """Name of the file that holds one shard of an array, in the array's folder."""
    return f"c.{shard}" + ".0" * (len(array.shape) - 1)


def preallocate(root: zarr.Group, array: Array, each: int) -> zarr.Array:
    """Make an array of a layout, with `each` scenes or fields a shard; its shards are yet to be written."""
    chunks = array.chunks
    if chunks is None:
        entry = np.dtype(array.dtype).itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
        most = max(1, CHUNK_BYTES // entry)
        leading = max(n for n in range(1, each + 1) if each % n == 0 and n <= most)
        chunks = (leading, *array.shape[1:])
    # A shard spans all other dimensions, so its file is <array>/c.<shard>.0.0 ...
    rest = (-(-size // chunk) * chunk for size, chunk in zip(array.shape[1:], chunks[1:], strict=True))
    shards = (each, *rest)
    return new_array(root, array.path, array.dims, array.shape, array.dtype, chunks, shards, array.attributes)


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
    return _writable(array)


class Encoder:
    """Makes the files that hold the shards of a layout's arrays, as zarr writes them, in memory.

    Attributes:
        layout: of the store.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._files: dict[str, Any] = {}
        root = zarr.create_group(MemoryStore(self._files), zarr_format=3)
        self._arrays = {a.path: preallocate(root, a, layout.sizes[a.dims[0]][1]) for a in layout.arrays}

    def encode(self, array: Array, shard: int, values: np.ndarray) -> memoryview:
        """The file of one shard of an array, from its scenes or fields."""
        entries = self.layout.entries(array.dims[0], shard)
        self._arrays[array.path][entries.start : entries.stop] = values
        file = self._files.pop(f"{array.path}/{shard_file(array, shard)}")
        return memoryview(file.as_numpy_array()).cast("B")


@functools.lru_cache(maxsize=2)
def encoder_of(described: str) -> Encoder:
    """The encoder of a layout, from its description in JSON; making one takes longer than a small shard."""
    return Encoder(restore(json.loads(described)))


def _writable(array: zarr.Array) -> zarr.Array:
    """The array, set to write chunks of zeros too: a file that isn't there is then always an error."""
    return array.with_config({"write_empty_chunks": True})
