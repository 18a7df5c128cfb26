"""A real sky, small enough to be killed often: twelve scenes of 9.6 arcsec in two bands.

Run as a script it simulates the sky, or goes on: ``example_sky.py FOLDER WORKERS``. It says that it
begins, because importing takes longer than some shards.
"""

import sys
from functools import partial
from pathlib import Path

from skysynergy.simulators.fields import simulate_shard
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.sky_layout import layouts
from skysynergy.simulators.store import create, finish
from skysynergy.simulators.stream import write_stream

SKY = Sky(n_fields=12, scenes_per_field=1, visits={"i": 1, "VIS": 1}, width_arcsec=9.6)
SECRET = bytes(range(32))


def run(folder, workers):
    paths = [folder / "train.zarr", folder / "train.truth.zarr"]
    attributes = {"name": "sky", "sky": SKY.describe()}
    for path, layout in zip(paths, layouts(SKY, scenes_per_shard=1, attributes=attributes), strict=True):
        create(path, layout)
    simulate = partial(
        simulate_shard, sky=SKY, secret=SECRET, split=0, fields_per_shard=1, dither_key=b"public"
    )
    write_stream(paths, simulate, workers=workers)
    for path in paths:
        finish(path)


if __name__ == "__main__":
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    run(Path(sys.argv[1]), int(sys.argv[2]))
