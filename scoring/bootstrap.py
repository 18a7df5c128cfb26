"""Intervals by resampling clusters: the studentised bootstrap, and Student's t for few.

A statistic is a smooth function of sums over clusters (`statistics.Sums`), so a resample of
the clusters is a row of multinomial counts times the matrix of sums; no statistic is
computed from objects again.

**Which interval.** value - standard error x quantiles. The standard error is the delete-one-
cluster jackknife, which allows for clusters that pull a fit towards themselves (MacKinnon, Nielsen
& Webb 2023, Journal of Applied Econometrics 38, 671). With `MIN_BOOTSTRAP` clusters or more the
quantiles are those of the *studentised* bootstrap, bootstrap-t (Efron & Tibshirani 1993, An
Introduction to the Bootstrap, section 12.5; second-order accurate, so right for skewed clusters:
Hall 1992, The Bootstrap and Edgeworth Expansion, chapter 3; for clusters: Cameron, Gelbach &
Miller 2008, Review of Economics and Statistics 90, 414). Each resample is divided by its own
standard error, the infinitesimal jackknife, also called the nonparametric delta method (Davison &
Hinkley 1997, Bootstrap Methods and their Application, section 2.7.2), with numerical derivatives.
With fewer clusters resamples repeat too few of them, and the quantiles are those of Student's t
with n - 1 degrees of freedom. The percentile bootstrap is too short for few clusters and misses
skewness; `docs/results/bootstrap_coverage.md` holds what was measured of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy import stats

from .statistics import Sums

__all__ = [
    "MIN_BOOTSTRAP",
    "Estimate",
    "Gradient",
    "Interval",
    "Statistic",
    "Statistics",
    "Totals",
    "estimate",
    "estimates",
    "evaluate",
    "from_resamples",
    "interval",
    "resample_counts",
    "resamples",
]

Totals = Mapping[str, np.ndarray]
Statistic = Callable[[Totals], np.ndarray | float]
Statistics = Callable[[Totals], Mapping[str, np.ndarray | float]]
Gradient = Callable[[Totals], Mapping[str, np.ndarray]]

MIN_BOOTSTRAP = 20
"""Clusters from which on the quantiles are bootstrapped. Below, a resample often holds so few
different clusters that its standard error nearly vanishes: with 8 skewed clusters the longest of
1,500 intervals was three times that of Student's t; with two or three there may be none at all."""

STEP = 1e-4
"""Step of a numerical derivative in units of the standard deviation of that sum over resamples:
central differences are then wrong by about STEP**2 / n, and round-off by about 1e-16 / STEP."""

LEAST_STEP = 1e-9
"""Least step in units of the largest sum there can be: below, the step itself is round-off."""

ROUND_OFF = 1e-13
"""Scatter, or a standard error, below this fraction of the values it is made of is round-off: zero."""

MAX_UNDEFINED = 0.05
"""If the statistic is undefined in more than this share of resamples, the jackknife is used."""

CHUNK = 2_000_000
"""Counts of resamples (resample x cluster) held in memory at once: 16 MB of float64."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low, high: its ends.
        level: the probability with which such intervals hold the truth.
    """

    low: float
    high: float
    level: float


