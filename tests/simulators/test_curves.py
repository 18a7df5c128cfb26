"""Filter curves are those of the libraries that the descriptions name."""

from dataclasses import replace

import numpy as np
import pytest
import speclite.filters
from skysynergy.simulators import curves
from skysynergy.simulators.curves import filter_curve
from skysynergy.simulators.surveys import BANDS


@pytest.mark.parametrize("band", BANDS)
def test_a_curve_rises_in_wavelength_and_lets_no_more_through_than_comes(band):
    wavelength, response = filter_curve(band)
    assert wavelength.shape == response.shape and np.all(np.diff(wavelength) > 0)
    assert response.min() >= 0 and 0.1 < response.max() < 1
    # It comes down at both ends.
    assert max(response[0], response[-1]) < 0.01 * response.max()
    with pytest.raises(ValueError, match="read-only"):
        response[0] = 1.0


def test_a_curve_of_speclite_is_that_of_speclite():
    wavelength, response = filter_curve("VIS")
    theirs = speclite.filters.load_filter("Euclid-VIS")
    np.testing.assert_array_equal(wavelength, theirs.wavelength)
    np.testing.assert_array_equal(response, theirs.response)


def test_a_curve_of_galsim_is_an_effective_area():
    import galsim.roman

    # galsim/share/roman: F184 has an effective area of about 2.8 m^2 at its best.
    area_cm2 = 40_000.0
    wavelength, response = curves.LIBRARIES["galsim.roman"]("F184", area_cm2)
    theirs = galsim.roman.getBandpass("F184")
    nm = np.linspace(theirs.blue_limit, theirs.red_limit, 200)
    effective = np.interp(10 * nm, wavelength, response) * area_cm2
    np.testing.assert_allclose(effective, theirs(nm) * galsim.roman.collecting_area, atol=0.01 * area_cm2)
    assert effective.max() == pytest.approx(2.8e4, rel=0.05)


def test_an_unknown_library_is_refused(monkeypatch):
    monkeypatch.setitem(BANDS, "u", replace(BANDS["u"], curve="mine:u"))
    filter_curve.cache_clear()
    with pytest.raises(ValueError, match=r"'mine:u' of band u .* begins with speclite: or galsim\.roman:"):
        filter_curve("u")
    filter_curve.cache_clear()
    with pytest.raises(ValueError, match="did you mean VIS"):
        filter_curve("vis")
