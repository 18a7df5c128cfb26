"""Whether a store still is what was written: every file with its size, every value with its hash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import zarr
from tqdm import tqdm

from .hierarchy import check_members, layout_of, member_array, open_root, shard_file
from .layout import RECEIPTS, StoreError, sha256_of, some
from .places import Place, damaged
from .ragged import read_part
from .receipts import data_files, finished_receipts, items_of, work_receipts
from .storage import Where, place_at

__all__ = ["file_problems", "verify"]

_UNREADABLE = (ValueError, TypeError, LookupError, RuntimeError, OSError, MemoryError)  # of damaged bytes


def verify(where: Where, shards: Iterable[int] | None = None, *, progress: bool | None = None) -> None:
    """Read shards again, of a finished store or one under way, and compare them with their receipts.

    Arguments:
        where: path or URL of the store.
        shards: which; left out, all that have receipts.
        progress: whether to draw a bar on stderr; left out, if that is a terminal.

    Raises:
        StoreError: names each array and shard that is missing, cut short or changed.
    """
    place = place_at(where)
    root, (layout, described) = open_root(place), layout_of(place)
    check_members(place, root, described)
    finished = "content_sha256" in root.attrs
    receipts = finished_receipts(place, root, described) if finished else work_receipts(place)
    chosen = sorted(receipts) if shards is None else list(shards)
    if unknown := [shard for shard in chosen if shard not in receipts]:
        raise StoreError(f"{place} has no receipts of shards {some(unknown)}: they aren't written")
    problems = file_problems(place, root, described) if finished else []
    starts = {table.path: 0 for table in layout.tables}
    rows: dict[int, dict[str, range]] = {}
    for shard, receipt in sorted(receipts.items()):
        rows[shard] = {t: range(n, n + receipt["rows"][t]) for t, n in starts.items()}
        starts = {t: n + receipt["rows"][t] for t, n in starts.items()}
    for constant in described["constants"]:
        name = constant["path"]
        problems += _item_problems(place, root, name, None, constant["sha256"], name)
    sizes = {} if finished else place.all_sizes([array.path for array in layout.arrays])
    disable = None if progress is None else not progress
    for shard in tqdm(chosen, desc=f"verify {place.name}", unit="shard", disable=disable):
        receipt = receipts[shard]
        for array in layout.arrays:
            what, file = f"{array.path}, shard {shard}", shard_file(array, shard)
            if not finished and file not in sizes[array.path]:
                problems.append(f"{what}: {file} is missing")
                continue
            entries = layout.entries(array.dims[0], shard)
            problems += _item_problems(place, root, array.path, entries, receipt["sha256"][array.path], what)
        for table in layout.tables:
            if not finished:
                read_part(place, table, receipt)
                continue
            for name in table.columns:
                item = f"{table.path}/{name}"
                what, entries = f"{item}, shard {shard}", rows[shard][table.path]
                problems += _item_problems(place, root, item, entries, receipt["sha256"][item], what)
    if problems:
        raise damaged(place, problems)


def _item_problems(
    place: Place, root: zarr.Group, name: str, entries: range | None, sha256: str, what: str
) -> list[str]:
    array = member_array(place, root, name)
    try:
        values = np.asarray(array[...] if entries is None else array[entries.start : entries.stop])
    except Exception as error:
        if told := place.told(error, f"reading {name}"):
            raise told from error
        if not isinstance(error, _UNREADABLE):
            raise
        return [f"{what}: can't be decoded ({type(error).__name__}: {error})"]
    return [] if sha256_of(name, values) == sha256 else [f"{what}: its values changed since it was written"]


def file_problems(place: Place, root: zarr.Group, described: Mapping[str, Any]) -> list[str]:
    """Files of a finished store that are missing, cut short or strange."""
    _, members = items_of(described)
    expected = np.asarray(member_array(place, root, f"{RECEIPTS}/files")[...])
    wanted = {(int(member), int(number)): int(size) for member, number, size in expected}
    found = {(int(member), int(number)): int(size) for member, number, size in data_files(place, members)}
    problems = []
    for member, number in sorted(wanted.keys() | found.keys()):
        size, right = found.get((member, number)), wanted.get((member, number))
        if size != right:
            state = "is missing" if size is None else f"has {size} bytes, not {right or 'any'}"
            problems.append(f"{members[member]}, shard {number}: its file {state}")
    return problems
