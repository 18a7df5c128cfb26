"""A data store and a truth store that write fast, as a module: workers and killed processes import it.

Run as a script it writes both: ``example_store.py FOLDER WORKERS SCENES SECONDS LOG``.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import zarr
from skysynergy.simulators.layout import Array, Column, Constant, Layout, Table
from skysynergy.simulators.storage import place_at
from skysynergy.simulators.store import create, finish
from skysynergy.simulators.stream import Shard, write_stream


def layouts(n_scenes=22, version="1"):
    attributes = {"name": "sky", "version": version}
    data = Layout(
        arrays=[
            Array(
                "lsst/image",
                ("scene", "exposure", "y", "x"),
                (n_scenes, 3, 6, 5),
                "int16",
                attributes={"coordinates": "band mjd", "units": "nJy"},
            ),
            Array("lsst/step", ("scene", "exposure"), (n_scenes, 3), "float32"),
            Array("lsst/good", ("scene",), (n_scenes,), "bool"),
            Array("lsst/mjd", ("field", "exposure"), (n_scenes // 2, 3), "float64"),
            Array(
                "lsst/psf",
                ("field", "exposure", "py", "px"),
                (n_scenes // 2, 3, 5, 5),
                "float32",
                chunks=(1, 2, 5, 5),
            ),
        ],
        tables=[
            Table(
                "detections",
                "detection",
                {
                    "id": Column("int64", attributes={"about": "opaque"}),
                    "flux": Column("float32", (2,), ("band",)),
                },
            )
        ],
        n_scenes=n_scenes,
        n_fields=n_scenes // 2,
        scenes_per_shard=4,
        attributes=attributes,
        constants=[
            Constant("lsst/band", ("exposure",), np.array([0, 3, 1], np.uint8)),
            Constant("lsst/pixel", (), np.array(0.2)),
        ],
    )
    truth = Layout(
        arrays=[Array("fields/g1", ("field",), (n_scenes // 2,), "float64")],
        tables=[
            Table("sources", "source", {"z": Column("float32")}),
            Table("none", "row", {"z": Column("float32")}),
        ],
        n_scenes=n_scenes,
        n_fields=n_scenes // 2,
        scenes_per_shard=4,
        attributes=attributes,
    )
    return data, truth


def simulate(index, n_scenes=22, seconds=0.0, log=None):
    if log is not None:
        with open(log, "a") as file:
            print(index, file=file)
    time.sleep(seconds)
    data, _ = layouts(n_scenes)
    rng = np.random.default_rng(index)
    n, f = len(data.scenes(index)), len(data.fields(index))
    image = rng.integers(-500, 500, (n, 3, 6, 5)).astype(np.int16)
    image *= index != 1  # one shard is nothing but zeros
    rows = [3, 0, 2, 0, 5, 1][index % 6]
    return [
        Shard(
            {
                "lsst/image": image,
                "lsst/step": np.zeros((n, 3), np.float32),
                "lsst/good": rng.random(n) < 0.5,
                "lsst/mjd": rng.random((f, 3)),
                "lsst/psf": rng.random((f, 3, 5, 5), np.float32),
            },
            {"detections": {"id": rng.integers(0, 2**62, rows), "flux": rng.random((rows, 2), np.float32)}},
        ),
        Shard(
            {"fields/g1": rng.random(f)},
            {"sources": {"z": rng.random(4 * rows, np.float32)}, "none": {"z": np.zeros(0, np.float32)}},
        ),
    ]


def fail(index):
    if index == 2:
        raise ValueError("no galaxy fits")
    return simulate(index)


def die(index):
    os._exit(1)


def run(folder, workers=1, **options):
    paths = [Path(folder) / "train.zarr", Path(folder) / "train.truth.zarr"]
    for path, layout in zip(paths, layouts(options.get("n_scenes", 22)), strict=True):
        create(path, layout)
    write_stream(paths, partial(simulate, **options), workers=workers)
    for path in paths:
        finish(path)
    return paths


def content(*paths):
    """All decoded arrays and attributes of finished stores."""
    found = {}
    for path in paths:
        place = place_at(path)
        root = zarr.open_group(place.zarr(), mode="r")
        found[place.name] = dict(root.attrs)
        for name, member in root.members(max_depth=None):
            if isinstance(member, zarr.Array) and name != "receipts/files":
                found[f"{place.name}/{name}"] = (member.dtype.str, member.shape, member[...].tobytes())
    return found


def litter(folder):
    return [f for f in folder.rglob("*") if f.suffix in (".partial", ".creating") or f.name == ".writing"]


if __name__ == "__main__":
    folder, workers, n_scenes, seconds, log = sys.argv[1:]
    run(folder, int(workers), n_scenes=int(n_scenes), seconds=float(seconds), log=log)