@dataclass(frozen=True, eq=False)
class Estimate:
    """A statistic and what is needed to give its interval at any level.

    Attributes:
        value: the statistic of all clusters; None where it is undefined.
        standard_error: of the delete-one-cluster jackknife; None where there is no interval.
        n_clusters: number of clusters.
        method: ``"bootstrap-t"``, ``"jackknife-t"``, or None where there is no interval.
        reason: why there is no value or no interval; empty where there are both.
        pivots: (resample,) sorted (resampled - value) / (its own standard error); empty for the
            jackknife.
        support: the values that the statistic can take; intervals are cut off there, which costs
            no coverage.
    """

    value: float | None
    standard_error: float | None
    n_clusters: int
    method: str | None
    reason: str = ""
    pivots: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    support: tuple[float, float] = (-np.inf, np.inf)

    @classmethod
    def undefined(cls, n_clusters: int, reason: str) -> Estimate:
        """An estimate without a value."""
        return cls(None, None, n_clusters, None, reason)

    def interval(self, level: float = 0.95) -> Interval | None:
        """The interval that holds the truth with probability `level`, or None (see `reason`)."""
        if not 0 < level < 1:
            raise ValueError(f"the level of an interval lies between 0 and 1, not at {level}")
        if self.value is None or self.standard_error is None:
            return None
        tails = np.array([(1 + level) / 2, (1 - level) / 2])
        if self.method == "bootstrap-t":
            # The Weibull positions k / (B + 1) make the quantiles of B pivots unbiased in level.
            quantiles = np.quantile(self.pivots, tails, method="weibull")
        else:
            quantiles = stats.t.ppf(tails, self.n_clusters - 1)
        low, high = np.clip(self.value - self.standard_error * quantiles, *self.support)
        return Interval(float(low), float(high), level)


