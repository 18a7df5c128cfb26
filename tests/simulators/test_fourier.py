"""The batched renderer against GalSim at tight settings, and its gradients against differences."""

from __future__ import annotations

from dataclasses import replace

import galsim
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skysynergy.simulators.cadence import sample_visits
from skysynergy.simulators.optics import psf_image
from skysynergy.simulators.profiles import Profiles, profiles_of
from skysynergy.simulators.rendering import fourier
from skysynergy.simulators.rendering import galsim as reference
from skysynergy.simulators.rendering.sersic import profile_tables, radius_of, transform
from skysynergy.simulators.sources import sersic_sources, sheared
from skysynergy.simulators.surveys import BANDS, SURVEYS

BAND_SIZES = {"i": 96, "VIS": 192, "Y": 64, "H": 64}
VISITS = {v.band: v for v in sample_visits(np.random.default_rng(3), dict.fromkeys(BAND_SIZES, 1))}
# What GalSim at its defaults leaves out is as large as the gate.
TIGHT = galsim.GSParams(
    folding_threshold=1e-4, maxk_threshold=1e-6, kvalue_accuracy=1e-8, maximum_fft_size=16384
)
# Of GalSim's FFTs those up to 4096 cells are quick enough for a test; longer ones are in docs/results.
LARGEST_FFT = 4096
TURN, MIRROR = np.array([[0.0, -1.0], [1.0, 0.0]]), np.diag([-1.0, 1.0])


def rotation(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def profile(*, q: float = 1.0, angle: float = 0.0, **values: float) -> Profiles:
    e = (1 - q) / (1 + q) * np.exp(2j * angle)
    given = {"x": 0.0, "y": 0.0, "flux": 1.0, "half_light_arcsec": 0.3, "e1": e.real, "e2": e.imag}
    return profiles_of(sersic_sources(**(given | values)))


def exposures(band: str, *turns: np.ndarray, size: int | None = None) -> dict:
    """Arguments of a renderer, one exposure for each orientation, differently dithered."""
    survey, size = SURVEYS[BANDS[band].survey], size or BAND_SIZES[band]
    psf = psf_image(VISITS[band], np.random.default_rng(2))
    dither = np.random.default_rng(7).uniform(-0.5, 0.5, (len(turns), 2, 1))
    linear = np.stack(turns) / survey.pixel_arcsec
    return {
        "psf": np.repeat(psf[None], len(turns), axis=0),
        "psf_oversampling": survey.psf_oversampling,
        "wcs": np.concatenate([linear, (size - 1) / 2 + dither], axis=2),
        "shape": (size, size),
    }


UPRIGHT, TURNED = (np.eye(2),), (rotation(33.0) @ MIRROR,)
INDEX, SIZE = (0.5, 0.7, 1.0, 1.5, 2.5, 4.0, 6.0), (0.05, 0.3, 1.0, 3.0)
CORNERS = [(n, r, q) for n in INDEX for r in SIZE for q in (0.1, 0.5, 1.0)]


def affordable(n: float, r: float, q: float, band: str) -> bool:
    shape = galsim.Sersic(n=n, half_light_radius=r, gsparams=TIGHT).shear(q=q, beta=0 * galsim.degrees)
    return 2 * np.pi / shape.stepk / SURVEYS[BANDS[band].survey].pixel_arcsec * 4 < LARGEST_FFT


@pytest.mark.parametrize("turns", [UPRIGHT, TURNED], ids=["upright", "turned"])
@pytest.mark.parametrize("band", BAND_SIZES)
def test_the_gate(band, turns, record_figure):
    """Within 1e-4 of the peak, and of the flux, of tight GalSim: over index, size, axis ratio and place."""
    rng, arguments = np.random.default_rng(5), exposures(band, *turns)
    worst, lost, drawn = 0.0, 0.0, 0
    for n, r, q in CORNERS:
        if not affordable(n, r, q, band):
            continue
        x, y = rng.uniform(-4, 4, 2)
        one = profile(sersic_n=n, half_light_arcsec=r, q=q, angle=rng.uniform(0, np.pi), x=x, y=y)
        expected = reference.render(one, np.ones((1, 1)), **arguments, gsparams=TIGHT)
        image = fourier.render(one, np.ones((1, 1)), **arguments)
        error = np.abs(image - expected).max() / expected.max()
        record_figure(f"error {band} {n:g} {r:g}", error)
        worst = max(worst, error)
        lost = max(lost, abs(image.sum() - expected.sum()) / expected.sum())
        drawn += 1
    record_figure(f"error {band}", worst)
    record_figure(f"flux {band}", lost)
    assert drawn >= 48
    assert worst < 1e-4
    assert lost < 1e-4


@pytest.mark.parametrize("band", ["i", "VIS", "H"])
def test_what_wraps_around_stays_far_below_the_gate(band, record_figure):
    """The most extended profiles, on which GalSim needs gigabytes, against stamps four times as wide."""
    arguments, worst = exposures(band, *TURNED), 0.0
    for n, r, q in [(1.0, 3.0, 0.1), (4.0, 3.0, 0.5), (6.0, 3.0, 1.0), (6.0, 0.3, 0.3)]:
        one = profile(sersic_n=n, half_light_arcsec=r, q=q, x=1.3, y=-2.2)
        image = fourier.draw(one, np.ones((1, 1)), **arguments, dtype=torch.float64).numpy()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fourier, "stamp_cells", lambda *_, **__: np.array([2560]))
            wider = fourier.draw(one, np.ones((1, 1)), **arguments, dtype=torch.float64).numpy()
        worst = max(worst, np.abs(image - wider).max() / wider.max())
    record_figure(f"error {band}", worst)
    assert 0 < worst < 1e-4


