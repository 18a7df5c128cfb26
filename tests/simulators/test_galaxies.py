"""The population as a whole: that the rooms which know one property each agree with each other."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from skysynergy.simulators.counts import VARIANTS, density_arcmin2
from skysynergy.simulators.galaxies import Galaxies, draw_galaxies, galaxies_at
from skysynergy.simulators.growth import half_light_total
from skysynergy.simulators.morphology import BULGE, DISK, SERSIC_INDICES
from skysynergy.simulators.spectra import Z_MAX, flux_parts
from skysynergy.simulators.surveys import BANDS, mag_from_flux

G_BAND, I_BAND, Z_BAND = (BANDS[name].code for name in "giz")


@pytest.fixture(scope="module")
def many() -> Galaxies:
    return draw_galaxies(np.random.default_rng(1), 50_000, knots=True)


def mag_i(galaxies: Galaxies) -> np.ndarray:
    return mag_from_flux(galaxies.flux[:, I_BAND])


@pytest.mark.parametrize("variant", VARIANTS)
def test_magnitudes_follow_the_counts(variant):
    mags = mag_i(draw_galaxies(np.random.default_rng(2), 50_000, variant=variant))
    whole = density_arcmin2(27.5, variant)
    for limit in (24.0, 25.3, 26.5):
        share = density_arcmin2(limit, variant) / whole
        assert np.mean(mags < limit) == pytest.approx(share, abs=4 * math.sqrt(share / len(mags)))
    assert mags.max() < 27.5 + 1e-9


def test_disk_and_bulge_together_have_the_spectrum_of_the_galaxy(many):
    whole = flux_parts(many.spectrum, many.z, mag_i(many)).sum(axis=1)
    np.testing.assert_allclose(many.flux, whole, rtol=1e-9)
    assert np.all(many.component_flux >= 0)


def test_bulges_are_redder_than_their_disks(many):
    """They hold the old light: where there is some, and both parts are seen."""
    parts = flux_parts(many.spectrum, many.z, mag_i(many))
    old = parts[:, 1, I_BAND] / parts[:, :, I_BAND].sum(axis=1)
    both = np.all(many.component_flux[..., I_BAND] > 0, axis=1)
    seen = both & (old > 0.3) & (old < 0.9) & (many.z < 1)
    flux = many.component_flux[seen]
    colour = -2.5 * np.log10(flux[..., G_BAND] / flux[..., Z_BAND])
    gradient = colour[:, BULGE] - colour[:, DISK]
    assert seen.sum() > 300
    assert np.median(gradient) > 0.2 and np.mean(gradient > 0) > 0.95


def test_shapes_are_those_of_one_list_of_profiles(many):
    assert set(np.unique(many.sersic_n)) <= set(SERSIC_INDICES)
    both = many.component_flux[:, BULGE, I_BAND] > 0
    assert np.all(many.sersic_n[both] == [1.0, 4.0])
    assert 0.15 < both.mean() < 0.4
    share = many.component_flux[:, BULGE, I_BAND] / many.flux[:, I_BAND]
    total = half_light_total(share, many.half_light_arcsec, many.sersic_n)
    assert np.all((total > 0.01) & (total < 4.5))
    medians = [np.median(total[np.abs(mag_i(many) - mag) < 0.5]) for mag in (22, 24, 26)]
    assert medians == sorted(medians, reverse=True)


def test_galaxies_point_nowhere(many):
    error = 5 * 0.26 / math.sqrt(len(many))
    for part in (DISK, BULGE):
        e1, e2 = many.e1[:, part], many.e2[:, part]
        assert abs(np.mean(e1)) < error and abs(np.mean(e2)) < error and abs(np.mean(e1 * e2)) < error
        assert np.hypot(e1, e2).max() < 0.96


def test_a_sky_without_knots_has_the_same_galaxies(many):
    smooth = draw_galaxies(np.random.default_rng(1), 50_000)
    for name in Galaxies.__dataclass_fields__:
        if "knot" in name:
            assert np.all(getattr(smooth, name) == 0) and np.any(getattr(many, name) != 0)
        else:
            np.testing.assert_array_equal(getattr(smooth, name), getattr(many, name))


def test_the_same_generator_draws_the_same_galaxies():
    first, again = (draw_galaxies(np.random.default_rng(11), 100, 26.0) for _ in range(2))
    other = draw_galaxies(np.random.default_rng(12), 100, 26.0)
    for name in Galaxies.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.z, other.z)
    assert first.z.min() >= 0 and first.z.max() <= Z_MAX


def test_galaxies_that_are_known_keep_what_they_are():
    mags, z, spectrum = np.array([21.0, 24.0]), np.array([0.3, 1.2]), np.array([4, 0])
    made = galaxies_at(np.random.default_rng(0), mags, z, spectrum)
    np.testing.assert_allclose(mag_i(made), mags, atol=1e-9)
    np.testing.assert_array_equal(made.z, z)
    np.testing.assert_array_equal(made.spectrum, spectrum)


def test_no_galaxies_is_an_answer():
    none = draw_galaxies(np.random.default_rng(0), 0)
    assert len(none) == 0
    assert none.flux.shape == (0, len(BANDS))


@pytest.mark.parametrize(
    ("n", "i_limit", "message"),
    [
        (-1, 25.0, "-1"),
        (2.5, 25.0, "2.5"),
        (True, 25.0, "True"),
        (5, 18.0, "from i = 18.0 to 18.0"),
        (5, 30.0, "from i = 18.0 to 30.0"),
        (5, math.nan, "nan"),
    ],
)
def test_what_cannot_be_drawn_is_refused(n, i_limit, message):
    with pytest.raises(ValueError, match=message):
        draw_galaxies(np.random.default_rng(0), n, i_limit)


def test_a_variant_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="no variant is called 'huge'"):
        draw_galaxies(np.random.default_rng(0), 5, variant="huge")


def test_drawing_is_quick(record_figure):
    draw_galaxies(np.random.default_rng(0), 10)
    start = time.process_time()
    draw_galaxies(np.random.default_rng(0), 50_000)
    seconds = 20 * (time.process_time() - start)
    record_figure("seconds for a million", seconds)
    assert seconds < 60
