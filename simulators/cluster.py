"""Tasks on the workers of an existing Dask scheduler, done again wherever they are lost.

Dask hands a task of a worker that died to another, and gives up after some deaths, because the task may be
what kills. A scheduler that restarts forgets every task: what isn't done is then handed out again. Tasks
must bear being done twice, also at the same time by a worker that lost its scheduler and doesn't know yet.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError

from distributed import Client, KilledWorker, as_completed
from distributed.comm.core import CommClosedError

from .layout import StoreError, some

__all__ = ["on_cluster"]

_LOG = logging.getLogger(__name__)

_REACH_SECONDS = 20.0
"""How long a scheduler is waited for at first."""

_RETURN_SECONDS = 600.0
"""How long one that was lost is waited for, and workers when there are none."""

_LOST = (CancelledError, CommClosedError, OSError, TimeoutError)
"""What is raised where the scheduler is gone."""

_TRIES = 3
"""Times that a task which Dask gave up is handed out again, or that one which fails is tried."""


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
        patience: seconds that a lost scheduler is waited for.

    Raises:
        StoreError: if the scheduler can't be reached or doesn't come back, a
            task fails each time it is tried, or keeps killing its workers.
    """
    # What a client says of a scheduler that is gone is a page long, and told here in a line.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    left = dict.fromkeys(indices)
    given_up: Counter[int] = Counter()
    seconds = _REACH_SECONDS
    while left:
        client = _connect(address, seconds, what)
        try:
            yield from _hand_out(client, task, left, given_up, what, patience)
        except _LOST as error:
            _LOG.warning(
                "lost the scheduler at %s (%s): trying again", address, error or type(error).__name__
            )
            time.sleep(1.0)
        finally:
            client.close(timeout=5)
        seconds = patience


def _connect(address: str, seconds: float, what: str) -> Client:
    end = time.monotonic() + seconds
    while True:
        try:
            return Client(address, timeout=min(seconds, 10.0), set_as_default=False)
        except (OSError, ValueError, CommClosedError) as error:
            if isinstance(error, ValueError) or time.monotonic() > end:
                raise StoreError(
                    f"there is no Dask scheduler at {address} ({error}): start one (`dask scheduler`) or "
                    f"mend the address, such as tcp://host:8786, then run again; what is finished of "
                    f"{what} is kept"
                ) from error
            time.sleep(1.0)


def _hand_out(
    client: Client,
    task: Callable[[int], object],
    left: dict[int, None],
    given_up: Counter[int],
    what: str,
    patience: float,
) -> Iterator[int]:
    """Hand out what is left; each index is taken out of it when it is done, and yielded."""
    if not client.scheduler_info()["workers"]:
        _LOG.warning("the scheduler has no workers: waiting for one, for %.0f s at most", patience)
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError as error:
            raise StoreError(
                f"the scheduler has had no worker for {patience:.0f} s: start some (`dask worker`), then run "
                f"again; what is finished of {what} is kept"
            ) from error
    order = list(left)
    futures = client.map(task, order, pure=False, retries=_TRIES - 1)
    index_of = {future.key: index for future, index in zip(futures, order, strict=True)}
    waiting = as_completed(futures, loop=client.loop)
    del futures  # a future that is forgotten frees its result, and the scheduler's memory of it
    for future in waiting:
        index = index_of.pop(future.key)
        if future.status == "finished":
            del left[index]
            yield index
        elif future.status == "error":
            error = future.exception()
            if not isinstance(error, KilledWorker):
                raise _failed(error, what) from error
            given_up[index] += 1
            if given_up[index] >= _TRIES:
                raise StoreError(
                    f"shard {index} of {what} was given up {_TRIES} times, each after workers died with "
                    "it, perhaps for lack of memory: give each worker more, then run again; finished shards "
                    f"are kept. Dask says: {error}"
                ) from error
            again = client.submit(task, index, pure=False, retries=_TRIES - 1)
            index_of[again.key] = index
            waiting.add(again)
        else:
            raise CommClosedError(f"the tasks {some(index_of.values())} were cancelled")


def _failed(error: BaseException, what: str) -> StoreError:
    if isinstance(error, StoreError):
        return error
    if isinstance(error, ImportError):
        return StoreError(
            f"a worker can't make {what} ({error}): install this version of skysynergy where the workers run"
        )
    return StoreError(f"a worker failed while making {what}: {type(error).__name__}: {error}")
