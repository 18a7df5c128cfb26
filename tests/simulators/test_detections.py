"""The lists of detections and the sources behind them, on scenes whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skysynergy.simulators.detection_image import detection_image
from skysynergy.simulators.detections import (
    INNER_MARGIN_ARCSEC,
    LISTS,
    Detections,
    detect,
    detection_images,
    detection_lists,
    detection_rows,
    detection_tables,
    match,
)
from skysynergy.simulators.sources import joined, sersic_sources
from skysynergy.simulators.surveys import BANDS, flux_from_mag


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        return import_module("example_exposures")


GRID = np.array([(x, y) for x in (-5.3, 0.1, 5.4) for y in (-5.1, 0.3, 5.2)]).T


@pytest.fixture(scope="module")
def nine(example):
    """Nine points far from each other, AB 23.5 to 25.5."""
    sources = example.points(*GRID, mag=np.linspace(23.5, 25.5, 9))
    return sources, *example.observed(sources)


@pytest.fixture(scope="module")
def pair(example):
    """Two equal points half an arcsec from each other, and one alone."""
    sources = example.points([-0.25, 0.25, 5.0], [0.0, 0.0, 4.0], mag=[24.0, 24.2, 24.0])
    return sources, *example.observed(sources)


def test_points_are_listed_once_where_they_are(nine):
    sources, exposures, observations = nine
    images = detection_images(exposures, observations)
    for name, found in detection_lists(images).items():
        assert len(found) == 9, name
        matched = match(found, sources, fwhm_arcsec=0.8)
        assert sorted(matched.dominant) == list(range(9))
        assert not matched.n_hidden.any() and not matched.ambiguous.any()
        np.testing.assert_array_equal(matched.detection[matched.dominant], np.arange(9))
        offset = np.hypot(found.x - sources.x[matched.dominant], found.y - sources.y[matched.dominant])
        # Cramer-Rao for a Gaussian filtered by itself: √2 FWHM / (2.355 S/N) in each axis; five times that.
        fwhm = images["LSST"].fwhm_arcsec if name == "lsst" else 0.25
        assert np.all(offset < 5 * np.sqrt(2) * fwhm / 2.355 / found.snr + 0.01)


def test_signal_to_noise_and_flux_are_those_of_the_sources(nine, example):
    sources, exposures, observations = nine
    image = detection_image(exposures["LSST"], observations["LSST"])
    found = detect(image)
    matched = match(found, sources, fwhm_arcsec=0.8)
    flux = sources.flux[matched.dominant, BANDS["i"].code]
    expected = flux * np.sqrt(image.band_weight.sum())
    # Noise of one, photons of the source, and a pixel beside the peak.
    assert np.all(np.abs(found.snr - expected) < 4 + 0.06 * expected)
    np.testing.assert_allclose(found.flux, found.snr / np.sqrt(image.band_weight.sum()), rtol=0.02)


def test_a_plain_search_for_peaks_finds_the_same(nine):
    """An oracle without any of our filters: pixels summed, smoothed by a Gaussian of the PSF's width."""
    _, exposures, observations = nine
    taken, seen = exposures["LSST"], observations["LSST"]
    grid = (np.arange(96) - 47.5) * 0.2
    x, y = np.meshgrid(grid, grid)
    total = np.zeros((96, 96))
    for e, noise in enumerate(seen.backgrounds):
        place = np.round(np.stack([x, y], axis=-1) @ taken.wcs[e, :, :2].T + taken.wcs[e, :, 2]).astype(int)
        place = np.clip(place, 0, 95)
        total += taken.image[e][place[..., 1], place[..., 0]] / noise.sigma**2
    smooth = ndimage.gaussian_filter(total, 0.8 / 2.355 / 0.2)
    noise = 1.4826 * np.median(np.abs(smooth - np.median(smooth)))
    top = (smooth == ndimage.maximum_filter(smooth, 5)) & (smooth > 5 * noise)
    rows, columns = np.nonzero(top)
    found = detect(detection_image(taken, seen))
    theirs = np.stack([grid[columns], grid[rows]], axis=1)
    distance = np.hypot(*(theirs[:, None] - np.stack([found.x, found.y], axis=1)).transpose(2, 0, 1))
    assert len(theirs) == len(found) == 9
    assert distance.min(axis=1).max() < 0.25 and distance.min(axis=0).max() < 0.25


