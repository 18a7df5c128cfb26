"""A million predictions scored, and read from a file: writes classification_scale.md.

    .venv/bin/python docs/results/classification_scale.py

Needs no data, 3 GB of disk, and about six minutes of one core, most of it to lay out a store of a million
light curves. `--objects 10000` shows in a minute that it works, and prints the page in place of writing it.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from skysynergy.challenges import canvas
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import Split, generate
from skysynergy.challenges.submission_files import write_submission
from skysynergy.challenges.transient_submission import columns_of
from skysynergy.challenges.transient_tiers import TIERS, TransientTier
from skysynergy.scoring.classification import classification_scorecard
from skysynergy.scoring.classification_sums import classification_sums
from skysynergy.scoring.probabilities import OUT_OF_DISTRIBUTION, clusters_of
from skysynergy.simulators.stream import Shard
from skysynergy.simulators.transient_classes import CLASSES
from skysynergy.simulators.transients import simulate_shard

HERE = Path(__file__).parent
OBJECTS, N_CLASSES, RESAMPLES = 1_000_000, 15, 1000
SPLIT, FILE = "validation", "predictions.parquet"
FULL = TIERS["full"]

PAGE = """# A million predictions

Written by `classification_scale.py`. Each row is a process of its own, with one thread; its peak memory is of
all that it holds, imports and data too, its times are of the work alone. The machine was {load}.

| | elapsed | processor time | peak memory | asked for |
|---|---|---|---|---|
| scores of {n:,} objects x {k} classes from arrays, intervals from {r:,} resamples | {score} | 60 s, 3 GiB |
| a file of {n:,} objects x {few} classes in Parquet ({megabytes:.0f} MB), read and validated | {read} | |
| the same file given to `challenge.score`: read, validated, scored, with groups | {whole} | |

Scores from arrays: `classification_sums` and `classification_scorecard` with all metrics of the transients
challenge, objects out of distribution too (four in a hundred). Probabilities are made up.

The file answers a split of the shape of the tier `full` of `transients`: five simulated fields of {each}
objects, {points:.0f} points a curve, again and again under other ids. Its scorecard breaks down by
signal-to-noise, redshift and number of detections, for which all observations are read.
"""


@dataclass(frozen=True)
class Repeated(TransientTier):
    """A tier whose shards all hold the same light curves, under ids of their own."""

    def simulator(self, secret: bytes, split: int, dither_key: bytes) -> Callable[[int], Sequence[Shard]]:
        del dither_key
        return functools.partial(repeated, secret=secret, split=split)


@functools.cache
def first_shard(secret: bytes, split: int) -> list[Shard]:
    options = {"secret": secret, "split": split, "test": False, "fields_per_shard": FULL.fields_per_shard}
    return simulate_shard(0, survey=FULL.survey, **options)


def repeated(shard: int, *, secret: bytes, split: int) -> list[Shard]:
    made = []
    for one in first_shard(secret, split):
        objects = one.tables["objects"]
        other = {"id": objects["id"] ^ (shard << 40)}
        if "field" in objects:
            other["field"] = objects["field"] + shard * FULL.fields_per_shard
        made.append(replace(one, tables={**one.tables, "objects": {**objects, **other}}))
    return made


def probabilities(n: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(object, class) made-up probabilities, and the true codes."""
    rng = np.random.default_rng(3)
    truth = rng.integers(n_classes, size=n)
    p = rng.gamma(0.3, size=(n, n_classes)) + 1e-6
    p[np.arange(n), truth] += rng.gamma(1.0, size=n)
    p /= p.sum(axis=1, keepdims=True)
    return p, truth


