"""Visits: depths against the real baseline, noise that is consistent, input that is checked."""

import math
import time

import numpy as np
import pytest
from skysynergy.simulators.cadence import (
    DEEP_FIELDS,
    LSST_DEPTHS,
    background_variance_e2,
    five_sigma_depth,
    sample_visits,
    sky_electrons,
    survey_visits,
)
from skysynergy.simulators.surveys import BANDS, SURVEYS

LSST = "ugrizy"


@pytest.fixture(scope="module")
def many():
    """A few exposures each of many places."""
    rng = np.random.default_rng(1)
    return [visit for _ in range(300) for visit in sample_visits(rng, dict.fromkeys(LSST, 20))]


@pytest.fixture(scope="module")
def wide():
    """All visits of ten years to each of many places."""
    rng = np.random.default_rng(2)
    return [survey_visits(rng) for _ in range(150)]


@pytest.fixture(scope="module")
def baseline(test_data):
    """The real visits: (n) pointing, code, mjd, m5 of the wide pointings, and of the deep fields."""
    import pyarrow.parquet as pq

    path = test_data / "cadence" / "lsst_baseline_v3.0_visits.parquet"
    if not path.exists():
        pytest.skip(f"no real visits to compare with: {path} is missing")
    table = pq.read_table(path).to_pydict()
    code = np.array([LSST.index(band) for band in table["band"]])
    visits = {name: np.array(table[name]) for name in ("pointing", "program", "mjd", "m5")} | {"code": code}
    in_wide = visits["program"] == "WFD"
    return tuple({name: column[mask] for name, column in visits.items()} for mask in (in_wide, ~in_wide))


def _real(visits):
    """Each pointing as (code, mjd, m5)."""
    return [
        tuple(visits[name][visits["pointing"] == pointing] for name in ("code", "mjd", "m5"))
        for pointing in np.unique(visits["pointing"])
    ]


def _drawn(histories):
    return [(visits.code, visits.mjd, visits.m5) for visits in histories]


def _counts(places, code):
    return np.array([np.sum(codes == code) for codes, *_ in places])


def _night_gaps(places, code):
    """Days between successive nights of a season in which that band is used."""
    gaps = np.concatenate([np.diff(mjd[codes == code]) for codes, mjd, _ in places])
    return gaps[(gaps > 0.5) & (gaps < 80)]


def _width(values):
    return np.ptp(np.percentile(values, [5, 95]))


def _values(visits, band, name):
    return np.array([getattr(visit, name) for visit in visits if visit.band == band])


@pytest.mark.parametrize("code", range(6), ids=LSST)
def test_a_wide_place_is_that_of_the_real_baseline(code, wide, baseline, record_figure):
    real, drawn = _real(baseline[0]), _drawn(wide)
    ours, theirs = _counts(drawn, code), _counts(real, code)
    assert np.median(ours) == pytest.approx(np.median(theirs), rel=0.1)
    assert _width(ours) == pytest.approx(_width(theirs), rel=0.35)  # of 150 places each

    ours, theirs = (np.concatenate([m5[codes == code] for codes, _, m5 in all_]) for all_ in (drawn, real))
    assert np.median(ours) == pytest.approx(np.median(theirs), abs=0.06)
    assert _width(ours) == pytest.approx(_width(theirs), rel=0.2)
    # Both lean to shallow visits: the left tail is the longer one.
    low, middle, high = np.percentile(ours, [5, 50, 95])
    assert middle - low > high - middle
    record_figure(f"cadence wide m5 median {LSST[code]}, drawn - real (mag)", middle - np.median(theirs))

    # Gaps are whole days and a little, so the median jumps by a day: that is a sixth of u's.
    ours, theirs = _night_gaps(drawn, code), _night_gaps(real, code)
    assert np.median(ours) == pytest.approx(np.median(theirs), rel=0.2)
    assert _width(ours) == pytest.approx(_width(theirs), rel=0.25)


@pytest.mark.parametrize("number", range(6), ids=list(DEEP_FIELDS))
def test_deep_fields_are_those_of_the_real_baseline(number, baseline):
    real = _real(baseline[1])[number]
    drawn = _drawn([survey_visits(np.random.default_rng(8), field=list(DEEP_FIELDS)[number])])[0]
    ours, theirs = (np.bincount(place[0], minlength=6) for place in (drawn, real))
    np.testing.assert_allclose(ours, theirs, rtol=0.25)
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.1)
    for code in range(6):
        ours, theirs = drawn[2][drawn[0] == code], real[2][real[0] == code]
        assert np.median(ours) == pytest.approx(np.median(theirs), abs=0.25)
        ours, theirs = (_night_gaps([place], code) for place in (drawn, real))
        assert np.median(ours) == pytest.approx(np.median(theirs), abs=2.1)


@pytest.mark.parametrize("band", LSST)
def test_depths_are_those_of_the_table(band, many):
    median, sigma = LSST_DEPTHS[band]
    m5 = _values(many, band, "m5")
    assert np.median(m5) == pytest.approx(median, abs=0.06)
    assert np.std(m5) == pytest.approx(sigma, rel=0.15)


