"""Transients in the pixels: one on a galaxy of a scene, with its light in every exposure of both surveys.

A class is drawn by the shares of the light-curve datasets, then a host among the galaxies of the scene, in
proportion to its luminosity, and the transient at its redshift, on its light. It is kept if the survey
would notice it, twice half an hour apart, and if the reference is free of it; else another is drawn. So
classes that are faint, or are found nearby only, come less often than their shares say: few scenes have a
host for them.

The dust of the Milky Way is left out, as it is for galaxies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from .active_nuclei import draw_magnitudes
from .detections import INNER_MARGIN_ARCSEC
from .exposures import Points
from .lightcurves import DETECTION, about_detections
from .morphology import BULGE, DISK
from .observations import Observation
from .sources import Sources
from .surveys import AB_ZERO_POINT, BANDS
from .template_library import Template, names, template
from .transient_candidates import explosion_fluxes, nuclei_fluxes
from .transient_classes import find_class
from .transient_options import SceneTransients
from .transient_population import Z_MIN, Transients, distance_modulus, draw_population
from .transients import KINDS, class_shares

__all__ = ["CENTRAL", "PlacedTransients", "draw_in_scene", "first_of_season", "offset_on_light", "points_of"]

CENTRAL = ("TDE", "AGN")
"""Classes that happen in the centres of galaxies."""

# Classes that are tried for a scene, and transients of each at once.
_CLASSES_TRIED, _AT_ONCE = 24, 32
# Peaks come from the beginning of the season, before which there is nothing, to so many days after its end.
_LATER = 30.0
# Nothing lies further out than the light within which this share is: profiles go on for ever.
_MOST_LIGHT = 0.98


@dataclass(frozen=True)
class PlacedTransients:
    """Transients of one scene, n of them (none or one), before shear.

    Attributes:
        kind: (n,) place in `transients.KINDS`.
        series: (n,) number of the series within those of the class in this split; -1 for active nuclei.
        host: (n,) index of the source that it lies on.
        dx, dy: (n,) offset from the centre of the host, arcsec.
        z: (n,) redshift, that of the host.
        peak_mjd: (n,) of phase zero; NaN for active nuclei.
        absolute_magnitude, stretch, colour, host_excess, host_rv: (n,) see `transient_population.Transients`.
        flux: by survey, (n, exposure) nJy, all its light.
        steady: by survey, (n, exposure) nJy, the part of it that is there on average: of active nuclei.
    """

    kind: NDArray[np.int8]
    series: NDArray[np.int16]
    host: NDArray[np.int64]
    dx: NDArray[np.float64]
    dy: NDArray[np.float64]
    z: NDArray[np.float64]
    peak_mjd: NDArray[np.float64]
    absolute_magnitude: NDArray[np.float64]
    stretch: NDArray[np.float64]
    colour: NDArray[np.float64]
    host_excess: NDArray[np.float64]
    host_rv: NDArray[np.float64]
    flux: Mapping[str, NDArray[np.float64]]
    steady: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True)
class _Moments:
    """All exposures of a scene in order of time: which survey and place there, and what each can see."""

    survey: list[str]
    place: NDArray[np.int64]
    mjd: NDArray[np.float64]
    band: NDArray[np.int8]
    background: NDArray[np.float64]
    electron: NDArray[np.float64]

    @classmethod
    def of(cls, observations: Mapping[str, Observation]) -> _Moments:
        rows = [
            (visit.mjd, name, place, BANDS[visit.band].code, visit.m5, noise.electron)
            for name, seen in observations.items()
            for place, (visit, noise) in enumerate(zip(seen.visits, seen.backgrounds, strict=True))
        ]
        mjd, survey, place, band, m5, electron = zip(*sorted(rows), strict=True)
        faintest = 10.0 ** (0.4 * (AB_ZERO_POINT - np.array(m5)))
        # At the depth m5 signal is five times noise, that of its own photons included.
        background = np.maximum((faintest / 5.0) ** 2 - faintest * np.array(electron), 0.0)
        return cls(
            list(survey),
            np.array(place),
            np.array(mjd),
            np.array(band, np.int8),
            background,
            np.array(electron),
        )

    def by_survey(self, flux: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """(n, moment) to (n, exposure) of each survey."""
        apart = {}
        for name in sorted(set(self.survey), key=self.survey.index):
            mine = np.array([other == name for other in self.survey])
            ordered = np.empty((len(flux), int(mine.sum())))
            ordered[:, self.place[mine]] = flux[:, mine]
            apart[name] = ordered
        return apart


def first_of_season(observations: Mapping[str, Observation], options: SceneTransients) -> float:
    """MJD of the first exposure of the season, in any band: all before it are of the reference."""
    first = []
    for seen in observations.values():
        bands = [visit.band for visit in seen.visits]
        for name in set(bands):
            mjd = sorted(visit.mjd for visit in seen.visits if visit.band == name)
            first.append(mjd[options.n_reference(name, len(mjd))])
    return min(first)


def draw_in_scene(
    rng: np.random.Generator,
    options: SceneTransients,
    sources: Sources,
    observations: Mapping[str, Observation],
    *,
    width_arcsec: float,
    test: bool,
) -> PlacedTransients:
    """The transient of a scene, or none.

    Arguments:
        rng: where the random numbers come from.
        options: how many, from which series.
        sources: of the scene, before shear.
        observations: of its field, by survey.
        width_arcsec: of the scene.
        test: whether it is of a test split, which has series and classes of its own.

    Raises:
        FileNotFoundError: if real series are asked for and there are none.
        ModuleNotFoundError: if real series are asked for and sncosmo is not installed.
    """
    moments = _Moments.of(observations)
    begin = first_of_season(observations, options)
    nobody = _none(observations)
    if rng.uniform() >= options.share:
        return nobody
    shares = class_shares(test=test)
    inner = width_arcsec / 2 - INNER_MARGIN_ARCSEC
    for _ in range(_CLASSES_TRIED):
        kind = int(rng.choice(len(KINDS), p=shares))
        made = _tried(rng, kind, options, sources, moments, begin, inner, test)
        if made is not None:
            return made
    return nobody


def points_of(
    placed: PlacedTransients, sheared: Sources, shears: NDArray[np.complex128]
) -> dict[str, Points]:
    """Transients as the points that exposures show, by survey.

    Arguments:
        placed: transients of a scene.
        sheared: its sources under shear.
        shears: (n,) reduced shear of each source: an offset is sheared as its host is.
    """
    g = shears[placed.host]
    norm = 1 / np.sqrt(1 - np.abs(g) ** 2)
    x = sheared.x[placed.host] + norm * ((1 + g.real) * placed.dx + g.imag * placed.dy)
    y = sheared.y[placed.host] + norm * (g.imag * placed.dx + (1 - g.real) * placed.dy)
    return {name: Points(x, y, flux) for name, flux in placed.flux.items()}


def offset_on_light(
    rng: np.random.Generator, sources: Sources, index: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Where on a galaxy's light: offsets from its centre, x + iy in arcsec.

    In proportion to the light in LSST i of its disk and bulge; knots count as the disk.

    Arguments:
        rng: where the random numbers come from.
        sources: of the scene.
        index: (n,) galaxies, numbers among the sources.
    """
    n = len(index)
    light = sources.component_flux[index][:, :, BANDS["i"].code]
    part = np.where(rng.uniform(size=n) * light.sum(axis=1) < light[:, DISK], DISK, BULGE)
    sersic_n = sources.sersic_n[index, part]
    within = _MOST_LIGHT * rng.uniform(size=n)
    # Light within R goes as P(2n, b (R / R_e)^(1/n)), P(2n, b) = 1/2, as in `growth`.
    scaled = gammaincinv(2 * sersic_n, within) / gammaincinv(2 * sersic_n, 0.5)
    w = sources.half_light_arcsec[index, part] * scaled**sersic_n
    w = w * np.exp(2j * np.pi * rng.uniform(size=n))
    e = sources.e1[index, part] + 1j * sources.e2[index, part]
    # An ellipse of e is a circle under w -> (w + e w*) / sqrt(1 - |e|^2).
    return (w + e * np.conj(w)) / np.sqrt(1 - np.abs(e) ** 2)


