"""What a score looks like: metrics with intervals, requirements, and whether they are met.

A scorecard is written as JSON (the record), Markdown (a report) and aligned text (a terminal).
Numbers are finite or null; a null always comes with a reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .bootstrap import Better, Estimate, Interval, distance

__all__ = ["DECISION_LEVEL", "DISPLAY_LEVEL", "Group", "Metric", "Requirement", "Scorecard"]

DECISION_LEVEL = 0.95
"""Level of the interval that decides whether a requirement is met, whichever level is shown."""

DISPLAY_LEVEL = 0.68
"""Level of the interval that is shown where nothing else is asked for."""

ProvenanceValue = str | int | float | bool | None


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

    def to_table(self) -> str:
        """Aligned text for a terminal."""
        lines = [_title(self), ""]
        lines += _aligned([_cells(metric) for metric in self.metrics])
        for group in self.groups:
            lines += ["", _group_title(group)]
            lines += _aligned([_cells(metric) for metric in group.metrics])
        lines += ["", *_notes(self)]
        return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"

    def to_markdown(self) -> str:
        """A report with one table for all and one per group."""
        lines = [f"## {_escaped(_title(self))}", "", *_markdown_table(self.metrics)]
        for group in self.groups:
            lines += ["", f"### {_escaped(_group_title(group))}", "", *_markdown_table(group.metrics)]
        lines += ["", *(_escaped(note) for note in _notes(self))]
        if self.provenance:
            lines += ["", *(f"- {_escaped(f'{key}: {value}')}" for key, value in self.provenance.items())]
        return "\n".join(lines).rstrip() + "\n"


_CARD_TEXT = ("challenge", "track", "tier", "split", "entry")
_METRIC_KEYS = ("name", "value", "low", "high", "level", "unit", "better", "requirement", "met")


def _check_better(better: Better) -> None:
    if isinstance(better, str):
        if better not in ("lower", "higher", "zero"):
            raise ValueError(f'better is "lower", "higher", "zero" or a number, not {better!r}')
    elif isinstance(better, bool) or not math.isfinite(better):
        raise ValueError(f"the best value of a metric is finite, not {better}")


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


def _format(number: float, half_width: float | None, signed: bool) -> str:
    """A number to two digits of its uncertainty; to three significant digits without one."""
    sign = "+" if signed else ""
    if not half_width:
        return f"{number:{sign}.3g}"
    decimals = max(0, 1 - math.floor(math.log10(half_width)))
    if decimals <= 7 and abs(number) < 1e6:
        return f"{number:{sign}.{decimals}f}"
    return f"{number:{sign}.2e}"


def _cells(metric: Metric) -> tuple[str, ...]:
    """name, value, interval, requirement, verdict, and the reason if there is one."""
    interval, half = "", None
    signed = metric.better == "zero"
    if metric.low is not None and metric.high is not None:
        half = metric.high / 2 - metric.low / 2
        interval = f"[{_format(metric.low, half, signed)}, {_format(metric.high, half, signed)}]"
    value = "-" if metric.value is None else _format(metric.value, half, signed)
    if metric.unit:
        value += f" {metric.unit}"
    requirement = ""
    if metric.requirement is not None:
        requirement = Requirement(metric.better, metric.requirement).describe(metric.name)
    return metric.name, value, interval, requirement, metric.verdict, metric.reason


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return ["no metrics"]
    # The last column, the reason, may be long: nothing stands behind it to be aligned.
    widths = [max(len(row[index]) for row in rows) for index in range(5)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True) if width]
        lines.append("  ".join([*cells, row[5]]).rstrip())
    return lines


def _markdown_table(metrics: tuple[Metric, ...]) -> list[str]:
    lines = ["| metric | value | interval | requirement | verdict | note |", "|---|---|---|---|---|---|"]
    for metric in metrics:
        lines.append("| " + " | ".join(_escaped(cell) for cell in _cells(metric)) + " |")
    return lines


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    for character in "\\`*_<>|[]#":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _title(card: Scorecard) -> str:
    return f"{card.challenge} ({card.track}, {card.tier}, {card.split}): {card.entry}"


def _group_title(group: Group) -> str:
    return f"{group.by} from {group.range[0]:g} to {group.range[1]:g}"


def _notes(card: Scorecard) -> list[str]:
    metrics = [*card.metrics, *(metric for group in card.groups for metric in group.metrics)]
    levels = sorted({metric.level for metric in metrics if metric.low is not None})
    notes = []
    if levels:
        notes.append("Intervals: " + ", ".join(f"{100 * level:g} %" for level in levels) + ".")
    if any(metric.requirement is not None for metric in metrics):
        notes.append(f"Requirements are decided by the {100 * DECISION_LEVEL:g} % interval.")
    return [" ".join(notes)] if notes else []
