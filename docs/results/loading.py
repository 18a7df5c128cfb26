"""How fast datasets are loaded and written, beside the codec alone: writes loading.md.

    .venv/bin/python docs/results/loading.py

Needs no data, and about a minute on one core.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import zarr
from physics import figures
from skysynergy.challenges import canvas

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BENCHMARK = "tests/benchmarks/test_loading.py"
ROWS = (
    ("loading", f"{BENCHMARK}::test_loading_is_nearly_as_fast_as_the_codec"),
    ("writing", f"{BENCHMARK}::test_writing_is_nearly_as_fast_as_the_codec"),
)

HEAD = """# Loading and writing, beside the codec alone

Written by `loading.py`, from what `tests/benchmarks/test_loading.py` measures. Made-up noise in the shapes
of the tiers. Processor time of one process without workers, medians of interleaved rounds.

Loading: files in the page cache, to shuffled float32 batches of 32 scenes with masks and PSFs. Its codec
decompresses the same chunks from memory (raw Blosc, no checksum) and decodes each scene into one small array.
Writing: `store.write_shard` to disk, with hashes and receipt; its codec writes the same arrays into memory
with zarr {zarr}. MB are of float32 images and masks when loading, of int16 and masks when writing.

| | tier | scenes/s | MB/s | codec alone, scenes/s | part of the codec's speed | asked for |
|---|---|---|---|---|---|---|
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "--benchmark-enable", "-o", "junit_family=xunit1", f"--junitxml={report}"]
        if subprocess.run([sys.executable, "-m", "pytest", *options, BENCHMARK], cwd=ROOT).returncode:
            raise SystemExit("some of these tests failed or did not run: loading.md is left as it was")
        found = figures(report)
    lines = []
    for what, test in ROWS:
        for tier in ("tiny", "small"):
            names = ("scenes", "megabytes", "codec", "ratio")
            scenes, megabytes, codec, ratio = (found[test, f"{name} {tier}"] for name in names)
            lines.append(
                f"| {what} | {tier} | {scenes:.0f} | {megabytes:.0f} | {codec:.0f} | **{ratio:.2f}** | 0.7 |"
            )
    text = HEAD.format(zarr=zarr.__version__) + "\n".join(lines) + "\n"
    canvas.write_whole(HERE / "loading.md", text.encode())


if __name__ == "__main__":
    main()
