"""Noise: blank exposures have the depth of their visit, and pixels the variance that is published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators.cadence import sample_visits, sky_electrons
from skysynergy.simulators.detectors import SATURATED, Background, add_noise, background, saturated
from skysynergy.simulators.optics import effective_pixels, psf_image
from skysynergy.simulators.surveys import BANDS, SURVEYS, flux_from_mag, mag_from_flux

COUNTS = dict.fromkeys(BANDS, 1)
SINGLE = {v.band: v for v in sample_visits(np.random.default_rng(5), COUNTS)}
CONDENSED = {v.band: v for v in sample_visits(np.random.default_rng(6), COUNTS, condensed=4)}
NOISE = Background(sky_variance=9.0, read_variance=4.0, electron=0.5, full_well=100.0)


def star(psf: np.ndarray, oversampling: int, offset: np.ndarray, half: int) -> np.ndarray:
    """A star of flux 1 on (2 half + 1)² pixels: the PSF image between its samples, averaged over pixels."""
    samples = (np.arange(len(psf)) - len(psf) // 2) / oversampling
    # Trigonometric interpolation, its average over a pixel included: sums of cosines up to half a cycle
    # per sample, one axis at a time.
    n = len(psf)
    k = np.fft.fftfreq(n) * oversampling  # cycles per pixel
    kernels = []
    for shift in offset:
        distance = np.arange(-half, half + 1)[:, None] - shift - samples
        kernels.append(np.einsum("k,pnk->pn", np.sinc(k), np.cos(2 * np.pi * distance[..., None] * k)) / n)
    return kernels[1] @ psf.astype(float) @ kernels[0].T * oversampling**2


@pytest.mark.parametrize("visits", [SINGLE, CONDENSED], ids=["single", "condensed"])
@pytest.mark.parametrize("band", BANDS)
def test_blank_exposures_reach_the_depth_of_their_visit(band, visits, record_figure):
    visit, survey = visits[band], SURVEYS[BANDS[band].survey]
    rng = np.random.default_rng([7, BANDS[band].code])
    psf = psf_image(visit, rng)
    noise = background(visit, psf)
    size = 384
    blank = np.fft.rfft2(add_noise(np.zeros((size, size)), noise, rng.standard_normal((size, size))))
    scatters = []
    # Places within a pixel, evenly spread: the depth is that of a star anywhere.
    for offset in (np.indices((3, 3)).reshape(2, 9).T - 1) / 3:
        model = star(psf, survey.psf_oversampling, offset, 20)
        assert model.sum() == pytest.approx(1, abs=0.02)  # what lies beyond 20 pixels is not much
        padded = np.zeros((size, size))
        padded[:41, :41] = model
        # Least squares of one amplitude: Σ P d / Σ P², for every place of the star at once.
        fluxes = np.fft.irfft2(blank * np.conj(np.fft.rfft2(padded)), s=(size, size)) / np.sum(model**2)
        scatters.append(np.mean(fluxes**2))
    sigma_e = np.sqrt(np.mean(scatters)) / noise.electron
    # C / sqrt(C + σ²) = 5: the star's own photons are noise, too (SMTN-002).
    electrons = (25 + np.sqrt(625 + 100 * sigma_e**2)) / 2
    depth = mag_from_flux(electrons * noise.electron)
    record_figure(f"difference {band}", depth - visit.m5)
    # 0.05 mag is what is asked for. NISP is some 0.02 short, where the depth is that of the mean
    # information, and stars between its large pixels have less. 147,456 pixels hold from 1,050 (u, poor
    # seeing) independent stars up, so that chance is 0.024 mag at most.
    assert depth == pytest.approx(visit.m5, abs=0.05)


@pytest.mark.parametrize("visits", [SINGLE, CONDENSED], ids=["single", "condensed"])
@pytest.mark.parametrize("band", BANDS)
def test_the_background_is_the_one_that_gives_signal_to_noise_five(band, visits):
    visit, survey = visits[band], SURVEYS[BANDS[band].survey]
    psf = psf_image(visit, None)
    noise = background(visit, psf)
    electrons = float(flux_from_mag(visit.m5)) / noise.electron
    variance = (noise.sky_variance + noise.read_variance) / noise.electron**2
    n_eff = effective_pixels(psf, survey.psf_oversampling)
    assert electrons / np.sqrt(electrons + n_eff * variance) == pytest.approx(5, rel=1e-9)
    read_e2 = visit.condensed * survey.read_noise_e**2 + survey.dark_e_s * visit.exposure_s
    assert noise.read_variance == pytest.approx(read_e2 * noise.electron**2, rel=1e-9)
    # Zero point: one electron a second.
    assert mag_from_flux(noise.electron * visit.exposure_s) == pytest.approx(BANDS[band].zero_point)
    # Of the noise, only the dark sky is sure to have filled the well: the rest may be clouds.
    well = survey.full_well_e * visit.condensed - sky_electrons(BANDS[band], visit.exposure_s)
    assert noise.full_well == pytest.approx(well * noise.electron, rel=1e-9)
    assert noise.sigma == pytest.approx(np.sqrt(variance) * noise.electron)


@pytest.mark.parametrize("band", BANDS)
def test_a_depth_that_the_detector_cannot_reach_is_refused(band):
    visit = SINGLE[band]
    with pytest.raises(ValueError, match=f"a depth of 29.00 in {band} cannot be reached"):
        background(replace(visit, m5=29.0), psf_image(visit, None))


def test_noise_has_the_variance_of_sky_detector_and_light():
    light = np.array([[0.0, 10.0, 1000.0, -10.0]])
    # A normal of one gives the standard deviation itself; light below zero takes no noise away.
    added = add_noise(light, NOISE, np.ones((1, 4))) - light
    np.testing.assert_allclose(added**2, [[13.0, 18.0, 513.0, 13.0]])
    np.testing.assert_array_equal(add_noise(light, NOISE, np.zeros((1, 4))), light)


def test_saturation_is_masked_where_it_is_observed():
    observed = np.array([[99.9, 100.0, 100.1], [-1e6, 0.0, 1e6]])
    mask = saturated(observed, NOISE)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, np.array([[0, 0, 1], [0, 0, 1]]) * SATURATED)
