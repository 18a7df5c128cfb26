"""Datasets as they are opened: what is decoded, what damage is found, and the fields of them."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest
import zarr
from skysynergy.challenges import sealing
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import DatasetError, Split, generate, open_split, open_truth, verify
from skysynergy.challenges.sky_fields import fields as every_field
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.challenges.tiers import SKY
from skysynergy.simulators import fields, quantisation
from skysynergy.simulators.counts import density_arcmin2
from skysynergy.simulators.exposures import expose
from skysynergy.simulators.layout import StoreError
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.scenes import draw_scene
from skysynergy.simulators.sky import field_shear
from skysynergy.simulators.sources import sheared
from skysynergy.simulators.surveys import BANDS, SURVEYS

GROUPS = ("lsst", "euclid_vis", "euclid_nisp")
VALIDATION, TEST = ("tiny", "validation"), ("tiny", "test")


class TestOpen:
    @pytest.mark.parametrize("ask", [open_split, open_truth, verify])
    def test_what_was_never_made_is_told_with_the_command_that_makes_it(self, ask, empty_sky):
        with pytest.raises(DatasetError, match="`skysynergy get sky --tier tiny --split validation`"):
            ask(Split.of(*VALIDATION))

    @pytest.mark.parametrize("ask", [open_split, verify])
    def test_a_sealed_split_comes_from_its_organiser(self, ask, empty_sky):
        with pytest.raises(
            DatasetError, match="comes from its organiser.*`skysynergy simulate sky .*split test"
        ):
            ask(Split.of(*TEST))

    def test_images_are_decoded_to_the_flux_that_was_simulated(self, little_sky):
        """Simulated again from the published secret, they agree to half a step of quantisation."""
        split, tier = Split.of(*VALIDATION), TIERS["tiny"]
        data = open_split(split)
        secret = sealing.open_secret("sky", SKY.version, *VALIDATION)
        for number in range(tier.sky.n_fields):
            shear = field_shear(tier.sky, secret, sealing.SPLITS.index("validation"), number)
            observed = fields.observe(tier.sky, secret, sealing.SPLITS.index("validation"), number)
            scenes = slice(number * 2, number * 2 + 2)
            for observation in observed.values():
                group = data[observation.survey.group]
                image, step = group["image"][scenes].to_numpy(), group["step"][scenes].to_numpy()
                assert image.dtype == np.float32 and group["image"].attrs["units"] == "nJy"
                for index in range(2):
                    flux = noisy(tier.sky, secret, number, scenes.start + index, observation, shear)
                    error = np.abs(image[index] - flux)
                    good = group["mask"][scenes][index].to_numpy() == 0
                    limit = (0.5 + 1e-3) * step[index][:, None, None] + 1e-6 * np.abs(flux)
                    assert np.all(error[good] <= np.broadcast_to(limit, flux.shape)[good])
                    # And they are not the codes as they lie on the disk.
                    assert error.max() > 0

    def test_steps_are_a_sixteenth_of_the_noise(self, little_sky):
        data = open_split(Split.of(*VALIDATION))
        for group in GROUPS:
            variance = data[f"{group}/sky_variance"] + data[f"{group}/read_variance"]
            np.testing.assert_allclose(
                data[f"{group}/step"], np.sqrt(variance) / quantisation.STEPS_PER_SIGMA, rtol=1e-6
            )

    @pytest.mark.parametrize("store", ["data", "truth"])
    @pytest.mark.parametrize("damage", ["missing", "truncated", "empty"])
    def test_damaged_files_are_refused_with_a_remedy(self, store, damage, own_sky):
        split = Split.of(*VALIDATION)
        member = {"data": "lsst/image", "truth": "sources/z"}[store]
        file = max((getattr(split, store) / member).glob("c.*"))
        if damage == "missing":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[: {"truncated": -1, "empty": 0}[damage]])
        ask = {"data": open_split, "truth": open_truth}[store]
        for check in (ask, verify):
            with pytest.raises(
                StoreError, match=f"damaged: {member}.*Delete the store, and simulate or download"
            ):
                check(split)
        if damage == "missing":  # the remedy works
            shutil.rmtree(getattr(split, store))
            generate(split)
            ask(split)

    @pytest.mark.parametrize(
        ("store", "member"),
        [
            ("data", "lsst/image"),
            ("data", "euclid_vis/mask"),
            ("data", "euclid_nisp/psf"),
            ("data", "lsst/wcs"),
            ("data", "fields/id"),
            ("truth", "fields/g1"),
            ("truth", "sources/flux"),
            ("truth", "euclid_vis/position"),
        ],
    )
    def test_verify_finds_a_flipped_bit_and_names_the_array(self, store, member, own_sky):
        """Opening does not read the pixels, so it can't."""
        split = Split.of(*VALIDATION)
        rng = random.Random(member)
        before = zarr.open_array(getattr(split, store) / member, mode="r")[...]
        found = 0
        for file in sorted((getattr(split, store) / member).glob("c.*")):
            whole = file.read_bytes()
            changed = bytearray(whole)
            changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            file.write_bytes(changed)
            if unharmed(getattr(split, store) / member, before):  # the bit was in padding
                verify(split)
            else:
                found += 1
                with pytest.raises(StoreError, match=rf"{member}(, shard \d)?: .*(changed|decoded)"):
                    verify(split)
            file.write_bytes(whole)
        assert found
        verify(split)


