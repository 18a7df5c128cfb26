"""The batched renderer: all profiles on a canvas, which every exposure sees through its own PSF.

A profile's transform is known from a table (`sersic`), so that it is drawn, blurred by a Gaussian
narrower than any PSF, by one small inverse FFT (`stamps`). The stamps of a band add up on a fine periodic
canvas. An exposure multiplies the spectrum of its canvas by the transforms of PSF and pixel over that of
the Gaussian (`response`), shifts it by its dither, and folds it to the frequencies of its pixels, aliases
and all. Exposures that share a frame, up to turns and mirrors of the axes, share the canvas of a band: then
the cost of an exposure does not depend on how many profiles it shows (`canvas`).

Everything is torch: on any device, and differentiable in positions, sizes, shapes, indices, fluxes and PSFs.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..profiles import Profiles
from .canvas import Canvas, plan, turned
from .inputs import as_array, check
from .psfs import Psfs, as_tensor
from .response import responses
from .stamps import add_stamps, stamp_cells

__all__ = ["draw", "render"]

# Exposures that are drawn together: ten years of one place need memory a part at a time.
_TOGETHER = 256


def render(
    profiles: Profiles,
    flux: np.ndarray,
    *,
    psf: np.ndarray,
    psf_oversampling: int,
    wcs: np.ndarray,
    shape: tuple[int, int],
    sigma: np.ndarray | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> np.ndarray:
    """Noiseless light of the profiles on the pixels of exposures; all else as `rendering.galsim.render`.

    Arguments:
        device: where it is drawn.
        dtype: float32 keeps errors far below 1e-4 of the peak.

    Returns:
        (exposure, ny, nx) float64, nJy per pixel.
    """
    parts = [slice(start, start + _TOGETHER) for start in range(0, len(wcs), _TOGETHER)] or [slice(0, 0)]
    with torch.no_grad():
        drawn = [
            draw(
                profiles,
                flux[part],
                psf=psf[part],
                psf_oversampling=psf_oversampling,
                wcs=wcs[part],
                shape=shape,
                sigma=None if sigma is None else sigma[part],
                device=device,
                dtype=dtype,
            ).to("cpu", torch.float64)
            for part in parts
        ]
    return torch.cat(drawn).numpy()


def draw(
    profiles: Profiles,
    flux: np.ndarray | torch.Tensor,
    *,
    psf: np.ndarray | torch.Tensor,
    psf_oversampling: int,
    wcs: np.ndarray,
    shape: tuple[int, int],
    sigma: np.ndarray | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """`render` as a differentiable function: arrays of the profiles, fluxes and PSFs may be tensors.

    Returns:
        (exposure, ny, nx) of that type on that device, nJy per pixel.
    """
    wcs, sigma = as_array(wcs), None if sigma is None else as_array(sigma)
    check(profiles, flux, psf, psf_oversampling, wcs, shape, sigma)
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"exposures are drawn in torch.float32 or torch.float64, not {dtype}")
    amount = as_tensor(flux).to(device, dtype)
    if not len(wcs):
        return amount.new_zeros(0, *shape)
    psfs = Psfs.of(as_tensor(psf).to(device, dtype), int(psf_oversampling))
    canvas = plan(psfs, wcs, shape)
    # Exposures of a frame in which every profile has the same flux share a sheet; not where the gradient of
    # each flux is asked for, which would go to the first of them.
    rows = as_array(amount)
    apart = np.arange(len(rows)) * amount.requires_grad
    kinds = np.column_stack([canvas.frame, apart, rows])
    _, first, sheet = np.unique(kinds, axis=0, return_index=True, return_inverse=True)
    pixel = canvas.pixel_arcsec
    noise = None
    if sigma is not None:
        with np.errstate(divide="ignore"):
            noise = (sigma[:, None] / pixel**2 / rows).min(axis=0)
    cells = stamp_cells(
        profiles,
        cell_arcsec=pixel / canvas.per_pixel,
        across=canvas.size,
        psf_peak=float(psfs.images.detach().max()) * (psf_oversampling / pixel) ** 2,
        noise=noise,
    )
    light = add_stamps(profiles, amount[first], canvas.frame[first], canvas=canvas, cells=cells)
    fading = torch.from_numpy(np.outer(canvas.fading, canvas.fading)).to(light)
    spectra = [torch.fft.rfft2(sheet * fading)[:, : canvas.columns] for sheet in light]
    waves = _waves(canvas, wcs, shape, spectra[0])
    return torch.stack(
        [
            _exposure(spectra[k] * response, wave, canvas.per_pixel, axes, shape)
            for k, response, wave, axes in zip(
                sheet.ravel(), responses(psfs, canvas), waves, canvas.axes, strict=True
            )
        ]
    )


def _waves(
    canvas: Canvas, wcs: NDArray[np.float64], shape: tuple[int, int], like: torch.Tensor
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What shifts the canvas of each exposure so that its pixels lie on cells, from the first one on."""
    last = np.array([shape[1] - 1, shape[0] - 1])
    corner = np.where(canvas.axes.sum(axis=2) > 0, 0, last) - wcs[:, :, 2]
    place = np.einsum("eij,ei->ej", canvas.axes, corner) - canvas.start[canvas.frame]
    turns = 2j * np.pi * canvas.per_pixel * place[:, :, None]
    x, y = (
        torch.from_numpy(np.exp(turns[:, axis] * frequency(canvas.size))).to(like)
        for axis, frequency in ((0, np.fft.rfftfreq), (1, np.fft.fftfreq))
    )
    return list(zip(x[:, : canvas.columns], y[:, :, None], strict=True))


def _exposure(
    spectrum: torch.Tensor,
    waves: tuple[torch.Tensor, torch.Tensor],
    per_pixel: int,
    axes: NDArray[np.int64],
    shape: tuple[int, int],
) -> torch.Tensor:
    """The pixels of one exposure, from the spectrum of its canvas."""
    wave_x, wave_y = waves
    n = len(spectrum) // per_pixel
    # Sums over the aliases of the rows leave their pixels; of a row's cells, those at pixels are taken.
    rows = spectrum[:n] * wave_y[:n]
    for alias in range(n, len(spectrum), n):
        rows = torch.addcmul(rows, spectrum[alias : alias + n], wave_y[alias : alias + n])
    across, down = np.abs(axes.T) @ shape[::-1]
    rows = torch.fft.ifft(rows, dim=0)[:down] * wave_x
    image = torch.fft.irfft(rows, n=len(spectrum), dim=1)[:, : across * per_pixel : per_pixel]
    # Light per cell, to light per pixel; the sum over rows was its share of that already.
    return turned(image * per_pixel, axes)
