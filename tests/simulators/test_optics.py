"""PSFs: normalised, centred, as wide and as elliptical as asked, in all bands."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import galsim
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erf, j0
from skysynergy.simulators.atmosphere import fried_parameter, refraction_arcsec
from skysynergy.simulators.cadence import Visit, sample_visits
from skysynergy.simulators.chromatic import (
    bin_edges_nm,
    mixed,
    photon_fractions,
    reference_fractions,
    wavelengths,
)
from skysynergy.simulators.optics import (
    chromatic_psfs,
    effective_pixels,
    pixel_response,
    psf_image,
)
from skysynergy.simulators.surveys import BANDS, SURVEYS

IN_SPACE = [name for name, band in BANDS.items() if SURVEYS[band.survey].mission]
VISITS = {v.band: v for v in sample_visits(np.random.default_rng(0), dict.fromkeys(BANDS, 1))}


def survey_of(band):
    return SURVEYS[BANDS[band].survey]


def gaussian(sigma_pixel: float, oversampling: int, size: int) -> np.ndarray:
    y, x = (np.indices((size, size)) - size // 2) / oversampling
    image = np.exp(-(x**2 + y**2) / 2 / sigma_pixel**2)
    return image / image.sum()


def fwhm_arcsec(band: str, psf: np.ndarray, pixel: bool = False) -> float:
    """Of the mean over all directions, from the frequencies of the image."""
    oversampling = survey_of(band).psf_oversampling
    transform = pixel_response(psf, oversampling if pixel else 0).real
    k = np.fft.fftfreq(len(psf))
    k = np.hypot(k, k[:, None])

    def excess(radius: float) -> float:
        return float(np.sum(transform * (j0(2 * np.pi * radius * k) - 0.5)))

    return 2 * brentq(excess, 0, len(psf) / 6) * survey_of(band).pixel_arcsec / oversampling


def shape(psf: np.ndarray) -> tuple[float, float, float]:
    """g1, g2 and sigma (samples) of adaptive moments."""
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(psf.astype(float), scale=1.0))
    return found.observed_shape.g1, found.observed_shape.g2, found.moments_sigma


def centroid(image: np.ndarray) -> np.ndarray:
    y, x = np.indices(image.shape) - len(image) // 2
    return np.array([np.sum(x * image), np.sum(y * image)]) / image.sum()


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


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("fwhm_eff", [0.15, 0.3, 0.5, 0.8, 1.2, 2.0])
@pytest.mark.parametrize("band", ["u", "y"])
def test_a_visit_is_as_wide_as_asked(band, fwhm_eff, seed, record_figure):
    visit = replace(VISITS[band], fwhm_eff_arcsec=fwhm_eff)
    psf = psf_image(visit, None if seed is None else np.random.default_rng(seed))
    width = fwhm_arcsec(band, psf)
    record_figure("fraction", width / visit.fwhm_arcsec - 1)
    # Aberrations and stretching included, in the middle of the field; below 0.3 arcsec samples are as wide as
    # half of the FWHM.
    assert width == pytest.approx(visit.fwhm_arcsec, rel=2e-3 if visit.fwhm_arcsec > 0.2 else 0.02)


@pytest.mark.parametrize("fwhm_eff", [0.6, 1.0, 1.6])
def test_wings_are_those_of_galsim(fwhm_eff, record_figure):
    """The same profile, built by GalSim from its own turbulence, diffraction and Gaussians."""
    visit, survey = replace(VISITS["r"], fwhm_eff_arcsec=fwhm_eff), SURVEYS["LSST"]
    psf = psf_image(visit, None).astype(float)
    tight = galsim.GSParams(folding_threshold=1e-3, maximum_fft_size=16384)
    camera = galsim.Gaussian(fwhm=np.sqrt(0.25**2 + 0.08**2 + 0.30**2))  # SMTN-002
    nm = BANDS["r"].wavelength_nm
    airy = galsim.Airy(lam=nm, diam=survey.diameter_m, obscuration=survey.obscuration)

    def build(r0):
        return galsim.Convolve(galsim.VonKarman(lam=nm, r0=r0, L0=25.0), airy, camera, gsparams=tight)

    def excess(r0):
        image = build(r0).drawImage(nx=9, ny=9, scale=visit.fwhm_arcsec / 8, method="no_pixel").array
        return image[4, 8] / image[4, 4] - 0.5

    start = fried_parameter(visit.fwhm_arcsec, nm)
    r0 = brentq(excess, 0.7 * start, 3 * start, xtol=1e-5)
    expected = build(r0).drawImage(nx=len(psf), ny=len(psf), scale=0.1, method="no_pixel", dtype=float).array
    inside = np.hypot(*(np.indices(psf.shape) - len(psf) // 2)) < 44  # where the wings are not ended yet
    worst = np.abs(psf / psf[inside].sum() - expected / expected[inside].sum())[inside].max() / psf.max()
    record_figure("error", worst)
    assert worst < 1e-3
    # And the light far out, which a few parts in a thousand of the peak do not show.
    ring = inside & (np.hypot(*(np.indices(psf.shape) - len(psf) // 2)) > 20)
    share = psf[ring].sum() / psf[inside].sum() / (expected[ring].sum() / expected[inside].sum())
    assert share == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("band", IN_SPACE)
def test_the_table_of_the_surveys_is_that_of_our_psfs(band):
    psf, survey = psf_image(VISITS[band], None), survey_of(band)
    n_eff = effective_pixels(psf, survey.psf_oversampling)
    # Of the Gaussian with the same n_eff = 2.266 (fwhm_eff / pixel)² (SMTN-002); to the digits of the table.
    fwhm_eff = np.sqrt(n_eff / 2.266) * survey.pixel_arcsec
    assert BANDS[band].fwhm_eff_arcsec == pytest.approx(fwhm_eff, abs=6e-4)
    assert BANDS[band].fwhm_arcsec == pytest.approx(fwhm_arcsec(band, psf, pixel=True), abs=6e-4)


def test_vis_has_its_published_width_with_the_pixel():
    psf = psf_image(VISITS["VIS"], None)
    # 0.17 arcsec (Laureijs et al. 2011), to the second digit that is published.
    assert fwhm_arcsec("VIS", psf, pixel=True) == pytest.approx(0.17, abs=0.005)


@pytest.mark.parametrize("band", IN_SPACE)
def test_the_published_width_is_that_of_the_image(band):
    psf = psf_image(VISITS[band], None)
    # Catalogues give the width with or without the pixel: between the two, and 2 % for rounding.
    narrow, wide = fwhm_arcsec(band, psf), fwhm_arcsec(band, psf, pixel=True)
    assert 0.98 * narrow < VISITS[band].fwhm_arcsec < 1.02 * wide


def test_ellipticity_varies_by_visit(record_figure):
    visit = replace(VISITS["i"], fwhm_eff_arcsec=0.8)
    shapes = np.array([shape(psf_image(visit, np.random.default_rng(seed)))[:2] for seed in range(200)])
    rms = shapes.std()
    record_figure("ellipticity", rms)
    # 0.015 per component, as long as the tail that squares of aberrations make; 400 components.
    assert 0.012 < rms < 0.019
    assert np.abs(shapes.mean(axis=0)).max() < 4 * rms / np.sqrt(200)


def test_one_exposure_differs_over_the_field_of_view():
    visit = replace(VISITS["i"], fwhm_eff_arcsec=0.8)
    middle, near, far = (
        psf_image(visit, np.random.default_rng(5), place) for place in ((0, 0), (0.002, 0), (1.2, -0.9))
    )
    np.testing.assert_array_equal(middle, psf_image(visit, np.random.default_rng(5)))
    peak = middle.max()
    assert 0 < np.abs(near - middle).max() < 5e-3 * peak < np.abs(far - middle).max()
    sizes = [
        shape(psf_image(visit, np.random.default_rng(s), (1.2, -0.9)))[2]
        / shape(psf_image(visit, np.random.default_rng(s)))[2]
        for s in range(60)
    ]
    # Sizes differ by percents over the field, and on the whole it is as sharp as in the middle.
    assert 0.004 < np.std(sizes) < 0.05
    assert np.mean(sizes) == pytest.approx(1, abs=4 * np.std(sizes) / np.sqrt(60) + 0.003)


@pytest.mark.parametrize("position", [1.0, (1.0,), (0.0, np.nan), (0, 0, 0)])
def test_a_position_that_is_none_is_refused(position):
    with pytest.raises(ValueError, match="position in the focal plane"):
        psf_image(VISITS["i"], None, position)


@pytest.mark.parametrize("band", IN_SPACE)
def test_space_psfs_are_diffraction_jitter_and_charge(band, record_figure):
    survey, psf = survey_of(band), psf_image(VISITS[band], None).astype(float)
    scale = survey.pixel_arcsec / survey.psf_oversampling
    low, high = bin_edges_nm(band, 1)
    parts = [
        galsim.Airy(lam=nm, diam=survey.diameter_m, obscuration=survey.obscuration)
        for nm in wavelengths(band, low, high, 12)
    ]
    blurs = [
        galsim.Gaussian(fwhm=width)
        for width in (survey.mission.jitter_fwhm_arcsec, survey.charge_fwhm_arcsec)
    ]
    tight = galsim.GSParams(folding_threshold=1e-3, maximum_fft_size=16384)
    whole = galsim.Convolve(galsim.Add(parts) / 12, *blurs, gsparams=tight)
    expected = whole.drawImage(nx=len(psf), ny=len(psf), scale=scale, method="no_pixel", dtype=float).array
    inside = np.hypot(*(np.indices(psf.shape) - len(psf) // 2)) < 0.7 * (len(psf) // 2)
    worst = np.abs(psf / psf[inside].sum() - expected / expected[inside].sum())[inside].max() / psf.max()
    record_figure(f"error {band}", worst)
    assert worst < 2e-3


@pytest.mark.parametrize("band", IN_SPACE)
def test_space_psfs_are_always_the_same_and_nobody_can_change_them(band):
    first = psf_image(VISITS[band], np.random.default_rng(1))
    np.testing.assert_array_equal(first, psf_image(VISITS[band], None))
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1


@pytest.mark.parametrize("band", ["u", "g", "VIS", "H"])
def test_the_bins_of_the_reference_star_make_its_psf(band, record_figure):
    edges = bin_edges_nm(band, 4)
    psfs = chromatic_psfs(VISITS[band], np.random.default_rng(3), edges, (0.4, 0.1), refraction=False)
    psf = psf_image(VISITS[band], np.random.default_rng(3), (0.4, 0.1))
    assert psfs.dtype == np.float32 and psfs.shape == (4, *psf.shape)
    np.testing.assert_allclose(psfs.sum(axis=(1, 2), dtype=float), 1, atol=1e-6)
    worst = np.abs(mixed(psfs, reference_fractions(band, edges)) - psf).max() / psf.max()
    record_figure(f"error {band}", worst)
    # LSST's PSF is that of one wavelength, Euclid's an average over the same as the bins'.
    assert worst < (3e-3 if band in "ug" else 1e-3)


@pytest.mark.parametrize("band", ["u", "g", "r"])
def test_refraction_shifts_bins_by_filippenkos_formula(band, record_figure):
    visit, angle = replace(VISITS[band], airmass=1.2, fwhm_eff_arcsec=0.8), 0.7
    edges = bin_edges_nm(band, 5)
    psfs = chromatic_psfs(visit, None, edges, zenith_angle=angle)
    found = 0.1 * np.array([centroid(psf.astype(float)) for psf in psfs])
    lifted = [
        refraction_arcsec(wavelengths(band, a, b, 50), 1.2).mean() for a, b in itertools.pairwise(edges)
    ]
    expected = np.array(lifted) - refraction_arcsec(wavelengths(band, *edges[[0, -1]], 250), 1.2).mean()
    worst = np.abs(found - np.outer(expected, [np.cos(angle), np.sin(angle)])).max()
    record_figure(f"offset {band}", worst)
    assert worst < 1e-3  # arcsec
    assert expected[0] > 0 > expected[-1]  # blue towards the zenith
    # The reference star stays where it is.
    assert np.abs(reference_fractions(band, edges) @ found).max() < 1e-3
    # And none without airmass, or on demand.
    for still in (replace(visit, airmass=1.0), visit):
        psfs = chromatic_psfs(still, None, edges, refraction=still is not visit)
        assert max(np.abs(centroid(psf.astype(float))).max() for psf in psfs) < 1e-3


@pytest.mark.parametrize(("band", "power"), [("g", -0.2), ("VIS", None)])
def test_images_are_sharper_where_they_should_be(band, power):
    edges = bin_edges_nm(band, 4)
    visit = VISITS[band] if band == "VIS" else replace(VISITS[band], fwhm_eff_arcsec=1.5)
    widths = [fwhm_arcsec(band, psf) for psf in chromatic_psfs(visit, None, edges, refraction=False)]
    nm = [wavelengths(band, a, b, 1)[0] for a, b in itertools.pairwise(edges)]
    slope = np.polyfit(np.log(nm), np.log(widths), 1)[0]
    if power is None:
        assert 0.3 < slope < 1  # diffraction grows as the wavelength, jitter and diffusion do not
    else:
        # Kolmogorov: −0.2; an outer scale makes it steeper, −0.3 (Xin et al. 2018), the camera flatter.
        assert -0.33 < slope < -0.15


@pytest.mark.parametrize("band", ["g", "VIS"])
def test_few_bins_are_enough_for_galaxies(band, record_figure):
    """Against many bins: the moments of each template's PSF at several redshifts."""
    visit = replace(VISITS[band], airmass=1.2)
    made = {}
    for bins in (6, 30):
        edges = bin_edges_nm(band, bins)
        psfs = chromatic_psfs(visit, None, edges, zenith_angle=0.0)
        rows = []
        for name in ("E", "Sbc", "Scd", "Im"):  # Coleman, Wu & Weedman (1980), as they come with GalSim
            path = Path(galsim.meta_data.share_dir) / "SEDs" / f"CWW_{name}_ext.sed"
            wavelength, f_lambda = np.loadtxt(path, unpack=True)
            rows += [
                photon_fractions(wavelength * (1 + z) / 10, f_lambda, band, edges) for z in (0.2, 0.7, 1.5)
            ]
        made[bins] = np.array([(shape(psf)[2], centroid(psf)[0]) for psf in mixed(psfs, rows)])
    scale = survey_of(band).pixel_arcsec / survey_of(band).psf_oversampling
    size = 2 * np.abs(made[6][:, 0] / made[30][:, 0] - 1).max()
    shift = scale * np.abs(made[6][:, 1] - made[30][:, 1]).max()
    record_figure(f"size {band}", size)
    record_figure(f"shift {band}", shift)
    # Of R², 3 % of the range of these galaxies, and arcsec.
    assert size < 4e-3 and shift < 3e-3


def test_the_same_stream_gives_the_same_field_with_and_without_colours():
    visit, edges = VISITS["i"], bin_edges_nm("i", 2)
    first, again = (chromatic_psfs(visit, np.random.default_rng(8), edges, (1, 1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = chromatic_psfs(visit, np.random.default_rng(9), edges, (1, 1))
    assert np.abs(first - other).max() > 1e-3 * first.max()


def test_bins_that_are_none_are_refused():
    with pytest.raises(ValueError, match="increasing wavelengths"):
        chromatic_psfs(VISITS["g"], None, [500.0, 400.0])
    with pytest.raises(ValueError, match="no light between"):
        chromatic_psfs(VISITS["g"], None, [200.0, 300.0, 500.0])


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
