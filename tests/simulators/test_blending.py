"""Blendedness and S/N against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.simulators.blending import TEN_YEAR_FWHM_EFF_ARCSEC, TEN_YEAR_M5_I, blendedness
from skysynergy.simulators.cadence import Visit
from skysynergy.simulators.optics import effective_pixels, psf_image
from skysynergy.simulators.sources import Sources, sersic_sources
from skysynergy.simulators.surveys import BANDS, flux_from_mag

WIDTH = 19.2
I_BAND = BANDS["i"].code


def sources_at(x, mag_i=24.0, half_light_arcsec=0.4) -> Sources:
    # Other bands are far brighter: only i may count.
    flux = np.full((len(x), len(BANDS)), 1e9)
    flux[:, I_BAND] = flux_from_mag(np.broadcast_to(mag_i, len(x)))
    return sersic_sources(x=x, y=0.0, flux=flux, half_light_arcsec=half_light_arcsec, e1=0.2, e2=-0.1)


def test_a_source_alone_is_not_blended():
    blended, snr = blendedness(sources_at([1.3]), WIDTH)
    assert blended == [0.0]
    assert snr.shape == (1,) and snr[0] > 5


def test_an_empty_scene_has_no_blends():
    blended, snr = blendedness(sources_at([]), WIDTH)
    assert blended.shape == snr.shape == (0,)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_sources_on_top_of_each_other_share_their_light(n):
    blended, snr = blendedness(sources_at([0.7] * n), WIDTH)
    # Of n times its own light, 1 − 1/n is that of others. Images are float32.
    np.testing.assert_allclose(blended, 1 - 1 / n, atol=1e-5)
    np.testing.assert_allclose(snr, snr[0], rtol=1e-6)


def test_sources_far_apart_are_not_blended():
    blended, _ = blendedness(sources_at([-8.0, 8.0]), WIDTH)
    # 16 arcsec, and the PSF image ends after 6: what is left are wings of the profile itself.
    assert np.all(blended < 1e-6) and np.all(blended >= 0)


def test_the_faint_one_is_drowned():
    """With one shape, s_k = F_k p: blendedness is 1 − F / ΣF when they coincide, whatever p."""
    mag = np.array([22.0, 23.0, 25.0])
    blended, _ = blendedness(sources_at([0.0, 0.0, 0.0], mag), WIDTH)
    flux = flux_from_mag(mag)
    # Stamps of fainter sources end where these are a hundredth of a pixel's noise: 1e-3 of their light.
    np.testing.assert_allclose(blended, 1 - flux / flux.sum(), atol=1e-3)


def test_blendedness_falls_with_distance():
    values = [blendedness(sources_at([-d / 2, d / 2]), WIDTH)[0] for d in (0.0, 0.5, 1.0, 2.0, 4.0)]
    one, other = np.transpose(values)
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert np.all(np.diff(one) < 0) and one[0] == pytest.approx(0.5, abs=1e-5) and one[-1] < 0.02


def test_neighbours_in_the_margin_count():
    edge, outside = WIDTH / 2 - 0.2, WIDTH / 2 + 0.2
    blended, _ = blendedness(sources_at([edge, outside]), WIDTH)
    assert np.all(blended > 0.3)


@pytest.mark.parametrize("mag_i", [20.0, 24.0, TEN_YEAR_M5_I])
def test_signal_to_noise_of_a_point_is_the_closed_form(mag_i):
    point = sources_at([0.0], mag_i, half_light_arcsec=1e-3)
    _, snr = blendedness(point, WIDTH)
    visit = Visit("i", 0.0, TEN_YEAR_FWHM_EFF_ARCSEC, TEN_YEAR_M5_I, 1.2)
    n_eff = effective_pixels(psf_image(visit, None), 2)
    sigma = flux_from_mag(TEN_YEAR_M5_I) / 5 / np.sqrt(n_eff)
    # flux/(σ √n_eff), which is 5 at the depth. Measured: 8e-6, from the size that a point may not have and
    # the renderer's interpolation between the samples of the PSF.
    assert snr[0] == pytest.approx(flux_from_mag(mag_i) / sigma / np.sqrt(n_eff), rel=1e-4)


def test_an_extended_source_has_less_signal_to_noise():
    _, snr = blendedness(sources_at([-6.0, 0.0, 6.0], 24.0, [0.01, 0.3, 1.0]), WIDTH)
    assert np.all(np.diff(snr) < 0)
