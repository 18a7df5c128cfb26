"""One and two workers of a Dask cluster, and what kills cost them: writes cluster.md and its figure.

    .venv/bin/python docs/results/cluster.py

Needs two idle cores and the development packages, and about five minutes.
"""

from __future__ import annotations

import functools
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import distributed
import numpy as np
import zarr
from distributed import Client
from matplotlib.figure import Figure
from skysynergy.challenges import canvas
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.fields import simulate_shard
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.places import WORK_RECEIPTS
from skysynergy.simulators.sky_layout import layouts
from skysynergy.simulators.storage import place_at
from skysynergy.simulators.store import create, finish
from skysynergy.simulators.stream import write_stream

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests/simulators"))

from example_cluster import Cluster, cluster  # noqa: E402 it lies there

ROUNDS, SHARDS, LONG = 5, 12, 60
EACH = TIERS["tiny"].scenes_per_shard

PAGE = """# A cluster on one machine

Written by `cluster.py`: Dask {dask}, a scheduler and workers as processes of their own on two cores; the
sky of the tier `tiny`, four scenes a shard, on a local disk. Times: medians of {rounds} interleaved rounds of
{scenes} scenes (lowest to highest ratio), after a first run that imports and builds the tables of spectra.

| | figure | asked |
|---|---|---|
| scenes a second with one worker, with two | {one:.2f}, {two:.2f} | |
| two workers over one | **{gain:.2f}** ({low:.2f} to {high:.2f}) | 1.6 |
| `--workers 2` over `--workers 1`, start-up included, one round | {local:.2f} | |
| peak memory of a worker after {scenes} scenes, after {long} | {early:.2f}, {late:.2f} GiB | 2 GiB |
| arrays equal to those of a run in peace, after the kills | {equal} | all |
| shards, and of them begun twice | {shards}, {twice} | |

![Shards that are done, with time, when a worker and the scheduler are killed](cluster.png)

A worker is killed with SIGKILL, its nanny too, as when a machine goes; the scheduler likewise, after which
two new workers find the new one. The dashed line is the run in peace.
"""


def simulate(index: int, log: str | None = None) -> object:
    if log is not None:
        with open(log, "a") as file:
            file.write(f"{index}\n")
    sky = replace(TIERS["tiny"].sky, n_fields=10_000)
    return simulate_shard(
        index, sky=sky, secret=b"cluster", split=0, fields_per_shard=1, dither_key=b"public"
    )


@contextmanager
def stores(n_shards: int) -> Iterator[list[Path]]:
    """Two empty stores of so many shards, for as long as they are needed."""
    sky = replace(TIERS["tiny"].sky, n_fields=n_shards)
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        paths = [Path(folder) / "train.zarr", Path(folder) / "train.truth.zarr"]
        for path, layout in zip(paths, layouts(sky, scenes_per_shard=EACH, attributes={}), strict=True):
            create(path, layout)
        yield paths


def seconds(n_shards: int, **how: object) -> float:
    """What it takes to write so many shards."""
    with stores(n_shards) as paths:
        began = time.perf_counter()
        write_stream(paths, simulate, progress=False, **how)
        return time.perf_counter() - began


def peak(address: str) -> float:
    """Largest peak memory of a worker, GiB."""
    with Client(address, set_as_default=False) as client:
        return max(client.run(_peak).values())


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def decoded(paths: list[Path]) -> dict[str, bytes]:
    found = {}
    for path in paths:
        root = zarr.open_group(path, mode="r")
        for name, member in root.members(max_depth=None):
            if isinstance(member, zarr.Array) and name != "receipts/files":
                found[f"{path.name}/{name}"] = np.asarray(member[...]).tobytes()
    return found


