"""Shear bias, and how well a method knows its own errors, from one estimate per field.

The model of the bias, with g the true and ĝ the estimated reduced shear of a field and e_psf
the ellipticity of its PSF, is for both components i (Heymans et al. 2006, the first paper of the
Shear Testing Programme)

    ĝ_i = (1 + m_i) g_i + c_i + alpha e_psf,i

fitted by weighted least squares from sums over fields, so it streams and merges. A *cluster*
is what is independent of the rest: a field of a released split, or in the harness a matched
pair of fields that share galaxies and noise under +g and -g (all fields of a pair have one
cluster id, and an incomplete pair is left out by whoever makes the sums).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from .bootstrap import Estimate, estimates
from .metrics import DISPLAY_LEVEL, Group, Metric
from .scorecard import ProvenanceValue, Scorecard
from .statistics import Sums

__all__ = [
    "ADDITIVE_LIMIT",
    "MULTIPLICATIVE_LIMIT",
    "bias_from_sums",
    "multiplicative_limit",
    "quality_from_sums",
    "reachable_sigma_m",
    "shear_bias",
    "shear_quality",
    "shear_scorecard",
    "shear_sums",
]

MULTIPLICATIVE_LIMIT: Mapping[str, float] = {"joint": 2e-3, "lsst": 3e-3}
"""Largest |m| by track: Euclid (Cropper et al. 2013, MNRAS 431, 3103) for the joint track, ten years
of LSST (LSST DESC Science Requirements Document, arXiv:1809.01669) for the track of LSST alone."""

ADDITIVE_LIMIT = 2e-4
"""Largest |c|, of Euclid, used in every track (Cropper et al. 2013)."""

SPREAD = 1e-12
"""Least share of the sum of squares of a regressor that must be left when what the other
regressors explain is taken away; below, it is round-off and the slope is undefined."""

COVERAGE_LEVEL = 0.68
"""The level of the intervals whose coverage is counted by `coverage_68`."""

Totals = Mapping[str, np.ndarray]
Use = Literal["calibrate", "score"]

_BIAS = ("w", *(f"w_{name}" for i in "12" for name in (f"g{i}", f"g{i}_g{i}", f"h{i}", f"g{i}_h{i}")))
_PSF = tuple(f"w_{name}" for i in "12" for name in (f"e{i}", f"e{i}_e{i}", f"g{i}_e{i}", f"e{i}_h{i}"))
_RESIDUAL = ("n", "w_r1_r1", "w_r2_r2")
_COVARIANCE = (
    "chi2",
    "nll",
    "inside",
    *(f"i{i}{rest}" for i in "12" for rest in ("", f"_g{i}", f"_g{i}_g{i}")),
)


def shear_sums(
    cluster: ArrayLike,
    true: ArrayLike,
    estimated: ArrayLike,
    *,
    weight: ArrayLike = 1.0,
    covariance: ArrayLike | None = None,
    psf: ArrayLike | None = None,
) -> Sums:
    """Sums of fields by cluster, from which everything here is computed; merge those of workers.

    Arguments:
        cluster: (field,) integers: the field itself, or its matched pair.
        true: (field, 2) true reduced shear g1, g2.
        estimated: (field, 2) estimates of it.
        weight: (field,) or one number for all; not negative. Weights that depend on the
            estimates bias m: give what was known before, such as the number of scenes.
        covariance: (field, 3) predicted cov11, cov22, cov12 of the estimates.
        psf: (field, 2) ellipticity e1, e2 of the PSF.

    Raises:
        ValueError: for another shape, a number that is not finite, a negative weight, or a
            covariance that is not positive definite; it says in which field.
    """
    labels = np.asarray(cluster)
    g, h = (_pairs(array, labels.size, what) for array, what in ((true, "true"), (estimated, "estimated")))
    w = np.broadcast_to(np.asarray(weight, dtype=np.float64), labels.shape)
    _refuse(w < 0, w, "weight", "a weight is zero or positive")
    r = h - g
    columns: dict[str, ArrayLike] = {"n": 1.0, "w": w}
    for i, (gi, hi, ri) in enumerate(zip(g.T, h.T, r.T, strict=True), start=1):
        columns |= {f"w_g{i}": w * gi, f"w_g{i}_g{i}": w * gi * gi, f"w_h{i}": w * hi}
        columns |= {f"w_g{i}_h{i}": w * gi * hi, f"w_r{i}_r{i}": w * ri * ri}
    if psf is not None:
        e = _pairs(psf, labels.size, "psf")
        for i, (gi, hi, ei) in enumerate(zip(g.T, h.T, e.T, strict=True), start=1):
            columns |= {f"w_e{i}": w * ei, f"w_e{i}_e{i}": w * ei * ei}
            columns |= {f"w_g{i}_e{i}": w * gi * ei, f"w_e{i}_h{i}": w * ei * hi}
    if covariance is not None:
        columns |= _covariance_columns(g, r, _array(covariance, (labels.size, 3), "covariance"))
    return Sums.of(labels, **columns)


def _covariance_columns(g: np.ndarray, r: np.ndarray, covariance: np.ndarray) -> dict[str, np.ndarray]:
    c11, c22, c12 = covariance.T
    determinant = c11 * c22 - c12**2
    bad = ~((c11 > 0) & (c22 > 0) & (determinant > 0))
    _refuse(bad, covariance, "covariance cov11, cov22, cov12", "it has to be positive definite")
    chi2 = (c22 * r[:, 0] ** 2 - 2 * c12 * r[:, 0] * r[:, 1] + c11 * r[:, 1] ** 2) / determinant
    half_width = stats.norm.ppf((1 + COVERAGE_LEVEL) / 2) * np.sqrt(covariance[:, :2])
    columns = {
        "chi2": chi2,
        "nll": 0.5 * (chi2 + np.log(determinant)) + np.log(2 * np.pi),
        "inside": (np.abs(r) <= half_width).sum(axis=1),
    }
    for i, (gi, variance) in enumerate(zip(g.T, (c11, c22), strict=True), start=1):
        columns |= {f"i{i}": 1 / variance, f"i{i}_g{i}": gi / variance, f"i{i}_g{i}_g{i}": gi * gi / variance}
    return columns


def shear_bias(totals: Totals) -> dict[str, np.ndarray]:
    """The weighted least-squares solution for m1, m2, c1, c2, and alpha where there are PSF sums.

    The fit is solved in closed form, regressor by regressor (Frisch & Waugh 1933, Econometrica
    1, 387): estimates that are zero give m = -1 and c = 0 without round-off.

    Arguments:
        totals: {name: (...)} of the columns of `shear_sums`.

    Returns:
        {name: (...)}. NaN where the true shear has no spread; alpha is NaN, and the others are
        fitted without it, where the PSF ellipticities follow from the other regressors.
    """
    w = totals["w"]

    def centred(a: str, b: str, product: str) -> np.ndarray:
        return totals[f"w_{product}"] - totals[f"w_{a}"] * totals[f"w_{b}"] / w

    gg, gh = {}, {}
    for i in "12":
        gg[i] = _spread(centred(f"g{i}", f"g{i}", f"g{i}_g{i}"), totals[f"w_g{i}_g{i}"])
        gh[i] = centred(f"g{i}", f"h{i}", f"g{i}_h{i}")
    result: dict[str, np.ndarray] = {}
    ge = {i: np.zeros_like(w) for i in "12"}
    mean_e = {i: np.zeros_like(w) for i in "12"}
    alpha = np.zeros_like(w)
    if "w_e1" in totals:
        above, below, all_squares = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
        for i in "12":
            ge[i] = centred(f"g{i}", f"e{i}", f"g{i}_e{i}")
            mean_e[i] = totals[f"w_e{i}"] / w
            above = above + centred(f"e{i}", f"h{i}", f"e{i}_h{i}") - ge[i] * gh[i] / gg[i]
            below = below + centred(f"e{i}", f"e{i}", f"e{i}_e{i}") - ge[i] ** 2 / gg[i]
            all_squares = all_squares + totals[f"w_e{i}_e{i}"]
        known = below > SPREAD * all_squares
        result["alpha"] = np.where(known, above / below, np.nan)
        alpha = np.where(known, result["alpha"], 0.0)
    for i in "12":
        slope = (gh[i] - alpha * ge[i]) / gg[i]
        result[f"m{i}"] = slope - 1
        result[f"c{i}"] = (totals[f"w_h{i}"] - slope * totals[f"w_g{i}"]) / w - alpha * mean_e[i]
    return {name: result[name] for name in ("m1", "m2", "c1", "c2", "alpha") if name in result}


def bias_from_sums(sums: Sums, *, seed: int = 0, n_resamples: int = 2000) -> dict[str, Estimate]:
    """Estimates of m1, m2, c1, c2 and alpha; a value that is undefined comes with its reason."""
    names = _BIAS + (_PSF if "w_e1" in sums.names else ())
    result = estimates(sums.select(names), shear_bias, seed=seed, n_resamples=n_resamples)
    n = sums.n_clusters
    if "alpha" not in result:
        result["alpha"] = Estimate.undefined(n, "no PSF ellipticities were given")
    total = sums.total()
    for name, estimate in result.items():
        if estimate.value is not None or n == 0:
            continue
        if total["w"] == 0:
            reason = "all weights are zero"
        elif name != "alpha":
            reason = f"the true g{name[1]} is the same in all fields: its response cannot be measured"
        elif estimate.reason.startswith("no PSF"):
            continue
        else:
            reason = "the PSF ellipticities do not vary apart from the shear: no leakage can be measured"
        result[name] = replace(estimate, reason=reason)
    return result


def reachable_sigma_m(totals: Totals) -> dict[str, np.ndarray]:
    """The standard error of one m that these fields allow, root-mean-square of the two components.

    Arguments:
        totals: {name: (...)} of the columns of `shear_sums`.

    Returns:
        ``sigma_m``: (...) from the scatter about the fit of m and c, as weighted least squares
            has it for independent fields (matched pairs do better: their scatter cancels).
        ``sigma_m_predicted``: (...) from the predicted covariances, with the weights that are
            best if they are right; only where there are covariances.
    """
    w, n = totals["w"], totals["n"]
    scatter, predicted = np.zeros_like(w), np.zeros_like(w)
    for i in "12":
        g, gg = totals[f"w_g{i}"], totals[f"w_g{i}_g{i}"]
        # The residual is r = h - g; its sums follow from those of h and g.
        r, gr = totals[f"w_h{i}"] - g, totals[f"w_g{i}_h{i}"] - gg
        squares = _spread(gg - g**2 / w, gg)
        left = totals[f"w_r{i}_r{i}"] - r**2 / w - (gr - g * r / w) ** 2 / squares
        freedom = np.where(n > 2, n - 2, np.nan)
        scatter = scatter + np.maximum(left, 0) / freedom / squares
        if "chi2" in totals:
            information = totals[f"i{i}_g{i}_g{i}"] - totals[f"i{i}_g{i}"] ** 2 / totals[f"i{i}"]
            predicted = predicted + 1 / _spread(information, totals[f"i{i}_g{i}_g{i}"])
    result = {"sigma_m": np.sqrt(scatter / 2)}
    return result | {"sigma_m_predicted": np.sqrt(predicted / 2)} if "chi2" in totals else result


def shear_quality(totals: Totals) -> dict[str, np.ndarray]:
    """How far the estimates of fields are from the truth, and whether their errors are right.

    Returns:
        ``rms``: (...) weighted root-mean-square of ĝ - g over both components.
        ``sigma_m``, ``sigma_m_predicted``: see `reachable_sigma_m`.
        ``nll``: mean of -log p(g) per field, the logarithmic score of the predicted Gaussian
            (a proper score: Gneiting & Raftery 2007, JASA 102, 359).
        ``chi2_dof``: mean of the residual squared in units of the predicted covariance; 1 if right.
        ``coverage_68``: share of components inside their own 68 % interval.
        The last three only where there are covariances. They do not use the weights.
    """
    result = {"rms": np.sqrt((totals["w_r1_r1"] + totals["w_r2_r2"]) / (2 * totals["w"]))}
    result |= reachable_sigma_m(totals)
    if "chi2" in totals:
        n = totals["n"]
        result["nll"] = totals["nll"] / n
        result["chi2_dof"] = totals["chi2"] / (2 * n)
        result["coverage_68"] = totals["inside"] / (2 * n)
    return result


def quality_from_sums(sums: Sums, *, seed: int = 0, n_resamples: int = 2000) -> dict[str, Estimate]:
    """Estimates of what `shear_quality` gives; what needs covariances that are absent is null."""
    names = (*_BIAS, *_RESIDUAL, *(_COVARIANCE if "chi2" in sums.names else ()))
    result = estimates(sums.select(names), shear_quality, seed=seed, n_resamples=n_resamples)
    n = sums.n_clusters
    for name in ("sigma_m", "sigma_m_predicted"):
        if name in result and result[name].value is None and n:
            reason = "three fields or more, with more than one true shear, are needed"
            result[name] = replace(result[name], reason=reason)
    for name in ("sigma_m_predicted", "nll", "chi2_dof", "coverage_68"):
        if name not in result:
            result[name] = Estimate.undefined(n, "no covariances were predicted")
    for name, estimate in result.items():
        if name != "nll":
            result[name] = replace(estimate, support=(0.0, 1.0 if name == "coverage_68" else np.inf))
    coverage = result["coverage_68"]
    if coverage.standard_error == 0:
        # All clusters agree by chance: a share without scatter is not one without error.
        reason = "the share is the same in every cluster: there is no scatter to give an interval"
        result["coverage_68"] = Estimate(coverage.value, None, n, None, reason)
    return result


def multiplicative_limit(track: str) -> float:
    """The requirement on |m| of a track, such as ``"joint"`` or ``"lsst-…"``."""
    first = track.split("-")[0]
    if first not in MULTIPLICATIVE_LIMIT:
        raise ValueError(
            f"no requirement on m is known for the track {track!r}, only for "
            f"{', '.join(MULTIPLICATIVE_LIMIT)}: give limit_m"
        )
    return MULTIPLICATIVE_LIMIT[first]


def shear_scorecard(
    sums: Sums,
    *,
    use: Use,
    track: str,
    tier: str,
    split: str,
    entry: str,
    groups: Iterable[tuple[str, tuple[float, float], Sums]] = (),
    provenance: Mapping[str, ProvenanceValue] | None = None,
    limit_m: float | None = None,
    limit_c: float = ADDITIVE_LIMIT,
    level: float = DISPLAY_LEVEL,
    seed: int = 0,
    n_resamples: int = 2000,
) -> Scorecard:
    """The scorecard of the shear challenge.

    Arguments:
        sums: from `shear_sums`.
        use: ``"calibrate"``, the bias alone, from matched pairs of the harness; ``"score"``, the
            bias and the quality of the predictions for a split.
        track, tier, split, entry: written on the scorecard.
        groups: (property, (low, high), sums) of fields in a range of a property, such as the seeing.
        provenance: code version, hashes, seconds.
        limit_m: requirement on |m|; that of the track (`multiplicative_limit`) if None.
        limit_c: requirement on |c|.
        level: of the intervals shown; requirements are decided at 95 %.
        seed, n_resamples: of the bootstrap.
    """
    if use not in ("calibrate", "score"):
        raise ValueError(f'use is "calibrate" or "score", not {use!r}')
    if limit_m is None:
        limit_m = multiplicative_limit(track)
    limits = {"m1": limit_m, "m2": limit_m, "c1": limit_c, "c2": limit_c}

    def metrics(part: Sums) -> tuple[Metric, ...]:
        bias = bias_from_sums(part, seed=seed, n_resamples=n_resamples)
        result = [
            Metric.of(name, bias[name], better="zero", requirement=limits.get(name), level=level)
            for name in ("m1", "m2", "c1", "c2", "alpha")
        ]
        if use == "score":
            quality = quality_from_sums(part, seed=seed, n_resamples=n_resamples)
            best = {"chi2_dof": 1.0, "coverage_68": COVERAGE_LEVEL}
            order = ("rms", "sigma_m", "sigma_m_predicted", "nll", "chi2_dof", "coverage_68")
            result += [
                Metric.of(name, quality[name], better=best.get(name, "lower"), level=level) for name in order
            ]
        return tuple(result)

    return Scorecard(
        challenge="shear",
        track=track,
        tier=tier,
        split=split,
        entry=entry,
        metrics=metrics(sums),
        groups=tuple(Group(by, ends, metrics(part)) for by, ends, part in groups),
        provenance=provenance or {},
    )


def _spread(squares: np.ndarray, all_squares: np.ndarray) -> np.ndarray:
    """Centred sums of squares, NaN where they are round-off of what they were centred from."""
    return np.where(squares > SPREAD * all_squares, squares, np.nan)


def _pairs(array: ArrayLike, n_fields: int, what: str) -> np.ndarray:
    return _array(array, (n_fields, 2), what)


def _array(array: ArrayLike, shape: tuple[int, int], what: str) -> np.ndarray:
    numbers = np.asarray(array, dtype=np.float64)
    if numbers.size == 0 and shape[0] == 0:
        numbers = numbers.reshape(shape)
    if numbers.shape != shape:
        raise ValueError(f"{what} has shape {numbers.shape}; {shape[0]} fields need {shape}")
    _refuse(~np.isfinite(numbers).all(axis=1), numbers, what, "every number must be finite")
    return numbers


def _refuse(bad: ArrayLike, numbers: np.ndarray, what: str, rule: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        raise ValueError(
            f"{what} of field number {rows[0]} is {numbers[rows[0]]}, "
            f"one of {rows.size} that are wrong: {rule}"
        )
