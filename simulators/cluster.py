"""Tasks on the workers of an existing Dask scheduler, done again wherever they are lost.

Dask hands a task of a worker that died to another, and gives up after some deaths, because the task may be
what kills. A scheduler that restarts forgets every task: what isn't done is then handed out again. Tasks
must bear being done twice, also at the same time by a worker that lost its scheduler and doesn't know yet.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed
from distributed.comm.core import CommClosedError
from distributed.core import rpc

from .layout import StoreError, some

__all__ = ["on_cluster"]

_LOG = logging.getLogger(__name__)

_REACH_SECONDS = 20.0
"""How long a scheduler is waited for at first."""

_RETURN_SECONDS = 600.0
"""How long a scheduler that was lost is waited for, and workers after the last of them has gone.

The first worker is waited for without end: jobs may stand in a queue.
"""

_LOOK_SECONDS, _WARN_SECONDS = 5.0, 60.0
"""How often it is looked whether there are workers, and said that there are none."""

_TRIES = 3
"""Times that a task which kills its workers is handed out, and that one which fails is tried."""

_BARREN = 20
"""Times that a scheduler may be lost one after the other without a task being done."""

_LOST = (CancelledError, CommClosedError, OSError, TimeoutError)
"""What is raised where the scheduler is gone."""


def on_cluster(
    task: Callable[[int], object],
    indices: Iterable[int],
    address: str,
    *,
    what: str,
    patience: float = _RETURN_SECONDS,
) -> Iterator[int]:
    """Do a task for every index; yields each index that is done, once.

    Arguments:
        task: is pickled; workers need this very version of the code.
        indices: what to give it.
        address: of the scheduler, such as ``tcp://host:8786``.
        what: is made, for messages.
        patience: seconds that a lost scheduler, or workers that have all gone, are waited for.

    Raises:
        StoreError: if the scheduler can't be reached or doesn't come back, there are no workers any more, a
            task fails each time it is tried, or keeps killing its workers.
    """
    left = dict.fromkeys(indices)
    given_up: Counter[int] = Counter()
    workers = _Workers(patience, what)
    # What a client says of a scheduler that is gone is a page long, and told here in a line.
    said = logging.getLogger("distributed.client")
    level = said.level
    said.setLevel(logging.CRITICAL)
    try:
        seconds, barren = _REACH_SECONDS, 0
        while left:
            before = len(left)
            client = _connect(address, seconds, what)
            try:
                yield from _hand_out(client, task, left, given_up, workers, what)
            except _LOST as error:
                barren = 0 if len(left) < before else barren + 1
                if barren == _BARREN:
                    raise StoreError(
                        f"the scheduler at {address} was lost {barren} times and did nothing ({error}): see "
                        f"its log, then run again; what is finished of {what} is kept"
                    ) from error
                reason = error or type(error).__name__
                _LOG.warning("lost the scheduler at %s (%s): trying again", address, reason)
                time.sleep(1.0)
            finally:
                client.close(timeout=5)
            seconds = patience
    finally:
        said.setLevel(level)


def _connect(address: str, seconds: float, what: str) -> Client:
    """A client of the scheduler, once it answers; asked first by hand, as a client may wait for ever."""

    async def ask() -> None:
        async with rpc(address) as scheduler:
            await scheduler.identity()

    end = time.monotonic() + seconds
    while True:
        try:
            asyncio.run(asyncio.wait_for(ask(), min(seconds, 10.0)))
            return Client(address, timeout=10.0, set_as_default=False)
        except Exception as error:  # of addresses in as many ways as there are protocols
            if not isinstance(error, _LOST) or time.monotonic() > end:
                raise StoreError(
                    f"there is no Dask scheduler at {address} ({error or type(error).__name__}): start "
                    "one (`dask scheduler`) or mend the address, such as tcp://host:8786, then run again; "
                    f"what is finished of {what} is kept"
                ) from error
            time.sleep(1.0)


class _Workers:
    """Whether a scheduler has workers, looked at now and then."""

    def __init__(self, patience: float, what: str) -> None:
        self.patience, self.what = patience, what
        self._looked = self._warned = -_WARN_SECONDS
        self._seen: float | None = None

    def look(self, client: Client) -> None:
        """Raise a `StoreError` if there were workers, and have been none for longer than one is patient."""
        now = time.monotonic()
        if now - self._looked < min(_LOOK_SECONDS, self.patience):
            return
        self._looked = now
        if client.scheduler_info()["workers"]:
            self._seen = now
        elif self._seen is not None and now - self._seen > self.patience:
            raise StoreError(
                f"the scheduler has had no worker for {self.patience:.0f} s: start some (`dask worker`), "
                f"then run again; what is finished of {self.what} is kept"
            )
        elif now - self._warned > _WARN_SECONDS:
            self._warned = now
            _LOG.warning("the scheduler has no workers: waiting for some (`dask worker ADDRESS`)")


def _hand_out(
    client: Client,
    task: Callable[[int], object],
    left: dict[int, None],
    given_up: Counter[int],
    workers: _Workers,
    what: str,
) -> Iterator[int]:
    """Hand out what is left; each index is taken out of it when it is done, and yielded."""
    order = list(left)
    futures = client.map(task, order, pure=False, retries=_TRIES - 1)
    index_of = {future.key: index for future, index in zip(futures, order, strict=True)}
    waiting = as_completed(futures, loop=client.loop)
    del futures  # a future that is forgotten frees its result, and the scheduler's memory of it
    while not waiting.is_empty():
        if not waiting.has_ready():
            workers.look(client)
            time.sleep(0.05)
            continue
        future = next(waiting)
        index = index_of.pop(future.key)
        if future.status == "finished":
            del left[index]
            yield index
        elif future.status == "error":
            given_up[index] += 1
            _check_failure(future, index, given_up[index], what)
            again = client.submit(task, index, pure=False, retries=_TRIES - 1)
            index_of[again.key] = index
            waiting.add(again)
        else:
            raise CommClosedError(f"the tasks {some(index_of.values())} were cancelled")


def _check_failure(future: Future, index: int, times: int, what: str) -> None:
    """Raise a `StoreError` unless the task was only lost with its workers, and not yet too often."""
    error: Any = future.exception()
    if isinstance(error, KilledWorker):
        if times < _TRIES:
            return
        raise StoreError(
            f"shard {index} of {what} was given up {times} times, each after workers died with it, perhaps "
            "for lack of memory: give each worker more, then run again; finished shards are kept. Dask says: "
            f"{error}"
        ) from error
    if isinstance(error, StoreError) and "there is no store at" in str(error):
        raise StoreError(f"{error}. A worker looked there: it has to reach the same place") from error
    if isinstance(error, StoreError):
        raise error
    if isinstance(error, ImportError):
        raise StoreError(
            f"a worker can't make {what} ({error}): install this version of skysynergy where the workers run"
        ) from error
    raise StoreError(f"a worker failed while making {what}: {type(error).__name__}: {error}") from error
