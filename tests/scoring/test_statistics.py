"""Sums add up, merge, and refuse what they cannot add."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skysynergy.scoring.statistics import Sums


@st.composite
def objects(draw):
    n = draw(st.integers(0, 30))
    cluster = draw(hnp.arrays(np.int64, n, elements=st.integers(-3, 6)))
    x = draw(hnp.arrays(np.float64, n, elements=st.floats(-1e6, 1e6)))
    return cluster, x


@given(objects())
def test_of_is_the_sum_over_the_objects_of_each_cluster(data):
    cluster, x = data
    sums = Sums.of(cluster, n=1, x=x)
    assert sums.cluster.tolist() == sorted(set(cluster.tolist()))
    assert sums.n_clusters == len(set(cluster.tolist()))
    for label, n, total in zip(sums.cluster, sums.column("n"), sums.column("x"), strict=True):
        assert n == (cluster == label).sum()
        np.testing.assert_allclose(total, x[cluster == label].sum(), rtol=1e-12, atol=1e-6)


@given(objects(), objects(), objects())
def test_merging_is_associative_and_commutative_and_the_same_as_adding_all(a, b, c):
    parts = [Sums.of(cluster, n=1, x=x) for cluster, x in (a, b, c)]
    whole = Sums.of(np.concatenate([a[0], b[0], c[0]]), n=1, x=np.concatenate([a[1], b[1], c[1]]))
    merged = [
        parts[0].merge(parts[1]).merge(parts[2]),
        parts[0].merge(parts[1].merge(parts[2])),
        parts[2].merge(parts[0], parts[1]),
    ]
    for other in merged:
        np.testing.assert_array_equal(other.cluster, whole.cluster)
        np.testing.assert_allclose(other.values, whole.values, rtol=1e-12, atol=1e-6)


def test_merging_disjoint_clusters_is_exact_in_any_order():
    rng = np.random.default_rng(1)
    cluster, x = np.repeat(np.arange(20), 5), rng.normal(size=100)
    whole = Sums.of(cluster, x=x)
    parts = [Sums.of(cluster[cluster % 4 == k], x=x[cluster % 4 == k]) for k in (2, 0, 3, 1)]
    merged = parts[0].merge(*parts[1:])
    np.testing.assert_array_equal(merged.values, whole.values)


def test_merging_goes_by_name_and_empty_sums_change_nothing():
    a = Sums.of([1], x=[2.0], y=[3.0])
    b = Sums.of([1], y=[10.0], x=[20.0])
    assert a.merge(b).total() == {"x": 22.0, "y": 13.0}
    nothing = Sums.of([], x=[], y=[])
    assert nothing.merge(a).total() == a.total()
    assert nothing.total() == {"x": 0.0, "y": 0.0}


def test_select_takes_columns_in_the_order_asked_for():
    sums = Sums.of([0, 1], x=[1, 2], y=[3, 4]).select(["y"])
    assert sums.names == ("y",)
    assert sums.values.tolist() == [[3.0], [4.0]]


def test_sums_are_read_only_and_do_not_follow_the_array_they_came_from():
    values = np.ones((2, 1))
    sums = Sums(np.array([0, 1]), ("x",), values)
    values[:] = 5
    assert sums.total() == {"x": 2.0}
    with pytest.raises(ValueError, match="read-only"):
        sums.values[0, 0] = 1


@pytest.mark.parametrize(
    ("cluster", "columns", "words"),
    [
        ([0.5], {"x": [1.0]}, "one integer per row"),
        ([[0]], {"x": [1.0]}, "one integer per row"),
        ([0, 1], {"x": [1.0]}, "one number per object"),
        ([4, 5], {"x": [1.0, np.nan]}, r"'x' is nan for object 1 \(cluster 5\)"),
        ([4, 5], {"x": [np.inf, 0.0]}, "'x' is inf for object 0"),
    ],
)
def test_what_cannot_be_added_is_refused_with_its_place(cluster, columns, words):
    with pytest.raises(ValueError, match=words):
        Sums.of(cluster, **columns)


@pytest.mark.parametrize(
    ("cluster", "names", "values", "words"),
    [
        ([1, 0], ("x",), [[1.0], [2.0]], "unique and sorted"),
        ([0, 0], ("x",), [[1.0], [2.0]], "unique and sorted"),
        ([0], ("x", "x"), [[1.0, 2.0]], "name of its own"),
        ([0], ("x",), [1.0], "of shape"),
        ([0], ("x",), [[np.nan]], "'x' of cluster 0 is nan"),
    ],
)
def test_wrong_sums_are_refused(cluster, names, values, words):
    with pytest.raises(ValueError, match=words):
        Sums(np.array(cluster), names, np.array(values))


def test_other_columns_are_not_merged_or_selected():
    with pytest.raises(ValueError, match="only one side has x, y"):
        Sums.of([0], x=[1]).merge(Sums.of([0], y=[1]))
    with pytest.raises(KeyError, match="no column 'z'"):
        Sums.of([0], x=[1]).column("z")
