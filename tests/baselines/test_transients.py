"""The contract, over every baseline of light curves; what they learn is tested elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skysynergy.baselines.baseline import BASELINES, Baseline, baseline
from skysynergy.baselines.recurrent_classifier import RecurrentClassifier
from skysynergy.baselines.recurrent_training import Training
from skysynergy.baselines.solve import solve
from skysynergy.challenges.challenge import load
from skysynergy.challenges.submissions import read_submission
from skysynergy.challenges.transient_submission import PROBABILITIES, probabilities_of, samples_of

NAMES = list(BASELINES["transients"])


def quick(name) -> Baseline:
    """A baseline with little patience: an epoch, few members and samples."""
    found = baseline("transients", name)
    if isinstance(found.classifier, RecurrentClassifier):
        doubt = replace(found.classifier.doubt, members=2)
        short = replace(found.classifier, training=Training(epochs=1), doubt=doubt)
        return replace(found, classifier=short, n_samples=2)
    return found


@pytest.fixture
def challenge(little_transients):
    return load("transients")


@pytest.fixture
def curves(challenge):
    return next(challenge.given())


def columns(one, curves):
    return {"id": curves.id, **one.predict(curves)}


@pytest.mark.parametrize("name", NAMES)
class TestEvery:
    def test_it_is_known_by_its_name(self, name):
        found = baseline("transients", name)
        assert isinstance(found, Baseline) and found.name == name and found.learns

    def test_it_solves_a_split(self, name, challenge, tmp_path):
        one = quick(name)
        out = solve(challenge, one, out=tmp_path / "p.parquet")
        stored = read_submission(out)
        assert stored.metadata == challenge.metadata("tiny", "validation")
        card = challenge.score(out, n_resamples=20)
        assert {metric.name for metric in card.metrics} >= {"log_loss", "auc_macro", "ece_debiased"}
        sampled = samples_of(stored.columns)
        assert (0 if sampled is None else len(sampled)) == one.n_samples
        if sampled is not None:
            np.testing.assert_allclose(sampled.mean(axis=0), probabilities_of(stored.columns), atol=1e-6)

    def test_what_is_learned_can_be_kept(self, name, challenge, curves, tmp_path):
        fitted = quick(name).fit(challenge.examples())
        fitted.save(tmp_path / "saved")
        again = replace(type(fitted).load(tmp_path / "saved"), n_samples=fitted.n_samples)
        first, second = fitted.predict(curves), again.predict(curves)
        for column in PROBABILITIES:
            np.testing.assert_allclose(second[column], first[column], atol=1e-6)

    def test_it_never_looks_at_the_id(self, name, challenge, curves):
        fitted = quick(name).fit(challenge.examples())
        other = replace(curves, id=curves.id[::-1].copy())
        for column, values in fitted.predict(curves).items():
            np.testing.assert_array_equal(fitted.predict(other)[column], values)
            break

    def test_nothing_to_learn_from(self, name):
        with pytest.raises(ValueError, match="no light curves to learn from"):
            baseline("transients", name).fit([])

    def test_before_it_has_learned(self, name, curves):
        with pytest.raises(ValueError, match="fit it first"):
            baseline("transients", name).predict(curves)
