"""Damage: whatever is missing, cut short or changed is found, and named."""

import json
import random

import pytest
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.quantisation import decode_array
from skysynergy.simulators.store import create, finish, open_store, pending, write_shard
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
        file.write_bytes(changed)
        with pytest.raises(StoreError, match=rf"{member}(, shard \d)?: .*(changed|decoded)"):
            verify(done[0])
        with pytest.raises(StoreError, match=f"a chunk of {member} can't be read .*skysynergy verify"):
            open_store(done[0])[member].to_numpy()
        file.write_bytes(whole)
    verify(done[0])


def test_whoever_indexes_a_damaged_chunk_is_told(done):
    file = done[0] / "lsst/image/c.3.0.0.0"
    changed = bytearray(file.read_bytes())
    changed[40] ^= 1  # of scene 12, the first of four
    file.write_bytes(changed)
    tree = open_store(done[0])
    image = tree["lsst/image"]
    flux = decode_array(image, tree["lsst/step"], b"key", "lsst")
    for array in (image, flux):
        array[11].to_numpy()
        with pytest.raises(StoreError, match=r"train.zarr is damaged: a chunk of lsst/image .*checksum"):
            array[12, 1].to_numpy()


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


@pytest.mark.parametrize("name", ["version", "name"])
def test_changed_attributes_are_found_on_opening(done, name):
    file = done[0] / "zarr.json"
    whole = json.loads(file.read_bytes())
    for changed in ({**whole["attributes"], name: "other"}, {**whole["attributes"], name: None}):
        file.write_text(json.dumps(whole | {"attributes": changed}))
        for check in (open_store, verify):
            with pytest.raises(StoreError, match=f"attributes changed since they were written: {name}. Del"):
                check(done[0])
    del whole["attributes"][name]
    file.write_text(json.dumps(whole))
    with pytest.raises(StoreError, match=f"attributes changed since they were written: {name}. "):
        open_store(done[0])


def test_a_lost_hash_is_found_on_opening(done):
    file = done[0] / "zarr.json"
    whole = json.loads(file.read_bytes())
    del whole["attributes"]["content_sha256"]
    file.write_text(json.dumps(whole))
    with pytest.raises(StoreError, match="content_sha256 changed"):
        open_store(done[0])


def checks(sky):
    return open_store, verify, pending, lambda path: create(path, sky.layouts()[0])


MEMBERS = ["lsst", "lsst/image", "lsst/band", "detections", "detections/id", "receipts", "receipts/files"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("member", MEMBERS)
def test_lost_groups_and_arrays_are_named(done, sky, member):
    (done[0] / member / "zarr.json").unlink()
    for check in checks(sky):
        with pytest.raises(StoreError, match=f"damaged: {member} is gone.*Delete the store"):
            check(done[0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("member", ["", *MEMBERS])
def test_broken_metadata_is_named(done, sky, member):
    file = done[0] / member / "zarr.json"
    name, whole = f"{member}/zarr.json".lstrip("/"), file.read_text()
    for content in ("", "{", "[]", "{}", "null", "\x00", '{"zarr_format": 3}', whole[:-40]):
        file.write_text(content)
        for check in checks(sky):
            with pytest.raises(StoreError, match=rf"damaged: {name} can't be read \(.*\)\. (Delete|Mend)"):
                check(done[0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("member", ["", *MEMBERS])
def test_metadata_that_lack_any_key_are_found_or_harmless(done, sky, member):
    file = done[0] / member / "zarr.json"
    whole = json.loads(file.read_bytes())
    before = sky.content(done[0])
    for key in whole:
        file.write_text(json.dumps({k: v for k, v in whole.items() if k != key}))
        try:
            open_store(done[0])
        except StoreError as error:
            assert f"{member}/zarr.json".lstrip("/") in str(error)
        else:
            assert sky.content(done[0]) == before, key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shape", [23, 3, 6, 5]),
        ("data_type", "uint16"),
        ("dimension_names", ["scene", "exposure", "x", "y"]),
        ("attributes", {}),
    ],
)
def test_changed_metadata_is_named(done, sky, key, value):
    file = done[0] / "lsst/image/zarr.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {key: value}))
    for check in checks(sky):
        with pytest.raises(StoreError, match=r"lsst/image/zarr.json changed since it was written"):
            check(done[0])


def test_an_unfinished_store_with_broken_metadata_is_to_be_made_anew(begun, sky):
    (begun[0] / "lsst/image/zarr.json").write_text("{")
    for check in (*checks(sky)[1:], finish):
        with pytest.raises(StoreError, match=r"lsst/image/zarr.json can't be read .*Delete the store"):
            check(begun[0])


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
