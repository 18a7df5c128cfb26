"""How light curves lie in their two stores, data and truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .hosts import LEVELS
from .layout import Array, Column, Layout, Table

__all__ = ["OBJECTS", "OBSERVATIONS", "TRUE_OBJECTS", "layouts"]

_NJY, _DAYS, _MAG = {"units": "nJy"}, {"units": "day"}, {"units": "mag"}
_MJD = {"units": "day", "long_name": "modified Julian date"}

OBJECTS = Table(
    "objects",
    "object",
    {
        "id": Column("int64"),
        "field": Column("int64", attributes={"long_name": "number of the field"}),
        "row_size": Column("int64", attributes={"sample_dimension": "observation"}),
        "until": Column("float64", attributes=_MJD | {"comment": "last epoch that the early track shows"}),
        "host_z": Column("float32", (len(LEVELS),), ("level",)),
        "host_spectrum": Column("bool"),
        "galactic_excess": Column("float32", attributes=_MAG | {"long_name": "E(B-V) of the Milky Way"}),
    },
)
"""What a method sees of each object: see `challenges.light_curves.LightCurves`."""

OBSERVATIONS = Table(
    "observations",
    "observation",
    {
        "mjd": Column("float64", attributes=_MJD),
        "band": Column("uint8"),
        "flux": Column("float32", attributes=_NJY),
        "error": Column("float32", attributes=_NJY),
        "detected": Column("bool"),
    },
)
"""All observations of all objects, those of one after those of another: a contiguous ragged array (CF)."""

TRUE_OBJECTS = Table(
    "objects",
    "object",
    {
        "id": Column("int64"),
        "kind": Column("int8", attributes={"long_name": "code of the class, from 0"}),
        "series": Column(
            "int16", attributes={"long_name": "number of the series within its class; -1: none"}
        ),
        "z": Column("float64"),
        "peak_mjd": Column("float64", attributes=_MJD),
        "peak_r": Column("float64", attributes=_MAG | {"long_name": "brightest of r as observed"}),
        "absolute_magnitude": Column("float64", attributes=_MAG),
        "stretch": Column("float64"),
        "colour": Column("float64"),
        "host_excess": Column("float64", attributes=_MAG),
        "host_rv": Column("float64"),
        "galactic_excess": Column("float64", attributes=_MAG),
        "host_magnitude": Column("float64", attributes=_MAG),
        "host_is_right": Column("bool"),
        "has_spectrum": Column("bool", attributes={"long_name": "a follow-up programme would take one"}),
        "until_from": Column(
            "int8",
            attributes={
                "long_name": "`until` counts from: 0 peak (nuclei: where they differ most), 1 first detection"
            },
        ),
        "until_days": Column("float64", attributes=_DAYS),
    },
)
"""What is true of each object, in the order of those of the data."""


def layouts(
    *, n_fields: int, fields_per_shard: int, n_kinds: int, attributes: Mapping[str, Any]
) -> tuple[Layout, Layout]:
    """How the data and the truth of light curves lie in their stores.

    Arguments:
        n_fields: fields.
        fields_per_shard: fields that one task makes.
        n_kinds: classes, those that are held out too.
        attributes: of the roots of both stores.
    """
    of_fields = (
        Array("fields/id", ("field",), (n_fields,), "int64"),
        Array("fields/cadence", ("field",), (n_fields,), "int8"),
    )
    drawn = ("field", "kind"), (n_fields, n_kinds), "int64"
    counted = (Array("fields/drawn", *drawn), Array("fields/kept", *drawn))

    def layout(arrays: Sequence[Array], tables: Sequence[Table]) -> Layout:
        return Layout(
            arrays=arrays,
            tables=tables,
            n_scenes=n_fields,
            n_fields=n_fields,
            scenes_per_shard=fields_per_shard,
            attributes=attributes,
        )

    true_flux = Table("observations", "observation", {"flux": Column("float32", attributes=_NJY)})
    return (
        layout(of_fields, (OBJECTS, OBSERVATIONS)),
        layout((*of_fields[:1], *counted), (TRUE_OBJECTS, true_flux)),
    )
