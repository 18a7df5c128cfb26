"""How long the hot paths take. `make bench` prints the table; `make test` runs each once.

Seconds belong to a machine; a ratio within one run is what can be compared and asserted.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from skysynergy.baselines.moments import MomentsShear
from skysynergy.challenges.challenge import load
from skysynergy.challenges.harness import harness_field
from skysynergy.scoring.shear import shear_scorecard, shear_sums
from skysynergy.simulators import quantisation
from skysynergy.simulators.fields import observe
from skysynergy.simulators.profiles import profiles_of
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.rendering.galsim import render
from skysynergy.simulators.scenes import draw_scene
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.surveys import BANDS

SECRET = b"benchmark"


@pytest.fixture(scope="module")
def scene():
    return profiles_of(draw_scene(generator(SECRET, "galaxies", 0), width_arcsec=19.2))


@pytest.fixture(scope="module", params=["i", "VIS", "H"])
def drawing(request, scene):
    observation = next(iter(observe(Sky(1, 1, {request.param: 1}), SECRET, 0, 0).values()))
    survey = observation.survey
    size = round(19.2 / survey.pixel_arcsec)
    options = {
        "psf": observation.psf[:1],
        "psf_oversampling": survey.psf_oversampling,
        "wcs": np.column_stack([np.eye(2) / survey.pixel_arcsec, np.full(2, (size - 1) / 2)])[None],
        "shape": (size, size),
    }
    sigma = np.array([observation.backgrounds[0].sigma])
    return (scene, scene.flux[None, :, BANDS[request.param].code]), options, sigma


def test_draw_a_scene_on_one_exposure(benchmark, drawing):
    arguments, options, sigma = drawing
    image = benchmark(render, *arguments, **options, sigma=sigma)
    assert np.isfinite(image).all()


@pytest.mark.parametrize("drawing", ["VIS"], indirect=True)
def test_small_stamps_for_faint_sources_pay(drawing):
    """Drawing with stamps fitted to the noise is faster than drawing all on the whole exposure.

    VIS has the most pixels; in the small images of NISP stamps neither help nor hurt.
    """
    arguments, options, sigma = drawing

    def seconds(**more):
        started = time.process_time()
        render(*arguments, **options, **more)
        return time.process_time() - started

    for warm in ({"sigma": sigma}, {}):
        seconds(**warm)
    ratios = [seconds() / seconds(sigma=sigma) for _ in range(5)]
    assert np.median(ratios) > 1.2


def test_measure_the_shear_of_ten_scenes(benchmark):
    challenge = load("shear")
    scenario = challenge.scenarios["isolated"]
    scenario = replace(scenario, sky=replace(scenario.sky, scenes_per_field=10))
    field, _ = harness_field(scenario, challenge.track(), SECRET, 0, 1)
    answer = benchmark(MomentsShear().predict, field)
    assert answer["cov11"] > 0


def test_encode_an_exposure(benchmark):
    flux = generator(SECRET, "flux").normal(size=(1, 192, 192))
    step = np.array([1 / quantisation.STEPS_PER_SIGMA])

    def encode():
        dither = quantisation.dither(SECRET, "euclid_vis", 0, 0, (192, 192))
        return quantisation.encode(flux, step, dither[None])

    codes, clipped = benchmark(encode)
    assert codes.dtype == np.int16
    assert not clipped.any()


def test_score_two_hundred_fields(benchmark):
    rng = generator(SECRET, "score")
    true = rng.normal(0, 0.02, (200, 2))
    sums = shear_sums(np.arange(200) // 2, true, true + rng.normal(0, 0.01, (200, 2)))
    card = benchmark(shear_scorecard, sums, use="calibrate", track="joint", tier="", split="", entry="x")
    assert card["m1"].value is not None