def noisy(spec, secret, number, scene, observation, shear):
    """(exposure, y, x) the noisy flux of a scene, before it is quantised."""
    split = sealing.SPLITS.index("validation")
    rng = generator(secret, "galaxies", split, scene)
    drawn = draw_scene(rng, spec.content, width_arcsec=spec.width_arcsec)
    sources = sheared(drawn, shear.real, shear.imag)
    return expose(
        sources, observation, width_arcsec=spec.width_arcsec, secret=secret, indices=(split, number, scene)
    ).image


def unharmed(path, before):
    try:
        return np.array_equal(zarr.open_array(path, mode="r")[...], before)
    except Exception:
        return False


class TestFields:
    @pytest.mark.parametrize("surveys", [tuple(SURVEYS), ("LSST",), ("EUCLID_NISP", "LSST")])
    def test_a_field_holds_the_slices_of_the_tree(self, surveys, little_sky):
        data = open_split(Split.of(*VALIDATION))
        made = list(every_field(data, surveys))
        assert len(made) == TIERS["tiny"].sky.n_fields
        for number, field in enumerate(made):
            assert field.id == data["fields/id"][number] and field.width_arcsec == 9.6
            there = [name for name, survey in SURVEYS.items() if survey.group in data.children]
            assert list(field.surveys) == [name for name in there if name in surveys]
            scenes = np.flatnonzero(data["scenes/field"].to_numpy() == number)
            assert field.n_scenes == len(scenes) == 2
            for name, exposures in field.surveys.items():
                survey, group = SURVEYS[name], data[SURVEYS[name].group]
                for key in ("image", "mask", "sky_variance", "read_variance", "wcs"):
                    expected = group[key].to_numpy()[scenes]
                    assert getattr(exposures, key).dtype == expected.dtype
                    np.testing.assert_array_equal(getattr(exposures, key), expected, err_msg=key)
                for key in ("electron", "mjd", "fwhm", "m5", "airmass", "psf"):
                    np.testing.assert_array_equal(getattr(exposures, key), group[key][number], err_msg=key)
                expected = [list(BANDS)[code] for code in group["band"].to_numpy()]
                assert exposures.band.tolist() == expected
                assert (exposures.survey, exposures.pixel_arcsec) == (name, survey.pixel_arcsec)
                assert exposures.psf_pixel_arcsec == survey.pixel_arcsec / survey.psf_oversampling

    def test_a_track_hides_what_it_does_not_hold(self, little_sky):
        for field in load("shear").given(track="lsst"):
            assert set(field.surveys) == {"LSST"} and set(field.surveys["LSST"].band) == {"i"}

    def test_ids_are_opaque_and_of_one_field_each(self, little_sky):
        ids = []
        for split in ("train", "validation"):
            data, truth = open_split(Split.of("tiny", split)), open_truth(Split.of("tiny", split))
            for name in ("fields/id", "scenes/id"):
                ids += data[name].to_numpy().tolist()
            np.testing.assert_array_equal(data["fields/id"], truth["fields/id"])
            ids += truth["sources/id"].to_numpy().tolist()
        assert len(set(ids)) == len(ids) and min(ids) >= 0 and max(ids) < 2**62
        # Not numbers that count from somewhere.
        assert min(np.diff(np.sort(ids))) > 1000


@pytest.fixture
def real_tiny(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYSYNERGY_DATA", str(tmp_path))
    generate(Split.of(*VALIDATION))
    return Split.of(*VALIDATION)


def test_the_real_tier_tiny_holds_what_is_promised(real_tiny):
    """Twenty seconds: the one test that makes the tier `tiny` as people get it, all bands of it."""
    data, truth = open_split(real_tiny), open_truth(real_tiny)
    assert len(data["scenes/id"]) == 16 and len(data["fields/id"]) == 4
    assert {g: data[f"{g}/image"].shape for g in GROUPS} == {
        "lsst": (16, 12, 96, 96),
        "euclid_vis": (16, 3, 192, 192),
        "euclid_nisp": (16, 9, 64, 64),
    }
    taken = [list(BANDS)[code] for g in GROUPS for code in data[f"{g}/band"].to_numpy()]
    assert {band: taken.count(band) for band in set(taken)} == dict(TIERS["tiny"].sky.visits)
    shear = np.hypot(truth["fields/g1"], truth["fields/g2"])
    assert np.all((shear >= 0.01) & (shear <= 0.05))
    # A scene holds tens of galaxies, most too faint to be seen; mean of 16 within four sigma.
    counts = np.bincount(truth["sources/scene"].to_numpy(), minlength=16)
    expected = density_arcmin2(27.5) * (25.2 / 60) ** 2
    assert counts.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 16))
    # Light and noise: the spread of pixels is that of the noise, and galaxies stand out of it.
    for group in GROUPS:
        image = data[f"{group}/image"].to_numpy()
        variance = (data[f"{group}/sky_variance"] + data[f"{group}/read_variance"]).to_numpy()
        in_sigma = image / np.sqrt(variance)[..., None, None]
        spread = np.diff(np.quantile(in_sigma, [0.16, 0.84]))[0] / 2
        assert 0.98 < spread < 1.3 and in_sigma.max() > 10
    # Images and masks take no more than 1.5 bytes a pixel on the disk.
    pixels = sum(data[f"{g}/image"].size for g in GROUPS)
    on_disk = sum(
        f.stat().st_size
        for g in GROUPS
        for n in ("image", "mask")
        for f in (real_tiny.data / g / n).iterdir()
    )
    assert on_disk / pixels < 1.5
    assert verify(real_tiny) == [real_tiny.data, real_tiny.truth]
