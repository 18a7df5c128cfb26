"""How good predicted probabilities of classes are, from sums that stream, merge and are resampled.

`classification_sums` turns a batch of objects into sums by cluster; those of other batches and workers
are merged; `classification_estimates` and `classification_scorecard` see only the sums. A cluster is
what is resampled: `clusters_of` puts independent objects into 512 random ones, so that a thousand
resamples of a million objects are a thousand resamples of 512 clusters.

**What is exact.** All values but the AUCs are those of the objects themselves; AUCs are those of fine
bins (`auc`). Every resample is exactly the statistic of the clusters drawn. Objects are drawn in random
clusters instead of one by one, which leaves the scatter as it is, and makes the standard error
uncertain by 1 / sqrt(2 (clusters - 1)); bootstrap-t allows for it.

A class without objects is left out of averages over classes. Objects of a class that is not predicted
(`OUT_OF_DISTRIBUTION`) count in ``ood_auroc`` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .auc import ScoreHistograms, auc_estimates
from .bootstrap import Estimate, estimates
from .calibration import calibration_estimates, calibration_sums
from .metrics import DISPLAY_LEVEL, Group, Metric
from .probabilities import OUT_OF_DISTRIBUTION, checked, entropy, mutual_information
from .ranking import Better
from .scorecard import ProvenanceValue, Scorecard
from .statistics import Sums

__all__ = [
    "CLASSIFICATION_REQUIREMENTS",
    "FLOOR",
    "PENALTY",
    "ClassificationSums",
    "EarlyCurve",
    "classification_estimates",
    "classification_groups",
    "classification_scorecard",
    "classification_sums",
    "early_curves",
]

FLOOR = 1e-15
"""Least probability in a logarithm: that of the PLAsTiCC challenge, whose page says max(p, 1e-15)."""

PENALTY = 3.0
"""What a false positive weighs in the figure of merit, against a true one: that of the supernova
photometric classification challenge (Kessler et al. 2010, PASP 122, 1415), used by RESSPECT."""

CLASSIFICATION_REQUIREMENTS: Mapping[str, float] = {
    "ece_debiased": 0.02,
    "ood_auroc": 0.75,
    "entropy_shift": 0.0,
}
"""Limits of the transients challenge, our choice; the last is that of every broken input."""

_SHARES = ("accuracy", "efficiency", "purity", "figure_of_merit")

Totals = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class ClassificationSums:
    """All that is kept of predictions and truths; its size does not grow with the objects.

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
    ranks: ScoreHistograms
    novelty: ScoreHistograms
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


@dataclass(frozen=True)
class EarlyCurve:
    """A metric against phase; NaN where it, or its interval, is undefined.

    Attributes:
        phase: (phase,) increasing.
        value, low, high: (phase,) the metric and its interval at `level`.
        level: of the intervals.
    """

    phase: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float


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
    scores = {"entropy": entropy(p)}
    if samples is not None:
        total, disagreement = mutual_information(samples)
        scores = {"mutual_information": disagreement, "entropy": total}
    unknown = codes == OUT_OF_DISTRIBUTION
    question = np.stack([score / np.log(n_classes) for score in scores.values()], axis=1).clip(0, 1)
    novelty = ScoreHistograms.of(labels, question, np.repeat(unknown[:, None], len(scores), axis=1))
    known = ~unknown
    columns: dict[str, np.ndarray] = {"n": np.ones(int(known.sum())), "entropy": entropy(p[known])}
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
        ranks=ScoreHistograms.of(labels, p.clip(0, 1), codes[:, None] == np.arange(n_classes)),
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


