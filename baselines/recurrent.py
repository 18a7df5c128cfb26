"""A recurrent network that reads a light curve row by row and tells its class.

One tower reads forwards and, unless the network is causal, another reads backwards from the last row. What a
tower says is its last state and the mean of all its states, weighed by attention. Before each row a tower
also foretells the fluxes of the row from what it has read and from what is known beforehand (when, which
band, how deep). This teaches it how transients go on, and how surprised it is by a whole curve tells whether
it is one of those it knows (see `bayes.evidence`).

What does not change with time (the host's p(z), dust) sets the state in which a tower starts, and goes to the
last layers too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .light_curve_inputs import COMPRESS, N_STATIC, Per, layout

__all__ = ["Architecture", "Output", "Reading", "RecurrentNetwork", "Tower", "reads_units"]

DEGREES = 4.0
"""Of freedom of the Student distribution of fluxes about what was foretold: with a few, one odd flux is no
catastrophe. Our choice."""

EXPECTED_SURPRISE, SURPRISE_SCATTER = 0.2804, 0.3932
"""Mean and scatter of ln(1 + t² / 4) where t is of a Student distribution with 4 degrees of freedom: ψ(5/2) -
ψ(2), and the root of ψ'(2) - ψ'(5/2), since 1 / (1 + t² / 4) is of a beta distribution."""

OWN_SCATTER = 0.05
"""Of the mean surprise from one known object to another, beside that of the mean of finitely many fluxes; by
order of magnitude, our choice."""


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network.

    Attributes:
        per: what a row of the input is.
        causal: whether it reads forwards only, so that it can follow an alert stream.
        cell: of the recurrence.
        hidden: units of a tower.
        layers: of a tower.
        head: units of the layer before the last.
    """

    per: Per = "night"
    causal: bool = False
    cell: Literal["lstm", "gru"] = "lstm"
    hidden: int = 64
    layers: int = 1
    head: int = 64

    def __post_init__(self) -> None:
        layout(self.per)
        if self.cell not in ("lstm", "gru"):
            raise ValueError(f"a cell is an 'lstm' or a 'gru', not {self.cell!r}")
        if min(self.hidden, self.layers, self.head) < 1:
            raise ValueError("a network has one unit and one layer or more")


class Reading(NamedTuple):
    """What a tower has read so far; (b, ...) each.

    Attributes:
        state: (layer, b, hidden) of the recurrence, for an LSTM a pair of them.
        top: (b, hidden) the last state of the last layer.
        total, weight: (b, hidden) and (b, 1) sums of states times attention, and of attention.
        surprise, n: (b,) sums over fluxes of how far off the forecast was, and their number.
        nll: (b,) sum of -ln of the density that was foretold for them.
    """

    state: Tensor | tuple[Tensor, Tensor]
    top: Tensor
    total: Tensor
    weight: Tensor
    surprise: Tensor
    n: Tensor
    nll: Tensor

    @property
    def pooled(self) -> Tensor:
        """(b, 2 hidden) what the tower says."""
        return torch.cat([self.top, self.total / self.weight.clamp_min(1e-6)], dim=1)


class Output(NamedTuple):
    """What a network makes of some transients.

    Attributes:
        logits: (b, class).
        features: (b, feature) where the transient lies among all: what the last layer reads.
        surprise: (b,) how far fluxes were from what was foretold, in units of what is expected.
        forecast: (b,) mean of -ln density of the fluxes foretold, over towers and fluxes.
        reading: of the tower that reads forwards, where a causal network may go on.
    """

    logits: Tensor
    features: Tensor
    surprise: Tensor
    forecast: Tensor
    reading: Reading


