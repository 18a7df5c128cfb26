"""The contract, over every baseline that answers for fields: what it answers, and that it can be kept.

Those of light curves have theirs in test_transients.py.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from skysynergy.baselines.baseline import BASELINES, Baseline, baseline, reference
from skysynergy.challenges.challenge import Track, load
from skysynergy.challenges.harness import harness_field
from skysynergy.challenges.method import Method, load_field, save_field
from skysynergy.challenges.names import UnknownNameError
from skysynergy.challenges.run_method import answer, find_method
from skysynergy.challenges.submissions import Table, accept

NAMES = [
    (challenge, name)
    for challenge, known in BASELINES.items()
    if load(challenge).dataset == "sky"
    for name in known
]
every = pytest.mark.parametrize(("challenge", "name"), NAMES)


@pytest.fixture(scope="module")
def given():
    """One small field for each challenge, as the harness hands it to a method."""

    def field(challenge: str, surveys: tuple[str, ...]):
        scenario = load(challenge).scenarios["isolated"]
        small = replace(scenario.sky, scenes_per_field=4, visits={"i": 2, "VIS": 1})
        track = Track("some", surveys, "")
        return harness_field(replace(scenario, sky=small), track, b"baselines", 0, 1)[0]

    return {
        (challenge, track): field(challenge, surveys)
        for challenge in {challenge for challenge, _ in NAMES}
        for track, surveys in (("joint", ("LSST", "EUCLID_VIS")), ("lsst", ("LSST",)))
    }


@every
def test_it_is_a_method_known_by_its_name(challenge, name):
    method = baseline(challenge, name)
    assert isinstance(method, Baseline) and isinstance(method, Method)
    assert method.name == name
    # The harness makes it from its reference, in a process of its own.
    assert find_method(reference(challenge, name)) == method


@every
@pytest.mark.parametrize("track", ["joint", "lsst"])
def test_its_answer_is_a_valid_submission(challenge, name, track, given):
    field, schema = given[challenge, track], load(challenge).schema
    predicted = baseline(challenge, name).predict(field)
    assert sorted(predicted) == sorted(schema.names)
    columns = {"id": np.array([field.id])} | {key: np.array([value]) for key, value in predicted.items()}
    accepted = accept(Table(columns), schema, np.array([field.id]))
    assert {key: values[0] for key, values in accepted.items()} == dict(predicted)
    assert answer(baseline(challenge, name), field) == dict(predicted)


@every
def test_the_same_field_has_the_same_answer(challenge, name, given, tmp_path):
    field = given[challenge, "joint"]
    first = baseline(challenge, name).predict(field)
    assert baseline(challenge, name).predict(field) == first
    # And so has the file that the harness writes of it.
    save_field(tmp_path / "field.npz", field)
    assert baseline(challenge, name).predict(load_field(tmp_path / "field.npz")) == first


@every
def test_nothing_of_the_field_is_changed(challenge, name, given):
    field = given[challenge, "joint"]
    before = {(s, key): np.copy(v) for s, x in field.surveys.items() for key, v in vars(x).items()}
    baseline(challenge, name).predict(field)
    for survey, exposures in field.surveys.items():
        for key, value in vars(exposures).items():
            np.testing.assert_array_equal(value, before[survey, key])


@every
def test_fitting_gives_a_baseline_that_predicts(challenge, name, given):
    field = given[challenge, "lsst"]
    fitted = baseline(challenge, name).fit([(field, {"g1": 0.01, "g2": -0.02})])
    assert type(fitted) is type(baseline(challenge, name))
    assert sorted(fitted.predict(field)) == sorted(load(challenge).schema.names)


@every
def test_what_is_saved_comes_back(challenge, name, tmp_path):
    plain = baseline(challenge, name)
    # Tuples come back as tuples; and every setting that is a number, changed: none may be lost on the way.
    numbers = {
        f.name: getattr(plain, f.name) for f in fields(plain) if isinstance(getattr(plain, f.name), float)
    }
    changed = replace(plain, **{key: 1.1 * value for key, value in numbers.items()})
    for method in (plain, changed):
        method.save(tmp_path / "saved.json")
        assert type(plain).load(tmp_path / "saved.json") == method
    assert [path.name for path in tmp_path.iterdir()] == ["saved.json"]


@every
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not JSON", "holds no saved baseline: save it again"),
        (b"\xff\xfe\x00", "holds no saved baseline"),
        (b"[]", "holds no saved baseline"),
        (b'{"class": "Other"}', "holds no saved baseline"),
        (b'{"class": "Other", "settings": 3}', "holds no saved baseline"),
        (b'{"class": "Other", "settings": {}}', "holds a Other, which is no"),
    ],
)
def test_a_wrong_file_is_refused(challenge, name, content, message, tmp_path):
    (tmp_path / "saved.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        type(baseline(challenge, name)).load(tmp_path / "saved.json")


@every
def test_settings_of_another_version_are_refused(challenge, name, tmp_path):
    method = baseline(challenge, name)
    method.save(tmp_path / "saved.json")
    record = json.loads((tmp_path / "saved.json").read_text())
    record["settings"]["zeal"] = 1
    (tmp_path / "saved.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="unknown settings zeal"):
        type(method).load(tmp_path / "saved.json")


def test_one_baseline_is_not_read_as_another(tmp_path):
    baseline("shear", "null").save(tmp_path / "saved.json")
    with pytest.raises(ValueError, match="a NullShear, which is no MomentsShear: load it with its own class"):
        type(baseline("shear", "moments")).load(tmp_path / "saved.json")


@pytest.mark.parametrize(
    ("challenge", "name", "message"),
    [("shear", "moment", "did you mean moments"), ("sheer", "null", "did you mean shear")],
)
def test_a_name_that_nothing_bears_is_refused(challenge, name, message):
    with pytest.raises(UnknownNameError, match=message):
        baseline(challenge, name)


@pytest.mark.parametrize("scatter", [0.02, 0.3])
def test_null_answers_exactly_zero(scatter, given):
    predicted = replace(baseline("shear", "null"), scatter=scatter).predict(given["shear", "joint"])
    assert (predicted["g1"], predicted["g2"], predicted["cov12"]) == (0.0, 0.0, 0.0)
    assert predicted["cov11"] == predicted["cov22"] == scatter**2
