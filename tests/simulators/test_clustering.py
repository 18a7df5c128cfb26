"""Clustering: closed forms against what is drawn, the published fit, and marginals left as they were."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from skysynergy.simulators.clustering import (
    UNIFORM,
    Clustering,
    angular_correlation,
    boost,
    clustering_at,
    count_variance,
    draw_groups,
    draw_redshifts,
    expected_correlation,
    published_correlation,
)

THETA = np.geomspace(2.0, 120.0, 50)
Z_MAX = 3.0


def population(rng, n, limit=27.5):
    """Counts 10^(0.3 i) and fainter galaxies further away: a beta variate of redshift."""
    mag = limit + np.log10(1 - rng.uniform(size=n) * (1 - 10 ** (0.3 * (18 - limit)))) / 0.3
    return Z_MAX * rng.beta(2.0, 2.0 + (28.0 - mag)), mag


class MagnitudesAt:
    """p(i | z) of the population above, from its neighbours in redshift."""

    def __init__(self):
        z, mag = population(np.random.default_rng(99), 300_000)
        order = np.argsort(z)
        self.z, self.mag = z[order], mag[order]

    def __call__(self, rng, z):
        near = np.searchsorted(self.z, z) + rng.integers(-200, 201, len(z))
        return self.mag[np.clip(near, 0, len(self.z) - 1)]


@pytest.fixture(scope="module")
def magnitudes_at():
    return MagnitudesAt()


def test_the_expected_correlation_is_the_published_one(record_figure):
    ratio = expected_correlation(THETA, Clustering()) / published_correlation(THETA)
    record_figure(
        "expected w(theta) against the power law, 2\" to 2', largest deviation", abs(ratio - 1).max()
    )
    assert abs(ratio - 1).max() < 0.015
    # Neither rarer groups nor the amplitude change the shape.
    other = expected_correlation(THETA, Clustering(0.007, grouped=0.3))
    np.testing.assert_allclose(other, expected_correlation(THETA, Clustering()) / 2)


@pytest.mark.parametrize("grouped", [1.0, 0.5])
def test_patches_have_the_expected_correlation(grouped):
    rng = np.random.default_rng(3)
    model = Clustering(0.014, grouped)
    edges = np.array([2.0, 8.0, 30.0, 120.0])
    found = []
    for _ in range(12):
        squares = [draw_groups(rng, width_arcsec=240, density_arcmin2=40, model=model)[:2] for _ in range(15)]
        found.append(angular_correlation(squares, width_arcsec=240, edges_arcsec=edges, rng=rng, randoms=2))
    # Means of w over each bin, weighted as pairs are.
    fine = [np.linspace(a, b, 400) for a, b in pairwise(edges)]
    expected = [np.average(expected_correlation(t, model), weights=t) for t in fine]
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()
    assert (error < 0.25 * np.array(expected)).all()


@pytest.mark.parametrize("model", [UNIFORM, Clustering(), Clustering(0.011, grouped=0.6)])
def test_numbers_in_a_scene_have_the_mean_and_variance_expected(model):
    rng = np.random.default_rng(5)
    n = [len(draw_groups(rng, width_arcsec=25.2, density_arcmin2=220, model=model)[0]) for _ in range(6000)]
    mean = 220 * (25.2 / 60) ** 2
    variance = count_variance(25.2, 220, model)
    assert np.mean(n) == pytest.approx(mean, abs=4 * np.sqrt(variance / len(n)))
    spread = np.var(np.split(np.array(n), 20), axis=1)
    assert np.mean(spread) == pytest.approx(variance, abs=4.5 * np.std(spread) / np.sqrt(20))
    assert variance == pytest.approx(mean) if model is UNIFORM else variance > 2 * mean


def test_the_variance_is_the_integral_of_the_correlation():
    rng = np.random.default_rng(6)
    a, b = rng.uniform(0, 60, (2, 2, 400_000))
    pairs = expected_correlation(np.hypot(*(a - b)), Clustering())
    expected = 30 + 30**2 * pairs.mean()
    assert count_variance(60, 30, Clustering()) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("grouped", [1.0, 0.5])
def test_no_place_in_the_square_is_favoured(grouped):
    rng = np.random.default_rng(7)
    model = Clustering(0.011, grouped)
    drawn = [draw_groups(rng, width_arcsec=25.2, density_arcmin2=60, model=model) for _ in range(3000)]
    # One galaxy a scene: those are independent.
    for axis in (0, 1):
        one = [d[axis][rng.integers(len(d[axis]))] for d in drawn if len(d[axis])]
        assert stats.kstest(one, stats.uniform(-12.6, 25.2).cdf).pvalue > 1e-3
    groups = np.concatenate([d[2] for d in drawn])
    if grouped == 1.0:
        assert (groups >= 0).all()
    else:
        assert np.mean(groups < 0) == pytest.approx(0.5, abs=0.02)


def test_uniform_galaxies_are_in_no_group():
    x, y, group = draw_groups(np.random.default_rng(1), width_arcsec=300, density_arcmin2=40, model=UNIFORM)
    assert (group == -1).all() and len(x) == len(y) == len(group)
    found = angular_correlation(
        [(x, y)], width_arcsec=300, edges_arcsec=[5, 120], rng=np.random.default_rng(2)
    )
    assert abs(found[0]) < 0.02


def test_an_empty_sky_is_empty(magnitudes_at):
    for model in (UNIFORM, Clustering()):
        rng = np.random.default_rng(1)
        x, y, group = draw_groups(rng, width_arcsec=25, density_arcmin2=0, model=model)
        z, mag = draw_redshifts(rng, group, population=population, magnitudes_at=magnitudes_at, z_max=Z_MAX)
        assert len(x) == len(y) == len(group) == len(z) == len(mag) == 0


def test_the_same_generator_gives_the_same_scene():
    a, b = (
        draw_groups(np.random.default_rng(11), width_arcsec=25.2, density_arcmin2=220, model=Clustering())
        for _ in range(2)
    )
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_group_shares_its_redshift_and_nobody_else_does(magnitudes_at):
    rng = np.random.default_rng(12)
    group = np.repeat([0, 1, 2, 3, -1], [400, 1, 400, 2, 400])
    z, mag = draw_redshifts(rng, group, population=population, magnitudes_at=magnitudes_at, z_max=Z_MAX)
    assert z.shape == mag.shape == group.shape
    for g in (0, 2):
        scatter = (z[group == g] - np.median(z[group == g])) / (1 + np.median(z[group == g]))
        assert np.std(scatter) == pytest.approx(1e-3, rel=0.2)
    assert np.std(z[group == -1]) > 0.2
    # Members differ in magnitude.
    assert np.std(mag[group == 0]) > 0.3


def test_every_marginal_is_the_populations(magnitudes_at):
    rng = np.random.default_rng(13)
    expected = population(rng, 100_000)
    first, last, third = [], [], []
    for _ in range(4000):
        group = np.repeat([0, 1, -1], [3, 2, 1])
        z, mag = draw_redshifts(rng, group, population=population, magnitudes_at=magnitudes_at, z_max=Z_MAX)
        first.append((z[0], mag[0]))
        third.append((z[2], mag[2]))
        last.append((z[-1], mag[-1]))
    for drawn in (first, third, last):
        for column in (0, 1):
            found = np.array(drawn)[:, column]
            assert stats.ks_2samp(found, expected[column]).pvalue > 1e-3
        # Jointly: the redshifts of the bright and of the faint.
        z, mag = np.array(drawn).T
        for low, high in ((18, 25), (27, 28)):
            some, all_of = (low < mag) & (mag < high), (low < expected[1]) & (expected[1] < high)
            assert stats.ks_2samp(z[some], expected[0][all_of]).pvalue > 1e-3


def test_redshifts_stay_in_their_range(magnitudes_at):
    def edge(rng, n):
        return np.where(rng.uniform(size=n) < 0.5, 0.0, Z_MAX), np.full(n, 24.0)

    z, _ = draw_redshifts(
        np.random.default_rng(1),
        np.repeat(np.arange(40), 20),
        population=edge,
        magnitudes_at=magnitudes_at,
        z_max=Z_MAX,
    )
    assert (z >= 0).all() and (z <= Z_MAX).all()


def test_the_boost_is_its_integral():
    rng = np.random.default_rng(14)
    deep = rng.uniform(0, 2, 400_000)
    # p_bright = 2 (1 - z / 2) / 2 on the same range: the integral of its square over 1/2 is 4/3.
    bright = 2 - 2 * np.sqrt(rng.uniform(size=20_000))
    assert boost(bright, deep) == pytest.approx(4 / 3, rel=0.02)
    assert boost(deep[:50_000], deep) == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("limit", [24.0, 25.0, 27.5])
def test_the_published_sample_keeps_its_amplitude_at_any_depth(limit):
    z, mag = population(np.random.default_rng(15), 200_000)
    model = clustering_at(limit, lambda depth: z[mag < depth])
    if limit >= 25:
        assert model.amplitude * boost(z[mag < 25], z[mag < limit]) == pytest.approx(0.014)
    assert (model.amplitude > 0.014) == (limit < 25)
    assert (model.amplitude < 0.014) == (limit > 25)


def test_the_bright_part_of_a_deep_sky_clusters_as_published(magnitudes_at):
    # Redshift alone decides how many members of a group are bright.
    rng = np.random.default_rng(16)
    z, mag = population(rng, 200_000)
    model = clustering_at(27.5, lambda depth: z[mag < depth])
    edges = np.array([4.0, 20.0, 60.0])
    found = []
    for _ in range(12):
        squares = []
        for _ in range(8):
            x, y, group = draw_groups(rng, width_arcsec=180, density_arcmin2=220, model=model)
            _, mag = draw_redshifts(
                rng, group, population=population, magnitudes_at=magnitudes_at, z_max=Z_MAX
            )
            squares.append((x[mag < 25], y[mag < 25]))
        found.append(angular_correlation(squares, width_arcsec=180, edges_arcsec=edges, rng=rng, randoms=2))
    fine = [np.linspace(a, b, 400) for a, b in pairwise(edges)]
    expected = np.array([np.average(published_correlation(t), weights=t) for t in fine])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()
    assert (error < 0.25 * expected).all()


def test_a_scene_is_drawn_in_a_millisecond(record_figure):
    rng = np.random.default_rng(17)
    start = time.process_time()
    for _ in range(500):
        draw_groups(rng, width_arcsec=25.2, density_arcmin2=220, model=Clustering(0.011))
    spent = (time.process_time() - start) / 500
    record_figure("positions of a scene to i = 27.5, ms", 1e3 * spent)
    assert spent < 2e-3  # a third of a millisecond on a quiet core


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: Clustering(-0.1), "zero or more, not -0.1"),
        (lambda rng: Clustering(np.inf), "zero or more"),
        (lambda rng: Clustering(0.01, grouped=0.0), "above 0"),
        (lambda rng: draw_groups(rng, width_arcsec=0, density_arcmin2=1, model=UNIFORM), "positive width"),
        (lambda rng: draw_groups(rng, width_arcsec=1, density_arcmin2=-1, model=UNIFORM), "density"),
        (lambda rng: count_variance(np.nan, 1, UNIFORM), "positive width"),
        (lambda rng: boost([0.5], rng.uniform(size=9000)), "2 bright galaxies"),
        (lambda rng: boost([0.5, 0.6], [0.5, 0.6]), "4000 or more"),
        (lambda rng: clustering_at(27.5, lambda depth: np.ones(9)), "4000 or more"),
        (lambda rng: angular_correlation([], width_arcsec=9, edges_arcsec=[1, 2], rng=rng), "no galaxy"),
        (
            lambda rng: angular_correlation(
                [(np.ones(2), np.ones(2))], width_arcsec=9, edges_arcsec=[1, 20], rng=rng
            ),
            "wider than a square",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
