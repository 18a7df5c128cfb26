"""Where the spectral series of transients may come from: names alone, for those that load no series."""

from __future__ import annotations

from typing import Literal

__all__ = ["SOURCES", "Source", "require_source"]

Source = Literal["parametric", "sncosmo"]
SOURCES: tuple[Source, ...] = ("parametric", "sncosmo")
"""``sncosmo`` are real ones, as many as are there; parametric where a class has fewer than two. See
`template_library`."""


def require_source(source: str) -> None:
    """Refuse what is no source.

    Raises:
        ValueError: naming those that there are.
    """
    if source not in SOURCES:
        raise ValueError(f"spectral series come from {' or '.join(SOURCES)}, not {source!r}")
