"""Stars: counts against a published model, colours against the locus they came from, magnitudes as asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as statistics
from skysynergy.simulators import stars
from skysynergy.simulators.stars import (
    COLOUR_LIMITS,
    draw_stars,
    star_density_arcmin2,
    star_fluxes,
    star_locus,
)
from skysynergy.simulators.surveys import BANDS, mag_from_flux


def bahcall_soneira(v, latitude):
    """Stars per deg^2 brighter than V at l = 90: Bahcall & Soneira 1980, ApJS 44, 73, eq. B1."""
    b = np.radians(latitude)
    gamma = max(0.04 * (12 - v) + 0.36, 0.04)
    disk = 925 * 10 ** (0.035 * (v - 15.75)) / (1 + 10 ** (-0.132 * (v - 15.75))) ** 3
    halo = 1050 * 10 ** (0.087 * (v - 17.5)) / (1 + 10 ** (-0.180 * (v - 17.5))) ** 2.5
    return disk / np.sin(b) ** (3 - 5 * gamma) + halo


@pytest.mark.parametrize("latitude", [30, 45, 60, 90])
def test_counts_at_v_18_to_21_follow_bahcall_and_soneira(latitude, record_figure):
    drawn = draw_stars(
        np.random.default_rng(latitude), width_arcsec=7200, latitude_deg=latitude, i_limit=22.0
    )
    g, r = (mag_from_flux(drawn.flux[:, BANDS[name].code]) for name in "gr")
    v = g - 0.58 * (g - r)  # Lupton (2005) to a few hundredths
    found = np.sum((v > 18) & (v < 21)) / 4
    ratio = found / (bahcall_soneira(21, latitude) - bahcall_soneira(18, latitude))
    record_figure(f"stars at 18 < V < 21, b = {latitude}, against Bahcall & Soneira", ratio)
    assert 0.7 < ratio < 1.3


def test_there_are_more_stars_towards_the_plane_and_deeper():
    density = [
        [star_density_arcmin2(b, limit) for limit in (18, 20, 22, 24, 26, 27.5)] for b in (20, 30, 45, 60, 90)
    ]
    assert (np.diff(density, axis=0) < 0).all() and (np.diff(density, axis=1) > 0).all()
    assert star_density_arcmin2(-45, 24) == star_density_arcmin2(45, 24)


def test_nearby_stars_alone_fill_a_sphere():
    # Uniform density: N grows as 10^(0.6 m). One scale height is far beyond the stars drawn at i < 16.1.
    from unittest import mock

    with mock.patch.object(stars, "_density", lambda d, _: (np.ones_like(d), 0 * d, 0 * d)):
        stars._counts.cache_clear()
        counts = [stars._counts(90.0, limit).cumulative[-1] for limit in (17.0, 18.0)]
    stars._counts.cache_clear()
    number = stars._main_sequence()[2]
    ten = 10 ** (0.6 * np.array([16.0, 17.0, 18.0]))
    assert counts[1] / counts[0] == pytest.approx((ten[2] - ten[0]) / (ten[1] - ten[0]), rel=1e-3)
    # And by hand: volume of a cone to 10^(0.2 (m - M) + 1) pc.
    absolute = stars._main_sequence()[0]
    far, near = (10 ** (0.2 * (m - absolute) + 1) for m in (18.0, 16.0))
    cone = (np.pi / 10800) ** 2 * (far**3 - near**3) / 3
    assert counts[1] == pytest.approx(np.sum(number * cone), rel=1e-3)


def test_the_disk_has_its_scale_height():
    near, far = (stars._density(np.array([d]), 90.0) for d in (100.0, 400.0))
    assert far[0][0] / near[0][0] == pytest.approx(np.exp(-1))
    assert stars._density(np.array([0.0]), 90.0)[0][0] == pytest.approx(1.0)
    assert far[1][0] / near[1][0] == pytest.approx(np.exp(-1 / 3))


def test_numbers_and_magnitudes_are_the_ones_asked_for():
    rng = np.random.default_rng(3)
    drawn = draw_stars(rng, width_arcsec=3600, latitude_deg=50, i_limit=24.3)
    expected = 3600 * star_density_arcmin2(50, 24.3)
    assert len(drawn) == pytest.approx(expected, abs=4 * np.sqrt(expected))
    mag = mag_from_flux(drawn.flux[:, BANDS["i"].code])
    assert mag.min() >= 16 and mag.max() <= 24.3 + 1e-9
    for limit in (20.0, 22.0):
        expected = 3600 * star_density_arcmin2(50, limit)
        assert np.sum(mag < limit) == pytest.approx(expected, abs=4 * np.sqrt(expected) + 0.01 * expected)
    for axis in (drawn.x, drawn.y):
        assert statistics.kstest(axis, statistics.uniform(-1800, 3600).cdf).pvalue > 1e-3


def test_faint_stars_are_redder_and_halo_stars_bluer():
    def colours(latitude, limit):
        drawn = draw_stars(np.random.default_rng(4), width_arcsec=3600, latitude_deg=latitude, i_limit=limit)
        mag = mag_from_flux(drawn.flux)
        return mag[:, BANDS["g"].code] - mag[:, BANDS["i"].code]

    assert np.median(colours(30, 25)) > np.median(colours(30, 18)) + 0.5


def test_the_locus_gives_back_the_colours_it_was_made_of(record_figure):
    import astropy.units as u
    import speclite.filters

    colour, wavelength, f_lambda = star_locus()
    magnitudes = {}
    for name, vega in zip(stars._LOCUS_CURVES, (0.0,) * 5 + (0.91, 1.39, 1.85), strict=True):
        curve = speclite.filters.load_filter(name)
        # speclite's own integral.
        magnitudes[name.split("-")[1]] = np.array(
            [
                curve.get_ab_magnitude(row * 1e-17 * u.erg / u.s / u.cm**2 / u.AA, wavelength * u.AA) - vega
                for row in f_lambda
            ]
        )
    pairs = zip(["u", "g", "r", "i", "z", "J", "H"], ["g", "r", "i", "z", "J", "H", "Ks"], strict=True)
    found = np.stack([magnitudes[blue] - magnitudes[red] for blue, red in pairs], axis=-1)
    worst = np.abs(found - stars.COVEY_LOCUS[:, 1:]).max()
    # The table rounds each colour, so g - i differs from its sum by a hundredth.
    np.testing.assert_allclose(magnitudes["g"] - magnitudes["i"], colour, atol=0.02)
    record_figure("colours of the star locus through SDSS and 2MASS, largest offset, mag", worst)
    assert worst < 0.01


def test_fluxes_scale_with_magnitude_and_i_is_exact():
    flux = star_fluxes([0.3, 2.7], [20.0, 25.0])
    np.testing.assert_allclose(mag_from_flux(flux[:, BANDS["i"].code]), [20.0, 25.0])
    np.testing.assert_allclose(star_fluxes([0.3], [22.5]), flux[:1] / 10, rtol=1e-12)
    assert (flux > 0).all() and flux.shape == (2, len(BANDS))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: draw_stars(rng, width_arcsec=0, latitude_deg=50), "positive width"),
        (lambda rng: draw_stars(rng, width_arcsec=9, latitude_deg=5), "15 to 90 degrees"),
        (lambda rng: draw_stars(rng, width_arcsec=9, latitude_deg=np.nan), "15 to 90 degrees"),
        (lambda rng: star_density_arcmin2(50, 29), "between 16 and 28"),
        (lambda rng: star_fluxes([COLOUR_LIMITS[1] + 0.1], [20.0]), "reaches from"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


def test_a_band_scatters_as_those_beside_it():
    shares = stars._scatter_shares()
    # The ten of LSST and Euclid by themselves, and nobody more than once.
    np.testing.assert_array_equal(shares[:, :10], np.eye(10))
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    for band in list(BANDS.values())[10:]:
        mean = shares[:, band.code] @ [BANDS[name].wavelength_nm for name in stars._SCATTERED]
        low, high = BANDS["u"].wavelength_nm, BANDS["H"].wavelength_nm
        assert mean == pytest.approx(np.clip(band.wavelength_nm, low, high))
