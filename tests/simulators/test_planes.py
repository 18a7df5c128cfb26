"""Shear by redshift: slices, and distances against closed forms and astropy."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.simulators.fields import draw_sources, simulate_field
from skysynergy.simulators.planes import Slices, ThinLens, comoving_distance, lensing_efficiency
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.sources import sheared

Z = np.array([0.0, 1e-3, 0.2, 0.5, 0.9, 1.7, 3.0, 6.0, 10.0])


def test_a_source_takes_the_strength_of_its_slice():
    slices = Slices(edges=(0.5, 1.0), strengths=(0.0, 1.0, 1.5))
    found = slices.strength_at([0.0, 0.4999, 0.5, 0.7, 1.0, 4.0])
    np.testing.assert_array_equal(found, [0.0, 0.0, 1.0, 1.0, 1.5, 1.5])


def test_one_plane_is_one_shear_everywhere():
    found = Slices(edges=(), strengths=(0.7,)).strength_at(Z.reshape(3, 3))
    assert found.shape == (3, 3) and (found == 0.7).all()


def test_distances_against_closed_forms():
    # Einstein-de Sitter and de Sitter.
    np.testing.assert_allclose(comoving_distance(Z, omega_m=1.0), 2 - 2 / np.sqrt(1 + Z), atol=1e-12)
    np.testing.assert_allclose(comoving_distance(Z, omega_m=0.0), Z, rtol=1e-12)


def test_distances_against_astropy(record_figure):
    from astropy.cosmology import FlatLambdaCDM

    astropy = FlatLambdaCDM(H0=70.0, Om0=0.31, Tcmb0=0.0)
    expected = astropy.comoving_distance(Z[1:]).value / astropy.hubble_distance.value
    worst = np.abs(comoving_distance(Z[1:]) / expected - 1).max()
    record_figure("comoving distance against astropy, largest relative difference", worst)
    assert worst < 1e-8


def test_shear_behind_a_lens_grows_as_its_efficiency():
    from astropy.cosmology import FlatLambdaCDM

    astropy = FlatLambdaCDM(H0=70.0, Om0=0.31, Tcmb0=0.0)
    lens = ThinLens(z_lens=0.4, z_source=1.2)
    strength = lens.strength_at(Z)
    assert (strength[Z <= 0.4] == 0).all()
    behind = Z[Z > 0.4]
    ratio = astropy.angular_diameter_distance(0.4, behind) / astropy.angular_diameter_distance(behind)
    given = astropy.angular_diameter_distance(0.4, 1.2) / astropy.angular_diameter_distance(1.2)
    np.testing.assert_allclose(strength[Z > 0.4], (ratio / given).value, rtol=1e-8)
    assert lens.strength_at(1.2) == pytest.approx(1.0)
    assert lensing_efficiency(1e4, z_lens=0.4) < 1


@pytest.mark.parametrize("lens", [Slices((0.8,), (0.0, 1.0)), ThinLens(0.5)])
def test_the_sources_of_a_field_feel_it(lens):
    sky = Sky(1, 1, {"i": 1}, width_arcsec=6.0, lens=lens)
    _, truth = simulate_field(sky, b"secret", 0, 0, dither_key=b"key", shear=0.1 + 0.05j)
    sources = truth.tables["sources"]
    strength = lens.strength_at(sources["z"])
    assert strength.min() == 0 and strength.max() > 0.5
    np.testing.assert_allclose(sources["g1"], 0.1 * strength)
    drawn = draw_sources(sky, b"secret", 0, 0)
    expected = sheared(drawn, 0.1 * strength, 0.05 * strength)
    np.testing.assert_array_equal(sources["x"], expected.x)
    np.testing.assert_array_equal(sources["x"][strength == 0], drawn.x[strength == 0])
    assert sky.describe()["lens"]["kind"] == type(lens).__name__


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Slices((1.0, 0.5), (0, 0, 0)), "increase"),
        (lambda: Slices((0.0,), (0, 0)), "positive"),
        (lambda: Slices((0.5,), (0,)), "2 finite strengths"),
        (lambda: Slices((), (np.nan,)), "1 finite strengths"),
        (lambda: ThinLens(z_lens=1.0, z_source=0.9), "in front"),
        (lambda: ThinLens(z_lens=0.9, z_source=1.0, omega_m=1.5), "omega_m"),
        (lambda: comoving_distance([0.2, -0.1]), "zero or more, not -0.1"),
        (lambda: comoving_distance(np.nan), "zero or more"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
