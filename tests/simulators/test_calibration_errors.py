"""Calibration errors: drawn at the accuracies of the surveys, and PSFs wrong by just as much."""

from __future__ import annotations

from dataclasses import astuple, replace

import galsim
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skysynergy.simulators.cadence import Visit, sample_visits
from skysynergy.simulators.calibration_errors import (
    ACCURACIES,
    CalibrationErrors,
    adaptive_moments,
    draw_errors,
    supplied_psf,
)
from skysynergy.simulators.optics import psf_image
from skysynergy.simulators.surveys import BANDS, SURVEYS

NONE = CalibrationErrors(0.0, 0.0, 0.0, (0.0, 0.0), 0.0)


def visit(band) -> Visit:
    return sample_visits(np.random.default_rng(1), {band: 1})[0]


@pytest.fixture(scope="module", params=["g", "i", "VIS", "Y", "H"])
def psf(request):
    """A PSF as the simulator has it, LSST's with air and aberrations, and its sampling."""
    rng = np.random.default_rng(5)
    return psf_image(visit(request.param), rng, (0.9, -0.7)), SURVEYS[BANDS[request.param].survey]


def hsm(image):
    """Oracle: GalSim's adaptive moments; T and e = (1 − q)/(1 + q), centre."""
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(np.asarray(image, dtype=float), scale=1.0))
    shape = found.observed_shape
    # sigma is the fourth root of the determinant.
    trace = 2 * found.moments_sigma**2 * (1 + shape.g**2) / (1 - shape.g**2)
    centre = found.moments_centroid
    return trace, shape.g1, shape.g2, np.array([centre.x, centre.y]) - 1


def test_moments_are_those_of_galsim(psf):
    centre, moments = adaptive_moments(np.asarray(psf[0], dtype=float), 2.0)
    trace, g1, g2, place = hsm(psf[0])
    assert np.trace(moments) == pytest.approx(trace, rel=1e-4)
    chi = np.array([moments[0, 0] - moments[1, 1], 2 * moments[0, 1]]) / np.trace(moments)
    shape = galsim.Shear(e1=chi[0], e2=chi[1])
    assert [shape.g1, shape.g2] == pytest.approx([g1, g2], abs=2e-5)
    np.testing.assert_allclose(centre, place, atol=1e-3)


def test_moments_of_a_gaussian_are_its_own():
    y, x = np.indices((101, 101))
    true = np.array([[30.0, 7.0], [7.0, 18.0]])
    dx, dy = x - 51.3, y - 48.6
    inverse = np.linalg.inv(true)
    image = np.exp(-(inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2) / 2)
    centre, moments = adaptive_moments(image, 2.0)
    np.testing.assert_allclose(centre, [51.3, 48.6], atol=1e-6)
    np.testing.assert_allclose(moments, true, rtol=1e-6)


@pytest.mark.parametrize(
    "errors",
    [
        replace(NONE, size=1e-2),
        replace(NONE, size=-1e-2),
        replace(NONE, e1=5e-3),
        replace(NONE, e2=-5e-3),
        replace(NONE, size=4e-3, e1=-3e-3, e2=2e-3),
    ],
    ids=["larger", "smaller", "e1", "e2", "all"],
)
def test_the_psf_is_wrong_by_what_was_asked(psf, errors, record_figure):
    image, survey = psf
    wrong = supplied_psf(image, survey.psf_oversampling, errors)
    trace, e1, e2, place = hsm(image)
    new_trace, new_e1, new_e2, new_place = hsm(wrong)
    found = np.array([new_trace / trace - 1, new_e1 - e1, new_e2 - e2])
    asked = np.array([errors.size, errors.e1, errors.e2])
    record_figure(f"worst difference {survey.name}", np.abs(found - asked).max() / np.abs(asked).max())
    # 1 % of the change, of each and into the others.
    np.testing.assert_allclose(found, asked, rtol=0, atol=0.01 * np.abs(asked).max())
    np.testing.assert_allclose(new_place, place, atol=2e-4 * np.sqrt(trace))


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.02, 0.02), st.floats(-0.01, 0.01), st.floats(-0.01, 0.01))
def test_an_elliptical_gaussian_is_wrong_by_what_was_asked(size, e1, e2):
    profile = galsim.Gaussian(sigma=5.0).shear(g1=0.08, g2=-0.05)
    image = profile.drawImage(nx=101, ny=101, scale=1.0, method="no_pixel").array
    trace, g1, g2, _ = hsm(image)
    found = hsm(supplied_psf(image, 2, CalibrationErrors(size, e1, e2, (0, 0), 0)))
    change = np.array([found[0] / trace - 1, found[1] - g1, found[2] - g2])
    worst = max(abs(size), abs(e1), abs(e2), 1e-4)
    np.testing.assert_allclose(change, [size, e1, e2], rtol=0, atol=0.01 * worst)


