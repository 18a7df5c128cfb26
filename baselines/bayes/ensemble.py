"""Deep ensembles (Lakshminarayanan et al. 2017, arXiv:1612.01474): networks with seeds of their own.

Each is trained by itself, on the same data in another order; what they disagree about is what the data did
not settle. The members may be posteriors themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from .dropout import Dropout
from .posterior import Posterior, Weights

__all__ = ["Ensemble", "ensemble_of"]


class Ensemble(Posterior):
    """Posteriors of one architecture, each as likely as the others.

    Train the members one by one.

    Arguments:
        members: two or more.

    Raises:
        ValueError: if there are fewer.
    """

    def __init__(self, members: Sequence[Posterior]) -> None:
        super().__init__()
        if len(members) < 2:
            raise ValueError(f"an ensemble has two members or more, not {len(members)}")
        self.members = nn.ModuleList(members)
        self.network = members[0].network

    @property
    def n_centres(self) -> int:
        return len(self.members)

    @property
    def is_certain(self) -> bool:
        return all(self.member(number).is_certain for number in range(self.n_centres))

    def member(self, number: int) -> Posterior:
        """The member that draw `number` belongs to."""
        found = self.members[number % len(self.members)]
        assert isinstance(found, Posterior)
        return found

    def draw(self, generator: torch.Generator | None = None, number: int = 0) -> Weights:
        return self.member(number).draw(generator, number)

    def centre(self, number: int = 0) -> Weights:
        return self.member(number).centre()


def ensemble_of(network: Callable[[], nn.Module], seeds: Sequence[int]) -> Ensemble:
    """An ensemble of networks without any other uncertainty, each made after its seed was set.

    Torch's own random state is left as it was.
    """
    members = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            members.append(Dropout(network(), rate=0))
    return Ensemble(members)
