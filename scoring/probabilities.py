"""Predicted probabilities of classes: whether they can be scored, and how unsure they are.

The uncertainty of a Bayesian model splits in two (Depeweg et al. 2018, arXiv:1710.07283): with p_s
the probabilities of one sample of its posterior and p their mean, H[p] = MI + mean_s H[p_s]. What the
samples agree on is in the data; the mutual information MI is what they disagree about, so it is
large where the model was not taught. All entropies are in nats.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

__all__ = ["OUT_OF_DISTRIBUTION", "SUM_TOLERANCE", "checked", "clusters_of", "entropy", "mutual_information"]

OUT_OF_DISTRIBUTION = -1
"""The code of a true class that is not among those predicted."""

SUM_TOLERANCE = 1e-3
"""How far the probabilities of an object may add up to other than one: 15 of them written with four
digits are wrong by 15 x 5e-5 at most. They are divided by their sum. Our choice."""

ROUND_OFF = 1e-12
"""Sums that are nearer to one than this are one: some thousand times the round-off of fifteen numbers of
float64, a billionth of `SUM_TOLERANCE`. Our choice."""

LEAST_INFORMATION = 1e-14
"""Least mutual information, nats: entropies up to 2.7 are known to some 1e-15. Our choice."""

N_NAMED = 5
"""How many objects an error names before it only counts them."""


def checked(
    probabilities: ArrayLike | None,
    truth: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    samples: ArrayLike | None = None,
    broken: Mapping[str, ArrayLike] | None = None,
    properties: Mapping[str, ArrayLike] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that add up to one, and true classes; or everything that is wrong with them.

    Arguments:
        probabilities: (object, class) not negative, each row adding up to one within
            `SUM_TOLERANCE`; two classes or more. None for the mean of the samples.
        truth: (object,) integers: codes from 0, or `OUT_OF_DISTRIBUTION`.
        cluster: (object,) integers.
        samples: (sample, object, class) as `probabilities`.
        broken: {kind of broken input: (object, class)} as `probabilities`.
        properties: {name: (object,) numbers}; NaN where an object has none.

    Returns:
        (object, class) float64 with rows that add up to one (as they were given where they do so but for
        round-off), and (object,) int64.

    Raises:
        ValueError: naming every problem at once, and the objects that have it.
    """
    problems: list[str] = []
    codes = np.asarray(truth)
    if codes.size == 0:
        codes = codes.astype(np.int64)
    if codes.ndim != 1 or not np.issubdtype(codes.dtype, np.integer):
        problems.append(
            f"truth holds one integer per object, not {codes.dtype} of shape {codes.shape}: give codes of "
            f"classes from 0, and {OUT_OF_DISTRIBUTION} for a class that is not predicted"
        )
    sampled = None if samples is None else np.asarray(samples)
    if sampled is not None and (sampled.ndim != 3 or 0 in sampled.shape[:1]):
        problems.append(f"samples have shape {sampled.shape}: give (sample, object, class)")
        sampled = None
    if probabilities is not None:
        p = np.asarray(probabilities, dtype=np.float64)
    elif sampled is not None:
        p = sampled.mean(axis=0, dtype=np.float64)
    else:
        problems.append("there are neither probabilities nor samples")
        raise ValueError(_listed(problems))
    n_objects = codes.shape[0] if codes.ndim else 0
    if p.size == 0 and n_objects == 0 and p.ndim != 2:
        problems.append(f"probabilities have shape {p.shape}: give (0, class) for no objects")
    elif p.ndim != 2 or p.shape[0] != n_objects or p.shape[1] < 2:
        problems.append(
            f"probabilities have shape {p.shape}: {n_objects} objects of truth need "
            f"({n_objects}, class), with two classes or more"
        )
    else:
        problems += _wrong_rows(p, "probabilities")
        if codes.ndim == 1:
            outside = (codes >= p.shape[1]) | ((codes < 0) & (codes != OUT_OF_DISTRIBUTION))
            if outside.any():
                problems.append(
                    f"truth is neither a code from 0 to {p.shape[1] - 1} nor {OUT_OF_DISTRIBUTION} for "
                    f"{_named(outside)}: {p.shape[1]} classes are predicted"
                )
    if sampled is not None:
        if sampled.shape[1:] != p.shape:
            problems.append(f"samples have shape {sampled.shape}, but probabilities {p.shape}: these differ")
        for index, sample in enumerate(sampled):
            problems += _wrong_rows(np.asarray(sample, dtype=np.float64), f"sample {index}")
    for kind, array in (broken or {}).items():
        given = np.asarray(array, dtype=np.float64)
        if given.shape != p.shape:
            problems.append(
                f"probabilities on the broken input {kind!r} have shape {given.shape}, not {p.shape}"
            )
        else:
            problems += _wrong_rows(given, f"probabilities on the broken input {kind!r}")
    if cluster is not None:
        labels = np.asarray(cluster)
        integers = np.issubdtype(labels.dtype, np.integer) or labels.size == 0
        if labels.shape != (n_objects,) or not integers:
            problems.append(
                f"cluster is {labels.dtype} of shape {labels.shape}: give one integer for each of "
                f"{n_objects} objects"
            )
    for name, array in (properties or {}).items():
        if np.shape(array) != (n_objects,):
            problems.append(
                f"the property {name!r} has shape {np.shape(array)}: give one number for each of "
                f"{n_objects} objects"
            )
    if problems:
        raise ValueError(_listed(problems))
    total = p.sum(axis=1, keepdims=True)
    # To divide by a sum that is one but for round-off would make a tie between two objects an order.
    total[np.abs(total - 1) <= ROUND_OFF] = 1.0
    return p / total, codes.astype(np.int64)


