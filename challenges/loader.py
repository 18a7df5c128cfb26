"""Batches of exposures, PSFs and targets for training with torch, in an order that a seed decides.

    loader = Loader("shear", tier="small", split="train", track="joint", batch_size=32, workers=2)
    for batch in loader:  # an epoch; the next loop is the next epoch, in another order
        ...

The batches are the same, bit for bit, whatever the number of workers. `Loader.state` says where a loop is, in
the middle of an epoch too, and `Loader.restore` goes on there, in another process and with other workers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ..simulators.detections import LISTS
from ..simulators.layout import StoreError, differences
from ..simulators.shards import ShardReader
from ..simulators.storage import Where
from ..simulators.surveys import SURVEYS
from .batches import Batch, SurveyBatch
from .blocks import BlockReader, Recipe, item_bytes, known_targets, open_reader
from .challenge import Challenge, load
from .datasets import DatasetError, Split, open_split, open_truth
from .epochs import Block, Plan
from .names import choose

__all__ = ["Batch", "Loader", "SurveyBatch"]

DEFAULT_TARGETS = {
    "scene": ("g1", "g2"),
    "detection": ("z", "blendedness", "n_hidden", "hidden_fraction", "ambiguous", "source"),
}

_END = 1 << 63  # of the whole numbers that every reader of JSON, and the keys of the order, can hold


class Loader:
    """An iterable over a split; each loop over it goes to the end of an epoch.

    A loop that is left before its end is no lost epoch: the next one goes on there.

    Arguments:
        challenge: one, or its name.
        tier, split: of the dataset.
        track: of the challenge, which decides the surveys; left out, its default.
        home: of the datasets; left out, as `Split.of` has it.
        by: items are scenes (``"scene"``), or detections with stamps around them (``"detection"``).
        detections: the list of these detections, ``"lsst"`` or ``"joint"``.
        targets: what is true of each item, by name. By scene: ``g1``, ``g2``, and ``sources/<column>``
            (``sources`` for all columns) of the sources in it. By detection: columns of the truth about
            detections (``z``, ``n_hidden``, ...), else those of its main source (``flux``, ``e1``, ...).
            Left out, those of `DEFAULT_TARGETS`, or none where the truth is sealed: not here, or not to be
            read by this user. One name may stand alone.
        spurious: whether detections without any source are kept where there are targets; their numbers are
            then NaN, and their integers -1. Without targets they are always kept.
        stamp_arcsec: width of the stamps, to the nearest pixel; the detection is within half a pixel of the
            middle. 6 arcsec hold the LSST PSF and most galaxies, and are our choice.
        psf: whether PSFs are given; they are large, and every batch holds those of its fields.
        batch_size: items of a batch.
        seed: of the order, below 2**63.
        shuffle: False for the order of the store, in every epoch.
        drop_last: whether to leave out the last batch of an epoch where it is smaller.
        run: scenes that are read at a stretch. With fewer, a batch mixes more fields; with more, fewer bytes
            are read twice (PSFs, above all). 8 is our choice.
        block_bytes: of the images and masks that are shuffled together, and that one worker reads at a time.
        workers: processes that read and decode; 0 for this one. They are started by *spawn*: a script needs
            ``if __name__ == "__main__":``.
        prefetch: blocks that each worker reads ahead.
        device: where batches go: ``"auto"`` for CUDA where there is one, or any that torch knows and has.

    Attributes:
        epoch: number of the epoch to which the next batch belongs.

    Raises:
        UnknownNameError: for a challenge, tier, split, track, list, target or `by` that there is not.
        ValueError: for a number that can't be, a device that is not here, or if there is nothing to load.
        DatasetError: if the split is not there, or targets are asked for whose truth is not, or is that of
            another dataset.
        StoreError: if it is incomplete or damaged; also while looping, naming what can't be read.
    """

    def __init__(
        self,
        challenge: Challenge | str,
        tier: str = "tiny",
        split: str = "train",
        track: str | None = None,
        *,
        home: Where | None = None,
        by: str = "scene",
        detections: str = "lsst",
        targets: Sequence[str] | str | None = None,
        spurious: bool = False,
        stamp_arcsec: float = 6.0,
        psf: bool = True,
        batch_size: int = 32,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        run: int = 8,
        block_bytes: int = 1 << 28,
        workers: int = 0,
        prefetch: int = 2,
        device: torch.device | str = "auto",
    ) -> None:
        challenge = load(challenge) if isinstance(challenge, str) else challenge
        place = Split.of(tier, split, home)
        choose("kind of item", by, DEFAULT_TARGETS)
        choose("list of detections", detections, LISTS)
        # As Python's own, whatever they come as: `state` has to be JSON.
        batch_size, run = _whole("batch_size", batch_size, 1), _whole("run", run, 1)
        block_bytes, prefetch = _whole("block_bytes", block_bytes, 1), _whole("prefetch", prefetch, 1)
        workers, seed = _whole("workers", workers, 0), _whole("seed", seed, 0)
        psf, spurious, shuffle, drop_last = map(bool, (psf, spurious, shuffle, drop_last))
        stamp_arcsec = _width("stamp_arcsec", stamp_arcsec)
        self.device = _device(device)
        tree = open_split(place)
        wanted = challenge.track(track).surveys
        surveys = tuple(s.name for s in SURVEYS.values() if s.name in wanted and s.group in tree.children)
        if not surveys:
            raise ValueError(f"{place.data} has no exposures of {', '.join(wanted)}: choose another track")
        names = _targets(place, by, targets)
        reader = open_reader(place.data)
        scenes = reader.array("scenes/field")
        rows, offsets = {}, np.arange(scenes.shape[0] + 1)
        if by == "detection":
            rows["detections"], offsets = _offsets(
                place, detections, bool(names) and not spurious, len(offsets) - 1
            )
        if any(name.startswith("sources/") for name in names) or (by == "detection" and names):
            rows["sources"] = _first_rows(open_reader(place.truth).root["sources/scene"], len(offsets) - 1)
        if not offsets[-1]:
            raise ValueError(f"{place.data} has no {by} to load")
        per_batch = batch_size * item_bytes(reader, surveys, by, stamp_arcsec)
        shards: Any = scenes.shards or scenes.shape
        self._plan = Plan(
            offsets, shards[0], seed, batch_size, run, max(1, block_bytes // per_batch), shuffle, drop_last
        )
        if not self._plan.n_batches:
            raise ValueError(
                f"{offsets[-1]} items make no batch of {batch_size}: ask for less, or no drop_last"
            )
        self._recipe = Recipe(
            data=place.data,
            truth=place.truth if names else None,
            plan=self._plan,
            by=by,
            listed=detections,
            surveys=surveys,
            targets=names,
            stamp_arcsec=stamp_arcsec,
            psf=psf,
            spurious=spurious,
            rows=rows,
        )
        content = {"by": by, "surveys": list(surveys), "targets": list(names), "psf": psf}
        if by == "detection":
            content |= {"detections": detections, "stamp_arcsec": stamp_arcsec, "spurious": spurious}
        self._described = {"dataset": str(tree.attrs["content_sha256"])} | content | self._plan.describe()
        self.workers, self.prefetch = workers, prefetch
        self.epoch, self._batch, self._turn = 0, 0, 0
        self._blocks = _Blocks(self._recipe)
        self._orders = _Orders()
        self._pool: DataLoader[Any] | None = None

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self._plan.n_batches

    @property
    def n_items(self) -> int:
        """Items of an epoch."""
        return self._plan.n_items

    def state(self) -> dict[str, Any]:
        """Where the loader is, as JSON holds it: the next batch, and all that decides what it is."""
        return {"loader": dict(self._described), "epoch": self.epoch, "batch": self._batch}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where another loader was when it gave this state.

        Raises:
            ValueError: if that one loads something else, or in another order; it says what differs.
        """
        whole = isinstance(state, Mapping) and {"loader", "epoch", "batch"} <= set(state)
        if not (whole and isinstance(state["loader"], Mapping)):
            raise ValueError("this is no state of a loader: it needs what Loader.state gave")
        if found := list(differences(dict(state["loader"]), self._described)):
            told = "; ".join(found).replace("in the store", "in the state")
            raise ValueError(f"this is the state of another loader: {told}. Make the loader as that one was")
        epoch, batch = state["epoch"], state["batch"]
        if not (_is_whole(epoch) and _is_whole(batch) and 0 <= epoch < _END and 0 <= batch < len(self)):
            raise ValueError(
                f"there is no batch {batch!r} of epoch {epoch!r}: epochs have {len(self)} batches"
            )
        self.epoch, self._batch = int(epoch), int(batch)
        self._turn += 1

    def close(self) -> None:
        """End the workers; they also end with the loader, with this process, and where a loop is left."""
        self._pool = None
        self._turn += 1

    def __iter__(self) -> Iterator[Batch]:
        self._turn += 1
        return self._batches(self._turn)

    def _batches(self, turn: int) -> Iterator[Batch]:
        plan, epoch = self._plan, self.epoch
        skipped, first = divmod(self._batch, plan.block_batches)
        blocks = plan.blocks(epoch)[skipped:]
        for block, whole in zip(blocks, self._read(blocks, turn), strict=True):
            n = -(-block.n_items // plan.batch_size)
            for k in range(first, n):
                start = k * plan.batch_size
                batch = self._moved(whole.cut(start, min(start + plan.batch_size, block.n_items)))
                self._check(turn)
                number = block.number * plan.block_batches + k + 1
                self.epoch, self._batch = (epoch, number) if number < len(self) else (epoch + 1, 0)
                yield batch
            first = 0

    def _check(self, turn: int) -> None:
        if turn != self._turn:
            raise RuntimeError("this loop is over: another has begun, or the loader was restored or closed")

    def _moved(self, batch: Batch) -> Batch:
        if self.device.type == "cuda":
            return batch.pin_memory().to(self.device, non_blocking=True)
        return batch.to(self.device)

    def _read(self, blocks: Sequence[Block], turn: int) -> Iterator[Batch]:
        self._check(turn)
        if not self.workers:
            for block in blocks:
                self._check(turn)
                yield self._blocks.read(block)
            return
        if self._pool is None:
            self._pool = DataLoader(
                self._blocks,
                batch_size=None,
                sampler=self._orders,
                num_workers=self.workers,
                collate_fn=_as_it_is,
                multiprocessing_context="spawn",
                persistent_workers=True,
                prefetch_factor=self.prefetch,
                generator=torch.Generator(),  # else it takes a number of the user's own stream
            )
        self._orders.blocks = blocks
        whole = False
        try:
            reading = iter(self._pool)
            for _ in blocks:
                self._check(turn)  # the pool is that of the newest loop, and so is the block that it gives
                found = next(reading)
                if isinstance(found, StoreError):
                    raise found
                yield found
            whole = True
        finally:
            if not whole and turn == self._turn:
                self._pool = None


class _Blocks(Dataset[Any]):
    """Blocks by what they are; opens the stores once in each process."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._reader: BlockReader | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_recipe": self._recipe, "_reader": None}

    def read(self, block: Block) -> Batch:
        if self._reader is None:
            self._reader = BlockReader(self._recipe)
        return self._reader.read(block)

    def __getitem__(self, block: Block) -> Batch | StoreError:
        try:
            return self.read(block)
        except StoreError as error:  # raised by a worker, it would come as the text of a traceback
            return StoreError(str(error))


class _Orders(Sampler[Block]):
    """The blocks that the workers are to read next."""

    def __init__(self) -> None:
        self.blocks: Sequence[Block] = ()

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)


def _as_it_is(block: Any) -> Any:
    return block


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _whole(name: str, value: Any, low: int) -> int:
    """A whole number as Python has it, if it is one from `low` on that 64 bits hold."""
    if not _is_whole(value) or value < low:
        raise ValueError(f"{name} is a whole number from {low} on, not {value!r}")
    if value >= _END:
        raise ValueError(f"{name} is a whole number below 2**63, not {value!r}")
    return int(value)


def _width(name: str, value: Any) -> float:
    """A width as Python has it, if it is one."""
    if isinstance(value, Real) and not isinstance(value, bool) and 0 < (width := float(value)) < math.inf:
        return width
    raise ValueError(f"{name} is a width above 0, not {value!r}")


def _device(asked: torch.device | str) -> torch.device:
    """The device that is asked for, if it is here."""
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device is 'auto' or one that torch knows, such as 'cpu', not {asked!r}") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"torch finds no device {device} here: leave device out or give device='cpu', or see that the "
            "driver works and torch is built for CUDA (torch.cuda.is_available())"
        )
    return device


def _targets(split: Split, by: str, asked: Sequence[str] | str | None) -> tuple[str, ...]:
    """The names of all targets, if their truth is there, and that of these data."""
    asked = (asked,) if isinstance(asked, str) else asked
    if asked is not None and not len(asked):
        return ()
    try:
        open_truth(split)
    except DatasetError as error:
        if asked is None and not split.is_open:
            return ()
        raise DatasetError(f"{error}. Without targets (targets=()) the data can be loaded") from error
    truth = open_reader(split.truth)
    if not np.array_equal(_field_ids(truth), _field_ids(open_reader(split.data))):
        raise DatasetError(f"{split.truth} is not the truth of {split.data}: make both again")
    known = known_targets(truth.root, by)
    names: list[str] = []
    for name in DEFAULT_TARGETS[by] if asked is None else asked:
        if name == "sources" and by == "scene":
            names += [one for one in known if one.startswith("sources/")]
        else:
            names.append(choose(f"target by {by}", name, known))
    return tuple(dict.fromkeys(names))


def _field_ids(reader: ShardReader) -> np.ndarray:
    return reader.read([("fields/id", 0, reader.array("fields/id").shape[0])])[0]


def _first_rows(column: Any, n_scenes: int) -> np.ndarray:
    """(scene + 1,) first row of each scene, from the column that tells the scene of each row."""
    scene = np.asarray(column[...])
    return np.searchsorted(scene, np.arange(n_scenes + 1))


def _offsets(split: Split, listed: str, matched: bool, n_scenes: int) -> tuple[np.ndarray, np.ndarray]:
    """(scene + 1,) first row of each scene in the table, and first item among the detections of a list."""
    root: Any = open_reader(split.data).root
    rows = _first_rows(root["detections/scene"], n_scenes)
    keep = np.asarray(root["detections/list"][...]) == LISTS[listed]
    if matched:
        truth: Any = open_reader(split.truth).root
        keep &= np.asarray(truth["detections/source"][...]) >= 0
    return rows, np.concatenate([[0], np.cumsum(keep)])[rows]
