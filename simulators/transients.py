"""Transients in the time domain of both surveys: the stream that the light-curve stores are written from.

A field is one place on the sky with its visits of ten years: in LSST's wide survey, in a deep field, or in
one that Euclid sees deep too, where there are VIS, Y, J and H besides. In each field a number of transients
is simulated that the survey notices, in fixed shares of their classes; of each class, transients are drawn
from nature's rates and luminosities until as many are noticed as are asked for. How many had to be drawn is
kept with the truth: it gives the numbers that nature would show.

Peaks come at any time, so that seasons cut light curves off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cadence import survey_visits
from .epochs import Epochs, epochs_of
from .lightcurves import Seen, observe
from .noticed_transients import Kept, joined, kept_of
from .randomness import generator
from .series_sources import Source, require_source
from .stream import Shard
from .template_library import names
from .transient_candidates import Candidates, draw_candidates
from .transient_classes import CLASSES, OUT_OF_DISTRIBUTION, find_class

__all__ = ["CADENCES", "KINDS", "SHARES", "TransientSurvey", "class_shares", "field_epochs", "simulate_shard"]

KINDS = (*CLASSES, *OUT_OF_DISTRIBUTION)
"""All classes, by code: those to be told apart, then those that are held out."""

CADENCES = ("wide", "deep", "euclid-deep")
"""What a field may be."""

# Fields of five, in turn.
_CADENCE = (0, 0, 0, 1, 2)

SHARES: Mapping[str, float] = {
    "Ia": 0.26, "Ia-91bg": 0.06, "II": 0.16, "IIn": 0.08, "IIb": 0.06, "Ib": 0.06, "Ic": 0.06,
    "Ic-BL": 0.04, "SLSN-I": 0.07, "TDE": 0.06, "KN": 0.02, "AGN": 0.07,
}  # fmt: skip
"""Part of each class in what a split holds: closer to each other than nature's, so that the rare can be
learnt and scored. Our choice."""

_HELD_OUT_SHARE = 0.04  # of each class out of distribution, in a test split

_FIRST_DRAW, _MOST_DRAWN = 256, 400_000


@dataclass(frozen=True)
class TransientSurvey:
    """What to simulate.

    Attributes:
        n_fields: fields: three of five wide, one deep, one that Euclid sees deep too.
        objects_per_field: transients that are noticed in each.
        source: of the spectral series.
        shares: part of each class of `transient_classes.CLASSES`; they add up to one.
        years: of LSST, from its beginning.
    """

    n_fields: int
    objects_per_field: int
    source: Source = "parametric"
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    years: int = 10

    def __post_init__(self) -> None:
        if self.n_fields < 1 or self.objects_per_field < 1:
            raise ValueError(
                f"at least one field of one object, not {self.n_fields} x {self.objects_per_field}"
            )
        require_source(self.source)
        unknown = [name for name in self.shares if name not in CLASSES]
        if unknown or min(self.shares.values()) < 0 or abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(
                f"shares are parts of {' '.join(CLASSES)} that add up to one, not {dict(self.shares)}"
            )

    def describe(self) -> dict[str, Any]:
        """Plain numbers and text, for the attributes of a store and for a commitment."""
        described = asdict(self) | {"shares": dict(self.shares), "kinds": KINDS, "cadences": CADENCES}
        if self.source == "sncosmo":
            # What is there differs from one machine to the next, and what is simulated with it.
            exploding = [kind for kind in KINDS if not find_class(kind).always]
            both = ("learn", False), ("test", True)
            described["series"] = {
                kind: {side: names(self.source, kind, test=test) for side, test in both} for kind in exploding
            }
        return json.loads(json.dumps(described))


def class_shares(shares: Mapping[str, float] = SHARES, *, test: bool) -> list[float]:
    """The part of each of `KINDS` in a split, in their order; they add up to one.

    Arguments:
        shares: of the classes to be told apart.
        test: whether the split holds those out of distribution too.
    """
    held_out = len(OUT_OF_DISTRIBUTION) * _HELD_OUT_SHARE if test else 0.0
    known = [shares.get(name, 0.0) * (1.0 - held_out) for name in CLASSES]
    return known + [_HELD_OUT_SHARE if test else 0.0 for _ in OUT_OF_DISTRIBUTION]


def field_epochs(survey: TransientSurvey, secret: bytes, split: int, number: int) -> tuple[int, Epochs]:
    """The place of a field in `CADENCES`, and its epochs."""
    cadence = _CADENCE[number % len(_CADENCE)]
    visits = survey_visits(
        generator(secret, "transient visits", split, number),
        field="wide" if CADENCES[cadence] == "wide" else "deep",
        euclid="deep" if CADENCES[cadence] == "euclid-deep" else None,
        years=survey.years,
    )
    return cadence, epochs_of(visits)


def simulate_shard(
    shard: int, *, survey: TransientSurvey, secret: bytes, split: int, test: bool, fields_per_shard: int
) -> list[Shard]:
    """The fields of one shard, for the data store and for the truth store.

    Arguments:
        shard: its number.
        survey: what to simulate.
        secret: keys every random number.
        split: number of the split.
        test: whether it is a test split, with series of its own, and objects of classes that are held out.
        fields_per_shard: fields of one shard.
    """
    numbers = range(shard * fields_per_shard, min((shard + 1) * fields_per_shard, survey.n_fields))
    made = [_field(survey, secret, split, number, test=test) for number in numbers]
    return [_together([pair[side] for pair in made]) for side in (0, 1)]


def _field(
    survey: TransientSurvey, secret: bytes, split: int, number: int, *, test: bool
) -> tuple[Shard, Shard]:
    cadence, epochs = field_epochs(survey, secret, split, number)
    counts = _counts(generator(secret, "transient classes", split, number), survey, test=test)
    drawn, kept = np.zeros((2, len(KINDS)), dtype=np.int64)
    parts: list[Kept] = []
    for code, count in enumerate(counts.tolist()):
        if not count:
            continue
        rng = generator(secret, "transients", split, number, code)
        for candidates, seen, size in _noticed(rng, KINDS[code], count, epochs, survey.source, test=test):
            parts.append(kept_of(rng, code, candidates, seen, epochs))
            drawn[code] += size
        kept[code] = count
    rng = generator(secret, "transient order", split, number)
    every = joined(parts)
    every = every.select(rng.permutation(len(every)))
    ids = {"id": rng.integers(2**62, size=len(every))}
    identity = np.array([int(generator(secret, "id transient field", split, number).integers(2**62))])
    data = Shard(
        {"fields/id": identity, "fields/cadence": np.array([cadence], np.int8)},
        {
            "objects": ids | {"field": np.full(len(every), number)} | every.objects,
            "observations": every.observations,
        },
    )
    truth = Shard(
        {"fields/id": identity, "fields/drawn": drawn[None], "fields/kept": kept[None]},
        {"objects": ids | every.true_objects, "observations": every.true_observations},
    )
    return data, truth


def _counts(rng: np.random.Generator, survey: TransientSurvey, *, test: bool) -> NDArray[np.int64]:
    """(kind,) how many of each class a field has."""
    shares = class_shares(survey.shares, test=test)
    # A survey's shares add up to one to nine digits, which numpy would not have.
    return rng.multinomial(survey.objects_per_field, np.array(shares) / sum(shares))


def _noticed(
    rng: np.random.Generator, kind: str, count: int, epochs: Epochs, source: Source, *, test: bool
) -> Iterator[tuple[Candidates, Seen, int]]:
    """Draws of a class until so many are noticed: what was drawn, what is kept, and how many it took."""
    size, total = max(_FIRST_DRAW, 2 * count), 0
    while count:
        if total > _MOST_DRAWN:
            raise RuntimeError(
                f"of {total} transients of class {kind} too few are noticed: {count} are missing"
            )
        candidates = draw_candidates(rng, kind, size, epochs, source=source, test=test)
        seen = observe(
            rng,
            epochs,
            candidates.row_size,
            candidates.row,
            candidates.flux,
            surface_brightness=candidates.hosts.surface_nJy,
            steady=candidates.steady,
            both_signs=find_class(kind).always,
            newest=candidates.newest,
        )
        found = seen.which.size
        total += size
        if found >= count:
            # Those that came after the last that is needed were not drawn, as it were: what lies between
            # it and the end of a batch would make a rare class look rarer.
            last = int(seen.which[count - 1])
            seen, found = _first(seen, count), count
            yield candidates, seen, last + 1
        else:
            yield candidates, seen, size
        count -= found
        size = int(np.clip(1.3 * count * total / max(found, 1), _FIRST_DRAW, 20_000))


def _together(shards: list[Shard]) -> Shard:
    """The shards of several fields as one."""
    tables = {
        table: {name: np.concatenate([shard.tables[table][name] for shard in shards]) for name in columns}
        for table, columns in shards[0].tables.items()
    }
    return Shard(
        {path: np.concatenate([shard.arrays[path] for shard in shards]) for path in shards[0].arrays}, tables
    )


def _first(seen: Seen, count: int) -> Seen:
    """The first few of those that were noticed."""
    m = int(seen.row_size[:count].sum())
    return Seen(
        seen.which[:count],
        seen.row_size[:count],
        seen.row[:m],
        seen.true[:m],
        seen.flux[:m],
        seen.error[:m],
        seen.detected[:m],
    )
