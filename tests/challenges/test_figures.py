"""Pictures of scenes and exposures: each is drawn for any split, shows what it should, and is a PNG."""

from __future__ import annotations

import functools

import matplotlib
import numpy as np
import pytest
import xarray
from matplotlib import image as images
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from skysynergy.challenges.canvas import COLOURS
from skysynergy.challenges.composites import asinh_stretch, coadd, colour
from skysynergy.challenges.figures import STAR_ARCSEC, exposures_figure, save, scene_figure
from skysynergy.challenges.scene_exposures import exposures_of
from skysynergy.simulators import quantisation, store, stream
from skysynergy.simulators.fields import simulate_shard
from skysynergy.simulators.observations import ORIENTATIONS
from skysynergy.simulators.scenes import Content
from skysynergy.simulators.sky import Sky
from skysynergy.simulators.sky_layout import layouts
from skysynergy.simulators.surveys import BANDS, SURVEYS

KEY = b"key of the dither"
LSST = {"u": 1, "g": 1, "r": 2, "i": 1}
VISITS = {
    "tiny": LSST | {"VIS": 2, "Y": 1, "J": 1, "H": 1},
    "lsst": LSST | {"z": 1, "y": 1},
    "one band": {"r": 2},
    "euclid": {"VIS": 1, "J": 1},
}


def opened(folder, visits):
    """A split of two small scenes, written and opened as a dataset is, and its truth."""
    sky = Sky(n_fields=1, scenes_per_field=2, visits=visits, width_arcsec=9.6, content=Content(i_limit=25.0))
    paths = [folder / "train.zarr", folder / "train.truth.zarr"]
    attributes = {"name": "sky", "tier": "tiny", "split": "train"}
    for path, layout in zip(paths, layouts(sky, scenes_per_shard=2, attributes=attributes), strict=True):
        store.create(path, layout)
    simulate = functools.partial(
        simulate_shard, sky=sky, secret=b"secret", split=0, fields_per_shard=1, dither_key=KEY
    )
    stream.write_stream(paths, simulate, progress=False)
    for path in paths:
        store.finish(path)
    data, truth = (store.open_store(path) for path in paths)
    for name in set(data.children) & {survey.group for survey in SURVEYS.values()}:
        group = data[name].to_dataset()
        data[name] = xarray.DataTree(
            group.assign(image=quantisation.decode_array(group["image"], group["step"], KEY, name))
        )
    return data, truth


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    return {kind: opened(tmp_path_factory.mktemp("split"), visits) for kind, visits in VISITS.items()}


def pixels(figure, folder):
    save(figure, folder / "figure.png")
    return images.imread(folder / "figure.png")[..., :3]


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def with_mask(data, group, exposure, rows):
    """The same split with some rows of one exposure of scene 0 masked."""
    dataset = data[group].to_dataset()
    mask = dataset["mask"].to_numpy().copy()
    mask[0, exposure, rows] = 1
    changed = data.copy()
    changed[group] = xarray.DataTree(dataset.assign(mask=(dataset["mask"].dims, mask)))
    return changed


@pytest.mark.parametrize("with_truth", [True, False])
@pytest.mark.parametrize("kind", VISITS)
def test_a_scene_of_any_split_is_drawn(splits, kind, with_truth, tmp_path):
    data, truth = splits[kind]
    figure = scene_figure(data, truth if with_truth else None, 1)
    assert isinstance(figure, Figure)
    assert pixels(figure, tmp_path).std() > 0.1
    titles = {axes.get_title("left") for axes in figure.axes}
    assert set(VISITS[kind]) <= titles
    assert ("true shear" in texts(figure)) == with_truth


