"""The walks of active nuclei against the closed forms of the process."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skysynergy.simulators import active_nuclei as nuclei


def walks(n, days, band, *, tau=80.0, sf=(0.3, 0.2), correlation=0.9, seed=1):
    """(n, observations) of n nuclei that are seen at the same times."""
    size = len(days)
    walk = nuclei.damped_random_walk(
        np.random.default_rng(seed),
        np.full(n, size),
        np.tile(days, n),
        np.tile(band, n),
        np.full(n, tau),
        np.tile(sf, (n, 1)),
        correlation=correlation,
    )
    return walk.reshape(n, size)


def test_differences_grow_as_the_structure_function():
    days = np.array([0.0, 0.02, 3.0, 40.0, 41.0, 200.0, 900.0])
    walk = walks(40000, days, np.zeros(7, int))
    for i in range(7):
        for j in range(i):
            seen = np.sqrt(np.mean((walk[:, i] - walk[:, j]) ** 2))
            expected = nuclei.structure_function(days[i] - days[j], 80.0, 0.3)
            # The relative error of a standard deviation is 1 / sqrt(2 n): five of them.
            assert seen == pytest.approx(expected, rel=5 / np.sqrt(80000))


def test_bands_follow_one_walk_whatever_lies_between():
    days, band = np.array([0.0, 5.0, 5.0, 60.0, 90.0]), np.array([0, 1, 0, 1, 0])
    walk = walks(60000, days, band)
    sigma = np.array([0.3, 0.2])[band] / np.sqrt(2)
    lag = np.abs(days[:, None] - days)
    expected = np.exp(-lag / 80.0) * np.where(band[:, None] == band, 1.0, 0.9)
    covariance = np.cov(walk.T)
    np.testing.assert_allclose(covariance / np.outer(sigma, sigma), expected, atol=0.025)


@given(st.floats(1.0, 500.0), st.integers(0, 10**6))
@settings(deadline=None, max_examples=15)
def test_a_nucleus_does_not_depend_on_how_the_others_are_observed(tau, seed):
    rng = np.random.default_rng(seed)
    days = np.concatenate([np.sort(rng.uniform(0, 900, 30)), [], np.sort(rng.uniform(0, 900, 12))])
    row_size = np.array([30, 0, 12])
    walk = nuclei.damped_random_walk(
        rng, row_size, days, rng.integers(0, 2, 42), np.full(3, tau), np.full((3, 2), 0.2)
    )
    assert walk.shape == (42,) and np.all(np.isfinite(walk)) and np.abs(walk).max() < 0.2 * 5


def test_amplitude_and_time_scale_at_their_pivot():
    tau, sf = nuclei.variability(4000.0, -23.0, 1e9)
    assert (np.log10(tau), np.log10(sf)) == pytest.approx((2.4, -0.51))
    # Bluer, fainter and heavier: more variable. A heavier black hole is slower.
    assert nuclei.variability(2000.0, -23.0, 1e9)[1] > sf
    assert nuclei.variability(4000.0, -26.0, 1e9)[1] < sf
    heavy = nuclei.variability(4000.0, -23.0, 1e10)
    assert heavy[1] > sf and heavy[0] == pytest.approx(tau * 10**0.21)


def test_light_is_redder_than_its_variations_and_averages_to_the_template():
    n = 3000
    rng = np.random.default_rng(3)
    band = np.tile([1, 3], n)
    z = np.full(n, 1.0)
    difference, steady = nuclei.nucleus_fluxes(
        rng,
        np.full(n, 2),
        np.zeros(2 * n),
        band,
        z=z,
        m_g=np.full(n, -24.0),
        distance_modulus=np.full(n, 44.1),
    )
    relative = difference.reshape(n, 2) / steady[:, [1, 3]]
    # Magnitudes are symmetric about the mean: half of the differences are positive.
    assert np.mean(relative > 0, axis=0) == pytest.approx([0.5, 0.5], abs=0.05)
    assert np.ptp(relative[:, 0]) > np.ptp(relative[:, 1])
    # At z = 2 the g magnitude is M + distance modulus; f_nu goes as nu^-0.44.
    _, at_two = nuclei.nucleus_fluxes(
        rng, [1], [0.0], [0], z=[2.0], m_g=[-24.0], distance_modulus=[46.0], bands=("g", "i")
    )
    assert -2.5 * np.log10(at_two[0, 0]) + 31.4 == pytest.approx(22.0, abs=1e-9)
    assert at_two[0, 1] / at_two[0, 0] == pytest.approx((7550 / 4780) ** 0.44, rel=0.01)


def test_magnitudes_are_drawn_from_the_luminosity_function():
    rng = np.random.default_rng(5)
    edges = np.linspace(-27.0, -20.0, 15)
    drawn = nuclei.draw_magnitudes(rng, np.full(50000, 1.3))
    seen = np.histogram(drawn, edges)[0]
    fine = np.linspace(*nuclei.M_G_RANGE, 9001)
    density = nuclei.number_density(fine, 1.3)
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    expected = 50000 * np.diff(np.interp(edges, fine, cumulative)) / cumulative[-1]
    assert np.all(np.abs(seen - expected) < 5 * np.sqrt(expected) + 3)


def test_mistakes_are_told():
    def walk(days=(0.0, 1.0), band=(0, 1), tau=(10.0,), sf=((0.1, 0.2),), correlation=0.5):
        rng = np.random.default_rng(0)
        return nuclei.damped_random_walk(rng, [2], days, band, tau, sf, correlation=correlation)

    assert walk().shape == (2,)
    for wrong, message in (
        ({"days": (1.0, 0.0)}, "sort its observations"),
        ({"band": (0, 2)}, "codes of bands go from 0 to 1"),
        ({"tau": (0.0,)}, "time scales are positive"),
        ({"tau": (1.0, 2.0)}, "as many time scales"),
        ({"correlation": 1.5}, "within 0 and 1"),
        ({"days": (0.0,)}, "need as many days"),
    ):
        with pytest.raises(ValueError, match=message):
            walk(**wrong)
