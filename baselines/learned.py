"""What a classifier has learned, in one file: settings as JSON and arrays as they are, without pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..challenges.files import write_whole

__all__ = ["load_learned", "save_learned"]

_RECORD = "record.json"


def save_learned(path: Path, kind: str, settings: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> None:
    """Write a NumPy archive, whole or not at all.

    Arguments:
        kind: name of the class that it belongs to.
        settings: anything that JSON knows.
    """
    record = json.dumps({"class": kind, "settings": dict(settings)}).encode()
    content = io.BytesIO()
    members: dict[str, Any] = {_RECORD: np.frombuffer(record, np.uint8), **arrays}
    np.savez(content, **members)
    write_whole(Path(path), content.getvalue())


def load_learned(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Settings and arrays from what `save_learned` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such archive, or belongs to another class.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        record = json.loads(arrays.pop(_RECORD).tobytes())
        found, settings = record["class"], dict(record["settings"])
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no saved {kind}: save it again") from error
    if found != kind:
        raise ValueError(f"{path} holds a {found}, which is no {kind}: load it with its own class")
    return settings, arrays
