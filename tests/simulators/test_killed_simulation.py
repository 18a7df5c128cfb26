"""A real simulation, killed and resumed or shared by workers, makes the sky of one that ran in peace."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.store import open_store, pending

SCRIPT = Path(__file__).with_name("example_sky.py")
N_SHARDS = 12


def start(folder, workers=1):
    command = [sys.executable, str(SCRIPT), str(folder), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(folder, workers=1):
    """The stores of a simulation that nobody kills."""
    process = start(folder, workers)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return [folder / "train.zarr", folder / "train.truth.zarr"]


@pytest.fixture(scope="module")
def peaceful(tmp_path_factory):
    return run(tmp_path_factory.mktemp("peaceful"))


def receipts(folder):
    return len(list(folder.glob("train*.zarr/.writing/receipts/*.json")))


def kill_at_a_random_moment(folder, rng):
    """Start, let up to two more receipts be written, and kill within the next 60 ms."""
    process = start(folder)
    assert process.stdout.readline() == "begins\n", process.stderr.read()
    wanted = receipts(folder) + rng.randint(0, 2)
    end = time.monotonic() + 30
    while receipts(folder) < wanted and process.poll() is None:
        assert time.monotonic() < end, "nothing was written"
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.06))
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors


def test_killed_at_five_random_moments_and_resumed_it_is_the_same_sky(peaceful, sky, tmp_path):
    seed = random.randrange(2**32)  # other runs, other moments
    rng = random.Random(seed)
    for _ in range(5):
        kill_at_a_random_moment(tmp_path, rng)
    paths = [tmp_path / path.name for path in peaceful]
    left = pending(*paths) if all(path.exists() for path in paths) else range(N_SHARDS)
    assert len(left) > 0, seed
    assert run(tmp_path) == paths
    assert_the_same_sky(paths, peaceful, sky, seed)
    assert not sky.litter(tmp_path), seed


def test_two_workers_simulate_the_sky_of_one(peaceful, sky, tmp_path):
    assert_the_same_sky(run(tmp_path, workers=2), peaceful, sky, "two workers")


def assert_the_same_sky(paths, peaceful, example, how):
    """Every decoded array and column, and the hashes of the stores."""
    assert example.content(*paths) == example.content(*peaceful), how
    for path, other in zip(paths, peaceful, strict=True):
        verify(path)
        assert open_store(path).attrs["content_sha256"] == open_store(other).attrs["content_sha256"]
    data, truth = (open_store(path) for path in paths)
    assert data["lsst/image"].shape == (N_SHARDS, 1, 48, 48) and data["lsst/image"].any()
    assert truth["sources/z"].size > N_SHARDS
