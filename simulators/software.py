"""The versions of everything that decides which numbers are drawn."""

from __future__ import annotations

import functools
import importlib.metadata

__all__ = ["LOCKED", "lock"]

LOCKED = ("numpy", "scipy", "torch", "galsim", "astropy", "speclite", "zarr", "numcodecs")


@functools.cache
def lock() -> str:
    """The versions of these packages, one ``name==version`` a line."""
    return "\n".join(f"{name}=={importlib.metadata.version(name)}" for name in LOCKED)
