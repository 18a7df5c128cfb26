"""What is wrong with a submission, said to the person who made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Problem", "SubmissionError", "rows_text"]

ROWS_NAMED = 5
PROBLEMS_SHOWN = 40


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, however many rows share it.

    Attributes:
        row: the first row it is about, counted from 1 below the header; None if it is about no row.
        column: the column it is about; None if it is about the file.
        what: what is wrong, with the first few rows and their number.
        fix: what to do about it.
        count: how many rows, or columns, have it.
    """

    row: int | None
    column: str | None
    what: str
    fix: str
    count: int = 1

    def __str__(self) -> str:
        place = f"column {self.column}: " if self.column is not None else ""
        return f"{place}{self.what}\n     -> {self.fix}"


class SubmissionError(ValueError):
    """A submission that cannot be scored, or light curves that cannot be used, with every problem they have.

    Attributes:
        problems: all of them.
        source: the file or the name of the submission.
        outcome: what becomes of it.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        source: str = "the submission",
        outcome: str = "nothing of it is scored",
    ) -> None:
        super().__init__(problems, source, outcome)
        self.problems = list(problems)
        self.source = source
        self.outcome = outcome

    def __str__(self) -> str:
        n = len(self.problems)
        lines = [f"{self.source} has {n} problem{'' if n == 1 else 's'}; {self.outcome}."]
        lines += [f"{i:3d}. {problem}" for i, problem in enumerate(self.problems[:PROBLEMS_SHOWN], 1)]
        if n > PROBLEMS_SHOWN:
            lines.append(f"     and {n - PROBLEMS_SHOWN} more")
        return "\n".join(lines)


def rows_text(
    rows: np.ndarray, ids: np.ndarray | Mapping[int, Any] | None = None, numbers: np.ndarray | None = None
) -> str:
    """The first few of some rows, for people: counted from 1, with their ids where known.

    Arguments:
        rows: (n,) positions counted from 0, n >= 1.
        ids: (all rows,) the id of every row, or of the first few at least.
        numbers: (all rows,) the number of every row, from 0, if it is not its position.

    Examples:
        >>> rows_text(np.array([2, 8]), np.arange(100, 110))
        '2 rows: 3 (id 102), 9 (id 108)'
    """
    named = []
    for row in rows[:ROWS_NAMED]:
        number = int(row if numbers is None else numbers[row])
        named.append(f"{number + 1}" + (f" (id {ids[int(row)]})" if ids is not None else ""))
    more = f" and {len(rows) - ROWS_NAMED:,} more" if len(rows) > ROWS_NAMED else ""
    return ("row " if len(rows) == 1 else f"{len(rows):,} rows: ") + ", ".join(named) + more
