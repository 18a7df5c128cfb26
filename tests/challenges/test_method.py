"""Fields on their way to a method: files without pickle that hold just what the field holds."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from skysynergy.challenges.challenge import load
from skysynergy.challenges.method import Field, Method, SurveyExposures, load_field, save_field

SURVEYS = {"LSST": (3, 12, 0.2), "EUCLID_VIS": (2, 24, 0.1)}
BANDS = {"LSST": ["u", "i", "i"], "EUCLID_VIS": ["VIS", "VIS"]}


def exposures(name: str, scenes: int = 2) -> SurveyExposures:
    """Noise of every dtype that the store holds, with values that are hard to write as text."""
    n, size, pixel = SURVEYS[name]
    rng = np.random.default_rng(n)
    image = rng.normal(0, 30, (scenes, n, size, size)).astype(np.float32)
    image[0, 0, 0, :3] = [-0.0, np.float32(1e-42), np.finfo(np.float32).max]
    return SurveyExposures(
        survey=name,
        pixel_arcsec=pixel,
        psf_pixel_arcsec=pixel / 3,
        image=image,
        mask=rng.integers(0, 4, image.shape).astype(np.uint8),
        sky_variance=rng.uniform(800, 900, (scenes, n)),
        read_variance=rng.uniform(1, 9, (scenes, n)),
        electron=rng.uniform(0.1, 3, n),
        band=np.array(BANDS[name]),
        mjd=rng.uniform(6e4, 7e4, n),
        fwhm=rng.uniform(0.5, 1, n),
        m5=rng.uniform(22, 25, n),
        airmass=rng.uniform(1, 1.5, n),
        psf=rng.random((n, 7, 7)).astype(np.float32),
        wcs=rng.normal(size=(scenes, n, 2, 3)),
    )


def field(surveys=tuple(SURVEYS), scenes: int = 2) -> Field:
    return Field(2**62 - 1, 19.2, {name: exposures(name, scenes) for name in surveys})


def assert_same_field(one: Field, other: Field) -> None:
    assert (one.id, one.width_arcsec, list(one.surveys)) == (
        other.id,
        other.width_arcsec,
        list(other.surveys),
    )
    for name, expected in one.surveys.items():
        for key, value in vars(expected).items():
            found = getattr(other.surveys[name], key)
            if isinstance(value, np.ndarray):
                assert found.dtype == value.dtype, key
                assert found.shape == value.shape and found.tobytes() == value.tobytes(), key
            else:
                assert found == value and type(found) is type(value), key


@pytest.mark.parametrize("scenes", [1, 2])
@pytest.mark.parametrize("surveys", [("LSST",), ("EUCLID_VIS",), ("LSST", "EUCLID_VIS")])
def test_a_field_is_saved_and_loaded_bit_for_bit(surveys, scenes, tmp_path):
    given = field(surveys, scenes)
    save_field(tmp_path / "field.npz", given)
    assert_same_field(given, load_field(tmp_path / "field.npz"))


def test_a_field_of_a_dataset_is_saved_and_loaded_bit_for_bit(little_sky, tmp_path):
    for given in load("shear").given():
        save_field(tmp_path / "field.npz", given)
        assert_same_field(given, load_field(tmp_path / "field.npz"))


def test_the_file_has_the_name_that_was_asked_for(tmp_path):
    """numpy adds .npz to a name that lacks it."""
    save_field(tmp_path / "field.of.one", field())
    assert [path.name for path in tmp_path.iterdir()] == ["field.of.one"]


def test_the_file_holds_plain_arrays_and_nothing_but_the_field(tmp_path):
    path = tmp_path / "field.npz"
    save_field(path, field())
    with zipfile.ZipFile(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
        for name in archive.namelist():
            with archive.open(name) as member:
                version = np.lib.format.read_magic(member)
                assert version == (1, 0)
                _, _, dtype = np.lib.format.read_array_header_1_0(member)
                assert not dtype.hasobject, name
    members = {f"{survey}/{key}" for survey in SURVEYS for key in vars(exposures("LSST"))}
    assert names == members | {"id", "width_arcsec", "surveys"}


def test_a_file_with_a_pickle_is_refused(tmp_path):
    path = tmp_path / "field.npz"
    save_field(path, field(("LSST",)))
    with np.load(path) as arrays:
        content = dict(arrays)
    content["LSST/band"] = np.array([{"i": 1}, None, "i"], dtype=object)
    with open(path, "wb") as file:
        np.savez(file, **content)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_field(path)


def test_the_variance_is_of_sky_read_noise_and_observed_signal():
    one = exposures("LSST")
    one.image[0, 1, 2, 3], one.image[0, 1, 4, 5] = 100.0, -100.0
    background = one.sky_variance[0, 1] + one.read_variance[0, 1]
    assert one.variance.shape == one.image.shape
    assert one.variance[0, 1, 2, 3] == pytest.approx(background + 100 * one.electron[1], rel=1e-6)
    assert one.variance[0, 1, 4, 5] == pytest.approx(background, rel=1e-12)


@pytest.mark.parametrize("keep", [[True, False, True], [False, False, False], [True, True, True]])
def test_select_keeps_exposures_of_every_array(keep):
    one, keep = exposures("LSST"), np.array(keep)
    chosen = one.select(keep)
    for key in ("image", "mask", "sky_variance", "read_variance", "wcs"):
        np.testing.assert_array_equal(getattr(chosen, key), getattr(one, key)[:, keep])
    for key in ("electron", "band", "mjd", "fwhm", "m5", "airmass", "psf"):
        np.testing.assert_array_equal(getattr(chosen, key), getattr(one, key)[keep])
    assert (chosen.survey, chosen.pixel_arcsec) == (one.survey, one.pixel_arcsec)


def test_a_field_counts_its_scenes():
    assert field(scenes=2).n_scenes == 2
    assert replace(field(), surveys={"LSST": exposures("LSST", 5)}).n_scenes == 5


def test_a_method_has_a_name_and_predicts():
    class Good:
        name = "good"

        def predict(self, field):
            return {}

    class Nameless:
        def predict(self, field):
            return {}

    class Silent:
        name = "silent"

    assert isinstance(Good(), Method)
    assert not isinstance(Nameless(), Method) and not isinstance(Silent(), Method)
