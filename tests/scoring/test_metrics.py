"""Metrics: requirements met, broken or undecided, and what is null with a reason."""

import pytest
from skysynergy.scoring.bootstrap import Estimate, Interval
from skysynergy.scoring.metrics import Metric, Requirement


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