def test_what_lsst_hides_vis_splits(pair):
    sources, exposures, observations = pair
    lists = detection_lists(detection_images(exposures, observations))
    assert {name: len(found) for name, found in lists.items()} == {"lsst": 2, "joint": 3}
    lsst, joint = (match(found, sources, fwhm_arcsec=0.8) for found in lists.values())
    blend = lsst.detection[0]
    # Of the two the brighter one is dominant: 24.0 against 24.2.
    assert lsst.dominant[blend] == 0 and lsst.detection[1] == blend
    assert lsst.n_hidden[blend] == 1 and lsst.ambiguous[blend]
    fainter = 10**-0.08
    assert lsst.hidden_fraction[blend] == pytest.approx(fainter / (1 + fainter))
    alone = lsst.detection[2]
    assert lsst.n_hidden[alone] == 0 and not lsst.ambiguous[alone] and lsst.hidden_fraction[alone] == 0
    assert sorted(joint.dominant) == [0, 1, 2] and not joint.n_hidden.any()


def by_hand(x, y, flux, segment=None):
    x = np.asarray(x, dtype=float)
    segment = np.full((96, 96), -1) if segment is None else segment
    return Detections(x, np.asarray(y, float), np.full(len(x), 20.0), np.asarray(flux, float), segment, 0.2)


def test_hidden_sources_are_counted_above_a_tenth(example):
    sources = example.points(
        [0, 0.3, -0.3, 0.2, 0.1], np.zeros(5), mag=24 + 2.5 * np.log10([1, 1.9, 2.1, 9.9, 10.1])
    )
    matched = match(by_hand([0.05], [0], [600]), sources, fwhm_arcsec=0.8)
    ratios = 1 / np.array([1.9, 2.1, 9.9, 10.1])
    assert matched.dominant[0] == 0 and matched.n_hidden[0] == 3
    assert matched.hidden_fraction[0] == pytest.approx(ratios.sum() / (1 + ratios.sum()))
    assert matched.ambiguous[0]
    without = match(by_hand([0.05], [0], [600]), sources[np.array([0, 2, 3, 4])], fwhm_arcsec=0.8)
    assert not without.ambiguous[0] and without.n_hidden[0] == 2


def test_the_i_band_alone_decides(example):
    sources = example.points([0, 0.3], np.zeros(2), mag=24.0)
    sources.component_flux[0] *= 50
    sources.component_flux[0, :, BANDS["i"].code] /= 100
    assert match(by_hand([0.0], [0], [600]), sources, fwhm_arcsec=0.8).dominant[0] == 1


def test_a_source_belongs_to_the_nearest_detection(example):
    sources = example.points([0.0, 0.45, 0.75], np.zeros(3), mag=[22.0, 24.0, 26.0])
    matched = match(by_hand([0.0, 0.6], [0, 0], [3000, 600]), sources, fwhm_arcsec=0.8)
    np.testing.assert_array_equal(matched.detection, [0, 1, 1])
    np.testing.assert_array_equal(matched.dominant, [0, 1])
    np.testing.assert_array_equal(matched.n_hidden, [0, 1])


def test_a_source_in_the_pixels_of_a_detection_is_hidden(example):
    sources = example.points([0.0, 1.5, 3.0], np.zeros(3), mag=[22.0, 23.0, 23.0])
    segment = np.full((96, 96), -1)
    segment[40:56, 40:57] = 0  # to 1.8 arcsec on the right
    matched = match(by_hand([0.0], [0.0], [3000], segment), sources, fwhm_arcsec=0.8)
    np.testing.assert_array_equal(matched.detection, [0, 0, -1])
    assert matched.dominant[0] == 0 and matched.n_hidden[0] == 1
    # In its pixels alone, a source is no reason for the detection.
    off = match(by_hand([-1.0], [0.0], [3000], segment), sources[1:], fwhm_arcsec=0.8)
    assert off.dominant[0] == -1 and off.detection[0] == -1


