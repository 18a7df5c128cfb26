"""What every challenge promises: names, tracks, scenarios, a schema, fields to predict, scores."""

import re

import numpy as np
import pytest
import skysynergy
from skysynergy.baselines.baseline import BASELINES
from skysynergy.challenges.challenge import CHALLENGES, Challenge, load, names
from skysynergy.challenges.light_curves import LightCurves
from skysynergy.challenges.method import Field
from skysynergy.challenges.names import UnknownNameError
from skysynergy.challenges.submissions import SubmissionError
from skysynergy.scoring.scorecard import Scorecard
from skysynergy.scoring.shear import multiplicative_limit
from skysynergy.simulators.surveys import SURVEYS


@pytest.fixture(params=sorted(CHALLENGES))
def challenge(request):
    return load(request.param)


@pytest.fixture
def made(challenge, little_data):
    """The challenge, with its dataset there, small."""
    little_data(challenge.dataset)
    return challenge


# What says nothing: no shear, with some variance; any class alike.
NOTHING = {"shear": {"cov11": 4e-4, "cov22": 4e-4}, "transients": {"": 1 / 12}}


def answers(challenge, split="validation"):
    ids = challenge.ids("tiny", split)
    said = NOTHING[challenge.name]
    every = np.ones(len(ids))
    return {"id": ids} | {name: every * said.get(name, said.get("", 0.0)) for name in challenge.schema.names}


def test_the_face_of_the_package_is_the_registry():
    assert skysynergy.names() == names() == list(CHALLENGES)
    assert type(skysynergy.load("shear")) is type(load("shear"))


def test_an_unknown_challenge_is_refused_with_near_matches():
    with pytest.raises(UnknownNameError, match="no challenge 'shaer'; did you mean shear"):
        load("shaer")


def test_every_challenge_has_baselines_and_every_baseline_a_challenge():
    assert set(BASELINES) == set(CHALLENGES)


