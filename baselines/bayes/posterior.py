"""The contract of a posterior: a distribution over the weights of a network.

A draw is a full set of weights. It serves as many objects as one likes, so that samples of different
objects belong together, and a result does not depend on how objects are split into batches. A recurrent
network keeps one draw for all steps of a sequence: to draw anew at each step is another, wrong model, in
which noise averages out along the sequence (Fortunato et al. 2017, arXiv:1704.02798; Gal & Ghahramani 2016,
arXiv:1512.05287).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["Posterior", "Weights"]

Weights = dict[str, Tensor]
"""Name of each parameter of a network, as its `named_parameters` say -> a value for it."""


class Posterior(nn.Module, ABC):
    """A distribution over the weights of `network`, whose parameters are what training moves.

    A posterior may have several centres (members of an ensemble); draw number s belongs to centre
    s modulo their number.

    Attributes:
        network: the module whose weights are drawn; it may keep parameters of its own, or be a mere skeleton.
    """

    network: nn.Module

    @property
    def n_centres(self) -> int:
        return 1

    @property
    def is_certain(self) -> bool:
        """Whether the draws of a centre are all the same."""
        return False

    @abstractmethod
    def draw(self, generator: torch.Generator | None = None, number: int = 0) -> Weights:
        """One draw of all weights.

        Arguments:
            generator: of random numbers on the CPU; torch's own by default.
            number: of the draw, which says what centre it belongs to.
        """

    @abstractmethod
    def centre(self, number: int = 0) -> Weights:
        """The weights without their uncertainty."""

    def kl(self, weights: Weights) -> Tensor:
        """Divergence of this distribution from its prior, nats, for all weights together.

        In closed form, or from the draw `weights`. Zero where a posterior has no prior of its own.
        """
        return torch.zeros((), device=next(iter(weights.values())).device)

    def run(self, weights: Weights, *inputs: Any) -> Any:
        """What the network makes of inputs with these weights."""
        return functional_call(self.network, weights, inputs)

    def draws(self, n: int, generator: torch.Generator | None = None) -> list[Weights]:
        """`n` draws, for `run`, out of reach of gradients."""
        with torch.no_grad():
            return [self.draw(generator, number) for number in range(n)]

    def n_distinct(self, n: int) -> int:
        """How many of the first `n` draws differ: later ones repeat them in turn."""
        return min(n, self.n_centres) if self.is_certain else n


def normal_like(tensor: Tensor, generator: torch.Generator | None) -> Tensor:
    """Normal numbers from a generator on the CPU, so that a seed gives the same draw on every device."""
    return torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype).to(tensor.device)
