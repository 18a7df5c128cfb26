"""Are probabilities frequencies? Calibration errors, the split of the Brier score, reliability curves.

Everything follows from five sums in each of `N_BINS` bins of equal width of a predicted probability p,
with y = 1 where it came true: n, Σp, Σy, Σp², Σpy. There is one row of bins for each class (p of the
class) and one for the top label (p of the most probable class, y whether it is the true one).

**The plain calibration error** of a bin, |mean p - mean y|, is positive by chance: forecasts that are
perfect read 0.006 with 20,000 objects. The square is debiased as by Kumar, Liang & Ma (2019, NeurIPS,
arXiv:1909.10155; their public code was read), by taking away the variance of the mean; of y - p here,
where they take that of y, which is the same for one forecast per bin and is unbiased for any. Then

    D² = Σ_b n_b/N (d_b² - var_b)   with d_b = mean(p - y), var_b = its squared standard error,

so N D² = Σ_b (the sum over pairs of different objects of (p-y)(p'-y')) / (n_b - 1). The debiased errors
are its root, zero where it is negative: root-mean-square errors, so at least as large as the mean ones.
It was chosen over the estimators of Roelofs et al. (2022, AISTATS) because bins that depend on the data
do not add up, and over a debiased mean absolute error because that keeps part of its bias. Intervals
are those of D², mapped by the root; where the truth is nearly zero they are too long, never too short.

**The split of the Brier score** Σ_class mean (p - y)² is reliability - resolution + uncertainty. Bins
that hold different forecasts need two terms within bins (Stephenson, Coelho & Jolliffe 2008, Weather and
Forecasting 23, 752), which make it exact for any bins; they are counted as resolution, as there. Exact
for distinct forecasts was no choice: those of a network are all distinct, which would give each object
a bin of its own. Reliability is debiased as above, and uncertainty by N / (N - 1) (as Ferro & Fricker 2012,
QJRMS 138, 1954, do); resolution takes up both, so that the parts still add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from .bootstrap import Estimate, Interval, estimates, evaluate
from .metrics import DISPLAY_LEVEL
from .statistics import Sums

__all__ = [
    "N_BINS",
    "ReliabilityCurve",
    "RootEstimate",
    "calibration",
    "calibration_estimates",
    "calibration_sums",
    "reliability_curve",
]

N_BINS = 15
"""Bins of equal width: what most papers and libraries use (Guo et al. 2017, arXiv:1706.04599)."""

_KINDS = ("n", "p", "y", "p_p", "p_y")

Totals = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ReliabilityCurve:
    """Observed frequency against predicted probability; (bin,) each, without empty bins.

    Attributes:
        probability: mean prediction.
        frequency: share that came true.
        low, high: the interval of the frequency at `level` (Wilson 1927, JASA 22, 209: good for few
            objects and for shares of 0 and 1), for independent objects.
        count: objects.
        place: which of the `N_BINS` it is.
        level: of the intervals.
    """

    probability: np.ndarray
    frequency: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    place: np.ndarray
    level: float


@dataclass(frozen=True, eq=False)
class RootEstimate(Estimate):
    """The root of an estimated square, zero where that is negative; its intervals are those of the square.

    Attributes:
        square: the estimate of the square.
    """

    square: Estimate = field(
        default_factory=lambda: Estimate.undefined(0, "nothing was estimated"), repr=False
    )

    @classmethod
    def root(cls, square: Estimate) -> RootEstimate:
        """The root of an estimate. Its standard error is left out: a root near zero has none."""
        value = None if square.value is None else float(np.sqrt(max(square.value, 0.0)))
        return cls(value, None, square.n_clusters, square.method, square.reason, square=square)

    def interval(self, level: float = 0.95) -> Interval | None:
        bounds = self.square.interval(level)
        if bounds is None:
            return None
        low, high = np.sqrt(np.clip([bounds.low, bounds.high], 0.0, None))
        return Interval(float(low), float(high), level)


def calibration_sums(cluster: ArrayLike, probabilities: np.ndarray, truth: np.ndarray) -> Sums:
    """Sums of objects in bins, by cluster.

    Arguments:
        cluster: (object,) integers.
        probabilities: (object, class) that add up to one.
        truth: (object,) codes of classes.
    """
    labels, row = np.unique(np.asarray(cluster, dtype=np.int64), return_inverse=True)
    n_classes = probabilities.shape[1]
    sums = np.zeros((labels.size, n_classes + 1, N_BINS, len(_KINDS)))
    top = probabilities.argmax(axis=1)
    rows = [(probabilities[np.arange(truth.size), top], top == truth)]
    rows += [(probabilities[:, code], truth == code) for code in range(n_classes)]
    for index, (p, came_true) in enumerate(rows):
        y = came_true.astype(np.float64)
        place = row * N_BINS + np.minimum((p * N_BINS).astype(np.int64), N_BINS - 1)
        for kind, weight in enumerate((None, p, y, p * p, p * y)):
            added = np.bincount(place, weight, minlength=labels.size * N_BINS)
            sums[:, index, :, kind] = added.reshape(labels.size, N_BINS)
    names = _names(n_classes)
    return Sums(labels, names, sums.reshape(labels.size, len(names)))


def calibration(totals: Totals) -> dict[str, np.ndarray]:
    """Calibration errors and the parts of the Brier score.

    Arguments:
        totals: {name: (...)} of the columns of `calibration_sums`.

    Returns:
        ``ece``: (...) mean of |mean p - mean y| over bins of the top label, weighted by objects.
        ``ece_classwise``: the same of each class, mean over classes.
        ``square``, ``square_classwise``: the debiased mean squares, which may be negative.
        ``brier``, ``reliability``, ``resolution``, ``uncertainty``: see above; the first is
            reliability - resolution + uncertainty.
        NaN for fewer than two objects.
    """
    s = _binned(totals)
    n, p, y, pp, py = np.moveaxis(s, -1, 0)
    d, q, m = p - y, pp - 2 * py + y, n - 1
    all_n = n.sum(axis=-1)
    enough = np.where(all_n > 1, all_n, np.nan)
    some = np.where(n > 0, n, 1.0)
    square = np.where(m > 0, (d**2 - q) / np.where(m > 0, m, 1.0), 0.0).sum(axis=-1) / enough
    plain = np.abs(d).sum(axis=-1) / enough
    mean = y.sum(axis=-1) / enough
    uncertainty = mean * (1 - mean)
    biased = (d**2 / some).sum(axis=-1) / enough
    between = (n * (y / some - mean[..., None]) ** 2).sum(axis=-1) / enough
    within = ((pp - p**2 / some) - 2 * (py - p * y / some)).sum(axis=-1) / enough
    extra = uncertainty / (enough - 1)
    parts = {
        "brier": q.sum(axis=-1) / enough,
        "reliability": square,
        "resolution": between - within - (biased - square) + extra,
        "uncertainty": uncertainty + extra,
    }
    return {
        "ece": plain[..., 0],
        "ece_classwise": plain[..., 1:].mean(axis=-1),
        "square": square[..., 0],
        "square_classwise": square[..., 1:].mean(axis=-1),
    } | {name: part[..., 1:].sum(axis=-1) for name, part in parts.items()}


def calibration_estimates(sums: Sums, *, seed: int = 0, n_resamples: int = 2000) -> dict[str, Estimate]:
    """Estimates of what `calibration` gives, by the names of metrics.

    ``ece`` and ``ece_classwise`` are values without an interval: they are biased by more than their
    scatter where forecasts are good. ``ece_debiased`` and ``ece_classwise_debiased`` are roots of
    the debiased squares; ``brier``, ``brier_reliability``, ``brier_resolution``, ``brier_uncertainty``.
    """
    total = sums.values.sum(axis=0)
    n = sums.n_clusters
    values = evaluate(calibration, sums.names, total)
    # Resamples of the debiased squares lie about the squares with their bias, which is what these
    # objects are to their resamples as the truth is to these objects.
    s = _binned({name: total[index] for index, name in enumerate(sums.names)})
    biased = ((s[..., 1] - s[..., 2]) ** 2 / np.maximum(s[..., 0], 1)).sum(axis=-1)
    biased = biased / np.maximum(s[..., 0].sum(axis=-1), 1)
    shift = float(biased[1:].sum() - values["reliability"])
    all_n = max(float(s[0, :, 0].sum()), 1.0)
    less = float(values["uncertainty"]) / all_n
    centres = {
        "square": float(biased[0]),
        "square_classwise": float(biased[1:].mean()),
        "reliability": float(biased[1:].sum()),
        "uncertainty": float(values["uncertainty"]) - less,
        "resolution": float(values["resolution"]) + shift - less,
    }
    smooth = ("square", "square_classwise", "brier", "reliability", "resolution", "uncertainty")
    found = estimates(
        sums,
        lambda totals: {name: value for name, value in calibration(totals).items() if name in smooth},
        gradient=_gradient,
        centres=centres,
        seed=seed,
        n_resamples=n_resamples,
        undefined="two objects or more are needed",
    )
    result: dict[str, Estimate] = {}
    for name, square in (("ece", "square"), ("ece_classwise", "square_classwise")):
        value = float(values[name])
        reason = f"positive by chance even where forecasts are perfect: see {name}_debiased"
        result[name] = found[square]
        if np.isfinite(value):
            result[name] = Estimate(value, None, n, None, reason)
        result[f"{name}_debiased"] = RootEstimate.root(found[square])
    result |= {f"brier_{name}": found[name] for name in ("reliability", "resolution", "uncertainty")}
    return {"brier": found["brier"]} | result


def reliability_curve(sums: Sums, of: int | None = None, *, level: float = DISPLAY_LEVEL) -> ReliabilityCurve:
    """The curve of one class, or of the top label.

    Arguments:
        sums: from `calibration_sums`.
        of: code of the class; None for the top label.
        level: of the intervals.
    """
    totals = _binned({name: np.asarray(value) for name, value in sums.total().items()})
    if of is not None and not 0 <= of < len(totals) - 1:
        raise ValueError(f"there is no class {of}, only 0 to {len(totals) - 2}")
    s = totals[0 if of is None else of + 1]
    place = np.flatnonzero(s[:, 0] > 0)
    s = s[place]
    n, p, y = s[:, 0], s[:, 1], s[:, 2]
    z = stats.norm.ppf((1 + level) / 2)
    share = y / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)
    return ReliabilityCurve(p / n, share, low, high, n.astype(np.int64), place, level)


def _names(n_classes: int) -> tuple[str, ...]:
    rows = ("top", *range(n_classes))
    return tuple(f"{kind}_{row}_{place}" for row in rows for place in range(N_BINS) for kind in _KINDS)


def _binned(totals: Totals) -> np.ndarray:
    """(..., top label and classes, bin, kind) float64 of the columns of `calibration_sums`."""
    n_rows = len(totals) // (N_BINS * len(_KINDS))
    columns = np.stack([np.asarray(totals[name]) for name in _names(n_rows - 1)], axis=-1)
    return columns.reshape(*columns.shape[:-1], n_rows, N_BINS, len(_KINDS))


def _gradient(totals: Totals) -> dict[str, np.ndarray]:
    """{statistic: (..., column)} derivatives of the smooth ones among `calibration`, in closed form."""
    s = _binned(totals)
    n, p, y, pp, py = np.moveaxis(s, -1, 0)
    d, q = p - y, pp - 2 * py + y
    m = np.where(n > 1, n - 1, np.inf)
    all_n = n.sum(axis=-1)[..., None]
    all_y = y.sum(axis=-1)[..., None]
    square = ((d**2 - q) / m).sum(axis=-1)[..., None] / all_n
    brier = q.sum(axis=-1)[..., None] / all_n

    by_square = np.empty_like(s)
    by_square[..., 0] = -(d**2 - q) / m**2 / all_n - square / all_n
    by_square[..., 1] = 2 * d / m / all_n
    by_square[..., 2] = -(2 * d + 1) / m / all_n
    by_square[..., 3] = -1 / m / all_n
    by_square[..., 4] = 2 / m / all_n

    by_brier = np.zeros_like(s)
    by_brier[..., 0] = -brier / all_n
    by_brier[..., 2] = 1 / all_n
    by_brier[..., 3] = 1 / all_n
    by_brier[..., 4] = -2 / all_n

    pairs = all_n * (all_n - 1)
    by_uncertainty = np.zeros_like(s)
    by_uncertainty[..., 0] = all_y / pairs - all_y * (all_n - all_y) * (2 * all_n - 1) / pairs**2
    by_uncertainty[..., 2] = (all_n - 2 * all_y) / pairs

    n_classes = s.shape[-3] - 1
    top, classes = by_square.copy(), by_square
    top[..., 1:, :, :] = 0
    for part in (classes, by_brier, by_uncertainty):
        part[..., 0, :, :] = 0
    slopes = {
        "square": top,
        "square_classwise": classes / n_classes,
        "brier": by_brier,
        "reliability": classes,
        "resolution": classes + by_uncertainty - by_brier,
        "uncertainty": by_uncertainty,
    }
    return {name: slope.reshape(*slope.shape[:-3], -1) for name, slope in slopes.items()}
