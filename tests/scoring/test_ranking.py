"""Paired differences and ranks: what is shared cancels, and what can't be told apart is tied."""

import numpy as np
import pytest
from skysynergy.scoring.ranking import distance, paired_difference, tied_ranks
from skysynergy.scoring.statistics import Sums


def mean(total):
    return total["x"] / total["n"]


def sums_of(x):
    return Sums.of(np.arange(len(x)), n=1, x=x)


@pytest.mark.parametrize("n", [10, 60])
def test_what_two_entries_share_cancels_in_their_paired_difference(n):
    rng = np.random.default_rng(8)
    shared = rng.normal(0, 5, size=n)
    first, second = sums_of(shared + 0.3), sums_of(shared + rng.normal(0, 0.05, size=n))
    bounds = paired_difference(first, second, mean).interval()
    assert 0.2 < bounds.low < bounds.high < 0.4
    # An entry compared with itself differs by nothing, exactly.
    nothing = paired_difference(first, first, mean)
    assert nothing.value == 0.0
    assert nothing.interval().low <= 0.0 <= nothing.interval().high


def test_entries_on_other_clusters_are_not_compared():
    with pytest.raises(ValueError, match="2 are in one entry only, such as 0"):
        paired_difference(Sums.of([0, 1], n=1, x=1), Sums.of([1, 2], n=1, x=1), mean)
    with pytest.raises(ValueError, match="same columns"):
        paired_difference(Sums.of([0, 1], n=1, x=1), Sums.of([0, 1], n=1, y=1), mean)


def entries_of(offsets, n=60):
    rng = np.random.default_rng(9)
    shared = rng.normal(size=n)
    return {name: sums_of(shared + offset + rng.normal(0, 0.1, n)) for name, offset in offsets.items()}


def test_entries_whose_difference_holds_zero_are_tied():
    entries = entries_of({"worst": 3.0, "a": 1.0, "best": 0.0, "b": 1.0})
    ranks = tied_ranks(entries, mean, better="lower")
    assert list(ranks) == list(entries)
    span = {name: (rank.best, rank.worst) for name, rank in ranks.items()}
    assert span == {"best": (1, 1), "a": (2, 3), "b": (2, 3), "worst": (4, 4)}
    upside_down = tied_ranks(entries, mean, better="higher")
    assert {n: (r.best, r.worst) for n, r in upside_down.items()} == {
        "worst": (1, 1), "a": (2, 3), "b": (2, 3), "best": (4, 4)
    }  # fmt: skip
    assert ranks["a"].value == pytest.approx(mean(entries["a"].total()))


def test_ranks_by_distance_to_a_target():
    entries = entries_of({"above": 5.0, "near": 1.2, "below": -5.0})
    spans = {n: (r.best, r.worst) for n, r in tied_ranks(entries, mean, better=1.0).items()}
    assert spans["near"] == (1, 1)
    assert spans["above"] == (2, 2)
    assert spans["below"] == (3, 3)


def test_ties_chain_without_making_all_one():
    # a and b, b and c cannot be told apart; a and c can.
    rng = np.random.default_rng(10)
    noise = rng.normal(size=(3, 50))
    noise = (noise - noise.mean(axis=1, keepdims=True)) / noise.std(axis=1, keepdims=True)
    entries = {name: sums_of(noise[k] + 0.3 * k) for k, name in enumerate("abc")}
    spans = {n: (r.best, r.worst) for n, r in tied_ranks(entries, mean, better="lower").items()}
    assert spans == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


def test_an_entry_without_a_value_comes_last_and_one_cluster_ties_all():
    entries = {"none": Sums.of([0, 1], n=0, x=0), "some": Sums.of([0, 1], n=1, x=[1, 2])}
    ranks = tied_ranks(entries, mean, better="lower")
    assert (ranks["some"].best, ranks["some"].worst) == (1, 1)
    assert (ranks["none"].value, ranks["none"].best, ranks["none"].worst) == (None, 2, 2)
    alone = {name: Sums.of([0], n=1, x=[k]) for k, name in enumerate("ab")}
    assert {(r.best, r.worst) for r in tied_ranks(alone, mean, better="lower").values()} == {(1, 2)}


def test_distance_is_lower_for_the_better():
    assert distance(-3.0, "lower") < distance(2.0, "lower")
    assert distance(2.0, "higher") < distance(-3.0, "higher")
    assert distance(2.0, "zero") < distance(-3.0, "zero")
    assert distance(2.0, 2.5) < distance(1.0, 2.5)
    with pytest.raises(ValueError, match="better is"):
        distance(1.0, "up")
