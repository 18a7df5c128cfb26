"""Gradient-boosted trees as plain arrays: grown by scikit-learn, kept and read without it.

A model that is read from a file needs no scikit-learn and no pickle, whatever version made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoostedTrees", "grow_trees"]


@dataclass(frozen=True)
class BoostedTrees:
    """Trees whose leaves add up to one number for each class.

    Attributes:
        roots: (tree,) int64 number of the node that each begins with.
        tree_class: (tree,) int64 which class each adds to.
        feature: (node,) int64 that is looked at; of no use in a leaf.
        threshold: (node,) float64; not above it leads left.
        missing_left: (node,) bool where NaN leads.
        left, right: (node,) int64 numbers of nodes; a leaf leads to itself.
        value: (node,) float64 what a leaf adds.
        start: (class,) float64 what is there before any tree; -inf for a class that never came.
    """

    roots: NDArray[np.int64]
    tree_class: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    start: NDArray[np.float64]

    def logits(self, features: NDArray) -> NDArray[np.float64]:
        """(n, class) of features (n, feature)."""
        n = len(features)
        total = np.tile(self.start, (n, 1))
        rows = np.arange(n)[:, None]
        # Some trees at a time: what is held is (n, tree).
        for begin in range(0, len(self.roots), 64):
            chosen = slice(begin, begin + 64)
            node = np.tile(self.roots[chosen], (n, 1))
            while True:
                x = features[rows, self.feature[node]]
                go_left = np.where(np.isnan(x), self.missing_left[node], x <= self.threshold[node])
                then = np.where(go_left, self.left[node], self.right[node])
                if np.array_equal(then, node):
                    break
                node = then
            for code in np.unique(self.tree_class[chosen]):
                total[:, code] += self.value[node[:, self.tree_class[chosen] == code]].sum(axis=1)
        return total

    def arrays(self) -> dict[str, NDArray]:
        """All of it by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray]) -> Self:
        """From what `arrays` gave; other names are left alone."""
        return cls(**{one.name: arrays[one.name] for one in fields(cls)})


def grow_trees(
    features: NDArray,
    classes: NDArray[np.int64],
    n_classes: int,
    *,
    weights: NDArray[np.float64] | None = None,
    rounds: int = 60,
    learning_rate: float = 0.1,
    leaves: int = 15,
    bins: int = 64,
    feature_share: float = 0.5,
    seed: int = 0,
) -> BoostedTrees:
    """Trees that tell classes from features, by scikit-learn's gradient boosting on histograms.

    Arguments:
        features: (n, feature), NaN where one is missing.
        classes: (n,) codes, two or more different ones.
        weights: (n,) of objects.
        rounds: trees for each class.
        leaves: of a tree, at most.
        bins, feature_share: in how many steps a feature is seen, and what share of them at each split. With
            hundreds of features most of the time goes into these; our choice.

    Raises:
        ImportError: without scikit-learn, telling how to install it.
        RuntimeError: if this version of it keeps trees in another way than those known.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise ImportError(
            "to grow trees needs scikit-learn, which to use them does not: pip install 'skysynergy[features]'"
        ) from error
    # What no object has, tells nothing; scikit-learn refuses it.
    features = np.where(np.isnan(features).all(axis=0), np.float32(0.0), features)
    model = HistGradientBoostingClassifier(
        max_iter=rounds, learning_rate=learning_rate, max_leaf_nodes=leaves, l2_regularization=1.0,
        max_bins=bins, max_features=feature_share, early_stopping=False, random_state=seed,  # pyright: ignore[reportArgumentType]
    ).fit(features, classes, sample_weight=weights)  # fmt: skip
    made = _as_arrays(model, n_classes)
    # scikit-learn offers no public way to its trees: make sure that these are what it uses itself.
    few = features[:256]
    logits = made.logits(few)[:, model.classes_]
    expected = model.decision_function(few)
    found = logits[:, 1] - logits[:, 0] if expected.ndim == 1 else logits
    if not np.allclose(found, expected, rtol=1e-6, atol=1e-6):
        raise RuntimeError("this version of scikit-learn keeps its trees in a way not known here: use 1.9")
    return made


def _as_arrays(model, n_classes: int) -> BoostedTrees:
    present: Sequence[int] = model.classes_
    start = np.full(n_classes, -np.inf)
    base = np.ravel(model._baseline_prediction)
    # Of two classes scikit-learn has trees for the second only.
    start[present] = base if len(present) > 2 else (0.0, base[0])
    roots, tree_class, parts, offset = [], [], [], 0
    for trees in model._predictors:
        for k, tree in enumerate(trees):
            nodes = tree.nodes
            own = offset + np.arange(len(nodes))
            leaf = nodes["is_leaf"].astype(bool)
            roots.append(offset)
            tree_class.append(present[k] if len(present) > 2 else present[1])
            parts.append(
                (
                    np.where(leaf, 0, nodes["feature_idx"]),
                    nodes["num_threshold"],
                    nodes["missing_go_to_left"].astype(bool),
                    np.where(leaf, own, offset + nodes["left"].astype(np.int64)),
                    np.where(leaf, own, offset + nodes["right"].astype(np.int64)),
                    nodes["value"],
                )
            )
            offset += len(nodes)
    feature, threshold, missing, left, right, value = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    return BoostedTrees(
        np.array(roots, np.int64), np.array(tree_class, np.int64), feature.astype(np.int64),
        threshold.astype(np.float64), missing, left, right, value.astype(np.float64), start,
    )  # fmt: skip
