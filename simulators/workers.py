"""Pools of worker processes that die with the process that started them, however that died."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait

from .layout import StoreError

__all__ = ["in_workers", "worker_pool"]


def in_workers(
    task: Callable[[int], object], indices: Sequence[int], workers: int, *, what: str
) -> Iterator[object]:
    """Do a task for every index in spawned processes; yields what it returns, as each is done.

    Raises:
        StoreError: if a worker dies while `what` is made. What a task raises comes out as it is.
    """
    try:
        with worker_pool(min(workers, len(indices))) as pool:
            for future in as_completed([pool.submit(task, index) for index in indices]):
                yield future.result()
    except BrokenProcessPool as error:
        raise StoreError(
            f"a worker died while writing {what}, perhaps for lack of memory: run again, with "
            f"fewer workers than {workers} if it recurs; finished shards are kept"
        ) from error


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Spawned processes that end what they do when something fails, and die when this one does.

    Every worker holds one end of a pipe, the lifeline, and this process the other: the system
    closes it even when this process is killed. After an exception, tasks not yet begun are
    cancelled; after an interrupt, the workers die at once.
    """
    context = multiprocessing.get_context("spawn")
    reader, lifeline = context.Pipe(duplex=False)
    try:
        with ProcessPoolExecutor(workers, context, _follow, (reader,)) as pool:
            try:
                yield pool
            except Exception:
                pool.shutdown(cancel_futures=True)
                raise
            except BaseException:
                lifeline.close()
                raise
    finally:
        lifeline.close()
        reader.close()


def _follow(lifeline: Connection) -> None:
    """Let this worker die when its parent does, however that died, or closes the line."""

    def watch() -> None:
        wait([lifeline])
        os._exit(1)

    # The workers share the cores: a library that is loaded from now on takes one thread in each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=watch, daemon=True).start()
