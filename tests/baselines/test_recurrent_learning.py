"""What a small Bayesian network learns in seconds: classes, how sure to be, and what it does not know.

The broken curves and the foreign class are nowhere in training, nor anything like them.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skysynergy.baselines.recurrent import Architecture
from skysynergy.baselines.recurrent_classifier import Doubt, RecurrentClassifier
from skysynergy.baselines.recurrent_training import Training
from skysynergy.challenges.broken_curves import BROKEN, broken_curves
from skysynergy.scoring.probabilities import entropy, mutual_information

N_SAMPLES = 6
VISITS = 30


@pytest.fixture(scope="module")
def learned(example):
    """A causal network, cheaper than one with two towers, and its answers."""
    torch.set_num_threads(1)
    classifier = RecurrentClassifier(
        architecture=Architecture(hidden=24, head=24, causal=True),
        doubt=Doubt("ensemble", members=2),
        training=Training(epochs=14, batch=64, learning_rate=1e-2),
        n_samples=N_SAMPLES,
    ).fit(*example.example_curves(1400, 1, visits=VISITS), 4)
    curves, codes = example.example_curves(500, 2, visits=VISITS)
    foreign, _ = example.example_curves(300, 3, visits=VISITS, novel=True)
    broken = broken_curves(curves, np.random.default_rng(4))
    return SimpleNamespace(
        classifier=classifier,
        curves=curves,
        codes=codes,
        p=classifier.predict(curves),
        samples=classifier.samples(curves, N_SAMPLES),
        foreign=foreign,
        broken=broken,
    )


def auroc(low, high):
    """How often one of `high` is above one of `low`."""
    return np.mean(np.asarray(high)[:, None] > np.asarray(low)[None])


def test_it_learns(learned):
    right = np.mean(learned.p.argmax(1) == learned.codes)
    assert right > 0.6
    flat = np.log(4)
    assert -np.log(learned.p[np.arange(len(learned.codes)), learned.codes]).mean() < 0.7 * flat
    for report in learned.classifier.reports:
        assert report.validation_loss[report.best - 1] == min(report.validation_loss)


def test_it_is_as_sure_as_it_is_right(learned):
    top = learned.p.max(1)
    right = learned.p.argmax(1) == learned.codes
    # The temperature is chosen on 280 curves: as uncertain again as the test.
    scatter = np.sqrt((top * (1 - top)).sum()) / len(top)
    assert abs(right.mean() - top.mean()) < 4 * scatter
    # Both of the surer and of the less sure half.
    for half in (top > np.median(top), top <= np.median(top)):
        some = np.sqrt((top * (1 - top))[half].sum()) / half.sum()
        assert abs(right[half].mean() - top[half].mean()) < 5 * some


def test_early_phases_are_answered_with_more_doubt(learned):
    early = learned.curves.until(learned.curves.first_detection() + 1)
    p = learned.classifier.predict(early)
    assert entropy(p).mean() > entropy(learned.p).mean() + 0.1
    assert np.mean(p.argmax(1) == learned.codes) > 0.3


def test_samples_scatter_about_the_prediction(learned):
    mean = learned.samples.mean(0)
    # Draws of the weights are the same; those about them have a variance below 1/4 each.
    assert np.abs(mean - learned.p).mean() < 0.03
    total, between = mutual_information(learned.samples)
    assert (between >= 0).all() and (between <= total + 1e-12).all() and between.mean() > 0.01


def test_a_foreign_class_is_strange(learned):
    known, foreign = (learned.classifier.unknown(c) for c in (learned.curves, learned.foreign))
    assert auroc(known, foreign) > 0.75
    # A known curve is as strange as known curves are: -ln q has a mean of one.
    assert known.mean() == pytest.approx(1, abs=0.35)


def test_samples_disagree_about_a_foreign_class(learned):
    foreign = learned.classifier.samples(learned.foreign, N_SAMPLES)
    assert mutual_information(foreign)[1].mean() > mutual_information(learned.samples)[1].mean()


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_curves_are_answered_with_more_doubt(learned, kind):
    p = learned.classifier.predict(learned.broken[kind])
    difference = entropy(p) - entropy(learned.p)
    error = difference.std() / np.sqrt(len(difference))
    if kind == "reverse":
        # What falls fast and rises slowly looks like another class to some: no less doubt is all there is.
        assert difference.mean() > -3 * error
        assert auroc(*(learned.classifier.unknown(c) for c in (learned.curves, learned.broken[kind]))) > 0.5
    else:
        assert difference.mean() > 5 * error


def test_without_evidence_sines_are_classified_with_confidence(learned):
    # That is why there is evidence: the same network alone is surer of a sine than of a transient.
    alone = replace(learned.classifier, evidence=())
    sine = entropy(alone.predict(learned.broken["sin"])).mean()
    assert sine < entropy(learned.classifier.predict(learned.broken["sin"])).mean() - 0.3
