"""What transients of a sky put into its stores: alerts in the data, and all about them in the truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .exposures import Points, SeenPoints
from .layout import Column, Table
from .scene_transients import PlacedTransients
from .surveys import SURVEYS
from .transients import KINDS

__all__ = ["alert_table", "transient_rows", "transient_tables"]

_ARCSEC, _NJY, _DAYS, _MAG = {"units": "arcsec"}, {"units": "nJy"}, {"units": "day"}, {"units": "AB mag"}

# What the truth tells of every transient, by name of the attribute of `PlacedTransients`.
_TRUTH = {
    "kind": Column("int8", attributes={"meaning": " ".join(KINDS)}),
    "series": Column("int16"),
    "z": Column("float64"),
    "peak_mjd": Column("float64", attributes=_DAYS),
    "absolute_magnitude": Column("float64", attributes=_MAG),
    "stretch": Column("float64"),
    "colour": Column("float64"),
    "host_excess": Column("float64", attributes=_MAG),
    "host_rv": Column("float64"),
}


def alert_table() -> Table:
    """Where to measure: places at which something changed, and until when nothing had."""
    columns = {
        "id": Column("int64"),
        "scene": Column("int64"),
        "x": Column("float64", attributes=_ARCSEC),
        "y": Column("float64", attributes=_ARCSEC),
        "quiet_until": Column("float64", attributes=_DAYS),
    }
    return Table("alerts", "alert", columns)


def transient_tables(exposures: Mapping[str, int]) -> list[Table]:
    """The truth about the same, one table for all and one for each survey, their rows in one order.

    Arguments:
        exposures: how many each survey takes of a scene, by its name.
    """
    own = {"id": Column("int64"), "scene": Column("int64"), "host": Column("int64")}
    own |= {name: Column("float64", attributes=_ARCSEC) for name in ("x", "y")}
    tables = [Table("transients", "transient", own | _TRUTH)]
    for name, e in exposures.items():
        columns = {"position": Column("float32", (e, 2), ("exposure", "pixel_axis"), {"units": "pixel"})}
        columns |= {key: Column("float32", (e,), ("exposure",), _NJY) for key in ("flux", "steady")}
        columns["masked_fraction"] = Column("float32", (e,), ("exposure",))
        tables.append(Table(_group(name), "transient", columns))
    return tables


def transient_rows(
    placed: PlacedTransients,
    points: Mapping[str, Points],
    seen: Mapping[str, SeenPoints | None],
    *,
    id: np.ndarray,
    source_ids: np.ndarray,
    scene: int,
    quiet_until: float,
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """The rows of one scene for the alerts, and for every table of the truth, by path.

    Arguments:
        placed: its transients.
        points, seen: the same as drawn, and where exposures show them, by survey.
        id: (n,) opaque.
        source_ids: of the sources of the scene.
        scene: its number.
        quiet_until: MJD of the first exposure of the season.
    """
    at = next(iter(points.values()))
    place = {"id": id, "scene": np.full(len(placed), scene), "x": at.x, "y": at.y}
    true = {"transients": place | {name: getattr(placed, name) for name in _TRUTH}}
    true["transients"]["host"] = source_ids[placed.host]
    for name, shown in seen.items():
        if shown is None:
            raise ValueError(f"the exposures of {name} were taken without the transients")
        columns = {"position": shown.position, "masked_fraction": shown.masked_fraction}
        columns |= {"flux": placed.flux[name], "steady": placed.steady[name]}
        true[_group(name)] = {key: values.astype(np.float32) for key, values in columns.items()}
    return place | {"quiet_until": np.full(len(placed), quiet_until)}, true


def _group(survey: str) -> str:
    return f"{SURVEYS[survey].group}_transients"
