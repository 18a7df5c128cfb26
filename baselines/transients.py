"""The baselines of the transients challenge: classifiers of light curves that answer what it asks for.

Each wraps a classifier, which can be used on its own with any light curves and classes. On the track
``pixels`` light curves are measured first, by forced photometry in individual exposures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..challenges.light_curves import LightCurves
from ..challenges.sky_alerts import AlertedField
from ..challenges.transient_submission import columns_of
from ..simulators.transient_classes import CLASSES
from .baseline import Baseline
from .features_classifier import FeaturesClassifier
from .forced_photometry import forced_photometry
from .majority import MajorityClassifier
from .recurrent import Architecture
from .recurrent_classifier import Doubt, RecurrentClassifier
from .recurrent_training import Training

__all__ = [
    "Causal",
    "Classifier",
    "Dropout",
    "Ensemble",
    "Features",
    "Majority",
    "TransientBaseline",
    "Variational",
]


class Classifier(Protocol):
    """What tells classes of light curves apart, once it has learned to."""

    def fit(self, curves: LightCurves, classes: ArrayLike, n_classes: int) -> Self:
        """One that has learned from light curves and codes of their classes (n,)."""
        ...

    def predict(self, curves: LightCurves) -> NDArray[np.float64]:
        """(object, class) probabilities."""
        ...

    def samples(self, curves: LightCurves, n: int) -> NDArray[np.float64]:
        """(sample, object, class) probabilities, draws of a posterior."""
        ...

    def save(self, path: Path) -> None:
        """Write settings and what was learned to a file."""
        ...

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        ...


@dataclass(frozen=True)
class TransientBaseline(Baseline):
    """A classifier as a baseline: subclasses say which.

    Attributes:
        classifier: it, with settings, and what it learned.
        n_samples: of its posterior, in a submission; zero for none.
    """

    classifier: Any = None
    n_samples: int = 20
    learns: ClassVar[bool] = True

    def fit(self, examples: Iterable[tuple[LightCurves | AlertedField, Mapping[str, ArrayLike]]]) -> Self:
        """Learn from light curves, given or to be measured, and ``kind``, the codes of their classes.

        Raises:
            ValueError: if there are no light curves.
        """
        parts = [(_curves(given), truth) for given, truth in examples]
        if not sum(len(curves) for curves, _ in parts):
            raise ValueError("there are no light curves to learn from")
        curves = LightCurves.joined([part for part, _ in parts])
        kinds = np.concatenate([np.asarray(truth["kind"]) for _, truth in parts])
        return replace(self, classifier=self.classifier.fit(curves, kinds, len(CLASSES)))

    def predict(self, given: LightCurves | AlertedField) -> dict[str, NDArray[np.float64]]:
        """The columns of a submission: (n,) probabilities of classes, and of samples."""
        curves = _curves(given)
        if not self.n_samples:
            return columns_of(self.classifier.predict(curves))
        samples = self.classifier.samples(curves, self.n_samples)
        return columns_of(samples.mean(axis=0), samples)

    def save(self, path: Path) -> None:
        """Write the classifier to a file, atomically."""
        self.classifier.save(Path(path))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: if the file holds something else.
        """
        empty = cls()
        return replace(empty, classifier=type(empty.classifier).load(Path(path)))


def _curves(given: LightCurves | AlertedField) -> LightCurves:
    """Light curves as the dataset ``transients`` would have them."""
    if isinstance(given, LightCurves):
        return given
    return forced_photometry(given.field, given.alerts).about_detections()


@dataclass(frozen=True)
class Majority(TransientBaseline):
    """The control ``majority``: how frequent each class is, whatever the light curve."""

    name: str = "majority"
    classifier: MajorityClassifier = field(default_factory=MajorityClassifier)
    n_samples: int = 0


@dataclass(frozen=True)
class Features(TransientBaseline):
    """The baseline ``features``: boosted trees on hand-made features."""

    name: str = "features"
    classifier: FeaturesClassifier = field(default_factory=FeaturesClassifier)
    n_samples: int = 3


def _recurrent(kind: Any, *, causal: bool = False, hidden: int = 64, passes: int) -> RecurrentClassifier:
    """A network that learns from 100,000 transients in less than an hour of one core (docs/results)."""
    return RecurrentClassifier(
        architecture=Architecture(causal=causal, hidden=hidden, head=hidden),
        doubt=Doubt(kind),
        # What follows a stream has to know beginnings as well as ends.
        training=Training(passes=passes, whole=0.5 if causal else 0.75),
    )


@dataclass(frozen=True)
class Dropout(TransientBaseline):
    """The baseline ``dropout``: a bidirectional recurrent network with Monte Carlo dropout."""

    name: str = "dropout"
    classifier: RecurrentClassifier = field(
        default_factory=lambda: _recurrent("dropout", hidden=96, passes=2_000_000)
    )


@dataclass(frozen=True)
class Variational(TransientBaseline):
    """The baseline ``variational``: the same network, by Bayes by Backprop."""

    name: str = "variational"
    classifier: RecurrentClassifier = field(
        default_factory=lambda: _recurrent("variational", passes=1_500_000)
    )


@dataclass(frozen=True)
class Ensemble(TransientBaseline):
    """The baseline ``ensemble``: five of these networks, each with weights of its own."""

    name: str = "ensemble"
    classifier: RecurrentClassifier = field(default_factory=lambda: _recurrent("ensemble", passes=700_000))


@dataclass(frozen=True)
class Causal(TransientBaseline):
    """The baseline ``causal``: an ensemble that reads forwards only, and can follow an alert stream."""

    name: str = "causal"
    classifier: RecurrentClassifier = field(
        default_factory=lambda: _recurrent("ensemble", causal=True, passes=700_000)
    )
