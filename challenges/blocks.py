"""Blocks of items read from the stores of a split: each range of scenes at a stretch, decoded into place."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import zarr

from ..simulators.detections import LISTS
from ..simulators.hierarchy import open_root
from ..simulators.layout import StoreError
from ..simulators.quantisation import decode, dithers
from ..simulators.shards import Request, ShardReader
from ..simulators.storage import Where, place_at
from ..simulators.surveys import SURVEYS, Survey
from . import stamps
from .batches import ITEM, Batch, SurveyBatch
from .epochs import Block, Plan

__all__ = ["BlockReader", "Recipe", "item_bytes", "known_targets", "open_reader"]

_PIXELS = ("image", "mask")
_SCENE_ARRAYS = ("step", "sky_variance", "read_variance", "wcs")
_FIELD_ARRAYS = ("psf", "electron", "mjd", "fwhm", "m5", "airmass")
_LISTED = ("id", "list", "x", "y", "snr")


def open_reader(where: Where) -> ShardReader:
    """What reads the store at a path or URL."""
    place = place_at(where)
    return ShardReader(open_root(place), place)


@dataclass(frozen=True, eq=False)
class Recipe:
    """What the blocks of a loader hold, and where it lies; it can be sent to another process.

    Attributes:
        data, truth: where the stores lie; no truth if there are no targets.
        plan: of the order.
        by: ``scene`` or ``detection``.
        listed: the list of detections.
        surveys: their names.
        targets: their names, as `known_targets` has them.
        stamp_arcsec: width of the stamps around detections.
        psf: whether PSFs are given.
        spurious: whether detections with nothing behind them are items, too.
        rows: (scene + 1,) first row of each scene, by name of the table.
    """

    data: Any
    truth: Any
    plan: Plan
    by: str
    listed: str
    surveys: tuple[str, ...]
    targets: tuple[str, ...]
    stamp_arcsec: float
    psf: bool
    spurious: bool
    rows: Mapping[str, np.ndarray]


def known_targets(truth: zarr.Group, by: str) -> list[str]:
    """The targets that a truth store has for scenes or for detections."""
    tables: dict[str, Any] = {name: truth[name] for name in ("sources", "detections")}
    columns = {name: sorted(table.array_keys()) for name, table in tables.items()}
    if by == "scene":
        return ["g1", "g2", *(f"sources/{name}" for name in columns["sources"] if name != "scene")]
    of_sources = [name for name in columns["sources"] if name not in ("id", "scene")]
    return list(dict.fromkeys([name for name in columns["detections"] if name != "id"] + of_sources))


def item_bytes(reader: ShardReader, surveys: Sequence[str], by: str, stamp_arcsec: float) -> int:
    """Bytes of the images and masks of one item."""
    total = 0
    for name in surveys:
        _, exposures, *size = reader.array(f"{SURVEYS[name].group}/image").shape
        if by == "detection":
            size = [stamps.stamp_pixels(stamp_arcsec, SURVEYS[name].pixel_arcsec)] * 2
        total += exposures * size[0] * size[1] * (4 + 1)
    return total


class BlockReader:
    """Reads the blocks of a recipe. Keeps the stores open, and what is small of them in memory."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.data = open_reader(recipe.data)
        self.truth = open_reader(recipe.truth) if recipe.targets else None
        attributes: Any = self.data.root.attrs
        self._key = str(attributes["dither_key"]).encode()
        self._rooms: dict[str, list[tuple[np.ndarray, weakref.ref[np.ndarray]]]] = {}
        self._bands = {name: np.asarray(self._band(name)[...]) for name in recipe.surveys}

    def _band(self, survey: str) -> zarr.Array:
        return self.data.array(f"{SURVEYS[survey].group}/band")

    def read(self, block: Block) -> Batch:
        """All items of a block, in the order in which batches are cut from them.

        Raises:
            StoreError: naming the store and the array, if what is read is damaged.
        """
        recipe, plan = self.recipe, self.recipe.plan
        n, order = block.n_items, plan.order(block)
        out: dict[str, np.ndarray] = {}
        scene = np.empty(n, np.int64)
        field = np.empty(n, np.int64)
        waiting, begin = [], 0
        for start, stop in block.pieces:
            items = np.arange(start, stop)
            of_items = np.searchsorted(plan.offsets, items, "right") - 1
            place = order[begin : begin + len(items)]
            begin += len(items)
            first, last = int(of_items[0]), int(of_items[-1]) + 1
            scene[place] = of_items
            field[place] = self.data.read([("scenes/field", first, last)])[0][of_items - first]
            waiting.append((first, last, items, of_items, place))
        fields, rows = np.unique(field, return_inverse=True)
        for first, last, items, of_items, place in waiting:
            if recipe.by == "scene":
                _put(out, "id", place, n, self.data.read([("scenes/id", first, last)])[0])
            else:
                self._detections(out, first, last, items, place, n)
            self._pixels(out, first, last, of_items, place, n)
        self._shared(out, fields)
        if recipe.by == "scene":
            self._scene_targets(out, scene, fields, rows)
        return self._batch(out, scene, field, rows)

    def _pixels(
        self, out: dict[str, np.ndarray], first: int, last: int, scenes: np.ndarray, place: np.ndarray, n: int
    ) -> None:
        """Put the exposures of the scenes from `first` to `last` where their items go."""
        for name in self.recipe.surveys:
            group = SURVEYS[name].group
            pixels = self.data.entries([(f"{group}/{array}", first, last) for array in _PIXELS])
            requests: list[Request] = [(f"{group}/{array}", first, last) for array in _SCENE_ARRAYS]
            read = dict(zip(_SCENE_ARRAYS, self.data.read(requests), strict=True))
            one = scenes - first
            for array in ("sky_variance", "read_variance"):
                _put(out, f"{group}/{array}", place, n, read[array][one].astype(np.float32))
            if self.recipe.by == "scene":
                _put(out, f"{group}/wcs", place, n, read["wcs"].astype(np.float32))
                self._whole_scenes(
                    out, SURVEYS[name], first, zip(*pixels, read["step"], strict=True), place, n
                )
            else:
                self._stamps(
                    out,
                    SURVEYS[name],
                    first,
                    zip(*pixels, read["step"], read["wcs"], strict=True),
                    one,
                    place,
                    n,
                )

    def _whole_scenes(
        self,
        out: dict[str, np.ndarray],
        survey: Survey,
        first: int,
        read: Iterable[tuple[np.ndarray, ...]],
        place: np.ndarray,
        n: int,
    ) -> None:
        for k, (codes, mask, step) in enumerate(read):
            images = self._room(out, f"{survey.group}/image", (n, *codes.shape), np.float32)
            masks = self._room(out, f"{survey.group}/mask", (n, *codes.shape), np.uint8)
            self._decode(survey, first + k, codes, step, images[place[k]])
            masks[place[k]] = mask

    def _stamps(
        self,
        out: dict[str, np.ndarray],
        survey: Survey,
        first: int,
        read: Iterable[tuple[np.ndarray, ...]],
        one: np.ndarray,
        place: np.ndarray,
        n: int,
    ) -> None:
        group = survey.group
        size = stamps.stamp_pixels(self.recipe.stamp_arcsec, survey.pixel_arcsec)
        shape = self.data.array(f"{group}/image").shape[1:]
        image, mask = stamps.padded(shape, size)
        inside = (slice(None), slice(size, -size), slice(size, -size))
        images = self._room(out, f"{group}/image", (n, shape[0], size, size), np.float32)
        masks = self._room(out, f"{group}/mask", (n, shape[0], size, size), np.uint8)
        for k, (codes, flags, step, wcs) in enumerate(read):
            mine = place[one == k]
            if not len(mine):
                continue
            self._decode(survey, first + k, codes, step, image[inside])
            mask[inside] = flags
            corner, position = stamps.corners(wcs, out["x"][mine], out["y"][mine], size)
            images[mine] = stamps.cut(image, corner, size)
            masks[mine] = stamps.cut(mask, corner, size)
            _put(out, f"{group}/wcs", mine, n, stamps.shifted(wcs, corner, position).astype(np.float32))

    def _room(self, out: dict[str, np.ndarray], name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Where much of a block goes: the memory of an earlier one, if nobody holds any of it any more.

        Fresh memory has to be cleared by the system first, which takes as long as to decode into it.
        One array over it is handed out; every tensor that shares the memory keeps that very array alive.
        """
        if name not in out:
            size = math.prod(shape) * np.dtype(dtype).itemsize
            rooms = self._rooms.setdefault(name, [])
            free = [k for k, (room, lent) in enumerate(rooms) if lent() is None and room.nbytes >= size]
            room = rooms.pop(free[0])[0] if free else np.empty(size, np.uint8)
            out[name] = room[:size].view(dtype).reshape(shape)
            self._rooms[name] = [*rooms[-1:], (room, weakref.ref(out[name]))]
        return out[name]

    def _decode(
        self, survey: Survey, scene: int, codes: np.ndarray, step: np.ndarray, out: np.ndarray
    ) -> None:
        size = (codes.shape[1], codes.shape[2])
        pattern = dithers(self._key, survey.group, scene, range(len(codes)), size)
        decode(codes, step, pattern, out)

    def _shared(self, out: dict[str, np.ndarray], fields: np.ndarray) -> None:
        """Put what the scenes of each field share, for these fields in their order."""
        arrays = _FIELD_ARRAYS if self.recipe.psf else _FIELD_ARRAYS[1:]
        names = [f"{SURVEYS[name].group}/{array}" for name in self.recipe.surveys for array in arrays]
        rooms = []
        for name in names:
            array = self.data.array(name)
            rooms.append(self._room(out, name, (len(fields), *array.shape[1:]), array.dtype))
        for rows in np.split(np.arange(len(fields)), np.flatnonzero(np.diff(fields) != 1) + 1):
            first, last = int(fields[rows[0]]), int(fields[rows[-1]]) + 1
            into = [room[rows[0] : rows[-1] + 1] for room in rooms]
            self.data.read([(name, first, last) for name in names], into)

    def _detections(
        self, out: dict[str, np.ndarray], first: int, last: int, items: np.ndarray, place: np.ndarray, n: int
    ) -> None:
        """Put places and targets of the detections among these items where they go."""
        recipe, offsets = self.recipe, self.recipe.plan.offsets
        start, stop = (int(recipe.rows["detections"][k]) for k in (first, last))
        names = [f"detections/{name}" for name in _LISTED]
        listed = dict(zip(_LISTED, self.data.read([(name, start, stop) for name in names]), strict=True))
        keep = listed["list"] == LISTS[recipe.listed]
        truths: dict[str, np.ndarray] = {}
        if self.truth is not None:
            truths = self._detection_truths(self.truth, first, last, start, stop)
            if not np.array_equal(truths.pop("id"), listed["id"]):
                raise StoreError(
                    f"the detections of {recipe.truth} are not those of {recipe.data}: simulate or download "
                    "both again"
                )
            if not recipe.spurious:
                keep &= truths["source"] >= 0
        chosen = np.flatnonzero(keep)[items - offsets[first]]
        for name in ("id", "x", "y", "snr"):
            _put(out, name, place, n, listed[name][chosen])
        for name in recipe.targets:
            _put(out, f"targets {name}", place, n, _compact(truths[name][chosen]))

    def _detection_truths(
        self, truth: ShardReader, first: int, last: int, start: int, stop: int
    ) -> dict[str, np.ndarray]:
        """What the truth tells of the detections of some scenes, and of their dominant sources, by column."""
        table: Any = truth.root["detections"]
        own = [name for name in dict.fromkeys(["id", "source", *self.recipe.targets]) if name in table]
        columns = truth.read([(f"detections/{name}", start, stop) for name in own])
        found = dict(zip(own, columns, strict=True))
        others = [name for name in self.recipe.targets if name not in found]
        if others:
            low, high = (int(self.recipe.rows["sources"][k]) for k in (first, last))
            ids, *values = truth.read([(f"sources/{name}", low, high) for name in ["id", *others]])
            there = found["source"] >= 0
            if not np.isin(found["source"][there], ids).all():
                raise StoreError(
                    f"{self.recipe.truth} lacks sources that its detections name: make or download it again"
                )
            order = np.argsort(ids)
            at = order[np.searchsorted(ids, found["source"][there], sorter=order)]
            for name, column in zip(others, values, strict=True):
                unknown = np.nan if column.dtype.kind == "f" else -1
                found[name] = np.full((len(there), *column.shape[1:]), unknown, column.dtype)
                found[name][there] = column[at]
        return found

    def _scene_targets(
        self, out: dict[str, np.ndarray], scene: np.ndarray, fields: np.ndarray, rows: np.ndarray
    ) -> None:
        """Put shears, and the sources of each scene, in the order of the items."""
        if self.truth is None:
            return
        for name in self.recipe.targets:
            if not name.startswith("sources/"):
                read = [self.truth.read([(f"fields/{name}", int(f), int(f) + 1)])[0] for f in fields]
                out[f"targets {name}"] = _compact(np.concatenate(read)[rows])
        tables = [name for name in self.recipe.targets if name.startswith("sources/")]
        if not tables:
            return
        first = self.recipe.rows["sources"]
        order = np.argsort(scene)
        runs = np.split(order, np.flatnonzero(np.diff(scene[order]) != 1) + 1)
        starts = np.empty(len(scene), np.int64)
        counts = first[scene + 1] - first[scene]
        begin, requests = 0, []
        for run in runs:  # of scenes that follow each other
            low, high = int(first[scene[run[0]]]), int(first[scene[run[-1]] + 1])
            starts[run] = first[scene[run]] - low + begin
            begin += high - low
            requests.append((low, high))
        total = int(counts.sum())
        before = np.cumsum(counts) - counts
        source = np.repeat(starts - before, counts) + np.arange(total)
        out[f"targets {ITEM}"] = np.repeat(np.arange(len(scene)), counts)
        for name in tables:
            parts = self.truth.read([(name, low, high) for low, high in requests])
            out[f"targets {name}"] = _compact(np.concatenate(parts)[source])

    def _batch(
        self, out: dict[str, np.ndarray], scene: np.ndarray, field: np.ndarray, rows: np.ndarray
    ) -> Batch:
        surveys = {}
        for name in self.recipe.surveys:
            survey = SURVEYS[name]
            exposures = len(self._bands[name])
            members = {
                array: out.get(
                    f"{survey.group}/{array}", np.empty((rows.max() + 1, exposures, 0, 0), np.float32)
                )
                for array in (*_PIXELS, *_SCENE_ARRAYS, *_FIELD_ARRAYS)
                if array != "step"
            }
            for array in ("electron", "fwhm", "m5", "airmass"):
                members[array] = members[array].astype(np.float32)
            surveys[name] = SurveyBatch(
                survey=name,
                pixel_arcsec=survey.pixel_arcsec,
                psf_pixel_arcsec=survey.pixel_arcsec / survey.psf_oversampling,
                band=torch.from_numpy(self._bands[name].astype(np.int64)),
                field=torch.from_numpy(rows),
                **{array: torch.from_numpy(values) for array, values in members.items()},
            )
        places = ("x", "y", "snr") if self.recipe.by == "detection" else ()
        return Batch(
            id=torch.from_numpy(out["id"]),
            scene=torch.from_numpy(scene),
            field=torch.from_numpy(field),
            surveys=surveys,
            detections={name: torch.from_numpy(out[name].astype(np.float32)) for name in places},
            targets={
                name.removeprefix("targets "): torch.from_numpy(values)
                for name, values in out.items()
                if name.startswith("targets ")
            },
        )


def _put(out: dict[str, np.ndarray], name: str, place: np.ndarray, n: int, values: np.ndarray) -> None:
    if name not in out:
        out[name] = np.empty((n, *values.shape[1:]), values.dtype)
    out[name][place] = values


def _compact(values: np.ndarray) -> np.ndarray:
    """Numbers as a network takes them: float32 instead of float64."""
    return values.astype(np.float32) if values.dtype == np.float64 else values
