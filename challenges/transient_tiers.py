"""How many transients: the tiers of the dataset ``transients``.

Those that end with ``-real`` are made from series of real supernovae, where there are any (the package
sncosmo and its data are needed to make them), the others from parametric series that come with the code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .sealing import SPLITS

if TYPE_CHECKING:
    from ..simulators.layout import Layout
    from ..simulators.series_sources import Source
    from ..simulators.stream import Shard
    from ..simulators.transients import TransientSurvey

__all__ = ["TIERS", "TransientTier"]


@dataclass(frozen=True)
class TransientTier:
    """One size of the dataset: see `tiers.Tier`.

    Attributes:
        name, description: as there.
        n_fields: places on the sky.
        objects_per_field: transients in each.
        fields_per_shard: that one task makes and one file holds.
        source: of spectral series, see `simulators.template_library`.
    """

    name: str
    description: str
    n_fields: int
    objects_per_field: int
    fields_per_shard: int
    source: Source = "parametric"

    @property
    def n_objects(self) -> int:
        return self.n_fields * self.objects_per_field

    @property
    def size(self) -> str:
        return f"{self.n_objects:,} transients"

    @property
    def survey(self) -> TransientSurvey:
        """What each split holds."""
        from ..simulators.transients import TransientSurvey

        return TransientSurvey(self.n_fields, self.objects_per_field, self.source)

    def describe(self) -> dict[str, Any]:
        return {"transients": self.survey.describe()}

    def layouts(self, attributes: Mapping[str, Any]) -> tuple[Layout, Layout]:
        from ..simulators.transients import KINDS
        from ..simulators.transients_layout import layouts

        return layouts(
            n_fields=self.n_fields,
            fields_per_shard=self.fields_per_shard,
            n_kinds=len(KINDS),
            attributes=attributes,
        )

    def simulator(self, secret: bytes, split: int, dither_key: bytes) -> Callable[[int], Sequence[Shard]]:
        from ..simulators.transients import simulate_shard

        del dither_key  # light curves are kept as they are
        return functools.partial(
            simulate_shard,
            survey=self.survey,
            secret=secret,
            split=split,
            test=SPLITS[split] == "test",
            fields_per_shard=self.fields_per_shard,
        )


TIERS = {
    tier.name: tier
    for tier in (
        TransientTier("tiny", "seconds: tests and the demo", 5, 40, 5),
        TransientTier("tiny-real", "tiny, from series of real supernovae", 5, 40, 5, "sncosmo"),
        TransientTier("small", "a laptop, minutes", 250, 400, 5),
        TransientTier("small-real", "small, from series of real supernovae", 250, 400, 5, "sncosmo"),
        TransientTier("full", "a laptop, an hour; a cluster, minutes", 2000, 500, 5),
        TransientTier("full-real", "full, from series of real supernovae", 2000, 500, 5, "sncosmo"),
    )
}
