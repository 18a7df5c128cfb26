"""The sky behind all the exposures of a scene, smoothed, and how it changes under shear.

Every exposure is transformed on its own pixels and divided by the transform of its own PSF
and pixel, inside the band where no alias reaches. The exposures of one band are averaged by
inverse variance at each frequency, so sharp ones supply what the others have blurred away;
the averages of the bands are added by inverse variance as a whole. The sky smoothed by a
Gaussian, and any of its derivatives at any point, are then sums over frequencies: no pixel is
interpolated and any affine WCS is exact. Shearing the deconvolved sky changes each by another
such sum, known in closed form. (Moments in Fourier space: Bernstein & Armstrong 2014, MNRAS
438, 1880; their linear shear response: Li & Mandelbaum 2023, MNRAS 521, 4904.)

The kernel of ∂ᵃₓ∂ᵇ_y is (ik1)ᵃ(ik2)ᵇ T(k), T = exp(−k²σ²/2). A sheared sky has the transform
g̃(k + Γk); moving Γk from the sky to the kernel K gives the tangents −(k1∂1 − k2∂2)K under γ1
and −(k2∂1 + k1∂2)K under γ2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from scipy import fft

from ..challenges.method import SurveyExposures

__all__ = ["BAND_SIGMA", "Order", "SmoothedSky", "alias_free_band", "resolved", "transfer"]

# Nothing beyond kσ = 6 is used. Cutting T at K adds (K⁴/2)·exp(−K²/2) to the response of a
# point source, which should be zero: 1e-5 here, but 1e-4 at K = 5.5, and a galaxy of half-light
# radius 0.1″ responds 20 times less than a large one.
BAND_SIGMA = 6.0
# An alias may reach this fraction of the signal at the edge of the band of an exposure.
ALIAS_TOLERANCE = 1e-3

# (a, b): the derivative ∂ᵃ/∂xᵃ ∂ᵇ/∂yᵇ of the smoothed sky.
Order = tuple[int, int]


def resolved(surveys: Sequence[SurveyExposures]) -> float:
    """Largest frequency, radians per arcsec, that any exposure of a field has free of aliases."""
    return max(_band(x, e) for x in surveys for e in range(len(x.band)))


def transfer(psf: np.ndarray, oversampling: int, kappa: np.ndarray) -> np.ndarray:
    """(n,) transform of a PSF with its pixel at frequencies `kappa` (n, 2), radians per pixel."""
    half = psf.shape[0] // 2
    offset = np.arange(-half, half + 1) / oversampling
    along_y = np.exp(-1j * np.outer(kappa[:, 1], offset))
    along_x = np.exp(-1j * np.outer(kappa[:, 0], offset))
    pixel = np.sinc(kappa[:, 0] / (2 * np.pi)) * np.sinc(kappa[:, 1] / (2 * np.pi))
    return np.sum((along_y @ psf) * along_x, axis=1) * pixel


def alias_free_band(psf: np.ndarray, oversampling: int) -> float:
    """Largest frequency, radians per pixel, below which aliases stay under 1e-3 of the signal.

    Sampling folds the frequency κ − 2π onto κ; both are read off the oversampled PSF along
    the pixel axes, where they are closest.
    """
    kappa = np.linspace(0.02, 1.0, 99) * np.pi
    worst = np.ones_like(kappa, dtype=bool)
    for axis in range(2):
        line = np.zeros((len(kappa), 2))
        line[:, axis] = kappa
        folded = line.copy()
        folded[:, axis] -= 2 * np.pi
        signal = np.abs(transfer(psf, oversampling, line))
        worst &= np.abs(transfer(psf, oversampling, folded)) <= ALIAS_TOLERANCE * signal
    bad = np.flatnonzero(~worst)
    return float(kappa[-1] if len(bad) == 0 else (kappa[bad[0] - 1] if bad[0] > 0 else 0.0))


class SmoothedSky:
    """Turns the exposures of the scenes of one field into the smoothed sky and its derivatives.

    Arguments:
        surveys: the exposures of one field. Each contributes inside its own alias-free band.
        kernel_arcsec: σ of the Gaussian that smooths the deconvolved sky.

    Attributes:
        k: (n, 2) frequencies used, radians per arcsec, of the upper half plane.
        left_out: bands with no exposure that resolves all of the kernel without aliasing.

    Raises:
        ValueError: if all bands are left out.
    """

    def __init__(self, surveys: Sequence[SurveyExposures], kernel_arcsec: float) -> None:
        self.kernel_arcsec = kernel_arcsec
        reach = BAND_SIGMA / kernel_arcsec
        bands: dict[str, list[_View]] = {}
        for exposures in surveys:
            for e, band in enumerate(exposures.band):
                bands.setdefault(str(band), []).append(_View.of(exposures, e, reach))
        self.left_out = tuple(b for b, views in bands.items() if max(v.reach for v in views) < reach)
        bands = {b: [v for v in views if v.reach > 0] for b, views in bands.items() if b not in self.left_out}
        if not bands:
            raise ValueError(
                f"no exposure resolves a kernel of {kernel_arcsec} arcsec without aliasing: "
                "use a wider kernel or a track with a better sampled survey"
            )
        views = [view for band in bands.values() for view in band]
        upper = [_upper(view.kappa @ view.linear) for view in views]
        self.k, inverse = np.unique(np.concatenate([k for k, _ in upper]), axis=0, return_inverse=True)
        targets = np.split(inverse.ravel(), np.cumsum([len(k) for k, _ in upper])[:-1])
        self._gauss = np.exp(-0.5 * kernel_arcsec**2 * np.sum(self.k**2, axis=1))
        each = iter(zip(upper, targets, strict=True))
        averages = []
        for band in bands.values():
            information = self._information(band, reach)
            parts = [
                _Part.of(v, turned, target, information, reach)
                for v, ((_, turned), target) in zip(band, islice(each, len(band)), strict=True)
            ]
            noise = np.zeros(len(self.k))
            for part in parts:
                power = np.abs(part.weight) ** 2 * part.view.variance * part.view.size**2
                np.add.at(noise, part.target, power)
            averages.append((parts, noise, np.sum(noise * self._gauss**2)))
        # A galaxy has another flux in every band, so bands are added with one number each: a weight
        # that depended on frequency would not commute with shear.
        total = sum(1 / variance for *_, variance in averages)
        shares = [1 / variance / total for *_, variance in averages]
        self._parts = [
            replace(part, weight=share * part.weight)
            for share, (parts, *_) in zip(shares, averages, strict=True)
            for part in parts
        ]
        self._noise = sum(share**2 * noise for share, (_, noise, _) in zip(shares, averages, strict=True))

    def _information(self, views: Sequence[_View], reach: float) -> np.ndarray:
        """(frequency,) what the exposures of one band know of the sky's transform, per unit area."""
        length = np.hypot(*self.k.T)
        information = np.zeros(len(self.k))
        for view in views:
            h = transfer(view.psf, view.oversampling, self.k @ np.linalg.inv(view.linear))
            information += view.trust(length, reach) * np.abs(h) ** 2 / view.noise_power
        return information

    def transform(self, images: dict[str, np.ndarray], wcs: dict[str, np.ndarray]) -> np.ndarray:
        """(scene, frequency): the deconvolved sky, averaged over exposures.

        Arguments:
            images: by survey, (scene, exposure, y, x) nJy per pixel.
            wcs: by survey, (scene, exposure, 2, 3); the linear parts are those of the field.
        """
        n_scenes = next(iter(images.values())).shape[0]
        total = np.zeros((n_scenes, len(self.k)), dtype=complex)
        for part in self._parts:
            view = part.view
            spectrum: np.ndarray = np.asarray(fft.fft2(images[view.survey][:, view.exposure]))
            offset = wcs[view.survey][:, view.exposure, :, 2]
            values = spectrum[:, view.rows, view.columns] * np.exp(1j * offset @ view.kappa.T)
            values *= part.weight
            np.conj(values, out=values, where=part.turned)
            # The frequencies of one exposure are distinct, so plain indexing adds them all.
            total[:, part.target] += values
        return total

    def image(self, sky: np.ndarray, grid: np.ndarray) -> np.ndarray:
        """(scene, y, x) smoothed sky, nJy per square arcsec, at the positions `grid` × `grid`."""
        along_x = np.exp(1j * np.outer(self.k[:, 0], grid))
        along_y = np.exp(1j * np.outer(self.k[:, 1], grid)) * self._gauss[:, None]
        right = np.concatenate([np.real(along_x), -np.imag(along_x)]).astype(np.float32)
        left = sky.astype(np.complex64)[:, None, :] * along_y.T.astype(np.complex64)
        return 2 * (np.concatenate([np.real(left), np.imag(left)], axis=2) @ right)

    def phases(self, positions: np.ndarray) -> np.ndarray:
        """(n, frequency) phase of each position (n, 2), arcsec: what `derivatives` needs."""
        return np.exp(1j * positions @ self.k.T)

    def derivatives(self, sky: np.ndarray, orders: Sequence[Order]) -> np.ndarray:
        """(n, order) of the smoothed sky, from its transform times `phases`, (n, frequency)."""
        return 2 * np.real(sky @ np.stack([self._kernel(order) for order in orders], axis=1))

    def tangents(self, sky: np.ndarray, orders: Sequence[Order]) -> np.ndarray:
        """(n, order, 2): change of each derivative per unit γ1, γ2, shear being about its point."""
        kernels = [self._tangent(order) for order in orders]
        both = 2 * np.real(sky @ np.concatenate(kernels, axis=1))
        return both.reshape(len(sky), len(orders), 2)

    def noise(self, order: Order) -> float:
        """Standard deviation of a derivative that the noise of empty pixels causes."""
        return float(np.sqrt(np.sum(2 * self._noise * np.abs(self._kernel(order)) ** 2)))

    def _kernel(self, order: Order) -> np.ndarray:
        a, b = order
        return (1j * self.k[:, 0]) ** a * (1j * self.k[:, 1]) ** b * self._gauss

    def _tangent(self, order: Order) -> np.ndarray:
        a, b = order
        k1, k2 = self.k.T
        monomial = k1**a * k2**b
        by_x = a * k1 ** max(a - 1, 0) * k2**b
        by_y = b * k1**a * k2 ** max(b - 1, 0)
        s2 = self.kernel_arcsec**2
        first = k1 * by_x - k2 * by_y - s2 * (k1**2 - k2**2) * monomial
        second = k2 * by_x + k1 * by_y - s2 * 2 * k1 * k2 * monomial
        return -((1j) ** (a + b)) * np.stack([first, second], axis=1) * self._gauss[:, None]


