"""Finished stores as lazy xarray trees that tell which array is damaged where one is read."""

from __future__ import annotations

from typing import Any

import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from .layout import StoreError
from .places import Place

__all__ = ["CheckedArray", "open_tree"]


class CheckedArray(BackendArray):
    """An array on disk whose damage, found when it is indexed, is told as that of a store.

    Attributes:
        variable: lazily opened.
        place: of the store.
        name: of the array in the store.
    """

    def __init__(self, variable: xarray.Variable, place: Place, name: str) -> None:
        self.variable, self.place, self.name = variable, place, name
        self.shape, self.dtype = variable.shape, variable.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        try:
            return self.variable[key].to_numpy()
        except Exception as error:
            if told := self.place.told(error, f"reading {self.name}"):
                raise told from error
            if not isinstance(error, (ValueError, RuntimeError)):  # of checksums and of codecs
                raise
            raise StoreError(
                f"{self.place} is damaged: a chunk of {self.name} can't be read ({type(error).__name__}: "
                f"{error}). Run `skysynergy verify` to find all that is damaged"
            ) from error


def open_tree(place: Place) -> xarray.DataTree:
    """The groups of the store at a place; arrays are read where they are indexed, and kept once whole.

    Indexing raises a `StoreError` if what is read was damaged. Times are plain numbers.
    """
    tree = xarray.open_datatree(
        place.zarr(), engine="zarr", consolidated=False, chunks=None, cache=False, decode_times=False
    )
    for node in tree.subtree:
        for name, variable in node.dataset.variables.items():
            if not isinstance(variable, xarray.IndexVariable):
                member = f"{node.path}/{name}".strip("/")
                lazy: Any = indexing.LazilyIndexedArray(
                    CheckedArray(variable.copy(deep=False), place, member)
                )
                variable.data = indexing.MemoryCachedArray(indexing.CopyOnWriteArray(lazy))  # pyright: ignore[reportArgumentType]
    return tree
