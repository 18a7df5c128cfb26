"""The law of Fitzpatrick (1999) against the package extinction."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.simulators.reddening import fitzpatrick


@pytest.mark.parametrize("r_v", [2.1, 3.1, 5.5])
def test_it_is_that_of_the_package_extinction(r_v):
    extinction = pytest.importorskip("extinction", reason="extinction is not installed")
    wavelength = np.geomspace(912.0, 59_900.0, 20_011)
    expected = extinction.Fitzpatrick99(r_v)(wavelength, r_v)  # A_V = R_V: E(B-V) = 1
    np.testing.assert_allclose(fitzpatrick(wavelength, r_v), expected, rtol=4e-6, atol=5e-6)


def test_blue_less_visual_is_one():
    """What E(B-V) means, at the effective wavelengths of the two bands in the paper."""
    assert fitzpatrick(4400.0) - fitzpatrick(5500.0) == pytest.approx(1.0, abs=0.03)


def test_each_transient_may_have_its_own_r_v():
    r_v = np.array([[2.0], [3.1]])
    law = fitzpatrick([3000.0, 5000.0, 9000.0], r_v)
    assert law.shape == (2, 3)
    np.testing.assert_array_equal(law[1], fitzpatrick([3000.0, 5000.0, 9000.0], 3.1))


def test_beyond_its_ends_it_stays():
    assert fitzpatrick(500.0) == fitzpatrick(910.0)
    assert fitzpatrick(1e6) == pytest.approx(fitzpatrick(60_000.0), rel=1e-3)
