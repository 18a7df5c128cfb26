"""The arrays of a shard as its scenes are made: each is allocated once, and nothing is copied together.

Memory is what limits a worker: with all visits of ten years, one scene has eight million pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .stream import Shard

__all__ = ["Filling"]


class Filling:
    """A `Shard` under way.

    Attributes:
        n_scenes, n_fields: that it will have.
        arrays: by path, with a leading dimension of scenes or of fields; there once the first of them is.
    """

    def __init__(self, n_scenes: int, n_fields: int) -> None:
        self.n_scenes, self.n_fields = n_scenes, n_fields
        self.arrays: dict[str, np.ndarray] = {}
        self._rows: dict[str, list[Mapping[str, np.ndarray]]] = {}

    def put_scene(self, place: int, group: str, values: Mapping[str, np.ndarray]) -> None:
        """Arrays of one scene, by name, at its place in the shard."""
        for name, value in values.items():
            self._put(self.n_scenes, place, f"{group}/{name}", value)

    def put_field(self, place: int, values: Mapping[str, np.ndarray]) -> None:
        """Arrays of one field with a leading dimension of one, by path, at its place in the shard."""
        for path, value in values.items():
            self._put(self.n_fields, place, path, value[0])

    def add_rows(self, table: str, columns: Mapping[str, np.ndarray]) -> None:
        """Rows of a table, after those that it has."""
        self._rows.setdefault(table, []).append(columns)

    def shard(self) -> Shard:
        """What has been filled in: the very arrays, not copies."""
        tables = {
            table: {name: np.concatenate([rows[name] for rows in parts]) for name in parts[0]}
            for table, parts in self._rows.items()
        }
        return Shard(self.arrays, tables)

    def _put(self, n: int, place: int, path: str, value: np.ndarray) -> None:
        if path not in self.arrays:
            self.arrays[path] = np.empty((n, *value.shape), value.dtype)
        elif self.arrays[path].dtype != value.dtype:
            raise ValueError(f"{path} is {value.dtype} here, {self.arrays[path].dtype} before")
        self.arrays[path][place] = value
