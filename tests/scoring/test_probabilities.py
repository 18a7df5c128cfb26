"""Entropies, random clusters, and everything that can be wrong with predictions named at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from skysynergy.scoring.probabilities import checked, clusters_of, entropy, mutual_information


@pytest.fixture
def p():
    return np.random.default_rng(1).dirichlet(np.ones(4), size=50)


def test_the_entropy_is_that_of_scipy(p):
    np.testing.assert_allclose(entropy(p), stats.entropy(p, axis=1), rtol=1e-12)
    assert entropy(np.eye(3)).tolist() == [0, 0, 0]


def test_the_entropy_splits_into_disagreement_and_the_rest():
    samples = np.random.default_rng(2).dirichlet(np.ones(5), size=(20, 30))
    total, disagreement = mutual_information(samples)
    np.testing.assert_allclose(total, entropy(samples.mean(axis=0)), rtol=1e-12)
    np.testing.assert_allclose(total - disagreement, stats.entropy(samples, axis=2).mean(axis=0), rtol=1e-12)
    # Samples that agree know nothing of each other; sure ones that disagree know nothing but that.
    _, same = mutual_information(np.tile(samples[:1], (7, 1, 1)))
    assert same.max() < 1e-14
    total, sure = mutual_information(np.repeat(np.eye(5)[:, None], 3, axis=1))
    np.testing.assert_allclose([total, sure], np.log(5), rtol=1e-12)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30), st.randoms())
def test_the_cluster_of_an_object_follows_from_its_id(ids, random):
    found = dict(zip(ids, clusters_of(ids, 7).tolist(), strict=True))
    assert all(0 <= cluster < 7 for cluster in found.values())
    shuffled = list(ids)
    random.shuffle(shuffled)
    assert clusters_of(shuffled, 7).tolist() == [found[each] for each in shuffled]


@pytest.mark.parametrize("step", [1, 512, 2**40])
def test_clusters_are_equally_full(step):
    counts = np.bincount(clusters_of(step * np.arange(100_000)), minlength=512)
    assert 1e-4 < stats.chisquare(counts).pvalue < 1 - 1e-4


def test_rows_are_divided_by_their_sum_and_empty_arrays_pass(p):
    given, codes = checked(p.astype(np.float32) * 1.0005, np.zeros(50, dtype=np.uint8))
    np.testing.assert_allclose(given.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_allclose(given, p, atol=1e-6)
    assert codes.dtype == np.int64
    assert checked(np.empty((0, 3)), [])[0].shape == (0, 3)


def test_without_probabilities_there_is_the_mean_of_the_samples(p):
    samples = np.stack([p, p[::-1]])
    np.testing.assert_allclose(checked(None, np.zeros(50, int), samples=samples)[0], samples.mean(axis=0))


def test_every_problem_is_named_at_once(p):
    bad = p.copy()
    bad[3, 1] = np.nan
    bad[5] = [1.5, -0.5, 0, 0]
    bad[10:20] *= 2
    samples = np.stack([p, bad])
    truth = np.zeros(50, dtype=int)
    truth[7], truth[8] = 4, -2
    with pytest.raises(ValueError) as caught:
        checked(
            bad,
            truth,
            cluster=np.zeros(50),
            samples=samples,
            broken={"sin": bad, "shuffle": p[:2]},
            properties={"redshift": np.zeros(3)},
        )
    words = str(caught.value)
    for part in (
        "13 problems",
        "probabilities are not finite for object 3:",
        "probabilities are negative for object 5",
        "do not add up to one for objects 10, 11, 12, 13, 14 and 5 more, which has a sum of 2",
        "truth is neither a code from 0 to 3 nor -1 for objects 7, 8",
        "sample 1 are not finite for object 3",
        "sample 1 are negative for object 5",
        "broken input 'sin' are negative for object 5",
        "broken input 'shuffle' have shape (2, 4), not (50, 4)",
        "cluster is float64 of shape (50,)",
        "the property 'redshift' has shape (3,)",
    ):
        assert part in words, part


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"probabilities": np.ones((50, 1))}, "two classes or more"),
        ({"probabilities": np.ones((49, 4)) / 4}, r"50 objects of truth need \(50, class\)"),
        ({"probabilities": np.ones(50)}, r"probabilities have shape \(50,\)"),
        ({"truth": np.zeros(50)}, "one integer per object, not float64"),
        ({"truth": np.zeros((50, 4), int)}, "one integer per object"),
        ({"samples": np.ones((50, 4)) / 4}, r"samples have shape \(50, 4\)"),
        ({"samples": np.ones((2, 49, 4)) / 4}, "these differ"),
        ({"samples": np.ones((0, 50, 4))}, r"samples have shape \(0, 50, 4\)"),
        ({"probabilities": None}, "neither probabilities nor samples"),
        ({"probabilities": np.full((50, 4), np.inf)}, "not finite"),
    ],
)
def test_wrong_shapes_are_refused(p, change, words):
    with pytest.raises(ValueError, match=words):
        checked(**({"probabilities": p, "truth": np.zeros(50, int)} | change))


def test_ids_that_are_no_integers_are_refused():
    with pytest.raises(ValueError, match="one integer per object"):
        clusters_of([0.5])
    with pytest.raises(ValueError, match="a cluster or more"):
        clusters_of([1], 0)


def test_ties_stay_ties_where_sums_are_one_but_for_round_off():
    rng = np.random.default_rng(3)
    rest = rng.dirichlet(np.ones(8), size=500) * 0.9
    p = np.concatenate([np.full((500, 1), 0.1), rest], axis=1)
    assert len(set(p.sum(axis=1))) > 1
    found, _ = checked(p, np.zeros(500, int))
    np.testing.assert_array_equal(found, p)
    found, _ = checked(p * 0.9995, np.zeros(500, int))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-15)


def test_samples_that_agree_have_no_mutual_information():
    p = np.random.default_rng(4).dirichlet(np.ones(12), size=1000)
    _, disagreement = mutual_information(np.stack([p, p, p]))
    assert (disagreement == 0).all()
