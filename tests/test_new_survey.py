"""A survey is one entry: with its description alone it is simulated, stored, opened, drawn, detected on."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("example_survey.py")


def test_an_invented_survey_needs_nothing_but_its_entry(tmp_path):
    # In a process of its own: tables are made of the descriptions when they are imported.
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert {"lsst", "toy"} <= set(seen["groups"]) and "euclid_vis" not in seen["groups"]
    assert seen["bands"] == ["Toy-r", "Toy-r", "Toy-z", "Toy-J", "Toy-J", "Toy-J"]
    assert seen["shape"] == [2, 6, 116, 116]  # 15 arcsec in pixels of 0.13, rounded up
    mjd = np.array(seen["mjd"])
    assert 62000 <= mjd.min() <= 62000 + 3 * 365.25
    # Two dithers 300 s apart, bands 700 s apart; the third exposure of a band 100 days later.
    np.testing.assert_allclose((mjd - mjd[0]) * 86400, [0, 300, 700, 1400, 1700, 8_641_400], atol=1)
    assert seen["fwhm"] == [0.166] * 2 + [0.185] + [0.21] * 3
    assert np.ptp(seen["m5"][:2]) < 1e-6
    assert "The Toy   Toy-J Toy-z Toy-r" in seen["titles"] and "Toy-z" in seen["titles"]
    check(seen)


def check(seen):
    """What holds for any survey."""
    assert seen["all have light"] and seen["own flux"]
    # One quantisation step is a sixteenth of σ, and the renderers are to agree to much less than the noise.
    assert seen["renderers differ by sigmas"] < 0.2
    assert seen["noise over sigma"] == pytest.approx(1.0, abs=0.15)
    assert seen["detections"] > 0


def test_roman_is_one_entry_more(monkeypatch, tmp_path):
    from skysynergy.challenges.sky_tiers import TIERS

    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    monkeypatch.setitem(TIERS, "tiny", TIERS["tiny"])
    seen = import_module("example_survey").facts(tmp_path, "ROMAN", {"H158": 2, "i": 3})
    assert seen["groups"] == ["detections", "fields", "lsst", "roman", "scenes"]
    assert seen["bands"] == ["H158", "H158"] and seen["shape"] == [2, 2, 137, 137]
    assert "Roman   H158" in seen["titles"]
    check(seen)


def test_no_tier_looks_with_roman():
    from skysynergy.challenges.sky_tiers import TIERS
    from skysynergy.simulators.surveys import SURVEYS

    for tier in TIERS.values():
        assert not set(tier.sky.visits) & set(SURVEYS["ROMAN"].bands)
