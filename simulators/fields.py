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
from .filling import Filling
from .observations import Observation, prepare
from .randomness import generator
from .realism import CLEAN
from .scene_transients import draw_in_scene, first_of_season, points_of
from .scenes import MARGIN_ARCSEC, draw_scene
from .seasons import season_visits
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
from .transient_rows import transient_rows

__all__ = ["draw_sources", "observe", "opaque_id", "simulate_field", "simulate_shard"]


def opaque_id(secret: bytes, kind: str, *indices: int) -> int:
    """A 62-bit number that says nothing about what it names."""
    return int(generator(secret, f"id {kind}", *indices).integers(2**62))


def observe(sky: Sky, secret: bytes, split: int, number: int) -> dict[str, Observation]:
    """The visits of a field and what they share, by name of the survey."""
    condensed = {b: 1 if SURVEYS[BANDS[b].survey].mission else sky.condensed for b in sky.visits}
    rng = generator(secret, "visits", split, number)
    if sky.transients is None:
        visits = sample_visits(rng, sky.visits, condensed=condensed)
    else:
        visits = season_visits(rng, sky.visits, condensed=sky.condensed, reference=sky.transients.reference)
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
    test: bool = False,
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
        test: whether transients are those of a test split.

    Returns:
        Arrays with a leading dimension of scenes or of one field, and tables.
    """
    return _simulated(
        sky, secret, split, [number], dither_key=dither_key, shear=shear, truth=truth, test=test
    )


def simulate_shard(
    shard: int,
    *,
    sky: Sky,
    secret: bytes,
    split: int,
    fields_per_shard: int,
    dither_key: bytes,
    test: bool = False,
) -> list[Shard]:
    """The fields of one shard, for the data store and for the truth store; arguments as `simulate_field`."""
    numbers = range(shard * fields_per_shard, min((shard + 1) * fields_per_shard, sky.n_fields))
    return list(_simulated(sky, secret, split, numbers, dither_key=dither_key, test=test))


def _simulated(
    sky: Sky,
    secret: bytes,
    split: int,
    numbers: Sequence[int],
    *,
    dither_key: bytes,
    shear: complex | None = None,
    truth: bool = True,
    test: bool = False,
) -> tuple[Shard, Shard]:
    """Fields, each scene written where it stays: a shard of ten years of visits leaves no room for a copy."""
    n = sky.scenes_per_field
    data, truths = Filling(n * len(numbers), len(numbers)), Filling(n * len(numbers), len(numbers))
    for place, number in enumerate(numbers):
        g = field_shear(sky, secret, split, number) if shear is None else shear
        observations = observe(sky, secret, split, number)
        for index in range(n):
            _add_scene(
                (data, truths),
                sky,
                secret,
                (split, number, number * n + index),
                place * n + index,
                observations,
                dither_key=dither_key,
                g=g,
                truth=truth,
                test=test,
            )
        identity = np.array([opaque_id(secret, "field", split, number)])
        data.put_field(place, {"fields/id": identity})
        true = {"fields/g1": np.array([g.real]), "fields/g2": np.array([g.imag])}
        truths.put_field(place, true | {"fields/id": identity})
        for observation in observations.values():
            data.put_field(place, visit_arrays(observation))
            if sky.realism != CLEAN:
                truths.put_field(place, calibration_arrays(observation))
    return data.shard(), truths.shard()


def _add_scene(
    into: tuple[Filling, Filling],
    sky: Sky,
    secret: bytes,
    indices: tuple[int, int, int],
    place: int,
    observations: Mapping[str, Observation],
    *,
    dither_key: bytes,
    g: complex,
    truth: bool,
    test: bool,
) -> None:
    """What one scene adds to the data and to the truth: split, field and scene, at a place in the shard."""
    data, truths = into
    split, number, scene = indices
    unsheared = draw_sources(sky, secret, split, scene)
    sources, shears = _lensed(sky, unsheared, g)
    placed = None
    if sky.transients is not None:
        placed = draw_in_scene(
            generator(secret, "scene transients", split, scene),
            sky.transients,
            unsheared,
            observations,
            width_arcsec=sky.width_arcsec,
            test=test,
        )
    points = {} if placed is None else points_of(placed, sources, shears)
    taken = {
        name: expose(
            sources,
            observation,
            width_arcsec=sky.width_arcsec,
            secret=secret,
            indices=indices,
            realism=sky.realism,
            drawn_by=sky.renderer,
            points=points.get(name),
        )
        for name, observation in observations.items()
    }
    identity = np.array(opaque_id(secret, "scene", split, scene))
    data.put_scene(place, "scenes", {"id": identity, "field": np.array(number)})
    for name, observation in observations.items():
        published = encoded(taken[name], observation, dither_key, scene)
        data.put_scene(place, observation.survey.group, published)
        if sky.realism != CLEAN:
            spoiled = pixel_truth(taken[name], published["mask"])
            truths.put_scene(place, observation.survey.group, spoiled)
    if truth:
        ids = _add_rows(into, sky, secret, split, scene, sources, shears, taken, observations)
        if placed is not None and sky.transients is not None:
            listed, true = transient_rows(
                placed,
                points,
                {name: exposures.points for name, exposures in taken.items()},
                id=generator(secret, "id transient", split, scene).integers(2**62, size=len(placed)),
                source_ids=ids,
                scene=scene,
                quiet_until=first_of_season(observations, sky.transients),
            )
            data.add_rows("alerts", listed)
            for table, rows in true.items():
                truths.add_rows(table, rows)


def _lensed(sky: Sky, drawn: Sources, g: complex) -> tuple[Sources, NDArray[np.complex128]]:
    """Sources under the shear of their field, and the shear of each."""
    strength = sky.lens.strength_at(drawn.z) if sky.lens else np.ones(len(drawn))
    shears: NDArray[np.complex128] = np.where(drawn.is_star, 0j, strength * g)
    # Isolated galaxies stay in their cells: +g and −g then share the noise under each.
    in_place = sky.content.arrangement == "isolated"
    return sheared(drawn, shears.real, shears.imag, in_place=in_place), shears


def _add_rows(
    into: tuple[Filling, Filling],
    sky: Sky,
    secret: bytes,
    split: int,
    scene: int,
    sources: Sources,
    shears: NDArray[np.complex128],
    taken: Mapping[str, Exposures],
    observations: Mapping[str, Observation],
) -> np.ndarray:
    """What one scene adds to the tables of the data and of the truth; the ids of its sources."""
    data, truth = into
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
    data.add_rows("detections", listed)
    truth.add_rows("detections", matched)
    truth.add_rows("sources", rows | of_sources)
    for name, observation in observations.items():
        truth.add_rows(observation.survey.group, exposure_rows(sources, taken[name], observation))
    return ids
