"""The simulated run on a cluster of docs/results, against runs whose outcome is known in closed form."""

import importlib.util
import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def cluster(root):
    """The module, which is a script's and no part of the package."""
    spec = importlib.util.spec_from_file_location(
        "scale_cluster", root / "docs" / "results" / "scale_cluster.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_cluster"] = module
    yield spec.loader.exec_module(module) or module
    del sys.modules["scale_cluster"]


def rng():
    return np.random.default_rng(4)


@pytest.mark.parametrize(("n", "workers"), [(1, 1), (7, 7), (8, 7), (100, 7), (3, 10)])
def test_without_trouble_a_run_takes_as_many_rounds_as_it_must(cluster, n, workers):
    run = cluster.simulate(np.full(n, 40.0), cluster.Cluster(workers), rng())
    assert run.seconds == pytest.approx(-(-n // workers) * 40.0)
    assert (run.useful, run.lost, run.tries) == (pytest.approx(40.0 * n), 0, n)
    assert run.idle == pytest.approx(workers * run.seconds - 40.0 * n)


@pytest.mark.parametrize("ratio", [0.02, 0.5, 2.0])
def test_work_lost_with_exponential_lifetimes(cluster, ratio, record_figure):
    """A task of length t, lost at a rate 1/τ, takes (exp(t/τ) - 1)·τ in the mean, all tries together."""
    n, t = 20_000, 100.0
    tau = t / ratio
    run = cluster.simulate(np.full(n, t), cluster.Cluster(50, lifetime=tau, away=7.0), rng())
    expected = np.expm1(ratio) * tau
    # The variance of what is lost: that of a sum of a geometric number of times, each cut off at t.
    sigma = tau * np.sqrt(np.exp(2 * ratio) - 2 * ratio * np.exp(ratio) - 1)
    found = (run.useful + run.lost) / n
    record_figure(f"work a task at t/tau = {ratio}, over closed form", found / expected)
    assert found == pytest.approx(expected, abs=4 * sigma / np.sqrt(n))
    # As many are begun as it takes: 1/p, the variance that of a geometric number.
    p = np.exp(-ratio)
    assert run.tries / n == pytest.approx(1 / p, abs=4 * np.sqrt((1 - p) / p**2 / n) + 1e-12)
    assert run.useful == pytest.approx(n * t)


def test_a_scheduler_that_restarts_loses_what_runs_then_and_nothing_else(cluster):
    run = cluster.simulate(
        np.full(30, 100.0), cluster.Cluster(10, restart_at=150.0, restart=60.0), rng(), shown=10
    )
    assert run.lost == pytest.approx(10 * 50.0)
    assert run.seconds == pytest.approx(150 + 60 + 2 * 100)
    assert (len(run.done), run.tries) == (30, 40)
    assert sorted({(s.begin, s.end) for s in run.stretches if s.kind == "lost"}) == [(100.0, 150.0)]


def test_a_slow_worker_delays_the_end_by_its_last_task(cluster):
    """One of two takes five times as long: it begins its only task with the other's first of five."""
    half = cluster.Cluster(2, slow=0.5, slow_speed=0.199)
    assert cluster.simulate(np.full(6, 10.0), half, rng()).seconds == pytest.approx(10 / 0.199)
    assert cluster.simulate(np.full(7, 10.0), half, rng()).seconds == pytest.approx(60.0)
    # Handed out last, a task keeps all waiting for the slow one.
    assert cluster.simulate(np.full(2, 10.0), half, rng()).seconds == pytest.approx(10 / 0.199)


def test_a_scheduler_or_storage_that_is_too_slow_sets_the_pace(cluster):
    many = cluster.Cluster(500)
    handed = cluster.simulate(np.full(400, 3.0), replace(many, overhead=0.5), rng())
    assert handed.seconds == pytest.approx(400 * 0.5 + 3)
    stored = cluster.simulate(np.full(400, 3.0), replace(many, requests=30, requests_per_second=60), rng())
    assert stored.seconds == pytest.approx(3 + 400 * 0.5)
    sent = cluster.simulate(np.full(400, 3.0), replace(many, upload=2.0), rng())
    assert sent.seconds == pytest.approx(5.0)


@given(
    st.integers(0, 1000),
    st.integers(1, 60),
    st.integers(1, 8),
    st.sampled_from([None, 30.0, 300.0]),
    st.sampled_from([None, 0.0, 17.0, 200.0]),
)
def test_whatever_happens_each_task_is_done_once_and_no_time_is_missing(
    cluster, seed, n, workers, lifetime, restart_at
):
    draws = np.random.default_rng(seed)
    work = draws.uniform(1, 40, n)
    troubled = cluster.Cluster(
        workers,
        start=10.0,
        lifetime=lifetime,
        restart_at=restart_at,
        restart=5.0,
        speed_scatter=0.2,
        slow=0.3,
        slow_speed=0.5,
    )
    run = cluster.simulate(work, troubled, draws, shown=workers)
    assert len(run.done) == n and (np.diff(run.done) >= 0).all()
    assert sum(s.kind == "work" for s in run.stretches) == n
    for worker in range(workers):
        spans = sorted((s.begin, s.end) for s in run.stretches if s.worker == worker)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
    assert run.useful + run.lost == pytest.approx(sum(s.end - s.begin for s in run.stretches))
    assert run.useful + run.lost + run.idle <= workers * run.seconds * (1 + 1e-12)
    assert 0 < run.efficiency <= 1


def test_a_run_is_the_same_for_the_same_seed(cluster):
    troubled = cluster.Cluster(5, start=10, lifetime=100.0, speed_scatter=0.3)
    one, two = (cluster.simulate(np.full(40, 20.0), troubled, rng()) for _ in range(2))
    np.testing.assert_array_equal(one.done, two.done)


@pytest.mark.parametrize(("work", "workers"), [([], 1), ([1.0], 0), ([-1.0], 1), ([np.nan], 1)])
def test_a_run_that_cannot_be_is_refused(cluster, work, workers):
    with pytest.raises(ValueError, match="a run needs a worker"):
        cluster.simulate(np.array(work), cluster.Cluster(workers), rng())
