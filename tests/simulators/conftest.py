"""Two small stores, data and truth: begun and empty, or done."""

from pathlib import Path

import pytest
from skysynergy.simulators.store import create


@pytest.fixture(scope="session")
def script():
    return Path(__file__).with_name("example_store.py")


@pytest.fixture
def sky(script, monkeypatch):
    """The module that makes the stores, where spawned workers find it too."""
    monkeypatch.syspath_prepend(str(script.parent))
    import example_store

    return example_store


@pytest.fixture
def begun(sky, tmp_path):
    """The two stores, created and empty."""
    paths = [tmp_path / "train.zarr", tmp_path / "train.truth.zarr"]
    for path, layout in zip(paths, sky.layouts(), strict=True):
        create(path, layout)
    return paths


@pytest.fixture
def done(sky, tmp_path):
    """The two stores, finished."""
    return sky.run(tmp_path / "done")


@pytest.fixture
def cluster(sky):
    """Starts a Dask scheduler and workers that can be killed: ``with cluster(folder, workers=2) as dask``."""
    import example_cluster  # beside the module of `sky`

    return example_cluster.cluster
