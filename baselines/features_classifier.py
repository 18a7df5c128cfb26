"""The classifier ``features``: gradient-boosted trees on what a person would measure of a light curve.

Its posterior is a Bayesian bootstrap (Rubin 1981, Ann. Statist. 9, 130): each member is grown with weights of
the objects drawn anew, exponentially distributed, and a sample is a member. A temperature chosen on objects
kept apart makes it as sure as it is right.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

from ..challenges.light_curves import LightCurves
from .boosted_trees import BoostedTrees, grow_trees
from .learned import load_learned, save_learned
from .light_curve_features import feature_names, light_curve_features
from .majority import class_frequencies
from .temperature import best_temperature

__all__ = ["FeaturesClassifier"]


@dataclass(frozen=True)
class FeaturesClassifier:
    """Boosted trees on hand-made features.

    Attributes:
        members: of the Bayesian bootstrap.
        rounds, learning_rate, leaves: see `grow_trees`.
        validation: share of the objects that the temperature is chosen on.
        seed: of all that is random.
        trees, temperature, frequencies: what was learned.
        n_learned: objects that the trees were grown on.
    """

    name: str = "features"
    members: int = 3
    rounds: int = 60
    learning_rate: float = 0.1
    leaves: int = 15
    validation: float = 0.1
    seed: int = 0
    trees: tuple[BoostedTrees, ...] = field(default=(), repr=False)
    temperature: float = 1.0
    frequencies: tuple[float, ...] = ()
    n_learned: int = 0

    def fit(self, curves: LightCurves, classes: ArrayLike, n_classes: int) -> Self:
        """Learn from light curves and their classes (n,).

        Raises:
            ValueError: if classes do not fit, or all are the same.
            ImportError: without scikit-learn.
        """
        codes = np.asarray(classes)
        frequencies = class_frequencies(codes, n_classes)
        if codes.shape != (len(curves),):
            raise ValueError(f"{len(curves)} light curves need as many classes, not {codes.shape}")
        features = light_curve_features(curves)
        rng = np.random.default_rng([self.seed, 5])
        order = rng.permutation(len(codes))
        apart, learn = np.split(order, [max(round(self.validation * len(codes)), 1)])
        if np.unique(codes[learn]).size < 2:
            raise ValueError("trees learn to tell classes apart, but all objects are of one: add others")
        trees = tuple(
            grow_trees(
                features[learn], codes[learn].astype(np.int64), n_classes,
                weights=rng.exponential(size=len(learn)), rounds=self.rounds,
                learning_rate=self.learning_rate, leaves=self.leaves, seed=self.seed + number,
            )
            for number in range(self.members)
        )  # fmt: skip
        fitted = replace(
            self, trees=trees, frequencies=tuple(frequencies.tolist()), n_learned=len(learn), temperature=1.0
        )
        log_p = np.log(fitted._members(features[apart]))
        return replace(fitted, temperature=best_temperature(log_p, codes[apart].astype(np.int64)))

    def predict(self, curves: LightCurves) -> NDArray[np.float64]:
        """(object, class) probabilities.

        Raises:
            ValueError: before `fit`.
        """
        return self.samples(curves, max(self.members, 1)).mean(axis=0)

    def samples(self, curves: LightCurves, n: int) -> NDArray[np.float64]:
        """(sample, object, class): members in turn; more than there are come again.

        Raises:
            ValueError: before `fit`.
        """
        if not self.trees:
            raise ValueError("features has learned nothing yet: fit it first")
        every = self._members(light_curve_features(curves))
        return every[np.arange(n) % len(every)]

    def _members(self, features: NDArray) -> NDArray[np.float64]:
        """(member, object, class): of each, mixed with the frequencies, which are worth one object."""
        logits = np.stack([trees.logits(features) for trees in self.trees]) / self.temperature
        p = np.exp(log_softmax(logits, axis=-1))
        return (self.n_learned * p + np.array(self.frequencies)) / (self.n_learned + 1)

    def save(self, path: Path) -> None:
        """Write settings and trees to one file, atomically and without pickle."""
        arrays = {f"{k}/{name}": a for k, one in enumerate(self.trees) for name, a in one.arrays().items()}
        names = (
            "members", "rounds", "learning_rate", "leaves", "validation", "seed", "temperature",
            "frequencies", "n_learned",
        )  # fmt: skip
        settings = {name: getattr(self, name) for name in names}
        settings |= {"n_trees": len(self.trees), "features": feature_names()}
        save_learned(path, type(self).__name__, settings, arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: if the file holds something else, or what an other version measured.
        """
        settings, arrays = load_learned(path, cls.__name__)
        n = settings.pop("n_trees")
        if tuple(settings.pop("features")) != feature_names():
            raise ValueError(
                f"{path} has learned from other features than this version measures: fit it again"
            )
        settings["frequencies"] = tuple(settings["frequencies"])
        trees = [
            BoostedTrees.of(
                {key.partition("/")[2]: a for key, a in arrays.items() if key.startswith(f"{k}/")}
            )
            for k in range(n)
        ]
        return cls(**settings, trees=tuple(trees))
