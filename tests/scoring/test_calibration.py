"""Calibration: scikit-learn's bins as oracle, forecasts known to be right or wrong, parts that add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from skysynergy.scoring import calibration as module
from skysynergy.scoring.bootstrap import Estimate, estimates
from skysynergy.scoring.calibration import (
    N_BINS,
    RootEstimate,
    calibration,
    calibration_estimates,
    calibration_sums,
    reliability_curve,
)


def drawn(rng, p):
    """True classes drawn from the probabilities: perfect forecasts."""
    return (rng.random((len(p), 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)


def found(p, truth):
    sums = calibration_sums(np.zeros(truth.size, int), p, truth)
    return {name: float(value) for name, value in calibration(sums.total()).items()}


def by_sklearn(p, came_true):
    """Mean distance from the diagonal, weighted by objects."""
    share, predicted = calibration_curve(came_true, p, n_bins=N_BINS)
    counts = np.histogram(p, bins=np.linspace(0, 1, N_BINS + 1))[0]
    return (np.abs(share - predicted) * counts[counts > 0]).sum() / len(p)


@pytest.fixture
def forecasts():
    rng = np.random.default_rng(3)
    p = rng.dirichlet([2.0, 1.0, 0.5, 0.1], size=5000)
    return p, drawn(rng, p**1.5 / (p**1.5).sum(axis=1, keepdims=True))


def test_the_plain_errors_are_those_of_scikit_learn(forecasts):
    p, truth = forecasts
    values = found(p, truth)
    assert values["ece"] == pytest.approx(by_sklearn(p.max(axis=1), p.argmax(axis=1) == truth), abs=1e-12)
    each = [by_sklearn(p[:, code], truth == code) for code in range(4)]
    assert values["ece_classwise"] == pytest.approx(np.mean(each), abs=1e-12)


def test_the_brier_score_is_that_of_scikit_learn_and_its_parts_add_up(forecasts):
    p, truth = forecasts
    values = found(p, truth)
    assert values["brier"] == pytest.approx(brier_score_loss(truth, p, scale_by_half=False), abs=1e-12)
    parts = values["reliability"] - values["resolution"] + values["uncertainty"]
    assert abs(parts - values["brier"]) < 1e-12


@given(arrays(float, st.tuples(st.integers(2, 40), st.integers(2, 5)), elements=st.floats(0, 1)), st.data())
def test_the_parts_add_up_for_any_forecasts(raw, data):
    p = np.where(raw.sum(axis=1, keepdims=True) > 1e-9, raw, 1.0)
    p = p / p.sum(axis=1, keepdims=True)
    truth = data.draw(arrays(np.int64, len(p), elements=st.integers(0, p.shape[1] - 1)))
    values = found(p, truth)
    direct = ((p - np.eye(p.shape[1])[truth]) ** 2).sum(axis=1).mean()
    assert abs(values["brier"] - direct) < 1e-12
    assert abs(values["reliability"] - values["resolution"] + values["uncertainty"] - direct) < 1e-12


def test_one_forecast_per_bin_gives_the_published_estimator():
    """For forecasts that are equal within a bin the variance of y is that of y - p (Kumar et al. 2019)."""
    rng = np.random.default_rng(4)
    top = rng.choice([0.55, 0.7, 0.95], size=400)
    p, truth = np.stack([top, 1 - top], axis=1), (rng.random(400) > top - 0.1).astype(int)
    expected = 0.0
    for level in (0.55, 0.7, 0.95):
        right = (truth == 0)[top == level]
        variance = right.mean() * (1 - right.mean()) / (right.size - 1)
        expected += right.size / 400 * ((right.mean() - level) ** 2 - variance)
    assert found(p, truth)["square"] == pytest.approx(expected, abs=1e-14)


def test_a_constant_forecast_of_the_frequencies_has_no_resolution():
    truth = np.repeat([0, 1, 2], [50, 30, 20])
    p = np.tile([0.5, 0.3, 0.2], (100, 1))
    values = found(p, truth)
    assert values["resolution"] == pytest.approx(0, abs=1e-15)
    assert values["ece"] == pytest.approx(0, abs=1e-15)
    assert values["uncertainty"] == pytest.approx((1 - 0.25 - 0.09 - 0.04) * 100 / 99)
    assert values["brier"] == pytest.approx(1 - 0.25 - 0.09 - 0.04)


def test_sure_and_right_is_perfect():
    truth = np.arange(90) % 3
    values = found(np.eye(3)[truth], truth)
    assert values["brier"] == values["ece"] == values["square"] == 0
    assert values["resolution"] == pytest.approx(values["uncertainty"])


def test_perfect_forecasts_have_no_debiased_error_on_average(record_figure):
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(400):
        p = rng.dirichlet(np.ones(3), size=500)
        rows.append(found(p, drawn(rng, p)))
    for name in ("square", "square_classwise", "reliability"):
        values = np.array([row[name] for row in rows])
        assert abs(values.mean()) < 3.5 * values.std() / np.sqrt(len(rows))
    plain = np.mean([row["ece"] for row in rows])
    record_figure("plain_ece", plain)
    assert plain > 0.03
    # Uncertainty is unbiased too: E y = 1/3 for each of three classes.
    assert np.mean([row["uncertainty"] for row in rows]) == pytest.approx(2 / 3, abs=2e-3)


def test_the_derivatives_are_those_by_numbers(forecasts):
    p, truth = (array[:900] for array in forecasts)
    sums = calibration_sums(np.arange(900) % 30, p, truth)
    names = tuple(module._gradient(sums.total()))

    def smooth(totals):
        return {name: value for name, value in calibration(totals).items() if name in names}

    closed = estimates(sums, smooth, gradient=module._gradient, n_resamples=40)
    numerical = estimates(sums, smooth, n_resamples=40)
    assert set(closed) == set(names)
    for name in names:
        assert closed[name].method == numerical[name].method == "bootstrap-t"
        np.testing.assert_allclose(closed[name].pivots, numerical[name].pivots, rtol=1e-5, atol=1e-6)


def test_overconfidence_is_found_with_its_interval():
    """Forecasts of 0.9 that come true in 0.8 of the cases: the error is 0.1."""
    rng = np.random.default_rng(6)
    p = np.tile([0.9, 0.1], (300, 1))
    held = 0
    for _ in range(100):
        sums = calibration_sums(np.arange(300) % 60, p, (rng.random(300) > 0.8).astype(int))
        estimate = calibration_estimates(sums, n_resamples=300)["ece_debiased"]
        bounds = estimate.interval(0.95)
        held += bounds.low <= 0.1 <= bounds.high
        assert 0 <= bounds.low <= bounds.high
    assert held / 100 >= 0.88


def test_perfect_forecasts_are_within_their_intervals_and_plain_errors_have_none():
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(60):
        p = rng.dirichlet(np.ones(3), size=400)
        result = calibration_estimates(
            calibration_sums(np.arange(400) % 50, p, drawn(rng, p)), n_resamples=300
        )
        held += result["ece_debiased"].interval(0.95).low == 0
    assert held >= 55
    assert result["ece"].interval() is None
    assert "see ece_debiased" in result["ece"].reason


def test_a_root_has_the_interval_of_its_square():
    square = Estimate(0.04, 0.01, 10, "jackknife-t")
    bounds, of_square = RootEstimate.root(square).interval(0.9), square.interval(0.9)
    assert RootEstimate.root(square).value == pytest.approx(0.2)
    np.testing.assert_allclose([bounds.low, bounds.high], np.sqrt([of_square.low, of_square.high]))
    assert RootEstimate.root(Estimate(-0.04, 0.01, 10, "jackknife-t")).value == 0
    nothing = RootEstimate.root(Estimate.undefined(3, "why"))
    assert (nothing.value, nothing.interval(), nothing.reason) == (None, None, "why")


@pytest.mark.parametrize("of", [None, 1])
def test_the_reliability_curve_is_that_of_scikit_learn_with_wilsons_intervals(forecasts, of):
    p, truth = forecasts
    curve = reliability_curve(calibration_sums(np.arange(truth.size) % 9, p, truth), of, level=0.9)
    score, came_true = (p.max(axis=1), p.argmax(axis=1) == truth) if of is None else (p[:, of], truth == of)
    share, predicted = calibration_curve(came_true, score, n_bins=N_BINS)
    np.testing.assert_allclose(curve.frequency, share, rtol=1e-12)
    np.testing.assert_allclose(curve.probability, predicted, rtol=1e-12)
    assert curve.count.sum() == truth.size
    for index, n in enumerate(curve.count):
        k = round(curve.frequency[index] * n)
        expected = stats.binomtest(k, n).proportion_ci(0.9, method="wilson")
        np.testing.assert_allclose([curve.low[index], curve.high[index]], expected, atol=1e-12)


def test_a_curve_of_no_class_is_refused(forecasts):
    sums = calibration_sums(np.zeros(5000, int), *forecasts)
    with pytest.raises(ValueError, match="no class 4, only 0 to 3"):
        reliability_curve(sums, 4)


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_calibrate_is_null_with_a_reason(n):
    result = calibration_estimates(calibration_sums(np.zeros(n, int), np.full((n, 2), 0.5), np.zeros(n, int)))
    assert all(estimate.value is None and estimate.reason for estimate in result.values())
