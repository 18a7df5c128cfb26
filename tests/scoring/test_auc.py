"""AUCs from histograms: the exact one as oracle, the bound on their error, closed forms, streaming."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, softmax
from sklearn.metrics import roc_auc_score
from skysynergy.scoring import auc as module
from skysynergy.scoring.auc import MAX_CLUSTERS, ScoreHistograms, auc_estimates


def one_question(cluster, score, yes):
    return ScoreHistograms.of(cluster, np.asarray(score)[:, None], np.asarray(yes)[:, None])


def forecasts(n, spread, seed=0, n_classes=15):
    rng = np.random.default_rng(seed)
    prior = np.geomspace(1, 0.02, n_classes)
    truth = rng.choice(n_classes, size=n, p=prior / prior.sum())
    logits = rng.normal(0, spread, size=(n, n_classes)) + np.log(prior)
    logits[np.arange(n), truth] += spread
    return softmax(logits, axis=1), truth


@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0])
def test_the_macro_auc_is_the_exact_one_to_1e_4(spread, record_figure):
    p, truth = forecasts(40_000, spread)
    histograms = ScoreHistograms.of(np.zeros(truth.size, int), p, truth[:, None] == np.arange(15))
    exact = [roc_auc_score(truth == code, p[:, code]) for code in range(15)]
    difference = np.abs(histograms.auc() - exact)
    record_figure("difference", difference.max())
    assert np.abs(histograms.auc().mean() - np.mean(exact)) < 1e-5
    assert difference.max() < 1e-4
    assert (difference <= histograms.auc_error()).all()
    assert histograms.auc_error().max() < 0.01


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1e-300, 0.02, 0.3, 0.5, 0.98, 1.0]), st.booleans()), min_size=2)
)
def test_few_distinct_scores_are_exact(objects):
    score, yes = map(np.array, zip(*objects, strict=True))
    histograms = one_question(np.arange(len(score)), score, yes)
    if yes.all() or not yes.any():
        assert np.isnan(histograms.auc()[0])
        return
    # 0 and 1e-300 are in the last bin both: a tie, within the bound.
    assert abs(histograms.auc()[0] - roc_auc_score(yes, score)) <= histograms.auc_error()[0] + 1e-14
    apart = np.where(score == 1e-300, 0.01, score)
    again = one_question(np.arange(len(score)), apart, yes)
    assert again.auc_error()[0] == 0
    assert again.auc()[0] == pytest.approx(roc_auc_score(yes, apart), abs=1e-14)


def test_scores_that_are_all_equal_are_chance_and_scores_in_one_bin_are_refused():
    yes = np.arange(60) % 3 == 0
    same = auc_estimates(one_question(np.arange(60), np.full(60, 0.2), yes), n_resamples=50)[0]
    assert same.value == 0.5
    assert (same.interval().low, same.interval().high) == (0.5, 0.5)
    near = auc_estimates(one_question(np.arange(60), 0.2 + 1e-7 * np.arange(60), yes), n_resamples=50)[0]
    assert near.value is None
    assert "lie so close together" in near.reason


def test_one_answer_or_no_object_is_null_with_a_reason():
    mean, (alone,) = auc_estimates(one_question(np.arange(5), np.full(5, 0.2), np.ones(5, bool)))
    assert mean.value is None and alone.value is None
    assert "positive and negative objects are needed" in alone.reason
    nothing, _ = auc_estimates(ScoreHistograms.of([], np.empty((0, 2)), np.empty((0, 2), bool)))
    assert nothing.reason == "there are no clusters"
    lonely, _ = auc_estimates(one_question([1, 2, 3], [0.1, 0.5, 0.7], [False, True, False]))
    assert lonely.value == 0.5
    assert lonely.interval() is None
    assert "without cluster 2" in lonely.reason


def test_a_question_without_an_answer_is_left_out_of_the_mean():
    p, truth = forecasts(500, 1.0, n_classes=3)
    yes = (truth[:, None] == np.arange(3)) & [True, True, False]
    mean, alone = auc_estimates(ScoreHistograms.of(np.arange(500) % 50, p, yes), n_resamples=100)
    assert alone[2].value is None
    assert mean.value == pytest.approx((alone[0].value + alone[1].value) / 2)


def test_batches_of_any_order_merge_to_the_same():
    p, truth = forecasts(3000, 1.0, n_classes=4)
    cluster, yes = np.arange(3000) % 37 - 5, truth[:, None] == np.arange(4)
    whole = ScoreHistograms.of(cluster, p, yes)
    order = np.random.default_rng(4).permutation(3000)
    parts = [
        ScoreHistograms.of(cluster[rows], p[rows], yes[rows]) for rows in np.split(order, [100, 100, 2000])
    ]
    merged = parts[0].merge(*parts[1:])
    for name in ("cluster", "start", "row", "bin", "count", "lowest", "highest"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))


def test_resamples_are_the_exact_aucs_of_repeated_objects():
    rng = np.random.default_rng(5)
    score, yes, cluster = rng.integers(1, 20, size=200) / 20, rng.random(200) < 0.4, np.arange(200) // 8
    pairs = module._Pairs.of(*one_question(cluster, score, yes).dense(0))
    counts = rng.multinomial(25, np.full(25, 1 / 25), size=4).astype(float)
    found, influence = pairs.resampled(counts)
    deleted = pairs.without_each()
    step = 1e-6 * np.eye(25)
    for row, count in enumerate(counts):
        weight = count[cluster]
        assert found[row] == pytest.approx(roc_auc_score(yes, score, sample_weight=weight), abs=1e-12)
        slope = (pairs.resampled(count + step)[0] - pairs.resampled(count - step)[0]) / 2e-6
        np.testing.assert_allclose(influence[row], slope, atol=1e-8)
    for index in range(25):
        left = cluster != index
        assert deleted[index] == pytest.approx(roc_auc_score(yes[left], score[left]), abs=1e-12)


def test_the_standard_error_at_chance_is_that_of_the_rank_sum():
    rng = np.random.default_rng(6)
    score, yes = rng.random(2000), np.arange(2000) % 4 == 0
    found = auc_estimates(one_question(np.arange(2000), score, yes), n_resamples=200)[0]
    assert found.method == "bootstrap-t"
    assert found.standard_error == pytest.approx(np.sqrt(2001 / (12 * 500 * 1500)), rel=0.03)
    fewer = auc_estimates(one_question(np.arange(2000) // 4, score, yes), n_resamples=200)[0]
    assert fewer.value == found.value
    assert fewer.standard_error == pytest.approx(found.standard_error, rel=0.15)


def test_the_interval_holds_the_auc_of_two_normals():
    rng = np.random.default_rng(7)
    truth = stats.norm.cdf(1 / np.sqrt(2))
    yes = np.arange(240) % 3 == 0
    held = 0
    for _ in range(200):
        score = expit(rng.normal(yes * 1.0))
        bounds = auc_estimates(one_question(np.arange(240) // 4, score, yes), n_resamples=300)[0].interval()
        held += bounds.low <= truth <= bounds.high
    assert 0.90 <= held / 200 <= 0.99


def test_wrong_scores_and_too_many_clusters_are_refused():
    with pytest.raises(ValueError, match=r"\(object, question\), with 3 objects"):
        ScoreHistograms.of([1, 2, 3], np.zeros((2, 1)), np.zeros((2, 1)))
    for wrong in (1.1, -0.1, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            one_question([1], [wrong], [True])
    many = one_question(
        np.arange(MAX_CLUSTERS + 1), np.linspace(0, 1, MAX_CLUSTERS + 1), np.arange(MAX_CLUSTERS + 1) % 2
    )
    with pytest.raises(ValueError, match="put the objects in fewer with clusters_of"):
        auc_estimates(many)
    with pytest.raises(ValueError, match="different questions"):
        many.merge(ScoreHistograms.of([1], [[0.1, 0.2]], [[True, False]]))
