"""Small sets of light curves with four classes that differ in pace and colour, for tests that must learn.

Rise and fall of each flux are those of a Bazin function (Bazin et al. 2009, A&A 499, 653), in ten bands
whose peak fluxes follow a slope of colour. Numbers are our own; nothing here is a simulation of the sky.
"""

from __future__ import annotations

import numpy as np
from skysynergy.challenges.light_curves import LightCurves

#: rise and fall in days, scatter of both as a fraction, slope of the peak magnitude from u to H
CLASSES = ((3.0, 22.0, 0.25, -1.2), (8.0, 70.0, 0.3, -0.2), (12.0, 35.0, 0.25, 1.2), (2.0, 6.0, 0.3, -2.2))
#: far slower than all, and with a colour between them: what nobody is taught
NOVEL = (60.0, 90.0, 0.2, 2.8)
DEPTH = np.array([23.6, 24.4, 24.0, 23.4, 22.8, 22.0, 25.2, 24.0, 24.0, 24.0])
MIX = np.array([0.08, 0.1, 0.24, 0.22, 0.19, 0.17])
WAVE = np.array([0.37, 0.48, 0.62, 0.75, 0.87, 0.97, 0.75, 1.09, 1.38, 1.79])


def example_curves(n, seed, *, novel=False, visits=75.0, faint=24.0):
    """`n` curves with about `visits` nights, 1.6 times as many observations, and their classes.

    `novel` ones have class -1.
    """
    rng = np.random.default_rng(seed)
    code = np.full(n, -1) if novel else rng.integers(len(CLASSES), size=n)
    rise, fall, scatter, slope = np.array(NOVEL if novel else CLASSES).reshape(-1, 4)[np.maximum(code, 0)].T
    scale = np.exp(scatter * rng.standard_normal((2, n)))
    z = rng.uniform(0.05, 0.6, n)
    rise, fall = rise * scale[0] * (1 + z), fall * scale[1] * (1 + z)
    slope = slope + 0.5 * rng.standard_normal(n) + z
    peak = rng.uniform(20.0, faint, n)
    season = rng.uniform(155, 234, n)
    time = rng.uniform(-20, 1, n) * 0 + rng.uniform(-0.1, 0.9, n) * season

    nights = rng.poisson(visits, n) + 1
    owner = np.repeat(np.arange(n), nights)
    mjd = np.floor(rng.random(owner.size) * season[owner]) + 0.1 + 0.2 * rng.random(owner.size)
    # A second visit in most nights, half an hour later; now and then all of Euclid's bands with it.
    second = rng.random(owner.size) < 0.58
    deep = rng.random(n) < 0.2
    epoch = deep[owner] & (rng.random(owner.size) < 0.08)
    parts = [(owner, mjd, rng.choice(6, owner.size, p=MIX))]
    parts.append((owner[second], mjd[second] + 0.024, rng.choice(6, int(second.sum()), p=MIX)))
    parts += [
        (owner[epoch], mjd[epoch] + 0.05 + 0.001 * b, np.full(int(epoch.sum()), b)) for b in (6, 7, 8, 9)
    ]
    owner, mjd, band = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((band, mjd, owner))
    owner, mjd, band = owner[order], mjd[order], band[order]

    since = mjd - time[owner]
    with np.errstate(over="ignore"):
        shape = np.exp(-since / fall[owner]) / (1 + np.exp(-since / rise[owner]))
    top = np.maximum(fall - rise, 0.1) / np.maximum(rise, 0.1)
    at = rise * np.log(top.clip(0.05))
    norm = np.exp(-at / fall) / (1 + np.exp(-at / rise))
    magnitude = peak[owner] - slope[owner] * np.log(WAVE[band] / 0.62)
    true = 10 ** (0.4 * (31.4 - magnitude)) * shape / norm[owner]
    sky = 10 ** (0.4 * (31.4 - DEPTH[band] + 0.3 * rng.standard_normal(owner.size))) / 5
    error = np.hypot(sky, 0.02 * true)
    flux = true + error * rng.standard_normal(owner.size)

    has = rng.random(n) < 0.8
    sigma = np.where(rng.random(n) < 0.3, 0.001, 0.04) * (1 + z)
    guess = np.maximum(z + sigma * rng.standard_normal(n), 0.01)
    quantiles = np.maximum(guess[:, None] + sigma[:, None] * np.arange(-2, 3), 0)
    curves = LightCurves.of(
        id=rng.permutation(10**6)[:n] if n < 10**6 else np.arange(n),
        row_size=np.bincount(owner, minlength=n), mjd=60000 + mjd, band=band, flux=flux, error=error,
        host_z=np.where(has[:, None], quantiles, np.nan), host_spectrum=has & (sigma < 0.01),
        galactic_excess=rng.gamma(2, 0.03, n),
    )  # fmt: skip
    seen = curves.n_detections >= 2
    return curves.select(seen), code[seen]
