"""What every test shares: one thread per process, reproducible examples, and where data lie."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

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


@pytest.fixture
def record_figure(record_property: Callable[[str, object], None]) -> Callable[[str, float], None]:
    """Keep what a test measured, by name, for docs/results/physics.py.

    As a plain float: pytest-xdist cannot send a scalar of numpy from a worker, and the worker dies of it.
    """
    return lambda name, value: record_property(name, float(value))


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


@pytest.fixture(scope="module")
def sncosmo(test_data: Path) -> Iterator[ModuleType]:
    """The package, where it is installed, with the series of real supernovae of the test data."""
    package = pytest.importorskip("sncosmo", reason="sncosmo is not installed")
    folder = test_data / "sncosmo"
    if not folder.is_dir():
        pytest.skip(f"no data of sncosmo in {folder}")
    from skysynergy.simulators import template_library

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNCOSMO_DATA_DIR", str(folder))
        # sncosmo looks at its folder once, and so does the library at what is in it.
        patch.setattr(package.builtins.DATADIR, "_checked_rootdir", str(folder))
        template_library._real_groups.cache_clear()
        yield package
    template_library._real_groups.cache_clear()


@pytest.fixture(scope="module")
def few_series() -> Iterator[None]:
    """One series a class and split: the light of each takes half a second to integrate."""
    from skysynergy.simulators import template_library

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(template_library, "PARAMETRIC", 2)
        yield


@contextmanager
def _little_sky(home: Path) -> Iterator[None]:
    """While this lasts, the tier ``tiny`` is 2 fields of 2 scenes, two shards, and lies in `home`."""
    from skysynergy.challenges.sky_tiers import TIERS
    from skysynergy.simulators.sky import Sky

    sky = Sky(2, 2, {"i": 2, "VIS": 2, "H": 1}, width_arcsec=9.6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TIERS, "tiny", replace(TIERS["tiny"], sky=sky, scenes_per_shard=2))
        patch.setenv("SKYSYNERGY_DATA", str(home))
        yield


@pytest.fixture(scope="session")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from skysynergy.challenges.datasets import Split, generate

    home = tmp_path_factory.mktemp("sky")
    with _little_sky(home):
        for split in ("train", "validation"):
            generate(Split.of("tiny", split))
    return home


@pytest.fixture
def little_sky(_made_once: Path) -> Iterator[Path]:
    """Home of a dataset that took a second to make, for tests that only read it.

    The tier ``tiny`` is smaller than it really is: 2 fields of 2 scenes, 9.6 arcsec wide, in two
    exposures in i, two in VIS and one in H. Its splits train and validation are there. Other
    processes can read it too, through $SKYSYNERGY_DATA.
    """
    with _little_sky(_made_once):
        yield _made_once


@contextmanager
def _little_transients(home: Path) -> Iterator[None]:
    """While this lasts, the tier ``tiny`` is 2 fields of 20 transients, from one series a class and split."""
    from skysynergy.challenges.transient_tiers import TIERS, TransientTier
    from skysynergy.simulators import template_library

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TIERS, "tiny", TransientTier("tiny", "little", 2, 20, 1))
        patch.setattr(template_library, "PARAMETRIC", 2)
        patch.setenv("SKYSYNERGY_DATA", str(home))
        yield


@pytest.fixture(scope="session")
def _transients_made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from skysynergy.challenges.datasets import Split, generate

    home = tmp_path_factory.mktemp("transients")
    with _little_transients(home):
        for split in ("train", "validation"):
            generate(Split.of("tiny", split, dataset="transients"))
    return home


@pytest.fixture
def little_transients(_transients_made_once: Path) -> Iterator[Path]:
    """Home of the dataset ``transients``, for tests that only read it: 40 light curves a split."""
    with _little_transients(_transients_made_once):
        yield _transients_made_once


@pytest.fixture
def little_data(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Makes a dataset small, given its name, and gives its home."""
    fixtures = {"sky": "little_sky", "transients": "little_transients"}
    return lambda dataset: request.getfixturevalue(fixtures[dataset])


@pytest.fixture
def own_sky(_made_once: Path, tmp_path: Path) -> Iterator[Path]:
    """Home of a copy of `little_sky` that the test may change or damage."""
    home = tmp_path / "sky-data"
    shutil.copytree(_made_once, home)
    with _little_sky(home):
        yield home


@pytest.fixture
def empty_sky(tmp_path: Path) -> Iterator[Path]:
    """An empty home for datasets, where the tier ``tiny`` is as small as in `little_sky`."""
    with _little_sky(tmp_path / "sky-data"):
        yield tmp_path / "sky-data"


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[str]:
    """URL of an S3 server of the session's own."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(_s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty bucket of a real S3 server; the environment has what it takes to write there."""
    import obstore
    from obstore.store import HTTPStore

    for name, value in {
        "AWS_ENDPOINT_URL": _s3_server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{secrets.token_hex(6)}"
    # S3 makes a bucket by a PUT of its name.
    obstore.put(HTTPStore(_s3_server, client_options={"allow_http": True}), name, b"")
    return f"s3://{name}"


@pytest.fixture(scope="session")
def cli() -> SimpleNamespace:
    """The command line in this process.

    ``call`` runs a command; ``works`` gives what it prints, and ``fails`` what it says when it is
    refused; ``parse`` gives the values of its options and runs nothing.
    """
    from click import Context
    from click.testing import CliRunner, Result
    from skysynergy.cli import main

    def call(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    def works(*words: object) -> str:
        done = call(*words)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    def fails(*words: object) -> str:
        done = call(*words)
        # An error that nobody explained comes out of click as it is.
        assert isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == 2 and done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.stderr

    def parse(name: str, *words: str) -> dict[str, object]:
        # As a command of `main`: click keeps what the first context of a command says of --help.
        parent = Context(main, **main.context_settings)
        with main.commands[name].make_context(name, list(words), parent) as context:
            return context.params

    return SimpleNamespace(call=call, works=works, fails=fails, parse=parse)
