"""Detection images against a matched filter by direct sums, and against closed forms."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import galsim
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skysynergy.simulators.detection_image import add_images, detection_image
from skysynergy.simulators.optics import effective_pixels
from skysynergy.simulators.surveys import BANDS, SURVEYS, flux_from_mag


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return import_module("example_exposures")


VISITS = (("i", 26.0), ("i", 26.5), ("VIS", 27.0), ("VIS", 26.0), ("H", 25.0), ("Y", 25.5), ("H", 25.2))


# Of every other survey the band that its pixels sample best: where a PSF is hardly wider than a pixel,
# flux and noise hang on where in it a star lies.
SEEN = {BANDS[name].survey for name, _ in VISITS}
VISITS += tuple(
    (max(survey.bands, key=lambda name: BANDS[name].fwhm_arcsec), 26.0)
    for survey in SURVEYS.values()
    if survey.name not in SEEN
)


@pytest.fixture(scope="module")
def one_star():
    """A point of AB 24 away from the middle, without noise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        example = import_module("example_exposures")
        return example.observed(example.points([1.23], [-0.77]), VISITS, noisy=False)


def undersampled(seen):
    return seen.visits[0].fwhm_arcsec < 1.5 * seen.survey.pixel_arcsec


def by_direct_sum(taken, seen, x, y):
    """Score and weight at one place: the PSF drawn there by GalSim, multiplied with the pixels."""
    score = weight = 0.0
    size = taken.image.shape[1]
    for e, noise in enumerate(seen.backgrounds):
        profile = galsim.InterpolatedImage(
            galsim.Image(seen.psf[e].astype(float), scale=1 / seen.survey.psf_oversampling), flux=1.0
        )
        place = taken.wcs[e, :, :2] @ [x, y] + taken.wcs[e, :, 2]
        canvas = galsim.Image(size, size, xmin=0, ymin=0, dtype=float)
        p = profile.drawImage(image=canvas, center=galsim.PositionD(*place), scale=1.0).array
        good = taken.mask[e] == 0
        score += np.sum((p * taken.image[e])[good]) / noise.sigma**2
        weight += np.sum((p * p)[good]) / noise.sigma**2
    return score, weight


@pytest.mark.parametrize("survey", list(SURVEYS))
def test_score_and_weight_are_those_of_a_matched_filter(one_star, survey, example, record_figure):
    exposures, observations = one_star
    taken, seen = exposures[survey], observations[survey]
    image = detection_image(taken, seen)
    middle, worst = (len(image.score) - 1) / 2, 0.0
    for dx, dy in ((0, 0), (1, 2), (-3, 1)):
        # Places on the grid, near the star.
        column = round(1.23 / image.pixel_arcsec + middle) + dx
        row = round(-0.77 / image.pixel_arcsec + middle) + dy
        x, y = image.arcsec(np.array([column, row]))
        score, weight = by_direct_sum(taken, seen, x, y)
        peak = np.abs(image.score).max()
        worst = max(worst, abs(image.score[row, column] - score) / peak)
        assert image.weight[row, column] == pytest.approx(weight, rel=0.02)
    record_figure(f"detection image of {survey} against direct sums, part of the peak", worst)
    assert worst < 0.01


def test_any_affine_map_will_do(one_star, example):
    exposures, observations = one_star
    taken, seen = exposures["LSST"], observations["LSST"]
    plain = detection_image(taken, seen)
    # Noiseless light on detectors that lie at 33 and 70 degrees.
    from skysynergy.simulators.profiles import profiles_of
    from skysynergy.simulators.rendering.fourier import render

    profiles = profiles_of(example.points([1.23], [-0.77]))
    wcs, light = taken.wcs.copy(), taken.image
    for e, angle in enumerate(np.radians([33, 70])):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        wcs[e, :, :2] = turn / 0.2
    flux = np.repeat(profiles.flux[None, :, BANDS["i"].code], 2, axis=0)
    light = render(profiles, flux, psf=seen.psf, psf_oversampling=2, wcs=wcs, shape=light[0].shape)
    image = detection_image(replace(taken, image=light, wcs=wcs), seen)
    inner = np.s_[24:-24, 24:-24]
    # The PSF of each exposure turns with its detector: a little elliptic, it differs by a per cent.
    assert np.abs(image.snr - plain.snr)[inner].max() < 0.02 * plain.snr.max()


