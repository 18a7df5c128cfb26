"""Other people's galaxies: a COSMOS table, a sample of skyCatalogs, or any table with named columns.

Each loader gives the same `Galaxies` as our own population, so that scenes can be drawn from them.
Positions, shears and magnifications of a catalogue are left behind: the scene has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .galaxies import Galaxies
from .knots import MAX_KNOTS, knot_positions
from .morphology import BULGE, DISK, component_flux, nearest_sersic
from .redshifts import draw_spectra
from .spectra import Z_GRID, Z_MAX, flux_parts, part_fluxes
from .surveys import AB_ZERO_POINT, BANDS, SURVEYS
from .tables import Column, read_table, take_columns
from .templates import library

__all__ = [
    "I_MINUS_F814W",
    "Match",
    "Spectra",
    "from_cosmos",
    "from_skycatalogs",
    "from_table",
    "library_spectra",
    "nearest_spectrum",
]

Spectra = Callable[
    [np.random.Generator, NDArray[np.float64], NDArray[np.float64]],
    tuple[NDArray[np.int64], NDArray[np.float64]],
]
"""``spectra(rng, mag_i, z)``: for n galaxies, (n,) indices into the library of true spectra, and
(n, 2, bands) nJy of the young and the old part of each, which add up to the magnitude in LSST i."""

Match = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.int64]]
"""``match(z, flux)``: the spectrum of the library, (n,), that is nearest to (n, bands) nJy at (n,)
redshifts; bands of which nothing is known are NaN throughout.
What depends on a spectrum within a band (chromatic effects) is then that of the library."""

I_MINUS_F814W = 0.135
"""LSST i minus ACS F814W, AB: 0.48 (i - z) for galaxies of every type (templates of Coleman, Wu & Weedman
1980 through both curves), and i - z has medians of 0.26 to 0.31 at every i from 19 to 25.3 (cosmoDC2)."""

# Galaxies matched at a time, and the least part of a galaxy's brightest band that counts as seen.
_CHUNK, _SEEN = 1000, 1e-4

_COSMOS = (
    Column("mag_f814w", "AB magnitude in F814W"),
    Column("zphot", "photometric redshift", 0.0),
    Column("use_bulgefit", "1 where the fit of bulge and disk is the better one, else 0", 0, 1),
    Column("viable_sersic", "1 where the single Sersic fit is usable, else 0", 0, 1),
)
_COSMOS_SINGLE = (
    Column("hlr_arcsec_sersic", "circularised half-light radius, arcsec", 0.0, above=True),
    Column("sersic_n", "Sersic index", 0.0, above=True),
    Column("sersic_q", "axis ratio", 0.0, above=True),
    Column("sersic_phi_rad", "position angle, radians"),
)
_COSMOS_TWO = tuple(
    column
    for part in ("disk", "bulge")
    for column in (
        Column(
            f"hlr_arcsec_{part}", f"circularised half-light radius of the {part}, arcsec", 0.0, above=True
        ),
        Column(f"flux_{part}", f"flux of the {part}, any unit", 0.0, above=True),
        Column(f"{part}_q", f"axis ratio of the {part}", 0.0, above=True),
        Column(f"{part}_phi_rad", f"position angle of the {part}, radians"),
    )
)


def library_spectra(
    rng: np.random.Generator, mag_i: NDArray[np.float64], z: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Spectra of our own library, drawn for galaxies of known magnitude and redshift: a `Spectra`."""
    spectrum = draw_spectra(rng, z, mag_i)
    return spectrum, flux_parts(spectrum, z, mag_i)


def nearest_spectrum(z: NDArray[np.float64], flux: NDArray[np.float64]) -> NDArray[np.int64]:
    """The spectrum of our library with the nearest colours, by least squares in magnitudes: a `Match`.

    Arguments:
        z: (n,) redshifts, 0 to `spectra.Z_MAX`.
        flux: (n, bands) nJy; bands that are NaN throughout take no part.

    Raises:
        ValueError: if a redshift is beyond the library, or a galaxy has no light at all.
    """
    _refuse(~((z >= 0) & (z <= Z_MAX)), f"galaxies to be matched: the redshift is not within 0 and {Z_MAX}")
    given = ~np.isnan(flux).all(axis=0)
    flux = flux[:, given]
    _refuse(~(flux.max(axis=1, initial=0.0) > 0), "galaxies to be matched: there is no light")
    known = part_fluxes()[..., given].sum(axis=1)
    row = np.rint(z / Z_GRID[1]).astype(int)
    found = np.empty(len(z), dtype=np.int64)
    for start in range(0, len(z), _CHUNK):
        part = slice(start, start + _CHUNK)
        offset = _log_colours(known[:, row[part]]) - _log_colours(flux[part])
        found[part] = (offset**2).sum(axis=2).argmin(axis=0)
    return found


