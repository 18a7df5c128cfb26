"""AUCs: scikit-learn as oracle, the bins of the bootstrap, closed forms, streaming."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, softmax
from sklearn.metrics import roc_auc_score
from skysynergy.scoring import auc as module
from skysynergy.scoring.auc import MAX_CLUSTERS, N_BINS, ScoreCounts, auc_estimates


def one_question(cluster, score, yes):
    return ScoreCounts.of(cluster, np.asarray(score)[:, None], np.asarray(yes)[:, None])


def forecasts(n, spread, seed=0, n_classes=15):
    rng = np.random.default_rng(seed)
    prior = np.geomspace(1, 0.02, n_classes)
    truth = rng.choice(n_classes, size=n, p=prior / prior.sum())
    logits = rng.normal(0, spread, size=(n, n_classes)) + np.log(prior)
    logits[np.arange(n), truth] += spread
    return softmax(logits, axis=1), truth


@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0, 40.0])
def test_aucs_are_those_of_scikit_learn(spread, record_figure):
    p, truth = forecasts(40_000, spread)
    counts = ScoreCounts.of(np.arange(truth.size) % 40, p, truth[:, None] == np.arange(15))
    exact = [roc_auc_score(truth == code, p[:, code]) for code in range(15)]
    record_figure("difference", np.abs(counts.auc() - exact).max())
    np.testing.assert_allclose(counts.auc(), exact, atol=1e-12)
    macro, alone = auc_estimates(counts, n_resamples=50)
    assert macro.value == pytest.approx(roc_auc_score(truth, p, multi_class="ovr"), abs=1e-12)
    for estimate, value in zip((macro, *alone), (np.mean(exact), *exact), strict=True):
        bounds = estimate.interval()
        assert estimate.value == pytest.approx(value, abs=1e-12)
        assert bounds.low < estimate.value < bounds.high


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 5e-324, 1e-300, 0.02, 0.5, 1 - 2**-53, 1.0]), st.booleans()),
        min_size=2,
    )
)
def test_scores_that_differ_by_a_bit_are_told_apart_and_ties_count_half(objects):
    score, yes = map(np.array, zip(*objects, strict=True))
    counts = one_question(np.arange(len(score)) % 3, score, yes)
    if yes.all() or not yes.any():
        assert np.isnan(counts.auc()[0])
        return
    assert counts.auc()[0] == pytest.approx(roc_auc_score(yes, score), abs=1e-14)
    assert module._Pairs.of(*counts.dense(0)).auc() == pytest.approx(counts.auc()[0], abs=1e-14)


@pytest.mark.parametrize("spread", [1e-6, 0.3, 4.0, 40.0])
@pytest.mark.parametrize("frequency", [0.5, 0.002])
def test_the_bins_of_the_bootstrap_tell_any_scores_apart(spread, frequency, record_figure):
    rng = np.random.default_rng(3)
    yes = rng.random(60_000) < frequency
    score = expit(spread * (rng.normal(size=yes.size) + 2 * yes))
    counts = one_question(np.arange(yes.size) % 20, score, yes)
    no_of, yes_of = counts.dense(0)
    assert no_of.shape[1] <= N_BINS
    assert (no_of.sum(), yes_of.sum()) == ((~yes).sum(), yes.sum())
    binned = module._Pairs.of(no_of, yes_of).auc()
    record_figure("difference", binned - counts.auc()[0])
    assert abs(binned - counts.auc()[0]) < 1 / (2 * N_BINS)
    # Where densities are nearly flat in a bin the error is of second order: forty times less at least.
    assert frequency < 0.1 or abs(binned - counts.auc()[0]) < 3e-6


def test_a_score_that_most_objects_share_keeps_its_place():
    rng = np.random.default_rng(4)
    yes = rng.random(30_000) < 0.3
    score = np.where(rng.random(yes.size) < 0.9, 0.5, rng.random(yes.size) + 0.05 * yes) / 1.05
    counts = one_question(np.arange(yes.size) % 20, score, yes)
    assert counts.auc()[0] == pytest.approx(roc_auc_score(yes, score), abs=1e-12)
    assert module._Pairs.of(*counts.dense(0)).auc() == pytest.approx(counts.auc()[0], abs=1e-4)


def test_the_interval_is_that_of_unbinned_scores_about_the_exact_value(monkeypatch):
    rng = np.random.default_rng(5)
    yes = rng.random(4000) < 0.4
    counts = one_question(np.arange(4000) % 40, expit(rng.normal(size=4000) + yes), yes)
    exact = auc_estimates(counts, n_resamples=400)[0]  # 4,000 scores have a bin each
    monkeypatch.setattr(module, "N_BINS", 12)
    coarse = auc_estimates(counts, n_resamples=400)[0]
    binned = module._Pairs.of(*counts.dense(0)).auc()
    assert coarse.value == exact.value
    # Twelve bins lose four tenths of a standard error; pivots do not, being taken about the bins' own AUC.
    assert abs(binned - exact.value) > 0.1 * exact.standard_error
    assert coarse.standard_error == pytest.approx(exact.standard_error, rel=0.05)
    assert np.median(coarse.pivots) == pytest.approx(np.median(exact.pivots), abs=0.05)
    for one, other in zip(vars(coarse.interval()).values(), vars(exact.interval()).values(), strict=True):
        assert one == pytest.approx(other, abs=0.15 * exact.standard_error)


def test_scores_that_are_all_equal_are_chance():
    yes = np.arange(60) % 3 == 0
    same = auc_estimates(one_question(np.arange(60), np.full(60, 0.2), yes), n_resamples=50)[0]
    assert same.value == 0.5
    assert (same.interval().low, same.interval().high) == (0.5, 0.5)


def test_one_answer_or_no_object_is_null_with_a_reason():
    mean, (alone,) = auc_estimates(one_question(np.arange(5), np.full(5, 0.2), np.ones(5, bool)))
    assert mean.value is None and alone.value is None
    assert "positive and negative objects are needed" in alone.reason
    nothing, _ = auc_estimates(ScoreCounts.of([], np.empty((0, 2)), np.empty((0, 2), bool)))
    assert nothing.reason == "there are no clusters"
    lonely, _ = auc_estimates(one_question([1, 2, 3], [0.1, 0.5, 0.7], [False, True, False]))
    assert lonely.value == 0.5
    assert lonely.interval() is None
    assert "without cluster 2" in lonely.reason


def test_a_question_without_an_answer_is_left_out_of_the_mean():
    p, truth = forecasts(500, 1.0, n_classes=3)
    yes = (truth[:, None] == np.arange(3)) & [True, True, False]
    mean, alone = auc_estimates(ScoreCounts.of(np.arange(500) % 50, p, yes), n_resamples=100)
    assert alone[2].value is None
    assert mean.value == pytest.approx((alone[0].value + alone[1].value) / 2)


def test_batches_of_any_order_merge_to_the_same():
    p, truth = forecasts(3000, 1.0, n_classes=4)
    cluster, yes = np.arange(3000) % 37 - 5, truth[:, None] == np.arange(4)
    whole = ScoreCounts.of(cluster, p, yes)
    order = np.random.default_rng(4).permutation(3000)
    parts = [ScoreCounts.of(cluster[rows], p[rows], yes[rows]) for rows in np.split(order, [100, 100, 2000])]
    merged = parts[0].merge(*parts[1:])
    for name in ("cluster", "start", "score", "mark", "count"):
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
        ScoreCounts.of([1, 2, 3], np.zeros((2, 1)), np.zeros((2, 1)))
    for wrong in (1.1, -0.1, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            one_question([1], [wrong], [True])
    many = one_question(
        np.arange(MAX_CLUSTERS + 1), np.linspace(0, 1, MAX_CLUSTERS + 1), np.arange(MAX_CLUSTERS + 1) % 2
    )
    with pytest.raises(ValueError, match="put the objects in fewer with clusters_of"):
        auc_estimates(many)
    with pytest.raises(ValueError, match="different questions"):
        many.merge(ScoreCounts.of([1], [[0.1, 0.2]], [[True, False]]))
