"""Hosts: p(z) that is what it says, apart from the hosts and redshifts that are known to be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import truncnorm
from skysynergy.simulators.hosts import LEVELS, draw_hosts, quantiles

N = 20_000


def hosts(z, r):
    return draw_hosts(np.random.default_rng(3), np.full(N, z), np.full(N, r))


@given(st.floats(-3.0, 3.0), st.floats(0.2, 1.0))
def test_quantiles_are_those_of_a_truncated_normal(mean, sigma):
    expected = mean + sigma * truncnorm.ppf(LEVELS, -mean / sigma, np.inf)
    assert quantiles(mean, sigma)[0] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_quantiles_of_nothing_and_far_below_zero():
    assert np.isnan(quantiles(np.nan, 0.1)).all()
    low = quantiles(-50.0, 0.01)[0]
    assert np.all(low >= 0) and np.all(np.diff(low) > 0) and low[-1] < 0.01


def test_bright_hosts_have_spectra_and_faint_ones_none():
    bright, faint = hosts(0.05, 17.0), hosts(1.0, 26.0)
    assert bright.spectrum.mean() > 0.7 and faint.spectrum.mean() < 0.1
    assert np.isfinite(bright.z).all() and np.isnan(faint.z).any()
    assert not faint.spectrum[np.isnan(faint.z[:, 0])].any()


def test_half_of_the_truth_lies_below_the_median_and_two_thirds_within_a_sigma():
    """But for outliers and wrong hosts: a tenth at most, which are as likely above as below."""
    seen = hosts(0.5, 21.5)
    z = seen.z[seen.is_right & ~np.isnan(seen.z[:, 0])]
    within = np.mean((z[:, 1] < 0.5) & (z[:, 3] > 0.5))
    assert 0.61 < within < 0.6827 + 3 * np.sqrt(0.22 / len(z))
    spectra = seen.z[seen.spectrum & seen.is_right]
    exact = np.mean((spectra[:, 1] < 0.5) & (spectra[:, 3] > 0.5))
    assert exact == pytest.approx(0.6827, abs=4 * np.sqrt(0.217 / len(spectra)))


def test_wrong_hosts_are_rare_and_far():
    seen = hosts(0.1, 18.5)
    assert 0.02 < (~seen.is_right).mean() < 0.04
    far = np.abs(seen.z[:, 2] - 0.1) > 0.05
    assert far[~seen.is_right].mean() > 0.8 and far[seen.is_right & seen.spectrum].mean() == 0


def test_surface_brightness_dims_with_redshift():
    near, far = (np.log10(hosts(z, 20.0).surface_nJy[:, 2]).mean() for z in (0.0, 1.0))
    assert near - far == pytest.approx(4 * np.log10(2.0), abs=1e-9)


@pytest.mark.parametrize(("r", "spectrum"), [(17.0, True), (26.0, False)])
def test_the_width_of_p_z_does_not_tell_the_true_redshift(r, spectrum):
    """Of hosts of one magnitude it goes with 1 + z as it is believed, whether or not that is right."""
    z = np.random.default_rng(5).uniform(0.5, 1.5, N)
    seen = draw_hosts(np.random.default_rng(3), z, np.full(N, r))
    # Far enough above zero that no quantile is cut.
    mine = (seen.spectrum == spectrum) & (seen.z[:, 0] > 0.3)
    believed = seen.z[mine]
    width = (believed[:, 3] - believed[:, 1]) / (1.0 + believed[:, 2])
    assert mine.sum() > 1000 and np.ptp(width) < 0.01 * width.mean()
