"""Squares of pixels around a place, cut from every exposure on its own grid."""

from __future__ import annotations

import numpy as np

from ..simulators.detectors import GAP

__all__ = ["corners", "cut", "padded", "shifted", "stamp_pixels"]


def stamp_pixels(stamp_arcsec: float, pixel_arcsec: float) -> int:
    """Pixels along a side of a stamp: the nearest whole number, at least one."""
    return max(1, round(stamp_arcsec / pixel_arcsec))


def corners(wcs: np.ndarray, x: np.ndarray, y: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels the stamps of some places take, in every exposure.

    Arguments:
        wcs: (exposure, 2, 3) affine map of one scene, from arcsec to pixels.
        x, y: (item,) arcsec from the centre of the scene.
        size: pixels along a side.

    Returns:
        corner: (item, exposure, 2) int64, x and y of the first pixel: that for which the place lies within
            half a pixel of the middle of the stamp.
        position: (item, exposure, 2) x and y of the place, in pixels of the scene.
    """
    place = np.stack([x, y], axis=-1)
    position = np.einsum("eij,nj->nei", wcs[..., :2], place) + wcs[..., 2]
    return np.floor(position - (size - 1) / 2 + 0.5).astype(np.int64), position


def shifted(wcs: np.ndarray, corner: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(item, exposure, 2, 3) map from arcsec around each place to pixels of its stamps.

    Arguments:
        wcs: (exposure, 2, 3) of the scene.
        corner, position: (item, exposure, 2) as `corners` gives them.
    """
    linear = np.broadcast_to(wcs[..., :2], (*corner.shape[:2], 2, 2))
    return np.concatenate([linear, (position - corner)[..., None]], axis=-1)


def padded(shape: tuple[int, ...], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for a scene and around it: image (exposure, y, x) float32 of zeros, and mask uint8 of `GAP`.

    Arguments:
        shape: of the scene: exposures, y, x.
        size: of the stamps, which is how far the room goes beyond the scene.
    """
    room = (shape[0], shape[1] + 2 * size, shape[2] + 2 * size)
    return np.zeros(room, np.float32), np.full(room, GAP, np.uint8)


def cut(room: np.ndarray, corner: np.ndarray, size: int) -> np.ndarray:
    """(item, exposure, size, size) stamps from a scene in its room.

    Arguments:
        room: (exposure, y, x), `size` pixels wider than the scene on each side.
        corner: (item, exposure, 2) in pixels of the scene; outside it stamps hold what the room does.
        size: of the stamps.
    """
    windows = np.lib.stride_tricks.sliding_window_view(room, (size, size), axis=(1, 2))
    x = np.clip(corner[..., 0] + size, 0, room.shape[2] - size)
    y = np.clip(corner[..., 1] + size, 0, room.shape[1] - size)
    return windows[np.arange(len(room)), y, x]
