"""Spectra of transients against the laws of black bodies."""

import numpy as np
import pytest
from astropy import units
from astropy.modeling.physical_models import BlackBody
from skysynergy.simulators import photospheres
from skysynergy.simulators.explosions import DAY, KM, LIGHT_SPEED

WAVELENGTH = np.geomspace(300.0, 3e6, 20000)


def test_a_black_body_has_its_luminosity_its_shape_and_its_peak():
    temperature = np.array([3000.0, 6000.0, 20000.0])
    spectrum = photospheres.black_body(np.full(3, 1e43), temperature, WAVELENGTH)
    sphere = 4 * np.pi * (10 * units.pc).to_value("cm") ** 2
    np.testing.assert_allclose(np.trapezoid(spectrum, WAVELENGTH) * sphere, 1e43, rtol=1e-4)
    for one, kelvin in zip(spectrum, temperature, strict=True):
        flux = BlackBody(kelvin * units.K)(WAVELENGTH * units.AA).value / WAVELENGTH**2
        np.testing.assert_allclose(one / one.max(), flux / flux.max(), rtol=1e-4, atol=1e-30)
        # Wien's law.
        assert WAVELENGTH[np.argmax(one)] == pytest.approx(2.897772e7 / kelvin, rel=1e-3)


def test_a_photosphere_cools_as_it_grows_and_then_stays():
    days = np.array([5.0, 10.0, 1000.0])
    temperature = photospheres.photosphere_temperature(np.full(3, 1e43), days, 10000.0, 5000.0)
    radius = 10000.0 * KM * 5.0 * DAY
    expected = (1e43 / (4 * np.pi * 5.670374e-5 * radius**2)) ** 0.25
    assert temperature[0] == pytest.approx(expected, rel=1e-3)
    assert temperature[1] == pytest.approx(expected / np.sqrt(2.0), rel=2e-3)
    assert temperature[2] == pytest.approx(5000.0, rel=1e-6)


def test_blanketing_takes_the_ultraviolet_and_less_of_it_when_hot():
    through = photospheres.blanketing(np.array([6000.0, 12000.0]), WAVELENGTH, 4000.0)
    assert np.all(np.diff(through, axis=1) >= 0)
    assert np.interp(4000.0, WAVELENGTH, through[0]) == pytest.approx(0.5, abs=1e-3)
    assert np.interp(4000.0 / np.sqrt(2), WAVELENGTH, through[1]) == pytest.approx(0.5, abs=1e-3)


def test_a_line_absorbs_blueward_by_the_velocity_and_emits_at_rest():
    grid = np.linspace(5000.0, 8000.0, 3001)
    age = np.ones(2)
    for velocity in (5000.0, 10000.0):
        line = photospheres.Line(6355.0, absorbs=0.5)
        (factor, _) = photospheres.line_profiles((line,), grid, np.full(2, velocity), age)
        deepest = 6355.0 * (1 - velocity * KM / LIGHT_SPEED)
        assert grid[np.argmin(factor)] == pytest.approx(deepest, abs=1.5)
        assert factor.min() == pytest.approx(0.5, abs=1e-3)
    emission = photospheres.Line(6563.0, emits=2.0)
    (factor, _) = photospheres.line_profiles((emission,), grid, np.full(2, 5000.0), age)
    assert grid[np.argmax(factor)] == pytest.approx(6563.0, abs=1.5)


@pytest.mark.parametrize("when", ["always", "early", "peak", "late", "nebular"])
def test_seasons_are_between_none_and_all(when):
    strength = photospheres.season(when, np.geomspace(0.01, 100.0, 200))
    assert np.all((strength >= 0) & (strength <= 1))
    first, last = {"always": (1, 1), "early": (1, 0), "peak": (0, 0), "late": (0, 1), "nebular": (0, 1)}[when]
    assert strength[[0, -1]] == pytest.approx([first, last], abs=0.01)
