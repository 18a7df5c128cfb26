"""Visits: when, in which band, in what seeing and to what depth one exposure is taken.

`survey_visits` draws all visits of ten years to one place, wide or deep, of LSST and of Euclid;
`sample_visits` picks a few exposures of each band from such a history. The times are those of
`schedule`, the seeing and depths those of `conditions`, and both follow the ten-year baseline v3.0
of the Rubin survey simulations. `observing` reads the visits of a real survey instead.

In space depths follow from zodiacal light, dark current and read noise, and times from the description
of the mission (`surveys.Mission`): a few dithers, minutes apart. Euclid's wide survey sees a place once,
in four dithers; its deep fields see that pattern 45 or 52 times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from .conditions import draw_conditions
from .schedule import (
    DEEP_FIELDS,
    LSST_START_MJD,
    LSST_YEARS,
    DeepField,
    Schedule,
    deep_schedule,
    draw_pointing,
    wide_schedule,
)
from .surveys import BANDS, EUCLID, SURVEYS, Band, Mission, find_band
from .visits import (
    MAX_CONDENSED,
    Visit,
    Visits,
    attainable,
    background_variance_e2,
    dark_variance_e2,
    five_sigma_depth,
    sky_electrons,
)

__all__ = [
    "DEEP_FIELDS",
    "LSST_DEPTHS",
    "MAX_CONDENSED",
    "Visit",
    "Visits",
    "attainable",
    "background_variance_e2",
    "condense",
    "five_sigma_depth",
    "sample_visits",
    "sky_electrons",
    "survey_visits",
]

# Median and standard deviation of m5 (mag) over the visits to 150 wide-fast-deep pointings of the
# ten-year baseline v3.0 (Rubin survey simulations).
LSST_DEPTHS: dict[str, tuple[float, float]] = {
    "u": (23.62, 0.32),
    "g": (24.42, 0.38),
    "r": (24.01, 0.46),
    "i": (23.41, 0.46),
    "z": (22.80, 0.37),
    "y": (22.00, 0.33),
}

_WITHIN_DAYS = 3.0  # that a group of visits to a deep field takes (ESA: "a few hours-days")

_DAY_S = 86400.0
_YEAR_DAYS = 365.25


def survey_visits(
    rng: np.random.Generator,
    *,
    field: str = "wide",
    euclid: Literal["wide", "deep"] | None = None,
    years: int = LSST_YEARS,
) -> Visits:
    """All visits to one place.

    A wide place has about 850 LSST visits in ten years, a deep field 12,000 to 42,000.

    Arguments:
        rng: where the random numbers come from.
        field: ``"wide"``, somewhere in the wide survey; a key of `DEEP_FIELDS`; or ``"deep"``, any
            of these (of those that Euclid sees deep, if `euclid` is ``"deep"``).
        euclid: ``"wide"`` adds four dithers of each Euclid band, ``"deep"`` all those of six years;
            None leaves Euclid out.
        years: of LSST, 1 to 10, from its beginning.

    Returns:
        The visits, sorted by time.

    Raises:
        ValueError: if the field is unknown, Euclid does not see it deep, or years is not 1 to 10.
    """
    years = _whole(years, "years", LSST_YEARS)
    if euclid not in (None, "wide", "deep"):
        raise ValueError(f"euclid is 'wide', 'deep' or None, not {euclid!r}")
    chosen = _deep_field(rng, field, euclid)
    if chosen is None:
        schedule = wide_schedule(rng, draw_pointing(rng))
    else:
        schedule = deep_schedule(rng, chosen)
    lsst = _observed(rng, schedule)
    lsst = lsst[lsst.mjd < LSST_START_MJD + years * _YEAR_DAYS]
    if euclid is None:
        return lsst
    if euclid == "deep" and chosen is not None:
        starts = _deep_starts(rng, chosen)
    else:
        starts = np.array([_first_seen(rng, EUCLID)])
    dithers = np.arange(EUCLID.dithers * len(starts))
    bands = [band for band in BANDS.values() if SURVEYS[band.survey].mission == EUCLID]
    return Visits.joined(lsst, *(_dithered(band, EUCLID, starts, dithers) for band in bands))


def sample_visits(
    rng: np.random.Generator, counts: Mapping[str, int], condensed: int | Mapping[str, int] = 1
) -> list[Visit]:
    """Draw visits to one field of the wide survey.

    LSST's are picked at random from ten years of it; where more are asked for than ten years have,
    from as many times ten years of the same place as it takes. In space they are the dithers of one
    pointing; what is asked beyond those comes when the mission returns.

    Arguments:
        rng: where the random numbers come from.
        counts: how many exposures of each band.
        condensed: how many real visits each exposure stands for: one number, or one for each
            band (bands left out: 1).

    Returns:
        The visits, sorted by survey in the order of `SURVEYS`, then band, then time.

    Raises:
        ValueError: if a band is unknown, a count is not a positive integer, there is no count at
            all, or `condensed` is not 1 to 4.
    """
    if not counts:
        raise ValueError("no visits asked for: counts needs at least one band, such as {'i': 10}")
    per_band = {name: _whole(counts[name], f"count of {find_band(name).name} visits") for name in counts}
    if isinstance(condensed, Mapping):
        unknown = [find_band(name).name for name in condensed if name not in counts]
        if unknown:
            raise ValueError(f"condensed names {' '.join(unknown)}, but counts does not")
        merged = {name: condensed.get(name, 1) for name in counts}
    else:
        merged = dict.fromkeys(counts, condensed)
    merged = {name: _whole(n, f"condensed in {name}", MAX_CONDENSED) for name, n in merged.items()}

    missions = {name: SURVEYS[BANDS[name].survey].mission for name in BANDS if name in per_band}
    # All bands of a mission share the times of a pointing. Euclid's come first, whatever the counts, and
    # those of others after all else: a sky without them stays as it was.
    first_seen = {EUCLID: _first_seen(rng, EUCLID)}
    on_ground = {name: per_band[name] for name, mission in missions.items() if mission is None}
    history = _history(rng, on_ground)
    drawn: dict[str, Visits] = {}
    for name, count in on_ground.items():
        there = history.in_band(name)
        drawn[name] = there[np.sort(rng.choice(len(there), count, replace=False))]
    for name, mission in missions.items():
        if mission is None:
            continue
        if mission not in first_seen:
            first_seen[mission] = _first_seen(rng, mission)
        dithers = np.arange(per_band[name]) * merged[name]
        pointings = np.arange(per_band[name] * merged[name] // mission.dithers + 1)
        starts = first_seen[mission] + mission.return_days * pointings
        drawn[name] = _dithered(BANDS[name], mission, starts, dithers)
    return [condense(visit, merged[name]) for name in missions for visit in drawn[name]]


def _history(rng: np.random.Generator, counts: Mapping[str, int]) -> Visits:
    """Visits of one place of the wide survey, at least that many of each band."""
    pointing = draw_pointing(rng)
    parts: list[Visits] = []
    missing = dict(counts)
    while missing:
        parts.append(_observed(rng, wide_schedule(rng, pointing)))
        missing = {name: n - len(parts[-1].in_band(name)) for name, n in missing.items()}
        missing = {name: n for name, n in missing.items() if n > 0}
    return Visits.joined(*parts) if parts else Visits.of([])


def _observed(rng: np.random.Generator, schedule: Schedule) -> Visits:
    fwhm_eff, m5, airmass = draw_conditions(rng, schedule)
    return Visits.single(schedule.code, schedule.mjd, fwhm_eff, m5, airmass)


def _deep_field(rng: np.random.Generator, name: str, euclid: str | None) -> DeepField | None:
    """The deep field of that name, or None for the wide survey."""
    seen_deep = [key for key, field in DEEP_FIELDS.items() if field.euclid_visits]
    if name == "deep":
        name = str(rng.choice(seen_deep if euclid == "deep" else list(DEEP_FIELDS)))
    if name != "wide" and name not in DEEP_FIELDS:
        known = ", ".join(["wide", "deep", *DEEP_FIELDS])
        raise ValueError(f"there is no field {name!r}: choose one of {known}")
    if euclid == "deep" and name not in seen_deep:
        raise ValueError(
            f"Euclid does not see {name} deep: with euclid='deep' the field is 'deep' or one of "
            f"{', '.join(seen_deep)}"
        )
    return DEEP_FIELDS.get(name)


def _first_seen(rng: np.random.Generator, mission: Mission) -> float:
    return mission.start_mjd + _YEAR_DAYS * mission.years * rng.uniform()


def _deep_starts(rng: np.random.Generator, field: DeepField) -> np.ndarray:
    """When each of Euclid's visits to a deep field begins: in groups, evenly over its years (our choice)."""
    group, member = np.divmod(np.arange(field.euclid_visits), field.euclid_group)
    between = _YEAR_DAYS * EUCLID.years / (group[-1] + 1)
    # Each has a share of the days to itself and begins in its first half, so that none overlap.
    within = _WITHIN_DAYS if field.euclid_group > 1 else between
    share = within / field.euclid_group
    days = between * group + share * (member + 0.5 * rng.uniform(size=len(group)))
    return EUCLID.start_mjd + days


