"""A Dask cluster writes what one process writes, whatever dies on the way."""

import logging
import socket
import threading
import time
from functools import partial

import pytest
import zarr
from skysynergy.simulators import cluster as on_dask
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.places import WORK_RECEIPTS
from skysynergy.simulators.storage import place_at
from skysynergy.simulators.store import create, finish, pending
from skysynergy.simulators.stream import write_stream


def begin(wheres, sky, n_scenes=22):
    for where, layout in zip(wheres, sky.layouts(n_scenes), strict=True):
        create(where, layout)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def test_a_killed_worker_and_a_restarted_scheduler_lose_and_double_nothing(cluster, tmp_path, sky, caplog):
    """Forty shards: a worker is killed after the sixth, the scheduler after the fifteenth."""
    n_scenes, log = 160, tmp_path / "log"
    peaceful = sky.run(tmp_path / "peaceful", n_scenes=n_scenes)
    (folder := tmp_path / "killed").mkdir()
    paths = [folder / path.name for path in peaceful]
    begin(paths, sky, n_scenes)
    simulate = partial(sky.simulate, n_scenes=n_scenes, seconds=0.3, log=str(log))

    def written():
        return len(place_at(paths[1]).sizes(WORK_RECEIPTS))

    def kill(dask):
        wait_for(lambda: written() >= 6)
        dask.kill_worker()
        wait_for(lambda: written() >= 15)
        dask.kill_scheduler()
        dask.start_scheduler()
        dask.start_worker()
        dask.start_worker()

    with cluster(tmp_path, workers=2) as dask:
        killer = threading.Thread(target=kill, args=(dask,))
        killer.start()
        with caplog.at_level(logging.WARNING):
            write_stream(paths, simulate, cluster=dask.address)
        killer.join()
    assert "lost the scheduler" in caplog.text
    for path in paths:
        finish(path)
        verify(path)
    assert sky.content(*paths) == sky.content(*peaceful)
    made = log.read_text().split()
    assert len(set(made)) == 40
    # Done twice: what the two dead workers and those cut off had in hand, and no shard that was finished.
    assert len(made) <= 40 + 4


def test_workers_write_to_an_object_store(cluster, bucket, tmp_path, sky, done):
    stores = [f"{bucket}/train.zarr", f"{bucket}/train.truth.zarr"]
    begin(stores, sky)
    with cluster(tmp_path, workers=2) as dask:
        with pytest.raises(StoreError, match="shard 2 .*no galaxy fits"):
            write_stream(stores, sky.fail, cluster=dask.address)
        assert 2 in pending(*stores)
        write_stream(stores, sky.simulate, cluster=dask.address)
    for where in stores:
        finish(where)
    assert sky.content(*stores) == sky.content(*done)


def test_a_shard_that_kills_its_workers_is_given_up(cluster, tmp_path, sky, begun, monkeypatch):
    monkeypatch.setattr(on_dask, "_TRIES", 2)
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    told = "given up 2 times, each after workers died with it, perhaps for lack of memory"
    with cluster(tmp_path, workers=1) as dask, pytest.raises(StoreError, match=told):
        write_stream(begun, sky.die, cluster=dask.address)
    assert len(pending(*begun)) == 6


def test_an_unreachable_scheduler_is_told(begun, sky, monkeypatch):
    monkeypatch.setattr(on_dask, "_REACH_SECONDS", 0.5)
    with pytest.raises(StoreError, match=r"no Dask scheduler at tcp://127.0.0.1:9 .*start one .*is kept"):
        write_stream(begun, sky.simulate, cluster="tcp://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"no Dask scheduler at nonsense://x .*mend the address"):
        write_stream(begun, sky.simulate, cluster="nonsense://x")


@pytest.mark.parametrize("address", ["tls://127.0.0.1:9", "ucx://a:1", "garbage", "tcp://no.such.host:1"])
def test_an_address_that_is_none_is_told(begun, sky, monkeypatch, address):
    monkeypatch.setattr(on_dask, "_REACH_SECONDS", 0.5)
    with pytest.raises(StoreError, match=f"no Dask scheduler at {address} .*mend the address"):
        write_stream(begun, sky.simulate, cluster=address)


def test_something_that_only_listens_is_no_scheduler(begun, sky, monkeypatch):
    monkeypatch.setattr(on_dask, "_REACH_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(StoreError, match=f"no Dask scheduler at {address} "):
            write_stream(begun, sky.simulate, cluster=address)


def test_workers_that_are_gone_for_good_are_told(cluster, tmp_path, sky, begun, monkeypatch):
    monkeypatch.setattr(on_dask.on_cluster, "__kwdefaults__", {"patience": 1.0})
    simulate = partial(sky.simulate, seconds=0.5)

    def kill(dask):
        wait_for(lambda: len(pending(*begun)) < 6)
        dask.kill_worker()

    with cluster(tmp_path, workers=1) as dask:
        killer = threading.Thread(target=kill, args=(dask,))
        killer.start()
        with pytest.raises(StoreError, match="has had no worker for 1 s: start some"):
            write_stream(begun, simulate, cluster=dask.address)
        killer.join()
    assert 0 < len(pending(*begun)) < 6


def test_other_software_is_refused(begun, sky):
    zarr.open_group(begun[0], mode="r+").attrs["code_version"] = "0.0.1"
    with pytest.raises(
        StoreError, match="other software .*code_version is 0.0.1 in the store.*Install the same"
    ):
        write_stream(begun, sky.simulate)
