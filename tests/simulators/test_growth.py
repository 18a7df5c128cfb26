"""Growth curves against closed forms, quadrature and brentq."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from skysynergy.simulators.growth import half_light_total, light_within, total_over_disk


def test_exponential_disk_in_closed_form():
    # P(2, x) = 1 - (1 + x) exp(-x); the half-light radius is 1.67834699 scale lengths.
    scale = np.array([0.1, 1.0, 3.0])
    expected = 1 - (1 + scale) * np.exp(-scale)
    np.testing.assert_allclose(light_within(scale, 1.6783469900166605, 1.0), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [0.6, 1.5, 4.0])
def test_light_within_is_the_integral_of_the_profile(n):
    def light(outer):
        # s = R^(1/n) tames the cusp of the profile.
        b = 2 * n - 1 / 3  # any b gives a Sersic profile: its half-light radius is found below
        inside, _ = quad(lambda s: np.exp(-b * s) * s ** (2 * n - 1), 0, outer ** (1 / n))
        return inside

    whole = light(30.0**n)  # exp(-b s) is 1e-11 by then, or less
    half = brentq(lambda r: light(r) / whole - 0.5, 0.01, 10)
    for radius in (0.3, 1.0, 2.5):
        assert light_within(radius, half, n) == pytest.approx(light(radius) / whole, rel=1e-6)


def test_total_of_disk_and_bulge_against_brentq():
    share, radii, index = 0.37, [0.8, 0.3], [1.0, 4.0]

    def excess(radius):
        parts = [light_within(radius, r, n) for r, n in zip(radii, index, strict=True)]
        return (1 - share) * parts[0] + share * parts[1] - 0.5

    expected = brentq(excess, 0.1, 2.0, xtol=1e-13)
    assert half_light_total([share], [radii], [index]) == pytest.approx(expected, rel=1e-11)


def test_total_without_either_component():
    radii, index = [[0.8, 0.3], [0.8, 0.3]], [[1.0, 4.0]] * 2
    np.testing.assert_array_equal(half_light_total([0.0, 1.0], radii, index), [0.8, 0.3])
    # No light, no matter: an absent bulge may have any radius.
    assert half_light_total([0.0], [[0.5, np.nan]], [[1.0, 4.0]]) == [0.5]
    assert half_light_total([], np.empty((0, 2)), np.empty((0, 2))).shape == (0,)


def test_table_agrees_with_bisection():
    rng = np.random.default_rng(2)
    share, ratio = rng.uniform(0, 1, 2000), np.exp(rng.uniform(np.log(0.1), np.log(1.5), 2000))
    radii, index = np.stack([np.ones(2000), ratio], axis=1), np.tile([1.0, 4.0], (2000, 1))
    np.testing.assert_allclose(
        total_over_disk(share, ratio), half_light_total(share, radii, index), rtol=2e-4
    )


def test_refusals():
    with pytest.raises(ValueError, match="between 0 and 1"):
        half_light_total([1.2], [[1.0, 1.0]], [[1.0, 4.0]])
    with pytest.raises(ValueError, match="galaxy 1 has a half-light radius that is not positive"):
        half_light_total([0.5, 0.5], [[1.0, 1.0], [1.0, 0.0]], [[1.0, 4.0]] * 2)
