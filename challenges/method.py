"""What a method sees, one field at a time, and what it must answer.

A *field* is a set of scenes that share one shear and one set of visits. A *method* maps a
field to predictions. The same object is handed to it from a dataset on disk and from the
harness, so a method never knows which of the two it is looking at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

__all__ = ["Field", "Method", "SurveyExposures", "load_field", "save_field"]


@dataclass(frozen=True)
class SurveyExposures:
    """The exposures that one survey took of the scenes of one field.

    Attributes:
        survey: name of the survey, such as ``"LSST"``.
        pixel_arcsec: width of a pixel.
        psf_pixel_arcsec: width of a sample of the oversampled PSF images.
        image: (scene, exposure, y, x) float32, sky-subtracted flux per pixel in nJy.
        mask: (scene, exposure, y, x) uint8; 0 is good, see `simulators.detectors`.
        sky_variance: (scene, exposure) variance of the sky, nJy² per pixel.
        read_variance: (scene, exposure) variance of read noise and dark current, nJy² per pixel.
        electron: (exposure,) flux of one electron, nJy.
        band: (exposure,) names of the bands.
        mjd, fwhm, m5, airmass: (exposure,) days, arcsec, AB magnitudes, none.
        psf: (exposure, py, px) without the pixel response, odd-sized, sum 1, in the pixel
            frame of its exposure.
        wcs: (scene, exposure, 2, 3) affine map from arcsec of the scene to pixels.
    """

    survey: str
    pixel_arcsec: float
    psf_pixel_arcsec: float
    image: np.ndarray
    mask: np.ndarray
    sky_variance: np.ndarray
    read_variance: np.ndarray
    electron: np.ndarray
    band: np.ndarray
    mjd: np.ndarray
    fwhm: np.ndarray
    m5: np.ndarray
    airmass: np.ndarray
    psf: np.ndarray
    wcs: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """(scene, exposure, y, x) of sky, read noise and *observed* signal, nJy² per pixel."""
        background = (self.sky_variance + self.read_variance)[..., None, None]
        return background + np.maximum(self.image, 0) * self.electron[:, None, None]

    def select(self, keep: np.ndarray) -> SurveyExposures:
        """The same scenes, with the exposures for which `keep` (exposure,) is true."""
        per_scene = ("image", "mask", "sky_variance", "read_variance", "wcs")
        per_exposure = ("electron", "band", "mjd", "fwhm", "m5", "airmass", "psf")
        changes = {name: getattr(self, name)[:, keep] for name in per_scene}
        changes |= {name: getattr(self, name)[keep] for name in per_exposure}
        return replace(self, **changes)


@dataclass(frozen=True)
class Field:
    """Scenes that share one shear and one set of visits.

    Attributes:
        id: opaque number that keys the predictions.
        width_arcsec: width of each scene.
        surveys: exposures by name of the survey; those outside the track are absent.
    """

    id: int
    width_arcsec: float
    surveys: Mapping[str, SurveyExposures]

    @property
    def n_scenes(self) -> int:
        return next(iter(self.surveys.values())).image.shape[0]


@runtime_checkable
class Method(Protocol):
    """Maps one field to predictions.

    Implement `predict`; the keys of what it returns are the columns that the challenge
    asks for (the shear challenge: ``g1 g2 cov11 cov22 cov12``), the values numbers.
    A class that takes no argument can be named on the command line as
    ``my_package.my_module:MyMethod``.
    """

    name: str

    def predict(self, field: Field) -> Mapping[str, float]: ...


def save_field(path: Path, field: Field) -> None:
    """Write a field to one ``.npz`` file: plain arrays, no pickle."""
    arrays: dict[str, np.ndarray] = {
        "id": np.array(field.id, dtype=np.int64),
        "width_arcsec": np.array(field.width_arcsec),
        "surveys": np.array(list(field.surveys), dtype="U32"),
    }
    for name, exposures in field.surveys.items():
        arrays |= {f"{name}/{key}": np.asarray(value) for key, value in vars(exposures).items()}
    with open(path, "wb") as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]


def load_field(path: Path) -> Field:
    """Read what `save_field` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        surveys = {}
        for name in arrays["surveys"].tolist():
            members = {
                key.split("/", 1)[1]: arrays[key] for key in arrays.files if key.startswith(f"{name}/")
            }
            members["survey"] = str(members["survey"])
            for key in ("pixel_arcsec", "psf_pixel_arcsec"):
                members[key] = float(members[key])
            surveys[name] = SurveyExposures(**members)
        return Field(int(arrays["id"]), float(arrays["width_arcsec"]), surveys)
