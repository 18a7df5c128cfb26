"""A scorecard: the metrics of one entry, overall and by groups, and where they come from.

It is written as JSON (the record), Markdown (a report) and aligned text (a terminal). Numbers in the
record are finite or null; a null always comes with a reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import tables
from .metrics import Group, Metric

__all__ = ["ProvenanceValue", "Scorecard"]

ProvenanceValue = str | int | float | bool | None


@dataclass(frozen=True)
class Scorecard:
    """How well one entry did.

    Attributes:
        challenge, track, tier, split: what was scored.
        entry: name of the method or submission.
        metrics: in the order of their importance.
        groups: the same by ranges of some property.
        provenance: code version, hashes, seconds: text and finite numbers.
    """

    challenge: str
    track: str
    tier: str
    split: str
    entry: str
    metrics: tuple[Metric, ...]
    groups: tuple[Group, ...] = ()
    provenance: Mapping[str, ProvenanceValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(self.metrics))
        object.__setattr__(self, "groups", tuple(self.groups))
        object.__setattr__(self, "provenance", dict(self.provenance))
        for key, value in self.provenance.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"provenance {key!r} is {value}: give a finite number, or None")
        for where, metrics in [("the scorecard", self.metrics)] + [(g.by, g.metrics) for g in self.groups]:
            names = [metric.name for metric in metrics]
            if len(set(names)) != len(names):
                raise ValueError(f"metrics of {where} need a name each: {', '.join(names)}")

    def __getitem__(self, name: str) -> Metric:
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(f"no metric {name!r}; there are {', '.join(m.name for m in self.metrics)}")

    def to_json(self, indent: int | None = None) -> str:
        """Strict JSON: no NaN, no infinity; null with a reason."""
        record = {key: getattr(self, key) for key in _CARD_TEXT}
        record["metrics"] = [_metric_record(metric) for metric in self.metrics]
        record["groups"] = [
            {"by": g.by, "range": list(g.range), "metrics": [_metric_record(metric) for metric in g.metrics]}
            for g in self.groups
        ]
        record["provenance"] = dict(self.provenance)
        return json.dumps(record, indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Scorecard:
        """Read what `to_json` wrote.

        Raises:
            ValueError: for anything else, NaN and numbers beyond float64 among it; it says where.
        """
        try:
            record = json.loads(
                text, parse_constant=_no_constant, parse_float=_finite_float, object_pairs_hook=_unique_keys
            )
        except RecursionError as error:
            raise ValueError("a scorecard is not nested that deeply") from error
        _keys(record, "the scorecard", (*_CARD_TEXT, "metrics", "groups", "provenance"))
        texts = {key: _typed(record[key], str, f"{key} of the scorecard") for key in _CARD_TEXT}
        groups = []
        for index, group in enumerate(_typed(record["groups"], list, "groups")):
            where = f"groups[{index}]"
            _keys(group, where, ("by", "range", "metrics"))
            ends = [_number(end, f"{where}.range") for end in _typed(group["range"], list, f"{where}.range")]
            if len(ends) != 2 or None in ends:
                raise ValueError(f"{where}.range needs two numbers")
            metrics = _metrics(group["metrics"], f"{where}.metrics")
            groups.append(Group(_typed(group["by"], str, f"{where}.by"), (ends[0], ends[1]), metrics))  # pyright: ignore[reportArgumentType]
        provenance = _typed(record["provenance"], dict, "provenance")
        for key, value in provenance.items():
            _typed(value, (str, int, float, bool, type(None)), f"provenance.{key}")
        return cls(
            **texts,
            metrics=_metrics(record["metrics"], "metrics"),
            groups=tuple(groups),
            provenance=provenance,
        )

    @property
    def title(self) -> str:
        """What was scored, and whose entry it is: one line."""
        return f"{self.challenge} ({self.track}, {self.tier}, {self.split}): {self.entry}"

    def to_table(self) -> str:
        """Aligned text for a terminal."""
        return tables.aligned(self.title, self.metrics, self.groups)

    def to_markdown(self) -> str:
        """A report with one table for all and one per group."""
        return tables.markdown(self.title, self.metrics, self.groups, self.provenance)


_CARD_TEXT = ("challenge", "track", "tier", "split", "entry")
_METRIC_KEYS = ("name", "value", "low", "high", "level", "unit", "better", "requirement", "met")


def _metric_record(metric: Metric) -> dict[str, Any]:
    record = {key: getattr(metric, key) for key in _METRIC_KEYS}
    return record | {"reason": metric.reason} if metric.reason else record


def _metrics(records: Any, where: str) -> tuple[Metric, ...]:
    return tuple(
        _metric(record, f"{where}[{index}]") for index, record in enumerate(_typed(records, list, where))
    )


def _metric(record: Any, where: str) -> Metric:
    _keys(record, where, _METRIC_KEYS, optional=("reason",))
    numbers = {
        key: _number(record[key], f"{where}.{key}")
        for key in ("value", "low", "high", "level", "requirement")
    }
    better = record["better"]
    if not isinstance(better, str):
        better = _number(better, f"{where}.better")
    if numbers["level"] is None or better is None:
        raise ValueError(f"{where} needs a level, and what is better")
    met = _typed(record["met"], (bool, type(None)), f"{where}.met")
    texts = {key: _typed(record.get(key, ""), str, f"{where}.{key}") for key in ("name", "unit", "reason")}
    try:
        return Metric(**numbers, **texts, better=better, met=met)  # pyright: ignore[reportArgumentType]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _keys(record: Any, where: str, keys: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    _typed(record, dict, where)
    missing = [key for key in keys if key not in record]
    unknown = [key for key in record if key not in keys + optional]
    problems = [f"lacks {', '.join(missing)}"] if missing else []
    problems += [f"has unknown {', '.join(map(repr, unknown))}"] if unknown else []
    if problems:
        raise ValueError(f"{where} {' and '.join(problems)}")


def _typed(value: Any, kind: type | tuple[type, ...], where: str) -> Any:
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join("null" if k is type(None) else k.__name__ for k in kinds)
        raise ValueError(f"{where} is {type(value).__name__}, and should be {names}")
    return value


def _number(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where} is {value!r}, and should be a number or null")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{where} is too large a number") from error


def _no_constant(token: str) -> float:
    raise ValueError(f"a scorecard holds finite numbers, not {token}: write null and a reason")


def _finite_float(token: str) -> float:
    number = float(token)
    if not math.isfinite(number):
        raise ValueError(f"the number {token} is too large for a scorecard")
    return number


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return record
