"""Ragged tables: one part per shard while a store is written, put together when it is finished."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr

from .hierarchy import new_array
from .layout import Table, sha256_of
from .places import PARTS, Place, damaged

__all__ = ["CHUNKS_PER_SHARD", "CHUNK_BYTES", "join_parts", "n_rows", "part_file", "read_part"]

CHUNK_BYTES, CHUNKS_PER_SHARD = 1 << 20, 16
"""Bytes of an inner chunk of the widest column of a finished table, and how many of them a file holds.

The parts of one file are in memory at once when they are put together.
"""


def n_rows(columns: Mapping[str, np.ndarray]) -> int:
    """Rows of a table, given its columns."""
    return next((len(values) for values in columns.values() if values.ndim), 0)


def read_part(
    place: Place, table: Table, receipt: Mapping[str, Any], content: bytes | None = None
) -> dict[str, np.ndarray]:
    """The rows of a table from one shard of an unfinished store, by column.

    Arguments:
        place, table: of the store.
        receipt: of the shard.
        content: of the part's file, where it was read already.

    Raises:
        StoreError: if they can't be read, or are not those of the receipt.
    """
    file = part_file(receipt["shard"])
    columns: dict[str, np.ndarray] = {}
    try:
        with np.load(io.BytesIO(content or place.read(file)), allow_pickle=False) as part:
            for name in table.columns:
                columns[name] = part[f"{table.path}/{name}"]
    except Exception as error:  # a damaged file fails in the ways of zip, npy and zlib
        if told := place.told(error, f"reading {file}"):
            raise told from error
        raise damaged(place, [f"{file} can't be read: {error}"]) from error
    for name, values in columns.items():
        item = f"{table.path}/{name}"
        if sha256_of(item, values) != receipt["sha256"][item]:
            raise damaged(place, [f"{item}, shard {receipt['shard']}: {file} changed since it was written"])
    return columns


def part_file(shard: int) -> str:
    """Name of the file with the rows of one shard."""
    return f"{PARTS}/{shard:06d}.npz"


def join_parts(place: Place, root: zarr.Group, table: Table, receipts: Sequence[Mapping[str, Any]]) -> None:
    """Write the columns of a table from the parts of all shards, in the order of their receipts.

    Raises:
        StoreError: if a part can't be read, or changed since it was written.
    """
    total = sum(receipt["rows"][table.path] for receipt in receipts)
    widest = max(np.dtype(c.dtype).itemsize * math.prod(c.shape) for c in table.columns.values())
    chunk = max(1, min(CHUNK_BYTES // widest, total))
    shard = chunk * min(CHUNKS_PER_SHARD, max(1, -(-total // chunk)))
    targets: dict[str, zarr.Array] = {}
    for name, column in table.columns.items():
        targets[name] = new_array(
            root,
            f"{table.path}/{name}",
            (table.dim, *column.dims),
            (total, *column.shape),
            column.dtype,
            (chunk, *column.shape),
            (shard, *column.shape),
            column.attributes,
        )
    waiting: list[dict[str, np.ndarray]] = []
    start = 0
    contents = place.read_all([part_file(receipt["shard"]) for receipt in receipts])
    for receipt, content in zip(receipts, contents, strict=True):
        waiting.append(read_part(place, table, receipt, content))
        # Whole shards of the columns only: what is over waits for the next part.
        rows = sum(map(n_rows, waiting))
        ready = rows if receipt is receipts[-1] else rows // shard * shard
        if ready:
            blocks = {name: np.concatenate([part[name] for part in waiting]) for name in table.columns}
            for name, block in blocks.items():
                targets[name][start : start + ready] = block[:ready]
            waiting = [{name: block[ready:] for name, block in blocks.items()}]
            start += ready
