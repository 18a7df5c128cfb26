"""Peaks against photutils, against prominence by brute force, and against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skysynergy.simulators.peaks import find_peaks

EIGHT = np.ones((3, 3))


def smooth_field(seed, size=48, scale=2.0):
    """Noise of unit variance, correlated like an image that was filtered, with a few sources in it."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal((size, size)), scale)
    y, x = np.indices((size, size))
    for _ in range(5):
        height, row, column = rng.uniform(5, 60), *rng.uniform(2, size - 3, 2)
        field += height * field.std() * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (4 * scale**2))
    return field / ndimage.gaussian_filter(rng.standard_normal((size, size)), scale).std()


def gaussians(*sources, sigma=2.5, size=41):
    y, x = np.indices((size, size))
    return sum(a * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for a, cx, cy in sources)


def prominences(image, floor):
    """Of every local maximum above a floor, by flooding the image level by level."""
    values = np.unique(image[image > floor])[::-1]
    tops, found = {}, {}
    for level in values:
        labels, _ = ndimage.label(image >= level, EIGHT)
        place = np.argwhere(image == level)[0]
        label = labels[tuple(place)]
        inside = [t for t in tops if labels[t] == label]
        if not inside:
            tops[tuple(place)] = level
            continue
        for lower in sorted(inside, key=lambda t: image[t])[:-1]:
            found[lower] = image[lower] - level
            del tops[lower]
    return found | dict.fromkeys(tops, np.inf)


@given(seed=st.integers(0, 10**6), prominence=st.floats(0, 8))
def test_what_is_kept_stands_out_by_the_prominence(seed, prominence):
    image = smooth_field(seed, size=24)
    peaks = find_peaks(image, threshold=1.5, floor=1.5, prominence=prominence, contrast=0)
    expected = {place for place, value in prominences(image, 1.5).items() if value >= prominence}
    places = {tuple(np.argwhere(image == height)[0]) for height in peaks.height}
    assert places == expected


@given(seed=st.integers(0, 10**6))
def test_without_prominence_the_peaks_are_those_of_photutils(seed):
    detection = pytest.importorskip("photutils.detection", reason="photutils is not installed")
    image = smooth_field(seed)
    peaks = find_peaks(image, threshold=3, floor=3, prominence=0, contrast=0)
    theirs = detection.find_peaks(image, 3, box_size=3)
    assert theirs is not None
    assert sorted(peaks.height) == pytest.approx(sorted(theirs["peak_value"]))


@given(seed=st.integers(0, 10**6))
def test_footprints_are_those_of_photutils(seed):
    segmentation = pytest.importorskip("photutils.segmentation", reason="photutils is not installed")
    image = smooth_field(seed)
    peaks = find_peaks(image, threshold=3, floor=3, prominence=2, contrast=0)
    theirs = segmentation.detect_sources(image, 3, n_pixels=1).data
    np.testing.assert_array_equal(peaks.segment >= 0, theirs > 0)
    # Each peak lies in the footprint that its pixels lie in, and every footprint has a peak.
    for n in range(len(peaks)):
        assert len(np.unique(theirs[peaks.segment == n])) == 1
    assert len(np.unique(peaks.footprint)) == theirs.max()


@given(seed=st.integers(0, 10**6), turn=st.integers(0, 3), mirror=st.booleans())
def test_turning_the_image_turns_the_peaks(seed, turn, mirror):
    image = smooth_field(seed)
    other = np.rot90(image[:, ::-1] if mirror else image, turn)
    one, two = (find_peaks(i, threshold=5, floor=2, prominence=2.5, contrast=0.03) for i in (image, other))
    np.testing.assert_array_equal(one.height, two.height)
    middle = (len(image) - 1) / 2
    z = one.x - middle + 1j * (one.y - middle)
    z = (-np.conj(z) if mirror else z) * (-1j) ** turn
    np.testing.assert_allclose(two.x - middle + 1j * (two.y - middle), z, atol=1e-9)
    turned = np.rot90(one.segment[:, ::-1] if mirror else one.segment, turn)
    np.testing.assert_array_equal(turned, two.segment)


