"""skysynergy: simulations and benchmark challenges for the synergy of sky surveys.

>>> import skysynergy
>>> challenge = skysynergy.load("shear")
>>> challenge.name
'shear'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .challenges.challenge import Challenge

__all__ = ["__version__", "load", "names"]


def load(name: str) -> Challenge:
    """The challenge of this name; its dataset is opened, its answers scored, through it."""
    from .challenges.challenge import load

    return load(name)


def names() -> list[str]:
    """The names of the challenges."""
    from .challenges.challenge import names

    return names()
