"""Colours within a band: components share their galaxy's spectrum, and images follow the colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators.chromatic import bin_edges_nm, reference_fractions
from skysynergy.simulators.colours import photon_shares
from skysynergy.simulators.exposures import expose
from skysynergy.simulators.fields import observe
from skysynergy.simulators.galaxies import draw_galaxies
from skysynergy.simulators.morphology import BULGE, DISK
from skysynergy.simulators.profiles import profiles_of
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.sources import Sources, joined, point_sources, sersic_sources
from skysynergy.simulators.spectra import band_fractions, flux_parts
from skysynergy.simulators.surveys import BANDS

SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def galaxies() -> Sources:
    drawn = draw_galaxies(np.random.default_rng(3), 300, 25.0, knots=True)
    zero = np.zeros(len(drawn))
    return Sources(x=zero, y=zero, **vars(drawn))


@pytest.mark.parametrize("band", ["u", "g", "VIS"])
def test_components_share_the_photons_of_their_galaxy(band, galaxies):
    edges = bin_edges_nm(band, 6)
    profiles = profiles_of(galaxies)
    shares = photon_shares(galaxies, profiles, band, edges)
    assert len(shares) == len(profiles) and np.all(shares >= 0)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    code = BANDS[band].code
    photons = np.zeros((len(galaxies), 6))
    np.add.at(photons, profiles.source, profiles.flux[:, code, None] * shares)
    whole = flux_parts(galaxies.spectrum, galaxies.z, np.full(len(galaxies), 25.0))[:, :, code]
    whole = np.einsum("np,npk->nk", whole, band_fractions(galaxies.spectrum, galaxies.z, band, edges))
    whole /= whole.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(photons / galaxies.flux[:, [code]], whole, atol=1e-9)


def test_bulges_are_redder_within_a_band_too(galaxies):
    profiles = profiles_of(galaxies)
    edges = bin_edges_nm("VIS", 6)
    mean = photon_shares(galaxies, profiles, "VIS", edges) @ ((edges[1:] + edges[:-1]) / 2)
    both = np.flatnonzero(np.all(galaxies.component_flux[:, :, BANDS["i"].code] > 0, axis=1))
    gradients = [
        mean[(profiles.source == n) & (profiles.component == BULGE)][0]
        - mean[(profiles.source == n) & (profiles.component == DISK)][0]
        for n in both
    ]
    assert len(gradients) > 30
    assert np.mean(np.array(gradients) > -1e-6) > 0.9 and max(gradients) > 10


def test_galaxies_without_light_in_i_have_colours_too():
    flux = np.full((2, len(BANDS)), 100.0)
    flux[1, BANDS["i"].code] = 0.0
    pair = sersic_sources(x=[0.0, 1.0], y=0.0, flux=flux, half_light_arcsec=0.3)
    shares = photon_shares(pair, profiles_of(pair), "VIS", bin_edges_nm("VIS", 6))
    np.testing.assert_allclose(shares[1], shares[0], rtol=1e-12)


def test_stars_have_the_light_of_the_reference_star(galaxies):
    both = joined(galaxies[:2], point_sources(x=[0.0], y=[0.0], flux=100.0))
    edges = bin_edges_nm("VIS", 4)
    shares = photon_shares(both, profiles_of(both), "VIS", edges)
    np.testing.assert_allclose(shares[-1], reference_fractions("VIS", edges), rtol=1e-6)


@pytest.fixture(scope="module")
def observed():
    plain = Sky(1, 1, {"u": 1, "VIS": 1}, width_arcsec=9.6)
    return {
        name: observe(sky, SECRET, 0, 0)
        for name, sky in (("plain", plain), ("coloured", replace(plain, chromatic=("u", "VIS"))))
    }


def light(sources: Sources, observation) -> np.ndarray:
    taken = expose(sources, observation, width_arcsec=9.6, secret=SECRET, indices=(0, 0, 0))
    return taken.light[0]


def width(image: np.ndarray) -> float:
    y, x = np.indices(image.shape)
    near = image * ((x - image.shape[1] / 2) ** 2 + (y - image.shape[0] / 2) ** 2 < 30**2)
    centre = [np.sum(near * axis) / near.sum() for axis in (x, y)]
    return float(np.sum(near * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2)) / near.sum())


@pytest.mark.parametrize("survey", ["LSST", "EUCLID_VIS"])
def test_a_star_looks_as_the_stored_psf_says(survey, observed):
    """It has the colour of the reference star: bins add up to the one PSF that participants see."""
    star = point_sources(x=[0.3], y=[-0.2], flux=1e4)
    coloured = observed["coloured"][survey]
    assert coloured.chromatic[0] is not None and observed["plain"][survey].chromatic[0] is None
    together = light(star, replace(coloured, chromatic=(None,)))
    np.testing.assert_allclose(light(star, coloured), together, atol=2e-3 * together.max())


def test_red_galaxies_have_the_wider_images_in_vis(observed):
    """Diffraction: a PSF grows with wavelength, in space."""
    z, spectra = 0.5, np.arange(200)
    parts = flux_parts(spectra, np.full(200, z), np.full(200, 22.0)).sum(axis=1)
    colour = parts[:, BANDS["z"].code] / parts[:, BANDS["r"].code]
    point = sersic_sources(x=[0.0], y=[0.0], flux=1e4, half_light_arcsec=0.05, z=z)
    images = [
        light(replace(point, spectrum=np.array([n])), observed["coloured"]["EUCLID_VIS"])
        for n in (int(np.argmin(colour)), int(np.argmax(colour)))
    ]
    blue, red = (width(image) for image in images)
    assert 1.02 < red / blue < 1.3
    assert images[0].sum() == pytest.approx(images[1].sum(), rel=2e-3)


def test_a_band_without_visits_has_no_colours():
    with pytest.raises(ValueError, match="chromatic names VIS, but there are no visits in it"):
        Sky(1, 1, {"i": 1}, chromatic=("VIS",))
    with pytest.raises(ValueError, match="no band is called 'vis': did you mean VIS"):
        Sky(1, 1, {"i": 1}, chromatic=("vis",))
