"""Bias of the shear baselines by the harness: writes shear_<scenario>.md and its figure.

    .venv/bin/python docs/results/shear_calibration.py
    .venv/bin/python docs/results/shear_calibration.py --scenario field --pairs 600

All of it takes about three hours on two cores; one scenario with fewer pairs is quicker.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from skysynergy.baselines.baseline import reference
from skysynergy.challenges import canvas
from skysynergy.challenges.challenge import Challenge, load
from skysynergy.challenges.harness import calibrate
from skysynergy.challenges.shear_figures import bias_figure
from skysynergy.challenges.tiers import SKY

HERE = Path(__file__).parent
SEED = b"skysynergy seed 1"
PAIRS = 10_000
NULL_PAIRS = 200

HEAD = """# Bias of the shear baselines: {scenario}

Written by `shear_calibration.py`, of the sky of version {sky}. The harness draws pairs of scenes under
+g and −g, |g| = 0.02 in random directions, with the same galaxies, dithers and unit noise, each with its
90° partner; a method sees one field of 100 scenes at a time in a fresh process. Intervals: 68 % by a
cluster bootstrap over pairs of fields; requirements are decided at 95 %.

The whole of |m| + 2σ, σ half of the 68 % interval:

| method | scenario | pairs | \\|m1\\| + 2σ | \\|m2\\| + 2σ |
|---|---|---|---|---|
"""


def write(challenge: Challenge, scenario: str, pairs: int, workers: int) -> None:
    """Measure both baselines on a scenario, and write what came out."""
    cards, rows = [], []
    for name, count in (("null", min(NULL_PAIRS, pairs)), ("moments", pairs)):
        card = calibrate(
            challenge,
            reference("shear", name),
            scenario=scenario,
            pairs=count,
            secret=SEED,
            workers=workers,
            entry=f"{name}, {scenario}",
        ).scorecard
        cards.append(card)
        bounds = []
        for metric in (card["m1"], card["m2"]):
            assert metric.value is not None and metric.low is not None and metric.high is not None
            bounds.append(f"{abs(metric.value) + metric.high - metric.low:.4f}")
        rows.append(f"| {name} | {scenario} | {count:,} | {bounds[0]} | {bounds[1]} |")
        print(card.to_table())
    text = HEAD.format(scenario=scenario, sky=SKY.version) + "\n".join(rows) + "\n\n"
    text += "\n\n".join(c.to_markdown() for c in cards)
    text += f"\n\n![Bias of each baseline](shear_{scenario}.png)\n"
    canvas.write_whole(HERE / f"shear_{scenario}.md", text.encode())
    canvas.save(bias_figure(cards), HERE / f"shear_{scenario}.png")


def main() -> None:
    challenge = load("shear")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", choices=list(challenge.scenarios), help="all by default")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    for scenario in [options.scenario] if options.scenario else challenge.scenarios:
        write(challenge, scenario, options.pairs, options.workers)


if __name__ == "__main__":
    main()
