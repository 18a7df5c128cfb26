"""What a loader promises: every item once, in an order that a seed decides, the same for any workers."""

from __future__ import annotations

import gc
import importlib.util
import json
import multiprocessing
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.challenges import stamps
from skysynergy.challenges.batches import Batch
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import DatasetError, Split, open_split, open_truth
from skysynergy.challenges.loader import Loader
from skysynergy.challenges.names import UnknownNameError
from skysynergy.simulators.detections import LISTS
from skysynergy.simulators.detectors import GAP
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.surveys import SURVEYS

PER_SCENE = ("image", "mask", "sky_variance", "read_variance", "wcs")
PER_FIELD = ("psf", "electron", "mjd", "fwhm", "m5", "airmass")
KINDS = ("scene", "detection")
EVERY = {
    "scene": ("g1", "g2", "sources"),
    "detection": ("z", "ambiguous", "source", "flux", "e1", "spectrum"),
}


@pytest.fixture(scope="session")
def _listed_once(tmp_path_factory, root):
    file = root / "tests" / "challenges" / "example_listed_sky.py"
    spec = importlib.util.spec_from_file_location("example_listed_sky", file)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    home = tmp_path_factory.mktemp("listed")
    example.write(home)
    return home


@pytest.fixture
def listed_sky(_listed_once, monkeypatch):
    """Home of a split of 12 scenes with many detections."""
    monkeypatch.setenv("SKYSYNERGY_DATA", str(_listed_once))
    return _listed_once


def loader(**options) -> Loader:
    return Loader("shear", **{"batch_size": 3, "device": "cpu", "run": 1, **options})


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    """Everything in a batch, by a path."""
    found = {name: getattr(batch, name) for name in ("id", "scene", "field")}
    for name in ("detections", "targets"):
        found |= {f"{name}/{key}": value for key, value in getattr(batch, name).items()}
    for name, one in batch.surveys.items():
        found |= {f"{name}/{key}": v for key, v in vars(one).items() if isinstance(v, torch.Tensor)}
    return found


def same(one: list[Batch], other: list[Batch]) -> bool:
    """Whether two loops gave the same, bit for bit."""
    if len(one) != len(other):
        return False
    pairs = zip(map(tensors, one), map(tensors, other), strict=True)
    return all(a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in pairs)


@pytest.mark.parametrize("by", KINDS)
def test_a_loop_gives_every_item_once_and_the_next_another_order(listed_sky, by):
    for block_bytes in (1, 1 << 28):
        each = loader(by=by, block_bytes=block_bytes)
        first, second = ([int(i) for batch in each for i in batch.id] for _ in range(2))
        tree = open_split(Split.of("tiny", "train"))
        if by == "scene":
            asked = tree["scenes/id"].to_numpy()
        else:
            asked = tree["detections/id"].to_numpy()[tree["detections/list"].to_numpy() == LISTS["lsst"]]
            truth = open_truth(Split.of("tiny", "train"))["detections"]
            matched = truth["id"].to_numpy()[truth["source"].to_numpy() >= 0]
            asked = asked[np.isin(asked, matched)]
        assert sorted(first) == sorted(second) == sorted(asked.tolist())
        assert each.epoch == 2 and len(first) == each.n_items
        assert first != second


@pytest.mark.parametrize("track", ["joint", "lsst"])
@pytest.mark.parametrize("sky", ["little_sky", "listed_sky"])
def test_scenes_are_those_of_the_opened_split(sky, track, request):
    request.getfixturevalue(sky)
    tree = open_split(Split.of("tiny", "train"))
    batches = list(loader(track=track, targets=()))
    assert sum(map(len, batches)) == tree.sizes.get("scene", len(tree["scenes/id"]))
    for batch in batches:
        assert tuple(batch.surveys) == load("shear").track(track).surveys
        np.testing.assert_array_equal(batch.field, tree["scenes/field"].to_numpy()[batch.scene])
        for name, one in batch.surveys.items():
            group = tree[SURVEYS[name].group]
            for array in PER_SCENE:
                wanted = group[array].to_numpy()[batch.scene.numpy()]
                given_values = getattr(one, array).numpy()
                assert given_values.dtype == ("uint8" if array == "mask" else "float32")
                np.testing.assert_array_equal(given_values, wanted.astype(given_values.dtype))
            for array in PER_FIELD:
                wanted = group[array].to_numpy()[batch.field.numpy()]
                found = one.per_item(array).numpy()
                np.testing.assert_array_equal(found, wanted.astype(found.dtype))
            assert len(one.psf) == len(set(batch.field.tolist()))
            np.testing.assert_array_equal(one.band, group["band"].to_numpy())


