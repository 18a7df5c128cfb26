"""Light curves that are none: a classifier that knows what it does not know is less sure of them.

Four kinds, after those of SuperNNova (Möller & de Boissière 2020, MNRAS 491, 4277, and its public code):
each keeps the cadence, the bands and the host of the curves given, so that nothing but the fluxes tells.
They are for tests alone: a method that is taught them is tested on what it was taught, and the figure says
nothing about what else it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..simulators.lightcurves import DETECTION
from .light_curves import LightCurves

__all__ = [
    "BROKEN",
    "PERIOD_DAYS",
    "broken_curves",
    "random_fluxes",
    "reversed_times",
    "shuffled_fluxes",
    "sines",
]

PERIOD_DAYS = 30.0
"""Of the periodic fluxes, as in SuperNNova's code."""


def random_fluxes(curves: LightCurves, rng: np.random.Generator) -> LightCurves:
    """Fluxes and errors drawn evenly between the least and the largest of each transient.

    SuperNNova's code draws between the limits of the curve too, in all bands together.
    """
    low, high = _limits(curves, curves.flux)
    least, most = _limits(curves, curves.error)
    owner = curves.owner
    flux = low[owner] + (high - low)[owner] * rng.random(owner.size)
    error = least[owner] + (most - least)[owner] * rng.random(owner.size)
    return _with(curves, flux, error)


def reversed_times(curves: LightCurves, rng: np.random.Generator) -> LightCurves:
    """Time runs backwards: all observations mirrored about the middle of each transient's time.

    What is detected stays detected. Nothing is drawn at random.
    """
    del rng
    low, high = _limits(curves, curves.mjd)
    owner = curves.owner
    mirrored = (low + high)[owner] - curves.mjd
    # Stable, so that simultaneous observations keep their order.
    order = np.lexsort((mirrored, owner))
    changes = {name: getattr(curves, name)[order] for name in ("band", "flux", "error", "detected")}
    return replace(curves, mjd=mirrored[order], **changes)


def shuffled_fluxes(curves: LightCurves, rng: np.random.Generator) -> LightCurves:
    """The measurements of each transient (band, flux, error, detected) in random order over its times."""
    owner = curves.owner
    order = np.lexsort((rng.random(owner.size), owner))
    changes = {name: getattr(curves, name)[order] for name in ("band", "flux", "error", "detected")}
    return replace(curves, **changes)


def sines(curves: LightCurves, rng: np.random.Generator) -> LightCurves:
    """Fluxes that go up and down with `PERIOD_DAYS`, as high as the brightest of each transient, with noise.

    The phase of each transient is random. SuperNNova's code starts all at zero, without noise of the flux.
    """
    _, high = _limits(curves, curves.flux)
    owner = curves.owner
    phase = rng.random(len(curves))[owner] + curves.mjd / PERIOD_DAYS
    flux = high[owner] * np.sin(2 * np.pi * phase) + curves.error * rng.standard_normal(owner.size)
    return _with(curves, flux, curves.error)


BROKEN: Mapping[str, Callable[[LightCurves, np.random.Generator], LightCurves]] = {
    "random": random_fluxes,
    "reverse": reversed_times,
    "shuffle": shuffled_fluxes,
    "sin": sines,
}
"""Kind of broken input -> what makes it of light curves."""


def broken_curves(curves: LightCurves, rng: np.random.Generator) -> dict[str, LightCurves]:
    """Every kind of broken input, made of the same transients, in their order."""
    return {kind: breaks(curves, rng) for kind, breaks in BROKEN.items()}


def _limits(curves: LightCurves, values: NDArray) -> tuple[NDArray, NDArray]:
    """(n,) the least and the largest value of each transient; zero for one without observations."""
    low, high = np.zeros((2, len(curves)))
    seen = curves.row_size > 0
    if seen.any():
        starts = curves.ends[:-1][seen]
        low[seen] = np.minimum.reduceat(values, starts)
        high[seen] = np.maximum.reduceat(values, starts)
    return low, high


def _with(curves: LightCurves, flux: NDArray, error: NDArray) -> LightCurves:
    detected = flux > DETECTION * error
    # A curve without any detection is no question to a classifier: its highest point counts as one.
    none = np.bincount(curves.owner[detected], minlength=len(curves)) == 0
    order = np.lexsort((flux / error, curves.owner))
    last = curves.ends[1:][none & (curves.row_size > 0)] - 1
    detected[order[last]] = True
    return replace(curves, flux=flux.astype(np.float32), error=error.astype(np.float32), detected=detected)
