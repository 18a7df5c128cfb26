"""Dropout that stays on (Gal & Ghahramani 2016, arXiv:1512.05287): networks without some of their units.

To drop a unit is to zero the columns of the weights that read it. So a mask is drawn with the weights and is
locked: the same for all steps of a sequence and for all gates of a cell, in the recurrent weights too, and
the fused kernels of torch still run.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .posterior import Posterior, Weights

__all__ = ["Dropout"]


class Dropout(Posterior):
    """A network whose units are dropped at random, in training and in prediction.

    Arguments:
        network: it keeps its own parameters.
        rate: share of the units that are dropped; at zero this is the network itself.
        drops: whether units that a weight reads are dropped, by name of the weight; all matrices by default.

    Raises:
        ValueError: if the rate is not from zero to below one, or nothing would be dropped.
    """

    def __init__(
        self, network: nn.Module, *, rate: float = 0.1, drops: Callable[[str], bool] | None = None
    ) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"a dropout rate is at least 0 and below 1, not {rate}")
        self.network = network
        self.rate = rate
        matrices = [name for name, p in network.named_parameters() if p.ndim == 2]
        self.dropped = frozenset(name for name in matrices if drops is None or drops(name))
        if rate > 0 and not self.dropped:
            raise ValueError(f"no weight reads units that are dropped: choose among {', '.join(matrices)}")

    @property
    def is_certain(self) -> bool:
        return self.rate == 0

    def draw(self, generator: torch.Generator | None = None, number: int = 0) -> Weights:
        del number
        weights = self.centre()
        for name in self.network.state_dict() if self.rate else ():
            if name in self.dropped:
                kept = torch.rand(weights[name].shape[1], generator=generator) >= self.rate
                weights[name] = weights[name] * (kept.to(weights[name]) / (1 - self.rate))
        return weights

    def centre(self, number: int = 0) -> Weights:
        del number
        return dict(self.network.named_parameters())
