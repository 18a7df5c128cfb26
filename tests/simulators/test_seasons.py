"""Visits of a season: as many as asked for, some from the season before, those of one exposure together."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.simulators.cadence import survey_visits
from skysynergy.simulators.seasons import PLACES, n_reference, season_visits
from skysynergy.simulators.surveys import BANDS, SURVEYS

COUNTS = {"u": 6, "g": 12, "i": 20, "y": 12, "VIS": 16, "Y": 16, "H": 14}
SHARE = 0.3


@pytest.fixture(scope="module", params=range(3))
def visits(request):
    return season_visits(np.random.default_rng(request.param), COUNTS, condensed=4, reference=SHARE)


def test_there_are_as_many_as_asked_for_in_order(visits):
    assert {name: sum(v.band == name for v in visits) for name in COUNTS} == COUNTS
    keys = [(list(SURVEYS).index(BANDS[v.band].survey), BANDS[v.band].code, v.mjd) for v in visits]
    assert keys == sorted(keys)
    for visit in visits:
        assert visit.condensed == (4 if BANDS[visit.band].survey == "LSST" else 1)


def test_the_reference_lies_before_the_season(visits):
    before, after = [], []
    for name, count in COUNTS.items():
        mjd = [v.mjd for v in visits if v.band == name]
        n = n_reference(name, count, SHARE)
        before, after = before + mjd[:n], after + mjd[n:]
        assert 0 < n < count
    assert max(before) < min(after)
    # A season of LSST, in which Euclid comes back every seven weeks.
    assert 90 < max(after) - min(after) < 260 and max(after) - min(before) < 700


def test_euclid_sees_all_its_bands_in_the_same_pointings(visits):
    starts = {}
    for name in ("VIS", "Y", "H"):
        mjd = np.array([v.mjd for v in visits if v.band == name])
        starts[name] = np.round(mjd[::4] - mjd[0], 1)
        assert all(np.ptp(mjd[k : k + 4]) < 0.1 for k in range(0, len(mjd), 4))
    np.testing.assert_array_equal(starts["VIS"], starts["Y"])
    np.testing.assert_array_equal(starts["VIS"], starts["H"])


def test_an_exposure_stands_for_visits_that_follow_each_other():
    """Each is the mean of four real ones within minutes: found again in the history that it came from."""
    history = survey_visits(np.random.default_rng(5), field=PLACES[0], euclid="deep")

    class Chosen(np.random.Generator):
        def choice(self, a, *args, **options):
            return PLACES[0] if a is PLACES else super().choice(a, *args, **options)

    rng = Chosen(np.random.PCG64(5))
    for visit in season_visits(rng, {"g": 12, "z": 12}, condensed=4, reference=SHARE):
        mjd = history.in_band(visit.band).mjd
        first = np.searchsorted(mjd, visit.mjd) - 2
        assert mjd[first : first + 4].mean() == pytest.approx(visit.mjd, abs=1e-6)
        assert np.ptp(mjd[first : first + 4]) < 15 / 1440


@pytest.mark.parametrize(
    ("counts", "share", "message"),
    [
        ({"i": 1}, SHARE, "1 visits in i are too few for a reference and a season"),
        ({"VIS": 4}, SHARE, "ask for more than 4"),
        ({"F184": 8}, SHARE, "seen by LSST and Euclid, not in F184"),
        ({"i": 9}, 1.0, "lies between 0 and 1, not 1.0"),
        ({"i": 900}, SHARE, "no season has so many visits"),
    ],
)
def test_what_no_season_has_is_refused(counts, share, message):
    with pytest.raises(ValueError, match=message):
        season_visits(np.random.default_rng(0), counts, condensed=4, reference=share)
