"""Ten thousand scenes in one run that is killed five times: writes endurance.md and its figure.

    .venv/bin/python docs/results/endurance.py

Two processes, about forty minutes on two idle cores, 7 GB of disk.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from skysynergy.challenges import canvas
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.fields import simulate_shard
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.places import WORK_RECEIPTS
from skysynergy.simulators.sky_layout import layouts
from skysynergy.simulators.storage import place_at
from skysynergy.simulators.store import create, finish, open_store
from skysynergy.simulators.stream import Shard, write_stream

HERE = Path(__file__).parent
SCENES, PER_SHARD, KILLS = 10_000, 20, 5
SKY = replace(TIERS["tiny"].sky, n_fields=SCENES // TIERS["tiny"].sky.scenes_per_field)
SECRET, KEY = b"endurance", b"public"
N_SHARDS = SCENES // PER_SHARD
THOUSAND = 1000 // PER_SHARD
COMPARED = 12  # shards, besides those made twice

PAGE = """# Ten thousand scenes, killed five times

Written by `endurance.py`. {scenes:,} scenes of the exposures of the tier `tiny` (12 of LSST, 3 of VIS, 9
of NISP), {each} a shard, made by two processes on one machine. The run was killed (SIGKILL) {kills} times, at
random moments between its second thousand and its last, and the same call made again. The first shard of
each process is left out of its cost: it imports, and builds the tables of spectra.

| | |
|---|---|
| shards made, and of them made twice because a kill took them | {made}, {twice} |
| verified: every array of every shard has the SHA-256 of its receipt | yes |
| shards made twice, and twelve at random, whose arrays equal those of one made in peace | {equal} |
| scenes with an id of their own | {ids:,} |
| processor time a scene, writing included: first thousand | {first:.3f} ± {first_error:.3f} s |
| last thousand | {last:.3f} ± {last_error:.3f} s |
| last over first (asked: within 0.9 to 1.1) | {ratio:.3f} ± {ratio_error:.3f} |
| peak memory of a process: after two shards, and at its end (asked: 2 GiB) | {early:.2f}, {late:.2f} GiB |
| elapsed, all runs together | {minutes:.0f} min |
| putting the tables together at the end (`finish`) | {finish:.0f} s |
| opening the finished store | {opening:.2f} s |
| bytes of data and truth | {data:.2f} and {truth:.2f} GB |

