"""The contract of a baseline: a method that can be fitted, saved and loaded, known by name.

A baseline is a frozen dataclass whose fields are its settings and, once fitted, what it
learned. `predict` comes from `challenges.method.Method`; one that learns nothing keeps `fit`
and `save` as they are here.
"""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from ..challenges.files import write_whole
from ..challenges.names import choose

__all__ = ["BASELINES", "Baseline", "baseline", "reference"]

BASELINES = {
    "shear": {"null": "null:NullShear", "moments": "moments:MomentsShear"},
    "transients": {
        "majority": "transients:Majority",
        "features": "transients:Features",
        "dropout": "transients:Dropout",
        "variational": "transients:Variational",
        "ensemble": "transients:Ensemble",
        "causal": "transients:Causal",
    },
}
"""Challenge -> name of each baseline -> its module in this package, and its class."""


@dataclass(frozen=True)
class Baseline(ABC):
    """A method with settings, that may learn from open splits.

    Attributes:
        name: as people type it.
        learns: whether `fit` uses the training split.
    """

    name: str = ""
    learns: ClassVar[bool] = False

    @abstractmethod
    def predict(self, given: Any) -> Mapping[str, Any]:
        """The columns that the challenge asks for, for a piece of its data: see `Challenge.given`."""

    def fit(self, examples: Iterable[tuple[Any, Mapping[str, Any]]]) -> Self:
        """A baseline that has learned from pieces and their truth; one that cannot stays as it is."""
        del examples
        return self

    def save(self, path: Path) -> None:
        """Write the settings to a JSON file, atomically."""
        record = {"class": type(self).__name__, "settings": asdict(self)}
        write_whole(Path(path), json.dumps(record, indent=1).encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: if the file is no JSON, or of another baseline or version.
        """
        try:
            record = json.loads(Path(path).read_text())
            # JSON knows lists, not tuples.
            pairs = dict(record["settings"]).items()
            settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in pairs}
            kind = record["class"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} holds no saved baseline: save it again") from error
        unknown = set(settings) - {f.name for f in fields(cls)}
        if kind != cls.__name__ or unknown:
            what = f"a {kind}" if kind != cls.__name__ else f"unknown settings {', '.join(sorted(unknown))}"
            raise ValueError(f"{path} holds {what}, which is no {cls.__name__}: load it with its own class")
        return cls(**settings)


def reference(challenge: str, name: str) -> str:
    """``module:Class`` of a baseline, as the harness takes it.

    Raises:
        UnknownNameError: with near matches.
    """
    known = BASELINES[choose("challenge", challenge, BASELINES)]
    module, _, cls = known[choose(f"baseline of {challenge}", name, known)].partition(":")
    return f"{__package__}.{module}:{cls}"


def baseline(challenge: str, name: str) -> Baseline:
    """A baseline by name, with its default settings.

    Examples:
        >>> baseline("shear", "null").name
        'null'
    """
    module, _, cls = reference(challenge, name).partition(":")
    return getattr(importlib.import_module(module), cls)()
