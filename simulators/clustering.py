"""Galaxies clustered on the sky and in redshift: a Neyman-Scott process.

Groups lie at random; the galaxies of one group scatter about its centre by a sum of Gaussians and
share its redshift. The expected angular correlation is then a sum of Gaussians too, known exactly,
and its weights were fitted to the power law that is observed. A square of any width can be drawn by
itself: groups centred outside it give it their members, so every scene has the statistics of a wide
survey, with the scatter of counts between scenes.

A bright sample of the same sky clusters more than all of it, because redshift tells how many members
of a group are bright: by the factor `boost`, the integral of p_bright(z)^2 / p_all(z).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "PUBLISHED_I_LIMIT",
    "UNIFORM",
    "Clustering",
    "angular_correlation",
    "boost",
    "clustering_at",
    "count_variance",
    "draw_groups",
    "draw_redshifts",
    "expected_correlation",
    "published_correlation",
]

# McCracken et al. (2007, ApJS 172, 314), abstract: w(1') = 0.014 at a median I_AB of 24, in three
# catalogues of COSMOS. With our counts, 10^(0.3 i), half the galaxies at i < 25 are fainter than 24.
# The slope was held at 0.8 in their group's fits, 15" to 4' (TERAPIX page on COSMOS, June 2005);
# that it holds down to 2" is our extrapolation.
PUBLISHED_I_LIMIT = 25.0
_AMPLITUDE, _SLOPE = 0.014, 0.8

# How members scatter about the centre of their group: Gaussian widths and weights. Our fit: their
# autocorrelation times _NORM follows (theta / 1')^-0.8 within 1.3 % from 2" to 2'. Beyond, it falls faster.
_SIGMA_ARCSEC = 0.5 * 2.0 ** np.arange(9)
_WEIGHT = np.array([0.0194, 0.0112, 0.0212, 0.0268, 0.0452, 0.0567, 0.1208, 0.0270, 0.6717])
_NORM = 34.96  # arcmin^2
# Groups further away than this many widths would give 1e-4 of the galaxies, which are left out.
_REACH = 4.0

# Line-of-sight scatter within a group, in units of 1 + z: 300 km/s. Our choice.
_REDSHIFT_SCATTER = 1e-3
# Bins in redshift, of equal counts, for the boost.
_BINS = 40

Population = Callable[[np.random.Generator, int], tuple[NDArray[np.float64], NDArray[np.float64]]]
MagnitudesAt = Callable[[np.random.Generator, NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Clustering:
    """How strongly the galaxies that are drawn cluster.

    Attributes:
        amplitude: w(1') of all that is drawn; zero is uniform.
        grouped: fraction of the galaxies that belong to groups, whatever their magnitude. At the same
            amplitude fewer grouped galaxies mean rarer, richer groups: 1, our choice, is the least so.

    Raises:
        ValueError: if the amplitude is negative or the fraction not within 0 and 1.
    """

    amplitude: float = _AMPLITUDE
    grouped: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.amplitude < np.inf:
            raise ValueError(f"the amplitude of clustering is zero or more, not {self.amplitude}")
        if not 0.0 < self.grouped <= 1.0:
            raise ValueError(f"the grouped fraction is above 0 and at most 1, not {self.grouped}")

    @property
    def groups_arcmin2(self) -> float:
        """Groups per arcmin^2, members seen or not: infinite where nothing clusters."""
        return self.grouped**2 / (self.amplitude * _NORM) if self.amplitude > 0.0 else np.inf


UNIFORM = Clustering(amplitude=0.0)


def published_correlation(theta_arcsec: ArrayLike) -> NDArray[np.float64]:
    """Observed w(theta) of galaxies with i < 25: 0.014 (theta / 1')^-0.8 (McCracken et al. 2007).

    Examples:
        >>> published_correlation([2.0, 60.0]).round(3).tolist()
        [0.213, 0.014]
    """
    return _AMPLITUDE * (np.asarray(theta_arcsec, dtype=float) / 60.0) ** -_SLOPE


def expected_correlation(theta_arcsec: ArrayLike, model: Clustering) -> NDArray[np.float64]:
    """w(theta) of all that `draw_groups` draws, exactly: any shape of arcsec in and out."""
    theta = np.asarray(theta_arcsec, dtype=float)[..., None, None]
    variance = _pair_variance()
    pairs = np.exp(-(theta**2) / (2.0 * variance)) / (2.0 * np.pi * variance / 3600.0)
    return model.amplitude * _NORM * np.einsum("j,...jk,k->...", _WEIGHT, pairs, _WEIGHT)


def count_variance(width_arcsec: float, density_arcmin2: float, model: Clustering) -> float:
    """Variance of the number of galaxies in a square, exactly: the mean if they are uniform.

    Mean plus the integral of density^2 w over all pairs of points of the square.
    """
    from scipy.special import erf

    _check(width_arcsec, density_arcmin2)
    width, variance = width_arcsec / 60.0, _pair_variance() / 3600.0
    sigma = np.sqrt(variance)
    side = width * erf(width / (np.sqrt(2.0) * sigma))
    side -= sigma * np.sqrt(2.0 / np.pi) * -np.expm1(-(width**2) / (2.0 * variance))
    pairs = model.amplitude * _NORM * (_WEIGHT @ side**2 @ _WEIGHT)
    return float(density_arcmin2 * width**2 + density_arcmin2**2 * pairs)


def draw_groups(
    rng: np.random.Generator, *, width_arcsec: float, density_arcmin2: float, model: Clustering
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Positions of the galaxies in a square, and which of them belong together.

    Arguments:
        rng: where the random numbers come from.
        width_arcsec: of the square, margins included.
        density_arcmin2: mean number of galaxies per arcmin^2.
        model: how they cluster; `UNIFORM` for not at all.

    Returns:
        x, y: (n,) arcsec from the centre; n has mean density times area.
        group: (n,) number of the group, from 0 on; -1 for a galaxy that is in none. Members of a
            group come one after the other.

    Raises:
        ValueError: if the width is not positive or the density negative.
    """
    from scipy.special import ndtr, ndtri

    _check(width_arcsec, density_arcmin2)
    half = width_arcsec / 2.0
    grouped = model.grouped if model.amplitude > 0.0 else 0.0
    singles = rng.poisson((1.0 - grouped) * density_arcmin2 * (width_arcsec / 60.0) ** 2)
    single_xy = rng.uniform(-half, half, (2, singles))
    if grouped == 0.0:
        return single_xy[0], single_xy[1], np.full(singles, -1)

    far = half + _REACH * _SIGMA_ARCSEC[-1]
    parents = rng.poisson(model.groups_arcmin2 * (far / 30.0) ** 2)
    centre = rng.uniform(-far, far, (2, parents))
    # A pair (group, Gaussian) counts only where the square is within reach of that Gaussian.
    outside = np.maximum(np.abs(centre).max(axis=0) - half, 0.0)
    parent, gaussian = np.nonzero(outside[:, None] <= _REACH * _SIGMA_ARCSEC)
    sigma = _SIGMA_ARCSEC[gaussian]
    # The share of each Gaussian within the square, mirrored into its lower tail, which is precise.
    mirror = np.where(centre > 0.0, 1.0, -1.0)[:, parent]
    distance = np.abs(centre)[:, parent]
    low, high = ndtr((-half - distance) / sigma), ndtr((half - distance) / sigma)
    members = grouped * density_arcmin2 / model.groups_arcmin2 * _WEIGHT[gaussian]
    number = rng.poisson(members * (high - low).prod(axis=0))
    each = np.repeat(np.arange(len(number)), number)
    low, high = low[:, each], high[:, each]
    offset = sigma[each] * ndtri(low + (high - low) * rng.uniform(size=low.shape))
    xy = np.clip(mirror[:, each] * (distance[:, each] + offset), -half, half)
    _, group = np.unique(parent[each], return_inverse=True)
    return (
        np.concatenate([xy[0], single_xy[0]]),
        np.concatenate([xy[1], single_xy[1]]),
        np.concatenate([group, np.full(singles, -1)]),
    )


def draw_redshifts(
    rng: np.random.Generator,
    group: NDArray[np.int64],
    *,
    population: Population,
    magnitudes_at: MagnitudesAt,
    z_max: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Redshift and i magnitude of each galaxy: one redshift for a group, every marginal as it was.

    A group takes its redshift from the population, and each further member its magnitude from
    p(i | z), so that every single galaxy follows the population's p(z, i), whatever its group.

    Arguments:
        rng: where the random numbers come from.
        group: (n,) as `draw_groups` gives it.
        population: (rng, n) -> redshifts and i magnitudes of n galaxies drawn independently.
        magnitudes_at: (rng, z) -> i magnitudes of galaxies at these redshifts, to the same depth.
        z_max: members that scatter beyond it, or below zero, are put back by reflection.

    Returns:
        z, mag_i: (n,) each.
    """
    group = np.asarray(group, dtype=np.int64)
    alone = group < 0
    # One draw of the population for a single, and one for the first of each group.
    key = np.where(alone, np.arange(len(group)) + len(group) + 1, group)
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    z_drawn, mag_drawn = population(rng, len(first))
    z, mag_i = z_drawn[which], mag_drawn[which]
    further = np.ones(len(group), dtype=bool)
    further[first] = False
    if further.any():
        mag_i[further] = magnitudes_at(rng, z[further])
        moved = z[further] + _REDSHIFT_SCATTER * (1.0 + z[further]) * rng.normal(size=further.sum())
        moved = np.abs(moved)
        z[further] = np.where(moved > z_max, 2.0 * z_max - moved, moved)
    return z, mag_i


def boost(z_bright: ArrayLike, z_all: ArrayLike) -> float:
    """How much more a bright sample clusters than the sky it is part of.

    With q(z) the fraction of a group's members that are bright, pairs go as <q^2> over groups and
    galaxies as <q>: the ratio <q^2> / <q>^2 is the integral of p_bright(z)^2 / p_all(z), 1 at least.

    Arguments:
        z_bright: redshifts of the bright sample; two or more.
        z_all: redshifts of all galaxies, bright ones included.

    Raises:
        ValueError: if there are too few galaxies.
    """
    z_bright, z_all = np.asarray(z_bright, dtype=float), np.asarray(z_all, dtype=float)
    n = len(z_bright)
    if n < 2 or len(z_all) < 100 * _BINS:
        raise ValueError(
            f"the boost needs 2 bright galaxies or more among {100 * _BINS} or more, not {n} of {len(z_all)}"
        )
    edges = np.quantile(z_all, np.arange(1, _BINS) / _BINS)
    counts = np.bincount(np.searchsorted(edges, z_bright), minlength=_BINS)
    # n (n - 1) keeps the Poisson noise of the counts out of their square.
    return max(float(_BINS * np.sum(counts * (counts - 1.0)) / (n * (n - 1.0))), 1.0)


def clustering_at(
    i_limit: float, redshifts_to: Callable[[float], ArrayLike], *, grouped: float = 1.0
) -> Clustering:
    """The model for galaxies drawn to `i_limit` whose i < 25 cluster as published.

    Arguments:
        i_limit: what will be drawn.
        redshifts_to: redshifts of a large sample of the population to a magnitude limit.
        grouped: as in `Clustering`.

    Raises:
        ValueError: if a sample is too small.
    """
    deep, bright = max(i_limit, PUBLISHED_I_LIMIT), min(i_limit, PUBLISHED_I_LIMIT)
    factor = boost(redshifts_to(bright), redshifts_to(deep))
    amplitude = _AMPLITUDE / factor if i_limit >= PUBLISHED_I_LIMIT else _AMPLITUDE * factor
    return Clustering(amplitude, grouped)


def angular_correlation(
    patches: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    *,
    width_arcsec: float,
    edges_arcsec: ArrayLike,
    rng: np.random.Generator,
    randoms: int = 4,
    mean: float | None = None,
) -> NDArray[np.float64]:
    """w(theta) of many squares together, by the estimator of Landy & Szalay (1993).

    Counts are taken relative to one mean density, that of all squares if none is given: few squares
    then leave an integral constraint, as in any survey of their area. Pairs of random points are
    known exactly for a square of width L: separations theta up to L occur as
    theta (L^2 - 4 L theta / pi + theta^2 / pi).

    Arguments:
        patches: x and y of each square, arcsec from its centre.
        width_arcsec: of every square.
        edges_arcsec: (m + 1,) edges of the bins, none above the width.
        rng: draws the random points.
        randoms: random points for each galaxy.
        mean: galaxies in a square, where that is known.

    Returns:
        (m,) correlations.

    Raises:
        ValueError: if there is nothing to correlate, or an edge is wider than the square.
    """
    from scipy.spatial import KDTree

    edges = np.asarray(edges_arcsec, dtype=float)
    if edges.max() > width_arcsec:
        raise ValueError(f"separations end at {edges.max()}, wider than a square of {width_arcsec} arcsec")
    if mean is None:
        mean = float(np.mean([len(x) for x, _ in patches])) if patches else 0.0
    if not patches or not mean > 0.0:
        raise ValueError("there is no galaxy to correlate: draw more squares, or deeper ones")
    scattered = round(randoms * mean) + 1
    data, cross = np.zeros(len(edges)), np.zeros(len(edges))
    for x, y in patches:
        tree = KDTree(np.stack([x, y], axis=-1))
        other = KDTree(rng.uniform(-width_arcsec / 2.0, width_arcsec / 2.0, (scattered, 2)))
        data += tree.count_neighbors(tree, edges)
        cross += tree.count_neighbors(other, edges)
    t = edges / width_arcsec
    within = np.diff(np.pi * t**2 - 8.0 * t**3 / 3.0 + t**4 / 2.0)
    dd = np.diff(data) / (len(patches) * mean**2) / within
    dr = np.diff(cross) / (len(patches) * mean * scattered) / within
    return dd - 2.0 * dr + 1.0


def _pair_variance() -> NDArray[np.float64]:
    """(Gaussian, Gaussian) variance per axis of the separation of two members, arcsec^2."""
    return _SIGMA_ARCSEC[:, None] ** 2 + _SIGMA_ARCSEC**2


def _check(width_arcsec: float, density_arcmin2: float) -> None:
    if not width_arcsec > 0.0:
        raise ValueError(f"a patch of sky has a positive width, not {width_arcsec} arcsec")
    if not density_arcmin2 >= 0.0:
        raise ValueError(f"a density is zero or more per arcmin^2, not {density_arcmin2}")