def test_variance_is_that_of_a_method(little_sky):
    fields = {field.id: field for field in load("shear").given("tiny", "train")}
    ids = open_split(Split.of("tiny", "train"))["fields/id"].to_numpy()
    for batch in loader(targets=()):
        for k, (scene, number) in enumerate(zip(batch.scene.tolist(), batch.field.tolist(), strict=True)):
            for name, one in batch.surveys.items():
                wanted = fields[ids[number]].surveys[name].variance[scene % 2]
                np.testing.assert_allclose(one.variance[k], wanted, rtol=1e-6)


def test_targets_of_scenes_are_the_truth(listed_sky):
    truth = open_truth(Split.of("tiny", "train"))
    table = truth["sources"]
    for batch in loader(targets=EVERY["scene"]):
        for name in ("g1", "g2"):
            wanted = truth[f"fields/{name}"].to_numpy()[batch.field.numpy()]
            np.testing.assert_array_equal(batch.targets[name], wanted.astype(np.float32))
        item = batch.targets["sources/item"].numpy()
        assert set(batch.targets) == {"g1", "g2", "sources/item"} | {
            f"sources/{name}" for name in table.data_vars if name != "scene"
        }
        for k, scene in enumerate(batch.scene.tolist()):
            rows = table["scene"].to_numpy() == scene
            for name in ("id", "z", "flux"):
                wanted = table[name].to_numpy()[rows]
                found = batch.targets[f"sources/{name}"].numpy()[item == k]
                np.testing.assert_array_equal(found, wanted.astype(found.dtype))


@pytest.mark.parametrize("listed", LISTS)
def test_detections_have_the_targets_of_their_dominant_source_and_no_nan(listed_sky, listed):
    truth = open_truth(Split.of("tiny", "train"))
    detected, sources = truth["detections"], truth["sources"]
    for batch in loader(by="detection", detections=listed, targets=EVERY["detection"], track="lsst"):
        for name in EVERY["detection"]:
            assert torch.isfinite(batch.targets[name]).all()
        for k, identity in enumerate(batch.id.tolist()):
            row = int(np.flatnonzero(detected["id"].to_numpy() == identity)[0])
            source = int(np.flatnonzero(sources["id"].to_numpy() == detected["source"].to_numpy()[row])[0])
            for name in EVERY["detection"]:
                table, where = (detected, row) if name in detected else (sources, source)
                wanted = table[name].to_numpy()[where]
                found = batch.targets[name][k].numpy()
                np.testing.assert_array_equal(found, wanted.astype(found.dtype))


def test_spurious_detections_are_kept_when_asked(listed_sky):
    source = open_truth(Split.of("tiny", "train"))["detections/source"].to_numpy()
    listed = open_split(Split.of("tiny", "train"))["detections/list"].to_numpy() == LISTS["joint"]
    options = {"by": "detection", "detections": "joint", "track": "lsst", "targets": ("z", "source", "flux")}
    assert loader(**options).n_items == np.sum(listed & (source >= 0))
    every = loader(**options, spurious=True)
    assert every.n_items == loader(**{**options, "targets": ()}).n_items == np.sum(listed)
    for batch in every:
        nothing = batch.targets["source"] < 0
        assert torch.equal(nothing, batch.targets["z"].isnan())
        assert torch.equal(nothing, batch.targets["flux"].isnan().all(dim=1))


def test_stamps_are_the_pixels_around_the_detection(listed_sky):
    tree = open_split(Split.of("tiny", "train"))
    table = {name: tree[f"detections/{name}"].to_numpy() for name in ("id", "scene", "x", "y", "snr")}
    outside = 0
    for batch in loader(by="detection", targets=(), stamp_arcsec=4.0):
        for k, identity in enumerate(batch.id.tolist()):
            row = int(np.flatnonzero(table["id"] == identity)[0])
            place = np.array([table["x"][row], table["y"][row]])
            assert batch.scene[k] == table["scene"][row]
            np.testing.assert_allclose([batch.detections[n][k] for n in "xy"], place, rtol=1e-6)
            for name, one in batch.surveys.items():
                group = tree[SURVEYS[name].group]
                scene = table["scene"][row]
                images, masks = (group[n].to_numpy()[scene] for n in ("image", "mask"))
                wcs = group["wcs"].to_numpy()[scene]
                size = one.image.shape[-1]
                assert size == round(4.0 / one.pixel_arcsec)
                for e in range(len(images)):
                    # Where the detection is, and how far the pixels of the stamp are from there.
                    at = wcs[e, :, :2] @ place + wcs[e, :, 2]
                    inside = one.wcs[k, e, :, 2].numpy()
                    assert (np.abs(inside - (size - 1) / 2) <= 0.5 + 1e-4).all()
                    np.testing.assert_allclose(one.wcs[k, e, :, :2], wcs[e, :, :2], rtol=1e-6)
                    corner = np.rint(at - inside).astype(int)
                    np.testing.assert_allclose(at - inside, corner, atol=1e-4)
                    for y in range(0, size, 3):
                        for x in range(0, size, 3):
                            px, py = corner[0] + x, corner[1] + y
                            there = 0 <= px < images.shape[2] and 0 <= py < images.shape[1]
                            outside += not there
                            wanted = (images[e, py, px], masks[e, py, px]) if there else (0.0, GAP)
                            assert (one.image[k, e, y, x], one.mask[k, e, y, x]) == wanted
    assert outside > 0


