"""Alerts of an opened split, in step with its fields and keyed to the truth; and what is asked about them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import Split, generate, open_split, open_truth, verify
from skysynergy.challenges.sky_alerts import Alerts, alerts_of, fields_with_alerts
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.scenes import Content
from skysynergy.simulators.transient_classes import CLASSES
from skysynergy.simulators.transients import KINDS

TIER = "tiny-transients"


@pytest.fixture(scope="module")
def split(tmp_path_factory, few_series):
    home = tmp_path_factory.mktemp("alerts")
    tier = TIERS[TIER]
    few = replace(tier.sky, visits={"i": 4, "H": 8}, scenes_per_field=2, content=Content(i_limit=25.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TIERS, TIER, replace(tier, sky=few, scenes_per_shard=2))
        patch.setenv("SKYSYNERGY_DATA", str(home))
        split = Split.of(TIER, "train")
        generate(split)
        yield split


def test_alerts_go_with_their_fields_and_the_truth(split):
    assert len(verify(split)) == 2
    tree, truth = open_split(split), open_truth(split)
    true = truth["transients"].to_dataset()
    n = 0
    for number, piece in enumerate(fields_with_alerts(tree)):
        field, alerts = piece.field, piece.alerts
        assert field.n_scenes == 2
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
    assert n == true.sizes["transient"] > 0
    assert true["kind"].attrs["meaning"].split() == list(KINDS)


def test_nothing_in_the_data_tells_what_it_was(split):
    assert set(open_split(split)["alerts"].to_dataset()) == {"id", "scene", "x", "y", "quiet_until"}


def test_a_split_without_alerts_says_so():
    with pytest.raises(ValueError, match="no alerts: open one of a tier with transients"):
        alerts_of(xarray.DataTree(), 0)


class TestTrack:
    """The track ``pixels`` of the challenge ``transients``."""

    def test_it_asks_about_every_alert(self, split):
        challenge = load("transients")
        assert list(challenge.tracks_of(TIER)) == ["pixels"] and "pixels" not in challenge.tracks_of("tiny")
        ids = challenge.ids(TIER, "train")
        given = list(challenge.given(TIER, "train"))
        np.testing.assert_array_equal(np.concatenate([piece.id for piece in given]), ids)
        true = open_truth(split)["transients"].to_dataset()
        learned = [(piece.id, truth["kind"]) for piece, truth in challenge.examples(TIER)]
        for column, name in enumerate(("id", "kind")):
            np.testing.assert_array_equal(np.concatenate([row[column] for row in learned]), true[name])
        assert challenge.metadata(TIER, "train")["track"] == "pixels"

    def test_a_baseline_measures_and_learns_and_is_scored(self, split, cli, tmp_path):
        options = ("--tier", TIER, "--split", "train", "--track", "pixels", "--json")
        out = tmp_path / "predictions.parquet"
        card = json.loads(cli.works("baseline", "transients", "majority", *options, "--out", out))
        assert (card["track"], card["tier"]) == ("pixels", TIER)
        kinds = open_truth(split)["transients/kind"].to_numpy()
        metrics = {metric["name"]: metric["value"] for metric in card["metrics"]}
        # Frequencies with one object more of each class.
        counts = np.bincount(kinds, minlength=len(CLASSES)) + 1.0
        expected = -np.mean(np.log(counts / counts.sum())[kinds])
        assert metrics["log_loss"] == pytest.approx(expected, abs=1e-6)
        assert {group["by"] for group in card["groups"]} == {"redshift"}
        assert "valid" in cli.works("validate", "transients", out, *options[:-1])
        assert json.loads(cli.works("score", "transients", out, *options))["metrics"] == card["metrics"]

    def test_other_tracks_and_pictures_are_refused_with_a_way_out(self, split, cli):
        challenge = load("transients")
        with pytest.raises(ValueError, match=f"tier {TIER} has no track full: choose pixels"):
            challenge.metadata(TIER, "train", "full")
        with pytest.raises(ValueError, match="tier tiny has no track pixels: choose full or"):
            next(challenge.given(track="pixels"))
        said = cli.fails("show", "transients", "--tier", TIER, "--split", "train")
        assert f"`skysynergy show shear --tier {TIER}`" in said


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="columns of alerts have one length"):
        Alerts(*(np.zeros(n) for n in (2, 2, 2, 2, 1)))
