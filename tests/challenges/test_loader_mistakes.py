"""What a loader refuses, or bears: another's truth, old loops, odd numbers, chunks that nobody wrote."""

from __future__ import annotations

import json
import shutil

import google_crc32c
import numpy as np
import pytest
import torch
import zarr
from skysynergy.challenges.datasets import DatasetError, Split
from skysynergy.challenges.loader import Loader
from skysynergy.simulators import shards
from skysynergy.simulators.disk import Folder
from skysynergy.simulators.hierarchy import new_array
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.shards import ShardReader
from skysynergy.simulators.storage import place_at


def loader(**options) -> Loader:
    return Loader("shear", **{"batch_size": 1, "device": "cpu", "run": 1, "psf": False, **options})


def test_the_truth_of_another_dataset_is_refused(own_sky):
    train, other = Split.of("tiny", "train"), Split.of("tiny", "validation")
    shutil.rmtree(train.truth)
    shutil.copytree(other.truth, train.truth)
    with pytest.raises(DatasetError, match=r"train\.truth\.zarr is not the truth of .*: make both again"):
        loader()
    assert loader(targets=()).n_items > 0


@pytest.mark.parametrize("workers", [0, 1])
def test_an_old_loop_takes_nothing_from_the_new_one(little_sky, workers):
    each = loader(targets=(), block_bytes=1, workers=workers, shuffle=False)
    every = [int(batch.scene) for batch in loader(targets=(), shuffle=False)]
    never, old = iter(each), iter(each)
    seen = [int(next(old).scene)]
    new = iter(each)
    seen.append(int(next(new).scene))
    pool = each._pool
    for loop in (old, never):
        with pytest.raises(RuntimeError, match="this loop is over"):
            next(loop)
    del old, never, loop
    assert each._pool is pool and (pool is None) == (workers == 0)
    assert seen + [int(batch.scene) for batch in new] == every
    assert each._pool is pool and each.epoch == 1


def closed_truth(monkeypatch):
    """Let nobody look into stores of truth, as in a folder of mode 0700 that is another's."""

    def closed(method):
        def call(self, *words):
            if self.name.endswith(".truth.zarr"):
                raise PermissionError(13, "Permission denied", str(self))
            return method(self, *words)

        return call

    for name in ("is_empty", "read"):
        monkeypatch.setattr(Folder, name, closed(getattr(Folder, name)))


def test_sealed_truth_that_may_not_be_read_is_no_target(own_sky, monkeypatch):
    for end in (".zarr", ".truth.zarr"):
        data = Split.of("tiny", "train").data
        data.with_name(f"train{end}").rename(data.with_name(f"test{end}"))
    closed_truth(monkeypatch)
    assert all(batch.targets == {} for batch in loader(split="test"))
    with pytest.raises(
        DatasetError, match="sealed until the challenge closes: you may not read it.*targets="
    ):
        loader(split="test", targets=("g1",))


def test_open_truth_that_may_not_be_read_is_told_as_it_is(little_sky, monkeypatch):
    closed_truth(monkeypatch)
    with pytest.raises(PermissionError):
        loader()


