"""The recurrent network: what padding and later rows must not change; the stream against the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skysynergy.baselines.light_curve_inputs import layout, sequence_inputs
from skysynergy.baselines.recurrent import Architecture, RecurrentNetwork
from skysynergy.baselines.recurrent_classifier import Doubt, RecurrentClassifier
from skysynergy.baselines.recurrent_stream import Observation, RecurrentStream
from skysynergy.baselines.recurrent_training import Training, batches, cut_at_random, outputs, split, train


@pytest.fixture(scope="module")
def few(example):
    return example.example_curves(60, 0, visits=15)


def small(**more):
    return Architecture(hidden=6, head=5, **more)


QUICK = Training(epochs=2, batch=16, validation=0.2)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_padding_and_company_change_nothing(few, cell, causal, layers):
    torch.manual_seed(0)
    network = RecurrentNetwork(small(cell=cell, causal=causal, layers=layers), 3).eval()
    inputs = sequence_inputs(few[0])
    which = np.arange(8)
    rows, size = inputs.padded(which)
    static = torch.from_numpy(inputs.static[which])
    together = network(torch.from_numpy(rows), torch.from_numpy(size), static)
    # Neither the company nor what lies in the padding.
    filled = rows + 7 * (np.arange(rows.shape[1]) >= size[:, None])[..., None].astype(np.float32)
    other = network(torch.from_numpy(filled), torch.from_numpy(size), static)
    for name in ("logits", "features", "surprise", "forecast"):
        torch.testing.assert_close(getattr(other, name), getattr(together, name), atol=1e-5, rtol=1e-5)
    for k in which:
        own, length = inputs.padded(which[k : k + 1])
        alone = network(torch.from_numpy(own), torch.from_numpy(length), static[k : k + 1])
        torch.testing.assert_close(alone.logits[0], together.logits[k], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone.features[0], together.features[k], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone.surprise[0], together.surprise[k], atol=1e-5, rtol=1e-5)


def test_only_the_causal_network_goes_on(few):
    torch.manual_seed(0)
    inputs = sequence_inputs(few[0])
    rows, size = (torch.from_numpy(one) for one in inputs.padded(np.array([0])))
    static = torch.from_numpy(inputs.static[:1])
    causal = RecurrentNetwork(small(causal=True), 3)
    half = int(size[0]) // 2
    first = causal(rows[:, :half], torch.tensor([half]), static)
    then = causal(rows[:, half:], size - half, static, first.reading)
    torch.testing.assert_close(then.logits, causal(rows, size, static).logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(then.features, causal(rows, size, static).features, atol=1e-5, rtol=1e-5)
    both = RecurrentNetwork(small(), 3)
    with pytest.raises(ValueError, match="use a causal one"):
        both(rows, size, static, both(rows, size, static).reading)


def test_the_forecast_is_a_density():
    # What the fluxes of a row are foretold to be must not follow from these fluxes.
    torch.manual_seed(0)
    columns = layout("observation")
    network = RecurrentNetwork(small(per="observation", causal=True), 3).forwards
    static = torch.zeros(1, 9)
    grid = torch.linspace(-60, 60, 40001)
    rows = torch.zeros(len(grid), 1, columns.n_columns)
    rows[:, 0, columns.error[0]], rows[:, 0, 0], rows[:, 0, 1] = -0.2, grid, 3 * grid
    density = torch.exp(
        -network.read(
            network.begin(static.expand(len(grid), -1)), rows, torch.ones(len(grid), dtype=torch.int64)
        ).nll
    )
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", ["dropout", "variational", "ensemble"])
@pytest.mark.parametrize("per", ["night", "observation"])
def test_the_stream_says_what_the_batch_says(few, kind, per):
    curves, codes = few
    classifier = RecurrentClassifier(
        architecture=small(per=per, causal=True), doubt=Doubt(kind, members=2), training=QUICK, n_samples=3
    ).fit(curves, codes, 4)
    stream = RecurrentStream(classifier)
    for k in range(3):
        one = curves.select([k])
        state = stream.begin(one)
        first = one.first_detection()[0]
        for m in range(int(one.row_size[0])):
            seen = Observation(
                *(getattr(one, name)[m].item() for name in ("mjd", "band", "flux", "error", "detected"))
            )
            state, p = stream.step(state, seen)
            if seen.mjd >= first and m % 5 == k:
                so_far = one.keep(np.arange(one.mjd.size) <= m)
                np.testing.assert_allclose(p, classifier.predict(so_far)[0], atol=1e-5)
        np.testing.assert_allclose(p, classifier.predict(one)[0], atol=1e-5)


def test_a_stream_needs_what_it_needs(few):
    curves, codes = few
    causal = RecurrentClassifier(architecture=small(causal=True), doubt=Doubt("dropout"), training=QUICK)
    with pytest.raises(ValueError, match=r"causal network: fit with Architecture\(causal=True\)"):
        RecurrentStream(replace(causal, architecture=small()))
    with pytest.raises(ValueError, match="learned nothing yet"):
        RecurrentStream(causal)
    stream = RecurrentStream(causal.fit(curves, codes, 4))
    with pytest.raises(ValueError, match="one transient, not 2"):
        stream.begin(curves.select([0, 1]))
    state, p = stream.step(stream.begin(curves.select([0])), Observation(60010.0, 2, 5.0, 10.0, False))
    assert p.sum() == pytest.approx(1)
    assert stream.step(state, Observation(60011.0, 14, 900.0, 10.0, True))[0] is state
    with pytest.raises(ValueError, match="give them in order of time"):
        stream.step(state, Observation(60009.0, 2, 5.0, 10.0, False))


@pytest.mark.parametrize("kind", ["dropout", "variational", "ensemble"])
def test_what_is_saved_is_what_is_loaded(few, kind, tmp_path):
    curves, codes = few
    settings = RecurrentClassifier(
        architecture=small(), doubt=Doubt(kind, members=2), training=QUICK, n_samples=3
    )
    fitted = settings.fit(curves, codes, 4)
    fitted.save(tmp_path / "network.npz")
    loaded = RecurrentClassifier.load(tmp_path / "network.npz")
    assert np.array_equal(loaded.samples(curves, 3), fitted.samples(curves, 3))
    assert loaded.reports == fitted.reports and loaded.doubt == fitted.doubt
    # Also from a seed, in a process that drew other numbers in between.
    torch.rand(3)
    again = settings.fit(curves, codes, 4)
    assert np.array_equal(again.predict(curves), fitted.predict(curves))
    drawn = fitted.samples(curves, 4)
    assert drawn.shape == (4, len(curves), 4) and np.allclose(drawn.sum(2), 1)
    (tmp_path / "other.npz").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match="holds no saved RecurrentClassifier"):
        RecurrentClassifier.load(tmp_path / "other.npz")


def test_mistakes_are_told(few):
    curves, codes = few
    blank = RecurrentClassifier(architecture=small(), training=QUICK)
    with pytest.raises(ValueError, match="learned nothing yet: fit it first"):
        blank.predict(curves)
    with pytest.raises(ValueError, match="need as many classes"):
        blank.fit(curves, codes[:-1], 4)
    with pytest.raises(ValueError, match="codes from 0 to 1"):
        blank.fit(curves, codes, 2)
    with pytest.raises(ValueError, match="1 objects are too few"):
        blank.fit(curves.select([0]), codes[:1], 4)
    for wrong, words in (
        (lambda: Architecture(cell="rnn"), "not 'rnn'"),
        (lambda: Architecture(hidden=0), "one unit"),
        (lambda: Doubt("vague"), "not 'vague'"),
        (lambda: Training(validation=0.0), "between 0 and 1"),
        (lambda: Training(cpu_seconds=0.0), "CPU-seconds"),
        (lambda: Training(epochs=0), "one epoch"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong()


def test_a_curve_without_a_detection_is_answered(few):
    curves, codes = few
    fitted = RecurrentClassifier(
        architecture=small(), doubt=Doubt("dropout"), training=QUICK, n_samples=2
    ).fit(curves, codes, 4)
    none = curves.until(np.full(len(curves), 0.0))
    assert np.allclose(fitted.predict(none).sum(1), 1)


def test_the_time_that_was_given_is_kept(few):
    curves, codes = few
    inputs = sequence_inputs(curves)
    posterior = Doubt("ensemble", members=2).posterior(small(), 4, 0)
    reports = train(posterior, inputs, codes, replace(QUICK, epochs=100000, patience=10**6, cpu_seconds=1.0))
    assert [report.stopped for report in reports] == ["cpu_seconds"] * 2
    assert all(0 < report.seconds_per_epoch < report.cpu_seconds < 0.9 for report in reports)


def test_cuts_lie_between_the_first_detection_and_the_end(few):
    inputs = sequence_inputs(few[0])
    which = np.repeat(np.arange(len(inputs)), 200)
    cut = cut_at_random(inputs, which, 0.0, np.random.default_rng(0))
    assert (cut >= inputs.first[which]).all() and (cut <= inputs.row_size[which]).all()
    for k in range(3):
        assert set(cut[which == k]) == set(range(inputs.first[k], inputs.row_size[k] + 1))
    assert (cut_at_random(inputs, which, 1.0, np.random.default_rng(0)) == inputs.row_size[which]).all()


def test_batches_hold_everyone_once_and_little_padding():
    size = np.random.default_rng(0).integers(1, 100, 1000)
    which = np.arange(1000)
    for rng in (None, np.random.default_rng(1)):
        parts = list(batches(which, size, 32, rng))
        assert np.array_equal(np.sort(np.concatenate(parts)), which)
        padded = sum(len(part) * size[part].max() for part in parts)
        assert padded < 1.15 * size.sum()
    learn, apart = split(1000, 0.1, 0)
    assert len(apart) == 100 and np.array_equal(np.sort(np.concatenate([learn, apart])), which)


def test_draws_do_not_depend_on_batches(few):
    inputs = sequence_inputs(few[0])
    posterior = Doubt("dropout").posterior(small(), 4, 0)
    which, weights = np.arange(len(inputs)), posterior.draws(2, torch.Generator().manual_seed(0))
    found = []
    for batch in (7, 60):
        logits = np.empty((len(which), 4))
        for place, made in outputs(posterior, weights, inputs, which, inputs.row_size, batch=batch):
            logits[place] = made[1].logits.numpy()
        found.append(logits)
    np.testing.assert_allclose(*found, atol=1e-5)
