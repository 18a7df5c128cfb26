"""Luminosities in top hats: a flat spectrum in closed form, with astropy's distances."""

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from skysynergy.simulators.surveys import BANDS
from skysynergy.simulators.tophats import TOP_HATS, component_fluxes


def test_flat_spectrum_against_astropy():
    z = np.array([0.1, 0.5, 1.5, 3.0])
    flux = component_fluxes(np.full((4, 30), 1e4), z, z)
    distance = FlatLambdaCDM(71.0, 0.2648).luminosity_distance(z).to_value("m")
    expected = 1e4 * 4.4659e13 * (1 + z) / (4 * np.pi * distance**2) * 1e35
    np.testing.assert_allclose(flux, np.repeat(expected[:, None], len(BANDS), axis=1), rtol=1e-5)


def test_bands_see_the_spectrum_at_rest():
    z = np.array([0.0001, 1.0])
    flux = component_fluxes(np.tile(TOP_HATS, (2, 1)), z, z)
    wavelength = [10 * BANDS[name].wavelength_nm for name in BANDS]
    # A spectrum that rises as the wavelength: so do the fluxes, at any redshift (within the top hats).
    inside = np.array(wavelength) < TOP_HATS[-1]
    ratio = flux / flux[:, 3:4] * wavelength[3]
    np.testing.assert_allclose(ratio[0][inside], np.array(wavelength)[inside], rtol=1e-3)
    np.testing.assert_allclose(ratio[1], wavelength, rtol=1e-3)


def test_refusals():
    with pytest.raises(ValueError, match="30 top hats are needed"):
        component_fluxes(np.ones((2, 29)), [1.0, 1.0], [1.0, 1.0])
    bad = np.ones((3, 30))
    bad[1, 4] = np.nan
    with pytest.raises(ValueError, match="1 galaxies, first in row 1"):
        component_fluxes(bad, np.ones(3), np.ones(3))
