"""Correlated noise: the variance stays, neighbours share what the kernel says, edges are like the middle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import correlate2d
from skysynergy.simulators.correlated_noise import COUPLING, correlate, noise_kernel
from skysynergy.simulators.surveys import SURVEYS


@pytest.mark.parametrize("name", COUPLING)
def test_kernels_keep_the_variance(name):
    kernel = noise_kernel(SURVEYS[name])
    assert kernel.shape == (3, 3)
    assert np.sum(kernel**2) == pytest.approx(1, rel=1e-14)
    np.testing.assert_array_equal(kernel, kernel.T)
    np.testing.assert_array_equal(kernel, kernel[::-1])


@pytest.mark.parametrize("name", ["LSST", "EUCLID_VIS"])
def test_the_noise_of_ccds_is_white(name):
    normals = np.random.default_rng(0).standard_normal((2, 8, 9))
    np.testing.assert_array_equal(correlate(normals, noise_kernel(SURVEYS[name])), normals[:, 1:-1, 1:-1])


def test_neighbours_share_the_capacitance(record_figure):
    noise = correlate(
        np.random.default_rng(1).standard_normal((1502, 1502)), noise_kernel(SURVEYS["EUCLID_NISP"])
    )
    part = COUPLING["EUCLID_NISP"]
    norm = (1 - 4 * part) ** 2 + 4 * part**2
    expected = {(0, 1): 2 * part * (1 - 4 * part) / norm, (1, 1): 2 * part**2 / norm, (0, 2): part**2 / norm}
    error = 1 / 1500
    assert noise.var() == pytest.approx(1, abs=4 * np.sqrt(2) * error)
    for (dy, dx), value in expected.items():
        shifted = np.mean(noise[dy:, dx:] * noise[: 1500 - dy, : 1500 - dx])
        record_figure(f"correlation at {dy} {dx}", shifted)
        assert shifted == pytest.approx(value, abs=4 * error)
    assert expected[0, 1] > 10 * error  # there is something to see
    # The four edges, which a periodic grid would join, have the variance of the middle.
    edges = np.concatenate([noise[0], noise[-1], noise[:, 0], noise[:, -1]])
    assert edges.var() == pytest.approx(1, abs=4 * np.sqrt(2 / 6000))
    assert abs(np.mean(noise[0] * noise[-1])) < 4 / np.sqrt(1500)


def test_it_is_the_valid_part_of_a_correlation():
    rng = np.random.default_rng(2)
    normals, kernel = rng.standard_normal((12, 15)), rng.standard_normal((3, 3))
    np.testing.assert_allclose(correlate(normals, kernel), correlate2d(normals, kernel, "valid"), atol=1e-13)


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="nothing is known of HYPER or of a survey like it"):
        noise_kernel(replace(SURVEYS["LSST"], name="HYPER", sensor="hgcdte"))
    with pytest.raises(ValueError, match=r"shape \(3, 3\), not \(5, 5\)"):
        correlate(np.zeros((9, 9)), np.zeros((5, 5)))
    with pytest.raises(ValueError, match=r"\(2, 9\) has no inside"):
        correlate(np.zeros((2, 9)), np.zeros((3, 3)))