def progress(
    paths: list[Path], run: Callable[[], None], kill: Callable[[Callable[[], int]], None]
) -> list[tuple[float, int]]:
    """How many shards are done with time while `run` runs and `kill` does its work beside it."""

    def done() -> int:
        return len(place_at(paths[1]).sizes(WORK_RECEIPTS))

    seen = [(0.0, 0)]
    began, over = time.perf_counter(), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.append((time.perf_counter() - began, done()))

    threads = [threading.Thread(target=watch), threading.Thread(target=kill, args=(done,))]
    for thread in threads:
        thread.start()
    run()
    over.set()
    for thread in threads:
        thread.join()
    return [*seen, (time.perf_counter() - began, done())]


def survival(folder: Path) -> tuple[list[list[tuple[float, int]]], list[float], str, int]:
    """Progress in peace and with kills, when these were, how many arrays are equal, shards begun twice."""
    n_shards, log, kills = 24, folder / "log", list[float]()
    runs, arrays = [], []

    def kill(dask: Cluster, done: Callable[[], int]) -> None:
        began = time.perf_counter()
        for at, act in ((6, dask.kill_worker), (12, dask.kill_scheduler)):
            while done() < at:
                time.sleep(0.02)
            time.sleep(0.5)  # with a shard in hand
            act()
            kills.append(time.perf_counter() - began)
        dask.start_scheduler()
        dask.start_worker()
        dask.start_worker()

    for violent in (False, True):
        with cluster(folder, workers=2) as dask, stores(n_shards) as paths:
            seconds(4, cluster=dask.address)
            task = functools.partial(simulate, log=str(log) if violent else None)
            run = functools.partial(write_stream, paths, task, cluster=dask.address, progress=False)
            beside = functools.partial(kill, dask) if violent else lambda done: None
            runs.append(progress(paths, run, beside))
            for path in paths:
                finish(path)
                verify(path)
            arrays.append(decoded(paths))
    equal = sum(arrays[0][name] == arrays[1][name] for name in arrays[0])
    begun = log.read_text().split()
    return runs, kills, f"{equal} of {len(arrays[0])}", len(begun) - len(set(begun))


def draw(runs: list[list[tuple[float, int]]], kills: list[float]) -> Figure:
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    axes = figure.subplots()
    for run, style, label in zip(runs, ("--", "-"), ("in peace", "with kills"), strict=True):
        axes.step(*zip(*run, strict=True), style, where="post", color=canvas.INK, label=label)
    for kill, what in zip(kills, ("one of two workers is killed", "the scheduler is killed"), strict=True):
        axes.axvline(kill, color=canvas.COLOURS["vermillion"], lw=1)
        axes.annotate(what, (kill, 0.4), xytext=(4, 0), textcoords="offset points", fontsize=8)
    axes.set(xlabel="seconds", ylabel="shards done", ylim=(0, None), xlim=(0, None))
    axes.legend(frameon=False, loc="upper left")
    return figure


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cluster-logs-") as logs:
        folder = Path(logs)
        with cluster(folder, workers=1) as one, cluster(folder, workers=2) as two:
            for dask in (one, two):
                seconds(4, cluster=dask.address)  # imports, tables of spectra
            times = np.array(
                [[seconds(SHARDS, cluster=dask.address) for dask in (one, two)] for _ in range(ROUNDS)]
            )
            early = peak(two.address)
            seconds(LONG, cluster=two.address)
            late = peak(two.address)
        gains = times[:, 0] / times[:, 1]
        local = seconds(SHARDS, workers=1) / seconds(SHARDS, workers=2)
        runs, kills, equal, twice = survival(folder)
    scenes = SHARDS * EACH
    page = PAGE.format(
        dask=distributed.__version__,
        one=scenes / np.median(times[:, 0]),
        two=scenes / np.median(times[:, 1]),
        rounds=ROUNDS,
        scenes=scenes,
        gain=np.median(gains),
        low=gains.min(),
        high=gains.max(),
        local=local,
        long=scenes * ROUNDS + LONG * EACH,
        early=early,
        late=late,
        equal=equal,
        shards=24,
        twice=twice,
    )
    (HERE / "cluster.md").write_text(page)
    canvas.save(draw(runs, kills), HERE / "cluster.png")
    print(page)


if __name__ == "__main__":
    main()
