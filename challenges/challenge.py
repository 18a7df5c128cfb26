"""A challenge: a question about a dataset, its tracks, and how answers are judged.

Challenges are known by name; the module of one is imported only when it is used.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .names import choose

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from ..scoring.scorecard import Scorecard
    from ..simulators.sky import Sky
    from .datasets import Split
    from .submissions import SubmissionSchema, Table

__all__ = ["CHALLENGES", "Challenge", "Scenario", "Track", "load", "names"]

CHALLENGES = {"shear": "shear:Shear", "transients": "transients:Transients"}
"""Name of each challenge -> its module in this package, and its class."""


@dataclass(frozen=True)
class Track:
    """A variant of a challenge.

    Attributes:
        name: such as ``joint``.
        surveys: whose exposures a method sees.
        description: in a line.
    """

    name: str
    surveys: tuple[str, ...]
    description: str


@dataclass(frozen=True)
class Scenario:
    """What the harness draws to measure a method.

    Attributes:
        name: such as ``isolated``.
        sky: one field of it; the harness draws as many as it needs.
        description: in a line.
    """

    name: str
    sky: Sky
    description: str


class Challenge(ABC):
    """What every challenge offers. Subclasses say what is asked and how it is judged.

    Attributes:
        name: as people type it.
        question: what is asked, in a line.
        dataset: name of the dataset that it is asked about.
        tracks: by name; the first is the default.
        scenarios: what the harness can draw, by name.
        schema: what a submission holds.
        piece: what `draw` draws one of, as people type it.
    """

    name: ClassVar[str]
    question: ClassVar[str]
    dataset: ClassVar[str] = "sky"
    tracks: ClassVar[Mapping[str, Track]]
    scenarios: ClassVar[Mapping[str, Scenario]]
    schema: ClassVar[SubmissionSchema]
    piece: ClassVar[str] = "scene"

    def tracks_of(self, tier: str) -> Mapping[str, Track]:
        """The tracks that are asked about a tier, by name, the default one first: here all."""
        del tier
        return self.tracks

    def track(self, name: str | None = None, tier: str | None = None) -> Track:
        """The track of this name, or the default one.

        Arguments:
            name: None for the default, of the tier if that is given.
            tier: to make sure that the track is asked about it.

        Raises:
            ValueError: if there is no such track, with near matches, or it is not asked about the tier.
        """
        asked = self.tracks if tier is None else self.tracks_of(tier)
        chosen = choose("track", next(iter(asked)) if name is None else name, self.tracks)
        if chosen not in asked:
            raise ValueError(f"the tier {tier} has no track {chosen}: choose {' or '.join(asked)}")
        return self.tracks[chosen]

    def split(self, tier: str, split: str) -> Split:
        """The split of these names, where it is stored."""
        from .datasets import Split

        return Split.of(tier, split, dataset=self.dataset)

    def open(self, tier: str = "tiny", split: str = "validation") -> xarray.DataTree:
        """The data of a split: groups of exposures by survey, opened lazily, images in nJy."""
        from .datasets import open_split

        return open_split(self.split(tier, split))

    def truth(self, tier: str = "tiny", split: str = "validation") -> xarray.DataTree:
        """The truth of a split that is not sealed."""
        from .datasets import open_truth

        return open_truth(self.split(tier, split))

    def draw(
        self,
        data: xarray.DataTree,
        truth: xarray.DataTree | None = None,
        number: int = 0,
        *,
        exposures: bool = False,
        band: str | None = None,
    ) -> Figure:
        """A picture of one piece of a split.

        Arguments:
            data, truth: from `open` and `truth`; the truth is drawn where it is given.
            number: of the piece, from 0.
            exposures: single exposures, without the truth.
            band: of them, this band only.

        Raises:
            ValueError: if there is no such piece, or it has no such exposures.
        """
        from .figures import exposures_figure, scene_figure

        if exposures:
            return exposures_figure(data, number, band)
        return scene_figure(data, truth, number)

    def given(self, tier: str = "tiny", split: str = "validation", track: str | None = None) -> Iterator[Any]:
        """A split as a method sees it on a track, a piece at a time: fields of exposures, or light curves.

        ``id`` of a piece is an id of `ids`, or (n,) of them.
        """
        from .sky_fields import fields

        yield from fields(self.open(tier, split), self.track(track, tier).surveys)

    @abstractmethod
    def examples(
        self, tier: str = "tiny", track: str | None = None
    ) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        """The pieces of the training split that a method may learn from, with their truth."""

    def metadata(self, tier: str, split: str, track: str | None = None) -> dict[str, str]:
        """What a submission's file says about itself."""
        return {
            "challenge": self.name,
            "track": self.track(track, tier).name,
            "tier": tier,
            "split": split,
            "dataset": self.open(tier, split).attrs["content_sha256"],
        }

    def read(
        self,
        predictions: str | Path | Table | Mapping[str, Any],
        tier: str = "tiny",
        split: str = "validation",
        track: str | None = None,
    ) -> dict[str, np.ndarray]:
        """The columns of a submission in the order of the ids asked, if nothing is wrong with it.

        Arguments:
            predictions: a file, or a mapping with ``id`` and the columns asked for.

        Raises:
            SubmissionError: with every problem there is.
        """
        from .submissions import Table, accept

        if isinstance(predictions, Mapping):
            predictions = Table({name: np.asarray(values) for name, values in predictions.items()})
        expected = self.metadata(tier, split, track)
        del expected["challenge"]
        return accept(predictions, self.schema, self.ids(tier, split), expected)

    @abstractmethod
    def ids(self, tier: str = "tiny", split: str = "validation") -> np.ndarray:
        """(n,) int64 what a submission must answer."""

    @abstractmethod
    def score(
        self,
        predictions: str | Path | Table | Mapping[str, Any],
        tier: str = "tiny",
        split: str = "validation",
        track: str | None = None,
        entry: str = "submission",
    ) -> Scorecard:
        """Judge predictions for a split whose truth is here."""


def names() -> list[str]:
    """The names of the challenges."""
    return list(CHALLENGES)


def load(name: str) -> Challenge:
    """The challenge of this name.

    Raises:
        UnknownNameError: with near matches.

    Examples:
        >>> load("shear").track().name
        'joint'
    """
    module, _, cls = CHALLENGES[choose("challenge", name, CHALLENGES)].partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), cls)()
