"""Candidates of one class: from the series that are asked for, and from those of the split otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.simulators.epochs import Epochs
from skysynergy.simulators.surveys import BANDS
from skysynergy.simulators.template_library import names
from skysynergy.simulators.transient_candidates import Candidates, draw_candidates

N = 40


def drawn(**options) -> Candidates:
    mjd = np.arange(61000.0, 61200.0, 5.0)
    n = mjd.size
    epochs = Epochs(
        band=np.full(n, BANDS["r"].code, np.int8),
        mjd=mjd,
        m5=np.full(n, 24.0),
        fwhm_eff_arcsec=np.full(n, 1.0),
        exposures=np.ones(n, np.int64),
    )
    given = {"source": "parametric", "test": False} | options
    return draw_candidates(np.random.default_rng(5), "Ib", N, epochs, **given)


def test_only_the_series_that_are_named_are_drawn():
    wanted = ("parametric-Ib-07", "parametric-Ib-02")
    found = drawn(series=wanted)
    assert found.names == wanted
    assert set(found.series.tolist()) == {0, 1}
    assert found.flux.size == found.row_size.sum() and found.flux.max() > 0


def test_to_name_the_series_of_a_split_changes_nothing():
    for test in (False, True):
        usual = drawn(test=test)
        named = drawn(test=not test, series=names("parametric", "Ib", test=test))
        assert named.names == usual.names
        np.testing.assert_array_equal(named.flux, usual.flux)


def test_series_that_are_not_there():
    with pytest.raises(ValueError, match="no series of class Ib to draw from"):
        drawn(series=())


def test_series_of_another_class():
    pytest.importorskip("sncosmo", reason="sncosmo is not installed")
    with pytest.raises(ValueError, match="no template is called 'parametric-II-00'"):
        drawn(series=("parametric-II-00",))
