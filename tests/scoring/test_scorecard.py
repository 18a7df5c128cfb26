"""Scorecards: strict JSON, finite numbers, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.scoring.metrics import Metric
from skysynergy.scoring.scorecard import Scorecard

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.from_type(Scorecard))
def test_json_reads_back_as_what_was_written(card):
    text = card.to_json()
    assert Scorecard.from_json(text) == card
    assert Scorecard.from_json(text).to_json() == text
    json.loads(text, parse_constant=pytest.fail)


def test_json_has_the_form_of_the_design(example):
    record = json.loads(example.to_json())
    assert list(record) == [
        "challenge", "track", "tier", "split", "entry", "metrics", "groups", "provenance",
    ]  # fmt: skip
    assert record["metrics"][0] == {
        "name": "m1", "value": 0.0004, "low": -0.0011, "high": 0.0019, "level": 0.68, "unit": "",
        "better": "zero", "requirement": 0.002, "met": True,
    }  # fmt: skip
    assert record["metrics"][2]["value"] is None
    assert record["metrics"][2]["reason"] == "no PSF ellipticities were given"
    assert record["groups"][0]["by"] == "blendedness"
    assert record["groups"][0]["range"] == [0.1, 0.3]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.0004", "NaN", "finite numbers, not NaN"),
        ("0.0004", "-Infinity", "finite numbers, not -Infinity"),
        ("0.0004", "1e999", "1e999 is too large"),
        ("0.0004", "1" + "0" * 400, r"metrics\[0\].value is too large"),
        ("0.0004", '"0.0004"', r"metrics\[0\].value is '0.0004'"),
        ("0.0004", "true", r"metrics\[0\].value is True"),
        ("0.0004", "null", r"metrics\[0\]: metric 'm1' has no value or no interval: it needs a reason"),
        ('"met": true', '"met": 1', r"metrics\[0\].met is int"),
        ('"better": "zero"', '"better": "up"', r"metrics\[0\]: better is"),
        ('"level": 0.68', '"level": 68', r"metrics\[0\]: level"),
        ('"level": 0.68', '"level": null', "needs a level"),
        ('"name": "m1"', '"title": "m1"', "lacks name and has unknown 'title'"),
        ('"name": "m1"', '"name": "m1", "name": "m1"', "given twice"),
        ('"name": "m2"', '"name": "m1"', "need a name each"),
        ('"low": -0.0011', '"low": 1', "runs from"),
        ('"tier": "small", ', "", "lacks tier"),
        ('"tier": "small"', '"tier": 3', "tier of the scorecard is int"),
        ("[0.1, 0.3]", "[0.1]", "needs two numbers"),
        ("[0.1, 0.3]", "[0.3, 0.1]", "range of 'blendedness'"),
        ('"seconds": 12.3', '"seconds": [1]', "provenance.seconds is list"),
    ],
)
def test_json_that_is_not_a_scorecard_is_refused_with_its_place(example, old, new, words):
    text = example.to_json()
    assert old in text
    with pytest.raises(ValueError, match=words):
        Scorecard.from_json(text.replace(old, new, 1))


@given(
    st.text()
    | st.recursive(st.none() | finite | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)).map(
        json.dumps
    )
)
def test_any_other_text_is_a_value_error(text):
    with pytest.raises(ValueError):
        Scorecard.from_json(text)


def test_a_deeply_nested_text_is_a_value_error():
    with pytest.raises(ValueError):
        Scorecard.from_json("[" * 200_000)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_never_get_in(number):
    with pytest.raises(ValueError, match="finite"):
        Metric("m1", number, 0.0, 1.0)
    with pytest.raises(ValueError, match="finite"):
        Metric("m1", 0.0, 0.0, number)
    with pytest.raises(ValueError, match="finite"):
        Scorecard("a", "b", "c", "d", "e", (), (), {"seconds": number})


def test_minus_zero_is_zero():
    assert '"value": 0.0' in Scorecard("a", "b", "c", "d", "e", (Metric("c1", -0.0, -0.0, 0.0),)).to_json()


def test_a_metric_is_found_by_its_name(example):
    assert example["m2"].value == -0.0012
    with pytest.raises(KeyError, match="no metric 'x'; there are m1, m2"):
        example["x"]
