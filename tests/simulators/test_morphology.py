"""Shapes: COSMOS where it can tell, closed forms and limits where it cannot."""

import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from skysynergy.simulators.catalogues import I_MINUS_F814W
from skysynergy.simulators.growth import half_light_total
from skysynergy.simulators.morphology import (
    BULGE,
    DISK,
    SERSIC_INDICES,
    component_flux,
    draw_morphology,
    kind_fractions,
    nearest_sersic,
)
from skysynergy.simulators.redshifts import draw_redshifts
from skysynergy.simulators.spectra import flux_parts
from skysynergy.simulators.surveys import BANDS

EARLY = 2.5


def _population(rng, mag_i):
    """Redshifts and shares of old light as in our sky."""
    z, spectrum = draw_redshifts(rng, mag_i)
    light = flux_parts(spectrum, z, mag_i)[:, :, 3]
    return z, light[:, 1] / light.sum(axis=1)


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(6)
    mag_i = rng.uniform(20, 25, 60_000)
    z, old = _population(rng, mag_i)
    return mag_i, z, old, draw_morphology(rng, mag_i, z, old)


@pytest.fixture(scope="module")
def cosmos(test_data):
    table = pq.read_table(test_data / "galaxies" / "cosmos_f814w.parquet").to_pandas()
    table = table[(table.viable_sersic == 1) & (table.hlr_arcsec_sersic > 0)]
    both = (table.use_bulgefit == 1).to_numpy()
    share = np.where(both, table.flux_bulge / np.maximum(table.flux_bulge + table.flux_disk, 1e-9), 0.0)
    radii = np.stack([np.where(both, table.hlr_arcsec_disk, table.hlr_arcsec_sersic)] * 2, axis=1)
    radii[:, 1] = np.where(both, table.hlr_arcsec_bulge, 1.0)
    index = np.tile([1.0, 4.0], (len(table), 1))
    return {
        "i": table.mag_f814w.to_numpy(float) + I_MINUS_F814W,
        "radius": half_light_total(share, radii, index),
        # The numbers of the fits were adjusted to even rows: these are the others.
        "odd": table.id.to_numpy() % 2 == 1,
    }


@pytest.mark.parametrize("faint", [22.5, 23.0, 23.5, 24.0, 24.5, 25.0])
def test_half_light_radii_are_those_of_cosmos(cosmos, faint, record_figure):
    chosen = cosmos["odd"] & (cosmos["i"] >= faint - 0.5) & (cosmos["i"] < faint)
    rng = np.random.default_rng(7)
    mag_i = np.repeat(cosmos["i"][chosen], 4)
    ours = draw_morphology(rng, mag_i, *_population(rng, mag_i)).half_light_total()
    low, middle, high = np.percentile(np.log(cosmos["radius"][chosen]), [16, 50, 84])
    our_low, our_middle, our_high = np.percentile(np.log(ours), [16, 50, 84])
    record_figure(f"half_light_median_ratio_{faint}", np.exp(our_middle - middle))
    record_figure(f"half_light_scatter_ratio_{faint}", (our_high - our_low) / (high - low))
    assert np.exp(our_middle - middle) == pytest.approx(1.0, abs=0.10)
    assert (our_high - our_low) / (high - low) == pytest.approx(1.0, abs=0.10)


def test_kinds_are_in_the_given_proportions(many):
    mag_i, _, _, shapes = many
    early = shapes.sersic_n[:, DISK] > EARLY
    both = shapes.bulge_fraction > 0
    expected = kind_fractions(mag_i).mean(axis=0)
    assert [np.mean(~early & ~both), early.mean(), both.mean()] == pytest.approx(expected, abs=0.01)
    assert not (early & both).any()
    np.testing.assert_allclose(kind_fractions(mag_i).sum(axis=1), 1.0)


def test_old_galaxies_are_dominated_by_bulges(many):
    _, _, old, shapes = many
    dominated = (shapes.sersic_n[:, DISK] > EARLY) | (shapes.bulge_fraction > 0.5)
    oldest, youngest = old > 0.85, old < 0.1
    assert dominated[oldest].mean() > 0.35
    assert dominated[youngest].mean() < 0.12


def test_total_size_is_what_was_asked_for(many):
    # Sizes are drawn for the whole; disk and bulge are found from it, and a total within the limits.
    _, _, _, shapes = many
    both = shapes.bulge_fraction > 0
    total = shapes.half_light_total()
    assert total.min() > 0.0199
    assert total.max() < 4.001
    smaller, larger = np.sort(shapes.half_light_arcsec[both], axis=1).T
    assert np.all((total[both] >= smaller * 0.999) & (total[both] <= larger * 1.001))
    np.testing.assert_array_equal(total[~both], shapes.half_light_arcsec[~both, DISK])