@pytest.mark.parametrize("band", ["i", "VIS", "H"])
def test_shear_of_both_renderers_is_the_same(band, record_figure):
    """Adaptive moments of noiseless images under +g and -g: m differs by less than 1e-4."""
    arguments = exposures(band, np.eye(2), size=BAND_SIZES[band] * 2 // 3)
    rng, g = np.random.default_rng(11), 0.02
    galaxies = sersic_sources(
        x=rng.uniform(-0.1, 0.1, 8),
        y=rng.uniform(-0.1, 0.1, 8),
        flux=1.0,
        half_light_arcsec=rng.uniform(0.15, 0.6, 8),
        sersic_n=np.tile([1.0, 2.5], 4),
        e1=rng.normal(0, 0.15, 8),
        e2=rng.normal(0, 0.15, 8),
    )

    def response(render) -> float:
        slopes = []
        for k in range(8):
            e = []
            for sign in (1, -1):
                one = profiles_of(sheared(galaxies[k : k + 1], sign * g, 0.0))
                image = render(one, np.ones((1, 1)), **arguments)[0]
                moments = galsim.hsm.FindAdaptiveMom(galsim.Image(image), precision=1e-9)
                e.append(moments.observed_shape.e1)
            slopes.append((e[0] - e[1]) / (2 * g))
        return float(np.mean(slopes))

    fast = response(fourier.render)
    slow = response(lambda *a, **k: reference.render(*a, **k, gsparams=TIGHT))
    record_figure(f"m {band}", abs(fast / slow - 1))
    assert fast > 0.1
    assert fast == pytest.approx(slow, rel=1e-4)


@pytest.mark.parametrize("turns", [UPRIGHT, TURNED], ids=["upright", "turned"])
@pytest.mark.parametrize("name", ["x", "y", "half_light_arcsec", "sersic_n", "e1", "e2", "flux", "psf"])
def test_gradients_are_those_of_differences(name, turns, record_figure):
    scene = sersic_sources(
        x=[0.31, -0.9],
        y=[-0.2, 0.7],
        flux=1.0,
        half_light_arcsec=[0.4, 0.25],
        sersic_n=[1.3, 3.1],
        e1=[0.2, -0.1],
        e2=[-0.1, 0.3],
    )
    profiles, arguments = profiles_of(scene), exposures("i", *turns, size=40)
    weight = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 40, 40)))
    values = {
        "flux": np.array([[700.0, 300.0]]),
        "psf": arguments.pop("psf").astype(float),
        **{
            field: getattr(profiles, field)
            for field in ("x", "y", "half_light_arcsec", "sersic_n", "e1", "e2")
        },
    }
    direction = torch.from_numpy(np.random.default_rng(2).normal(size=values[name].shape))
    if name == "psf":
        direction = direction * torch.from_numpy(values["psf"])

    def loss(moved: torch.Tensor) -> torch.Tensor:
        given = {key: torch.from_numpy(value) for key, value in values.items()} | {name: moved}
        flux, psf = given.pop("flux"), given.pop("psf")
        image = fourier.draw(replace(profiles, **given), flux, psf=psf, **arguments, dtype=torch.float64)
        return (weight * image).sum()

    at = torch.from_numpy(values[name]).requires_grad_()
    loss(at).backward()
    assert at.grad is not None
    slope = float((at.grad * direction).sum())
    step = 1e-5
    with torch.no_grad():
        difference = float(loss(at + step * direction) - loss(at - step * direction)) / (2 * step)
    record_figure(f"error {name}", abs(slope / difference - 1))
    assert slope == pytest.approx(difference, rel=1e-4)


