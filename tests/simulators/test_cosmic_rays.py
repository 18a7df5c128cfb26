"""Cosmic rays: as many as their rate says, as long and as strong as their paths through the sensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import moyal
from skysynergy.simulators import cosmic_rays
from skysynergy.simulators.cosmic_rays import RADIATION, draw_cosmic_rays, expected_hits
from skysynergy.simulators.surveys import SURVEYS

SCENES = {"LSST": ((96, 96), 30.0), "EUCLID_VIS": ((192, 192), 565.0), "EUCLID_NISP": ((64, 64), 112.0)}


@pytest.fixture
def sensor(monkeypatch):
    """Replace a survey's entry for one test."""

    def put(name, **changes):
        changed = replace(RADIATION[name], **changes)
        monkeypatch.setattr(cosmic_rays, "RADIATION", {**RADIATION, name: changed})
        return changed

    return put


def mean_path(power):
    """Mean of 1/μ over the density μ^(power + 1) from 0.1 to 1."""
    low = cosmic_rays._FLATTEST
    return (1 - low ** (power + 1)) / (power + 1) * (power + 2) / (1 - low ** (power + 2))


@pytest.mark.parametrize("name", SCENES)
def test_the_mean_charge_is_rate_times_path_times_charge(name, record_figure):
    shape, exposure_s = SCENES[name]
    survey, known = SURVEYS[name], RADIATION[name]
    rng = np.random.default_rng(1)
    scenes = 3000 if name == "LSST" else 100 if name == "EUCLID_VIS" else 2000
    # An exposure ten times as long keeps the test short.
    sums = np.array([draw_cosmic_rays(rng, survey, shape, 10 * exposure_s).sum() for _ in range(scenes)])
    charge = known.electrons_um * known.thickness_um * (1 + known.straggling * (np.log(2) + np.euler_gamma))
    expected = 10 * expected_hits(survey, shape, exposure_s) * charge * mean_path(known.cosine_power)
    error = sums.std() / np.sqrt(scenes)
    record_figure(f"difference {name}", (sums.mean() - expected) / error)
    assert error < 0.05 * expected
    # The floor under the lowest charges lifts the mean a little where straggling is wide.
    assert sums.mean() == pytest.approx(expected, abs=4 * error + 0.01 * expected)


def test_hits_follow_the_rate_the_area_and_the_time():
    # 96 pixels of 10 micrometres, 5 a minute and cm²: a scene of LSST has one in some forty visits.
    assert expected_hits(SURVEYS["LSST"], (96, 96), 30.0) == pytest.approx(0.096**2 * 5 / 60 * 30)
    assert expected_hits(SURVEYS["EUCLID_VIS"], (10, 20), 1.0) == pytest.approx(4.3 * 200 * 0.0012**2)
    kept = RADIATION["EUCLID_NISP"].kept
    assert expected_hits(SURVEYS["EUCLID_NISP"], (10, 20), 1.0) == pytest.approx(kept * 4.3 * 200 * 0.0018**2)


def test_every_part_of_a_scene_is_hit_alike():
    # Tracks from outside come in: edges have the charge of the middle.
    rng = np.random.default_rng(2)
    total = sum(draw_cosmic_rays(rng, SURVEYS["EUCLID_VIS"], (60, 60), 2e5) for _ in range(4))
    edge = np.concatenate(
        [total[:4].ravel(), total[-4:].ravel(), total[:, :4].ravel(), total[:, -4:].ravel()]
    )
    assert edge.mean() == pytest.approx(total[20:40, 20:40].mean(), rel=0.04)


def test_muons_are_steeper_than_particles_from_all_sides(sensor):
    shape, rng = (200, 200), np.random.default_rng(3)
    steep = draw_cosmic_rays(rng, SURVEYS["LSST"], shape, 2e6)
    sensor("LSST", cosine_power=0)
    flat = draw_cosmic_rays(rng, SURVEYS["LSST"], shape, 2e6)
    # Mean of 1/μ: 4/3 against 2, less what lies below 0.1.
    assert flat.sum() / steep.sum() == pytest.approx(mean_path(0) / mean_path(2), rel=0.06)


