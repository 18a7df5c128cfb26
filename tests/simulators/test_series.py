"""Spectral time series: interpolation, and how they go on beyond their ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RectBivariateSpline
from skysynergy.simulators.series import Series, decline_days, evaluated, first_light, law_at, taps

HC_K = 1.438777e8  # Angstrom K


def series(flux, phase=None, wavelength=None, **options):
    wavelength = np.linspace(3000.0, 10_000.0, 701) if wavelength is None else wavelength
    phase = np.arange(-20.0, 81.0, 4.0) if phase is None else phase
    light = flux(phase[:, None], wavelength) * np.ones((phase.size, wavelength.size))
    return Series("example", phase, wavelength, light[None], **options)


def black_body(wavelength, temperature):
    return wavelength**-5.0 / np.expm1(HC_K / (wavelength * temperature))


def between(one, phase):
    """What `taps` make of a series at a phase."""
    to_knots, first, weights = taps(one)
    interval = np.clip(np.searchsorted(one.phase, phase, side="right") - 1, 0, one.phase.size - 2)
    u = (phase - one.phase[interval]) / (one.phase[interval + 1] - one.phase[interval])
    four = np.minimum(first[interval, None] + np.arange(4), one.phase.size - 1)
    weight = np.einsum("njd,nd->nj", weights[interval], u[:, None] ** np.arange(4))
    return np.einsum("nj,njw->nw", weight, (to_knots @ one.f_lambda[0])[four])


@given(st.integers(2, 30), st.integers(0, 2**32))
def test_a_spline_in_phase_is_that_of_scipy(size, seed):
    rng = np.random.default_rng(seed)
    phase = np.cumsum(rng.uniform(0.3, 4.0, size))
    wavelength = np.linspace(3000.0, 9000.0, 12)
    light = rng.normal(size=(size, 12))
    one = Series("random", phase, wavelength, light[None])
    expected = RectBivariateSpline(phase, wavelength, light, kx=min(3, size - 1), ky=3, s=0)
    asked = np.sort(rng.uniform(phase[0], phase[-1], 40))
    np.testing.assert_allclose(between(one, asked), expected(asked, wavelength), atol=1e-9)


def test_straight_lines_in_phase():
    one = series(lambda phase, wave: np.abs(phase) + wave / 1e4, interpolation="linear")
    asked = np.array([-20.0, -3.0, 1.0, 79.9])
    expected = [np.interp(asked, one.phase, one.f_lambda[0, :, k]) for k in (0, 350, 700)]
    np.testing.assert_allclose(between(one, asked)[:, [0, 350, 700]].T, expected, rtol=1e-12)


def test_convolution_is_right_to_third_order_within_and_straight_at_the_ends():
    """Keys (1981): a parabola is reproduced; the error of a smooth function falls as the cube of the step."""
    parabola = series(lambda phase, wave: 1e4 + phase**2, interpolation="convolution")
    asked = np.array([-15.0, 0.3, 33.3])
    np.testing.assert_allclose(between(parabola, asked)[:, 0], 1e4 + asked**2, rtol=1e-12)
    assert between(parabola, np.array([-18.0]))[0, 0] == pytest.approx(1e4 + (400 + 256) / 2)


def test_a_black_body_goes_on_as_a_black_body():
    one = series(lambda phase, wave: black_body(wave, 9000.0 - 50.0 * phase))
    wavelength = np.linspace(1800.0, 20_000.0, 500)
    seen = evaluated(one, wavelength)[0]
    truth = black_body(wavelength, 9000.0 - 50.0 * one.phase[:, None])
    np.testing.assert_allclose(seen, truth, rtol=0.05)
    inside = (wavelength > 3000) & (wavelength < 10_000)
    np.testing.assert_allclose(seen[:, inside], truth[:, inside], rtol=1e-7)


def test_zeros_that_pad_a_series_are_not_its_light():
    one = series(lambda phase, wave: np.where(wave < 9500.0, black_body(wave, 8000.0), 0.0))
    assert one.covers == (3000.0, 9490.0)
    assert np.all(evaluated(one, np.array([9800.0, 15_000.0])) > 0)


def test_what_has_no_light_at_its_edge_stays_dark_beyond():
    one = series(lambda phase, wave: np.where((wave > 4000) | (phase > 0), 1.0, 0.0))
    dark = evaluated(one, np.array([2500.0]))[0, :, 0]
    assert np.all(dark[one.phase <= 0] == 0) and np.all(dark[one.phase > 0] > 0)


def test_the_decline_is_that_of_the_last_days():
    one = series(lambda phase, wave: np.exp(-phase / 30.0))
    assert decline_days(one) == pytest.approx(30.0)
    assert decline_days(series(lambda phase, wave: np.exp(phase / 30.0))) == pytest.approx(111.38, abs=0.01)
    assert decline_days(series(lambda phase, wave: np.exp(-phase))) == pytest.approx(8.77, abs=0.01)


def test_first_light_is_where_a_rising_square_begins():
    assert first_light(series(lambda phase, wave: (phase + 29.0) ** 2)) == pytest.approx(-29.0)
    assert first_light(series(lambda phase, wave: np.maximum(phase, -20.0) + 20.0)) == -20.0  # dark then
    assert first_light(series(lambda phase, wave: np.exp(-phase / 50.0))) == -40.0  # falling: unknown


def test_a_colour_law_goes_on_straight():
    one = series(lambda phase, wave: 1.0, colour_law=np.linspace(3000.0, 10_000.0, 701) / -1e4)
    np.testing.assert_allclose(law_at(one, np.array([2000.0, 4321.0, 15_000.0])), [-0.2, -0.4321, -1.5])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"phase": np.array([1.0, 1.0])}, "increasing"),
        ({"wavelength": np.arange(3.0)}, "at least 4"),
        ({"f_lambda": np.ones((2, 5))}, "must be"),
        ({"f_lambda": np.full((1, 2, 5), np.nan)}, "finite"),
        ({"interpolation": "nearest"}, "nearest"),
        ({"colour_law": np.ones(4)}, "colour law"),
    ],
)
def test_series_that_cannot_be(changed, message):
    good = {"phase": np.arange(2.0), "wavelength": np.arange(5.0) + 1, "f_lambda": np.ones((1, 2, 5))}
    with pytest.raises(ValueError, match=message):
        Series("bad", **(good | changed))


def test_a_series_without_light():
    with pytest.raises(ValueError, match="no light"):
        _ = series(lambda phase, wave: 0.0).covers