def test_bulges_are_rounder_and_turned_with_their_disks(many):
    shapes = many[3]
    both = shapes.bulge_fraction > 0
    e = (shapes.e1 + 1j * shapes.e2)[both]
    assert np.median(np.abs(e[:, BULGE])) < 0.8 * np.median(np.abs(e[:, DISK]))
    elongated = np.abs(e[:, DISK]) > 0.3
    turn = np.degrees(np.abs(np.angle(e[:, BULGE] / e[:, DISK]))[elongated]) / 2
    # COSMOS at i < 21, elongated disks and bulges: a median of 11 degrees.
    assert 5 < np.median(turn) < 20
    assert np.abs(e).max() < 0.8


def test_ellipticity_has_no_direction(many):
    e = many[3].e1[:, DISK] + 1j * many[3].e2[:, DISK]
    assert abs(e.mean()) < 4 * np.abs(e).std() / np.sqrt(len(e))
    # Miller et al. (2013) disks: 0.256 per component; COSMOS at 22 < i < 23, all kinds: 0.24.
    assert e.real.std() == pytest.approx(0.24, abs=0.015)


def test_indices_are_few(many):
    shapes = many[3]
    assert set(np.unique(shapes.sersic_n)) <= set(SERSIC_INDICES)
    both = shapes.bulge_fraction > 0
    assert np.all(shapes.sersic_n[both] == [1.0, 4.0])
    np.testing.assert_array_equal(nearest_sersic([0.1, 0.62, 1.2, 1.25, 9.0]), [0.6, 0.6, 1.0, 1.5, 4.0])


def test_variants_differ_in_size_beyond_the_shared_limit_only():
    n = 4000

    def sizes(mag_i, variant):
        rng = np.random.default_rng(8)
        column = np.full(n, mag_i)
        return draw_morphology(rng, column, np.ones(n), np.full(n, 0.5), variant).half_light_total()

    assert np.array_equal(sizes(25.3, "low"), sizes(25.3, "high"))
    low, mid, high = (np.median(sizes(27.0, variant)) for variant in ("low", "mid", "high"))
    # Hubble's deepest fields: 0.1 arcsec, which the three bracket.
    assert low < 0.09 < mid < 0.105 < high


def test_parts_of_the_light_add_up():
    rng = np.random.default_rng(9)
    parts = rng.uniform(1, 2, (50, 2, len(BANDS)))
    share = rng.uniform(0, 1, 50)
    flux = component_flux(parts, share)
    np.testing.assert_allclose(flux.sum(axis=1), parts.sum(axis=1))
    total, old = parts[:, :, 3].sum(axis=1), parts[:, 1, 3]
    np.testing.assert_allclose(flux[:, BULGE, 3] / total, share)
    # The bulge's colours are those of the old part, as long as that is enough.
    enough = share * total < old
    assert 10 < enough.sum() < 40
    ratio = flux[:, BULGE, 0] / flux[:, BULGE, 3] / (parts[:, 1, 0] / parts[:, 1, 3])
    np.testing.assert_allclose(ratio[enough], 1.0)
    no_old = component_flux(np.stack([parts[:, 0], np.zeros((50, len(BANDS)))], axis=1), share)
    np.testing.assert_allclose(no_old[:, BULGE], share[:, None] * parts[:, 0])


def test_same_generator_same_galaxies():
    columns = (np.full(5, 24.0), np.full(5, 1.0), np.full(5, 0.4))
    first = draw_morphology(np.random.default_rng(1), *columns)
    again = draw_morphology(np.random.default_rng(1), *columns)
    assert np.array_equal(first.half_light_arcsec, again.half_light_arcsec)
    assert np.array_equal(first.knots.places, again.knots.places)
    assert len(draw_morphology(np.random.default_rng(1), *(np.empty(0),) * 3)) == 0


def test_quick(record_figure):
    rng, n = np.random.default_rng(10), 100_000
    columns = (rng.uniform(20, 27, n), rng.uniform(0, 3, n), rng.uniform(size=n))
    draw_morphology(rng, *(column[:1] for column in columns))
    start = time.process_time()
    draw_morphology(rng, *columns)
    seconds = 10 * (time.process_time() - start)
    record_figure("morphology_seconds_per_million", seconds)
    assert seconds < 20


def test_refusals():
    rng, one = np.random.default_rng(1), np.ones(3)
    with pytest.raises(ValueError, match="old_fraction is 1.5 for galaxy 2"):
        draw_morphology(rng, 24 * one, one, np.array([0.0, 1.0, 1.5]))
    with pytest.raises(ValueError, match=r"z \(2,\)"):
        draw_morphology(rng, 24 * one, one[:2], one)
    with pytest.raises(ValueError, match="mag_i is nan for galaxy 0"):
        draw_morphology(rng, np.nan * one, one, one)
    with pytest.raises(ValueError, match="'low', 'mid' or 'high'"):
        draw_morphology(rng, 24 * one, one, one, "medium")
