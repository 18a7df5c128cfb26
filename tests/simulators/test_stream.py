"""Streams of shards: any number of workers, killed at any moment, write what one writes in peace."""

import functools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from skysynergy.simulators import store
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.store import open_store, pending
from skysynergy.simulators.stream import write_stream


def test_two_workers_write_what_one_writes(sky, done, tmp_path):
    assert sky.content(*sky.run(tmp_path / "two", workers=2)) == sky.content(*done)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_shard_is_named_and_the_others_kept(begun, sky, workers):
    with pytest.raises(StoreError, match=r"shard 2 .*ValueError: no galaxy fits") as caught:
        write_stream(begun, sky.fail, workers=workers)
    assert isinstance(caught.value.__cause__, BaseException)
    assert 2 in pending(*begun) and 0 not in pending(*begun)
    with pytest.raises(StoreError, match="1 were made for 2 stores"):
        write_stream(begun, lambda index: sky.simulate(index)[:1])


def test_a_worker_that_dies_is_told(begun, sky):
    with pytest.raises(StoreError, match=r"a worker died.*fewer workers than 2"):
        write_stream(begun, os._exit, workers=2)


def test_a_run_that_was_replaced_finishes_no_more(begun, sky, done, monkeypatch):
    """The second run ends while the first puts the tables together: what it made stays whole."""
    run = write_stream(begun, sky.simulate)
    receipts_of = store.work_receipts

    def meanwhile(place):
        found = receipts_of(place)
        monkeypatch.setattr(store, "work_receipts", receipts_of)
        again = write_stream(begun, sky.simulate)
        for path in begun:
            store.finish(path, again)
        return found

    monkeypatch.setattr(store, "_pending", lambda _: set())
    monkeypatch.setattr(store, "work_receipts", meanwhile)
    with pytest.raises(StoreError, match="another run has taken over"):
        store.finish(begun[0], run)
    monkeypatch.undo()
    for path in begun:
        verify(path)
    assert sky.content(*begun) == sky.content(*done)


class Killed(BaseException):
    """Stops everything at once, as a kill does: nobody catches it."""


def test_killed_at_any_change_to_the_disk_it_can_be_run_again(tmp_path, sky, monkeypatch):
    """Any rename, removal, new folder or flush of a whole run may be the last."""
    operations = {name: getattr(os, name) for name in ("replace", "rename", "unlink", "rmdir", "mkdir")}
    count = {"left": 10**9}

    def until_killed(name, *args, **kwargs):
        count["left"] -= 1
        if count["left"] < 0:
            raise Killed
        return None if name == "fsync" else operations[name](*args, **kwargs)

    for name in [*operations, "fsync"]:
        monkeypatch.setattr(os, name, partial(until_killed, name))
    sky_run = partial(sky.run, n_scenes=4)
    expected = sky.content(*sky_run(tmp_path / "whole"))
    moment, ended = random.randrange(8), False  # every eighth: other runs, other moments
    while not ended:
        folder, frozen = tmp_path / str(moment), tmp_path / f"{moment}-frozen"
        folder.mkdir()
        count["left"] = moment
        try:
            sky_run(folder)
            ended = True
        except Killed:
            # The threads of a process die with it; here they go on, but find the folder gone.
            operations["rename"](folder, frozen)
            folder = frozen
        count["left"] = 10**9
        paths = sky_run(folder)
        assert sky.content(*paths) == expected, moment
        for path in paths:
            open_store(path)
            assert not sky.litter(path.parent), moment
        moment += 8
        shutil.rmtree(folder)
    assert moment > 100


def start(script, folder, workers, seconds, n_scenes=22):
    log = folder / "log"
    command = [sys.executable, str(script), str(folder), str(workers), str(n_scenes), str(seconds), str(log)]
    # A shell gives a job in the background SIGINT as ignored, and what it starts would ignore it too.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stderr=subprocess.PIPE, cwd=folder, preexec_fn=heard)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(tmp_path, script, done, sky):
    rng = random.Random()
    moments = sorted(rng.uniform(0.2, 1.2) for _ in range(5))
    for moment in moments:
        process = start(script, tmp_path, 1, 0.1)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = start(script, tmp_path, 1, 0.0)
    assert process.wait(60) == 0, (moments, process.stderr.read())
    paths = [tmp_path / path.name for path in done]
    assert sky.content(*paths) == sky.content(*done), moments
    for path in paths:
        verify(path)
        assert not sky.litter(path), moments


def receipts(folder):
    return len(list(folder.glob("train*.zarr/.writing/receipts/*.json")))


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, script, done, signal_, sky):
    process = start(script, tmp_path, 2, 0.25)
    wait_for(lambda: receipts(tmp_path) >= 2)
    process.send_signal(signal_)
    process.communicate(timeout=10)
    assert process.returncode != 0
    time.sleep(0.1)
    left = receipts(tmp_path)
    time.sleep(0.5)
    assert receipts(tmp_path) == left < 12
    assert start(script, tmp_path, 2, 0.0).wait(60) == 0
    assert sky.content(*(tmp_path / path.name for path in done)) == sky.content(*done)
