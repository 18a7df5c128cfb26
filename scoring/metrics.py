"""Metrics with intervals, requirements, and whether they are met.

Numbers are finite or None; a None always comes with a reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .bootstrap import Estimate, Interval
from .ranking import Better, distance

__all__ = ["DECISION_LEVEL", "DISPLAY_LEVEL", "Group", "Metric", "Requirement"]

DECISION_LEVEL = 0.95
"""Level of the interval that decides whether a requirement is met, whichever level is shown."""

DISPLAY_LEVEL = 0.68
"""Level of the interval that is shown where nothing else is asked for."""


@dataclass(frozen=True)
class Requirement:
    """A limit that a metric must keep.

    Attributes:
        better: ``"lower"`` (x < limit), ``"higher"`` (x > limit), ``"zero"`` (|x| < limit), or the
            number that is best (|x - best| < limit).
        limit: finite; positive for ``"zero"`` and for a number.
    """

    better: Better
    limit: float

    def __post_init__(self) -> None:
        _check_better(self.better)
        if not math.isfinite(self.limit):
            raise ValueError(f"the limit of a requirement is finite, not {self.limit}")
        if self.better not in ("lower", "higher") and self.limit <= 0:
            raise ValueError(f"a limit on a distance is positive, not {self.limit}")

    def met(self, interval: Interval | None) -> bool | None:
        """True if all of the interval keeps the limit, False if none of it does, else None.

        An end that lies on the limit does not keep it, and does not settle that it is broken.
        """
        if interval is None:
            return None
        low, high = interval.low, interval.high
        if self.better in ("lower", "higher"):
            sign = 1.0 if self.better == "lower" else -1.0
            least, most = sorted((sign * low, sign * high))
            limit = sign * self.limit
        else:
            ends = sorted(float(distance(end, self.better)) for end in (low, high))
            target = 0.0 if self.better == "zero" else float(self.better)
            least, most = (0.0 if low <= target <= high else ends[0]), ends[1]
            limit = self.limit
        if most < limit:
            return True
        return False if least > limit else None

    def describe(self, name: str) -> str:
        """The requirement in symbols, such as ``|m1| < 0.002``."""
        if self.better == "lower":
            return f"{name} < {self.limit:g}"
        if self.better == "higher":
            return f"{name} > {self.limit:g}"
        if self.better == "zero":
            return f"|{name}| < {self.limit:g}"
        return f"|{name} - {self.better:g}| < {self.limit:g}"


@dataclass(frozen=True)
class Metric:
    """One number of a scorecard.

    Attributes:
        name: the field's own name, such as ``"m1"``.
        value: finite, or None with a reason.
        low, high: the interval at `level`; both None, with a reason, where there is none.
        level: of the interval shown. `met` is decided at `DECISION_LEVEL`, whatever this is.
        unit: as text; empty for none.
        better: see `Requirement`.
        requirement: the limit of the requirement, None where there is none.
        met: True, False, or None: undecided, or nothing is required.
        reason: why a number is null; empty where none is.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    level: float = DISPLAY_LEVEL
    unit: str = ""
    better: Better = "zero"
    requirement: float | None = None
    met: bool | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        _check_better(self.better)
        for key in ("value", "low", "high", "requirement"):
            number = getattr(self, key)
            if number is not None:
                if not math.isfinite(number):
                    raise ValueError(
                        f"{key} of metric {self.name!r} is {number}: a scorecard holds finite numbers, or "
                        "None with a reason"
                    )
                # Adding zero turns -0.0 into 0.0.
                object.__setattr__(self, key, float(number) + 0.0)
        if not 0 < self.level < 1:
            raise ValueError(f"level of metric {self.name!r} lies between 0 and 1, not at {self.level}")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"the interval of metric {self.name!r} has one end only")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the interval of metric {self.name!r} runs from {self.low} down to {self.high}")
        if (self.value is None or self.low is None) and not self.reason:
            raise ValueError(f"metric {self.name!r} has no value or no interval: it needs a reason")
        if self.value is None and self.low is not None:
            raise ValueError(f"metric {self.name!r} has an interval without a value")
        if self.met is not None and self.requirement is None:
            raise ValueError(f"metric {self.name!r} has nothing to meet: it has no requirement")
        if self.requirement is not None:
            Requirement(self.better, self.requirement)

    @classmethod
    def of(
        cls,
        name: str,
        estimate: Estimate,
        *,
        better: Better,
        requirement: float | None = None,
        level: float = DISPLAY_LEVEL,
        unit: str = "",
    ) -> Metric:
        """A metric from an estimate: shown at `level`, decided at `DECISION_LEVEL`."""
        shown = estimate.interval(level)
        met = None
        if requirement is not None:
            met = Requirement(better, requirement).met(estimate.interval(DECISION_LEVEL))
        return cls(
            name,
            estimate.value,
            shown.low if shown else None,
            shown.high if shown else None,
            level,
            unit,
            better,
            requirement,
            met,
            estimate.reason,
        )

    @property
    def verdict(self) -> str:
        """``met``, ``not met``, ``undecided``, or nothing where nothing is required."""
        if self.requirement is None:
            return ""
        return {True: "met", False: "not met", None: "undecided"}[self.met]


@dataclass(frozen=True)
class Group:
    """The metrics of the objects in one range of a property.

    Attributes:
        by: the property, such as ``"blendedness"``.
        range: its lower and upper end, finite.
        metrics: as in the scorecard.
    """

    by: str
    range: tuple[float, float]
    metrics: tuple[Metric, ...]

    def __post_init__(self) -> None:
        low, high = (float(end) for end in self.range)
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"the range of {self.by!r} runs between two finite numbers, not {self.range}")
        object.__setattr__(self, "range", (low, high))
        object.__setattr__(self, "metrics", tuple(self.metrics))


def _check_better(better: Better) -> None:
    if isinstance(better, str):
        if better not in ("lower", "higher", "zero"):
            raise ValueError(f'better is "lower", "higher", "zero" or a number, not {better!r}')
    elif isinstance(better, bool) or not math.isfinite(better):
        raise ValueError(f"the best value of a metric is finite, not {better}")
