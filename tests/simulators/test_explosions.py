"""Bolometric light curves against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from skysynergy.simulators import explosions

DAYS = np.geomspace(0.02, 600.0, 900)


@given(tau=st.floats(2.0, 60.0), expanding=st.booleans())
@settings(deadline=None, max_examples=20)
def test_constant_heat_comes_out_exponentially(tau, expanding):
    light = explosions.diffused(DAYS, np.full(DAYS.size, 3.0), tau, expanding=expanding)
    s = (DAYS / tau) ** 2 if expanding else DAYS / tau
    np.testing.assert_allclose(light, -3.0 * np.expm1(-s), rtol=1e-11)


def test_light_of_nickel_is_that_of_the_integral_of_arnett():
    tau = 12.0
    light = explosions.diffused(DAYS, explosions.nickel_heating(DAYS, 0.6), tau)
    for day in (5.0, 17.0, 40.0):
        # L = integral of 2 t / tau^2 H(t) exp((t^2 - T^2) / tau^2) dt.
        def part(t, day=day):
            heat = float(explosions.nickel_heating(t, 0.6))
            return 2 * t / tau**2 * heat * np.exp((t**2 - day**2) / tau**2)

        expected = quad(part, 0.0, day, epsrel=1e-9)[0]
        assert np.interp(day, DAYS, light) == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("nickel", [0.05, 0.6])
def test_at_maximum_the_light_is_the_heating(nickel):
    heat = explosions.nickel_heating(DAYS, nickel) * explosions.trapping(DAYS, 1.4, 11000.0)
    light = explosions.diffused(DAYS, heat, 13.0)
    peak = np.argmax(light)
    assert 12.0 < DAYS[peak] < 22.0
    # The maximum lies between the samples beside the brightest, where both curves are nearly flat.
    assert light[peak] == pytest.approx(heat[peak], rel=0.01)


def test_nickel_gives_the_energy_of_its_decays():
    # 1.75 and 3.73 MeV for each nucleus of 56Ni and 56Co, of 55.94 u, neutrinos apart.
    nuclei = explosions.SOLAR_MASS / (55.94 * 1.66054e-24)
    expected = nuclei * (1.75 + 3.73) * 1.60218e-6
    energy = quad(lambda t: float(explosions.nickel_heating(t, 1.0)), 0.0, 3000.0, limit=200)[0]
    assert energy * explosions.DAY == pytest.approx(expected, rel=0.02)


@given(period=st.floats(1.0, 10.0), field=st.floats(0.2, 5.0))
@settings(deadline=None, max_examples=20)
def test_a_magnetar_spends_its_rotation(period, field):
    energy, spin = explosions.magnetar_energy(period, field)
    # Up to t the share spent is t / (t + t_p).
    spent = quad(lambda t: float(explosions.magnetar_heating(t, period, field)), 0.0, 3.0 * spin)[0]
    assert spent * explosions.DAY == pytest.approx(0.75 * energy, rel=1e-6)


def test_a_neutron_star_of_one_millisecond_has_its_moment_of_inertia():
    # I = 2/5 M R^2 of 12 km: E = I Omega^2 / 2 within a third.
    inertia = 0.4 * 1.4 * explosions.SOLAR_MASS * (12 * explosions.KM) ** 2
    expected = 0.5 * inertia * (2 * np.pi / 1e-3) ** 2
    assert explosions.magnetar_energy(1.0, 1.0)[0] == pytest.approx(expected, rel=0.34)


def test_gamma_rays_leak_as_the_square_of_time():
    early, late = explosions.trapping(np.array([5.0, 400.0]), 1.4, 10000.0)
    assert early > 0.999
    assert explosions.trapping(np.array([800.0]), 1.4, 10000.0)[0] == pytest.approx(late / 4, rel=0.01)


def test_a_plateau_is_as_long_as_those_that_are_seen():
    light, lasts = explosions.plateau(1.0, 1.0, 1.0)
    assert (light, lasts) == (1.64e42, 99.0)
    # More energy: brighter and shorter; the radiated energy then goes as E^(2/3).
    brighter, shorter = explosions.plateau(1.0, 1.0, 8.0)
    assert brighter * shorter == pytest.approx(4.0 * light * lasts)
    assert shorter == pytest.approx(lasts / np.sqrt(2.0))


def test_heavy_nuclei_decay_as_the_power_that_is_known():
    # About 2e10 erg/g/s at one day, of which a part is kept; falling as t^-1.3 and faster, as less is kept.
    heat = explosions.r_process_heating(np.array([1.0, 10.0]), 1.0) / explosions.SOLAR_MASS
    assert 5e9 < heat[0] < 3e10
    assert 1.3 < -np.log10(heat[1] / heat[0]) < 2.0


def test_debris_falls_back_as_expected():
    late = explosions.fallback_heating(np.array([1000.0, 8000.0]), 1.0)
    assert late[0] / late[1] == pytest.approx(8.0 ** (5 / 3), rel=2e-3)
