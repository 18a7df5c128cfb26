"""Ranges of scenes, fields or rows of a finished store, read as fast as their bytes are decompressed.

zarr spends half a millisecond on each chunk, its event loop and threads, which is more than it takes to
decompress one. Here the chunks of a range come in one piece from their shard and are checked and
decompressed straight into place. The format is that of the store alone (`hierarchy.new_array`): Blosc and a
checksum, an index at the end of each shard (Zarr v3, ``sharding_indexed``); any other array is left to zarr.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numcodecs import blosc  # pyright: ignore[reportAttributeAccessIssue]
from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.codecs import ShardingCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from .hierarchy import CHECKSUM, COMPRESSION
from .layout import StoreError
from .places import Place

__all__ = ["Request", "ShardReader"]

Request = tuple[str, int, int]
"""Path of an array, and the range of entries along its first dimension: start and, beyond the last, stop."""

KEPT_BYTES = 1 << 26
"""Of indices and of shards of small arrays, so that each is read once. Our choice, 64 MiB."""

SMALL_BYTES = 1 << 17
"""A shard of fewer bytes is read and kept whole. Our choice, 128 KiB: never the pixels of whole scenes."""

_CHECKSUM_BYTES = 4
_INDEX_BYTES = 16  # of a chunk: its offset and size


@dataclass(frozen=True, eq=False)
class _Member:
    """An array of the store. zarr works out its shape anew whenever it is asked.

    Attributes:
        array: as zarr has it.
        shape, dtype: of it.
        shard, chunk: entries of one; no shard where the array is left to zarr.
        small: whether its shards are kept whole.
    """

    array: zarr.Array
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    shard: int
    chunk: int
    small: bool

    @property
    def index_bytes(self) -> int:
        return self.shard // self.chunk * _INDEX_BYTES + _CHECKSUM_BYTES

    def shards(self, start: int, stop: int) -> range:
        """The shards that hold a range."""
        return range(start // self.shard, -(-stop // self.shard)) if self.shard and stop > start else range(0)

    def file(self, shard: int) -> str:
        metadata: Any = self.array.metadata
        return f"{self.array.path}/{metadata.encode_chunk_key((shard,) + (0,) * (len(self.shape) - 1))}"


@dataclass(frozen=True)
class _Piece:
    """What of one shard a range needs: entries and chunks, counted in the shard.

    Of a large one also the bytes of these chunks, from the first to the last, and where in the file each is.
    """

    name: str
    shard: int
    entries: tuple[int, int]
    chunks: tuple[int, int]
    bytes: tuple[int, int] = (0, 0)
    index: tuple[tuple[int, int], ...] = ()


_Found = tuple[Sequence[_Piece], Mapping[_Piece, memoryview]]


class ShardReader:
    """Reads ranges of the arrays of a finished store. Not for several threads at once.

    Attributes:
        root: group of the store.
        place: where it lies.
    """

    def __init__(self, root: zarr.Group, place: Place) -> None:
        self.root, self.place = root, place
        self._members: dict[str, _Member] = {}
        self._kept: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._kept_bytes = 0

    def array(self, name: str) -> zarr.Array:
        """The array of this name; nothing of it is read."""
        return self._member(name).array

    def _member(self, name: str) -> _Member:
        if name not in self._members:
            array: Any = self.root[name]
            shard, chunk = (array.shards[0], array.chunks[0]) if _is_ours(array) else (0, 0)
            small = math.prod((shard, *array.shape[1:])) * array.dtype.itemsize <= SMALL_BYTES
            self._members[name] = _Member(array, array.shape, array.dtype, shard, chunk, small)
        return self._members[name]

    def read(
        self, requests: Sequence[Request], into: Sequence[np.ndarray | None] | None = None
    ) -> list[np.ndarray]:
        """The entries asked for, array by array; what lies in an object store is fetched at the same time.

        Arguments:
            requests: what to read.
            into: arrays of the right shape and dtype to write to, where there are any.

        Raises:
            StoreError: naming the array, if what is read was damaged or is gone.
        """
        into = [None] * len(requests) if into is None else into
        found = zip(self._found(requests), into, strict=True)
        return [self._values(request, *pieces, out) for (request, pieces), out in found]

    def entries(self, requests: Sequence[Request]) -> list[Iterator[np.ndarray]]:
        """As `read`, but one entry of each array at a time, which holds until the next one is taken.

        So images pass through little memory, which stays in the cache of the processor.
        """
        return [self._entries(request, *found) for request, found in self._found(requests)]

    def _found(self, requests: Sequence[Request]) -> list[tuple[Request, _Found]]:
        requests = [(name, start, min(stop, self._member(name).shape[0])) for name, start, stop in requests]
        self._prepare([(name, k) for name, *span in requests for k in self._member(name).shards(*span)])
        pieces = {request: self._pieces(request) for request in requests}
        wanted = [p for each in pieces.values() for p in each if not self._member(p.name).small]
        asked = [(p.name, self._member(p.name).file(p.shard), RangeByteRequest(*p.bytes)) for p in wanted]
        fetched = dict(zip(wanted, self._fetch(asked), strict=True))
        return [(request, (pieces[request], fetched)) for request in requests]

    def _prepare(self, shards: Sequence[tuple[str, int]]) -> None:
        """Keep the index of each large shard, and the content of each small one."""
        missing = [key for key in dict.fromkeys(shards) if key not in self._kept]
        asked = []
        for name, shard in missing:
            member = self._member(name)
            part = None if member.small else SuffixByteRequest(member.index_bytes)
            asked.append((name, member.file(shard), part))
        for (name, shard), content in zip(missing, self._fetch(asked), strict=True):
            member = self._member(name)
            try:
                kept = _index(member, content)
                if member.small:
                    entries = min(member.shard, member.shape[0] - shard * member.shard)
                    index = _written(kept[: -(-entries // member.chunk)]).tolist()
                    kept = np.empty((member.shard, *member.shape[1:]), member.dtype)
                    _decode_into(kept, member, index, content, 0, 0)
            except (ValueError, RuntimeError) as error:
                raise self._damaged(name, error) from error
            self._kept[name, shard] = kept
            self._kept_bytes += kept.nbytes
        for key in shards:
            self._kept.move_to_end(key)
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > len(shards):
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes

    def _pieces(self, request: Request) -> list[_Piece]:
        name, start, stop = request
        member = self._member(name)
        pieces = []
        for shard in member.shards(start, stop):
            low, high = max(start - shard * member.shard, 0), min(stop - shard * member.shard, member.shard)
            chunks = low // member.chunk, -(-high // member.chunk)
            if member.small:
                pieces.append(_Piece(name, shard, (low, high), chunks))
                continue
            try:
                index = _written(self._kept[name, shard][slice(*chunks)])
            except ValueError as error:
                raise self._damaged(name, error) from error
            span = int(index[:, 0].min()), int(index.sum(axis=1).max())
            pieces.append(_Piece(name, shard, (low, high), chunks, span, tuple(map(tuple, index.tolist()))))
        return pieces

    def _entries(
        self, request: Request, pieces: Sequence[_Piece], fetched: Mapping[_Piece, memoryview]
    ) -> Iterator[np.ndarray]:
        member = self._member(request[0])
        if member.chunk != 1 or member.small:
            yield from self._values(request, pieces, fetched)
            return
        entry = np.empty((1, *member.shape[1:]), member.dtype)
        for piece in pieces:
            for offset, size in piece.index:
                begin = offset - piece.bytes[0]
                try:
                    _decompress(fetched[piece][begin : begin + size], entry)
                except (ValueError, RuntimeError) as error:
                    raise self._damaged(piece.name, error) from error
                yield entry[0]

    def _values(
        self,
        request: Request,
        pieces: Sequence[_Piece],
        fetched: Mapping[_Piece, memoryview],
        values: np.ndarray | None = None,
    ) -> np.ndarray:
        name, start, stop = request
        member = self._member(name)
        try:
            if values is None:
                values = np.empty((max(0, stop - start), *member.shape[1:]), member.dtype)
            if not member.shard:
                values[...] = np.asarray(member.array[start:stop])
            begin = 0
            for piece in pieces:
                low, high = piece.entries
                into = values[begin : begin + high - low]
                begin += high - low
                if member.small:
                    into[...] = self._kept[name, piece.shard][low:high]
                else:
                    skipped = low - piece.chunks[0] * member.chunk
                    _decode_into(into, member, piece.index, fetched[piece], piece.bytes[0], skipped)
            return values
        except (ValueError, RuntimeError) as error:
            raise self._damaged(name, error) from error

    def _fetch(self, asked: Sequence[tuple[str, str, Any]]) -> list[memoryview]:
        """The bytes of files, or of parts of them, each of an array that is named with it."""
        store: Any = self.root.store
        prototype = default_buffer_prototype()
        with self.place.telling(f"reading {asked[0][0]}" if asked else "reading"):
            if hasattr(store, "get_sync"):  # of a disk, where waiting for each costs less than a thread does
                found = [
                    store.get_sync(name, prototype=prototype, byte_range=part) for _, name, part in asked
                ]
            else:
                found = sync(_together(store, [(name, prototype, part) for _, name, part in asked]))
        for (name, file, _), buffer in zip(asked, found, strict=True):
            if buffer is None:
                raise self._damaged(name, FileNotFoundError(f"{file} is gone"))
        return [memoryview(buffer.as_numpy_array()).cast("B") for buffer in found]

    def _damaged(self, name: str, error: Exception) -> StoreError:
        return StoreError(
            f"{self.place} is damaged: a chunk of {name} can't be read ({type(error).__name__}: {error}). "
            "Run `skysynergy verify` to find all that is damaged"
        )


async def _together(store: Any, asked: Sequence[tuple[Any, ...]]) -> list[Any]:
    return await asyncio.gather(*(store.get(*one) for one in asked))


def _is_ours(array: zarr.Array) -> bool:
    """Whether the array is cut along its first dimension alone, and coded as `hierarchy.new_array` does."""
    metadata: Any = array.metadata
    if array.shards is None or array.chunks[1:] != array.shape[1:] or array.shards[1:] != array.shape[1:]:
        return False
    sharding = metadata.codecs[0]
    return (
        isinstance(sharding, ShardingCodec)
        and getattr(sharding.index_location, "value", sharding.index_location) == "end"
        and array.dtype.newbyteorder("<") == array.dtype
        and [type(codec) for codec in sharding.codecs[1:]] == [type(COMPRESSION), type(CHECKSUM)]
    )


def _index(member: _Member, content: memoryview) -> np.ndarray:
    """(chunk, 2) offset and size of each chunk, from the end of a shard's file; -1 where there is none."""
    if len(content) < member.index_bytes:
        raise ValueError("its shard is cut short")
    values = _checked(content[len(content) - member.index_bytes :])
    return np.frombuffer(values, "<i8").reshape(-1, 2)


