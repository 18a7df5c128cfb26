"""Light curves in flat arrays: what is cut, chosen and refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.challenges.light_curves import LightCurves, light_curve_problems, require_sound
from skysynergy.challenges.problems import SubmissionError


def curves(sizes=(3, 0, 2)):
    sizes = np.array(sizes)
    m = int(sizes.sum())
    mjd = np.concatenate([np.arange(size) + 100.0 for size in sizes]) if m else np.empty(0)
    return LightCurves.of(
        id=np.arange(len(sizes)) + 7, row_size=sizes, mjd=mjd, band=np.arange(m) % 6,
        flux=np.full(m, 50.0), error=np.full(m, 5.0),
    )  # fmt: skip


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_choosing_is_what_a_loop_does(sizes, data):
    every = curves(sizes)
    which = data.draw(st.lists(st.integers(0, len(sizes) - 1), max_size=6))
    chosen = every.select(np.array(which, dtype=int))
    ends = every.ends
    for place, number in enumerate(which):
        own, there = (slice(e[i], e[i + 1]) for e, i in ((chosen.ends, place), (ends, number)))
        assert chosen.id[place] == every.id[number]
        for name in ("mjd", "band", "flux"):
            assert np.array_equal(getattr(chosen, name)[own], getattr(every, name)[there])


def test_cuts_in_time_and_band():
    early = curves().until(np.array([101.0, 0.0, 99.0]))
    assert early.row_size.tolist() == [2, 0, 0] and early.mjd.tolist() == [100.0, 101.0]
    assert curves().in_bands(["u", "z"]).row_size.tolist() == [1, 0, 1]
    assert curves().n_detections.tolist() == [3, 0, 2]
    assert curves().first_detection().tolist() == [100.0, np.inf, 100.0]
    assert [len(batch) for batch in curves().batches(2)] == [2, 1]
    assert curves().keep(np.zeros(5, bool)).row_size.tolist() == [0, 0, 0]


def test_what_a_survey_keeps_lies_about_detections():
    """A month before the first to a month after the last, 400 days at most; of one detection alone, all."""
    mjd = [60.0, 80.0, 100.0, 100.1, 120.0, 140.0, 80.0, 100.0, 180.0, 100.0, 490.0, 510.0]
    seen = [False, False, True, True, False, False, False, True, False, True, True, True]
    every = LightCurves.of(
        id=[1, 2, 3], row_size=[6, 3, 3], mjd=mjd, band=[2] * 12, flux=[1] * 12, error=[1] * 12, detected=seen
    )
    kept = every.about_detections()
    assert kept.row_size.tolist() == [4, 3, 2]
    assert kept.mjd.tolist() == [80.0, 100.0, 100.1, 120.0, 80.0, 100.0, 180.0, 100.0, 490.0]


def test_without_host_nothing_is_told():
    one = LightCurves.of(
        id=[1], row_size=[1], mjd=[0], band=[0], flux=[9], error=[1],
        host_z=[[0.1] * 5], host_spectrum=[True],
    )  # fmt: skip
    assert np.isnan(one.without_host().host_z).all() and not one.without_host().host_spectrum.any()
    assert one.host_spectrum.all()


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"flux has shape \(2,\), where \(3,\)"):
        LightCurves.of(id=[1], row_size=[3], mjd=[1, 2, 3], band=[0] * 3, flux=[1, 2], error=[1] * 3)
    with pytest.raises(ValueError, match="row_size adds up to 2, but there are 3"):
        LightCurves.of(id=[1], row_size=[2], mjd=[1, 2, 3], band=[0] * 3, flux=[1] * 3, error=[1] * 3)
    with pytest.raises(ValueError, match="whole number"):
        LightCurves.of(id=[1, 2], row_size=[4, -1], mjd=[1, 2, 3], band=[0] * 3, flux=[1] * 3, error=[1] * 3)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"id": [1.5]}, "id holds a whole number"),
        ({"id": ["1"]}, "id holds a whole number"),
        ({"row_size": [3.2]}, "row_size holds a whole number"),
        ({"band": ["g", "r", "i"]}, r"band holds codes, not <U1: give those of u 0, g 1"),
    ],
)
def test_what_would_be_cut_to_whole_numbers_is_refused(wrong, told):
    right = {"id": [1], "row_size": [3], "band": [0, 1, 2]}
    with pytest.raises(ValueError, match=told):
        LightCurves.of(**(right | wrong), mjd=[1, 2, 3], flux=[9] * 3, error=[1] * 3)


@pytest.mark.parametrize(
    ("wrong", "column"),
    [
        ({"band": [0, 1.5, 2]}, "band"),
        ({"band": [0, np.inf, 2]}, "band"),
        ({"host_z": [[0.1, 0.2, np.nan, 0.4, 0.5]]}, "host_z"),
        ({"host_z": [[0.1, 0.2, 0.3, 0.4, np.inf]]}, "host_z"),
        ({"host_z": [[np.inf] * 5]}, "host_z"),
        ({"galactic_excess": [np.nan]}, "galactic_excess"),
        ({"galactic_excess": [-9.0]}, "galactic_excess"),
    ],
)
def test_half_a_host_and_dust_that_is_none_are_told_once(wrong, column):
    given = {"band": [0, 1, 2]} | wrong
    bad = LightCurves.of(id=[1], row_size=[3], mjd=[1, 2, 3], flux=[9] * 3, error=[1] * 3, **given)
    assert [problem.column for problem in light_curve_problems(bad)] == [column]


def test_sound_curves_have_no_problem():
    require_sound(curves((3, 2)))


def test_every_problem_is_told_at_once():
    bad = LightCurves.of(
        id=[5, 5, 6],
        row_size=[4, 2, 1],
        mjd=[3, 2, 2, np.nan, 1, 2, 1],
        band=[0, 1, 1, 2, 99, 0, 0],
        flux=[90, 90, np.nan, 90, 90, 90, 1],
        error=[1, -1, 1, 1, 0, 1, 1],
        host_z=[[0.5, 0.4, 0.6, 0.7, 0.8], [-0.1, 0, 0, 0, 0], [np.nan] * 5],
    )
    told = {(p.column, p.row): p for p in light_curve_problems(bad)}
    assert set(told) == {
        ("mjd", 4), ("flux", 3), ("error", 2), ("band", 5), ("mjd", 2), ("mjd", 3),
        ("id", 2), ("detected", 3), ("host_z", 1), ("host_z", 2),
    }  # fmt: skip
    assert told["error", 2].count == 2
    with pytest.raises(SubmissionError, match="mine.fits has 10 problems"):
        require_sound(bad, "mine.fits")
