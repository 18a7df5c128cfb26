"""How a posterior over recurrent networks learns from light curves.

Sequences of about the same length go into one batch. Curves are cut at random after their first detection,
so that early phases are learned too. The loss is the cross-entropy of classes, that of the fluxes foretold,
and the divergence from the prior over the number of objects; a share of the objects is kept apart, and the
weights that do best on them are what is kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tqdm import tqdm

from .bayes.ensemble import Ensemble
from .bayes.posterior import Posterior, Weights
from .bayes.variational import warm_up
from .light_curve_inputs import SequenceInputs
from .recurrent import Output

__all__ = [
    "Training",
    "TrainingReport",
    "batches",
    "choose_device",
    "cut_at_random",
    "outputs",
    "split",
    "train",
]


@dataclass(frozen=True)
class Training:
    """Settings of the training; numbers are our choice.

    Attributes:
        epochs: at most.
        passes: of an object through the network, at most, so that a large set is seen in fewer epochs. A
            million and a half take some 20 CPU-minutes at the usual sizes.
        batch: objects; fewer where there would be less than eight batches.
        learning_rate: at its highest; it rises over the first tenth and falls to zero as a cosine.
        weight_decay: of AdamW; variational posteriors have a prior instead, and none of it.
        forecast: weight of the fluxes foretold in the loss.
        whole: share of the curves that are not cut.
        warm_up: share of the training over which the divergence from the prior rises to its full weight.
        kl_weight: that full weight. One is Bayes' rule; below one the posterior is "cold" (Wenzel et al.
            2020, arXiv:2002.02405), narrower than the data allow: our choice, because small
            networks learn little of few curves by Bayes' rule.
        validation: share of the objects that is kept apart.
        patience: epochs without gain after which training ends.
        cpu_seconds: after which it ends too; None for no limit. What is learned is then no longer the same on
            every machine, since the learning rate has to come down in time.
        seed: of all that is random.
    """

    epochs: int = 30
    passes: int = 1_500_000
    batch: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    forecast: float = 0.1
    whole: float = 0.5
    warm_up: float = 0.5
    kl_weight: float = 0.1
    validation: float = 0.1
    patience: int = 8
    cpu_seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.passes, self.batch) < 1:
            raise ValueError("training needs one epoch, one pass and one object in a batch, or more")
        if not 0 < self.validation < 1:
            raise ValueError(f"the share that is kept apart lies between 0 and 1, not at {self.validation}")
        if self.cpu_seconds is not None and self.cpu_seconds <= 0:
            raise ValueError("training needs some CPU-seconds, or None for no limit")


@dataclass(frozen=True)
class TrainingReport:
    """What training came to.

    Attributes:
        epochs: done.
        best: number of the epoch that was kept, from 1.
        cpu_seconds: spent, validation included.
        seconds_per_epoch: CPU-seconds of the training alone.
        loss, validation_loss: (epoch,) cross-entropy in nats.
        kl: nats, at the end.
        stopped: "epochs", "patience" or "cpu_seconds".
    """

    epochs: int
    best: int
    cpu_seconds: float
    seconds_per_epoch: float
    loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    kl: float
    stopped: str


def choose_device(name: str = "auto") -> torch.device:
    """A device by name; "auto" is a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def split(n: int, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of objects to learn from, and of those kept apart: a `share`, one at least.

    Raises:
        ValueError: if nothing would be left to learn from.
    """
    apart = max(round(n * share), 1)
    if apart >= n:
        raise ValueError(f"{n} objects are too few: some have to be kept apart for validation")
    order = np.random.default_rng([seed, 1]).permutation(n)
    return np.sort(order[apart:]), np.sort(order[:apart])


def cut_at_random(
    inputs: SequenceInputs, which: NDArray[np.int64], whole: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(b,) how many rows to read of each transient: all, or an even draw from the first detection on.

    Arguments:
        whole: share that is read to its end.
    """
    size, first = inputs.row_size[which], np.maximum(inputs.first[which], 1)
    drawn = first + np.floor(rng.random(len(which)) * (size - first + 1)).astype(np.int64)
    return np.where(rng.random(len(which)) < whole, size, np.minimum(drawn, size))


def batches(
    which: NDArray[np.int64], size: NDArray[np.int64], batch: int, rng: np.random.Generator | None = None
) -> Iterator[NDArray[np.int64]]:
    """Places in `which` of the objects of each batch, those in one of about the same length.

    Arguments:
        size: (n,) rows of each.
        rng: shuffles; without one, batches go from short to long.
    """
    if rng is None:
        order = np.argsort(size, kind="stable")
        yield from (order[start : start + batch] for start in range(0, len(which), batch))
        return
    # Sorted within pools of some batches only, so that the company of each object changes.
    order = rng.permutation(len(which))
    pool = 16 * batch
    parts = [order[start : start + pool] for start in range(0, len(order), pool)]
    order = np.concatenate([part[np.argsort(size[part], kind="stable")] for part in parts])
    starts = np.arange(0, len(order), batch)
    yield from (order[start : start + batch] for start in rng.permutation(starts))


def tensors(
    inputs: SequenceInputs, which: NDArray[np.int64], size: NDArray[np.int64], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, sizes and static inputs of a batch."""
    rows, sizes = inputs.padded(which, size)
    made = torch.from_numpy(rows), torch.from_numpy(sizes), torch.from_numpy(inputs.static[which])
    return tuple(one.to(device) for one in made)  # pyright: ignore[reportReturnType]


@torch.no_grad()
def outputs(
    posterior: Posterior,
    weights: list[Weights],
    inputs: SequenceInputs,
    which: NDArray[np.int64],
    size: NDArray[np.int64],
    *,
    foretell: bool = False,
    batch: int = 512,
    progress: bool = False,
) -> Iterator[tuple[NDArray[np.int64], list[Output]]]:
    """Places in `which`, and what each draw of the weights makes of the objects there; batch by batch.

    How surprised the network is comes with `foretell` alone, which takes time.
    """
    device = next(iter(weights[0].values())).device
    steps = list(batches(which, size, batch))
    for place in tqdm(steps, desc="classifying", unit="batch", disable=not progress, leave=False):
        given = tensors(inputs, which[place], size[place], device)
        yield place, [posterior.run(one, *given, None, foretell) for one in weights]


def train(
    posterior: Posterior,
    inputs: SequenceInputs,
    classes: NDArray[np.int64],
    settings: Training,
    *,
    label_weights: NDArray[np.float64] | None = None,
    progress: bool = False,
) -> tuple[TrainingReport, ...]:
    """Move a posterior to where the data want it; members of an ensemble one after another.

    Arguments:
        classes: (n,) codes.
        label_weights: (class,) of the objects of each class in the loss; even by default. Others than even
            make probabilities those of a sky with other numbers of each class.

    Returns:
        A report for each that was trained.

    Raises:
        FloatingPointError: if the loss is no longer a number.
    """
    if isinstance(posterior, Ensemble):
        share = settings.cpu_seconds and settings.cpu_seconds / posterior.n_centres
        reports: list[TrainingReport] = []
        for number in range(posterior.n_centres):
            # Each sees the data in another order; all keep the same objects apart.
            own = replace(settings, cpu_seconds=share)
            reports.append(
                _train_one(posterior.member(number), inputs, classes, own, number, label_weights, progress)
            )
        return tuple(reports)
    return (_train_one(posterior, inputs, classes, settings, 0, label_weights, progress),)


def _train_one(
    posterior: Posterior,
    inputs: SequenceInputs,
    classes: NDArray[np.int64],
    settings: Training,
    number: int,
    label_weights: NDArray[np.float64] | None,
    progress: bool,
) -> TrainingReport:
    began = time.process_time()
    device = next(posterior.parameters()).device
    learn, apart = split(len(inputs), settings.validation, settings.seed)
    rng = np.random.default_rng([settings.seed, 2, number])
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    # Kept apart: every curve once to its end and once cut, the same in all epochs.
    check = np.concatenate([apart, apart])
    check_size = np.concatenate(
        [inputs.row_size[apart], cut_at_random(inputs, apart, 0, np.random.default_rng([settings.seed, 3]))]
    )
    weight = None if label_weights is None else torch.as_tensor(label_weights, dtype=torch.float32).to(device)
    has_prior = bool(posterior.kl(posterior.centre()).requires_grad)
    # A network that does not move is left out: a variational posterior holds it as a skeleton.
    moving = [p for p in posterior.parameters() if p.requires_grad]
    decay = 0.0 if has_prior else settings.weight_decay
    optimizer = torch.optim.AdamW(moving, lr=settings.learning_rate, weight_decay=decay)

    def step(which: NDArray[np.int64], size: NDArray[np.int64], share: float) -> tuple[float, float]:
        """Learn from one batch, at a share of the training; its cross-entropy, and the divergence."""
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _one_cycle(share)
        optimizer.zero_grad(set_to_none=True)
        weights = posterior.draw(generator, number)
        found = posterior.run(weights, *tensors(inputs, which, size, device))
        loss = F.cross_entropy(found.logits, torch.from_numpy(classes[which]).to(device), weight=weight)
        kl = posterior.kl(weights)
        pull = settings.kl_weight * warm_up(share, settings.warm_up) / len(learn)
        (loss + settings.forecast * found.forecast.mean() + pull * kl).backward()
        torch.nn.utils.clip_grad_norm_(moving, 1.0)
        optimizer.step()
        return float(loss.detach()), float(kl.detach())

    batch = min(settings.batch, math.ceil(len(learn) / 8))
    per_epoch = math.ceil(len(learn) / batch)
    epochs = min(settings.epochs, math.ceil(settings.passes / len(learn)))
    total = per_epoch * epochs
    losses, checks, stopped = [], [], "epochs"
    kept, best, best_rank = _state(posterior), 0, (-1.0, 0.0)
    training_seconds, done, divergence, share, epoch = 0.0, 0, 0.0, 0.0, 0
    bar = tqdm(total=total, desc="training", unit="batch", disable=not progress, leave=False)
    for epoch in range(1, epochs + 1):
        start, summed, seen = time.process_time(), 0.0, 0
        size = cut_at_random(inputs, learn, settings.whole, rng)
        for place in batches(learn, size, batch, rng):
            share = done / total
            if settings.cpu_seconds:
                share = max(share, (time.process_time() - began) / settings.cpu_seconds)
            if share >= 1:
                stopped = "cpu_seconds"
                break
            loss, divergence = step(learn[place], size[place], share)
            summed, seen, done = summed + loss * len(place), seen + len(place), done + 1
            bar.update()
        if not math.isfinite(summed):
            raise FloatingPointError(
                f"the loss of epoch {epoch} is not a number: lower the learning rate, and look for fluxes "
                "that are not finite"
            )
        if seen:
            losses.append(summed / seen)
        training_seconds += time.process_time() - start
        drawn = (
            posterior.draws(4, torch.Generator().manual_seed(epoch)) if has_prior else [posterior.centre()]
        )
        checks.append(_validation_loss(posterior, drawn, inputs, classes, check, check_size, weight))
        bar.set_postfix(apart=f"{checks[-1]:.3f}")
        # What is learned while the prior hardly counts is no posterior yet: of such epochs the last is kept.
        counts = not has_prior or share >= settings.warm_up
        rank = (1.0, -checks[-1]) if counts else (0.0, float(epoch))
        if rank > best_rank:
            kept, best, best_rank = _state(posterior), epoch, rank
        if stopped == "epochs" and counts and epoch - best >= settings.patience:
            stopped = "patience"
        if stopped != "epochs":
            break
    bar.close()
    posterior.load_state_dict(kept)
    return TrainingReport(
        epochs=epoch, best=best, cpu_seconds=time.process_time() - began,
        seconds_per_epoch=training_seconds / (done / per_epoch) if done else 0.0,
        loss=tuple(losses), validation_loss=tuple(checks), kl=divergence, stopped=stopped,
    )  # fmt: skip


def _validation_loss(
    posterior: Posterior,
    weights: list[Weights],
    inputs: SequenceInputs,
    classes: NDArray[np.int64],
    which: NDArray[np.int64],
    size: NDArray[np.int64],
    label_weights: torch.Tensor | None,
) -> float:
    total, mass = 0.0, 0.0
    for place, made in outputs(posterior, weights, inputs, which, size):
        p = torch.stack([one.logits.softmax(1) for one in made]).mean(0)
        truth = torch.from_numpy(classes[which[place]]).to(p.device)
        each = torch.ones_like(p[:, 0]) if label_weights is None else label_weights[truth]
        nll = -torch.log(p.gather(1, truth[:, None])[:, 0].clamp_min(1e-12))
        total, mass = total + float((nll * each).sum()), mass + float(each.sum())
    return total / mass


def _one_cycle(share: float) -> float:
    """The learning rate over its highest, at a share of the training."""
    return share / 0.1 * 0.9 + 0.1 if share < 0.1 else (1 + math.cos(math.pi * (share - 0.1) / 0.9)) / 2


def _state(posterior: Posterior) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in posterior.state_dict().items()}
