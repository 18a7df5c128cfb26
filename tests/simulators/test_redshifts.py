"""Redshifts given magnitudes and the other way round: draws against the density, and against Bayes."""

import numpy as np
import pytest
from scipy.stats import kstest
from skysynergy.simulators.redshifts import (
    DRIFT,
    FITTED,
    I_RANGE,
    draw_magnitudes_at,
    draw_redshifts,
    draw_spectra,
    redshift_density,
)
from skysynergy.simulators.spectra import Z_MAX
from skysynergy.simulators.templates import library

Z = np.linspace(0.01, Z_MAX, 4000)


def counts(mag_i):
    return 10 ** (0.3 * mag_i)


@pytest.mark.parametrize("mag", [16.0, 19.0, 22.0, 24.5, 26.5, 28.5])
def test_draws_follow_the_density(mag):
    z, spectrum = draw_redshifts(np.random.default_rng(1), np.full(20_000, mag))
    density = redshift_density(Z, [mag])[0]
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(Z))])
    assert cumulative[-1] == pytest.approx(1.0, abs=0.01)
    # 1.95 / sqrt(n): a false alarm in a thousand.
    distance = kstest(z, lambda x: np.interp(x, Z, cumulative / cumulative[-1])).statistic
    assert distance < 1.95 / np.sqrt(len(z))
    assert z.min() >= 0.01 and z.max() <= Z_MAX
    assert spectrum.dtype == np.int64 and spectrum.min() >= 0 and spectrum.max() < len(library())


def test_fainter_galaxies_are_farther_without_a_step():
    mag = np.arange(17.0, 28.5, 0.25)
    density = redshift_density(Z, mag)
    mean = (density * Z).sum(axis=1) / density.sum(axis=1)
    assert np.all(np.diff(mean) > -0.02)
    assert np.max(np.abs(np.diff(mean))) < 0.15
    end = np.searchsorted(mag, FITTED[1])
    assert mean[-1] / mean[end] == pytest.approx(1 + DRIFT * (mag[-1] - FITTED[1]), rel=0.1)


def test_magnitudes_at_a_redshift_obey_bayes():
    rng = np.random.default_rng(2)
    mag = 25.0 + np.log10(rng.uniform(1e-3, 1.0, 300_000)) / 0.3
    mag = mag[mag > I_RANGE[0]]
    z, _ = draw_redshifts(rng, mag)
    for low, high in [(0.3, 0.35), (0.9, 0.95), (1.8, 1.9)]:
        direct = mag[(z > low) & (z < high)]
        drawn = draw_magnitudes_at(
            rng, rng.uniform(low, high, 20_000), 25.0, counts, i_brightest=float(mag.min())
        )
        quantiles = [10, 25, 50, 75, 90]
        difference = np.percentile(drawn, quantiles) - np.percentile(direct, quantiles)
        assert np.max(np.abs(difference)) < 0.15
    assert drawn.max() <= 25.0


def test_spectra_at_a_redshift_are_those_drawn_with_it():
    rng = np.random.default_rng(3)
    mag = np.full(200_000, 24.0)
    z, spectrum = draw_redshifts(rng, mag)
    again = draw_spectra(rng, z, mag)
    for low, high in [(0.2, 0.4), (0.9, 1.1), (1.8, 2.2)]:
        inside = (z > low) & (z < high)
        a, b = (np.bincount(s[inside], minlength=len(library())) for s in (spectrum, again))
        enough = a + b > 30
        pull = (a - b)[enough] / np.sqrt((a + b)[enough])
        assert np.sqrt(np.mean(pull**2)) < 1.4


def test_the_same_seed_gives_the_same_galaxies():
    mag = np.linspace(*I_RANGE, 50)
    one, other = (draw_redshifts(np.random.default_rng(4), mag) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_nothing_gives_nothing():
    z, spectrum = draw_redshifts(np.random.default_rng(5), [])
    assert z.shape == spectrum.shape == (0,)


@pytest.mark.parametrize("mag", [[15.9], [28.6], [np.nan], [[20.0]]])
def test_magnitudes_without_redshifts_are_refused(mag):
    with pytest.raises(ValueError, match="within"):
        draw_redshifts(np.random.default_rng(6), mag)


def test_bad_limits_counts_and_redshifts_are_refused():
    rng = np.random.default_rng(7)
    with pytest.raises(ValueError, match="in order|lie within"):
        draw_magnitudes_at(rng, [1.0], 29.0, counts)
    with pytest.raises(ValueError, match="counts"):
        draw_magnitudes_at(rng, [1.0], 25.0, lambda mag: -counts(mag))
    with pytest.raises(ValueError, match="within 0 and"):
        draw_magnitudes_at(rng, [5.1], 25.0, counts)
    with pytest.raises(ValueError, match="as long as"):
        draw_spectra(rng, [1.0, 2.0], [24.0])


def test_median_redshift_is_that_of_dc2(test_data, record_figure):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(test_data / "photoz" / "test_dc2_validation_9816.hdf5") as file:
        table = file["photometry"]
        z, mag = table["redshift"][:], table["mag_i_lsst"][:].astype(float)
    ours, _ = draw_redshifts(np.random.default_rng(8), np.maximum(mag, I_RANGE[0]))
    record_figure("median_z_less_dc2", np.median(ours) - np.median(z))
    assert np.median(ours) == pytest.approx(np.median(z), abs=0.05)
