"""In which order a loader gives its items: decided by a seed, whoever reads and from wherever it goes on.

The scenes of a split are cut into *runs* of a few that follow each other, and the runs are laid out
anew for each epoch. The items of that sequence (scenes, or the detections in them) are cut into *blocks* of a
whole number of batches; within a block they are shuffled again. A block is thus made of a few ranges of
scenes, each of which is read at a stretch, and its batches mix as many fields as it has runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..simulators.randomness import stream_key

__all__ = ["Block", "Plan"]

_KEY = b"loader"  # nothing here is secret


@dataclass(frozen=True)
class Block:
    """Some batches of an epoch.

    Attributes:
        epoch, number: which block of which epoch.
        pieces: ranges of items, (start, stop) each, in the order of the sequence.
    """

    epoch: int
    number: int
    pieces: tuple[tuple[int, int], ...]

    @property
    def n_items(self) -> int:
        return sum(stop - start for start, stop in self.pieces)


@dataclass(frozen=True, eq=False)
class Plan:
    """The order of all epochs.

    Attributes:
        offsets: (scene + 1,) number of the first item of each scene, and of all items.
        scenes_per_shard: no run goes beyond one.
        seed: of the order.
        batch_size: items of a batch.
        run: scenes that are read at a stretch.
        block_batches: batches of a block.
        shuffle: whether there is another order than that of the store.
        drop_last: whether items that fill no whole batch are left out of the epoch.
    """

    offsets: np.ndarray
    scenes_per_shard: int
    seed: int
    batch_size: int
    run: int
    block_batches: int
    shuffle: bool
    drop_last: bool

    @property
    def n_items(self) -> int:
        """Items of an epoch."""
        total = int(self.offsets[-1])
        return total - total % self.batch_size if self.drop_last else total

    @property
    def n_batches(self) -> int:
        return -(-self.n_items // self.batch_size)

    def describe(self) -> dict[str, Any]:
        """What decides the order, besides the dataset, as JSON holds it."""
        names = ("seed", "batch_size", "run", "block_batches", "shuffle", "drop_last")
        return {name: getattr(self, name) for name in names}

    def blocks(self, epoch: int) -> list[Block]:
        """The blocks of an epoch, in their order."""
        n_scenes, each = len(self.offsets) - 1, self.scenes_per_shard
        shards = range(0, n_scenes, each)
        firsts = np.concatenate([np.arange(s, min(s + each, n_scenes), self.run) for s in shards])
        lasts = np.append(firsts[1:], n_scenes)
        if self.shuffle:
            order = _permutation(len(firsts), "runs", self.seed, epoch)
            firsts, lasts = firsts[order], lasts[order]
        starts, stops = self.offsets[firsts], self.offsets[lasts]
        ends = np.cumsum(stops - starts)
        size = self.batch_size * self.block_batches
        blocks = []
        for number, begin in enumerate(range(0, self.n_items, size)):
            end = min(begin + size, self.n_items)
            runs = np.arange(np.searchsorted(ends, begin, "right"), np.searchsorted(ends, end) + 1)
            low = np.maximum(starts[runs], stops[runs] - (ends[runs] - begin))
            high = np.minimum(stops[runs], stops[runs] - (ends[runs] - end))
            pieces = tuple((int(a), int(b)) for a, b in zip(low, high, strict=True) if b > a)
            blocks.append(Block(epoch, number, pieces))
        return blocks

    def order(self, block: Block) -> np.ndarray:
        """(item,) where in the block each item goes, items counted along its pieces."""
        if not self.shuffle:
            return np.arange(block.n_items)
        return _permutation(block.n_items, "block", self.seed, block.epoch, block.number)


def _permutation(n: int, kind: str, *indices: int) -> np.ndarray:
    """The numbers below `n` in the order of as many words of 64 random bits.

    Words that are equal, which happens once in 2**65 / n**2 times, stay in their order. A state may be
    restored under another NumPy: `Generator.permutation` may change with its version (NEP 19), while these
    words are Philox4x64-10 itself, as the tests write it down.
    """
    words = np.random.Philox(key=stream_key(_KEY, kind, *indices)).random_raw(n)
    return np.argsort(words, kind="stable")