def _dithered(band: Band, mission: Mission, starts: np.ndarray, dithers: np.ndarray) -> Visits:
    """Dithers of one band, numbered through pointings that begin at `starts`."""
    pointing, dither = np.divmod(dithers, mission.dithers)
    mjd = starts[pointing] + (dither * mission.dither_s + band.offset_s) / _DAY_S
    m5 = five_sigma_depth(band, band.exposure_s, band.fwhm_eff_arcsec, dark_variance_e2(band))
    n = len(mjd)
    fwhm_eff = np.full(n, band.fwhm_eff_arcsec)
    return Visits.single(np.full(n, band.code), mjd, fwhm_eff, np.full(n, m5), np.ones(n))


def condense(visit: Visit, condensed: int) -> Visit:
    """The same conditions for longer: exposure and variance times `condensed`.

    Where sky dominates this is m5 + 1.25 log10(condensed); read noise and the source's own photons
    are counted the same way, so depth is that of the co-added visits.
    """
    if condensed == 1:
        return visit
    band = BANDS[visit.band]
    variance = condensed * background_variance_e2(visit)
    m5 = five_sigma_depth(band, condensed * band.exposure_s, visit.fwhm_eff_arcsec, variance)
    return Visit(visit.band, visit.mjd, visit.fwhm_eff_arcsec, m5, visit.airmass, condensed)


def _whole(value: int, what: str, most: int | None = None) -> int:
    """A positive integer (not a bool, not 2.5), at most `most`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < 1 or (most is not None and value > most):
        limits = "a positive integer" if most is None else f"an integer from 1 to {most}"
        raise ValueError(f"{what} is {value!r}: it has to be {limits}")
    return int(value)
