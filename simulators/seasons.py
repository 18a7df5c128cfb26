"""Visits of one season, with others from before it: what light curves can be measured from.

A place that both surveys see deep: LSST in weekly sequences of exposures, Euclid every seven weeks in four
dithers. Exposures of the season before, of both, show what is there without the transients of this one:
the reference. An exposure that stands for several visits stands for such as follow each other within one
sequence, minutes in all, so that nothing changes from one to the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from .cadence import Visit, Visits, condense, survey_visits
from .surveys import BANDS, EUCLID, SURVEYS

__all__ = ["PLACES", "n_reference", "require", "season_visits"]

PLACES = ("EDFS_a", "EDFS_b")
"""Deep fields to choose from. Euclid sees the third, ECDFS, in groups of visits that come once in nine
months, so that a season has one of them at the most."""

# Seasons of LSST are four months or more apart; sequences a night or more, their exposures minutes.
_BETWEEN_SEASONS, _WITHIN_SEQUENCE = 60.0, 12.0 / 1440.0
# Histories that are tried until one has as many visits as are asked for.
_TRIES = 8


def n_reference(band: str, count: int, share: float) -> int:
    """How many of the exposures of a band come before the season: the first ones.

    In space they are whole pointings.

    Arguments:
        band: its name.
        count: exposures of the band.
        share: of them that is wished for.
    """
    dithers = 1 if SURVEYS[BANDS[band].survey].mission is None else EUCLID.dithers
    return dithers * max(1, round(share * math.ceil(count / dithers)))


def require(counts: Mapping[str, int], share: float) -> None:
    """Refuse counts of exposures of which no season can be made.

    Raises:
        ValueError: if a band is of another survey than LSST and Euclid, or too few of it are left.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share of exposures from before the season lies between 0 and 1, not {share}")
    for name, count in counts.items():
        if SURVEYS[BANDS[name].survey].mission not in (None, EUCLID):
            raise ValueError(f"transients are seen by LSST and Euclid, not in {name}: leave its visits out")
        if n_reference(name, count, share) >= count:
            raise ValueError(
                f"{count} visits in {name} are too few for a reference and a season: ask for more than "
                f"{n_reference(name, count, share)}"
            )


def season_visits(
    rng: np.random.Generator, counts: Mapping[str, int], *, condensed: int, reference: float
) -> list[Visit]:
    """Visits of one season at one of `PLACES`, and of the season before it.

    Arguments:
        rng: where the random numbers come from.
        counts: how many exposures of each band, LSST's and Euclid's.
        condensed: real visits of one sequence that each LSST exposure stands for.
        reference: share of the exposures that comes from the season before, see `n_reference`.

    Returns:
        The visits, sorted by survey in the order of `SURVEYS`, then band, then time; every one before the
        season comes before all of it.

    Raises:
        ValueError: as `require`, and if no season has so many visits.
    """
    require(counts, reference)
    for _ in range(_TRIES):
        history = survey_visits(rng, field=str(rng.choice(PLACES)), euclid="deep")
        begins, ends = _seasons(history)
        last = history.mjd[history.code == BANDS["VIS"].code].max()
        possible = [k for k in range(1, len(begins)) if ends[k] <= last]
        k = int(rng.choice(possible))
        spans = ((begins[k - 1], begins[k]), (begins[k], ends[k]))
        chosen: dict[str, list[Visit]] = {name: [] for name in BANDS if name in counts}
        for in_season, (begin, end) in enumerate(spans):
            part = history[(history.mjd >= begin) & (history.mjd < end)]
            numbers = {name: n_reference(name, counts[name], reference) for name in chosen}
            if in_season:
                numbers = {name: counts[name] - n for name, n in numbers.items()}
            pointings = _pointings(rng, part, numbers)
            for name, n in numbers.items():
                there = part.in_band(name)
                if SURVEYS[BANDS[name].survey].mission is None:
                    chosen[name] += _spread(rng, there, n, condensed)
                elif len(pointings):
                    chosen[name] += [there[int(i)] for i in _dithers(pointings)[:n]]
        if all(len(chosen[name]) == counts[name] for name in chosen):
            return [visit for visits in chosen.values() for visit in visits]
    raise ValueError(
        f"no season has so many visits as {dict(counts)}, of {condensed} real ones each: ask for less"
    )


def _seasons(history: Visits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When the seasons of LSST begin and end, MJD."""
    mjd = np.sort(history.mjd[history.code < BANDS["VIS"].code])
    gap = np.flatnonzero(np.diff(mjd) > _BETWEEN_SEASONS)
    # A little later, so that the last visit of a season lies before its end.
    return mjd[np.append(0, gap + 1)], mjd[np.append(gap, mjd.size - 1)] + _WITHIN_SEQUENCE


def _pointings(rng: np.random.Generator, part: Visits, numbers: Mapping[str, int]) -> NDArray[np.int64]:
    """Which of Euclid's pointings are taken, the same in all its bands, in order; none if too few."""
    wanted = {name: n for name, n in numbers.items() if SURVEYS[BANDS[name].survey].mission is not None}
    there = min((len(part.in_band(name)) // EUCLID.dithers for name in wanted), default=0)
    n = math.ceil(max(wanted.values(), default=0) / EUCLID.dithers)
    if n > there:
        return np.zeros(0, np.int64)
    return np.sort(rng.choice(there, n, replace=False))


def _dithers(pointings: NDArray[np.int64]) -> NDArray[np.int64]:
    return (EUCLID.dithers * pointings[:, None] + np.arange(EUCLID.dithers)).ravel()


def _spread(rng: np.random.Generator, there: Visits, n: int, condensed: int) -> list[Visit]:
    """Exposures spread over the sequences of one band; fewer than n if they do not suffice."""
    blocks = list(_blocks(there, condensed))
    firsts = np.array([place for place, (_, number) in enumerate(blocks) if number == 0], dtype=int)
    others = np.array([place for place, (_, number) in enumerate(blocks) if number > 0], dtype=int)
    if n <= firsts.size:
        # One of each of n parts of the season.
        edges = np.linspace(0, firsts.size, n + 1).astype(int)
        taken = firsts[rng.integers(edges[:-1], edges[1:])]
    elif n <= firsts.size + others.size:
        taken = np.sort(np.append(firsts, rng.choice(others, n - firsts.size, replace=False)))
    else:
        return []
    return [condense(_mean(there[blocks[place][0]]), condensed) for place in taken]


def _blocks(there: Visits, condensed: int) -> Iterator[tuple[slice, int]]:
    """Runs of visits of one band that follow each other, and the number of each within its sequence."""
    begins = np.flatnonzero(np.diff(there.mjd, prepend=-np.inf) > _WITHIN_SEQUENCE)
    for begin, end in zip(begins, np.append(begins[1:], len(there.mjd)), strict=True):
        for number in range((end - begin) // condensed):
            first = int(begin) + number * condensed
            yield slice(first, first + condensed), number


def _mean(visits: Visits) -> Visit:
    """One visit in the mean conditions of several."""
    return Visit(
        band=list(BANDS)[int(visits.code[0])],
        mjd=float(visits.mjd.mean()),
        fwhm_eff_arcsec=float(visits.fwhm_eff_arcsec.mean()),
        m5=float(visits.m5.mean()),
        airmass=float(visits.airmass.mean()),
    )
