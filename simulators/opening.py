"""Finished stores as lazy xarray trees that tell which array is damaged where one is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from .layout import StoreError

__all__ = ["CheckedArray", "open_tree"]


class CheckedArray(BackendArray):
    """An array on disk whose damage, found when it is indexed, is told as that of a store.

    Attributes:
        variable: lazily opened.
        path: of the store.
        name: of the array in the store.
    """

    def __init__(self, variable: xarray.Variable, path: Path, name: str) -> None:
        self.variable, self.path, self.name = variable, path, name
        self.shape, self.dtype = variable.shape, variable.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        try:
            return self.variable[key].to_numpy()
        except (ValueError, RuntimeError) as error:  # of checksums and of codecs
            raise StoreError(
                f"{self.path} is damaged: a chunk of {self.name} can't be read ({type(error).__name__}: "
                f"{error}). Run `skysynergy verify` to find all that is damaged"
            ) from error


def open_tree(path: Path) -> xarray.DataTree:
    """The groups of the store at `path`; arrays are read where they are indexed, and kept once whole.

    Indexing raises a `StoreError` if what is read was damaged. Times are plain numbers.
    """
    tree = xarray.open_datatree(
        path, engine="zarr", consolidated=False, chunks=None, cache=False, decode_times=False
    )
    for node in tree.subtree:
        for name, variable in node.dataset.variables.items():
            if not isinstance(variable, xarray.IndexVariable):
                member = f"{node.path}/{name}".strip("/")
                lazy: Any = indexing.LazilyIndexedArray(CheckedArray(variable.copy(deep=False), path, member))
                variable.data = indexing.MemoryCachedArray(indexing.CopyOnWriteArray(lazy))  # pyright: ignore[reportArgumentType]
    return tree
