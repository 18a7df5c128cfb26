"""Stores in an object store, on a real S3 server: the same promises as on a disk."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import obstore
import pytest
from skysynergy.simulators import object_storage
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.object_storage import Bucket
from skysynergy.simulators.storage import join, place_at, where_from
from skysynergy.simulators.store import create, finish, open_store, pending, write_shard
from skysynergy.simulators.stream import write_stream


@pytest.fixture
def stores(bucket):
    return [f"{bucket}/a/train.zarr", f"{bucket}/a/train.truth.zarr"]


def begin(stores, sky):
    for where, layout in zip(stores, sky.layouts(), strict=True):
        create(where, layout)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_holds_what_a_folder_holds(stores, sky, done, workers):
    begin(stores, sky)
    write_stream(stores, sky.simulate, workers=workers)
    for where in stores:
        finish(where)
        verify(where)
    assert sky.content(*stores) == sky.content(*done)
    data = open_store(stores[0])
    assert not data["lsst/image"].variable._in_memory
    copy = pickle.loads(pickle.dumps(data["lsst/image"]))  # noqa: S301 our own
    np.testing.assert_array_equal(copy[5:9, 1], open_store(done[0])["lsst/image"][5:9, 1])
    keys = [entry["path"] for batch in obstore.list(Bucket(stores[0])._objects) for entry in batch]
    assert not [key for key in keys if key.startswith(".")]


def test_interrupted_it_is_resumed(stores, sky, done):
    begin(stores, sky)
    with pytest.raises(StoreError, match="shard 2 .*no galaxy fits"):
        write_stream(stores, sky.fail)
    assert pending(*stores) == [2, 3, 4, 5]
    begin(stores, sky)
    write_stream(stores, sky.simulate)
    for where in stores:
        finish(where)
    assert sky.content(*stores) == sky.content(*done)


class Killed(BaseException):
    """Stops everything at once, as a kill does: nobody catches it."""


def test_killed_while_it_is_made_it_is_made_again(stores, sky, done, monkeypatch):
    def put(objects, name, content):
        if name == deadly:
            raise Killed
        return whole(objects, name, content)

    whole = obstore.put
    monkeypatch.setattr(obstore, "put", put)
    for name in ("lsst/step/zarr.json", "zarr.json"):
        deadly = name
        with pytest.raises(Killed):
            create(stores[0], sky.layouts()[0])
        with pytest.raises(StoreError, match="there is no store at s3://"):
            open_store(stores[0])
    deadly = ""
    begin(stores, sky)
    write_stream(stores, sky.simulate)
    for where in stores:
        finish(where)
    assert sky.content(*stores) == sky.content(*done)


def test_another_prefix_is_left_alone(bucket, sky):
    objects = Bucket(bucket)._objects
    obstore.put(objects, "papers/thesis.txt", b"chapter 1")
    with pytest.raises(StoreError, match="papers is not a store"):
        create(f"{bucket}/papers", sky.layouts()[0])
    create(f"{bucket}/pap", sky.layouts()[0])  # is no part of papers
    assert bytes(obstore.get(objects, "papers/thesis.txt").bytes()) == b"chapter 1"


def test_damage_is_found(stores, sky):
    begin(stores, sky)
    write_stream(stores, sky.simulate)
    for where in stores:
        finish(where)
    place = place_at(stores[0])
    name = "lsst/image/c.3.0.0.0"
    whole = place.read(name)
    changed = bytearray(whole)
    changed[40] ^= 1
    place.write(name, bytes(changed))
    with pytest.raises(StoreError, match="lsst/image, shard 3: can't be decoded"):
        verify(stores[0])
    with pytest.raises(StoreError, match=r"train.zarr is damaged: a chunk of lsst/image .*checksum"):
        open_store(stores[0])["lsst/image"][12].to_numpy()
    place.write(name, whole[:-1])
    with pytest.raises(StoreError, match="lsst/image, shard 3: its file has"):
        open_store(stores[0])
    place.remove(name)
    with pytest.raises(StoreError, match="lsst/image, shard 3: its file is missing"):
        open_store(stores[0])


def test_a_run_that_was_replaced_writes_no_more(stores, sky):
    begin(stores, sky)
    replaced = []

    def simulate(index):
        if index == 3 and not replaced:
            replaced.append(index)
            write_stream(stores, sky.simulate)
        return sky.simulate(index)

    with pytest.raises(StoreError, match="another run has taken over s3://"):
        write_stream(stores, simulate)
    assert pending(*stores) == []


def test_no_bucket_is_told(bucket, sky):
    with pytest.raises(StoreError, match=r"s3://no-such-bucket/x.zarr: there is no such bucket: make it"):
        create("s3://no-such-bucket/x.zarr", sky.layouts()[0])


def test_a_store_that_is_away_is_told(stores, sky, monkeypatch):
    begin(stores, sky)
    shard = sky.simulate(0)[0]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setitem(object_storage._RETRY, "max_retries", 1)
    for call in (
        lambda: create(stores[0], sky.layouts()[0]),
        lambda: pending(*stores),
        lambda: write_shard(stores[0], 0, shard.arrays, shard.tables),
        lambda: open_store(stores[0]),
        lambda: verify(stores[0]),
    ):
        with pytest.raises(StoreError, match=r"train.zarr can't be reached .*see that the network is there"):
            call()


def test_wrong_credentials_are_told(tmp_path, sky, monkeypatch):
    """A server of its own, that asks who is there after its first request."""
    port, log = 0, tmp_path / "log"
    with open(log, "w") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(port), "-H", "127.0.0.1"],
            env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": "0", "PYTHONUNBUFFERED": "1"},
            stderr=file,
        )
    try:
        end = time.monotonic() + 30
        while "Running on" not in log.read_text():
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        url = log.read_text().partition("Running on ")[2].split()[0]
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "stranger",
            "AWS_SECRET_ACCESS_KEY": "guess",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StoreError, match=r"refused these credentials .*set AWS_ACCESS_KEY_ID"):
            create("s3://bucket/x.zarr", sky.layouts()[0])
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize(
    "text", ["ftp://host/x", "s3://", "s3:///", "s3:/bucket/x", "file://host/x", "memory://x", ""]
)
def test_other_urls_are_refused(text):
    with pytest.raises(StoreError, match="is no place for a store: name a folder, or a URL such as s3://"):
        where_from(text)


def test_paths_and_urls():
    assert where_from("~/sky") == Path("~/sky").expanduser()
    assert where_from("file:///a/b") == Path("/a/b")
    assert where_from("s3://a/b/") == "s3://a/b"
    assert join("s3://a/b/", "c", "d") == "s3://a/b/c/d"
    assert where_from("a") == Path.cwd() / "a"
    assert join(Path("a"), "c", "d") == Path("a/c/d")
    assert place_at("s3://a/b/train.zarr").name == "train.zarr"


@pytest.mark.parametrize("page", [1000, 5], ids=["all at once", "folder by folder"])
def test_sizes_of_many_folders_are_those_of_each(stores, page, monkeypatch):
    monkeypatch.setattr(object_storage, "_PAGE", page)
    place = Bucket(stores[0])
    files = {
        f"lsst/{name}/c.{k}": b"x" * (k + n) for n, name in enumerate(("image", "image2")) for k in range(3)
    }
    for name, content in (files | {"lsst/image/deeper/c.0": b"", "zarr.json": b"{}"}).items():
        place.write(name, content)
    folders = ["lsst/image", "lsst/image2", "lsst/none"]
    assert place.all_sizes(folders) == {
        "lsst/image": {"c.0": 0, "c.1": 1, "c.2": 2},
        "lsst/image2": {"c.0": 1, "c.1": 2, "c.2": 3},
        "lsst/none": {},
    }
    assert place.all_sizes([]) == {}