def test_a_state_is_json_whatever_the_numbers_were(little_sky):
    names = ("batch_size", "seed", "run", "block_bytes", "workers", "prefetch")
    values = dict(zip(names, (2, 7, 1, 1, 0, 2), strict=True))
    plain = loader(targets="g1", **values)
    numpy = loader(
        targets=np.array(["g1"]),
        spurious=np.bool_(False),
        shuffle=np.bool_(True),
        drop_last=np.bool_(False),
        **{name: np.uint16(value) for name, value in values.items()},
    )
    assert json.loads(json.dumps(numpy.state())) == plain.state()
    next(iter(plain))
    numpy.restore({**plain.state(), "batch": np.int64(1)})
    assert json.dumps(numpy.state()) == json.dumps(plain.state())
    loader(seed=2**63 - 1, targets=()).restore(loader(seed=2**63 - 1, targets=()).state())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"seed": True}, "seed is a whole number from 0 on, not True"),
        ({"batch_size": True}, "batch_size is a whole number from 1 on, not True"),
        ({"seed": 2**63}, r"seed is a whole number below 2\*\*63"),
        ({"seed": np.uint64(2**63)}, r"seed is a whole number below 2\*\*63"),
        ({"run": "8"}, "run is a whole number"),
        ({"stamp_arcsec": "6"}, "stamp_arcsec is a width above 0, not '6'"),
        ({"stamp_arcsec": True}, "stamp_arcsec is a width above 0"),
        ({"stamp_arcsec": float("nan")}, "stamp_arcsec is a width above 0"),
        ({"device": "gpu"}, "device is 'auto' or one that torch knows.*not 'gpu'"),
        ({"device": None}, "device is 'auto' or one that torch knows"),
        ({"device": "cuda:99"}, "torch finds no device cuda:99 here.*device='cpu'"),
    ],
)
def test_what_can_not_be_is_told_at_once(little_sky, options, told):
    with pytest.raises(ValueError, match=told):
        loader(targets=(), **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_told_at_once(little_sky):
    with pytest.raises(ValueError, match="torch finds no device cuda here: leave device out"):
        loader(device="cuda")
    assert loader(device="auto").device.type == "cpu"


@pytest.mark.parametrize("state", [None, 3, [], ["loader", "epoch", "batch"], "loader"])
def test_what_is_no_state_is_refused(little_sky, state):
    each = loader(targets=())
    with pytest.raises(ValueError, match="no state of a loader"):
        each.restore(state)
    with pytest.raises(ValueError, match="no state of a loader"):
        each.restore({**each.state(), "loader": state})


@pytest.mark.parametrize("changed", [{"epoch": True}, {"batch": True}, {"epoch": 2**63}, {"batch": 0.0}])
def test_a_state_of_no_batch_is_refused(little_sky, changed):
    each = loader(targets=())
    with pytest.raises(ValueError, match="there is no batch"):
        each.restore(each.state() | changed)


def test_a_target_may_stand_alone(little_sky):
    assert set(next(iter(loader(targets="g1"))).targets) == {"g1"}
    assert "sources/z" in next(iter(loader(targets="sources"))).targets


@pytest.mark.parametrize("keep", [lambda image: image.numpy(), lambda image: image[0, :1, 2:], torch.detach])
def test_memory_that_something_of_a_batch_shares_is_not_used_again(little_sky, keep):
    each = loader(targets=(), block_bytes=1)
    kept = [keep(batch.surveys["LSST"].image) for batch in each]
    copies = [torch.as_tensor(one).clone().numpy() for one in kept]
    assert len({copy.tobytes() for copy in copies}) == len(copies)
    list(each), list(each)
    assert all(np.array_equal(one, copy) for one, copy in zip(kept, copies, strict=True))


def test_memory_that_nothing_shares_is_used_again(little_sky):
    each = loader(targets=(), block_bytes=1)
    places = [batch.surveys["LSST"].image.data_ptr() for _ in range(3) for batch in each]
    assert len(set(places)) <= 3 < each.n_items


@pytest.mark.parametrize("small", [True, False])
def test_a_chunk_that_was_never_written_is_no_zero(tmp_path, monkeypatch, small):
    monkeypatch.setattr(shards, "SMALL_BYTES", 1 << 17 if small else 0)
    root = zarr.open_group(tmp_path / "some.zarr", mode="w", zarr_format=3)
    values = np.arange(1, 11)
    new_array(root, "numbers", ("scene",), (10,), "int64", (2,), (8,), {})[...] = values

    def read(start, stop):
        reader = ShardReader(
            zarr.open_group(tmp_path / "some.zarr", mode="r"), place_at(tmp_path / "some.zarr")
        )
        return reader.read([("numbers", start, stop)])[0]

    # The second shard has room for eight, and one chunk is all that the array has of it.
    np.testing.assert_array_equal(read(0, 10), values)
    file = tmp_path / "some.zarr" / "numbers" / "c.0"
    content = bytearray(file.read_bytes())
    index = np.frombuffer(content[-68:-4], "<i8").reshape(4, 2).copy()
    index[1] = -1
    content[-68:-4] = index.tobytes()
    content[-4:] = google_crc32c.value(index.tobytes()).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(StoreError, match="chunk of numbers can't be read .*a chunk was never written"):
        read(0, 8)
    np.testing.assert_array_equal(read(8, 10), values[8:])
