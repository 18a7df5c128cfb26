"""The order of an epoch: every item once, in whole batches, decided by seed and epoch alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.challenges.epochs import Plan


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
