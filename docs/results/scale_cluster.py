"""A run on a cluster, event by event: tasks, workers that come and go, a scheduler, and storage with limits.

`simulate` plays one run; scale_schedule.py draws what comes out. Nothing here knows what a task makes.

The rules are those of `simulators.cluster`: tasks wait in one queue, a worker has one at a time, and a task
whose worker goes is done again from its beginning, because a shard is whole or not there.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Cluster", "Run", "Stretch", "simulate"]


@dataclass(frozen=True)
class Cluster:
    """Machines and their troubles; seconds everywhere.

    Attributes:
        workers: how many, one task each.
        start: workers are there after a time uniform from 0 to this.
        lifetime: mean of the exponential time after which a worker is taken away; None for never.
        away: until it, or another in its place, is back.
        overhead: of the scheduler for each task that it hands out, one after the other.
        speed_scatter: sigma of ln(speed) of the workers, whose median is 1.
        slow, slow_speed: part of the workers that are slow, and their speed.
        restart_at: when the scheduler dies and with it all that runs; None for never.
        restart: until it is back; the workers then come as at the start.
        requests: that storage gets for each task.
        requests_per_second: that storage takes from all workers together.
        upload: seconds that a worker takes to send what a task made, whatever its speed.
    """

    workers: int
    start: float = 0.0
    lifetime: float | None = None
    away: float = 0.0
    overhead: float = 0.0
    speed_scatter: float = 0.0
    slow: float = 0.0
    slow_speed: float = 1.0
    restart_at: float | None = None
    restart: float = 0.0
    requests: int = 0
    requests_per_second: float = np.inf
    upload: float = 0.0


class Stretch(NamedTuple):
    """What a worker did from one time to another: ``"work"``, or ``"lost"`` when nothing came of it."""

    worker: int
    begin: float
    end: float
    kind: str


@dataclass(frozen=True)
class Run:
    """What came out.

    Attributes:
        done: (tasks) when each was done, in that order.
        useful, lost: seconds of workers on tasks that were done, and on tries that were not.
        idle: seconds of workers without a task, until the last one was done.
        tries: how often a task was handed out.
        stretches: what the first workers did.
    """

    done: np.ndarray
    useful: float
    lost: float
    idle: float
    tries: int
    stretches: tuple[Stretch, ...]

    @property
    def seconds(self) -> float:
        """Until the last task was done."""
        return float(self.done[-1])

    @property
    def efficiency(self) -> float:
        """Part of the time of all workers that were there in which something came about."""
        return self.useful / (self.useful + self.lost + self.idle)


def simulate(work: np.ndarray, cluster: Cluster, rng: np.random.Generator, *, shown: int = 0) -> Run:
    """Play one run to its end.

    Arguments:
        work: (tasks) seconds that each takes a worker of speed 1, in the order in which they are handed out.
        cluster: where.
        rng: lifetimes, speeds and times of start.
        shown: of how many workers to keep the stretches.

    Raises:
        ValueError: if there is no task or no worker, or a task takes no time that is finite and not negative.
    """
    work = np.asarray(work, float)
    if not len(work) or cluster.workers < 1 or not (np.isfinite(work).all() and (work >= 0).all()):
        raise ValueError("a run needs a worker, and tasks that take finite times of 0 s or more")
    return _Play(work, cluster, rng, shown).run()


class _Play:
    """The state of a run under way."""

    def __init__(self, work: np.ndarray, cluster: Cluster, rng: np.random.Generator, shown: int) -> None:
        n = cluster.workers
        self.work, self.cluster, self.rng, self.shown = work, cluster, rng, shown
        self.speed = np.exp(cluster.speed_scatter * rng.standard_normal(n))
        self.speed[rng.permutation(n)[: round(cluster.slow * n)]] *= cluster.slow_speed
        self.events: list[tuple[float, int, str, int, int]] = []
        self.count = 0
        self.waiting = list(range(len(work)))[::-1]
        self.idle: dict[int, float] = {}  # workers without a task, in order, since when
        self.task: dict[int, tuple[int, float]] = {}  # of each that works, since when
        self.life = [0] * n  # events of an earlier life of a worker mean nothing
        self.scheduler_free = self.storage_free = 0.0
        self.done: list[float] = []
        self.useful = self.lost = self.idled = 0.0
        self.tries = 0
        self.stretches: list[Stretch] = []

    def run(self) -> Run:
        cluster = self.cluster
        self._arrive(0.0)
        if cluster.restart_at is not None:
            self._at(cluster.restart_at, "restart", 0)
        while len(self.done) < len(self.work):
            now, _, kind, worker, life = heapq.heappop(self.events)
            if kind == "restart":
                self._restart(now)
            elif life == self.life[worker]:
                getattr(self, f"_{kind}")(now, worker)
        end = self.done[-1]
        self.idled += sum(end - since for since in self.idle.values())
        return Run(np.array(self.done), self.useful, self.lost, self.idled, self.tries, tuple(self.stretches))

    def _at(self, when: float, kind: str, worker: int) -> None:
        self.count += 1
        heapq.heappush(self.events, (when, self.count, kind, worker, self.life[worker]))

    def _arrive(self, now: float) -> None:
        for worker, late in enumerate(self.rng.uniform(0, self.cluster.start, self.cluster.workers)):
            self._at(now + late, "up", worker)

    def _up(self, now: float, worker: int) -> None:
        if self.cluster.lifetime is not None:
            self._at(now + self.rng.exponential(self.cluster.lifetime), "gone", worker)
        self.idle[worker] = now
        self._hand_out(now)

    def _hand_out(self, now: float) -> None:
        while self.waiting and self.idle:
            worker = next(iter(self.idle))
            begin = max(now, self.scheduler_free) + self.cluster.overhead
            self.scheduler_free = begin
            self.idled += begin - self.idle.pop(worker)
            task = self.waiting.pop()
            self.task[worker] = task, begin
            self.tries += 1
            self._at(begin + self.work[task] / self.speed[worker], "made", worker)

    def _made(self, now: float, worker: int) -> None:
        """The task is made: what is left is to send it, as fast as the worker and storage can."""
        self.storage_free = max(self.storage_free, now) + (
            self.cluster.requests / self.cluster.requests_per_second
        )
        self._at(max(now + self.cluster.upload, self.storage_free), "stored", worker)

    def _stored(self, now: float, worker: int) -> None:
        _, since = self.task.pop(worker)
        self._stretch(worker, since, now, "work")
        self.done.append(now)
        self.idle[worker] = now
        self._hand_out(now)

    def _gone(self, now: float, worker: int) -> None:
        self._drop(now, worker)
        self._at(now + self.cluster.away, "up", worker)
        self._hand_out(now)

    def _restart(self, now: float) -> None:
        for worker in range(self.cluster.workers):
            self._drop(now, worker)
        self._arrive(now + self.cluster.restart)

    def _drop(self, now: float, worker: int) -> None:
        """Forget a worker and what it has in hand, which is handed out next."""
        self.life[worker] += 1
        if worker in self.idle:
            self.idled += now - self.idle.pop(worker)
        elif worker in self.task:
            task, since = self.task.pop(worker)
            self._stretch(worker, since, now, "lost")
            self.waiting.append(task)

    def _stretch(self, worker: int, begin: float, end: float, kind: str) -> None:
        seconds = max(end - begin, 0.0)  # a task may be lost before the scheduler has handed it over
        if kind == "work":
            self.useful += seconds
        else:
            self.lost += seconds
        if worker < self.shown and seconds:
            self.stretches.append(Stretch(worker, begin, end, kind))
