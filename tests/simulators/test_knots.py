"""Knots: they follow an exponential disk, and young galaxies have them."""

import numpy as np
import pytest
from scipy.stats import kstest
from skysynergy.simulators.growth import light_within
from skysynergy.simulators.knots import MAX_KNOTS, draw_knots, knot_positions


def test_places_follow_the_light_of_the_disk():
    places = knot_positions(np.random.default_rng(3).uniform(size=(20_000, 2)))
    assert kstest(np.abs(places), lambda r: light_within(r, 1.0, 1.0) / 0.999).pvalue > 1e-3
    assert kstest(np.angle(places) / (2 * np.pi) % 1, "uniform").pvalue > 1e-3
    # Half of them within the half-light radius, by definition.
    assert np.mean(np.abs(places) < 1) == pytest.approx(0.5 / 0.999, abs=0.015)


def test_young_galaxies_have_knots_and_old_ones_none():
    rng, n = np.random.default_rng(4), 40_000
    young = draw_knots(rng, np.full(n, 2.0), np.zeros(n))
    # Guo et al. (2015): 60 %. Soto et al. (2017): two on average, 19 % of the ultraviolet light.
    assert np.mean(young.number > 0) == pytest.approx(0.6, abs=0.01)
    assert young.number[young.number > 0].mean() == pytest.approx(2.0, abs=0.03)
    assert young.fraction[young.number > 0].mean() == pytest.approx(0.19, rel=0.07)
    near = draw_knots(rng, np.full(n, 0.25), np.zeros(n))
    assert near.fraction[near.number > 0].mean() == pytest.approx(0.19 / 2, rel=0.05)
    assert not draw_knots(rng, np.full(n, 2.0), np.ones(n)).number.any()


def test_absent_knots_are_empty():
    knots = draw_knots(np.random.default_rng(5), np.full(500, 1.0), np.full(500, 0.5))
    assert len(knots) == 500
    assert knots.number.max() <= MAX_KNOTS
    absent = np.arange(MAX_KNOTS) >= knots.number[:, None]
    assert not knots.places[absent].any()
    assert knots.places[~absent].all()
    assert np.array_equal(knots.fraction > 0, knots.number > 0)
