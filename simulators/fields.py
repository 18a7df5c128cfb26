"""Fields of scenes, each with its exposures and its truth: the stream that the stores are written from.

`simulate_field` makes any field of a `Sky` alone, from a secret and the field's number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .cadence import sample_visits
from .detections import detection_rows
from .exposures import Exposures, expose
from .observations import Observation, prepare
from .randomness import generator
from .realism import CLEAN
from .scenes import MARGIN_ARCSEC, draw_scene
from .sky import Sky, field_shear
from .sky_layout import (
    calibration_arrays,
    encoded,
    exposure_rows,
    pixel_truth,
    source_rows,
    visit_arrays,
)
from .sources import Sources, rotated_90, sheared
from .stream import Shard
from .surveys import BANDS, SURVEYS

__all__ = ["draw_sources", "observe", "opaque_id", "simulate_field", "simulate_shard"]

Rows = dict[str, list[dict[str, np.ndarray]]]


def opaque_id(secret: bytes, kind: str, *indices: int) -> int:
    """A 62-bit number that says nothing about what it names."""
    return int(generator(secret, f"id {kind}", *indices).integers(2**62))


def observe(sky: Sky, secret: bytes, split: int, number: int) -> dict[str, Observation]:
    """The visits of a field and what they share, by name of the survey."""
    condensed = {b: 1 if SURVEYS[BANDS[b].survey].mission else sky.condensed for b in sky.visits}
    visits = sample_visits(generator(secret, "visits", split, number), sky.visits, condensed=condensed)
    return prepare(secret, split, number, visits, chromatic=sky.chromatic, realism=sky.realism)


def draw_sources(sky: Sky, secret: bytes, split: int, scene: int) -> Sources:
    """The sources of one scene, by its number in the split, before shear."""
    turned = sky.partners and scene % 2 == 1
    rng = generator(secret, "galaxies", split, scene - turned)
    # An exposure that lies askew sees the sky beyond the corners.
    beyond = (np.sqrt(2) - 1) / 2 * sky.width_arcsec if sky.realism.rotation else 0.0
    sources = draw_scene(
        rng, sky.content, width_arcsec=sky.width_arcsec, margin_arcsec=MARGIN_ARCSEC + beyond
    )
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
) -> tuple[Shard, Shard]:
    """One field: its part of the data store and of the truth store.

    Arguments:
        sky: what to simulate.
        secret: keys every random number.
        split, number: which field of which split.
        dither_key: public key of the quantisation.
        shear: g1 + i·g2 in place of the field's own; everything else stays the same, noise
            included (the harness draws matched pairs with +g and −g).
        truth: whether to detect, to measure blendedness and to fill the tables.

    Returns:
        Arrays with a leading dimension of scenes or of one field, and tables.
    """
    g = field_shear(sky, secret, split, number) if shear is None else shear
    observations = observe(sky, secret, split, number)
    n = sky.scenes_per_field
    first = number * n
    images: dict[str, list[np.ndarray]] = {}
    spoiled: dict[str, list[np.ndarray]] = {}
    tables: tuple[Rows, Rows] = ({}, {})
    for scene in range(first, first + n):
        sources, shears = _lensed(sky, draw_sources(sky, secret, split, scene), g)
        taken = {
            name: expose(
                sources,
                observation,
                width_arcsec=sky.width_arcsec,
                secret=secret,
                indices=(split, number, scene),
                realism=sky.realism,
                drawn_by=sky.renderer,
            )
            for name, observation in observations.items()
        }
        for name, observation in observations.items():
            published = encoded(taken[name], observation, dither_key, scene)
            _gather(images, observation.survey.group, published)
            if sky.realism != CLEAN:
                _gather(spoiled, observation.survey.group, pixel_truth(taken[name], published["mask"]))
        if truth:
            _add_rows(tables, sky, secret, split, scene, sources, shears, taken, observations)
    arrays = {path: np.stack(values) for path, values in images.items()}
    arrays["scenes/id"] = np.array([opaque_id(secret, "scene", split, first + i) for i in range(n)])
    arrays["scenes/field"] = np.full(n, number)
    arrays["fields/id"] = np.array([opaque_id(secret, "field", split, number)])
    for observation in observations.values():
        arrays |= visit_arrays(observation)
    truths = {
        "fields/id": arrays["fields/id"],
        "fields/g1": np.array([g.real]),
        "fields/g2": np.array([g.imag]),
    } | {path: np.stack(values) for path, values in spoiled.items()}
    if sky.realism != CLEAN:
        for observation in observations.values():
            truths |= calibration_arrays(observation)
    data_table, truth_tables = ({path: _concatenated(rows) for path, rows in each.items()} for each in tables)
    return Shard(arrays, data_table), Shard(truths, truth_tables)


def simulate_shard(
    shard: int, *, sky: Sky, secret: bytes, split: int, fields_per_shard: int, dither_key: bytes
) -> list[Shard]:
    """The fields of one shard, for the data store and for the truth store."""
    numbers = range(shard * fields_per_shard, min((shard + 1) * fields_per_shard, sky.n_fields))
    made = [simulate_field(sky, secret, split, number, dither_key=dither_key) for number in numbers]
    return [
        Shard(
            _concatenated([part.arrays for part in parts]),
            {path: _concatenated([part.tables[path] for part in parts]) for path in parts[0].tables},
        )
        for parts in zip(*made, strict=True)
    ]


def _lensed(sky: Sky, drawn: Sources, g: complex) -> tuple[Sources, NDArray[np.complex128]]:
    """Sources under the shear of their field, and the shear of each."""
    strength = sky.lens.strength_at(drawn.z) if sky.lens else np.ones(len(drawn))
    shears: NDArray[np.complex128] = np.where(drawn.is_star, 0j, strength * g)
    # Isolated galaxies stay in their cells: +g and −g then share the noise under each.
    in_place = sky.content.arrangement == "isolated"
    return sheared(drawn, shears.real, shears.imag, in_place=in_place), shears


def _add_rows(
    tables: tuple[Rows, Rows],
    sky: Sky,
    secret: bytes,
    split: int,
    scene: int,
    sources: Sources,
    shears: NDArray[np.complex128],
    taken: Mapping[str, Exposures],
    observations: Mapping[str, Observation],
) -> None:
    """What one scene adds to the tables of the data and of the truth."""
    data, truth = tables
    ids = generator(secret, "id source", split, scene).integers(2**62, size=len(sources))
    rows = source_rows(sources, shears, ids, scene, sky)
    listed, matched, of_sources = detection_rows(
        sources,
        taken,
        observations,
        source_ids=ids,
        blendedness=rows["blendedness"],
        secret=secret,
        split=split,
        scene=scene,
    )
    data.setdefault("detections", []).append(listed)
    truth.setdefault("detections", []).append(matched)
    truth.setdefault("sources", []).append(rows | of_sources)
    for name, observation in observations.items():
        rows = exposure_rows(sources, taken[name], observation)
        truth.setdefault(observation.survey.group, []).append(rows)


def _gather(into: dict[str, list[np.ndarray]], group: str, arrays: Mapping[str, np.ndarray]) -> None:
    for name, values in arrays.items():
        into.setdefault(f"{group}/{name}", []).append(values)


def _concatenated(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