def test_what_no_source_explains_is_spurious(example):
    sources = example.points([0.0, 5.0], [0.0, 0.0], mag=[24.0, 28.0])
    matched = match(by_hand([-4.0, 5.0], [0, 0], [600, 600]), sources, fwhm_arcsec=0.8)
    np.testing.assert_array_equal(matched.dominant, [-1, -1])
    np.testing.assert_array_equal(matched.detection, [-1, -1])
    assert not matched.n_hidden.any() and not matched.hidden_fraction.any()
    nothing = match(by_hand([1.0], [0], [600]), sources[:0], fwhm_arcsec=0.8)
    assert nothing.dominant[0] == -1 and len(nothing.detection) == 0
    none = match(by_hand([], [], []), sources, fwhm_arcsec=0.8)
    assert len(none.dominant) == 0 and np.all(none.detection == -1)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_every_source_has_one_place(seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(0, 40), rng.integers(0, 12)
    place = rng.uniform(-9, 9, (2, n))
    sources = sersic_sources(x=place[0], y=place[1], flux=rng.uniform(1, 1000, n), half_light_arcsec=0.3)
    found = by_hand(
        *rng.uniform(-7, 7, (2, d)),
        rng.uniform(1, 300, d),
        rng.integers(-1, max(d, 1), (96, 96)) if d else None,
    )
    matched = match(found, sources, fwhm_arcsec=0.8)
    flux = sources.flux[:, BANDS["i"].code]
    for k in range(d):
        own = np.flatnonzero(matched.detection == k)
        if matched.dominant[k] < 0:
            assert len(own) == 0
            continue
        assert matched.dominant[k] in own
        near = own[np.hypot(sources.x[own] - found.x[k], sources.y[own] - found.y[k]) <= 0.8]
        assert flux[matched.dominant[k]] == flux[near].max()
        assert matched.n_hidden[k] == np.sum(flux[own] > 0.1 * flux[matched.dominant[k]]) - 1
    # In another order the same sources are behind the same detections.
    order = rng.permutation(n)
    other = match(found, sources[order], fwhm_arcsec=0.8)
    np.testing.assert_array_equal(other.detection, matched.detection[order])


def test_nothing_is_listed_near_the_border(example):
    edge = example.WIDTH / 2 - INNER_MARGIN_ARCSEC
    sources = example.points(
        [edge - 0.4, -edge - 0.4, 0.0, 0.0], [0.0, 0.0, edge + 0.5, 0.4 - edge], mag=22.0
    )
    exposures, observations = example.observed(sources, {"i": 26.5})
    found = detect(detection_image(exposures["LSST"], observations["LSST"]))
    assert len(found) == 2
    assert np.all(np.maximum(np.abs(found.x), np.abs(found.y)) <= edge)
    everywhere = detect(detection_image(exposures["LSST"], observations["LSST"]), margin_arcsec=0)
    assert len(everywhere) == 4
    # The pixels of what is left out belong to nobody.
    assert set(np.unique(found.segment)) == {-1, 0, 1}


def test_blank_sky_gives_nothing(nine, example, record_figure):
    _, exposures, observations = nine
    counts = dict.fromkeys(LISTS, 0)
    for seed in range(12):
        images = detection_images(example.blank(exposures, observations, seed), observations)
        for name, found in detection_lists(images).items():
            counts[name] += len(found)
    record_figure("detections on 12 blank scenes, lsst", counts["lsst"])
    record_figure("detections on 12 blank scenes, joint", counts["joint"])
    # 5 σ at 6e3 places of VIS in each scene: 0.02 expected in all.
    assert counts["lsst"] <= 1 and counts["joint"] <= 1


def test_a_large_galaxy_is_listed_once(example):
    sources = sersic_sources(
        x=[0.3],
        y=[-0.2],
        flux=flux_from_mag(21.5),
        half_light_arcsec=[0.9],
        sersic_n=[1.0],
        e1=[0.3],
        e2=[0.1],
    )
    for number in range(3):
        exposures, observations = example.observed(sources, number=number)
        lists = detection_lists(detection_images(exposures, observations))
        assert {name: len(found) for name, found in lists.items()} == {"lsst": 1, "joint": 1}


@settings(max_examples=8)
@given(turns=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=2, max_size=2))
def test_how_the_detectors_lie_leaves_the_lists_unchanged(pair, turns):
    from example_exposures import turned

    _, exposures, observations = pair
    plain = detection_lists(detection_images(exposures, observations))
    exposures, observations = dict(exposures), dict(observations)
    for name, which in (("LSST", turns[0]), ("EUCLID_VIS", turns[1])):
        x, y, swap = which
        exposures[name], observations[name] = turned(
            exposures[name], observations[name], 0, x=x, y=y, swap=swap
        )
    for name, found in detection_lists(detection_images(exposures, observations)).items():
        np.testing.assert_allclose(found.x, plain[name].x, atol=1e-3)
        np.testing.assert_allclose(found.y, plain[name].y, atol=1e-3)
        np.testing.assert_allclose(found.snr, plain[name].snr, rtol=1e-3)