class Tower(nn.Module):
    """A recurrence that reads rows in one direction."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.columns = layout(architecture.per)
        hidden, layers = architecture.hidden, architecture.layers
        kind = nn.LSTM if architecture.cell == "lstm" else nn.GRU
        self.start = nn.Linear(N_STATIC, layers * hidden)
        self.recurrence = kind(self.columns.n_columns, hidden, num_layers=layers, batch_first=True)
        self.attention = nn.Linear(hidden, 1)
        self.expect = nn.Linear(hidden + len(self.columns.known), 32)
        self.foretell = nn.Linear(32, 2 * len(self.columns.flux))
        self.layers, self.hidden = layers, hidden
        if architecture.cell == "lstm":
            # To remember is the better start (Jozefowicz et al. 2015, ICML, PMLR 37).
            with torch.no_grad():
                for layer in range(layers):
                    bias = getattr(self.recurrence, f"bias_ih_l{layer}")
                    bias[hidden : 2 * hidden] = 1.0

    def begin(self, static: Tensor) -> Reading:
        """Nothing read yet, of transients with these static inputs (b, `N_STATIC`)."""
        first = (
            torch.tanh(self.start(static)).reshape(-1, self.layers, self.hidden).transpose(0, 1).contiguous()
        )
        state = (first, torch.zeros_like(first)) if isinstance(self.recurrence, nn.LSTM) else first
        none = static.new_zeros(len(static))
        return Reading(state, first[-1], none[:, None] * first[-1], none[:, None], none, none, none)

    def read(self, reading: Reading, rows: Tensor, size: Tensor, *, foretell: bool = True) -> Reading:
        """Rows (b, row, column) read on; the first `size` (b,) of each count.

        Without `foretell`, which takes a third of the time, surprise stays as it was.

        The recurrent `state` that comes back is that after all rows, so go on with it only where all count.
        """
        states, state = self.recurrence(rows, reading.state)
        inside = (torch.arange(rows.shape[1], device=rows.device) < size[:, None]).to(rows.dtype)
        # Bounded, so that sums can go on row by row: no row weighs more than exp(8) times another.
        attention = torch.exp(4 * torch.tanh(self.attention(states)[..., 0])) * inside
        before = torch.cat([reading.top[:, None], states[:, :-1]], dim=1)
        last = (size - 1).clamp_min(0)[:, None, None].expand(-1, 1, self.hidden)
        top = torch.where(size[:, None] > 0, states.gather(1, last)[:, 0], reading.top)
        reading = reading._replace(
            state=state,
            top=top,
            total=reading.total + (attention[..., None] * states).sum(1),
            weight=reading.weight + attention.sum(1, keepdim=True),
        )
        if not foretell:
            return reading
        far, nll, present = self._surprise(before, rows)
        present = present * inside[..., None]
        return reading._replace(
            surprise=reading.surprise + (far * present).sum((1, 2)),
            n=reading.n + present.sum((1, 2)),
            nll=reading.nll + (nll * present).sum((1, 2)),
        )

    def _surprise(self, before: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, row, flux) how far fluxes are from the forecast, -ln density, and whether they are there."""
        known = rows[..., list(self.columns.known)]
        mean, spread = self.foretell(F.gelu(self.expect(torch.cat([before, known], dim=-1)))).chunk(2, dim=-1)
        error = rows[..., list(self.columns.error)]
        # Noise of arcsinh(f / scale) / 3 where the flux is as foretold; the network owns up to the rest.
        noise = torch.exp(COMPRESS * error) / (COMPRESS * torch.cosh((COMPRESS * mean).clamp(-15, 15)))
        scale = torch.sqrt(noise.square() + torch.exp(2 * spread.clamp(-5, 2)))
        off = (rows[..., list(self.columns.flux)] - mean) / scale
        far = torch.log1p(off.square() / DEGREES)
        nll = torch.log(scale) + (DEGREES + 1) / 2 * far + _STUDENT
        present = rows[..., list(self.columns.present)] if self.columns.present else torch.ones_like(far)
        return far, nll, present


_STUDENT = math.lgamma(DEGREES / 2) - math.lgamma((DEGREES + 1) / 2) + math.log(DEGREES * math.pi) / 2


class RecurrentNetwork(nn.Module):
    """One tower or two, and the layers that tell the class."""

    def __init__(self, architecture: Architecture, n_classes: int) -> None:
        super().__init__()
        self.forwards = Tower(architecture)
        self.backwards = None if architecture.causal else Tower(architecture)
        n_towers = 1 if architecture.causal else 2
        self.combine = nn.Linear(2 * architecture.hidden * n_towers + N_STATIC, architecture.head)
        self.classify = nn.Linear(architecture.head, n_classes)

    def forward(
        self,
        rows: Tensor,
        size: Tensor,
        static: Tensor,
        reading: Reading | None = None,
        foretell: bool = True,
    ) -> Output:
        """What some transients are.

        Arguments:
            rows: (b, row, column), of which the first `size` (b,) count.
            static: (b, `N_STATIC`).
            reading: of a causal network that goes on where it was; nothing read yet by default.
            foretell: whether fluxes are foretold; without, surprise and forecast mean nothing.
        """
        start = self.forwards.begin(static) if reading is None else reading
        readings = [self.forwards.read(start, rows, size, foretell=foretell)]
        if self.backwards is not None:
            if reading is not None:
                raise ValueError(
                    "a network that reads backwards has to see the whole curve: use a causal one"
                )
            place = size[:, None] - 1 - torch.arange(rows.shape[1], device=rows.device)
            turned = rows.gather(1, place.clamp_min(0)[..., None].expand_as(rows))
            turned = turned * (place >= 0)[..., None]
            begin = self.backwards.begin(static)
            readings.append(self.backwards.read(begin, turned, size, foretell=foretell))
        return self._tell(readings, static)

    def _tell(self, readings: list[Reading], static: Tensor) -> Output:
        """The class, from what each tower has read."""
        joint = self.combine(torch.cat([*(reading.pooled for reading in readings), static], dim=1))
        far, nll, n = (
            torch.stack([getattr(reading, name) for reading in readings]).sum(0)
            for name in ("surprise", "nll", "n")
        )
        n = n.clamp_min(1)
        # The mean scatters as 1 / sqrt(n) about what is expected, and as the network itself does.
        surprise = (far / n - EXPECTED_SURPRISE) / torch.sqrt(
            OWN_SCATTER**2 + SURPRISE_SCATTER**2 * len(readings) / n
        )
        return Output(self.classify(F.gelu(joint)), joint, surprise, nll / n, readings[0])


def reads_units(name: str) -> bool:
    """Whether a weight of a `RecurrentNetwork` reads units, which dropout may drop, and not data.

    Examples:
        >>> [reads_units(f"forwards.recurrence.weight_{x}") for x in ("ih_l0", "hh_l0", "ih_l1")]
        [False, True, True]
    """
    return "weight_hh" in name or ("weight_ih_l" in name and "l0" not in name) or name == "classify.weight"
