"""The baselines of the transients challenge, measured: writes transients_<tier>_<track>.md and figures.

    .venv/bin/python docs/results/transients.py [--tier small] [--track full] [--only dropout]

Makes the splits in the home of the data ($SKYSYNERGY_DATA) where they are not there, the test split from a
secret of its own, which is thrown away. Networks take up to 50 minutes of one core each; what is fitted is
kept in a folder beside the data, and is not fitted again: with `--fit` this is all that is done, and several
can run at once. The rest takes half an hour.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import numpy as np
import torch
from skysynergy.baselines.baseline import BASELINES, baseline
from skysynergy.challenges import canvas, classification_figures
from skysynergy.challenges.broken_curves import broken_curves
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import Split, data_home, generate, open_truth
from skysynergy.challenges.light_curves import LightCurves
from skysynergy.challenges.sealing import new_secret
from skysynergy.challenges.transient_curves import batches
from skysynergy.challenges.transient_submission import columns_of, probabilities_of, samples_of
from skysynergy.scoring.classification import classification_estimates
from skysynergy.scoring.classification_sums import classification_sums
from skysynergy.scoring.probabilities import OUT_OF_DISTRIBUTION, clusters_of
from skysynergy.scoring.scorecard import Scorecard
from skysynergy.simulators.transient_classes import CLASSES
from skysynergy.simulators.transients import SHARES

HERE = Path(__file__).parent
CHALLENGE = load("transients")
SHARE = SHARES["Ia"]
SHOWN = ("accuracy", "accuracy_balanced", "log_loss_flat", "auc_macro", "ece_debiased", "ood_auroc")

COLUMNS = (
    "baseline",
    "split",
    "CPU-s to fit",
    "Ia against the rest, 10 detections or more",
    "20 or more",
    "40 or more",
    "accuracy",
    "balanced",
    "log-loss by class",
    "macro AUC",
    "ECE, debiased",
    "OOD AUROC",
    "the same, 10 detections or more",
)

HEAD = """# The baselines of the transients challenge

Written by `transients.py`: tier `{tier}`, track `{track}`; learned from all of the split `train`, measured on
the first {n:,} objects of the others, {m:.0f} epochs each, {d:.0%} with ten detections or more. Series of
light of `test` are others than those that were learned from, those of `validation` are the same. Brackets:
68 % intervals. CPU-s of one thread.

Ia against the rest: the mean of the shares of Ia and of others that are told right, an object being called Ia
where p(Ia) is above the share of Ia in what was learned. OOD: how often an object of a class that was held
out has more mutual information than one of a class that was not.

| {columns} |
|{rules}|
"""

BROKEN = """
Mean entropy (nats) on objects of the validation split, and how much it is higher where their light curves are
broken:

