"""The demo: one line from the sky to a scorecard, on the tiny tier, with a report to read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from .baselines.baseline import baseline, reference
from .baselines.solve import solve
from .challenges import canvas, datasets, figures, shear_figures
from .challenges.challenge import load
from .challenges.harness import calibrate
from .challenges.report import FigureFile, Section, Step, write_report
from .simulators.storage import place_at

__all__ = ["run"]

TIER, SPLIT = "tiny", "validation"
SCENE = 5
PAIRS = {"null": 20, "moments": 240}
# A demo that anyone can repeat: everybody sees the same numbers.
SECRET = b"skysynergy demo"

NEXT = (
    Step("All there is", "skysynergy list"),
    Step("Another scene", "skysynergy show shear --scene 9 --out scene.png"),
    Step("Its single exposures", "skysynergy show shear --scene 9 --exposures --out exposures.png"),
    Step("A baseline of ours", "skysynergy baseline shear moments --out predictions.parquet"),
    Step("A submission of yours", "skysynergy validate shear predictions.parquet"),
    Step("Its score", "skysynergy score shear predictions.parquet"),
    Step("A method of yours", "skysynergy calibrate shear my_package:MyMethod --pairs 1000"),
)


def run(folder: Path, *, workers: int = 1, say: Callable[[str], object] = print) -> Path:
    """Run the demo and leave a report.

    Arguments:
        folder: where figures, submissions, scorecards and ``index.html`` go.
        workers: processes.
        say: takes each line that tells what is going on.

    Returns:
        The path of the report.
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    challenge = load("shear")

    def tell(text: str) -> None:
        say(f"[{time.monotonic() - started:5.1f} s] {text}")

    where = datasets.Split.of(TIER, SPLIT)
    tell(f"simulating the {TIER} sky: blended galaxies in 24 exposures of LSST and Euclid")
    datasets.generate(where, workers=workers)
    tell(f"data in {where.data}, truth apart in {place_at(where.truth).name}")

    data, truth = challenge.open(TIER, SPLIT), challenge.truth(TIER, SPLIT)
    canvas.save(figures.scene_figure(data, truth, SCENE), folder / "scene.png")
    canvas.save(figures.exposures_figure(data, SCENE), folder / "exposures.png")
    tell(f"drew scene {SCENE}: {folder / 'scene.png'}")

    predicted, measured = [], []
    for name in ("null", "moments"):
        submission = folder / f"{name}.parquet"
        solve(challenge, baseline("shear", name), tier=TIER, split=SPLIT, out=submission)
        predicted.append(challenge.score(submission, TIER, SPLIT, entry=name))
    tell("predicted and scored the shear of each field with two baselines")
    say(predicted[-1].to_table())

    for name, pairs in PAIRS.items():
        tell(f"the harness measures {name!r} on {pairs} fresh pairs of scenes under +g and -g")
        method = reference("shear", name)
        measured.append(calibrate(challenge, method, pairs=pairs, secret=SECRET, workers=workers, entry=name))
        say(measured[-1].scorecard.to_table())
    last = measured[-1]
    canvas.save(shear_figures.bias_figure([m.scorecard for m in measured]), folder / "bias.png")
    canvas.save(
        shear_figures.shear_figure(last.true, last.estimated, last.covariance, cluster=last.pair),
        folder / "fields.png",
    )
    for name, card in zip(PAIRS, (m.scorecard for m in measured), strict=True):
        canvas.write_whole(folder / f"{name}.calibration.json", card.to_json(indent=1).encode())

    page = write_report(
        folder,
        title="skysynergy: first light",
        intro=(
            "One line from the sky to a scorecard: blended galaxies as LSST and Euclid expose them, a "
            "dataset with its truth apart, an estimator run on the individual exposures, and its bias "
            "with intervals."
        ),
        sections=(
            Section(
                "The sky",
                "A scene is 19.2 arcsec wide. Every exposure keeps its own PSF, noise, orientation and "
                "dither; nothing is stacked but for display.",
                figures=(
                    FigureFile(
                        Path("scene.png"),
                        "A scene in colour, in VIS, in the near infrared and in all ten bands",
                        f"Scene {SCENE} of the {TIER} {SPLIT} split, true galaxies outlined.",
                    ),
                    FigureFile(
                        Path("exposures.png"),
                        "The single exposures of the scene, each in its own pixels",
                        "What a method is given: single exposures, as taken.",
                    ),
                ),
            ),
            Section(
                "Shear of the fields of the tiny tier",
                "Four fields of four scenes each: far too few to see a bias, as sigma_m says.",
                scorecards=tuple(predicted),
            ),
            Section(
                "The harness",
                "It draws fresh fields in pairs that differ in the sign of the shear only, and gives them "
                "to the method shuffled and unlabelled, each in a fresh process.",
                figures=(
                    FigureFile(
                        Path("bias.png"),
                        "Multiplicative and additive bias of the two baselines with intervals",
                        "Bias of each baseline; the requirement is shaded.",
                    ),
                    FigureFile(
                        Path("fields.png"),
                        "Estimated minus true shear of each field against true shear",
                        "Every field that 'moments' measured.",
                    ),
                ),
                scorecards=tuple(m.scorecard for m in measured),
            ),
        ),
        next_steps=NEXT,
    )
    tell(f"report: {page}")
    say("\nNext:\n" + "\n".join(f"  {step.command}" for step in NEXT))
    return page