@pytest.mark.parametrize("band", ["i", "VIS", "H"])
def test_exposures_together_are_exposures_apart(band):
    """Whatever shares a canvas: turns, mirrors, dithers, bands, and one that lies anyhow."""
    turns = [np.linalg.matrix_power(TURN, k) @ m for m in (np.eye(2), MIRROR) for k in range(4)]
    arguments = exposures(band, *turns, rotation(12.0))
    rng = np.random.default_rng(4)
    one = profiles_of(sersic_sources(x=rng.uniform(-3, 3, 3), y=0.3, flux=1.0, half_light_arcsec=0.2, e1=0.3))
    flux = rng.choice([0.0, 1.0, 2.0], (len(turns) + 1, 3))
    flux[4] = 0
    together = fourier.render(one, flux, **arguments)
    for k in range(len(flux)):
        own = {name: arguments[name][k : k + 1] for name in ("psf", "wcs")}
        apart = fourier.render(one, flux[k : k + 1], **(arguments | own))[0]
        np.testing.assert_allclose(together[k], apart, rtol=0, atol=3e-6 * together.max())
    assert not together[4].any()


def test_exposures_that_are_not_square():
    arguments = exposures("i", np.eye(2), TURN, rotation(40.0), size=64)
    one = profile(x=0.5, y=-0.8, q=0.4, angle=0.5)
    whole = fourier.render(one, np.ones((3, 1)), **arguments)
    part = fourier.render(one, np.ones((3, 1)), **(arguments | {"shape": (48, 30)}))
    np.testing.assert_allclose(part, whole[:, :48, :30], rtol=0, atol=3e-6 * whole.max())


def test_many_exposures_are_drawn_in_parts(monkeypatch):
    arguments = exposures("i", *[rotation(a) for a in (0.0, 10.0, 20.0, 90.0, 180.0)], size=32)
    flux = np.arange(1.0, 6.0)[:, None]
    whole = fourier.render(profile(), flux, sigma=np.full(5, 0.01), **arguments)
    monkeypatch.setattr(fourier, "_TOGETHER", 2)
    parts = fourier.render(profile(), flux, sigma=np.full(5, 0.01), **arguments)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-4 * whole.max())


def test_a_psf_that_changes_in_place_is_seen():
    arguments = exposures("i", np.eye(2))
    first = fourier.render(profile(), np.ones((1, 1)), **arguments)
    arguments["psf"][0] = arguments["psf"][0].T
    second = fourier.render(profile(), np.ones((1, 1)), **arguments)
    assert np.abs(second - first).max() > 1e-3 * first.max()


