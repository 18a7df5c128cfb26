"""Series of real supernovae by class and split; where there are none, that is told."""

from __future__ import annotations

import pytest
from skysynergy.simulators import sncosmo_templates, template_library
from skysynergy.simulators.template_library import names
from skysynergy.simulators.transients import KINDS, TransientSurvey


def test_real_series_are_on_one_side_too(sncosmo):
    supernova = {one.name: one.supernova for one in sncosmo_templates.templates()}
    for kind in ("Ia", "II", "IIn", "IIb", "Ib", "Ic", "Ic-BL"):
        learn, test = (names("sncosmo", kind, test=side) for side in (False, True))
        assert learn and test and not any(name.startswith("parametric") for name in learn + test)
        assert not {supernova[name] for name in learn} & {supernova[name] for name in test}
    # Of these there is no real series, or one.
    assert all(name.startswith("parametric-KN-") for name in names("sncosmo", "KN", test=True))


def test_the_store_says_which_series_there_were(sncosmo):
    series = TransientSurvey(1, 1, "sncosmo").describe()["series"]
    assert set(series) == set(KINDS) - {"AGN"}
    assert series["IIb"]["learn"] == list(names("sncosmo", "IIb", test=False))
    assert "series" not in TransientSurvey(1, 1).describe()


def test_without_any_real_series(monkeypatch):
    monkeypatch.setattr(template_library, "_real_groups", lambda kind: {})
    with pytest.raises(FileNotFoundError, match="no series of real supernovae: set SNCOSMO_DATA_DIR"):
        names("sncosmo", "KN", test=False)