@given(st.integers(1, 9), st.floats(-1, 1), st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 6.3))
def test_a_turned_stamp_shows_its_place_in_its_middle(size, flip, x, y, angle):
    rng = np.random.default_rng(size)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / 0.2
    turn[0] *= np.sign(flip) or 1
    wcs = np.column_stack([turn, [5.0, 4.5]])[None]
    image = rng.normal(size=(1, 10, 12)).astype(np.float32)
    room, mask = stamps.padded(image.shape, size)
    room[:, size:-size, size:-size], mask[:, size:-size, size:-size] = image, 0
    corner, position = stamps.corners(wcs, np.array([x]), np.array([y]), size)
    moved = stamps.shifted(wcs, corner, position)[0, 0]
    assert (np.abs(moved[:, 2] - (size - 1) / 2) <= 0.5 + 1e-9).all()
    cut, flags = (stamps.cut(each, corner, size)[0, 0] for each in (room, mask))
    for (py, px), value in np.ndenumerate(image[0]):
        i, j = py - corner[0, 0, 1], px - corner[0, 0, 0]
        if 0 <= i < size and 0 <= j < size:
            assert cut[i, j] == value and flags[i, j] == 0
            flags[i, j] = GAP
            cut[i, j] = 0
    assert (cut == 0).all() and (flags == GAP).all()


@pytest.mark.parametrize("by", KINDS)
@pytest.mark.parametrize("block_bytes", [1, 1 << 28])
def test_restored_at_any_batch_the_rest_is_the_same(listed_sky, by, block_bytes):
    options = {"by": by, "targets": EVERY[by], "batch_size": 5, "block_bytes": block_bytes}
    straight = loader(**options)
    two_epochs = [*straight, *straight]
    interrupted = loader(**options)
    states = [interrupted.state()]
    for _ in range(2):
        for _ in interrupted:
            states.append(json.loads(json.dumps(interrupted.state())))
    again = loader(**options)
    for number, state in enumerate(states[: len(straight) + 1]):
        again.restore(state)
        rest = list(again)
        if again.epoch == 1:
            rest += again
        assert same(rest, two_epochs[number:])


def test_the_state_of_a_loader_by_detection_is_json(listed_sky):
    state = loader(by="detection", stamp_arcsec=np.float32(4), spurious=np.bool_(True)).state()
    assert json.loads(json.dumps(state)) == state
    assert state["loader"]["stamp_arcsec"] == 4.0 and state["loader"]["spurious"] is True


def test_blocks_before_the_state_are_not_read(little_sky, monkeypatch):
    read = []
    options = {"batch_size": 1, "block_bytes": 1, "targets": ()}
    first = loader(**options)
    batches = iter(first)
    next(batches), next(batches)
    state = first.state()
    again = loader(**options)
    again.restore(state)
    one = again._blocks.read
    monkeypatch.setattr(again._blocks, "read", lambda block: read.append(block.number) or one(block))
    assert len(list(again)) == 2 and read == [2, 3]


def test_a_loop_that_is_left_goes_on_and_an_old_one_is_over(little_sky):
    each = loader(batch_size=1, targets=())
    old = iter(each)
    seen = {int(next(old).id)}
    seen |= {int(batch.id) for batch in each}
    assert len(seen) == 4 and each.epoch == 1
    with pytest.raises(RuntimeError, match="this loop is over"):
        next(old)


def test_batches_stay_as_they_are_while_others_come(little_sky):
    each = loader(batch_size=1, block_bytes=1, targets=())
    kept = list(each)
    copies = [{name: value.clone() for name, value in tensors(batch).items()} for batch in kept]
    list(each), list(each)
    for batch, copy in zip(kept, copies, strict=True):
        assert all(torch.equal(value, copy[name]) for name, value in tensors(batch).items())


