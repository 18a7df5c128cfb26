"""Bands and surveys: every literal is recomputed from its source."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators.curves import filter_curve
from skysynergy.simulators.surveys import (
    BANDS,
    SURVEYS,
    alike,
    electron_flux,
    find_band,
    flux_from_mag,
    mag_from_flux,
)

PLANCK_CGS = 6.62607015e-27
AB_FLUX_CGS = 3631e-23  # erg/s/cm^2/Hz at AB magnitude zero


@pytest.mark.parametrize("band", BANDS.values(), ids=BANDS)
def test_zero_point_is_recomputed_from_the_curve_and_the_collecting_area(band):
    wavelength, response = filter_curve(band.name)
    area = SURVEYS[band.survey].area_cm2
    electrons = area / PLANCK_CGS * AB_FLUX_CGS * np.trapezoid(response / wavelength, wavelength)
    assert band.zero_point == pytest.approx(2.5 * np.log10(electrons), abs=1e-3)


@pytest.mark.parametrize("band", BANDS.values(), ids=BANDS)
def test_effective_wavelength_is_that_of_the_curve(band):
    wavelength, response = filter_curve(band.name)
    # Photons of a flat f_lambda: the mean of lambda weighted by lambda T, as speclite has it.
    photons = wavelength * response
    mean = np.trapezoid(photons * wavelength, wavelength) / np.trapezoid(photons, wavelength)
    assert band.wavelength_nm == pytest.approx(mean / 10, abs=0.01)


SURVEYCODEX_FILTERS = {"LSST": "ugrizy", "Euclid_VIS": ["IE"], "Euclid_NISP": ["YE", "JE", "HE"]}


@pytest.mark.parametrize("codex", SURVEYCODEX_FILTERS)
def test_mirrors_pixels_and_skies_are_those_of_surveycodex(codex):
    import surveycodex

    theirs, ours = surveycodex.get_survey(codex), SURVEYS[codex.upper()]
    assert ours.pixel_arcsec == pytest.approx(theirs.pixel_scale.to_value("arcsec"))
    assert ours.diameter_m == pytest.approx(theirs.mirror_diameter.to_value("m"))
    # Theirs is a fraction of the area, ours a ratio of diameters.
    assert ours.obscuration**2 == pytest.approx(float(theirs.obscuration))
    assert ours.area_cm2 == pytest.approx(theirs.effective_area.to_value("cm2"))
    for name, filter_name in zip(ours.bands, SURVEYCODEX_FILTERS[codex], strict=True):
        entry = theirs.get_filter(filter_name)
        assert BANDS[name].sky_mag == pytest.approx(entry.sky_brightness.value, abs=1e-6)
        if codex != "LSST":  # its LSST zero points come from older curves, up to 0.38 mag apart
            assert BANDS[name].zero_point == pytest.approx(entry.zeropoint.value, abs=0.006)
            assert BANDS[name].exposure_s == entry.full_exposure_time.to_value("s")


def test_lsst_zero_points_agree_with_smtn_002():
    published = {"u": 26.52, "g": 28.51, "r": 28.36, "i": 28.17, "z": 27.78, "y": 26.82}
    for name, zero_point in published.items():
        assert BANDS[name].zero_point == pytest.approx(zero_point, abs=0.07), name


def test_roman_is_that_of_galsim():
    from galsim import roman

    ours = SURVEYS["ROMAN"]
    assert ours.mission is not None
    assert ours.pixel_arcsec == roman.pixel_scale
    assert (ours.diameter_m, ours.obscuration) == (roman.diameter, roman.obscuration)
    assert ours.area_cm2 == pytest.approx(roman.collecting_area, rel=1e-5)
    assert (ours.read_noise_e, ours.dark_e_s) == (roman.read_noise, roman.dark_current)
    assert ours.mission.dithers == roman.n_dithers
    # Of a Gaussian: arcsec rms on each axis, and pixels.
    fwhm = np.sqrt(8 * np.log(2))
    assert ours.mission.jitter_fwhm_arcsec == pytest.approx(fwhm * roman.jitter_rms, abs=5e-5)
    assert ours.charge_fwhm_arcsec == pytest.approx(
        fwhm * roman.charge_diffusion * roman.pixel_scale, abs=5e-5
    )
    theirs = roman.getBandpasses()
    assert set(ours.bands) == set(theirs)
    for name, curve in theirs.items():
        band = BANDS[name]
        assert band.exposure_s == roman.exptime
        # For an area of 1 cm^2 it gives the zero point of one photon.
        in_electrons = curve.zeropoint + 2.5 * np.log10(roman.collecting_area)
        assert band.zero_point == pytest.approx(in_electrons, abs=2e-3)
        sky = roman.getSkyLevel(curve, exptime=1.0) * (1 + roman.stray_light_fraction)
        sky += roman.thermal_backgrounds[name] / roman.pixel_scale**2  # electrons per second and arcsec^2
        assert band.sky_mag == pytest.approx(band.zero_point - 2.5 * np.log10(sky), abs=6e-3)


def test_bands_and_surveys_point_at_each_other():
    # Codes and streams of random numbers go by these orders, so that what is new comes after.
    assert list(BANDS)[:10] == ["u", "g", "r", "i", "z", "y", "VIS", "Y", "J", "H"]
    assert list(SURVEYS)[:3] == ["LSST", "EUCLID_VIS", "EUCLID_NISP"]
    assert [band.code for band in BANDS.values()] == list(range(len(BANDS)))
    for survey in SURVEYS.values():
        assert survey.group == survey.name.lower()
        assert all(BANDS[name].survey == survey.name for name in survey.bands)
        assert {name for name, _ in survey.composite} <= set(survey.bands)
        assert len(survey.composite) in (0, 3)
        samples = survey.psf_width_arcsec / survey.pixel_arcsec * survey.psf_oversampling
        assert samples == pytest.approx(round(samples))
    assert sum(len(survey.bands) for survey in SURVEYS.values()) == len(BANDS)


def test_flux_and_magnitude_are_inverse():
    mag = np.linspace(15, 32, 50).reshape(5, 10)
    np.testing.assert_allclose(mag_from_flux(flux_from_mag(mag)), mag, rtol=1e-12)
    assert flux_from_mag(31.4) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="positive"):
        mag_from_flux([1.0, 0.0])


def test_one_electron_is_the_flux_at_the_zero_point():
    band = BANDS["i"]
    assert electron_flux(band, 1.0) == pytest.approx(float(flux_from_mag(band.zero_point)))
    assert electron_flux(band, 30.0) == pytest.approx(electron_flux(band, 1.0) / 30)
    with pytest.raises(ValueError, match="zero seconds"):
        electron_flux(band, 0.0)


def test_an_unknown_band_is_told_its_neighbours():
    with pytest.raises(ValueError, match="did you mean VIS"):
        find_band("vis")
    with pytest.raises(ValueError, match="The bands are u g r i z y VIS Y J H"):
        find_band("F814W")


def test_importing_surveys_loads_no_filter_library():
    code = (
        "import sys, skysynergy.simulators.cadence;"
        "print([m for m in ('speclite', 'astropy', 'surveycodex', 'galsim', 'scipy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_survey_without_an_entry_has_that_of_one_like_it():
    table = {"LSST": 1, "EUCLID_VIS": 2, "EUCLID_NISP": 3}
    for name, entry in table.items():
        assert alike(SURVEYS[name], table) == entry
        assert alike(replace(SURVEYS[name], name="HYPER"), table) == entry
    with pytest.raises(ValueError, match="HYPER or of a survey like it: add it beside LSST"):
        alike(replace(SURVEYS["LSST"], name="HYPER", sensor="hgcdte"), table)