def _written(index: np.ndarray) -> np.ndarray:
    """The index of chunks that hold entries of the array; of a finished store there is each of them."""
    if index.min() < 0:
        raise ValueError("a chunk was never written")
    return index


def _decode_into(
    values: np.ndarray,
    member: _Member,
    index: Sequence[Sequence[int]],
    content: memoryview,
    begin: int,
    skipped: int,
) -> None:
    """The entries of some chunks of a shard.

    Arguments:
        values: (entry, ...) to write to.
        member: the array.
        index: offset and size of each of the chunks that hold these entries.
        content: bytes of the shard from the byte `begin` on.
        begin: as said.
        skipped: entries of the first chunk that come before those asked for.
    """
    for k, (offset, size) in enumerate(index):
        chunk = content[offset - begin : offset - begin + size]
        low, high = k * member.chunk - skipped, (k + 1) * member.chunk - skipped
        if low >= 0 and high <= len(values):
            _decompress(chunk, values[low:high])
        else:
            whole = np.empty((member.chunk, *member.shape[1:]), member.dtype)
            _decompress(chunk, whole)
            values[max(low, 0) : high] = whole[max(-low, 0) : len(values) - low]


def _decompress(content: memoryview, into: np.ndarray) -> None:
    """A chunk with its checksum."""
    chunk = _checked(content)
    if int.from_bytes(chunk[4:8], "little") != into.nbytes:  # so Blosc's header says; it would write less
        raise ValueError("it holds another number of bytes")
    blosc.decompress(chunk, into)


def _checked(content: memoryview) -> memoryview:
    """What stands before a checksum (CRC-32C, little-endian), which has to be right."""
    values, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    if google_crc32c.value(np.frombuffer(values, np.uint8)) != int.from_bytes(checksum, "little"):
        raise ValueError("its checksum is wrong")
    return values
