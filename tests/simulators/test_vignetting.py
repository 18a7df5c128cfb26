"""Vignetting: full in the middle, as a ray trace of the design has it at the edge, none in space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators.surveys import SURVEYS
from skysynergy.simulators.vignetting import relative_throughput, throughput

LSST = SURVEYS["LSST"]
# Fraction of rays from an annulus of 4.18 to 2.558 m that pass all apertures of batoid's LSST_r.yaml, over
# that on the axis.
TRACED = {0.685: 1.0, 0.818: 0.9964, 1.085: 0.9883, 1.218: 0.9826, 1.351: 0.9712, 1.617: 0.9356, 1.75: 0.8969}


@pytest.mark.parametrize("radius", TRACED)
def test_a_ray_trace_agrees(radius, record_figure):
    record_figure(f"difference at {radius}", throughput(LSST, (radius, 0.0)) - TRACED[radius])
    assert throughput(LSST, (radius, 0.0)) == pytest.approx(TRACED[radius], abs=0.006)


def test_it_falls_outwards_and_is_the_same_all_around():
    radii = np.linspace(0, 1.9, 200)
    values = np.array([throughput(LSST, (r, 0.0)) for r in radii])
    assert values[0] == 1
    assert np.all(np.diff(values) <= 0)
    assert np.all(values[radii < 1.2] > 0.98)
    for turn in np.linspace(0, 2 * np.pi, 7):
        place = 1.5 * np.array([np.cos(turn), np.sin(turn)])
        assert throughput(LSST, place) == pytest.approx(throughput(LSST, (0.0, 1.5)), rel=1e-12)


def test_the_mean_over_the_field_is_the_one_documented():
    # Equal areas of the disc: the area of `surveys`, which has it, against that of the bare annulus.
    radii = 1.75 * np.sqrt((np.arange(4000) + 0.5) / 4000)
    mean = np.mean([throughput(LSST, (r, 0.0)) for r in radii])
    assert mean == pytest.approx(0.971, abs=5e-4)
    assert relative_throughput(LSST, (0.0, 0.0)) == pytest.approx(1 / mean, rel=1e-4)
    assert relative_throughput(SURVEYS["EUCLID_VIS"], (0.0, 0.0)) == 1
    annulus = 1 - 0.612**2  # batoid's obscuration
    assert (1 - LSST.obscuration**2) / annulus == pytest.approx(mean, abs=2e-3)


@pytest.mark.parametrize("name", ["EUCLID_VIS", "EUCLID_NISP"])
def test_space_has_none(name):
    assert throughput(SURVEYS[name], (0.3, -0.35)) == 1.0


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="nothing is known of HYPER or of a survey like it"):
        throughput(replace(LSST, name="HYPER", sensor="hgcdte"), (0.0, 0.0))
    with pytest.raises(ValueError, match="ends 1.94 degrees from its middle: nothing is seen at 2.50"):
        throughput(LSST, (1.5, 2.0))
    for place in ((np.nan, 0.0), (1.0,), 0.5):
        with pytest.raises(ValueError, match="two finite numbers"):
            throughput(LSST, place)
