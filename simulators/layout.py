"""What a store holds: arrays cut along scenes or fields, ragged tables, and a few constants.

A `Layout` is checked when it is made. It is kept in the store as JSON, so that a run that goes on
finds what was begun, and is told where that differs from what is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "RECEIPTS",
    "Array",
    "Column",
    "Constant",
    "Layout",
    "StoreError",
    "Table",
    "describe",
    "differences",
    "members",
    "restore",
    "sha256_of",
    "some",
]

RECEIPTS = "receipts"
"""Group of a store that holds its layout, and its receipts once it is finished."""

_RESERVED = ("schema", "complete", "code_version", "numpy_version", "content_sha256")
_RAGGED = -1


class StoreError(Exception):
    """What is wrong with a store, where, and what to do about it."""


@dataclass(frozen=True)
class Array:
    """An array that has one entry per scene or per field.

    Attributes:
        path: ``group/name``.
        dims: names of its dimensions; the first is ``scene`` or ``field``.
        shape: its whole shape.
        dtype: NumPy's name of a number or bool, such as ``"int16"``.
        chunks: shape of what is read at once; left out, one scene or field, and several
            where one is small.
        attributes: such as ``{"units": "nJy", "coordinates": "band mjd"}``; the variables named in
            ``coordinates`` become coordinates when the store is opened.
    """

    path: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Constant:
    """A small array that is the same for every scene, written when the store is created.

    Attributes:
        path: ``group/name``.
        dims: names of its dimensions.
        values: what it holds.
        attributes: as those of an `Array`.
    """

    path: str
    dims: tuple[str, ...]
    values: np.ndarray
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        dtype: as that of an `Array`.
        shape, dims: of what one row holds: empty for a number, else such as ``(10,), ("band",)``.
        attributes: as those of an `Array`.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    dims: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Columns of equal length, with any number of rows from each shard, in order of shards.

    Attributes:
        path: the group whose arrays are the columns.
        dim: name of the dimension of rows.
        columns: by name.
    """

    path: str
    dim: str
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Layout:
    """What a store holds. Everything is checked when it is made.

    Attributes:
        arrays, tables, constants: the contents; no two share a path, and a dimension has one
            size throughout a group.
        n_scenes, n_fields: lengths of the dimensions ``scene`` and ``field``. Scenes of one field
            follow each other, and every field has as many.
        scenes_per_shard: a whole number of fields. The last shard may be shorter.
        attributes: of the root, such as name, version, tier and split; anything JSON holds.
    """

    arrays: Sequence[Array]
    tables: Sequence[Table]
    n_scenes: int
    n_fields: int
    scenes_per_shard: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    constants: Sequence[Constant] = ()

    def __post_init__(self) -> None:
        problems = list(_layout_problems(self))
        if problems:
            raise StoreError("this layout can't be stored: " + "; ".join(problems))

    @property
    def n_shards(self) -> int:
        return -(-self.n_scenes // self.scenes_per_shard)

    @property
    def fields_per_shard(self) -> int:
        return self.scenes_per_shard * self.n_fields // self.n_scenes

    def scenes(self, shard: int) -> range:
        """The scenes of a shard."""
        return self.entries("scene", shard)

    def fields(self, shard: int) -> range:
        """The fields of a shard."""
        return self.entries("field", shard)

    def entries(self, dim: str, shard: int) -> range:
        """The entries of a shard along ``scene`` or ``field``."""
        if not 0 <= shard < self.n_shards:
            raise StoreError(f"there is no shard {shard}: the {self.n_shards} shards count from 0")
        size, each = self.sizes[dim]
        return range(shard * each, min((shard + 1) * each, size))

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """The length of each dimension that is cut into shards, and how much of it a shard has."""
        return {
            "scene": (self.n_scenes, self.scenes_per_shard),
            "field": (self.n_fields, self.fields_per_shard),
        }


def _layout_problems(layout: Layout) -> Iterator[str]:
    n_scenes, n_fields, each = layout.n_scenes, layout.n_fields, layout.scenes_per_shard
    if min(n_scenes, n_fields, each) < 1 or n_scenes % n_fields:
        yield f"{n_scenes} scenes in {n_fields} fields, {each} a shard: every field needs as many scenes"
        return
    if each % (n_scenes // n_fields):
        yield f"{each} scenes a shard is no whole number of fields of {n_scenes // n_fields} scenes"
        return
    if not (layout.arrays or layout.tables):
        yield "it holds no array and no table"
    for name in set(layout.attributes) & set(_RESERVED):
        yield f"the attribute {name} is the store's own"
    try:
        json.dumps(describe(layout), allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"an attribute or value is not JSON: {error}"
    seen: set[str] = set()
    sizes: dict[tuple[str, str], int] = {}
    for path, dims, shape, dtype in members(layout):
        group, slash, name = path.partition("/")
        if not (group and slash and name) or "/" in name or any(p[0] in "._" for p in (group, name)):
            yield f"the path {path!r} is not group/name"
        if group == RECEIPTS:
            yield f"{path}: the group {RECEIPTS} is the store's own"
        if path in seen:
            yield f"{path} is there twice"
        seen.add(path)
        try:
            kind = np.dtype(dtype).kind
        except TypeError:
            kind = "?"
        if kind not in "biuf":
            yield f"{path} is {dtype}: numbers and bools only"
        if len(dims) != len(shape) or len(set(dims)) != len(dims):
            yield f"{path} has dimensions {dims} but shape {shape}"
        for dim, size in zip(dims, shape, strict=False):
            if size < 1 and size != _RAGGED:
                yield f"{path}: {dim} has size {size}"
            if sizes.setdefault((group, dim), size) != size:
                yield f"{path}: {dim} has size {size}, elsewhere in {group} it is {sizes[group, dim]}"
    for array in layout.arrays:
        size = layout.sizes.get(array.dims[0] if array.dims else "", (None,))[0]
        if size is None:
            yield f"{array.path}: the first dimension is scene or field, not {array.dims[:1]}"
        elif array.shape[:1] != (size,):
            yield f"{array.path}: the shape {array.shape} should begin with {size}"
        elif array.chunks is not None and (
            len(array.chunks) != len(array.shape)
            or min(array.chunks) < 1
            or layout.sizes[array.dims[0]][1] % array.chunks[0]
        ):
            yield f"{array.path}: chunks {array.chunks} don't divide its shards"


def members(layout: Layout) -> Iterator[tuple[str, tuple[str, ...], tuple[int, ...], Any]]:
    """Path, dimensions, shape and dtype of all that the store will hold."""
    for array in layout.arrays:
        yield array.path, tuple(array.dims), tuple(array.shape), array.dtype
    for constant in layout.constants:
        yield constant.path, tuple(constant.dims), constant.values.shape, constant.values.dtype
    for table in layout.tables:
        for name, column in table.columns.items():
            yield (
                f"{table.path}/{name}",
                (table.dim, *column.dims),
                (_RAGGED, *column.shape),
                column.dtype,
            )


def describe(layout: Layout) -> dict[str, Any]:
    """The layout as JSON; constants by the hash of their values."""
    described = {key: getattr(layout, key) for key in ("n_scenes", "n_fields", "scenes_per_shard")}
    described["attributes"] = dict(layout.attributes)
    described["arrays"] = [asdict(array) for array in layout.arrays]
    described["tables"] = [asdict(table) for table in layout.tables]
    described["constants"] = [
        {
            "path": c.path,
            "dims": c.dims,
            "shape": c.values.shape,
            "dtype": str(c.values.dtype),
            "attributes": dict(c.attributes),
            "sha256": sha256_of(c.path, c.values),
        }
        for c in layout.constants
    ]
    return described


def restore(described: Mapping[str, Any]) -> Layout:
    """The layout of an existing store, without the values of its constants."""

    def tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}

    return Layout(
        arrays=[Array(**tuples(entry)) for entry in described["arrays"]],
        tables=[
            Table(
                entry["path"],
                entry["dim"],
                {name: Column(**tuples(column)) for name, column in entry["columns"].items()},
            )
            for entry in described["tables"]
        ],
        n_scenes=described["n_scenes"],
        n_fields=described["n_fields"],
        scenes_per_shard=described["scenes_per_shard"],
        attributes=described["attributes"],
    )


def differences(here: Any, asked: Any, where: str = "") -> Iterator[str]:
    """Where two layouts differ, as `describe` gives them: one line for each place.

    Arguments:
        here: what the store has.
        asked: what it should have.
        where: place of the two in the layout; nothing for the whole.
    """
    if where in ("arrays", "tables", "constants"):
        here, asked = ({entry["path"]: entry for entry in entries} for entries in (here, asked))
    if isinstance(here, dict) and isinstance(asked, dict):
        for key in [*here, *(key for key in asked if key not in here)]:
            place = f"{where}: {key}" if where else key
            if key not in asked:
                yield f"{place} is in the store only"
            elif key not in here:
                yield f"{place} is not in the store"
            else:
                yield from differences(here[key], asked[key], place)
    elif here != asked:
        yield f"{where} is {here} in the store, {asked} is asked for"


def sha256_of(name: str, values: np.ndarray) -> str:
    """SHA-256 of name, dtype, shape and the values: little-endian, in C order."""
    values = np.asarray(values)
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(values.shape)
    digest = hashlib.sha256(json.dumps([name, values.dtype.str, list(values.shape)]).encode())
    digest.update(values.data if values.size else b"")
    return digest.hexdigest()


def some(things: Iterable[Any], between: str = ", ") -> str:
    """The first eight of some things, for a message, and how many more there are."""
    things = list(things)
    more = f"{between}and {len(things) - 8} more" if len(things) > 8 else ""
    return between.join(map(str, things[:8])) + more