def test_far_away_light_is_left_out_and_nearby_light_is_not():
    arguments = exposures("i", np.eye(2))
    near, far = (profile(x=x) for x in (10.5, 500.0))
    assert fourier.render(near, np.ones((1, 1)), **arguments)[0, :, -1].max() > 1e-4
    assert not fourier.render(far, np.ones((1, 1)), **arguments).any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_draws_the_same():
    arguments = exposures("VIS", np.eye(2), rotation(20.0))
    cpu, gpu = (
        fourier.render(profile(x=0.4), np.ones((2, 1)), **arguments, device=device)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(gpu, cpu, rtol=0, atol=1e-5 * cpu.max())


@given(x=st.floats(0, 1e3), n=st.sampled_from([0.5, 1.0]))
def test_transforms_with_a_closed_form(x, n):
    table = profile_tables(torch.tensor([n], dtype=torch.float64))
    value = float(transform(table, torch.tensor([0]), torch.tensor([x**2], dtype=torch.float64)))
    # b of the half-light radius: ln 2 for a Gaussian, 1.67835 for an exponential disk.
    expected = np.exp(-(x**2) / (4 * np.log(2))) if n == 0.5 else (1 + (x / 1.6783469900166605) ** 2) ** -1.5
    assert value == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(log_x=st.floats(-3, 3), n=st.sampled_from([0.3, 0.7, 1.9, 2.5, 3.3, 4.0, 5.1, 6.0, 6.2]))
def test_transforms_without_one_are_those_of_galsim(log_x, n):
    table = profile_tables(torch.tensor([n], dtype=torch.float64))
    x = 10.0**log_x
    value = float(transform(table, torch.tensor([0]), torch.tensor([x**2], dtype=torch.float64)))
    expected = galsim.Sersic(n=n, half_light_radius=1.0).kValue(x, 0.0).real
    # GalSim's series at small x is good to a few 1e-5 (it was compared with a direct integral).
    assert value == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("n", [0.29, 6.3, np.nan])
def test_indices_outside_of_the_table_are_refused(n):
    with pytest.raises(ValueError, match="a Sersic index lies between 0.3 and 6.2"):
        profile_tables(torch.tensor([1.0, n]))


def test_the_radius_of_a_brightness():
    n = np.array([0.5, 1.0, 4.0])
    radius = radius_of(n, np.array([1e-3, 1e-6, 1e-4]))
    for k in range(3):
        sersic = galsim.Sersic(n=n[k], half_light_radius=1.0)
        assert sersic.xValue(radius[k], 0) == pytest.approx([1e-3, 1e-6, 1e-4][k], rel=1e-6)
    assert radius_of(np.array([1.0]), np.array([1e9]))[0] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"psf": np.ones((1, 8, 8))}, r"squares of an odd size, \(exposure, m, m\), not \(1, 8, 8\)"),
        ({"psf": np.ones((1, 9, 7))}, "squares of an odd size"),
        ({"psf": np.zeros((1, 9, 9))}, "PSF of exposure 0 must be finite, with a positive sum"),
        ({"psf": np.full((1, 9, 9), np.nan)}, "PSF of exposure 0 must be finite"),
        ({"psf_oversampling": 0}, "a whole number from 1 on, not 0"),
        ({"psf_oversampling": 2.5}, "a whole number from 1 on, not 2.5"),
        ({"shape": (0, 5)}, r"at least \(1, 1\), not \(0, 5\)"),
        ({"wcs": np.ones((1, 2, 2))}, r"an affine map, \(exposure, 2, 3\), not \(1, 2, 2\)"),
    ],
)
@pytest.mark.parametrize("render", [fourier.render, reference.render], ids=["fourier", "galsim"])
def test_exposures_that_cannot_be_drawn_are_refused(render, changes, message):
    with pytest.raises(ValueError, match=message):
        render(profile(), np.ones((1, 1)), **(exposures("i", np.eye(2), size=16) | changes))


@pytest.mark.parametrize("render", [fourier.render, reference.render], ids=["fourier", "galsim"])
@pytest.mark.parametrize("x", [np.nan, np.inf])
def test_places_that_are_nowhere_are_refused(render, x):
    with pytest.raises(ValueError, match="place of profile 0 must be finite"):
        render(profile(x=x), np.ones((1, 1)), **exposures("i", np.eye(2), size=16))


