"""What every challenge promises: names, tracks, scenarios, a schema, fields to predict, scores."""

import re

import numpy as np
import pytest
import skysynergy
from skysynergy.baselines.baseline import BASELINES
from skysynergy.challenges.challenge import CHALLENGES, Challenge, load, names
from skysynergy.challenges.method import Field
from skysynergy.challenges.names import UnknownNameError
from skysynergy.challenges.submissions import SubmissionError
from skysynergy.scoring.scorecard import Scorecard
from skysynergy.scoring.shear import multiplicative_limit
from skysynergy.simulators.surveys import SURVEYS


@pytest.fixture(params=sorted(CHALLENGES))
def challenge(request):
    return load(request.param)


def answers(challenge, split="validation"):
    """The middle of what each column may hold, with a variance that is not zero."""
    ids = challenge.ids("tiny", split)
    columns = {c.name: np.zeros(len(ids)) for c in challenge.schema.columns}
    for column in challenge.schema.columns:
        if column.low > 0:
            columns[column.name] += 4e-4
    return {"id": ids, **columns}


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
            assert multiplicative_limit(name) > 0 or challenge.name != "shear"
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

    def test_an_unknown_track_is_refused_before_a_field_is_read(self, challenge, little_sky):
        for ask in (lambda track: next(challenge.given(track=track)), challenge_metadata(challenge)):
            with pytest.raises(UnknownNameError, match="no track 'lssst'"):
                ask("lssst")

    def test_ids_are_those_of_the_fields(self, challenge, little_sky):
        ids = challenge.ids()
        assert ids.dtype == np.int64 and ids.shape == (len(set(ids.tolist())),)
        fields = list(challenge.given())
        assert all(isinstance(field, Field) for field in fields)
        assert [field.id for field in fields] == ids.tolist()

    def test_tracks_decide_what_a_method_sees(self, challenge, little_sky):
        for track in challenge.tracks.values():
            for field in challenge.given(track=track.name):
                assert tuple(field.surveys) == tuple(s for s in SURVEYS if s in track.surveys)

    def test_metadata_ties_a_submission_to_its_question(self, challenge, little_sky):
        stated = challenge.metadata("tiny", "validation")
        data = challenge.open("tiny", "validation")
        assert stated == {
            "challenge": challenge.name,
            "track": challenge.track().name,
            "tier": "tiny",
            "split": "validation",
            "dataset": data.attrs["content_sha256"],
        }
        assert re.fullmatch("sha256:[0-9a-f]{64}", stated["dataset"])
        other = challenge.metadata("tiny", "train", list(challenge.tracks)[-1])
        assert other["dataset"] != stated["dataset"]
        assert other["track"] == list(challenge.tracks)[-1] and other["split"] == "train"

    def test_a_mapping_is_read_in_the_order_of_the_ids(self, challenge, little_sky):
        given = answers(challenge)
        first = challenge.schema.names[0]
        given[first] = np.linspace(0.01, 0.02, len(given["id"]))
        backwards = {name: values[::-1].tolist() for name, values in given.items()}
        read = challenge.read(backwards)
        assert set(read) == set(challenge.schema.names)
        np.testing.assert_array_equal(read[first], given[first])

    def test_every_problem_is_told_at_once(self, challenge, little_sky):
        given = answers(challenge)
        first, second = challenge.schema.names[:2]
        given[first][0] = np.nan
        given[second][1] = np.inf
        given["id"] = given["id"].copy()
        given["id"][1] = 17
        with pytest.raises(SubmissionError) as error:
            challenge.read(given)
        said = [(problem.column, problem.what) for problem in error.value.problems]
        for column, word in ((first, "NaN"), (second, "infinite"), ("id", "unknown"), ("id", "no row")):
            assert any(name == column and word in what for name, what in said), (column, word, said)
        with pytest.raises(SubmissionError):
            challenge.score(given)

    def test_it_scores(self, challenge, little_sky):
        card = challenge.score(answers(challenge), entry="middle")
        assert isinstance(card, Scorecard)
        assert (card.challenge, card.tier, card.split) == (challenge.name, "tiny", "validation")
        assert (card.track, card.entry) == (challenge.track().name, "middle")
        assert Scorecard.from_json(card.to_json()).to_json() == card.to_json()


def challenge_metadata(challenge):
    return lambda track: challenge.metadata("tiny", "validation", track)
