"""From light profiles to noiseless pixels: two renderers, the same inputs and outputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

__all__ = ["RENDERERS", "Renderer", "renderer", "require"]

Renderer = Literal["fourier", "galsim"]

RENDERERS: tuple[Renderer, ...] = get_args(Renderer)
"""``"fourier"``: batched, in torch; ``"galsim"``: the reference."""


def require(name: str) -> None:
    """Refuse what is no renderer; loads none.

    Raises:
        ValueError: if there is no renderer of this name.
    """
    if name not in RENDERERS:
        raise ValueError(f"renderer is one of {' '.join(RENDERERS)}, not {name!r}")


def renderer(name: str) -> Callable[..., np.ndarray]:
    """The function `render` of a renderer; loads torch or galsim.

    Raises:
        ValueError: as `require`.
    """
    require(name)
    return importlib.import_module(f"{__name__}.{name}").render