@pytest.mark.parametrize("distance", [8, 10, 14])
def test_two_peaks_are_told_apart_by_their_saddle(distance):
    first, second = 20 - distance // 2, 20 + distance // 2
    image = gaussians((100, first, 20), (60, second, 20))
    line = image[20, first : second + 1]
    deep = image[20, second] - line.min()
    split = {"threshold": 5, "floor": 2, "contrast": 0}
    assert len(find_peaks(image, prominence=deep - 1e-6, **split)) == 2
    assert len(find_peaks(image, prominence=deep + 1e-6, **split)) == 1
    contrast = deep / line.min()
    assert len(find_peaks(image, threshold=5, floor=2, prominence=1, contrast=contrast - 1e-6)) == 2
    assert len(find_peaks(image, threshold=5, floor=2, prominence=1, contrast=contrast + 1e-6)) == 1


def test_pixels_of_what_is_not_kept_go_to_its_neighbour():
    # A shoulder on the fainter of two galaxies belongs to that one.
    image = gaussians((100, 8, 20), (60, 24, 20), (9, 32, 20), sigma=2)
    peaks = find_peaks(image, threshold=5, floor=0.01, prominence=20, contrast=0)
    assert list(np.round(peaks.x)) == [8, 24]
    assert peaks.segment[20, 32] == peaks.segment[20, 24] == 1 and peaks.segment[20, 8] == 0


def test_noise_on_the_outskirts_is_a_part_of_the_galaxy():
    image = gaussians((100, 20, 20)) + gaussians((3.5, 27, 20), sigma=1)
    high = find_peaks(image, threshold=5, floor=5, prominence=3, contrast=0)
    low = find_peaks(image, threshold=5, floor=2, prominence=3, contrast=0)
    assert len(low) == 1 and len(high) == 1
    assert low.segment[20, 27] == 0


@given(dx=st.floats(-0.45, 0.45), dy=st.floats(-0.45, 0.45), shape=st.floats(-0.5, 0.5))
def test_the_vertex_of_a_paraboloid_is_exact(dx, dy, shape):
    y, x = np.indices((9, 9)) - 4.0
    image = 50 - (x - dx) ** 2 - 1.2 * (y - dy) ** 2 + shape * (x - dx) * (y - dy)
    highest = np.argwhere(image == image.max())[0] - 4
    if np.any(np.abs(highest) > 0):
        return  # a slanted paraboloid may be highest beside its vertex
    peaks = find_peaks(image, threshold=1, floor=1, prominence=1, contrast=0)
    assert peaks.x[0] == pytest.approx(4 + dx, abs=1e-9) and peaks.y[0] == pytest.approx(4 + dy, abs=1e-9)


def test_a_plateau_is_one_peak_and_flat_sky_is_none():
    image = np.zeros((12, 12))
    assert len(find_peaks(image, threshold=5, floor=2, prominence=2, contrast=0)) == 0
    image[3:6, 4:9] = 7.0
    peaks = find_peaks(image, threshold=5, floor=2, prominence=0, contrast=0)
    assert len(peaks) == 1 and peaks.height[0] == 7
    assert np.sum(peaks.segment == 0) == 15


def test_a_peak_at_the_border_stays_in_the_image():
    image = gaussians((50, -0.4, 40.4))
    peaks = find_peaks(image, threshold=5, floor=2, prominence=2, contrast=0)
    assert (peaks.x[0], peaks.y[0]) == (0, 40)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"floor": 6}, "at most the threshold"),
        ({"floor": 0}, "positive"),
        ({"prominence": -1}, "not be negative"),
        ({"contrast": np.nan}, "not be negative"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    given_ = {"threshold": 5, "floor": 2, "prominence": 2, "contrast": 0} | settings
    with pytest.raises(ValueError, match=message):
        find_peaks(np.zeros((4, 4)), **given_)


@pytest.mark.parametrize("image", [np.zeros(4), np.full((4, 4), np.nan)])
def test_images_that_make_no_sense(image):
    with pytest.raises(ValueError, match="finite image of two axes"):
        find_peaks(image, threshold=5, floor=2, prominence=2, contrast=0)
