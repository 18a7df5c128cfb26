"""Scorecards to test with: one as an example, and any that there can be."""

import pytest
from hypothesis import strategies as st
from skysynergy.scoring.metrics import Group, Metric
from skysynergy.scoring.scorecard import Scorecard

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


st.register_type_strategy(Scorecard, scorecards())


@pytest.fixture(scope="session")
def example():
    """A scorecard with a metric of every kind: met, undecided, null with a reason, without a requirement."""
    return Scorecard(
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
