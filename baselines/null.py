"""The control of the shear challenge: it always answers zero, so its m is exactly −1."""

from __future__ import annotations

from dataclasses import dataclass

from ..challenges.method import Field
from .baseline import Baseline

__all__ = ["NullShear"]


@dataclass(frozen=True)
class NullShear(Baseline):
    """The shear method ``null``: no shear, with the scatter of cosmic shear as its error.

    Attributes:
        scatter: standard deviation claimed for each component; 0.02 is our choice,
            of the order of the shear of a galaxy by large-scale structure.
    """

    name: str = "null"
    scatter: float = 0.02

    def predict(self, field: Field) -> dict[str, float]:
        """Zero shear for any field."""
        del field
        variance = self.scatter**2
        return {"g1": 0.0, "g2": 0.0, "cov11": variance, "cov22": variance, "cov12": 0.0}
