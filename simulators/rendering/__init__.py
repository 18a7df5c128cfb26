"""From light profiles to noiseless pixels: two renderers, the same inputs and outputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

__all__ = ["RENDERERS", "Renderer", "renderer"]

Renderer = Literal["fourier", "galsim"]

RENDERERS: tuple[Renderer, ...] = get_args(Renderer)
"""``"fourier"``: batched, in torch; ``"galsim"``: the reference."""


def renderer(name: str) -> Callable[..., np.ndarray]:
    """The function `render` of a renderer; loads torch or galsim.

    Raises:
        ValueError: if there is no such renderer.
    """
    if name not in RENDERERS:
        raise ValueError(f"renderer is one of {' '.join(RENDERERS)}, not {name!r}")
    return importlib.import_module(f"{__name__}.{name}").render
