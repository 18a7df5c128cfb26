"""PSFs: normalised, centred, as wide and as elliptical as asked, in all ten bands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erf
from skysynergy.simulators.cadence import Visit, sample_visits
from skysynergy.simulators.optics import ATMOSPHERE_E_RMS, effective_pixels, pixel_response, psf_image
from skysynergy.simulators.surveys import BANDS, SURVEYS

VISITS = {v.band: v for v in sample_visits(np.random.default_rng(0), dict.fromkeys(BANDS, 1))}


def survey_of(band):
    return SURVEYS[BANDS[band].survey]


def gaussian(sigma_pixel: float, oversampling: int, size: int) -> np.ndarray:
    y, x = (np.indices((size, size)) - size // 2) / oversampling
    image = np.exp(-(x**2 + y**2) / 2 / sigma_pixel**2)
    return image / image.sum()


def profile(transform_row: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Values along a line through the centre, from the frequencies of the image; x in samples."""
    return np.cos(2 * np.pi * np.outer(x, np.fft.fftfreq(len(transform_row)))) @ transform_row.real


def fwhm_arcsec(band: str, psf: np.ndarray, pixel: bool = False) -> float:
    oversampling = survey_of(band).psf_oversampling
    transform = pixel_response(psf, oversampling if pixel else 0)
    row = transform.sum(axis=0)
    top = profile(row, np.zeros(1))[0]
    half = brentq(lambda x: profile(row, np.array([x]))[0] - top / 2, 0, len(psf) / 6)
    return 2 * half * survey_of(band).pixel_arcsec / oversampling


@pytest.mark.parametrize("rng", [None, 1], ids=["round", "drawn"])
@pytest.mark.parametrize("band", BANDS)
def test_a_psf_is_normalised_centred_and_as_large_as_the_survey_says(band, rng):
    survey = survey_of(band)
    psf = psf_image(VISITS[band], rng and np.random.default_rng(rng))
    width = survey.psf_width_arcsec * survey.psf_oversampling / survey.pixel_arcsec
    assert psf.dtype == np.float32 and psf.shape[0] == psf.shape[1] and psf.shape[0] % 2 == 1
    assert abs(len(psf) - width) <= 1
    assert psf.min() >= 0
    # float32 holds each of some 20,000 samples to 6e-8 of itself.
    assert psf.sum(dtype=float) == pytest.approx(1, abs=1e-6)
    y, x = np.indices(psf.shape) - len(psf) // 2
    for axis in (x, y):
        assert np.sum(axis * psf.astype(float)) == pytest.approx(0, abs=1e-4)  # samples; rounding x radius
    # The wings have ended at the edge, so no frequency rings.
    assert max(psf[0].max(), psf[:, -1].max()) < 1e-12 * psf.max()


@pytest.mark.parametrize("fwhm_eff", [0.5, 0.8, 1.2, 2.0])
def test_the_atmosphere_is_as_wide_as_asked(fwhm_eff):
    visit = replace(VISITS["r"], fwhm_eff_arcsec=fwhm_eff)
    # 1 % is what is asked for; the wings that are cut off and the float32 samples change far less.
    assert fwhm_arcsec("r", psf_image(visit, None)) == pytest.approx(0.822 * fwhm_eff + 0.052, rel=0.01)


def test_vis_has_its_published_width_with_the_pixel():
    psf = psf_image(VISITS["VIS"], None)
    # 0.17 arcsec (Laureijs et al. 2011), to the second digit that is published.
    assert fwhm_arcsec("VIS", psf, pixel=True) == pytest.approx(0.17, abs=0.005)


@pytest.mark.parametrize("band", ["VIS", "Y", "J", "H"])
def test_the_published_width_is_that_of_the_image(band):
    psf = psf_image(VISITS[band], None)
    # Catalogues give the width with or without the pixel: between the two, and 2 % for rounding.
    narrow, wide = fwhm_arcsec(band, psf), fwhm_arcsec(band, psf, pixel=True)
    assert 0.98 * narrow < VISITS[band].fwhm_arcsec < 1.02 * wide


