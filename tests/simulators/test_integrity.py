"""Damage: whatever is missing, cut short or changed is found, and named."""

import json
import random

import numpy as np
import pytest
import zarr
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.store import finish, open_store, pending, write_shard
from skysynergy.simulators.stream import write_stream


def damages(file):
    """Ways to damage a file: what it is called, and how."""
    whole = file.read_bytes()
    return {
        "missing": file.unlink,
        "empty": lambda: file.write_bytes(b""),
        "truncated": lambda: file.write_bytes(whole[:-7]),
        "longer": lambda: file.write_bytes(whole + b"x"),
    }


@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "longer"])
@pytest.mark.parametrize("name", ["lsst/image/c.1.0.0.0", "lsst/psf/c.5.0.0.0", "detections/flux/c.0.0"])
def test_missing_and_cut_files_are_found_on_opening(done, name, how):
    damages(done[0] / name)[how]()
    member, _, file = name.rpartition("/")
    for check in (open_store, verify):
        with pytest.raises(StoreError, match=f"{member}, shard {file[2]}: .*(simulate or download)"):
            check(done[0])


def test_any_flipped_byte_is_found_by_verify(done):
    rng = random.Random(3)
    members = ["lsst/image", "lsst/mjd", "lsst/good", "lsst/band", "detections/id", "detections/flux"]
    for member in members * 5:
        file = rng.choice(sorted((done[0] / member).glob("c*")))
        whole = file.read_bytes()
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        before = zarr.open_array(done[0] / member, mode="r")[...]
        file.write_bytes(changed)
        try:
            unharmed = np.array_equal(zarr.open_array(done[0] / member, mode="r")[...], before)
        except Exception:
            unharmed = False
        if unharmed:  # the flip hit padding of the compressor
            verify(done[0])
        else:
            with pytest.raises(StoreError, match=rf"{member}(, shard \d)?: .*(changed|decoded)"):
                verify(done[0])
        file.write_bytes(whole)
    verify(done[0])


def test_verify_reads_only_the_shards_asked_for(done):
    file = done[0] / "lsst/image/c.3.0.0.0"
    changed = bytearray(file.read_bytes())
    changed[40] ^= 255
    file.write_bytes(changed)
    verify(done[0], [0, 1, 2, 4, 5])
    with pytest.raises(StoreError, match="lsst/image, shard 3"):
        verify(done[0], [3])
    with pytest.raises(StoreError, match="no receipts of shards 6"):
        verify(done[0], [6])


def test_changed_receipts_are_found_on_opening(done):
    (done[0] / "receipts/sha256/c.0.0.0").unlink()
    with pytest.raises(StoreError, match="receipts or content_sha256 changed"):
        open_store(done[0])


def test_receipts_say_what_was_written(begun, sky):
    shard = sky.simulate(0)[0]
    write_shard(begun[0], 0, shard.arrays, shard.tables)
    receipt = json.loads((begun[0] / ".writing/receipts/000000.json").read_bytes())
    assert receipt["rows"] == {"detections": 3}
    assert set(receipt["sha256"]) == {*shard.arrays, "detections/id", "detections/flux"}
    verify(begun[0])


def test_damage_to_an_unfinished_store_is_repaired_by_running_again(begun, sky, done):
    write_stream(begun, sky.simulate)
    (begun[0] / "lsst/image/c.1.0.0.0").unlink()
    damages(begun[0] / "lsst/mjd/c.2.0")["truncated"]()
    (begun[0] / ".writing/parts/000003.npz").write_bytes(b"")
    with pytest.raises(StoreError, match="lacks 3 of its 6 shards"):
        finish(begun[0])
    assert pending(*begun) == [1, 2, 3]
    write_stream(begun, sky.simulate)
    part = begun[0] / ".writing/parts/000004.npz"
    changed = bytearray(part.read_bytes())
    changed[200] ^= 1
    part.write_bytes(changed)
    for check in (verify, finish):
        with pytest.raises(StoreError, match=r"damaged.*000004.npz.*Delete .*receipts.*run again"):
            check(begun[0])
    (begun[0] / ".writing/receipts/000004.json").unlink()
    write_stream(begun, sky.simulate)
    for path in begun:
        verify(path)
        finish(path)
    assert sky.content(*begun) == sky.content(*done)
