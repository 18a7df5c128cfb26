"""A causal network follows an alert stream: one observation more, and what is now believed.

A state holds what each draw of the weights has read of one transient, so that nothing is read twice. After
any observation from the first detection on, the probabilities are those that the classifier gives of the
curve up to there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..challenges.light_curves import LightCurves
from .light_curve_inputs import HISTORY_DAYS, N_BANDS, NIGHT_GAP_DAYS, layout, nights, rows_of, static_inputs
from .recurrent import Output, Reading
from .recurrent_classifier import RecurrentClassifier
from .temperature import tempered

__all__ = ["Observation", "RecurrentStream", "StreamState"]


class Observation(NamedTuple):
    """One observation, as in `LightCurves`.

    Attributes:
        mjd: days.
        band: code of the band.
        flux, error: nJy.
        detected: whether a difference image alone shows it.
    """

    mjd: float
    band: int
    flux: float
    error: float
    detected: bool


@dataclass(frozen=True)
class StreamState:
    """What was seen of one transient.

    Attributes:
        static: (1, `N_STATIC`) what does not change.
        first: MJD of its first detection; None before it.
        open: the observations that may still be joined by others: all of the last days before the first
            detection, those of the row that is read last after it.
        previous: MJD of the row before that; None without one.
        before, now: what each draw has read before and after the last row.
    """

    static: torch.Tensor
    first: float | None = None
    open: tuple[Observation, ...] = ()
    previous: float | None = None
    before: tuple[Reading | None, ...] = ()
    now: tuple[Reading | None, ...] = ()


class RecurrentStream:
    """Follows transients with a classifier that has learned.

    Arguments:
        classifier: with a causal architecture.

    Raises:
        ValueError: if it is not causal, or has learned nothing.
    """

    def __init__(self, classifier: RecurrentClassifier) -> None:
        if not classifier.architecture.causal:
            raise ValueError("to follow a stream needs a causal network: fit with Architecture(causal=True)")
        self.classifier = classifier
        self.posterior = classifier.learned()
        n = classifier.n_samples
        self.n_draws = self.posterior.n_distinct(n)
        self.shares = np.bincount(np.arange(n) % self.n_draws) / n
        generator = torch.Generator().manual_seed(classifier.training.seed)
        self.weights = self.posterior.draws(self.n_draws, generator)
        if classifier.evidence:
            with torch.no_grad():
                self.weights += [self.posterior.centre(k) for k in range(self.posterior.n_centres)]
        self.device = next(iter(self.weights[0].values())).device

    def begin(self, curve: LightCurves) -> StreamState:
        """Nothing seen yet of a transient; host and dust are taken from `curve`, observations are not.

        Raises:
            ValueError: if there is not one transient.
        """
        if len(curve) != 1:
            raise ValueError(f"a stream begins with one transient, not {len(curve)}: take curves.select([k])")
        static = torch.from_numpy(static_inputs(curve)).to(self.device)
        nothing = (None,) * len(self.weights)
        return StreamState(static, before=nothing, now=nothing)

    def step(self, state: StreamState, observation: Observation) -> tuple[StreamState, NDArray[np.float64]]:
        """One observation more.

        Before the first detection nothing is read, and what is believed follows from the host alone; later,
        what was seen in the last `HISTORY_DAYS` before it is read first. A band that the inputs do not know
        changes nothing.

        Returns:
            The state after it, and (class,) probabilities.

        Raises:
            ValueError: if the observation came before the one before it.
        """
        if state.open and observation.mjd < state.open[-1].mjd:
            raise ValueError(
                f"an observation of MJD {observation.mjd} comes after one of {state.open[-1].mjd}: give them "
                "in order of time"
            )
        if observation.band < N_BANDS:
            state = self._read(state, observation)
        return state, self._believe(state)

    def _read(self, state: StreamState, seen: Observation) -> StreamState:
        if state.first is None:
            recent = (*(o for o in state.open if o.mjd >= seen.mjd - HISTORY_DAYS), seen)
            if not seen.detected:
                return replace(state, open=recent)
            return self._read_history(replace(state, first=seen.mjd, open=recent))
        if self.classifier.architecture.per == "night" and seen.mjd - state.open[-1].mjd <= NIGHT_GAP_DAYS:
            night = (*state.open, seen)
        else:
            night = (seen,)
            state = replace(state, before=state.now, previous=state.open[0].mjd)
        rows = self._rows(night, np.zeros(len(night), np.int64), state)
        return replace(state, open=night, now=self._advance(state, state.before, rows))

    def _read_history(self, state: StreamState) -> StreamState:
        """All that came before the first detection, and that itself."""
        mjd = np.array([o.mjd for o in state.open])
        if self.classifier.architecture.per == "night":
            row = nights(np.zeros(len(mjd), np.int64), mjd)
        else:
            row = np.arange(len(mjd))
        rows = self._rows(state.open, row, state)
        last = tuple(o for o, k in zip(state.open, row, strict=True) if k == row[-1])
        before = state.before
        if len(rows) > 1:
            before = self._advance(state, before, rows[:-1])
        previous = float(mjd[row == row[-1] - 1][0]) if row[-1] else None
        now = self._advance(state, before, rows[-1:])
        return replace(state, open=last, previous=previous, before=before, now=now)

    def _rows(self, seen: tuple[Observation, ...], row: NDArray[np.int64], state: StreamState) -> NDArray:
        mjd, band, flux, error, detected = (np.array(column) for column in zip(*seen, strict=True))
        starts = mjd[np.flatnonzero(np.diff(row, prepend=-1))]
        new = np.zeros(len(starts), bool)
        new[0] = state.previous is None
        return rows_of(
            self.classifier.architecture.per, row, mjd, band.astype(np.uint8), flux.astype(np.float32),
            error.astype(np.float32), detected.astype(bool), since_first=starts - state.first, new=new,
            previous=state.previous,
        )  # fmt: skip

    def _advance(
        self, state: StreamState, readings: tuple[Reading | None, ...], rows: NDArray
    ) -> tuple[Reading | None, ...]:
        return tuple(made.reading for made in self._run(state, readings, rows))

    @torch.no_grad()
    def _run(
        self, state: StreamState, readings: tuple[Reading | None, ...], rows: NDArray, n: int | None = None
    ) -> list[Output]:
        given = torch.from_numpy(rows[None]).to(self.device)
        size = torch.tensor([len(rows) if n is None else n], device=self.device)
        return [
            # Only the centres, which come last, have to say how surprised they are.
            self.posterior.run(weights, given, size, state.static, reading, k >= self.n_draws)
            for k, (weights, reading) in enumerate(zip(self.weights, readings, strict=True))
        ]

    def _believe(self, state: StreamState) -> NDArray[np.float64]:
        """(class,) probabilities."""
        nothing = np.zeros((1, layout(self.classifier.architecture.per).n_columns), np.float32)
        made = self._run(state, state.now, nothing, 0)
        evidence = self.classifier.evidence
        total = np.zeros(len(self.classifier.frequencies))
        for number, one in enumerate(made[: self.n_draws]):
            p = tempered(one.logits.cpu().numpy(), self.classifier.temperature)
            if evidence:
                centre = number % len(evidence)
                place = made[self.n_draws + centre]
                worth = evidence[centre].evidence(place.features.cpu().numpy(), place.surprise.cpu().numpy())
                p = evidence[centre].mean_of(p, worth)
            total += self.shares[number] * p[0]
        return total
