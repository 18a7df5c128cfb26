"""Every parametric series is whole, and looks like its class."""

from functools import cache

import numpy as np
import pytest
from skysynergy.simulators import parametric_series, series
from skysynergy.simulators.curves import filter_curve
from skysynergy.simulators.parametric_series import COUNT, KINDS
from skysynergy.simulators.transient_classes import CLASSES, OUT_OF_DISTRIBUTION

# Days from first light to maximum in blue light. CaRT about 12 to 15 (Kasliwal et al. 2012); IIn 20 +- 6 and
# 50 +- 11 (Nyholm et al. 2020, to two sigma); others: the range of every sample, order of magnitude.
RISES = {
    "Ia": (14.0, 21.0),
    "Ia-91bg": (11.0, 16.0),
    "II": (3.0, 14.0),
    "IIn": (8.0, 75.0),
    "IIb": (10.0, 26.0),
    "Ib": (10.0, 26.0),
    "Ic": (8.0, 26.0),
    "Ic-BL": (7.0, 22.0),
    "SLSN-I": (15.0, 85.0),
    "TDE": (12.0, 60.0),
    "KN": (0.2, 2.0),
    "Iax": (7.0, 20.0),
    "CaRT": (10.0, 16.0),
}


@cache
def made(kind, index):
    return parametric_series.parametric_series(kind, index)


@cache
def weights(band):
    """AB weights of a band on the wavelengths of the series, at redshift zero."""
    grid = parametric_series.WAVELENGTH
    curve, response = filter_curve(band)
    through = np.interp(grid, curve, response, left=0.0, right=0.0) * grid * np.gradient(grid)
    zero = 2.99792458e18 * 10 ** (-0.4 * 48.6) / grid**2
    return through / (through @ zero)


def light_curve(one, band):
    return -2.5 * np.log10(one.f_lambda[0] @ weights(band))


def at(one, band, *days):
    return np.interp(days, one.phase, light_curve(one, band))


