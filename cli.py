"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .version import __version__

__all__ = ["main"]

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Problem(click.ClickException):
    """Bad input: what was wrong and what to do, exit code 2."""

    exit_code = 2


def explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the errors that explain themselves into a message and exit code 2."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (click.ClickException, BrokenPipeError):
            raise
        except ValueError as error:
            raise Problem(str(error)) from error
        except OSError as error:
            raise Problem(_told(error)) from error
        except Exception as error:
            # Not before something went wrong: these take a second to import.
            from .challenges.datasets import DatasetError
            from .challenges.run_method import MethodError
            from .simulators.layout import StoreError

            if isinstance(error, (DatasetError, MethodError, StoreError)):
                raise Problem(str(error)) from error
            raise

    return wrapper


def _told(error: OSError) -> str:
    """What the system said, with the file; our own errors have told it all already."""
    if not error.strerror:
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}; choose another path or free space"


def _require_file(out: Path, suffix: str) -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if not out.parent.is_dir():
        raise Problem(f"{out} cannot be written: make the folder {out.parent} first, or choose another path")
    if out.is_dir():
        raise Problem(f"{out} is a folder: name a file, such as {out / ('out' + suffix)}")
    if out.suffix.lower() != suffix:
        raise Problem(f"{out} is written as {suffix[1:]}: end the name {out.name!r} with {suffix}")


