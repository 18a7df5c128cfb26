"""One shard of a tier, made and written in a process of its own, with what it took, as JSON:

    .venv/bin/python docs/results/scale_shard.py small 0

scale.py runs it for each shard that it measures. A thread more, or anything else imported, would spoil the
figures; so nothing else is done here.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators import fields, quantisation, sky_layout, store
from skysynergy.simulators.fields import simulate_shard
from skysynergy.simulators.rendering import fourier

__all__ = ["measure"]

SECRET = b"what a scene costs"


class Clock:
    """Process time inside functions, and outside what is only done to measure.

    Attributes:
        seconds: by name, of each call.
        away: process time that measuring itself took.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.away = 0.0

    def now(self) -> float:
        return time.process_time() - self.away

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **options: Any) -> Any:
            begun = self.now()
            done = work(*args, **options)
            self.seconds[name].append(self.now() - begun)
            return done

        return wrapper


class Bias:
    """Sums over pixels of what quantisation did: decoded minus flux, in sigma."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.n, self.total, self.squares = clock, 0, 0.0, 0.0

    def encode(self, flux: np.ndarray, step: np.ndarray, dither: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        codes, clipped = _ENCODE(flux, step, dither)
        begun = time.process_time()
        decoded = quantisation.decode(codes, step, dither)
        scale = np.asarray(step, float)[..., None, None] * quantisation.STEPS_PER_SIGMA
        error = ((decoded - flux) / scale)[~clipped]
        self.n += error.size
        self.total += float(error.sum())
        self.squares += float((error**2).sum())
        self.clock.away += time.process_time() - begun
        return codes, clipped


_ENCODE = quantisation.encode


def measure(tier: str, shard: int) -> dict[str, Any]:
    """Make and write one shard of a tier; times in seconds of one core, memory in bytes.

    ``start``: of the process, with the tables of spectra. ``scenes``, ``field``: process time of each scene
    and of the visits of each field; the first scene of a field also prepares the PSFs for the renderer.
    ``parts``: of the steps of all scenes. ``peak``: largest resident memory of the process when its modules
    are imported, the shard is made, and it is written. ``bias``: number of pixels, sum and sum of squares of
    decoded minus flux, in sigma. ``pixels``: of the images; ``raw``: bytes of all arrays. ``files``: bytes by
    store and file; ``work``: of the parts of tables and receipts. ``canvas``: exposures, cells and columns of
    the renderer's canvases.
    """
    torch.set_num_threads(1)
    chosen, clock = TIERS[tier], Clock()
    # The tables of spectra are built once in a process, whatever it makes.
    fields.draw_sources(chosen.sky, SECRET, 0, 0)
    start = clock.now()
    bias, peak, canvases = Bias(clock), {"imported": _peak()}, []

    def plan(*args: Any) -> Any:
        canvas = _PLAN(*args)
        canvases.append((len(args[1]), canvas.size, canvas.columns))
        return canvas

    make = partial(
        simulate_shard,
        sky=chosen.sky,
        secret=SECRET,
        split=0,
        fields_per_shard=chosen.scenes_per_shard // chosen.sky.scenes_per_field,
        dither_key=b"public",
    )
    steps = {"visits": "observe", "scene": "_add_scene", "sources": "draw_sources", "pixels": "expose"}
    steps |= {"codes": "encoded", "blendedness": "source_rows", "detections": "detection_rows"}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "data.zarr", Path(folder) / "truth.zarr"]
        layouts = sky_layout.layouts(chosen.sky, scenes_per_shard=chosen.scenes_per_shard, attributes={})
        for path, layout in zip(paths, layouts, strict=True):
            store.create(path, layout)
        before = [_files(path) for path in paths]
        replaced = [
            patch.object(fields, name, clock.timed(what, getattr(fields, name)))
            for what, name in steps.items()
        ]
        replaced += [
            patch.object(quantisation, "encode", bias.encode),
            patch.object(fourier, "plan", plan),
        ]
        for each in replaced:
            each.start()
        made = make(shard)
        for each in replaced:
            each.stop()
        peak["made"] = _peak()
        begun = clock.now()
        for path, part in zip(paths, made, strict=True):
            store.write_shard(path, shard, part.arrays, part.tables)
        writing = clock.now() - begun
        peak["written"] = _peak()
        files = {
            path.stem: {
                name: size
                for name, size in _files(path).items()
                if name not in known and not name.startswith(".")
            }
            for path, known in zip(paths, before, strict=True)
        }
        work = {
            path.stem: sum(size for name, size in _files(path).items() if name.startswith("."))
            for path in paths
        }
    parts = {name: sum(clock.seconds[name]) for name in steps if name not in ("visits", "scene")}
    return {
        "tier": tier,
        "shard": shard,
        "start": start,
        "scenes": clock.seconds["scene"],
        "field": clock.seconds["visits"],
        "parts": parts,
        "writing": writing,
        "peak": peak,
        "bias": [bias.n, bias.total, bias.squares],
        "pixels": sum(a.size for path, a in made[0].arrays.items() if path.endswith("/image")),
        "raw": sum(a.nbytes for part in made for a in part.arrays.values()),
        "files": files,
        "work": work,
        "canvas": sorted(set(canvases)),
    }


_PLAN = fourier.plan


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _files(path: Path) -> dict[str, int]:
    return {str(file.relative_to(path)): file.stat().st_size for file in path.rglob("*") if file.is_file()}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
