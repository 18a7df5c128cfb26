"""Bayes by Backprop: a normal distribution for each weight (Blundell et al. 2015, arXiv:1505.05424).

The loss of a batch is its negative log-likelihood, averaged over objects, plus the divergence from the prior
over the number of objects that are learned from. The divergence belongs to the weights, so it counts once,
however many steps a sequence has. It is large at first: let its weight rise from zero (`warm_up`), or the
network settles at the prior and learns nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .posterior import Posterior, Weights, normal_like

__all__ = ["Prior", "Variational", "gaussian_kl", "warm_up"]


@dataclass(frozen=True)
class Prior:
    """What is believed of weights beforehand.

    Attributes:
        kind: "gaussian": normal with the scatter `sigma`. "empirical": normal with a scatter for each
            tensor of weights, the one that suits it best (type-II maximum likelihood, in closed form); it
            draws weights to zero harder than the first, tensor by tensor.
            "mixture": of two normal distributions for each weight apart, `share` of it with the scatter
            `sigma`, the rest with `narrow`, as Blundell et al. have it.
        sigma, narrow, share: see above; our choice. A unit that reads some tens of others starts with weights
            of about 0.2, one over the root of their number.
    """

    kind: Literal["gaussian", "empirical", "mixture"] = "gaussian"
    sigma: float = 0.2
    narrow: float = math.exp(-6)
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in ("gaussian", "empirical", "mixture"):
            raise ValueError(f"a prior is 'gaussian', 'empirical' or a 'mixture', not {self.kind!r}")
        if not (self.sigma > 0 and self.narrow > 0 and 0 < self.share < 1):
            raise ValueError("scatters of a prior are above zero, and the share is between zero and one")


class Variational(Posterior):
    """Independent normal distributions over the weights of a network.

    Arguments:
        network: whose parameters are where the means start.
        prior: of the weights.
        sigma: where their scatters start; small, or gradients drown in noise. Our choice.
    """

    def __init__(self, network: nn.Module, *, prior: Prior | None = None, sigma: float = 0.02) -> None:
        super().__init__()
        self.prior = prior or Prior()
        self.names = [name for name, _ in network.named_parameters()]
        self.mean = nn.ParameterList([p.detach().clone() for p in network.parameters()])
        start = math.log(math.expm1(sigma))
        self.raw = nn.ParameterList([torch.full_like(p, start) for p in network.parameters()])
        self.network = network.requires_grad_(False)

    def sigmas(self) -> list[Tensor]:
        """The scatter of each weight, tensor by tensor."""
        return [F.softplus(raw) for raw in self.raw]

    def draw(self, generator: torch.Generator | None = None, number: int = 0) -> Weights:
        del number
        return {
            name: mean + F.softplus(raw) * normal_like(mean, generator)
            for name, mean, raw in zip(self.names, self.mean, self.raw, strict=True)
        }

    def centre(self, number: int = 0) -> Weights:
        del number
        return dict(zip(self.names, self.mean, strict=True))

    def kl(self, weights: Weights) -> Tensor:
        total = torch.zeros((), device=self.mean[0].device)
        for name, mean, sigma in zip(self.names, self.mean, self.sigmas(), strict=True):
            if self.prior.kind == "mixture":
                total = total + _mixture_kl(weights[name], mean, sigma, self.prior)
            elif self.prior.kind == "empirical":
                scale = (mean.square() + sigma.square()).mean().sqrt()
                total = total + gaussian_kl(mean, sigma, scale)
            else:
                total = total + gaussian_kl(mean, sigma, torch.as_tensor(self.prior.sigma).to(mean))
        return total


def gaussian_kl(mean: Tensor, sigma: Tensor, prior_sigma: Tensor) -> Tensor:
    """KL(N(mean, sigma²) || N(0, prior_sigma²)) in nats, summed over all elements."""
    ratio = (mean.square() + sigma.square()) / prior_sigma.square()
    return (torch.log(prior_sigma / sigma) + (ratio - 1) / 2).sum()


def _mixture_kl(weights: Tensor, mean: Tensor, sigma: Tensor, prior: Prior) -> Tensor:
    """ln q(w) - ln p(w) of a draw, summed over weights: its mean over draws is the divergence.

    Each weight has a mixture of its own. The mixture of the joint densities of all weights is another prior,
    in which all are wide together or narrow together.
    """
    wide = _log_normal(weights, prior.sigma) + math.log(prior.share)
    narrow = _log_normal(weights, prior.narrow) + math.log(1 - prior.share)
    posterior = -((weights - mean) / sigma).square() / 2 - torch.log(sigma) - math.log(2 * math.pi) / 2
    return (posterior - torch.logaddexp(wide, narrow)).sum()


def _log_normal(x: Tensor, sigma: float) -> Tensor:
    return -(x / sigma).square() / 2 - math.log(sigma) - math.log(2 * math.pi) / 2


def warm_up(progress: float, end: float) -> float:
    """The weight of the divergence: from 0 at the start of training to 1 at `end`, a share of it.

    Examples:
        >>> [warm_up(progress, 0.5) for progress in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 0.5, 1.0, 1.0]
    """
    return min(progress / end, 1.0) if end > 0 else 1.0