def test_the_image_stays_an_image_of_a_psf(psf):
    image, survey = psf
    wrong = supplied_psf(image, survey.psf_oversampling, draw_errors(np.random.default_rng(1), survey))
    assert wrong.dtype == np.float32 and wrong.shape == image.shape
    assert wrong.sum(dtype=float) == pytest.approx(1, abs=1e-6)
    assert np.abs(wrong - image).max() < 0.05 * image.max()
    right = supplied_psf(image, survey.psf_oversampling, NONE)
    np.testing.assert_allclose(right, image, rtol=1e-6, atol=1e-20)


@pytest.mark.parametrize("name", ACCURACIES)
def test_errors_are_gaussian_at_the_accuracy_of_the_survey(name):
    rng, known = np.random.default_rng(2), ACCURACIES[name]
    drawn = [draw_errors(rng, SURVEYS[name]) for _ in range(4000)]
    table = np.array([(e.size, e.e1, e.e2, *e.offset_arcsec, e.zero_point) for e in drawn])
    two = 2 * [known.ellipticity], 2 * [known.offset_arcsec]
    expected = np.array([known.size, *two[0], *two[1], known.zero_point])
    np.testing.assert_allclose(table.std(axis=0), expected, rtol=4 / np.sqrt(2 * 4000))
    assert np.all(np.abs(table.mean(axis=0)) < 4 * expected / np.sqrt(4000))
    assert np.abs(np.corrcoef(table.T)[np.triu_indices(6, 1)]).max() < 4.5 / np.sqrt(4000)


def test_a_scale_makes_the_same_errors_larger_or_none():
    once, twice, none = (
        draw_errors(np.random.default_rng(3), SURVEYS["LSST"], scale) for scale in (1.0, 2.0, 0.0)
    )
    flat = [np.hstack(astuple(e)) for e in (once, twice, none)]
    np.testing.assert_allclose(flat[1], 2 * flat[0], rtol=1e-14)
    assert not flat[2].any()


def test_what_is_wrong_is_said():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="nothing is known of HYPER or of a survey like it"):
        draw_errors(rng, replace(SURVEYS["LSST"], name="HYPER", sensor="hgcdte"))
    with pytest.raises(ValueError, match="a number from zero up, not -1"):
        draw_errors(rng, SURVEYS["LSST"], -1.0)
    image = galsim.Gaussian(sigma=4.0).drawImage(nx=51, ny=51, scale=1.0).array
    with pytest.raises(ValueError, match="leave no PSF: scale them down"):
        supplied_psf(image, 2, replace(NONE, size=-1.5))
    with pytest.raises(ValueError, match="leave no PSF: scale them down"):
        supplied_psf(image, 2, replace(NONE, e1=1.5))
    with pytest.raises(ValueError, match=r"square image with light in it, not one of shape \(3, 4\)"):
        supplied_psf(np.ones((3, 4)), 2, NONE)
    with pytest.raises(ValueError, match="sum nan"):
        supplied_psf(np.full((3, 3), np.nan), 2, NONE)
    with pytest.raises(ValueError, match="no Gaussian fits"):
        supplied_psf(np.diag([0, 0, 0, 1.0, 0, 0, 0]), 2, replace(NONE, size=0.1))
