"""Both renderers against a convolution of another kind: light on a fine grid, and numpy's FFT."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gamma, gammaincinv
from skysynergy.simulators.cadence import sample_visits
from skysynergy.simulators.detectors import background
from skysynergy.simulators.optics import psf_image
from skysynergy.simulators.profiles import Profiles, profiles_of
from skysynergy.simulators.rendering import RENDERERS, renderer
from skysynergy.simulators.rendering.galsim import stamp_radius
from skysynergy.simulators.scenes import NATURAL, Content, draw_scene
from skysynergy.simulators.sources import rotated_90, sersic_sources
from skysynergy.simulators.surveys import BANDS, SURVEYS

FINE = 15  # cells of the fine grid per pixel: odd, so that a pixel's centre is that of a cell
VISITS = {v.band: v for v in sample_visits(np.random.default_rng(3), {"i": 1, "VIS": 1, "H": 1})}
TURN, MIRROR = np.array([[0.0, -1.0], [1.0, 0.0]]), np.diag([-1.0, 1.0])


@pytest.fixture(params=RENDERERS)
def render(request):
    """Draws one exposure with either renderer."""
    draw = renderer(request.param)

    def one(sources, flux, *, psf, wcs, sigma=None, **more):
        sigma = None if sigma is None else np.array([sigma])
        return draw(sources, flux[None], psf=psf[None], wcs=wcs[None], sigma=sigma, **more)[0]

    return one


def one_source(**changes: float) -> Profiles:
    values = {"x": 0.0, "y": 0.0, "flux": 1000.0, "half_light_arcsec": 0.3}
    return profiles_of(sersic_sources(**(values | changes)))


def rotation(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def exposure(band: str, size: int, orientation: np.ndarray | None = None) -> dict:
    """Arguments of `render` for one exposure whose PSF is elliptical where the survey's is."""
    survey = SURVEYS[BANDS[band].survey]
    orientation = np.eye(2) if orientation is None else orientation
    wcs = np.column_stack([orientation / survey.pixel_arcsec, [size // 2 + 0.21, size // 2 - 0.34]])
    psf = psf_image(VISITS[band], np.random.default_rng(2))
    return {"psf": psf, "psf_oversampling": survey.psf_oversampling, "wcs": wcs, "shape": (size, size)}


def brightness(offset: np.ndarray, shape: np.ndarray, n: float, cell: float, depth: int = 3) -> np.ndarray:
    """Sersic profile of half-light radius 1, averaged over square cells about `offset` (..., 2).

    `shape` maps offsets to the frame in which the profile is round. Cells near the cusp are
    split into 5 x 5, and those of them nearest to it again.
    """
    radius = np.hypot(*(offset @ shape.T).T).T
    value = np.exp(-gammaincinv(2 * n, 0.5) * radius ** (1 / n))
    near = np.hypot(offset[..., 0], offset[..., 1]) < 12 * cell
    if depth and near.any():
        steps = (np.arange(5) - 2) * cell / 5
        grid = np.stack(np.meshgrid(steps, steps), axis=-1)
        value[near] = brightness(offset[near][:, None, None] + grid, shape, n, cell / 5, depth - 1).mean(
            (1, 2)
        )
    return value


def direct(sources: Profiles, flux: float, *, psf, psf_oversampling, wcs, shape) -> np.ndarray:
    """One source by the convolution theorem, everything in units of pixels, on FINE² cells a pixel."""
    cells = shape[0] * FINE
    # The cusp lies at the centre of a cell, or its light would be shifted; a phase puts it in its place.
    offset = np.stack(np.meshgrid(*[(np.arange(cells) - cells // 2) / FINE] * 2), axis=-1)
    # An ellipse of e = (1 − q)/(1 + q) at angle φ with axes r/√q and r√q, undone.
    e, n = complex(sources.e1[0], sources.e2[0]), sources.sersic_n[0]
    q, turn = (1 - abs(e)) / (1 + abs(e)), rotation(np.degrees(np.angle(e)) / 2)
    undo = np.diag([np.sqrt(q), 1 / np.sqrt(q)]) @ turn.T / sources.half_light_arcsec[0]
    undo = undo @ np.linalg.inv(wcs[:, :2])
    whole = 2 * np.pi * n * gammaincinv(2 * n, 0.5) ** (-2 * n) * gamma(2 * n) / abs(np.linalg.det(undo))
    light = flux / whole / FINE**2 * brightness(offset, undo, n, 1 / FINE)
    # The PSF image between its samples: its own frequencies, and none above.
    coarse = np.zeros((shape[0] * psf_oversampling,) * 2)
    coarse[: len(psf), : len(psf)] = psf
    coarse = np.fft.fft2(np.roll(coarse, (-(len(psf) // 2),) * 2, axis=(0, 1)))
    frequency = np.fft.fftfreq(cells, 1 / FINE)  # cycles per pixel
    inside = np.flatnonzero(np.abs(frequency) < psf_oversampling / 2)
    column = np.rint(frequency[inside] * shape[0]).astype(int)
    transform = np.zeros((cells, cells), dtype=complex)
    transform[np.ix_(inside, inside)] = coarse[np.ix_(column, column)]
    # The pixel, the cell over which the light was averaged already, and the place.
    pixel = np.sinc(frequency) / np.sinc(frequency / FINE)
    place = wcs[:, :2] @ [sources.x[0], sources.y[0]] + wcs[:, 2]
    along_x, along_y = pixel * np.exp(-2j * np.pi * np.outer(place, frequency))
    image = np.fft.ifft2(np.fft.fft2(np.fft.ifftshift(light)) * transform * along_y[:, None] * along_x).real
    return image[::FINE, ::FINE] * FINE**2


@pytest.mark.parametrize("orientation", [np.eye(2), rotation(33.0) @ MIRROR], ids=["upright", "turned"])
@pytest.mark.parametrize("sersic_n", [0.6, 1.0, 2.0, 4.0])
@pytest.mark.parametrize(("band", "size"), [("i", 63), ("VIS", 65), ("H", 35)])
def test_pixels_are_those_of_a_direct_convolution(render, band, size, sersic_n, orientation, record_figure):
    sources = one_source(x=0.11, y=-0.07, sersic_n=sersic_n, e1=0.25, e2=-0.2)
    arguments = exposure(band, size, orientation)
    drawn, expected = render(sources, np.array([500.0]), **arguments), direct(sources, 500.0, **arguments)
    record_figure(f"error {band}", np.abs(drawn - expected).max() / expected.max())
    # 1e-3 of the peak is what is asked for. The worst is n = 4 in VIS, where the wings that the periodic
    # canvas folds back matter.
    np.testing.assert_allclose(drawn, expected, rtol=0, atol=1e-3 * expected.max())


@pytest.mark.parametrize("sersic_n", [0.6, 1.0])
@pytest.mark.parametrize(("band", "size"), [("i", 95), ("VIS", 101), ("H", 63)])
def test_no_flux_is_lost(render, band, size, sersic_n, record_figure):
    sources = one_source(half_light_arcsec=0.15, sersic_n=sersic_n, e1=0.3)
    drawn = render(sources, np.array([500.0]), **exposure(band, size, rotation(33.0) @ MIRROR))
    record_figure("error", abs(drawn.sum() / 500.0 - 1))
    # 1e-4 is what is asked for. The canvas holds the whole PSF image, and all but 1e-6 of the source.
    assert drawn.sum() == pytest.approx(500.0, rel=1e-4)


@pytest.mark.parametrize("turn", [TURN, MIRROR @ TURN, -np.eye(2)], ids=["turned", "mirrored", "opposite"])
def test_a_turned_detector_sees_the_turned_image(render, turn):
    sources = one_source(x=0.4, y=-0.9, e1=0.3, e2=0.1)
    upright = exposure("i", 65)
    upright["wcs"][:, 2] = 32
    # Pixels, PSF and sky turn together: p' = T p about the centre, so the image is the same, read anew.
    wcs = np.column_stack([turn @ upright["wcs"][:, :2], [32, 32]])
    y, x = np.indices((65, 65)) - 32
    column, row = np.rint(np.einsum("ab,bij->aij", turn.T, np.stack([x, y]))).astype(int)
    half = upright["psf"].shape[0] // 2
    py, px = np.indices(upright["psf"].shape) - half
    psf_column, psf_row = np.rint(np.einsum("ab,bij->aij", turn.T, np.stack([px, py]))).astype(int) + half
    turned = upright | {"wcs": wcs, "psf": upright["psf"][psf_row, psf_column]}
    first, second = (render(sources, np.array([500.0]), **arguments) for arguments in (upright, turned))
    # Nothing but rounding may differ: float32 PSF samples are moved, not resampled.
    np.testing.assert_allclose(second, first[row + 32, column + 32], rtol=0, atol=1e-6 * first.max())


def test_light_adds_up_source_by_source(render):
    scene = draw_scene(np.random.default_rng(8), Content(i_limit=27.5), width_arcsec=6.0)
    sources = profiles_of(scene)
    flux, arguments = sources.flux[:, BANDS["i"].code], exposure("i", 31)
    together = render(sources, flux, **arguments)
    apart = sum(render(sources[k : k + 1], flux[k : k + 1], **arguments) for k in range(len(sources)))
    assert len(sources) > 3
    # Rounding in single precision, which the batched renderer works in.
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-5 * together.max())
    # Turn the sky, and the detector with it: nothing changes.
    turned = arguments | {"wcs": np.column_stack([arguments["wcs"][:, :2] @ TURN.T, arguments["wcs"][:, 2]])}
    partner = render(profiles_of(rotated_90(scene)), flux, **turned)
    np.testing.assert_allclose(partner, together, rtol=0, atol=1e-5 * together.max())


@pytest.mark.parametrize(("band", "size"), [("i", 48), ("VIS", 96), ("H", 32)])
def test_stamps_and_cheap_drawing_stay_far_below_the_noise(render, band, size, record_figure):
    arguments = exposure(band, size)
    sigma = background(VISITS[band], arguments["psf"]).sigma
    worst, brightest = 0.0, 0.0
    bright = Content("isolated", i_limit=22.0)
    for seed, content in enumerate([NATURAL] * 4 + [bright] * 4):
        sources = profiles_of(draw_scene(np.random.default_rng(seed), content, width_arcsec=9.6))
        flux = sources.flux[:, BANDS[band].code]
        full, quick = render(sources, flux, **arguments), render(sources, flux, sigma=sigma, **arguments)
        worst, brightest = max(worst, np.abs(full - quick).max() / sigma), max(brightest, full.max() / sigma)
    record_figure(f"error {band}", worst)
    # 0.05 of a pixel's noise changes no statistic of one exposure.
    assert worst < 0.05
    assert brightest > 3


@pytest.mark.parametrize(("band", "size"), [("i", 63), ("VIS", 65), ("H", 35)])
def test_a_point_is_the_limit_of_a_small_disk(render, band, size):
    arguments = exposure(band, size, rotation(33.0) @ MIRROR)
    point, disk = (
        render(one_source(x=0.11, y=-0.07, half_light_arcsec=r), np.array([500.0]), **arguments)
        for r in (0.0, 0.002)
    )
    np.testing.assert_allclose(point, disk, rtol=0, atol=1e-3 * disk.max())
    assert point.sum() == pytest.approx(500.0, rel=2e-3)  # the PSF's wings end with the image


def test_stamps_grow_with_brightness_and_stop():
    faint, bright = stamp_radius(10.0, 0.3, 1.0), stamp_radius(1e4, 0.3, 1.0)
    assert 0 < faint < bright
    # Twelve half-light radii and a margin of 30 %, however bright.
    assert stamp_radius(1e12, 0.3, 4.0) == pytest.approx(0.3 * 12 * 1.3)


@pytest.mark.parametrize("name", ["flux", "half_light_arcsec"])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_what_cannot_be_drawn_is_named(render, name, value):
    sources = profiles_of(draw_scene(np.random.default_rng(0), Content("isolated"), width_arcsec=19.2))
    flux = np.ones(len(sources))
    (flux if name == "flux" else sources.half_light_arcsec)[2] = value
    with pytest.raises(ValueError, match=f"{name} of profile 2 must be"):
        render(sources, flux, **exposure("i", 31))


def test_ellipses_flatter_than_a_line_are_refused(render):
    sources = one_source()
    sources.e1[0] = 1.0
    with pytest.raises(ValueError, match="ellipticity of profile 0 must be below 1, not 1.0"):
        render(sources, np.ones(1), **exposure("i", 31))


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan])
def test_noise_that_is_not_positive_is_refused(render, sigma):
    with pytest.raises(ValueError, match="noise of an empty pixel must be positive"):
        render(one_source(), np.ones(1), sigma=sigma, **exposure("i", 31))


@pytest.mark.parametrize("name", RENDERERS)
def test_what_does_not_fit_together_is_refused(name):
    arguments = exposure("i", 31)
    arguments |= {"psf": arguments["psf"][None], "wcs": arguments["wcs"][None]}
    with pytest.raises(ValueError, match=r"1 WCS and 1 profiles need flux of \(1, 1\), not \(2, 1\)"):
        renderer(name)(one_source(), np.ones((2, 1)), **arguments)


@pytest.mark.parametrize("name", RENDERERS)
def test_no_exposures_and_no_profiles_are_drawn_too(name):
    arguments = exposure("i", 31)
    arguments |= {"psf": arguments["psf"][None], "wcs": arguments["wcs"][None]}
    nothing = renderer(name)(one_source()[:0], np.ones((1, 0)), **arguments)
    np.testing.assert_array_equal(nothing, np.zeros((1, 31, 31)))
    arguments |= {"psf": arguments["psf"][:0], "wcs": arguments["wcs"][:0]}
    assert renderer(name)(one_source(), np.ones((0, 1)), **arguments).shape == (0, 31, 31)


def test_an_unknown_renderer_is_named():
    with pytest.raises(ValueError, match="renderer is one of fourier galsim, not 'imsim'"):
        renderer("imsim")


@pytest.mark.parametrize("linear", [np.zeros((2, 2)), np.ones((2, 2)), np.full((2, 2), np.nan)])
def test_a_map_without_an_inverse_is_refused(render, linear):
    arguments = exposure("i", 31)
    arguments["wcs"][:, :2] = linear
    with pytest.raises(ValueError, match="WCS must have an inverse"):
        render(one_source(), np.ones(1), **arguments)
