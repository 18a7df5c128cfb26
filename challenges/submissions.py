"""Submissions: what a challenge asks for, and the one validator that everybody uses.

The command line, the harness and the server call the same `validate`, so what passes here
passes there. It reports every problem at once. What a file states about itself (challenge,
track, tier, split, dataset) must be right; what it leaves out is taken from the command,
because the ids, which are opaque and belong to one dataset, tie it to its question.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .problems import Problem, SubmissionError, rows_text
from .submission_files import METADATA, Limits, Table, read_submission, write_submission

__all__ = [
    "METADATA",
    "Check",
    "Column",
    "Limits",
    "Problem",
    "SubmissionError",
    "SubmissionSchema",
    "Table",
    "accept",
    "read_submission",
    "validate",
    "write_submission",
]

NAMES_SHOWN = 8


@dataclass(frozen=True)
class Column:
    """One column that a challenge asks for.

    Attributes:
        name: its name in the file.
        description: what it holds.
        kind: ``"float"`` (integers are taken too) or ``"int"``.
        unit: its unit; empty if it has none.
        low, high: the smallest and largest value allowed.
        open_ends: whether `low` and `high` themselves are outside.
    """

    name: str
    description: str
    kind: str = "float"
    unit: str = ""
    low: float = -np.inf
    high: float = np.inf
    open_ends: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("float", "int"):
            raise ValueError(f"column {self.name}: kind is 'float' or 'int', not {self.kind!r}")

    @property
    def bounds(self) -> str:
        """The range in words, such as ``above -1 and below 1``."""
        words = ("above", "below") if self.open_ends else ("at least", "at most")
        ends = zip(words, (self.low, self.high), strict=True)
        return " and ".join(f"{word} {end:g}" for word, end in ends if np.isfinite(end)) or "any number"

    def inside(self, values: np.ndarray) -> np.ndarray:
        """(n,) whether each value lies in the range."""
        if self.open_ends:
            return (values > self.low) & (values < self.high)
        return (values >= self.low) & (values <= self.high)


@dataclass(frozen=True)
class Check:
    """A condition on several columns of one row, such as a covariance that is positive definite.

    Attributes:
        columns: the columns it needs; rows in which one of them is already wrong are left out.
        what: what is wrong where it does not hold.
        fix: what to do.
        holds: maps (n,) arrays by name to (n,) booleans.
        about: the column that is named; empty for all of them.
    """

    columns: tuple[str, ...]
    what: str
    fix: str
    holds: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    about: str = ""


@dataclass(frozen=True)
class SubmissionSchema:
    """What a challenge asks for: a row per id, and these columns.

    Attributes:
        challenge: its name.
        id: what the int64 column ``id`` holds, such as ``"opaque id of the field"``.
        columns: the columns beside ``id``.
        checks: conditions on several columns.
        samples: how many samples of a posterior a submission may hold besides, at most. Sample k, from 0,
            of a column ``g1`` is the column ``g1_k``; the columns of all samples are there, or none.
        mean_tolerance: how far the mean over samples may be off the column itself, in which they would tell
            of another answer than the one that is scored; infinite where that is no fault.
    """

    challenge: str
    id: str
    columns: tuple[Column, ...]
    checks: tuple[Check, ...] = ()
    samples: int = 0
    mean_tolerance: float = np.inf

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def limits(self, n_ids: int) -> Limits:
        """The largest submission worth reading: 64 bytes a cell, and four times the rows asked for."""
        width = len(self.columns) * (1 + self.samples) + 1
        return Limits((16 << 20) + 256 * n_ids * width, 4 * n_ids + 1000, 4 * width + 100)

    def with_samples(self, given: Iterable[str]) -> SubmissionSchema:
        """The same with the columns of as many samples as the names of columns that are given ask for."""
        of_sample = re.compile(rf"(?:{'|'.join(map(re.escape, self.names))})_(\d{{1,4}})")
        found = [int(match[1]) for name in given if (match := of_sample.fullmatch(name))]
        n = 1 + max((k for k in found if k < self.samples), default=-1)
        columns, checks = list(self.columns), list(self.checks)
        for k in range(n):
            columns += [replace(c, name=f"{c.name}_{k}") for c in self.columns]
            checks += [_of_sample(check, k) for check in self.checks]
        if n and np.isfinite(self.mean_tolerance):
            checks += [_of_mean(column.name, n, self.mean_tolerance) for column in self.columns]
        return replace(self, columns=tuple(columns), checks=tuple(checks), samples=0)


def validate(
    submission: str | Path | Table,
    schema: SubmissionSchema,
    expected_ids: np.ndarray,
    expected: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Everything that is wrong with a submission; an empty list if nothing is.

    Arguments:
        submission: a file, or what `read_submission` made of it.
        schema: what the challenge asks for.
        expected_ids: (n,) every id that must be answered, each once, in any order.
        expected: what the metadata must say where they say anything: track, tier, split,
            dataset ... The challenge is the schema's.
    """
    expected_ids = np.asarray(expected_ids, dtype=np.int64)
    if not isinstance(submission, Table):
        try:
            submission = read_submission(submission, schema.limits(len(expected_ids)))
        except SubmissionError as error:
            return error.problems
    schema = schema.with_samples([*submission.columns, *submission.foreign])
    problems = list(submission.problems)
    problems += _metadata_problems(submission, {"challenge": schema.challenge, **(expected or {})})
    problems += _column_problems(submission, schema)
    ids, of_ids = _id_problems(submission, schema, expected_ids)
    problems += of_ids
    good: dict[str, np.ndarray] = {}
    for column in schema.columns:
        if column.name in submission.columns:
            good[column.name], of_column = _value_problems(submission, column, ids)
            problems += of_column
    for check in schema.checks:
        if all(name in good for name in check.columns):
            problems += _check_problems(submission, check, good, ids)
    return problems


