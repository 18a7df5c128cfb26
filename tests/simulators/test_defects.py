"""Defects: gaps as often as the sensors' edges are near, bad columns and pixels at their rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators import detectors
from skysynergy.simulators.defects import MOSAICS, draw_defects
from skysynergy.simulators.detectors import BAD_COLUMN, GAP
from skysynergy.simulators.surveys import SURVEYS

SHAPES = {"LSST": (96, 96), "EUCLID_VIS": (192, 192), "EUCLID_NISP": (64, 64)}
DRAWS = 2500


@pytest.fixture(scope="module", params=SHAPES)
def drawn(request):
    rng = np.random.default_rng(1)
    name = request.param
    return name, np.array([draw_defects(rng, SURVEYS[name], SHAPES[name]) for _ in range(DRAWS)])


def test_bits_are_their_own(drawn):
    _, masks = drawn
    assert masks.dtype == np.uint8
    assert set(np.unique(masks)) <= {0, BAD_COLUMN, GAP}
    bits = (detectors.SATURATED, detectors.CLIPPED, BAD_COLUMN, GAP)
    assert bits == (1, 2, 4, 8)


def test_gaps_cross_as_often_as_the_geometry_says(drawn, record_figure):
    name, masks = drawn
    mosaic, shape = MOSAICS[name], SHAPES[name]
    gap = (masks & GAP) > 0
    # Along one axis, a scene of n pixels with its middle anywhere on a sensor of s reaches over one
    # of its two edges for (n - 1)/s of the places.
    free = np.prod([1 - (n - 1) / s for n, s in zip(shape, mosaic.sensor, strict=True)])
    crossed = gap.any(axis=(1, 2)).mean()
    record_figure(f"gaps {name}", crossed)
    assert crossed == pytest.approx(1 - free, abs=4 * np.sqrt(free * (1 - free) / DRAWS))
    # The pixel at the corner is beyond the edge for half of these, along each axis.
    corner = 1 - np.prod([1 - (n - 1) / 2 / s for n, s in zip(shape, mosaic.sensor, strict=True)])
    assert gap[:, 0, 0].mean() == pytest.approx(corner, abs=4 * np.sqrt(corner / DRAWS))
    # The middle, between four pixels, lies on a sensor.
    middle = gap[:, shape[0] // 2 - 1 : shape[0] // 2 + 1, shape[1] // 2 - 1 : shape[1] // 2 + 1]
    assert not middle.all(axis=(1, 2)).any()


def test_a_gap_is_a_band_from_end_to_end(drawn):
    _, masks = drawn
    gap = (masks & GAP) > 0
    whole = gap.all(axis=2, keepdims=True) | gap.all(axis=1, keepdims=True)
    np.testing.assert_array_equal(gap, whole)


def test_columns_and_pixels_are_bad_at_their_rates(drawn, record_figure):
    name, masks = drawn
    mosaic, (rows, columns) = MOSAICS[name], SHAPES[name]
    masks = masks[~(masks & GAP).any(axis=(1, 2))]
    bad = masks == BAD_COLUMN
    whole = bad.all(axis=1)
    error = np.sqrt(mosaic.bad_columns / (len(masks) * columns))
    record_figure(f"columns {name}", whole.mean())
    assert whole.mean() == pytest.approx(mosaic.bad_columns, abs=4 * error)
    single = np.where(whole[:, None, :], False, bad).mean()
    error = np.sqrt(mosaic.bad_pixels / (len(masks) * rows * columns))
    assert single == pytest.approx(mosaic.bad_pixels, rel=2e-3, abs=4 * error)


def test_most_scenes_of_ccds_have_none(drawn, record_figure):
    name, masks = drawn
    none = np.mean(~masks.any(axis=(1, 2)))
    record_figure(f"scenes without a defect {name}", none)
    if name == "EUCLID_NISP":
        # A thousandth of 64 x 64 pixels: four to a scene.
        assert np.mean(masks > 0) < 0.03
    else:
        assert none > 0.6


def test_wide_scenes_see_the_next_sensor():
    # Wider than the gap: sensor, gap, sensor.
    survey, mosaic = SURVEYS["LSST"], MOSAICS["LSST"]
    rng = np.random.default_rng(2)
    runs = [np.flatnonzero(np.diff((draw_defects(rng, survey, (1, 3000)) == GAP)[0])) for _ in range(60)]
    widths = [edges[1] - edges[0] for edges in runs if len(edges) == 2]
    assert len(widths) > 5
    assert set(widths) == {mosaic.gap[1]}


def test_the_same_stream_gives_the_same_defects():
    masks = [draw_defects(np.random.default_rng(s), SURVEYS["EUCLID_NISP"], (64, 64)) for s in (5, 5, 6)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert np.any(masks[0] != masks[2])


def test_what_is_wrong_is_said():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="nothing is known of HYPER or of a survey like it"):
        draw_defects(rng, replace(SURVEYS["LSST"], name="HYPER", sensor="hgcdte"), (9, 9))
    with pytest.raises(ValueError, match="larger than a sensor of EUCLID_NISP"):
        draw_defects(rng, SURVEYS["EUCLID_NISP"], (2050, 10))
