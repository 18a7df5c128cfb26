"""The moon, the seasons and the sequences of a schedule, against what is known from elsewhere."""

import math

import numpy as np
import pytest
from skysynergy.simulators.schedule import (
    DEEP_FIELDS,
    LSST_START_MJD,
    Pointing,
    deep_schedule,
    draw_pointing,
    moon_phase,
    wide_schedule,
)


@pytest.mark.parametrize(
    ("date_mjd", "phase"),
    [
        (60408.77, 0.0),  # total solar eclipse of 2024-04-08
        (61264.74, 0.0),  # total solar eclipse of 2026-08-12
        (60748.29, 0.5),  # total lunar eclipse of 2025-03-14
        (61102.48, 0.5),  # total lunar eclipse of 2026-03-03
    ],
)
def test_eclipses_are_at_new_and_full_moon(date_mjd, phase):
    away = (moon_phase(date_mjd) - phase + 0.5) % 1 - 0.5
    assert abs(away) * 29.53 < 0.7


@pytest.mark.parametrize("name", DEEP_FIELDS)
def test_deep_fields_are_seen_when_the_sun_is_opposite(name):
    from astropy.coordinates import get_sun
    from astropy.time import Time

    schedule = deep_schedule(np.random.default_rng(0), DEEP_FIELDS[name])
    sun = get_sun(Time(schedule.mjd[schedule.deep][::50], format="mjd", scale="tdb")).ra.deg
    from_opposition = (sun - DEEP_FIELDS[name].ra_deg) % 360 - 180
    assert np.abs(from_opposition).max() < 130
    assert np.median(np.abs(from_opposition)) < 70


def test_hour_angles_are_those_of_the_sidereal_time():
    """A pointing transits when the local sidereal time is its right ascension."""
    from astropy.coordinates import EarthLocation
    from astropy.time import Time

    field = DEEP_FIELDS["ECDFS"]
    schedule = deep_schedule(np.random.default_rng(1), field)
    site = EarthLocation.from_geodetic(-70.7494, -30.2446, 2650.0)
    mjd = schedule.mjd[schedule.mjd < 61300][::100]
    times = Time(mjd, format="mjd", location=site, scale="ut1")
    sidereal = times.sidereal_time("mean").rad
    angle = schedule.hour_angle[schedule.mjd < 61300][::100]
    difference = (sidereal - math.radians(field.ra_deg) - angle + math.pi) % (2 * math.pi)
    assert np.abs(difference - math.pi).max() < math.radians(10)  # mean sun, mean midnight


def test_sequences_follow_each_other_in_five_bands():
    schedule = deep_schedule(np.random.default_rng(2), DEEP_FIELDS["XMM-LSS"])
    deep = schedule.deep
    nights, per_night = np.unique(schedule.night[deep], return_counts=True)
    whole = nights[np.isin(per_night, (76, 92))]
    assert 0.6 < len(whole) / len(nights) < 0.85
    for night in whole[:20]:
        tonight = deep & (schedule.night == night)
        counts = np.bincount(schedule.code[tonight], minlength=6)
        assert counts[[1, 2, 3, 5]].tolist() == [10, 20, 20, 18]
        assert sorted(counts[[0, 4]].tolist()) in ([0, 8], [0, 24])
        minutes = np.diff(schedule.mjd[tonight]) * 1440
        assert minutes.max() == pytest.approx(2.57, abs=0.01) and minutes.min() > 0.5
        assert len(np.unique(schedule.block[tonight])) == 5


def test_half_fields_get_half_sequences():
    whole, half = (
        np.sum(deep_schedule(np.random.default_rng(3), DEEP_FIELDS[name]).deep)
        for name in ("ECDFS", "EDFS_a")
    )
    assert half / whole == pytest.approx(0.5, abs=0.06)


def test_blocks_are_never_shared_by_nights_or_bands():
    schedule = deep_schedule(np.random.default_rng(4), DEEP_FIELDS["EDFS_b"])
    for key in (schedule.night, schedule.code, schedule.deep):
        pairs = np.unique(np.stack([schedule.block, key]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]


def test_the_number_of_visits_does_not_wander():
    rng = np.random.default_rng(5)
    counts = np.array(
        [np.bincount(wide_schedule(rng, Pointing(-0.5, 100.0)).code, minlength=6) for _ in range(60)]
    )
    expected = np.array([49.4, 70.3, 193.0, 198.0, 168.3, 174.1])
    # The mean of 60, of which each wanders by the scatter of a pointing.
    error = np.array([4, 5, 10, 10, 8, 9]) / math.sqrt(60)
    assert np.all(np.abs(counts.mean(0) - expected) < 4 * error), counts.mean(0)


def test_places_towards_the_galaxy_get_fewer_y_and_more_g():
    rng = np.random.default_rng(6)
    usual, galactic = (
        np.mean([np.bincount(wide_schedule(rng, Pointing(-0.5, 50.0, g)).code) for _ in range(10)], 0)
        for g in (False, True)
    )
    assert galactic[5] < 0.75 * usual[5] and galactic[1] > 1.3 * usual[1]


def test_pointings_lie_in_the_survey_and_visits_within_its_years():
    rng = np.random.default_rng(7)
    for _ in range(20):
        pointing = draw_pointing(rng)
        assert -62.01 < math.degrees(pointing.dec) < 2.01 and 0 <= pointing.opposition < 365.25
        schedule = wide_schedule(rng, pointing)
        assert schedule.mjd.min() >= LSST_START_MJD and schedule.mjd.max() < LSST_START_MJD + 3653
        assert np.all(np.diff(schedule.mjd) >= 0)
        hours = (schedule.mjd % 1 - 0.195 + 0.5) % 1 - 0.5
        assert np.abs(hours).max() < 0.33
