"""Self-calibrated shear from Gaussian-weighted moments of individual exposures.

The sky behind all exposures, deconvolved and smoothed by a Gaussian of width σ, is f(x) (see
`fourier_moments`). Detections are the peaks of f: it is the inverse-variance detection image.
The second derivatives of f at a peak are the Gaussian-weighted second moments of the
deconvolved sky about it, the sum over exposures of the moments of each; the ellipticity is
e = −σ²(f_xx − f_yy, 2f_xy)/(f + C), negated so that it points along the galaxy.

The mean shear of the scenes is Σ w·e / Σ d(w·e)/dγ over the peaks. The derivative follows the
image itself: the deconvolved observed sky is sheared; the peak moves, its height, curvature
and ellipticity change, and so does its weight w, which falls smoothly to zero where a peak
is faint, about to merge with another, or near the edge of the scene. Detection, selection and
blending are so calibrated without truth and without simulations (metadetection: Sheldon et
al. 2020, ApJ 902, 138; with analytic derivatives: Li & Mandelbaum 2023, MNRAS 521, 4904).

Noise in the image would be sheared along with the sky. So noise of the same statistics is
added to the image and sheared the opposite way, which cancels the response of noise on
average, exactly, at the price of twice the variance. For peaks, whose positions follow the
noise, this takes one more term. With δ(x − x_p) w·e summed over all points x, and shear about
each point x, the motion of a peak has a divergence: −tr Γ = 0 for the image alone, but
2 tr(H⁻¹H'Γ) once the added noise, with second derivatives H' among the H of the sum, moves the
opposite way; integrated by parts over x it multiplies w·e.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..challenges.method import Field, SurveyExposures
from .baseline import Baseline
from .fourier_moments import BAND_SIGMA, SmoothedSky, resolved

__all__ = ["MomentsShear", "jackknife_shear"]

_VALUE, _GRADIENT, _HESSIAN = [(0, 0)], [(1, 0), (0, 1)], [(2, 0), (1, 1), (0, 2)]
_THIRD = [(3, 0), (2, 1), (1, 2), (0, 3)]
FEW_SCENES = 20
# Scatter of the ellipticity of a galaxy, per component: the root mean square of the distribution that Miller
# et al. (2013) fitted to disks.
SHAPE_SCATTER = 0.256
_BATCH = 32  # scenes measured at once


@dataclass(frozen=True)
class MomentsShear(Baseline):
    """The shear method ``moments``.

    Attributes:
        kernel_arcsec: σ of the Gaussian kernel; by default 0.50″ where Euclid VIS is
            there and 0.60″ for LSST alone, whose PSF is as wide as that; more where the
            sharpest survey does not resolve it without aliasing.
        spacing_arcsec: of the grid on which peaks are looked for before they are refined.
        margin_arcsec: band along the edges of a scene where nothing is measured; inside it the
            weight rises to one over a fifth of the way to the centre.
        snr: height of a peak, in units of noise (the noise added by the method included), between
            which its weight rises from zero to one.
        curvature: the same for its smaller principal curvature, in units of the noise of a
            second derivative.
        roundness: the same for the ratio of its principal curvatures. A peak that merges with
            the saddle beside it goes through zero, where its motion under shear diverges.
        shape_floor: the constant C, in units of the noise of f: large values weigh bright
            galaxies more.
    """

    name: str = "moments"
    kernel_arcsec: float | None = None
    spacing_arcsec: float = 0.15
    margin_arcsec: float = 2.4
    snr: tuple[float, float] = (8.0, 16.0)
    curvature: tuple[float, float] = (2.0, 8.0)
    roundness: tuple[float, float] = (0.1, 0.5)
    shape_floor: float = 20.0

    def predict(self, field: Field) -> dict[str, float]:
        """Shear of a field and its covariance, from the pixels of its exposures.

        Returns:
            ``g1 g2 cov11 cov22 cov12``; the covariance by the jackknife over scenes.

        Raises:
            ValueError: if the field holds fewer than two scenes.
        """
        if field.n_scenes < 2:
            raise ValueError(f"field {field.id} holds {field.n_scenes} scene; the jackknife needs two")
        return jackknife_shear(self.scene_sums(field))

    def kernel(self, surveys: Sequence[SurveyExposures]) -> float:
        """σ of the Gaussian kernel for these exposures, arcsec.

        The sharpest survey has to resolve it, or all of its light would be left out.
        """
        if self.kernel_arcsec is not None:
            return self.kernel_arcsec
        sharpest = min(surveys, key=lambda x: x.pixel_arcsec)
        least = 0.50 if sharpest.survey == "EUCLID_VIS" else 0.60
        # Wider by a hair, so that rounding does not put the band just beyond what is resolved.
        return max(least, (1 + 1e-9) * BAND_SIGMA / max(resolved([sharpest]), 1e-3))

    def scene_sums(self, field: Field) -> np.ndarray:
        """(scene, 10): Σ w·e1, Σ w·e2; their responses R11, R12, R21, R22; and what these gain from the
        window, as shear about the centre of the scene carries peaks through it (zero on average)."""
        surveys = list(field.surveys.values())
        sky = SmoothedSky(surveys, self.kernel(surveys))
        half = field.width_arcsec / 2 - self.margin_arcsec
        steps = int(np.ceil(half / self.spacing_arcsec)) + 1
        grid = np.arange(-steps, steps + 1) * self.spacing_arcsec
        sums, found, kept = [], 0, 0
        for start in range(0, field.n_scenes, _BATCH):
            scenes = slice(start, start + _BATCH)
            wcs = {x.survey: x.wcs[scenes] for x in surveys}
            observed = sky.transform({x.survey: x.image[scenes] for x in surveys}, wcs)
            added = sky.transform({x.survey: _noise_like(x, scenes) for x in surveys}, wcs)
            measured = observed + added
            scene, position = self._peaks(sky, measured, grid, half)
            keep = ~_near_masked(surveys, scenes, scene, position)
            found, kept = found + len(keep), kept + int(keep.sum())
            scene, position = scene[keep], position[keep]
            phases = sky.phases(position)
            columns = self._responses(
                sky, measured[scene] * phases, (observed - added)[scene] * phases, position, half
            )
            n = len(observed)
            sums.append(np.stack([np.bincount(scene, c, minlength=n) for c in columns.T], axis=1))
        if found and not kept:
            warnings.warn(
                f"moments measures nothing: each of {found} peaks lies within an arcsec of a masked pixel",
                RuntimeWarning,
                stacklevel=2,
            )
        return np.concatenate(sums)

    def _peaks(
        self, sky: SmoothedSky, measured: np.ndarray, grid: np.ndarray, half: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scene (n,) and position (n, 2) of the peaks inside |x|, |y| ≤ half."""
        image = sky.image(measured, grid)
        threshold = self.snr[0] * np.sqrt(2) * sky.noise((0, 0))
        top = ndimage.maximum_filter(image, size=(1, 3, 3), mode="constant", cval=np.inf)
        scene, row, column = np.nonzero((image == top) & (image > threshold))
        position = np.stack([grid[column], grid[row]], axis=1)
        for _ in range(6):
            values = sky.derivatives(measured[scene] * sky.phases(position), _GRADIENT + _HESSIAN)
            step = -_solve2(values[:, 2:], values[:, :2])
            # Near an inflection Newton's step is wild: stay within a cell, and below let go of
            # what did not settle; the weight of such a peak is next to nothing.
            position = position + np.clip(step, -self.spacing_arcsec, self.spacing_arcsec)
        settled = (np.abs(step).max(axis=1, initial=0) < 1e-3) & (_curvatures(values[:, 2:])[0] > 0)
        inside = np.abs(position).max(axis=1, initial=0) <= half
        scene, position = scene[settled & inside], position[settled & inside]
        # Two cells of the grid may have climbed the same peak.
        _, first = np.unique(np.column_stack([scene, np.round(position, 2)]), axis=0, return_index=True)
        return scene[first], position[first]

    def _responses(
        self, sky: SmoothedSky, measured: np.ndarray, sheared: np.ndarray, position: np.ndarray, half: float
    ) -> np.ndarray:
        """(n, 10) at peaks: w·e1, w·e2, and both parts of d(w·e)/dγ, from transforms times phases."""
        values = sky.derivatives(measured, _VALUE + _HESSIAN + _THIRD)
        height, hessian, third = values[:, 0], values[:, 1:4], values[:, 4:]
        tangents = sky.tangents(sheared, _VALUE + _GRADIENT + _HESSIAN)
        # The peak stays where the gradient vanishes: it moves by −H⁻¹ d(gradient)/dγ.
        moved = np.stack([-_solve2(hessian, tangents[:, 1:3, j]) for j in range(2)], axis=2)
        along = np.stack([third[:, :3], third[:, 1:]], axis=2)
        d_height = tangents[:, 0]  # moving a peak does not change its height
        d_hessian = tangents[:, 3:] + np.einsum("nhx,nxj->nhj", along, moved)

        noise = np.sqrt(2) * sky.noise((0, 0))
        noise_curvature = np.sqrt(2) * sky.noise((2, 0))
        smaller, d_smaller, larger, d_larger = _curvatures(hessian)
        roundness = smaller / larger
        d_roundness = (d_smaller - roundness[:, None] * d_larger) / larger[:, None]
        bright, by_height = _rise(height, np.array(self.snr) * noise)
        peaked, by_smaller = _rise(smaller, np.array(self.curvature) * noise_curvature)
        apart, by_roundness = _rise(roundness, np.array(self.roundness))
        weight = bright * peaked * apart
        by_hessian = by_smaller[:, None] * d_smaller + by_roundness[:, None] * d_roundness
        d_log_weight = by_height[:, None] * d_height + np.einsum("nh,nhj->nj", by_hessian, d_hessian)
        window, d_log_window = _window(position, half)
        weight = weight * window
        d_log_weight += np.einsum("nx,nxj->nj", d_log_window, moved)
        # The added noise, sheared the opposite way, makes the motion of peaks diverge.
        added = sky.derivatives((measured - sheared) / 2, _HESSIAN)
        d_log_weight += 2 * _trace_with_shear(hessian, added)
        # Shear about the centre of the scene carries a peak along by Γx, whatever its own shape does.
        x, y = position.T
        carried = np.stack([np.stack([x, -y], axis=1), np.stack([y, x], axis=1)], axis=2)
        d_log_carried = np.einsum("nx,nxj->nj", d_log_window, carried)
        floor = np.maximum(height, 0) + self.shape_floor * noise
        s2 = sky.kernel_arcsec**2
        columns, responses, through = [], [], []
        for spin in (np.array([1, 0, -1]), np.array([0, 2, 0])):
            e = s2 * hessian @ spin / floor
            change = s2 * np.einsum("nhj,h->nj", d_hessian, spin) / floor[:, None]
            change -= (e / floor)[:, None] * d_height
            columns.append(weight * e)
            responses.append(weight[:, None] * (change + e[:, None] * d_log_weight))
            through.append((weight * e)[:, None] * d_log_carried)
        return np.column_stack([*columns, *responses, *through])


