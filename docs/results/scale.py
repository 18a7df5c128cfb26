"""What a scene costs in time, bytes and memory, by tier, and a million: scale.md, its figure, scale.json.

    .venv/bin/python docs/results/scale.py

Needs no data, and about five minutes on one idle core. Each shard is made in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from skysynergy.challenges import canvas
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.sky import exposure_bands
from skysynergy.simulators.surveys import SURVEYS

HERE = Path(__file__).parent
SHARDS = (("tiny", 0), ("small", 0), ("full", 0))

WFD_DEG2 = 18_000
"""Of the LSST wide survey, deg²: rounded from the LSST science requirements, order of magnitude."""

# An H100 SXM reads 3.35 TB/s (NVIDIA's data sheet), of which FFTs and sums that follow each other reach
# a third: our choice. An exposure's canvas is read or written about ten times while it is drawn (product
# with the PSF, two inverse transforms, folding), and its pixels are filtered for the detections for about as
# much: our count, order of magnitude.
GPU_BYTES_PER_SECOND = 3.35e12 / 3
GPU_PASSES = 2 * 10
COMPLEX64 = 8

GIB = 2**30

HEAD = """# What a scene costs

Written by `scale.py`: one shard of each tier, made and written to a disk by one process with one thread.
Seconds are processor time, on a core of {cpu}; how the machine is loaded moves them by tens of
per cent. A *field* is what its scenes share: visits, PSFs, depths, and what the renderer keeps of the PSFs.

## Time

| tier | scenes a shard | exposures | a scene | a field | writing, a scene | all in, a scene | per exposure |
|---|---|---|---|---|---|---|---|
"""

PARTS = """
Of a scene, the steps in seconds (the rest is tables and copies):

| tier | galaxies and stars | pixels: light and noise | codes | blendedness | detections |
|---|---|---|---|---|---|
"""

BYTES = """
A process takes {start:.0f} s to start: imports, and the tables of spectra.

![Where the time of a scene goes, and the memory of a worker](scale.png)

## Bytes

Images and masks as stored, in bytes a pixel (asked for: at most 1.5). Truth: the rows of tables as parts,
before they are put together and compressed, so an upper limit. PUT: requests for one shard, parts and
receipts included.

| tier | images | masks | together | MB a scene | of it PSFs | truth, MB a scene | files a shard | PUT a \
shard |
|---|---|---|---|---|---|---|---|---|
"""

BIAS = """
Bias of the quantisation: mean over all pixels of decoded minus flux, in σ of an empty pixel (asked for:
within 1e-5; that no flux is biased at all is shown over every value of the dither by
`tests/simulators/test_quantisation.py`).

| tier | pixels | bias | its error |
|---|---|---|---|
"""

MEMORY = """
## Memory of a worker

Largest resident memory of the process (asked for: at most 2 GiB, whatever the number of scenes). Arrays of a
shard are allocated once, and scenes written into them; a worker has one shard at a time.

| tier | arrays of a shard | after the imports | when it is made | when it is written |
|---|---|---|---|---|
"""

MILLION = """
## Many scenes

From the tier `full`. The second row is a tenth of the LSST sky, {deg2:,} deg² in scenes of {width}″.

