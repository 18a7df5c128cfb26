"""The tier `full` on a thousand workers that come and go, simulated: scale_schedule.md and its figures.

    .venv/bin/python docs/results/scale_schedule.py

Reads scale.json, so scale.py comes first; needs about two minutes on one core.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scale_cluster import Cluster, Run, simulate
from skysynergy.challenges import canvas
from skysynergy.challenges.sky_tiers import TIERS

HERE = Path(__file__).parent
SEED = 20260101
HOUR, MINUTE = 3600.0, 60.0

WORKERS = 1000
BANDWIDTH = 20e6
"""Bytes a second that one worker sends to storage: our choice, a gigabit shared by six."""

REQUESTS_PER_PUT = 3
"""For each file that is put, others ask whether it is there: our choice."""

IDEAL = Cluster(
    WORKERS,
    start=10 * MINUTE,
    overhead=0.005,
    speed_scatter=0.1,
    requests_per_second=3500,
)
AWAY = 5 * MINUTE
SLOW, SLOW_SPEED = 0.02, 0.2
RESTART = 2 * MINUTE

ASSUMED = (
    (
        "time of a task",
        "field + {scenes} scenes drawn from those measured + writing: {task:.0f} s in the mean",
        "measured (`scale.py`)",
    ),
    ("scatter between shards", "{scatter:.1%}", "from the same scenes"),
    ("speed of machines", f"log-normal, σ = {IDEAL.speed_scatter:.0%}", "our choice"),
    ("workers", f"{WORKERS:,}, there after 0 to {IDEAL.start / MINUTE:.0f} min", "our choice"),
    (
        "a worker that is taken away",
        f"after an exponential time, mean as in the table; another comes {AWAY / MINUTE:.0f} min later",
        "our choice",
    ),
    (
        "scheduler",
        f"one task at a time, {1e3 * IDEAL.overhead:.0f} ms each",
        "our choice; Dask's documentation says about 1 ms",
    ),
    (
        "scheduler restarts",
        f"all that runs is lost; back after {RESTART / MINUTE:.0f} min, the workers as at the start",
        "our choice",
    ),
    ("slow machines", f"{SLOW:.0%} at {SLOW_SPEED:.0%} of the speed", "our choice"),
    (
        "upload",
        f"{{upload:.1f}} s: {{megabytes:.0f}} MB at {BANDWIDTH / 1e6:.0f} MB/s a worker",
        "measured size, our choice of speed",
    ),
    (
        "storage",
        f"{IDEAL.requests_per_second:,.0f} requests a second, {{requests}} a task",
        f"S3 promises so many PUT a second for a prefix; {REQUESTS_PER_PUT} for each PUT is our choice",
    ),
    ("a task that is lost", "is handed out next, from its beginning", "as `simulators/cluster.py` does it"),
)
"""What is assumed, its value, and where that is from."""

HEAD = """# A run of the tier `full` on {workers:,} workers

Written by `scale_schedule.py`: {tasks:,} shards of {scenes} scenes, played event by event
(`scale_cluster.py`, checked against closed forms by `tests/test_scale_cluster.py`); one run each, of a fixed
seed.

| what | value | where from |
|---|---|---|
{assumed}

*Lost*: core-hours of tries that came to nothing. *Idle*: of workers without a task. *Efficiency*: useful
core-hours over all that workers were there for.

| trouble | done after | useful | lost | idle | efficiency | tasks begun |
|---|---|---|---|---|---|---|
"""

TAIL = """
![Shards done over time, and what the first workers did](scale_schedule.png)

Left: shards that are left. Right: the first {shown} workers in the last run of the table; a gap is a worker
that was away.