def _make_folder(out: Path) -> None:
    """Make a folder before any work whose results go there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Problem(f"{out} cannot be a folder, a file is in its place: choose another path") from error


def _shared(*, split: bool = True, track: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that are the same everywhere."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        if track:
            command = click.option("--track", help="Track; the challenge's first by default.")(command)
        if split:
            command = click.option("--split", default="validation", show_default=True, help="Split.")(command)
        return click.option("--tier", default="tiny", show_default=True, help="How much sky.")(command)

    return decorate


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
workers_option = click.option(
    "--workers", default=None, type=click.IntRange(1), help="Processes; one for each core by default."
)


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="skysynergy")
def main() -> None:
    """Challenges on LSST + Euclid exposures: data, baselines, scores.

    \b
    Start with:  skysynergy demo
    """


@main.command("list")
@as_json
@explained
def list_(as_json: bool) -> None:
    """Challenges, tracks, tiers, baselines and scenarios.

    \b
    Example:  skysynergy list
    """
    from .baselines.baseline import BASELINES
    from .challenges.challenge import load, names
    from .challenges.sealing import SPLITS
    from .challenges.tiers import DATASETS

    record: dict[str, Any] = {
        "datasets": {
            dataset.name: {t.name: f"{t.size} a split: {t.description}" for t in dataset.tiers.values()}
            for dataset in DATASETS.values()
        },
        "splits": list(SPLITS),
        "challenges": {},
    }
    for name in names():
        challenge = load(name)
        record["challenges"][name] = {
            "question": challenge.question,
            "dataset": challenge.dataset,
            "tracks": {track.name: track.description for track in challenge.tracks.values()},
            "baselines": list(BASELINES.get(name, {})),
            "scenarios": {s.name: s.description for s in challenge.scenarios.values()},
        }
    if as_json:
        click.echo(json.dumps(record, indent=1))
        return
    for name, entry in record["challenges"].items():
        click.echo(f"{name}: {entry['question']}")
        for kind in ("tracks", "scenarios"):
            for key, text in entry[kind].items():
                click.echo(f"  {kind[:-1]:9} {key:22} {text}")
        click.echo(f"  baselines {', '.join(entry['baselines'])}")
    click.echo("")
    for name, tiers in record["datasets"].items():
        click.echo(f"dataset {name}")
        for key, text in tiers.items():
            click.echo(f"  tier {key:14} {text}")
    click.echo(f"splits {', '.join(record['splits'])} (sealed)")


@main.command()
@click.argument("challenge")
@click.option("--tier", default="tiny", show_default=True, help="How much sky.")
@click.option("--split", multiple=True, help="Split; repeat for several. Train and validation by default.")
@workers_option
@explained
def get(challenge: str, tier: str, split: tuple[str, ...], workers: int | None) -> None:
    """Make the dataset of a challenge here, or finish one that was interrupted.

    \b
    Example:  skysynergy get shear --tier tiny
    """
    from .challenges import datasets, sealing
    from .challenges.challenge import load, names
    from .challenges.names import choose
    from .challenges.tiers import DATASETS

    choose("challenge or dataset", challenge, dict.fromkeys([*names(), *DATASETS]))
    of_dataset = functools.partial(datasets.Split.of, dataset=challenge)
    find = load(challenge).split if challenge in names() else of_dataset
    for where in [find(tier, name) for name in split or sealing.OPEN_SPLITS]:
        datasets.generate(where, workers=workers or _cores())
        click.echo(f"{where.data}\n{where.truth}")


@main.command()
@click.argument("dataset")
@_shared(track=False)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Secret of a sealed split; made where there is none.",
)
@click.option("--out", help="Home of the data: a folder, or a URL such as s3://bucket/prefix.")
@click.option("--truth-out", help="Home of sealed truth; $SKYSYNERGY_TRUTH by default, else beside the data.")
@click.option("--cluster", metavar="ADDRESS", help="Dask scheduler whose workers do it: tcp://host:8786.")
@workers_option
@explained
def simulate(
    dataset: str,
    tier: str,
    split: str,
    secret_file: Path | None,
    out: str | None,
    truth_out: str | None,
    cluster: str | None,
    workers: int | None,
) -> None:
    """Make one split, or finish one that was interrupted.

    With a secret file, it is sealed, and the commitment to publish is printed. The home of all datasets is
    $SKYSYNERGY_DATA where --out isn't given.

    \b
    Example:  skysynergy simulate sky --tier tiny --split test --secret-file test.secret
    Example:  skysynergy simulate sky --tier full --split train --out s3://bucket/sky --cluster tcp://host:8786
    """
    from .challenges import datasets, sealing
    from .simulators.storage import where_from

    if cluster is not None and workers is not None:
        raise click.UsageError("--cluster has workers of its own: leave out --workers")
    homes = [None if home is None else where_from(home) for home in (out, truth_out)]
    where = datasets.Split.of(tier, split, *homes, dataset=dataset)
    datasets.check_homes(where)
    secret = None
    if secret_file is not None:
        if split in sealing.OPEN_SPLITS:
            raise Problem(f"{split} has a published secret: leave out --secret-file")
        if not secret_file.exists():
            if not (datasets.is_absent(where.data) and datasets.is_absent(where.truth)):
                raise Problem(
                    f"there is no {secret_file}, but {where.data} or its truth is already there: "
                    "give its own secret file"
                )
            sealing.write_secret_file(secret_file, sealing.new_secret())
            click.echo(f"made {secret_file}: keep it, and keep it to yourself", err=True)
        secret = sealing.read_secret_file(secret_file)
    datasets.generate(where, secret=secret, workers=workers or _cores(), cluster=cluster)
    click.echo(f"{where.data}\n{where.truth}")
    if secret is not None:
        click.echo(f"commitment {datasets.seal_of(where, secret)}")


@main.command()
@click.argument("dataset")
@_shared(track=False)
@explained
def verify(dataset: str, tier: str, split: str) -> None:
    """Read every array of a split and compare it with its receipts.

    \b
    Example:  skysynergy verify sky --tier tiny --split validation
    """
    from .challenges import datasets

    for path in datasets.verify(datasets.Split.of(tier, split, dataset=dataset)):
        click.echo(f"{path}: whole")


@main.command()
@click.argument("challenge")
@_shared(track=False)
@click.option("--scene", type=int, help="Number of a scene of the sky; 0 by default.")
@click.option("--object", "object_", type=int, help="Number of a transient; 0 by default.")
@click.option("--exposures", is_flag=True, help="Single exposures of a scene, with their masks.")
@click.option("--band", help="With --exposures: one band only.")
@click.option("--truth/--no-truth", default=True, show_default=True, help="Overlay what is true.")
@click.option(
    "--out", help="PNG; scene.png or object.png by default.", type=click.Path(path_type=Path), default=None
)
@explained
def show(
    challenge: str,
    tier: str,
    split: str,
    scene: int | None,
    object_: int | None,
    exposures: bool,
    band: str | None,
    truth: bool,
    out: Path | None,
) -> None:
    """Draw a scene, in colour and in all its bands, or its single exposures; or a light curve.

    \b
    Example:  skysynergy show shear --scene 3 --out scene.png
    Example:  skysynergy show transients --object 3 --out object.png
    """
    if band is not None and not exposures:
        raise click.UsageError("--band chooses among single exposures: add --exposures, or leave it out")
    from .challenges import canvas, datasets
    from .challenges.challenge import load

    chosen = load(challenge)
    numbers = {"scene": scene, "object": object_}
    number = numbers.pop(chosen.piece)
    if any(other is not None for other in numbers.values()):
        raise click.UsageError(f"{challenge} is about {chosen.piece}s: choose one with --{chosen.piece}")
    out = Path(f"{chosen.piece}.png") if out is None else out
    _require_file(out, ".png")
    data = chosen.open(tier, split)
    try:
        true = chosen.truth(tier, split) if truth and not exposures else None
    except datasets.DatasetError as error:
        raise Problem(f"{error}; or draw without it: --no-truth") from error
    canvas.save(chosen.draw(data, true, number or 0, exposures=exposures, band=band), out)
    click.echo(str(out))


@main.command()
@click.argument("challenge")
@click.argument("name")
@_shared()
@click.option("--out", default="predictions.parquet", show_default=True, type=click.Path(path_type=Path))
@as_json
@explained
def baseline(
    challenge: str, name: str, tier: str, split: str, track: str | None, out: Path, as_json: bool
) -> None:
    """Run a baseline on a split, write its submission, and score it where the truth is here.

    \b
    Example:  skysynergy baseline shear moments --tier tiny
    """
    _require_file(out, ".parquet")
    from .baselines.baseline import baseline as find
    from .baselines.solve import solve
    from .challenges.challenge import load
    from .challenges.sealing import OPEN_SPLITS

    chosen = load(challenge)
    solve(chosen, find(challenge, name), tier=tier, split=split, track=track, out=out)
    click.echo(str(out), err=as_json)
    if split in OPEN_SPLITS:
        _print(chosen.score(out, tier, split, track, entry=name), as_json)
    else:
        click.echo(f"{split} is sealed: submit {out} to have it scored", err=True)


@main.command()
@click.argument("challenge")
@click.argument("predictions", type=click.Path(path_type=Path))
@_shared()
@explained
def validate(challenge: str, predictions: Path, tier: str, split: str, track: str | None) -> None:
    """Check a submission, and report everything that is wrong with it.

    \b
    Example:  skysynergy validate shear predictions.parquet
    """
    from .challenges.challenge import load

    load(challenge).read(predictions, tier, split, track)
    click.echo(f"{predictions}: valid")


@main.command()
@click.argument("challenge")
@click.argument("predictions", type=click.Path(path_type=Path))
@_shared()
@as_json
@explained
def score(challenge: str, predictions: Path, tier: str, split: str, track: str | None, as_json: bool) -> None:
    """Score a submission for a split whose truth is here.

    \b
    Example:  skysynergy score shear predictions.parquet
    """
    from .challenges.challenge import load

    _print(load(challenge).score(predictions, tier, split, track, entry=predictions.stem), as_json)


@main.command()
@click.argument("challenge")
@click.argument("method")
@click.option("--scenario", default="isolated", show_default=True, help="What is drawn.")
@click.option("--pairs", default=1000, show_default=True, help="Scenes, each under +g and -g; at least 4.")
@click.option("--track", help="Track; the challenge's first by default.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Repeat a run; a fresh sky by default.")
@workers_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the scorecard and a figure.")
@as_json
@explained
def calibrate(
    challenge: str,
    method: str,
    scenario: str,
    pairs: int,
    track: str | None,
    seed: int | None,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure the bias of a method on fresh matched pairs of scenes.

    METHOD is a baseline's name or my_package.my_module:MyMethod. Each field is given to it in a
    process of its own.

    \b
    Example:  skysynergy calibrate shear moments --scenario isolated --pairs 1000
    """
    from .baselines.baseline import reference
    from .challenges.challenge import load
    from .challenges.harness import calibrate as run

    chosen = load(challenge)
    named = method if ":" in method else reference(challenge, method)
    if out is not None:
        _make_folder(out)
    measured = run(
        chosen,
        named,
        scenario=scenario,
        pairs=pairs,
        track=track,
        secret=None if seed is None else f"skysynergy seed {seed}".encode(),
        workers=workers or _cores(),
        entry=method,
    )
    _print(measured.scorecard, as_json)
    if out is not None:
        from .challenges.canvas import save
        from .challenges.files import write_whole
        from .challenges.shear_figures import bias_figure

        write_whole(out / "scorecard.json", measured.scorecard.to_json(indent=1).encode())
        write_whole(out / "scorecard.md", measured.scorecard.to_markdown().encode())
        save(bias_figure([measured.scorecard]), out / "bias.png")


@main.command()
@click.option("--out", default="skysynergy-demo", show_default=True, type=click.Path(path_type=Path))
@workers_option
@explained
def demo(out: Path, workers: int | None) -> None:
    """The whole line on a tiny sky: simulate, look, measure, score, report.

    \b
    Example:  skysynergy demo
    """
    _make_folder(out)
    from .demo import run

    run(out, workers=workers or _cores(), say=click.echo)


def _print(scorecard: Any, as_json: bool) -> None:
    click.echo(scorecard.to_json(indent=1) if as_json else scorecard.to_table())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