def test_lists_hold_no_truth(pair):
    _, exposures, observations = pair
    plain = detection_lists(detection_images(exposures, observations))
    blind = {
        name: replace(
            taken,
            light=np.full_like(taken.light, np.nan),
            position=taken.position[:0],
            masked_fraction=taken.masked_fraction[:0],
        )
        for name, taken in exposures.items()
    }
    for name, found in detection_lists(detection_images(blind, observations)).items():
        np.testing.assert_array_equal(found.x, plain[name].x)


@pytest.mark.parametrize(
    "surveys, lsst, joint",
    [(("LSST",), 2, 0), (("EUCLID_VIS",), 0, 3), (("EUCLID_NISP", "LSST"), 2, 3), ((), 0, 0)],
)
def test_lists_of_the_surveys_there_are(pair, surveys, lsst, joint):
    sources, exposures, observations = pair
    chosen = {name: observations[name] for name in surveys}
    lists = detection_lists(detection_images(exposures, chosen))
    assert len(lists["lsst"]) == lsst and abs(len(lists["joint"]) - joint) <= ("EUCLID_NISP" in surveys)
    data, truth, columns = rows_of(sources, exposures, chosen)
    assert len(data["id"]) == len(truth["id"]) == len(lists["lsst"]) + len(lists["joint"])
    assert np.all((columns["detection_lsst"] >= 0) == (len(lists["lsst"]) > 0))


def rows_of(sources, exposures, observations, scene=7):
    n = len(sources)
    return detection_rows(
        sources,
        exposures,
        observations,
        source_ids=100 + np.arange(n),
        blendedness=np.linspace(0.1, 0.3, n),
        secret=b"rows",
        split=0,
        scene=scene,
    )


def test_rows_say_what_is_behind_each_detection(pair):
    sources, exposures, observations = pair
    data, truth, columns = rows_of(sources, exposures, observations)
    np.testing.assert_array_equal(data["id"], truth["id"])
    assert len(set(data["id"])) == 5 and np.all(data["scene"] == 7)
    np.testing.assert_array_equal(data["list"], [0, 0, 1, 1, 1])
    lsst = dict(zip(data["id"], truth["source"], strict=True))
    # Each source names a detection whose dominant source it is, or one that hides it.
    assert [lsst[d] for d in columns["detection_lsst"]] == [100, 100, 102]
    assert [lsst[d] for d in columns["detection_joint"]] == [100, 101, 102]
    for name, values in (("blendedness", [0.1, 0.2, 0.3]), ("z", sources.z)):
        np.testing.assert_allclose(truth[name], np.asarray(values)[truth["source"] - 100])
    np.testing.assert_array_equal(truth["n_hidden"] > 0, (truth["source"] == 100) & (data["list"] == 0))


def test_rows_fill_the_tables(pair):
    data, truth, columns = detection_tables()
    made = rows_of(*pair)
    for rows, table in zip(made, (data.columns, truth.columns, columns), strict=True):
        assert set(rows) == set(table)
        for name, column in table.items():
            assert rows[name].dtype == np.dtype(column.dtype), name
            assert rows[name].shape == made[0 if table is data.columns else 1]["id"].shape or table is columns


def test_numbers_of_detections_are_opaque_and_reproducible(pair):
    one, again, other = (rows_of(*pair, scene=scene)[0]["id"] for scene in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not set(one) & set(other) and one.min() >= 0


def test_a_spurious_detection_has_no_truth(nine):
    sources, exposures, observations = nine
    far = replace(sources, x=sources.x + 30)
    _, truth, columns = rows_of(far, exposures, observations)
    assert (
        np.all(truth["source"] == -1) and np.isnan(truth["z"]).all() and np.isnan(truth["blendedness"]).all()
    )
    assert np.all(columns["detection_lsst"] == -1) and np.all(columns["detection_joint"] == -1)


def test_sources_outside_the_scene_are_in_no_pixels(example):
    sources = joined(example.points([40.0], [0.0]), example.points([-40.0], [-40.0]))
    segment = np.zeros((96, 96), dtype=int)
    assert np.all(by_hand([0.0], [0.0], [1], segment).segment_at(sources.x, sources.y) == -1)


@pytest.mark.parametrize("fwhm", [0, -1, np.nan, np.inf])
def test_a_psf_has_a_width(example, fwhm):
    with pytest.raises(ValueError, match="FWHM of the PSF must be positive"):
        match(by_hand([0.0], [0.0], [1]), example.points([0.0], [0.0]), fwhm_arcsec=fwhm)


def test_a_margin_is_not_negative(nine):
    _, exposures, observations = nine
    with pytest.raises(ValueError, match="margin"):
        detect(detection_image(exposures["LSST"], observations["LSST"]), margin_arcsec=-1)
