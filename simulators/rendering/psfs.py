"""The PSF images of exposures, as what is computed from them is kept by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import torch

__all__ = ["Psfs"]


@dataclass(frozen=True)
class Psfs:
    """The PSF images of some exposures, told apart from others by a digest.

    Attributes:
        digest: of the images and their type.
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
        digest = hashlib.blake2b(content.data, digest_size=16, salt=content.dtype.name.encode()).digest()
        return cls(digest + str(images.device).encode(), oversampling, images)