def test_a_single_track_is_straight_and_as_long_as_its_slope(sensor):
    sensor("LSST", straggling=0.0, rate=1e-9)
    shape = (301, 301)
    known = cosmic_rays.RADIATION["LSST"]

    class One:
        """A generator that sends one muon at 60 degrees through the middle, 30 degrees off x."""

        def poisson(self, mean):
            return 1

        def uniform(self, low, high, size):
            values = {(2, 1): [[150.0], [150.0]]}.get(size)
            if values is None:
                values = [0.5**4] if np.ndim(low) == 0 and low > 0 else [np.pi / 6]
            return np.array(values)

        def standard_normal(self, size):
            return np.ones(size)

    hit = draw_cosmic_rays(One(), SURVEYS["LSST"], shape, 30.0)
    assert hit.sum() == pytest.approx(75 * 100 / 0.5)
    y, x = (grid - 150.0 for grid in np.indices(shape))
    along, across = (
        x * np.cos(np.pi / 6) + y * np.sin(np.pi / 6),
        y * np.cos(np.pi / 6) - x * np.sin(np.pi / 6),
    )
    assert np.sum(hit * along) / hit.sum() == pytest.approx(0, abs=1e-9)
    length = known.thickness_um / known.pixel_um * np.sqrt(3)
    cloud = (known.diffusion_um / known.pixel_um) ** 2 + 1 / 12  # seen in pixels
    assert np.sum(hit * across**2) / hit.sum() == pytest.approx(cloud, rel=0.05)
    assert np.sum(hit * along**2) / hit.sum() == pytest.approx(length**2 / 12 + cloud, rel=0.02)


def test_the_cloud_keeps_charge_and_place():
    rng = np.random.default_rng(4)
    place, charge = rng.uniform(3, 12, (2, 50)), rng.uniform(1, 2, 50)
    for width in (0.3, 1.0, 1.7):
        image = cosmic_rays._deposited(place, charge, width, (16, 16))
        assert image.sum() == pytest.approx(charge.sum())
        assert image.min() >= 0
    # A cloud one pixel wide is shared by the nearest pixels in proportion: its mean place is exact.
    y, x = np.indices((16, 16))
    image = cosmic_rays._deposited(place[:, :1], charge[:1], 1.0, (16, 16))
    assert [np.sum(image * y) / image.sum(), np.sum(image * x) / image.sum()] == pytest.approx(place[:, 0])


def test_charges_have_the_distribution_of_moyal():
    known = RADIATION["EUCLID_VIS"]
    charges = cosmic_rays._charges(np.random.default_rng(5), known, np.full(20_000, known.thickness_um))
    scaled = (charges / (known.electrons_um * known.thickness_um) - 1) / known.straggling
    for q in (0.1, 0.5, 0.9, 0.99):
        assert np.quantile(scaled, q) == pytest.approx(moyal.ppf(q), abs=0.3 if q > 0.9 else 0.05)


def test_the_same_stream_gives_the_same_rays():
    shape, exposure_s = SCENES["EUCLID_VIS"]
    first, again, other = (
        draw_cosmic_rays(np.random.default_rng(seed), SURVEYS["EUCLID_VIS"], shape, exposure_s)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    assert first.shape == shape and first.dtype == np.float64


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="nothing is known of HYPER or of a survey like it"):
        draw_cosmic_rays(
            np.random.default_rng(0), replace(SURVEYS["LSST"], name="HYPER", sensor="hgcdte"), (9, 9), 30.0
        )
    with pytest.raises(ValueError, match="longer than zero seconds, not 0"):
        draw_cosmic_rays(np.random.default_rng(0), SURVEYS["LSST"], (9, 9), 0.0)
    with pytest.raises(ValueError, match="give one of at most 0.57 pixels"):
        replace(RADIATION["LSST"], diffusion_um=9.0)
