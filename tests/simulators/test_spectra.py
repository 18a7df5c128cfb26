"""Synthetic fluxes: against closed forms, against speclite, and at the edges of the grid."""

import numpy as np
import pytest
from skysynergy.simulators import spectra
from skysynergy.simulators.spectra import (
    TEMPLATES,
    Z_MAX,
    band_fractions,
    flux_parts,
    fluxes,
    igm_transmission,
    synthetic_flux,
    template_fluxes,
)
from skysynergy.simulators.surveys import BANDS, flux_from_mag
from skysynergy.simulators.templates import elements, library

LIGHT_SPEED = 2.99792458e18  # Angstrom/s
WAVELENGTH = np.linspace(2000, 23000, 20000)


@pytest.fixture(scope="module")
def grid():
    return template_fluxes()


def _mag(grid, template, z, band):
    row = np.argmin(np.abs(grid.z - z))
    return -2.5 * np.log10(grid.flux[TEMPLATES.index(template), row, BANDS[band].code])


@pytest.mark.parametrize("band", BANDS)
def test_a_flat_source_has_its_own_flux(band):
    # f_nu = 7 nJy at all frequencies is 7 nJy in every band: the meaning of AB.
    f_lambda = 7e-32 * LIGHT_SPEED / WAVELENGTH**2
    assert synthetic_flux(WAVELENGTH, f_lambda, band) == pytest.approx(7.0, rel=1e-4)


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_fluxes_are_those_of_speclite(template, band):
    import astropy.units as u
    import speclite.filters

    # On a fine grid: speclite itself follows the spectrum with the trapezoidal rule.
    rest, f_rest = spectra._template(template)
    f_lambda = np.interp(WAVELENGTH / 1.6, rest, f_rest) * 1e-20
    curve = speclite.filters.load_filter(BANDS[band].curve)
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


def test_grid_is_normalised_positive_and_complete(grid):
    assert grid.flux.shape == (len(TEMPLATES), grid.z.size, len(BANDS))
    assert (grid.z[0], grid.z[-1]) == (0.0, Z_MAX)
    np.testing.assert_array_equal(grid.flux[:, :, BANDS["i"].code], 1.0)
    assert np.all(np.isfinite(grid.flux)) and np.all(grid.flux > 0)
    assert template_fluxes() is grid
    with pytest.raises(ValueError, match="read-only"):
        grid.flux[0, 0, 0] = 1


def test_grid_agrees_with_one_spectrum_integrated_alone(grid):
    wavelength, f_rest = spectra._template("Scd")
    z = 1.6
    f_lambda = np.interp(WAVELENGTH / (1 + z), wavelength, f_rest) * igm_transmission(WAVELENGTH, z)
    reference = synthetic_flux(WAVELENGTH, f_lambda, "i")
    for band in ("u", "g", "y", "VIS", "H"):
        alone = synthetic_flux(WAVELENGTH, f_lambda, band) / reference
        assert -2.5 * np.log10(alone) == pytest.approx(_mag(grid, "Scd", z, band), abs=5e-3)


def test_colours_do_not_depend_on_the_sampling(grid, monkeypatch):
    spectra._curve.cache_clear()
    monkeypatch.setattr(spectra, "_SAMPLES", 2 * spectra._SAMPLES)
    finer = template_fluxes.__wrapped__()
    spectra._curve.cache_clear()
    # Above the floor: behind the Lyman limit a magnitude means little.
    seen = grid.flux > 0.01
    assert np.max(np.abs(2.5 * np.log10(finer.flux[seen] / grid.flux[seen]))) < 2e-3


def test_local_colours_are_those_of_nearby_galaxies(grid):
    # Fukugita, Shimasaku & Ichikawa (1995), Table 3: g' - r' of 0.77 (E) and 0.2 (Im) at z = 0.
    colours = [_mag(grid, template, 0.0, "g") - _mag(grid, template, 0.0, "r") for template in TEMPLATES]
    assert colours == sorted(colours, reverse=True)
    assert colours[0] == pytest.approx(0.77, abs=0.07)
    assert colours[-1] == pytest.approx(0.2, abs=0.07)


def test_the_break_of_ellipticals_moves_through_the_bands(grid):
    assert _mag(grid, "E", 0.4, "g") - _mag(grid, "E", 0.4, "r") > 1.4
    assert _mag(grid, "E", 0.8, "r") - _mag(grid, "E", 0.8, "i") > 0.9
    assert _mag(grid, "E", 1.2, "i") - _mag(grid, "E", 1.2, "y") > 1.4


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


@pytest.mark.parametrize(("z", "band"), [(3.2, "u"), (4.3, "g")])
def test_dropouts(grid, z, band):
    redder = "gr"["ug".index(band)]
    assert _mag(grid, "Im", z, band) - _mag(grid, "Im", z, redder) > 1.5


def test_fluxes_on_a_grid_point_and_between():
    mag = np.array([23.0, 23.0, 23.0])
    low, middle, high = fluxes([1, 1, 1], [1.00, 1.01, 1.02], mag)
    np.testing.assert_allclose(middle, np.sqrt(low * high), rtol=1e-9)
    np.testing.assert_allclose([low[3], middle[3]], flux_from_mag(23.0), rtol=1e-9)
    row = template_fluxes().flux[1, 50]
    np.testing.assert_allclose(low, row * flux_from_mag(23.0), rtol=1e-9)


def test_the_ends_of_the_grid_are_inside_it():
    np.testing.assert_allclose(
        fluxes([0, 3], [0.0, Z_MAX], [31.4, 31.4]),
        template_fluxes().flux[[0, 3], [0, -1]],
        rtol=1e-9,
    )
    nothing = np.array([], dtype=int)
    assert fluxes(nothing, nothing, nothing).shape == (0, 10)


@pytest.mark.parametrize(
    ("template", "z", "mag", "message"),
    [
        ([4], [1.0], [20.0], "0 to 3"),
        ([-1], [1.0], [20.0], "0 to 3"),
        ([0.0], [1.0], [20.0], "integer"),
        ([0], [5.01], [20.0], "redshift 0 to 5"),
        ([0], [-0.1], [20.0], "redshift 0 to 5"),
        ([0], [np.nan], [20.0], "redshift 0 to 5"),
        ([0, 1], [1.0], [20.0], "one length"),
    ],
)
def test_what_is_off_the_grid_is_refused(template, z, mag, message):
    with pytest.raises(ValueError, match=message):
        fluxes(template, z, mag)


def test_a_template_without_light_in_i_is_refused(monkeypatch):
    wavelength = np.array([90.0, 12000.0, 12001.0, 30000.0])
    monkeypatch.setattr(spectra, "_template", lambda name: (wavelength, np.array([0.0, 0.0, 1.0, 1.0])))
    with pytest.raises(ArithmeticError, match=r"template E has no light in i at z=0\.00"):
        template_fluxes.__wrapped__()


def _ours(n, seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, len(library()), n), rng.uniform(0, 3, n), rng.uniform(18, 28, n)


def test_both_parts_together_have_the_magnitude():
    spectrum, z, mag = _ours(500)
    flux = flux_parts(spectrum, z, mag)
    assert flux.shape == (500, 2, 10) and np.all(flux >= 0)
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
    assert flux_parts([0], [Z_MAX], [31.4]).shape == (1, 2, 10)


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
