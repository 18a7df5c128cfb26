"""Synthetic fluxes: against closed forms, against speclite, and at the edges of the grid."""

import numpy as np
import pytest
from skysynergy.simulators import spectra
from skysynergy.simulators.curves import filter_curve
from skysynergy.simulators.spectra import (
    Z_MAX,
    band_fractions,
    flux_parts,
    igm_transmission,
    synthetic_flux,
)
from skysynergy.simulators.surveys import BANDS, flux_from_mag
from skysynergy.simulators.templates import Elements, elements, fitting_templates, library

LIGHT_SPEED = 2.99792458e18  # Angstrom/s
WAVELENGTH = np.linspace(2000, 25000, 22000)


@pytest.mark.parametrize("band", BANDS)
def test_a_flat_source_has_its_own_flux(band):
    # f_nu = 7 nJy at all frequencies is 7 nJy in every band: the meaning of AB.
    f_lambda = 7e-32 * LIGHT_SPEED / WAVELENGTH**2
    assert synthetic_flux(WAVELENGTH, f_lambda, band) == pytest.approx(7.0, rel=1e-4)


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("template", fitting_templates(), ids=lambda spectrum: spectrum.name)
def test_fluxes_are_those_of_speclite(template, band):
    import astropy.units as u
    import speclite.filters

    # On a fine grid: speclite itself follows the spectrum with the trapezoidal rule.
    f_lambda = np.interp(WAVELENGTH / 1.6, template.wavelength, template.f_lambda) * 1e-20
    wavelength, response = filter_curve(band)
    curve = speclite.filters.FilterResponse(
        wavelength * u.AA, response, {"group_name": "test", "band_name": band}
    )
    unit = u.erg / u.s / u.cm**2 / u.AA
    theirs = curve.get_ab_maggies(f_lambda * unit, WAVELENGTH * u.AA) * 10 ** (0.4 * 31.4)
    # 2e-3: they keep the far wings of the curve, and 31.4 rounds 3631 Jy.
    assert synthetic_flux(WAVELENGTH, f_lambda, band) == pytest.approx(float(theirs), rel=2e-3)


def test_batches_of_spectra_keep_their_shape():
    batch = np.outer([1.0, 2.0], np.ones_like(WAVELENGTH))
    flux = synthetic_flux(WAVELENGTH, batch[None], "i")
    assert flux.shape == (1, 2)
    assert flux[0, 1] == pytest.approx(2 * flux[0, 0])


def test_a_spectrum_too_short_is_refused():
    with pytest.raises(ValueError, match="band H needs"):
        synthetic_flux(WAVELENGTH[:5000], np.ones(5000), "H")


def test_intergalactic_hydrogen_takes_the_blue_light():
    observed = np.linspace(3000, 12000, 500)
    assert np.all(igm_transmission(observed, 0.5) > 0.98)
    through = igm_transmission(observed, 3.5)
    assert np.all((through >= 0) & (through <= 1))
    np.testing.assert_array_equal(through[observed > 1215.67 * 4.5], 1.0)
    # Each series of lines takes more, and beyond the Lyman limit little is left.
    steps = [float(igm_transmission(rest * 4.5, 3.5)) for rest in (1300, 1100, 1000, 900, 850)]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < 0.3
    # The closed form for Lyman alpha alone.
    lone = 1100 * 4.5
    assert igm_transmission(lone, 3.5) == pytest.approx(np.exp(-0.0036 * (lone / 1215.67) ** 3.46))


@pytest.mark.parametrize(("z", "band", "redder"), [(3.2, "u", "g"), (4.3, "g", "r")])
def test_galaxies_drop_out_behind_hydrogen(z, band, redder):
    flux = flux_parts(np.arange(len(library())), np.full(len(library()), z), np.full(len(library()), 25.0))
    blue, red = (flux.sum(axis=1)[:, BANDS[name].code] for name in (band, redder))
    assert np.median(-2.5 * np.log10(blue / red)) > 1.5


def test_the_break_of_the_reddest_moves_through_the_bands():
    every = np.arange(len(library()))
    for z, (blue, red) in ((0.4, "gr"), (0.8, "ri"), (1.2, "iy")):
        flux = flux_parts(every, np.full(len(every), z), np.full(len(every), 22.0)).sum(axis=1)
        colours = -2.5 * np.log10(flux[:, BANDS[blue].code] / flux[:, BANDS[red].code])
        assert 0.8 < colours.max() < 2.5 and colours.max() > np.median(colours) + 0.4


def test_colours_do_not_depend_on_the_sampling(monkeypatch):
    caches = (spectra._curve, spectra.element_fluxes, spectra.part_fluxes)
    coarse = spectra.part_fluxes()
    for kept in caches:
        kept.cache_clear()
    monkeypatch.setattr(spectra, "_SAMPLES", 2 * spectra._SAMPLES)
    finer = spectra.part_fluxes().sum(axis=1)
    for kept in caches:
        kept.cache_clear()
    coarse = coarse.sum(axis=1)
    # Above the floor: behind the Lyman limit a magnitude means little.
    seen = coarse > 0.01
    # Lines are narrow: a hundredth of a magnitude for the strongest, one in a thousand for most.
    change = np.abs(2.5 * np.log10(finer[seen] / coarse[seen]))
    assert np.quantile(change, 0.999) < 5e-3 and change.max() < 3e-2