def entropy(probabilities: ArrayLike) -> np.ndarray:
    """(...) the entropy of (..., class) probabilities: from 0 to ln(number of classes).

    Examples:
        >>> entropy([[1.0, 0.0], [0.5, 0.5]]).round(4).tolist()
        [0.0, 0.6931]
    """
    p = np.asarray(probabilities, dtype=np.float64)
    # Adding zero turns -0.0 into 0.0.
    return -xlogy(p, p).sum(axis=-1) + 0.0


def mutual_information(samples: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The entropy of the mean of samples, and the part of it that the samples disagree about.

    Arguments:
        samples: (sample, object, class) probabilities, each row adding up to one.

    Returns:
        H and MI, (object,) each; H - MI is the mean entropy of the samples. MI is not negative, and zero
        where it is round-off (`LEAST_INFORMATION`): samples that agree leave no order among objects.
    """
    sampled = np.asarray(samples)
    mean = np.zeros(sampled.shape[1:])
    expected = np.zeros(sampled.shape[1])
    # One sample at a time: samples are the largest thing that is ever scored.
    for sample in sampled:
        p = np.asarray(sample, dtype=np.float64)
        p = p / p.sum(axis=-1, keepdims=True)
        mean += p / len(sampled)
        expected += entropy(p) / len(sampled)
    total = entropy(mean)
    difference = total - expected
    return total, np.where(difference > LEAST_INFORMATION, difference, 0.0)


def clusters_of(ids: ArrayLike, n_clusters: int = 512) -> np.ndarray:
    """(object,) int64 which of `n_clusters` random clusters each independent object is in.

    It follows from the id alone (the finaliser of SplitMix64: Steele, Lea & Flood 2014, OOPSLA), so
    every worker and every entry puts an object in the same cluster. A standard error from n clusters is
    itself known to 1 / sqrt(2 (n - 1)): 3 % for 512.

    Arguments:
        ids: (object,) integers, one per object.
        n_clusters: fewer make faster scores, more make standard errors better known.
    """
    labels = np.asarray(ids)
    if labels.ndim != 1 or not (np.issubdtype(labels.dtype, np.integer) or labels.size == 0):
        raise ValueError(f"ids are one integer per object, not {labels.dtype} of shape {labels.shape}")
    if n_clusters < 1:
        raise ValueError(f"objects need a cluster or more to be in, not {n_clusters}")
    bits = labels.astype(np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((bits ^ (bits >> np.uint64(31))) % np.uint64(n_clusters)).astype(np.int64)


def _wrong_rows(p: np.ndarray, what: str) -> list[str]:
    """Problems of (object, class) probabilities."""
    with np.errstate(invalid="ignore", over="ignore"):
        total = p.sum(axis=1)
    problems = []
    # The sum tells rows that are not finite (or so large that they may as well not be).
    missing = ~np.isfinite(total)
    negative = (p < 0).any(axis=1)
    off = ~missing & ~negative & ~(np.abs(total - 1) <= SUM_TOLERANCE)
    for bad, words in (
        (missing, "are not finite for {}: every class needs a number"),
        (negative, "are negative for {}"),
        (off, "do not add up to one for {}, which has a sum of {:g}: divide each row by its sum"),
    ):
        if bad.any():
            problems.append(f"{what} " + words.format(_named(bad), total[np.argmax(bad)]))
    return problems


def _named(bad: ArrayLike) -> str:
    rows = np.flatnonzero(bad)
    names = ", ".join(map(str, rows[:N_NAMED]))
    more = f" and {rows.size - N_NAMED} more" if rows.size > N_NAMED else ""
    return f"object{'s' if rows.size > 1 else ''} {names}{more}"


def _listed(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return f"{len(problems)} problems:\n" + "\n".join(f"- {problem}" for problem in problems)
