"""Distortion: the Jacobian is that of the map, and a scene sees nothing but its affine part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators.calibration_errors import ACCURACIES
from skysynergy.simulators.distortion import DISTORTIONS, draw_place, local_linear, residual_arcsec
from skysynergy.simulators.surveys import SURVEYS

LSST, VIS = SURVEYS["LSST"], SURVEYS["EUCLID_VIS"]
KNOWN = [SURVEYS[name] for name in DISTORTIONS]
# Radius in the focal plane, mm, at angles in degrees: mean of the rays through the annulus of the mirror,
# traced through batoid's LSST_r.yaml at 0.62 micrometres.
ANGLES = np.linspace(0.02, 1.75, 40)
TRACED_MM = {0: 3.599, 9: 75.444, 18: 147.317, 24: 195.259, 30: 243.233, 36: 291.247, 39: 315.271}


def places(survey, number=200):
    rng = np.random.default_rng(0)
    return [draw_place(rng, survey) for _ in range(number)]


def focal(survey, place, arcsec):
    """Oracle: where light from (n, 2) arcsec about a place lands, (n, 2) arcsec, by turning the sphere."""
    telescope = DISTORTIONS[survey.name]
    offset = np.radians(np.subtract(place, telescope.axis_deg))
    angle, phase = np.hypot(*offset), np.arctan2(offset[1], offset[0])

    def turn(axis, by):
        c, s = np.cos(by), np.sin(by)
        return {"y": [[c, 0, s], [0, 1, 0], [-s, 0, c]], "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]]}[axis]

    tangent = np.column_stack([np.radians(np.asarray(arcsec) / 3600), np.ones(len(arcsec))])
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    # To the radius along x, tilted away from the axis, and back.
    there = np.array(turn("z", phase)) @ np.array(turn("y", angle)) @ np.array(turn("z", -phase))
    x, y, z = there @ tangent.T
    off = np.degrees(np.arctan2(np.hypot(x, y), z))
    radius = off * (1 + telescope.cubic * off**2 + telescope.fifth * off**4)
    return 3600 * radius[:, None] * np.column_stack([x, y]) / np.hypot(x, y)[:, None]


@pytest.mark.parametrize("number", TRACED_MM)
def test_a_ray_trace_agrees(number):
    radius = DISTORTIONS["LSST"].radius(ANGLES[number]) * 3600 / 20.00587
    assert radius == pytest.approx(TRACED_MM[number], abs=1e-3)


@pytest.mark.parametrize("survey", KNOWN, ids=lambda s: s.name)
def test_the_jacobian_is_that_of_the_map(survey):
    middle = np.sqrt(np.linalg.det(jacobian(survey, (1e-9, 0.0))))
    for place in places(survey, 30):
        np.testing.assert_allclose(
            local_linear(survey, place), jacobian(survey, place) / middle, rtol=0, atol=1e-7
        )


def jacobian(survey, place, step=1.0):
    """By differences over ± one arcsec."""
    ends = focal(survey, place, [[step, 0], [-step, 0], [0, step], [0, -step]])
    return np.column_stack([ends[0] - ends[1], ends[2] - ends[3]]) / (2 * step)


@pytest.mark.parametrize("survey", KNOWN, ids=lambda s: s.name)
def test_it_is_near_one_and_turns_nothing(survey):
    for place in places(survey):
        linear = local_linear(survey, place)
        np.testing.assert_allclose(linear, np.eye(2), atol=0.02)
        np.testing.assert_array_equal(linear, linear.T)
    assert np.linalg.det(local_linear(survey, (0.0, 0.0))) == pytest.approx(1, rel=1e-12)


def test_lsst_is_undistorted_in_the_middle_and_stretched_at_the_edge():
    np.testing.assert_array_equal(local_linear(LSST, (0.0, 0.0)), np.eye(2))
    edge = local_linear(LSST, (0.0, 1.75))
    assert edge[0, 1] == 0
    # Along the radius 0.35 %, across it 0.13 %: a shear of a thousandth.
    assert edge[1, 1] == pytest.approx(1.00350, abs=2e-5)
    assert edge[0, 0] == pytest.approx(1.00131, abs=2e-5)


def test_euclid_has_the_scales_that_were_measured():
    # Sky per pixel, over 0.1 arcsec, of the CCDs at the ends and in the middle of VIS towards the axis and
    # away from it (GalSim-Euclid-Like d6ff252): 1.00644, 1.00002, 0.99412 and their like.
    measured = {-0.293: 1.00645, -0.059: 1.00250, 0.059: 1.00002, 0.293: 0.99411}
    scale = {y: 1 / np.sqrt(np.linalg.det(local_linear(VIS, (0.066, y)))) for y in measured}
    mean = np.mean(list(measured.values())) / np.mean(list(scale.values()))
    for y, value in measured.items():
        assert scale[y] * mean == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(
    ("survey", "pixels"),
    [(LSST, 1e-3), (VIS, 0.011), (SURVEYS["EUCLID_NISP"], 0.004)],
    ids=lambda v: str(v)[:30],
)
def test_an_affine_map_holds_all_of_it(survey, pixels, record_figure):
    edge = DISTORTIONS[survey.name].half_width_deg
    corners = [(edge, 0.0)] if survey is LSST else [(edge, edge), (-edge, edge)]
    worst = max(residual_arcsec(survey, place, 19.2) for place in [*corners, *places(survey)])
    record_figure(f"residual {survey.name}, pixels", worst / survey.pixel_arcsec)
    assert 0 < worst < pixels * survey.pixel_arcsec
    # Whatever it is, the WCS that is supplied is further off.
    assert worst < 0.25 * ACCURACIES[survey.name].offset_arcsec


@pytest.mark.parametrize("survey", KNOWN, ids=lambda s: s.name)
def test_the_residual_is_what_the_sphere_leaves(survey):
    side = np.linspace(-9.6, 9.6, 9)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    middle = np.sqrt(np.linalg.det(jacobian(survey, (1e-9, 0.0))))
    for place in places(survey, 20):
        landed = focal(survey, place, grid) - focal(survey, place, [[1e-9, 0.0]])
        off = landed / middle - grid @ local_linear(survey, place).T
        assert residual_arcsec(survey, place, 19.2) == pytest.approx(
            np.hypot(*off.T).max(), rel=0.01, abs=1e-8
        )


def test_it_grows_as_the_square_of_the_width():
    small, large = (residual_arcsec(LSST, (1.0, 1.0), width) for width in (9.6, 19.2))
    assert large / small == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize("survey", KNOWN, ids=lambda s: s.name)
def test_places_fill_the_field(survey):
    drawn, half = np.array(places(survey, 4000)), DISTORTIONS[survey.name].half_width_deg
    assert np.abs(drawn.mean(axis=0)).max() < 4 * half / np.sqrt(3 * 4000)
    square = (drawn**2).sum(axis=1).mean()
    # Mean r²: a half of a disc's radius squared; two thirds of that of a square's half side.
    expected = half**2 / 2 if survey is LSST else 2 * half**2 / 3
    assert square == pytest.approx(expected, rel=0.05)
    assert np.abs(drawn).max() <= half


def test_what_is_wrong_is_said():
    hyper = replace(LSST, name="HYPER", sensor="hgcdte")
    for ask in (
        lambda: local_linear(hyper, (0, 0)),
        lambda: residual_arcsec(hyper, (0, 0), 19.2),
        lambda: draw_place(np.random.default_rng(0), hyper),
    ):
        with pytest.raises(ValueError, match="nothing is known of HYPER or of a survey like it"):
            ask()
    with pytest.raises(ValueError, match="field of LSST, a disc that ends 1.75"):
        local_linear(LSST, (1.5, 1.5))
    with pytest.raises(ValueError, match="field of EUCLID_VIS, a square that ends 0.35"):
        residual_arcsec(VIS, (0.0, 1.5), 19.2)
    with pytest.raises(ValueError, match="two finite numbers"):
        local_linear(LSST, (np.inf, 0.0))
    with pytest.raises(ValueError, match="positive width, not 0"):
        residual_arcsec(LSST, (0.0, 0.0), 0)


def test_places_fill_the_field_of_view_of_lsst_evenly():
    radius = np.hypot(*np.array(places(LSST, 4000)).T)
    assert radius.max() < 1.75
    # Half of them within 1/√2 of the radius; binomial scatter 0.008.
    assert np.mean(radius < 1.75 / np.sqrt(2)) == pytest.approx(0.5, abs=0.032)
