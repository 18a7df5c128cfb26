"""When LSST looks: the nights, bands and minutes of ten years at one pointing.

A wide pointing is seen in about 390 nights of ten or eleven seasons, more in every second one
(rolling), mostly in pairs about 34 minutes apart in two bands that go with the moon. A deep field
has the same visits and, about once a week, a sequence of 38 to 92 exposures that follow each other
in five bands.

Where no other source is given the numbers were measured on, or fitted by hand to, the ten-year
baseline v3.0 of the Rubin survey simulations: 150 wide-fast-deep pointings and the six deep fields
(docs/results/sky_cadence.py shows how well).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import overload

import numpy as np

__all__ = [
    "DEEP_FIELDS",
    "LSST_START_MJD",
    "LSST_YEARS",
    "DeepField",
    "Pointing",
    "Schedule",
    "deep_schedule",
    "draw_pointing",
    "moon_phase",
    "wide_schedule",
]

_YEAR_DAYS = 365.25
_MINUTE = 1.0 / 1440.0

LSST_START_MJD, LSST_YEARS = 60980.0, 10  # 2025-11-01
_MIDNIGHT = 0.195  # at the telescope, as a fraction of a day of MJD
# Mean new moon of 2000-01-06, and mean synodic month; the tests hold them against eclipses.
_NEW_MOON_MJD, _MONTH_DAYS = 51549.59766, 29.530588861


@dataclass(frozen=True)
class Pointing:
    """A place on the sky, as far as its schedule knows it.

    Attributes:
        dec: declination, radians.
        opposition: days from the start of the survey until the Sun first stands opposite.
        galactic: whether it lies towards the Galactic plane, which gets fewer visits in u and y.
    """

    dec: float
    opposition: float
    galactic: bool = False


@dataclass(frozen=True)
class Schedule:
    """When, and in which band, one pointing is observed; sorted by time.

    Attributes:
        code: (n) code of the band, 0 to 5.
        mjd: (n) start of each exposure.
        night: (n) number of the night.
        block: (n) exposures of one number follow each other and share their conditions.
        hour_angle: (n) of the pointing, radians.
        deep: (n) whether it belongs to a deep sequence.
        dec: declination of the pointing, radians.
    """

    code: np.ndarray
    mjd: np.ndarray
    night: np.ndarray
    block: np.ndarray
    hour_angle: np.ndarray
    deep: np.ndarray
    dec: float


@dataclass(frozen=True)
class DeepField:
    """A deep drilling field.

    Attributes:
        ra_deg, dec_deg: its centre.
        part: of a whole sequence that is taken each time.
        spacing_days: between sequences, in each of ten seasons.
        centre_days: middle of its season, days from opposition with the Sun.
        half_days: half the length of its season.
        wide_visits: of them belong to the wide survey.
        moon_shy: power of the chance to begin a sequence under a bright moon.
        euclid_visits: of Euclid's deep survey, or 0 (ESA's survey page: South 45, Fornax 52).
        euclid_group: of these that come within days of each other (the same page: Fornax 7).
    """

    ra_deg: float
    dec_deg: float
    part: float
    spacing_days: tuple[float, ...]
    centre_days: float
    half_days: float
    wide_visits: int
    moon_shy: float = 1.0
    euclid_visits: int = 0
    euclid_group: int = 1


_WEEKLY = (7.5,) * LSST_YEARS
DEEP_FIELDS: dict[str, DeepField] = {
    "COSMOS": DeepField(150.11, 2.23, 1.0, (17.0, 1.3, 0.95, 2.05) + (7.0,) * 6, 12.0, 108.0, 810, 2.5),
    "ELAISS1": DeepField(9.45, -44.02, 1.0, _WEEKLY, 12.0, 108.0, 865),
    "XMM-LSS": DeepField(35.57, -4.82, 1.0, _WEEKLY, 12.0, 108.0, 935),
    "ECDFS": DeepField(52.98, -28.12, 1.0, _WEEKLY, 12.0, 108.0, 867, euclid_visits=52, euclid_group=7),
    "EDFS_a": DeepField(58.9, -49.32, 0.5, _WEEKLY, 12.0, 108.0, 893, euclid_visits=45),
    "EDFS_b": DeepField(63.6, -47.6, 0.5, _WEEKLY, 12.0, 108.0, 867, euclid_visits=45),
}
"""The six deep drilling fields."""

# Visits of each band, u to y, to a pointing in ten years: mean and standard deviation.
_VISITS = np.array([49.4, 70.3, 193.0, 198.0, 168.3, 174.1]), np.array([2.6, 4.0, 7.5, 7.5, 7.0, 9.0])
_VISITS_SIGMA = 0.015  # in all bands together
# The tenth of the pointings that lies towards the Galactic plane has its own.
_GALACTIC = 0.1
_VISITS_GALACTIC = (
    np.array([35.0, 104.0, 221.0, 206.0, 149.0, 113.0]),
    np.array([2.5, 6.0, 6.0, 6.0, 7.0, 6.0]),
)

# What a night holds, and its share of all nights: one band once, or two exposures.
_NIGHTS = {
    "ri": 0.1784, "iz": 0.168, "yy": 0.112, "zy": 0.1056, "gr": 0.0932, "r": 0.0565, "z": 0.0567,
    "ur": 0.0511, "ug": 0.0365, "i": 0.0348, "y": 0.020, "g": 0.0174, "rr": 0.0114, "u": 0.010,
    "ii": 0.0096, "zz": 0.0072, "gg": 0.0027, "uu": 0.0012,
}  # fmt: skip
_REVERSED = 0.2  # of the pairs have the redder band first
# When in the month: share of each tenth of it, from new moon on, for nights of each kind.
_MONTH = {
    "u": (0.208, 0.135, 0.018, 0.0, 0.0, 0.0, 0.0, 0.022, 0.341, 0.276),
    "g": (0.171, 0.130, 0.045, 0.031, 0.003, 0.011, 0.092, 0.174, 0.163, 0.181),
    "r": (0.174, 0.154, 0.048, 0.032, 0.023, 0.044, 0.090, 0.123, 0.133, 0.180),
    "i": (0.085, 0.087, 0.128, 0.099, 0.104, 0.124, 0.114, 0.108, 0.079, 0.073),
    "z": (0.0, 0.008, 0.200, 0.193, 0.156, 0.173, 0.149, 0.113, 0.009, 0.0),
    "y": (0.110, 0.130, 0.053, 0.141, 0.228, 0.164, 0.060, 0.026, 0.025, 0.063),
    "zy": (0.0, 0.007, 0.158, 0.215, 0.217, 0.206, 0.127, 0.068, 0.002, 0.0),
}
_KIND = {"ri": "r", "iz": "z", "zy": "zy", "gr": "g", "ur": "u", "ug": "u"}

# How often the parts of a season are observed, by days from opposition (a few visits come early, in
# the mornings); the whole moves a little from season to season.
_SEASON_STEPS = np.arange(-170.0, 161.0, 15.0)
_SEASON = np.array(
    [0.0, 0.02, 0.05, 0.08, 0.09, 0.09, 0.13, 0.3, 0.56, 0.72, 0.88, 0.95,
     1.0, 0.99, 0.97, 0.87, 0.75, 0.66, 0.42, 0.12, 0.05, 0.02, 0.0]
)  # fmt: skip
_SEASON_SCALE, _SEASON_SCALE_DEEP, _SEASON_SCALE_SIGMA = 0.92, 0.8, 0.05
_SEASON_SHIFT_SIGMA = 10.0
_SEASON_MIDDLE = 14.0

# u is left to the nights when the pointing is highest: standard deviation, days from the middle.
_U_SIGMA = 29.0
# Bands come in runs: the weight of each kind is log-normal, and stays for a spell of days.
_FASHION = {
    "u": (8, 0.0), "g": (8, 0.65), "r": (8, 0.55), "i": (8, 0.65), "z": (8, 0.85), "y": (8, 0.1),
    "zy": (8, 0.7),
}  # fmt: skip

# In deep fields the visits of the wide survey come in runs too, in all bands at once but u.
_CLUMP_DAYS, _CLUMPS_DEEP = 8, 1.3

_CROWDED = 0.3  # weight of a night that already has visits
_HALF_NIGHT = 0.2  # days
_HOUR_ANGLE_SIGMA = 0.06  # days
# Pairs: a tenth are a quarter of an hour apart, the rest half an hour.
_PAIR_MIN, _PAIR_SIGMA_MIN = 34.4, 0.9
_SHORT_PAIRS, _SHORT_MIN = 0.1, (13.0, 17.5)
# Where the pointing lies in two overlapping fields, a visit is repeated within minutes.
_BOTH_TWICE, _ONE_TWICE = 0.14, 0.045
_NEXT_MIN, _LATER, _LATER_MIN = 0.645, 0.28, (1.3, 9.0)

# A deep sequence: exposures of each band, in the order they are taken; u only in dark time, z else.
_SEQUENCE = {"g": 10, "i": 20, "r": 20, "u": 8, "y": 18, "z": 24}
_WHOLE, _TWICE = 0.72, 0.02  # sequences that are completed, and taken twice
_AGAIN = 0.35  # of the others are begun anew on the next night
_KEPT = {"g": 0.45, "r": 0.45, "i": 0.45, "z": 0.7, "y": 0.45}  # chance of a band in the others
_SPACING_SIGMA = 0.18
# From one exposure to the next: in one band, to another band, and to another band where the other
# half of the field comes in between.
_STEP_MIN, _STEP_U_MIN, _CHANGE_MIN, _OTHER_HALF_MIN = 0.60, 0.55, 2.57, 8.65
# By tenth of the month: sequences with u; and the chance to begin one, else the next night is tried.
_WITH_U = np.array([1.0, 0.88, 0.08, 0.0, 0.0, 0.0, 0.0, 0.07, 0.93, 1.0])
_UNDER_MOON = np.array([1.0, 1.0, 0.9, 0.65, 0.3, 0.55, 0.9, 1.0, 1.0, 1.0])


@overload
def moon_phase(mjd: float) -> float: ...
@overload
def moon_phase(mjd: np.ndarray) -> np.ndarray: ...
def moon_phase(mjd: float | np.ndarray) -> float | np.ndarray:
    """Age of the moon as part of the month: 0 new, 0.5 full. Mean motion, right to 0.6 days."""
    return (mjd - _NEW_MOON_MJD) / _MONTH_DAYS % 1.0


def draw_pointing(rng: np.random.Generator) -> Pointing:
    """Somewhere on the sky of the wide survey."""
    # Declinations of the wide survey, -62 to +2 degrees, uniform on the sphere.
    dec = math.asin(rng.uniform(math.sin(math.radians(-62.0)), math.sin(math.radians(2.0))))
    return Pointing(dec, _YEAR_DAYS * rng.uniform(), bool(rng.uniform() < _GALACTIC))


def wide_schedule(rng: np.random.Generator, pointing: Pointing) -> Schedule:
    """Ten years of a pointing of the wide survey."""
    mean, sigma = _VISITS_GALACTIC if pointing.galactic else _VISITS
    visits = (mean + sigma * rng.normal(size=6)) * (1 + _VISITS_SIGMA * rng.normal())
    # Four in five pointings roll, the rest a little.
    rolling = rng.normal(0.52, 0.07) if rng.uniform() < 0.8 else rng.normal(0.15, 0.1)
    return _wide(rng, pointing, visits=visits, rolling=rolling, clumps=0.0, scale=_SEASON_SCALE)


def deep_schedule(rng: np.random.Generator, field: DeepField) -> Schedule:
    """Ten years of a deep field: its sequences, and its share of the wide survey."""
    pointing = Pointing(math.radians(field.dec_deg), _opposition(field.ra_deg))
    mean, sigma = _VISITS
    visits = (mean + sigma * rng.normal(size=6)) * field.wide_visits / mean.sum()
    wide = _wide(rng, pointing, visits=visits, rolling=0.1, clumps=_CLUMPS_DEEP, scale=_SEASON_SCALE_DEEP)
    deep = _sequences(rng, field, pointing, first_block=int(wide.block.max()) + 1)
    order = np.argsort(np.concatenate([wide.mjd, deep.mjd]), kind="stable")
    columns = ("code", "mjd", "night", "block", "hour_angle", "deep")
    joined = {name: np.concatenate([getattr(wide, name), getattr(deep, name)])[order] for name in columns}
    return Schedule(**joined, dec=pointing.dec)


def _opposition(ra_deg: float) -> float:
    """Days from the start of the survey until the Sun is opposite that right ascension."""
    # The Sun was at right ascension 0 on MJD 60389.1 (2024-03-20), and moves evenly enough.
    mjd = 60389.1 + (ra_deg + 180.0) / 360.0 * _YEAR_DAYS
    return (mjd - LSST_START_MJD) % _YEAR_DAYS


def _wide(
    rng: np.random.Generator,
    pointing: Pointing,
    *,
    visits: np.ndarray,
    rolling: float,
    clumps: float,
    scale: float,
) -> Schedule:
    """The wide survey of a pointing: expected visits of each band, and how they are strewn."""
    days, season, offset = _calendar(pointing)
    shift = (_SEASON_SHIFT_SIGMA * rng.normal(size=LSST_YEARS + 2))[np.maximum(season, 0)]
    part = (offset - shift) / max(0.5, scale + _SEASON_SCALE_SIGMA * rng.normal())
    often = np.interp(part, _SEASON_STEPS, _SEASON, left=0.0, right=0.0)
    runs = _fashion(rng, days, _CLUMP_DAYS, clumps)
    high = np.exp(-0.5 * ((offset - shift - _SEASON_MIDDLE) / _U_SIGMA) ** 2)
    # Seasons take turns, after a first one or two that do not.
    turn = np.where((np.arange(LSST_YEARS + 2) + rng.integers(2)) % 2, 1.0, -1.0)
    weights = np.exp(0.15 * rng.normal(size=LSST_YEARS + 2)) * (1 + rolling * turn)
    weights[:2] = 1.0 + 0.2 * rng.uniform(-1, 1)
    often = often * weights[np.maximum(season, 0)]

    phase = moon_phase(LSST_START_MJD + days + _MIDNIGHT)
    tenth = (10 * phase).astype(int)
    fashions = {group: _fashion(rng, days, *spell) for group, spell in _FASHION.items()}
    nights, kinds = [], []
    for kind, count in _night_counts(rng, visits).items():
        group = _KIND.get(kind, kind[0])
        weight = often * np.asarray(_MONTH[group])[tenth] * fashions[group]
        weight = weight * (high if group == "u" else runs)
        # The smallest of exponential times are a weighted draw without replacement.
        possible = np.flatnonzero(weight > 0)
        waits = rng.exponential(size=len(possible)) / weight[possible]
        chosen = possible[np.argpartition(waits, count)[:count]]
        often[chosen] *= _CROWDED
        nights.append(chosen)
        kinds += [kind] * count
    return _exposures(rng, np.concatenate(nights), kinds, offset, pointing.dec)


def _calendar(pointing: Pointing) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every night of ten years, its season, and its days from the opposition of that season."""
    days = np.arange(math.floor(LSST_YEARS * _YEAR_DAYS))
    season = np.floor((days - pointing.opposition) / _YEAR_DAYS + 0.5).astype(int)
    return days, season, days - pointing.opposition - _YEAR_DAYS * season


