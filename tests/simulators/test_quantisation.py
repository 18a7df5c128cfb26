"""The integers of an image are unbiased, bounded, the same for ever, and decoded only where asked."""

import hashlib
import pickle

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st
from skysynergy.simulators import quantisation
from skysynergy.simulators.layout import Array, Layout
from skysynergy.simulators.quantisation import (
    LARGEST_CODE,
    STEPS_PER_SIGMA,
    LazyImage,
    decode,
    decode_array,
    dither,
    encode,
)
from skysynergy.simulators.store import create, finish, open_store, write_shard

KEY = b"public"
BIAS = 1e-5 * STEPS_PER_SIGMA  # 1e-5 of σ, in steps
EVERY_DITHER = ((np.arange(2**16) + 0.5) / 2**16 - 0.5).astype(np.float32)[None]


def test_the_dither_is_uniform_and_without_correlation():
    patterns = np.stack([dither(KEY, "LSST", 7, exposure, (96, 96)) for exposure in range(30)])
    assert patterns.dtype == np.float32 and np.abs(patterns).max() < 0.5
    n = patterns.size
    assert abs(patterns.mean()) < 4 * 12**-0.5 / n**0.5
    assert patterns.var() == pytest.approx(1 / 12, abs=4 * 180**-0.5 / n**0.5)
    counts, _ = np.histogram(patterns, 64, (-0.5, 0.5))
    assert ((counts - n / 64) ** 2 / (n / 64)).sum() < 63 + 5 * 126**0.5
    for shifted in (patterns[:, 1:] * patterns[:, :-1], patterns[..., 1:] * patterns[..., :-1]):
        assert abs(shifted.mean()) < 4 / 12 / shifted.size**0.5
    assert abs((patterns[1:] * patterns[:-1]).mean()) < 4 / 12 / n**0.5


def test_every_exposure_has_its_own_dither():
    one = dither(KEY, "LSST", 1, 2, (5, 7))
    np.testing.assert_array_equal(one, dither(KEY, "LSST", 1, 2, (5, 7)))
    for other in [
        (b"other", "LSST", 1, 2),
        (KEY, "EUCLID_VIS", 1, 2),
        (KEY, "LSST", 2, 2),
        (KEY, "LSST", 1, 1),
    ]:
        assert not np.array_equal(one, dither(*other, (5, 7)))


def test_the_dither_never_changes():
    """Stores on disk were made with it: if this fails, old datasets decode to something else."""
    digest = hashlib.sha256(dither(KEY, "LSST", 3, 1, (33, 31)).astype("<f4").tobytes()).hexdigest()
    assert digest == "1df96623006fab446dd4e969e66630f032d05a8334a192022326c5ea0b821d64"


def test_no_flux_is_biased(record_figure):
    """Over all values of the dither the mean error is below 1e-5 σ at every flux."""
    rng = np.random.default_rng(5)
    flux = np.concatenate([rng.uniform(-3, 3, 60), rng.normal(0, 300, 60), rng.uniform(-32000, 32000, 60)])
    images = np.broadcast_to(flux[:, None, None], (180, 1, 2**16))
    step = np.ones(180, np.float32)
    codes, clipped = encode(images, step, EVERY_DITHER)
    error = decode(codes, step, EVERY_DITHER).astype(np.float64) - images
    assert not clipped.any()
    bias = np.abs(error.mean((1, 2))).max()
    record_figure("bias", bias / STEPS_PER_SIGMA)
    assert bias < BIAS
    assert np.abs(error).max() < 0.5 + 2e-3  # half a step, and the rounding of float32 at 2^15
    np.testing.assert_allclose(error.var((1, 2)), 1 / 12, rtol=1e-3)


def test_a_small_change_of_flux_comes_out_whole():
    """The response d(decoded)/d(flux) is 1, far below one step too."""
    sigma = np.float32(7.3)
    step = np.full(40, sigma / STEPS_PER_SIGMA, np.float32)
    flux = np.random.default_rng(6).normal(0, 3 * sigma, (40, 1, 1))
    change = 0.02 * sigma  # a third of a step

    def mean(flux):
        images = np.broadcast_to(flux, (40, 1, 2**16))
        return decode(encode(images, step, EVERY_DITHER)[0], step, EVERY_DITHER).mean((1, 2), dtype=float)

    response = (mean(flux + change) - mean(flux)) / change
    np.testing.assert_allclose(response, 1, atol=1e-3)
    assert abs(response.mean() - 1) < 1e-4


def test_noise_is_unbiased_with_the_real_dither():
    rng = np.random.default_rng(7)
    error, n = 0.0, 0
    for scene in range(300):
        pattern = dither(KEY, "LSST", scene, 0, (192, 192))
        flux = rng.normal(3, STEPS_PER_SIGMA, (192, 192)).astype(np.float32)
        codes, _ = encode(flux, np.float32(1), pattern)
        error += float((decode(codes, np.float32(1), pattern) - flux).sum(dtype=np.float64))
        n += flux.size
    assert abs(error / n) < 4 * 12**-0.5 / n**0.5 < 3 * BIAS


@given(st.integers(0, 2**32), st.floats(1e-3, 1e5), st.floats(0, 1.5), st.sampled_from([(), (3,), (2, 3)]))
@settings(max_examples=60, deadline=None)
def test_round_trip(seed, step, width, shape):
    """Within half a step where it fits, at the end of the range where it doesn't."""
    rng = np.random.default_rng(seed)
    steps = np.full(shape, step, np.float32)
    flux = rng.normal(0, 1, (*shape, 8, 9)) * step * LARGEST_CODE * width
    pattern = np.broadcast_to(dither(KEY, "VIS", seed, 0, (8, 9)), flux.shape)
    codes, clipped = encode(flux, steps, pattern)
    assert codes.dtype == np.int16 and clipped.dtype == bool and codes.shape == flux.shape == clipped.shape
    decoded = decode(codes, steps, pattern)
    assert decoded.dtype == np.float32
    assert (np.abs(decoded - flux)[~clipped] <= (0.5 + 4e-3) * np.float32(step)).all()
    assert (np.abs(codes[clipped]) == LARGEST_CODE).all()
    assert (np.sign(codes[clipped]) == np.sign(flux[clipped])).all()
    assert (np.abs(flux[clipped]) > (LARGEST_CODE - 0.01) * np.float32(step)).all()