def _log_colours(flux: NDArray[np.float64]) -> NDArray[np.float64]:
    log = np.log(np.maximum(flux, _SEEN * flux.max(axis=-1, keepdims=True)))
    return log - log.mean(axis=-1, keepdims=True)


def from_cosmos(
    rng: np.random.Generator,
    source: Any,
    spectra: Spectra = library_spectra,
    *,
    i_minus_f814w: float = I_MINUS_F814W,
) -> Galaxies:
    """Galaxies of COSMOS, each with the fit that its flags prefer.

    The table has the columns of GalSim's COSMOS catalogue of parametric fits (F814W < 25.2), one number a
    column: `mag_f814w`, `zphot`, the flags `use_bulgefit` and `viable_sersic`, and for the single fit and
    the two components what `_COSMOS_SINGLE` and `_COSMOS_TWO` name. Rows whose preferred fit is not usable
    (`viable_sersic` 0 and no bulge) or whose redshift is beyond `Z_MAX` are left out. Indices are rounded
    to `SERSIC_INDICES`.

    Arguments:
        rng: where the random numbers of the spectra come from.
        source: a file or table, see `tables.read_table`.
        spectra: gives each galaxy its spectrum, see `Spectra`; of the old part the bulge is made.
        i_minus_f814w: colour to LSST i.

    Raises:
        ValueError: naming all columns that are missing and all rows that are bad.
    """
    every = (*_COSMOS, *_COSMOS_SINGLE, *_COSMOS_TWO)
    table = read_table(source, [column.name for column in every])
    title = "a COSMOS table"
    flags = take_columns(table, [*_COSMOS, *(_anything(c) for c in every[len(_COSMOS) :])], title=title)
    both = flags["use_bulgefit"] == 1
    used = (both | (flags["viable_sersic"] == 1)) & (flags["zphot"] <= Z_MAX)
    _check_rows(table, _COSMOS_SINGLE, used & ~both, title)
    _check_rows(table, _COSMOS_TWO, used & both, title)

    def column(single: str, disk: str, bulge: str) -> NDArray[np.float64]:
        two = np.stack([flags[disk], flags[bulge]], axis=1)
        return np.where(both[:, None], two, flags[single][:, None])[used]

    share = np.where(both, flags["flux_bulge"], 0.0)
    share = share / np.where(both, flags["flux_disk"] + share, 1.0)
    mag_i, z = flags["mag_f814w"][used] + i_minus_f814w, flags["zphot"][used]
    spectrum, parts = spectra(rng, mag_i, z)
    ratio = column("sersic_q", "disk_q", "bulge_q")
    # A fit with q > 1 has its axes the other way round: (1 - q) / (1 + q) is then negative, as it should be.
    e = (1.0 - ratio) / (1.0 + ratio) * np.exp(2j * column("sersic_phi_rad", "disk_phi_rad", "bulge_phi_rad"))
    index = np.where(both[:, None], [1.0, 4.0], nearest_sersic(flags["sersic_n"])[:, None])[used]
    return _galaxies(
        z=z,
        spectrum=spectrum,
        flux=component_flux(parts, share[used]),
        radius=column("hlr_arcsec_sersic", "hlr_arcsec_disk", "hlr_arcsec_bulge"),
        index=index,
        e=e,
    )