def test_the_atmosphere_scatters_ellipticity_as_published():
    """The transform of a sheared Kolmogorov profile is exp(−c|Sk|^(5/3)): its logs give e in closed form."""
    ellipticities = []
    for seed in range(120):
        psf = psf_image(VISITS["i"], np.random.default_rng(seed)).astype(float)
        y, x = np.indices(psf.shape) - len(psf) // 2
        # About 1/e of the transform: above the wings that are cut off, below the noise of float32.
        k = 0.16 * np.array([[1, 0], [0, 1], [0.5**0.5, 0.5**0.5], [0.5**0.5, -(0.5**0.5)]])
        lengths = [(-np.log(np.sum(psf * np.cos(a * x + b * y)))) ** (3 / 5) for a, b in k]
        # Along x: |Sk|² ∝ (1 + e1)² + e2², along y: (1 − e1)² + e2²; the diagonals likewise.
        ellipticities.append([(a - b) / (a + b) for a, b in (lengths[:2], lengths[2:])])
    scatter = np.std(ellipticities)
    # 240 components: 4.6 % of scatter in the scatter.
    assert scatter == pytest.approx(ATMOSPHERE_E_RMS, rel=0.15)
    assert np.mean(ellipticities, axis=0) == pytest.approx(0, abs=4 * ATMOSPHERE_E_RMS / np.sqrt(120))


@pytest.mark.parametrize("band", ["VIS", "Y", "J", "H"])
def test_space_psfs_are_always_the_same_and_nobody_can_change_them(band):
    first = psf_image(VISITS[band], np.random.default_rng(1))
    np.testing.assert_array_equal(first, psf_image(VISITS[band], None))
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1


@pytest.mark.parametrize("sigma", [0.7, 1.5, 4.0])
@pytest.mark.parametrize("oversampling", [2, 3, 5])
def test_effective_pixels_of_a_gaussian_are_the_closed_form(sigma, oversampling):
    psf = gaussian(sigma, oversampling, 2 * int(9 * sigma * oversampling) + 1)
    # ∫(Gaussian ⊛ pixel)² along one axis: the mean of a normal of variance 2σ² under a triangle.
    one_axis = erf(0.5 / sigma) - 2 * sigma / np.sqrt(np.pi) * (1 - np.exp(-0.25 / sigma**2))
    # Twice oversampled, σ = 0.7 leaves 6e-5 of its transform beyond the band.
    assert effective_pixels(psf, oversampling) == pytest.approx(one_axis**-2, rel=1e-4)
    if sigma == 4.0:
        # Where the pixel is small: 4πσ², short of the pixel's own variance (σ² + 1/12).
        assert effective_pixels(psf, oversampling) == pytest.approx(4 * np.pi * (sigma**2 + 1 / 12), rel=1e-3)


@pytest.mark.parametrize("band", BANDS)
def test_effective_pixels_are_the_mean_over_places_within_a_pixel(band):
    oversampling, psf = survey_of(band).psf_oversampling, psf_image(VISITS[band], np.random.default_rng(4))
    # The PSF averaged over each pixel, by sums of samples: shifts of whole ones need no interpolation.
    n = oversampling
    padded = np.pad(psf.astype(float), 3 * n)
    cumulative = np.pad(np.cumsum(np.cumsum(padded, axis=0), axis=1), ((1, 0), (1, 0)))
    sums = cumulative[n:, n:] - cumulative[:-n, n:] - cumulative[n:, :-n] + cumulative[:-n, :-n]
    square_sum = np.mean([np.sum(sums[i::n, j::n] ** 2) for i in range(n) for j in range(n)])
    # Sums of samples stand in for the integral over a pixel: right to second order in the sample.
    assert effective_pixels(psf, n) == pytest.approx(1 / square_sum, rel=0.05)


def test_the_pixel_is_a_sinc():
    point = np.zeros((33, 33))
    point[16, 16] = 1
    k = np.fft.fftfreq(33)
    expected = np.sinc(3 * k)[:, None] * np.sinc(3 * k)
    np.testing.assert_allclose(pixel_response(point, 3), expected, atol=1e-12)


@pytest.mark.parametrize("fwhm_eff", [-1.0, -0.052 / 0.822, np.nan, np.inf])
def test_seeing_that_is_none_is_refused(fwhm_eff):
    with pytest.raises(ValueError, match="seeing of a visit in g must be positive"):
        psf_image(Visit("g", 0.0, fwhm_eff, 24.0, 1.0), None)


def test_seeing_below_the_samples_is_refused():
    with pytest.raises(ValueError, match="FWHM of 0.09.* in g is below the 0.1 arcsec"):
        psf_image(Visit("g", 0.0, 0.05, 24.0, 1.0), None)
