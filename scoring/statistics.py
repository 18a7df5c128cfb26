"""Numbers per object that are added up by cluster and merged across workers.

A *cluster* is what is resampled by the bootstrap: a field, or a matched ±g pair of fields.
Objects of one cluster may depend on each other, clusters do not. Whatever is scored is a
function of sums over objects, so a score streams, merges, and is bootstrapped from the sums
alone: nothing downstream sees the objects again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Sums"]


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of named columns over the objects of each cluster.

    Adding in another order changes the last bits of a sum, so merging is associative and
    commutative to round-off; it is exact where no cluster is in two of the parts.

    Attributes:
        cluster: (cluster,) int64, unique and sorted.
        names: names of the columns.
        values: (cluster, name) float64, finite. Read-only, as `cluster` is.

    Examples:
        >>> a = Sums.of([7, 7, 3], n=[1, 1, 1], flux=[1.0, 2.0, 4.0])
        >>> a.cluster.tolist(), a.values.tolist()
        ([3, 7], [[1.0, 4.0], [2.0, 3.0]])
        >>> a.merge(Sums.of([3], n=[1], flux=[0.5])).total()
        {'n': 4.0, 'flux': 7.5}
    """

    cluster: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray

    def __post_init__(self) -> None:
        cluster = np.array(_integers(self.cluster, "cluster"))
        values = np.array(self.values, dtype=np.float64)
        names = tuple(self.names)
        if len(set(names)) != len(names):
            raise ValueError(f"every column of sums needs a name of its own: {', '.join(names)}")
        if values.shape != (cluster.size, len(names)):
            raise ValueError(
                f"sums of {cluster.size} clusters and {len(names)} columns have values of shape "
                f"{(cluster.size, len(names))}, not {values.shape}"
            )
        if (np.diff(cluster) <= 0).any():
            raise ValueError("the clusters of sums are unique and sorted; use Sums.of to add up by cluster")
        bad = np.argwhere(~np.isfinite(values))
        if bad.size:
            row, column = bad[0]
            raise ValueError(
                f"the sum {names[column]!r} of cluster {cluster[row]} is {values[row, column]}, "
                f"one of {len(bad)} that are not finite"
            )
        cluster.setflags(write=False)
        values.setflags(write=False)
        object.__setattr__(self, "cluster", cluster)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "values", values)

    @classmethod
    def of(cls, cluster: ArrayLike, /, **columns: ArrayLike) -> Sums:
        """Add up one number per object, by cluster.

        Arguments:
            cluster: (object,) integers: which cluster each object is in. May be empty.
            columns: (object,) finite numbers each, or one number for all objects.

        Raises:
            ValueError: for a cluster that is not an integer, a column of another length, or a
                number that is not finite; it says in which column and object.
        """
        labels = _integers(cluster, "cluster")
        unique, inverse = np.unique(labels, return_inverse=True)
        values = np.empty((unique.size, len(columns)))
        for index, (name, column) in enumerate(columns.items()):
            numbers = np.asarray(column, dtype=np.float64)
            if numbers.ndim == 0:
                numbers = np.broadcast_to(numbers, labels.shape)
            if numbers.shape != labels.shape:
                raise ValueError(
                    f"column {name!r} has shape {numbers.shape}, but there are {labels.size} objects: "
                    "give one number per object"
                )
            bad = np.flatnonzero(~np.isfinite(numbers))
            if bad.size:
                raise ValueError(
                    f"column {name!r} is {numbers[bad[0]]} for object {bad[0]} (cluster {labels[bad[0]]}), "
                    f"one of {bad.size} that are not finite: leave such objects out, or replace the number"
                )
            values[:, index] = np.bincount(inverse, weights=numbers, minlength=unique.size)
        return cls(unique, tuple(columns), values)

    @property
    def n_clusters(self) -> int:
        return self.cluster.size

    def column(self, name: str) -> np.ndarray:
        """(cluster,) the sums of one column."""
        return self.values[:, self._index(name)]

    def select(self, names: Iterable[str]) -> Sums:
        """The same clusters with only these columns, in this order."""
        names = tuple(names)
        return Sums(self.cluster, names, self.values[:, [self._index(name) for name in names]])

    def merge(self, *others: Sums) -> Sums:
        """Add the sums of other workers, of the same or of other clusters.

        Raises:
            ValueError: if the columns are not the same ones.
        """
        for other in others:
            if set(other.names) != set(self.names):
                differing = ", ".join(sorted(set(other.names) ^ set(self.names)))
                raise ValueError(f"sums of different columns cannot be merged; only one side has {differing}")
        parts = [self, *(other.select(self.names) for other in others)]
        labels = np.concatenate([part.cluster for part in parts])
        stacked = np.concatenate([part.values for part in parts])
        unique, inverse = np.unique(labels, return_inverse=True)
        values = np.zeros((unique.size, len(self.names)))
        np.add.at(values, inverse, stacked)
        return Sums(unique, self.names, values)

    def total(self) -> dict[str, float]:
        """Every column added over all clusters."""
        return dict(zip(self.names, self.values.sum(axis=0).tolist(), strict=True))

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise KeyError(f"no column {name!r} among the sums {', '.join(self.names)}")
        return self.names.index(name)


def _integers(cluster: ArrayLike, what: str) -> np.ndarray:
    labels = np.asarray(cluster)
    if labels.size == 0:
        labels = labels.astype(np.int64)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{what} ids are one integer per row, not an array of {labels.dtype} of shape {labels.shape}"
        )
    if labels.dtype == np.uint64 and labels.size and labels.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{what} ids must fit in int64")
    return labels.astype(np.int64)
