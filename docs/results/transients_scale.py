"""A hundred thousand light curves simulated and stored by two processes: writes transients_scale.md.

    .venv/bin/python docs/results/transients_scale.py

Needs no data, 1 GB of disk, and about six minutes of two idle cores. `--curves 2000` shows in a minute that
it works, and prints the page in place of writing it.
"""

from __future__ import annotations

import functools
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from skysynergy.challenges import canvas
from skysynergy.challenges.datasets import Split, generate, open_split
from skysynergy.challenges.transient_tiers import TIERS, TransientTier
from skysynergy.simulators.stream import Shard
from skysynergy.simulators.transients import CADENCES, TransientSurvey, field_epochs, simulate_shard

HERE = Path(__file__).parent
FULL = TIERS["full"]
CURVES, ASKED_POINTS, ASKED_SECONDS, WORKERS = 100_000, 150, 300, 2
# Curves of deep fields hold about a hundred points: so many times more of them hold all that are asked for.
DEEP = 1.5

PAGE = """# A hundred thousand light curves

Written by `transients_scale.py`. Two processes on one machine simulate light curves and store them, data and
truth, as `skysynergy get transients` does; the start of both processes, and putting the tables together at
the end, are in the times. The machine was {load}.

| | curves | points a curve: mean, median | points | elapsed | processor time | bytes of data, truth |
|---|---|---|---|---|---|---|
{rows}
| asked for | 100,000 | about 150 | 15 million | 300 s on two cores | | |

## Why a curve of the tiers has fewer points than 150

A curve is kept from 30 days before the first detection to 30 days after the last, so most of what a
survey measures in that place in ten years is not in it: before the light and long after it there is nothing.
What is left is what the cadence gives in so many days, all bands together. Exposures of a band within minutes
of each other are one point (`simulators/epochs.py`). The curves of the first run, by what their field is
(medians over curves; exposures: in one point; of all: part of the curves):

| fields | of all | points: mean, median | days, first to last | points a day | exposures | detections |
|---|---|---|---|---|---|---|
{cadences}

No cadence gives 150 points in the mean. So the second run has deep fields only, and more curves: as many as
are asked for and more, with as many points together.
"""


@dataclass(frozen=True)
class Deep(TransientTier):
    """A tier with deep fields only, half of them seen deep by Euclid too; one field a shard."""

    def simulator(self, secret: bytes, split: int, dither_key: bytes) -> Callable[[int], Sequence[Shard]]:
        del dither_key
        survey = TransientSurvey(5 * self.n_fields, self.objects_per_field, self.source)
        return functools.partial(deep_field, survey=survey, secret=secret, split=split)


def deep_field(number: int, *, survey: TransientSurvey, secret: bytes, split: int) -> list[Shard]:
    """Of five fields in turn the fourth is deep, and the fifth is one that Euclid sees deep too."""
    of_five = 5 * (number // 2) + 3 + number % 2
    return simulate_shard(of_five, survey=survey, secret=secret, split=split, test=False, fields_per_shard=1)


@dataclass(frozen=True)
class Run:
    """What one run took, and what it made.

    Attributes:
        elapsed, processor: seconds; of this process and its workers.
        data, truth: bytes of files.
        cadence: (n,) of each curve, a place in `CADENCES`.
        points, detections: (n,) of each curve.
        days: (n,) from its first point to its last.
    """

    elapsed: float
    processor: float
    data: int
    truth: int
    cadence: np.ndarray
    points: np.ndarray
    detections: np.ndarray
    days: np.ndarray


def measure(tier: TransientTier, home: Path) -> Run:
    """Make the validation split of a tier, and time it."""
    TIERS[tier.name] = tier
    split = Split.of(tier.name, "validation", home, dataset="transients")
    began, used = time.time(), processor_seconds()
    generate(split, workers=WORKERS)
    elapsed, processor = time.time() - began, processor_seconds() - used
    tree = open_split(split)
    points = tree["objects/row_size"].to_numpy()
    assert len(points) == tier.n_objects
    ends = np.cumsum(points)
    mjd = tree["observations/mjd"].to_numpy()
    found = np.concatenate([[0], np.cumsum(tree["observations/detected"].to_numpy())])
    return Run(
        elapsed=elapsed,
        processor=processor,
        data=size_of(Path(str(split.data))),
        truth=size_of(Path(str(split.truth))),
        cadence=np.repeat(tree["fields/cadence"].to_numpy(), tier.objects_per_field),
        points=points,
        detections=found[ends] - found[ends - points],
        days=mjd[ends - 1] - mjd[ends - points],
    )


def processor_seconds() -> float:
    """Of this process, and of the workers that have ended."""
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def row_of(name: str, run: Run) -> str:
    cells = (
        name,
        f"{run.points.size:,}",
        f"{run.points.mean():.0f}, {np.median(run.points):.0f}",
        f"{run.points.sum() / 1e6:.1f} million",
        f"**{run.elapsed:.0f} s**",
        f"{run.processor:.0f} s",
        f"{run.data / 1e6:.0f}, {run.truth / 1e6:.0f} MB",
    )
    return f"| {' | '.join(cells)} |"


def cadence_rows(run: Run) -> list[str]:
    exposures = {}
    for number in range(5):
        code, epochs = field_epochs(FULL.survey, b"one field of each", 1, number)
        exposures[code] = epochs.exposures.mean()
    rows = []
    for code, name in enumerate(CADENCES):
        own = run.cadence == code
        points, days = run.points[own], run.days[own]
        cells = (
            name,
            f"{own.mean():.0%}",
            f"{points.mean():.0f}, {np.median(points):.0f}",
            f"{np.median(days):.0f}",
            f"{points.sum() / days.sum():.2f}",
            f"{exposures[code]:.1f}",
            f"{np.median(run.detections[own]):.0f}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


@click.command()
@click.option("--curves", default=CURVES, show_default=True, help="of the first run")
def main(curves: int) -> None:
    per_field = FULL.objects_per_field
    load = os.getloadavg()[0]
    state = "otherwise idle" if load < 0.3 else f"busy with other work (load {load:.1f} before it began)"
    with tempfile.TemporaryDirectory() as folder:
        n_fields = max(curves // per_field, 5)
        tiers = TransientTier("as-full", "", n_fields, per_field, FULL.fields_per_shard)
        first = measure(tiers, Path(folder))
        print(row_of("as the tier `full`", first), *cadence_rows(first), sep="\n", flush=True)
        second = measure(Deep("deep", "", round(DEEP * n_fields), per_field, 1), Path(folder))
    rows = row_of("as the tier `full`", first), row_of("deep fields only", second)
    page = PAGE.format(load=state, rows="\n".join(rows), cadences="\n".join(cadence_rows(first)))
    if curves != CURVES:
        print(page)
        return
    canvas.write_whole(HERE / "transients_scale.md", page.encode())


if __name__ == "__main__":
    main()
