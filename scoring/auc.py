"""The area under the ROC curve: exact from the scores themselves, resampled from histograms of their ranks.

AUC is the probability that a positive object has a higher score than a negative one, ties counting
half (Hanley & McNeil 1982, Radiology 143, 29). It is no function of a few sums, so the scores are kept, in
order: each distinct one with how many positive and negative objects of each cluster have it. Such counts
stream and merge, and the AUC follows from them to round-off, however sure forecasts are.

**The bootstrap** has no time to rank a million objects again in each of a thousand resamples; it sees the
scores in `N_BINS` bins. Every distinct score has a bin of its own where there are no more than that. Else
bins hold equal shares of the objects, half of each share for the positive and half for the negative ones,
so that no forecast is too sure, or too unsure, to be told apart. Scores in one bin count as ties, which moves
an AUC by half the share of such pairs at most: less than 1 / (2 `N_BINS`), and far less where densities are
nearly flat within bins. With M[k, l] the number of pairs of a positive object of cluster k and a negative of
cluster l in the right order, the AUC of a resample with counts w is wᵀMw over the number of pairs: exact for
these bins, and so is its derivative by w, which gives the standard error of each resample.

**The interval** is about the exact AUC. Resamples estimate the AUC of the bins, so their pivots are taken
about that one (`bootstrap.from_resamples`, `centre`): how far the bins are off is the same in all of
them, and drops out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as _replace

import numpy as np
from numpy.typing import ArrayLike

from .bootstrap import MIN_BOOTSTRAP, Estimate, from_resamples, resamples

__all__ = ["MAX_CLUSTERS", "N_BINS", "ScoreCounts", "auc_estimates"]

N_BINS = 4096
"""Most bins of the bootstrap. Our choice: twice as many would need twice the memory and time for a
millionth of the scatter."""

MAX_CLUSTERS = 2048
"""Most clusters: the pairs of clusters are held in memory, 32 MB for each question."""


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """How many positive and negative objects of each cluster have each score, for some questions.

    A cell is a score, a cluster and an answer, and takes 16 bytes: there are at most objects x questions
    of them (240 MB for a million objects and 15 questions), and fewer where scores repeat.

    Attributes:
        cluster: (cluster,) int64, unique and sorted.
        start: (question + 1,) where the cells of each question start; the last is their number.
        score: (cell,) float64, increasing within a question.
        mark: (cell,) int32 twice the index of the cluster, plus one for positive objects.
        count: (cell,) int32 objects.
    """

    cluster: np.ndarray
    start: np.ndarray
    score: np.ndarray
    mark: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, cluster: ArrayLike, scores: ArrayLike, positive: ArrayLike) -> ScoreCounts:
        """Counts of objects.

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
        mark = 2 * row.astype(np.int32)
        one = np.ones(row.size, dtype=np.int32)
        return _assembled(
            labels, [_cells(s[:, question], mark + yes[:, question], one) for question in range(s.shape[1])]
        )

    def merge(self, *others: ScoreCounts) -> ScoreCounts:
        """Add the counts of other workers; many at once are faster than one after the other."""
        parts = [self, *others]
        if len({part.n_questions for part in parts}) > 1:
            raise ValueError("scores of different questions cannot be merged")
        labels = np.unique(np.concatenate([part.cluster for part in parts]))
        marks = []
        for part in parts:
            row = np.searchsorted(labels, part.cluster).astype(np.int32)
            marks.append(2 * row[part.mark // 2] + part.mark % 2)
        cells = []
        for question in range(self.n_questions):
            spans = [part.span(question) for part in parts]
            cells.append(
                _cells(
                    np.concatenate([part.score[s] for part, s in zip(parts, spans, strict=True)]),
                    np.concatenate([mark[s] for mark, s in zip(marks, spans, strict=True)]),
                    np.concatenate([part.count[s] for part, s in zip(parts, spans, strict=True)]),
                )
            )
        return _assembled(labels, cells)

    @property
    def n_questions(self) -> int:
        return self.start.size - 1

    def span(self, question: int) -> slice:
        """The cells of a question."""
        return slice(int(self.start[question]), int(self.start[question + 1]))

    def auc(self) -> np.ndarray:
        """(question,) AUC of all clusters, NaN where all objects are positive or none is."""
        return np.array([_auc(*self._distinct(question)[1:]) for question in range(self.n_questions)])

    def dense(self, question: int) -> tuple[np.ndarray, np.ndarray]:
        """(cluster, bin) float64 counts of negative and of positive objects, in bins that increase."""
        place, no, yes = self._distinct(question)
        of_score = np.arange(no.size)
        if no.size > N_BINS:
            # The middle of the share that a score takes, so that a score of many objects is not alone with
            # all that come before it.
            share = no / max(no.sum(), 1.0) + yes / max(yes.sum(), 1.0)
            before = share.cumsum() - share / 2
            of_score = np.minimum((before / share.sum() * N_BINS).astype(np.int64), N_BINS - 1)
        n_bins = int(of_score[-1]) + 1 if of_score.size else 0
        span = self.span(question)
        cell = self.mark[span].astype(np.int64) * n_bins + of_score[place]
        total = np.bincount(cell, self.count[span], minlength=2 * self.cluster.size * n_bins)
        both = total.reshape(self.cluster.size, 2, n_bins)
        return both[:, 0], both[:, 1]

    def _distinct(self, question: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(cell,) which of the distinct scores each cell is of; of these, negative and positive objects."""
        span = self.span(question)
        score, count = self.score[span], self.count[span]
        new = np.ones(score.size, dtype=bool)
        new[1:] = np.diff(score) > 0
        place = new.cumsum() - 1
        yes = np.bincount(place, count * (self.mark[span] % 2), minlength=0)
        return place, np.bincount(place, count) - yes, yes


def auc_estimates(
    counts: ScoreCounts, *, seed: int | np.random.Generator = 0, n_resamples: int = 2000
) -> tuple[Estimate, tuple[Estimate, ...]]:
    """The AUC of each question, and their mean over those that have one.

    Arguments:
        counts: of scores, of 2,048 clusters or fewer (`clusters_of` makes them).
        seed, n_resamples: see `bootstrap.estimates`; the same give the same resamples.

    Returns:
        The mean (macro) AUC and that of each question; without a value, and with the reason, where all
        answers are the same.

    Raises:
        ValueError: for too many clusters.
    """
    n = counts.cluster.size
    if n > MAX_CLUSTERS:
        raise ValueError(
            f"an AUC is resampled from {MAX_CLUSTERS} clusters at most, not from {n}: put the objects in "
            "fewer with clusters_of"
        )
    values = counts.auc()
    used = [question for question, value in enumerate(values) if np.isfinite(value)]
    alone = [
        Estimate.undefined(
            n, "there are no clusters" if n == 0 else "positive and negative objects are needed"
        )
        for _ in values
    ]
    if not used:
        return alone[0] if alone else Estimate.undefined(n, "there are no questions"), tuple(alone)
    pairs = [_Pairs.of(*counts.dense(question)) for question in used]
    centres = np.array([each.auc() for each in pairs])
    deleted = np.array([each.without_each() for each in pairs])
    resampled, scatter, mean_scatter = [], [], []
    if n >= MIN_BOOTSTRAP:
        for drawn in resamples(n, n_resamples, seed):
            mean_influence = np.zeros_like(drawn)
            parts = []
            for each in pairs:
                found, influence = each.resampled(drawn)
                parts.append((found, _scatter(drawn, influence)))
                influence /= len(used)
                mean_influence += influence
            resampled.append([part[0] for part in parts])
            scatter.append([part[1] for part in parts])
            mean_scatter.append(_scatter(drawn, mean_influence))
    aucs = np.concatenate(resampled, axis=1) if resampled else None
    spreads = np.concatenate(scatter, axis=1) if scatter else None
    for index, question in enumerate(used):
        estimate = from_resamples(
            float(values[question]),
            deleted[index],
            None if aucs is None else aucs[index],
            None if spreads is None else spreads[index],
            cluster=counts.cluster,
            centre=float(centres[index]),
        )
        alone[question] = _replace(estimate, support=(0.0, 1.0))
    macro = from_resamples(
        float(values[used].mean()),
        deleted.mean(axis=0),
        None if aucs is None else aucs.mean(axis=0),
        np.concatenate(mean_scatter) if mean_scatter else None,
        cluster=counts.cluster,
        centre=float(centres.mean()),
    )
    return _replace(macro, support=(0.0, 1.0)), tuple(alone)


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

    def auc(self) -> float:
        """The AUC of all clusters."""
        return float(self.right.sum() / (self.yes.sum() * self.no.sum()))

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


def _auc(no: np.ndarray, yes: np.ndarray) -> float:
    """The AUC of counts (bin,) of negative and of positive objects; NaN where there are none of one kind."""
    pairs = no.sum() * yes.sum()
    # Halves of products of counts: exact up to 2^52 pairs.
    return float((yes * (no.cumsum() - no / 2)).sum() / pairs) if pairs else float("nan")


Cells = tuple[np.ndarray, np.ndarray, np.ndarray]


def _cells(score: np.ndarray, mark: np.ndarray, count: np.ndarray) -> Cells:
    """Score, mark and count of each distinct score and mark, in that order."""
    order = np.argsort(score)
    if (np.diff(score[order]) == 0).any():
        # Six times slower, and of use only where scores repeat.
        order = np.lexsort((mark, score))
    score, mark, count = score[order], mark[order], count[order]
    new = np.ones(score.size, dtype=bool)
    new[1:] = (np.diff(score) > 0) | (np.diff(mark) != 0)
    if new.all():
        return score, mark, count
    return score[new], mark[new], np.add.reduceat(count, np.flatnonzero(new), dtype=np.int32)


def _assembled(labels: np.ndarray, cells: Sequence[Cells]) -> ScoreCounts:
    start = np.concatenate([[0], np.cumsum([score.size for score, _, _ in cells])]).astype(np.int64)
    # An empty array in front: there may be no questions.
    score = np.concatenate([np.empty(0), *(one[0] for one in cells)])
    mark, count = (np.concatenate([np.empty(0, np.int32), *(one[k] for one in cells)]) for k in (1, 2))
    return ScoreCounts(labels, start, score, mark, count)
