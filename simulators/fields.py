"""Fields of scenes, each with its exposures and its truth: the stream that the stores are written from.

`simulate_field` makes any field of a `Sky` alone, from a secret and the field's number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cadence import sample_visits
from .exposures import Observation, expose, prepare
from .randomness import generator
from .scenes import draw_scene
from .sky import Sky, field_shear
from .sky_layout import encoded, exposure_rows, source_rows, visit_arrays
from .sources import Sources, rotated_90, sheared
from .stream import Shard
from .surveys import BANDS

__all__ = ["draw_sources", "observe", "opaque_id", "simulate_field", "simulate_shard"]


def opaque_id(secret: bytes, kind: str, *indices: int) -> int:
    """A 62-bit number that says nothing about what it names."""
    return int(generator(secret, f"id {kind}", *indices).integers(2**62))


def observe(sky: Sky, secret: bytes, split: int, number: int) -> dict[str, Observation]:
    """The visits of a field and what they share, by name of the survey."""
    condensed = {b: sky.condensed if BANDS[b].survey == "LSST" else 1 for b in sky.visits}
    visits = sample_visits(generator(secret, "visits", split, number), sky.visits, condensed=condensed)
    return prepare(secret, split, number, visits, chromatic=sky.chromatic)


def draw_sources(sky: Sky, secret: bytes, split: int, scene: int) -> Sources:
    """The sources of one scene, by its number in the split, before shear."""
    turned = sky.partners and scene % 2 == 1
    rng = generator(secret, "galaxies", split, scene - turned)
    sources = draw_scene(rng, sky.content, width_arcsec=sky.width_arcsec)
    return rotated_90(sources) if turned else sources


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
        in_place = sky.content.arrangement == "isolated"
        drawn = draw_sources(sky, secret, split, scene)
        strength = sky.lens.strength_at(drawn.z) if sky.lens else np.ones(len(drawn))
        shears: NDArray[np.complex128] = np.where(drawn.is_star, 0j, strength * g)
        sources = sheared(drawn, shears.real, shears.imag, in_place=in_place)
        for observation in observations.values():
            group = observation.survey.group
            indices = (split, number, scene)
            taken = expose(
                sources, observation, width_arcsec=sky.width_arcsec, secret=secret, indices=indices
            )
            for path, values in encoded(taken, observation, dither_key, scene).items():
                data.setdefault(f"{group}/{path}", []).append(values)
            if truth:
                tables.setdefault(group, []).append(exposure_rows(sources, taken, observation))
        if truth:
            ids = generator(secret, "id source", split, scene).integers(2**62, size=len(sources))
            tables.setdefault("sources", []).append(
                source_rows(sources, shears, ids, scene, sky.width_arcsec)
            )
    arrays = {path: np.stack(values) for path, values in data.items()}
    arrays["scenes/id"] = np.array([opaque_id(secret, "scene", split, first + i) for i in range(n)])
    arrays["scenes/field"] = np.full(n, number)
    arrays["fields/id"] = np.array([opaque_id(secret, "field", split, number)])
    for observation in observations.values():
        arrays |= visit_arrays(observation)
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
