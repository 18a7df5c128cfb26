"""Receipts: what each shard holds, by the SHA-256 of its decoded arrays and its numbers of rows.

A file for each shard while a store is written, folded into the group ``/receipts`` when it is
finished, with the size of every file of data. The hash of them all is the store's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr

from .hierarchy import FOLDED, member_array, write_whole
from .layout import RECEIPTS, sha256_of, some
from .places import WORK_RECEIPTS, Place, damaged

__all__ = [
    "check_receipts",
    "content_hash",
    "data_files",
    "finished_receipts",
    "fold_receipts",
    "items_of",
    "work_receipts",
]


def work_receipts(place: Place) -> dict[int, dict[str, Any]]:
    """The receipts of an unfinished store, by shard: hashes, numbers of rows, and sizes of files."""
    names = sorted(name for name in place.sizes(WORK_RECEIPTS) if name.endswith(".json"))
    contents = place.read_all([f"{WORK_RECEIPTS}/{name}" for name in names])
    return {int(name[:-5]): json.loads(content) for name, content in zip(names, contents, strict=True)}


def fold_receipts(
    place: Place, root: zarr.Group, described: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]
) -> None:
    """Write the receipts of all shards, in order, and the sizes of the files, into ``/receipts``."""
    items, members = items_of(described)
    hashes = "".join(receipt["sha256"][item] for receipt in receipts for item in items)
    sha256 = np.frombuffer(bytes.fromhex(hashes), np.uint8).reshape(len(receipts), -1, 32)
    rows = [[r["rows"][table["path"]] for table in described["tables"]] for r in receipts]
    folded = {"sha256": sha256, "rows": np.array(rows, np.int64), "files": data_files(place, members)}
    for name, values in folded.items():
        write_whole(root, f"{RECEIPTS}/{name}", FOLDED[name], values, {})


def finished_receipts(
    place: Place, root: zarr.Group, described: Mapping[str, Any]
) -> dict[int, dict[str, Any]]:
    """The receipts of a finished store, by shard: hashes and numbers of rows.

    Raises:
        StoreError: if they aren't those that were folded.
    """
    check_receipts(place, root, described)
    items, _ = items_of(described)
    sha256 = np.asarray(member_array(place, root, f"{RECEIPTS}/sha256")[...])
    rows = np.asarray(member_array(place, root, f"{RECEIPTS}/rows")[...])
    tables = [table["path"] for table in described["tables"]]
    return {
        shard: {
            "sha256": dict(zip(items, (h.tobytes().hex() for h in sha256[shard]), strict=True)),
            "rows": dict(zip(tables, rows[shard].tolist(), strict=True)),
        }
        for shard in range(len(sha256))
    }


def check_receipts(place: Place, root: zarr.Group, described: Mapping[str, Any]) -> None:
    """Raise a `StoreError` unless layout and receipts have the store's hash, and its root the attributes."""
    if content_hash(place, root, described) != root.attrs.get("content_sha256"):
        problem = f"{RECEIPTS} or content_sha256 changed since they were written"
        raise damaged(place, [problem], in_shards=False)
    written, found = described["attributes"], root.attrs.asdict()
    if changed := [name for name in written if name not in found or found[name] != written[name]]:
        problem = f"the root's attributes changed since they were written: {some(changed)}"
        raise damaged(place, [problem], in_shards=False)


def content_hash(place: Place, root: zarr.Group, described: Mapping[str, Any]) -> str:
    """SHA-256 of the layout, and of the hash and number of rows of all that each shard holds."""
    content = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name in ("sha256", "rows"):
        values = np.asarray(member_array(place, root, f"{RECEIPTS}/{name}")[...])
        content.update(sha256_of(name, values).encode())
    return f"sha256:{content.hexdigest()}"


def items_of(described: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Paths of what each shard has a hash of; and of everything that has files."""
    items = [array["path"] for array in described["arrays"]]
    items += [f"{table['path']}/{name}" for table in described["tables"] for name in table["columns"]]
    return items, items + [constant["path"] for constant in described["constants"]]


def data_files(place: Place, members: Sequence[str]) -> np.ndarray:
    """(file, 3): member, number of the shard and size of each file of decoded data."""
    sizes = place.all_sizes(members)
    files = [
        (member, int([*name.split("."), "0"][1]), size)
        for member, folder in enumerate(members)
        for name, size in sizes[folder].items()
        if name.split(".")[0] == "c"
    ]
    return np.array(sorted(files), np.int64).reshape(-1, 3)
