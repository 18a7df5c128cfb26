"""Which entry is better, and whether the data can tell: paired differences and tied ranks.

Entries are scored on the same clusters and resampled alike, so what they share cancels; two whose
difference may be zero are tied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .bootstrap import Estimate, Statistic, Totals, estimate, evaluate
from .statistics import Sums

__all__ = ["Better", "Rank", "distance", "paired_difference", "tied_ranks"]

Better = Literal["lower", "higher", "zero"] | float
"""Which values of a statistic are better, or the number that is best."""


@dataclass(frozen=True)
class Rank:
    """Where an entry stands, given what the data can tell apart.

    Attributes:
        value: its statistic; None where it is undefined.
        best: 1 + the number of entries that are better beyond the interval.
        worst: the number of entries minus those that are worse beyond the interval.
    """

    value: float | None
    best: int
    worst: int


def distance(value: np.ndarray | float, better: Better) -> np.ndarray:
    """What is lower for the better entry: the value, its negative, or its distance to a target.

    Arguments:
        value: any shape.
        better: ``"lower"``, ``"higher"``, ``"zero"``, or the number that is best.
    """
    if better == "lower":
        return np.asarray(value)
    if better == "higher":
        return -np.asarray(value)
    if better == "zero":
        return np.abs(value)
    if isinstance(better, str):
        raise ValueError(f'better is "lower", "higher", "zero" or a number, not {better!r}')
    return np.abs(np.asarray(value) - better)


def paired_difference(
    first: Sums,
    second: Sums,
    function: Statistic,
    *,
    seed: int | np.random.Generator = 0,
    n_resamples: int = 2000,
) -> Estimate:
    """Estimate function(first) - function(second) for two entries scored on the same clusters.

    Both are resampled alike, so what is common to a cluster (its seeing, its galaxies) cancels.

    Raises:
        ValueError: if the two were not scored on the same clusters, or not with the same columns.
    """
    if not np.array_equal(first.cluster, second.cluster):
        only = np.setxor1d(first.cluster, second.cluster)
        raise ValueError(
            f"a paired difference needs both entries on the same clusters; {only.size} are in one "
            f"entry only, such as {only[0]}"
        )
    second = second.select(first.names) if set(first.names) == set(second.names) else second
    if first.names != second.names:
        raise ValueError("a paired difference needs the same columns in the sums of both entries")
    n_names = len(first.names)
    both = Sums(
        first.cluster,
        tuple(f"first {name}" for name in first.names) + tuple(f"second {name}" for name in first.names),
        np.concatenate([first.values, second.values], axis=1),
    )

    def difference(totals: Totals) -> np.ndarray:
        columns = list(totals.values())
        a = dict(zip(first.names, columns[:n_names], strict=True))
        b = dict(zip(first.names, columns[n_names:], strict=True))
        return np.asarray(function(a)) - np.asarray(function(b))

    return estimate(both, difference, seed=seed, n_resamples=n_resamples)


def tied_ranks(
    entries: Mapping[str, Sums],
    function: Statistic,
    *,
    better: Better,
    seed: int = 0,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> dict[str, Rank]:
    """Rank entries; those whose paired difference has an interval that holds zero are tied.

    Each pair is compared at `level` by itself, without a correction for the number of pairs. An
    entry whose statistic is undefined comes after all those that have one.

    Arguments:
        entries: sums of each entry, all on the same clusters.
        function: the statistic, as in `estimate`.
        better: which values are better, see `distance`.

    Returns:
        {entry: Rank}, in the order given.
    """

    def loss(totals: Totals) -> np.ndarray:
        return distance(function(totals), better)

    values = {
        name: float(evaluate(lambda totals: {"": function(totals)}, s.names, s.values.sum(axis=0))[""])
        for name, s in entries.items()
    }
    defined = [name for name, value in values.items() if np.isfinite(value) and entries[name].n_clusters]
    ahead = dict.fromkeys(defined, 0)
    behind = dict.fromkeys(defined, 0)
    for index, a in enumerate(defined):
        for b in defined[index + 1 :]:
            difference = paired_difference(entries[a], entries[b], loss, seed=seed, n_resamples=n_resamples)
            bounds = difference.interval(level)
            if bounds is None or bounds.low <= 0 <= bounds.high:
                continue
            winner, loser = (a, b) if bounds.high < 0 else (b, a)
            ahead[loser] += 1
            behind[winner] += 1
    n, n_defined = len(entries), len(defined)
    return {
        name: Rank(values[name], 1 + ahead[name], n_defined - behind[name])
        if name in ahead
        else Rank(None, n_defined + 1, n)
        for name in entries
    }