| baseline | data | {kinds} |
|---|---|{rules}|
"""

TITLE = "How early a transient is told: validation, no redshift"

TAIL = """
![Reliability]({stem}_reliability.png)
![Confusion]({stem}_confusion.png)
![Early]({stem}_early.png)
"""


def curves_of(tier: str, split: str, track: str) -> LightCurves:
    data = CHALLENGE.open(tier, split)
    return LightCurves.joined(list(batches(data, CHALLENGE.track(track))))


def codes_of(tier: str, split: str) -> np.ndarray:
    kinds = open_truth(Split.of(tier, split, dataset="transients"))["objects/kind"].to_numpy().astype(int)
    return np.where(kinds < len(CLASSES), kinds, OUT_OF_DISTRIBUTION)


def fitted(name: str, tier: str, track: str, folder: Path):
    """A fitted baseline, and the CPU-seconds it took."""
    kept, told = folder / f"{name}-{track}", folder / f"{name}-{track}.json"
    plain = baseline("transients", name)
    if kept.exists() and told.exists():
        one = type(plain).load(kept)
        return one, json.loads(told.read_text())["cpu_seconds"]
    started = time.process_time()
    one = plain.fit(CHALLENGE.examples(tier, track))
    seconds = time.process_time() - started
    one.save(kept)
    told.write_text(json.dumps({"cpu_seconds": seconds}))
    return one, seconds


def predicted(one, curves: LightCurves) -> dict[str, np.ndarray]:
    answers = [one.predict(batch) for batch in curves.batches(4000)]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def row(curves: LightCurves, codes: np.ndarray, columns: dict[str, np.ndarray]) -> list[str]:
    p, samples = probabilities_of(columns), samples_of(columns)
    clusters = clusters_of(curves.id)
    found = classification_estimates(classification_sums(clusters, p, codes, samples=samples, positive=0))
    binary = []
    for least in (10, 20, 40):
        many = (curves.n_detections >= least) & (codes != OUT_OF_DISTRIBUTION)
        sums = classification_sums(clusters[many], p[many], codes[many], positive=0, threshold=SHARE)
        binary.append(classification_estimates(sums, ranks=False)["accuracy_binary"])
    many = curves.n_detections >= 10
    its = None if samples is None else samples[:, many]
    strange = classification_sums(clusters[many], p[many], codes[many], samples=its, positive=0)
    last = classification_estimates(strange)["ood_auroc"]
    return [told(one) for one in (*binary, *(found[name] for name in SHOWN), last)]


def told(estimate) -> str:
    if estimate.value is None:
        return ""
    ends = estimate.interval(0.68)
    return f"{estimate.value:.4f}" + (f" [{ends.low:.4f}, {ends.high:.4f}]" if ends else "")


def shifts(one, curves: LightCurves, codes: np.ndarray, columns: dict[str, np.ndarray]) -> list[str]:
    broken = broken_curves(curves, np.random.default_rng(11))
    given = {kind: probabilities_of(predicted(one, spoiled)) for kind, spoiled in broken.items()}
    sums = classification_sums(clusters_of(curves.id), probabilities_of(columns), codes, broken=given)
    found = classification_estimates(sums, ranks=False)
    entropy = sums.shifts.column("entropy").sum() / sums.shifts.column("n").sum()
    return [f"{entropy:.3f}", *(told(found[f"entropy_shift_{kind}"]) for kind in given)]


def early_card(one, tier: str) -> Scorecard:
    """Scores on the early track, where each curve ends at a moment of its own; of the means alone."""
    columns = [columns_of(one.classifier.predict(batch)) for batch in CHALLENGE.given(tier, track="early")]
    joined = {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
    ids = CHALLENGE.ids(tier, "validation")
    return CHALLENGE.score({"id": ids, **joined}, tier, track="early", n_resamples=200, entry=one.name)


@click.command()
@click.option("--tier", default="small", show_default=True)
@click.option("--track", default="full", show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(BASELINES["transients"])))
@click.option("--objects", default=20_000, show_default=True, help="That are measured, of each split.")
@click.option("--fit", is_flag=True, help="Fit what is not fitted yet, and stop.")
def main(tier: str, track: str, only: tuple[str, ...], objects: int, fit: bool) -> None:
    torch.set_num_threads(1)
    for split in ("train", "validation", "test"):
        secret = new_secret() if split == "test" else None
        where = Split.of(tier, split, dataset="transients")
        if not Path(str(where.data)).exists():
            generate(where, secret=secret, workers=2)
    folder = Path(str(data_home())) / "transients-fits" / tier
    folder.mkdir(parents=True, exist_ok=True)
    if fit:
        for name in only or BASELINES["transients"]:
            print(f"{name}: {fitted(name, tier, track, folder)[1]:.0f} CPU-s", flush=True)
        return
    given = {}
    for split in ("validation", "test"):
        curves = curves_of(tier, split, track)
        some = np.arange(min(len(curves), objects))
        given[split] = curves.select(some), codes_of(tier, split)[some]
    stem = f"transients_{tier}_{track}".replace("-", "_")
    lines, entropies, kinds = [], [], []
    for name in only or BASELINES["transients"]:
        one, seconds = fitted(name, tier, track, folder)
        for split, (curves, codes) in given.items():
            columns = predicted(one, curves)
            cells = row(curves, codes, columns)
            lines.append(f"| `{name}` | {split} | {seconds:.0f} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
            if split == "validation" and name != "majority":
                some = np.arange(min(len(curves), 4000))
                part = {column: values[some] for column, values in columns.items()}
                cells = shifts(one, curves.select(some), codes[some], part)
                entropies.append(f"| `{name}` | " + " | ".join(cells) + " |")
                print(entropies[-1], flush=True)
                kinds = list(broken_curves(curves.select(some[:2]), np.random.default_rng(0)))
            if split == "test" and name == "ensemble":
                p = probabilities_of(columns)
                sums = classification_sums(clusters_of(curves.id), p, codes, positive=0)
                for figure, what in (
                    (classification_figures.reliability_figure(sums), "reliability"),
                    (classification_figures.confusion_figure(p, codes), "confusion"),
                ):
                    canvas.save(figure, HERE / f"{stem}_{what}.png")
    curves = given["validation"][0]
    head = HEAD.format(
        tier=tier,
        track=track,
        n=len(curves),
        m=curves.row_size.mean(),
        d=np.mean(curves.n_detections >= 10),
        columns=" | ".join(COLUMNS),
        rules="---|" * (len(COLUMNS) - 1) + "---",
    )
    text = head + "\n".join(lines) + "\n"
    if entropies:
        text += (
            BROKEN.format(kinds=" | ".join(kinds), rules="---|" * len(kinds)) + "\n".join(entropies) + "\n"
        )
    cards = [early_card(fitted(name, tier, track, folder)[0], tier) for name in ("causal", "features")]
    canvas.save(classification_figures.early_figure(cards, title=TITLE), HERE / f"{stem}_early.png")
    canvas.write_whole(HERE / f"{stem}.md", (text + TAIL.format(stem=stem)).encode())


if __name__ == "__main__":
    main()
