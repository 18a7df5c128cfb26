"""A full disk: it is told, nothing half written counts, and the same run goes on where there is room."""

import errno
import os
import shutil
import subprocess

import numpy as np
import pytest
from skysynergy.simulators.disk import Folder
from skysynergy.simulators.layout import Array, Layout, StoreError
from skysynergy.simulators.store import create, finish, open_store, pending, write_shard
from skysynergy.simulators.stream import Shard, write_stream


def test_a_full_disk_is_told_and_resumed(begun, sky, done, monkeypatch):
    room = {"left": 9}

    def limited(path):
        room["left"] -= 1
        if room["left"] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return synced(path)

    synced = os.fsync
    monkeypatch.setattr(os, "fsync", limited)
    with pytest.raises(StoreError, match=r"disk is full at .*writing shard 0.*MB are free.*finished shards"):
        write_stream(begun, sky.simulate)
    assert pending(*begun) == [0, 1, 2, 3, 4, 5]
    room["left"] = 10**9
    write_stream(begun, sky.simulate)
    room["left"] = 2
    with pytest.raises(StoreError, match=r"disk is full at .*finishing"):
        finish(begun[0])
    room["left"] = 10**9
    for path in begun:
        finish(path)
    assert sky.content(*begun) == sky.content(*done)


def test_a_shard_that_could_not_be_written_again_is_pending(begun, sky, monkeypatch):
    """Its files may be of both writings, whatever their sizes, so the old receipt is gone."""
    shard = sky.simulate(0)[0]
    write_shard(begun[0], 0, shard.arrays, shard.tables)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Folder, "write", full)
    with pytest.raises(StoreError, match="disk is full"):
        write_shard(begun[0], 0, shard.arrays, shard.tables)
    assert 0 in pending(begun[0])


def test_another_error_that_names_no_file_gets_the_name_of_the_store(begun, sky, monkeypatch):
    def too_large(*_):
        raise OSError(errno.EFBIG, "File too large")

    shard = sky.simulate(0)[0]
    monkeypatch.setattr(Folder, "write", too_large)
    with pytest.raises(OSError, match="File too large while writing shard 0") as error:
        write_shard(begun[0], 0, shard.arrays, shard.tables)
    assert error.value.filename == str(begun[0]) and 0 in pending(begun[0])


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    command = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_really_full_disk_is_told_and_resumed(small_disk):
    layout = Layout([Array("g/a", ("scene", "x"), (8, 30_000), "float64")], [], 8, 8, 1)
    path, rng = small_disk / "a.zarr", np.random.default_rng(1)
    shards = [[Shard({"g/a": rng.random((1, 30_000))})] for _ in range(8)]
    create(path, layout)
    with pytest.raises(StoreError, match=r"disk is full at .*writing shard [34].*0.2 MB"):
        write_stream([path], shards.__getitem__)
    kept = pending(path)
    assert 4 <= len(kept) <= 5 and not list(path.glob("g/a/*.partial"))
    subprocess.run(["mount", "-o", "remount,size=8M", str(small_disk)], check=True)
    write_stream([path], shards.__getitem__)
    finish(path)
    np.testing.assert_array_equal(open_store(path)["g/a"][7], shards[7][0].arrays["g/a"][0])