def test_exposures_too_far_apart_for_one_canvas_are_refused():
    arguments = exposures("i", np.eye(2), np.eye(2), size=16)
    arguments["wcs"][1, 0, 2] += 5000
    with pytest.raises(ValueError, match="exposures of one frame span 50.. pixels, more than 4096"):
        fourier.render(profile(), np.ones((2, 1)), **arguments)


def test_arrays_of_any_layout_are_drawn():
    arguments = exposures("i", np.eye(2), size=24)
    plain = fourier.render(profile(x=0.3), np.ones((1, 1)), **arguments)
    swapped = {"psf": arguments["psf"].astype(">f4"), "wcs": np.asfortranarray(arguments["wcs"])}
    np.testing.assert_array_equal(
        fourier.render(profile(x=0.3), np.ones((1, 1)), **(arguments | swapped)), plain
    )
    mirrored = arguments | {"psf": arguments["psf"][:, ::-1]}
    copied = arguments | {"psf": arguments["psf"][:, ::-1].copy()}
    np.testing.assert_array_equal(
        fourier.render(profile(), np.ones((1, 1)), **mirrored),
        fourier.render(profile(), np.ones((1, 1)), **copied),
    )


def test_light_that_is_not_there_yet_has_a_gradient():
    arguments = exposures("i", np.eye(2), size=24)
    flux = torch.zeros(1, 1, requires_grad=True)
    fourier.draw(profile(), flux, **arguments).sum().backward()
    assert flux.grad is not None
    assert float(flux.grad) == pytest.approx(1.0, abs=0.05)


def test_exposures_of_equal_fluxes_have_gradients_of_their_own():
    arguments = exposures("i", np.eye(2), np.eye(2), size=24)
    flux = torch.ones(2, 1, requires_grad=True)
    first, second = fourier.draw(profile(), flux, **arguments)
    (first.sum() + 3 * second.sum()).backward()
    assert flux.grad is not None
    light = [float(first.detach().sum()), 3 * float(second.detach().sum())]
    np.testing.assert_allclose(flux.grad[:, 0], light, rtol=1e-4)


def test_what_is_kept_from_inference_serves_a_fit():
    arguments = exposures("i", rotation(3.0), size=24)
    with torch.inference_mode():
        fourier.draw(profile(), np.ones((1, 1)), **arguments)
    x = torch.tensor([0.2], requires_grad=True)
    fourier.draw(replace(profile(), x=x), np.ones((1, 1)), **arguments).square().sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs()) > 0


def test_pixels_of_different_sizes_in_one_call():
    arguments = exposures("i", np.eye(2), 4 * np.eye(2), rotation(20.0), size=40)
    one = profile(sersic_n=4.0, half_light_arcsec=0.5)
    image = fourier.render(one, np.ones((3, 1)), **arguments)
    expected = reference.render(one, np.ones((3, 1)), **arguments, gsparams=TIGHT)
    for a, b in zip(image, expected, strict=True):
        assert np.abs(a - b).max() < 1e-4 * b.max()


@pytest.mark.parametrize("band", ["i", "VIS", "H"])
def test_the_gate_with_noise(band, record_figure):
    """Where stamps end with the noise: 1e-4 of the peak, or a hundredth of a pixel's sigma."""
    arguments, worst = exposures(band, *TURNED), 0.0
    rng = np.random.default_rng(8)
    for n in (1.0, 2.5, 4.0):
        for snr in (3.0, 30.0, 1000.0):
            one = profile(sersic_n=n, half_light_arcsec=0.4, q=0.6, x=rng.uniform(-3, 3))
            expected = reference.render(one, np.ones((1, 1)), **arguments, gsparams=TIGHT)
            peak = expected.max()
            sigma = np.array([peak / snr])
            image = fourier.render(one, np.ones((1, 1)), **arguments, sigma=sigma)
            worst = max(worst, np.abs(image - expected).max() / max(1e-4 * peak, 1e-2 * sigma[0]))
    record_figure(f"error {band}, in units of the gate", worst)
    assert 0.01 < worst < 1
