"""What the shear challenge asks for: a shear and its covariance, for every field."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .submissions import Check, Column, SubmissionSchema

__all__ = ["SHEAR_SUBMISSION"]

# A standard deviation of 1e-8 is a million times below what any survey hopes for, and one of 10
# says nothing about a shear that is below 1; between them the determinant is safe in float64.
VARIANCE = (1e-16, 1e2)


def _inside_unit_circle(row: Mapping[str, np.ndarray]) -> np.ndarray:
    return row["g1"] ** 2 + row["g2"] ** 2 < 1


def _positive_definite(row: Mapping[str, np.ndarray]) -> np.ndarray:
    return row["cov11"] * row["cov22"] > row["cov12"] ** 2


SHEAR_SUBMISSION = SubmissionSchema(
    challenge="shear",
    id="opaque id of the field",
    columns=(
        Column("g1", "reduced shear, stretching along x", low=-1, high=1, open_ends=True),
        Column("g2", "reduced shear, stretching along x = y", low=-1, high=1, open_ends=True),
        Column("cov11", "variance of g1", low=VARIANCE[0], high=VARIANCE[1]),
        Column("cov22", "variance of g2", low=VARIANCE[0], high=VARIANCE[1]),
        Column("cov12", "covariance of g1 and g2", low=-VARIANCE[1], high=VARIANCE[1]),
    ),
    checks=(
        Check(
            ("g1", "g2"),
            "reduced shear of 1 or more",
            "give a shear with g1² + g2² below 1",
            _inside_unit_circle,
        ),
        Check(
            ("cov11", "cov22", "cov12"),
            "covariance that is not positive definite",
            "give a covariance with cov11 cov22 above cov12²; are the columns mixed up?",
            _positive_definite,
        ),
    ),
)
