"""Physics that cannot be is refused with the value that was given, never drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from skysynergy.simulators.cadence import Visit, five_sigma_depth, sample_visits
from skysynergy.simulators.detectors import background
from skysynergy.simulators.exposures import pixels_across
from skysynergy.simulators.fields import simulate_field
from skysynergy.simulators.optics import psf_image
from skysynergy.simulators.profiles import profiles_of
from skysynergy.simulators.quantisation import encode
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.rendering.fourier import render
from skysynergy.simulators.scenes import Content, draw_scene
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.sources import sheared
from skysynergy.simulators.surveys import BANDS, SURVEYS, electron_flux, mag_from_flux

NOT_POSITIVE = [0.0, -0.5, math.nan]
SKY = Sky(1, 1, {"i": 1}, width_arcsec=6.0)
RNG = np.random.default_rng(4)
PROFILES = profiles_of(draw_scene(np.random.default_rng(3), width_arcsec=9.6))
PSF = psf_image(Visit("i", 61000.0, 0.8, 24.0, 1.1), None)


def simulate(sky):
    return simulate_field(sky, b"secret", 0, 0, dither_key=b"key")


def drawn(profiles=PROFILES, flux=None, wcs=None):
    flux = profiles.flux[:, 3] if flux is None else flux
    wcs = np.array([[5.0, 0, 14.5], [0, 5.0, 14.5]]) if wcs is None else wcs
    return render(profiles, flux[None], psf=PSF[None], psf_oversampling=2, wcs=wcs[None], shape=(30, 30))


def test_what_is_refused_below_is_drawn_when_it_is_right():
    """Else a test that expects an error might see another one."""
    assert len(PROFILES) > 3
    assert drawn().sum() > 0
    assert simulate(SKY)[0].arrays["lsst/image"].std() > 0
    assert background(Visit("i", 61000.0, 0.8, 24.0, 1.1), PSF).sigma > 0


@pytest.mark.parametrize("band", ["i", "VIS"])
@pytest.mark.parametrize("seeing", [*NOT_POSITIVE, math.inf])
def test_seeing_that_is_not_positive(seeing, band):
    message = f"the seeing of a visit in {band} must be positive, not {seeing}"
    with pytest.raises(ValueError, match=message):
        psf_image(Visit(band, 61000.0, seeing, 24.0, 1.1), None)
    with pytest.raises(ValueError, match=message):
        five_sigma_depth(BANDS[band], 30.0, seeing, 100.0)


def test_seeing_sharper_than_the_psf_is_stored():
    with pytest.raises(ValueError, match=r"a FWHM of 0.093\d* arcsec in i is below the 0.1 arcsec"):
        psf_image(Visit("i", 61000.0, 0.05, 24.0, 1.1), None)


@pytest.mark.parametrize("pixel", [*NOT_POSITIVE, math.inf])
def test_a_pixel_of_no_width(pixel):
    with pytest.raises(ValueError, match=f"a pixel of LSST must have a positive width, not {pixel} arcsec"):
        replace(SURVEYS["LSST"], pixel_arcsec=pixel)


@pytest.mark.parametrize("width", [*NOT_POSITIVE, 1.0, 19.3, 1e-12, math.inf])
def test_a_scene_of_a_width_that_cannot_be(width):
    message = f"a scene is a multiple of 0.6 arcsec wide, not {width}"
    with pytest.raises(ValueError, match=message):
        replace(SKY, width_arcsec=width)
    with pytest.raises(ValueError, match=message):
        pixels_across(width, SURVEYS["LSST"])


@pytest.mark.parametrize("width", NOT_POSITIVE)
def test_galaxies_in_no_room(width):
    with pytest.raises(ValueError, match=f"positive width, not {width} arcsec"):
        draw_scene(RNG, width_arcsec=width)


@pytest.mark.parametrize(
    ("what", "value"),
    [("flux", value) for value in (-0.5, math.nan, math.inf)]  # 0 is a profile that does not shine
    + [("half_light_arcsec", value) for value in (-0.5, math.nan, math.inf)],  # 0 is a point
)
def test_a_galaxy_without_light_or_size(what, value):
    given = PROFILES.flux[:, 3].copy() if what == "flux" else PROFILES.half_light_arcsec.copy()
    given[2] = value
    with pytest.raises(ValueError, match=f"{what} of profile 2 must be .*not {value}"):
        if what == "flux":
            drawn(flux=given)
        else:
            drawn(replace(PROFILES, half_light_arcsec=given))


@pytest.mark.parametrize("flux", NOT_POSITIVE)
def test_a_magnitude_of_no_flux(flux):
    with pytest.raises(ValueError, match=f"only a positive flux has a magnitude, not {flux} nJy"):
        mag_from_flux([1.0, flux])


@pytest.mark.parametrize(
    "wcs", [[[0, 0, 1], [0, 0, 1]], [[5, 5, 1], [5, 5, 1]], [[math.nan, 0, 1], [0, 5, 1]]]
)
def test_a_map_that_has_no_inverse(wcs):
    with pytest.raises(ValueError, match="the linear part of a WCS must have an inverse, not"):
        drawn(wcs=np.array(wcs, dtype=float))


@pytest.mark.parametrize("seconds", NOT_POSITIVE)
def test_an_exposure_that_takes_no_time(seconds):
    with pytest.raises(ValueError, match=f"longer than zero seconds, not {seconds}"):
        electron_flux(BANDS["i"], seconds)


@pytest.mark.parametrize("depth", [40.0, math.nan])
def test_a_depth_that_no_detector_reaches(depth):
    with pytest.raises(ValueError, match=rf"a depth of {depth:.2f} in i cannot be reached"):
        background(Visit("i", 61000.0, 0.8, depth, 1.1), PSF)


@pytest.mark.parametrize("g", [(1.0, 0.0), (0.8, -0.7), (math.nan, 0.0), (0.0, -2.0)])
def test_shear_of_one_or_more(g):
    with pytest.raises(ValueError, match=rf"below 1, not \|{g[0]}, {g[1]}\|"):
        sheared(draw_scene(np.random.default_rng(2), width_arcsec=6.0), *g)


@pytest.mark.parametrize("limits", [(0.0, 1.0), (0.03, 0.01), (-0.01, 0.02), (math.nan, 0.1)])
def test_a_range_of_shear_that_cannot_be(limits):
    with pytest.raises(ValueError, match=rf"0 <= smallest <= largest < 1, not \({limits[0]}, {limits[1]}\)"):
        replace(SKY, shear_range=limits)


@pytest.mark.parametrize("limit", [0.0, 17.0, 18.0, 28.6, math.nan, math.inf])
def test_galaxies_brighter_or_fainter_than_are_known(limit):
    with pytest.raises(ValueError, match=f"from i = 18.0 to {limit}: the limits have to be in order"):
        simulate(replace(SKY, content=Content(i_limit=limit)))


@pytest.mark.parametrize("count", [0, -3, 1.5, True])
def test_visits_that_cannot_be_counted(count):
    with pytest.raises(ValueError, match=f"count of i visits is {count}: it has to be a positive integer"):
        sample_visits(RNG, {"i": count})
    with pytest.raises(ValueError, match=f"count of i visits is {count}: it has to be a positive integer"):
        replace(SKY, visits={"i": count})


def test_visits_in_no_band():
    with pytest.raises(ValueError, match="no band is called 'Vis': did you mean VIS"):
        sample_visits(RNG, {"Vis": 1})
    with pytest.raises(ValueError, match="no band is called 'Vis': did you mean VIS"):
        replace(SKY, visits={"Vis": 1})
    with pytest.raises(ValueError, match="a sky needs visits"):
        replace(SKY, visits={})
    with pytest.raises(ValueError, match="no visits asked for"):
        sample_visits(RNG, {})


@pytest.mark.parametrize("condensed", [0, 5, 2.0])
def test_an_exposure_that_stands_for_none_or_too_many(condensed):
    with pytest.raises(
        ValueError, match=f"condensed in i is {condensed}: it has to be an integer from 1 to 4"
    ):
        simulate(replace(SKY, condensed=condensed))


def test_an_arrangement_that_nobody_knows():
    with pytest.raises(ValueError, match=r"one of \('clustered', 'uniform', 'isolated'\), not 'grid'"):
        replace(SKY, content=Content("grid"))


@pytest.mark.parametrize(("fields", "scenes"), [(0, 4), (4, 0), (-1, 4)])
def test_a_sky_of_nothing(fields, scenes):
    with pytest.raises(ValueError, match=f"at least one field of one scene, not {fields} x {scenes}"):
        Sky(fields, scenes, {"i": 1})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_pixels_that_hold_no_number(bad):
    image = np.zeros((1, 4, 4))
    image[0, 2, 3] = bad
    with pytest.raises(ValueError, match=r"1 pixels are not finite, the first at \(0, 2, 3\)"):
        encode(image, np.ones(1), np.zeros((1, 4, 4)))


@pytest.mark.parametrize("secret", [b"", bytes(65)])
def test_a_secret_that_keys_nothing(secret):
    with pytest.raises(ValueError, match=f"1 to 64 bytes, this one has {len(secret)}"):
        generator(secret, "noise", 0)
