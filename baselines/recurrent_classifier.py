"""The Bayesian recurrent network as a classifier of light curves: settings, what it learned, and its answers.

Three posteriors over the weights: dropout, Bayes by Backprop, a deep ensemble. A sample is one draw of the
weights for all objects; its probabilities are then drawn about those of the network with as much evidence as
there is where the object lies (`bayes.evidence`), so that what is unlike all that was learned is told with
doubt. A temperature makes the network as sure as it is right. The epoch, the temperature and the end of what
is known are all chosen on the same objects that were kept apart; the first two are a choice among few, so
what they flatter is small.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..challenges.light_curves import LightCurves
from .bayes.dropout import Dropout
from .bayes.ensemble import ensemble_of
from .bayes.evidence import FULL, Evidence
from .bayes.posterior import Posterior, Weights
from .bayes.variational import Prior, Variational
from .learned import load_learned, save_learned
from .light_curve_inputs import SequenceInputs, sequence_inputs
from .majority import class_frequencies
from .recurrent import Architecture, Output, RecurrentNetwork, reads_units
from .recurrent_training import Training, TrainingReport, choose_device, cut_at_random, outputs, split, train
from .temperature import best_temperature, tempered

__all__ = ["Doubt", "RecurrentClassifier"]

Kind = Literal["dropout", "variational", "ensemble"]


@dataclass(frozen=True)
class Doubt:
    """The settings of the posterior over weights.

    Attributes:
        kind: which it is.
        rate: of dropout. SuperNNova's is 0.05; our choice.
        prior: of the variational posterior.
        members: of the ensemble.
        evidence: objects that a prediction is worth at most: it is worth less where little was learned, see
            `bayes.evidence`. Zero for no such doubt.
    """

    kind: Kind = "ensemble"
    rate: float = 0.1
    prior: Prior = field(default_factory=Prior)
    members: int = 5
    evidence: float = FULL

    def __post_init__(self) -> None:
        if self.kind not in ("dropout", "variational", "ensemble"):
            raise ValueError(f"a posterior is 'dropout', 'variational' or an 'ensemble', not {self.kind!r}")

    def posterior(self, architecture: Architecture, n_classes: int, seed: int) -> Posterior:
        """A posterior that has learned nothing; the same for a seed. Torch's random state stays as it was."""
        if self.kind == "ensemble":
            seeds = range(seed * self.members, (seed + 1) * self.members)
            return ensemble_of(lambda: RecurrentNetwork(architecture, n_classes), seeds)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = RecurrentNetwork(architecture, n_classes)
        if self.kind == "dropout":
            return Dropout(network, rate=self.rate, drops=reads_units)
        return Variational(network, prior=self.prior)


