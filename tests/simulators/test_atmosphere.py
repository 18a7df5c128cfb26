"""Air: turbulence and refraction against closed forms and GalSim."""

from __future__ import annotations

import galsim
import numpy as np
import pytest
from skysynergy.simulators.atmosphere import (
    draw_outer_scale,
    fried_parameter,
    refraction_arcsec,
    refractivity,
    structure_function,
    turbulence_transfer,
)


@pytest.mark.parametrize("outer_scale", [10.0, 25.0, 100.0])
def test_turbulence_is_that_of_galsim(outer_scale, record_figure):
    profile = galsim.VonKarman(lam=700, r0=0.15, L0=outer_scale, do_delta=True)
    k = np.linspace(0, 4, 60)
    expected = np.array([profile.kValue(2 * np.pi * value, 0).real for value in k])
    worst = np.abs(turbulence_transfer(k, 700, 0.15, outer_scale) - expected).max()
    record_figure("error", worst)
    assert worst < 1e-5


def test_without_an_outer_scale_turbulence_is_kolmogorovs():
    r = np.geomspace(0.2, 10, 30)
    kolmogorov = 6.8839 * (r / 0.15) ** (5 / 3)
    # The first correction, by which seeing shrinks: 2 to 7 % here.
    corrected = kolmogorov * (1 - 1.485 * (r / 1e5) ** (1 / 3))
    np.testing.assert_allclose(structure_function(r, 0.15, 1e5), corrected, rtol=2e-4)
    assert structure_function(0.0, 0.15, 25.0) == 0
    # Far apart phases are independent: twice the variance, 0.0863 (L0/r0)^(5/3).
    saturated = structure_function(1e4, 0.15, 25.0)
    assert saturated == pytest.approx(2 * 0.0863 * (25 / 0.15) ** (5 / 3), rel=5e-3)


def test_the_fried_parameter_is_that_of_a_fwhm():
    assert galsim.Kolmogorov(lam=700, r0=fried_parameter(0.8, 700.0)).fwhm == pytest.approx(0.8, rel=1e-3)


def test_refraction_is_filippenkos():
    wavelength = np.array([320.0, 370.0, 480.0, 620.0, 1050.0])
    expected = galsim.dcr.air_refractive_index_minus_one(wavelength)
    np.testing.assert_allclose(refractivity(wavelength), expected, rtol=1e-12)
    zenith = galsim.Angle(np.arccos(1 / 1.2), galsim.radians)
    arcsec = np.degrees(galsim.dcr.get_refraction(wavelength, zenith)) * 3600
    # GalSim also has the second order in n − 1, some 3e-4 of it.
    np.testing.assert_allclose(refraction_arcsec(wavelength, 1.2), arcsec, rtol=1e-3)
    assert np.all(refraction_arcsec(wavelength, 1.0) == 0)
    assert np.all(np.diff(refraction_arcsec(wavelength, 1.5)) < 0)  # blue is lifted most


@pytest.mark.parametrize("airmass", [0.99, np.nan, np.inf])
def test_an_airmass_below_one_is_refused(airmass):
    with pytest.raises(ValueError, match="airmass is at least 1"):
        refraction_arcsec(500.0, airmass)


def test_outer_scales_are_drawn_as_said():
    rng = np.random.default_rng(1)
    drawn = np.array([draw_outer_scale(rng) for _ in range(4000)])
    assert drawn.min() >= 10 and drawn.max() <= 100
    # The ends cut 6 % below and 1 % above the median of 25 m.
    assert np.median(drawn) == pytest.approx(26.2, rel=0.05)
