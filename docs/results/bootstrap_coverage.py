"""How often the 95 % intervals of `skysynergy.scoring.bootstrap` hold the truth.

``python docs/results/bootstrap_coverage.py`` prints a Markdown table and writes it to
``bootstrap_coverage.md`` beside this file. It takes about a minute on one core.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skysynergy.scoring.bootstrap import Statistic, estimate, resample_counts
from skysynergy.scoring.shear import shear_bias, shear_sums
from skysynergy.scoring.statistics import Sums

__all__ = ["SCENARIOS", "Coverage", "Scenario", "coverage"]


@dataclass(frozen=True)
class Scenario:
    """A population of clusters whose truth is known.

    Attributes:
        draw: (rng, number of clusters) -> sums of one trial.
        statistic: what is estimated.
        truth: its true value.
    """

    draw: Callable[[np.random.Generator, int], Sums]
    statistic: Statistic
    truth: float


@dataclass(frozen=True)
class Coverage:
    """What was found in all trials.

    Attributes:
        studentised: share of the trials whose interval holds the truth.
        percentile: the same for the percentile bootstrap, which is not used.
        error: binomial standard error of `studentised`.
        width: median width of the intervals.
        widest: width of the widest of them.
    """

    studentised: float
    percentile: float
    error: float
    width: float
    widest: float


def coverage(
    scenario: Scenario, n_clusters: int = 100, n_trials: int = 5000, n_resamples: int = 1000, seed: int = 1
) -> Coverage:
    """Estimate in `n_trials` independent trials, and count; each hundred share one seed of resamples."""
    rng = np.random.default_rng(seed)
    counts = np.empty((0, n_clusters))
    hits, percentile_hits, widths = 0, 0, []
    for trial in range(n_trials):
        if trial % 100 == 0:
            counts = resample_counts(n_clusters, n_resamples, np.random.default_rng(trial // 100))
        sums = scenario.draw(rng, n_clusters)
        found = estimate(sums, scenario.statistic, seed=trial // 100, n_resamples=n_resamples)
        bounds = found.interval(0.95)
        if bounds is None:
            raise RuntimeError("a trial has no interval")
        hits += bounds.low <= scenario.truth <= bounds.high
        widths.append(bounds.high - bounds.low)
        totals = dict(zip(sums.names, (counts @ sums.values).T, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = np.nanquantile(scenario.statistic(totals), [0.025, 0.975])
        percentile_hits += bool(low <= scenario.truth <= high)
    share = hits / n_trials
    error = math.sqrt(share * (1 - share) / n_trials)
    return Coverage(share, percentile_hits / n_trials, error, float(np.median(widths)), max(widths))


def _mean(total):
    return total["x"] / total["n"]


def _slope(total):
    n, x = total["n"], total["x"]
    return (n * total["xy"] - x * total["y"]) / (n * total["xx"] - x**2)


def _m1(total):
    return shear_bias(total)["m1"]


def _sums(n_clusters: int, **columns: np.ndarray) -> Sums:
    return Sums(np.arange(n_clusters), tuple(columns), np.stack(list(columns.values()), axis=1))


def _normal(rng: np.random.Generator, n: int) -> Sums:
    return _sums(n, n=np.ones(n), x=rng.normal(size=n))


def _regression(rng: np.random.Generator, n: int) -> Sums:
    x = rng.normal(size=n)
    y = 2 * x + rng.normal(size=n)
    return _sums(n, n=np.ones(n), x=x, y=y, xx=x * x, xy=x * y)


def _unequal(rng: np.random.Generator, n: int) -> Sums:
    """Fields of 5 to 80 objects; those of a field share a normal offset of half their scatter."""
    size = rng.integers(5, 81, size=n)
    return _sums(n, n=size, x=size * rng.normal(size=n) / 2 + np.sqrt(size) * rng.normal(size=n))


def _skewed(rng: np.random.Generator, n: int) -> Sums:
    """Gamma of shape 1.5: skewness 1.6."""
    return _sums(n, n=np.ones(n), x=rng.gamma(1.5, size=n))


def _heavy(rng: np.random.Generator, n: int) -> Sums:
    """Log-normal with sigma 1: skewness 6.2, where no interval from 100 clusters is right."""
    return _sums(n, n=np.ones(n), x=rng.lognormal(size=n))


def _pairs(rng: np.random.Generator, n: int) -> Sums:
    """Matched pairs of fields under +g and -g, m = 0.01, that share shape noise of 0.01."""
    g = rng.uniform(-0.04, 0.04, size=(n, 2))
    shared = rng.normal(0, 1e-2, size=(n, 2))
    apart = rng.normal(0, 1e-3, size=(2, n, 2))
    true = np.concatenate([g, -g])
    estimated = 1.01 * true + np.concatenate([shared + apart[0], shared + apart[1]])
    sums = shear_sums(np.tile(np.arange(n), 2), true, estimated)
    return sums.select([name for name in sums.names if name == "w" or name in _M_COLUMNS])


_M_COLUMNS = [f"w_{name}" for i in "12" for name in (f"g{i}", f"g{i}_g{i}", f"h{i}", f"g{i}_h{i}")]

SCENARIOS = {
    "mean, normal": Scenario(_normal, _mean, 0.0),
    "slope of a regression, normal": Scenario(_regression, _slope, 2.0),
    "mean, unequal sizes (ratio of sums)": Scenario(_unequal, _mean, 0.0),
    "mean, skewness 1.6": Scenario(_skewed, _mean, 1.5),
    "mean, skewness 6.2": Scenario(_heavy, _mean, math.exp(0.5)),
    "m1 of matched pairs": Scenario(_pairs, _m1, 0.01),
}


def main() -> None:
    lines = [
        "# Coverage of the intervals",
        "",
        "Written by `bootstrap_coverage.py`. Share of the 95 % intervals that hold the truth, with its",
        "binomial error; nothing uses the percentile bootstrap, which is there for comparison.",
        "",
        "The intervals are the jackknife standard error times quantiles: those of the studentised bootstrap",
        "with 20 clusters or more, of Student's t with n - 1 degrees of freedom below. Each row is 5,000",
        "trials of 1,000 resamples.",
        "",
        "| statistic | clusters | coverage | percentile | median width | widest |",
        "|---|---|---|---|---|---|",
    ]
    for n_clusters in (100, 20, 8, 4):
        for name, scenario in SCENARIOS.items():
            found = coverage(scenario, n_clusters)
            lines.append(
                f"| {name} | {n_clusters} | {100 * found.studentised:.1f} ± {100 * found.error:.1f} % "
                f"| {100 * found.percentile:.1f} % | {found.width:.3g} | {found.widest:.3g} |"
            )
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
