"""What a survey notices of a transient and what it keeps, against loops that do the same one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.simulators.early import FROM_FIRST_DETECTION, FROM_PEAK, PHASES, draw_cuts
from skysynergy.simulators.epochs import Epochs
from skysynergy.simulators.lightcurves import DETECTION, TRIGGER_DAYS, observe, rows_between

N_BANDS = 11


def epochs(mjd, band=2, m5=24.0):
    n = len(mjd)
    return Epochs(
        np.full(n, band, np.int8), np.array(mjd, float), np.full(n, m5), np.full(n, 0.9), np.ones(n, int)
    )


def look(mjd, fluxes, **options):
    """Objects that are all looked at in all epochs."""
    place = epochs(mjd)
    flux = np.array(fluxes, float)
    return observe(
        np.random.default_rng(1),
        place,
        np.full(len(flux), len(mjd)),
        np.tile(np.arange(len(mjd)), len(flux)),
        flux.ravel(),
        surface_brightness=np.zeros((len(flux), N_BANDS)),
        **options,
    )


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=8))
def test_rows_are_those_of_a_loop(pairs):
    place = epochs(np.sort(np.random.default_rng(0).uniform(0, 100, 40)))
    begin, end = (np.array([p[0] for p in pairs]), np.array([p[0] + p[1] for p in pairs]))
    row_size, rows = rows_between(place, begin, end)
    expected = [np.flatnonzero((place.mjd >= a) & (place.mjd <= b)) for a, b in zip(begin, end, strict=True)]
    assert row_size.tolist() == [len(one) for one in expected]
    assert rows.tolist() == [row for one in expected for row in one]


def test_two_detections_half_an_hour_apart_are_noticed():
    bright = 1e4
    mjd = [0.0, TRIGGER_DAYS / 2, 1.0]
    seen = look(mjd, [[bright, bright, 0], [bright, 0, bright], [0, 0, bright], [0, 0, 0]])
    assert seen.which.tolist() == [1]
    assert seen.detected.tolist() == [True, False, True]


def test_what_is_kept_depends_on_detections_alone():
    mjd = np.arange(0.0, 700.0, 10.0)
    flux = np.zeros(len(mjd))
    flux[[10, 12]] = 1e4  # days 100 and 120
    seen = look(mjd, [flux])
    assert mjd[seen.row].tolist() == np.arange(70.0, 151.0, 10.0).tolist()
    flux[60] = 1e4  # day 600: 400 days after the first is the end, and what comes later is not known
    assert mjd[look(mjd, [flux]).row][[0, -1]].tolist() == [70.0, 150.0]
    flux[50] = 1e4  # day 500
    assert mjd[look(mjd, [flux]).row][[0, -1]].tolist() == [70.0, 500.0]
    flux[[12, 50]] = 0
    assert look(mjd, [flux]).which.size == 0


def test_detections_are_five_sigma_of_what_is_measured():
    seen = look(np.arange(200.0), [np.full(200, 800.0)])
    strong = seen.flux > DETECTION * seen.error
    assert np.array_equal(seen.detected, strong) and 0.1 < strong.mean() < 0.9
    assert np.allclose(seen.true, 800.0)


def test_a_source_that_fades_is_detected_where_it_may_be():
    fading = [np.full(20, -1e4)]
    assert look(np.arange(20.0), fading).which.size == 0
    assert look(np.arange(20.0), fading, steady=2e4, both_signs=True).detected.all()


def test_saturated_epochs_are_left_out():
    flux = np.full(20, 1e4)
    flux[5] = 1e9
    seen = look(np.arange(20.0), [flux])
    assert 5 not in seen.row and seen.row_size.tolist() == [19]


class TestCuts:
    def test_every_phase_that_is_possible_is_drawn_alike(self):
        n = 20_000
        cuts = draw_cuts(
            np.random.default_rng(2), peak_mjd=np.full(n, 100.0), first_detection=np.full(n, 90.0)
        )
        drawn = list(zip(cuts.counts_from.tolist(), cuts.days.tolist(), strict=True))
        for phase in PHASES:
            assert drawn.count(phase) / n == pytest.approx(1 / len(PHASES), abs=0.012)
        origin = np.where(cuts.counts_from == FROM_PEAK, 100.0, 90.0)
        assert np.array_equal(cuts.mjd, origin + cuts.days)

    def test_nothing_ends_before_the_first_detection(self):
        peak = np.array([100.0, 100.0, 100.0, np.nan] * 500)
        first = np.array([99.0, 101.0, 120.0, 50.0] * 500)
        cuts = draw_cuts(np.random.default_rng(2), peak_mjd=peak, first_detection=first)
        assert np.all(cuts.mjd >= first)
        late = np.isnan(peak) | (first == 120.0)
        assert np.all(cuts.counts_from[late] == FROM_FIRST_DETECTION)
        assert set(cuts.days[first == 101.0][cuts.counts_from[first == 101.0] == FROM_PEAK]) == {2.0, 10.0}