def test_the_ends_are_clipped_and_reported():
    flux = np.array([[-1e6, -LARGEST_CODE - 0.6, -LARGEST_CODE, 0, LARGEST_CODE, LARGEST_CODE + 0.6, 1e6]])
    codes, clipped = encode(flux, np.array(1.0), np.zeros((1, 7), np.float32))
    assert codes[0].tolist() == [-32767, -32767, -32767, 0, 32767, 32767, 32767]
    assert clipped[0].tolist() == [True, True, False, False, False, True, True]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad):
    flux = np.zeros((2, 4, 5), np.float32)
    flux[1, 2, 3] = bad
    with pytest.raises(ValueError, match=r"1 pixels are not finite, the first at \(1, 2, 3\)"):
        encode(flux, np.ones(2), np.zeros((4, 5), np.float32))
    for step in (0.0, -1.0, bad):
        with pytest.raises(ValueError, match="positive and finite"):
            encode(np.zeros((4, 5)), np.float32(step), np.zeros((4, 5), np.float32))


# ------------------------------------------------------------------------------------- lazily


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store of images, and what decoding all of it at once gives."""
    rng = np.random.default_rng(8)
    shape = (6, 3, 8, 10)
    step = rng.uniform(1, 2, shape[:2]).astype(np.float32)
    flux = rng.normal(0, 20, shape)
    patterns = np.array([[dither(KEY, "LSST", s, e, shape[2:]) for e in range(3)] for s in range(6)])
    codes, _ = encode(flux, step, patterns)
    path = tmp_path_factory.mktemp("lazy") / "sky.zarr"
    dims = ("scene", "exposure", "y", "x")
    arrays = [
        Array("lsst/image", dims, shape, "int16", attributes={"units": "nJy"}),
        Array("lsst/step", dims[:2], shape[:2], "float32"),
    ]
    create(path, Layout(arrays, [], 6, 3, 2))
    for index in range(3):
        chosen = slice(2 * index, 2 * index + 2)
        write_shard(path, index, {"lsst/image": codes[chosen], "lsst/step": step[chosen]})
    finish(path)
    return path, decode(codes, step, patterns), flux, step


def opened(path):
    lsst = open_store(path)["lsst"]
    return decode_array(lsst["image"], lsst["step"], KEY, "LSST")


@pytest.mark.parametrize(
    "key",
    [
        (),
        (3,),
        (slice(1, 5, 2), 2),
        (slice(None), slice(None), 4, 7),
        (-1, -2, -3, -4),
        (slice(4, 1, -1), slice(None, None, -1), slice(7, 2, -2), slice(1, 9, 3)),
        (np.array([5, 0, 3]), np.array([2, 1])),
        (2, slice(None), np.array([1, 6, 1]), np.array([9, 0])),
        (slice(2, 2),),
        (np.array([True, False, True, False, False, True]),),
    ],
)
def test_any_part_is_what_the_whole_would_give(stored, key):
    path, decoded, *_ = stored
    image = opened(path)
    expected = xarray.DataArray(decoded, dims=image.dims)[key].values
    np.testing.assert_array_equal(image[key].values, expected, strict=True)
    assert not image.variable._in_memory


def test_pointwise_and_repeated_indexing(stored):
    path, decoded, *_ = stored
    scenes, exposures = xarray.DataArray([1, 4, 1], dims="pick"), xarray.DataArray([0, 2, 1], dims="pick")
    found = opened(path).isel(scene=scenes, exposure=exposures).values
    np.testing.assert_array_equal(found, decoded[[1, 4, 1], [0, 2, 1]])
    found = opened(path)[2:][::2].isel(y=slice(2, 6))[1, 1:, ::-1].values
    np.testing.assert_array_equal(found, decoded[4, 1:, 5:1:-1])


def test_a_lazy_image_in_a_tree_reads_what_is_asked(stored, monkeypatch):
    path, decoded, flux, step = stored
    tree = open_store(path)
    tree["lsst"] = tree["lsst"].to_dataset().assign(image=opened(path))
    image = tree["lsst/image"]
    assert image.dtype == np.float32 and image.attrs == {"units": "nJy"}
    drawn = []
    monkeypatch.setattr(quantisation, "dither", lambda *a: drawn.append(a[2:4]) or dither(*a))
    found = image[4, 1].values
    assert drawn == [(4, 1)] and not image.variable._in_memory
    np.testing.assert_array_equal(found, decoded[4, 1])
    assert (np.abs(image.values - flux) <= (0.5 + 1e-5) * step[..., None, None]).all()


def test_a_lazy_image_travels_to_other_processes_unread(stored):
    path, decoded, *_ = stored
    sent = pickle.dumps(opened(path))
    assert len(sent) < 10_000
    np.testing.assert_array_equal(pickle.loads(sent)[5, 2], decoded[5, 2])  # noqa: S301 - our own


def test_a_lazy_image_needs_its_dimensions():
    codes = xarray.DataArray(np.zeros((2, 3, 4, 5), np.int16), dims=("scene", "exposure", "y", "x"))
    with pytest.raises(ValueError, match="an image is"):
        LazyImage(codes, codes[:, 0, 0, 0], KEY, "LSST")
