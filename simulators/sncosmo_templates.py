"""Series of real supernovae, through the package sncosmo, by class.

sncosmo is optional (``pip install 'skysynergy[transients]'``). It looks for its data in the folder
$SNCOSMO_DATA_DIR, else where it is configured to, and fetches what is missing from its own mirror.
The data carry no licence that is stated: nothing of them is kept here.

The series: SALT3 and its extension to the near infrared (Kenworthy et al. 2021; Pierel et al. 2022), and
the mean Ia of Hsiao et al. (2007); the 91bg of Nugent; core collapse from Vincenzi et al. (2019), corrected
for the dust of their hosts (``v19-…-corr``), and from Pierel et al. (2018), ``snana-…`` of version 2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .series import Series

__all__ = ["KINDS", "Template", "load", "templates"]

KINDS = ("Ia", "Ia-91bg", "II", "II-pec", "IIn", "IIb", "Ib", "Ic", "Ic-BL")
"""Classes that there are series of. II holds what the sources call II and IIP."""

# By the class that sncosmo gives.
_KIND = {"SN IIP": "II"} | {f"SN {kind}": kind for kind in KINDS[2:]}
# Of the many series of Ia.
_OF_IA = {
    ("salt3", "2.0"): "Ia",
    ("salt3-nir", "1.0"): "Ia",
    ("hsiao", "3.0"): "Ia",
    ("nugent-sn91bg", "1.1"): "Ia-91bg",
}
# Two numbers of its file are missing, and sncosmo makes all of it NaN.
_BROKEN = {"snana-2007ny"}
# SALT3 as it was published, which newer versions of sncosmo have replaced: where its folder is still there.
_SALT3_OLD = ("salt3-k21", "1.0", "models/salt3/salt3-k21")


@dataclass(frozen=True)
class Template:
    """A series that sncosmo knows of.

    Attributes:
        name: in sncosmo, with its version.
        version: of it.
        kind: one of `KINDS`.
        supernova: what it was made from, such as ``2004fe``, or the name of a model: two series may be of
            one supernova, and then belong on the same side of a split.
        path: of its file or folder, in the folder of sncosmo's data.
    """

    name: str
    version: str
    kind: str
    supernova: str
    path: str


def templates(kind: str | None = None, *, present: bool = False) -> tuple[Template, ...]:
    """The series of a class, or all, sorted by class in the order of `KINDS`, then name.

    Arguments:
        kind: one of `KINDS`; None for all.
        present: leave out those whose data would have to be fetched.

    Raises:
        ValueError: if there is no such class.
        ModuleNotFoundError: if sncosmo is not installed.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"there are no series of {kind!r}: the classes are {' '.join(KINDS)}")
    found = [_described(*entry) for entry in _registered()]
    found.append(Template(*_SALT3_OLD[:2], "Ia", _SALT3_OLD[0], _SALT3_OLD[2]))
    kept = [one for one in found if one is not None and kind in (None, one.kind)]
    if present:
        folder = _folder()
        kept = [one for one in kept if (folder / one.path).exists()]
    return tuple(sorted(kept, key=lambda one: (KINDS.index(one.kind), one.name)))


def load(template: Template | str) -> Series:
    """The spectral time series of a template, or of the name of one, as plain arrays.

    f_lambda is what sncosmo has: erg/s/cm^2/Angstrom with a normalisation that differs from series to series.
    SALT has two components and a colour law.

    Raises:
        ValueError: if there is no template of that name.
        FileNotFoundError: if its data are not there and cannot be fetched.
        ModuleNotFoundError: if sncosmo is not installed.
    """
    if isinstance(template, str):
        named = [one for one in templates() if one.name == template]
        if not named:
            raise ValueError(f"no template is called {template!r}: see sncosmo_templates.templates()")
        template = named[0]
    return _series(_source(template))


def _source(template: Template) -> Any:
    sncosmo = _sncosmo()
    try:
        if template.name == _SALT3_OLD[0]:
            # There is nothing to fetch: sncosmo no longer knows of it.
            folder = (_folder() / template.path).resolve(strict=True)
            return sncosmo.SALT3Source(modeldir=str(folder), name=template.name, version=template.version)
        return sncosmo.get_source(template.name, template.version, copy=True)
    except Exception as problem:
        # What goes wrong is sncosmo's: no folder, no network, a file that was cut off.
        raise FileNotFoundError(
            f"sncosmo could not read or fetch {template.name} {template.version},"
            f" {template.path}: {problem}."
            " Set SNCOSMO_DATA_DIR to a folder that has it, or try again where there is a network"
        ) from problem


def _series(source: Any) -> Series:
    phase, wavelength = (np.array(axis, dtype=float) for axis in (source._phase, source._wave))
    if hasattr(source, "_colorlaw"):
        components = [source._model[name](phase, wavelength) for name in ("M0", "M1")]
        law = np.array(source.colorlaw(wavelength), dtype=float)
        return Series(source.name, phase, wavelength, np.stack(components), "convolution", law)
    degree = source._model_flux.degrees[0]
    light = np.array(source._model_flux(phase, wavelength), dtype=float)
    return Series(source.name, phase, wavelength, light[None], "spline" if degree == 3 else "linear")


def _described(name: str, version: str, kind: str, path: str) -> Template | None:
    """None for series that are not wanted: older versions, those not corrected for dust, sketches."""
    if (name, version) in _OF_IA:
        return Template(name, version, _OF_IA[name, version], name, path)
    wanted = (name.startswith("v19-") and name.endswith("-corr")) or (name[:6], version) == ("snana-", "2.0")
    if not wanted or kind not in _KIND or name in _BROKEN:
        return None
    return Template(name, version, _KIND[kind], name.removesuffix("-corr").partition("-")[2], path)


def _registered() -> list[tuple[str, str, str, str]]:
    """Name, version, class and path of every source of sncosmo that is read from one file or folder."""
    # The registry has no public way to say where a source is read from.
    loaders = _sncosmo().models._SOURCES._loaders
    return [
        (name, version, str(meta.get("type", "")), str(arguments[0]))
        for (name, version), (_, arguments, meta) in loaders.items()
        if meta and arguments
    ]


def _folder() -> Path:
    """Where sncosmo's data lie."""
    from sncosmo.builtins import get_rootdir  # pyright: ignore[reportMissingImports]

    return Path(str(get_rootdir()))


def _sncosmo() -> Any:
    try:
        import sncosmo  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "real supernova templates need sncosmo: pip install 'skysynergy[transients]'", name=missing.name
        ) from missing
    return sncosmo
