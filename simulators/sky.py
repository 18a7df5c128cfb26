"""The sky as a stream: fields of scenes, each with its exposures and its truth, ready to store.

A `Sky` says what to simulate; `simulate_field` makes any field of it alone, from a secret and
the field's number; `layout` says how the arrays lie in the two stores, data and truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from . import quantisation
from .blending import blendedness
from .cadence import sample_visits
from .detectors import CLIPPED
from .exposures import Observation, expose, pixels_across, prepare
from .galaxies import MAX_KNOTS
from .layout import Array, Column, Constant, Layout, Table
from .randomness import generator
from .scenes import Arrangement, Sources, draw_scene, rotated_90, sheared
from .stream import Shard
from .surveys import BANDS, SURVEYS, find_band

__all__ = ["Sky", "exposure_bands", "field_shear", "layouts", "opaque_id", "simulate_field", "simulate_shard"]

_NJY, _ARCSEC = {"units": "nJy"}, {"units": "arcsec"}
_PARTS = ("component",)
# What the truth tells of every source, by name of the attribute of `Sources`.
_TRUTH = {
    "x": Column("float64", attributes=_ARCSEC),
    "y": Column("float64", attributes=_ARCSEC),
    "z": Column("float64"),
    "spectrum": Column("int64"),
    "flux": Column("float64", (len(BANDS),), ("band",), _NJY),
    "component_flux": Column("float64", (2, len(BANDS)), (*_PARTS, "band"), _NJY),
    "half_light_arcsec": Column("float64", (2,), _PARTS, _ARCSEC),
    "sersic_n": Column("float64", (2,), _PARTS),
    "e1": Column("float64", (2,), _PARTS),
    "e2": Column("float64", (2,), _PARTS),
    "n_knots": Column("int64"),
    "knot_fraction": Column("float64"),
}


@dataclass(frozen=True)
class Sky:
    """What to simulate.

    Attributes:
        n_fields: fields, each with one shear and one set of visits.
        scenes_per_field: scenes of each field.
        visits: exposures of each band.
        condensed: real visits that one LSST exposure stands for, 1 to 4 (Euclid: always 1).
        width_arcsec: of a scene, a multiple of 0.6.
        arrangement: of the galaxies, see `scenes.draw_scene`.
        i_limit: faintest galaxies, AB magnitude in LSST i.
        shear_range: smallest and largest |g|; the direction is free.
        partners: every second scene is the one before it turned by 90 degrees, which cancels
            shape noise; for the harness, never for a released split.
    """

    n_fields: int
    scenes_per_field: int
    visits: Mapping[str, int]
    condensed: int = 4
    width_arcsec: float = 19.2
    arrangement: Arrangement = "natural"
    i_limit: float = 27.5
    shear_range: tuple[float, float] = (0.01, 0.05)
    partners: bool = False

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
        if not 0 <= self.shear_range[0] <= self.shear_range[1] < 1:
            raise ValueError(f"shear_range is 0 <= smallest <= largest < 1, not {self.shear_range}")
        if self.partners and self.scenes_per_field % 2:
            raise ValueError("scenes come in pairs of 90-degree partners: scenes_per_field must be even")
        pixels_across(self.width_arcsec, SURVEYS["LSST"])

    def describe(self) -> dict[str, Any]:
        """Plain numbers and text, for the attributes of a store and for a commitment."""
        return asdict(self) | {"visits": dict(self.visits), "shear_range": list(self.shear_range)}


def exposure_bands(sky: Sky, survey: str) -> list[str]:
    """The band of each exposure of a survey, in the order in which exposures are stored."""
    return [b for b in BANDS if BANDS[b].survey == survey for _ in range(sky.visits.get(b, 0))]


def opaque_id(secret: bytes, kind: str, *indices: int) -> int:
    """A 62-bit number that says nothing about what it names."""
    return int(generator(secret, f"id {kind}", *indices).integers(2**62))


def field_shear(sky: Sky, secret: bytes, split: int, number: int) -> complex:
    """The reduced shear g1 + i·g2 of a field: |g| uniform in the range, any direction."""
    size, angle = generator(secret, "shear", split, number).uniform(size=2)
    low, high = sky.shear_range
    return complex((low + (high - low) * size) * np.exp(2j * np.pi * angle))


def observe(sky: Sky, secret: bytes, split: int, number: int) -> dict[str, Observation]:
    """The visits of a field and what they share, by name of the survey."""
    condensed = {b: sky.condensed if BANDS[b].survey == "LSST" else 1 for b in sky.visits}
    visits = sample_visits(generator(secret, "visits", split, number), sky.visits, condensed=condensed)
    return prepare(secret, split, number, visits)


def simulate_field(
    sky: Sky,
    secret: bytes,
    split: int,
    number: int,
    *,
    dither_key: bytes,
    shear: complex | None = None,
    truth: bool = True,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """One field: the arrays of its data, and of its truth, with its tables.

    Arguments:
        sky: what to simulate.
        secret: keys every random number.
        split, number: which field of which split.
        dither_key: public key of the quantisation.
        shear: g1 + i·g2 in place of the field's own; everything else stays the same, noise
            included (the harness draws matched pairs with +g and −g).
        truth: whether to measure blendedness and to fill the tables of the truth.

    Returns:
        Arrays of the data store and of the truth store, with a leading dimension of scenes or
        of one field, and the columns of the tables by path.
    """
    g = field_shear(sky, secret, split, number) if shear is None else shear
    observations = observe(sky, secret, split, number)
    n = sky.scenes_per_field
    first = number * n
    data: dict[str, list[np.ndarray]] = {}
    tables: dict[str, list[dict[str, np.ndarray]]] = {}
    for index in range(n):
        scene = first + index
        # Isolated galaxies stay in their cells: +g and −g then share the noise under each.
        in_place = sky.arrangement == "isolated"
        sources = sheared(_draw(sky, secret, split, scene), g.real, g.imag, in_place=in_place)
        for observation in observations.values():
            group = observation.survey.group
            indices = (split, number, scene)
            taken = expose(
                sources, observation, width_arcsec=sky.width_arcsec, secret=secret, indices=indices
            )
            for path, values in _encoded(taken, observation, dither_key, scene).items():
                data.setdefault(f"{group}/{path}", []).append(values)
            if truth:
                flux = sources.flux[:, [BANDS[visit.band].code for visit in observation.visits]]
                tables.setdefault(group, []).append(
                    {
                        "position": taken.position.astype(np.float32),
                        "flux": flux.astype(np.float32),
                        "masked_fraction": taken.masked_fraction.astype(np.float32),
                    }
                )
        if truth:
            tables.setdefault("sources", []).append(_source_rows(sky, secret, split, scene, sources))
    arrays = {path: np.stack(values) for path, values in data.items()}
    arrays["scenes/id"] = np.array([opaque_id(secret, "scene", split, first + i) for i in range(n)])
    arrays["scenes/field"] = np.full(n, number)
    arrays["fields/id"] = np.array([opaque_id(secret, "field", split, number)])
    for observation in observations.values():
        arrays |= _visit_arrays(observation)
    truths = {
        "fields/id": arrays["fields/id"],
        "fields/g1": np.array([g.real]),
        "fields/g2": np.array([g.imag]),
    }
    columns = {
        path: {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        for path, rows in tables.items()
    }
    return arrays, truths, columns


def simulate_shard(
    shard: int, *, sky: Sky, secret: bytes, split: int, fields_per_shard: int, dither_key: bytes
) -> list[Shard]:
    """The fields of one shard, for the data store and for the truth store."""
    numbers = range(shard * fields_per_shard, min((shard + 1) * fields_per_shard, sky.n_fields))
    made = [simulate_field(sky, secret, split, number, dither_key=dither_key) for number in numbers]
    data, truths, tables = zip(*made, strict=True)
    return [
        Shard({path: np.concatenate([d[path] for d in data]) for path in data[0]}),
        Shard(
            {path: np.concatenate([t[path] for t in truths]) for path in truths[0]},
            {
                path: {name: np.concatenate([t[path][name] for t in tables]) for name in tables[0][path]}
                for path in tables[0]
            },
        ),
    ]


def layouts(sky: Sky, *, scenes_per_shard: int, attributes: Mapping[str, Any]) -> tuple[Layout, Layout]:
    """How the data and the truth of a sky lie in their stores.

    Arguments:
        sky: what is simulated.
        scenes_per_shard: a whole number of fields.
        attributes: of the roots of both stores.
    """
    n_scenes = sky.n_fields * sky.scenes_per_field
    pixels = ("scene", "exposure", "y", "x")
    scene, fields = (n_scenes,), (sky.n_fields,)
    entry, visit = ("scene", "exposure"), ("field", "exposure")
    arrays = [
        Array("scenes/id", ("scene",), scene, "int64"),
        Array("scenes/field", ("scene",), scene, "int64"),
        Array("fields/id", ("field",), fields, "int64"),
    ]
    constants, truth_tables = [], [_source_table()]
    for survey in SURVEYS.values():
        bands = exposure_bands(sky, survey.name)
        if not bands:
            continue
        e, size = len(bands), pixels_across(sky.width_arcsec, survey)
        width = 2 * round(survey.psf_width_arcsec * survey.psf_oversampling / survey.pixel_arcsec / 2) + 1
        group = survey.group
        nJy2 = {"units": "nJy2"}
        arrays += [
            Array(f"{group}/image", pixels, (*scene, e, size, size), "int16", attributes={"units": "step"}),
            Array(f"{group}/mask", pixels, (*scene, e, size, size), "uint8"),
            Array(f"{group}/step", entry, (*scene, e), "float32", attributes={"units": "nJy"}),
            Array(f"{group}/sky_variance", entry, (*scene, e), "float64", attributes=nJy2),
            Array(f"{group}/read_variance", entry, (*scene, e), "float64", attributes=nJy2),
            Array(f"{group}/wcs", (*entry, "pixel_axis", "affine"), (*scene, e, 2, 3), "float64"),
            Array(f"{group}/psf", (*visit, "psf_y", "psf_x"), (*fields, e, width, width), "float32"),
            *(
                Array(f"{group}/{name}", visit, (*fields, e), "float64", attributes=units)
                for name, units in _VISIT_UNITS.items()
            ),
        ]
        codes = np.array([BANDS[b].code for b in bands], dtype=np.uint8)
        constants.append(Constant(f"{group}/band", ("exposure",), codes, {"meaning": " ".join(BANDS)}))
        truth_tables.append(
            Table(
                group,
                "source",
                {
                    "position": Column("float32", (e, 2), ("exposure", "pixel_axis"), {"units": "pixel"}),
                    "flux": Column("float32", (e,), ("exposure",), {"units": "nJy"}),
                    "masked_fraction": Column("float32", (e,), ("exposure",)),
                },
            )
        )
    shared = {
        "n_scenes": n_scenes,
        "n_fields": sky.n_fields,
        "scenes_per_shard": scenes_per_shard,
        "attributes": dict(attributes),
    }
    truths = [
        Array("fields/id", ("field",), fields, "int64"),
        Array("fields/g1", ("field",), fields, "float64"),
        Array("fields/g2", ("field",), fields, "float64"),
    ]
    return (
        Layout(arrays=arrays, tables=[], constants=constants, **shared),
        Layout(arrays=truths, tables=truth_tables, **shared),
    )


_VISIT_UNITS = {
    "mjd": {"units": "day"},
    "fwhm": {"units": "arcsec"},
    "m5": {"units": "AB mag"},
    "airmass": {},
    "electron": {"units": "nJy"},
    "condensed": {},
}


def _draw(sky: Sky, secret: bytes, split: int, scene: int) -> Sources:
    turned = sky.partners and scene % 2 == 1
    rng = generator(secret, "galaxies", split, scene - turned)
    sources = draw_scene(rng, width_arcsec=sky.width_arcsec, arrangement=sky.arrangement, i_limit=sky.i_limit)
    return rotated_90(sources) if turned else sources


def _encoded(taken: Any, observation: Observation, dither_key: bytes, scene: int) -> dict[str, np.ndarray]:
    sigma = np.array([noise.sigma for noise in observation.backgrounds])
    step = (sigma / quantisation.STEPS_PER_SIGMA).astype(np.float32)
    shape = taken.image.shape[1:]
    group = observation.survey.group
    dither = np.stack([quantisation.dither(dither_key, group, scene, e, shape) for e in range(len(sigma))])
    codes, clipped = quantisation.encode(taken.image, step, dither)
    return {
        "image": codes,
        "mask": taken.mask | np.where(clipped, CLIPPED, 0).astype(np.uint8),
        "step": step,
        "sky_variance": np.array([noise.sky_variance for noise in observation.backgrounds]),
        "read_variance": np.array([noise.read_variance for noise in observation.backgrounds]),
        "wcs": taken.wcs,
    }


def _visit_arrays(observation: Observation) -> dict[str, np.ndarray]:
    group, visits = observation.survey.group, observation.visits
    columns = {
        "mjd": [visit.mjd for visit in visits],
        "fwhm": [visit.fwhm_arcsec for visit in visits],
        "m5": [visit.m5 for visit in visits],
        "airmass": [visit.airmass for visit in visits],
        "electron": [noise.electron for noise in observation.backgrounds],
        "condensed": [visit.condensed for visit in visits],
    }
    arrays = {f"{group}/{name}": np.array([values], dtype=float) for name, values in columns.items()}
    return arrays | {f"{group}/psf": observation.psf[None]}


def _source_table() -> Table:
    columns = dict(_TRUTH)
    columns["knots"] = Column("float64", (MAX_KNOTS, 2), ("knot", "plane"))
    columns |= {name: Column("int64") for name in ("id", "scene")}
    columns |= {name: Column("float64") for name in ("blendedness", "snr")}
    return Table("sources", "source", columns)


def _source_rows(sky: Sky, secret: bytes, split: int, scene: int, sources: Sources) -> dict[str, np.ndarray]:
    blended, snr = blendedness(sources, sky.width_arcsec)
    ids = generator(secret, "id source", split, scene).integers(2**62, size=len(sources))
    rows = {name: np.asarray(getattr(sources, name)) for name in _TRUTH}
    return rows | {
        "knots": np.stack([sources.knots.real, sources.knots.imag], axis=-1),
        "id": ids,
        "scene": np.full(len(sources), scene),
        "blendedness": blended,
        "snr": snr,
    }