| scenes | core-hours | on 1,000 cores | TB data | TB truth, at most | million files | million PUT | \
GPU-hours (estimate) |
|---|---|---|---|---|---|---|---|
"""

GPU = """
**The GPU-hours are an estimate; nothing was run on a GPU.** Light and the filters of the detections move
{gigabytes:.1f} GB a scene through memory ({passes} passes over the canvas of every exposure), at a third of
the 3.35 TB/s of an H100: {milliseconds:.0f} ms. What is left to the processor (galaxies, blendedness, codes,
writing; noise not counted) takes {left:.2f} s a scene: one GPU would keep {cores:.0f} cores busy.
"""


def measured() -> list[dict[str, Any]]:
    """One record for each shard, as `scale_shard.measure` gives it."""
    records = []
    for tier, shard in SHARDS:
        command = [sys.executable, str(HERE / "scale_shard.py"), tier, str(shard)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        records.append(json.loads(done.stdout))
    return records


def summary(record: dict[str, Any]) -> dict[str, Any]:
    """Seconds, bytes and counts of one shard, in the units of the tables."""
    scenes, n = np.array(record["scenes"]), len(record["scenes"])
    fields = len(record["field"])
    # The first scene of a field prepares the PSFs for the renderer, for all.
    first = np.arange(0, n, n // fields)
    scene = float(np.delete(scenes, first).mean())
    field = float((np.array(record["field"]) + scenes[first] - scene).mean())
    files = [item for store in record["files"].values() for item in store.items()]
    kinds = {
        kind: sum(size for name, size in files if f"/{kind}/" in name) for kind in ("image", "mask", "psf")
    }
    data = sum(record["files"]["data"].values())
    truth = sum(record["files"]["truth"].values()) + record["work"]["truth"]
    pixels, total, squares = record["bias"]
    mean = total / pixels
    return {
        "tier": record["tier"],
        "n": n,
        "scene": scene,
        "field": field,
        "writing": record["writing"] / n,
        "all": (float(scenes.sum()) + sum(record["field"]) + record["writing"]) / n,
        "start": record["start"],
        "parts": {name: seconds / n for name, seconds in record["parts"].items()},
        "image": kinds["image"] / record["pixels"],
        "mask": kinds["mask"] / record["pixels"],
        "psf": kinds["psf"] / n,
        "data": (data + record["work"]["data"]) / n,
        "truth": truth / n,
        "files": len(files),
        # One part of the tables and one receipt for each of two stores.
        "puts": len(files) + 4,
        "bias": mean,
        "bias_error": float(np.sqrt((squares / pixels - mean**2) / pixels)),
        "bias_pixels": pixels,
        "peak": record["peak"],
        "raw": record["raw"],
        "scenes": [round(float(seconds), 4) for seconds in np.delete(scenes, first)],
        "canvas": record["canvas"],
    }


def exposures(tier: str) -> dict[str, int]:
    """How many each survey takes of a scene."""
    return {name: len(exposure_bands(TIERS[tier].sky, name)) for name in SURVEYS}


def gpu_bytes(one: dict[str, Any]) -> float:
    """What moves through the memory of a GPU for one scene: canvases of all exposures, some times over."""
    moved = 0.0
    for count in exposures(one["tier"]).values():
        # The renderer draws 256 exposures at a time; the last call has the rest.
        sizes = [(size, columns) for n, size, columns in one["canvas"] if n == count % 256]
        if count and sizes:
            size, columns = max(sizes)
            moved += count * size * columns * COMPLEX64 * GPU_PASSES
    return moved


def cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "an unnamed processor"


def page(tiers: list[dict[str, Any]]) -> str:
    full = tiers[-1]
    text = HEAD.format(cpu=cpu())
    for one in tiers:
        seen = sum(exposures(one["tier"]).values())
        text += (
            f"| {one['tier']} | {one['n']} | {seen} | {one['scene']:.2f} s | {one['field']:.1f} s "
            f"| {one['writing']:.2f} s | **{one['all']:.2f} s** | {1e3 * one['all'] / seen:.1f} ms |\n"
        )
    text += PARTS
    for one in tiers:
        cells = " | ".join(f"{one['parts'][name]:.2f}" for name in STEPS)
        text += f"| {one['tier']} | {cells} |\n"
    text += BYTES.format(start=np.mean([one["start"] for one in tiers]))
    for one in tiers:
        text += (
            f"| {one['tier']} | {one['image']:.3f} | {one['mask']:.4f} "
            f"| **{one['image'] + one['mask']:.3f}** "
            f"| {one['data'] / 1e6:.2f} | {one['psf'] / 1e6:.2f} | {one['truth'] / 1e6:.2f} "
            f"| {one['files']} | {one['puts']} |\n"
        )
    text += BIAS
    for one in tiers:
        text += f"| {one['tier']} | {one['bias_pixels']:,} | {one['bias']:+.1e} | {one['bias_error']:.1e} |\n"
    text += MEMORY
    for one in tiers:
        cells = " | ".join(f"{one['peak'][when] / GIB:.2f} GiB" for when in ("imported", "made", "written"))
        text += f"| {one['tier']} | {one['raw'] / GIB:.2f} GiB | {cells} |\n"
    width = TIERS["full"].sky.width_arcsec
    tenth = WFD_DEG2 // 10
    text += MILLION.format(deg2=tenth, width=width)
    moved = gpu_bytes(full)
    seconds = moved / GPU_BYTES_PER_SECOND
    for n in (TIERS["full"].n_scenes, round(tenth * 3600**2 / width**2)):
        shards = n / full["n"]
        text += (
            f"| {n:,} | **{n * full['all'] / 3600:,.0f}** | {n * full['all'] / 3.6e6:,.1f} h "
            f"| {n * full['data'] / 1e12:,.1f} | {n * full['truth'] / 1e12:,.1f} "
            f"| {shards * full['files'] / 1e6:,.1f} | {shards * full['puts'] / 1e6:,.1f} "
            f"| {n * seconds / 3600:,.0f} |\n"
        )
    left = sum(full["parts"][name] for name in ("sources", "codes", "blendedness")) + full["writing"]
    return text + GPU.format(
        gigabytes=moved / 1e9, passes=GPU_PASSES, milliseconds=1e3 * seconds, left=left, cores=left / seconds
    )


STEPS = {
    "sources": "galaxies and stars",
    "pixels": "pixels",
    "codes": "codes",
    "blendedness": "blendedness",
    "detections": "detections",
}


@canvas.drawn
def figure(tiers: list[dict[str, Any]]) -> Figure:
    drawn = Figure(figsize=(9.6, 2.8), layout="constrained")
    left, right = drawn.subplots(1, 2)
    names = [one["tier"] for one in tiers]
    begun = np.zeros(len(tiers))
    steps = [(label, [one["parts"][name] / one["all"] for one in tiers]) for name, label in STEPS.items()]
    steps.append(("writing", [one["writing"] / one["all"] for one in tiers]))
    steps.append(
        ("visits, PSFs, rest", [1 - sum(values[k] for _, values in steps) for k in range(len(tiers))])
    )
    colours = [*canvas.COLOURS.values(), canvas.SOFT]
    for (label, values), colour in zip(steps, colours, strict=True):
        left.barh(names, values, left=begun, color=colour, label=label)
        begun += values
    left.set_xlabel("part of the processor time of a scene")
    left.legend(fontsize=6.5, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    left.invert_yaxis()
    place = np.arange(len(tiers))
    for k, (when, label) in enumerate(
        (("imported", "after the imports"), ("made", "shard made"), ("written", "shard written"))
    ):
        colour = list(canvas.COLOURS.values())[k]
        values = [one["peak"][when] / GIB for one in tiers]
        right.barh(place + 0.27 * (k - 1), values, 0.25, color=colour, label=label)
    right.axvline(2.0, color=canvas.INK, linewidth=0.8, linestyle="--")
    right.set_yticks(place, names)
    right.set_xlabel("peak resident memory, GiB (asked for: 2)")
    right.legend(fontsize=6.5, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    right.invert_yaxis()
    return drawn


def main() -> None:
    started = time.monotonic()
    records = measured()
    tiers = [summary(record) for record in records]
    canvas.save(figure(tiers), HERE / "scale.png")
    text = page(tiers)
    canvas.write_whole(HERE / "scale.md", text.encode())
    # What scale_schedule.py draws the durations of its tasks from.
    kept = {one["tier"]: one for one in tiers}
    canvas.write_whole(HERE / "scale.json", (json.dumps(kept, indent=1) + "\n").encode())
    print(text, f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
