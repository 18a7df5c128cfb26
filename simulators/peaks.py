"""Peaks of an image that stand out from their surroundings by more than the noise explains.

Pixels above a floor that touch are a footprint. Within it every pixel belongs to the peak
that the steepest way up leads to; going down from the top, two peaks meet at a saddle, and the
lower one is kept if it stands far enough above it (topological persistence: Edelsbrunner, Letscher
& Zomorodian 2002, Discrete Comput. Geom. 28, 511). A fixed contrast, as multi-threshold deblenders
have, would split the noise on a bright galaxy or leave two faint ones together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

__all__ = ["Peaks", "find_peaks"]

_AROUND = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])


@dataclass(frozen=True)
class Peaks:
    """What was found, highest first.

    Attributes:
        x, y: (n,) pixels, to a fraction of one.
        height: (n,) value of the image at the highest pixel.
        footprint: (n,) label of the footprint that holds the peak.
        segment: (ny, nx) number of the peak that each pixel belongs to; -1 below the floor and where
            no peak reaches the threshold.
    """

    x: np.ndarray
    y: np.ndarray
    height: np.ndarray
    footprint: np.ndarray
    segment: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


def find_peaks(
    image: np.ndarray, *, threshold: float, floor: float, prominence: float, contrast: float
) -> Peaks:
    """Peaks above a threshold, split where the saddle between them is deep enough.

    Arguments:
        image: (ny, nx), in units of its noise.
        threshold: lowest peak.
        floor: lowest pixel of a footprint, at most the threshold. Lower down, noise on the outskirts of
            a galaxy is seen to be a part of it.
        prominence: of two peaks that share a footprint the lower is kept if it rises above the
            saddle by this much...
        contrast: ... and by this fraction of the saddle, because light has noise too and
            galaxies have arms.

    Raises:
        ValueError: if the image is not finite and two-dimensional, the floor is not positive or above
            the threshold, or prominence or contrast are negative.
    """
    image = np.asarray(image, dtype=float)
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"peaks are sought in a finite image of two axes, not in one of shape {image.shape}")
    if not 0 < floor <= threshold or not prominence >= 0 or not contrast >= 0:
        raise ValueError(
            f"a floor of {floor} must be positive and at most the threshold of {threshold}; "
            f"prominence {prominence} and contrast {contrast} must not be negative"
        )
    above = image > floor
    # What is below is never the way up, and no pixel looks beyond the edge.
    padded = np.pad(np.where(above, image, -np.inf), 1, constant_values=-np.inf)
    summit = _summits(padded)
    tops = np.unique(summit[padded > -np.inf])
    kept = _kept(padded, summit, tops, prominence, contrast)
    heights = padded.ravel()[tops]
    chosen = np.flatnonzero((kept == np.arange(len(tops))) & (heights > threshold))
    chosen = chosen[np.argsort(-heights[chosen], kind="stable")]
    number = np.full(len(tops), -1)
    number[chosen] = np.arange(len(chosen))
    segment = np.full(padded.shape, -1)
    inside = padded > -np.inf
    segment[inside] = number[kept[np.searchsorted(tops, summit[inside])]]
    y, x = np.unravel_index(tops[chosen], padded.shape)
    footprints: Any = ndimage.label(above, np.ones((3, 3)))
    dx, dy = _vertex(image, x - 1, y - 1)
    return Peaks(
        x=np.clip(x - 1 + dx, 0, image.shape[1] - 1),
        y=np.clip(y - 1 + dy, 0, image.shape[0] - 1),
        height=heights[chosen],
        footprint=footprints[0][y - 1, x - 1],
        segment=segment[1:-1, 1:-1],
    )


def _summits(padded: np.ndarray) -> np.ndarray:
    """Flat index of the local maximum that the steepest way up from each pixel leads to."""
    shape, flat = padded.shape, np.arange(padded.size).reshape(padded.shape)
    best, way = padded.copy(), flat.copy()
    core = (slice(1, -1), slice(1, -1))
    for dy, dx in _AROUND:
        other = (slice(1 + dy, shape[0] - 1 + dy), slice(1 + dx, shape[1] - 1 + dx))
        # Of equal pixels the one with the larger index is higher, so that a plateau has one top.
        higher = (padded[other] > best[core]) | ((padded[other] == best[core]) & (flat[other] > way[core]))
        best[core] = np.where(higher, padded[other], best[core])
        way[core] = np.where(higher, flat[other], way[core])
    way = way.ravel()
    while True:
        further = way[way]
        if np.array_equal(further, way):
            return way.reshape(shape)
        way = further


def _kept(
    padded: np.ndarray, summit: np.ndarray, tops: np.ndarray, prominence: float, contrast: float
) -> np.ndarray:
    """For each local maximum the number of the peak that it is a part of."""
    saddles: dict[tuple[int, int], float] = {}
    inside = padded > -np.inf
    number = np.where(inside, np.searchsorted(tops, summit), -1)
    for dy, dx in ((0, 1), (1, -1), (1, 0), (1, 1)):
        here = (slice(0, padded.shape[0] - dy), slice(max(-dx, 0), padded.shape[1] - max(dx, 0)))
        there = (slice(dy, None), slice(max(dx, 0), padded.shape[1] - max(-dx, 0)))
        meet = inside[here] & inside[there] & (number[here] != number[there])
        pairs = np.sort(np.stack([number[here][meet], number[there][meet]], axis=1), axis=1)
        heights = np.minimum(padded[here][meet], padded[there][meet])
        for (a, b), height in zip(pairs.tolist(), heights.tolist(), strict=True):
            saddles[a, b] = max(saddles.get((a, b), -np.inf), height)
    height = padded.ravel()[tops]
    joined, part_of = list(range(len(tops))), list(range(len(tops)))
    for (a, b), saddle in sorted(saddles.items(), key=lambda item: -item[1]):
        low, high = sorted((_end(joined, a), _end(joined, b)), key=lambda n: (height[n], n))
        if low == high:
            continue
        # What does not stand out goes to the peak on the other side of the saddle.
        other = b if _end(joined, a) == low else a
        joined[low] = high
        if height[low] - saddle < max(prominence, contrast * saddle):
            part_of[low] = other
    return np.array([_end(part_of, n) for n in range(len(tops))], dtype=int)


def _end(chain: list[int], n: int) -> int:
    while chain[n] != n:
        n = chain[n]
    return n


def _vertex(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the paraboloid through the 3 x 3 pixels around each peak is highest, within half a pixel."""
    edged = np.pad(image, 1, mode="edge")
    near = edged[(y[:, None] + 1) + _AROUND[:, 0], (x[:, None] + 1) + _AROUND[:, 1]]
    # Least squares on the nine points: gradient and curvature of the paraboloid.
    dy, dx = _AROUND.T.astype(float)
    terms = np.stack([np.ones(9), dx, dy, dx**2 / 2, dy**2 / 2, dx * dy], axis=1)
    _, gx, gy, hxx, hyy, hxy = np.linalg.lstsq(terms, near.T, rcond=None)[0]
    determinant = hxx * hyy - hxy**2
    curved = (determinant > 0) & (hxx < 0)
    safe = np.where(curved, determinant, 1.0)
    step_x = np.where(curved, (hxy * gy - hyy * gx) / safe, 0.0)
    step_y = np.where(curved, (hxy * gx - hxx * gy) / safe, 0.0)
    return np.clip(step_x, -0.5, 0.5), np.clip(step_y, -0.5, 0.5)