def from_table(rng: np.random.Generator, source: Any, match: Match = nearest_spectrum) -> Galaxies:
    """Galaxies of any table with these columns.

    Needed: ``z``; ``flux_u`` … ``flux_y``, nJy of the whole galaxy in the bands of LSST;
    ``half_light_arcsec`` (circularised), ``sersic_n``, ``e1``, ``e2`` of the disk or of the only profile. Of
    another survey, such as ``flux_VIS``, or ``flux_Y``, ``flux_J``, ``flux_H``, all bands are given or none:
    a survey that is left out gets the fluxes of the spectrum, with the light in i as it is (none, where
    there is none in i). If there is one of ``bulge_flux_u`` …, those of all bands given are needed, and
    ``bulge_half_light_arcsec``; ``bulge_sersic_n`` (else 4), ``bulge_e1`` and ``bulge_e2`` (else those of
    the disk) are taken if given. So are ``spectrum``, index into the library of true spectra, ``n_knots``
    and ``knot_fraction``.

    Arguments:
        rng: where the places of knots come from.
        source: a file or table, see `tables.read_table`.
        match: finds the spectra where there is no column `spectrum`, see `Match`.

    Raises:
        ValueError: naming all columns that are missing and all rows that are bad.
    """
    table = read_table(source)
    title = "a table of galaxies"
    bulge = any(f"bulge_flux_{band}" in table for band in BANDS)
    parts = ("flux", "bulge_flux")
    given = [
        name
        for survey in SURVEYS.values()
        if survey.name == "LSST" or any(f"{part}_{b}" in table for b in survey.bands for part in parts)
        for name in survey.bands
    ]
    columns = [
        Column("z", "redshift", 0.0, Z_MAX),
        *(Column(f"flux_{band}", f"nJy of the whole galaxy in {band}", 0.0) for band in given),
        Column("half_light_arcsec", "circularised half-light radius, arcsec", 0.0, above=True),
        Column("sersic_n", "Sersic index", 0.0, above=True),
        *(Column(name, "ellipticity, (1 - q) / (1 + q)", -1.0, 1.0) for name in ("e1", "e2")),
        Column("spectrum", "index into the library of spectra", 0.0, len(library()) - 1, needed=False),
        Column("n_knots", "number of knots", 0.0, MAX_KNOTS, needed=False),
        Column("knot_fraction", "share of the disk's light in knots", 0.0, 1.0, needed=False),
    ]
    if bulge:
        columns += [Column(f"bulge_flux_{band}", f"nJy of the bulge in {band}", 0.0) for band in given]
        columns += [
            Column("bulge_half_light_arcsec", "circularised radius of the bulge, arcsec", 0.0, above=True),
            Column("bulge_sersic_n", "Sersic index of the bulge", 0.0, above=True, needed=False),
            *(
                Column(f"bulge_{e}", "ellipticity of the bulge", -1.0, 1.0, needed=False)
                for e in ("e1", "e2")
            ),
        ]
    taken = take_columns(table, columns, title=title)
    for name in ("spectrum", "n_knots"):
        _refuse(taken.get(name, np.zeros(0)) % 1 != 0, f"{title}: {name} is no whole number")
    n = len(taken["z"])
    flux = np.full((n, 2, len(BANDS)), np.nan)
    for name in given:
        code = BANDS[name].code
        flux[:, BULGE, code] = taken.get(f"bulge_flux_{name}", 0.0)
        flux[:, DISK, code] = taken[f"flux_{name}"] - flux[:, BULGE, code]
    _refuse((flux[:, DISK] < 0).any(axis=1), f"{title}: the bulge is brighter than the whole galaxy")

    def pair(name: str, default: Any) -> NDArray[np.float64]:
        other = taken.get(f"bulge_{name}", np.broadcast_to(default, n))
        return np.stack([taken[name], other], axis=1)

    e = pair("e1", taken["e1"]) + 1j * pair("e2", taken["e2"])
    _refuse((np.abs(e) >= 1).any(axis=1), f"{title}: an ellipticity is 1 or more")
    if "spectrum" in taken:
        spectrum = taken["spectrum"].astype(np.int64)
    else:
        spectrum = match(taken["z"], flux.sum(axis=1))
    return _galaxies(
        z=taken["z"],
        spectrum=spectrum,
        flux=_completed(flux, spectrum, taken["z"]),
        radius=pair("half_light_arcsec", taken["half_light_arcsec"]),
        index=nearest_sersic(pair("sersic_n", 4.0)),
        e=e,
        knots=(rng, taken.get("n_knots", np.zeros(n)), taken.get("knot_fraction", np.zeros(n))),
    )


