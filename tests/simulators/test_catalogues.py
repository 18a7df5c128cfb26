"""Other people's galaxies: each loader against a table whose galaxies are known."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from skysynergy.simulators.catalogues import (
    I_MINUS_F814W,
    from_cosmos,
    from_skycatalogs,
    from_table,
    library_spectra,
    nearest_spectrum,
)
from skysynergy.simulators.morphology import SERSIC_INDICES
from skysynergy.simulators.spectra import flux_parts
from skysynergy.simulators.surveys import BANDS, SURVEYS, flux_from_mag, mag_from_flux

I = BANDS["i"].code  # noqa: E741


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def _spectra(rng, mag_i, z):
    """Half young, half old and redder."""
    young = 0.5 * flux_from_mag(mag_i)[:, None] * np.ones(len(BANDS))
    old = young * 2.0 ** (np.arange(len(BANDS)) - I)
    return np.arange(len(z)), np.stack([young, old], axis=1)


def _match(z, flux):
    return np.full(len(z), 3)


def _cosmos_table():
    """A single galaxy, one of bulge and disk, and one without a usable fit."""
    both = [0.0, 1.0, 0.0]
    table = {
        "mag_f814w": [22.0, 23.0, 24.0],
        "zphot": [0.4, 0.9, 1.1],
        "use_bulgefit": both,
        "viable_sersic": [1.0, 1.0, 0.0],
        "hlr_arcsec_sersic": [0.5, 0.4, 0.0],
        "sersic_n": [0.9, 2.0, 0.1],
        "sersic_q": [0.6, 0.5, 0.0],
        "sersic_phi_rad": [0.3, 0.0, np.nan],
    }
    for part, size, q in (("disk", 0.45, 0.5), ("bulge", 0.2, 0.8)):
        # Nothing where the fit is not used.
        table |= {f"hlr_arcsec_{part}": [0.0, size, 0.0], f"{part}_q": [0.0, q, 0.0]}
        table |= {f"{part}_phi_rad": [0.0, 1.0, 0.0]}
    return table | {"flux_disk": [0.0, 3.0, 0.0], "flux_bulge": [0.0, 1.0, 0.0]}


def test_cosmos_takes_the_fit_that_its_flags_prefer(rng):
    found = from_cosmos(rng, _cosmos_table(), _spectra)
    assert len(found) == 2
    np.testing.assert_allclose(mag_from_flux(found.flux[:, I]), np.array([22.0, 23.0]) + I_MINUS_F814W)
    np.testing.assert_allclose(found.half_light_arcsec, [[0.5, 0.5], [0.45, 0.2]])
    np.testing.assert_array_equal(found.sersic_n, [[1.0, 1.0], [1.0, 4.0]])
    share = found.component_flux[:, 1, I] / found.flux[:, I]
    np.testing.assert_allclose(share, [0.0, 0.25])
    # (1 - q) / (1 + q), at twice the position angle.
    e = found.e1 + 1j * found.e2
    np.testing.assert_allclose(e[0], 0.25 * np.exp(0.6j) * np.ones(2))
    np.testing.assert_allclose(e[1], np.array([1 / 3, 1 / 9]) * np.exp(2j))
    # The bulge is redder than the disk.
    colour = found.component_flux[1, :, 4] / found.component_flux[1, :, 0]
    assert colour[1] > 2 * colour[0]


def test_cosmos_names_the_rows_of_the_whole_table(rng):
    table = _cosmos_table()
    table["bulge_q"][1] = 0.0
    table["sersic_q"][0] = np.nan
    del table["zphot"], table["flux_disk"]
    with pytest.raises(ValueError, match="'zphot' is missing") as caught:
        from_cosmos(rng, table, _spectra)
    assert "'flux_disk' is missing" in str(caught.value)
    table |= {"zphot": [0.4, 0.9, 1.1], "flux_disk": [0.0, 3.0, 0.0]}
    with pytest.raises(ValueError, match="'sersic_q'.*above 0, not nan in row 0"):
        from_cosmos(rng, table, _spectra)
    table["sersic_q"][0] = 0.5
    with pytest.raises(ValueError, match="'bulge_q'.*not 0 in row 1"):
        from_cosmos(rng, table, _spectra)


def test_the_real_cosmos_table(rng, test_data):
    found = from_cosmos(rng, test_data / "galaxies" / "cosmos_f814w.parquet")
    assert len(found) > 81_000
    assert np.mean(found.component_flux[:, 1].max(axis=1) > 0) == pytest.approx(0.287, abs=0.005)
    assert set(np.unique(found.sersic_n)) <= set(SERSIC_INDICES)
    assert np.hypot(found.e1, found.e2).max() < 1


def _table(n=3):
    table = {f"flux_{band}": np.linspace(1, 2, n) for band in BANDS}
    table |= {"z": np.full(n, 0.7), "half_light_arcsec": np.full(n, 0.4), "sersic_n": np.full(n, 1.1)}
    return table | {"e1": np.full(n, 0.1), "e2": np.full(n, -0.2), "spectrum": np.arange(n)}


def _with_bulge(table):
    bulge = {f"bulge_flux_{band}": 0.25 * table[f"flux_{band}"] for band in BANDS}
    return table | bulge | {"bulge_half_light_arcsec": 0.5 * table["half_light_arcsec"]}


def test_any_table_through_a_file(rng, tmp_path):
    table = _with_bulge(_table()) | {"n_knots": np.array([0, 2, 8]), "knot_fraction": np.array([0, 0.1, 0.3])}
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table(table), path)
    found = from_table(rng, path)
    np.testing.assert_array_equal(found.spectrum, [0, 1, 2])
    np.testing.assert_allclose(found.flux, table["flux_u"][:, None] * np.ones(len(BANDS)))
    np.testing.assert_allclose(found.component_flux[:, 1], 0.25 * found.flux)
    np.testing.assert_array_equal(found.sersic_n, [[1.0, 4.0]] * 3)
    np.testing.assert_array_equal(found.e2, np.full((3, 2), -0.2))
    np.testing.assert_array_equal((found.knots != 0).sum(axis=1), [0, 2, 8])


def test_a_table_without_spectra_is_matched(rng):
    table = _table()
    del table["spectrum"]
    assert from_table(rng, table, _match).spectrum.tolist() == [3, 3, 3]


def test_library_spectra_are_found_again(rng):
    n = 60
    z, mag_i = np.round(rng.uniform(0.1, 2.5, n), 2), rng.uniform(21, 25, n)
    spectrum, parts = library_spectra(rng, mag_i, z)
    flux = parts.sum(axis=1)
    np.testing.assert_allclose(mag_from_flux(flux[:, I]), mag_i, atol=1e-9)
    # On the grid of redshifts a spectrum is itself; some others have the same colours.
    grid = np.rint(z / 0.02) * 0.02
    again = nearest_spectrum(grid, flux_parts(spectrum, grid, mag_i).sum(axis=1))
    ours = flux_parts(again, grid, mag_i).sum(axis=1)
    np.testing.assert_allclose(ours, flux_parts(spectrum, grid, mag_i).sum(axis=1), rtol=2e-3, atol=1e-3)
    with pytest.raises(ValueError, match="redshift is not within 0 and 5.0 in 1 rows, the first is 1"):
        nearest_spectrum(np.array([1.0, 6.0]), np.ones((2, len(BANDS))))
    with pytest.raises(ValueError, match="there is no light in 1 rows, the first is 0"):
        nearest_spectrum(np.ones(2), np.stack([np.zeros(len(BANDS)), np.ones(len(BANDS))]))


def test_a_survey_that_a_table_leaves_out_comes_from_the_spectrum(rng):
    n, mag_i = 20, np.linspace(21.0, 25.0, 20)
    z = np.round(rng.uniform(0.1, 2.0, n) / 0.02) * 0.02
    spectrum, parts = library_spectra(rng, mag_i, z)
    whole = parts.sum(axis=1)
    lsst = SURVEYS["LSST"].bands
    table = _table(n) | {"z": z}
    table = {name: column for name, column in table.items() if not name.startswith("flux_")}
    table |= {f"flux_{band}": whole[:, BANDS[band].code] for band in lsst}
    found = from_table(rng, table | {"spectrum": spectrum})
    np.testing.assert_allclose(found.flux, whole, rtol=1e-9)
    # Half of the light in i is the bulge's: of the rest of the bands it has its part of the spectrum.
    bulge = {f"bulge_flux_{band}": 0.5 * whole[:, BANDS[band].code] for band in lsst}
    both = from_table(rng, table | bulge | {"bulge_half_light_arcsec": np.full(n, 0.2), "spectrum": spectrum})
    np.testing.assert_allclose(both.flux, whole, rtol=1e-9)
    assert (both.component_flux >= 0).all() and (both.component_flux[:, 1, BANDS["H"].code] > 0).all()
    # Six bands are enough to find a spectrum of such colours.
    del table["spectrum"]
    matched = from_table(rng, table)
    np.testing.assert_allclose(matched.flux[:, : len(lsst)], whole[:, : len(lsst)])
    ours = flux_parts(matched.spectrum, z, mag_i).sum(axis=1)
    np.testing.assert_allclose(matched.flux[:, len(lsst) :], ours[:, len(lsst) :], rtol=1e-6)
    with pytest.raises(ValueError, match="'flux_J' is missing"):
        from_table(rng, table | {"flux_H": whole[:, BANDS["H"].code]})
    dark = table | {"flux_i": np.zeros(n), "spectrum": spectrum}
    assert (from_table(rng, dark).flux[:, BANDS["H"].code] == 0).all()


def test_any_table_refusals(rng):
    table = _with_bulge(_table())
    del table["bulge_flux_H"]
    table["z"] = np.array([0.1, np.inf, -1.0])
    with pytest.raises(ValueError, match="'bulge_flux_H' is missing") as caught:
        from_table(rng, table)
    assert "not inf in row 1, -1 in row 2" in str(caught.value)
    table = _with_bulge(_table())
    table["bulge_flux_g"] = 2 * table["flux_g"]
    with pytest.raises(ValueError, match="brighter than the whole galaxy in 3 rows, the first is 0"):
        from_table(rng, table)
    with pytest.raises(ValueError, match="an ellipticity is 1 or more in 1 rows, the first is 1"):
        from_table(rng, _table() | {"e1": np.array([0.0, 0.9, 0.0]), "e2": np.array([0.0, 0.9, 0.0])})
    with pytest.raises(ValueError, match="spectrum is no whole number in 1 rows, the first is 2"):
        from_table(rng, _table() | {"spectrum": np.array([0.0, 1.0, 1.5])})


def _skycatalogs(old=False):
    n = 3
    light = np.ones((n, 30)) * np.linspace(1, 3, 30) * 1e4
    table = {
        "redshift": np.array([0.3, 0.8, 1.5]),
        "n_knots": np.array([0.0, 5.0, 40.0]),
        "sed_val_disk": light,
        "sed_val_bulge": light * np.array([[0.0], [0.5], [0.2]]),
        "sed_val_knots": light * np.array([[0.0], [0.25], [1.0]]),
    }
    for part, size, q, index in (("disk", 0.6, 0.5, 1.0), ("bulge", 0.3, 0.8, 4.0)):
        table |= {f"size_{part}_true": np.full(n, size), f"size_minor_{part}_true": np.full(n, size * q)}
        table |= {f"sersic_{part}": np.full(n, index)}
        e = (1 - q) / (1 + q) * np.exp(2j * np.radians(30.0))
        if not old:
            table |= {f"ellipticity_1_{part}_true": np.full(n, e.real)}
            table |= {f"ellipticity_2_{part}_true": np.full(n, e.imag)}
    return table | {"position_angle_unlensed": np.full(n, 30.0)} if old else table


def test_skycatalogs(rng):
    found = from_skycatalogs(rng, _skycatalogs(), _match)
    share = found.component_flux[:, 1] / found.flux
    np.testing.assert_allclose(share, np.array([[0.0], [0.5 / 1.75], [0.2 / 2.2]]) * np.ones(len(BANDS)))
    np.testing.assert_allclose(found.half_light_arcsec, [[0.6 * np.sqrt(0.5), 0.3 * np.sqrt(0.8)]] * 3)
    # The major axis lies at right angles to the catalogue's angle of 30 degrees.
    np.testing.assert_allclose(
        found.e1 + 1j * found.e2, np.exp(2j * np.radians(120)) * np.array([[1 / 3, 1 / 9]] * 3)
    )
    np.testing.assert_array_equal(found.n_knots, [0, 5, 8])
    np.testing.assert_allclose(found.knot_fraction, [0.0, 0.2, 0.5])


def test_skycatalogs_of_older_and_newer_schema_agree(rng):
    new, old = (from_skycatalogs(rng, _skycatalogs(old), _match) for old in (False, True))
    np.testing.assert_allclose(new.e1, old.e1)
    np.testing.assert_allclose(new.e2, old.e2)


def test_skycatalogs_refusals(rng):
    table = _skycatalogs()
    del table["sed_val_disk"], table["size_disk_true"]
    table["redshift"] = table["redshift"] - 0.3
    with pytest.raises(ValueError, match="'sed_val_disk' is missing") as caught:
        from_skycatalogs(rng, table, _match)
    assert "'size_disk_true' is missing" in str(caught.value)
    assert "above 0, not 0 in row 0" in str(caught.value)
    dark = _skycatalogs()
    for part in ("disk", "bulge", "knots"):
        dark[f"sed_val_{part}"][2] = 0.0
    with pytest.raises(ValueError, match="no component has any light in 1 rows, the first is 2"):
        from_skycatalogs(rng, dark, _match)
