"""The area under the ROC curve from histograms of scores by cluster: it streams, merges, is resampled.

AUC is the probability that a positive object has a higher score than a negative one, ties counting
half (Hanley & McNeil 1982, Radiology 143, 29). It is no function of a few sums, but it is one of
histograms. The score is a probability, and the bins are equal in its logit, fine where the classes of
most objects are told apart: 1/256 for 3e-4 < p < 1 - 3e-4, 1/32 beyond, down to p = 4e-18.

**The error of the bins.** Two scores in one bin count as a tie. So the AUC is wrong by no more than
half the share of such pairs (`ScoreHistograms.auc_error`; bins in which all scores are equal have no
error). Both densities are nearly flat within a bin, so the error is of second order, about
width² / 12 times the curvature: below 1e-5 for scores that spread over a unit of logit.

**The bootstrap.** With M[k, l] the number of pairs of a positive object of cluster k and a negative of
cluster l in the right order, the AUC of a resample with counts w is wᵀMw over the number of pairs:
exact, and so is its derivative by w, which gives the standard error of each resample.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as _replace

import numpy as np
from numpy.typing import ArrayLike

from .bootstrap import MIN_BOOTSTRAP, Estimate, from_resamples, resamples

__all__ = ["MAX_CLUSTERS", "MAX_ERROR", "ScoreHistograms", "auc_estimates"]

MIDDLE, FINE, COARSE, END = 8, 256, 32, 40
"""Bins of the logit: `FINE` per unit up to ±MIDDLE, `COARSE` per unit to ±END. Our choice: twice as fine
would need twice the memory, and the error is already far below the scatter of a million objects."""

HALF = MIDDLE * FINE + (END - MIDDLE) * COARSE
N_BINS = 2 * HALF

MAX_ERROR = 0.02
"""Largest bound on the error of the bins with which an AUC is given. It is some hundred times the error
itself for scores that spread; scores within a few bins of each other are not told apart. Our choice."""

MAX_CLUSTERS = 2048
"""Most clusters: the pairs of clusters are held in memory, 32 MB for each question."""


@dataclass(frozen=True, eq=False)
class ScoreHistograms:
    """Histograms of the scores of positive and of negative objects, by cluster, for some questions.

    Only cells that are not empty are kept: at most objects x questions of 12 bytes, and never more than
    clusters x questions x bins x 2.

    Attributes:
        cluster: (cluster,) int64, unique and sorted.
        start: (question + 1,) where the cells of each question start; the last is their number.
        row: (cell,) int32 index of the cluster.
        bin: (cell,) int32 twice the bin, plus one for positive objects.
        count: (cell,) int32 objects.
        lowest, highest: (question, bin) extremes of the scores in each bin; 1 and 0 where there are none.
    """

    cluster: np.ndarray
    start: np.ndarray
    row: np.ndarray
    bin: np.ndarray
    count: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def of(cls, cluster: ArrayLike, scores: ArrayLike, positive: ArrayLike) -> ScoreHistograms:
        """Histograms of objects.

        Arguments:
            cluster: (object,) integers.
            scores: (object, question) from 0 to 1.
            positive: (object, question) whether the answer is yes.
        """
        labels, row = np.unique(np.asarray(cluster, dtype=np.int64), return_inverse=True)
        s, yes = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
        if s.ndim != 2 or s.shape != yes.shape or s.shape[0] != row.size:
            raise ValueError(
                f"scores {s.shape} and answers {yes.shape} are (object, question), with {row.size} objects"
            )
        if not ((s >= 0) & (s <= 1)).all():
            raise ValueError("scores lie between 0 and 1")
        n_questions = s.shape[1]
        lowest, highest = np.ones((n_questions, N_BINS)), np.zeros((n_questions, N_BINS))
        keys, counts = [], []
        for question in range(n_questions):
            place = _bins(s[:, question])
            np.minimum.at(lowest[question], place, s[:, question])
            np.maximum.at(highest[question], place, s[:, question])
            key, count = np.unique((row * N_BINS + place) * 2 + yes[:, question], return_counts=True)
            keys.append(key)
            counts.append(count)
        return _assembled(labels, keys, counts, lowest, highest)

    def merge(self, *others: ScoreHistograms) -> ScoreHistograms:
        """Add the histograms of other workers; many at once are faster than one after the other."""
        parts = [self, *others]
        if len({part.n_questions for part in parts}) > 1:
            raise ValueError("histograms of different questions cannot be merged")
        labels = np.unique(np.concatenate([part.cluster for part in parts]))
        rows = [np.searchsorted(labels, part.cluster)[part.row] for part in parts]
        keys, counts = [], []
        for question in range(self.n_questions):
            spans = [slice(part.start[question], part.start[question + 1]) for part in parts]
            key = [
                row[s] * (2 * N_BINS) + part.bin[s] for part, row, s in zip(parts, rows, spans, strict=True)
            ]
            unique, inverse = np.unique(np.concatenate(key), return_inverse=True)
            weight = np.concatenate([part.count[s] for part, s in zip(parts, spans, strict=True)])
            keys.append(unique)
            counts.append(np.bincount(inverse, weights=weight, minlength=unique.size))
        lowest = np.minimum.reduce([part.lowest for part in parts])
        highest = np.maximum.reduce([part.highest for part in parts])
        return _assembled(labels, keys, counts, lowest, highest)

    @property
    def n_questions(self) -> int:
        return self.start.size - 1

    def totals(self) -> np.ndarray:
        """(question, bin, 2) negative and positive objects of all clusters."""
        result = np.zeros((self.n_questions, 2 * N_BINS))
        for question in range(self.n_questions):
            span = slice(self.start[question], self.start[question + 1])
            result[question] = np.bincount(self.bin[span], self.count[span], minlength=2 * N_BINS)
        return result.reshape(self.n_questions, N_BINS, 2)

    def auc(self) -> np.ndarray:
        """(question,) AUC of all clusters, NaN where all objects are positive or none is."""
        no, yes = np.moveaxis(self.totals(), -1, 0)
        right = (yes * (no.cumsum(axis=1) - no / 2)).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return right / (yes.sum(axis=1) * no.sum(axis=1))

    def auc_error(self) -> np.ndarray:
        """(question,) what the AUC is wrong by at most: half the share of pairs in one bin, not equal."""
        no, yes = np.moveaxis(self.totals(), -1, 0)
        mixed = (no * yes * (self.lowest < self.highest)).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return mixed / 2 / (yes.sum(axis=1) * no.sum(axis=1))

    def dense(self, question: int) -> tuple[np.ndarray, np.ndarray]:
        """(cluster, bin) float64 counts of negative and of positive objects."""
        span = slice(self.start[question], self.start[question + 1])
        place, yes = np.divmod(self.bin[span], 2)
        result = np.zeros((2, self.cluster.size, N_BINS))
        result[yes, self.row[span], place] = self.count[span]
        return result[0], result[1]


def auc_estimates(
    histograms: ScoreHistograms, *, seed: int | np.random.Generator = 0, n_resamples: int = 2000
) -> tuple[Estimate, tuple[Estimate, ...]]:
    """The AUC of each question, and their mean over those that have one.

    Arguments:
        histograms: of 2,048 clusters or fewer (`clusters_of` makes them).
        seed, n_resamples: see `bootstrap.estimates`; the same give the same resamples.

    Returns:
        The mean (macro) AUC and that of each question; without a value, and with the reason, where all
        answers are the same, or where the bins cannot tell the scores apart (`MAX_ERROR`).

    Raises:
        ValueError: for too many clusters.
    """
    n = histograms.cluster.size
    if n > MAX_CLUSTERS:
        raise ValueError(
            f"an AUC is resampled from {MAX_CLUSTERS} clusters at most, not from {n}: put the objects in "
            "fewer with clusters_of"
        )
    values, errors = histograms.auc(), histograms.auc_error()
    used = [question for question, value in enumerate(values) if np.isfinite(value)]
    alone = [
        Estimate.undefined(
            n, "there are no clusters" if n == 0 else "positive and negative objects are needed"
        )
        for _ in values
    ]
    if not used:
        return alone[0] if alone else Estimate.undefined(n, "there are no questions"), tuple(alone)
    pairs = [_Pairs.of(*histograms.dense(question)) for question in used]
    deleted = np.array([each.without_each() for each in pairs])
    resampled, scatter, mean_scatter = [], [], []
    if n >= MIN_BOOTSTRAP:
        for counts in resamples(n, n_resamples, seed):
            mean_influence = np.zeros_like(counts)
            parts = []
            for each in pairs:
                found, influence = each.resampled(counts)
                parts.append((found, _scatter(counts, influence)))
                influence /= len(used)
                mean_influence += influence
            resampled.append([part[0] for part in parts])
            scatter.append([part[1] for part in parts])
            mean_scatter.append(_scatter(counts, mean_influence))
    aucs = np.concatenate(resampled, axis=1) if resampled else None
    spreads = np.concatenate(scatter, axis=1) if scatter else None
    for index, question in enumerate(used):
        estimate = from_resamples(
            float(values[question]),
            deleted[index],
            None if aucs is None else aucs[index],
            None if spreads is None else spreads[index],
            cluster=histograms.cluster,
        )
        alone[question] = _resolved(estimate, float(errors[question]))
    macro = from_resamples(
        float(values[used].mean()),
        deleted.mean(axis=0),
        None if aucs is None else aucs.mean(axis=0),
        np.concatenate(mean_scatter) if mean_scatter else None,
        cluster=histograms.cluster,
    )
    return _resolved(macro, float(errors[used].mean())), tuple(alone)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of a positive and a negative object.

    Attributes:
        right: (cluster, cluster) those in the right order, ties half; positive cluster first.
        yes, no: (cluster,) positive and negative objects.
    """

    right: np.ndarray
    yes: np.ndarray
    no: np.ndarray

    @classmethod
    def of(cls, no: np.ndarray, yes: np.ndarray) -> _Pairs:
        used = np.flatnonzero(yes.any(axis=0))
        below = no.cumsum(axis=1)[:, used] - no[:, used] / 2
        return cls(yes[:, used] @ below.T, yes.sum(axis=1), no.sum(axis=1))

    def without_each(self) -> np.ndarray:
        """(cluster,) the AUC without each of the clusters."""
        right = self.right.sum() - self.right.sum(axis=0) - self.right.sum(axis=1) + np.diag(self.right)
        pairs = (self.yes.sum() - self.yes) * (self.no.sum() - self.no)
        with np.errstate(divide="ignore", invalid="ignore"):
            return right / pairs

    def resampled(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(resample,) AUC, and (resample, cluster) its derivative by the count of each cluster."""
        yes, no = counts @ self.yes, counts @ self.no
        influence = counts @ (self.right + self.right.T)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Each pair is in the sum twice, once with its positive and once with its negative object.
            auc = np.einsum("rc,rc->r", counts, influence) / (2 * yes * no)
            influence /= (yes * no)[:, None]
            influence -= np.stack([auc / yes, auc / no], axis=1) @ np.stack([self.yes, self.no])
        return auc, influence


def _scatter(counts: np.ndarray, influence: np.ndarray) -> np.ndarray:
    """(resample,) standard error by the infinitesimal jackknife; round-off is zero."""
    # The mean of the influence is zero: an AUC does not change if all counts are doubled.
    error = np.sqrt(np.einsum("rc,rc->r", counts * influence, influence))
    return np.where(error <= 1e-13, 0.0, error)


def _resolved(estimate: Estimate, error: float) -> Estimate:
    if error > MAX_ERROR and estimate.value is not None:
        reason = (
            f"the scores lie so close together that the bins leave the AUC uncertain by {error:.2g}: "
            "spread them over more of the range from 0 to 1"
        )
        return Estimate.undefined(estimate.n_clusters, reason)
    return _replace(estimate, support=(0.0, 1.0))


def _bins(score: np.ndarray) -> np.ndarray:
    """(object,) int64 the bin of each score."""
    with np.errstate(divide="ignore"):
        logit = np.log(score) - np.log1p(-score)
    size = np.abs(logit)
    steps = np.where(size < MIDDLE, size * FINE, MIDDLE * FINE + (size - MIDDLE) * COARSE)
    steps = np.minimum(steps, HALF - 1).astype(np.int64)
    return np.where(logit >= 0, HALF + steps, HALF - 1 - steps)


def _assembled(
    labels: np.ndarray,
    keys: list[np.ndarray],
    counts: list[np.ndarray],
    lowest: np.ndarray,
    highest: np.ndarray,
) -> ScoreHistograms:
    """From the keys (index of the cluster x 2 bins + place) and counts of the cells of each question."""
    start = np.concatenate([[0], np.cumsum([key.size for key in keys])]).astype(np.int64)
    # An empty array in front: there may be no questions.
    none = np.empty(0, dtype=np.int32)
    row = np.concatenate([none, *((key // (2 * N_BINS)).astype(np.int32) for key in keys)])
    place = np.concatenate([none, *((key % (2 * N_BINS)).astype(np.int32) for key in keys)])
    count = np.concatenate([none, *(count.astype(np.int32) for count in counts)])
    return ScoreHistograms(labels, start, row, place, count, lowest, highest)
