"""The promise of the store: it hands out what was written, and nothing that wasn't."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray
import zarr
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.layout import Array, Constant, Layout, StoreError
from skysynergy.simulators.store import create, finish, open_store, pending, write_shard


def test_what_is_written_is_what_is_read(sky, done):
    data, truth = (open_store(path) for path in done)
    made = [sky.simulate(index) for index in range(6)]
    for name in made[0][0].arrays:
        expected = np.concatenate([shards[0].arrays[name] for shards in made])
        np.testing.assert_array_equal(data[name].values, expected, strict=True)
    for column in ("id", "flux"):
        expected = np.concatenate([shards[0].tables["detections"][column] for shards in made])
        np.testing.assert_array_equal(data[f"detections/{column}"].values, expected, strict=True)
    expected = np.concatenate([shards[1].tables["sources"]["z"] for shards in made])
    np.testing.assert_array_equal(truth["sources/z"].values, expected, strict=True)
    assert truth["none/z"].shape == (0,)
    assert data["lsst/image"].dims == ("scene", "exposure", "y", "x")
    assert set(data["lsst"].coords) == {"band", "mjd"} and not data.coords
    assert data["lsst/pixel"].item() == 0.2 and data["detections/id"].attrs == {"about": "opaque"}
    assert data.attrs["name"] == "sky" and data.attrs["complete"] is True and data.attrs["schema"] == 1
    assert data.attrs["numpy_version"] == np.__version__
    assert sorted(data.children) == ["detections", "lsst"]
    for path in done:
        verify(path)
        assert not sky.litter(path.parent)


def test_a_finished_store_is_plain_zarr(done):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in done:
            with xarray.open_datatree(path, engine="zarr", consolidated=False) as tree:
                assert not tree.dataset.variables


def test_zero_shards_have_files(begun, sky):
    shard = sky.simulate(1)[0]
    write_shard(begun[0], 1, shard.arrays, shard.tables)
    assert (begun[0] / "lsst/image/c.1.0.0.0").exists() and (begun[0] / "lsst/step/c.1.0").exists()


def test_opening_reads_lazily(done):
    image = open_store(done[0])["lsst/image"]
    assert not image.variable._in_memory
    assert image[3].values.shape == (3, 6, 5) and not image.variable._in_memory


def test_any_way_of_indexing_gives_what_numpy_gives(done, sky):
    whole = np.concatenate([sky.simulate(index)[0].arrays["lsst/image"] for index in range(6)])
    image = pickle.loads(pickle.dumps(open_store(done[0])["lsst/image"]))  # noqa: S301 our own
    for key in [
        (3, 0),
        (slice(4, 20, 3), 1),
        ([5, 2, 2], slice(None), -1),
        (slice(None, None, -2),),
        -22,
        (),
    ]:
        np.testing.assert_array_equal(image[key].to_numpy(), whole[key], strict=True)
    points = xarray.DataArray([3, 21, 3], dims="point"), xarray.DataArray([0, 2, 1], dims="point")
    np.testing.assert_array_equal(image[points], whole[[3, 21, 3], [0, 2, 1]])
    with pytest.raises(IndexError):
        image[22].to_numpy()


def test_one_shard_may_be_larger_than_the_store(tmp_path):
    path = tmp_path / "small.zarr"
    layout = Layout([Array("g/a", ("field", "x"), (3, 2), "float32")], [], 6, 3, 8)
    assert (layout.n_shards, layout.scenes(0), layout.fields(0)) == (1, range(6), range(3))
    create(path, layout)
    write_shard(path, 0, {"g/a": np.arange(6, dtype=np.float32).reshape(3, 2)})
    finish(path)
    assert open_store(path)["g/a"].values.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_order_and_rewriting_leave_no_trace(begun, sky, done):
    for index in (5, 0, 3, 1, 4, 2, 3):
        for path, shard in zip(begun, sky.simulate(index), strict=True):
            write_shard(path, index, shard.arrays, shard.tables)
    for path in begun:
        finish(path)
    assert sky.content(*begun) == sky.content(*done)


def test_creating_again_resumes(begun, sky):
    shard = sky.simulate(0)[0]
    write_shard(begun[0], 0, shard.arrays, shard.tables)
    create(begun[0], sky.layouts()[0])
    assert pending(begun[0]) == [1, 2, 3, 4, 5]
    assert pending(*begun) == [0, 1, 2, 3, 4, 5]


def test_another_layout_is_refused(begun, sky, monkeypatch):
    layout = sky.layouts()[0]
    with pytest.raises(StoreError, match=r"version is 1 in the store, 2 is asked for.*delete it"):
        create(begun[0], sky.layouts(version="2")[0])
    changed = [replace(layout.arrays[0], dtype="int32"), *layout.arrays[1:]]
    with pytest.raises(StoreError, match="lsst/image: dtype is int16 in the store, int32"):
        create(begun[0], replace(layout, arrays=changed))
    with pytest.raises(StoreError, match="lsst/psf is in the store only"):
        create(begun[0], replace(layout, arrays=layout.arrays[:-1]))
    other = Constant("lsst/band", ("exposure",), np.array([0, 3, 2], np.uint8))
    with pytest.raises(StoreError, match="lsst/band: sha256"):
        create(begun[0], replace(layout, constants=[other, layout.constants[1]]))
    with pytest.raises(StoreError, match="attributes: bands is not in the store"):
        create(begun[0], replace(layout, attributes={**layout.attributes, "bands": ["u", "g"]}))
    monkeypatch.setattr(np, "__version__", "9.9")
    with pytest.raises(StoreError, match="numpy_version"):
        create(begun[0], layout)


def test_a_complete_store_outlives_an_upgrade_of_libraries(sky, tmp_path):
    def locked(lock, **attributes):
        layout = sky.layouts()[0]
        return replace(layout, attributes={**layout.attributes, "lock": lock, **attributes})

    path = tmp_path / "locked.zarr"
    create(path, locked("numpy==1"))
    with pytest.raises(StoreError, match="lock is numpy==1 in the store, numpy==2 is asked for"):
        create(path, locked("numpy==2"))
    for index in range(6):
        shard = sky.simulate(index)[0]
        write_shard(path, index, shard.arrays, shard.tables)
    finish(path)
    create(path, locked("numpy==2"))
    with pytest.raises(
        StoreError, match="otherwise: attributes: version is 1 in the store, 2 is asked for. "
    ):
        create(path, locked("numpy==2", version="2"))
    assert open_store(path).attrs["lock"] == "numpy==1"


def test_a_folder_that_is_no_store_is_left_alone(tmp_path, sky):
    (tmp_path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(StoreError, match="not a store"):
        create(tmp_path, sky.layouts()[0])
    with pytest.raises(StoreError, match="not a store"):
        open_store(tmp_path)
    with pytest.raises(StoreError, match="there is no store at"):
        open_store(tmp_path / "nowhere.zarr")
    assert (tmp_path / "thesis.txt").read_text() == "chapter 1"


def test_a_shard_that_does_not_fit_writes_nothing(begun, sky):
    shard = sky.simulate(0)[0]
    image, ids = shard.arrays["lsst/image"], shard.tables["detections"]["id"]
    without = {name: values for name, values in shard.arrays.items() if name != "lsst/mjd"}
    wrong = [
        (without, shard.tables, "lsst/mjd is missing"),
        (shard.arrays | {"lsst/more": image}, shard.tables, "lsst/more is unknown"),
        (shard.arrays | {"lsst/image": image[:-1]}, shard.tables, r"lsst/image is int16 \(3, 3, 6, 5\)"),
        (shard.arrays | {"lsst/image": image.astype(float)}, shard.tables, "lsst/image is float64"),
        (shard.arrays, {}, "detections/id is missing"),
        (shard.arrays, {"detections": {"id": ids}}, "detections/flux is missing"),
        (shard.arrays, {"detections": shard.tables["detections"] | {"id": ids[:-1]}}, "detections/"),
    ]
    for arrays, tables, message in wrong:
        with pytest.raises(StoreError, match=message):
            write_shard(begun[0], 0, arrays, tables)
    with pytest.raises(StoreError, match="no shard 6"):
        write_shard(begun[0], 6, shard.arrays, shard.tables)
    assert not list(begun[0].glob("*/*/c.0*")) or not (begun[0] / "lsst/image/c.0.0.0.0").exists()
    assert pending(begun[0]) == [0, 1, 2, 3, 4, 5]


def test_an_unfinished_store_is_refused(begun, sky):
    with pytest.raises(StoreError, match=r"incomplete: the simulation did not finish. Run the same command"):
        open_store(begun[0])
    with pytest.raises(StoreError, match=r"lacks 6 of its 6 shards"):
        finish(begun[0])


def test_a_finished_store_takes_no_more(done, sky):
    shard = sky.simulate(0)[0]
    before = sky.content(*done)
    with pytest.raises(StoreError, match="is finished"):
        write_shard(done[0], 0, shard.arrays, shard.tables)
    finish(done[0])
    create(done[0], sky.layouts()[0])
    assert pending(*done) == [] and sky.content(*done) == before


@pytest.mark.parametrize(
    ("schema", "remedy"), [(2, "update skysynergy"), (0, "make it again"), (None, "make")]
)
def test_an_unknown_schema_is_refused(done, schema, remedy):
    zarr.open_group(done[0], mode="r+").attrs["schema"] = schema
    with pytest.raises(StoreError, match=f"schema {schema}.*{remedy}"):
        open_store(done[0])