def test_the_shear_and_the_sources_are_those_of_the_truth(splits):
    data, truth = splits["tiny"]
    figure = scene_figure(data, truth, 0)
    g1 = float(np.asarray(truth["fields/g1"])[0])
    assert f"{g1:+.4f}".replace("-", "−") in texts(figure)
    table = truth["sources"].to_dataset()
    x, y = np.asarray(table["x"]), np.asarray(table["y"])
    inside = (np.asarray(table["scene"]) == 0) & (np.abs(x) < 4.8) & (np.abs(y) < 4.8)
    ellipses = figure.findobj(matplotlib.patches.Ellipse)
    drawn = sorted(tuple(np.round(ellipse.center, 6)) for ellipse in ellipses)
    assert drawn == sorted(zip(np.round(x[inside], 6), np.round(y[inside], 6), strict=True))
    # e = (1-q)/(1+q): the area of an ellipse is that of the circularised radius.
    areas = sorted(ellipse.width * ellipse.height for ellipse in ellipses)
    main = np.asarray(table["component_flux"])[inside, :, BANDS["i"].code].argmax(axis=1)
    diameters = 4 * np.asarray(table["half_light_arcsec"])[inside, main]
    expected = sorted(np.maximum(diameters, STAR_ARCSEC) ** 2)
    np.testing.assert_allclose(areas, expected)


@pytest.mark.parametrize("kind", VISITS)
def test_exposures_of_any_split_are_drawn(splits, kind, tmp_path):
    figure = exposures_figure(splits[kind][0], 0)
    assert pixels(figure, tmp_path).std() > 0.1
    assert f"{sum(VISITS[kind].values())} exposures" in texts(figure)
    assert texts(figure).count("MJD") == sum(VISITS[kind].values())


def test_one_band_or_a_few_exposures_can_be_chosen(splits):
    data, _ = splits["tiny"]
    assert texts(exposures_figure(data, 0, "r")).count("MJD") == 2
    few = exposures_figure(data, 0, most=3)
    assert texts(few).count("MJD") == 3
    assert "3 of 10 exposures" in texts(few)


def test_masked_pixels_are_seen_and_counted(splits, tmp_path):
    data, _ = splits["tiny"]
    masked = with_mask(data, "lsst", 0, slice(3, 8))

    def coloured(figure):
        return int((np.abs(pixels(figure, tmp_path) - to_rgb(COLOURS["vermillion"])).max(-1) < 0.01).sum())

    before, after = exposures_figure(data, 0, "u"), exposures_figure(masked, 0, "u")
    assert "masked" not in texts(before)
    assert f"{5 * 48} masked" in texts(after)
    assert coloured(after) > coloured(before) + 5000


@pytest.mark.parametrize("draw", [scene_figure, exposures_figure])
@pytest.mark.parametrize("scene", [-1, 2, 1000])
def test_a_scene_that_is_not_there_is_refused_with_those_that_are(splits, draw, scene):
    with pytest.raises(ValueError, match=f"no scene {scene}.*scenes 0 to 1"):
        draw(splits["lsst"][0], scene=scene)


def test_what_cannot_be_drawn_is_refused_with_a_way_out(splits):
    data, truth = splits["tiny"]
    with pytest.raises(ValueError, match="no exposure was taken in H: this split has u g r i z y"):
        exposures_figure(splits["lsst"][0], 0, "H")
    with pytest.raises(ValueError, match="no band is called 'w'"):
        exposures_figure(data, 0, "w")
    with pytest.raises(ValueError, match="most is 1 or more"):
        exposures_figure(data, 0, most=0)
    with pytest.raises(ValueError, match="no group /scenes"):
        scene_figure(truth)
    with pytest.raises(ValueError, match="no exposures"):
        scene_figure(xarray.DataTree.from_dict({"/scenes": data["scenes"].to_dataset()}))
    coded = data.copy()
    coded["lsst"] = xarray.DataTree(
        data["lsst"].to_dataset().assign(image=data["lsst/image"].astype("int16"))
    )
    with pytest.raises(ValueError, match="/lsst/image holds integers"):
        scene_figure(coded)
    other = truth.copy()
    other["fields"] = xarray.DataTree(truth["fields"].to_dataset() + 1)
    with pytest.raises(ValueError, match="other field ids"):
        scene_figure(data, other)


