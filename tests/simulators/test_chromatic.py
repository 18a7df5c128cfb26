"""Bins of wavelength: fractions that add up, against integrals done another way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from skysynergy.simulators.chromatic import (
    REFERENCE_K,
    bin_edges_nm,
    mixed,
    photon_fractions,
    reference_fractions,
    wavelengths,
)
from skysynergy.simulators.curves import filter_curve
from skysynergy.simulators.surveys import BANDS


def photons(band, low, high, spectrum):
    """Of a spectrum (of nm) through a band, by quadrature between two wavelengths."""
    wavelength, response = filter_curve(band)

    def rate(nm):
        return np.interp(10 * nm, wavelength, response, 0, 0) * spectrum(nm) * nm

    grid = np.linspace(low, high, 40_001)
    values = rate(grid)
    return np.sum((values[1:] + values[:-1]) / 2) * (grid[1] - grid[0])


def star(nm):
    return nm**-5.0 / np.expm1(1.438777e7 / nm / REFERENCE_K)


@pytest.mark.parametrize("band", BANDS)
def test_bins_span_the_light_of_the_reference_star(band):
    edges = bin_edges_nm(band, 5)
    inner = np.diff(edges)[1:-1]
    np.testing.assert_allclose(inner, inner[0], rtol=1e-9)
    total = photons(band, edges[0], edges[-1], star)
    found = [photons(band, a, b, star) / total for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(reference_fractions(band, edges), found, atol=2e-3)
    assert reference_fractions(band, edges).sum() == pytest.approx(1, abs=1e-12)
    assert min(found) > 0.04  # none is idle
    # All of the band is in them, but for what lies below a thousandth of the peak: 0.7 % in u, which leaks.
    assert total / photons(band, 300, 2600, star) == pytest.approx(1, abs=8e-3 if band == "u" else 2e-3)


@pytest.mark.parametrize("band", ["u", "g", "VIS", "H"])
def test_fractions_of_a_spectrum_are_those_of_quadrature(band):
    edges = bin_edges_nm(band, 4)
    nm = np.linspace(200, 2500, 20_001)
    slopes = (-3.0, 0.0, 2.0)
    found = photon_fractions(nm, np.array([nm**s for s in slopes]), band, edges)
    for row, slope in zip(found, slopes, strict=True):
        parts = [photons(band, a, b, lambda w, s=slope: w**s) for a, b in itertools.pairwise(edges)]
        np.testing.assert_allclose(row, np.array(parts) / sum(parts), atol=2e-3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    assert found[2, -1] > found[1, -1] > found[0, -1]  # a red spectrum shines in the red


def test_no_light_at_all_is_taken_as_that_of_the_star():
    edges = bin_edges_nm("u", 3)
    dark = photon_fractions([200, 2500], np.zeros((2, 2)), "u", edges)
    np.testing.assert_allclose(dark, [reference_fractions("u", edges)] * 2, atol=1e-12)


def test_wavelengths_average_to_that_of_the_star():
    low, high = bin_edges_nm("VIS", 1)
    mean = photons("VIS", low, high, lambda w: star(w) * w)
    mean /= photons("VIS", low, high, star)
    for count in (1, 4, 16):
        assert wavelengths("VIS", low, high, count).mean() == pytest.approx(mean, rel=1e-4)
    assert np.all(np.diff(wavelengths("VIS", low, high, 16)) > 0)


def test_images_are_mixed_by_fraction():
    images = np.arange(8.0).reshape(2, 2, 2)
    np.testing.assert_allclose(mixed(images, [0.25, 0.75]), 0.25 * images[0] + 0.75 * images[1])
    assert mixed(images, np.ones((5, 2, 2)) / 2).shape == (5, 2, 2, 2)  # (source, component) at once


@pytest.mark.parametrize("edges", [[500.0], [600.0, 500.0], [[500.0, 600.0]], [500.0, np.nan]])
def test_edges_that_do_not_increase_are_refused(edges):
    with pytest.raises(ValueError, match="two or more increasing wavelengths"):
        reference_fractions("VIS", edges)


def test_other_nonsense_is_refused():
    with pytest.raises(ValueError, match="at least one bin"):
        bin_edges_nm("g", 0)
    with pytest.raises(ValueError, match="no light between"):
        wavelengths("g", 900.0, 950.0, 2)
    with pytest.raises(ValueError, match="no band is called"):
        bin_edges_nm("VISS", 3)