def test_every_class_has_series_but_active_nuclei():
    assert set(KINDS) == (set(CLASSES) | set(OUT_OF_DISTRIBUTION)) - {"AGN"}
    assert set(RISES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_all_series_of_a_class_are_whole_and_rise_in_time(kind):
    rises = []
    for index in range(0, COUNT, 2):
        one = made(kind, index)
        assert one.name == f"parametric-{kind}-{index:02d}"
        assert 40 <= one.phase.size <= 70
        assert one.wavelength[0] <= 1000.0 and one.wavelength[-1] >= 25000.0
        light = one.f_lambda[0]
        assert np.all(np.isfinite(light)) and np.all(light > 0)
        # Smooth: what is seen of it changes little from one phase to the next, so that a spline follows.
        optical = light[:, (one.wavelength > 3500) & (one.wavelength < 10000)]
        after = one.phase > one.phase[0] + 0.15 * -one.phase[0]
        assert np.abs(np.diff(np.log(optical[after].mean(axis=1)))).max() < 0.9
        assert one.phase[0] < 0 < one.phase[-1]
        rises.append(-series.first_light(one))
    low, high = RISES[kind]
    assert low < min(rises) and max(rises) < high


@pytest.mark.parametrize("kind", KINDS)
def test_between_phases_a_spline_stays_positive(kind):
    for index in (0, 1, 5):
        one = made(kind, index)
        to_knots, first, tap = series.taps(one)
        light = one.f_lambda[0] @ weights("r")
        knots = to_knots @ light
        four = first[:, None] + np.arange(4)
        for u in (0.25, 0.5, 0.75):
            between = np.einsum("mjd,d,mj->m", tap, u ** np.arange(4), knots[four])
            ends = np.stack([light[:-1], light[1:]])
            assert np.all(between > 0.0)
            assert np.all(between < 1.25 * ends.max(axis=0))


def test_series_of_a_class_differ_and_are_always_the_same():
    first = parametric_series.parametric_series("Ib", 3)
    again = parametric_series.parametric_series("Ib", 3)
    np.testing.assert_array_equal(first.f_lambda, again.f_lambda)
    peaks = {float(light_curve(made("Ib", index), "r").min()) for index in range(0, COUNT, 2)}
    assert len(peaks) == COUNT // 2


def test_a_type_ia_is_blue_at_maximum_and_has_a_second_one_in_the_infrared():
    for index in range(0, COUNT, 6):
        one = made("Ia", index)
        assert -19.8 < light_curve(one, "g").min() < -18.3
        assert -0.2 < at(one, "g", 0)[0] - at(one, "r", 0)[0] < 0.25
        assert 0.5 < at(one, "g", 30)[0] - at(one, "r", 30)[0] < 1.2
        assert 0.5 < at(one, "g", 15)[0] - at(one, "g", 0)[0] < 1.3
        for band in ("i", "z", "y"):
            days = np.arange(-5.0, 50.0)
            curve = np.interp(days, one.phase, light_curve(one, band))
            # A local minimum of brightness after maximum, and a maximum 15 to 35 days after it.
            turns = np.flatnonzero((curve[1:-1] < curve[:-2]) & (curve[1:-1] <= curve[2:])) + 1
            assert any(12 <= days[turn] <= 36 for turn in turns), (index, band)


def test_a_91bg_is_redder_fainter_and_faster_than_a_type_ia_without_a_second_maximum():
    for index in range(0, COUNT, 6):
        plain, one = made("Ia", index), made("Ia-91bg", index)
        assert at(one, "g", 0)[0] > at(plain, "g", 0)[0] + 1.0
        assert at(one, "g", 0)[0] - at(one, "r", 0)[0] > at(plain, "g", 0)[0] - at(plain, "r", 0)[0] + 0.15
        assert np.ptp(at(one, "g", 0, 15)) > np.ptp(at(plain, "g", 0, 15)) + 0.2
        late = at(one, "i", *np.arange(8.0, 50.0))
        assert np.all(np.diff(late) > -0.005)


def test_a_type_ii_has_a_plateau_that_ends():
    drops = []
    for index in range(0, COUNT, 6):
        one = made("II", index)
        days = np.arange(20.0, 200.0)
        curve = np.interp(days, one.phase, light_curve(one, "r"))
        fall = np.diff(curve)
        assert 55.0 < days[np.argmax(fall)] < 140.0
        drops.append(fall.max() / np.median(fall[:25]))
        # The tail of 56Co falls by about 0.01 a day.
        assert 0.006 < np.median(fall[-20:]) < 0.02
    # The end is steeper than the plateau, but for those that decline all the way.
    assert np.mean(np.array(drops) > 3.0) > 0.6


def test_stripped_supernovae_are_redder_and_slower_than_their_broad_lined_kin():
    def median(kind, what):
        return np.median([what(made(kind, index)) for index in range(0, COUNT, 6)])

    for kind in ("IIb", "Ib", "Ic"):
        assert 0.0 < median(kind, lambda one: at(one, "g", 0)[0] - at(one, "r", 0)[0]) < 0.6
        assert median(kind, lambda one: one.phase[0]) < median("Ic-BL", lambda one: one.phase[0])
        assert median(kind, lambda one: at(one, "r", 0)[0]) > median("Ic-BL", lambda one: at(one, "r", 0)[0])


def test_hot_ones_are_blue_and_kilonovae_redden_and_vanish():
    for index in range(0, COUNT, 6):
        tde, kilonova, slsn = made("TDE", index), made("KN", index), made("SLSN-I", index)
        # A black body of 12,000 to 35,000 K: g - r from 0 to -0.45; it stays so for months.
        assert -0.5 < at(tde, "g", 0)[0] - at(tde, "r", 0)[0] < 0.05
        assert abs(np.subtract(*at(tde, "g", 0, 60)) - np.subtract(*at(tde, "r", 0, 60))) < 0.15
        assert at(slsn, "g", 0)[0] < -20.0
        assert at(kilonova, "r", 4)[0] > at(kilonova, "r", 0)[0] + 1.0
        colour = at(kilonova, "r", 0, 4) - at(kilonova, "z", 0, 4)
        assert colour[1] > colour[0] + 0.5


def test_light_is_that_of_the_black_bodies_whatever_the_lines():
    recipe = parametric_series._RECIPES["Ia"](np.random.default_rng(1))
    days = np.geomspace(5.0, 100.0, 8)
    (part,) = recipe.parts
    spectra = parametric_series._spectra(recipe, days)
    grid = parametric_series.WAVELENGTH
    bolometric = np.interp(days, parametric_series._DAYS, part.luminosity)
    sphere = 4 * np.pi * 3.0856776e19**2
    # Little of a black body of 5000 K and more lies outside 1000 Angstrom to 2.5 micrometres.
    ratio = np.trapezoid(spectra, grid) * sphere / bolometric
    assert np.all((ratio > 0.93) & (ratio < 1.01))


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="no class of parametric series is called 'IIx'"):
        parametric_series.parametric_series("IIx", 0)
    with pytest.raises(ValueError, match="none of index 48"):
        parametric_series.parametric_series("Ia", COUNT)