def test_a_figure_is_saved_whole_and_always_the_same(splits, tmp_path):
    figure = exposures_figure(splits["one band"][0], 0)
    for name in ("a.png", "b.png"):
        save(figure, tmp_path / name)
    first = (tmp_path / "a.png").read_bytes()
    assert first.startswith(b"\x89PNG\r\n\x1a\n")
    assert first == (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
    with pytest.raises(ValueError, match=r"end the name 'a.pdf' with .png"):
        save(figure, tmp_path / "a.pdf")
    with pytest.raises(FileNotFoundError, match="make the folder"):
        save(figure, tmp_path / "none" / "a.png")


def test_nobodys_matplotlib_settings_change_a_figure_or_are_changed(splits, tmp_path):
    data, _ = splits["one band"]
    usual = pixels(exposures_figure(data, 0), tmp_path)
    with matplotlib.rc_context({"font.size": 30, "figure.facecolor": "black", "image.origin": "upper"}):
        before = dict(matplotlib.rcParams)
        assert np.array_equal(pixels(exposures_figure(data, 0), tmp_path), usual)
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("turn", ORIENTATIONS)
def test_exposures_are_registered_whichever_way_they_lie(turn):
    size, pixel = 21, 0.2
    source = np.array([1.2, -0.6])
    wcs = np.column_stack([turn / pixel, np.full(2, (size - 1) / 2)])
    x, y = np.rint(wcs[:, :2] @ source + wcs[:, 2]).astype(int)
    image = np.zeros((1, size, size))
    image[0, y, x] = 5.0
    flux, sigma = coadd(image, np.zeros_like(image, dtype=np.uint8), np.array([4.0]), wcs[None], pixel)
    expected = np.zeros((size, size))
    expected[10 - 3, 10 + 6] = 5.0
    np.testing.assert_array_equal(flux, expected)
    np.testing.assert_array_equal(sigma, 2.0)


def test_the_mean_weighs_by_variance_and_leaves_out_what_is_masked():
    wcs = np.tile(np.column_stack([np.eye(2), [1.0, 1.0]]), (2, 1, 1))
    image = np.stack([np.full((3, 3), 1.0), np.full((3, 3), 4.0)])
    mask = np.zeros((2, 3, 3), dtype=np.uint8)
    mask[0, 0, 0] = 1
    mask[:, 2, 2] = 1
    flux, sigma = coadd(image, mask, np.array([1.0, 2.0]), wcs, 1.0)
    assert flux[1, 1] == pytest.approx((1.0 / 1 + 4.0 / 2) / 1.5)
    assert sigma[1, 1] == pytest.approx(1.5**-0.5)
    assert flux[0, 0] == pytest.approx(4.0)
    assert flux[2, 2] == pytest.approx(2.5), "masked in every exposure: shown all the same"
    away = wcs + np.array([0, 0, 100.0])
    assert np.isnan(coadd(image, mask, np.array([1.0, 2.0]), away, 1.0)[0]).all()


def test_the_exposures_of_a_scene_are_those_of_the_store(splits):
    data, _ = splits["tiny"]
    lsst = exposures_of(data, 1)[0]
    np.testing.assert_array_equal(lsst.image, data["lsst/image"].to_numpy()[1])
    assert lsst.band == ("u", "g", "r", "r", "i")


def test_stretches_rise_and_stay_in_range_and_bright_pixels_keep_their_colour():
    stretched = asinh_stretch(np.array([np.nan, -50.0, -3.0, 0.0, 1.0, 60.0, 1e6]))
    assert np.all(np.diff(stretched) >= 0)
    assert (stretched[0], stretched[-1]) == (0.0, 1.0)
    band = np.array([[0.0, 1e3, 1e6]])
    picture = colour(2 * band, band, band, 1.0, 1e3)
    assert picture.shape == (1, 3, 3)
    assert picture.min() >= 0
    assert picture.max() <= 1
    np.testing.assert_allclose(picture[0, 1:, 0] / picture[0, 1:, 1], 2, rtol=1e-3)
    assert np.ptp(picture[0, 0]) == 0, "an empty pixel is grey"