@pytest.mark.parametrize(("by", "counts"), [("scene", [2]), ("detection", [1, 2])])
def test_workers_change_nothing_and_end_with_the_loop(listed_sky, by, counts):
    options = {"by": by, "targets": EVERY[by], "batch_size": 5, "block_bytes": 1}
    alone = loader(**options)
    wanted = [*alone, *alone]
    for workers in counts:
        each = loader(**options, workers=workers)
        random = torch.random.get_rng_state()
        found = [batch for _ in range(2) for batch in each]
        assert same(found, wanted)
        assert torch.equal(torch.random.get_rng_state(), random)
        each.restore(alone.state() | {"epoch": 0, "batch": 1})
        assert same(list(each), wanted[1 : len(alone)])
    batches = iter(each)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    batches.close()
    gc.collect()
    patience = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < patience:
        time.sleep(0.1)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", [0, 1])
def test_damage_is_named_from_a_worker_too(own_sky, workers):
    folder = Split.of("tiny", "train").data / "lsst" / "image"
    file = sorted(folder.glob("c.*"))[0]
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        StoreError, match=r"train\.zarr is damaged: a chunk of lsst/image .*checksum"
    ) as caught:
        list(loader(workers=workers, targets=()))
    assert "Traceback" not in str(caught.value)


def test_a_shard_that_is_gone_later_is_named(own_sky):
    each = loader(targets=(), batch_size=1, block_bytes=1)
    for file in (Split.of("tiny", "train").data / "euclid_vis" / "mask").glob("c.*"):
        file.unlink()
    with pytest.raises(StoreError, match="euclid_vis/mask .*gone"):
        list(each)


def test_sealed_truth_is_no_target(own_sky):
    for end in (".zarr", ".truth.zarr"):
        data = Split.of("tiny", "train").data
        data.with_name(f"train{end}").rename(data.with_name(f"test{end}"))
    Split.of("tiny", "test").truth.rename(data.with_name("away"))
    assert all(batch.targets == {} for batch in loader(split="test"))
    with pytest.raises(DatasetError, match="sealed until the challenge closes.*targets="):
        loader(split="test", targets=("g1",))


def test_a_state_of_another_loader_is_refused_with_the_reason(little_sky):
    each = loader(targets=())
    for options, told in (
        ({"split": "validation"}, "dataset is"),
        ({"seed": 1}, "seed is 1 in the state, 0 is asked for"),
        ({"batch_size": 2}, "batch_size"),
        ({"targets": ("g1",)}, "targets"),
        ({"track": "lsst"}, "surveys"),
        ({"run": 2}, "run"),
    ):
        with pytest.raises(ValueError, match=f"state of another loader: .*{told}"):
            each.restore(loader(**{"targets": (), **options}).state())
    with pytest.raises(ValueError, match="no state of a loader"):
        each.restore({})
    with pytest.raises(ValueError, match="there is no batch 7"):
        each.restore(each.state() | {"batch": 7})


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"track": "jiont"}, UnknownNameError, "did you mean joint"),
        ({"targets": ("g3",)}, UnknownNameError, "no target by scene 'g3'; did you mean g"),
        ({"by": "detection", "targets": ("redshift",)}, UnknownNameError, "no target by detection"),
        ({"by": "galaxy"}, UnknownNameError, "There are: scene, detection"),
        ({"detections": "euclid"}, UnknownNameError, "There are: lsst, joint"),
        ({"batch_size": 0}, ValueError, "batch_size is a whole number from 1 on, not 0"),
        ({"workers": -1}, ValueError, "workers is a whole number from 0 on"),
        ({"seed": 1.5}, ValueError, "seed is a whole number"),
        ({"batch_size": 9, "drop_last": True}, ValueError, "4 items make no batch of 9"),
        ({"by": "detection", "stamp_arcsec": 0}, ValueError, "stamp_arcsec is a width above 0"),
        ({"split": "test"}, DatasetError, "is not there"),
    ],
)
def test_bad_input_is_told(little_sky, options, error, told):
    with pytest.raises(error, match=told):
        loader(**options)


def test_moving_a_batch_changes_nothing(little_sky):
    batch = next(iter(loader(psf=False)))
    assert batch.surveys["LSST"].psf.numel() == 0
    assert same([batch.to("cpu", non_blocking=True)], [batch])
    away = batch.to("meta")
    assert all(value.device.type == "meta" for value in tensors(away).values())
    if torch.cuda.is_available():
        there = next(iter(loader(psf=False, device="cuda")))
        assert all(value.device.type == "cuda" for value in tensors(there).values())
        assert same([there.to("cpu")], [batch])


def test_the_package_alone_loads_no_torch():
    asked = "import skysynergy, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked]).returncode == 0


def test_the_loop_of_the_documentation_runs(little_sky, root, monkeypatch):
    text = (root / "docs" / "loader.md").read_text()
    code = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    for block in code:
        space = {"__name__": "__main__"}
        exec(compile(block, "docs/loader.md", "exec"), space)
    assert np.isfinite(space["losses"]).all()
