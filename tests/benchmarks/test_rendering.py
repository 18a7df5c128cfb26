"""The batched renderer and the reference side by side, in one process; the ratio is kept.

Scenes are those of the tables in docs/results/rendering.md: 5 or 20 galaxies of bulge and disk in 76
exposures in ten bands. Floors are 60 % of what was reached there.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from skysynergy.simulators.fields import observe
from skysynergy.simulators.galaxies import draw_galaxies
from skysynergy.simulators.profiles import profiles_of
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.rendering import renderer
from skysynergy.simulators.rendering.response import _kept
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.sources import Sources
from skysynergy.simulators.surveys import BANDS

SECRET = b"benchmark"
WIDTH = 19.2
VISITS = {"u": 6, "g": 8, "r": 16, "i": 16, "z": 12, "y": 6, "VIS": 3, "Y": 3, "J": 3, "H": 3}
FLOORS = {("shared", 5): 15.6, ("shared", 20): 37.0, ("free", 5): 7.8, ("free", 20): 8.4}
ROUNDS = 3


def galaxies(count: int) -> Sources:
    """Galaxies of bulge and disk, i < 25.3, anywhere in a scene."""
    rng = generator(SECRET, "galaxies", count)
    drawn = draw_galaxies(rng, 40 * count, 25.3)
    both = np.flatnonzero((drawn.component_flux.max(axis=2) > 0).all(axis=1))[:count]
    assert len(both) == count
    x, y = rng.uniform(-0.45 * WIDTH, 0.45 * WIDTH, (2, count))
    return Sources(x=x, y=y, **{name: values[both] for name, values in vars(drawn).items()})


def calls(frames: str, count: int) -> list[dict]:
    """Arguments of both renderers for every survey."""
    profiles = profiles_of(galaxies(count))
    made = []
    for name, observation in observe(Sky(1, 1, VISITS), SECRET, 0, 0).items():
        survey, rng = observation.survey, generator(SECRET, "dithers", len(name))
        size = round(WIDTH / survey.pixel_arcsec)
        angle = rng.uniform(0, 2 * np.pi, len(observation.visits))
        turned = np.moveaxis(
            np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), 2, 0
        )
        linear = (observation.orientation if frames == "shared" else turned) / survey.pixel_arcsec
        dither = (size - 1) / 2 + rng.uniform(-0.5, 0.5, (len(angle), 2, 1))
        made.append(
            {
                "profiles": profiles,
                "flux": profiles.flux[:, [BANDS[visit.band].code for visit in observation.visits]].T.copy(),
                "psf": observation.psf,
                "psf_oversampling": survey.psf_oversampling,
                "wcs": np.concatenate([linear, dither], axis=2),
                "shape": (size, size),
                "sigma": np.array([noise.sigma for noise in observation.backgrounds]),
            }
        )
    return made


def draw(name: str, made: list[dict]) -> list[np.ndarray]:
    return [renderer(name)(**each) for each in made]


@pytest.fixture(scope="module", params=list(FLOORS), ids=lambda case: f"{case[0]}-{case[1]}")
def case(request):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield request.param, calls(*request.param)
    torch.set_num_threads(threads)


@pytest.mark.benchmark(group="a scene in 76 exposures")
def test_fourier(benchmark, case):
    images = benchmark.pedantic(draw, ("fourier", case[1]), rounds=ROUNDS, warmup_rounds=1)
    assert all(np.isfinite(image).all() for image in images)


@pytest.mark.benchmark(group="a scene in 76 exposures")
def test_many_times_faster_than_the_reference_inside_the_gate(benchmark, case, record_figure):
    (frames, count), made = case

    def seconds(name):
        started = time.process_time()
        images = draw(name, made)
        return time.process_time() - started, images

    _kept.cache_clear()
    first, _ = seconds("fourier")  # PSFs of a field are prepared for its first scene
    times = []
    for _ in range(ROUNDS):
        slow, reference = seconds("galsim")
        fast, images = min((seconds("fourier") for _ in range(2)), key=lambda one: one[0])
        times.append((slow, fast))
        passed = sum(slow / fast > FLOORS[frames, count] for slow, fast in times)
        if benchmark.disabled and 2 * max(passed, len(times) - passed) > ROUNDS:
            break  # the reference takes long, and the median of all rounds cannot change sides any more
    ratio = float(np.median([slow / fast for slow, fast in times]))
    slow, fast = np.median(times, axis=0)
    for name, value in (("ratio", ratio), ("galsim", slow), ("fourier", fast), ("first", first)):
        record_figure(f"{name} {frames} {count}", value)
    benchmark.extra_info["times faster than the reference"] = ratio
    benchmark.pedantic(draw, ("galsim" if benchmark.enabled else "fourier", made), rounds=1)
    # Both leave out what is below a hundredth of a pixel's noise, each in its own way.
    for each, one, other in zip(made, images, reference, strict=True):
        worst = np.abs(one - other).max(axis=(1, 2)) / np.maximum(
            each["sigma"], 1e-3 * other.max(axis=(1, 2))
        )
        assert worst.max() < 0.1
    assert ratio > FLOORS[frames, count]
