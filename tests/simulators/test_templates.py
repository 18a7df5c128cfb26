"""Rest-frame spectra: dust against its closed form, lines where physics puts them, the two sets disjoint."""

import numpy as np
import pytest
from skysynergy.simulators import templates
from skysynergy.simulators.templates import (
    FITTING_TYPES,
    PARTS,
    dust_transmission,
    elements,
    fitting_templates,
    library,
)


def test_dust_has_the_ratio_it_is_defined_by():
    # A(B) - A(V) is E(B - V), A(V) is 4.05 of it (Calzetti et al. 2000), at 4400 and 5500 Angstrom.
    blue, visual = -2.5 * np.log10(dust_transmission([4400.0, 5500.0], 1.0))
    assert visual == pytest.approx(4.05, abs=0.03)
    assert blue - visual == pytest.approx(1.0, abs=0.05)


def test_dust_multiplies():
    wavelength = np.geomspace(912, 22000, 200)
    thin, thick, none = dust_transmission(wavelength, [0.1, 0.2, 0.0])
    np.testing.assert_allclose(thin**2, thick)
    np.testing.assert_array_equal(none, 1.0)
    assert np.all(np.diff(thin) > -1e-4) and np.all((thin > 0) & (thin <= 1))


def test_the_bump_is_at_2175_and_a_slope_is_a_power():
    wavelength = np.geomspace(1500, 9000, 2000)
    plain, bumpy = (dust_transmission(wavelength, 0.3, bump=bump) for bump in (0.0, 3.0))
    extra = -2.5 * np.log10(bumpy / plain) / 0.3
    assert wavelength[np.argmax(extra)] == pytest.approx(2175, rel=2e-3)
    assert extra.max() == pytest.approx(3.0, rel=1e-3)
    # A Drude profile is at half its height half its width away.
    assert np.interp(2175 + 175, wavelength, extra) == pytest.approx(1.5, rel=0.1)
    steep = dust_transmission(wavelength, 0.3, slope=-0.5)
    np.testing.assert_allclose(np.log(steep) / np.log(plain), (wavelength / 5500) ** -0.5)


def test_elements_are_positive_and_named_for_their_dust():
    parts = elements()
    assert parts.continuum.shape == parts.lines.shape == (len(parts.names), parts.wavelength.size)
    assert np.all(parts.continuum > 0) and np.all(parts.lines >= 0)
    for name, light in zip(parts.names, parts.continuum, strict=True):
        excess = float(name.split(":")[1])
        visual = np.interp(5500.0, parts.wavelength, light)
        assert -2.5 * np.log10(visual) == pytest.approx(4.05 * excess, abs=0.03)
    assert elements() is parts
    with pytest.raises(ValueError, match="read-only"):
        parts.continuum[0, 0] = 1.0


@pytest.mark.parametrize("line", [3727.0, 4863.0, 5008.0, 6564.0])
def test_lines_are_where_hydrogen_and_oxygen_put_them(line):
    # Vacuum wavelengths of [OII], H beta, [OIII], H alpha; the lines are 300 km/s wide.
    parts = elements()
    young = parts.lines[parts.names.index("2:0.00")]
    near = np.abs(parts.wavelength - line) < 0.003 * line
    peak = parts.wavelength[near][np.argmax(young[near])]
    assert peak == pytest.approx(line, rel=8e-4)
    beside = np.interp(line * np.array([0.985, 1.015]), parts.wavelength, young)
    assert young[near].max() > 20 * max(beside.max(), 1e-3)


def _width(light, lines, wavelength, line):
    """Equivalent width, Angstrom."""
    near = np.abs(wavelength - line) < 0.004 * line
    return np.trapezoid((lines / light)[near], wavelength[near])


def test_young_spectra_have_lines_like_those_of_galaxies(record_figure):
    # H alpha with [NII], rest frame: tens of Angstrom in galaxies that make stars.
    truth, parts = library(), elements()
    light = truth.coefficients @ parts.continuum
    lines = (truth.coefficients * truth.line_strength[:, None]) @ parts.lines
    widths = [_width(a, b, parts.wavelength, 6564.0) for a, b in zip(light, lines, strict=True)]
    record_figure("median_h_alpha_angstrom", np.median(widths))
    assert 15 < np.median(widths) < 150
    assert np.mean(np.array(widths) < 5) > 0.03
    assert np.mean(np.array(widths) > 5) > 0.6


def test_library_is_a_probability_over_positive_spectra():
    truth = library()
    assert 100 <= len(truth) <= 600
    assert np.all(truth.coefficients >= 0) and np.all(truth.coefficients.sum(axis=1) > 0)
    assert truth.weight.sum() == pytest.approx(1.0, abs=0.01)
    assert np.all(np.linalg.eigvalsh(truth.covariance) > 0)
    assert 0.3 < np.median(truth.line_strength) < 3


def test_a_spectrum_is_the_sum_of_its_parts():
    truth, parts = library(), elements()
    whole = truth.coefficients[3] @ (parts.continuum + truth.line_strength[3] * parts.lines)
    young, old = truth.rest_spectrum(3)
    assert PARTS == ("young", "old")
    np.testing.assert_allclose(young + old, whole)


def test_the_old_part_is_redder():
    wavelength = elements().wavelength
    blue, red = np.abs(wavelength - 3000) < 200, np.abs(wavelength - 7000) < 200
    colours = []
    for index in range(len(library())):
        parts = library().rest_spectrum(index)
        if np.all(parts[:, red].sum(axis=1) > 0):
            colours.append(-2.5 * np.log10(parts[:, blue].sum(axis=1) / parts[:, red].sum(axis=1)))
    young, old = np.median(colours, axis=0)
    assert old > young + 0.5


def test_a_library_of_other_elements_is_refused(monkeypatch, tmp_path):
    (tmp_path / "library.csv").write_text("# made by hand\nweight,1:0.00\n1,1\n")
    elements()
    monkeypatch.setattr(templates, "_DATA", tmp_path)
    with pytest.raises(ValueError, match="other columns"):
        library.__wrapped__()


def test_templates_for_fits_are_none_of_the_truth():
    parts = elements()
    inside = (parts.wavelength > 1500) & (parts.wavelength < 9000)
    for template in fitting_templates():
        light = np.interp(parts.wavelength, template.wavelength, template.f_lambda)[inside]
        apart = np.abs(np.log(light / parts.continuum[:, inside]))
        apart -= np.median(apart, axis=1, keepdims=True)
        assert np.std(apart, axis=1).min() > 0.05


def test_templates_for_fits_can_be_interpolated_and_dusty():
    assert [t.name for t in fitting_templates()] == list(FITTING_TYPES)
    dense = fitting_templates(between=2, colour_excesses=(0.0, 0.2))
    assert len(dense) == 20
    plain, dusty = dense[:2]
    np.testing.assert_allclose(dusty.f_lambda, plain.f_lambda * dust_transmission(plain.wavelength, 0.2))
    sbc = next(t for t in dense if t.name == "Sbc")
    own = fitting_templates()[1]
    np.testing.assert_allclose(np.interp(own.wavelength, sbc.wavelength, sbc.f_lambda), own.f_lambda)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"between": -1}, "whole number"),
        ({"between": 1.5}, "whole number"),
        ({"colour_excesses": ()}, "at least"),
    ],
)
def test_nonsense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fitting_templates(**options)
