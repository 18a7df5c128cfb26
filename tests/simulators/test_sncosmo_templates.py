"""Real series, and photometry of them against sncosmo's own integrals.

The data are those in the folder ``sncosmo`` of the test data: 56 series, one of which, snana-2007ny, has
numbers that are missing. Nothing is fetched.

sncosmo sums over midpoints 5 Angstrom apart. Some series have steps from one point to the next, and curves of
bands have lines of the air narrower than that: there its own sums are off by up to several 1e-4. Ours are
compared with its sums at 1 Angstrom, to 1e-4, and with those at 5 Angstrom to 1e-3.
docs/results/light_curves_photometry.md has both for all.
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
import pytest
from skysynergy.simulators import sncosmo_templates
from skysynergy.simulators.curves import trimmed_curve
from skysynergy.simulators.series_photometry import LSST_AND_EUCLID, covered, light_of, photometry
from skysynergy.simulators.sncosmo_templates import KINDS, load, templates
from skysynergy.simulators.surveys import BANDS

# In sncosmo the zero of AB magnitudes is 3631 Jy, ours makes 31.4 be 1 nJy.
ZERO_POINT = 2.5 * np.log10(3631e9)
REDSHIFTS = (0.03, 0.31, 0.68, 1.13)

# How many series of each class lie in the test data.
COUNTS = {"Ia": 3, "II": 26, "II-pec": 1, "IIn": 4, "IIb": 2, "Ib": 7, "Ic": 8, "Ic-BL": 4}


def numbered() -> list[tuple[str, int]]:
    return [(kind, index) for kind, count in COUNTS.items() for index in range(count)]


@cache
def bandpass(name):
    import sncosmo

    return sncosmo.Bandpass(*trimmed_curve(name), name=f"skysynergy {name}")


def errors(sncosmo, template, rng, redshifts, spacings=(1.0, 5.0), inside_days=0.0, count=10):
    """Relative differences to sncosmo wherever a band is covered and its flux above 1 % of its peak."""
    source = sncosmo_templates._source(template)
    series = load(template)
    light = light_of(series)
    salt = series.colour_law is not None
    model = sncosmo.Model(source)
    found = {spacing: [] for spacing in spacings}
    for z in redshifts:
        given = {"stretch": rng.normal(), "colour": rng.normal(0.0, 0.1)} if salt else {}
        model.set(z=z, **({"x1": given["stretch"], "c": given["colour"]} if salt else {}))
        ends = series.phase[0] + inside_days, series.phase[-1] - inside_days
        days = np.sort(rng.uniform(*ends, count)) * (1.0 + z)
        for name in np.array(light.bands)[covered(light, z) == 1.0]:
            codes = np.full(days.size, BANDS[name].code)
            flux = photometry(light, row_size=[days.size], days=days, band=codes, z=z, **given)
            for spacing in spacings:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(sncosmo.models, "MODEL_BANDFLUX_SPACING", spacing)
                    expected = model.bandflux(bandpass(name), days, ZERO_POINT, "ab")
                bright = expected > 0.01 * expected.max()
                found[spacing].append(np.abs(flux[bright] / expected[bright] - 1.0))
    return {spacing: np.concatenate(parts) for spacing, parts in found.items()}


def test_the_data_hold_the_classes(sncosmo):
    found = {kind: len(templates(kind, present=True)) for kind in KINDS}
    assert {kind: count for kind, count in found.items() if count} == COUNTS


def test_templates_are_those_that_were_asked_for(sncosmo):
    every = templates()
    assert {one.kind for one in every} == set(KINDS)
    assert len({(one.name, one.version) for one in every}) == len(every)
    assert set(templates(present=True)) < set(every)
    assert all(one.name.endswith("-corr") for one in every if one.name.startswith("v19"))
    named = {one.name: one.supernova for one in every}
    assert named["v19-1998bw-corr"] == "1998bw" and named["snana-2004gq"] == "2004gq"


@pytest.mark.parametrize(("kind", "index"), numbered())
def test_photometry_is_that_of_sncosmo(sncosmo, kind, index):
    """At a redshift of a few and another, different for each series.

    In the first and last day of SALT sncosmo interpolates by straight lines in wavelength too; we do not.
    """
    template = templates(kind, present=True)[index]
    rng = np.random.default_rng([KINDS.index(kind), index])
    salt = template.name.startswith("salt")
    redshifts = REDSHIFTS[index % 4], rng.uniform(0.01, 0.4)
    found = errors(sncosmo, template, rng, redshifts, inside_days=1.0 if salt else 0.0)
    assert found[1.0].size > 40
    assert np.percentile(found[1.0], 99.9) < 1e-4, template.name
    assert found[1.0].max() < (3e-4 if salt else 1e-4), template.name
    assert found[5.0].max() < 1e-3, template.name


def test_dust_is_that_of_sncosmo(sncosmo):
    """To a ten-thousandth of a magnitude, of a source as blue as Ia are at any redshift."""
    rng = np.random.default_rng(1)
    template = templates("Ia", present=True)[0]
    light = light_of(load(template))
    effects = [sncosmo.F99Dust(2.3), sncosmo.F99Dust(3.1)]
    model = sncosmo.Model(sncosmo_templates._source(template), effects, ["host", "galaxy"], ["rest", "obs"])
    worst = {}
    for z in REDSHIFTS:
        model.set(z=z, hostebv=0.4, galaxyebv=0.1)
        days = np.sort(rng.uniform(-10.0, 50.0, 10)) * (1.0 + z)
        dust = {"host_excess": 0.4, "host_rv": 2.3, "galactic_excess": 0.1}
        for name in light.bands:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sncosmo.models, "MODEL_BANDFLUX_SPACING", 1.0)
                expected = model.bandflux(bandpass(name), days, ZERO_POINT, "ab")
            codes = np.full(days.size, BANDS[name].code)
            flux = photometry(light, row_size=[days.size], days=days, band=codes, z=z, **dust)
            found = np.abs(2.5 * np.log10(flux / expected)).max()
            worst[name] = max(worst.get(name, 0.0), found)
    assert max(worst.values()) < 1e-4, worst


def test_what_is_not_there(sncosmo, monkeypatch):
    with pytest.raises(ValueError, match="no series of 'IIx'"):
        templates("IIx")
    with pytest.raises(ValueError, match="no template is called 'v19-2099a'"):
        load("v19-2099a")

    def nowhere(*arguments):
        raise OSError("no network")

    monkeypatch.setattr(sncosmo.builtins.DATADIR, "_get_url", nowhere)
    (absent,) = set(templates("Ia-91bg")) - set(templates("Ia-91bg", present=True))
    with pytest.raises(FileNotFoundError, match=r"nugent-sn91bg .*no network.*SNCOSMO_DATA_DIR"):
        load(absent)


def test_without_sncosmo(monkeypatch):
    monkeypatch.setitem(sys.modules, "sncosmo", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'skysynergy\[transients\]'"):
        templates("Ia")


def test_the_bands_are_the_ten():
    assert LSST_AND_EUCLID == ("u", "g", "r", "i", "z", "y", "VIS", "Y", "J", "H")
