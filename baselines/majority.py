"""How often each class comes: what a classifier says that does not look."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..challenges.files import write_whole
from ..challenges.light_curves import LightCurves

__all__ = ["MajorityClassifier", "class_frequencies"]


def class_frequencies(classes: ArrayLike, n_classes: int) -> NDArray[np.float64]:
    """(class,) the share of each among codes (n,), with one object more than was seen in each.

    No class is impossible because it did not turn up (the rule of succession).

    Raises:
        ValueError: if a code is not one of the classes, or there are fewer than two of these.

    Examples:
        >>> class_frequencies([0, 0, 1], 2).tolist()
        [0.6, 0.4]
    """
    codes = np.asarray(classes)
    if n_classes < 2:
        raise ValueError(f"to classify needs two classes or more, not {n_classes}")
    if codes.ndim != 1 or (codes.size and not np.issubdtype(codes.dtype, np.integer)):
        raise ValueError(f"classes are one integer per object, not {codes.dtype} of shape {codes.shape}")
    if codes.size and (codes.min() < 0 or codes.max() >= n_classes):
        raise ValueError(
            f"classes to learn have codes from 0 to {n_classes - 1}, but there are {codes.min()} to "
            f"{codes.max()}: leave out what is not to be predicted"
        )
    counts = np.bincount(codes.astype(np.int64), minlength=n_classes) + 1.0
    return counts / counts.sum()


@dataclass(frozen=True)
class MajorityClassifier:
    """The classifier ``majority``.

    Attributes:
        frequencies: (class,) what it says of every object; empty before `fit`.
    """

    name: str = "majority"
    frequencies: tuple[float, ...] = ()

    def fit(self, curves: LightCurves, classes: ArrayLike, n_classes: int) -> Self:
        """Count the classes (n,) of light curves.

        Raises:
            ValueError: if there is not one code for each.
        """
        if np.shape(classes) != (len(curves),):
            raise ValueError(f"{len(curves)} light curves need as many classes, not {np.shape(classes)}")
        return replace(self, frequencies=tuple(class_frequencies(classes, n_classes).tolist()))

    def predict(self, curves: LightCurves) -> NDArray[np.float64]:
        """(object, class) probabilities.

        Raises:
            ValueError: before `fit`.
        """
        if not self.frequencies:
            raise ValueError("majority has seen no classes yet: fit it first")
        return np.tile(self.frequencies, (len(curves), 1))

    def samples(self, curves: LightCurves, n: int) -> NDArray[np.float64]:
        """(sample, object, class): `n` times the same, as it has no doubts."""
        return np.tile(self.predict(curves), (n, 1, 1))

    def save(self, path: Path) -> None:
        """Write a JSON file, atomically."""
        record = {"class": type(self).__name__, "frequencies": self.frequencies}
        write_whole(Path(path), json.dumps(record).encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: if the file holds something else.
        """
        try:
            record = json.loads(Path(path).read_text())
            if record["class"] != cls.__name__:
                raise KeyError("class")
            return cls(frequencies=tuple(float(share) for share in record["frequencies"]))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} holds no saved {cls.__name__}: save it again") from error
