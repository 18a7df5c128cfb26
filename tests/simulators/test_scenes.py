"""Scenes: shear against GalSim's algebra, partners, and where galaxies are put."""

from __future__ import annotations

from dataclasses import replace

import galsim
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from skysynergy.simulators.counts import density_arcmin2
from skysynergy.simulators.knots import MAX_KNOTS
from skysynergy.simulators.morphology import SERSIC_INDICES
from skysynergy.simulators.profiles import profiles_of
from skysynergy.simulators.scenes import (
    ISOLATED_CELL_ARCSEC,
    ISOLATED_OFFSET_ARCSEC,
    MARGIN_ARCSEC,
    Content,
    draw_scene,
)
from skysynergy.simulators.sources import Sources, joined, rotated_90, sersic_sources, sheared
from skysynergy.simulators.surveys import BANDS, mag_from_flux

shears = st.complex_numbers(max_magnitude=0.9, allow_nan=False, allow_infinity=False)


def scene(seed: int = 0) -> Sources:
    return draw_scene(np.random.default_rng(seed), Content(i_limit=26.0), width_arcsec=9.6)


def ellipticity(sources: Sources) -> np.ndarray:
    return sources.e1 + 1j * sources.e2


@given(g=shears)
def test_shear_is_galsims(g):
    sources = scene()
    moved = sheared(sources, g.real, g.imag)
    matrix = galsim.Shear(g1=g.real, g2=g.imag).getMatrix()
    positions = matrix @ [sources.x, sources.y]
    # Rounding grows as 1/(1 − |g|²), which is at most 5.
    np.testing.assert_allclose([moved.x, moved.y], positions, rtol=0, atol=1e-12)
    for e, found in zip(ellipticity(sources).ravel(), ellipticity(moved).ravel(), strict=True):
        together = galsim.Shear(g1=g.real, g2=g.imag) + galsim.Shear(g1=e.real, g2=e.imag)
        assert abs(found - complex(together.g1, together.g2)) < 1e-12
    for name in ("z", "spectrum", "component_flux", "half_light_arcsec", "sersic_n"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(sources, name))


@given(g=shears)
def test_shear_keeps_areas(g):
    corners = replace(scene()[:3], x=np.array([0.0, 1.0, 0.0]), y=np.array([0.0, 0.0, 1.0]))
    moved = sheared(corners, g.real, g.imag)
    matrix = np.array([moved.x[1:], moved.y[1:]])
    assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-12)
    assert (moved.x[0], moved.y[0]) == (0, 0)


@given(g=shears)
def test_shear_and_its_opposite_undo_each_other(g):
    sources = scene()
    back = sheared(sheared(sources, g.real, g.imag), -g.real, -g.imag)
    np.testing.assert_allclose(ellipticity(back), ellipticity(sources), atol=1e-11)
    np.testing.assert_allclose(back.x, sources.x, atol=1e-11)


@pytest.mark.parametrize("g", [(1.0, 0.0), (0.8, 0.6), (3.0, 0.0), (np.nan, 0.0)])
def test_a_shear_of_one_is_refused(g):
    with pytest.raises(ValueError, match="reduced shear must be below 1"):
        sheared(scene(), *g)


def test_four_quarter_turns_are_none():
    sources = scene()
    turned = sources
    for _ in range(4):
        turned = rotated_90(turned)
    for name in vars(sources):
        np.testing.assert_array_equal(getattr(turned, name), getattr(sources, name))
    # One turns positions by 90 degrees against the clock, and shapes by 180 in twice the angle.
    once = rotated_90(sources)
    np.testing.assert_array_equal(once.x + 1j * once.y, 1j * (sources.x + 1j * sources.y))
    np.testing.assert_array_equal(ellipticity(once), -ellipticity(sources))


@given(g=shears)
def test_a_turned_scene_feels_the_turned_shear(g):
    one, other = rotated_90(sheared(scene(), g.real, g.imag)), sheared(rotated_90(scene()), -g.real, -g.imag)
    for name in ("x", "y", "e1", "e2", "knots"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-12)


@pytest.mark.parametrize("size", [0.1, 0.4, 0.7])
def test_the_mean_shape_of_a_ring_is_the_shear(size):
    g, n = complex(0.02, -0.03), 16
    e = size * np.exp(2j * np.pi * np.arange(n) / n)
    ring = sersic_sources(x=np.zeros(n), y=0.0, flux=1.0, half_light_arcsec=0.3, e1=e.real, e2=e.imag)
    mean = ellipticity(sheared(ring, g.real, g.imag)).mean()
    # (e + g)/(1 + g*e) is analytic in e, so its mean over the circle is its value at 0: g itself.
    assert abs(mean - g) < 1e-12
    pair = ring[:1]
    partners = [ellipticity(sheared(s, g.real, g.imag))[0, 0] for s in (pair, rotated_90(pair))]
    # Two partners leave −g*e² of it (second order in e), and the next term is |g|² of that.
    left = np.mean(partners) - g + np.conj(g) * e[0] ** 2
    assert abs(left) < 2 * abs(g) ** 3


