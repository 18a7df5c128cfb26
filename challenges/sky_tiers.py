"""How much sky: the tiers of the dataset ``sky``.

Fewer visits than ten years: each LSST exposure stands for up to four visits, whose exposure
time, sky, read-outs and depth it has together. `full` has every visit of ten years.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..simulators.realism import SURVEY
from ..simulators.scenes import Content
from ..simulators.sky import Sky
from ..simulators.transient_options import SceneTransients
from .sealing import SPLITS

if TYPE_CHECKING:
    from ..simulators.layout import Layout
    from ..simulators.stream import Shard

__all__ = ["TIERS", "SkyTier"]


@dataclass(frozen=True)
class SkyTier:
    """One size of the dataset: see `tiers.Tier`.

    Attributes:
        name: ``tiny``, ``small`` or ``full``, or one of these with ``-survey`` or ``-transients``.
        description: what it is for.
        sky: what each split holds.
        scenes_per_shard: scenes that one task makes and one file holds; whole fields.
    """

    name: str
    description: str
    sky: Sky
    scenes_per_shard: int

    @property
    def n_scenes(self) -> int:
        return self.sky.n_fields * self.sky.scenes_per_field

    @property
    def size(self) -> str:
        return f"{self.n_scenes:,} scenes"

    def describe(self) -> dict[str, Any]:
        return {"sky": self.sky.describe()}

    def layouts(self, attributes: Mapping[str, Any]) -> tuple[Layout, Layout]:
        from ..simulators import sky_layout

        return sky_layout.layouts(self.sky, scenes_per_shard=self.scenes_per_shard, attributes=attributes)

    def simulator(self, secret: bytes, split: int, dither_key: bytes) -> Callable[[int], Sequence[Shard]]:
        from ..simulators.fields import simulate_shard

        return functools.partial(
            simulate_shard,
            sky=self.sky,
            secret=secret,
            split=split,
            fields_per_shard=self.scenes_per_shard // self.sky.scenes_per_field,
            dither_key=dither_key,
            test=SPLITS[split] == "test",
        )


# Visits of ten years per band: per pointing, mean of the LSST baseline v3.0; four Euclid dithers.
_TEN_YEARS = {"u": 49, "g": 70, "r": 194, "i": 199, "z": 168, "y": 173, "VIS": 4, "Y": 4, "J": 4, "H": 4}
_TINY = {"u": 1, "g": 2, "r": 3, "i": 3, "z": 2, "y": 1, "VIS": 3, "Y": 3, "J": 3, "H": 3}
_SMALL = {"u": 3, "g": 4, "r": 7, "i": 7, "z": 5, "y": 4, "VIS": 4, "Y": 4, "J": 4, "H": 4}

# Clustered galaxies to i = 27.5, and the stars of a high Galactic latitude, where both surveys look.
_CONTENT = Content(latitude_deg=60.0)

# The same exposures with everything that real ones suffer, bright stars too.
_SURVEY = {"content": Content(latitude_deg=60.0, bright_stars=True), "realism": SURVEY}

# A transient in each scene, in a season of a deep field and some of the season before it. An exposure of LSST
# stands for four that follow each other; Euclid sees the place in four or five pointings of four dithers.
_TINY_SEASON = {"g": 12, "r": 12, "i": 12, "z": 12, "VIS": 16, "Y": 16, "J": 16, "H": 16}
_SMALL_SEASON = {
    "u": 8, "g": 16, "r": 20, "i": 20, "z": 20, "y": 16, "VIS": 20, "Y": 20, "J": 20, "H": 20
}  # fmt: skip
_TRANSIENTS = {"content": _CONTENT, "transients": SceneTransients()}

TIERS = {
    "tiny": SkyTier("tiny", "seconds: tests and the demo", Sky(4, 4, _TINY, content=_CONTENT), 4),
    "tiny-survey": SkyTier(
        "tiny-survey", "tiny, spoiled as real exposures are", Sky(4, 4, _TINY, **_SURVEY), 4
    ),
    "small": SkyTier("small", "a laptop, some hours", Sky(200, 50, _SMALL, content=_CONTENT), 50),
    "small-survey": SkyTier(
        "small-survey", "small, spoiled as real exposures are", Sky(200, 50, _SMALL, **_SURVEY), 50
    ),
    # Ten scenes a field, because a worker holds a shard, and writes it, in 2 GiB (docs/results/scale.md).
    "full": SkyTier("full", "a cluster", Sky(100_000, 10, _TEN_YEARS, condensed=1, content=_CONTENT), 10),
    "tiny-transients": SkyTier(
        "tiny-transients", "seconds: transients in the pixels", Sky(2, 4, _TINY_SEASON, **_TRANSIENTS), 4
    ),
    "small-transients": SkyTier(
        "small-transients",
        "a laptop: transients in the pixels",
        Sky(50, 20, _SMALL_SEASON, **_TRANSIENTS),
        20,
    ),
}