def accept(
    submission: str | Path | Table,
    schema: SubmissionSchema,
    expected_ids: np.ndarray,
    expected: Mapping[str, str] | None = None,
) -> dict[str, np.ndarray]:
    """The columns of a submission in the order of `expected_ids`, if it has no problem.

    Returns:
        (n,) float64 or int64 arrays by name, without ``id``; those of samples too, where there are any.

    Raises:
        SubmissionError: with every problem there is.
    """
    expected_ids = np.asarray(expected_ids, dtype=np.int64)
    if not isinstance(submission, Table):
        submission = read_submission(submission, schema.limits(len(expected_ids)))
    problems = validate(submission, schema, expected_ids, expected)
    if problems:
        raise SubmissionError(problems, submission.source)
    schema = schema.with_samples(submission.columns)
    ids = submission.columns["id"].astype(np.int64)
    order = np.argsort(ids)
    order = order[np.searchsorted(ids, expected_ids, sorter=order)]
    kinds = {"float": np.float64, "int": np.int64}
    return {c.name: submission.columns[c.name].astype(kinds[c.kind])[order] for c in schema.columns}


def _of_sample(check: Check, k: int) -> Check:
    names = check.columns

    def holds(row: Mapping[str, np.ndarray]) -> np.ndarray:
        return check.holds({name: row[f"{name}_{k}"] for name in names})

    return replace(check, columns=tuple(f"{name}_{k}" for name in names), holds=holds)


