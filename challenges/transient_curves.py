"""The dataset ``transients`` as methods see it: light curves from an opened store, as a track shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray

from .challenge import Track
from .light_curves import LightCurves

__all__ = ["TransientTrack", "batches", "light_curves"]

# Objects that are read at once: some tens of megabytes.
_AT_ONCE = 20_000


@dataclass(frozen=True)
class TransientTrack(Track):
    """A variant of the challenge: what is shown of light curves, and what may be learnt from.

    Attributes:
        redshift: whether p(z) of the host is shown.
        early: whether observations end early, at a moment that each object has of its own.
        spectroscopic: whether only objects that a follow-up programme would have classified have labels.
    """

    redshift: bool = False
    early: bool = False
    spectroscopic: bool = False


def light_curves(tree: xarray.DataTree, track: TransientTrack, which: slice | None = None) -> LightCurves:
    """Light curves of a split.

    Arguments:
        tree: an opened data store.
        track: what of it is shown.
        which: a slice of objects; all by default.
    """
    objects, observations = tree["objects"].to_dataset(), tree["observations"].to_dataset()
    which = slice(0, objects.sizes["object"]) if which is None else which
    row_size = objects["row_size"].to_numpy()
    ends = np.concatenate([[0], np.cumsum(row_size)])
    start, stop, _ = which.indices(len(row_size))
    seen = observations.isel(observation=slice(int(ends[start]), int(ends[stop])))
    its = objects.isel(object=slice(start, stop))
    curves = LightCurves.of(
        id=its["id"],
        row_size=row_size[start:stop],
        host_z=its["host_z"],
        host_spectrum=its["host_spectrum"],
        galactic_excess=its["galactic_excess"],
        **{name: seen[name].to_numpy() for name in ("mjd", "band", "flux", "error", "detected")},
    )
    if track.early:
        curves = curves.until(its["until"].to_numpy())
    if not track.redshift:
        curves = curves.without_host()
    return curves


def batches(tree: xarray.DataTree, track: TransientTrack, size: int = _AT_ONCE) -> Iterator[LightCurves]:
    """The light curves of a split in order, at most `size` objects at a time."""
    total = tree["objects/id"].shape[0]
    for start in range(0, total, size):
        yield light_curves(tree, track, slice(start, min(start + size, total)))