def resample_counts(n_clusters: int, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(resample, cluster) float64: how often each cluster was drawn, multinomial with n draws."""
    drawn = rng.integers(n_clusters, size=(n_resamples, n_clusters))
    drawn += n_clusters * np.arange(n_resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n_resamples * n_clusters)
    return counts.reshape(n_resamples, n_clusters).astype(np.float64)


@lru_cache(maxsize=4)
def _first_counts(n_clusters: int, n_resamples: int, seed: int) -> np.ndarray:
    counts = resample_counts(n_clusters, n_resamples, np.random.default_rng(seed))
    counts.setflags(write=False)
    return counts


def resamples(n_clusters: int, n_resamples: int, seed: int | np.random.Generator) -> Iterator[np.ndarray]:
    """(resample, cluster) counts of all resamples, a memory's worth at a time; see `resample_counts`.

    The same seed and number of clusters give the same counts, so that statistics which are resampled
    one after the other are resampled alike.
    """
    rows = max(1, CHUNK // n_clusters)
    if isinstance(seed, int) and n_resamples <= rows:
        yield _first_counts(n_clusters, n_resamples, seed)
        return
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)
    for start in range(0, n_resamples, rows):
        yield resample_counts(n_clusters, min(rows, n_resamples - start), rng)


def estimates(
    sums: Sums,
    function: Statistics,
    *,
    seed: int | np.random.Generator = 0,
    n_resamples: int = 2000,
    undefined: str = "the statistic is undefined for these clusters",
    gradient: Gradient | None = None,
    centres: Mapping[str, float] | None = None,
) -> dict[str, Estimate]:
    """Estimate several statistics from the same resamples of clusters.

    Arguments:
        sums: sums by cluster; the clusters are what is resampled. Give only the columns that the
            function uses (`Sums.select`): each costs two more evaluations, unless there is a gradient.
        function: maps totals, {name of column: (...) array}, to {name: (...) array}, for any
            leading shape. It must be smooth in the totals, and give NaN where it is undefined.
        seed: of the resamples; the same seed and number of clusters resample alike.
        n_resamples: 1,000 or more for a 95 % interval.
        undefined: reason given for a statistic that is NaN or infinite.
        gradient: maps totals as `function` does to {statistic: (..., column)}, its derivatives by the
            columns in the order of `sums.names`; without it they are numerical.
        centres: {statistic: what the resampled statistic estimates}, where that is not its value. A
            debiased statistic has its bias taken away again in each resample, so the resamples lie
            about the plug-in value of these clusters.

    Returns:
        {name: Estimate}. With one cluster there are values without intervals, and a reason;
        without clusters there are no values either.
    """
    if n_resamples < 1:
        raise ValueError(f"the bootstrap needs resamples, not {n_resamples}")
    n = sums.n_clusters
    values = evaluate(function, sums.names, sums.values.sum(axis=0))
    usable = n > 1 and any(np.isfinite(value) for value in values.values())
    deleted = _without_each(sums, function) if usable else {}
    resampled, errors = {}, {}
    if usable and n >= MIN_BOOTSTRAP:
        resampled, errors = _resampled(sums, function, gradient, seed, n_resamples)
    return {
        name: from_resamples(
            float(value),
            deleted.get(name),
            resampled.get(name),
            errors.get(name),
            cluster=sums.cluster,
            centre=(centres or {}).get(name),
            undefined=undefined,
        )
        for name, value in values.items()
    }


def from_resamples(
    value: float,
    deleted: np.ndarray | None,
    resampled: np.ndarray | None,
    errors: np.ndarray | None,
    *,
    cluster: np.ndarray,
    centre: float | None = None,
    undefined: str = "the statistic is undefined for these clusters",
) -> Estimate:
    """An estimate from a statistic that was resampled by whoever knows a faster way than `estimates`.

    Arguments:
        value: the statistic of all clusters.
        deleted: (cluster,) the statistic without each of the clusters; may be None with one cluster.
        resampled, errors: (resample,) the statistic of each resample and its standard error by the
            infinitesimal jackknife, with n in place of n - 1; None below `MIN_BOOTSTRAP` clusters.
        cluster: (cluster,) their ids, for the reason.
        centre, undefined: see `estimates`.
    """
    n = cluster.size
    if n == 0:
        return Estimate.undefined(0, "there are no clusters")
    if not np.isfinite(value):
        return Estimate.undefined(n, undefined)
    if n == 1 or deleted is None:
        reason = "one cluster has no scatter to give an interval: two or more are needed"
        return Estimate(value, None, n, None, reason)
    lost = np.flatnonzero(~np.isfinite(deleted))
    if lost.size:
        reason = (
            f"the statistic is undefined without cluster {cluster[lost[0]]}: "
            f"{n} clusters are too few for an interval"
        )
        return Estimate(value, None, n, None, reason)
    error = _jackknife_error(deleted)
    if resampled is not None and errors is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            # The infinitesimal jackknife divides by n where an unbiased variance divides by n - 1.
            pivots = (resampled - (value if centre is None else centre)) / errors * np.sqrt((n - 1) / n)
        pivots = np.sort(pivots[np.isfinite(pivots)])
        if pivots.size >= (1 - MAX_UNDEFINED) * resampled.size:
            return Estimate(value, error, n, "bootstrap-t", pivots=pivots)
    return Estimate(value, error, n, "jackknife-t")


def estimate(
    sums: Sums,
    function: Statistic,
    *,
    seed: int | np.random.Generator = 0,
    n_resamples: int = 2000,
    undefined: str = "the statistic is undefined for these clusters",
) -> Estimate:
    """Estimate one statistic; see `estimates`.

    Examples:
        >>> sums = Sums.of([0, 0, 1, 2, 3], n=1, x=[1.0, 2.0, 2.0, 3.0, 1.0])
        >>> mean = estimate(sums, lambda total: total["x"] / total["n"])
        >>> mean.value, mean.method
        (1.8, 'jackknife-t')
    """
    options = {"seed": seed, "n_resamples": n_resamples, "undefined": undefined}
    return estimates(sums, lambda total: {"": function(total)}, **options)[""]


def interval(
    sums: Sums,
    function: Statistic,
    *,
    seed: int | np.random.Generator = 0,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Interval | None:
    """The interval of one statistic, None where there is none; `estimate` says why."""
    return estimate(sums, function, seed=seed, n_resamples=n_resamples).interval(level)


def evaluate(function: Statistics, names: tuple[str, ...], totals: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of totals, without warnings where they are undefined: not finite there.

    Arguments:
        function: as in `estimates`.
        names: of the columns.
        totals: (..., name).

    Returns:
        {statistic: (...) float64}.

    Raises:
        ValueError: if the function doesn't work along leading axes.
    """
    columns = {name: totals[..., index] for index, name in enumerate(names)}
    shape = totals.shape[:-1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = {name: np.asarray(value, dtype=np.float64) for name, value in function(columns).items()}
    for name, value in result.items():
        if value.shape != shape:
            what = f"the statistic {name!r}" if name else "the statistic"
            raise ValueError(
                f"{what} maps totals of shape {shape} to shape {value.shape}: it must work along any "
                "leading axes"
            )
    return result


def _without_each(sums: Sums, function: Statistics) -> dict[str, np.ndarray]:
    """{statistic: (cluster,)} what the statistics are without each of the clusters."""
    # What lies before plus what lies after: no cancellation, as subtracting from the total has.
    nothing = np.zeros((1, len(sums.names)))
    before = np.concatenate([nothing, sums.values[:-1].cumsum(axis=0)])
    after = np.concatenate([sums.values[:0:-1].cumsum(axis=0)[::-1], nothing])
    return evaluate(function, sums.names, before + after)


def _jackknife_error(deleted: np.ndarray) -> float:
    """The standard error from statistics without each of the clusters (Efron & Tibshirani, eq. 11.5)."""
    n = deleted.size
    error = float(np.sqrt((n - 1) / n * ((deleted - deleted.mean()) ** 2).sum()))
    return 0.0 if error <= ROUND_OFF * np.sqrt(n) * np.abs(deleted).max() else error


def _resampled(
    sums: Sums,
    function: Statistics,
    gradient: Gradient | None,
    seed: int | np.random.Generator,
    n_resamples: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Two {statistic: (resample,)}: the statistics of all resamples and their standard errors."""
    n = sums.n_clusters
    scatter, size = sums.values.std(axis=0), np.abs(sums.values).max(axis=0)
    step = np.maximum(STEP * np.sqrt(n) * scatter, LEAST_STEP * n * size)
    step[scatter <= ROUND_OFF * size] = 0.0
    parts = [_resample(sums, function, gradient, c, step) for c in resamples(n, n_resamples, seed)]
    values, errors = (
        {name: np.concatenate([part[kind][name] for part in parts]) for name in parts[0][kind]}
        for kind in (0, 1)
    )
    return values, errors


def _resample(
    sums: Sums, function: Statistics, gradient: Gradient | None, counts: np.ndarray, step: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The statistics of resamples and their standard errors by the infinitesimal jackknife.

    Arguments:
        gradient: of the statistics, None for numerical derivatives.
        counts: (resample, cluster) how often each cluster is in each resample.
        step: (name,) steps of numerical derivatives; a column with step 0 has no scatter.

    Returns:
        Two {statistic: (resample,)}: the values, and the standard errors.
    """
    n = sums.n_clusters
    totals = counts @ sums.values
    values = evaluate(function, sums.names, totals)
    if gradient is None:
        slopes = _numerical_gradient(sums, function, totals, step, tuple(values))
    else:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slopes = gradient({name: totals[..., index] for index, name in enumerate(sums.names)})
    errors = {}
    for name, slope in slopes.items():
        with np.errstate(invalid="ignore", over="ignore"):  # what is undefined in a resample has no error
            influence = slope @ sums.values.T
            mean = (counts * influence).sum(axis=1, keepdims=True) / n
            scale = np.abs(slope) @ np.abs(sums.values).max(axis=0)
            error = np.sqrt((counts * (influence - mean) ** 2).sum(axis=1))
        errors[name] = np.where(error <= ROUND_OFF * np.sqrt(n) * scale, 0.0, error)
    return values, errors


def _numerical_gradient(
    sums: Sums, function: Statistics, totals: np.ndarray, step: np.ndarray, statistics: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """{statistic: (resample, name)} by central differences."""
    slopes = {name: np.zeros_like(totals) for name in statistics}
    for index in np.flatnonzero(step > 0):
        shifted = totals.copy()
        shifted[:, index] = totals[:, index] + step[index]
        above = evaluate(function, sums.names, shifted)
        width = shifted[:, index].copy()
        shifted[:, index] = totals[:, index] - step[index]
        below = evaluate(function, sums.names, shifted)
        width -= shifted[:, index]
        for name in statistics:
            with np.errstate(invalid="ignore"):  # what is infinite on both sides has no slope
                slopes[name][:, index] = (above[name] - below[name]) / width
    return slopes
