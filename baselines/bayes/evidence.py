"""How much is known where an object lies, and what follows for its probabilities.

A network tells classes apart, and is as sure of what it never saw. Two scores say how strange an object is
among those that it learned from: how surprised the network was by what it had to foretell, and how thin the
features of known objects lie where those of this object are. Of each score the share of known objects that
are as strange is taken, the two are joined as Fisher has it (the sum of their logarithms), and of that again
the share q of known objects that are as strange: an object of a class that was learned has an even q, so q
is small for few of them, whatever the scores are like.

The evidence for an object is the number of objects that a prediction is worth, full · min(1, 2q).
Probabilities are drawn from a Dirichlet distribution about those of the network, with the evidence as its
weight, on top of a prior that is worth one object:

    p_s ~ Dirichlet(1 / n_classes + evidence · p_network,s)

Where nothing is known this is the prior: the mean is even, and single draws choose a class at random, so that
entropy and mutual information are as large as can be. (Evidence in proportion to the density of features:
Charpentier et al. 2020, arXiv:2006.09239; a normal density of each class, after training: Mukhoti et al.
2021, arXiv:2102.11582. Shares of known objects instead of densities are our choice: they keep what is known
calibrated.) Nothing here is taught what broken or foreign objects look like: only known ones go in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

__all__ = ["FULL", "ClassDensity", "Evidence", "Tail", "dirichlet"]

FULL = 300.0
"""Objects that a prediction is worth at most. Objects of known classes move towards even probabilities by
ln(1 + 300) / 600 + 1 / 600, one hundredth, on average. Our choice: more keeps them better, less tells
foreign objects better."""

_FLOOR = 1e-2  # share of the mean variance that is added to each direction
_LENT = 5  # objects for each feature, that the scatter within all classes counts as


@dataclass(frozen=True)
class Tail:
    """The share of known objects with a score at least as large.

    Attributes:
        scores: increasing, of known objects at equal steps of the share, down to one tenth.
        scale: of the exponential that goes on from there.
    """

    scores: NDArray[np.float64]
    scale: float

    @classmethod
    def of(cls, scores: NDArray) -> Self:
        """From scores (n,) of known objects that were not learned from."""
        grid = np.quantile(np.asarray(scores, np.float64), np.linspace(0, 0.9, 181))
        beyond = scores[scores > grid[-1]] - grid[-1]
        scale = float(beyond.mean()) if beyond.size else 1.0
        return cls(grid, max(scale, 1e-9))

    def log_share(self, scores: NDArray) -> NDArray[np.float64]:
        """(n,) ln of the share, zero at most."""
        body = np.log1p(-np.interp(scores, self.scores, np.linspace(0, 0.9, len(self.scores))))
        return body - np.maximum(scores - self.scores[-1], 0) / self.scale


@dataclass(frozen=True)
class ClassDensity:
    """A normal density of features for each class.

    Attributes:
        mean: (component, feature).
        whiten: (component, feature, feature): whitened = (x - mean) @ whiten.
        log_weight: (component,) ln of weight and of the determinant of `whiten`.
    """

    mean: NDArray[np.float64]
    whiten: NDArray[np.float64]
    log_weight: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray, classes: NDArray[np.int64]) -> Self:
        """From features (n, feature) of objects that were learned from, and their classes (n,)."""
        x = np.asarray(features, np.float64)
        present, number = np.unique(classes, return_counts=True)
        # Classes of few objects lend from the scatter within all classes.
        within = np.concatenate([x[classes == c] - x[classes == c].mean(0) for c in present])
        shared = within.T @ within / len(within)
        shared += (_FLOOR * np.trace(shared) / len(shared) + 1e-12) * np.eye(len(shared))
        mean, whiten, log_weight = [], [], []
        for c, n in zip(present, number, strict=True):
            own = x[classes == c]
            spread = own - own.mean(0)
            lent = _LENT * x.shape[1]
            covariance = (spread.T @ spread + lent * shared) / (n + lent)
            inverse = np.linalg.inv(np.linalg.cholesky(covariance)).T
            mean.append(own.mean(0))
            whiten.append(inverse)
            log_weight.append(np.log(n / len(x)) + np.log(np.diag(inverse)).sum())
        return cls(np.array(mean), np.array(whiten), np.array(log_weight))

    def log_density(self, features: NDArray) -> NDArray[np.float64]:
        """(n,) ln of the density, up to a constant."""
        x = np.asarray(features, np.float64)
        each = [
            w - 0.5 * np.square((x - m) @ a).sum(axis=1)
            for m, a, w in zip(self.mean, self.whiten, self.log_weight, strict=True)
        ]
        return np.asarray(logsumexp(each, axis=0))


@dataclass(frozen=True)
class Evidence:
    """What is known, by strangeness.

    Attributes:
        density: of the features.
        surprise, thinness, joined: shares of known objects that are as strange, by each score and by both.
        full: objects that a prediction is worth at most.
    """

    density: ClassDensity
    surprise: Tail
    thinness: Tail
    joined: Tail
    full: float = FULL

    @classmethod
    def of(
        cls,
        features: NDArray,
        classes: NDArray[np.int64],
        apart: NDArray,
        apart_surprise: NDArray,
        *,
        full: float = FULL,
    ) -> Self:
        """From objects of known classes.

        Arguments:
            features: (n, feature) of objects that were learned from.
            classes: (n,) codes.
            apart: (k, feature) of objects that were not: those learned from lie closer together.
            apart_surprise: (k,) how surprised the network was by these.
            full: see the attributes.
        """
        density = ClassDensity.of(features, classes)
        surprise, thinness = Tail.of(apart_surprise), Tail.of(-density.log_density(apart))
        made = cls(density, surprise, thinness, surprise)
        return cls(density, surprise, thinness, Tail.of(made._strangeness(apart, apart_surprise)), full)

    def log_share(self, features: NDArray, surprise: NDArray) -> NDArray[np.float64]:
        """(n,) ln of the share q of known objects that are as strange; at most zero."""
        return self.joined.log_share(self._strangeness(features, surprise))

    def evidence(self, features: NDArray, surprise: NDArray) -> NDArray[np.float64]:
        """(n,) objects that a prediction is worth, up to `full`."""
        return self.full * np.minimum(1, 2 * np.exp(self.log_share(features, surprise)))

    def draw(
        self, probabilities: NDArray, evidence: NDArray, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """(n, class) one draw about the probabilities (n, class) of one draw of a network."""
        p = np.asarray(probabilities, np.float64)
        return dirichlet(evidence[:, None] * p + 1 / p.shape[1], rng)

    def mean_of(self, probabilities: NDArray, evidence: NDArray) -> NDArray[np.float64]:
        """(n, class) the mean of `draw`."""
        p = np.asarray(probabilities, np.float64)
        return (evidence[:, None] * p + 1 / p.shape[1]) / (evidence[:, None] + 1)

    def _strangeness(self, features: NDArray, surprise: NDArray) -> NDArray[np.float64]:
        thinness = -self.density.log_density(features)
        return -self.surprise.log_share(surprise) - self.thinness.log_share(thinness)

    def arrays(self) -> dict[str, NDArray]:
        """All of it by name."""
        tails = {"surprise": self.surprise, "thinness": self.thinness, "joined": self.joined}
        found = {f"density.{name}": value for name, value in vars(self.density).items()}
        for key, tail in tails.items():
            found |= {f"{key}.scores": tail.scores, f"{key}.scale": np.array(tail.scale)}
        return found | {"full": np.array(self.full)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray]) -> Self:
        """From what `arrays` gave."""
        density = ClassDensity(*(arrays[f"density.{name}"] for name in ("mean", "whiten", "log_weight")))
        tails = (
            Tail(arrays[f"{key}.scores"], float(arrays[f"{key}.scale"]))
            for key in ("surprise", "thinness", "joined")
        )
        return cls(density, *tails, full=float(arrays["full"]))


def dirichlet(worth: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, class) draws of Dirichlet distributions, safe for parameters far below one.

    A gamma draw of shape a is one of shape a + 1 times u^(1/a), which is taken in logarithms: it may be
    smaller than any float.
    """
    log_gamma = np.log(rng.standard_gamma(worth + 1)) + np.log(rng.random(worth.shape)) / worth
    log_gamma -= np.asarray(logsumexp(log_gamma, axis=1, keepdims=True))
    return np.exp(log_gamma)
