"""How good predicted probabilities of classes are: metrics with intervals, from sums by cluster.

`classification_sums` keeps of each batch of objects what can be added; the functions here see only
these sums.

**What is exact.** All values are those of the objects themselves. Every resample is exactly the statistic of
the clusters drawn, but for AUCs, whose resamples see scores in fine bins (`auc`). Objects are drawn in random
clusters instead of one by one, which leaves the scatter as it is, and makes the standard error
uncertain by 1 / sqrt(2 (clusters - 1)); bootstrap-t allows for it.

A class without objects is left out of averages over classes. Objects of a class that is not predicted
(`probabilities.OUT_OF_DISTRIBUTION`) count in ``ood_auroc`` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .auc import auc_estimates
from .bootstrap import Estimate, estimates
from .calibration import calibration_estimates
from .classification_sums import ClassificationSums
from .metrics import DISPLAY_LEVEL, Group, Metric
from .ranking import Better
from .scorecard import ProvenanceValue, Scorecard

__all__ = [
    "CLASSIFICATION_REQUIREMENTS",
    "PENALTY",
    "EarlyCurve",
    "classification_estimates",
    "classification_scorecard",
    "early_curves",
]

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


def classification_estimates(
    sums: ClassificationSums,
    *,
    weights: ArrayLike | None = None,
    rates: ArrayLike | None = None,
    classes: Sequence[str] | None = None,
    ranks: bool = True,
    seed: int = 0,
    n_resamples: int = 2000,
) -> dict[str, Estimate]:
    """Estimates of all metrics; what needs something that was not given is undefined, with the reason.

    Arguments:
        sums: from `classification_sums`.
        weights: (class,) of the PLAsTiCC loss, such as 2 for rare classes and 1 for the others.
        rates: (class,) relative numbers of objects in nature, for the accuracy there.
        classes: (class,) what they are called where something is said of one; their codes by default.
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
        ValueError: naming everything that is wrong with weights and rates, or with the number of names.
    """
    per_class = _per_class(sums.n_classes, weights=weights, rates=rates)
    names = [str(code) for code in range(sums.n_classes)] if classes is None else [*classes]
    if len(names) != sums.n_classes:
        raise ValueError(f"there are {sums.n_classes} classes, but {len(names)} names of them")
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
            reason = f"all objects of class {names[lonely[0]]} are in one cluster: too few for an interval"
            result[name] = replace(result[name], reason=reason)
    result |= _selection_reasons(result, sums, names)
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
    result |= shifts
    if not n:
        outside = sums.novelty.cluster.size
        reason = "all objects are of classes that are not predicted" if outside else "there are no objects"
        for name, estimate in result.items():
            if not (outside and name.startswith("ood_")):
                result[name] = replace(estimate, reason=reason)
    return result


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
    classes: Sequence[str] | None = None,
    groups: Iterable[tuple[str, tuple[float, float], ClassificationSums]] = (),
    group_ranks: bool = False,
    group_metrics: Sequence[str] | None = None,
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
        weights, rates, classes: see `classification_estimates`.
        groups: (property, (low, high), sums), of `classification_groups`; a phase is (phase, phase).
        group_ranks: whether AUCs are asked of the groups too, which takes most of the time.
        group_metrics: names of those that are told of groups; None for all.
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

    def metrics(
        part: ClassificationSums, ranks: bool, asked: Sequence[str] | None = None
    ) -> tuple[Metric, ...]:
        found = classification_estimates(
            part,
            weights=weights,
            rates=rates,
            classes=classes,
            ranks=ranks,
            seed=seed,
            n_resamples=n_resamples,
        )
        return tuple(
            Metric.of(name, found[name], better=kind, requirement=limits.get(name), level=level)
            for name, kind in better.items()
            if name in found and (asked is None or name in asked)
        )

    return Scorecard(
        challenge=challenge,
        track=track,
        tier=tier,
        split=split,
        entry=entry,
        metrics=metrics(sums, ranks=True),
        groups=tuple(Group(by, ends, metrics(part, group_ranks, group_metrics)) for by, ends, part in groups),
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


def _selection_reasons(
    found: Mapping[str, Estimate], sums: ClassificationSums, names: Sequence[str]
) -> dict[str, Estimate]:
    """The metrics of a selection that are undefined, with reasons."""
    n = sums.counts.n_clusters
    if sums.positive is None:
        return {name: Estimate.undefined(n, "no class was named to be selected") for name in _SELECTION}
    if not n:
        return {}
    objects = sums.counts.column(f"n_{sums.positive}").sum()
    positive = names[sums.positive]
    result = {}
    for name in _SELECTION:
        if found[name].value is None:
            reason = f"there are no objects of class {positive}"
            if objects and name == "accuracy_binary":
                reason = f"there are no objects but those of class {positive}"
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