def _ours(n, seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, len(library()), n), rng.uniform(0, 3, n), rng.uniform(18, 28, n)


def test_both_parts_together_have_the_magnitude():
    spectrum, z, mag = _ours(500)
    flux = flux_parts(spectrum, z, mag)
    assert flux.shape == (500, 2, len(BANDS)) and np.all(flux >= 0)
    np.testing.assert_allclose(flux[:, :, BANDS["i"].code].sum(axis=1), flux_from_mag(mag), rtol=1e-9)
    assert np.all(flux.sum(axis=1) > 0)


@pytest.mark.parametrize("band", ["u", "g", "y", "VIS", "H"])
def test_parts_are_those_of_one_spectrum_integrated_alone(band):
    z, index = 1.2, 5
    observed = elements().wavelength * (1 + z)
    light = library().rest_spectrum(index) * igm_transmission(observed, z)
    # Finer than the band's own cells, as lines are narrow.
    wavelength = np.linspace(2800, 23500, 100_000)
    fine = np.stack([np.interp(wavelength, observed, part) for part in light])
    alone = synthetic_flux(wavelength, fine, band) / synthetic_flux(wavelength, fine, "i").sum()
    ours = flux_parts([index], [z], [31.4])[0, :, BANDS[band].code]
    np.testing.assert_allclose(ours, alone, rtol=5e-3, atol=1e-6)


def test_flux_is_linear_between_redshifts():
    low, middle, high = (flux_parts([7], [z], [31.4])[0] for z in (1.00, 1.01, 1.02))
    np.testing.assert_allclose(middle, (low + high) / 2)
    assert flux_parts([0], [Z_MAX], [31.4]).shape == (1, 2, len(BANDS))


@pytest.mark.parametrize("band", ["g", "VIS"])
def test_fractions_of_a_band_are_its_photons(band):
    z, index = 0.7, 11
    edges = np.array({"VIS": [550.0, 650.0, 750.0, 950.0]}.get(band, [380.0, 450.0, 500.0, 580.0]))
    ours = band_fractions([index], [z], band, edges)[0]
    observed, response = spectra._curve(band)
    rest = observed / (1 + z)
    photons = observed * response * igm_transmission(observed, z)
    for part, light in enumerate(library().rest_spectrum(index)):
        detected = photons * np.interp(rest, elements().wavelength, light)
        if detected.sum() > 0:
            counted, _ = np.histogram(observed / 10, [0.0, *edges[1:-1], 1e5], weights=detected)
            np.testing.assert_allclose(ours[part], counted / counted.sum(), atol=2e-3)


def test_a_spectrum_goes_on_beyond_its_end(monkeypatch):
    # Two elements of f_lambda = 1 up to 2 micrometres: 2.1 micrometres sees what falls as lambda^-3.
    light = np.ones((2, 3))
    parts = Elements(("one", "two"), np.array([1e3, 1e4, 2e4]), light, 0 * light, np.array([False, True]))
    monkeypatch.setattr(spectra, "elements", lambda: parts)
    counted = spectra._integrated(np.array([2.1e4]), np.ones((1, 1)))[0, :, :, 0]
    np.testing.assert_allclose(counted[:, 0], 1.05**-3.0)
    np.testing.assert_allclose(counted[:, 10:], 1.0)  # redshift 0.2: within
    with pytest.raises(ValueError, match="spectra end at 20000 Angstrom, too far from 23000"):
        spectra._integrated(np.array([2.3e4]), np.ones((1, 1)))


def test_fractions_add_up_and_red_galaxies_are_red():
    spectrum, z, _ = _ours(300)
    fractions = band_fractions(spectrum, z, "u", [320, 350, 380, 400])
    assert fractions.shape == (300, 2, 3)
    assert np.all(fractions >= 0)
    np.testing.assert_allclose(fractions.sum(axis=2), 1.0)
    vis = band_fractions(spectrum, np.full(300, 0.3), "VIS", [550, 700, 900]).mean(axis=0)
    assert vis[1, 1] > vis[0, 1] + 0.02
    # Far beyond the Lyman limit in u: still fractions.
    np.testing.assert_allclose(band_fractions([0], [Z_MAX], "u", [320, 350, 400]).sum(axis=2), 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([10_000], [1.0], [20.0]), "a spectrum is an integer"),
        (([0.5], [1.0], [20.0]), "a spectrum is an integer"),
        (([0], [5.1], [20.0]), "redshift 0 to 5"),
        (([0, 1], [1.0], [20.0]), "one length"),
    ],
)
def test_what_is_off_the_library_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        flux_parts(*arguments)


def test_edges_and_bands_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="increasing"):
        band_fractions([0], [1.0], "g", [500, 400])
    with pytest.raises(ValueError, match="no band"):
        band_fractions([0], [1.0], "w", [400, 500])
