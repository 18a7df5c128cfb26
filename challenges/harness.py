"""Measures a method on fresh sky: matched pairs of fields, streamed, nothing stored.

The two fields of a pair hold the same galaxies, visits, dithers and unit noise, one under +g
and one under −g, so that in the difference of the two answers almost everything but the shear
cancels; every second scene is the one before turned by 90 degrees. (Pujol et al. 2019, A&A 621,
A2.) Fields reach the method in a shuffled order, with random ids, each in a fresh process.
"""

from __future__ import annotations

import functools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..scoring.scorecard import Scorecard
from ..scoring.shear import shear_scorecard, shear_sums
from ..simulators import fields, quantisation
from ..simulators.randomness import generator
from ..simulators.sky import exposure_bands, field_shear
from ..simulators.surveys import BANDS, SURVEYS
from ..simulators.workers import worker_pool
from ..version import __version__
from .challenge import Challenge, Scenario, Track
from .method import Field, save_field
from .names import choose
from .run_method import REFUSED, MethodError
from .sealing import new_secret
from .shear import psf_ellipticity
from .sky_fields import field_from_arrays
from .submissions import SubmissionError, Table, accept

__all__ = ["Run", "calibrate", "harness_field"]

SPLIT = 3  # after those of the datasets
FIELD_SECONDS = 3600  # a method that needs longer for one field is stopped
LAST_WORDS = 1 << 14  # bytes of what a method says on stderr that are read, when it fails
START_SECONDS = 600  # and one that needs longer to be imported and made
MIN_PAIRS = 4  # two pairs of fields to bootstrap over, of a scene and its partner each


@dataclass(frozen=True)
class Run:
    """What the harness measured.

    Attributes:
        scorecard: m, c and α with intervals.
        true, estimated: (field, 2) shear; both fields of a pair follow each other.
        covariance: (field, 3) predicted cov11, cov22, cov12.
        pair: (field,) number of the pair.
    """

    scorecard: Scorecard
    true: np.ndarray
    estimated: np.ndarray
    covariance: np.ndarray
    pair: np.ndarray


def calibrate(
    challenge: Challenge,
    method: str,
    *,
    scenario: str = "isolated",
    pairs: int = 1000,
    track: str | None = None,
    secret: bytes | None = None,
    workers: int = 1,
    entry: str | None = None,
    progress: bool | None = None,
) -> Run:
    """Bias of a shear method, from scenes drawn in matched ±g pairs.

    Arguments:
        challenge: the shear challenge.
        method: ``module:Class``.
        scenario: what is drawn; one of the challenge's.
        pairs: scenes, each drawn under +g and under −g; at least 4, rounded up to whole fields.
        track: decides which exposures the method sees.
        secret: keys the sky; fresh from the operating system if None.
        workers: processes that simulate, and die with this one; each runs the method in
            further fresh processes.
        entry: name on the scorecard; that of the method's class if None.
        progress: whether to draw a progress bar; None for only on a terminal.

    Raises:
        UnknownNameError: for an unknown scenario or track.
        ValueError: if fewer than four pairs are asked for.
        MethodError: if the method is not found, before anything is drawn; if it fails on a field
            or answers something else than was asked.
    """
    if not challenge.scenarios:
        raise ValueError(
            f"there is nothing that the harness could draw for {challenge.name}: predict a split and score "
            "that"
        )
    chosen = challenge.scenarios[choose("scenario", scenario, challenge.scenarios)]
    seen = challenge.track(track)
    if pairs < MIN_PAIRS:
        raise ValueError(
            f"the harness needs at least {MIN_PAIRS} pairs of scenes, two fields of partners, not {pairs}"
        )
    _require_method(method)
    # Fields of at most a hundred scenes, and at least ten pairs of fields to bootstrap over.
    scenes = min(chosen.sky.scenes_per_field, 2 * max(1, math.ceil(pairs / 20)))
    n_fields = math.ceil(pairs / scenes)
    chosen = replace(chosen, sky=replace(chosen.sky, n_fields=n_fields, scenes_per_field=scenes))
    secret = secret or new_secret()
    tasks = [(number, sign) for number in range(n_fields) for sign in (1, -1)]
    order = generator(secret, "order", SPLIT).permutation(len(tasks))
    run = functools.partial(_measure, method=method, scenario=chosen, track=seen, secret=secret)
    started = time.monotonic()
    answers: dict[tuple[int, int], tuple[dict[str, float], complex, np.ndarray]] = {}
    disable = None if progress is None else not progress
    with tqdm(total=len(tasks), desc=f"{scenario} fields", disable=disable) as bar:
        if workers == 1:
            for k in order:
                answers[tasks[k]] = run(tasks[k])
                _accepted(challenge, [answers[tasks[k]][0]], method)  # at once: a run may take hours
                bar.update()
        else:
            try:
                with worker_pool(min(workers, len(tasks))) as pool:
                    futures = {pool.submit(run, tasks[k]): tasks[k] for k in order}
                    for future in as_completed(futures):
                        task = futures[future]
                        answers[task] = future.result()
                        _accepted(challenge, [answers[task][0]], method)
                        bar.update()
            except BrokenProcessPool as error:
                raise MethodError(
                    f"a worker died, perhaps for lack of memory: use fewer workers than {workers}"
                ) from error
    columns = _accepted(challenge, [answers[task][0] for task in tasks], method)
    true = np.array([[answers[task][1].real, answers[task][1].imag] for task in tasks])
    estimated = np.stack([columns["g1"], columns["g2"]], axis=1)
    covariance = np.stack([columns["cov11"], columns["cov22"], columns["cov12"]], axis=1)
    pair = np.array([number for number, _ in tasks])
    sums = shear_sums(
        pair, true, estimated, covariance=covariance, psf=np.array([answers[task][2] for task in tasks])
    )
    scorecard = shear_scorecard(
        sums,
        use="calibrate",
        track=seen.name,
        tier=f"{n_fields * scenes} pairs",
        split=scenario,
        entry=entry or method.rpartition(":")[2],
        provenance={
            "code": __version__,
            "method": method,
            "pairs": n_fields * scenes,
            "fields": 2 * n_fields,
            "seconds": round(time.monotonic() - started, 1),
        },
    )
    return Run(scorecard, true, estimated, covariance, pair)


