"""Airmass against a library of astronomy; seeing and depth that go together, drawn either way round."""

import math

import numpy as np
import pytest
from scipy.stats import ks_2samp
from skysynergy.simulators.cadence import Visits, survey_visits
from skysynergy.simulators.conditions import airmass, draw_conditions, seeing_given_depth
from skysynergy.simulators.schedule import Pointing, wide_schedule
from skysynergy.simulators.visits import deepest


@pytest.fixture(scope="module")
def visits():
    rng = np.random.default_rng(0)
    return Visits.joined(*(survey_visits(rng) for _ in range(60)))


@pytest.mark.parametrize(("dec_deg", "hours"), [(-30.2446, 0.0), (-60.0, 1.5), (0.0, -2.0), (-10.0, 2.5)])
def test_airmass_is_the_secant_of_the_zenith_angle(dec_deg, hours):
    from astropy.coordinates import AltAz, EarthLocation, HADec, SkyCoord
    from astropy.time import Time

    place = {
        "obstime": Time("2026-01-01"),
        "location": EarthLocation.from_geodetic(-70.7494, -30.2446, 2650.0),
    }
    star = SkyCoord(ha=15 * hours, dec=dec_deg, unit="deg", frame=HADec(**place))
    expected = float(star.transform_to(AltAz(**place)).secz)
    drawn = airmass(np.array([math.radians(15 * hours)]), math.radians(dec_deg))
    assert drawn[0] == pytest.approx(min(expected, 1.5), rel=1e-3)


@pytest.mark.parametrize("code", range(6), ids="ugrizy")
@pytest.mark.parametrize("known", [True, False], ids=["airmass known", "airmass drawn"])
def test_seeing_drawn_from_the_depth_has_the_same_law(code, known, visits, record_figure):
    mine = visits[visits.code == code]
    fwhm_eff, air = seeing_given_depth(
        np.random.default_rng(1),
        code=mine.code,
        mjd=mine.mjd,
        m5=mine.m5,
        airmass=mine.airmass if known else None,
    )
    distance = ks_2samp(fwhm_eff, mine.fwhm_eff_arcsec).statistic
    assert distance < 0.04
    record_figure(
        f"seeing given depth, KS {'ugrizy'[code]}, airmass {'known' if known else 'drawn'}", distance
    )
    # Not only the same seeings, but with the same depths.
    drawn, real = (np.corrcoef(np.log(f), mine.m5)[0, 1] for f in (fwhm_eff, mine.fwhm_eff_arcsec))
    assert drawn == pytest.approx(real, abs=0.08)
    if known:
        np.testing.assert_array_equal(air, mine.airmass)
    # None is deeper than its detector allows.
    assert np.all(mine.m5 <= deepest(mine.code, fwhm_eff) + 1e-6)


def test_visits_of_a_pair_share_their_night():
    schedule = wide_schedule(np.random.default_rng(2), Pointing(-0.6, 120.0))
    rng = np.random.default_rng(3)
    together = [draw_conditions(rng, schedule)[0] for _ in range(60)]
    left = np.log([fwhm[:-1] for fwhm in together])
    right = np.log([fwhm[1:] for fwhm in together])
    same = (np.diff(schedule.night) == 0) & (np.diff(schedule.mjd) > 0.005)
    other = np.diff(schedule.night) > 0
    # Over draws of the same schedule, so that band and airmass have no part in it.
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(left.T, right.T, strict=True)]
    assert np.mean(np.array(correlation)[same]) == pytest.approx(0.72, abs=0.06)
    assert np.mean(np.array(correlation)[other]) == pytest.approx(0.0, abs=0.05)


def test_the_moon_takes_depth_in_g_and_hardly_in_y(visits):
    from skysynergy.simulators.schedule import moon_phase

    away = np.abs(moon_phase(visits.mjd) - 0.5)
    lost = {}
    for code in (1, 2, 5):
        m5, part = visits.m5[visits.code == code], away[visits.code == code]
        lost[code] = np.median(m5[part > 0.35]) - np.median(m5[part < 0.08])
    assert lost[1] > 0.4 and lost[2] > 0.4 and 0.0 < lost[5] < 0.25


def test_absurdly_deep_visits_get_the_seeing_they_need():
    code, m5 = np.array([2, 2]), np.array([25.8, 24.0])
    fwhm_eff, _ = seeing_given_depth(
        np.random.default_rng(0), code=code, mjd=np.full(2, 61000.0), m5=m5, airmass=None
    )
    assert fwhm_eff[0] < 0.6 < fwhm_eff[1]
