"""Where something changed in the pixels of the dataset ``sky``: alerts, as methods see them.

They are what the track ``pixels`` of the challenge ``transients`` asks about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import xarray
from numpy.typing import NDArray

from ..simulators.surveys import SURVEYS
from .method import Field
from .sky_fields import fields as sky_fields

__all__ = ["AlertedField", "Alerts", "alerts_of", "fields_with_alerts"]


@dataclass(frozen=True)
class Alerts:
    """Places in the scenes of one field where something changed, n of them.

    Nothing is said of what it was. The place is exact. A survey would know it to some hundredths of an arcsec
    from what is just detected (FWHM / 2.35 over S/N), and better from bright ones.

    Attributes:
        id: (n,) int64, opaque.
        scene: (n,) which of the scenes of its field.
        x, y: (n,) arcsec from the centre of the scene.
        quiet_until: (n,) MJD; before it nothing was there but what never changes (and active nuclei).
    """

    id: NDArray[np.int64]
    scene: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    quiet_until: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = {one.name: np.shape(getattr(self, one.name)) for one in fields(self)}
        if len(set(shapes.values())) != 1 or len(shapes["id"]) != 1:
            raise ValueError(f"the columns of alerts have one length, not {shapes}")

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True)
class AlertedField:
    """The exposures of one field, and where something changed in them."""

    field: Field
    alerts: Alerts

    @property
    def id(self) -> NDArray[np.int64]:
        """(n,) of the alerts."""
        return self.alerts.id


def alerts_of(tree: xarray.DataTree, number: int) -> Alerts:
    """The alerts of one field of an opened split, by its number.

    Raises:
        ValueError: if the split has none: only tiers with transients have.
    """
    if "alerts" not in tree.children:
        raise ValueError(
            "this split has no alerts: open one of a tier with transients, tiny-transients for one"
        )
    table = {name: array.to_numpy() for name, array in tree["alerts"].to_dataset().items()}
    scenes = np.flatnonzero(tree["scenes/field"].to_numpy() == number)
    mine = np.isin(table["scene"], scenes)
    columns = {one.name: table[one.name][mine] for one in fields(Alerts)}
    return Alerts(**columns | {"scene": columns["scene"] - (scenes[0] if scenes.size else 0)})


def fields_with_alerts(
    tree: xarray.DataTree, surveys: Sequence[str] = tuple(SURVEYS)
) -> Iterator[AlertedField]:
    """The fields of an opened split, one at a time, each with its alerts, in the order of their table.

    Raises:
        ValueError: as `alerts_of`.
    """
    for number, field in enumerate(sky_fields(tree, surveys)):
        yield AlertedField(field, alerts_of(tree, number))
