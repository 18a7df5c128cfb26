"""Shards as they are made: written one after the other, by one process or by many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .hierarchy import layout_of, open_root
from .layout import StoreError
from .store import pending, write_shard
from .workers import worker_pool

__all__ = ["Shard", "write_stream"]


@dataclass(frozen=True)
class Shard:
    """What one task makes for one store.

    Attributes:
        arrays: by path, the scenes or fields of the shard.
        tables: by path and column, its rows, as many as there are.
    """

    arrays: Mapping[str, np.ndarray]
    tables: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)


def write_stream(
    paths: Sequence[Path],
    simulate: Callable[[int], Sequence[Shard]],
    *,
    workers: int = 1,
    progress: bool | None = None,
) -> None:
    """Write all pending shards of stores that are written together.

    When it is interrupted or fails, the shards written so far are kept: call it again. Workers
    are spawned, die with this process, and write their own shards.

    Arguments:
        paths: of the stores, such as ``train.zarr`` and ``train.truth.zarr``.
        simulate: makes one shard, given its index: a `Shard` for each of `paths`. With more
            than one worker it is pickled: a function of a module, or a `functools.partial` of one.
        workers: number of processes; 1 works in this one.
        progress: whether to draw a bar on stderr; left out, if that is a terminal.

    Raises:
        StoreError: if a shard fails (its cause is chained), a worker dies, or the disk is full.
    """
    paths = [Path(path) for path in paths]
    left = pending(*paths)
    total = layout_of(paths[0])[0].n_shards
    disable = None if progress is None else not progress
    with tqdm(
        desc=paths[0].name, total=total, initial=total - len(left), unit="shard", disable=disable
    ) as bar:
        if workers == 1 or len(left) < 2:
            for index in left:
                _write_pending(paths, simulate, index)
                bar.update()
            return
        try:
            with worker_pool(min(workers, len(left))) as pool:
                for future in as_completed([pool.submit(_write_pending, paths, simulate, i) for i in left]):
                    future.result()
                    bar.update()
        except BrokenProcessPool as error:
            raise StoreError(
                f"a worker died while writing {paths[0]}, perhaps for lack of memory: run again, with "
                f"fewer workers than {workers} if it recurs; finished shards are kept"
            ) from error


def _write_pending(paths: Sequence[Path], simulate: Callable[[int], Sequence[Shard]], index: int) -> None:
    try:
        shards = simulate(index)
    except Exception as error:
        raise StoreError(f"shard {index} of {paths[0]} failed: {type(error).__name__}: {error}") from error
    if len(shards) != len(paths):
        raise StoreError(f"shard {index}: {len(shards)} were made for {len(paths)} stores")
    for path, shard in zip(paths, shards, strict=True):
        if "content_sha256" not in open_root(path).attrs:
            write_shard(path, index, shard.arrays, shard.tables)
