"""Shards as they are made: written one after the other, by one process, by many, or by a cluster."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from .hierarchy import layout_of
from .layout import StoreError
from .storage import Where, place_at
from .store import begin_run, check_software, is_written, write_shard
from .workers import in_workers

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
    wheres: Sequence[Where],
    simulate: Callable[[int], Sequence[Shard]],
    *,
    workers: int = 1,
    cluster: str | None = None,
    progress: bool | None = None,
) -> str:
    """Write all pending shards of stores that are written together; the name of the run, for `finish`.

    When it is interrupted or fails, the shards written so far are kept: call it again. Workers
    are spawned, die with this process, and write their own shards. Those of a cluster live on, but what
    they still write for a run that another has replaced is refused.

    Arguments:
        wheres: paths or URLs of the stores, such as ``train.zarr`` and ``train.truth.zarr``.
        simulate: makes one shard, given its index: a `Shard` for each store. With more
            than one worker it is pickled: a function of a module, or a `functools.partial` of one.
        workers: number of processes; 1 works in this one.
        cluster: address of a Dask scheduler whose workers do it instead, such as ``tcp://host:8786``; they
            have to reach the stores under the same paths or URLs.
        progress: whether to draw a bar on stderr; left out, if that is a terminal.

    Raises:
        StoreError: if a shard fails (its cause is chained), a worker dies, the disk is full, or the stores or
            the scheduler can't be reached.
    """
    run, left = begin_run(*wheres)
    place = place_at(wheres[0])
    total = layout_of(place)[0].n_shards
    disable = None if progress is None else not progress
    with tqdm(desc=place.name, total=total, initial=total - len(left), unit="shard", disable=disable) as bar:
        task = functools.partial(_write_pending, wheres, simulate, run)
        for _ in _done(task, left, workers, cluster, str(place)):
            bar.update()
    return run


def _done(
    task: Callable[[int], object], indices: Sequence[int], workers: int, cluster: str | None, what: str
) -> Iterable[object]:
    if not indices:
        return ()
    if cluster is not None:
        try:
            from .cluster import on_cluster  # here, because few need it
        except ImportError as error:
            raise StoreError(f"a cluster needs more ({error}): pip install 'skysynergy[cluster]'") from error
        return on_cluster(task, indices, cluster, what=what)
    if workers == 1 or len(indices) < 2:
        return map(task, indices)
    return in_workers(task, indices, workers, what=what)


def _write_pending(
    wheres: Sequence[Where], simulate: Callable[[int], Sequence[Shard]], run: str, index: int
) -> int:
    """Make one shard and write it to the stores that lack it; its index."""
    lack = [not is_written(where, index) for where in wheres]
    if not any(lack):  # a task that was lost may have been done
        return index
    check_software(place_at(wheres[0]))
    try:
        shards = simulate(index)
    except Exception as error:
        raise StoreError(f"shard {index} of {wheres[0]} failed: {type(error).__name__}: {error}") from error
    if len(shards) != len(wheres):
        raise StoreError(f"shard {index}: {len(shards)} were made for {len(wheres)} stores")
    for where, shard, needed in zip(wheres, shards, lack, strict=True):
        if needed:
            write_shard(where, index, shard.arrays, shard.tables, run=run)
    return index
