"""The loader beside the codec alone, on the same pixels, in one process; the ratio is kept.

The codec decompresses from memory the chunks that the store holds, and decodes them one scene at a time into
the same small array. The loader reads the files (from the page cache), checks them, decodes each into its
place in a block, and gives batches. Stores hold noise of 16 steps, which compresses as exposures do, in the
shapes of the tiers.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import zarr
from numcodecs import blosc
from skysynergy.challenges.datasets import Split
from skysynergy.challenges.loader import Loader
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators import sky_layout, store
from skysynergy.simulators.hierarchy import preallocate
from skysynergy.simulators.quantisation import decode, dithers
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.surveys import SURVEYS
from zarr.storage import MemoryStore

SHARDS = {"tiny": 12, "small": 2}
FLOORS = {("load", "tiny"): 0.55, ("load", "small"): 0.6, ("write", "tiny"): 0.4, ("write", "small"): 0.5}
ROUNDS = 7
GROUPS = ("lsst", "euclid_vis", "euclid_nisp")


def seconds(work) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def made_up(rng: np.random.Generator, array, n: int) -> np.ndarray:
    """Values of one shard of an array of the data store: noise, and a mask that is set in a few places."""
    shape, name = (n, *array.shape[1:]), array.path.partition("/")[2]
    if name == "image":
        values = np.rint(rng.normal(0, 16, shape))
    elif name == "mask":
        values = np.where(rng.random(shape) < 0.002, 16, 0)
    elif name == "psf":
        values = np.exp(rng.normal(size=shape))
    else:
        values = rng.integers(1, 2**30, shape)
    return values.astype(array.dtype)


class Written:
    """A split of made-up pixels in the shapes of a tier, and one shard of it in memory."""

    def __init__(self, tier, home):
        each = TIERS[tier].scenes_per_shard
        sky = TIERS[tier].sky
        sky = replace(sky, n_fields=SHARDS[tier] * each // sky.scenes_per_field)
        self.tier, self.home, self.split = tier, home, Split(tier, "train", home)
        attributes = {"name": "sky", "tier": tier, "split": "train", "dither_key": "key"}
        self.layout, _ = sky_layout.layouts(sky, scenes_per_shard=each, attributes=attributes)
        rng = generator(b"benchmark", "pixels")
        entries = self.layout.entries
        self.arrays = {a.path: made_up(rng, a, len(entries(a.dims[0], 0))) for a in self.layout.arrays}
        self.tables = {
            t.path: {name: np.zeros((0, *c.shape), c.dtype) for name, c in t.columns.items()}
            for t in self.layout.tables
        }
        path = self.split.data
        path.parent.mkdir(parents=True)
        store.create(path, self.layout)
        for shard in range(self.layout.n_shards):
            self.write(shard)
        store.finish(path)
        # As the codec has them: one chunk a scene or, of PSFs, a field.
        self.chunks = {
            f"{group}/{name}": [
                blosc.compress(np.ascontiguousarray(entry), b"lz4", 5, blosc.BITSHUFFLE)
                for entry in self.arrays[f"{group}/{name}"]
            ]
            for group in GROUPS
            for name in ("image", "mask", "psf")
        }

    def write(self, shard, path=None):
        each = self.layout.scenes_per_shard // self.layout.fields_per_shard
        scenes = self.layout.scenes(shard)
        arrays = self.arrays | {"scenes/field": np.arange(scenes.start, scenes.stop) // each}
        store.write_shard(path or self.split.data, shard, arrays, self.tables)

    def decode(self):
        """What the codec does for all shards."""
        for group in GROUPS:
            codes, mask, psf = (
                np.empty(self.arrays[f"{group}/{name}"].shape[1:], self.arrays[f"{group}/{name}"].dtype)
                for name in ("image", "mask", "psf")
            )
            flux, step = np.empty(codes.shape, np.float32), np.ones(len(codes), np.float32)
            for shard in range(self.layout.n_shards):
                for k, scene in enumerate(self.layout.scenes(shard)):
                    blosc.decompress(self.chunks[f"{group}/image"][k], codes)
                    blosc.decompress(self.chunks[f"{group}/mask"][k], mask)
                    pattern = dithers(b"key", group, scene, range(len(codes)), codes.shape[1:])
                    decode(codes, step, pattern, flux)
                for chunk in self.chunks[f"{group}/psf"]:
                    blosc.decompress(chunk, psf)

    def in_memory(self):
        """Arrays of zarr in memory, coded as those of the store."""
        root = zarr.create_group(MemoryStore(), zarr_format=3)
        for array in self.layout.arrays:
            preallocate(root, array, self.layout.sizes[array.dims[0]][1])
        return {array.path: root[array.path] for array in self.layout.arrays}

    @property
    def megabytes(self):
        """Of a scene, as float32 images and masks of one byte."""
        return sum(self.arrays[f"{group}/image"][0].size * 5 for group in GROUPS) / 1e6


@pytest.fixture(scope="module", params=list(SHARDS))
def written(request, tmp_path_factory):
    return Written(request.param, tmp_path_factory.mktemp(request.param))


def ratio_of(codec, work):
    """Seconds of both, the median of interleaved rounds, and of their ratios."""
    codec(), work()
    times = np.array([(seconds(codec), seconds(work)) for _ in range(ROUNDS)])
    return *np.median(times, axis=0), float(np.median(times[:, 0] / times[:, 1]))


@pytest.mark.benchmark(group="loading")
def test_loading_is_nearly_as_fast_as_the_codec(benchmark, written, record_figure):
    assert set(GROUPS) == {
        survey.group for survey in SURVEYS.values() if f"{survey.group}/image" in written.arrays
    }
    loader = Loader("shear", written.tier, home=written.home, targets=(), device="cpu")

    def load():
        assert sum(len(batch) for batch in loader) == written.layout.n_scenes

    codec, loading, ratio = ratio_of(written.decode, load)
    n = written.layout.n_scenes
    figures = {"codec": n / codec, "scenes": n / loading, "megabytes": n * written.megabytes / loading}
    for name, value in {**figures, "ratio": ratio}.items():
        record_figure(f"{name} {written.tier}", value)
    benchmark.extra_info["of the codec's speed"] = ratio
    benchmark.pedantic(load, rounds=1)
    assert ratio > FLOORS["load", written.tier]


@pytest.mark.benchmark(group="writing")
def test_writing_is_nearly_as_fast_as_the_codec(benchmark, written, record_figure, tmp_path):
    path = tmp_path / "train.zarr"
    store.create(path, written.layout)
    memory = written.in_memory()

    def encode():
        for name, values in written.arrays.items():
            memory[name][: len(values)] = values

    codec, writing, ratio = ratio_of(encode, lambda: written.write(0, path))
    n = written.layout.scenes_per_shard
    figures = {
        "codec": n / codec,
        "scenes": n / writing,
        "megabytes": n * written.megabytes * 3 / 5 / writing,
    }
    for name, value in {**figures, "ratio": ratio}.items():
        record_figure(f"{name} {written.tier}", value)
    benchmark.extra_info["of the codec's speed"] = ratio
    benchmark.pedantic(written.write, (0, path), rounds=1)
    assert ratio > FLOORS["write", written.tier]
