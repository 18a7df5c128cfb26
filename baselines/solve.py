"""A baseline on a split: fit where it learns, predict every field, write a submission."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..challenges.challenge import Challenge
from ..challenges.method import Field
from ..challenges.submissions import write_submission
from .baseline import Baseline

__all__ = ["examples", "solve"]


def examples(
    challenge: Challenge, tier: str, track: str | None = None
) -> Iterator[tuple[Field, Mapping[str, float]]]:
    """The fields of the training split with their truth."""
    truth = challenge.truth(tier, "train")["fields"].to_dataset()
    rows = {int(identity): row for row, identity in enumerate(truth["id"].to_numpy())}
    for field in challenge.fields(tier, "train", track):
        row = rows[field.id]
        yield field, {str(name): float(values[row]) for name, values in truth.items() if name != "id"}


def solve(
    challenge: Challenge,
    baseline: Baseline,
    *,
    tier: str = "tiny",
    split: str = "validation",
    track: str | None = None,
    out: Path,
    progress: bool | None = None,
) -> Path:
    """Predict every field of a split, and write what a participant would submit.

    Arguments:
        challenge: whose question is answered.
        baseline: fitted on the training split of the tier first, if it learns.
        tier, split, track: what is answered.
        out: Parquet file to write, atomically.
        progress: whether to draw a progress bar; None for only on a terminal.

    Returns:
        `out`.

    Raises:
        OSError: if `out` cannot be a file, before anything is predicted.
    """
    out = Path(out)
    if out.is_dir():
        raise IsADirectoryError(f"{out} is a folder: name a file in it")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out} cannot be written: make the folder {out.parent} first")
    metadata = challenge.metadata(tier, split, track)
    if baseline.learns:
        baseline = baseline.fit(examples(challenge, tier, track))
    rows: dict[int, Mapping[str, float]] = {}
    disable = None if progress is None else not progress
    given = challenge.fields(tier, split, track)
    for field in tqdm(given, total=len(challenge.ids(tier, split)), desc=baseline.name, disable=disable):
        rows[field.id] = baseline.predict(field)
    ids = np.array(list(rows), dtype=np.int64)
    columns = {name: np.array([row[name] for row in rows.values()]) for name in challenge.schema.names}
    write_submission(out, ids, columns, metadata)
    return out