@pytest.mark.parametrize("survey", list(SURVEYS))
def test_a_star_has_its_flux_and_its_signal_to_noise(one_star, survey, record_figure):
    exposures, observations = one_star
    seen, flux = observations[survey], float(flux_from_mag(24.0))
    image = detection_image(exposures[survey], seen, pixel_arcsec=min(0.05, seen.visits[0].fwhm_arcsec / 10))
    oversampling = seen.survey.psf_oversampling
    variance = [
        noise.sigma**2 * effective_pixels(psf, oversampling)
        for noise, psf in zip(seen.backgrounds, seen.psf, strict=True)
    ]
    expected = flux * np.sqrt(np.sum(1 / np.array(variance)))
    row, column = np.unravel_index(np.argmax(image.snr), image.snr.shape)
    assert abs(image.arcsec(column) - 1.23) <= 0.051 and abs(image.arcsec(row) + 0.77) <= 0.051
    measured = image.score[row, column] / image.weight[row, column]
    record_figure(f"flux of a star in the detection image of {survey}, relative error", measured / flux - 1)
    assert measured == pytest.approx(flux, rel=0.015)
    # NISP undersamples: there the noise depends on where a star lies between the pixels.
    assert image.snr[row, column] == pytest.approx(expected, rel=0.1 if undersampled(seen) else 0.02)
    assert image.band_weight.sum() == pytest.approx(np.sum(1 / np.array(variance)), rel=1e-3)


def test_depth_is_that_of_the_visits(one_star):
    exposures, observations = one_star
    image = detection_image(exposures["LSST"], observations["LSST"])
    # Background alone: two exposures of 26.0 and 26.5. Photons of the source make m5 a little brighter.
    expected = 1.25 * np.log10(10 ** (0.8 * 26.0) + 10 ** (0.8 * 26.5))
    assert image.m5 == pytest.approx(expected, abs=0.02)


def test_empty_sky_has_unit_variance(one_star, example, record_figure):
    exposures, observations = one_star
    for name in observations:
        values = []
        for seed in range(24):
            empty = example.blank(exposures, observations, seed)
            values.append(detection_image(empty[name], observations[name]).snr)
        rms = np.std(values)
        record_figure(f"rms of the S/N of empty sky in {name}", rms)
        # 24 scenes of a thousand or more independent places (LSST: an FWHM of 1.1 arcsec).
        assert rms == pytest.approx(1, abs=0.03), name
        assert np.std(np.asarray(values)[:, :6]) == pytest.approx(1, abs=0.1), name


TURNS = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=2, max_size=2)


@settings(max_examples=12)
@given(turns=TURNS)
def test_how_a_detector_lies_on_the_sky_changes_nothing(one_star, turns):
    from example_exposures import turned

    exposures, observations = one_star
    for name in ("LSST", "EUCLID_VIS"):
        taken, seen = exposures[name], observations[name]
        plain = detection_image(taken, seen)
        for e, (x, y, swap) in enumerate(turns):
            taken, seen = turned(taken, seen, e, x=x, y=y, swap=swap)
        image = detection_image(taken, seen)
        # Filters are kept in single precision.
        assert np.abs(image.score - plain.score).max() < 1e-5 * np.abs(plain.score).max()
        np.testing.assert_allclose(image.weight, plain.weight, rtol=1e-4, atol=1e-5 * plain.weight.max())


