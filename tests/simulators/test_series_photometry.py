"""Photometry of series against closed forms and against integrals done one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators.curves import filter_curve
from skysynergy.simulators.reddening import fitzpatrick
from skysynergy.simulators.series import Series
from skysynergy.simulators.series_magnitudes import amplitude, peak_magnitude
from skysynergy.simulators.series_photometry import LSST_AND_EUCLID, covered, light_of, photometry
from skysynergy.simulators.spectra import synthetic_flux
from skysynergy.simulators.surveys import BANDS, flux_from_mag

LIGHT_SPEED = 2.99792458e18  # Angstrom/s
WAVELENGTH = np.geomspace(1100.0, 26_000.0, 1500)
PHASE = np.arange(-20.0, 61.0, 2.0)
CODES = np.array([BANDS[name].code for name in LSST_AND_EUCLID])


def spectrum(phase, wavelength):
    """A black body that cools, with a line."""
    temperature = 12_000.0 - 60.0 * phase
    body = 1e16 * wavelength**-5.0 / np.expm1(1.438777e8 / (wavelength * temperature))
    line = 1.0 - 0.3 * np.exp(-0.5 * ((wavelength - 6150.0) / 80.0) ** 2)
    return body * line * np.exp(-0.5 * (phase / 15.0) ** 2)


def of(flux, **options):
    return Series("example", PHASE, WAVELENGTH, flux(PHASE[:, None], WAVELENGTH)[None], **options)


@pytest.fixture(scope="module")
def lit():
    return light_of(of(spectrum))


def in_all_bands(lit, phase, z, **options):
    """(bands,) at one rest-frame phase."""
    days = np.full(CODES.size, phase * (1.0 + z))
    return photometry(lit, row_size=[CODES.size], days=days, band=CODES, z=z, **options)


def observed(phase, z, wavelength):
    return spectrum(phase, wavelength / (1.0 + z)) / (1.0 + z)


def test_a_flat_spectrum_has_the_same_flux_in_all_bands():
    """f_nu = 1 nJy at all wavelengths; redshifted it is 1 + z times that: f_lambda goes as 1 / lambda^2."""
    flat = of(lambda phase, wave: 1e-32 * LIGHT_SPEED / wave**2 + 0 * phase)
    lit = light_of(flat)
    for z in (0.0, 0.37, 1.0):
        np.testing.assert_allclose(in_all_bands(lit, 3.3, z), 1.0 + z, rtol=2e-6)


@pytest.mark.parametrize("z", [0.0, 0.123, 0.71])
def test_it_is_the_integral_of_the_spectrum(lit, z):
    wavelength = np.linspace(3000.0, 22_000.0, 40_000)
    expected = [synthetic_flux(wavelength, observed(7.7, z, wavelength), name) for name in LSST_AND_EUCLID]
    np.testing.assert_allclose(in_all_bands(lit, 7.7, z), expected, rtol=2e-5)


@pytest.mark.parametrize("r_v", [2.0, 3.1])
@pytest.mark.parametrize("z", [0.05, 0.4, 0.9])
def test_dust_is_right_to_a_thousandth_of_a_magnitude(lit, z, r_v):
    dust = {"host_excess": 0.4, "host_rv": r_v, "galactic_excess": 0.15}
    wavelength = np.linspace(3000.0, 22_000.0, 40_000)
    dimmed = 0.4 * fitzpatrick(wavelength / (1.0 + z), r_v) + 0.15 * fitzpatrick(wavelength)
    dimmed = observed(2.2, z, wavelength) * 10.0 ** (-0.4 * dimmed)
    expected = [synthetic_flux(wavelength, dimmed, name) for name in LSST_AND_EUCLID]
    ratio = in_all_bands(lit, 2.2, z, **dust) / expected
    assert np.abs(2.5 * np.log10(ratio)).max() < 1e-3


def test_stretch_and_colour_are_those_of_salt():
    law = (WAVELENGTH - 4300.0) / -1100.0
    law = np.clip(law, -3.0, 3.0)
    second = 0.1 * np.sin(WAVELENGTH / 2000.0) * np.exp(-0.5 * ((PHASE[:, None] - 15.0) / 10.0) ** 2)
    first = spectrum(PHASE[:, None], WAVELENGTH)
    salt = Series("salt", PHASE, WAVELENGTH, np.stack([first, second * first]), colour_law=law)
    given = {"stretch": 1.3, "colour": 0.12}
    mixed = (first + 1.3 * second * first) * 10.0 ** (-0.4 * 0.12 * law)
    alone = light_of(replace(salt, f_lambda=mixed[None], colour_law=None))
    seen = in_all_bands(light_of(salt), 11.0, 0.3, **given)
    np.testing.assert_allclose(seen, in_all_bands(alone, 11.0, 0.3), rtol=1e-3)


def test_before_first_light_and_after_the_last_phase(lit):
    z = 0.5
    first, last = lit.first_light, PHASE[-1]
    asked = np.array([first - 100.0, first - 1e-6, (first + PHASE[0]) / 2, PHASE[0], last, last + 50.0])
    flux = photometry(
        lit, row_size=[6], days=asked * (1 + z), band=np.full(6, BANDS["r"].code), z=z, amplitude=1e10
    )
    assert np.all(flux[:2] == 0)
    assert flux[2] == pytest.approx(flux[3] / 4)
    assert flux[5] == pytest.approx(flux[4] * np.exp(-50.0 / lit.decline))


def test_flux_goes_on_without_a_step_at_either_end(lit):
    for end in (PHASE[0], PHASE[-1]):
        around = end + np.array([-1e-7, 1e-7])
        flux = photometry(lit, row_size=[2], days=around, band=[1, 1], z=0.0)
        assert flux[0] == pytest.approx(flux[1], rel=1e-5)


def test_a_transient_does_not_depend_on_those_beside_it(lit):
    rng = np.random.default_rng(5)
    row_size = rng.integers(0, 9, 700)
    total = row_size.sum()
    days, band = rng.uniform(-60.0, 150.0, total), rng.choice(CODES, total)
    each = {"z": rng.uniform(0, 1, 700), "host_excess": rng.uniform(0, 0.5, 700)}
    together = photometry(lit, row_size=row_size, days=days, band=band, **each)
    ends = np.cumsum(row_size)
    for index in (0, 255, 256, 699):
        own = slice(ends[index] - row_size[index], ends[index])
        alone = {name: value[index] for name, value in each.items()}
        flux = photometry(lit, row_size=row_size[[index]], days=days[own], band=band[own], **alone)
        np.testing.assert_array_equal(flux, together[own])


def test_it_holds_at_any_redshift(lit):
    """Beyond the Lyman limit all is dark: u at redshift 12, all bands at 40."""
    flux = in_all_bands(lit, 0.0, 12.0)
    assert flux[0] < 1e-6 * flux[-1] and flux[-1] > 0
    assert np.all(in_all_bands(lit, 0.0, 40.0) == 0)


def test_covered_tells_where_a_template_ends():
    short = Series("short", PHASE, WAVELENGTH[600:1000], of(spectrum).f_lambda[..., 600:1000])
    lit = light_of(short, ("u", "r", "H"))
    low, high = WAVELENGTH[600], WAVELENGTH[999]  # 3900 to 9100 Angstrom
    assert low < 4000 < 9000 < high
    at_rest, redshifted = covered(lit, [0.0, 0.9])
    assert at_rest[0] < 0.3 and at_rest[1] > 0.999 and at_rest[2] == 0.0
    # In its frame H lies from 7900 to 10,700 Angstrom then, u from 1690 to 2110.
    assert 0.3 < redshifted[2] < 0.45 and redshifted[0] < 1e-2
    # The black body beyond is like the spectrum, which is one.
    complete = light_of(of(spectrum), ("u", "r", "H"))
    options = {"row_size": [3], "days": [0.0] * 3, "band": [BANDS[name].code for name in "urH"], "z": 0.0}
    np.testing.assert_allclose(photometry(lit, **options), photometry(complete, **options), rtol=0.15)


def test_amplitude_gives_the_magnitude():
    """A source of absolute magnitude -19 at 100 Mpc has 16 in the band in question, at redshift 0."""
    series = of(spectrum)
    template = peak_magnitude(series, *filter_curve("r"))
    factor = amplitude(-19.0, 35.0, template)
    phase = np.linspace(-5.0, 5.0, 1001)
    flux = photometry(
        light_of(series, ("r",)),
        row_size=[phase.size],
        days=phase,
        band=np.full(phase.size, BANDS["r"].code),
        z=0.0,
        amplitude=factor,
    )
    assert flux.max() == pytest.approx(flux_from_mag(16.0), rel=1e-3)


def test_nothing_to_observe(lit):
    assert photometry(lit, row_size=[], days=[], band=np.array([], int), z=0.1).size == 0
    assert photometry(lit, row_size=[0, 0], days=[], band=np.array([], int), z=0.1).size == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"row_size": [3]}, "adds up to 3"),
        ({"row_size": [1, 1, -1, 1]}, "whole number"),
        ({"days": [0.0, np.nan]}, "observation 1"),
        ({"days": [0.0]}, "one length"),
        ({"band": [1, 99]}, "code 99"),
        ({"band": [1, 12]}, r"was made ready for u \(0\) g"),
        ({"z": -0.1}, "zero or more"),
        ({"z": [0.1, 0.2, 0.3]}, "one for each of the 1"),
        ({"amplitude": np.inf}, "not finite"),
        ({"host_rv": 0.0}, "positive"),
        ({"stretch": 1.0}, "stretch"),
        ({"colour": 0.1}, "colour"),
    ],
)
def test_observations_that_cannot_be(lit, changed, message):
    good = {"row_size": [2], "days": [0.0, 1.0], "band": [1, 2], "z": 0.1}
    with pytest.raises(ValueError, match=message):
        photometry(lit, **(good | changed))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bands": ("r", "r")}, "each once"),
        ({"bands": ("q",)}, "no band"),
        ({"first_light_phase": 0.0}, "after the first phase"),
        ({"decline": 0.0}, "positive number"),
    ],
)
def test_light_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        light_of(of(spectrum), **options)
