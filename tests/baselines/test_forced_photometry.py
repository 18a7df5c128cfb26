"""Forced photometry: fluxes without bias on any host, and errors that mean what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import linalg
from scipy.special import erf
from skysynergy.baselines.forced_photometry import (
    ForcedPhotometry,
    PixelPsf,
    fit,
    forced_photometry,
    psfs_of,
)
from skysynergy.challenges.light_curves import light_curve_problems
from skysynergy.challenges.method import Field, SurveyExposures
from skysynergy.challenges.sky_alerts import Alerts
from skysynergy.simulators.exposures import Points, expose
from skysynergy.simulators.observations import prepare
from skysynergy.simulators.seasons import n_reference, season_visits
from skysynergy.simulators.sources import sersic_sources
from skysynergy.simulators.surveys import BANDS

SECRET, WIDTH = b"forced photometry", 9.6
COUNTS = {"i": 8, "VIS": 8, "H": 8}
# On the disk of a bright galaxy, another beside it, and nothing at all.
PLACES = [(0.31, -0.22), (-2.6, 2.4)]
HOSTS = sersic_sources(
    x=[0.0, 1.1],
    y=[0.0, 0.5],
    flux=[20_000.0, 3000.0],
    half_light_arcsec=[0.6, 0.3],
    sersic_n=[1.0, 4.0],
    e1=0.3,
)
SETTINGS = ForcedPhotometry()


def _true_flux(visits):
    """(2, exposure) of two points: one that rises and falls by decades, and one that never shines."""
    flux = np.zeros((2, len(visits)))
    for name, count in COUNTS.items():
        season = [k for k, visit in enumerate(visits) if visit.band == name][n_reference(name, count, 0.3) :]
        flux[0, season] = np.geomspace(3000.0, 30.0, len(season))
    return flux


def _exposures(*, noisy: bool, n: int) -> tuple[dict[str, SurveyExposures], dict[str, np.ndarray], float]:
    visits = season_visits(np.random.default_rng(4), COUNTS, condensed=4, reference=0.3)
    begin = min(
        sorted(v.mjd for v in visits if v.band == name)[n_reference(name, count, 0.3)]
        for name, count in COUNTS.items()
    )
    made, true = {}, {}
    for name, seen in prepare(SECRET, 0, 0, visits).items():
        true[name] = _true_flux(seen.visits)
        taken = [
            expose(
                HOSTS,
                seen,
                width_arcsec=WIDTH,
                secret=SECRET,
                indices=(0, 0, scene),
                points=Points(*np.array(PLACES).T, true[name]),
            )
            for scene in range(n)
        ]
        noise, survey = seen.backgrounds, seen.survey
        made[name] = SurveyExposures(
            survey=name,
            pixel_arcsec=survey.pixel_arcsec,
            psf_pixel_arcsec=survey.pixel_arcsec / survey.psf_oversampling,
            image=np.stack([one.image if noisy else one.light for one in taken]),
            mask=np.stack([one.mask for one in taken]),
            sky_variance=np.array([[b.sky_variance for b in noise]] * n),
            read_variance=np.array([[b.read_variance for b in noise]] * n),
            electron=np.array([b.electron for b in noise]),
            band=np.array([v.band for v in seen.visits]),
            mjd=np.array([v.mjd for v in seen.visits]),
            fwhm=np.array([v.fwhm_arcsec for v in seen.visits]),
            m5=np.array([v.m5 for v in seen.visits]),
            airmass=np.array([v.airmass for v in seen.visits]),
            psf=seen.psf,
            wcs=np.stack([one.wcs for one in taken]),
        )
    return made, true, begin


def _measured(made, true, begin, scenes):
    """For each survey, scene and place: what was found, and the truth of it."""
    for name, exposures in made.items():
        psfs = psfs_of(exposures, SETTINGS)
        for scene in range(scenes):
            for number, place in enumerate(PLACES):
                found = fit(exposures, psfs, scene, place, exposures.mjd >= begin, SETTINGS)
                yield found, true[name][number, found.exposure]


@pytest.fixture(scope="module")
def noisy():
    return _exposures(noisy=True, n=8)


def test_a_pixel_gets_what_the_psf_sheds_on_it():
    sigma, oversampling = 1.6, 3  # of a Gaussian, pixels
    at = (np.arange(91) - 45) / oversampling
    line = np.exp(-0.5 * (at / sigma) ** 2)
    psf = PixelPsf(np.outer(line, line) / line.sum() ** 2, oversampling, reach=6.0)
    rng = np.random.default_rng(0)
    dx, dy = rng.uniform(-5, 5, (2, 300))

    def within(d):
        return (erf((d + 0.5) / sigma / np.sqrt(2)) - erf((d - 0.5) / sigma / np.sqrt(2))) / 2

    np.testing.assert_allclose(psf(dx, dy), within(dx) * within(dy), atol=2e-5 * within(0.0) ** 2)


def test_without_noise_fluxes_are_those_of_the_truth():
    made, true, begin = _exposures(noisy=False, n=1)
    for found, expected in _measured(made, true, begin, 1):
        error = np.sqrt(np.diag(found.covariance))
        assert np.all(np.abs(found.flux - expected) < 0.15 * error)
        bright = expected > 1000
        np.testing.assert_allclose(found.flux[bright], expected[bright], rtol=2e-3)


def test_fluxes_scatter_as_their_errors_say(noisy, record_figure):
    """Pulls of single fluxes, and of all of a fit together, which share a host."""
    pulls, whitened = [], []
    for found, expected in _measured(*noisy, 8):
        off = found.flux - expected
        pulls.append(off / np.sqrt(np.diag(found.covariance)))
        whitened.append(
            linalg.solve_triangular(linalg.cholesky(found.covariance, lower=True), off, lower=True)
        )
    pulls, whitened = np.concatenate(pulls), np.concatenate(whitened)
    assert 200 < pulls.size == whitened.size
    record_figure("forced_photometry_pull_width", pulls.std())
    record_figure("forced_photometry_pull_mean", whitened.mean())
    assert 0.9 < pulls.std() < 1.1 and 0.9 < whitened.std() < 1.1
    assert abs(whitened.mean()) < 4 / np.sqrt(whitened.size)
    assert np.abs(whitened).max() < 4.5


def test_the_host_costs_no_more_than_its_light_must(noisy):
    """Errors beside the host, where nothing is: those of a known PSF on the sky, and of the reference."""
    made, _, begin = noisy
    exposures = made["LSST"]
    psfs = psfs_of(exposures, SETTINGS)
    found = fit(exposures, psfs, 0, PLACES[1], exposures.mjd >= begin, SETTINGS)
    depth = 10 ** (0.4 * (31.4 - exposures.m5[found.exposure])) / 5
    ratio = np.sqrt(np.diag(found.covariance)) / depth
    # A few reference exposures, and pixels beyond the radius left out: up to twice, and never less.
    assert ratio.min() > 0.95 and ratio.max() < 2.0


def test_masked_pixels_do_not_count(noisy):
    made, _, begin = noisy
    exposures = made["LSST"]
    spoiled = replace(exposures, image=exposures.image.copy(), mask=exposures.mask.copy())
    last = len(exposures.mjd) - 1
    spoiled.mask[0, last] = 8  # a gap
    spoiled.image[0, last] = np.nan
    x, y = (round(v) for v in exposures.wcs[0, last - 1] @ [*PLACES[0], 1.0])
    spoiled.image[0, last - 1, y + 1, x] = 1e6
    spoiled.mask[0, last - 1, y + 1, x] = 16  # a cosmic ray
    psfs = psfs_of(exposures, SETTINGS)
    whole, found = (fit(one, psfs, 0, PLACES[0], one.mjd >= begin, SETTINGS) for one in (exposures, spoiled))
    assert last in whole.exposure and last not in found.exposure and last - 1 in found.exposure
    error = np.sqrt(np.diag(found.covariance))
    assert np.all(np.abs(found.flux - whole.flux[:-1]) < 3 * error)
    assert error[-1] > np.sqrt(whole.covariance[-2, -2])


def test_light_curves_of_a_field(noisy):
    made, true, begin = noisy
    alerts = Alerts(
        id=np.array([7, 5]),
        scene=np.array([0, 3]),
        x=np.array([PLACES[0][0]] * 2),
        y=np.array([PLACES[0][1]] * 2),
        quiet_until=np.full(2, begin),
    )
    curves = forced_photometry(Field(1, WIDTH, made), alerts)
    assert not light_curve_problems(curves)
    np.testing.assert_array_equal(curves.id, [7, 5])
    season = {name: n - n_reference(name, n, 0.3) for name, n in COUNTS.items()}
    for one in (curves.select([0]), curves.select([1])):
        assert {name: np.sum(one.band == BANDS[name].code) for name in COUNTS} == season
        in_h = one.band == BANDS["H"].code
        expected = true["EUCLID_NISP"][0, n_reference("H", 8, 0.3) :]
        pull = (one.flux[in_h] - expected) / one.error[in_h]
        assert np.abs(pull).max() < 5


def test_no_alerts_give_no_light_curves(noisy):
    made, _, begin = noisy
    none = np.zeros(0)
    alerts = Alerts(none.astype(int), none.astype(int), none, none, none)
    assert len(forced_photometry(Field(1, WIDTH, made), alerts)) == 0
    exposures = made["LSST"]
    after_all = np.zeros(len(exposures.mjd), bool)
    psfs = psfs_of(exposures, SETTINGS)
    assert not fit(exposures, psfs, 0, PLACES[0], after_all, SETTINGS).flux.size
    assert begin > 0
