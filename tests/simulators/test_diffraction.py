"""Diffraction: transfer function and image of an obscured pupil, each against the other and GalSim."""

from __future__ import annotations

import galsim
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j0
from skysynergy.simulators.diffraction import ARCSEC, airy, annulus_transfer

PUPIL = {"wavelength_nm": 700.0, "diameter_m": 1.2}
CUT = 1.2 / 700e-9 * ARCSEC  # cycles per arcsec


@pytest.mark.parametrize("obscuration", [0.0, 0.3606, 0.6])
def test_the_image_of_a_point_is_airys_in_closed_form(obscuration, record_figure):
    radius = np.linspace(0, 1.0, 60)
    nodes, weights = np.polynomial.legendre.leggauss(2000)
    k, w = (nodes + 1) / 2 * CUT, weights / 2 * CUT
    transfer = annulus_transfer(k, obscuration=obscuration, **PUPIL)
    image = 2 * np.pi * j0(2 * np.pi * np.outer(radius, k)) @ (w * k * transfer)
    expected = airy(radius, obscuration=obscuration, **PUPIL)
    worst = np.abs(image - expected).max() / expected[0]
    record_figure("error", worst)
    assert worst < 1e-6


@pytest.mark.parametrize("obscuration", [0.0, 0.3606, 0.6])
def test_galsim_has_the_same_transfer_function(obscuration):
    k = np.linspace(0, 1.1 * CUT, 80)
    profile = galsim.Airy(lam=700, diam=1.2, obscuration=obscuration)
    expected = [profile.kValue(2 * np.pi * value, 0).real for value in k]
    np.testing.assert_allclose(annulus_transfer(k, obscuration=obscuration, **PUPIL), expected, atol=1e-12)


def test_the_image_holds_all_the_light():
    # Encircled energy approaches 1 as 1/r, with coefficient 2 λ / (π² D (1 − ε)).
    inner = quad(lambda r: 2 * np.pi * r * airy(r, obscuration=0.36, **PUPIL), 0, 30, limit=4000)[0]
    missing = 2 / (np.pi**2 * CUT * (1 - 0.36) * 30)
    assert inner == pytest.approx(1 - missing, abs=0.1 * missing)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wavelength_nm": 0.0}, "are positive"),
        ({"diameter_m": -1.0}, "are positive"),
        ({"obscuration": 1.0}, "from 0 to below 1"),
    ],
)
def test_a_pupil_that_is_none_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        annulus_transfer(1.0, **(PUPIL | {"obscuration": 0.3} | change))