def _tried(
    rng: np.random.Generator,
    kind: int,
    options: SceneTransients,
    sources: Sources,
    moments: _Moments,
    begin: float,
    inner: float,
    test: bool,
) -> PlacedTransients | None:
    """The first of some transients of a class that would be noticed; None if none would."""
    name = KINDS[kind]
    host = _hosts(rng, name, sources, inner)
    if not host.size:
        return None
    offset: NDArray[np.complex128] = offset_on_light(rng, sources, host) * (name not in CENTRAL)
    drawn = _at(rng, draw_population(rng, name, host.size), sources, host)
    when = rng.uniform(begin, moments.mjd[-1] + _LATER, host.size)
    shape, row_size = (host.size, moments.mjd.size), np.full(host.size, moments.mjd.size)
    mjd, band = np.tile(moments.mjd, host.size), np.tile(moments.band, host.size)
    series = -1
    if find_class(name).always:
        changing, steady = nuclei_fluxes(rng, drawn, row_size, mjd, band)
        when = np.full(host.size, np.nan)
    else:
        listed = names(options.source, name, test=test)
        series = int(rng.integers(len(listed)))
        one: Template = template(name, listed[series])
        days = mjd - np.repeat(when, row_size)
        changing = explosion_fluxes(one, drawn, np.ones(host.size, bool), row_size, days, band)
        steady = np.zeros(changing.size)
    changing, steady = changing.reshape(shape), steady.reshape(shape)
    dx, dy = offset.real, offset.imag
    good = np.maximum(np.abs(sources.x[host] + dx), np.abs(sources.y[host] + dy)) <= inner
    good &= _noticed(changing, steady, moments, begin)
    if not find_class(name).always:
        good &= ~np.any(changing[:, moments.mjd < begin] > 0, axis=1)
    if not good.any():
        return None
    k = np.flatnonzero(good)[:1]
    return PlacedTransients(
        kind=np.full(1, kind, np.int8),
        series=np.full(1, series, np.int16),
        host=host[k],
        dx=dx[k],
        dy=dy[k],
        z=drawn.z[k],
        peak_mjd=when[k],
        absolute_magnitude=drawn.absolute_magnitude[k],
        stretch=drawn.stretch[k],
        colour=drawn.colour[k],
        host_excess=drawn.host_excess[k],
        host_rv=drawn.host_rv[k],
        flux=moments.by_survey((changing + steady)[k]),
        steady=moments.by_survey(steady[k]),
    )


