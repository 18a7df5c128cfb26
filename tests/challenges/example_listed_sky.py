"""A split of made-up pixels with many detections, and exposures turned and flipped; nothing is simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skysynergy.challenges.datasets import Split
from skysynergy.simulators import sky_layout, store
from skysynergy.simulators.detections import LISTS
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.surveys import SURVEYS

SKY = Sky(6, 2, {"i": 2, "VIS": 1, "H": 1}, width_arcsec=9.6)
PIXEL = {survey.group: survey.pixel_arcsec for survey in SURVEYS.values()}


def write(home: Path) -> None:
    """12 scenes in 6 fields and 3 shards, as the split train of the tier ``tiny``."""
    rng = np.random.default_rng(3)
    split = Split("tiny", "train", home)
    split.data.parent.mkdir(parents=True)
    attributes = {"name": "sky", "tier": "tiny", "split": "train", "dither_key": "made up"}
    attributes["sky"] = SKY.describe()
    data, truth = sky_layout.layouts(SKY, scenes_per_shard=4, attributes=attributes)
    for path, layout in ((split.data, data), (split.truth, truth)):
        store.create(path, layout)
    fields = rng.integers(2**62, size=SKY.n_fields)
    for shard in range(data.n_shards):
        tables = _tables(rng, list(data.scenes(shard)), data, truth)
        for path, layout, rows in ((split.data, data, tables[0]), (split.truth, truth, tables[1])):
            arrays = {}
            for array in layout.arrays:
                entries = layout.entries(array.dims[0], shard)
                values = _values(rng, array.path, (len(entries), *array.shape[1:]))
                if array.path == "scenes/field":
                    values = np.array(entries) // SKY.scenes_per_field
                elif array.path == "fields/id":
                    values = fields[entries.start : entries.stop]
                arrays[array.path] = values.astype(array.dtype)
            store.write_shard(path, shard, arrays, rows)
    for path in (split.data, split.truth):
        store.finish(path)


def _values(rng, path, shape):
    group, _, name = path.partition("/")
    if name == "image":
        return rng.integers(-32767, 32768, shape)
    if name == "mask":
        return np.where(rng.random(shape) < 0.05, 16, 0)
    if name == "id":
        return rng.integers(2**62, size=shape)
    if name == "wcs":
        angle = rng.uniform(0, 2 * np.pi, shape[:2])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / PIXEL[group]
        turn[0] *= rng.choice([-1, 1], shape[:2])
        shift = round(SKY.width_arcsec / PIXEL[group]) / 2 - 0.5 + rng.uniform(-0.5, 0.5, (2, *shape[:2]))
        return np.moveaxis(np.concatenate([turn, shift[:, None]], axis=1), (0, 1), (2, 3))
    return rng.uniform(0.5, 1.5, shape)


def _tables(rng, scenes, data, truth):
    """Rows of both stores. Of the detections a fifth have nothing behind them; one scene has none."""
    sources = {scene: rng.integers(2**62, size=rng.integers(3, 9)) for scene in scenes}
    ids = np.concatenate(list(sources.values()))
    of_scene = np.repeat(scenes, [len(each) for each in sources.values()])
    number = {scene: 0 if scene == 5 else int(rng.integers(1, 8)) for scene in scenes}
    rows = [(scene, code) for scene in scenes for code in LISTS.values() for _ in range(number[scene])]
    scene, code = np.array(rows).T
    behind = np.array([rng.choice(sources[k]) if rng.random() > 0.2 else -1 for k in scene])
    made = [], []
    for store_rows, layout in zip(made, (data, truth), strict=True):
        for table in layout.tables:
            n = len(rows) if table.path == "detections" else len(ids)
            columns = {}
            for name, column in table.columns.items():
                values = rng.uniform(-4.8, 4.8, (n, *column.shape))
                columns[name] = (values * 5).astype(column.dtype) if column.dtype != "float64" else values
            store_rows.append((table.path, columns))
    data_rows, truth_rows = (dict(rows) for rows in made)
    detection = rng.integers(2**62, size=len(rows))
    data_rows["detections"] |= {"id": detection, "scene": scene, "list": code.astype(np.uint8)}
    truth_rows["detections"] |= {"id": detection, "source": behind}
    for name in ("z", "blendedness"):
        truth_rows["detections"][name][behind < 0] = np.nan
    truth_rows["sources"] |= {"id": ids, "scene": of_scene}
    return data_rows, truth_rows
