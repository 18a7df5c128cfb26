"""Populations against numerical integrals, and classes against each other."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import cumulative_simpson, quad
from scipy.stats import kstest
from skysynergy.simulators import transient_population as population
from skysynergy.simulators.planes import OMEGA_M
from skysynergy.simulators.transient_classes import (
    CLASSES,
    OUT_OF_DISTRIBUTION,
    Skewed,
    find_class,
    star_formation,
)

ALL = CLASSES | OUT_OF_DISTRIBUTION
COSMOLOGY = FlatLambdaCDM(H0=population.H0, Om0=OMEGA_M, Tcmb0=0.0)


def shell(kind):
    """Of the whole sky, per unit redshift and year, from astropy."""
    found = find_class(kind)

    def number(z):
        volume = 4 * np.pi * COSMOLOGY.differential_comoving_volume(z).to_value("Mpc3/sr")
        return float(found.rate(np.array(z))) * volume / (1.0 if found.always else 1.0 + z)

    return number


def test_the_tables_hold_what_is_asked_for():
    assert " ".join(CLASSES) == "Ia Ia-91bg II IIn IIb Ib Ic Ic-BL SLSN-I TDE KN AGN"
    assert set(OUT_OF_DISTRIBUTION) == {"Iax", "CaRT"}
    assert pickle.loads(pickle.dumps(ALL)).keys() == ALL.keys()  # noqa: S301 (our own, as workers get them)


def test_distances_are_those_of_astropy():
    z = np.array([0.01, 0.1, 1.0, 3.5])
    np.testing.assert_allclose(population.distance_modulus(z), COSMOLOGY.distmod(z).value, atol=1e-4)


@pytest.mark.parametrize("kind", ALL)
def test_numbers_are_those_of_the_integral(kind):
    # The rates of Ia and AGN have a break at these redshifts.
    ends = [population.Z_MIN, *(z for z in (1.0, 2.2) if z < ALL[kind].z_max), ALL[kind].z_max]
    expected = sum(quad(shell(kind), *pair, epsrel=1e-5)[0] for pair in pairwise(ends))
    expected *= 10.0 / (129600 / np.pi)
    years = 1.0 if ALL[kind].always else 3.0
    number = population.expected_number(kind, square_degrees=10.0, years=3.0)
    assert number == pytest.approx(years * expected, rel=1e-3)


def test_a_constant_rate_fills_the_volume():
    # Nearby, (1 + z) changes little: the number is rate x volume of a sphere.
    number = population.expected_number("KN", square_degrees=129600 / np.pi, years=1.0, z_max=0.05)
    sphere = (COSMOLOGY.comoving_volume(0.05) - COSMOLOGY.comoving_volume(0.01)).to_value("Mpc3")
    assert number == pytest.approx(3.2e-7 * sphere / 1.038, rel=0.003)


@pytest.mark.parametrize("kind", ["Ia", "II", "SLSN-I", "AGN"])
def test_redshifts_are_drawn_as_the_numbers_go(kind):
    z_max = ALL[kind].z_max
    drawn = population.draw_population(np.random.default_rng(2), kind, 20000).z
    grid = np.linspace(population.Z_MIN, z_max, 301)
    number = np.array([shell(kind)(z) for z in grid])
    cumulative = cumulative_simpson(number, x=grid, initial=0.0)
    test = kstest(drawn, lambda z: np.interp(z, grid, cumulative / cumulative[-1]))
    assert test.pvalue > 1e-3
    assert drawn.min() >= population.Z_MIN and drawn.max() <= z_max


@given(
    peak=st.floats(-20, 5),
    below=st.floats(0.05, 3),
    above=st.floats(0.05, 3),
    cut=st.floats(0.3, 4),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=25)
def test_skewed_numbers_have_their_density(peak, below, above, cut, seed):
    shape = Skewed(peak, below, above, peak - cut * below, peak + 2.0 * above)
    drawn = population.draw_skewed(np.random.default_rng(seed), shape, 4000)
    grid = np.linspace(shape.low, shape.high, 4001)
    density = np.exp(-0.5 * ((grid - peak) / np.where(grid < peak, below, above)) ** 2)
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    test = kstest(drawn, lambda x: np.interp(x, grid, cumulative / cumulative[-1]))
    assert test.pvalue > 1e-5


def test_type_ia_follow_tripp():
    ia = population.draw_population(np.random.default_rng(3), "Ia", 50000)
    left = ia.absolute_magnitude + 0.14 * ia.stretch - 3.1 * ia.colour
    assert left.mean() == pytest.approx(-19.4, abs=0.002)
    assert left.std() == pytest.approx(0.10, rel=0.1)
    # The mean of two halves of Gaussians: peak + sqrt(2 / pi) (above - below), but for the cuts.
    assert ia.colour.mean() == pytest.approx(-0.054 + np.sqrt(2 / np.pi) * (0.101 - 0.043), abs=0.002)
    assert not ia.host_excess.any()


def test_disruptions_have_the_power_law_of_their_luminosities():
    drawn = population.draw_population(np.random.default_rng(4), "TDE", 200000).absolute_magnitude
    # N(< L) of dN/dL ~ L^-2.5: each magnitude has 10^0.6 times fewer.
    counts = np.histogram(drawn, np.arange(-21.0, -16.9))[0]
    np.testing.assert_allclose(counts[1:] / counts[:-1], 10**0.6, rtol=0.07)


@pytest.mark.parametrize("kind", ALL)
def test_every_class_is_drawn_whole(kind):
    drawn = population.draw_population(np.random.default_rng(6), kind, 3000)
    for name in ("z", "absolute_magnitude", "host_excess", "galactic_excess", "host_magnitude", "colour"):
        values = getattr(drawn, name)
        assert values.shape == (3000,) and np.all(np.isfinite(values)), name
    found = ALL[kind]
    assert np.all(drawn.host_excess >= 0) and drawn.host_excess.max() <= found.dust.most
    assert 0.02 < drawn.galactic_excess.mean() < 0.06 and drawn.galactic_excess.max() <= 0.2
    # Near enough that LSST sees the brightest there.
    assert 18.0 < found.luminosity.brightest + population.distance_modulus(found.z_max) < 26.0
    assert population.draw_population(np.random.default_rng(6), kind, 0).z.shape == (0,)


def test_rates_agree_with_what_is_measured():
    at_zero = {name: float(kind.rate(np.array(0.0))) for name, kind in ALL.items()}
    collapsing = ("II", "IIn", "IIb", "Ib", "Ic", "Ic-BL")
    collapse = [at_zero[name] for name in collapsing]
    # Strolger et al. (2015, abstract): 0.72 +- 0.06 e-4 at z < 0.08, so at 0.04 on average or a little more.
    near = sum(float(CLASSES[name].rate(np.array(0.05))) for name in collapsing)
    assert near == pytest.approx(0.72e-4, abs=0.06e-4)
    assert sum(collapse) == pytest.approx(6.2e-5, rel=0.01)
    # Foley et al. (2013): 31 (+17 -13) Iax for 100 Ia.
    assert 0.18 < at_zero["Iax"] / at_zero["Ia"] < 0.48
    assert float(star_formation(0.0)) == pytest.approx(1.0)
    grid = np.linspace(0, 6, 601)
    # Madau & Dickinson (2014, abstract): the maximum is at z = 1.9.
    assert grid[np.argmax(star_formation(grid))] == pytest.approx(1.9, abs=0.06)
    assert float(CLASSES["Ia"].rate(np.array(1.0 - 1e-9))) == pytest.approx(
        float(CLASSES["Ia"].rate(np.array(1.0))), rel=0.05
    )


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="no class of transients is called 'Ia-91T'"):
        find_class("Ia-91T")
    with pytest.raises(ValueError, match="zero or more transients"):
        population.draw_population(np.random.default_rng(0), "Ia", -1)
    with pytest.raises(ValueError, match="beyond z = 0.01"):
        population.draw_population(np.random.default_rng(0), "Ia", 1, z_max=0.005)
    with pytest.raises(ValueError, match="widths are positive"):
        Skewed(0.0, 1.0, -1.0, -1.0, 1.0)
