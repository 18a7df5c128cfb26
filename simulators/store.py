"""Arrays and ragged tables on disk: sharded, resumable, verifiable. Knows no physics.

A store is a Zarr v3 hierarchy of groups that hold arrays, cut along scenes (or fields) into
*shards*. One task owns one whole shard of every array, because two writers in one shard lose
rows in silence. Each shard is followed by a *receipt*, written atomically, with the SHA-256 of
its decoded arrays: a receipt is the only proof that a shard is there. Rows of ragged tables are
kept as one part per shard and put together by `finish`, which folds the receipts into the group
``/receipts`` and sets ``complete`` last.

    create -> write_shard, write_shard ... (or stream.write_stream) -> finish -> open_store, integrity.verify

At any moment the process may be killed: the same calls, made again, go on from there.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from ..version import __version__
from .disk import PARTS, WORK, WORK_RECEIPTS, damaged, disk_full, file_sizes, replace_file, sync
from .hierarchy import (
    SCHEMA,
    check_members,
    layout_of,
    member_array,
    open_root,
    preallocate,
    shard_file,
    writable,
    write_whole,
)
from .integrity import file_problems
from .layout import RECEIPTS, Layout, StoreError, describe, differences, members, sha256_of, some
from .ragged import join_parts, n_rows
from .receipts import check_receipts, content_hash, fold_receipts, work_receipts

if TYPE_CHECKING:
    import xarray

__all__ = ["SOFTWARE", "create", "finish", "open_store", "pending", "write_shard"]

SOFTWARE = ("lock",)
"""Attributes of a layout that tell what it is made with: a complete store is whole with any other."""


def create(path: Path, layout: Layout) -> None:
    """Make an empty store, or find the one that was begun with the same layout.

    Preallocates every array. A store that is already there and has this very layout is kept,
    with its finished shards. One process at a time may create a store; any number may then write.

    Arguments:
        path: the folder of the store, such as ``train.zarr``.
        layout: what it will hold.

    Raises:
        StoreError: if something else is at `path`: another layout, a store begun but not completed with
            other versions of this code, NumPy or what `SOFTWARE` tells (which may draw other
            numbers), a damaged store, or no store; or if the disk is full.
    """
    path = Path(path)
    described = json.loads(json.dumps(describe(layout)))
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        root, (_, here) = open_root(path), layout_of(path)
        check_members(path, root, here)
        if root.attrs["complete"]:
            found = list(differences(_without_software(here), _without_software(described)))
        else:
            found = list(differences(here, described))
            found += differences({k: root.attrs.get(k) for k in _versions()}, _versions())
        if found:
            raise StoreError(
                f"{path} was begun otherwise: {'; '.join(found)}. Ask for the same again to resume it, "
                "or delete it to begin anew"
            )
        return
    # Built beside its place and renamed into it, so that no half-made store is ever at `path`.
    draft = path.with_name(f".{path.name}.creating")
    with disk_full(path, "creating the store", 1 << 20):
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(parents=True)
        attributes = dict(layout.attributes) | {"schema": SCHEMA, "complete": False} | _versions()
        root = zarr.create_group(draft, attributes=attributes, zarr_format=3)
        root.create_group(RECEIPTS, attributes={"layout": described})
        for group in sorted({member.partition("/")[0] for member, *_ in members(layout)}):
            root.create_group(group)
        for array in layout.arrays:
            preallocate(root, array, layout.sizes[array.dims[0]][1])
        for constant in layout.constants:
            write_whole(root, constant.path, constant.dims, constant.values, constant.attributes)
        for folder in (WORK_RECEIPTS, PARTS):
            (draft / folder).mkdir(parents=True)
        sync(*(file for file in draft.rglob("*") if file.is_file()))
        draft.rename(path)
        sync(path.parent)


def _versions() -> dict[str, str]:
    return {"code_version": __version__, "numpy_version": np.__version__}


def _without_software(described: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {name: value for name, value in described["attributes"].items() if name not in SOFTWARE}
    return {**described, "attributes": attributes}


def pending(*paths: Path) -> list[int]:
    """The shards that are still to be written in at least one of the stores at `paths`.

    A shard counts as written when it has a receipt and its files have the sizes told there.

    Raises:
        StoreError: if there is no store, the stores differ in their number of shards, or groups or arrays
            are gone or broken.
    """
    if len({layout_of(Path(path))[0].n_shards for path in paths}) > 1:
        raise StoreError(f"stores written together need as many shards: {some(paths)}")
    return sorted(set[int]().union(*(_pending(Path(path)) for path in paths)))


def _pending(path: Path) -> set[int]:
    root, (layout, described) = open_root(path), layout_of(path)
    check_members(path, root, described)
    if "content_sha256" in root.attrs:
        return set()
    sizes = {array.path: file_sizes(path / array.path) for array in layout.arrays}
    parts = file_sizes(path / PARTS)
    left = set(range(layout.n_shards))
    for shard, receipt in work_receipts(path).items():
        found = {array.path: sizes[array.path].get(shard_file(array, shard)) for array in layout.arrays}
        if found | {"part": parts.get(f"{shard:06d}.npz")} == receipt["bytes"]:
            left.discard(shard)
    return left


def write_shard(
    path: Path,
    index: int,
    arrays: Mapping[str, np.ndarray],
    tables: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> None:
    """Write one whole shard of every array, its rows of every table, and then its receipt.

    Arguments:
        path: of a store that isn't finished.
        index: of the shard.
        arrays: by path, the scenes or fields of this shard, of the layout's dtype.
        tables: by path and column, any number of rows (none, too).

    Raises:
        StoreError: if an array or column is missing, unknown, or of another shape or dtype
            (nothing is written then), if the store is finished, or if the disk is full.
    """
    path, tables = Path(path), tables or {}
    root, (layout, _) = open_root(path, "r+"), layout_of(path)
    if "content_sha256" in root.attrs:
        raise StoreError(f"{path} is finished: shard {index} can't be written any more")
    if problems := list(_shard_problems(layout, index, arrays, tables)):
        raise StoreError(f"shard {index} doesn't fit {path}: {'; '.join(problems)}")
    rows = {f"{t.path}/{name}": tables[t.path][name] for t in layout.tables for name in t.columns}
    needed = sum(values.nbytes for values in [*arrays.values(), *rows.values()])
    sizes: dict[str, int] = {}
    receipt = path / WORK_RECEIPTS / f"{index:06d}.json"
    with disk_full(path, f"writing shard {index}", needed, needed * layout.n_shards):
        # Whatever an older receipt vouched for is about to change.
        receipt.unlink(missing_ok=True)
        sync(receipt.parent)
        for array in layout.arrays:
            entries = layout.entries(array.dims[0], index)
            file = path / array.path / shard_file(array, index)
            file.unlink(missing_ok=True)  # zarr would read it first, and fail where it is damaged
            writable(member_array(path, root, array.path))[entries.start : entries.stop] = arrays[array.path]
            sync(file)
            sizes[array.path] = file.stat().st_size
        part = io.BytesIO()
        np.savez(part, **rows)  # pyright: ignore[reportArgumentType]
        sizes["part"] = part.getbuffer().nbytes
        replace_file(path / PARTS / f"{index:06d}.npz", part.getvalue())
        content = {
            "shard": index,
            "bytes": sizes,
            "rows": {table.path: n_rows(tables[table.path]) for table in layout.tables},
            "sha256": {name: sha256_of(name, values) for name, values in [*arrays.items(), *rows.items()]},
        }
        replace_file(receipt, json.dumps(content).encode())


def _shard_problems(
    layout: Layout,
    index: int,
    arrays: Mapping[str, np.ndarray],
    tables: Mapping[str, Mapping[str, np.ndarray]],
) -> Iterator[str]:
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    given = dict(arrays)
    for array in layout.arrays:
        n = len(layout.entries(array.dims[0], index))
        expected[array.path] = (array.dtype, (n, *array.shape[1:]))
    for table in layout.tables:
        n = n_rows(tables.get(table.path, {}))
        for name, column in table.columns.items():
            expected[f"{table.path}/{name}"] = (column.dtype, (n, *column.shape))
    for path, columns in tables.items():
        given |= {f"{path}/{name}": values for name, values in columns.items()}
    yield from (f"{name} is missing" for name in expected if name not in given)
    for name, values in given.items():
        if name not in expected:
            yield f"{name} is unknown"
        elif (values.dtype, values.shape) != (np.dtype(expected[name][0]), expected[name][1]):
            dtype, shape = expected[name]
            yield f"{name} is {values.dtype} {values.shape}, not {dtype} {shape}"


def finish(path: Path) -> None:
    """Put the tables together, fold the receipts into ``/receipts``, and set ``complete`` last.

    May be killed at any moment and called again; on a finished store it does nothing.

    Raises:
        StoreError: while shards are pending, if a part is damaged, or if the disk is full.
    """
    path = Path(path)
    root, (layout, described) = open_root(path, "r+"), layout_of(path)
    if root.attrs["complete"]:
        return
    if "content_sha256" not in root.attrs:
        if left := sorted(_pending(path)):
            raise StoreError(
                f"{path} lacks {len(left)} of its {layout.n_shards} shards ({some(left)}): write them first"
            )
        receipts = [receipt for _, receipt in sorted(work_receipts(path).items())]
        with disk_full(path, "finishing", sum(receipt["bytes"]["part"] for receipt in receipts)):
            for table in layout.tables:
                join_parts(path, root, table, receipts)
            fold_receipts(path, root, described, receipts)
            for group in {RECEIPTS, *(table.path for table in layout.tables)}:
                sync(*(file for file in (path / group).rglob("*") if file.is_file()))
            # From here on nothing is read from the working folder any more.
            root.attrs["content_sha256"] = content_hash(path, root, described)
            sync(path / "zarr.json")
    if (path / WORK).exists():
        shutil.rmtree(path / WORK)
    for litter in path.rglob("*.partial"):  # of writers that were killed
        litter.unlink()
    root.attrs["complete"] = True
    sync(path / "zarr.json")


def open_store(path: Path) -> xarray.DataTree:
    """Open a finished store lazily: nothing is read until it is indexed.

    Checks the metadata, and that every file is there with its right size, so that nothing missing
    reads as zeros. What changed inside a file is found where it is read, by its checksum, or by
    `integrity.verify`.

    Returns:
        The groups of the layout, with the root's attributes. Times are plain numbers.

    Raises:
        StoreError: if there is no store, it isn't complete, it was made by a version of this
            code with another schema, or files are missing, cut short or, of metadata, changed.
            Indexing an array raises one if what is read was damaged.
    """
    from .opening import open_tree  # here, because writing needs no xarray

    path = Path(path)
    root, (_, described) = open_root(path), layout_of(path)
    if not root.attrs["complete"]:
        raise StoreError(
            f"{path} is incomplete: the simulation did not finish. Run the same command again to resume it"
        )
    check_members(path, root, described)
    check_receipts(path, root, described)
    if problems := file_problems(path, root, described):
        raise damaged(path, problems)
    return open_tree(path).drop_nodes(RECEIPTS)
