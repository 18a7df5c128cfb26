"""The order of an epoch: every item once, in whole batches, decided by seed and epoch alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.challenges.epochs import Plan
from skysynergy.simulators.randomness import stream_key


@st.composite
def plans(draw):
    counts = draw(st.lists(st.integers(0, 5), min_size=1, max_size=30).filter(any))
    return Plan(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        scenes_per_shard=draw(st.integers(1, 8)),
        seed=draw(st.integers(0, 2**40)),
        batch_size=draw(st.integers(1, 7)),
        run=draw(st.integers(1, 9)),
        block_batches=draw(st.integers(1, 4)),
        shuffle=draw(st.booleans()),
        drop_last=draw(st.booleans()),
    )


def sequence(plan: Plan, epoch: int) -> list[int]:
    """The items of an epoch in the order in which they are given."""
    given_items = []
    for block in plan.blocks(epoch):
        items = np.concatenate([np.arange(*piece) for piece in block.pieces])
        at = np.empty_like(items)
        at[plan.order(block)] = items
        given_items += at.tolist()
    return given_items


@given(plans(), st.integers(0, 3))
def test_an_epoch_has_every_item_once_in_whole_batches(plan, epoch):
    total = int(plan.offsets[-1])
    items = sequence(plan, epoch)
    assert len(items) == plan.n_items and max(Counter(items).values(), default=1) == 1
    assert set(items) <= set(range(total))
    if plan.drop_last:
        assert plan.n_items == plan.n_batches * plan.batch_size > total - plan.batch_size
    else:
        assert len(items) == total
    blocks = plan.blocks(epoch)
    assert all(b.n_items == plan.batch_size * plan.block_batches for b in blocks[:-1])
    if not plan.shuffle:
        assert items == list(range(plan.n_items))


@given(plans())
def test_the_items_of_a_scene_and_a_run_stay_in_their_block_as_ranges(plan):
    shard = np.arange(len(plan.offsets) - 1) // plan.scenes_per_shard
    for block in plan.blocks(0):
        for start, stop in block.pieces:
            first, last = np.searchsorted(plan.offsets, [start, stop - 1], "right") - 1
            assert shard[first] == shard[last] and last - first < plan.run


def philox(key: int, n: int) -> list[int]:
    """The first words of Philox4x64-10, counted from one as NumPy does, in whole numbers of Python."""
    low, words = 2**64 - 1, []
    for count in range(1, n // 4 + 2):
        a, b, c, d = count, 0, 0, 0
        k0, k1 = key & low, key >> 64
        for _ in range(10):
            p, q = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
            a, b, c, d = q >> 64 ^ b ^ k0, q & low, p >> 64 ^ d ^ k1, p & low
            k0, k1 = k0 + 0x9E3779B97F4A7C15 & low, k1 + 0xBB67AE8584CAA73B & low
        words += [a, b, c, d]
    return words[:n]


@given(st.integers(0, 2**63 - 1), st.integers(0, 50), st.integers(1, 70))
def test_the_order_is_that_of_philox_words_under_any_numpy(seed, epoch, n):
    plan = Plan(np.arange(n + 1), n, seed, n, 1, 1, True, False)

    def order(kind, *indices):
        words = philox(stream_key(b"loader", kind, seed, epoch, *indices), n)
        return sorted(range(n), key=words.__getitem__)

    (block,) = plan.blocks(epoch)
    assert [start for start, _ in block.pieces] == order("runs")
    assert plan.order(block).tolist() == order("block", 0)


def test_another_seed_or_epoch_is_another_order_and_shards_mix():
    def plan(seed):
        return Plan(np.arange(401), 50, seed, 16, 4, 4, True, False)

    orders = [sequence(plan(seed), epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    assert sequence(plan(1), 1) == orders[3]
    for order in orders:
        assert np.median([len(set(np.array(order[k : k + 16]) // 50)) for k in range(0, 400, 16)]) >= 4
        # No item remembers where it stands in the store.
        assert abs(np.corrcoef(order, np.arange(400))[0, 1]) < 0.35
