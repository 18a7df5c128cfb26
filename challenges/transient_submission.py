"""What the transients challenge asks for: probabilities of classes that add up to one, for every object.

A Bayesian method sends samples of them too: what they disagree about is what it does not know. Their mean is
what it says, so it has to be the probabilities themselves: otherwise one forecast would be scored for what it
knows, and another for knowing what it does not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..scoring.probabilities import SUM_TOLERANCE
from ..simulators.transient_classes import CLASSES
from .submissions import Check, Column, SubmissionSchema

__all__ = [
    "MEAN_TOLERANCE",
    "MOST_SAMPLES",
    "PROBABILITIES",
    "TRANSIENTS_SUBMISSION",
    "columns_of",
    "probabilities_of",
    "samples_of",
]

MOST_SAMPLES = 50
"""Samples of a posterior that a submission may hold: our choice; mutual information has settled by then."""

MEAN_TOLERANCE = SUM_TOLERANCE
"""How far the mean over samples may be off a probability: numbers written with three digits are off by 1e-3
at most, samples and mean together. Our choice."""

PROBABILITIES = tuple(f"p_{name}" for name in CLASSES)
"""The columns, by code of the class."""


def _adds_up(row: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.abs(sum(row[name] for name in PROBABILITIES) - 1.0) <= SUM_TOLERANCE


TRANSIENTS_SUBMISSION = SubmissionSchema(
    challenge="transients",
    id="opaque id of the object",
    columns=tuple(
        Column(column, f"probability of class {name}", low=0, high=1)
        for column, name in zip(PROBABILITIES, CLASSES, strict=True)
    ),
    checks=(
        Check(
            PROBABILITIES,
            "probabilities that do not add up to one",
            f"divide each row by its sum; it may be off by {SUM_TOLERANCE:g}",
            _adds_up,
        ),
    ),
    samples=MOST_SAMPLES,
    mean_tolerance=MEAN_TOLERANCE,
)


def probabilities_of(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """(object, class) of the columns of a submission."""
    return np.stack([columns[name] for name in PROBABILITIES], axis=1)


def columns_of(probabilities: np.ndarray, samples: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The columns of a submission.

    Arguments:
        probabilities: (object, class).
        samples: (sample, object, class), at most `MOST_SAMPLES`; their mean is `probabilities`.
    """
    columns = {name: probabilities[:, code] for code, name in enumerate(PROBABILITIES)}
    for k, sample in enumerate(() if samples is None else samples):
        columns |= {f"{name}_{k}": sample[:, code] for code, name in enumerate(PROBABILITIES)}
    return columns


def samples_of(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """(sample, object, class) of the columns of a submission, or None where it has no samples."""
    n = sum(f"{PROBABILITIES[0]}_{k}" in columns for k in range(MOST_SAMPLES))
    if not n:
        return None
    return np.stack([probabilities_of({p: columns[f"{p}_{k}"] for p in PROBABILITIES}) for k in range(n)])
