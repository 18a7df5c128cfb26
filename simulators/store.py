"""Arrays and ragged tables in a folder or an object store: sharded, resumable, verifiable. Knows no physics.

A store is a Zarr v3 hierarchy of groups that hold arrays, cut along scenes (or fields) into
*shards*. One task owns one whole shard of every array, because two writers in one shard lose
rows in silence. Each shard is followed by a *receipt*, written atomically, with the SHA-256 of
its decoded arrays: a receipt is the only proof that a shard is there. Rows of ragged tables are
kept as one part per shard and put together by `finish`, which folds the receipts into the group
``/receipts`` and sets ``complete`` last.

    create -> write_shard, write_shard ... (or stream.write_stream) -> finish -> open_store, integrity.verify

At any moment the process may be killed: the same calls, made again, go on from there. A run takes a
store over with `begin_run`, and whatever still writes for an earlier run is refused from then on.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

from ..version import __version__
from .hierarchy import (
    SCHEMA,
    check_members,
    encoder_of,
    layout_of,
    open_root,
    preallocate,
    shard_file,
    write_whole,
)
from .integrity import file_problems
from .layout import RECEIPTS, Layout, StoreError, describe, differences, members, sha256_of, some
from .places import PARTS, RUN, WORK_RECEIPTS, Place, damaged
from .ragged import join_parts, n_rows, part_file
from .receipts import check_receipts, content_hash, fold_receipts, work_receipts
from .software import lock
from .storage import Where, place_at

if TYPE_CHECKING:
    import xarray

__all__ = [
    "SOFTWARE",
    "begin_run",
    "check_software",
    "create",
    "finish",
    "is_written",
    "open_store",
    "pending",
    "write_shard",
]

SOFTWARE = ("lock",)
"""Attributes of a layout that tell what it is made with: a complete store is whole with any other."""


def create(where: Where, layout: Layout) -> None:
    """Make an empty store, or find the one that was begun with the same layout.

    Preallocates every array. A store that is already there and has this very layout is kept,
    with its finished shards. One process at a time may create a store; any number may then write.

    Arguments:
        where: path or URL of the store, such as ``train.zarr``.
        layout: what it will hold.

    Raises:
        StoreError: if something else is there: another layout, a store begun but not completed with
            other versions of this code, NumPy or what `SOFTWARE` tells (which may draw other
            numbers), a damaged store, or no store; if the disk is full, or the place can't be reached.
    """
    place = place_at(where)
    described = json.loads(json.dumps(describe(layout)))
    with place.telling("creating the store", 1 << 20):
        if place.is_empty():
            place.build(_skeleton(layout, described))
            return
    root, (_, here) = open_root(place), layout_of(place)
    check_members(place, root, here)
    if root.attrs["complete"]:
        found = list(differences(_without_software(here), _without_software(described)))
    else:
        found = list(differences(here, described))
        found += differences({k: root.attrs.get(k) for k in _versions()}, _versions())
    if found:
        raise StoreError(
            f"{place} was begun otherwise: {'; '.join(found)}. Ask for the same again to resume it, "
            "or delete it to begin anew"
        )


def _skeleton(layout: Layout, described: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a store without shards, by name."""
    files: dict[str, Any] = {}
    attributes = dict(layout.attributes) | {"schema": SCHEMA, "complete": False} | _versions()
    root = zarr.create_group(MemoryStore(files), attributes=attributes, zarr_format=3)
    root.create_group(RECEIPTS, attributes={"layout": described})
    for group in sorted({member.partition("/")[0] for member, *_ in members(layout)}):
        root.create_group(group)
    for array in layout.arrays:
        preallocate(root, array, layout.sizes[array.dims[0]][1])
    for constant in layout.constants:
        write_whole(root, constant.path, constant.dims, constant.values, constant.attributes)
    return {name: content.to_bytes() for name, content in files.items()}


def _versions() -> dict[str, str]:
    return {"code_version": __version__, "numpy_version": np.__version__}


