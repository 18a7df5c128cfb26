"""What real exposures suffer, one effect at a time, through to what a field puts into its stores."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from skysynergy.simulators.detectors import CLIPPED, COSMIC_RAY, SATURATED, Background, dimmed
from skysynergy.simulators.exposures import expose
from skysynergy.simulators.fields import draw_sources, observe, simulate_field
from skysynergy.simulators.observations import ORIENTATIONS
from skysynergy.simulators.readout import FOUND_SIGMA
from skysynergy.simulators.realism import CLEAN, PRESETS, SURVEY, Realism
from skysynergy.simulators.scenes import Content
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.sky_layout import layouts
from skysynergy.simulators.sources import point_sources
from skysynergy.simulators.surveys import BANDS, SURVEYS

SECRET = b"realism"
VISITS = {"i": 4, "VIS": 3, "H": 3}
EMPTY = point_sources(x=[], y=[], flux=np.zeros((0, len(BANDS))))
NAMES = ("LSST", "EUCLID_VIS", "EUCLID_NISP")


def taken(sources, realism, *, scene=0, secret=SECRET):
    """Exposures of a scene by survey, and what its field shares."""
    sky = Sky(1, 1, VISITS, realism=realism)
    seen = observe(sky, secret, 0, 0)
    exposures = {
        name: expose(sources, one, width_arcsec=19.2, secret=secret, indices=(0, 0, scene), realism=realism)
        for name, one in seen.items()
    }
    return exposures, seen


@pytest.fixture(scope="module")
def field():
    """One field of a sky that suffers everything."""
    content = Content(latitude_deg=60.0, bright_stars=True)
    sky = Sky(1, 2, VISITS, realism=SURVEY, content=content)
    return sky, *simulate_field(sky, SECRET, 0, 0, dither_key=b"key", shear=0.02 + 0j)


def test_presets():
    assert PRESETS == {"clean": CLEAN, "survey": SURVEY}
    assert Realism() == CLEAN
    assert all(getattr(SURVEY, one.name) for one in fields(Realism)), "the preset leaves something out"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rotation", 1, "rotation is True or False, not 1"),
        ("calibration", True, "calibration is a number from 0"),
        ("calibration", -1.0, "calibration is a number from 0"),
        ("background", np.nan, "background is a number from 0"),
        ("background", "much", "background is a number from 0"),
    ],
)
def test_switches_of_another_kind_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        Realism(**{name: value})
    with pytest.raises(ValueError, match="realism is a Realism, such as realism.SURVEY, not 'survey'"):
        Sky(1, 1, VISITS, realism="survey")


def test_what_is_off_changes_nothing():
    """Each effect draws from a stream of its own: switching another one on moves no other number."""
    clean, seen = taken(EMPTY, CLEAN)
    other, _ = taken(EMPTY, replace(CLEAN, cosmic_rays=True, defects=True, background=1.0))
    for name in NAMES:
        good = other[name].artefacts == 0
        assert good.mean() > 0.5
        x = np.arange(good.shape[-1]) - (good.shape[-1] - 1) / 2
        level, slope_x, slope_y = other[name].residual.T[:, :, None, None]
        left = level + slope_x * x + slope_y * x[:, None]
        sigma = np.array([noise.sigma for noise in seen[name].backgrounds])[:, None, None]
        # What is left of a cosmic ray in a pixel that is not told is below half a sigma.
        difference = (other[name].image - clean[name].image - left) / sigma
        assert np.abs(difference[good]).max() < 0.51
        assert np.abs(np.median(difference[good])) < 1e-6


def test_rotation_is_free_and_keeps_areas():
    _, seen = taken(EMPTY, replace(CLEAN, rotation=True))
    for one in seen.values():
        for turn in one.orientation:
            np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-12)
            assert np.abs(turn - ORIENTATIONS).max(axis=(1, 2)).min() > 1e-3


def test_distortion_is_small_and_not_a_turn():
    _, seen = taken(EMPTY, replace(CLEAN, distortion=True))
    for one in seen.values():
        strain = np.einsum("eji,ejk->eik", one.orientation, one.orientation) - np.eye(2)
        assert 1e-8 < np.abs(strain).max() < 0.05


def test_an_askew_exposure_is_full_of_sources_to_its_corners():
    sky = Sky(1, 1, VISITS, realism=replace(CLEAN, rotation=True))
    clean = replace(sky, realism=CLEAN)
    reach = [np.abs(draw_sources(each, SECRET, 0, 0).x).max() for each in (sky, clean)]
    assert reach[0] > 9.6 * np.sqrt(2) > reach[1]


def test_vignetting_costs_depth_and_keeps_flux():
    noise = Background(sky_variance=16.0, read_variance=4.0, electron=0.5, full_well=100.0)
    dim = dimmed(noise, 0.8)
    # In electrons: fewer of the sky, as many of the read-out, the same full well.
    for a, b, ratio in [
        (dim.sky_variance / dim.electron**2, noise.sky_variance / noise.electron**2, 0.8),
        (dim.read_variance / dim.electron**2, noise.read_variance / noise.electron**2, 1.0),
        (dim.full_well / dim.electron, noise.full_well / noise.electron, 1.0),
    ]:
        assert a == pytest.approx(ratio * b)
    (_, whole), (_, seen) = taken(EMPTY, CLEAN), taken(EMPTY, replace(CLEAN, vignetting=True))
    for name in NAMES:
        loss = np.array([v.m5 for v in whole[name].visits]) - np.array([v.m5 for v in seen[name].visits])
        through = -2.5 * np.log10(seen[name].throughput)
        # Between a limit by the sky and one by read-out.
        assert np.all(np.abs(loss) <= np.abs(through) + 1e-9)
        assert np.all(np.abs(loss) >= np.abs(through) / 2 - 1e-9)
        assert np.all(loss * through >= 0)
    assert np.ptp(seen["LSST"].throughput) > 0


def test_errors_of_calibration_are_what_the_truth_tells():
    star = point_sources(x=[1.0], y=[-2.0], flux=1e6)
    (exposures, seen), (clean, _) = taken(star, Realism(calibration=1.0)), taken(star, CLEAN)
    for name in NAMES:
        one = exposures[name]
        # Where the supplied map puts the pixel on which the star truly lies.
        told = np.stack(
            [np.linalg.solve(w[:, :2], p - w[:, 2]) for w, p in zip(one.wcs, one.position[0], strict=True)]
        )
        off = np.array([errors.offset_arcsec for errors in seen[name].errors])
        np.testing.assert_allclose(told - [1.0, -2.0], off, atol=1e-9)
        assert 0 < np.hypot(*off.T).max() < 0.1
        zero = np.array([errors.zero_point for errors in seen[name].errors])
        ratio = one.image.sum(axis=(1, 2)) / clean[name].image.sum(axis=(1, 2))
        np.testing.assert_allclose(ratio, 10 ** (-0.4 * zero), rtol=1e-6)
        assert np.abs(zero).max() > 1e-4
        np.testing.assert_array_equal(one.light, clean[name].light)
        assert np.abs(seen[name].psf - seen[name].true_psf).max() > 1e-5 * seen[name].psf.max()


def test_errors_grow_with_their_scale():
    seen = [observe(Sky(1, 1, VISITS, realism=Realism(calibration=s)), SECRET, 0, 0) for s in (1.0, 10.0)]
    for name in NAMES:
        small, large = ([errors.size for errors in one[name].errors] for one in seen)
        np.testing.assert_allclose(large, np.multiply(10, small), rtol=1e-9)


def test_a_bright_star_bleeds_along_a_column_of_a_ccd():
    star = point_sources(x=[0.0], y=[0.0], flux=2e7)
    (exposures, seen), (clean, _) = taken(star, Realism(bleeding=True)), taken(star, CLEAN)
    for name in ("LSST", "EUCLID_VIS"):
        one, noise = exposures[name], seen[name].backgrounds[0]
        assert one.image[0].max() <= noise.full_well * (1 + 1e-9)
        assert clean[name].image[0].max() > noise.full_well
        saturated = (one.mask[0] & SATURATED) > 0
        tall, wide = (np.ptp(np.nonzero(saturated)[axis]) for axis in (0, 1))
        assert tall > 2 * wide > 0
        # Nothing is lost that stays on the sensor.
        assert one.image[0].sum() <= clean[name].image[0].sum() * (1 + 1e-9)
        assert one.image[0].sum() == pytest.approx(clean[name].image[0].sum(), rel=0.2)


def test_sensors_of_the_infrared_do_not_bleed():
    star = point_sources(x=[0.0], y=[0.0], flux=2e7)
    (bled, _), (clean, _) = taken(star, Realism(bleeding=True)), taken(star, CLEAN)
    np.testing.assert_array_equal(bled["EUCLID_NISP"].image, clean["EUCLID_NISP"].image)


def test_cosmic_rays_are_masked_where_they_are_found():
    exposures, seen = taken(EMPTY, Realism(cosmic_rays=True))
    clean, _ = taken(EMPTY, CLEAN)
    for name in ("LSST", "EUCLID_VIS"):
        one = exposures[name]
        sigma = np.array([noise.sigma for noise in seen[name].backgrounds])[:, None, None]
        charge = (one.image - clean[name].image) / sigma
        assert charge.min() > -1e-9
        np.testing.assert_array_equal((one.mask & COSMIC_RAY) > 0, charge > FOUND_SIGMA)
        assert np.all((one.artefacts & one.mask) == one.mask)
    vis = exposures["EUCLID_VIS"]
    assert 0.005 < ((vis.mask & COSMIC_RAY) > 0).mean() < 0.2
    assert ((vis.artefacts & ~vis.mask & COSMIC_RAY) > 0).any(), "every faint track was found"


def test_noise_is_as_strong_as_without_correlation():
    ((exposures, seen),) = [taken(EMPTY, Realism(correlated_noise=True))]
    for name in NAMES:
        sigma = np.array([noise.sigma for noise in seen[name].backgrounds])[:, None, None]
        pixels = exposures[name].image / sigma
        assert pixels.std() == pytest.approx(1, abs=0.03)
    nisp = exposures["EUCLID_NISP"].image
    neighbours = np.mean(nisp[:, :, 1:] * nisp[:, :, :-1]) / nisp.var()
    apart = np.mean(nisp[:, :, 7:] * nisp[:, :, :-7]) / nisp.var()
    error = 1 / np.sqrt(nisp.size)
    assert neighbours > 2 * error
    assert abs(apart) < 5 * error


def test_a_field_puts_its_truth_apart(field):
    sky, data, truth = field
    data_layout, truth_layout = layouts(sky, scenes_per_shard=2, attributes={})
    for layout, shard in ((data_layout, data), (truth_layout, truth)):
        assert {array.path for array in layout.arrays} == set(shard.arrays)
        for array in layout.arrays:
            assert shard.arrays[array.path].shape[1:] == tuple(array.shape[1:]), array.path
    told = ("artefacts", "residual", "true_psf", "psf_error", "map_error", "zero_point_error", "throughput")
    for name in NAMES:
        group = SURVEYS[name].group
        assert not [path for path in data.arrays if path.split("/")[1] in told]
        assert all(f"{group}/{path}" in truth.arrays for path in told)
        hidden = truth.arrays[f"{group}/artefacts"] & ~data.arrays[f"{group}/mask"]
        assert not (hidden & ~np.uint8(COSMIC_RAY)).any()
        clipped = (data.arrays[f"{group}/mask"] & CLIPPED) > 0
        assert np.all(truth.arrays[f"{group}/artefacts"][clipped] & CLIPPED)
        assert np.abs(data.arrays[f"{group}/psf"] - truth.arrays[f"{group}/true_psf"]).max() > 0


def test_matched_pairs_share_all_that_does_not_come_from_light(field):
    sky, data, truth = field
    other, also = simulate_field(sky, SECRET, 0, 0, dither_key=b"key", shear=-0.02 + 0j)
    for name in NAMES:
        group = SURVEYS[name].group
        for path in ("residual", "true_psf", "psf_error", "map_error", "zero_point_error", "throughput"):
            np.testing.assert_array_equal(truth.arrays[f"{group}/{path}"], also.arrays[f"{group}/{path}"])
        np.testing.assert_array_equal(data.arrays[f"{group}/wcs"], other.arrays[f"{group}/wcs"])
        rays = [arrays.arrays[f"{group}/artefacts"] & COSMIC_RAY for arrays in (truth, also)]
        np.testing.assert_array_equal(*rays)


def test_bright_stars_need_a_place_in_the_galaxy():
    with pytest.raises(ValueError, match="bright stars need a Galactic latitude"):
        Content(bright_stars=True)