def jackknife_shear(sums: np.ndarray) -> dict[str, float]:
    """Shear from per-scene sums (scene, 10), and its covariance.

    The estimator R⁻¹·Σwe has a bias of order one over the number of scenes; the jackknife
    removes it and measures the covariance (Quenouille 1956, Biometrika 43, 353). A field with
    so little in it that a response is not positive, or the shear not below one, is answered
    with what is known without it: zero, and the scatter of one galaxy's shape.
    """
    n = len(sums)
    total = sums.sum(axis=0)
    shear, cov = np.zeros(2), np.eye(2) * SHAPE_SCATTER**2
    each = np.concatenate([total[None], total - sums])
    response = each[:, 2:6].reshape(-1, 2, 2)
    mean = (response[:, 0, 0] + response[:, 1, 1]) / 2
    few = n < FEW_SCENES
    if np.all(mean > 0):
        # With few scenes, all but the isotropic and local part of the response is noise, and so
        # are its bias and the shape of its covariance. With many, the whole response is the exact
        # derivative, and matched pairs cancel best.
        if few:
            estimates = each[:, :2] / mean[:, None]
        else:
            exact = response + each[:, 6:].reshape(-1, 2, 2)
            estimates = np.linalg.solve(exact, each[:, :2, None])[..., 0]
        bias = (n - 1) * (estimates[1:].mean(axis=0) - estimates[0])
        answer = estimates[0] if few else estimates[0] - bias
        if np.hypot(*answer) < 1:
            deviation = estimates[1:] - estimates[1:].mean(axis=0)
            shear, cov = answer, (n - 1) / n * deviation.T @ deviation
            cov = np.eye(2) * np.trace(cov) / 2 if few else cov
    return {
        "g1": float(shear[0]),
        "g2": float(shear[1]),
        "cov11": float(cov[0, 0]),
        "cov22": float(cov[1, 1]),
        "cov12": float(cov[0, 1]),
    }


