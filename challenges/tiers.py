"""The datasets there are, how large each comes, and their splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from . import sky_tiers, transient_tiers

if TYPE_CHECKING:
    from ..simulators.layout import Layout
    from ..simulators.stream import Shard

__all__ = ["DATASETS", "SKY", "TRANSIENTS", "Dataset", "Tier"]


class Tier(Protocol):
    """One size of a dataset: what it holds, and how that is made.

    Attributes:
        name: as people type it.
        description: what it is for.
        size: of a split, in words, such as ``16 scenes``.
    """

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def size(self) -> str: ...

    def describe(self) -> dict[str, Any]:
        """What a split is made from, as JSON: an attribute of its stores, and part of its commitment."""
        ...

    def layouts(self, attributes: Mapping[str, Any]) -> tuple[Layout, Layout]:
        """How the data and the truth of a split lie in their stores."""
        ...

    def simulator(self, secret: bytes, split: int, dither_key: bytes) -> Callable[[int], Sequence[Shard]]:
        """What makes a shard, for the data and the truth, given its index; spawned workers can take it.

        Arguments:
            secret: keys every random number.
            split: place of the split in `sealing.SPLITS`.
            dither_key: public key of the quantisation.
        """
        ...


@dataclass(frozen=True)
class Dataset:
    """What challenges are about.

    Attributes:
        name: as people type it.
        version: of what is in it.
        tiers: by name.
    """

    name: str
    version: str
    tiers: Mapping[str, Tier]


SKY = Dataset("sky", "0.3", sky_tiers.TIERS)
TRANSIENTS = Dataset("transients", "0.1", transient_tiers.TIERS)

DATASETS = {dataset.name: dataset for dataset in (SKY, TRANSIENTS)}