@dataclass(frozen=True)
class _View:
    """One exposure: its map, its noise, and the frequencies that it resolves."""

    survey: str
    exposure: int
    size: int
    linear: np.ndarray
    psf: np.ndarray
    oversampling: int
    variance: float
    reach: float
    rows: np.ndarray
    columns: np.ndarray
    kappa: np.ndarray

    @classmethod
    def of(cls, exposures: SurveyExposures, e: int, reach: float) -> _View:
        linear = exposures.wcs[0, e, :, :2]
        oversampling = _oversampling(exposures)
        reach = min(reach, _band(exposures, e))
        size = exposures.image.shape[-1]
        rows, columns, kappa = _half_plane(size, linear, reach)
        variance = float(np.mean(exposures.sky_variance[:, e] + exposures.read_variance[:, e]))
        psf = exposures.psf[e].astype(float)
        return cls(
            exposures.survey, e, size, linear, psf, oversampling, variance, reach, rows, columns, kappa
        )

    def trust(self, length: np.ndarray, kernel_reach: float) -> np.ndarray:
        """Weight at |k| = length, radians per arcsec, of an exposure whose band may end before the kernel's.

        It falls to zero smoothly: exposures that are turned against each other have different
        grids of frequencies, and a step would be summed differently by each.
        """
        if self.reach == kernel_reach:
            return (length <= kernel_reach).astype(float)
        return np.cos(np.pi / 2 * np.minimum(length / self.reach, 1)) ** 2

    @property
    def noise_power(self) -> float:
        """Of white noise, per square arcsec of sky."""
        return self.variance * abs(np.linalg.det(self.linear))


