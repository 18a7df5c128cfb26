"""A baseline on a split: fit where it learns, predict every id, write a submission."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..challenges.challenge import Challenge
from ..challenges.datasets import require
from ..challenges.submissions import write_submission
from .baseline import Baseline

__all__ = ["solve"]


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
    """Predict every id of a split, and write what a participant would submit.

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
        DatasetError: naming all splits that are needed and not here.
    """
    out = Path(out)
    if out.is_dir():
        raise IsADirectoryError(f"{out} is a folder: name a file in it")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out} cannot be written: make the folder {out.parent} first")
    if baseline.learns:
        require([challenge.split(tier, name) for name in dict.fromkeys(["train", split])])
    metadata = challenge.metadata(tier, split, track)
    if baseline.learns:
        baseline = baseline.fit(challenge.examples(tier, track))
    ids, answers = [], []
    disable = None if progress is None else not progress
    with tqdm(total=len(challenge.ids(tier, split)), desc=baseline.name, disable=disable) as bar:
        for piece in challenge.given(tier, split, track):
            ids.append(np.atleast_1d(piece.id))
            answers.append({name: np.atleast_1d(values) for name, values in baseline.predict(piece).items()})
            bar.update(len(ids[-1]))
    columns = {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
    write_submission(out, np.concatenate(ids), columns, metadata)
    return out
