"""Alerts of an opened split: where and since when, in step with its fields, and keyed to the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.challenges.datasets import Split, generate, open_split, open_truth, verify
from skysynergy.challenges.sky_alerts import Alerts, alerts_of, fields_with_alerts
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.scenes import Content
from skysynergy.simulators.transients import KINDS

TIER = "tiny-transients"


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    home = tmp_path_factory.mktemp("alerts")
    tier = TIERS[TIER]
    few = replace(tier.sky, visits={"i": 4, "VIS": 8}, scenes_per_field=2, content=Content(i_limit=25.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TIERS, TIER, replace(tier, sky=few, scenes_per_shard=2))
        split = Split.of(TIER, "validation", home)
        generate(split)
        yield split


def test_alerts_go_with_their_fields_and_the_truth(split):
    assert len(verify(split)) == 2
    tree, truth = open_split(split), open_truth(split)
    true = truth["transients"].to_dataset()
    n = 0
    for number, (field, alerts) in enumerate(fields_with_alerts(tree)):
        assert field.n_scenes == 2 and len(alerts) > 0
        for k, identity in enumerate(alerts.id):
            (row,) = np.flatnonzero(true["id"].to_numpy() == identity)
            assert true["scene"].to_numpy()[row] == alerts.scene[k] + 2 * number
            assert true["x"].to_numpy()[row] == alerts.x[k]
            mjd = field.surveys["LSST"].mjd
            assert (mjd < alerts.quiet_until[k]).sum() == 1 and (mjd >= alerts.quiet_until[k]).sum() == 3
            rows = truth["lsst_transients"].to_dataset()
            quiet = rows["flux"].to_numpy()[row] - rows["steady"].to_numpy()[row]
            if KINDS[int(true["kind"][row])] != "AGN":
                assert not quiet[mjd < alerts.quiet_until[k]].any()
        n += len(alerts)
    assert n == true.sizes["transient"]
    assert true["kind"].attrs["meaning"].split() == list(KINDS)


def test_nothing_in_the_data_tells_what_it_was(split):
    assert set(open_split(split)["alerts"].to_dataset()) == {"id", "scene", "x", "y", "quiet_until"}


def test_a_split_without_alerts_says_so(little_sky):
    tree = open_split(Split.of("tiny", "validation", little_sky))
    with pytest.raises(ValueError, match="no alerts: open one of a tier with transients"):
        alerts_of(tree, 0)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="columns of alerts have one length"):
        Alerts(*(np.zeros(n) for n in (2, 2, 2, 2, 1)))
