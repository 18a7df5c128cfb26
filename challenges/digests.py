"""The digest of what was submitted, for the provenance of a scorecard."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .submission_files import Table

__all__ = ["digest_of"]


def digest_of(predictions: Any, columns: Mapping[str, np.ndarray]) -> str:
    """``"sha256:..."`` of the file that was submitted, or of its columns where there is none."""
    if isinstance(predictions, Table) and predictions.digest:
        return predictions.digest
    if isinstance(predictions, str | Path):
        with open(predictions, "rb") as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for name in sorted(columns):
        digest.update(name.encode() + np.ascontiguousarray(columns[name]).tobytes())
    return "sha256:" + digest.hexdigest()
