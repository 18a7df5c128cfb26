"""What to simulate: how many fields of how many scenes, in which exposures, under which shear."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .exposures import pixels_across
from .planes import Slices, ThinLens
from .randomness import generator
from .realism import CLEAN, Realism
from .rendering import Renderer, require
from .scenes import NATURAL, Content
from .seasons import require as require_season
from .surveys import BANDS, SURVEYS, find_band
from .transient_options import SceneTransients

__all__ = ["Sky", "exposure_bands", "field_shear"]


@dataclass(frozen=True)
class Sky:
    """What to simulate.

    Attributes:
        n_fields: fields, each with one shear and one set of visits.
        scenes_per_field: scenes of each field.
        visits: exposures of each band.
        condensed: real visits that one LSST exposure stands for, 1 to 4 (in space: always 1).
        width_arcsec: of a scene, a multiple of 0.6; images end with the pixel that ends it.
        content: what lies on the sky.
        lens: how the shear of a source depends on its redshift; None for one shear for all.
        chromatic: bands whose PSF depends on the colour of the source, such as ``("u", "g", "VIS")``.
        shear_range: smallest and largest |g|; the direction is free.
        partners: every second scene is the one before it turned by 90 degrees, which cancels
            shape noise; for the harness, never for a released split.
        realism: what exposures suffer, such as `realism.SURVEY`.
        renderer: draws the noiseless light: ``"fourier"``, or ``"galsim"``, the reference.
        transients: whether scenes hold transients, in visits of one season; None for none.
    """

    n_fields: int
    scenes_per_field: int
    visits: Mapping[str, int]
    condensed: int = 4
    width_arcsec: float = 19.2
    content: Content = NATURAL
    lens: Slices | ThinLens | None = None
    chromatic: tuple[str, ...] = ()
    shear_range: tuple[float, float] = (0.01, 0.05)
    partners: bool = False
    realism: Realism = CLEAN
    renderer: Renderer = "fourier"
    transients: SceneTransients | None = None

    def __post_init__(self) -> None:
        if self.n_fields < 1 or self.scenes_per_field < 1:
            raise ValueError(
                f"a sky has at least one field of one scene, not {self.n_fields} x {self.scenes_per_field}"
            )
        if not self.visits:
            raise ValueError("a sky needs visits, such as {'i': 10}")
        for name, count in self.visits.items():
            find_band(name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ValueError(f"count of {name} visits is {count!r}: it has to be a positive integer")
        if not isinstance(self.content, Content):
            raise ValueError(f"content is a Content, such as Content('uniform'), not {self.content!r}")
        if not (self.lens is None or isinstance(self.lens, (Slices, ThinLens))):
            raise ValueError(f"lens is a Slices, a ThinLens or None, not {self.lens!r}")
        if isinstance(self.chromatic, str):
            raise ValueError(f"chromatic lists names of bands, such as ('VIS',), not {self.chromatic!r}")
        unseen = [name for name in self.chromatic if find_band(name).name not in self.visits]
        if unseen:
            raise ValueError(f"chromatic names {' '.join(unseen)}, but there are no visits in it")
        if not 0 <= self.shear_range[0] <= self.shear_range[1] < 1:
            raise ValueError(f"shear_range is 0 <= smallest <= largest < 1, not {self.shear_range}")
        if self.partners and self.scenes_per_field % 2:
            raise ValueError("scenes come in pairs of 90-degree partners: scenes_per_field must be even")
        if not isinstance(self.realism, Realism):
            raise ValueError(f"realism is a Realism, such as realism.SURVEY, not {self.realism!r}")
        require(self.renderer)
        if self.transients is not None:
            self._require_transients(self.transients)
        pixels_across(self.width_arcsec, SURVEYS["LSST"])

    def _require_transients(self, transients: SceneTransients) -> None:
        if not isinstance(transients, SceneTransients):
            raise ValueError(f"transients is a SceneTransients or None, not {transients!r}")
        if self.partners:
            raise ValueError("scenes with partners hold no transients: leave out one of the two")
        require_season({find_band(b).name: n for b, n in self.visits.items()}, transients.reference)

    def describe(self) -> dict[str, Any]:
        """Plain numbers and text, for the attributes of a store and for a commitment."""
        described: dict[str, Any] = asdict(self) | {"visits": dict(self.visits)}
        if self.lens:
            described["lens"]["kind"] = type(self.lens).__name__
        if self.transients is None:
            # So that what was published before there were any keeps its description, and its commitment.
            del described["transients"]
        return json.loads(json.dumps(described))


def exposure_bands(sky: Sky, survey: str) -> list[str]:
    """The band of each exposure of a survey, in the order in which exposures are stored."""
    return [b for b in BANDS if BANDS[b].survey == survey for _ in range(sky.visits.get(b, 0))]


def field_shear(sky: Sky, secret: bytes, split: int, number: int) -> complex:
    """The reduced shear g1 + i·g2 of a field: |g| uniform in the range, any direction."""
    size, angle = generator(secret, "shear", split, number).uniform(size=2)
    low, high = sky.shear_range
    return complex((low + (high - low) * size) * np.exp(2j * np.pi * angle))
