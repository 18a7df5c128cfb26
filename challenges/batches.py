"""What a loader gives: exposures, PSFs and targets of a few scenes or detections, as torch tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

__all__ = ["ITEM", "Batch", "SurveyBatch"]

ITEM = "sources/item"
"""Target that tells to which item of the batch each row of the other ``sources/`` targets belongs."""

_PER_ITEM = ("image", "mask", "sky_variance", "read_variance", "wcs")
_PER_FIELD = ("psf", "electron", "mjd", "fwhm", "m5", "airmass")


@dataclass(frozen=True, eq=False)
class SurveyBatch:
    """The exposures that one survey took of the items of a batch.

    Attributes:
        survey: name of the survey, such as ``"LSST"``.
        pixel_arcsec: width of a pixel.
        psf_pixel_arcsec: width of a sample of the oversampled PSF images.
        band: (exposure,) int64 codes of the bands, as `simulators.surveys.BANDS` has them.
        image: (item, exposure, y, x) float32, sky-subtracted flux per pixel in nJy.
        mask: (item, exposure, y, x) uint8; 0 is good, see `simulators.detectors`.
        sky_variance, read_variance: (item, exposure) float32, nJy² per pixel.
        wcs: (item, exposure, 2, 3) float32, affine map to pixels from arcsec of the scene or, of a stamp,
            from arcsec of the detection.
        field: (item,) int64, the row of each item in what follows.
        psf: (field, exposure, py, px) float32, as in `method.SurveyExposures`; no pixels if not asked for.
        electron: (field, exposure) float32, flux of one electron, nJy.
        mjd: (field, exposure) float64, days.
        fwhm, m5, airmass: (field, exposure) float32; arcsec, AB magnitudes, none.
    """

    survey: str
    pixel_arcsec: float
    psf_pixel_arcsec: float
    band: Tensor
    image: Tensor
    mask: Tensor
    sky_variance: Tensor
    read_variance: Tensor
    wcs: Tensor
    field: Tensor
    psf: Tensor
    electron: Tensor
    mjd: Tensor
    fwhm: Tensor
    m5: Tensor
    airmass: Tensor

    @property
    def variance(self) -> Tensor:
        """(item, exposure, y, x) of sky, read noise and *observed* signal, nJy² per pixel."""
        background = (self.sky_variance + self.read_variance)[..., None, None]
        return background + self.image.clamp(min=0) * self.per_item("electron")[..., None, None]

    def per_item(self, name: str) -> Tensor:
        """(item, exposure, ...) of what is given once for each field, such as ``psf``."""
        return getattr(self, name)[self.field]

    def cut(self, start: int, stop: int) -> SurveyBatch:
        """The items from `start` to `stop`, with their fields alone."""
        fields, field = torch.unique(self.field[start:stop], return_inverse=True)
        changes = {name: getattr(self, name)[start:stop] for name in _PER_ITEM}
        if len(fields) < len(self.mjd):
            changes |= {name: getattr(self, name)[fields] for name in _PER_FIELD}
        return replace(self, field=field, **changes)

    def map(self, move: Callable[[Tensor], Tensor]) -> SurveyBatch:
        """The same with another copy of each tensor."""
        return replace(self, **{k: move(v) for k, v in vars(self).items() if isinstance(v, Tensor)})


@dataclass(frozen=True, eq=False)
class Batch:
    """Some scenes or detections.

    Attributes:
        id: (item,) int64, opaque, of the scene or the detection.
        scene: (item,) int64, number of the scene in the split.
        field: (item,) int64, number of its field in the split.
        surveys: exposures by name of the survey, of those of the track.
        detections: (item,) of detections alone, by name: ``x`` and ``y`` in arcsec from the centre of the
            scene, and ``snr``, float32.
        targets: by name, see `loader.Loader`; (item, ...), but of the sources of scenes a row for each
            source, ``sources/item`` telling of which item of the batch.
    """

    id: Tensor
    scene: Tensor
    field: Tensor
    surveys: Mapping[str, SurveyBatch]
    detections: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.id)

    def cut(self, start: int, stop: int) -> Batch:
        """The items from `start` to `stop`: pixels are shared with this batch, not copied."""
        rows = slice(0, 0)
        if ITEM in self.targets:
            edges = torch.searchsorted(self.targets[ITEM], torch.tensor([start, stop]))
            rows = slice(int(edges[0]), int(edges[1]))
        targets = {
            name: values[rows] if name.startswith("sources/") else values[start:stop]
            for name, values in self.targets.items()
        }
        if ITEM in targets:
            targets[ITEM] = targets[ITEM] - start
        return Batch(
            id=self.id[start:stop],
            scene=self.scene[start:stop],
            field=self.field[start:stop],
            surveys={name: one.cut(start, stop) for name, one in self.surveys.items()},
            detections={name: values[start:stop] for name, values in self.detections.items()},
            targets=targets,
        )

    def map(self, move: Callable[[Tensor], Tensor]) -> Batch:
        """The same with another copy of each tensor."""
        moved: dict[str, Any] = {name: move(getattr(self, name)) for name in ("id", "scene", "field")}
        moved["surveys"] = {name: one.map(move) for name, one in self.surveys.items()}
        for name in ("detections", "targets"):
            moved[name] = {key: move(values) for key, values in getattr(self, name).items()}
        return Batch(**moved)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The same on a device; nothing is copied that is there."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The same in memory that a CUDA device can read by itself."""
        return self.map(lambda tensor: tensor.pin_memory())
