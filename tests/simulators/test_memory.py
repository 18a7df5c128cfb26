"""A shard takes the memory of its arrays once, and no more of it for all that is done on the way."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators import fields
from skysynergy.simulators.exposures import Exposures, pixels_across
from skysynergy.simulators.fields import simulate_field, simulate_shard
from skysynergy.simulators.filling import Filling
from skysynergy.simulators.realism import SURVEY
from skysynergy.simulators.scenes import Content
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.sources import point_sources

SKY = Sky(10, 3, {"i": 2, "H": 1}, width_arcsec=6.0, content=Content(i_limit=20.0))
SPOILED = replace(SKY, realism=SURVEY)
OPTIONS = {"secret": bytes(range(32)), "split": 0, "dither_key": b"public"}


def shard(fields_per_shard, sky=SKY):
    return simulate_shard(0, sky=sky, fields_per_shard=fields_per_shard, **OPTIONS)


@pytest.fixture
def blank(monkeypatch):
    """Exposures of nothing, at once, and the same visits in all fields: what is left is how they are kept."""
    seen, real = {}, fields.observe

    def observe(sky, *_):
        if sky.realism not in seen:
            seen[sky.realism] = real(sky, OPTIONS["secret"], 0, 0)
        return seen[sky.realism]

    def expose(sources, observation, *, width_arcsec, **_):
        n, size = len(observation.visits), pixels_across(width_arcsec, observation.survey)
        light, bits = np.zeros((n, size, size)), np.zeros((n, size, size), np.uint8)
        wcs, nothing = np.zeros((n, 2, 3)), np.zeros((len(sources), n, 2))
        return Exposures(light, light, bits, wcs, nothing, nothing[..., 0], bits, np.zeros((n, 3)))

    monkeypatch.setattr(fields, "draw_sources", lambda *_: point_sources(x=[0.0], y=[0.0], flux=1.0))
    monkeypatch.setattr(fields, "observe", observe)
    monkeypatch.setattr(fields, "expose", expose)
    monkeypatch.setattr(fields, "_add_rows", lambda *_: None)


def peak(n, sky):
    """The largest memory that Python and NumPy hold while a shard of n fields is made, and of its arrays."""
    tracemalloc.start()
    made = shard(n, sky)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return largest, sum(array.nbytes for part in made for array in part.arrays.values())


@pytest.mark.parametrize("sky", [SKY, SPOILED], ids=["clean", "survey"])
@pytest.mark.usefixtures("blank")
def test_each_field_more_takes_the_memory_of_its_arrays_and_of_no_copy(sky, record_figure):
    sky = replace(sky, visits={"i": 20}, n_fields=24)
    peak(1, sky)  # what is made once in a process is there from now on
    (low, few), (high, many) = peak(4, sky), peak(24, sky)
    assert many - few > 4e6
    ratio = (high - low) / (many - few)
    record_figure("memory of a field over that of its arrays", ratio)
    # 1.0 is each array once. Parts put together at the end would make it 2.
    assert 0.9 < ratio < 1.1
    # A shard of few fields has, besides, what one scene takes while it is made.
    assert low < few + 0.5 * few


def test_the_arrays_of_a_shard_are_each_one_piece_and_nobody_elses():
    for part in shard(2):
        for path, array in part.arrays.items():
            assert array.base is None and array.flags.c_contiguous, path


def test_a_shard_of_one_field_is_that_field():
    one = shard(1)
    other = simulate_field(SKY, number=0, **OPTIONS)
    for made, expected in zip(one, other, strict=True):
        assert list(made.arrays) == list(expected.arrays) and list(made.tables) == list(expected.tables)
        for path, array in made.arrays.items():
            np.testing.assert_array_equal(array, expected.arrays[path], err_msg=path, strict=True)


def test_arrays_are_where_they_were_put_and_rows_in_the_order_of_scenes():
    filling = Filling(3, 1)
    for place in (2, 0, 1):
        filling.put_scene(place, "lsst", {"image": np.full((2, 2), place, np.int16)})
        filling.add_rows("sources", {"scene": np.full(place, place)})
    filling.put_field(0, {"fields/g1": np.array([0.25])})
    made = filling.shard()
    assert made.arrays["lsst/image"].dtype == np.int16
    assert made.arrays["lsst/image"][:, 0, 0].tolist() == [0, 1, 2]
    assert made.arrays["fields/g1"].tolist() == [0.25]
    assert made.tables["sources"]["scene"].tolist() == [2, 2, 1]


def test_scenes_that_differ_in_kind_are_refused():
    filling = Filling(2, 1)
    filling.put_scene(0, "lsst", {"image": np.zeros((2, 2), np.int16)})
    with pytest.raises(ValueError, match="lsst/image is float64 here, int16 before"):
        filling.put_scene(1, "lsst", {"image": np.zeros((2, 2))})
    with pytest.raises(ValueError, match="broadcast"):
        filling.put_scene(1, "lsst", {"image": np.zeros((3, 3), np.int16)})
