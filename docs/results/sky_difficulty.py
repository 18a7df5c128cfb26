"""Is the simulated sky as hard as cosmoDC2? The same network learns both: writes sky_difficulty.md and .png.

    .venv/bin/python docs/results/sky_difficulty.py
    .venv/bin/python docs/results/sky_difficulty.py --seeds 3

A mixture-density network learns redshifts from unblended ten-year LSST magnitudes: 10,225 galaxies to
learn from, up to 20,449 to test on, once those of RAIL's DC2 files and once ours with the same i
magnitudes and noise. Another seed is another start of the network and, for ours, another draw of
galaxies. About ten seconds for each seed and sky.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sky_photometry import DEPTH, Catalogue, dc2, simulated
from skysynergy.challenges import canvas

HERE = Path(__file__).parent
HIDDEN, COMPONENTS, EPOCHS, BATCH = 96, 6, 80, 256
SCALE = ("scatter σ_IQR", "outliers, abs(e_z) > 0.15")


def features(mag: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 6) inverse hyperbolic sines of flux over its error on blank sky; no detection is no flux."""
    ratio = np.where(mag < 90, 10 ** (-0.4 * (mag - DEPTH)) / 0.2, 0.0)
    return np.arcsinh(ratio / 2)


def network() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(11, HIDDEN),
        torch.nn.SiLU(),
        torch.nn.Linear(HIDDEN, HIDDEN),
        torch.nn.SiLU(),
        torch.nn.Linear(HIDDEN, HIDDEN),
        torch.nn.SiLU(),
        torch.nn.Linear(HIDDEN, 3 * COMPONENTS),
    )


def mixture(out: torch.Tensor) -> torch.distributions.MixtureSameFamily:
    """Gaussians in ln(1 + z)."""
    share, centre, width = out.chunk(3, dim=-1)
    parts = torch.distributions.Normal(centre + 0.6, torch.nn.functional.softplus(width - 1.5) + 2e-3)
    return torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=share), parts)


def measure(train: Catalogue, test: Catalogue, seed: int) -> tuple[float, float, NDArray[np.float64]]:
    """Learn one catalogue and test on the other: scatter, outliers, and (n,) the estimates."""
    torch.manual_seed(seed)

    def inputs(catalogue: Catalogue) -> NDArray[np.float64]:
        value = features(catalogue.mag)
        return np.concatenate([value, np.diff(value, axis=1)], axis=1)

    known = inputs(train)
    centre, width = known.mean(0), known.std(0)
    x = torch.tensor((known - centre) / width, dtype=torch.float32)
    y = torch.tensor(np.log1p(train.z), dtype=torch.float32)
    model = network()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            loss = -mixture(model(x[rows])).log_prob(y[rows]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        unknown = torch.tensor((inputs(test) - centre) / width, dtype=torch.float32)
        guess = mixture(model(unknown))
        middle = torch.empty(len(unknown))
        below, above = torch.zeros(len(unknown)), torch.full((len(unknown),), float(np.log(5.0)))
        for _ in range(20):
            middle = (below + above) / 2
            high = guess.cdf(middle) > 0.5
            below, above = torch.where(high, below, middle), torch.where(high, middle, above)
    estimate = np.expm1(middle.double().numpy())
    error = (estimate - test.z) / (1 + test.z)
    quarter = np.percentile(error, [25, 75])
    return float((quarter[1] - quarter[0]) / 1.349), float(np.mean(np.abs(error) > 0.15)), estimate


@canvas.drawn
def figure_of(shown: dict[str, tuple[Catalogue, NDArray[np.float64]]]) -> Figure:
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for panel, (name, (catalogue, estimate)) in zip(panels, shown.items(), strict=True):
        panel.hexbin(
            catalogue.z, estimate, gridsize=80, extent=(0, 3.2, 0, 3.2), bins="log", cmap="Blues", mincnt=1
        )
        panel.plot([0, 3.2], [0, 3.2], color=canvas.SOFT, lw=0.7)
        panel.set_title(f"{name}, {len(catalogue):,} galaxies")
        panel.set_xlabel("redshift")
    panels[0].set_ylabel("median of the network's p(z)")
    return figure


HEAD = """# Is the sky as hard as cosmoDC2?

Written by `sky_difficulty.py`. The same mixture-density network learns redshifts from unblended ten-year LSST
magnitudes: {train:,} galaxies of DC2 or of ours to learn from, {test:,} to test on, the same i magnitudes and
noise. e_z = (median of p(z) − z) / (1 + z). Mean of {seeds} seeds ± their standard deviation; another seed is
another start and, for ours, other galaxies.

Outliers stay above DC2's whatever the library. After half as many epochs, one seed, DC2 gave 0.020 and ours,
in the order they were tried: 0.035 (590 spectra, dust without bump), 0.032 (368, begun from well measured
galaxies), 0.029 (359, dust with bump: the one in use), 0.031 (438, narrower in redshift), 0.028 (195, coarser
colours), 0.029 (202, more rounds, less scatter of lines). The excess is mostly at z = 1 to 2, i > 24.

| measure | DC2 | ours | ours / DC2 | limit | met |
|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=4)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    train, test = dc2("training"), dc2("validation")
    found: dict[str, list[tuple[float, float]]] = {"DC2": [], "ours": []}
    shown = {}
    for seed in range(seeds):
        rng = np.random.default_rng(100 + seed)
        skies = {
            "DC2": (train, test),
            "ours": tuple(simulated(rng, np.maximum(c.mag[:, 3], 16.0))[0] for c in (train, test)),
        }
        for name, (known, unknown) in skies.items():
            scatter, outliers, estimate = measure(known, unknown, seed)
            found[name].append((scatter, outliers))
            shown[name] = (unknown, estimate)
            print(f"seed {seed} {name}: sigma_IQR {scatter:.4f}, outliers {outliers:.4f}", flush=True)
    text = HEAD.format(train=len(train), test=len(test), seeds=seeds)
    a, b = (np.array(found[name]) for name in ("DC2", "ours"))
    for column, name in enumerate(SCALE):
        one, other = a[:, column], b[:, column]
        ratio = other.mean() / one.mean()
        error = ratio * np.sqrt(np.var(one) / one.mean() ** 2 + np.var(other) / other.mean() ** 2)
        met = "yes" if 0.8 <= ratio <= 1.2 else "**no**"
        text += f"| {name} | {one.mean():.4f} ± {one.std():.4f} | {other.mean():.4f} ± {other.std():.4f}"
        text += f" | {ratio:.2f} ± {error:.2f} | 0.8 to 1.2 | {met} |\n"
    text += "\n![Estimates against redshift](sky_difficulty.png)\n"
    print(text)
    canvas.write_whole(HERE / "sky_difficulty.md", text.encode())
    canvas.save(figure_of(shown), HERE / "sky_difficulty.png")


if __name__ == "__main__":
    main()