def test_masked_pixels_take_no_part(one_star):
    exposures, observations = one_star
    taken, seen = exposures["LSST"], observations["LSST"]
    whole = detection_image(taken, seen)
    mask, image = taken.mask.copy(), taken.image.copy()
    place = np.round(taken.position[0]).astype(int)
    for e, (x, y) in enumerate(place):
        mask[e, y - 1 : y + 2, x] = 1
        image[e, y - 1 : y + 2, x] = np.nan
    holed = detection_image(replace(taken, mask=mask, image=image), seen)
    column, row = np.round(np.array([1.23, -0.77]) / 0.2 + 47.5).astype(int)
    assert np.isfinite(holed.snr).all()
    assert holed.weight[row, column] < 0.9 * whole.weight[row, column]
    place = whole.arcsec(np.array([column, row]))
    score, weight = by_direct_sum(replace(taken, mask=mask, image=image), seen, *place)
    assert holed.score[row, column] == pytest.approx(score, rel=0.01)
    # Weights are interpolated linearly, which the edge of a hole is not.
    assert holed.weight[row, column] == pytest.approx(weight, rel=0.05)
    np.testing.assert_allclose(holed.weight[5, 5], whole.weight[5, 5], rtol=1e-4)


def test_where_nothing_was_seen_there_is_no_signal(one_star):
    exposures, observations = one_star
    taken = exposures["LSST"]
    mask = np.ones_like(taken.mask)
    mask[0, :, :48] = 0  # of one exposure alone: others lie otherwise on the sky
    image = detection_image(replace(taken, mask=mask), observations["LSST"])
    assert np.isfinite(image.snr).all() and np.mean(image.snr == 0) > 0.2


@pytest.mark.parametrize("column, row", [(0, 0), (0, 40), (95, 50), (40, 1)])
def test_the_border_sees_what_there_is(one_star, column, row):
    exposures, observations = one_star
    taken, seen = exposures["LSST"], observations["LSST"]
    image = detection_image(taken, seen)
    _, weight = by_direct_sum(taken, seen, *image.arcsec(np.array([column, row])))
    assert image.weight[row, column] == pytest.approx(weight, rel=0.05)
    assert weight < 0.95 * image.band_weight.sum()
    assert image.weight[48, 48] == pytest.approx(image.band_weight.sum(), rel=1e-4)


def test_surveys_add_up(one_star):
    exposures, observations = one_star
    images = [detection_image(exposures[name], observations[name]) for name in SURVEYS]
    everything = add_images(images)
    assert everything.pixel_arcsec == 0.1 and everything.score.shape == (192, 192)
    np.testing.assert_allclose(everything.band_weight, sum(image.band_weight for image in images))
    widths = [image.fwhm_arcsec for image in images]
    assert min(widths) < everything.fwhm_arcsec < max(widths)
    column, row = np.round(np.array([1.23, -0.77]) / 0.1 + 95.5).astype(int)
    parts = [
        detection_image(exposures[name], observations[name], pixel_arcsec=0.1).snr[row, column]
        for name in SURVEYS
    ]
    # At the middle of a star signals-to-noise add in quadrature.
    assert everything.snr[row, column] == pytest.approx(np.sqrt(np.sum(np.square(parts))), rel=0.03)


def test_a_spectrum_says_which_bands_count(one_star):
    exposures, observations = one_star
    taken, seen = exposures["EUCLID_NISP"], observations["EUCLID_NISP"]
    both, red = detection_image(taken, seen), detection_image(taken, seen, spectrum={"H": 2.0})
    assert red.band_weight[BANDS["Y"].code] == 0
    assert red.band_weight[BANDS["H"].code] == pytest.approx(4 * both.band_weight[BANDS["H"].code])
    with pytest.raises(ValueError, match="EUCLID_NISP was observed in H Y"):
        detection_image(taken, seen, spectrum={"i": 1.0})
    with pytest.raises(ValueError, match="different assumed spectra"):
        add_images([both, red])


def test_there_is_something_to_add():
    with pytest.raises(ValueError, match="no detection image"):
        add_images([])
