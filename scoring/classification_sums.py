"""Predicted and true classes as sums by cluster: they stream and merge.

They do not grow with the objects, but for the distinct scores that exact AUCs need: 16 bytes for each object
and class at most (`auc.ScoreCounts`).

A cluster is what is resampled: `clusters_of` puts independent objects into 512 random ones, so that a
thousand resamples of a million objects are a thousand resamples of 512 clusters. Objects of a class that
is not predicted (`OUT_OF_DISTRIBUTION`) count in the sums of novelty only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .auc import ScoreCounts
from .calibration import calibration_sums
from .probabilities import OUT_OF_DISTRIBUTION, checked, entropy, mutual_information
from .statistics import Sums

__all__ = ["FLOOR", "ClassificationSums", "classification_groups", "classification_sums"]

FLOOR = 1e-15
"""Least probability in a logarithm: that of the PLAsTiCC challenge, whose page says max(p, 1e-15)."""


@dataclass(frozen=True, eq=False)
class ClassificationSums:
    """All that is kept of predictions and truths; only `ranks` and `novelty` grow, with distinct scores.

    Attributes:
        n_classes: predicted.
        positive: code of the class whose efficiency and purity are asked for, None for none.
        threshold: least probability of the positive class to select an object; None where it has to be
            the most probable class.
        counts: sums for losses, accuracies and selections.
        calibration: from `calibration_sums`.
        ranks: scores of each class against the rest.
        novelty: scores of objects out of distribution against the rest, one question for each
            of `novelty_scores`.
        novelty_scores: ``"mutual_information"`` where there are samples, and ``"entropy"``.
        shifts: entropies of the data and of broken inputs; without columns for these if there are none.
    """

    n_classes: int
    positive: int | None
    threshold: float | None
    counts: Sums
    calibration: Sums
    ranks: ScoreCounts
    novelty: ScoreCounts
    novelty_scores: tuple[str, ...]
    shifts: Sums

    def merge(self, *others: ClassificationSums) -> ClassificationSums:
        """Add the sums of other workers or batches; many at once are faster than one by one."""
        for other in others:
            for name in ("n_classes", "positive", "threshold", "novelty_scores"):
                mine, theirs = getattr(self, name), getattr(other, name)
                if mine != theirs:
                    raise ValueError(f"sums of {name} {mine} and {theirs} cannot be merged")
        merged = {
            name: getattr(self, name).merge(*(getattr(other, name) for other in others))
            for name in ("counts", "calibration", "ranks", "novelty", "shifts")
        }
        return replace(self, **merged)


def classification_sums(
    cluster: ArrayLike,
    probabilities: ArrayLike | None,
    truth: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    broken: Mapping[str, ArrayLike] | None = None,
    positive: int | None = None,
    threshold: float | None = None,
) -> ClassificationSums:
    """Sums of a batch of objects by cluster.

    Arguments:
        cluster: (object,) integers, of `clusters_of` for independent objects.
        probabilities: (object, class); None for the mean of the samples.
        truth: (object,) codes of classes, or `OUT_OF_DISTRIBUTION`.
        samples: (sample, object, class) of a Bayesian model, for its mutual information.
        broken: {kind: (object, class)} predictions for the same objects with their input broken, such
            as ``{"shuffle": p}``.
        positive: code of a class such as Ia, for efficiency, purity and figure of merit.
        threshold: see `ClassificationSums`.

    Raises:
        ValueError: naming all that is wrong, see `checked`.
    """
    p, codes = checked(probabilities, truth, cluster=cluster, samples=samples, broken=broken)
    labels = np.asarray(cluster, dtype=np.int64)
    n_classes = p.shape[1]
    if positive is not None and not 0 <= positive < n_classes:
        raise ValueError(f"there is no class {positive} to select, only 0 to {n_classes - 1}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"the threshold of a probability lies between 0 and 1, not at {threshold}")
    own = entropy(p)
    scores = {"entropy": own}
    if samples is not None:
        total, disagreement = mutual_information(samples)
        scores = {"mutual_information": disagreement, "entropy": total}
    unknown = codes == OUT_OF_DISTRIBUTION
    question = np.stack([score / np.log(n_classes) for score in scores.values()], axis=1).clip(0, 1)
    novelty = ScoreCounts.of(labels, question, np.repeat(unknown[:, None], len(scores), axis=1))
    known = ~unknown
    columns: dict[str, np.ndarray] = {"n": np.ones(int(known.sum())), "entropy": own[known]}
    for kind, array in (broken or {}).items():
        q = np.asarray(array, dtype=np.float64)[known]
        columns[f"entropy_{kind}"] = entropy(q / q.sum(axis=1, keepdims=True))
    if unknown.any():
        p, codes, labels = p[known], codes[known], labels[known]
    return ClassificationSums(
        n_classes=n_classes,
        positive=positive,
        threshold=threshold,
        counts=_counts(labels, p, codes, positive, threshold),
        calibration=calibration_sums(labels, p, codes),
        ranks=ScoreCounts.of(labels, p.clip(0, 1), codes[:, None] == np.arange(n_classes)),
        novelty=novelty,
        novelty_scores=tuple(scores),
        shifts=Sums.of(labels, **columns),
    )


def classification_groups(
    cluster: ArrayLike,
    probabilities: ArrayLike,
    truth: ArrayLike,
    by: Mapping[str, tuple[ArrayLike, Sequence[float]]],
    **options: Any,
) -> tuple[tuple[str, tuple[float, float], ClassificationSums], ...]:
    """Sums of the objects in each range of some properties, such as S/N, redshift and phase.

    Arguments:
        cluster, probabilities, truth: as in `classification_sums`; probabilities have to be given.
        by: {property: ((object,) numbers, increasing edges)}. A range holds its lower edge and not its
            upper one, but for the last, which holds both. An object whose number is NaN, or beyond
            the edges, is in no range.
        options: of `classification_sums`.

    Returns:
        (property, (low, high), sums) of each range, as `classification_scorecard` takes them.
    """
    samples, broken = options.pop("samples", None), options.pop("broken", None) or {}
    p, codes = checked(
        probabilities,
        truth,
        cluster=cluster,
        samples=samples,
        broken=broken,
        properties={name: values for name, (values, _) in by.items()},
    )
    labels = np.asarray(cluster)
    groups = []
    for name, (values, edges) in by.items():
        ends = np.asarray(edges, dtype=np.float64)
        if ends.ndim != 1 or ends.size < 2 or not (np.diff(ends) > 0).all() or not np.isfinite(ends).all():
            raise ValueError(
                f"the edges of {name!r} are two or more finite numbers that increase, not {edges}"
            )
        numbers = np.asarray(values, dtype=np.float64)
        place = np.searchsorted(ends, numbers, side="right") - 1
        place[numbers == ends[-1]] = ends.size - 2
        place[np.isnan(numbers)] = -1
        for index in range(ends.size - 1):
            rows = np.flatnonzero(place == index)
            sums = classification_sums(
                labels[rows],
                p[rows],
                codes[rows],
                samples=None if samples is None else np.asarray(samples)[:, rows],
                broken={kind: np.asarray(array)[rows] for kind, array in broken.items()},
                **options,
            )
            groups.append((name, (float(ends[index]), float(ends[index + 1])), sums))
    return tuple(groups)


def _counts(
    labels: np.ndarray, p: np.ndarray, codes: np.ndarray, positive: int | None, threshold: float | None
) -> Sums:
    top = p.argmax(axis=1)
    loss = -np.log(np.clip(p[np.arange(codes.size), codes], FLOOR, None)) + 0.0
    columns: dict[str, np.ndarray] = {}
    for code in range(p.shape[1]):
        mine = codes == code
        columns |= {
            f"n_{code}": mine,
            f"loss_{code}": np.where(mine, loss, 0.0),
            f"hit_{code}": mine & (top == code),
        }
    if positive is not None:
        selected = top == positive if threshold is None else p[:, positive] >= threshold
        mine = codes == positive
        columns |= {"tp": selected & mine, "fp": selected & ~mine}
    return Sums.of(labels, **columns)