@dataclass(frozen=True)
class RecurrentClassifier:
    """A Bayesian recurrent network.

    Attributes:
        architecture, doubt, training: settings.
        n_samples: draws that `predict` averages.
        balance: whether all classes weigh the same in training, however many objects they have. The
            probabilities are then those of a sky with as many of each.
        device: to compute on, "auto" for a GPU where there is one.
        frequencies, posterior, evidence, temperature, reports: what was learned; `evidence` for each
            centre of the posterior.
    """

    name: str = "recurrent"
    architecture: Architecture = field(default_factory=Architecture)
    doubt: Doubt = field(default_factory=Doubt)
    training: Training = field(default_factory=Training)
    n_samples: int = 20
    balance: bool = False
    device: str = "auto"
    frequencies: tuple[float, ...] = ()
    posterior: Posterior | None = field(default=None, repr=False)
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    temperature: float = 1.0
    reports: tuple[TrainingReport, ...] = field(default=(), repr=False)

    def fit(self, curves: LightCurves, classes: ArrayLike, n_classes: int, *, progress: bool = False) -> Self:
        """Learn from light curves and their classes (n,).

        Raises:
            ValueError: if classes do not fit, or there are too few objects.
        """
        codes = np.asarray(classes)
        frequencies = class_frequencies(codes, n_classes)
        if codes.shape != (len(curves),):
            raise ValueError(f"{len(curves)} light curves need as many classes, not {codes.shape}")
        codes = codes.astype(np.int64)
        inputs = sequence_inputs(curves, per=self.architecture.per)
        posterior = self.doubt.posterior(self.architecture, n_classes, self.training.seed)
        posterior = posterior.to(choose_device(self.device))
        weights = 1 / (n_classes * frequencies) if self.balance else None
        reports = train(posterior, inputs, codes, self.training, label_weights=weights, progress=progress)
        fitted = replace(
            self, posterior=posterior, reports=reports, frequencies=tuple(frequencies.tolist()), evidence=(),
            temperature=1.0,
        )  # fmt: skip
        return fitted._settled(inputs, codes)

    def _settled(self, inputs: SequenceInputs, codes: NDArray[np.int64]) -> Self:
        """With a temperature, and with what it knows of."""
        learn, apart = split(len(inputs), self.training.validation, self.training.seed)
        rng = np.random.default_rng([self.training.seed, 4])

        def ways(which: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            # Every object to its end, and cut: both are known ground.
            cut = cut_at_random(inputs, which, 0, rng)
            return np.concatenate([which, which]), np.concatenate([inputs.row_size[which], cut])

        which, size = ways(apart)
        settled = self
        if self.doubt.evidence:
            learned, learned_size = ways(learn)
            near, far = self._places(inputs, learned, learned_size), self._places(inputs, which, size)
            evidence = tuple(
                Evidence.of(a.features, codes[learned], b.features, b.surprise, full=self.doubt.evidence)
                for a, b in zip(near, far, strict=True)
            )
            settled = replace(self, evidence=evidence)
        worth = settled._worth(inputs, which, size)

        def after(p: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.stack([settled._with_evidence(number, one, worth) for number, one in enumerate(p)])

        logits = self._logits(inputs, which, size, self.n_samples)
        return replace(settled, temperature=best_temperature(logits, codes[which], after))

    def predict(self, curves: LightCurves, *, progress: bool = False) -> NDArray[np.float64]:
        """(object, class) probabilities: the mean of `n_samples` draws of the weights.

        Raises:
            ValueError: before `fit`.
        """
        inputs = sequence_inputs(curves, per=self.architecture.per)
        which = np.arange(len(inputs))
        logits = self._logits(inputs, which, inputs.row_size, self.n_samples, progress=progress)
        worth = self._worth(inputs, which, inputs.row_size)
        mean = np.zeros(logits.shape[1:])
        for number, one in enumerate(logits):
            p = tempered(one, self.temperature)
            mean += self._with_evidence(number, p, worth) / len(logits)
        return mean

    def samples(self, curves: LightCurves, n: int, *, progress: bool = False) -> NDArray[np.float64]:
        """(sample, object, class) probabilities, one draw of the weights a sample; the same for a seed.

        Raises:
            ValueError: before `fit`.
        """
        inputs = sequence_inputs(curves, per=self.architecture.per)
        which = np.arange(len(inputs))
        logits = self._logits(inputs, which, inputs.row_size, n, progress=progress)
        worth = self._worth(inputs, which, inputs.row_size)
        rng = np.random.default_rng([self.training.seed, 6])
        found = tempered(logits, self.temperature)
        if self.evidence:
            for number in range(n):
                centre = number % len(self.evidence)
                found[number] = self.evidence[centre].draw(found[number], worth[centre], rng)
        return found

    def unknown(self, curves: LightCurves) -> NDArray[np.float64]:
        """(object,) how strange: -ln of the share of known objects that are as strange.

        Raises:
            ValueError: before `fit`, or where no evidence was asked for.
        """
        if not self.evidence:
            raise ValueError("no evidence was gathered: fit with Doubt(evidence=300)")
        inputs = sequence_inputs(curves, per=self.architecture.per)
        places = self._places(inputs, np.arange(len(inputs)), inputs.row_size)
        strange = [-e.log_share(x.features, x.surprise) for e, x in zip(self.evidence, places, strict=True)]
        return np.mean(strange, axis=0)

    def learned(self) -> Posterior:
        """The posterior over weights.

        Raises:
            ValueError: before `fit`.
        """
        if self.posterior is None:
            raise ValueError(f"{self.name} has learned nothing yet: fit it first")
        return self.posterior

    def _logits(
        self,
        inputs: SequenceInputs,
        which: NDArray[np.int64],
        size: NDArray[np.int64],
        n: int,
        *,
        progress: bool = False,
    ) -> NDArray[np.float32]:
        """(sample, object, class) of `n` draws of the weights."""
        posterior = self.learned()
        if n < 1:
            raise ValueError(f"one sample is the least there can be, not {n}")
        distinct = posterior.n_distinct(n)
        weights = posterior.draws(distinct, torch.Generator().manual_seed(self.training.seed))
        logits = np.empty((distinct, len(which), len(self.frequencies)), np.float32)
        for place, made in outputs(posterior, weights, inputs, which, size, progress=progress):
            for number, one in enumerate(made):
                logits[number, place] = one.logits.cpu().numpy()
        return logits[np.arange(n) % distinct]

    def _places(
        self, inputs: SequenceInputs, which: NDArray[np.int64], size: NDArray[np.int64]
    ) -> list[_Places]:
        """Where objects lie, for each centre of the posterior."""
        posterior = self.learned()
        centres = _centres(posterior)
        places = [_Places.of(len(which), self.architecture.head) for _ in centres]
        for place, made in outputs(posterior, centres, inputs, which, size, foretell=True):
            for kept, one in zip(places, made, strict=True):
                kept.put(place, one)
        return places

    def _worth(
        self, inputs: SequenceInputs, which: NDArray[np.int64], size: NDArray[np.int64]
    ) -> list[NDArray[np.float64]]:
        """(object,) evidence of each centre, where it was gathered."""
        if not self.evidence:
            return []
        places = self._places(inputs, which, size)
        return [e.evidence(x.features, x.surprise) for e, x in zip(self.evidence, places, strict=True)]

    def _with_evidence(
        self, number: int, p: NDArray[np.float64], worth: list[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """(object, class) of draw `number`, nearer to the prior where little is known."""
        if not worth:
            return p
        centre = number % len(worth)
        return self.evidence[centre].mean_of(p, worth[centre])

    def save(self, path: Path) -> None:
        """Write settings and weights to one file, atomically and without pickle.

        Raises:
            ValueError: before `fit`.
        """
        state = self.learned().state_dict()
        arrays = {f"weights/{name}": value.cpu().numpy() for name, value in state.items()}
        for number, one in enumerate(self.evidence):
            arrays |= {f"evidence/{number}/{name}": value for name, value in one.arrays().items()}
        plain = ("n_samples", "balance", "device", "frequencies", "temperature")
        settings = {name: getattr(self, name) for name in plain} | {
            "architecture": asdict(self.architecture),
            "doubt": asdict(self.doubt),
            "training": asdict(self.training),
            "reports": [asdict(report) for report in self.reports],
            "n_evidence": len(self.evidence),
        }
        save_learned(path, type(self).__name__, settings, arrays)

    @classmethod
    def load(cls, path: Path, *, device: str = "auto") -> Self:
        """Read what `save` wrote, to compute on a device.

        Raises:
            ValueError: if the file holds something else.
        """
        settings, arrays = load_learned(path, cls.__name__)
        try:
            architecture = Architecture(**settings["architecture"])
            doubt = Doubt(**{**settings["doubt"], "prior": Prior(**settings["doubt"]["prior"])})
            training = Training(**settings["training"])
            frequencies = tuple(settings["frequencies"])
            posterior = doubt.posterior(architecture, len(frequencies), training.seed)
            weights = {name: torch.from_numpy(a) for name, a in _under(arrays, "weights/").items()}
            posterior.load_state_dict(weights)
            evidence = tuple(
                Evidence.from_arrays(_under(arrays, f"evidence/{k}/")) for k in range(settings["n_evidence"])
            )
            reports = tuple(_report(record) for record in settings["reports"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(f"{path} was saved by another version: fit it again") from error
        return cls(
            architecture=architecture, doubt=doubt, training=training, n_samples=settings["n_samples"],
            balance=settings["balance"], device=device, frequencies=frequencies,
            posterior=posterior.to(choose_device(device)), evidence=evidence,
            temperature=settings["temperature"], reports=reports,
        )  # fmt: skip


@dataclass(frozen=True)
class _Places:
    """Where objects lie: (object, feature) and (object,)."""

    features: NDArray[np.float32]
    surprise: NDArray[np.float32]

    @classmethod
    def of(cls, n: int, n_features: int) -> Self:
        return cls(np.empty((n, n_features), np.float32), np.empty(n, np.float32))

    def put(self, place: NDArray[np.int64], made: Output) -> None:
        self.features[place] = made.features.cpu().numpy()
        self.surprise[place] = made.surprise.cpu().numpy()


def _report(record: dict[str, Any]) -> TrainingReport:
    """JSON knows lists, not tuples."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
    return TrainingReport(**values)


def _centres(posterior: Posterior) -> list[Weights]:
    with torch.no_grad():
        return [posterior.centre(number) for number in range(posterior.n_centres)]


def _under(arrays: dict[str, NDArray], start: str) -> dict[str, NDArray]:
    """Arrays whose names begin so, by the rest of their names."""
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