With lifetimes τ and tasks of length t a task takes τ(exp(t/τ) − 1) in the mean; with t = {task:.0f} s and
τ = 1 h that is {closed:.1%} more than t, and the simulation has {found:.1%}. Work is lost in proportion to
the length of a shard. A restart of the scheduler costs at most one task of each worker, and the minutes until
the workers are back. Storage would limit the run only where {storage:,.0f} workers share a prefix.
"""


def tasks(full: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """Seconds of each shard: its field, scenes drawn with replacement from those measured, and writing."""
    n, tier = full["n"], TIERS["full"]
    scenes = rng.choice(np.array(full["scenes"]), (tier.n_scenes // n, n))
    return scenes.sum(axis=1) + full["field"] + n * full["writing"]


def runs(work: np.ndarray, cluster: Cluster, shown: int) -> dict[str, Run]:
    """One run for each kind of trouble, by what the table says of it."""
    half = 0.5 * work.sum() / cluster.workers
    slow = {"slow": SLOW, "slow_speed": SLOW_SPEED}
    restart = {"restart_at": half, "restart": RESTART}
    troubles: dict[str, dict[str, Any]] = {
        "none": {},
        "workers last 24 h": {"lifetime": 24 * HOUR},
        "workers last 6 h": {"lifetime": 6 * HOUR},
        "workers last 1 h": {"lifetime": HOUR},
        f"{SLOW:.0%} of the machines slow": slow,
        "the scheduler restarts half-way": restart,
        "all of it, workers last 1 h": slow | restart | {"lifetime": HOUR},
    }
    return {
        name: simulate(work, replace(cluster, away=AWAY, **trouble), np.random.default_rng(SEED), shown=shown)
        for name, trouble in troubles.items()
    }


@canvas.drawn
def figure(played: dict[str, Run], shown: int) -> Figure:
    drawn = Figure(figsize=(9.6, 3.4), layout="constrained")
    left, right = drawn.subplots(1, 2)
    colours = [canvas.INK, *canvas.COLOURS.values()]
    for (name, run), colour in zip(played.items(), colours, strict=True):
        left.plot(
            run.done / HOUR, np.arange(len(run.done))[::-1] / 1e3, color=colour, label=name, linewidth=1
        )
    left.set_xlabel("hours")
    left.set_ylabel("thousand shards left")
    left.set_yscale("log")
    left.set_ylim(1e-3, None)
    left.legend(fontsize=6.5, loc="lower left")
    last = list(played.values())[-1]
    for kind, colour in (("work", canvas.COLOURS["sky"]), ("lost", canvas.COLOURS["vermillion"])):
        chosen = [s for s in last.stretches if s.kind == kind]
        right.barh(
            [s.worker for s in chosen],
            [(s.end - s.begin) / HOUR for s in chosen],
            left=[s.begin / HOUR for s in chosen],
            height=0.8,
            color=colour,
            edgecolor="white",
            linewidth=0.15,
            label={"work": "a shard that was done", "lost": "work that was lost"}[kind],
        )
    right.set_xlabel("hours")
    right.set_ylabel("worker")
    right.legend(fontsize=6.5, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    right.set_ylim(-1, shown)
    return drawn


def main() -> None:
    started = time.monotonic()
    full = json.loads((HERE / "scale.json").read_text())["full"]
    n, shown = full["n"], 30
    work = tasks(full, np.random.default_rng(SEED))
    sent = n * (full["data"] + full["truth"])
    requests = REQUESTS_PER_PUT * full["puts"]
    cluster = replace(IDEAL, upload=sent / BANDWIDTH, requests=requests)
    played = runs(work, cluster, shown)
    rows = "\n".join(f"| {what} | {value} | {source} |" for what, value, source in ASSUMED)
    assumed = rows.format(
        scenes=n,
        task=work.mean(),
        scatter=work.std() / work.mean(),
        upload=cluster.upload,
        megabytes=sent / 1e6,
        requests=requests,
    )
    text = HEAD.format(workers=WORKERS, tasks=len(work), scenes=n, assumed=assumed)
    for name, run in played.items():
        text += (
            f"| {name} | **{run.seconds / HOUR:.2f} h** | {run.useful / HOUR:,.0f} | {run.lost / HOUR:,.0f} "
            f"| {run.idle / HOUR:,.0f} | {run.efficiency:.1%} | {run.tries:,} |\n"
        )
    hourly = played["workers last 1 h"]
    task = hourly.useful / len(work)
    text += TAIL.format(
        shown=shown,
        task=task,
        closed=np.expm1(task / HOUR) * HOUR / task - 1,
        found=hourly.lost / hourly.useful,
        scenes=n,
        storage=task * IDEAL.requests_per_second / requests,
    )
    canvas.save(figure(played, shown), HERE / "scale_schedule.png")
    canvas.write_whole(HERE / "scale_schedule.md", text.encode())
    print(text, f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
