"""Whether the scenes of a sky hold transients, and how their visits are chosen so that curves are seen."""

from __future__ import annotations

from dataclasses import dataclass

from .seasons import n_reference
from .series_sources import Source, require_source

__all__ = ["SceneTransients"]


@dataclass(frozen=True)
class SceneTransients:
    """Transients in the pixels of a sky.

    Visits then come from one season of a deep field that both surveys see, and from the season before it,
    which shows the hosts alone: see `seasons`.

    Attributes:
        share: of the scenes that hold one, where a galaxy of theirs can be its host.
        reference: share of the exposures of each band that is taken in the season before.
        source: of the spectral series, see `template_library`.

    Raises:
        ValueError: if the share is not within 0 and 1, or there is no such source; `seasons.require`, which
            knows the counts of exposures too, looks at `reference`.
    """

    share: float = 1.0
    reference: float = 0.3
    source: Source = "parametric"

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"the share of scenes with a transient lies between 0 and 1, not {self.share}")
        require_source(self.source)

    def n_reference(self, band: str, count: int) -> int:
        """How many of the exposures of a band come before the season."""
        return n_reference(band, count, self.reference)
