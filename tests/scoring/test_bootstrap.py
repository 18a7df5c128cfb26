"""Intervals: closed forms, coverage, determinism, few clusters."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from skysynergy.scoring import bootstrap
from skysynergy.scoring.bootstrap import (
    MIN_BOOTSTRAP,
    estimate,
    estimates,
    interval,
    resample_counts,
)
from skysynergy.scoring.statistics import Sums


def mean(total):
    return total["x"] / total["n"]


def sums_of(x, **more):
    return Sums.of(np.arange(len(x)), n=1, x=x, **more)


def _experiment():
    path = Path(__file__).parents[2] / "docs" / "results" / "bootstrap_coverage.py"
    spec = importlib.util.spec_from_file_location("bootstrap_coverage", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


experiment = _experiment()


@pytest.mark.parametrize(
    "name", ["mean, normal", "slope of a regression, normal", "mean, unequal sizes (ratio of sums)"]
)
def test_the_95_percent_interval_holds_the_truth_in_94_to_96_percent_of_5000_trials(name):
    found = experiment.coverage(experiment.SCENARIOS[name], n_clusters=100, n_trials=5000)
    assert 0.94 <= found.studentised <= 0.96


def test_skewed_clusters_are_covered_better_than_by_percentiles():
    found = experiment.coverage(experiment.SCENARIOS["mean, skewness 6.2"], n_clusters=100, n_trials=1000)
    assert found.studentised > found.percentile
    assert found.studentised > 0.90


def test_few_clusters_are_covered():
    found = experiment.coverage(experiment.SCENARIOS["mean, normal"], n_clusters=4, n_trials=5000)
    assert 0.94 <= found.studentised <= 0.96
    assert found.percentile < 0.85


@pytest.mark.parametrize("n", [2, 4, 19])
def test_few_clusters_give_the_t_interval_of_a_mean(n):
    assert n < MIN_BOOTSTRAP
    x = np.random.default_rng(n).normal(3, 2, size=n)
    found = estimate(sums_of(x), mean)
    assert found.method == "jackknife-t"
    bounds = found.interval(0.9)
    expected = stats.t.interval(0.9, n - 1, loc=x.mean(), scale=x.std(ddof=1) / np.sqrt(n))
    np.testing.assert_allclose([bounds.low, bounds.high], expected, rtol=1e-10)


def test_many_clusters_give_the_standard_error_of_a_mean_and_nearly_its_t_interval():
    x = np.random.default_rng(0).normal(3, 2, size=200)
    found = estimate(sums_of(x), mean, n_resamples=20_000)
    assert found.method == "bootstrap-t"
    error = x.std(ddof=1) / np.sqrt(200)
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-7)
    bounds = found.interval(0.95)
    expected = stats.t.interval(0.95, 199, loc=x.mean(), scale=error)
    np.testing.assert_allclose([bounds.low, bounds.high], expected, atol=0.15 * error)


def test_the_standard_error_is_that_of_deleting_each_cluster():
    rng = np.random.default_rng(5)
    size = rng.integers(1, 50, size=60)
    x = size * rng.normal(1, 0.3, size=60)
    found = estimate(Sums(np.arange(60), ("n", "x"), np.stack([size, x], axis=1)), mean)
    deleted = np.array([np.delete(x, k).sum() / np.delete(size, k).sum() for k in range(60)])
    error = np.sqrt(59 / 60 * ((deleted - deleted.mean()) ** 2).sum())
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-10)


def test_the_pivots_are_studentised_by_the_delta_method():
    rng = np.random.default_rng(5)
    size = rng.integers(1, 50, size=60)
    x = size * rng.normal(1, 0.3, size=60)
    sums = Sums(np.arange(60), ("n", "x"), np.stack([size, x], axis=1))
    counts = resample_counts(60, 500, np.random.default_rng(3))
    ratio = counts @ x / (counts @ size)
    residual = x - ratio[:, None] * size
    error = np.sqrt(60 / 59 * (counts * residual**2).sum(axis=1)) / (counts @ size)
    expected = np.sort((ratio - x.sum() / size.sum()) / error)
    np.testing.assert_allclose(estimate(sums, mean, seed=3, n_resamples=500).pivots, expected, atol=1e-6)


def test_skewed_clusters_get_a_longer_upper_arm():
    x = np.random.default_rng(2).lognormal(size=60)
    found = estimate(sums_of(x), mean)
    bounds = found.interval(0.95)
    assert bounds.high - found.value > 1.2 * (found.value - bounds.low)


def test_a_narrower_level_lies_inside_a_wider_one():
    found = estimate(sums_of(np.random.default_rng(3).normal(size=50)), mean)
    narrow, wide = found.interval(0.68), found.interval(0.95)
    assert wide.low < narrow.low < found.value < narrow.high < wide.high
    with pytest.raises(ValueError, match="between 0 and 1"):
        found.interval(95)


def test_an_interval_is_cut_off_where_the_statistic_ends():
    bounds = bootstrap.Estimate(0.5, 1.0, 4, "jackknife-t", support=(0.0, 1.0)).interval()
    assert (bounds.low, bounds.high) == (0.0, 1.0)


def test_the_same_seed_gives_the_same_interval_and_another_another():
    sums = sums_of(np.random.default_rng(4).normal(size=40))
    first, again, other = (interval(sums, mean, seed=seed) for seed in (7, 7, 8))
    assert first == again != other
    assert interval(sums, mean, seed=np.random.default_rng(7)) == first


def test_chunks_of_memory_do_not_change_the_interval(monkeypatch):
    sums = sums_of(np.random.default_rng(4).normal(size=40))
    whole = interval(sums, mean, seed=11)
    monkeypatch.setattr(bootstrap, "CHUNK", 40 * 300)
    parts = interval(sums, mean, seed=11)
    np.testing.assert_allclose([parts.low, parts.high], [whole.low, whole.high], rtol=1e-12)


def test_resample_counts_are_multinomial():
    counts = resample_counts(7, 20_000, np.random.default_rng(1))
    assert (counts.sum(axis=1) == 7).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(counts.var(axis=0), 6 / 7, atol=0.04)
    np.testing.assert_allclose(np.cov(counts[:, 0], counts[:, 1])[0, 1], -1 / 7, atol=0.03)


@pytest.mark.parametrize(("n", "words"), [(0, "no clusters"), (1, "one cluster")])
def test_too_few_clusters_give_no_interval_and_a_reason(n, words):
    found = estimate(sums_of(np.ones(n)), mean)
    assert found.interval() is None
    assert words in found.reason
    assert found.value == (1.0 if n else None)


@pytest.mark.parametrize("n", [5, 50])
def test_an_undefined_statistic_has_no_value_and_a_reason(n):
    found = estimate(sums_of(np.zeros(n)), lambda t: t["n"] / t["x"], undefined="nothing was bright")
    assert (found.value, found.interval(), found.reason) == (None, None, "nothing was bright")


def test_a_statistic_that_needs_every_cluster_has_a_value_but_no_interval():
    found = estimate(sums_of([0.0, 0.0, 5.0]), lambda t: t["n"] / t["x"])
    assert found.value == pytest.approx(0.6)
    assert found.interval() is None
    assert "without cluster 2" in found.reason


def test_a_statistic_undefined_in_many_resamples_falls_back_to_the_jackknife():
    # One of 40 clusters in 2 carries all signal: exp(-2) of the resamples have none.
    x = np.zeros(40)
    x[:2] = 1.0
    found = estimate(sums_of(x), lambda t: np.where(t["x"] > 0, t["n"] / t["x"], np.nan))
    assert found.method == "jackknife-t"
    assert np.isfinite([found.interval().low, found.interval().high]).all()


@pytest.mark.parametrize("n", [5, 50])
def test_clusters_without_scatter_give_a_point(n):
    bounds = interval(Sums(np.arange(n), ("n", "x"), np.tile([3.0, 0.3], (n, 1))), mean)
    assert bounds.low == bounds.high == pytest.approx(0.1)


def test_several_statistics_share_resamples():
    sums = sums_of(np.random.default_rng(6).normal(size=30))
    both = estimates(sums, lambda t: {"a": mean(t), "b": 2 * mean(t)})
    assert list(both) == ["a", "b"]
    a, b = both["a"].interval(), both["b"].interval()
    np.testing.assert_allclose([2 * a.low, 2 * a.high], [b.low, b.high], rtol=1e-9)


def test_a_statistic_that_forgets_leading_axes_is_told_so():
    with pytest.raises(ValueError, match="leading axes"):
        estimate(sums_of(np.arange(30.0)), lambda t: float(np.sum(t["x"])))