class TestContract:
    def test_it_is_a_challenge_with_the_name_it_is_known_by(self, challenge, request):
        assert isinstance(challenge, Challenge)
        assert challenge.name == request.node.callspec.params["challenge"] == challenge.schema.challenge
        assert challenge.question and "\n" not in challenge.question

    def test_names_are_typed_without_a_shift_key(self, challenge):
        for name in (challenge.name, *challenge.tracks, *challenge.scenarios):
            assert re.fullmatch(r"[a-z][a-z0-9-]*", name)

    def test_tracks_know_their_names_and_surveys(self, challenge):
        for name, track in challenge.tracks.items():
            assert track.name == name and track.description
            assert track.surveys and set(track.surveys) <= set(SURVEYS)
            assert challenge.name != "shear" or multiplicative_limit(name) > 0
        assert challenge.track() is challenge.track(None) is next(iter(challenge.tracks.values()))

    def test_an_unknown_track_is_refused_with_near_matches(self, challenge):
        known = next(iter(challenge.tracks))
        with pytest.raises(UnknownNameError, match=f"no track '{known}x'; did you mean {known}"):
            challenge.track(known + "x")

    def test_scenarios_are_one_field_that_the_harness_can_multiply(self, challenge):
        for name, scenario in challenge.scenarios.items():
            assert scenario.name == name and scenario.description
            assert scenario.sky.n_fields == 1
            # Partners cancel shape noise, and belong to the harness alone.
            assert scenario.sky.partners and scenario.sky.scenes_per_field % 2 == 0
            low, high = scenario.sky.shear_range
            assert low == high > 0

    def test_columns_are_described(self, challenge):
        assert challenge.schema.id and challenge.schema.columns
        assert "id" not in challenge.schema.names
        assert all(column.description for column in challenge.schema.columns)

    @pytest.mark.parametrize("what", ["open", "truth", "ids", "metadata"])
    @pytest.mark.parametrize(
        ("tier", "split", "message"),
        [
            ("tny", "validation", "no tier 'tny'; did you mean tiny"),
            ("tiny", "vaildation", "no split 'vaildation'; did you mean validation"),
        ],
    )
    def test_unknown_tiers_and_splits_are_refused(self, challenge, what, tier, split, message):
        with pytest.raises(UnknownNameError, match=message):
            getattr(challenge, what)(tier, split)

    def test_an_unknown_track_is_refused_before_a_field_is_read(self, made):
        for ask in (lambda track: next(made.given(track=track)), challenge_metadata(made)):
            with pytest.raises(UnknownNameError, match="no track 'lssst'"):
                ask("lssst")

    def test_ids_are_those_of_the_fields(self, made):
        ids = made.ids()
        assert ids.dtype == np.int64 and ids.shape == (len(set(ids.tolist())),)
        pieces = list(made.given())
        assert all(isinstance(piece, Field | LightCurves) for piece in pieces)
        assert np.concatenate([np.atleast_1d(piece.id) for piece in pieces]).tolist() == ids.tolist()

    def test_examples_have_the_truth_of_what_is_given(self, made):
        pieces = [(np.atleast_1d(piece.id), truth) for piece, truth in made.examples()]
        ids = np.concatenate([own for own, _ in pieces])
        assert set(ids.tolist()) <= set(made.ids("tiny", "train").tolist()) and ids.size
        for own, truth in pieces:
            assert truth and all(np.atleast_1d(values).shape == own.shape for values in truth.values())

    def test_tracks_decide_what_a_method_sees(self, made):
        for track in made.tracks_of("tiny").values():
            for piece in made.given(track=track.name):
                if isinstance(piece, Field):
                    assert tuple(piece.surveys) == tuple(s for s in SURVEYS if s in track.surveys)
                else:
                    assert np.isfinite(piece.host_z).any() == track.redshift

    def test_metadata_ties_a_submission_to_its_question(self, made):
        stated = made.metadata("tiny", "validation")
        data = made.open("tiny", "validation")
        assert stated == {
            "challenge": made.name,
            "track": made.track().name,
            "tier": "tiny",
            "split": "validation",
            "dataset": data.attrs["content_sha256"],
        }
        assert re.fullmatch("sha256:[0-9a-f]{64}", stated["dataset"])
        last = list(made.tracks_of("tiny"))[-1]
        other = made.metadata("tiny", "train", last)
        assert other["dataset"] != stated["dataset"]
        assert other["track"] == last and other["split"] == "train"

    def test_a_mapping_is_read_in_the_order_of_the_ids(self, made):
        given = answers(made)
        first = made.schema.names[0]
        change = np.linspace(0.01, 0.02, len(given["id"]))
        given[first] = given[first] + change
        given[made.schema.names[1]] = given[made.schema.names[1]] - change
        backwards = {name: values[::-1].tolist() for name, values in given.items()}
        read = made.read(backwards)
        assert set(read) == set(made.schema.names)
        np.testing.assert_array_equal(read[first], given[first])

    def test_every_problem_is_told_at_once(self, made):
        given = answers(made)
        first, second = made.schema.names[:2]
        given[first][0] = np.nan
        given[second][1] = np.inf
        given["id"] = given["id"].copy()
        given["id"][1] = 17
        with pytest.raises(SubmissionError) as error:
            made.read(given)
        said = [(problem.column, problem.what) for problem in error.value.problems]
        for column, word in ((first, "NaN"), (second, "infinite"), ("id", "unknown"), ("id", "no row")):
            assert any(name == column and word in what for name, what in said), (column, word, said)
        with pytest.raises(SubmissionError):
            made.score(given)

    def test_it_scores(self, made):
        card = made.score(answers(made), entry="middle")
        assert isinstance(card, Scorecard)
        assert (card.challenge, card.tier, card.split) == (made.name, "tiny", "validation")
        assert (card.track, card.entry) == (made.track().name, "middle")
        assert Scorecard.from_json(card.to_json()).to_json() == card.to_json()


def challenge_metadata(challenge):
    return lambda track: challenge.metadata("tiny", "validation", track)
