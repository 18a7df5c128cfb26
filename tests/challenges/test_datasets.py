"""Datasets on disk: where they lie, how they are made and resumed, what is sealed, what is refused."""

from __future__ import annotations

import errno
import shutil
from dataclasses import replace

import numpy as np
import pytest
import zarr
from skysynergy import __version__
from skysynergy.challenges import datasets, sealing
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import DatasetError, Split, generate, open_split, open_truth, verify
from skysynergy.challenges.names import UnknownNameError
from skysynergy.challenges.shear import Shear
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.challenges.tiers import SKY
from skysynergy.simulators import disk, fields, store
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.scenes import Content
from skysynergy.simulators.surveys import SURVEYS

GROUPS = ("lsst", "euclid_vis", "euclid_nisp")
VALIDATION, TEST = ("tiny", "validation"), ("tiny", "test")


def files(folder):
    """Every file under a folder: its bytes and when it was last written."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(*paths):
    """Decoded arrays of stores."""
    found = {}
    for path in paths:
        for name, member in zarr.open_group(path, mode="r").members(max_depth=None):
            if isinstance(member, zarr.Array) and not name.startswith("receipts/"):
                found[path.name, name] = member[...]
    return found


def assert_same(one, other):
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=str(name))


class TestPaths:
    def test_a_split_is_a_pair_of_stores(self, tmp_path):
        split = Split.of("small", "train", tmp_path)
        assert split.data == tmp_path / "sky" / SKY.version / "small" / "train.zarr"
        assert split.truth == split.data.with_name("train.truth.zarr")

    def test_the_environment_says_where_they_lie(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SKYSYNERGY_DATA", str(tmp_path / "there"))
        assert Split.of(*VALIDATION).home == datasets.data_home() == tmp_path / "there"
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("SKYSYNERGY_DATA", "~/mine")
        assert datasets.data_home() == tmp_path / "mine"

    @pytest.mark.parametrize("unset", [None, ""])
    def test_without_it_they_lie_where_the_platform_keeps_data(self, unset, tmp_path, monkeypatch):
        monkeypatch.setenv("SKYSYNERGY_DATA", "x")
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        if unset is None:
            monkeypatch.delenv("SKYSYNERGY_DATA")
        else:
            monkeypatch.setenv("SKYSYNERGY_DATA", unset)
        assert datasets.data_home().name == "skysynergy" and datasets.data_home().is_absolute()

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (("tny", "train"), "no tier 'tny'; did you mean tiny"),
            (("tiny", "valid"), "no split 'valid'; did you mean validation"),
            (("../..", "train"), r"no tier '\.\./\.\.'"),
        ],
    )
    def test_unknown_names_are_refused(self, names, message):
        with pytest.raises(UnknownNameError, match=message):
            Split.of(*names)

    def test_dithers_of_no_two_splits_are_the_same(self):
        keys = {Split.of(tier, split).dither_key for tier in TIERS for split in sealing.SPLITS}
        assert len(keys) == len(TIERS) * len(sealing.SPLITS)


class TestTiers:
    def test_shards_are_whole_fields_and_every_split_has_its_own_sky(self):
        for name, tier in TIERS.items():
            assert tier.name == name and tier.description
            assert tier.scenes_per_shard % tier.sky.scenes_per_field == 0
            assert tier.n_scenes == tier.sky.n_fields * tier.sky.scenes_per_field
            # The surveys that a challenge is about; others are seen where they are asked for.
            theirs = {band for name in Shear.tracks["joint"].surveys for band in SURVEYS[name].bands}
            assert set(tier.sky.visits) <= theirs
            assert tier.sky.transients or set(tier.sky.visits) == theirs
            # ±g pairs and partners break the seal, and are left to the harness.
            assert not tier.sky.partners and tier.sky.shear_range[0] < tier.sky.shear_range[1]
        secrets = {sealing.open_secret("sky", SKY.version, t, s) for t in TIERS for s in sealing.SPLITS[:2]}
        assert len(secrets) == 2 * len(TIERS)


class TestGenerate:
    def test_again_is_nothing_to_do(self, own_sky, monkeypatch):
        before = files(own_sky)

        def never(*_, **__):
            raise AssertionError("a shard was simulated again")

        monkeypatch.setattr(fields, "simulate_shard", never)
        generate(Split.of(*VALIDATION))
        assert files(own_sky) == before

    @pytest.mark.parametrize("interrupted", [1, 2])
    def test_interrupted_and_resumed_it_is_the_same(self, interrupted, own_sky, little_sky, monkeypatch):
        """Stopped by Ctrl-C in its first and in its second shard."""
        split, whole = Split.of(*VALIDATION, own_sky), Split.of(*VALIDATION, little_sky)
        for path in (split.data, split.truth):
            shutil.rmtree(path)
        made, simulate = [], fields.simulate_shard

        def stops(shard, **options):
            made.append(shard)
            if len(made) == interrupted:
                raise KeyboardInterrupt
            return simulate(shard, **options)

        monkeypatch.setattr(fields, "simulate_shard", stops)
        with pytest.raises(KeyboardInterrupt):
            generate(split)
        with pytest.raises(StoreError, match=r"incomplete: .*Run the same command again to resume it"):
            open_split(split)
        with pytest.raises(StoreError, match="incomplete"):
            open_truth(split)
        generate(split)
        # What was whole was not made again.
        assert made == [[0, 0, 1], [0, 1, 1]][interrupted - 1]
        assert_same(contents(split.data, split.truth), contents(whole.data, whole.truth))
        assert open_split(split).attrs["content_sha256"] == open_split(whole).attrs["content_sha256"]

    def test_two_processes_never_make_one_split(self, empty_sky, monkeypatch):
        """The second is refused from before the store is there until it is whole, and nothing is lost."""
        split, simulate, create = Split.of(*VALIDATION, empty_sky), fields.simulate_shard, store.create
        refused = []

        def also(make):
            def tried(*args, **options):
                with pytest.raises(StoreError, match=r"another process is making .*: wait"):
                    generate(split)
                refused.append(make)
                return make(*args, **options)

            return tried

        monkeypatch.setattr(fields, "simulate_shard", also(simulate))
        monkeypatch.setattr(store, "create", also(create))
        generate(split)
        assert refused == [create, create, simulate, simulate]
        open_split(split)

    def test_a_whole_split_in_a_folder_that_is_only_read_is_left_as_it_is(self, own_sky, monkeypatch):
        def closed(*_, **__):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(disk, "open", closed, raising=False)
        before = files(own_sky)
        generate(Split.of(*VALIDATION))
        assert files(own_sky) == before

    def test_two_workers_make_the_sky_of_one(self, own_sky, little_sky):
        split, whole = Split.of(*VALIDATION, own_sky), Split.of(*VALIDATION, little_sky)
        for path in (split.data, split.truth):
            shutil.rmtree(path)
        generate(split, workers=2)
        assert_same(contents(split.data, split.truth), contents(whole.data, whole.truth))

    def test_a_sky_of_another_kind_is_not_overwritten(self, own_sky, monkeypatch):
        tier = TIERS["tiny"]
        monkeypatch.setitem(
            TIERS, "tiny", replace(tier, sky=replace(tier.sky, content=Content(i_limit=26.0)))
        )
        before = files(own_sky)
        with pytest.raises(
            StoreError, match=r"begun otherwise: .*i_limit is 27.5 in the store, 26.0 is asked"
        ):
            generate(Split.of(*VALIDATION))
        assert files(own_sky) == before

    def test_splits_are_different_skies(self, little_sky):
        trees = [open_truth(Split.of("tiny", split)) for split in ("train", "validation")]
        ids = [set(tree["fields/id"].to_numpy().tolist()) for tree in trees]
        assert not ids[0] & ids[1]
        assert not set(trees[0]["sources/z"].to_numpy()) & set(trees[1]["sources/z"].to_numpy())

    def test_it_says_what_made_it(self, little_sky):
        for split in (Split.of("tiny", name) for name in ("train", "validation")):
            attributes = open_split(split).attrs
            assert attributes["name"] == "sky" and attributes["version"] == SKY.version
            assert (attributes["tier"], attributes["split"]) == ("tiny", split.split)
            assert attributes["commitment"] == ""
            assert attributes["sky"] == TIERS["tiny"].sky.describe()
            assert attributes["code_version"] == __version__
            assert f"numpy=={np.__version__}" in attributes["lock"].splitlines()
            assert attributes["complete"] is True


class TestSealed:
    @pytest.fixture
    def secret(self):
        return bytes(range(100, 132))

    def test_without_a_secret_it_is_refused_and_nothing_is_written(self, empty_sky):
        with pytest.raises(DatasetError, match=r"test is sealed: .*--secret-file FILE"):
            generate(Split.of(*TEST))
        assert not empty_sky.exists()

    @pytest.mark.parametrize("split", sealing.OPEN_SPLITS)
    def test_an_open_split_takes_no_secret(self, split, secret, empty_sky):
        with pytest.raises(DatasetError, match=f"{split} has a published secret: leave out"):
            generate(Split.of("tiny", split), secret=secret)
        assert not empty_sky.exists()

    @pytest.mark.parametrize("wrong", ["short", "typed", "open"])
    def test_a_secret_that_seals_nothing_is_refused(self, wrong, empty_sky):
        secrets = {
            "short": b"abc",
            "typed": b"a" * 32,
            "open": sealing.open_secret("sky", "1", "tiny", "train"),
        }
        with pytest.raises(sealing.SealError):
            generate(Split.of(*TEST), secret=secrets[wrong])
        assert not empty_sky.exists()

    def test_sealed(self, secret, empty_sky):
        """One sealed split, and everything that must and must not be known of it."""
        split = Split.of(*TEST)
        generate(split, secret=secret)
        data, truth = open_split(split), open_truth(split)
        published = data.attrs["commitment"]
        assert published == truth.attrs["commitment"] == datasets.seal_of(split, secret)
        # Anybody can check it after the close from what the store says, and the secret.
        spec = {"dataset": "sky", "version": SKY.version, "tier": "tiny", "split": "test"}
        revealed = {
            "code_version": data.attrs["code_version"],
            "lock": data.attrs["lock"].encode(),
            "spec": spec | {"sky": data.attrs["sky"]},
        }
        assert sealing.check_commitment(published, secret, **revealed)
        assert not sealing.check_commitment(published, sealing.new_secret(), **revealed)

        # The secret, in any form in which it would be kept, is in no file.
        forms = [
            secret,
            secret.hex().encode(),
            secret.hex().upper().encode(),
            secret[:8],
            str(list(secret)).encode(),
        ]
        for name, (content, _) in files(empty_sky).items():
            assert not any(form in content for form in forms), name
        # Nor in any decoded array, whatever the compression hides.
        for name, values in contents(split.data, split.truth).items():
            assert not any(form in values.tobytes() for form in forms), name
        # The data alone hold no shear, no redshift, no source.
        shears = truth["fields/g1"].to_numpy(), truth["fields/g2"].to_numpy()
        for name, values in contents(split.data).items():
            assert not any(np.isin(g, values).any() for g in shears), name
        assert not {"sources", "truth"} & set(data.children)
        assert not {"g1", "g2"} & set(data["fields"].data_vars)

        # Its ids can't be had from the published secrets.
        guesses = [sealing.open_secret("sky", SKY.version, "tiny", s) for s in sealing.OPEN_SPLITS]
        known = {
            fields.opaque_id(guess, "field", sealing.SPLITS.index("test"), n)
            for guess in guesses
            for n in range(2)
        }
        assert not known & set(data["fields/id"].to_numpy().tolist())

        assert verify(split) == [split.data, split.truth]
        other = sealing.new_secret()
        with pytest.raises(StoreError, match="begun otherwise: attributes: commitment is sha256:"):
            generate(split, secret=other)
        # What a participant has: the data, without the truth.
        shutil.rmtree(split.truth)
        with pytest.raises(DatasetError, match="the truth of test is sealed until the challenge closes"):
            open_truth(split)
        assert verify(split) == [split.data]
        challenge = load("shear")
        zero, variance = np.zeros(2), np.full(2, 4e-4)
        given = {"id": challenge.ids(*TEST), "g1": zero, "g2": zero, "cov12": zero}
        given |= {"cov11": variance, "cov22": variance}
        assert set(challenge.read(given, *TEST)) == {"g1", "g2", "cov11", "cov22", "cov12"}
        with pytest.raises(DatasetError, match="sealed until"):
            challenge.score(given, *TEST)


def test_pixels_are_small_on_disk(little_sky, record_figure):
    data = Split.of("tiny", "train").data
    stored = pixels = 0
    for name in GROUPS:
        for array in ("image", "mask"):
            folder = data / name / array
            stored += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        pixels += zarr.open_array(data / name / "image", mode="r").size
    record_figure("bytes per pixel", stored / pixels)
    assert 0.5 < stored / pixels < 1.5
