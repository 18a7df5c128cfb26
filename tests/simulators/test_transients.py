"""Fields of transients: whole, the same however they are made, and nothing tells what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators import template_library, transients
from skysynergy.simulators.lightcurves import BEFORE_DAYS, DETECTION, RECORD_DAYS, TRIGGER_DAYS, Seen
from skysynergy.simulators.template_library import names, template
from skysynergy.simulators.transient_classes import CLASSES, OUT_OF_DISTRIBUTION
from skysynergy.simulators.transients import (
    CADENCES,
    KINDS,
    SHARES,
    TransientSurvey,
    field_epochs,
    simulate_shard,
)

SECRET = b"s" * 32
SURVEY = TransientSurvey(5, 60)


@pytest.fixture(scope="module", autouse=True)
def two_series():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(template_library, "PARAMETRIC", 2)
        yield


def made(shard=0, *, test=False, per_shard=5, split=0):
    return simulate_shard(
        shard, survey=SURVEY, secret=SECRET, split=split, test=test, fields_per_shard=per_shard
    )


@pytest.fixture(scope="module")
def fields(two_series):
    return made()


@pytest.fixture(scope="module")
def tested(two_series):
    return made(test=True, split=2)


def owners(data):
    return np.repeat(np.arange(len(data.tables["objects"]["id"])), data.tables["objects"]["row_size"])


def test_tables_are_whole(fields):
    data, truth = fields
    n = SURVEY.n_fields * SURVEY.objects_per_field
    assert all(len(column) == n for shard in fields for column in shard.tables["objects"].values())
    m = int(data.tables["objects"]["row_size"].sum())
    assert all(len(column) == m for shard in fields for column in shard.tables["observations"].values())
    assert np.array_equal(data.tables["objects"]["id"], truth.tables["objects"]["id"])
    assert len(set(data.tables["objects"]["id"].tolist())) == n
    for column in (*data.tables["observations"].values(), data.tables["objects"]["until"]):
        assert np.isfinite(column.astype(float)).all()


def test_fields_are_the_same_alone(fields):
    alone = made(3, per_shard=1)
    for whole, one in zip(fields, alone, strict=True):
        for path, values in one.arrays.items():
            np.testing.assert_array_equal(values[0], whole.arrays[path][3])
        mine = slice(3 * SURVEY.objects_per_field, 4 * SURVEY.objects_per_field)
        for name, column in one.tables["objects"].items():
            np.testing.assert_array_equal(column, whole.tables["objects"][name][mine])


def test_every_object_was_noticed(fields):
    tables = fields[0].tables
    seen, owner = tables["observations"], owners(fields[0])
    detected = seen["detected"]
    for number in range(len(tables["objects"]["id"])):
        times = seen["mjd"][detected & (owner == number)]
        assert times.max() - times.min() >= TRIGGER_DAYS
        own = seen["mjd"][owner == number]
        assert np.all(np.diff(own) >= 0)
        assert own[0] >= times.min() - 30.0 and own[-1] <= min(times.max() + 30.0, times.min() + 400.0)
    assert np.all((np.abs(seen["flux"]) > DETECTION * seen["error"])[detected])


@pytest.mark.parametrize("kind", ["AGN", "SLSN-I", "IIn", "Ia"])
def test_no_epoch_of_a_record_lacks(kind):
    """What is kept is all that the field has about the detections: its ends would tell a class otherwise."""
    survey = replace(SURVEY, n_fields=1, objects_per_field=200, shares={kind: 1.0})
    (data, _), (_, epochs) = (
        simulate_shard(0, survey=survey, secret=SECRET, split=0, test=False, fields_per_shard=1),
        field_epochs(survey, SECRET, 0, 0),
    )
    seen, owner = data.tables["observations"], owners(data)
    for number, size in enumerate(data.tables["objects"]["row_size"]):
        mjd, detected = (seen[name][owner == number] for name in ("mjd", "detected"))
        first, last = mjd[detected][[0, -1]]
        end = min(last + 30.0, first + RECORD_DAYS)
        assert size == np.sum((epochs.mjd >= first - BEFORE_DAYS) & (epochs.mjd <= end))


def test_the_early_cut_tells_no_more_than_the_curve_that_is_cut():
    """It is one of the epochs, of active nuclei as late as of others, and no peak is a whole day from it."""
    survey = replace(SURVEY, n_fields=1, objects_per_field=400, shares={"Ia": 0.5, "AGN": 0.5})
    data, truth = simulate_shard(0, survey=survey, secret=SECRET, split=0, test=False, fields_per_shard=1)
    objects, seen, true = data.tables["objects"], data.tables["observations"], truth.tables["objects"]
    owner, until = owners(data), objects["until"]
    first = np.array(
        [seen["mjd"][seen["detected"] & (owner == number)].min() for number in range(len(until))]
    )
    assert np.all(until >= first)
    assert np.all(np.bincount(owner[seen["mjd"] == until[owner]], minlength=len(until)) >= 1)
    nuclei = np.isnan(true["peak_mjd"])
    assert {0, 1} == set(true["until_from"][nuclei].tolist()) == set(true["until_from"][~nuclei].tolist())
    assert np.mean(until[nuclei] - first[nuclei] > 10.0) > 0.1
    assert not np.any(np.isin(until - true["peak_mjd"], [-2.0, 0.0, 2.0, 10.0]))
    # The next epoch, where it is kept, comes after the moment that the truth tells of.
    moment = np.where(true["until_from"] == 1, first, true["peak_mjd"]) + true["until_days"]
    later = (seen["mjd"] > until[owner]) & np.isfinite(moment)[owner]
    assert np.all(seen["mjd"][later] > moment[owner][later])


def test_errors_mean_what_they_say(fields):
    """Of what was not chosen for being bright: where there is little light, pulls are normal."""
    seen, true = fields[0].tables["observations"], fields[1].tables["observations"]["flux"]
    quiet = np.abs(true) < 0.5 * seen["error"]
    pull = (seen["flux"] - true)[quiet] / seen["error"][quiet]
    assert pull.size > 3000
    assert abs(pull.mean()) < 4 / np.sqrt(pull.size)
    assert pull.std() == pytest.approx(1.0, abs=0.03)


def test_cadences_follow_each_other_and_euclid_is_where_it_looks():
    found = [field_epochs(SURVEY, SECRET, 0, number) for number in range(5)]
    assert [CADENCES[cadence] for cadence, _ in found] == ["wide", "wide", "wide", "deep", "euclid-deep"]
    assert [bool((epochs.band > 5).any()) for _, epochs in found] == [False] * 4 + [True]


def test_shares_are_those_asked_for(fields):
    kinds = fields[1].tables["objects"]["kind"]
    expected = np.array([SHARES[name] for name in CLASSES]) * len(kinds)
    counts = np.bincount(kinds, minlength=len(CLASSES))
    assert np.sum((counts - expected) ** 2 / expected) < 37.0  # 1e-4 of them lie beyond
    kept = fields[1].arrays["fields/kept"].sum(axis=0)
    assert np.array_equal(kept[: len(CLASSES)], counts)
    assert np.all(fields[1].arrays["fields/drawn"] >= fields[1].arrays["fields/kept"])


def test_what_is_held_out_is_in_test_splits_only(fields, tested):
    first = len(CLASSES)
    assert fields[1].tables["objects"]["kind"].max() < first
    strange = tested[1].tables["objects"]["kind"] >= first
    assert 0.02 < strange.mean() < 0.16
    assert {KINDS[kind] for kind in tested[1].tables["objects"]["kind"][strange]} == set(OUT_OF_DISTRIBUTION)


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "AGN"])
def test_series_of_a_class_are_on_one_side(kind, monkeypatch):
    for count in (2, 5, template_library.parametric_series.COUNT):
        monkeypatch.setattr(template_library, "PARAMETRIC", count)
        learn, test = (names("parametric", kind, test=side) for side in (False, True))
        assert learn and test and not set(learn) & set(test) and len(learn) + len(test) == count


def test_there_is_no_series_of_active_nuclei():
    with pytest.raises(ValueError, match="class AGN has no spectral series"):
        names("parametric", "AGN", test=False)


def test_a_series_is_as_bright_as_it_says():
    one = template("Ia", names("parametric", "Ia", test=False)[0])
    assert -20.5 < one.peak_magnitude < -18.0  # parametric series lie at 10 pc
    assert not one.has_stretch and not one.has_colour
    assert template("Ia", one.name) is one


def test_nothing_tells_a_class_but_its_light(fields):
    """No class is near, none ends where others do not, none lacks a band."""
    objects, seen, owner = fields[0].tables["objects"], fields[0].tables["observations"], owners(fields[0])
    truth = fields[1].tables["objects"]
    assert truth["z"].min() > 0.005
    wide = np.isin(objects["field"], [0, 1, 2])
    for kind in range(len(CLASSES)):
        mine = wide & (truth["kind"] == kind)
        bands = set(seen["band"][mine[owner]].tolist())
        assert mine.sum() == 0 or bands == set(range(6)) or mine.sum() < 5
    # What is published of dust is not what is true.
    assert not np.array_equal(objects["galactic_excess"], truth["galactic_excess"].astype(np.float32))


def test_bad_surveys():
    with pytest.raises(ValueError, match="at least one field of one object"):
        TransientSurvey(0, 10)
    with pytest.raises(ValueError, match="spectral series come from parametric or sncosmo"):
        TransientSurvey(1, 10, source="snana")
    with pytest.raises(ValueError, match="add up to one"):
        replace(SURVEY, shares={"Ia": 0.5})
    with pytest.raises(ValueError, match="add up to one"):
        replace(SURVEY, shares={"Iax": 1.0})


@pytest.mark.parametrize("noticed", [[4], [4, 90], [4, 200, 255]])
def test_drawn_ends_with_the_last_that_is_needed(noticed, monkeypatch):
    """Whether others of its batch were noticed or not."""

    def observe(*_, **__):
        n = len(noticed)
        row = np.zeros(n, int)
        nothing = np.zeros(n, np.float32)
        return Seen(np.array(noticed), np.ones(n, int), row, nothing, nothing, nothing, np.ones(n, bool))

    monkeypatch.setattr(transients, "observe", observe)
    _, epochs = field_epochs(SURVEY, SECRET, 0, 0)
    for count in range(1, len(noticed) + 1):
        rng = np.random.default_rng(1)
        (_, seen, size), *others = transients._noticed(rng, "KN", count, epochs, "parametric", test=False)
        assert not others and len(seen.which) == count and size == noticed[count - 1] + 1


def test_shares_that_add_up_to_nearly_one_will_do():
    survey = replace(SURVEY, n_fields=1, shares={"Ia": 0.5, "II": 0.5 + 9e-10})
    assert transients._counts(np.random.default_rng(0), survey, test=False).sum() == 60