def classification_estimates(
    sums: ClassificationSums,
    *,
    weights: ArrayLike | None = None,
    rates: ArrayLike | None = None,
    ranks: bool = True,
    seed: int = 0,
    n_resamples: int = 2000,
) -> dict[str, Estimate]:
    """Estimates of all metrics; what needs something that was not given is undefined, with the reason.

    Arguments:
        sums: from `classification_sums`.
        weights: (class,) of the PLAsTiCC loss, such as 2 for rare classes and 1 for the others.
        rates: (class,) relative numbers of objects in nature, for the accuracy there.
        ranks: whether AUCs are among them: they take most of the time.
        seed, n_resamples: of the bootstrap.

    Returns:
        {name: Estimate}:
        ``log_loss``: mean of -ln p of the true class. ``log_loss_flat``: mean over classes of the mean in
        each. ``log_loss_plasticc``: the same, weighted.
        ``accuracy``, ``accuracy_balanced`` (mean over classes), ``accuracy_rate_weighted``.
        ``auc_macro``: mean over classes of the AUC of each against the rest.
        ``brier…``, ``ece…``: see `calibration_estimates`.
        ``efficiency`` TP / P, ``purity`` TP / (TP + FP), ``figure_of_merit`` efficiency x
        TP / (TP + 3 FP), and ``accuracy_binary``, the mean of the shares of positive and of other
        objects that are told right.
        ``ood_auroc``: AUC of the mutual information, or of the entropy where there are no
        samples; ``ood_auroc_entropy``: of the entropy, where there are.
        ``entropy_shift_…``: mean entropy on a broken input minus that on the data.

    Raises:
        ValueError: naming everything that is wrong with weights and rates.
    """
    per_class = _per_class(sums.n_classes, weights=weights, rates=rates)
    n = sums.counts.n_clusters
    n_of = np.array([sums.counts.column(f"n_{code}").sum() for code in range(sums.n_classes)])
    present = np.flatnonzero(n_of > 0)
    found = estimates(
        sums.counts,
        lambda totals: _metrics_of(totals, present, per_class, sums.positive),
        seed=seed,
        n_resamples=n_resamples,
    )
    result = {name: replace(estimate, support=(0.0, np.inf)) for name, estimate in found.items()}
    for name in result:
        if name.startswith(_SHARES):
            result[name] = _share(replace(result[name], support=(0.0, 1.0)))
    for name, given in (("log_loss_plasticc", "weights"), ("accuracy_rate_weighted", "rates")):
        if per_class[given] is None:
            result[name] = Estimate.undefined(n, f"no {given} of classes were given")
        elif n and result[name].value is None:
            result[name] = Estimate.undefined(n, f"the {given} of all classes with objects are zero")
    lonely = [int(c) for c in present if (sums.counts.column(f"n_{c}") > 0).sum() == 1]
    for name in ("log_loss_flat", "log_loss_plasticc", "accuracy_balanced", "accuracy_rate_weighted"):
        if lonely and result[name].value is not None and result[name].standard_error is None and n > 1:
            reason = f"all objects of class {lonely[0]} are in one cluster: too few for an interval"
            result[name] = replace(result[name], reason=reason)
    result |= _selection_reasons(result, sums)
    result |= calibration_estimates(sums.calibration, seed=seed, n_resamples=n_resamples)
    if ranks:
        result["auc_macro"] = auc_estimates(sums.ranks, seed=seed, n_resamples=n_resamples)[0]
        alone = auc_estimates(sums.novelty, seed=seed, n_resamples=n_resamples)[1]
        for name, estimate in zip(("ood_auroc", "ood_auroc_entropy"), alone, strict=False):
            if estimate.reason.startswith("positive and negative"):
                reason = "objects in and out of distribution are needed"
                estimate = Estimate.undefined(estimate.n_clusters, reason)
            result[name] = estimate
    kinds = [name for name in sums.shifts.names if name.startswith("entropy_")]
    shifts = estimates(
        sums.shifts,
        lambda t: {f"entropy_shift_{k[8:]}": (t[k] - t["entropy"]) / t["n"] for k in kinds},
        seed=seed,
        n_resamples=n_resamples,
    )
    return result | shifts


