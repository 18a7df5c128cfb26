"""Names: exact or refused, with near matches and never a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.challenges.names import UnknownNameError, choose

TIERS = ["tiny", "small", "full"]
typed = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize("name", TIERS)
def test_a_known_name_is_itself(name):
    assert choose("tier", name, iter(TIERS)) == name


@pytest.mark.parametrize(
    ("name", "near"), [("tny", "tiny"), ("smal", "small"), ("fulll", "full"), ("tinny", "tiny")]
)
def test_a_slip_is_suggested_and_never_taken(name, near):
    with pytest.raises(UnknownNameError) as error:
        choose("tier", name, TIERS)
    assert str(error.value) == f"no tier {name!r}; did you mean {near}? There are: tiny, small, full"


def test_where_nothing_is_near_all_names_are_told():
    with pytest.raises(UnknownNameError) as error:
        choose("split", "zzz", ["train", "validation", "test"])
    assert str(error.value) == "no split 'zzz'. There are: train, validation, test"


def test_several_near_matches_are_all_told():
    with pytest.raises(UnknownNameError, match="did you mean joint-6 or joint-10"):
        choose("track", "joint-", ["joint-10", "lsst", "joint-6"])


def test_an_unknown_name_is_a_value_error():
    assert issubclass(UnknownNameError, ValueError)


@given(typed, st.lists(typed, min_size=1, max_size=5))
def test_any_name_is_returned_or_refused_with_all_there_are(name, known):
    if name in known:
        assert choose("thing", name, known) == name
        return
    with pytest.raises(UnknownNameError) as error:
        choose("thing", name, known)
    assert repr(name) in str(error.value)
    assert str(error.value).endswith("There are: " + ", ".join(known))
