"""Residual skies: as large as the fraction says, planes, the same for the same stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators.background_residuals import SUBTRACTION, Residual, draw_residual, plane
from skysynergy.simulators.surveys import SURVEYS


@pytest.mark.parametrize("name", SUBTRACTION)
def test_levels_and_slopes_have_the_rms_of_the_survey(name):
    known, rng = SUBTRACTION[name], np.random.default_rng(0)
    drawn = [draw_residual(rng, 1500.0, 2.0, (60, 60), SURVEYS[name]) for _ in range(4000)]
    table = np.array([(r.level, r.slope_x, r.slope_y) for r in drawn])
    level = known.fraction * 1500 * 2
    expected = np.array([level, level * np.pi / known.wave_pixels, level * np.pi / known.wave_pixels])
    np.testing.assert_allclose(table.std(axis=0), expected, rtol=4 / np.sqrt(2 * 4000))
    assert np.all(np.abs(table.mean(axis=0)) < 4 * expected / np.sqrt(4000))
    correlations = np.corrcoef(table.T)[np.triu_indices(3, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(4000)


def test_slopes_are_those_of_a_wave():
    # A wave sin(π x / L + phase) of rms 1 has slopes of rms π/L, averaged over phases.
    phase = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    wave = SUBTRACTION["LSST"].wave_pixels
    value, slope = np.sqrt(2) * np.sin(phase), np.sqrt(2) * np.pi / wave * np.cos(phase)
    assert value.std() == pytest.approx(1)
    rng = np.random.default_rng(1)
    drawn = [draw_residual(rng, 1000.0, 1.0, (96, 96), SURVEYS["LSST"]) for _ in range(4000)]
    levels, slopes = np.array([r.level for r in drawn]), np.array([r.slope_x for r in drawn])
    assert slopes.std() / levels.std() == pytest.approx(slope.std(), rel=0.06)


def test_the_plane_has_its_level_in_the_middle():
    residual = Residual(level=0.3, slope_x=-0.02, slope_y=0.05)
    for shape in ((64, 64), (7, 12)):
        drawn = plane(residual, shape)
        assert drawn.shape == shape
        assert drawn.mean() == pytest.approx(0.3)
        np.testing.assert_allclose(np.diff(drawn, axis=1), -0.02)
        np.testing.assert_allclose(np.diff(drawn, axis=0), 0.05)


def test_the_numbers_drawn_do_not_depend_on_sky_or_scene():
    states = []
    for sky, shape in ((0.0, (10, 10)), (5000.0, (96, 60))):
        rng = np.random.default_rng(3)
        draw_residual(rng, sky, 1.0, shape, SURVEYS["LSST"])
        states.append(rng.standard_normal())
    assert states[0] == states[1]
    assert draw_residual(np.random.default_rng(3), 0.0, 1.0, (10, 10), SURVEYS["LSST"]) == Residual(0, 0, 0)


def test_what_is_wrong_is_said():
    rng, lsst = np.random.default_rng(0), SURVEYS["LSST"]
    with pytest.raises(ValueError, match="nothing is known of HYPER or of a survey like it"):
        draw_residual(rng, 1.0, 1.0, (9, 9), replace(lsst, name="HYPER", sensor="hgcdte"))
    with pytest.raises(ValueError, match="no less than zero electrons, not -1"):
        draw_residual(rng, -1.0, 1.0, (9, 9), lsst)
    with pytest.raises(ValueError, match="a plane over at most 667 pixels, not over 700"):
        draw_residual(rng, 1.0, 1.0, (9, 700), lsst)