def _window(position: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray]:
    """(n,) weight that falls from 1 at 0.8·half to 0 at `half` as cos², and (n, 2) gradient of its log."""
    taper = 0.2 * half
    outward = np.clip((np.abs(position) - half + taper) / taper, 0, 1 - 1e-9)
    angle = np.pi / 2 * outward
    return np.prod(np.cos(angle) ** 2, axis=1), -np.pi / taper * np.tan(angle) * np.sign(position)


def _rise(value: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) weight t²(3 − 2t) that rises from 0 to 1 between two ends, and derivative of its log."""
    t = np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1)
    # Where the weight is zero, so is what its derivative is multiplied with.
    slope = np.where((t > 0) & (t < 1), 6 * (1 - t) / (np.maximum(t, 1e-12) * (3 - 2 * t)), 0)
    return t**2 * (3 - 2 * t), slope / (ends[1] - ends[0])


def _noise_like(exposures: SurveyExposures, scenes: slice) -> np.ndarray:
    """Noise with the variance of empty pixels, the same whenever the same data come again."""
    sigma = np.sqrt(exposures.sky_variance[scenes] + exposures.read_variance[scenes])
    noise = np.empty(exposures.image[scenes].shape, dtype=np.float32)
    for scene, wcs in enumerate(exposures.wcs[scenes]):
        key = hashlib.blake2b(np.ascontiguousarray(wcs, dtype="<f8").tobytes(), digest_size=16).digest()
        rng = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
        noise[scene] = rng.standard_normal(noise.shape[1:], dtype=np.float32)
    return noise * sigma[..., None, None].astype(np.float32)


def _solve2(hessian: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(n, 2) solution of H·u = vector for symmetric H given as xx, xy, yy (n, 3)."""
    xx, xy, yy = hessian.T
    determinant = xx * yy - xy**2
    determinant = np.where(determinant == 0, np.finfo(float).tiny, determinant)
    u = np.stack([yy * vector[:, 0] - xy * vector[:, 1], xx * vector[:, 1] - xy * vector[:, 0]], axis=1)
    return u / determinant[:, None]