def _hosts(rng: np.random.Generator, kind: str, sources: Sources, inner: float) -> NDArray[np.int64]:
    """Galaxies that transients of a class may lie on, in proportion to their luminosity in observed r."""
    inside = (np.abs(sources.x) <= inner) & (np.abs(sources.y) <= inner) & ~sources.is_star
    possible = np.flatnonzero(inside & (sources.z >= Z_MIN) & (sources.z <= find_class(kind).z_max))
    if not possible.size:
        return possible
    light = sources.flux[possible, BANDS["r"].code]
    weight = light * 10.0 ** (0.4 * (distance_modulus(sources.z[possible]) - 40.0))
    return rng.choice(possible, _AT_ONCE, p=weight / weight.sum())


def _at(rng: np.random.Generator, drawn: Transients, sources: Sources, host: NDArray[np.int64]) -> Transients:
    """The same at the redshifts of their hosts."""
    z = sources.z[host]
    magnitude = drawn.absolute_magnitude
    if find_class(drawn.kind).always:
        magnitude = draw_magnitudes(rng, z)
    r = sources.flux[host, BANDS["r"].code]
    return replace(
        drawn,
        z=z,
        distance_modulus=distance_modulus(z),
        absolute_magnitude=magnitude,
        galactic_excess=np.zeros(host.size),
        host_magnitude=AB_ZERO_POINT - 2.5 * np.log10(r),
    )


def _noticed(
    changing: NDArray[np.float64], steady: NDArray[np.float64], moments: _Moments, begin: float
) -> NDArray[np.bool_]:
    """(n,) whether there are two detections, half an hour apart or more, in the season."""
    light = np.maximum(changing + steady, 0.0)
    noise = np.sqrt(moments.background + light * moments.electron)
    detected = (np.abs(changing) > DETECTION * noise) & (moments.mjd >= begin)
    n, m = detected.shape
    owner = np.repeat(np.arange(n), m)
    return about_detections(owner, np.tile(moments.mjd, n), detected.ravel(), n)[0]


def _none(observations: Mapping[str, Observation]) -> PlacedTransients:
    nothing = np.zeros(0)
    empty = {name: np.zeros((0, len(seen.visits))) for name, seen in observations.items()}
    return PlacedTransients(
        kind=nothing.astype(np.int8),
        series=nothing.astype(np.int16),
        host=nothing.astype(np.int64),
        dx=nothing,
        dy=nothing,
        z=nothing,
        peak_mjd=nothing,
        absolute_magnitude=nothing,
        stretch=nothing,
        colour=nothing,
        host_excess=nothing,
        host_rv=nothing,
        flux=empty,
        steady=empty,
    )
