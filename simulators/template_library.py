"""The spectral time series that stand for each class, and which of them each split may use.

A class has a few series, real ones through `sncosmo_templates` or parametric ones. A network that learnt
them by heart would know a test set made from them, so those of a test split are never those of training:
series are grouped by the supernova that they were made from, and each group belongs to one side. Validation
shares the series of training.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from . import parametric_series, sncosmo_templates
from .curves import filter_curve
from .series import Series
from .series_magnitudes import peak_magnitude
from .series_photometry import SeriesLight, light_of
from .series_sources import Source
from .transient_classes import find_class

__all__ = ["PARAMETRIC", "Template", "names", "template"]

PARAMETRIC = 12
"""Parametric series of a class that are used: each takes some 50 ms to make ready, in every process."""

_TEST_SHARE = 0.4
# Of the real series of Ia: those with stretch and colour.
_IA = ("salt3", "salt3-nir", "salt3-k21")
# What sncosmo calls otherwise.
_ALSO = {"II": ("II", "II-pec")}


@dataclass(frozen=True)
class Template:
    """A series that can be observed.

    Attributes:
        name: of the series.
        kind: its class.
        light: what `series_photometry.photometry` takes.
        peak_magnitude: AB, for an amplitude of 1, in the band of the class's luminosity function.
        has_stretch, has_colour: whether it is a SALT model.
    """

    name: str
    kind: str
    light: SeriesLight
    peak_magnitude: float
    has_stretch: bool
    has_colour: bool


def names(source: Source, kind: str, *, test: bool) -> tuple[str, ...]:
    """The names of the series of a class, for test splits or for the others; never both.

    Raises:
        ValueError: if the class has no series: active nuclei have none.
        FileNotFoundError: if real series are asked for and there are none of any class.
        ModuleNotFoundError: if real series are asked for and sncosmo is not installed.
    """
    if source == "sncosmo" and not any(_real_groups(one) for one in sncosmo_templates.KINDS):
        raise FileNotFoundError(
            "there are no series of real supernovae: set SNCOSMO_DATA_DIR to a folder that has them, or let "
            "sncosmo fetch some, such as sncosmo.get_source('v19-2009ip-corr')"
        )
    groups = _real_groups(kind) if source == "sncosmo" else {}
    if len(groups) < 2:
        if kind not in parametric_series.KINDS:
            raise ValueError(f"class {kind} has no spectral series")
        numbered = [f"parametric-{kind}-{index:02d}" for index in range(PARAMETRIC)]
        groups = {name: (name,) for name in numbered}
    # By a hash, so that a series that is added moves no other.
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{kind} {group}".encode()).digest())
    n_test = min(max(1, round(_TEST_SHARE * len(order))), len(order) - 1)
    chosen = order[:n_test] if test else order[n_test:]
    return tuple(sorted(name for group in chosen for name in groups[group]))


@lru_cache(maxsize=512)
def template(kind: str, name: str) -> Template:
    """A series by its name, ready to be observed; kept, once it was made.

    Raises:
        ValueError: if there is no such series.
        FileNotFoundError: if its data are not there and cannot be fetched.
    """
    series = _series(kind, name)
    wavelength, response = filter_curve(find_class(kind).luminosity.band)
    return Template(
        name=name,
        kind=kind,
        light=light_of(series),
        peak_magnitude=peak_magnitude(series, wavelength, response),
        has_stretch=len(series.f_lambda) > 1,
        has_colour=series.colour_law is not None,
    )


def _series(kind: str, name: str) -> Series:
    beginning = f"parametric-{kind}-"
    if name.startswith(beginning):
        return parametric_series.parametric_series(kind, int(name.removeprefix(beginning)))
    return sncosmo_templates.load(name)


@lru_cache(maxsize=32)
def _real_groups(kind: str) -> dict[str, tuple[str, ...]]:
    """Names of series by the supernova that they were made from."""
    found: dict[str, tuple[str, ...]] = {}
    for listed in _ALSO.get(kind, (kind,)):
        if listed not in sncosmo_templates.KINDS:
            continue
        for one in sncosmo_templates.templates(listed, present=True):
            if kind != "Ia" or one.name in _IA:
                found[one.supernova] = (*found.get(one.supernova, ()), one.name)
    return found
