"""Scores of classification: scikit-learn as oracle, a population whose truth is known, streaming."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)
from skysynergy.scoring.classification import classification_estimates, classification_scorecard, early_curves
from skysynergy.scoring.classification_sums import (
    ClassificationSums,
    classification_groups,
    classification_sums,
)
from skysynergy.scoring.probabilities import clusters_of, entropy, mutual_information
from skysynergy.scoring.scorecard import Scorecard

CARD = {"track": "full", "tier": "tiny", "split": "validation", "entry": "test"}
WEIGHTS, RATES = np.array([1.0, 2.0, 1.0, 1.0, 2.0]), np.array([10.0, 3.0, 1.0, 0.5, 0.1])
FEW = {"n_resamples": 60}


@pytest.fixture(scope="module")
def data():
    """2,000 objects of five classes and some of none of them, with samples."""
    rng = np.random.default_rng(8)
    truth = rng.choice(5, size=2000, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    logits = rng.normal(0, 1, size=(2000, 5))
    logits[np.arange(2000), truth] += 1.5
    truth[rng.random(2000) < 0.1] = -1
    samples = softmax(logits + rng.normal(0, 0.7, size=(8, 2000, 5)), axis=2)
    return {
        "cluster": clusters_of(np.arange(2000), 40),
        "probabilities": samples.mean(axis=0),
        "truth": truth,
        "samples": samples,
    }


def values_of(sums, **options):
    found = classification_estimates(sums, weights=WEIGHTS, rates=RATES, **(FEW | options))
    return {name: estimate.value for name, estimate in found.items()}


def test_the_values_are_those_of_scikit_learn(data):
    sums = classification_sums(**data, positive=0)
    values = values_of(sums)
    known = data["truth"] >= 0
    p, truth = data["probabilities"][known], data["truth"][known]
    guess, share = p.argmax(axis=1), np.bincount(truth)
    expected = {
        "log_loss": log_loss(truth, p),
        "log_loss_flat": log_loss(truth, p, sample_weight=1 / share[truth]),
        "log_loss_plasticc": log_loss(truth, p, sample_weight=(WEIGHTS / share)[truth]),
        "accuracy": accuracy_score(truth, guess),
        "accuracy_balanced": balanced_accuracy_score(truth, guess),
        "accuracy_rate_weighted": accuracy_score(truth, guess, sample_weight=(RATES / share)[truth]),
        "efficiency": recall_score(truth == 0, guess == 0),
        "purity": precision_score(truth == 0, guess == 0),
        "accuracy_binary": balanced_accuracy_score(truth == 0, guess == 0),
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=1e-12), name
    assert values["auc_macro"] == pytest.approx(roc_auc_score(truth, p, multi_class="ovr"), abs=1e-12)
    total, disagreement = mutual_information(data["samples"])
    assert values["ood_auroc"] == pytest.approx(roc_auc_score(~known, disagreement), abs=1e-12)
    assert values["ood_auroc_entropy"] == pytest.approx(roc_auc_score(~known, total), abs=1e-12)


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_the_selection_at_a_threshold_follows_the_published_formula(data, threshold):
    values = values_of(classification_sums(**data, positive=1, threshold=threshold), ranks=False)
    known = data["truth"] >= 0
    selected, mine = (data["probabilities"][:, 1] >= threshold)[known], (data["truth"] == 1)[known]
    tp, fp = (selected & mine).sum(), (selected & ~mine).sum()
    assert values["efficiency"] == pytest.approx(tp / mine.sum())
    assert values["purity"] == pytest.approx(tp / (tp + fp))
    assert values["figure_of_merit"] == pytest.approx(tp / mine.sum() * tp / (tp + 3 * fp))


def test_the_plasticc_loss_by_hand_with_a_class_that_has_no_objects():
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.0, 1.0, 0.0]])
    sums = classification_sums([0, 1, 2], p, [0, 1, 0])
    found = classification_estimates(sums, weights=[1, 2, 5], **FEW)
    # Class 2 has no objects; a probability of zero costs as much as 1e-15.
    expected = (1 * (-np.log(0.5) - np.log(1e-15)) / 2 + 2 * -np.log(0.8)) / 3
    assert found["log_loss_plasticc"].value == pytest.approx(expected, rel=1e-12)
    assert "all objects of class 1 are in one cluster" in found["log_loss_plasticc"].reason


def test_objects_out_of_distribution_count_in_their_auroc_only(data):
    rows = data["truth"] >= 0
    inside = classification_sums(data["cluster"][rows], data["probabilities"][rows], data["truth"][rows])
    whole = classification_sums(data["cluster"], data["probabilities"], data["truth"])
    a, b = values_of(inside), values_of(whole)
    assert {name for name in a if a[name] != b[name]} == {"ood_auroc"}
    reason = classification_estimates(inside, **FEW)["ood_auroc"].reason
    assert reason == "objects in and out of distribution are needed"


@settings(max_examples=10)
@given(st.permutations(range(5)), st.integers(0, 2**32 - 1))
def test_batches_of_any_order_merge_to_the_same_scores(pieces, seed):
    rng = np.random.default_rng(1)
    p, truth = rng.dirichlet(np.ones(3), size=150), rng.integers(-1, 3, size=150)
    cluster = clusters_of(np.arange(150), 30)
    broken = {"sin": rng.dirichlet(np.ones(3), size=150)}
    whole = classification_sums(cluster, p, truth, broken=broken, positive=0)
    order = np.random.default_rng(seed).permutation(150)
    parts = [
        classification_sums(cluster[r], p[r], truth[r], broken={"sin": broken["sin"][r]}, positive=0)
        for r in (order[piece::5] for piece in pieces)
    ]
    merged = parts[0].merge(*parts[1:])
    a = classification_estimates(whole, n_resamples=30)
    b = classification_estimates(merged, n_resamples=30)
    assert list(a) == list(b)
    for name in a:
        assert b[name].value == pytest.approx(a[name].value, abs=1e-12), name
        ends = [(x.low, x.high) if x else None for x in (a[name].interval(), b[name].interval())]
        assert ends[1] == (pytest.approx(ends[0], abs=1e-9) if ends[0] else None), name


def test_sums_of_different_questions_are_not_merged(data):
    one = classification_sums(**data, positive=0)
    for other in (
        classification_sums(**data, positive=1),
        classification_sums(**(data | {"samples": None}), positive=0),
    ):
        with pytest.raises(ValueError, match="cannot be merged"):
            one.merge(other)


def test_the_size_of_sums_grows_with_distinct_scores_alone():
    def size(n):
        forecasts = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
        sums = classification_sums(np.arange(n) % 4, forecasts[np.arange(n) % 2], np.arange(n) % 3)
        values = [getattr(sums, part).values.size for part in ("counts", "calibration", "shifts")]
        return sum(values) + sums.ranks.count.size + sums.novelty.count.size

    assert size(120) == size(12_000)


# A population of six forecasts of three classes, equally frequent, and how often each class is true.
FORECASTS = np.array([[8, 1, 1], [5, 4, 1], [2, 6, 2], [1, 8, 1], [1, 3, 6], [3, 2, 5]]) / 10
TRUTHS = np.array([[7, 2, 1], [5, 3, 2], [3, 6, 1], [1, 7, 2], [2, 2, 6], [4, 2, 4]]) / 10


def truth_of_the_population():
    w = TRUTHS / 6
    p_of = w.sum(axis=0)
    right = np.array([w[FORECASTS.argmax(axis=1) == c, c].sum() for c in range(3)])
    brier = (w[:, :, None] * (FORECASTS[:, None] - np.eye(3)) ** 2).sum()
    aucs, reliability = [], 0.0
    for c in range(3):
        p = FORECASTS[:, c]
        order = (p[:, None] > p) + 0.5 * (p[:, None] == p)
        aucs.append(w[:, c] @ order @ (1 / 6 - w[:, c]) / p_of[c] / (1 - p_of[c]))
        place = np.floor(15 * p + 1e-9)
        for b in np.unique(place):
            mine = place == b
            reliability += ((p - TRUTHS[:, c])[mine].sum() / 6) ** 2 / (mine.sum() / 6)
    uncertainty = (p_of * (1 - p_of)).sum()
    return {
        "log_loss": -(w * np.log(FORECASTS)).sum(),
        "log_loss_flat": -((w * np.log(FORECASTS)).sum(axis=0) / p_of).mean(),
        "accuracy_balanced": (right / p_of).mean(),
        "efficiency": right[0] / p_of[0],
        "purity": right[0] / (2 / 6),
        "auc_macro": np.mean(aucs),
        "brier": brier,
        "brier_reliability": reliability,
        "brier_resolution": reliability + uncertainty - brier,
        "brier_uncertainty": uncertainty,
        "ece_classwise_debiased": np.sqrt(reliability / 3),
    }


def test_the_intervals_hold_the_truth_of_a_known_population(record_figure):
    rng = np.random.default_rng(11)
    truth = truth_of_the_population()
    held, values, n_trials = dict.fromkeys(truth, 0), {name: [] for name in truth}, 100
    for _ in range(n_trials):
        kind = rng.integers(6, size=360)
        classes = (rng.random((360, 1)) > TRUTHS[kind].cumsum(axis=1)[:, :-1]).sum(axis=1)
        sums = classification_sums(np.arange(360) % 60, FORECASTS[kind], classes, positive=0)
        found = classification_estimates(sums, n_resamples=200)
        for name, value in truth.items():
            bounds = found[name].interval(0.95)
            held[name] += bounds.low <= value <= bounds.high
            values[name].append(found[name].value)
    for name, value in truth.items():
        record_figure(name, held[name] / n_trials)
        # 95 % of 100 trials, within three binomial errors; the squares near zero may cover more.
        assert held[name] / n_trials >= 0.88, name
        if name != "ece_classwise_debiased":
            mean, scatter = np.mean(values[name]), np.std(values[name]) / np.sqrt(n_trials)
            assert abs(mean - value) < 4 * scatter, name


def test_entropy_shifts_are_means_of_differences():
    p = np.eye(3)[np.arange(90) % 3]
    broken = {"random": np.full((90, 3), 1 / 3), "reverse": p[::-1]}
    sums = classification_sums(np.arange(90) % 30, p, np.arange(90) % 3, broken=broken)
    found = classification_estimates(sums, **FEW)
    assert found["entropy_shift_random"].value == pytest.approx(np.log(3))
    assert found["entropy_shift_reverse"].value == 0
    card = classification_scorecard(sums, **CARD, **FEW)
    assert card["entropy_shift_random"].met is True
    assert card["entropy_shift_random"].requirement == 0


def test_groups_split_the_objects_by_property(data):
    redshift = np.linspace(0, 1.2, 2000)
    redshift[5] = np.nan
    kept = {name: data[name] for name in ("cluster", "probabilities", "truth", "samples")}
    groups = classification_groups(
        **kept, by={"redshift": (redshift, [0, 0.4, 1.2]), "snr": (redshift, [5, 10])}, positive=0
    )
    assert [(by, ends) for by, ends, _ in groups] == [
        ("redshift", (0, 0.4)),
        ("redshift", (0.4, 1.2)),
        ("snr", (5, 10)),
    ]
    counted = [sums.shifts.total()["n"] for _, _, sums in groups]
    known = (data["truth"] >= 0) & np.isfinite(redshift)
    assert counted == [(known & (redshift < 0.4)).sum(), (known & (redshift >= 0.4)).sum(), 0]
    rows = np.flatnonzero(redshift >= 0.4)
    alone = {name: array[:, rows] if name == "samples" else array[rows] for name, array in kept.items()}
    assert values_of(groups[1][2]) == pytest.approx(
        values_of(classification_sums(**alone, positive=0)), abs=1e-12
    )
    with pytest.raises(ValueError, match="edges of 'redshift'"):
        classification_groups(**kept, by={"redshift": (redshift, [1, 0])})
    with pytest.raises(ValueError, match="the property 'snr' has shape"):
        classification_groups(**kept, by={"snr": (redshift[1:], [0, 1])})


def test_the_scorecard_is_whole_and_survives_json(data):
    sums = classification_sums(**data, positive=0)
    small = classification_sums(
        **{n: a[:, :90] if n == "samples" else a[:90] for n, a in data.items()}, positive=0
    )
    card = classification_scorecard(
        sums,
        weights=WEIGHTS,
        rates=RATES,
        groups=[("phase", (-2, -2), small)],
        provenance={"code": "x"},
        **CARD,
        **FEW,
    )
    assert Scorecard.from_json(card.to_json()) == card
    assert card.challenge == "transients"
    for metric in card.metrics:
        assert metric.value is not None, metric.name
        assert (metric.low is None) == (metric.name in ("ece", "ece_classwise")), metric.name
        if metric.low is not None:
            assert metric.low <= metric.value <= metric.high, metric.name
    parts = [card[f"brier_{part}"].value for part in ("reliability", "resolution", "uncertainty")]
    assert abs(parts[0] - parts[1] + parts[2] - card["brier"].value) < 1e-12
    assert card["ece_debiased"].requirement == 0.02
    assert [m.name for m in card.groups[0].metrics] == [
        m.name for m in card.metrics if not m.name.startswith(("auc", "ood"))
    ]
    wide = classification_scorecard(sums, level=0.95, requirements={"accuracy": 0.99}, **CARD, **FEW)
    assert wide["accuracy"].high - wide["accuracy"].low > card["accuracy"].high - card["accuracy"].low
    assert wide["accuracy"].met is False
    with pytest.raises(ValueError, match="no metric is called acuracy"):
        classification_scorecard(sums, requirements={"acuracy": 0.9}, **CARD)


def test_what_was_not_given_and_what_is_not_there_is_null_with_a_reason(data):
    plain = classification_scorecard(
        classification_sums(data["cluster"], data["probabilities"], data["truth"]), **CARD, **FEW
    )
    assert plain["log_loss_plasticc"].reason == "no weights of classes were given"
    assert plain["accuracy_rate_weighted"].reason == "no rates of classes were given"
    assert plain["purity"].reason == "no class was named to be selected"
    empty = classification_scorecard(classification_sums([], np.empty((0, 4)), [], positive=1), **CARD)
    assert all(metric.value is None and metric.reason == "there are no objects" for metric in empty.metrics)
    outside = classification_scorecard(
        classification_sums([1, 2], np.full((2, 2), 0.5), [-1, -1], positive=1), **CARD
    )
    for metric in outside.metrics:
        reason = "all objects are of classes that are not predicted"
        if metric.name == "ood_auroc":
            reason = "objects in and out of distribution are needed"
        assert (metric.value, metric.reason) == (None, reason), metric.name
    unselected = classification_scorecard(
        classification_sums(np.arange(30), np.tile([0.8, 0.2], (30, 1)), np.arange(30) % 2, positive=1),
        **CARD,
        **FEW,
    )
    assert unselected["purity"].reason == "no object was selected"
    assert (unselected["efficiency"].value, unselected["efficiency"].low) == (0, None)
    assert "there is no scatter" in unselected["efficiency"].reason


def test_sure_and_right_is_perfect():
    truth = np.arange(120) % 3
    card = classification_scorecard(
        classification_sums(np.arange(120) % 40, np.eye(3)[truth], truth, positive=0), **CARD, **FEW
    )
    for name, value in {
        "log_loss": 0,
        "brier": 0,
        "ece_debiased": 0,
        "accuracy": 1,
        "auc_macro": 1,
        "figure_of_merit": 1,
    }.items():
        assert card[name].value == value, name
    assert card["ece_debiased"].met is True


def test_early_curves_follow_the_phase():
    rng = np.random.default_rng(9)
    truth, noise = rng.integers(3, size=600), rng.normal(size=(600, 3))
    by_phase: dict[float, ClassificationSums] = {}
    for phase, signal in ((10.0, 3.0), (-2.0, 0.5), (0.0, 1.5)):
        logits = noise + signal * np.eye(3)[truth]
        by_phase[phase] = classification_sums(
            clusters_of(np.arange(600), 50), softmax(logits, axis=1), truth, positive=0
        )
    curves = early_curves(by_phase, n_resamples=100)
    assert curves["accuracy"].phase.tolist() == [-2, 0, 10]
    assert (np.diff(curves["accuracy"].value) > 0.1).all()
    assert (np.diff(curves["log_loss"].value) < -0.1).all()
    for curve in curves.values():
        assert (curve.low < curve.value).all() and (curve.value < curve.high).all()
    with pytest.raises(ValueError, match="no metric is called speed"):
        early_curves(by_phase, ["speed"], n_resamples=100)


def test_the_mean_of_samples_is_what_is_scored_where_nothing_else_is_given(data):
    given = classification_sums(**data)
    mean = classification_sums(**(data | {"probabilities": None}))
    np.testing.assert_allclose(mean.counts.values, given.counts.values, rtol=1e-12)
    assert given.novelty_scores == ("mutual_information", "entropy")
    assert entropy(data["probabilities"]).max() <= np.log(5)


def test_wrong_options_are_named_together(data):
    sums = classification_sums(data["cluster"], data["probabilities"], data["truth"])
    with pytest.raises(ValueError, match=r"weights have shape \(3,\).*; rates are finite, not negative"):
        classification_estimates(sums, weights=[1, 2, 3], rates=[1, 1, -1, 1, 1])
    with pytest.raises(ValueError, match="there is no class 5 to select"):
        classification_sums(data["cluster"], data["probabilities"], data["truth"], positive=5)
    with pytest.raises(ValueError, match=r"between 0 and 1, not at 50"):
        classification_sums(data["cluster"], data["probabilities"], data["truth"], positive=0, threshold=50)
    with pytest.raises(ValueError, match="2 problems"):
        classification_sums(data["cluster"][1:], 2 * data["probabilities"], data["truth"])


def test_reasons_call_classes_by_name():
    p = np.full((30, 3), 1 / 3)
    sums = classification_sums(np.arange(30) % 10, p, np.where(np.arange(30) == 4, 1, 2), positive=0)
    options = {"classes": ("Ia", "KN", "AGN"), **FEW}
    found = classification_estimates(sums, **options)
    assert found["efficiency"].reason == "there are no objects of class Ia"
    assert "all objects of class KN are in one cluster" in found["accuracy_balanced"].reason
    only = classification_sums(np.arange(30) % 10, p, np.full(30, 2), positive=2)
    assert classification_estimates(only, **options)["accuracy_binary"].reason == (
        "there are no objects but those of class AGN"
    )
    assert classification_estimates(sums, **FEW)["efficiency"].reason == "there are no objects of class 0"
    with pytest.raises(ValueError, match="there are 3 classes, but 2 names of them"):
        classification_estimates(sums, classes=["Ia", "KN"])