@pytest.mark.parametrize("i_limit", [24.0, 26.0])
def test_numbers_are_poisson_and_places_uniform(i_limit):
    width, n = 12.0, 400
    rng = np.random.default_rng(1)
    content = Content("uniform", i_limit=i_limit)
    scenes = [draw_scene(rng, content, width_arcsec=width) for _ in range(n)]
    counts = np.array([len(s) for s in scenes])
    half = width / 2 + MARGIN_ARCSEC
    expected = density_arcmin2(i_limit) * (2 * half / 60) ** 2
    # Four sigma of the mean and of the variance of n Poisson numbers.
    assert counts.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / n))
    spread = np.sqrt((2 + 1 / expected) / n)
    assert counts.var(ddof=1) / expected == pytest.approx(1, abs=4 * spread)
    for axis in ("x", "y"):
        places = np.concatenate([getattr(s, axis) for s in scenes])
        assert stats.kstest(places, "uniform", (-half, 2 * half)).pvalue > 1e-3
        assert np.abs(places).max() > width / 2  # the margin is filled
    x, y = (np.concatenate([getattr(s, axis) for s in scenes]) for axis in "xy")
    assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(len(x))
    mag = mag_from_flux(np.concatenate([s.flux[:, BANDS["i"].code] for s in scenes]))
    assert mag.max() < i_limit + 1e-9


@pytest.mark.parametrize(("width", "across"), [(19.2, 2), (28.8, 3), (12.0, 1), (6.0, 1)])
def test_isolated_galaxies_stand_apart(width, across):
    offsets = []
    for seed in range(50):
        sources = draw_scene(np.random.default_rng(seed), Content("isolated"), width_arcsec=width)
        assert len(sources) == across**2
        centres = (np.arange(across) - (across - 1) / 2) * ISOLATED_CELL_ARCSEC
        x, y = (axis.ravel() for axis in np.meshgrid(centres, centres))
        offsets += [sources.x - x, sources.y - y]
        assert mag_from_flux(sources.flux[:, BANDS["i"].code]).max() < 24.5 + 1e-9
        assert set(sources.sersic_n.ravel()) <= set(SERSIC_INDICES)
    offsets = np.concatenate(offsets)
    assert np.abs(offsets).max() <= ISOLATED_OFFSET_ARCSEC
    assert offsets.std() == pytest.approx(2 * ISOLATED_OFFSET_ARCSEC / 12**0.5, rel=0.2)


def smooth_and_clumpy(n_knots: int = 5, e: complex = 0.3 - 0.2j) -> Sources:
    rng = np.random.default_rng(4)
    smooth = sersic_sources(x=0.7, y=-0.4, flux=100.0, half_light_arcsec=0.5, e1=e.real, e2=e.imag)
    places = rng.normal(size=(1, MAX_KNOTS)) + 1j * rng.normal(size=(1, MAX_KNOTS))
    return replace(smooth, n_knots=np.array([n_knots]), knot_fraction=np.array([0.3]), knots=places)


@given(g=shears)
def test_knots_are_sheared_as_points_of_the_sky(g):
    before, after = (
        profiles_of(s) for s in (smooth_and_clumpy(), sheared(smooth_and_clumpy(), g.real, g.imag))
    )
    matrix = galsim.Shear(g1=g.real, g2=g.imag).getMatrix()
    np.testing.assert_allclose([after.x, after.y], matrix @ [before.x, before.y], atol=1e-11)
    turned = profiles_of(rotated_90(smooth_and_clumpy()))
    np.testing.assert_allclose(turned.x + 1j * turned.y, 1j * (before.x + 1j * before.y), atol=1e-12)


def test_knots_take_their_light_from_the_disk():
    profiles = profiles_of(smooth_and_clumpy())
    assert list(profiles.half_light_arcsec) == [0.5, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(profiles.flux[:, 3], [70, 6, 6, 6, 6, 6])
    np.testing.assert_array_equal(profiles.source, 0)
    assert len(profiles_of(smooth_and_clumpy(0))) == 1
    np.testing.assert_allclose(profiles_of(smooth_and_clumpy(0)).flux, 100)


def test_stars_are_not_sheared():
    both = joined(scene(), replace(scene(), spectrum=np.full(len(scene()), -1)))
    moved, n = sheared(both, 0.1, -0.2), len(scene())
    assert list(both.is_star) == [False] * n + [True] * n
    for name in ("x", "y", "e1", "e2", "knots"):
        np.testing.assert_array_equal(getattr(moved, name)[n:], getattr(scene(), name))
        if name != "knots":
            assert not np.array_equal(getattr(moved, name)[:n], getattr(scene(), name))


def test_each_source_may_have_its_own_shear():
    sources = scene()
    g1, g2 = np.random.default_rng(1).uniform(-0.3, 0.3, (2, len(sources)))
    moved = sheared(sources, g1, g2)
    for n in range(len(sources)):
        one = sheared(sources[n : n + 1], g1[n], g2[n])
        for name in ("x", "y", "e1", "e2"):
            np.testing.assert_allclose(getattr(one, name)[0], getattr(moved, name)[n], atol=1e-14)


@pytest.mark.parametrize("index", [slice(1, 3), np.array([2, 0]), np.array([], dtype=int)])
def test_sources_are_indexed_all_columns_at_once(index):
    sources = scene()
    chosen = sources[index]
    assert len(chosen) == len(sources.x[index])
    for name in vars(sources):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(sources, name)[index])


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan])
def test_a_scene_has_a_width(width):
    with pytest.raises(ValueError, match="a scene must have a positive width"):
        draw_scene(np.random.default_rng(0), width_arcsec=width)


def test_an_unknown_arrangement_is_refused():
    with pytest.raises(ValueError, match="arrangement must be one of .*'isolated'.* not 'grid'"):
        draw_scene(np.random.default_rng(0), Content("grid"), width_arcsec=9.6)