def test_any_band_is_back_within_days_and_pairs_within_half_an_hour(wide, record_figure):
    nights = [np.unique(np.floor(visits.mjd - 0.67)) for visits in wide]
    gaps = np.concatenate([np.diff(there) for there in nights])
    gaps = gaps[gaps < 80]
    # facts of the baseline: median 2 to 3 days, mean 4.9, 95th percentile 17.
    assert 2 <= np.median(gaps) <= 3
    assert np.mean(gaps) == pytest.approx(4.9, rel=0.1)
    assert np.percentile(gaps, 95) == pytest.approx(17, abs=3)
    record_figure("cadence wide gap between nights, mean (days)", np.mean(gaps))
    minutes = np.concatenate([np.diff(visits.mjd) for visits in wide]) * 1440
    pairs = minutes[(minutes > 10) & (minutes < 60)]
    assert np.median(pairs) == pytest.approx(34.5, abs=1)
    per_night = np.concatenate([np.unique(np.floor(v.mjd - 0.67), return_counts=True)[1] for v in wide])
    assert np.mean(per_night == 2) == pytest.approx(0.6, abs=0.05)


def test_seasons_roll(wide):
    """Visits of a place swing from season to season, unlike those of a uniform survey."""
    swings = []
    for visits in wide:
        breaks = np.flatnonzero(np.diff(visits.mjd) > 80) + 1
        counts = np.diff(np.concatenate([[0], breaks, [len(visits)]]))[2:-1]
        swings.append(np.std(counts) / np.mean(counts))
    assert np.median(swings) == pytest.approx(0.44, abs=0.12)


def test_u_leaves_the_moon_alone_and_z_leaves_the_dark(wide):
    from skysynergy.simulators.schedule import moon_phase

    bright = {}
    for band in "urz":
        phase = moon_phase(np.concatenate([visits.in_band(band).mjd for visits in wide]))
        bright[band] = np.mean(np.abs(phase - 0.5) < 0.2)
    assert bright["u"] < 0.01 and bright["z"] > 0.55 and 0.15 < bright["r"] < 0.4


def test_ten_years_take_no_time(record_figure):
    rng = np.random.default_rng(0)
    best = {"wide": math.inf, "ECDFS": math.inf}
    for field in best:
        for _ in range(3):
            begun = time.perf_counter()
            survey_visits(rng, field=field)
            best[field] = min(best[field], time.perf_counter() - begun)
    record_figure("cadence seconds for ten years of a wide place", best["wide"])
    record_figure("cadence seconds for ten years of a deep field", best["ECDFS"])
    assert best["wide"] < 0.05 and best["ECDFS"] < 1.0


@pytest.mark.parametrize(("field", "visits"), [("ECDFS", 52), ("EDFS_a", 45), ("EDFS_b", 45)])
def test_euclid_sees_the_deep_fields_again_and_again(field, visits):
    drawn = survey_visits(np.random.default_rng(3), field=field, euclid="deep")
    for band in ("VIS", "Y", "J", "H"):
        mjd = drawn.in_band(band).mjd
        assert len(mjd) == 4 * visits
        dithers = mjd.reshape(visits, 4)
        np.testing.assert_allclose(np.diff(dithers, axis=1) * 1440, 17.5, atol=0.01)
        assert np.all(np.diff(dithers[:, 0]) > 70 / 1440)
        assert np.ptp(mjd) < 6 * 365.25
    # Fornax comes in groups of seven within days; the south does not.
    weeks = np.diff(np.sort(drawn.in_band("VIS").mjd)[::4])
    assert (np.mean(weeks < 3) > 0.8) == (field == "ECDFS")


def test_euclid_sees_a_wide_place_in_four_dithers():
    drawn = survey_visits(np.random.default_rng(3), euclid="wide")
    assert {band: len(drawn.in_band(band)) for band in ("VIS", "Y", "J", "H")} == dict.fromkeys("YJH", 4) | {
        "VIS": 4
    }
    assert len(survey_visits(np.random.default_rng(3)).in_band("VIS")) == 0


def test_any_deep_field_that_euclid_sees_deep():
    rng = np.random.default_rng(4)
    for _ in range(3):
        assert len(survey_visits(rng, field="deep", euclid="deep").in_band("H")) in (180, 208)


def test_fewer_years_are_the_first_of_ten():
    two, ten = (survey_visits(np.random.default_rng(7), years=years) for years in (2, 10))
    np.testing.assert_array_equal(two.mjd, ten.mjd[: len(two)])
    assert ten.mjd[len(two)] >= 60980 + 2 * 365.25 > two.mjd[-1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"field": "XMM"}, "no field 'XMM': choose one of wide, deep, COSMOS"),
        ({"years": 0}, "years is 0: it has to be an integer from 1 to 10"),
        ({"years": 2.5}, "years is 2.5"),
        ({"euclid": "all"}, "euclid is 'wide', 'deep' or None, not 'all'"),
        ({"euclid": "deep"}, "Euclid does not see wide deep"),
        ({"field": "COSMOS", "euclid": "deep"}, "one of ECDFS, EDFS_a, EDFS_b"),
    ],
)
def test_surveys_that_are_not_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        survey_visits(np.random.default_rng(0), **given)


def test_more_than_ten_years_hold_are_drawn_from_the_same_place():
    visits = sample_visits(np.random.default_rng(3), {"u": 300})
    assert len({visit.mjd for visit in visits}) == 300


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
    # 1.25 log10 4 where the sky dominates; a little more where the source's own photons count, and most
    # under the sharpest PSF.
    within = 0.05 if BANDS[band].fwhm_eff_arcsec > 0.2 else 0.07
    assert four.m5 - single.m5 == pytest.approx(1.25 * math.log10(4), abs=within)


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
    # Twenty times ten years of one place fill the whole window, of 237 to 297 days in the baseline.
    assert 365.25 - 325 < gaps.max() < 365.25 - 237
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
