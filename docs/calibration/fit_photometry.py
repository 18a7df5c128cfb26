"""Fit the library of spectra, and where its galaxies lie, to DC2.

Writes simulators/spectral_data/library.csv.

    .venv/bin/python docs/calibration/fit_photometry.py

The data are the 10,225 cosmoDC2 galaxies of RAIL's training file, i < 25.3, with redshifts and
ten-year LSST magnitudes. The model is a mixture: spectrum k, its share, and a Gaussian in
(ln(1 + z), i) for the galaxies that have it. A galaxy's magnitudes are those of the spectrum at its
redshift, with its catalogue errors and `KERNEL`. Spectra start as non-negative fits to galaxies
drawn from the file, each with its own strength of lines; expectation and maximisation then give the
shares and Gaussians, and every spectrum is fitted again to all galaxies that are likely to have it.
The file has no infrared: it is held near the median i - H of fits of 31 templates to the same galaxies.
Lines come with the templates; nothing in the data asks for their scatter. Half a minute to a minute.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from skysynergy.simulators import templates
from skysynergy.simulators.spectra import Z_GRID, element_fluxes

ROOT = Path(__file__).resolve().parents[2]
LSST, H = slice(0, 6), 9
# Magnitudes by which spectra differ from galaxies beyond their errors: the grain of the library.
KERNEL = 0.02
# Scatter of the strength of lines from one spectrum to the next, dex.
LINE_SCATTER = 0.2
# Median i - H of non-negative fits of 31 templates to DC2, by redshift, and how tightly it is held.
I_H, I_H_SCATTER = ([0.25, 0.75, 1.25, 1.75, 2.5], [0.85, 1.23, 1.51, 1.49, 1.06]), 0.3
# Least widths of the Gaussians, ln(1 + z) and magnitudes, and the widths that FEW galaxies always vote for.
NARROWEST, USUAL, FEW = (0.02, 0.25), (0.05, 0.6), 2.0


def read(path: Path) -> tuple[NDArray, NDArray, NDArray]:
    """Redshifts (n,), magnitudes (n, 6) with 99 where not detected, and their errors."""
    import h5py

    with h5py.File(path) as file:
        table = file["photometry"]
        mag = np.stack([table[f"mag_{band}_lsst"][:] for band in "ugrizy"], axis=1).astype(float)
        error = np.stack([table[f"mag_err_{band}_lsst"][:] for band in "ugrizy"], axis=1).astype(float)
        return table["redshift"][:].astype(float), mag, error


def photometry(mag: NDArray, error: NDArray) -> tuple[NDArray, NDArray]:
    """Fluxes and errors relative to i; a band without detection is zero, with the limit as error."""
    missing = mag > 90
    flux = np.where(missing, 0.0, 10 ** (-0.4 * (mag - mag[:, 3:4])))
    grain = np.hypot(np.log(10) / 2.5 * error, KERNEL)
    # For what is not detected the file's error is the limiting magnitude.
    limit = 10 ** (-0.4 * (error - mag[:, 3:4]))
    return flux, np.where(missing, limit, grain * np.maximum(flux, 1e-3))


def at(table: NDArray, z: float) -> NDArray:
    """(..., z, band) at one redshift."""
    below = min(int(z / Z_GRID[1]), Z_GRID.size - 2)
    right = z / Z_GRID[1] - below
    return (1 - right) * table[..., below, :] + right * table[..., below + 1, :]


def fit(z: NDArray, flux: NDArray, error: NDArray, weight: NDArray, strength: float) -> NDArray:
    """Coefficients (e,) of one spectrum for some galaxies, normalised at their median redshift."""
    stars, gas = element_fluxes()
    all_light = stars + strength * gas
    middle = at(all_light, float(np.median(z)))[:, 3]
    rows, wanted = [], []
    for redshift, f, e, w in zip(z, flux, error, np.sqrt(weight), strict=True):
        light = at(all_light, redshift) / middle[:, None]
        # Colours alone: each galaxy is as bright in i as this spectrum (made so by iterating).
        rows.append(light[:, LSST].T * (w / e)[:, None])
        wanted.append(w * f / e)
        near = 10 ** (0.4 * np.interp(redshift, *I_H))
        rows.append(light[None, :, H] * w / (I_H_SCATTER * near))
        wanted.append(w / I_H_SCATTER * np.ones(1))
    return nnls(np.concatenate(rows), np.concatenate(wanted))[0] / middle


def model(coefficients: NDArray, strength: NDArray) -> NDArray:
    """(k, z, 6) fluxes relative to i."""
    stars, gas = element_fluxes()[..., LSST]
    light = np.tensordot(coefficients, stars, axes=1)
    light += np.tensordot(coefficients * strength[:, None], gas, axes=1)
    return light / light[..., 3:4]


def likelihood(light: NDArray, z: NDArray, flux: NDArray, error: NDArray) -> NDArray:
    """(n, k) log probability of the colours of every galaxy with every spectrum."""
    below = np.minimum((z / Z_GRID[1]).astype(int), Z_GRID.size - 2)
    right = (z / Z_GRID[1] - below)[:, None].astype(np.float32)
    sigma = error.astype(np.float32)
    out = np.zeros((len(z), len(light)), dtype=np.float32)
    for band in (0, 1, 2, 4, 5):
        table = light[..., band].T.astype(np.float32)
        expected = (1 - right) * table[below] + right * table[below + 1]
        out -= 0.5 * np.square((flux[:, band, None].astype(np.float32) - expected) / sigma[:, band, None])
    return out


def gaussians(place: NDArray, weight: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    """(n, k) log of share times Gaussian in (ln(1 + z), i)."""
    var_z, cov, var_i = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    determinant = var_z * var_i - cov**2
    dz, di = (place[:, None, axis] - mean[None, :, axis] for axis in (0, 1))
    distance = (var_i * dz**2 - 2 * cov * dz * di + var_z * di**2) / determinant
    return np.log(weight) - 0.5 * distance - 0.5 * np.log(determinant)


def learn(z: NDArray, mag: NDArray, error: NDArray, count: int, rounds: int, seed: int) -> NDArray:
    """The rows of the library."""
    rng = np.random.default_rng(seed)
    flux, sigma = photometry(mag, error)
    place = np.stack([np.log1p(z), mag[:, 3]], axis=1)
    # Galaxies whose colours are well measured, and more of the near and the far, which are rare.
    number, edges = np.histogram(place[:, 0], bins=15)
    chance = number[np.clip(np.digitize(place[:, 0], edges) - 1, 0, 14)] ** -0.4
    chance /= 1 + (error[:, 0] / 0.12) ** 2 + (error[:, 5] / 0.08) ** 2
    chosen = rng.choice(len(z), count, replace=False, p=chance / chance.sum())
    strength = 10 ** rng.normal(0, LINE_SCATTER, count)
    one = np.ones(1)
    spectra = np.stack(
        [fit(z[[n]], flux[[n]], sigma[[n]], one, s) for n, s in zip(chosen, strength, strict=True)]
    )
    weight, mean = np.full(count, 1 / count), place[chosen].copy()
    covariance = np.tile(np.diag([0.15, 0.9]) ** 2, (count, 1, 1))
    least, prior = np.diag(np.square(NARROWEST)), np.diag(np.square(USUAL))
    for step in range(rounds):
        light = model(spectra, strength)
        logs = likelihood(light, z, flux, sigma) + gaussians(place, weight, mean, covariance)
        top = logs.max(axis=1, keepdims=True)
        share = np.exp(logs - top)
        total = share.sum(axis=1, keepdims=True)
        share /= total
        number = share.sum(axis=0)
        print(
            f"{step:3d} mean log likelihood {np.mean(top + np.log(total)):.3f}, {np.sum(number > 2)} spectra"
        )
        keep = number > 2
        share, number = share[:, keep], number[keep]
        spectra, strength = spectra[keep], strength[keep]
        weight = number / number.sum()
        mean = share.T @ place / number[:, None]
        square = (share.T @ (place[:, :, None] * place[:, None, :]).reshape(-1, 4)).reshape(-1, 2, 2)
        covariance = square - number[:, None, None] * mean[:, :, None] * mean[:, None, :]
        covariance = (covariance + FEW * prior) / (number + FEW)[:, None, None] + least
        if step % 3 == 2 and step < rounds - 3:
            for k in range(len(spectra)):
                likely = np.argsort(share[:, k])[-150:]
                likely = likely[share[likely, k] > 0.02]
                if len(likely) > 1:
                    sample = (z[likely], flux[likely], sigma[likely], share[likely, k])
                    spectra[k] = refit(*sample, strength[k], spectra[k])
    values = [strength, weight, mean[:, 0], mean[:, 1], *covariance[:, [0, 0, 1], [0, 1, 1]].T]
    spectra /= spectra.sum(axis=1, keepdims=True)
    spectra[spectra < 2e-4] = 0.0
    table = np.column_stack([np.stack(values, axis=1), spectra])
    return table[np.argsort(-weight)]


def refit(
    z: NDArray, flux: NDArray, error: NDArray, weight: NDArray, strength: float, before: NDArray
) -> NDArray:
    """As `fit`, with every galaxy as bright in i as the spectrum was before."""
    stars, gas = element_fluxes()
    light = np.tensordot(before, stars + strength * gas, axes=1)
    scale = np.array([at(light, redshift)[3] for redshift in z])
    scale /= np.median(scale)
    return fit(z, flux * scale[:, None], error * scale[:, None], weight, strength)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spectra", type=int, default=400, help="how many to start with")
    parser.add_argument("--rounds", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    data = Path(os.environ.get("SKYSYNERGY_TEST_DATA", ROOT.parent / "shared" / "data"))
    path = data / "photoz" / "test_dc2_training_9816.hdf5"
    if not path.is_file():
        print(f"no file {path}: set SKYSYNERGY_TEST_DATA to the folder that holds photoz/", file=sys.stderr)
        sys.exit(2)
    table = learn(*read(path), options.spectra, options.rounds, options.seed)
    out = ROOT / "simulators" / "spectral_data" / "library.csv"
    head = "# By docs/calibration/fit_photometry.py from the training file of RAIL (cosmoDC2, i < 25.3).\n"
    head += ",".join((*templates.LIBRARY_COLUMNS, *templates.elements().names)) + "\n"
    lines = [",".join("0" if v == 0 else f"{v:.4g}" for v in row) for row in table]
    out.write_text(head + "\n".join(lines) + "\n")
    print(f"{len(table)} spectra in {out}")


if __name__ == "__main__":
    main()
