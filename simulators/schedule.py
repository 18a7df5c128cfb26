"""When LSST looks: the nights, bands and minutes of ten years at one pointing.

A wide pointing is seen in about 390 nights of ten or eleven seasons, more in every second one
(rolling), mostly in pairs about 34 minutes apart in two bands that go with the moon. A deep field
has the same visits and, about once a week, a sequence of 38 to 92 exposures that follow each other
in five bands.

Where no other source is given the numbers were fitted to the ten-year baseline v3.0 of the Rubin
survey simulations: 150 wide-fast-deep pointings and the six deep fields.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = [
    "DEEP_FIELDS",
    "LSST_YEARS",
    "MIDNIGHT",
    "DeepField",
    "Schedule",
    "deep_schedule",
    "moon_phase",
    "wide_schedule",
]

_YEAR_DAYS = 365.25
_MINUTE = 1.0 / 1440.0

LSST_START_MJD, LSST_YEARS = 60980.0, 10  # 2025-11-01
MIDNIGHT = 0.195
"""Middle of the night at the telescope, as a fraction of a day of MJD."""

_NEW_MOON_MJD, _MONTH_DAYS = 60232.747, 29.530588  # new moon of 2023-10-14; mean synodic month


@dataclass(frozen=True)
class Schedule:
    """When, and in which band, one pointing is observed; sorted by time.

    Attributes:
        code: (n) code of the band, 0 to 5.
        mjd: (n) start of each exposure.
        night: (n) number of the night.
        block: (n) exposures of one number follow each other and share their conditions.
        hour_angle: (n) of the pointing, radians.
        dec: declination of the pointing, radians.
    """

    code: np.ndarray
    mjd: np.ndarray
    night: np.ndarray
    block: np.ndarray
    hour_angle: np.ndarray
    dec: float


@dataclass(frozen=True)
class DeepField:
    """A deep drilling field.

    Attributes:
        ra_deg, dec_deg: its centre.
        part: of a whole sequence that is taken each time.
        spacing_days: between sequences, in each of ten years.
        centre_days: middle of its season, days from opposition with the Sun.
        half_days: half the length of its season.
        wide_visits: of them belong to the wide survey.
        euclid_visits: of Euclid's deep survey, or 0 (ESA's survey page: South 45, Fornax 52).
    """

    ra_deg: float
    dec_deg: float
    part: float
    spacing_days: tuple[float, ...]
    centre_days: float
    half_days: float
    wide_visits: int
    euclid_visits: int = 0


_WEEKLY = (7.5,) * LSST_YEARS
DEEP_FIELDS: dict[str, DeepField] = {
    "COSMOS": DeepField(150.11, 2.23, 1.0, (1.9, 1.9, 1.9, 3.2) + (7.0,) * 6, 12.0, 108.0, 722),
    "ELAISS1": DeepField(9.45, -44.02, 1.0, _WEEKLY, 12.0, 108.0, 772),
    "XMM-LSS": DeepField(35.57, -4.82, 1.0, _WEEKLY, 12.0, 108.0, 835),
    "ECDFS": DeepField(52.98, -28.12, 1.0, _WEEKLY, 12.0, 108.0, 774, 52),
    "EDFS_a": DeepField(58.9, -49.32, 0.5, _WEEKLY, 12.0, 108.0, 797, 45),
    "EDFS_b": DeepField(63.6, -47.6, 0.5, _WEEKLY, 12.0, 108.0, 774, 45),
}
"""The six deep drilling fields."""

# Visits of each band, u to y, to a pointing in ten years: mean and standard deviation.
_VISITS = np.array([49.4, 70.3, 193.0, 198.0, 168.3, 174.1]), np.array([3.3, 4.0, 7.5, 7.5, 7.0, 9.0])
# The tenth of the pointings that lies towards the Galactic plane has its own.
_GALACTIC = 0.1
_VISITS_GALACTIC = np.array([33.0, 104.0, 221.0, 206.0, 149.0, 113.0]), np.array([2.5, 6.0, 6.0, 6.0, 7.0, 6.0])

# What a night holds, and its share of all nights: one band once, or two exposures.
_NIGHTS = {
    "ri": 0.1784, "iz": 0.168, "yy": 0.112, "zy": 0.1056, "gr": 0.0932, "r": 0.0565, "z": 0.0567,
    "ur": 0.0511, "ug": 0.0365, "i": 0.0348, "y": 0.020, "g": 0.0174, "rr": 0.0114, "u": 0.010,
    "ii": 0.0096, "zz": 0.0072, "gg": 0.0027, "uu": 0.0012,
}  # fmt: skip
_REVERSED = 0.2  # of the pairs have the redder band first
# When in the month: share of each tenth of it, from new moon on, for nights of each kind.
_MONTH = {
    "u": (0.170, 0.085, 0.0, 0.0, 0.0, 0.0, 0.0, 0.160, 0.335, 0.250),
    "g": (0.150, 0.095, 0.036, 0.020, 0.002, 0.030, 0.130, 0.175, 0.163, 0.199),
    "r": (0.165, 0.115, 0.035, 0.030, 0.024, 0.062, 0.110, 0.121, 0.158, 0.180),
    "i": (0.084, 0.090, 0.122, 0.110, 0.110, 0.128, 0.105, 0.090, 0.077, 0.084),
    "z": (0.0, 0.068, 0.222, 0.180, 0.150, 0.172, 0.134, 0.074, 0.0, 0.0),
    "y": (0.119, 0.105, 0.078, 0.165, 0.228, 0.115, 0.047, 0.022, 0.041, 0.080),
    "zy": (0.0, 0.049, 0.192, 0.231, 0.214, 0.171, 0.108, 0.036, 0.0, 0.0),
}
_KIND = {"ri": "r", "iz": "z", "zy": "zy", "gr": "g", "ur": "u", "ug": "u"}

# How often the parts of a season are observed, days from its middle; the middle, days from
# opposition, moves from season to season.
_SEASON = np.array([0.0, 0.15, 0.35, 0.6, 0.85, 0.97, 1.0, 0.97, 0.85, 0.6, 0.35, 0.15, 0.0])
_SEASON_STEPS = np.linspace(-150.0, 150.0, len(_SEASON))
_SEASON_SCALE = 0.85
_SEASON_CENTRE, _SEASON_CENTRE_SIGMA = 12.0, 18.0
# Bands come in runs: the weight of each kind is log-normal from one spell of days to the next.
_FASHION_DAYS = 8
_FASHION = {"u": 1.5, "g": 0.9, "r": 0.6, "i": 0.6, "z": 0.7, "y": 0.7, "zy": 0.7}

_CROWDED = 0.3  # weight of a night that already has visits
_HALF_NIGHT = 0.2  # days
_HOUR_ANGLE_SIGMA = 0.06  # days
# Pairs: a tenth are a quarter of an hour apart, the rest half an hour.
_PAIR_MIN, _PAIR_SIGMA_MIN = 34.4, 0.9
_SHORT_PAIRS, _SHORT_MIN = 0.1, (13.0, 17.5)
# Where the pointing lies in two overlapping fields, a visit is repeated within minutes.
_BOTH_TWICE, _ONE_TWICE = 0.16, 0.05
_NEXT_MIN, _LATER, _LATER_MIN = 0.645, 0.28, (1.3, 9.0)

# A deep sequence: exposures of each band, in the order they are taken; u only in dark time, z else.
_SEQUENCE = {"g": 10, "i": 20, "r": 20, "u": 8, "y": 18, "z": 24}
_WHOLE, _TWICE = 0.66, 0.02  # sequences that are completed, and taken twice
_STEP_MIN, _CHANGE_MIN = 0.60, 2.57  # from one exposure to the next, in one band and to another
# Sequences with u, by tenth of the month, and those not taken under a bright moon.
_WITH_U = np.array([1.0, 0.55, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.0])
_UNDER_MOON = np.array([1.0, 1.0, 1.0, 1.0, 0.35, 1.0, 1.0, 1.0, 1.0, 1.0])


def moon_phase(mjd: np.ndarray) -> np.ndarray:
    """Age of the moon as part of the month: 0 new, 0.5 full. Mean motion, right to about half a day."""
    return (mjd - _NEW_MOON_MJD) / _MONTH_DAYS % 1.0


def wide_schedule(rng: np.random.Generator) -> Schedule:
    """Ten years of a pointing of the wide survey, somewhere on its sky."""
    # Declinations of the wide survey, -62 to +2 degrees, uniform on the sphere.
    dec = math.asin(rng.uniform(math.sin(math.radians(-62.0)), math.sin(math.radians(2.0))))
    opposition = _YEAR_DAYS * rng.uniform()
    mean, sigma = _VISITS_GALACTIC if rng.uniform() < _GALACTIC else _VISITS
    visits = np.maximum(mean + sigma * rng.normal(size=6), 1.0)
    # Four in five pointings roll, the rest a little.
    rolling = rng.normal(0.52, 0.07) if rng.uniform() < 0.8 else rng.normal(0.15, 0.1)
    return _wide(rng, dec=dec, opposition=opposition, visits=visits, rolling=rolling)


def deep_schedule(rng: np.random.Generator, field: DeepField) -> Schedule:
    """Ten years of a deep field: its sequences, and its share of the wide survey."""
    opposition = _opposition(field.ra_deg)
    mean, sigma = _VISITS
    visits = np.maximum(mean + sigma * rng.normal(size=6), 1.0) * field.wide_visits / mean.sum()
    dec = math.radians(field.dec_deg)
    wide = _wide(rng, dec=dec, opposition=opposition, visits=visits, rolling=0.1)
    deep = _sequences(rng, field, dec, opposition, first_block=int(wide.block.max()) + 1)
    order = np.argsort(np.concatenate([wide.mjd, deep.mjd]), kind="stable")
    columns = ("code", "mjd", "night", "block", "hour_angle")
    joined = {name: np.concatenate([getattr(wide, name), getattr(deep, name)])[order] for name in columns}
    return Schedule(**joined, dec=dec)


def _opposition(ra_deg: float) -> float:
    """Days from the start of the survey until the Sun is opposite that right ascension."""
    # The Sun was at right ascension 0 on MJD 60389.1 (2024-03-20), and moves evenly enough.
    mjd = 60389.1 + (ra_deg + 180.0) / 360.0 * _YEAR_DAYS
    return (mjd - LSST_START_MJD) % _YEAR_DAYS


def _wide(
    rng: np.random.Generator, *, dec: float, opposition: float, visits: np.ndarray, rolling: float
) -> Schedule:
    days = np.arange(math.floor(LSST_YEARS * _YEAR_DAYS))
    season = np.floor((days - opposition) / _YEAR_DAYS + 0.5).astype(int)
    offset = days - opposition - _YEAR_DAYS * season
    middle = _SEASON_CENTRE + _SEASON_CENTRE_SIGMA * rng.normal(size=LSST_YEARS + 2)
    often = np.interp(
        (offset - middle[np.maximum(season, 0)]) / _SEASON_SCALE, _SEASON_STEPS, _SEASON, left=0.0, right=0.0
    )
    # Seasons take turns, after a first one or two that do not.
    turn = np.where((np.arange(LSST_YEARS + 2) + rng.integers(2)) % 2, 1.0, -1.0)
    weights = np.exp(0.15 * rng.normal(size=LSST_YEARS + 2)) * (1 + rolling * turn)
    weights[:2] = 1.0 + 0.2 * rng.uniform(-1, 1)
    often = often * weights[np.maximum(season, 0)]

    phase = moon_phase(LSST_START_MJD + days + MIDNIGHT)
    tenth = (10 * phase).astype(int)
    fashions = {
        group: np.exp(_FASHION[group] * rng.normal(size=len(days) // _FASHION_DAYS + 2))[
            (days + rng.integers(_FASHION_DAYS)) // _FASHION_DAYS
        ]
        for group in _MONTH
    }
    nights, kinds = [], []
    for kind, count in _night_counts(rng, visits).items():
        group = _KIND.get(kind, kind[0])
        weight = often * np.asarray(_MONTH[group])[tenth] * fashions[group]
        # The smallest of exponential times are a weighted draw without replacement.
        possible = np.flatnonzero(weight > 0)
        waits = rng.exponential(size=len(possible)) / weight[possible]
        chosen = possible[np.argpartition(waits, count)[:count]]
        often[chosen] *= _CROWDED
        nights.append(chosen)
        kinds += [kind] * count
    return _exposures(rng, np.concatenate(nights), kinds, offset, dec)


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
        short, rng.uniform(*_SHORT_MIN, len(nights)), _PAIR_MIN + _PAIR_SIGMA_MIN * rng.normal(size=len(nights))
    )
    twice = rng.uniform(size=len(nights))
    one = twice < _ONE_TWICE
    again_first = paired & ((twice < _ONE_TWICE / 2) | (~one & (twice < _ONE_TWICE + _BOTH_TWICE)))
    again_second = paired & ((one & (twice >= _ONE_TWICE / 2)) | (~one & (twice < _ONE_TWICE + _BOTH_TWICE)))
    later = np.where(
        rng.uniform(size=len(nights)) < _LATER, rng.uniform(*_LATER_MIN, len(nights)), _NEXT_MIN
    )

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
    return _schedule(night, codes, block, angle, offset, dec)


def _hour_angle(rng: np.random.Generator, offset: np.ndarray) -> np.ndarray:
    """When the pointing is observed, days from its transit: near it where the night allows."""
    transit = -offset / _YEAR_DAYS
    time = transit + _HOUR_ANGLE_SIGMA * rng.normal(size=len(offset))
    latest = _HALF_NIGHT - 0.03 * rng.uniform(size=len(offset))
    return np.clip(time, -latest, latest) - transit


def _schedule(
    night: np.ndarray, code: np.ndarray, block: np.ndarray, angle: np.ndarray, offset: np.ndarray, dec: float
) -> Schedule:
    """Sorted by time; `angle` in days from transit, `offset` of every night from opposition."""
    mjd = LSST_START_MJD + night + MIDNIGHT - offset[night] / _YEAR_DAYS + angle
    order = np.argsort(mjd, kind="stable")
    return Schedule(code[order], mjd[order], night[order], block[order], 2 * math.pi * angle[order], dec)


def _sequences(
    rng: np.random.Generator, field: DeepField, dec: float, opposition: float, first_block: int
) -> Schedule:
    """The deep sequences of a field."""
    days = np.arange(math.floor(LSST_YEARS * _YEAR_DAYS))
    season = np.floor((days - opposition) / _YEAR_DAYS + 0.5).astype(int)
    offset = days - opposition - _YEAR_DAYS * season
    nights = _sequence_nights(rng, field, opposition)
    tenth = (10 * moon_phase(LSST_START_MJD + nights + MIDNIGHT)).astype(int)
    kept = rng.uniform(size=len(nights)) < _UNDER_MOON[tenth]
    nights, tenth = nights[kept], tenth[kept]
    with_u = rng.uniform(size=len(nights)) < _WITH_U[tenth]
    starts = _hour_angle(rng, offset[nights]) - 0.02

    columns: list[tuple[np.ndarray, ...]] = []
    block = first_block
    for night, dark, start in zip(nights, with_u, starts, strict=True):
        bands = [band for band in _SEQUENCE if band != ("z" if dark else "u")]
        numbers = [max(1, round(field.part * _SEQUENCE[band])) for band in bands]
        code = np.repeat(["ugrizy".index(band) for band in bands], numbers)
        index = np.repeat(np.arange(len(bands)), numbers)
        minutes = np.cumsum(np.where(np.diff(index, prepend=0) > 0, _CHANGE_MIN, _STEP_MIN))
        if rng.uniform() > _WHOLE:
            low, high = np.sort(rng.integers(len(code) + 1, size=2))
            code, index, minutes = code[low:high], index[low:high], minutes[low:high]
        elif rng.uniform() < _TWICE:
            code, index = np.tile(code, 2), np.append(index, index + len(bands))
            minutes = np.append(minutes, minutes + minutes[-1] + _CHANGE_MIN)
        columns.append((np.full(len(code), night), code, block + index, start + minutes * _MINUTE))
        block += 2 * len(bands)
    night, code, blocks, angle = (np.concatenate(column) for column in zip(*columns, strict=True))
    return _schedule(night, code, blocks, angle, offset, dec)


def _sequence_nights(rng: np.random.Generator, field: DeepField, opposition: float) -> np.ndarray:
    """Nights on which a sequence begins."""
    nights: list[float] = []
    last = math.floor(LSST_YEARS * _YEAR_DAYS) - 1
    for season in range(-1, LSST_YEARS + 1):
        centre = opposition + _YEAR_DAYS * season + field.centre_days
        night = centre - field.half_days + rng.uniform(0, 7)
        while night < centre + field.half_days:
            if 0 <= night <= last:
                nights.append(night)
            spacing = field.spacing_days[min(max(math.floor(night / _YEAR_DAYS), 0), LSST_YEARS - 1)]
            # A sequence that fails is often begun anew on the next night; some weeks are lost.
            fate = rng.uniform()
            step = 1.0 if fate < 0.1 else rng.normal(spacing, 0.22 * spacing)
            night += max(1.0, step + (spacing if fate > 0.93 else 0.0))
    return np.unique(np.floor(nights).astype(int))