def _fashion(rng: np.random.Generator, days: np.ndarray, spell: int, sigma: float) -> np.ndarray:
    drawn = np.exp(sigma * rng.normal(size=len(days) // spell + 2))
    return drawn[(days + rng.integers(spell)) // spell]


def _night_counts(rng: np.random.Generator, visits: np.ndarray) -> dict[str, int]:
    """Nights of each kind that give those visits of each band (expected, with repeats)."""
    holds = np.array([[kind.count(band) for band in "ugrizy"] for kind in _NIGHTS], float)
    pairs = holds.sum(1) == 2
    repeated = holds * np.where(pairs, 1 + _BOTH_TWICE + _ONE_TWICE / 2, 1.0)[:, None]
    nights = 390.0 * np.array(list(_NIGHTS.values()))
    shares = holds / holds.sum(1, keepdims=True)
    for _ in range(30):
        nights = nights * np.exp(shares @ np.log(visits / (nights @ repeated)))
    # Rounded along the running total, so that no sum strays by more than one.
    edges = np.floor(np.append(0.0, np.cumsum(nights)) + rng.uniform())
    counts = np.diff(edges).astype(int)
    return {kind: int(count) for kind, count in zip(_NIGHTS, counts, strict=True) if count}


def _exposures(
    rng: np.random.Generator, nights: np.ndarray, kinds: list[str], offset: np.ndarray, dec: float
) -> Schedule:
    """The exposures of nights of the wide survey, from what each holds."""
    flip = rng.uniform(size=len(kinds)) < _REVERSED
    bands = [kind[::-1] if swap else kind for kind, swap in zip(kinds, flip, strict=True)]
    first = np.array(["ugrizy".index(kind[0]) for kind in bands])
    second = np.array(["ugrizy".index(kind[-1]) for kind in bands])
    paired = np.array([len(kind) == 2 for kind in bands])

    hour_angle = _hour_angle(rng, offset[nights])
    short = rng.uniform(size=len(nights)) < _SHORT_PAIRS
    gap = np.where(
        short,
        rng.uniform(*_SHORT_MIN, len(nights)),
        _PAIR_MIN + _PAIR_SIGMA_MIN * rng.normal(size=len(nights)),
    )
    twice = rng.uniform(size=len(nights))
    one = twice < _ONE_TWICE
    again_first = paired & ((twice < _ONE_TWICE / 2) | (~one & (twice < _ONE_TWICE + _BOTH_TWICE)))
    again_second = paired & ((one & (twice >= _ONE_TWICE / 2)) | (~one & (twice < _ONE_TWICE + _BOTH_TWICE)))
    later = np.where(rng.uniform(size=len(nights)) < _LATER, rng.uniform(*_LATER_MIN, len(nights)), _NEXT_MIN)

    # Block 2n is the first exposure of night n (with its repeat), 2n + 1 the second.
    everyone = np.ones(len(nights), bool)
    parts = [
        (everyone, first, np.zeros(len(nights)), 0),
        (again_first, first, later, 0),
        (paired, second, gap, 1),
        (again_second, second, gap + later, 1),
    ]
    night = np.concatenate([nights[mask] for mask, *_ in parts])
    minutes = np.concatenate([when[mask] for mask, _, when, _ in parts])
    codes = np.concatenate([code[mask] for mask, code, *_ in parts])
    block = np.concatenate([2 * np.flatnonzero(mask) + slot for mask, _, _, slot in parts])
    angle = np.concatenate([hour_angle[mask] for mask, *_ in parts]) + minutes * _MINUTE
    return _schedule(night, codes, block, angle, offset, dec, deep=False)


def _hour_angle(rng: np.random.Generator, offset: np.ndarray) -> np.ndarray:
    """When the pointing is observed, days from its transit: near it where the night allows."""
    transit = -offset / _YEAR_DAYS
    time = transit + _HOUR_ANGLE_SIGMA * rng.normal(size=len(offset))
    latest = _HALF_NIGHT - 0.03 * rng.uniform(size=len(offset))
    return np.clip(time, -latest, latest) - transit


def _schedule(
    night: np.ndarray,
    code: np.ndarray,
    block: np.ndarray,
    angle: np.ndarray,
    offset: np.ndarray,
    dec: float,
    *,
    deep: bool,
) -> Schedule:
    """Sorted by time; `angle` in days from transit, `offset` of every night from opposition."""
    mjd = LSST_START_MJD + night + _MIDNIGHT - offset[night] / _YEAR_DAYS + angle
    order = np.argsort(mjd, kind="stable")
    return Schedule(
        code[order],
        mjd[order],
        night[order],
        block[order],
        2 * math.pi * angle[order],
        np.full(len(night), deep),
        dec,
    )


def _sequences(rng: np.random.Generator, field: DeepField, pointing: Pointing, first_block: int) -> Schedule:
    """The deep sequences of a field."""
    *_, offset = _calendar(pointing)
    nights, whole, again = _sequence_nights(rng, field, pointing.opposition)
    tenth = (10 * moon_phase(LSST_START_MJD + nights + _MIDNIGHT)).astype(int)
    with_u = rng.uniform(size=len(nights)) < _WITH_U[tenth]
    starts = _hour_angle(rng, offset[nights]) - 0.02

    change = _CHANGE_MIN if field.part == 1 else _OTHER_HALF_MIN
    columns: list[tuple[np.ndarray, ...]] = []
    block = first_block
    for night, dark, start, complete, anew in zip(nights, with_u, starts, whole, again, strict=True):
        bands = [band for band in _SEQUENCE if band != ("z" if dark else "u")]
        if not complete:
            # One that is begun anew on the next night leaves u, for which one night is enough, to it.
            kept = _KEPT | {"u": 0.0 if anew else 1.0}
            bands = [band for band in bands if rng.uniform() < kept[band]] or bands[:1]
        elif rng.uniform() < _TWICE:
            bands += bands
        numbers = [max(1, round(field.part * _SEQUENCE[band])) for band in bands]
        code = np.repeat(["ugrizy".index(band) for band in bands], numbers)
        index = np.repeat(np.arange(len(bands)), numbers)
        step = np.where(code == 0, _STEP_U_MIN, _STEP_MIN)
        minutes = np.cumsum(np.where(np.diff(index, prepend=0) > 0, change, step))
        columns.append((np.full(len(code), night), code, block + index, start + minutes * _MINUTE))
        block += len(bands)
    night, code, blocks, angle = (np.concatenate(column) for column in zip(*columns, strict=True))
    return _schedule(night, code, blocks, angle, offset, pointing.dec, deep=True)


def _sequence_nights(
    rng: np.random.Generator, field: DeepField, opposition: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nights on which a sequence begins; whether it is completed; whether it is begun anew on the next."""
    nights: dict[int, tuple[bool, bool]] = {}
    last = math.floor(LSST_YEARS * _YEAR_DAYS) - 1
    for season in range(-1, LSST_YEARS + 1):
        centre = opposition + _YEAR_DAYS * season + field.centre_days
        night = centre - field.half_days + rng.uniform(0, 7)
        while night < centre + field.half_days:
            tenth = int(10 * moon_phase(LSST_START_MJD + night + _MIDNIGHT))
            if rng.uniform() > _UNDER_MOON[tenth] ** field.moon_shy:
                night += 1.0
                continue
            complete = rng.uniform() < _WHOLE
            again = not complete and rng.uniform() < _AGAIN
            if 0 <= night <= last:
                nights[math.floor(night)] = complete, again
            spacing = field.spacing_days[min(max(season, 0), LSST_YEARS - 1)]
            night += 1.0 if again else max(1.0, spacing * (1.0 + _SPACING_SIGMA * rng.normal()))
    whole, anew = np.array(list(nights.values())).T
    return np.array(list(nights)), whole, anew