![Processor time a scene as the run goes on, and when it was killed](endurance.png)
"""


def timed_shard(index: int, log: str) -> Sequence[Shard]:
    """One shard; the time and memory that this process had used when it began are noted first."""
    with open(log, "a") as file:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        file.write(f"{index} {os.getpid()} {time.process_time()} {time.time()} {memory}\n")
    return shard_in_peace(index)


def shard_in_peace(index: int) -> list[Shard]:
    fields = PER_SHARD // SKY.scenes_per_field
    return simulate_shard(index, sky=SKY, secret=SECRET, split=0, fields_per_shard=fields, dither_key=KEY)


def stores(folder: Path) -> list[Path]:
    return [folder / "train.zarr", folder / "train.truth.zarr"]


def make(folder: Path) -> None:
    """What is killed: begin the run or go on with it."""
    attributes = {"name": "sky"}
    for path, layout in zip(
        stores(folder), layouts(SKY, scenes_per_shard=PER_SHARD, attributes=attributes), strict=True
    ):
        create(path, layout)
    write_stream(stores(folder), functools.partial(timed_shard, log=str(folder / "log")), workers=2)


def run_and_kill(folder: Path) -> tuple[list[float], float]:
    """When each kill was, and the seconds that all runs took."""
    rng = random.Random(5)
    wanted = sorted(rng.sample(range(THOUSAND + 5, N_SHARDS - THOUSAND - 5), KILLS))
    times = []
    began = time.time()
    for shards in [*wanted, None]:
        child = subprocess.Popen([sys.executable, __file__, "make", str(folder)])
        while child.poll() is None:
            done = len(place_at(stores(folder)[1]).sizes(WORK_RECEIPTS))
            if shards is not None and done >= shards:
                time.sleep(rng.uniform(0, 5))
                child.send_signal(signal.SIGKILL)
                child.wait()
                times.append(time.time())
                break
            time.sleep(1)
        if shards is None and child.returncode:
            raise SystemExit(f"the run failed with {child.returncode}")
        if shards is not None:
            time.sleep(2)  # the workers see that their parent is gone
    return times, time.time() - began


def costs(log: Path) -> tuple[np.ndarray, list[int]]:
    """(n, 3): shard, when it was begun, and processor seconds a scene; and the shards begun twice."""
    begun: dict[str, list[tuple[int, float, float]]] = {}
    rows = [line.split() for line in log.read_text().splitlines()]
    for index, process, used, when, _ in rows:
        begun.setdefault(process, []).append((int(index), float(used), float(when)))
    cost = [
        (index, when, (then - used) / PER_SHARD)
        for shards in begun.values()
        for (index, used, when), (_, then, _) in itertools.pairwise(shards[1:])
    ]
    times = Counter(int(row[0]) for row in rows)
    return np.array(sorted(cost, key=lambda row: row[1])), [n for n, count in times.items() if count > 1]


def memories(log: Path) -> tuple[float, float]:
    """Largest peak memory of a process, GiB: when it begins its third shard, and its last."""
    peaks: dict[str, list[float]] = {}
    for _, process, _, _, memory in (line.split() for line in log.read_text().splitlines()):
        peaks.setdefault(process, []).append(float(memory) / 2**20)
    return max(peak[2] for peak in peaks.values() if len(peak) > 2), max(peak[-1] for peak in peaks.values())


def equal_in_peace(folder: Path, chosen: list[int]) -> int:
    """How many of the chosen shards hold what one process makes of them alone."""
    data, truth = (open_store(path) for path in stores(folder))
    equal = 0
    for index in chosen:
        made = shard_in_peace(index)
        scenes, fields = (range(index * n, (index + 1) * n) for n in (PER_SHARD, PER_SHARD // 4))
        same = True
        for tree, shard in zip((data, truth), made, strict=True):
            for path, values in shard.arrays.items():
                entries = scenes if len(values) == PER_SHARD else fields
                here = tree[path][entries.start : entries.stop].to_numpy()
                same &= here.dtype == values.dtype and np.array_equal(here, values, equal_nan=True)
        equal += same
    return equal


def draw(cost: np.ndarray, kills: list[float]) -> Figure:
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    minutes = (cost[:, 1] - cost[0, 1]) / 60
    axes.plot(minutes, cost[:, 2], ".", ms=3, color=canvas.INK, label="one shard")
    smooth = np.convolve(cost[:, 2], np.ones(25) / 25, "valid")
    axes.plot(minutes[12:-12], smooth, color=canvas.COLOURS["blue"], label="mean of 25")
    for n, kill in enumerate(kills):
        axes.axvline(
            (kill - cost[0, 1]) / 60, color=canvas.COLOURS["vermillion"], lw=1, label="" if n else "killed"
        )
    axes.set(xlabel="minutes", ylabel="processor seconds a scene", ylim=(0, None))
    axes.legend(loc="lower right", ncols=3, frameon=False)
    return figure


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="endurance-"))
    try:
        kills, seconds = run_and_kill(folder)
        cost, again = costs(folder / "log")
        memory = memories(folder / "log")
        began = time.perf_counter()
        for path in stores(folder):
            finish(path)
        finished = time.perf_counter() - began
        for path in stores(folder):
            verify(path)
        began = time.perf_counter()
        data = open_store(stores(folder)[0])
        opening = time.perf_counter() - began
        rng = random.Random(6)
        chosen = sorted({*again, *rng.sample(range(N_SHARDS), COMPARED)})
        first, last = cost[:THOUSAND, 2], cost[-THOUSAND:, 2]
        errors = [np.std(part, ddof=1) / np.sqrt(len(part)) for part in (first, last)]
        ratio = last.mean() / first.mean()
        sizes = [sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) for path in stores(folder)]
        page = PAGE.format(
            scenes=SCENES,
            each=PER_SHARD,
            kills=len(kills),
            made=N_SHARDS,
            twice=len(again),
            equal=f"{equal_in_peace(folder, chosen)} of {len(chosen)}",
            ids=len(np.unique(data["scenes/id"])),
            first=first.mean(),
            first_error=errors[0],
            last=last.mean(),
            last_error=errors[1],
            ratio=ratio,
            ratio_error=ratio * np.hypot(errors[0] / first.mean(), errors[1] / last.mean()),
            early=memory[0],
            late=memory[1],
            minutes=seconds / 60,
            finish=finished,
            opening=opening,
            data=sizes[0] / 1e9,
            truth=sizes[1] / 1e9,
        )
        (HERE / "endurance.md").write_text(page)
        canvas.save(draw(cost, kills), HERE / "endurance.png")
        print(page)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]))
    else:
        main()
