"""What every test shares: one thread per process, reproducible examples, and where data lie."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Set before any test imports numpy: the processes of pytest-xdist share the cores among themselves.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run, and no failure because a shared machine is slow.
settings.register_profile(
    "skysynergy",
    derandomize=True,
    deadline=None,
    max_examples=50,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("skysynergy")


def pytest_runtest_setup() -> None:
    """One thread for torch too, in tests that have imported it; the others need not."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that is the package `skysynergy`."""
    return ROOT


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Real data that are too large for the repository: $SKYSYNERGY_TEST_DATA, else ../shared/data."""
    folder = Path(os.environ.get("SKYSYNERGY_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}: set SKYSYNERGY_TEST_DATA")
    return folder