_ORDER: Mapping[str, Better] = {
    "log_loss": "lower",
    "log_loss_flat": "lower",
    "log_loss_plasticc": "lower",
    "accuracy": "higher",
    "accuracy_balanced": "higher",
    "accuracy_rate_weighted": "higher",
    "auc_macro": "higher",
    "brier": "lower",
    "brier_reliability": "lower",
    "brier_resolution": "higher",
    # Of the data, not of the predictions: lower is what is easier.
    "brier_uncertainty": "lower",
    "ece": "lower",
    "ece_debiased": "lower",
    "ece_classwise": "lower",
    "ece_classwise_debiased": "lower",
    "efficiency": "higher",
    "purity": "higher",
    "figure_of_merit": "higher",
    "accuracy_binary": "higher",
    "ood_auroc": "higher",
    "ood_auroc_entropy": "higher",
}


def classification_scorecard(
    sums: ClassificationSums,
    *,
    track: str,
    tier: str,
    split: str,
    entry: str,
    challenge: str = "transients",
    weights: ArrayLike | None = None,
    rates: ArrayLike | None = None,
    groups: Iterable[tuple[str, tuple[float, float], ClassificationSums]] = (),
    group_ranks: bool = False,
    requirements: Mapping[str, float] = CLASSIFICATION_REQUIREMENTS,
    provenance: Mapping[str, ProvenanceValue] | None = None,
    level: float = DISPLAY_LEVEL,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Scorecard:
    """The scorecard of probabilistic classification.

    Arguments:
        sums: from `classification_sums`.
        track, tier, split, entry, challenge: written on the scorecard.
        weights, rates: see `classification_estimates`.
        groups: (property, (low, high), sums), of `classification_groups`; a phase is (phase, phase).
        group_ranks: whether AUCs are asked of the groups too, which takes most of the time.
        requirements: {metric: limit} of metrics that are here; ``entropy_shift`` is that of each.
        provenance: code version, hashes, seconds.
        level: of the intervals shown; requirements are decided at 95 %.
        seed, n_resamples: of the bootstrap.
    """
    better: dict[str, Better] = dict(_ORDER)
    for name in sums.shifts.names:
        if name.startswith("entropy_"):
            better[f"entropy_shift_{name[8:]}"] = "higher"
    limits = dict(requirements)
    each = limits.pop("entropy_shift", None)
    if each is not None:
        limits |= {name: each for name in better if name.startswith("entropy_shift_")}
    unknown = [name for name in limits if name not in better]
    if unknown:
        raise ValueError(f"no metric is called {', '.join(unknown)}: requirements are on {', '.join(better)}")

    def metrics(part: ClassificationSums, ranks: bool) -> tuple[Metric, ...]:
        found = classification_estimates(
            part, weights=weights, rates=rates, ranks=ranks, seed=seed, n_resamples=n_resamples
        )
        return tuple(
            Metric.of(name, found[name], better=kind, requirement=limits.get(name), level=level)
            for name, kind in better.items()
            if name in found
        )

    return Scorecard(
        challenge=challenge,
        track=track,
        tier=tier,
        split=split,
        entry=entry,
        metrics=metrics(sums, ranks=True),
        groups=tuple(Group(by, ends, metrics(part, ranks=group_ranks)) for by, ends, part in groups),
        provenance=provenance or {},
    )


def early_curves(
    by_phase: Mapping[float, ClassificationSums],
    names: Sequence[str] = ("log_loss", "accuracy", "accuracy_balanced", "efficiency", "purity"),
    *,
    level: float = DISPLAY_LEVEL,
    **options: Any,
) -> dict[str, EarlyCurve]:
    """Metrics against phase, in days from peak or from the first detection.

    Arguments:
        by_phase: {phase: sums of the predictions made at it}, of the same objects and clusters; all
            phases are then resampled alike.
        names: of metrics.
        level: of the intervals.
        options: of `classification_estimates`.
    """
    phases = sorted(by_phase)
    rows = {name: np.full((len(phases), 3), np.nan) for name in names}
    for index, phase in enumerate(phases):
        found = classification_estimates(by_phase[phase], **options)
        for name in names:
            if name not in found:
                raise ValueError(f"no metric is called {name}, only {', '.join(found)}")
            value, bounds = found[name].value, found[name].interval(level)
            rows[name][index, 0] = np.nan if value is None else value
            if bounds is not None:
                rows[name][index, 1:] = bounds.low, bounds.high
    days = np.array(phases, dtype=np.float64)
    return {name: EarlyCurve(days, row[:, 0], row[:, 1], row[:, 2], level) for name, row in rows.items()}


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


def _metrics_of(
    totals: Totals, present: np.ndarray, per_class: Mapping[str, np.ndarray | None], positive: int | None
) -> dict[str, np.ndarray]:
    """Metrics that are functions of `_counts`, for any leading axes."""

    def columns(kind: str) -> np.ndarray:
        return np.stack([totals[f"{kind}_{code}"] for code in present], axis=-1)

    nothing = np.full_like(totals["n_0"], np.nan)
    if not present.size:
        names = [name for name in _ORDER if name.startswith(("log_loss", *_SHARES))]
        return {name: nothing for name in names if positive is not None or name not in _SELECTION}
    n, loss, hit = columns("n"), columns("loss"), columns("hit")
    total = n.sum(axis=-1)
    losses, shares = loss / n, hit / n
    result = {
        "log_loss": loss.sum(axis=-1) / total,
        "log_loss_flat": losses.mean(axis=-1),
        "log_loss_plasticc": nothing,
        "accuracy": hit.sum(axis=-1) / total,
        "accuracy_balanced": shares.mean(axis=-1),
        "accuracy_rate_weighted": nothing,
    }
    for name, what, given in (
        ("log_loss_plasticc", losses, "weights"),
        ("accuracy_rate_weighted", shares, "rates"),
    ):
        weight = per_class[given]
        if weight is not None:
            used = weight[present] > 0
            result[name] = (what[..., used] * weight[present][used]).sum(axis=-1) / weight[present].sum()
    if positive is not None:
        tp, fp, n_positive = totals["tp"], totals["fp"], totals[f"n_{positive}"]
        rest = total - n_positive
        result["efficiency"] = tp / n_positive
        result["purity"] = tp / (tp + fp)
        result["figure_of_merit"] = tp / n_positive * tp / (tp + PENALTY * fp)
        result["accuracy_binary"] = (tp / n_positive + (rest - fp) / rest) / 2
    return result


_SELECTION = ("efficiency", "purity", "figure_of_merit", "accuracy_binary")


def _selection_reasons(found: Mapping[str, Estimate], sums: ClassificationSums) -> dict[str, Estimate]:
    """The metrics of a selection that are undefined, with reasons."""
    n = sums.counts.n_clusters
    if sums.positive is None:
        return {name: Estimate.undefined(n, "no class was named to be selected") for name in _SELECTION}
    if not n:
        return {}
    objects = sums.counts.column(f"n_{sums.positive}").sum()
    result = {}
    for name in _SELECTION:
        if found[name].value is None:
            reason = f"there are no objects of class {sums.positive}"
            if objects and name == "accuracy_binary":
                reason = f"there are no objects but those of class {sums.positive}"
            elif objects or name == "purity":
                reason = "no object was selected"
            result[name] = Estimate.undefined(n, reason)
    return result


def _share(estimate: Estimate) -> Estimate:
    """A share that all clusters agree on by chance is not one without error."""
    if estimate.standard_error != 0:
        return estimate
    reason = "the share is the same in every cluster: there is no scatter to give an interval"
    return Estimate(estimate.value, None, estimate.n_clusters, None, reason)


def _per_class(n_classes: int, **given: ArrayLike | None) -> dict[str, np.ndarray | None]:
    """(class,) numbers that are not negative, checked together."""
    problems, result = [], {}
    for name, array in given.items():
        numbers = None if array is None else np.asarray(array, dtype=np.float64)
        result[name] = numbers
        if numbers is None:
            continue
        if numbers.shape != (n_classes,):
            problems.append(f"{name} have shape {numbers.shape}: give one for each of {n_classes} classes")
        elif not (np.isfinite(numbers) & (numbers >= 0)).all() or not numbers.any():
            problems.append(f"{name} are finite, not negative and not all zero, not {numbers.tolist()}")
    if problems:
        raise ValueError("; ".join(problems))
    return result
