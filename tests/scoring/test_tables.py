"""Scorecards as people read them: aligned, escaped, and rounded to what is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.scoring.metrics import Metric
from skysynergy.scoring.scorecard import Scorecard


@given(st.from_type(Scorecard))
def test_every_scorecard_can_be_shown(card):
    table = card.to_table()
    assert "nan" not in [cell.lower() for cell in table.split() if cell not in card.to_json()]
    rows = [line for line in card.to_markdown().splitlines() if line.startswith("|")]
    separators = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in rows}
    assert separators == {7}


def test_the_table_is_aligned_and_says_what_was_decided(example):
    lines = example.to_table().splitlines()
    assert lines[0] == "shear (joint, small, validation): moments"
    assert lines[2] == "m1     +0.0004  [-0.0011, +0.0019]  |m1| < 0.002  met"
    assert lines[3] == "m2     -0.0012  [-0.0050, +0.0031]  |m2| < 0.002  undecided"
    assert lines[4].split(maxsplit=2) == ["alpha", "-", "no PSF ellipticities were given"]
    assert lines[5] == "rms    0.00123  [0.00110, 0.00140]"
    assert "blendedness from 0.1 to 0.3" in lines
    assert lines[-1] == "Intervals: 68 %, 95 %. Requirements are decided by the 95 % interval."


def test_markdown_escapes_its_own_signs(example):
    text = example.to_markdown()
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
