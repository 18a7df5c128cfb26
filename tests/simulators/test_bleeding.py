"""Bleeding: charge is kept, no pixel overflows, and trails are as long as the excess makes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skysynergy.simulators.bleeding import bleed

WELL = 100.0


def column_by_hand(charge, well):
    """Oracle: carry the charge pixel by pixel, the upper half first."""
    held = np.minimum(charge, well)
    half = np.maximum(charge - well, 0) / 2
    for order in (range(len(charge)), range(len(charge) - 1, -1, -1)):
        carried = 0.0
        for i in order:
            carried += half[i]
            taken = min(carried, well - held[i])
            held[i] += taken
            carried -= taken
    return held


images = arrays(
    np.float64,
    (23, 4),
    elements=st.one_of(st.floats(-20.0, 90.0), st.floats(100.0, 900.0)),
    fill=st.floats(0.0, 30.0),
)


@given(images)
def test_it_is_what_carrying_by_hand_gives(image):
    spilled, _ = bleed(image, WELL, along=0)
    for before, after in zip(image.T, spilled.T, strict=True):
        upper, lower = column_by_hand(before, WELL), column_by_hand(before[::-1], WELL)[::-1]
        np.testing.assert_allclose(after, (upper + lower) / 2, rtol=1e-9, atol=1e-6)


@given(images)
def test_no_pixel_overflows_and_only_trails_change(image):
    spilled, trail = bleed(image, WELL, along=0)
    assert spilled.max() <= WELL * (1 + 1e-12)
    np.testing.assert_array_equal(spilled[~trail], image[~trail])
    # A pixel below the full well only gains, and what was above it is in the trail.
    assert np.all(spilled >= np.minimum(image, WELL))
    assert np.all(trail[image > WELL])
    assert spilled.sum() <= image.sum() * (1 + 1e-12) + 1e-9


@given(images)
def test_turned_images_bleed_alike(image):
    spilled, trail = bleed(image, WELL, along=0)
    for turned in (lambda a: a[::-1], lambda a: a[:, ::-1]):
        again, mask = bleed(turned(image), WELL, along=0)
        np.testing.assert_allclose(turned(again), spilled, rtol=1e-9, atol=1e-6)
        np.testing.assert_array_equal(turned(mask), trail)
    across, mask = bleed(image.T, WELL, along=1)
    np.testing.assert_array_equal(across.T, spilled)
    np.testing.assert_array_equal(mask.T, trail)


def test_a_star_has_a_trail_as_long_as_its_excess():
    image = np.full((101, 3), 20.0)
    image[50, 1] = 100 + 2 * 10 * 80  # ten pixels of 80 free electrons to each side
    spilled, trail = bleed(image, WELL, along=0)
    expected = image.copy()
    expected[40:61, 1] = WELL
    np.testing.assert_allclose(spilled, expected, rtol=1e-12)
    assert trail.sum() == 21 and trail[40:61, 1].all()
    assert spilled.sum() == pytest.approx(image.sum(), rel=1e-14)


def test_charge_is_conserved_until_it_leaves_the_image():
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 5_000, (192, 96))
    image[rng.integers(60, 130, 20), rng.integers(0, 96, 20)] = rng.uniform(2e5, 1.5e6, 20)
    spilled, _ = bleed(image, 1e5, along=0)
    # Every column by itself, to rounding: a trail of twenty pixels stays inside.
    np.testing.assert_allclose(spilled.sum(axis=0), image.sum(axis=0), rtol=1e-12)
    image[5, 7] = 1e7
    spilled, trail = bleed(image, 1e5, along=0)
    # Half of the excess wants to go down, and finds five pixels.
    lost = image[:, 7].sum() - spilled[:, 7].sum()
    room = np.sum(1e5 - image[:5, 7])
    assert lost == pytest.approx((1e7 - 1e5) / 2 - room, rel=1e-6)
    assert trail[:6, 7].all()


def test_an_image_below_the_full_well_is_left_alone():
    image = np.random.default_rng(1).uniform(-5, WELL, (9, 9)).astype(np.float32)
    spilled, trail = bleed(image, WELL, along=0)
    np.testing.assert_array_equal(spilled, image)
    assert spilled is not image and spilled.dtype == np.float64 and not trail.any()


def test_the_image_given_is_not_changed():
    image = np.zeros((9, 9))
    image[4, 4] = 500.0
    kept = image.copy()
    bleed(image, WELL, along=0)
    bleed(image, WELL, along=1)
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"full_well_e": 0.0}, "holds a positive charge, not 0"),
        ({"along": 2}, "axis 0 or 1 of an image, not 2"),
        ({"electrons": np.full((3, 3), np.nan)}, "finite electrons"),
        ({"electrons": np.zeros(3)}, r"table \(ny, nx\)"),
    ],
)
def test_what_is_wrong_is_said(change, message):
    given_ = {"electrons": np.zeros((3, 3)), "full_well_e": WELL, "along": 0, **change}
    with pytest.raises(ValueError, match=message):
        bleed(given_.pop("electrons"), given_.pop("full_well_e"), **given_)
