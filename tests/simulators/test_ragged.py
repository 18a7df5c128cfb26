"""Ragged tables: rows of all shards, in order, whatever their numbers."""

import numpy as np
import pytest
from skysynergy.simulators import ragged
from skysynergy.simulators.integrity import verify
from skysynergy.simulators.layout import Column, Layout, StoreError, Table
from skysynergy.simulators.store import create, finish, open_store, write_shard


def test_long_tables_cross_their_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(ragged, "CHUNK_BYTES", 32)
    monkeypatch.setattr(ragged, "CHUNKS_PER_SHARD", 2)
    path = tmp_path / "long.zarr"
    create(path, Layout([], [Table("t", "row", {"n": Column("int64")})], 5, 5, 1))
    start = 0
    for index, rows in enumerate([3, 30, 0, 9, 1]):
        write_shard(path, index, {}, {"t": {"n": np.arange(start, start + rows)}})
        start += rows
    finish(path)
    assert len(list((path / "t/n").glob("c.*"))) == 6
    np.testing.assert_array_equal(open_store(path)["t/n"], np.arange(43))
    verify(path, [3])
    (path / "t/n/c.3").unlink()
    with pytest.raises(StoreError, match="t/n, shard 3: its file is missing"):
        open_store(path)
