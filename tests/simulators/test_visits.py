"""Visits as arrays say what single visits say, and depth and noise are each other's inverse."""

import numpy as np
import pytest
from skysynergy.simulators.surveys import BANDS, SURVEYS
from skysynergy.simulators.visits import (
    Visit,
    Visits,
    attainable,
    background_variance_e2,
    deepest,
    five_sigma_depth,
    widest_fwhm_eff,
)

SOME = [
    Visit("r", 61000.2, 0.9, 24.1, 1.1),
    Visit("VIS", 60500.0, 0.24, 26.8, 1.0),
    Visit("u", 61001.1, 1.1, 24.3, 1.3, condensed=4),
]


def test_arrays_and_single_visits_are_the_same():
    visits = Visits.of(SOME)
    assert list(visits) == SOME
    assert [visits[k] for k in range(3)] == SOME
    assert visits.bands == ["r", "VIS", "u"]
    assert list(visits[1:]) == SOME[1:]
    assert list(visits[np.array([True, False, True])]) == [SOME[0], SOME[2]]
    assert list(visits.in_band("u")) == [SOME[2]]
    assert len(Visits.of([])) == 0


def test_joined_visits_are_sorted_by_time():
    joined = Visits.joined(Visits.of(SOME[:1]), Visits.of(SOME[1:]))
    assert list(joined) == [SOME[1], SOME[0], SOME[2]]


def test_noise_and_exposure_of_many_are_those_of_each():
    visits = Visits.of(SOME)
    np.testing.assert_allclose(visits.background_variance_e2, [background_variance_e2(v) for v in SOME])
    np.testing.assert_allclose(visits.exposure_s, [visit.exposure_s for visit in SOME])


@pytest.mark.parametrize("name", BANDS)
def test_a_visit_at_its_limit_is_the_deepest_and_has_the_widest_seeing(name):
    code, fwhm = np.array([BANDS[name].code]), np.array([0.8])
    m5 = deepest(code, fwhm)
    assert widest_fwhm_eff(code, m5) == pytest.approx(0.8)
    limit = Visit(name, 61000.0, 0.8, float(m5[0]), 1.0)
    at_least = background_variance_e2(limit)
    assert five_sigma_depth(BANDS[name], limit.exposure_s, 0.8, at_least) == pytest.approx(limit.m5)
    # The same floor as `attainable`, which knows single visits: deeper ones come back to it.
    deeper = Visit(name, 61000.0, 0.8, limit.m5 + 0.5, 1.0)
    n_eff = 2.266 * (0.8 / SURVEYS[BANDS[name].survey].pixel_arcsec) ** 2
    assert attainable(deeper, n_eff).m5 == pytest.approx(limit.m5)


def test_no_seeing_is_sharp_enough_for_absurd_depths():
    assert widest_fwhm_eff(np.array([3]), np.array([32.0])) == 0


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one axis of one length"):
        Visits(np.zeros(2, np.int8), np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3), np.ones(3, np.int8))


def test_an_unknown_band_is_refused():
    with pytest.raises(ValueError, match="did you mean VIS"):
        Visits.of(SOME).in_band("vis")
