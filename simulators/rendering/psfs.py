"""What renderers are given, as tensors; and PSF images, as what is computed from them is kept by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import torch

__all__ = ["Psfs", "as_tensor"]


@dataclass(frozen=True)
class Psfs:
    """The PSF images of some exposures, told apart from others by a digest.

    Attributes:
        digest: of the images, their type and where they lie.
        oversampling: samples per pixel.
        images: (exposure, m, m) in the pixel frames, m odd.
    """

    digest: bytes
    oversampling: int
    images: torch.Tensor = field(compare=False)

    @classmethod
    def of(cls, images: torch.Tensor, oversampling: int) -> Psfs:
        """Images (exposure, m, m) with their digest."""
        content = images.detach().to("cpu").contiguous().numpy()
        told = f"{content.dtype} {content.shape} {images.device}".encode()
        return cls(hashlib.sha256(content.data).digest() + told, oversampling, images)


def as_tensor(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    """A tensor, with its gradients; or a copy of any array of numbers, whatever its layout in memory."""
    if isinstance(values, torch.Tensor):
        return values
    array = np.asarray(values)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C", copy=True))