@dataclass(frozen=True)
class _Part:
    """One exposure's share: which of the sky's frequencies it sees, and with what weight."""

    view: _View
    turned: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(
        cls, view: _View, turned: np.ndarray, target: np.ndarray, information: np.ndarray, reach: float
    ) -> _Part:
        h = transfer(view.psf, view.oversampling, view.kappa)
        # The origin belongs to both half planes, every other frequency to one of them.
        cell = abs(np.linalg.det(view.linear)) / view.size**2
        cell = cell * np.where(np.any(view.kappa != 0, axis=1), 1, 0.5)
        cell = cell * view.trust(np.hypot(*(view.kappa @ view.linear).T), reach)
        return cls(view, turned, target, cell * np.conj(h) / view.noise_power / information[target])


def _oversampling(exposures: SurveyExposures) -> int:
    return round(exposures.pixel_arcsec / exposures.psf_pixel_arcsec)


def _band(exposures: SurveyExposures, e: int) -> float:
    """The alias-free band of an exposure on the sky, radians per arcsec."""
    # Along its most compressed direction the map resolves least of the sky.
    squeeze = float(np.linalg.svd(exposures.wcs[0, e, :, :2], compute_uv=False)[-1])
    return alias_free_band(exposures.psf[e], _oversampling(exposures)) * squeeze


def _upper(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (n, 2) turned into the upper half plane, and which of them were turned."""
    k = np.round(k, 6)
    turned = (k[:, 1] < 0) | ((k[:, 1] == 0) & (k[:, 0] < 0))
    return np.where(turned[:, None], -k, k) + 0.0, turned


def _half_plane(size: int, linear: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and frequencies (n, 2), radians per pixel, of half the disc |k| ≤ reach."""
    n = fft.fftfreq(size, 1 / size).astype(int)
    rows, columns = (index.ravel() for index in np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    kappa = 2 * np.pi / size * np.stack([n[columns], n[rows]], axis=1)
    k = np.hypot(*(kappa @ linear).T)
    upper = (n[rows] > 0) | ((n[rows] == 0) & (n[columns] >= 0))
    keep = upper & (k <= reach)
    return rows[keep], columns[keep], kappa[keep]