def _without_software(described: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {name: value for name, value in described["attributes"].items() if name not in SOFTWARE}
    return {**described, "attributes": attributes}


def begin_run(*wheres: Where) -> tuple[str, list[int]]:
    """Take over the writing of stores that are written together.

    A run that was cut off from its workers can't stop them: what they write for it after this is refused.
    Receipts that vouch for files which are gone are removed, so that from here on a receipt means a shard.

    Returns:
        The name of the run, for `write_shard` and `finish`, and the shards left to write, as `pending`.

    Raises:
        StoreError: as `pending`; or if the disk is full, or the place can't be reached.
    """
    left, run = pending(*wheres), secrets.token_hex(8)
    for where in wheres:
        place = place_at(where)
        if "content_sha256" in open_root(place).attrs:
            continue
        with place.telling("beginning to write", 1 << 12):
            place.write(RUN, run.encode())
            for name in place.sizes(WORK_RECEIPTS).keys() & {_receipt(shard)[1] for shard in _pending(place)}:
                place.remove(f"{WORK_RECEIPTS}/{name}")
    return run, left


def is_written(where: Where, index: int) -> bool:
    """Whether a shard has its receipt; after `begin_run`, that it need not be made."""
    place = place_at(where)
    with place.telling(f"looking for shard {index}"):
        if "content_sha256" in open_root(place).attrs:
            return True
        try:
            place.read("/".join(_receipt(index)))
        except FileNotFoundError:
            return False
        return True


def _receipt(shard: int) -> tuple[str, str]:
    return WORK_RECEIPTS, f"{shard:06d}.json"


def check_software(place: Place) -> None:
    """Raise a `StoreError` unless this process has the software that the store was begun with."""
    here = {"lock": lock()} | _versions()
    begun = {name: value for name, value in open_root(place).attrs.items() if name in here}
    found = list(differences(begun, {name: here[name] for name in begun}))
    if found:
        raise StoreError(
            f"{place} was begun with other software than this process has: {'; '.join(found)}. Install "
            "the same wherever it is written from"
        )


def pending(*wheres: Where) -> list[int]:
    """The shards that are still to be written in at least one of these stores.

    A shard counts as written when it has a receipt and its files have the sizes told there.

    Raises:
        StoreError: if there is no store, the stores differ in their number of shards, or groups or arrays
            are gone or broken.
    """
    places = [place_at(where) for where in wheres]
    if len({layout_of(place)[0].n_shards for place in places}) > 1:
        raise StoreError(f"stores written together need as many shards: {some(places)}")
    return sorted(set[int]().union(*(_pending(place) for place in places)))


def _pending(place: Place) -> set[int]:
    root, (layout, described) = open_root(place), layout_of(place)
    check_members(place, root, described)
    if "content_sha256" in root.attrs:
        return set()
    with place.telling("looking for what is written"):
        receipts = work_receipts(place)
        paths = [array.path for array in layout.arrays] if receipts else []
        sizes, parts = place.all_sizes(paths), place.sizes(PARTS)
    left = set(range(layout.n_shards))
    for shard, receipt in receipts.items():
        found = {array.path: sizes[array.path].get(shard_file(array, shard)) for array in layout.arrays}
        if found | {"part": parts.get(part_file(shard).rpartition("/")[2])} == receipt["bytes"]:
            left.discard(shard)
    return left


def write_shard(
    where: Where,
    index: int,
    arrays: Mapping[str, np.ndarray],
    tables: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    *,
    run: str | None = None,
) -> None:
    """Write one whole shard of every array, its rows of every table, and then its receipt.

    Arguments:
        where: path or URL of a store that isn't finished.
        index: of the shard.
        arrays: by path, the scenes or fields of this shard, of the layout's dtype.
        tables: by path and column, any number of rows (none, too).
        run: name of the run that it is written for, as `begin_run` gave it.

    Raises:
        StoreError: if an array or column is missing, unknown, or of another shape or dtype
            (nothing is written then), if the store is finished or taken over by another run, the disk is
            full, or the place can't be reached.
    """
    place, tables = place_at(where), tables or {}
    root, (layout, described) = open_root(place), layout_of(place)
    if "content_sha256" in root.attrs:
        raise StoreError(f"{place} is finished: shard {index} can't be written any more")
    if problems := list(_shard_problems(layout, index, arrays, tables)):
        raise StoreError(f"shard {index} doesn't fit {place}: {'; '.join(problems)}")
    rows = {f"{t.path}/{name}": tables[t.path][name] for t in layout.tables for name in t.columns}
    needed = sum(values.nbytes for values in [*arrays.values(), *rows.values()])
    sizes: dict[str, int] = {}
    receipt = "/".join(_receipt(index))
    with place.telling(f"writing shard {index}", needed, needed * layout.n_shards):
        _check_run(place, run)
        # Whatever an older receipt vouched for is about to change.
        place.remove(receipt)
        encoder = encoder_of(json.dumps(described))
        for array in layout.arrays:
            content = encoder.encode(array, index, arrays[array.path])
            place.write(f"{array.path}/{shard_file(array, index)}", content)
            sizes[array.path] = len(content)
        part = io.BytesIO()
        np.savez(part, **rows)  # pyright: ignore[reportArgumentType]
        sizes["part"] = part.getbuffer().nbytes
        place.write(part_file(index), part.getvalue())
        content = {
            "shard": index,
            "bytes": sizes,
            "rows": {table.path: n_rows(tables[table.path]) for table in layout.tables},
            "sha256": {name: sha256_of(name, values) for name, values in [*arrays.items(), *rows.items()]},
        }
        place.write(receipt, json.dumps(content).encode())


def _check_run(place: Place, run: str | None) -> None:
    if run is None:
        return
    try:
        writer = place.read(RUN).decode()
    except FileNotFoundError:
        writer = "finished"
    if writer != run:
        raise StoreError(
            f"another run has taken over {place}: nothing more is written for this one. Wait until it has "
            "ended, then run again if anything is left"
        )


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


def finish(where: Where, run: str | None = None) -> None:
    """Put the tables together, fold the receipts into ``/receipts``, and set ``complete`` last.

    May be killed at any moment and called again; on a finished store it does nothing.

    Arguments:
        where: path or URL of the store.
        run: name of the run that finishes it, as `begin_run` gave it.

    Raises:
        StoreError: while shards are pending, if a part is damaged, another run has taken over, or if the
            disk is full.
    """
    place = place_at(where)
    root, (layout, described) = open_root(place, writable=True), layout_of(place)
    if root.attrs["complete"]:
        return
    if "content_sha256" not in root.attrs:
        if left := sorted(_pending(place)):
            raise StoreError(
                f"{place} lacks {len(left)} of its {layout.n_shards} shards ({some(left)}): write them first"
            )
        receipts = [receipt for _, receipt in sorted(work_receipts(place).items())]
        with place.telling("finishing", sum(receipt["bytes"]["part"] for receipt in receipts)):
            for table in layout.tables:
                _check_run(place, run)
                join_parts(place, root, table, receipts)
            _check_run(place, run)
            fold_receipts(place, root, described, receipts)
            place.keep([RECEIPTS, *(table.path for table in layout.tables)])
            # From here on nothing is read from the working folder any more.
            root.attrs["content_sha256"] = content_hash(place, root, described)
            place.keep([])
    with place.telling("finishing"):
        place.tidy()
        root.attrs["complete"] = True
        place.keep([])


def open_store(where: Where) -> xarray.DataTree:
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

    place = place_at(where)
    root, (_, described) = open_root(place), layout_of(place)
    if not root.attrs["complete"]:
        raise StoreError(
            f"{place} is incomplete: the simulation did not finish. Run the same command again to resume it"
        )
    check_members(place, root, described)
    check_receipts(place, root, described)
    if problems := file_problems(place, root, described):
        raise damaged(place, problems)
    return open_tree(place).drop_nodes(RECEIPTS)
