"""The light profiles that a renderer draws: every source taken apart into Sersic ellipses and points.

A galaxy is a disk, a bulge, and sometimes knots in its disk; a star is a point. A renderer need not know:
it is given a flat list of profiles, each with its place, shape and flux.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .morphology import DISK
from .sources import Sources

__all__ = ["Profiles", "profiles_of"]


@dataclass(frozen=True)
class Profiles:
    """Light profiles, a structure of arrays of length m.

    Attributes:
        source: index of the source that each belongs to.
        component: whether it is of the disk (0, knots too) or the bulge (1).
        x, y: centre, arcsec from the centre of the scene.
        half_light_arcsec: circularised half-light radius; 0 for a point.
        sersic_n: Sersic index; of no meaning for a point.
        e1, e2: ellipticity (1−q)/(1+q)·exp(2iφ).
        flux: (m, bands) nJy, bands in the order of their codes.
    """

    source: NDArray[np.int64]
    component: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    half_light_arcsec: NDArray[np.float64]
    sersic_n: NDArray[np.float64]
    e1: NDArray[np.float64]
    e2: NDArray[np.float64]
    flux: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: slice | np.ndarray) -> Profiles:
        return Profiles(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def profiles_of(sources: Sources) -> Profiles:
    """The profiles of sources: smooth components that shine, then knots; fluxes add up to the sources'."""
    flux = sources.component_flux.copy()
    knots = np.arange(sources.knots.shape[1]) < sources.n_knots[:, None]
    share = np.where(sources.n_knots > 0, sources.knot_fraction, 0.0)
    knot_flux = flux[:, DISK] * share[:, None]
    flux[:, DISK] -= knot_flux
    source, component = np.nonzero(flux.max(axis=2) > 0)
    owner, number = np.nonzero(knots & (share > 0)[:, None])
    offset = _laid_out(sources, owner, number)
    zero = np.zeros(len(owner))

    def both(smooth: np.ndarray, points: np.ndarray) -> np.ndarray:
        return np.concatenate([smooth, points])

    return Profiles(
        source=both(source, owner),
        component=both(component, np.full(len(owner), DISK)),
        x=both(sources.x[source], sources.x[owner] + offset.real),
        y=both(sources.y[source], sources.y[owner] + offset.imag),
        half_light_arcsec=both(sources.half_light_arcsec[source, component], zero),
        sersic_n=both(sources.sersic_n[source, component], zero),
        e1=both(sources.e1[source, component], zero),
        e2=both(sources.e2[source, component], zero),
        flux=both(flux[source, component], knot_flux[owner] / sources.n_knots[owner, None]),
    )


def _laid_out(sources: Sources, owner: np.ndarray, number: np.ndarray) -> NDArray[np.complex128]:
    """Offsets of knots from the centres of their disks, x + iy in arcsec.

    An ellipse of e is a circle under w → (w + e w*) / sqrt(1 − |e|²).
    """
    w = sources.knots[owner, number] * sources.half_light_arcsec[owner, DISK]
    e = sources.e1[owner, DISK] + 1j * sources.e2[owner, DISK]
    return (w + e * np.conj(w)) / np.sqrt(1 - np.abs(e) ** 2)