def _trace_with_shear(hessian: np.ndarray, added: np.ndarray) -> np.ndarray:
    """(n, 2) trace of H⁻¹H'Γ for Γ of unit γ1 and γ2, with H and H' given as xx, xy, yy (n, 3)."""
    along_x = _solve2(hessian, added[:, :2])
    along_y = _solve2(hessian, added[:, 1:])
    return np.stack([along_x[:, 0] - along_y[:, 1], along_x[:, 1] + along_y[:, 0]], axis=1)


def _curvatures(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Smaller and larger eigenvalue of −H (n,), each with its derivatives by xx, xy, yy (n, 3)."""
    xx, xy, yy = hessian.T
    mean, half = -(xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    safe = np.where(half == 0, 1, half)
    tilt = np.stack([(xx - yy) / 4, xy, (yy - xx) / 4], axis=1) / safe[:, None]
    d_mean = np.array([-0.5, 0, -0.5])
    return mean - half, d_mean - tilt, mean + half, d_mean + tilt


def _near_masked(
    surveys: list[SurveyExposures], scenes: slice, scene: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """(n,) true within an arcsec of a masked pixel in any exposure."""
    near = np.zeros(len(scene), dtype=bool)
    for exposures in surveys:
        masks = exposures.mask[scenes]
        for s, e in zip(*np.nonzero(masks.any(axis=(2, 3))), strict=True):
            rows, columns = np.nonzero(masks[s, e])
            wcs = exposures.wcs[scenes][s, e]
            mine = np.flatnonzero(scene == s)
            pixel = position[mine] @ wcs[:, :2].T + wcs[:, 2]
            distance = np.hypot(pixel[:, :1] - columns, pixel[:, 1:] - rows).min(axis=1)
            near[mine] |= distance * exposures.pixel_arcsec <= 1.0
    return near
