"""Distributions over weights, against closed forms and integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from skysynergy.baselines.bayes.dropout import Dropout
from skysynergy.baselines.bayes.ensemble import Ensemble, ensemble_of
from skysynergy.baselines.bayes.evidence import FULL, ClassDensity, Evidence, Tail, dirichlet
from skysynergy.baselines.bayes.variational import Prior, Variational, gaussian_kl, warm_up
from skysynergy.baselines.temperature import best_temperature, log_loss, tempered
from torch import nn


class Cell(nn.Module):
    """An LSTM and a layer, as small as can be."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.last = nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.lstm(x)[0][:, -1])


def posteriors():
    return {
        "variational": Variational(Cell()),
        "dropout": Dropout(Cell(), rate=0.3),
        "ensemble": ensemble_of(Cell, [0, 1, 2]),
    }


@pytest.fixture(params=["variational", "dropout", "ensemble"])
def posterior(request):
    torch.manual_seed(0)
    return posteriors()[request.param]


def test_a_draw_is_a_full_set_of_weights_that_a_seed_repeats(posterior):
    x = torch.randn(5, 7, 3)
    names = {name for name, _ in posterior.network.named_parameters()}
    one, again = (posterior.draws(4, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(set(weights) == names for weights in one)
    answers = [torch.stack([posterior.run(w, x) for w in draws]) for draws in (one, again)]
    assert torch.equal(*answers)
    assert (answers[0].std(0) > 0).all()
    # One draw serves all objects, in any company.
    alone = torch.cat([posterior.run(one[0], x[k : k + 1]) for k in range(5)])
    torch.testing.assert_close(alone, answers[0][0], atol=1e-6, rtol=0)


def test_gradients_reach_what_is_learned(posterior):
    trained = posterior.member(0) if isinstance(posterior, Ensemble) else posterior
    loss = trained.run(trained.draw(), torch.randn(5, 7, 3)).square().sum()
    loss.backward()
    moving = [p for p in trained.parameters() if p.requires_grad]
    assert moving and all(p.grad is not None and p.grad.abs().sum() > 0 for p in moving)


def test_the_divergence_of_normal_distributions():
    # The same by quadrature.
    for mean, sigma, prior in ((0.3, 0.1, 1.0), (-2.0, 0.7, 0.5), (0.0, 2.0, 2.0)):
        q, p = stats.norm(mean, sigma), stats.norm(0, prior)
        expected, _ = integrate.quad(
            lambda x, q=q, p=p: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), mean - 12 * sigma, mean + 12 * sigma
        )
        found = gaussian_kl(*(torch.tensor([v], dtype=torch.float64) for v in (mean, sigma, prior)))
        assert float(found) == pytest.approx(expected, abs=1e-8)


def test_the_empirical_prior_is_the_best_normal_one():
    torch.manual_seed(1)
    net = nn.Linear(5, 3, bias=False)
    empirical = Variational(net, prior=Prior("empirical"), sigma=0.3)
    least = min(
        Variational(net, prior=Prior("gaussian", sigma=s), sigma=0.3).kl({}).item()
        for s in np.geomspace(0.05, 3, 500)
    )
    assert empirical.kl({}).item() == pytest.approx(least, rel=1e-4)


def test_the_mixture_is_one_of_each_weight():
    prior = Prior("mixture", sigma=1.0, narrow=0.05, share=0.3)
    torch.manual_seed(2)
    posterior = Variational(nn.Linear(6, 1, bias=False), prior=prior, sigma=0.4)
    # The divergence of independent weights is the sum of theirs, each by quadrature.
    expected = 0.0
    for mean in posterior.mean[0].detach().double().flatten().tolist():
        q = stats.norm(mean, 0.4)

        def integrand(x, q=q):
            p = 0.3 * stats.norm.pdf(x, 0, 1.0) + 0.7 * stats.norm.pdf(x, 0, 0.05)
            return q.pdf(x) * (q.logpdf(x) - np.log(p))

        expected += integrate.quad(integrand, mean - 4, mean + 4, points=[0.0], limit=200)[0]
    generator = torch.Generator().manual_seed(5)
    found = [posterior.kl(posterior.draw(generator)).item() for _ in range(1000)]
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / math.sqrt(len(found))


def test_the_divergence_counts_once_however_long_a_sequence_is():
    posterior = Variational(Cell(), prior=Prior("gaussian"))
    assert posterior.kl(posterior.draw()).item() == posterior.kl(posterior.draw()).item()
    assert [warm_up(s, 0.5) for s in (0, 0.25, 0.75)] == [0, 0.5, 1] and warm_up(0.0, 0.0) == 1


def test_variational_inference_finds_the_posterior_of_a_line():
    # y = w x + noise with a normal prior: the posterior of w is known.
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    y = 0.7 * x + rng.normal(size=40)
    precision = 1 + (x**2).sum()
    net = nn.Linear(1, 1, bias=False).double()
    posterior = Variational(net, prior=Prior("gaussian", sigma=1.0), sigma=0.3)
    moving = [p for p in posterior.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(moving, lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    generator = torch.Generator().manual_seed(0)
    tx, ty = torch.from_numpy(x)[:, None], torch.from_numpy(y)[:, None]
    for _ in range(600):
        optimizer.zero_grad()
        weights = posterior.draw(generator)
        loss = (posterior.run(weights, tx) - ty).square().sum() / 2 + posterior.kl(weights)
        loss.backward()
        optimizer.step()
        schedule.step()
    assert posterior.mean[0].item() == pytest.approx(
        (x * y).sum() / precision, abs=0.3 / math.sqrt(precision)
    )
    assert posterior.sigmas()[0].item() == pytest.approx(1 / math.sqrt(precision), rel=0.15)


def test_a_mask_drops_a_unit_for_all_steps_and_gates():
    torch.manual_seed(0)
    posterior = Dropout(Cell(), rate=0.5, drops=lambda name: "weight_hh" in name)
    weights = posterior.draw(torch.Generator().manual_seed(1))
    before, after = posterior.centre()["lstm.weight_hh_l0"], weights["lstm.weight_hh_l0"]
    factor = after / before
    assert torch.allclose(factor, factor[:1].expand_as(factor))
    assert set(factor[0].round(decimals=5).tolist()) == {0.0, 2.0}
    assert torch.equal(weights["last.weight"], posterior.centre()["last.weight"])
    # On average nothing changes.
    draws = [posterior.draw(torch.Generator().manual_seed(k))["lstm.weight_hh_l0"] for k in range(2000)]
    mean = (torch.stack(draws) / before).mean(0)
    assert (mean - 1).abs().max() < 4.5 / math.sqrt(2000)


def test_settings_that_make_no_posterior():
    with pytest.raises(ValueError, match="at least 0 and below 1, not 1"):
        Dropout(Cell(), rate=1.0)
    with pytest.raises(ValueError, match=r"choose among lstm\.weight_ih_l0"):
        Dropout(Cell(), drops=lambda name: False)
    with pytest.raises(ValueError, match="two members or more, not 1"):
        ensemble_of(Cell, [0])
    with pytest.raises(ValueError, match="not 'flat'"):
        Prior("flat")
    with pytest.raises(ValueError, match="above zero"):
        Prior(sigma=0.0)


def cloud(n, rng):
    code = rng.integers(2, size=n)
    return rng.normal(size=(n, 3)) @ np.diag([1.0, 0.5, 2.0]) + 4 * code[:, None], code


@pytest.fixture(scope="module")
def evidence():
    rng = np.random.default_rng(0)
    return Evidence.of(*cloud(4000, rng), cloud(4000, rng)[0], rng.gumbel(size=4000))


def test_known_objects_are_as_strange_as_known_objects_are(evidence):
    rng = np.random.default_rng(1)
    q = np.exp(evidence.log_share(cloud(4000, rng)[0], rng.gumbel(size=4000)))
    for share in (0.01, 0.05, 0.2, 0.5, 0.8):
        # Two draws of 4000: the shares, and the count.
        assert abs((q <= share).mean() - share) < 4 * math.sqrt(2 * share * (1 - share) / 4000)


def test_either_score_tells_what_is_strange(evidence):
    known, far = np.array([[0.0, 0.0, 0.0]]), np.array([[0.0, 15.0, 0.0]])
    assert evidence.evidence(known, np.zeros(1))[0] > FULL / 2
    assert evidence.evidence(far, np.zeros(1))[0] < 1e-2
    assert evidence.evidence(known, np.full(1, 40.0))[0] < 1e-2


def test_a_tail_goes_on_as_an_exponential():
    rng = np.random.default_rng(2)
    tail = Tail.of(rng.exponential(3.0, 20000))
    for score in (0.5, 3.0, 10.0, 60.0):
        assert tail.log_share(np.array([score]))[0] == pytest.approx(-score / 3, rel=0.08, abs=0.03)


def test_density_is_that_of_the_mixture_it_comes_from():
    rng = np.random.default_rng(1)
    x, code = cloud(20000, rng)
    found = ClassDensity.of(x, code).log_density(x)
    parts = [
        stats.multivariate_normal(4 * c * np.ones(3), np.diag([1.0, 0.25, 4.0])).logpdf(x) for c in (0, 1)
    ]
    # Up to a constant, and the floor under the narrow direction.
    assert np.std(found - np.logaddexp(*parts)) < 0.15


def test_where_nothing_is_known_the_prior_is_all_there_is(evidence):
    rng = np.random.default_rng(2)
    p, none = np.tile([0.9, 0.1], (4000, 1)), np.zeros(4000)
    assert evidence.mean_of(p, none)[0] == pytest.approx([0.5, 0.5])
    assert evidence.mean_of(p, none + FULL)[0] == pytest.approx([0.9, 0.1], abs=2e-3)
    drawn = evidence.draw(p, none, rng)
    assert drawn.mean(0) == pytest.approx([0.5, 0.5], abs=4 * 0.36 / math.sqrt(4000))
    # Beta(1/2, 1/2) has a variance of 1/8.
    assert drawn[:, 0].var() == pytest.approx(1 / 8, rel=0.1)
    drawn = evidence.draw(p, none + 49, rng)
    assert drawn[:, 0].mean() == pytest.approx((49 * 0.9 + 0.5) / 50, abs=0.003)


def test_dirichlet_draws_against_numpy():
    rng = np.random.default_rng(3)
    worth = np.array([0.02, 0.5, 3.0])
    ours, theirs = dirichlet(np.tile(worth, (20000, 1)), rng), rng.dirichlet(worth, 20000)
    assert np.isfinite(ours).all() and np.allclose(ours.sum(1), 1)
    for k in range(3):
        assert stats.ks_2samp(ours[:, k], theirs[:, k]).pvalue > 1e-3


def test_a_temperature_undoes_what_made_logits_too_sure():
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(20000, 3))
    p = tempered(logits, 1.0)
    codes = (p.cumsum(1) < rng.random(20000)[:, None]).sum(1)
    assert best_temperature(3 * logits, codes) == pytest.approx(3, rel=0.05)
    assert best_temperature(np.stack([2 * logits] * 2), codes) == pytest.approx(2, rel=0.05)
    assert log_loss(logits, codes) == pytest.approx(-np.log(p[np.arange(20000), codes]).mean())
    with pytest.raises(ValueError, match="keep some apart"):
        best_temperature(logits[:0], codes[:0])


def test_draws_that_repeat_others_are_counted():
    ensemble = ensemble_of(Cell, [1, 2, 3])
    assert ensemble.is_certain and ensemble.n_distinct(8) == 3 and ensemble.n_distinct(2) == 2
    draws = ensemble.draws(5)
    for name, value in draws[0].items():
        assert torch.equal(value, draws[3][name])
        assert value.ndim < 2 or not torch.equal(value, draws[1][name])
    assert Dropout(Cell(), rate=0.1).n_distinct(8) == 8
    assert Ensemble([Dropout(Cell()), Dropout(Cell())]).n_distinct(8) == 8