def make(folder: Path, n: int) -> None:
    """What the other steps read."""
    p, truth = probabilities(n, N_CLASSES)
    truth[np.random.default_rng(4).random(n) < 0.04] = OUT_OF_DISTRIBUTION
    np.save(folder / "p.npy", p)
    np.save(folder / "truth.npy", truth)
    generate(Split.of("made", SPLIT, folder, dataset="transients"), progress=False)
    os.environ["SKYSYNERGY_DATA"] = str(folder)
    challenge = load("transients")
    columns = columns_of(probabilities(n, len(CLASSES))[0])
    write_submission(folder / FILE, challenge.ids("made", SPLIT), columns, challenge.metadata("made", SPLIT))


def score(folder: Path, n: int) -> None:
    p, truth = np.load(folder / "p.npy"), np.load(folder / "truth.npy")
    with timed():
        sums = classification_sums(clusters_of(np.arange(n)), p, truth, positive=0)
        classification_scorecard(
            sums,
            track="full",
            tier="made",
            split=SPLIT,
            entry="made up",
            weights=np.ones(N_CLASSES),
            rates=np.ones(N_CLASSES),
            n_resamples=RESAMPLES,
        )


def read(folder: Path, n: int) -> None:
    challenge = load("transients")
    with timed():
        columns = challenge.read(folder / FILE, "made", SPLIT)
    assert len(columns) == len(CLASSES) and all(len(values) == n for values in columns.values())


def whole(folder: Path, n: int) -> None:
    challenge = load("transients")
    with timed():
        challenge.score(folder / FILE, "made", SPLIT)


class timed:
    """Prints the seconds that were taken inside, and the peak memory until the end, as JSON."""

    def __enter__(self) -> None:
        self.began = time.time(), time.process_time()

    def __exit__(self, *_: object) -> None:
        elapsed, processor = time.time() - self.began[0], time.process_time() - self.began[1]
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1024 if sys.platform == "darwin" else 1
        )
        print(json.dumps({"elapsed": elapsed, "processor": processor, "gibibytes": kilobytes / 2**20}))


STEPS: dict[str, Callable[[Path, int], None]] = {
    "make": make,
    "score": score,
    "read": read,
    "whole": whole,
}


def in_a_process(step: str, folder: Path, n: int) -> str:
    """What a step took, as cells of the table."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder), "--objects", str(n)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"SKYSYNERGY_DATA": str(folder)}
    )
    if done.returncode:
        raise SystemExit(f"the step {step} failed: classification_scale.md is left as it was")
    if not done.stdout:
        return ""
    took = json.loads(done.stdout)
    print(step, took, flush=True)
    return f"{took['elapsed']:.1f} s | {took['processor']:.1f} s | {took['gibibytes']:.2f} GiB"


@click.command()
@click.option("--objects", default=OBJECTS, show_default=True, help="a multiple of 2,500")
@click.option("--step", type=click.Choice(list(STEPS)), hidden=True)
@click.option("--folder", type=Path, hidden=True)
def main(objects: int, step: str | None, folder: Path | None) -> None:
    TIERS["made"] = Repeated(
        "made", "", objects // FULL.objects_per_field, FULL.objects_per_field, FULL.fields_per_shard
    )
    if step is not None and folder is not None:
        return STEPS[step](folder, objects)
    load_before = os.getloadavg()[0]
    state = "otherwise idle" if load_before < 0.3 else f"busy with other work (load {load_before:.1f} before)"
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        took = {step: in_a_process(step, home, objects) for step in STEPS}
        megabytes = (home / FILE).stat().st_size / 1e6
        os.environ["SKYSYNERGY_DATA"] = str(home)
        points = load("transients").open("made", SPLIT)["objects/row_size"].to_numpy().mean()
    page = PAGE.format(
        **took,
        load=state,
        n=objects,
        k=N_CLASSES,
        few=len(CLASSES),
        r=RESAMPLES,
        each=FULL.objects_per_field,
        points=points,
        megabytes=megabytes,
    )
    if objects != OBJECTS:
        print(page)
        return None
    canvas.write_whole(HERE / "classification_scale.md", page.encode())
    return None


if __name__ == "__main__":
    main()