def _of_mean(name: str, n: int, tolerance: float) -> Check:
    """That the mean over `n` samples of a column is the column."""
    of_samples = tuple(f"{name}_{k}" for k in range(n))
    told = f"{of_samples[0]} to {of_samples[-1]}" if n > 1 else of_samples[0]

    def holds(row: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.abs(sum(row[one] for one in of_samples) / n - row[name]) <= tolerance

    fix = f"give the mean of the samples as {name}; it may be off by {tolerance:g}; or send no samples"
    return Check((name, *of_samples), f"is not the mean of its samples ({told})", fix, holds, about=name)


def _metadata_problems(table: Table, expected: Mapping[str, str]) -> list[Problem]:
    problems = []
    for key, value in expected.items():
        stated = table.metadata.get(key, value)
        if stated != value:
            what = f"the file was made for {key} {stated[:80]!r}, this is {key} {value!r}"
            if key == "dataset":
                fix = "predict on the dataset that is scored here: another version has other pixels"
            else:
                fix = f"send the predictions for {value}, or name {key} {stated[:80]!r} when you send these"
            problems.append(Problem(None, None, what, fix))
    return problems


def _column_problems(table: Table, schema: SubmissionSchema) -> list[Problem]:
    """Columns that are missing, of no use, or not asked for."""
    wanted = ("id", *schema.names)
    there = [*table.columns, *table.foreign]
    missing = [name for name in wanted if name not in there]
    extra = [name for name in there if name not in wanted]
    problems, alone = [], []
    for name in missing:
        near = difflib.get_close_matches(name.lower(), [other.lower() for other in extra], n=1)
        if near:
            guess = next(other for other in extra if other.lower() == near[0])
            extra.remove(guess)
            problems.append(Problem(None, name, "is missing", f"is {guess!r} meant? rename it to {name!r}"))
        else:
            alone.append(name)
    if alone:
        fix = "; ".join(f"{name}: {_describe(schema, name)}" for name in alone[:NAMES_SHOWN])
        what = f"missing column{'s' if len(alone) > 1 else ''}: {_list(alone)}"
        problems.append(Problem(None, alone[0] if len(alone) == 1 else None, what, f"add {fix}", len(alone)))
    if extra:
        what = f"not asked for: {_list([name or '(no name)' for name in extra])}"
        index = any(
            name.startswith("Unnamed") or name in ("", "index", "__index_level_0__") for name in extra
        )
        fix = f"keep only {_list(list(wanted))}" + (" (pandas: write with index=False)" if index else "")
        problems.append(Problem(None, extra[0] if len(extra) == 1 else None, what, fix, len(extra)))
    for name in wanted:
        if name in table.foreign:
            fix = f"write one column of {_describe(schema, name)}"
            problems.append(Problem(None, name, f"holds {table.foreign[name]}", fix))
    return problems


def _describe(schema: SubmissionSchema, name: str) -> str:
    if name == "id":
        return f"int64, {schema.id}"
    column = next(column for column in schema.columns if column.name == name)
    unit = f" in {column.unit}" if column.unit else ""
    return f"{column.kind}, {column.description}{unit}, {column.bounds}"


def _list(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(name[:80] for name in names[:NAMES_SHOWN]) + more


def _id_problems(
    table: Table, schema: SubmissionSchema, expected_ids: np.ndarray
) -> tuple[np.ndarray | None, list[Problem]]:
    """The ids of the rows, if they can be told, and what is wrong with them."""
    if "id" not in table.columns:
        return None, []
    raw, fix = table.columns["id"], f"write the ids as whole numbers of type int64 ({schema.id})"
    if raw.dtype.kind not in "iu":
        problem = Problem(None, "id", f"holds {_held(raw)}, in which ids are not exact", fix)
        if raw.dtype.kind == "O":
            bad = np.flatnonzero([not _is_number(cell, int) for cell in raw])
            if len(bad):
                problem = _at(table, bad, None, "id", "no whole number in {}", fix)
        return None, [problem]
    problems = []
    given = np.ones(len(raw), dtype=bool)
    empty = table.empty.get("id")
    if empty is not None and empty.any():
        given &= ~empty
        problems.append(_at(table, np.flatnonzero(empty), None, "id", "empty in {}", "give every row its id"))
    too_large = raw > np.iinfo(np.int64).max if raw.dtype.kind == "u" else np.zeros(len(raw), dtype=bool)
    ids = raw.astype(np.int64)  # those too large wrap, and are unknown whatever they wrap to
    unknown = given & (too_large | ~np.isin(ids, expected_ids))
    if unknown.any():
        fix = "send only the ids of this dataset, tier and split"
        if unknown.all():
            fix = "no id is known: are these predictions for another dataset, tier, split or version?"
        problems.append(_at(table, np.flatnonzero(unknown), raw, "id", "unknown in {}", fix))
    known = np.flatnonzero(given & ~unknown)
    first = np.unique(ids[known], return_index=True)[1]
    again = np.delete(known, first)
    if len(again):
        fix = "give every id once: the first row of each is not counted here"
        problems.append(_at(table, again, ids, "id", "seen before in {}", fix))
    missing = np.setdiff1d(expected_ids, ids[known])
    if len(missing):
        shown = ", ".join(str(i) for i in missing[:NAMES_SHOWN]) + (
            " ..." if len(missing) > NAMES_SHOWN else ""
        )
        what = f"{len(missing):,} of {len(expected_ids):,} ids have no row: {shown}"
        problems.append(Problem(None, "id", what, "answer every id, however uncertain it is",
                                len(missing)))  # fmt: skip
    return ids, problems


def _at(
    table: Table, rows: np.ndarray, ids: np.ndarray | None, column: str | None, what: str, fix: str
) -> Problem:
    """A problem of some rows, counted from 0; `what` has a place for them."""
    text = rows_text(rows, ids, table.rows)
    first = int(rows[0] if table.rows is None else table.rows[rows[0]])
    return Problem(first + 1, column, what.format(text), fix, len(rows))


def _is_number(cell: str, kind: type[int] | type[float]) -> bool:
    try:
        kind(cell)
    except (TypeError, ValueError):
        return False
    return "_" not in str(cell)  # Python takes 1_000, no file format does


def _held(values: np.ndarray) -> str:
    """What a column holds that should hold other numbers."""
    words = {"f": "decimal numbers", "b": "true and false", "O": "text", "U": "text", "S": "text"}
    return words.get(values.dtype.kind, f"values of type {values.dtype}")


def _value_problems(table: Table, column: Column, ids: np.ndarray | None) -> tuple[np.ndarray, list[Problem]]:
    """Where the values of a column are as asked, and what is wrong elsewhere."""
    values, name = table.columns[column.name], column.name
    good = np.ones(len(values), dtype=bool)
    problems: list[Problem] = []
    wanted = "a whole number" if column.kind == "int" else "a number"

    def report(bad: np.ndarray, what: str, fix: str) -> None:
        bad = bad & good
        if bad.any():
            problems.append(_at(table, np.flatnonzero(bad), ids, name, what, fix))
            good[bad] = False

    report(table.empty.get(name, ~good), "empty in {}", f"give every row {wanted}")
    if values.dtype.kind == "O":
        bad = np.array([not _is_number(cell, int if column.kind == "int" else float) for cell in values])
        report(bad, f"not {wanted} in {{}}", f"write {wanted}, {column.bounds}")
        if not problems:
            problems.append(Problem(None, name, f"holds text, not {wanted}s", f"write {wanted} in each row"))
        return np.zeros(len(values), dtype=bool), problems
    if values.dtype.kind not in ("iu" if column.kind == "int" else "iuf"):
        problems.append(Problem(None, name, f"holds {_held(values)}", f"write {wanted} in each row"))
        return np.zeros(len(values), dtype=bool), problems
    finite = f"give a finite number, {column.bounds}, however uncertain it is"
    report(np.isnan(values), "NaN in {}", finite)
    report(np.isinf(values), "infinite in {}", finite)
    where = f"write a value {column.bounds}{f' {column.unit}' if column.unit else ''}"
    report(
        ~column.inside(values) | (column.kind == "int" and values > np.iinfo(np.int64).max),
        "out of bounds in {}",
        where,
    )
    return good, problems


def _check_problems(
    table: Table, check: Check, good: Mapping[str, np.ndarray], ids: np.ndarray | None
) -> list[Problem]:
    rows = np.flatnonzero(np.logical_and.reduce([good[name] for name in check.columns]))
    if not len(rows):
        return []
    values = {name: table.columns[name][rows].astype(np.float64) for name in check.columns}
    with np.errstate(all="ignore"):  # a value that overflows fails its check, which is report enough
        bad = rows[~check.holds(values)]
    name = check.about or ", ".join(check.columns)
    return [_at(table, bad, ids, name, check.what + " in {}", check.fix)] if len(bad) else []
