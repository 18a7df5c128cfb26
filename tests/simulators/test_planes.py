"""Shear by redshift: slices, and distances against closed forms and astropy."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.simulators.planes import (
    LensShear,
    ShearPlanes,
    comoving_distance,
    lensing_efficiency,
)

Z = np.array([0.0, 1e-3, 0.2, 0.5, 0.9, 1.7, 3.0, 6.0, 10.0])


def test_a_source_takes_the_shear_of_its_slice():
    planes = ShearPlanes(edges=(0.5, 1.0), shears=((0.0, 0.01), (0.02, 0.0), (0.03, -0.04)))
    g1, g2 = planes.shear_at([0.0, 0.4999, 0.5, 0.7, 1.0, 4.0])
    np.testing.assert_array_equal(g1, [0.0, 0.0, 0.02, 0.02, 0.03, 0.03])
    np.testing.assert_array_equal(g2, [0.01, 0.01, 0.0, 0.0, -0.04, -0.04])


def test_one_plane_is_one_shear_everywhere():
    g1, g2 = ShearPlanes(edges=(), shears=((0.02, -0.01),)).shear_at(Z.reshape(3, 3))
    assert g1.shape == g2.shape == (3, 3)
    assert (g1 == 0.02).all() and (g2 == -0.01).all()


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
    lens = LensShear(z_lens=0.4, g1=0.03, g2=-0.02, z_source=1.2)
    g1, g2 = lens.shear_at(Z)
    assert (g1[Z <= 0.4] == 0).all() and (g2[Z <= 0.4] == 0).all()
    behind = Z[Z > 0.4]
    ratio = astropy.angular_diameter_distance(0.4, behind) / astropy.angular_diameter_distance(behind)
    given = astropy.angular_diameter_distance(0.4, 1.2) / astropy.angular_diameter_distance(1.2)
    np.testing.assert_allclose(g1[Z > 0.4], 0.03 * (ratio / given).value, rtol=1e-8)
    np.testing.assert_allclose(g2[Z > 0.4], -0.02 * (ratio / given).value, rtol=1e-8)
    assert lens.shear_at(1.2)[0] == pytest.approx(0.03)
    assert lensing_efficiency(1e4, z_lens=0.4) < 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ShearPlanes((1.0, 0.5), ((0, 0),) * 3), "increase"),
        (lambda: ShearPlanes((0.0,), ((0, 0),) * 2), "positive"),
        (lambda: ShearPlanes((0.5,), ((0, 0),)), "2 shears, not 1"),
        (lambda: ShearPlanes((), ((0.8, 0.7),)), "below 1"),
        (lambda: LensShear(z_lens=1.0, g1=0.0, g2=0.0, z_source=0.9), "in front"),
        (lambda: LensShear(z_lens=0.9, g1=0.3, g2=0.0, z_source=1.0), "below 1"),
        (lambda: LensShear(z_lens=0.9, g1=0.0, g2=0.0, z_source=1.0, omega_m=1.5), "omega_m"),
        (lambda: comoving_distance([0.2, -0.1]), "zero or more, not -0.1"),
        (lambda: comoving_distance(np.nan), "zero or more"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
