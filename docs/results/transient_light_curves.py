"""Light curves for the documentation: writes light_curve.png and light_curves.png into ../images.

    .venv/bin/python docs/results/transient_light_curves.py

One Type Ia of the tier tiny, and one object of each class. The tier is made first where it is not there
($SKYSYNERGY_DATA, or the usual folder), in less than a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from skysynergy.challenges import canvas
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import Split, generate, is_absent
from skysynergy.challenges.transient_figures import gallery_figure, light_curve_figure
from skysynergy.simulators.transients import KINDS

IMAGES = Path(__file__).parent.parent / "images"
TIER, SPLIT = "tiny", "validation"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.parse_args()
    challenge = load("transients")
    where = Split.of(TIER, SPLIT, dataset=challenge.dataset)
    if is_absent(where.data) or is_absent(where.truth):
        generate(where)
    data, truth = challenge.open(TIER, SPLIT), challenge.truth(TIER, SPLIT)
    # Of those whose peak was seen, the one with the most detections.
    (curves,) = challenge.given(TIER, SPLIT)
    peak = truth["objects/peak_mjd"].to_numpy()
    rising = np.bincount(
        curves.owner[curves.detected & (curves.mjd < peak[curves.owner])], minlength=len(peak)
    )
    ia = truth["objects/kind"].to_numpy() == KINDS.index("Ia")
    number = int(np.argmax(np.where(ia & (rising >= 5), curves.n_detections, -1)))
    for name, figure in (
        ("light_curve.png", light_curve_figure(data, truth, number)),
        ("light_curves.png", gallery_figure(data, truth)),
    ):
        canvas.save(figure, IMAGES / name)
        print(f"wrote {IMAGES / name}")


if __name__ == "__main__":
    main()