def harness_field(
    scenario: Scenario, track: Track, secret: bytes, number: int, sign: int
) -> tuple[Field, complex]:
    """One field of a pair, as the method sees it, and its true shear."""
    shear = sign * field_shear(scenario.sky, secret, SPLIT, number)
    # Both fields of a pair share the dither of the quantisation, too.
    key = b"skysynergy harness"
    data, _ = fields.simulate_field(
        scenario.sky, secret, SPLIT, number, dither_key=key, shear=shear, truth=False
    )
    arrays = dict(data.arrays)
    bands = {}
    first = number * scenario.sky.scenes_per_field
    for name in track.surveys:
        group = SURVEYS[name].group
        if f"{group}/image" not in arrays:
            continue
        codes = arrays[f"{group}/image"]
        flux = np.empty(codes.shape, dtype=np.float32)
        for scene, exposure in np.ndindex(*codes.shape[:2]):
            pattern = quantisation.dither(key, group, first + scene, exposure, codes.shape[2:])
            step = arrays[f"{group}/step"][scene, exposure]
            flux[scene, exposure] = quantisation.decode(codes[scene, exposure], step, pattern)
        arrays[f"{group}/image"] = flux
        bands[name] = np.array([BANDS[b].code for b in exposure_bands(scenario.sky, name)])
    identity = fields.opaque_id(secret, "harness", number, int(sign > 0))
    return field_from_arrays(identity, scenario.sky.width_arcsec, arrays, bands), shear


def _measure(
    task: tuple[int, int], *, method: str, scenario: Scenario, track: Track, secret: bytes
) -> tuple[dict[str, float], complex, np.ndarray]:
    """Answer, true shear and PSF ellipticity of one field."""
    field, shear = harness_field(scenario, track, secret, *task)
    with tempfile.TemporaryDirectory(prefix="skysynergy-") as folder:
        given, out = Path(folder) / "field.npz", Path(folder) / "answer.json"
        save_field(given, field)
        _in_fresh_process(method, given, out, seconds=FIELD_SECONDS)
        if not out.exists():
            raise MethodError(f"{method} ended without an answer for a field")
        return json.loads(out.read_text()), shear, psf_ellipticity(field)


def _require_method(method: str) -> None:
    """Find and make the method once, so that a slip is told before anything is drawn."""
    _in_fresh_process(method, seconds=START_SECONDS)


def _in_fresh_process(method: str, *files: Path, seconds: float) -> None:
    """Start `run_method`, and tell how it failed if it did."""
    command = [sys.executable, "-m", f"{__package__}.run_method", method, *map(str, files)]
    environment = {"OMP_NUM_THREADS": "1"} | os.environ
    doing = ("on a field", "for one field") if files else ("to be made", "to be imported and made")
    # A file, not a pipe: what the method leaves running holds a pipe open, and would be waited for.
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MethodError(f"{method} took longer than {seconds} s {doing[1]}") from error
        errors.seek(-min(errors.seek(0, os.SEEK_END), LAST_WORDS), os.SEEK_END)
        said = "\n".join(errors.read().decode(errors="replace").strip().splitlines()[-12:])
    if done.returncode == REFUSED and said:
        raise MethodError(said)
    if done.returncode < 0:
        told = f"{method} was killed by signal {-done.returncode} (out of memory?)"
        raise MethodError(f"{told}:\n{said}" if said else told)
    if done.returncode != 0:
        told = f"{method} failed {doing[0]} (exit code {done.returncode})"
        raise MethodError(f"{told}:\n{said or 'it said nothing'}")


def _accepted(challenge: Challenge, answers: list[dict[str, float]], method: str) -> dict[str, np.ndarray]:
    """The answers as columns, through the validator that submissions pass."""
    known = {name for given in answers for name in given}
    ids = np.arange(len(answers))
    columns: dict[str, Any] = {"id": ids}
    columns |= {name: np.array([given.get(name, np.nan) for given in answers]) for name in known}
    try:
        return accept(Table(columns), challenge.schema, ids)
    except SubmissionError as error:
        raise MethodError(f"{method} answered what the challenge does not take:\n{error}") from error
