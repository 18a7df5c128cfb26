"""Scorecards: requirements, strict JSON, and what people read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.scoring.bootstrap import Estimate, Interval
from skysynergy.scoring.scorecard import Group, Metric, Requirement, Scorecard

finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def metrics(draw, name):
    value = draw(st.none() | finite)
    low, high = sorted([draw(finite), draw(finite)])
    if value is None or draw(st.booleans()):
        low, high = None, None
    better = draw(st.sampled_from(["lower", "higher", "zero"]) | finite)
    requirement = draw(st.none() | finite.filter(lambda limit: limit > 0))
    return Metric(
        name,
        value,
        low,
        high,
        draw(st.floats(0.01, 0.99)),
        draw(st.text(max_size=5)),
        better,
        requirement,
        draw(st.sampled_from([True, False, None])) if requirement is not None else None,
        draw(st.text(min_size=1, max_size=20)) if low is None else "",
    )


@st.composite
def metric_lists(draw):
    names = draw(st.lists(st.text(max_size=8), unique=True, max_size=3))
    return tuple(draw(metrics(name)) for name in names)


@st.composite
def scorecards(draw):
    text = st.text(max_size=10)
    groups = []
    for _ in range(draw(st.integers(0, 2))):
        ends = sorted([draw(finite), draw(finite)])
        groups.append(Group(draw(text), (ends[0], ends[1]), draw(metric_lists())))
    provenance = draw(
        st.dictionaries(text, text | finite | st.integers() | st.none() | st.booleans(), max_size=3)
    )
    return Scorecard(*(draw(text) for _ in range(5)), draw(metric_lists()), tuple(groups), provenance)


EXAMPLE = Scorecard(
    challenge="shear",
    track="joint",
    tier="small",
    split="validation",
    entry="moments",
    metrics=(
        Metric("m1", 0.0004, -0.0011, 0.0019, 0.68, "", "zero", 0.002, True),
        Metric("m2", -0.0012, -0.005, 0.0031, 0.95, "", "zero", 0.002, None),
        Metric("alpha", None, None, None, 0.68, reason="no PSF ellipticities were given"),
        Metric("rms", 0.00123, 0.0011, 0.0014, 0.68, "", "lower"),
    ),
    groups=(Group("blendedness", (0.1, 0.3), (Metric("m1", 1.0, 0.5, 1.5, better="zero"),)),),
    provenance={"code": "1.2", "dataset": "sha256:ab", "seconds": 12.3},
)


@given(scorecards())
def test_json_reads_back_as_what_was_written(card):
    text = card.to_json()
    assert Scorecard.from_json(text) == card
    assert Scorecard.from_json(text).to_json() == text
    json.loads(text, parse_constant=pytest.fail)


@given(scorecards())
def test_every_scorecard_can_be_shown(card):
    table = card.to_table()
    assert "nan" not in [cell.lower() for cell in table.split() if cell not in card.to_json()]
    rows = [line for line in card.to_markdown().splitlines() if line.startswith("|")]
    separators = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in rows}
    assert separators == {7}


def test_json_has_the_form_of_the_design():
    record = json.loads(EXAMPLE.to_json())
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
def test_json_that_is_not_a_scorecard_is_refused_with_its_place(old, new, words):
    text = EXAMPLE.to_json()
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


@pytest.mark.parametrize(
    ("better", "limit", "low", "high", "met"),
    [
        ("zero", 2.0, -1.0, 1.9, True),
        ("zero", 2.0, -2.1, 1.0, None),
        ("zero", 2.0, 1.0, 2.1, None),
        ("zero", 2.0, 2.1, 3.0, False),
        ("zero", 2.0, -3.0, -2.1, False),
        ("zero", 2.0, -3.0, 3.0, None),
        ("zero", 2.0, -2.0, 2.0, None),
        ("lower", 0.5, -9.0, 0.4, True),
        ("lower", 0.5, 0.4, 0.6, None),
        ("lower", 0.5, 0.6, 0.7, False),
        ("higher", 0.5, 0.6, 0.7, True),
        ("higher", 0.5, 0.4, 0.6, None),
        ("higher", 0.5, -0.7, 0.4, False),
        (1.0, 0.1, 0.95, 1.05, True),
        (1.0, 0.1, 0.95, 1.15, None),
        (1.0, 0.1, 1.15, 1.25, False),
        (1.0, 0.1, 0.7, 0.8, False),
    ],
)
def test_a_requirement_is_met_broken_or_undecided(better, limit, low, high, met):
    assert Requirement(better, limit).met(Interval(low, high, 0.95)) is met
    assert Requirement(better, limit).met(None) is None


@pytest.mark.parametrize(
    ("better", "limit"), [("zero", 0.0), (1.0, -1.0), ("up", 1.0), ("lower", float("nan"))]
)
def test_requirements_that_nothing_can_keep_are_refused(better, limit):
    with pytest.raises(ValueError):
        Requirement(better, limit)


def test_what_is_shown_at_68_percent_is_decided_at_95():
    # The t quantiles of 3 degrees of freedom are 1.19 at 68 % and 3.18 at 95 %.
    estimate = Estimate(0.0, 0.001, 4, "jackknife-t")
    metric = Metric.of("m1", estimate, better="zero", requirement=0.002, level=0.68)
    assert metric.level == 0.68
    assert metric.high == pytest.approx(0.00119, abs=1e-5)
    assert metric.met is None
    assert metric.verdict == "undecided"
    assert Metric.of("m1", estimate, better="zero", requirement=0.004).verdict == "met"
    assert Metric.of("m1", estimate, better="zero").verdict == ""


def test_an_undefined_estimate_becomes_null_with_its_reason():
    metric = Metric.of("m1", Estimate.undefined(3, "no spread"), better="zero", requirement=0.002)
    assert (metric.value, metric.low, metric.high, metric.met, metric.reason) == (
        None,
        None,
        None,
        None,
        "no spread",
    )


def test_the_table_is_aligned_and_says_what_was_decided():
    lines = EXAMPLE.to_table().splitlines()
    assert lines[0] == "shear (joint, small, validation): moments"
    assert lines[2] == "m1     +0.0004  [-0.0011, +0.0019]  |m1| < 0.002  met"
    assert lines[3] == "m2     -0.0012  [-0.0050, +0.0031]  |m2| < 0.002  undecided"
    assert lines[4].split(maxsplit=2) == ["alpha", "-", "no PSF ellipticities were given"]
    assert lines[5] == "rms    0.00123  [0.00110, 0.00140]"
    assert "blendedness from 0.1 to 0.3" in lines
    assert lines[-1] == "Intervals: 68 %, 95 %. Requirements are decided by the 95 % interval."


def test_markdown_escapes_its_own_signs():
    text = EXAMPLE.to_markdown()
    assert r"| m2 | -0.0012 | \[-0.0050, +0.0031\] | \|m2\| \< 0.002 | undecided |  |" in text
    assert "### blendedness from 0.1 to 0.3" in text
    assert "- seconds: 12.3" in text
    evil = Scorecard("shear", "a", "b", "c", "<script>|\n# x", ())
    assert evil.to_markdown().splitlines()[0] == r"## shear (a, b, c): \<script\>\| \# x"


@pytest.mark.parametrize(
    ("half", "text"),
    [(1e-12, "1.23e-01"), (0.002, "0.1234"), (0.2, "0.12"), (5.0, "0.1"), (800.0, "0")],
)
def test_numbers_are_shown_to_two_digits_of_their_error(half, text):
    metric = Metric("x", 0.1234, 0.1234 - half, 0.1234 + half, better="lower")
    assert Scorecard("a", "b", "c", "d", "e", (metric,)).to_table().splitlines()[2].split()[1] == text


def test_a_metric_is_found_by_its_name():
    assert EXAMPLE["m2"].value == -0.0012
    with pytest.raises(KeyError, match="no metric 'x'; there are m1, m2"):
        EXAMPLE["x"]
