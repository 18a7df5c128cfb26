"""Ragged tables: one part per shard while a store is written, put together when it is finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from .disk import PARTS, damaged
from .hierarchy import new_array
from .layout import Table, sha256_of

__all__ = ["TABLE_CHUNK", "TABLE_SHARD", "join_parts", "n_rows", "read_part"]

TABLE_CHUNK, TABLE_SHARD = 1 << 14, 1 << 18
"""Rows per inner chunk and per shard of a finished table's columns."""


def n_rows(columns: Mapping[str, np.ndarray]) -> int:
    """Rows of a table, given its columns."""
    return next((len(values) for values in columns.values() if values.ndim), 0)


def read_part(path: Path, table: Table, receipt: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The rows of a table from one shard of an unfinished store, by column.

    Raises:
        StoreError: if they can't be read, or are not those of the receipt.
    """
    file = path / PARTS / f"{receipt['shard']:06d}.npz"
    columns: dict[str, np.ndarray] = {}
    for name in table.columns:
        item = f"{table.path}/{name}"
        try:
            with np.load(file, allow_pickle=False) as part:
                columns[name] = part[item]
        except Exception as error:  # a damaged file fails in the ways of zip, npy and zlib
            raise damaged(path, [f"{file} can't be read: {error}"]) from error
        if sha256_of(item, columns[name]) != receipt["sha256"][item]:
            raise damaged(path, [f"{item}, shard {receipt['shard']}: {file} changed since it was written"])
    return columns


def join_parts(path: Path, root: zarr.Group, table: Table, receipts: Sequence[Mapping[str, Any]]) -> None:
    """Write the columns of a table from the parts of all shards, in the order of their receipts.

    Raises:
        StoreError: if a part can't be read, or changed since it was written.
    """
    total = sum(receipt["rows"][table.path] for receipt in receipts)
    chunk = min(TABLE_CHUNK, max(1, total))
    shard = chunk * min(TABLE_SHARD // TABLE_CHUNK, max(1, -(-total // chunk)))
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
    for receipt in receipts:
        waiting.append(read_part(path, table, receipt))
        # Whole shards of the columns only: what is over waits for the next part.
        rows = sum(map(n_rows, waiting))
        ready = rows if receipt is receipts[-1] else rows // shard * shard
        if ready:
            blocks = {name: np.concatenate([part[name] for part in waiting]) for name in table.columns}
            for name, block in blocks.items():
                targets[name][start : start + ready] = block[:ready]
            waiting = [{name: block[ready:] for name, block in blocks.items()}]
            start += ready
