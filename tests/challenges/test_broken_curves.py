"""Curves that are broken on purpose: each breaks one thing, and leaves the rest as it was."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.challenges.broken_curves import BROKEN, PERIOD_DAYS, broken_curves
from skysynergy.challenges.light_curves import LightCurves, light_curve_problems


def curves(n=40, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 60, n)
    m = int(size.sum())
    mjd = np.sort(rng.random(m) * 90) + 1000.0 * np.repeat(np.arange(n), size)
    error = rng.uniform(5, 20, m)
    flux = 300 * rng.random(m) + error * rng.standard_normal(m)
    detected = flux > 5 * error
    detected[np.cumsum(size) - 1] = True
    return LightCurves.of(
        id=np.arange(n), row_size=size, mjd=mjd, band=rng.integers(0, 6, m), flux=flux, error=error,
        detected=detected, galactic_excess=rng.random(n),
    )  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_breaks_can_still_be_classified_and_keeps_the_object(kind):
    whole = curves()
    broken = BROKEN[kind](whole, np.random.default_rng(1))
    assert light_curve_problems(broken) == []
    for name in ("id", "row_size", "host_spectrum", "galactic_excess"):
        assert np.array_equal(getattr(broken, name), getattr(whole, name))
    if kind != "reverse":
        assert np.array_equal(broken.mjd, whole.mjd)
    if kind not in ("reverse", "shuffle"):
        assert np.array_equal(broken.band, whole.band)
    again = BROKEN[kind](whole, np.random.default_rng(1))
    assert np.array_equal(again.flux, broken.flux) and np.array_equal(again.mjd, broken.mjd)


def test_two_reversals_are_none():
    whole = curves()
    twice = BROKEN["reverse"](BROKEN["reverse"](whole, None), None)
    np.testing.assert_allclose(twice.mjd, whole.mjd, atol=1e-9)
    for name in ("band", "flux", "error", "detected"):
        assert np.array_equal(getattr(twice, name), getattr(whole, name))


def test_measurements_stay_together_when_shuffled():
    whole = curves()
    mixed = BROKEN["shuffle"](whole, np.random.default_rng(3))
    assert not np.array_equal(mixed.flux, whole.flux)
    for k in range(len(whole)):
        one, other = whole.select([k]), mixed.select([k])
        of = [sorted(zip(c.band, c.flux, c.error, c.detected, strict=True)) for c in (one, other)]
        assert of[0] == of[1]


def test_random_fluxes_fill_the_range_of_each_curve():
    whole = curves()
    broken = BROKEN["random"](whole, np.random.default_rng(4))
    share = []
    for k in range(len(whole)):
        one, other = whole.select([k]), broken.select([k])
        low, high = one.flux.min(), one.flux.max()
        assert low - 1e-3 <= other.flux.min() and other.flux.max() <= high + 1e-3
        if len(one.flux) > 1:
            share += list((other.flux - low) / (high - low))
    # Even draws between 0 and 1: mean 1/2, scatter 1/sqrt(12); four standard errors.
    assert abs(np.mean(share) - 0.5) < 4 / np.sqrt(12 * len(share))


def test_sines_have_their_period():
    m = 4000
    mjd = np.arange(m) * 0.25
    whole = LightCurves.of(
        id=[1], row_size=[m], mjd=mjd, band=np.zeros(m), flux=np.full(m, 100.0), error=np.full(m, 1e-3)
    )
    broken = BROKEN["sin"](whole, np.random.default_rng(5))
    power = np.abs(np.fft.rfft(broken.flux)) ** 2
    assert np.fft.rfftfreq(m, 0.25)[power.argmax()] == pytest.approx(1 / PERIOD_DAYS, rel=0.02)
    assert broken.flux.max() == pytest.approx(100, rel=1e-3)
    assert broken.flux.min() == pytest.approx(-100, rel=1e-3)


def test_no_curves_break_into_none():
    none = curves().select(np.zeros(0, int))
    assert {
        kind: len(c) for kind, c in broken_curves(none, np.random.default_rng(0)).items()
    } == dict.fromkeys(BROKEN, 0)
