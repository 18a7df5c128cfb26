"""Datasets on disk: where they lie, how they are made, and how they are opened.

A split is a pair of stores, ``<split>.zarr`` with the data and ``<split>.truth.zarr``. They lie
in ``$SKYSYNERGY_DATA``, a folder or the URL of an object store (else in the platform's data folder), under
dataset, version and tier.
Train and validation grow from published secrets, so that anyone can make them; a test split
grows from a secret that its organiser keeps, and carries the commitment to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import xarray

from ..simulators import integrity, store, stream
from ..simulators.software import lock
from ..simulators.storage import Where, join, place_at, where_from
from ..version import __version__
from . import sealing, sky_fields
from .names import choose
from .tiers import DATASETS, SKY, Tier

__all__ = [
    "DatasetError",
    "Split",
    "check_homes",
    "data_home",
    "generate",
    "is_absent",
    "open_split",
    "open_truth",
    "require",
    "sealed_home",
    "verify",
]


class DatasetError(Exception):
    """A dataset that is not there or cannot be made, and what to do about it."""


@dataclass(frozen=True)
class Split:
    """One split of one tier of a dataset, where it is stored.

    Attributes:
        tier, split: their names.
        home: path or URL of all datasets.
        truth_home: of sealed truth, where that lies apart; None for beside the data.
        dataset: its name.
    """

    tier: str
    split: str
    home: Where
    truth_home: Where | None = None
    dataset: str = SKY.name

    @classmethod
    def of(
        cls,
        tier: str,
        split: str,
        home: Where | None = None,
        truth_home: Where | None = None,
        *,
        dataset: str = SKY.name,
    ) -> Split:
        """The split of these names; near matches are suggested where there is none."""
        known = DATASETS[choose("dataset", dataset, DATASETS)].tiers
        names = choose("tier", tier, known), choose("split", split, sealing.SPLITS)
        home = data_home() if home is None else home
        return cls(*names, home, truth_home or sealed_home(), dataset)

    def __post_init__(self) -> None:
        for name in ("home", "truth_home"):
            if isinstance(text := getattr(self, name), str):
                object.__setattr__(self, name, where_from(text))

    @property
    def data(self) -> Where:
        return join(self.home, *self._folders, f"{self.split}.zarr")

    @property
    def truth(self) -> Where:
        home = self.home if self.truth_home is None or self.is_open else self.truth_home
        return join(home, *self._folders, f"{self.split}.truth.zarr")

    @property
    def is_open(self) -> bool:
        """Whether its secret is published, and its truth with it."""
        return self.split in sealing.OPEN_SPLITS

    @property
    def _folders(self) -> tuple[str, ...]:
        return self.dataset, self.version, self.tier

    @property
    def version(self) -> str:
        """Of the dataset."""
        return DATASETS[self.dataset].version

    @property
    def content(self) -> Tier:
        """What it holds, and how that is made."""
        return DATASETS[self.dataset].tiers[self.tier]

    @property
    def dither_key(self) -> bytes:
        """Public key of the quantisation."""
        return f"{self.dataset} {self.version} {self.tier} {self.split}".encode()


def data_home() -> Where:
    """``$SKYSYNERGY_DATA``, a path or URL, else the platform's folder for data."""
    home = os.environ.get("SKYSYNERGY_DATA")
    return where_from(home) if home else platformdirs.user_data_path("skysynergy")


def sealed_home() -> Where | None:
    """``$SKYSYNERGY_TRUTH``, a path or URL that only an organiser can read; None for beside the data."""
    home = os.environ.get("SKYSYNERGY_TRUTH")
    return where_from(home) if home else None


def check_homes(split: Split) -> None:
    """Raise a `DatasetError` if sealed truth would lie where the data are read by others."""
    if split.is_open or isinstance(split.truth, Path):
        return
    if f"{split.truth}/".startswith(f"{split.home}/"):
        raise DatasetError(
            f"the truth of {split.split} is sealed, but whoever reads {split.home} would read it. Give it a "
            "home of its own: --truth-out with a folder, or the URL of a bucket that only you may read"
        )