def _completed(
    flux: NDArray[np.float64], spectrum: NDArray[np.int64], z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 2, bands) of disk and bulge, where it is NaN from the spectrum with the light in i as it is."""
    if not np.isnan(flux).any():
        return flux
    i = BANDS["i"].code
    flux_i = flux[:, :, i].sum(axis=1)
    share = flux[:, BULGE, i] / np.where(flux_i > 0, flux_i, 1.0)
    of_one = component_flux(flux_parts(spectrum, z, np.full(len(z), AB_ZERO_POINT)), share)  # 1 nJy in i
    return np.where(np.isnan(flux), of_one * flux_i[:, None, None], flux)


def from_skycatalogs(rng: np.random.Generator, source: Any, match: Match = nearest_spectrum) -> Galaxies:
    """Galaxies of a sample of skyCatalogs (LSST DESC), from its main file ``galaxy_<healpix>.parquet``.

    Fluxes come from the luminosities in 30 top hats, in all bands and for each component, so that no
    flux file is needed (its photons depend on the throughputs of the day; see `simulators.tophats`). They
    are before lensing and Galactic extinction. The light of `knots` is given to the disk, of which it is
    the `knot_fraction`.

    Arguments:
        rng: where the places of knots come from.
        source: a file or table, see `tables.read_table`.
        match: finds the nearest spectra of the library, see `Match`.

    Raises:
        ValueError: naming all columns that are missing and all rows that are bad.
    """
    from .tophats import component_fluxes

    sizes = [
        Column(f"size_{axis}{part}_true", f"half-light radius of the {part}, arcsec", 0.0, above=True)
        for part in ("disk", "bulge")
        for axis in ("", "minor_")
    ]
    index = [Column(f"sersic_{p}", f"Sersic index of the {p}", 0.0, above=True) for p in ("disk", "bulge")]
    angles = [
        Column(f"ellipticity_{axis}_{part}_true", f"ellipticity of the {part}", -1.0, 1.0)
        for part in ("disk", "bulge")
        for axis in (1, 2)
    ]
    lists = [f"sed_val_{part}" for part in ("disk", "bulge", "knots")]
    table = read_table(source)
    old = "position_angle_unlensed" in table and "ellipticity_1_disk_true" not in table
    angles = [Column("position_angle_unlensed", "position angle, degrees")] if old else angles
    columns = [
        Column("redshift", "redshift", 0.0, above=True),
        Column("redshift_hubble", "redshift without peculiar velocity", 0.0, above=True, needed=False),
        Column("n_knots", "number of knots", 0.0, needed=False),
        *sizes,
        *index,
        *angles,
        *(
            Column(name, "luminosities in the top hats, 4.4659e13 W/Hz")
            for name in lists[:2]
            if name not in table
        ),
    ]
    taken = take_columns(table, columns, title="a skyCatalogs table of galaxies")
    z, hubble = taken["redshift"], taken.get("redshift_hubble", taken["redshift"])
    light = {name[8:]: component_fluxes(table[name], z, hubble) for name in lists if name in table}
    knots = light.get("knots", np.zeros_like(light["disk"]))
    flux = np.stack([light["disk"] + knots, light["bulge"]], axis=1)
    _refuse(~(flux.sum(axis=(1, 2)) > 0), "a skyCatalogs table of galaxies: no component has any light")
    disk_i = flux[:, DISK, BANDS["i"].code]
    share = knots[:, BANDS["i"].code] / np.where(disk_i > 0, disk_i, 1.0)

    def pair(name: str) -> NDArray[np.float64]:
        return np.stack([taken[name.format("disk")], taken[name.format("bulge")]], axis=1)

    major, minor = pair("size_{}_true"), pair("size_minor_{}_true")
    if old:
        # The major axis lies at 90 degrees to this angle.
        angle = np.radians(taken["position_angle_unlensed"])[:, None]
        e = -(major - minor) / (major + minor) * np.exp(2j * angle)
    else:
        e = -(pair("ellipticity_1_{}_true") + 1j * pair("ellipticity_2_{}_true"))
    return _galaxies(
        z=z,
        spectrum=match(z, flux.sum(axis=1)),
        flux=flux,
        radius=np.sqrt(major * minor),
        index=nearest_sersic(pair("sersic_{}")),
        e=e,
        knots=(rng, np.minimum(taken.get("n_knots", np.zeros(len(z))), MAX_KNOTS), share),
    )


def _anything(column: Column) -> Column:
    """The same column, with any value, finite or not, that a row may have where its fit is not used."""
    return _Unchecked(column.name, column.meaning)


class _Unchecked(Column):
    def bad(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.zeros(values.shape, dtype=bool)


def _check_rows(
    table: dict[str, Any], columns: tuple[Column, ...], used: NDArray[np.bool_], title: str
) -> None:
    """As `take_columns`, of the rows used alone, with the numbers of the whole table's rows."""
    filler = {c.name: 0.5 * (c.low + min(c.high, c.low + 2)) if np.isfinite(c.low) else 0.0 for c in columns}
    rows = {c.name: np.where(used, np.asarray(table[c.name], dtype=float), filler[c.name]) for c in columns}
    take_columns(rows, columns, title=title)


def _refuse(bad: Any, what: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        raise ValueError(
            f"{what} in {rows.size} rows, the first is {rows[0]}: mend those rows, or leave them out"
        )


def _galaxies(
    *,
    z: NDArray[np.float64],
    spectrum: NDArray[np.int64],
    flux: NDArray[np.float64],
    radius: NDArray[np.float64],
    index: NDArray[np.float64],
    e: NDArray[Any],
    knots: tuple[np.random.Generator, NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> Galaxies:
    n = len(z)
    number, share, places = np.zeros(n, np.int64), np.zeros(n), np.zeros((n, MAX_KNOTS), dtype=complex)
    if knots is not None:
        rng, count, light = knots
        number = np.where(light > 0, count, 0).astype(np.int64)
        share = np.where(number > 0, light, 0.0)
        places = knot_positions(rng.uniform(size=(n, MAX_KNOTS, 2)))
        places[np.arange(MAX_KNOTS) >= number[:, None]] = 0.0
    return Galaxies(
        z=z,
        spectrum=np.asarray(spectrum, dtype=np.int64),
        component_flux=flux,
        half_light_arcsec=radius,
        sersic_n=index,
        e1=np.real(e),
        e2=np.imag(e),
        n_knots=number,
        knot_fraction=share,
        knots=places,
    )
