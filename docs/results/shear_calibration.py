"""Bias of the shear baselines by the harness: writes shear_calibration.md and its figure.

    .venv/bin/python docs/results/shear_calibration.py

About half an hour on two cores. `--pairs-isolated` and `--pairs-field` make it shorter.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from skysynergy.baselines.baseline import reference
from skysynergy.challenges import canvas
from skysynergy.challenges.challenge import load
from skysynergy.challenges.harness import calibrate
from skysynergy.challenges.shear_figures import bias_figure

HERE = Path(__file__).parent
SEED = b"skysynergy seed 1"

HEAD = """# Bias of the shear baselines

Written by `shear_calibration.py`. The harness draws pairs of scenes under +g and −g, |g| = 0.02
in random directions, with the same galaxies, dithers and unit noise, each with its 90° partner; a
method sees one field of 100 scenes at a time in a fresh process. Intervals: 68 % by a cluster
bootstrap over pairs of fields; requirements are decided at 95 %.

The whole of |m| + 2σ, σ half of the 68 % interval:

| method | scenario | pairs | \\|m1\\| + 2σ | \\|m2\\| + 2σ |
|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs-isolated", type=int, default=10_000)
    parser.add_argument("--pairs-field", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    challenge = load("shear")
    runs = [
        ("null", "isolated", 200),
        ("moments", "isolated", options.pairs_isolated),
        ("moments", "field", options.pairs_field),
    ]
    cards, rows = [], []
    for name, scenario, pairs in runs:
        card = calibrate(
            challenge,
            reference("shear", name),
            scenario=scenario,
            pairs=pairs,
            secret=SEED,
            workers=options.workers,
            entry=f"{name}, {scenario}",
        ).scorecard
        cards.append(card)
        bounds = []
        for metric in (card["m1"], card["m2"]):
            assert metric.value is not None and metric.low is not None and metric.high is not None
            bounds.append(f"{abs(metric.value) + metric.high - metric.low:.4f}")
        rows.append(f"| {name} | {scenario} | {pairs:,} | {bounds[0]} | {bounds[1]} |")
        # After every run, so that what was measured is kept when a later one is stopped.
        text = HEAD + "\n".join(rows) + "\n\n" + "\n\n".join(c.to_markdown() for c in cards)
        text += "\n\n![Bias of each baseline](shear_calibration.png)\n"
        canvas.write_whole(HERE / "shear_calibration.md", text.encode())
        canvas.save(bias_figure(cards), HERE / "shear_calibration.png")
        print(card.to_table())


if __name__ == "__main__":
    main()
