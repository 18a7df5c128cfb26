"""Visits: depths against the real baseline, noise that is consistent, input that is checked."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from skysynergy.simulators.cadence import (
    LSST_DEPTHS,
    background_variance_e2,
    five_sigma_depth,
    sample_visits,
    sky_electrons,
)
from skysynergy.simulators.surveys import BANDS, SURVEYS

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SKYSYNERGY_TEST_DATA", ROOT.parent / "shared" / "data"))
LSST = "ugrizy"


@pytest.fixture(scope="module")
def many():
    return sample_visits(np.random.default_rng(1), dict.fromkeys(LSST, 8000))


def _values(visits, band, name):
    return np.array([getattr(visit, name) for visit in visits if visit.band == band])


@pytest.fixture(scope="module")
def baseline():
    path = DATA / "cadence" / "lsst_baseline_v3.0_visits.parquet"
    if not path.exists():
        pytest.skip(f"no real visits to compare with: {path} is missing (set SKYSYNERGY_TEST_DATA)")
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["program", "band", "m5"])
    wide = table["program"].to_numpy() == "WFD"
    return table["band"].to_numpy()[wide], table["m5"].to_numpy()[wide].astype(float)


@pytest.mark.parametrize("band", LSST)
def test_depths_are_those_of_the_real_baseline(band, many, baseline):
    bands, m5 = baseline
    real, drawn = m5[bands == band], _values(many, band, "m5")
    assert np.median(drawn) == pytest.approx(np.median(real), abs=0.1)
    assert np.std(drawn) == pytest.approx(np.std(real), rel=0.2)
    # Both lean to shallow visits: the left tail is the longer one.
    low, middle, high = np.percentile(drawn, [5, 50, 95])
    assert middle - low > high - middle


@pytest.mark.parametrize("band", LSST)
def test_depths_are_those_of_the_table(band, many):
    median, sigma = LSST_DEPTHS[band]
    m5 = _values(many, band, "m5")
    assert np.median(m5) == pytest.approx(median, abs=0.06)
    assert np.std(m5) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("band", LSST)
def test_sharp_visits_are_deep(band, many):
    fwhm = _values(many, band, "fwhm_eff_arcsec")
    assert 0.8 < np.median(fwhm) < 1.1
    assert np.corrcoef(np.log(fwhm), _values(many, band, "m5"))[0, 1] < -0.35
    airmass = _values(many, band, "airmass")
    assert airmass.min() >= 1 and airmass.max() <= 1.5
    assert np.corrcoef(np.log(airmass), np.log(fwhm))[0, 1] > 0.1


def test_blue_images_are_wider(many):
    medians = [np.median(_values(many, band, "fwhm_eff_arcsec")) for band in LSST]
    assert medians == sorted(medians, reverse=True)


def test_fiducial_dark_depths_agree_with_smtn_002():
    published = {"u": 23.70, "g": 24.97, "r": 24.52, "i": 24.13, "z": 23.56, "y": 22.55}
    lsst = SURVEYS["LSST"]
    for name, m5 in published.items():
        band = BANDS[name]
        variance = sky_electrons(band, 30.0) + lsst.dark_e_s * 30 + lsst.read_noise_e**2
        assert five_sigma_depth(band, 30.0, band.fwhm_eff_arcsec, variance) == pytest.approx(m5, abs=0.1)


def _aperture_depth(name, diameter_arcsec, sigmas, enclosed, exposures):
    """Depth of a sum of exposures in an aperture holding the fraction `enclosed` of the light."""
    band, survey = BANDS[name], SURVEYS[BANDS[name].survey]
    seconds = band.exposure_s
    variance = sky_electrons(band, seconds) + survey.dark_e_s * seconds + survey.read_noise_e**2
    pixels = math.pi / 4 * (diameter_arcsec / survey.pixel_arcsec) ** 2
    electrons = sigmas * math.sqrt(exposures * pixels * variance) / enclosed
    return band.zero_point - 2.5 * math.log10(electrons / (exposures * seconds))


def test_vis_depth_is_the_published_one():
    # Quick release Q1, VIS processing (arXiv:2503.15303): stacks of four reach 25.6 at ten sigma,
    # from the variance of 1.3 arcsec apertures.
    assert _aperture_depth("VIS", 1.3, 10, 1.0, 4) == pytest.approx(25.6, abs=0.1)


@pytest.mark.parametrize(("name", "fwhm_arcsec"), [("Y", 0.477), ("J", 0.486), ("H", 0.492)])
def test_nisp_depth_is_the_published_one(name, fwhm_arcsec):
    # Jahnke et al. (2025): about 24.5 at five sigma for point sources in three exposures. An aperture
    # of twice the FWHM of stacked images (ERO, arXiv:2405.13496, table 2) holds about 0.8 of the
    # light. Ours lie 0.2 to 0.4 mag deeper: all of the 112 s counts as integration, and no other
    # background than the sky.
    assert _aperture_depth(name, 2 * fwhm_arcsec, 5, 0.8, 3) == pytest.approx(24.5, abs=0.45)


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("condensed", [1, 2, 4])
def test_the_noise_of_a_pixel_gives_back_the_depth(band, condensed):
    (visit,) = sample_visits(np.random.default_rng(5), {band: 1}, condensed)
    variance = background_variance_e2(visit)
    depth = five_sigma_depth(BANDS[band], visit.exposure_s, visit.fwhm_eff_arcsec, variance)
    assert depth == pytest.approx(visit.m5, abs=1e-9)
    assert variance > condensed * SURVEYS[BANDS[band].survey].read_noise_e ** 2


@pytest.mark.parametrize("band", BANDS)
def test_a_condensed_visit_is_as_deep_as_its_visits_together(band):
    (single,) = sample_visits(np.random.default_rng(6), {band: 1})
    (four,) = sample_visits(np.random.default_rng(6), {band: 1}, condensed=4)
    for same in ("fwhm_eff_arcsec", "mjd", "airmass"):
        assert getattr(four, same) == getattr(single, same)
    assert four.exposure_s == 4 * single.exposure_s
    assert background_variance_e2(four) == pytest.approx(4 * background_variance_e2(single))
    # 1.25 log10 4 where the sky dominates; a little more where the source's own photons count.
    assert four.m5 - single.m5 == pytest.approx(1.25 * math.log10(4), abs=0.05)


def test_euclid_noise_is_sky_dark_and_as_many_reads_as_visits():
    (visit,) = sample_visits(np.random.default_rng(0), {"H": 1}, condensed=4)
    nisp = SURVEYS["EUCLID_NISP"]
    seconds = 4 * 112.0
    expected = sky_electrons(BANDS["H"], seconds) + nisp.dark_e_s * seconds + 4 * nisp.read_noise_e**2
    assert background_variance_e2(visit) == pytest.approx(expected)


def test_visits_are_sorted_by_survey_band_and_time():
    visits = sample_visits(np.random.default_rng(2), {"H": 3, "VIS": 4, "i": 30, "g": 20, "Y": 3})
    order = [(BANDS[visit.band].code, visit.mjd) for visit in visits]
    assert order == sorted(order)
    assert len(visits) == 60


def test_lsst_seasons_leave_the_sun_alone():
    mjd = _values(sample_visits(np.random.default_rng(3), {"r": 4000}), "r", "mjd")
    phase = np.sort(np.mod(mjd, 365.25))
    gaps = np.diff(np.append(phase, phase[0] + 365.25))
    assert gaps.max() == pytest.approx(365.25 - 194, abs=3)
    assert 9 * 365 < np.ptp(mjd) < 10 * 365.25


def test_euclid_dithers_are_minutes_apart():
    visits = sample_visits(np.random.default_rng(4), dict.fromkeys(["VIS", "Y", "J", "H"], 4))
    for band in ("VIS", "Y", "J", "H"):
        minutes = np.diff(_values(visits, band, "mjd")) * 1440
        np.testing.assert_allclose(minutes, 17.5, atol=0.01)
    starts = {band: _values(visits, band, "mjd")[0] for band in ("VIS", "J", "H", "Y")}
    assert list(starts) == sorted(starts, key=starts.__getitem__)
    assert np.ptp(list(starts.values())) * 1440 < 17.5


def test_geometric_width():
    (lsst, vis) = sample_visits(np.random.default_rng(4), {"i": 1, "VIS": 1})
    assert lsst.fwhm_arcsec == pytest.approx(0.822 * lsst.fwhm_eff_arcsec + 0.052)
    assert vis.fwhm_arcsec == BANDS["VIS"].fwhm_arcsec


def test_the_same_generator_draws_the_same_visits():
    first, again = (sample_visits(np.random.default_rng(9), {"u": 5, "J": 2}, {"u": 4}) for _ in range(2))
    assert first == again
    assert [visit.condensed for visit in first] == [4] * 5 + [1] * 2


@pytest.mark.parametrize(
    ("counts", "condensed", "message"),
    [
        ({}, 1, "at least one band"),
        ({"I": 3}, 1, "did you mean i"),
        ({"i": 0}, 1, "count of i visits is 0"),
        ({"i": -2}, 1, "positive integer"),
        ({"i": 2.5}, 1, "2.5"),
        ({"i": True}, 1, "True"),
        ({"i": 1}, 5, "from 1 to 4"),
        ({"i": 1}, 0, "from 1 to 4"),
        ({"i": 1}, {"i": 9}, "condensed in i"),
        ({"i": 1}, {"r": 2}, "counts does not"),
        ({"i": 1}, {"vis": 2}, "did you mean VIS"),
    ],
)
def test_what_cannot_be_observed_is_refused(counts, condensed, message):
    with pytest.raises(ValueError, match=message):
        sample_visits(np.random.default_rng(0), counts, condensed)
