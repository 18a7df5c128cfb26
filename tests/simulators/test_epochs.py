"""Epochs: exposures that are merged, and noise that is what depth and calibration say."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.simulators.cadence import survey_visits
from skysynergy.simulators.epochs import (
    REFERENCE_EXPOSURES,
    ZERO_POINT_SCATTER,
    Epochs,
    epochs_of,
    measured,
    saturated,
)
from skysynergy.simulators.surveys import BANDS, SURVEYS
from skysynergy.simulators.visits import Visit, Visits, background_variance_e2

MINUTE = 1 / 1440


def visits(*listed):
    return Visits.of([Visit(band, mjd, 0.9, m5, 1.2) for band, mjd, m5 in listed])


def one(band="r", m5=24.0, exposures=1, n=1):
    code = np.full(n, BANDS[band].code, np.int8)
    return Epochs(code, np.arange(n, dtype=float), np.full(n, m5), np.full(n, 0.9), np.full(n, exposures))


def test_exposures_within_minutes_are_one_epoch():
    epochs = epochs_of(visits(("r", 10.0, 24.0), ("r", 10.0 + MINUTE, 24.0), ("r", 10.0 + 34 * MINUTE, 23.0)))
    assert epochs.exposures.tolist() == [2, 1]
    assert epochs.m5 == pytest.approx([24.0 + 1.25 * np.log10(2.0), 23.0])
    assert epochs.mjd == pytest.approx([10.0 + 0.5 * MINUTE, 10.0 + 34 * MINUTE])


def test_a_chain_of_exposures_is_one_epoch_and_another_band_is_not_part_of_it():
    chain = [("i", 5.0 + 8 * MINUTE * k, 23.5) for k in range(10)]
    between = [("z", 5.0 + 20 * MINUTE, 22.0)]
    epochs = epochs_of(visits(*chain, *between))
    assert sorted(zip(epochs.band.tolist(), epochs.exposures.tolist(), strict=True)) == [(3, 10), (4, 1)]


def test_the_dithers_of_a_mission_are_one_epoch():
    listed = [("J", 7.0 + 18 * MINUTE * k, 23.0) for k in range(4)] + [("J", 47.0, 23.0)]
    epochs = epochs_of(visits(*listed))
    assert epochs.exposures.tolist() == [4, 1] and epochs.m5[0] == pytest.approx(23.0 + 1.25 * np.log10(4))


@pytest.mark.parametrize("field", ["wide", "ECDFS"])
def test_nothing_of_a_survey_is_lost(field):
    made = survey_visits(np.random.default_rng(1), field=field, euclid=None if field == "wide" else "deep")
    epochs = epochs_of(made)
    assert epochs.exposures.sum() == len(made)
    assert np.all(np.diff(epochs.mjd) >= 0)
    total = [np.sum(10.0 ** (0.8 * m5)) for m5 in (epochs.m5, made.m5)]
    assert total[0] == pytest.approx(total[1])
    assert np.all(epochs.background_variance > 0)
    if field == "wide":
        assert len(epochs) > 0.75 * len(made)
    else:
        assert len(epochs) < 0.4 * len(made)
        assert (epochs.band > 5).sum() == 52 * 4


def test_the_background_is_that_of_the_visit():
    """The same noise as in a pixel, over the noise-equivalent area of the PSF."""
    visit = Visit("r", 0.0, 0.9, 24.0, 1.2)
    pixels = 2.266 * (0.9 / SURVEYS["LSST"].pixel_arcsec) ** 2
    electrons = one().electrons[0]
    expected = pixels * background_variance_e2(visit) / electrons**2
    assert one().background_variance[0] == pytest.approx(expected, rel=1e-6)


def test_at_the_depth_signal_is_five_times_noise():
    many = one(n=200_000)
    faintest = 10 ** (0.4 * (31.4 - 24.0))
    flux, error = measured(np.random.default_rng(1), many, np.full(len(many), faintest))
    without_reference = np.sqrt(many.background_variance[0] + faintest / many.electrons[0])
    assert faintest / without_reference == pytest.approx(5.0)
    expected = np.sqrt(
        many.background_variance[0] * (1 + 1 / REFERENCE_EXPOSURES) + faintest / many.electrons[0]
    )
    assert flux.std() == pytest.approx(expected, rel=0.01)
    assert flux.mean() == pytest.approx(faintest, rel=2e-3)
    assert np.mean(error**2) == pytest.approx(expected**2, rel=0.02)


@pytest.mark.parametrize("flux", [0.0, 300.0, 3e5])
def test_errors_mean_what_they_say(flux):
    many = one(n=100_000)
    seen, error = measured(np.random.default_rng(2), many, np.full(len(many), flux), surface_brightness=500.0)
    pull = (seen - flux) / error
    assert pull.std() == pytest.approx(1.0, abs=0.02)


def test_bright_sources_scatter_by_the_zero_point():
    many = one(n=50_000)
    seen, _ = measured(np.random.default_rng(2), many, np.full(len(many), 1e7))
    assert seen.std() / 1e7 == pytest.approx(ZERO_POINT_SCATTER, rel=0.02)


def test_rows_choose_epochs():
    shallow, deep = one("y", m5=22.0), one("u")
    epochs = Epochs(*(np.append(*columns) for columns in zip(deep._columns, shallow._columns, strict=True)))
    _, error = measured(np.random.default_rng(0), epochs, np.zeros(3), rows=[1, 0, 1])
    assert error[0] == pytest.approx(error[2], rel=0.02) and error[0] > 2 * error[1]


def test_saturation_sets_in_where_lsst_does():
    """r about 15.8 in a visit of 30 s, for 0.7 arcsec (LSST Science Book, Table 3.2 gives 15.8 for r)."""
    epochs = Epochs(*(a for a in one()._columns[:3]), np.array([0.7]), np.array([1]))
    mags = np.arange(14.0, 19.0, 0.1)
    full = [bool(saturated(epochs, 10 ** (0.4 * (31.4 - mag)))[0]) for mag in mags]
    limit = mags[np.flatnonzero(full)[-1]]
    assert 15.0 < limit < 17.0 and np.all(np.diff(np.array(full, int)) <= 0)
