"""Rows of numbers from light curves: what is in them, and that nothing later is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.baselines.light_curve_inputs import (
    FLUX_SCALE_NJY,
    HISTORY_DAYS,
    N_BANDS,
    layout,
    sequence_inputs,
    static_inputs,
)
from skysynergy.challenges.light_curves import LightCurves

PER = ("observation", "night")


def curve(mjd, flux, *, band=None, error=10.0, detected=None, **more):
    m = len(mjd)
    return LightCurves.of(
        id=[7], row_size=[m], mjd=mjd, band=np.full(m, 2) if band is None else band, flux=flux,
        error=np.full(m, error), detected=detected, **more,
    )  # fmt: skip


@st.composite
def some_curves(draw):
    n = draw(st.integers(1, 4))
    size = [draw(st.integers(0, 12)) for _ in range(n)]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    m = sum(size)
    mjd = np.concatenate([np.sort(rng.uniform(0, 90, k)).round(1) for k in size]) if m else np.zeros(0)
    return LightCurves.of(
        id=np.arange(n), row_size=size, mjd=mjd, band=rng.integers(0, 12, m), flux=rng.normal(40, 40, m),
        error=rng.uniform(5, 15, m),
    )  # fmt: skip


@pytest.mark.parametrize("per", PER)
@given(curves=some_curves(), cut=st.floats(0, 90))
def test_rows_of_a_curve_that_ends_early_are_the_first_rows(per, curves, cut):
    # Between two nights, so that no night is cut in two; and once it was detected.
    ends = np.full(len(curves), cut)
    for k in range(len(curves)):
        later = curves.select([k]).mjd
        later = later[later > cut]
        if later.size and (curves.select([k]).mjd > later[0] - 0.4).sum() > later.size:
            return
    whole, early = sequence_inputs(curves, per=per), sequence_inputs(curves.until(ends), per=per)
    known = curves.keep(curves.band < N_BANDS)
    for k in np.flatnonzero(known.first_detection() <= cut):
        a, b = whole.padded(np.array([k])), early.padded(np.array([k]))
        assert b[1][0] <= a[1][0]
        assert np.array_equal(a[0][0, : b[1][0]], b[0][0, : b[1][0]])
        assert whole.first[k] == early.first[k] >= 1
    undetected = ~np.isfinite(known.first_detection())
    assert (whole.row_size[undetected] == 0).all() and (whole.first[undetected] == 0).all()


def test_columns_of_an_observation():
    made = sequence_inputs(curve([100.0, 103.0, 110.0], [20, 400, -50], band=[1, 3, 1]), per="observation")
    flux, snr, error, gap, since, detected = made.rows[:, :6].T
    np.testing.assert_allclose(np.sinh(3 * flux) * FLUX_SCALE_NJY, [20, 400, -50], rtol=1e-4)
    np.testing.assert_allclose(np.sinh(3 * snr), [2, 40, -5], rtol=1e-4)
    np.testing.assert_allclose(np.exp(3 * error) * FLUX_SCALE_NJY, 10, rtol=1e-4)
    np.testing.assert_allclose(10 * np.sinh(2 * gap), [0, 3, 7], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(10 * np.sinh(2 * since), [-3, 0, 7], rtol=1e-4, atol=1e-4)
    assert detected.tolist() == [0, 1, 0]
    assert made.rows[:, 6:].argmax(1).tolist() == [1, 3, 1] and (made.rows[:, 6:].sum(1) == 1).all()
    assert made.first.tolist() == [2]


def test_a_night_is_the_best_mean_of_its_observations():
    both = curve([100.0, 100.05, 100.1, 101.0], [100, 130, 60, 90], band=[2, 2, 4, 2])
    made = sequence_inputs(both, per="night")
    assert made.row_size.tolist() == [2]
    flux = np.sinh(3 * made.rows[0, :N_BANDS]) * FLUX_SCALE_NJY
    error = np.exp(3 * made.rows[0, 2 * N_BANDS : 3 * N_BANDS]) * FLUX_SCALE_NJY
    assert flux[2] == pytest.approx(115, rel=1e-4) and flux[4] == pytest.approx(60, rel=1e-4)
    assert error[2] == pytest.approx(10 / np.sqrt(2), rel=1e-4)
    assert np.flatnonzero(made.rows[0, 3 * N_BANDS : 4 * N_BANDS]).tolist() == [2, 4]


def test_what_is_long_before_the_first_detection_is_cut():
    made = sequence_inputs(
        curve([0.0, 50 - HISTORY_DAYS, 49.0, 50.0, 200.0], [0, 0, 0, 90, 0]), per="observation"
    )
    assert made.row_size.tolist() == [4] and made.first.tolist() == [3]


@pytest.mark.parametrize("per", PER)
def test_neither_id_nor_date_is_told(per):
    one = curve([0.0, 3.0, 8.5], [90, 80, 10], galactic_excess=[0.1])
    # A date in which a day has no round binary fraction would move times by rounding alone.
    other = LightCurves.of(
        id=[123], row_size=[3], mjd=np.array([0.0, 3.0, 8.5]) + 4096, band=one.band, flux=one.flux,
        error=one.error, galactic_excess=[0.1],
    )  # fmt: skip
    a, b = sequence_inputs(one, per=per), sequence_inputs(other, per=per)
    assert np.array_equal(a.rows, b.rows) and np.array_equal(a.static, b.static)


def test_no_host_is_told_from_a_host_at_zero():
    none = static_inputs(curve([0.0], [90]))
    near = static_inputs(curve([0.0], [90], host_z=[[0.0] * 5], host_spectrum=[True]))
    assert np.isfinite(none).all() and none[0, 5] == 0 and near[0, 5] == 1
    assert near[0, 6] == 1 and (near[0, :5] == 0).all()


def test_padding_keeps_rows_in_place():
    curves = LightCurves.of(
        id=[1, 2], row_size=[1, 3], mjd=[0, 0, 1, 2], band=[0] * 4, flux=[90] * 4, error=[1] * 4
    )
    made = sequence_inputs(curves, per="observation")
    rows, size = made.padded(np.array([1, 0]))
    assert rows.shape == (2, 3, layout("observation").n_columns) and size.tolist() == [3, 1]
    assert np.array_equal(rows[0], made.rows[1:]) and np.array_equal(rows[1, 0], made.rows[0])
    assert not rows[1, 1:].any()
    short, size = made.padded(np.array([1]), np.array([2]))
    assert np.array_equal(short[0], made.rows[1:3]) and size.tolist() == [2]


def test_a_kind_of_row_that_is_not_known():
    with pytest.raises(ValueError, match="'observation' or per 'night', not per 'week'"):
        sequence_inputs(curve([0.0], [90]), per="week")