def generate(
    split: Split,
    *,
    secret: bytes | None = None,
    workers: int = 1,
    cluster: str | None = None,
    progress: bool | None = None,
) -> None:
    """Make a split, or finish one that was interrupted; nothing happens where it is whole.

    Arguments:
        split: which one.
        secret: of a test split (see `sealing`); train and validation have published ones.
        workers: number of processes.
        cluster: address of a Dask scheduler, whose workers do it instead (see `stream.write_stream`).
        progress: whether to draw a progress bar; None for only on a terminal.

    Raises:
        DatasetError: if a test split is asked for without a secret, or an open one with one; or if sealed
            truth would lie beside the data in an object store.
        StoreError: if the disk is full, a worker dies, another process makes the same split, another
            dataset lies there, or the object store or the scheduler can't be reached.
    """
    check_homes(split)
    seal: dict[str, object] = {"commitment": ""}
    if split.is_open:
        if secret is not None:
            raise DatasetError(f"{split.split} has a published secret: leave out the secret file")
        secret = sealing.open_secret(split.dataset, split.version, split.tier, split.split)
    elif secret is None:
        raise DatasetError(
            f"{split.split} is sealed: to make one of your own, keep its secret in a file: "
            f"`skysynergy simulate {split.dataset} --tier {split.tier} --split {split.split} "
            "--secret-file FILE` (the file is made where there is none); train and validation need no secret"
        )
    else:
        seal = {"commitment": seal_of(split, secret)}
    attributes = {
        "name": split.dataset,
        "version": split.version,
        "tier": split.tier,
        "split": split.split,
        "dither_key": split.dither_key.decode(),
        "lock": lock(),
    }
    attributes |= split.content.describe() | seal
    paths = [split.data, split.truth]
    for folder in (path.parent for path in paths if isinstance(path, Path)):
        folder.mkdir(parents=True, exist_ok=True)
    with place_at(split.data).alone():
        for path, layout in zip(paths, split.content.layouts(attributes), strict=True):
            store.create(path, layout)
        if not split.is_open and isinstance(split.truth, Path):
            split.truth.chmod(0o700)
        simulate = split.content.simulator(secret, sealing.SPLITS.index(split.split), split.dither_key)
        run = stream.write_stream(paths, simulate, workers=workers, cluster=cluster, progress=progress)
        for path in paths:
            store.finish(path, run)
            # A store that was finished long ago may have been damaged since.
            store.open_store(path)


def is_absent(where: Where) -> bool:
    """Whether nothing is at a path or URL.

    Raises:
        StoreError: if an object store can't be reached.
    """
    place = place_at(where)
    with place.telling("looking what is there"):
        return place.is_empty()


def seal_of(split: Split, secret: bytes) -> str:
    """The commitment to publish for a sealed split."""
    spec = {"dataset": split.dataset, "version": split.version, "tier": split.tier, "split": split.split}
    spec |= split.content.describe()
    return sealing.commitment(secret, code_version=__version__, lock=lock().encode(), spec=spec)


def open_split(split: Split) -> xarray.DataTree:
    """The data of a split, opened lazily; images are decoded to nJy where they are indexed.

    Raises:
        DatasetError: if it was never made here.
        StoreError: if it is incomplete or damaged, or of another schema.
    """
    tree = _open(split, split.data)
    return sky_fields.decoded(tree) if split.dataset == SKY.name else tree


def require(splits: Iterable[Split]) -> None:
    """Raise a `DatasetError` that names all of some splits of a tier that were never made here.

    Arguments:
        splits: of one tier. A sealed one that is missing is left to `open_split` if it is alone, since it
            comes from elsewhere.
    """
    missing = [one for one in splits if is_absent(one.data)]
    if len(missing) < 2:
        return
    paths = " and ".join(str(one.data) for one in missing)
    options = " ".join(f"--split {one.split}" for one in missing if one.is_open)
    sealed = [one.split for one in missing if not one.is_open]
    how = f"make them with `skysynergy get {missing[0].dataset} --tier {missing[0].tier} {options}`"
    if sealed:
        how += f"; {' and '.join(sealed)} is sealed and comes from its organiser"
    raise DatasetError(f"{paths} are not there: {how}")


def open_truth(split: Split) -> xarray.DataTree:
    """The truth of a split.

    Raises:
        DatasetError: if it is not here: sealed, or never made.
    """
    if why := _why_sealed(split):
        raise DatasetError(f"the truth of {split.split} is sealed until the challenge closes: {why}")
    return _open(split, split.truth)


def _why_sealed(split: Split) -> str:
    """What keeps this user from the truth of a sealed split; empty if nothing does."""
    if split.is_open:
        return ""
    try:
        return "it is not here" if is_absent(split.truth) else ""
    except PermissionError:
        return "you may not read it"


def verify(split: Split) -> list[Where]:
    """Read every array of a split and compare it with its receipts; the stores that are whole.

    Sealed truth is left out where it isn't here.

    Raises:
        DatasetError: if it was never made here.
        StoreError: naming the array and the shard that are damaged.
    """
    checked = [split.data] if _why_sealed(split) else [split.data, split.truth]
    for path in checked:
        _open(split, path)
        integrity.verify(path)
    return checked


def _open(split: Split, path: Where) -> xarray.DataTree:
    if is_absent(path):
        what = f"--tier {split.tier} --split {split.split}"
        if not split.is_open:
            raise DatasetError(
                f"{path} is not there: {split.split} is sealed and comes from its organiser; to organise "
                f"one of your own: `skysynergy simulate {split.dataset} {what} --secret-file FILE`"
            )
        raise DatasetError(f"{path} is not there: make it with `skysynergy get {split.dataset} {what}`")
    return store.open_store(path)
