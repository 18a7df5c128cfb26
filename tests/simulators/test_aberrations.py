"""The field of view: correlations as drawn, rays as the gradient of a wavefront."""

from __future__ import annotations

import galsim
import numpy as np
import pytest
from scipy.integrate import quad
from skysynergy.simulators.aberrations import (
    ZERNIKES,
    draw_field_of_view,
    ray_transfer,
    ray_transfer_round,
    spot,
)

PUPIL = {"diameter_m": 8.36, "obscuration": 0.6266}


def draw(seed):
    return draw_field_of_view(np.random.default_rng(seed), exposure_s=30.0, diameter_m=6.7)


def test_the_air_is_correlated_over_the_field_as_published(record_figure):
    separations = np.array([0.0, 0.05, 0.2, 1.0, 3.0])
    places = np.stack([separations + 0.3, np.full(5, -0.2)], axis=1)
    stretch = np.array([draw(seed).stretch(places)[:, :2] for seed in range(2500)])
    products = 4 * np.sum(stretch[:, :1] * stretch, axis=2)  # of the distortion, 2 e
    # The mean of A / (1 + θ/θ0) over uniform A and θ0 (degrees); 20 s in 30 s.
    amplitude = 4.5e-4 * 20 / 30
    for theta, product in zip(separations, products.T, strict=True):
        expected = amplitude * quad(lambda s, t=theta: 1 / (1 + t / s), 0.1, 2.0)[0] / 1.9
        error = product.std() / np.sqrt(len(product))
        record_figure(f"difference at {theta} deg", (product.mean() - expected) / error)
        assert product.mean() == pytest.approx(expected, abs=4 * error)
        assert error < 0.1 * amplitude  # there is something to compare


def test_neither_direction_is_preferred():
    stretch = np.array([draw(seed).stretch((1.0, 0.5)) for seed in range(2000)])
    rms = stretch.std(axis=0)
    assert rms[0] == pytest.approx(rms[1], rel=0.1)
    assert np.abs(stretch[:, :2].mean(axis=0)).max() < 4 * rms[0] / np.sqrt(2000)
    # Sizes are against the middle of the field, where a visit has its seeing.
    assert draw(1).stretch((0.0, 0.0))[2] == 0
    assert np.abs(stretch[:, 2]).max() > 0


def test_a_field_is_smooth_and_the_same_wherever_it_is_asked_first():
    field = draw(3)
    places = np.random.default_rng(0).uniform(-1.75, 1.75, (20, 2))
    together = field.wavefront(places)
    np.testing.assert_allclose(together[7], field.wavefront(places[7]), atol=1e-12)
    np.testing.assert_allclose(together, field.wavefront(places + 1e-4), atol=1e-3)
    assert np.abs(field.wavefront((1.7, 0.0)) - field.wavefront((-1.7, 0.0))).max() > 0.01


@pytest.mark.parametrize("number", range(len(ZERNIKES)))
def test_rays_are_the_gradient_of_a_zernike_polynomial(number):
    one = np.zeros(len(ZERNIKES))
    one[number] = 1.0
    rays = spot(one, **PUPIL)
    coefficients = np.zeros(ZERNIKES[number] + 1)
    coefficients[ZERNIKES[number]] = 1.0
    zernike = galsim.zernike.Zernike(coefficients)
    # Mean square of the gradient over the annulus, on another grid.
    u, v = np.meshgrid(np.linspace(-1, 1, 401), np.linspace(-1, 1, 401))
    inside = (np.hypot(u, v) <= 1) & (np.hypot(u, v) >= PUPIL["obscuration"])
    gradient = np.array([zernike.gradX(u[inside], v[inside]), zernike.gradY(u[inside], v[inside])])
    expected = gradient.var(axis=1) * (1e-6 / 4.18 * 180 / np.pi * 3600) ** 2
    np.testing.assert_allclose(rays.var(axis=0), expected, rtol=0.03)


def test_the_transfer_of_a_spot_is_its_characteristic_function():
    rays = np.random.default_rng(2).normal(0, 0.1, (50_000, 2)) * [1.0, 2.0]
    x, y = np.array([0.0, 0.5, 1.0]), np.array([-0.7, 0.0])
    expected = np.exp(-2 * (np.pi * 0.1) ** 2 * (x**2 + 4 * y[:, None] ** 2))
    np.testing.assert_allclose(ray_transfer(rays, x, y), expected, atol=4 / np.sqrt(50_000))
    # Averaged over many directions it is the round one.
    some, k = rays[:40], np.array([0.0, 0.8, 2.0])
    angles = np.pi * np.arange(200) / 200
    turned = [some @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]
    mean = np.mean([ray_transfer(one, k, np.zeros(1))[0].real for one in turned], axis=0)
    np.testing.assert_allclose(ray_transfer_round(some, k), mean, atol=1e-4)
