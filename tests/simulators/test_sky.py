"""The stream: any field alone is the one made with others, ±g differ in light only, skies are independent."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace

import numpy as np
import pytest
from skysynergy.challenges.sky_fields import field_from_arrays
from skysynergy.simulators import quantisation
from skysynergy.simulators.fields import opaque_id, simulate_field, simulate_shard
from skysynergy.simulators.scenes import ISOLATED_CELL_ARCSEC, Content
from skysynergy.simulators.sky import Sky, field_shear
from skysynergy.simulators.sky_layout import layouts
from skysynergy.simulators.sources import Sources, sheared
from skysynergy.simulators.surveys import BANDS, SURVEYS

SECRET, KEY = bytes(range(32)), b"public"
VISITS = {"i": 2, "VIS": 1, "J": 2}
SKY = Sky(4, 2, VISITS, width_arcsec=6.0, content=Content(i_limit=27.0))
# Galaxies at places known but for an arcsec, in exposures that cost little.
APART = Sky(2, 30, {"H": 1}, content=Content("isolated", i_limit=24.0))


def flat(made) -> dict[str, np.ndarray]:
    """Data, truth and tables of a field, by names that don't collide."""
    data, truth = made
    flattened = dict(data.arrays) | {f"truth {path}": values for path, values in truth.arrays.items()}
    for kind, tables in (("list", data.tables), ("table", truth.tables)):
        for path, rows in tables.items():
            flattened |= {f"{kind} {path} {name}": values for name, values in rows.items()}
    return flattened


def field(number: int = 0, sky: Sky = SKY, secret: bytes = SECRET, **options) -> dict[str, np.ndarray]:
    return flat(simulate_field(sky, secret, 0, number, dither_key=KEY, **options))


def shard(number: int, fields_per_shard: int, sky: Sky = SKY) -> dict[str, np.ndarray]:
    data, truth = simulate_shard(
        number, sky=sky, secret=SECRET, split=0, fields_per_shard=fields_per_shard, dither_key=KEY
    )
    return flat((data, truth))


def decoded(arrays: dict[str, np.ndarray], group: str, number: int, sky: Sky) -> np.ndarray:
    """(scene, exposure, y, x) nJy."""
    codes, step = arrays[f"{group}/image"], arrays[f"{group}/step"]
    flux = np.empty(codes.shape)
    for s, e in np.ndindex(*codes.shape[:2]):
        scene = number * sky.scenes_per_field + s
        dither = quantisation.dither(KEY, group, scene, e, codes.shape[2:])
        flux[s, e] = quantisation.decode(codes[s, e], step[s, e], dither)
    return flux


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert set(one) == set(other)
    for path in one:
        np.testing.assert_array_equal(one[path], other[path], err_msg=path)


@pytest.fixture(scope="module")
def alone():
    return field(3)


@pytest.mark.parametrize("fields_per_shard", [1, 2, 4])
def test_a_field_is_the_same_in_any_batch(alone, fields_per_shard):
    number = 3 // fields_per_shard
    batch = shard(number, fields_per_shard)
    ids = batch["fields/id"]
    # Its place in the batch, and its share of each array: fields, scenes, or rows of sources.
    (place,) = np.flatnonzero(ids == alone["fields/id"])
    assert place == 3 - number * fields_per_shard == len(ids) - 1
    assert_same({path: values[len(values) - len(alone[path]) :] for path, values in batch.items()}, alone)


def test_a_field_is_the_same_in_any_order_and_in_another_process(alone):
    backwards = [field(number) for number in (2, 3)]
    assert_same(backwards[1], alone)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        made = pool.submit(simulate_field, SKY, SECRET, 0, 3, dither_key=KEY).result()
    assert_same(flat(made), alone)


def test_the_same_scene_with_fewer_neighbours_is_the_same(alone):
    fewer = field(3, replace(SKY, n_fields=100))
    assert_same(fewer, alone)


def test_opposite_shears_differ_in_light_alone():
    g = field_shear(SKY, SECRET, 0, 1)
    plus, minus = field(1, shear=g), field(1, shear=-g)
    changed = {path for path in plus if not np.array_equal(plus[path], minus[path])}
    groups = ("lsst", "euclid_vis", "euclid_nisp")
    light = {f"{group}/image" for group in groups} | {f"table {group} position" for group in groups}
    light |= {f"table sources {name}" for name in ("x", "y", "e1", "e2", "blendedness", "snr")}
    light |= {"table sources g1", "table sources g2", "truth fields/g1", "truth fields/g2"}
    may = {f"table {group} masked_fraction" for group in groups} | {p for p in plus if "detection" in p}
    assert light <= changed <= light | may
    # What differs is light: beyond the noise only where galaxies are, and nothing where there are none.
    empty = [field(1, replace(SKY, content=Content(i_limit=18.001)), shear=sign * g) for sign in (1, -1)]
    assert len(empty[0]["table sources x"]) == 0
    for group in groups:
        np.testing.assert_array_equal(*(arrays[f"{group}/image"] for arrays in empty))
    # And the galaxies are the same before shear.
    x, e1 = (
        (plus[f"table sources {n}"] + minus[f"table sources {n}"]) / 2 * f
        for n, f in (("x", np.sqrt(1 - abs(g) ** 2)), ("e1", 1))
    )
    unsheared = field(1, shear=0j)
    np.testing.assert_allclose(x, unsheared["table sources x"], atol=1e-12)
    # The mean of e under ±g is e but for second order in g.
    np.testing.assert_allclose(e1, unsheared["table sources e1"], atol=2 * abs(g) ** 2)


def test_a_field_without_truth_has_the_same_data():
    data, truth = simulate_field(SKY, SECRET, 0, 0, dither_key=KEY, truth=False)
    assert data.tables == truth.tables == {}
    assert set(truth.arrays) == {"fields/id", "fields/g1", "fields/g2"}
    full = field(0)
    assert_same(data.arrays, {path: full[path] for path in data.arrays})


def offsets(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """(2, n) of galaxies from the centres of their cells, unsheared."""
    half = ISOLATED_CELL_ARCSEC / 2
    x, y = arrays["table sources x"], arrays["table sources y"]
    return np.stack([x - half * np.sign(x), y - half * np.sign(y)])


def blank(arrays: dict[str, np.ndarray], number: int) -> np.ndarray:
    """Pixels in units of their noise, away from the cells' centres by more than 3.3 arcsec."""
    images = decoded(arrays, "euclid_nisp", number, APART) / arrays["euclid_nisp/step"][..., None, None] / 16
    offset = np.abs(np.abs(np.arange(64) - 31.5) * 0.3 - ISOLATED_CELL_ARCSEC / 2)
    # What still stands out is the wing of a large galaxy.
    return np.clip(images[:, 0, np.maximum(offset[:, None], offset) > 3.3], -3, 3).ravel()


@pytest.mark.parametrize("other", ["secret", "split", "field"])
def test_skies_are_independent(other, record_figure):
    options = {"dither_key": KEY, "shear": 0j}
    first = flat(simulate_field(APART, SECRET, 0, 0, **options))
    changed = {"secret": (bytes(32), 0, 0), "split": (SECRET, 1, 0), "field": (SECRET, 0, 1)}[other]
    second = flat(simulate_field(APART, *changed, **options))
    # 120 galaxies with two coordinates each: coefficients are 0 ± 0.065.
    for one, two in zip(offsets(first), offsets(second), strict=True):
        assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(len(one))
    one, two = blank(first, 0), blank(second, changed[2])
    assert one.std() == pytest.approx(1, abs=0.04)  # noise it is
    correlation = np.corrcoef(one, two)[0, 1] * np.sqrt(one.size)
    record_figure("correlation", correlation)
    assert abs(correlation) < 4
    assert first["fields/id"] != second["fields/id"]
    assert not set(first["table sources id"]) & set(second["table sources id"])


def test_depths_psfs_and_steps_do_not_depend_on_the_galaxies():
    """The same secret and visits, other galaxies: what is published beside the pixels stays the same."""
    many, few = field(0), field(0, replace(SKY, content=Content(i_limit=20.0)))
    scalars = (
        "step",
        "sky_variance",
        "read_variance",
        "wcs",
        "electron",
        "m5",
        "fwhm",
        "mjd",
        "airmass",
        "psf",
    )
    for group in ("lsst", "euclid_vis", "euclid_nisp"):
        for name in scalars:
            np.testing.assert_array_equal(many[f"{group}/{name}"], few[f"{group}/{name}"], err_msg=name)
        assert not np.array_equal(many[f"{group}/image"], few[f"{group}/image"])


def test_the_published_variance_follows_from_the_published_image():
    arrays = simulate_field(SKY, SECRET, 0, 0, dither_key=KEY)[0].arrays
    bands = {BANDS[name].survey: np.full(count, BANDS[name].code) for name, count in VISITS.items()}
    images = {f"{SURVEYS[s].group}/image": decoded(arrays, SURVEYS[s].group, 0, SKY) for s in bands}
    seen = field_from_arrays(1, SKY.width_arcsec, arrays | images, bands)
    for name, exposures in seen.surveys.items():
        sky, read = exposures.sky_variance[..., None, None], exposures.read_variance[..., None, None]
        electron = arrays[f"{SURVEYS[name].group}/electron"][0][:, None, None]
        expected = sky + read + np.where(exposures.image > 0, exposures.image, 0) * electron
        np.testing.assert_allclose(exposures.variance, expected, rtol=1e-12)
        # In a scene of the field, the scalars are the same: they can't tell one scene from another.
        for scalar in (exposures.sky_variance, exposures.read_variance):
            np.testing.assert_array_equal(scalar, np.broadcast_to(scalar[:1], scalar.shape))


def test_every_second_scene_is_its_partner_turned():
    sky = replace(SKY, n_fields=1, scenes_per_field=4, partners=True)
    rows = field(0, sky, shear=0j)
    scenes = rows["table sources scene"]
    for first in (0, 2):
        one, two = scenes == first, scenes == first + 1
        assert one.sum() == two.sum() > 0
        x, y, e1, flux = (rows[f"table sources {name}"] for name in ("x", "y", "e1", "flux"))
        np.testing.assert_array_equal(x[two], -y[one])
        np.testing.assert_array_equal(y[two], x[one])
        np.testing.assert_array_equal(e1[two], -e1[one])
        np.testing.assert_array_equal(flux[two], flux[one])
    # Partners are seen with noise of their own.
    images = rows["lsst/image"].astype(float).reshape(4, -1)
    assert np.abs(np.corrcoef(images)[0, 1]) < 0.2


def test_the_shear_of_fields_is_in_range_in_all_directions():
    sky = replace(SKY, n_fields=2000)
    g = np.array([field_shear(sky, SECRET, 0, number) for number in range(2000)])
    low, high = sky.shear_range
    assert low <= np.abs(g).min() and np.abs(g).max() <= high
    # Means of 2,000: four standard errors.
    assert np.abs(g).mean() == pytest.approx((low + high) / 2, abs=4 * (high - low) / np.sqrt(12 * 2000))
    for spin in (1, 2, 4):
        assert abs(np.mean((g / np.abs(g)) ** spin)) < 4 / np.sqrt(2000)


def test_the_shear_is_what_was_done_to_the_galaxies():
    rows, before = field(2), field(2, shear=0j)
    columns = {f.name: before[f"table sources {f.name}"] for f in fields(Sources)}
    columns["knots"] = columns["knots"] @ [1, 1j]
    sources = Sources(**columns)
    moved = sheared(sources, rows["truth fields/g1"][0], rows["truth fields/g2"][0])
    for name, values in vars(moved).items():
        found = rows[f"table sources {name}"]
        expected = np.stack([values.real, values.imag], axis=-1) if name == "knots" else values
        np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=name)


def test_ids_tell_nothing():
    ids = [opaque_id(SECRET, kind, 0, n) for kind in ("scene", "field") for n in range(500)]
    assert len(set(ids)) == 1000
    assert min(ids) >= 0 and max(ids) < 2**62
    # Uniform, so neither order nor size says anything: mean and serial correlation within four sigma.
    share = np.array(ids) / 2**62
    assert share.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * 1000))
    assert abs(np.corrcoef(share[1:], share[:-1])[0, 1]) < 4 / np.sqrt(1000)


def test_what_is_simulated_fits_the_layout_of_the_stores():
    data, truth = layouts(SKY, scenes_per_shard=4, attributes={})
    made, sealed = simulate_shard(1, sky=SKY, secret=SECRET, split=0, fields_per_shard=2, dither_key=KEY)
    for layout, stored in ((data, made), (truth, sealed)):
        planned = {array.path: array for array in layout.arrays}
        assert set(planned) == set(stored.arrays)
        for path, array in planned.items():
            found = stored.arrays[path]
            assert found.shape[1:] == tuple(array.shape[1:]), path
            assert found.shape[0] * 2 == array.shape[0], path
            assert np.can_cast(found.dtype, array.dtype, "same_kind"), (path, found.dtype)
        for table in layout.tables:
            columns = stored.tables[table.path]
            assert set(columns) == set(table.columns), table.path
            for name, column in table.columns.items():
                assert columns[name].shape[1:] == tuple(column.shape), (table.path, name)


def test_tables_say_where_each_source_is():
    rows = field(0)
    n = len(rows["table sources x"])
    assert n > 5 and np.all(np.diff(rows["table sources scene"]) >= 0)
    assert np.all((rows["table sources blendedness"] >= 0) & (rows["table sources blendedness"] < 1))
    for group in ("lsst", "euclid_vis", "euclid_nisp"):
        # Positions follow from the map of the source's own scene.
        wcs = rows[f"{group}/wcs"][rows["table sources scene"]]
        places = np.stack([rows["table sources x"], rows["table sources y"]], axis=1)
        expected = np.einsum("neab,nb->nea", wcs[..., :2], places) + wcs[..., 2]
        np.testing.assert_allclose(rows[f"table {group} position"], expected, atol=1e-4)  # float32
    # Two exposures in i, one flux; J twice.
    np.testing.assert_allclose(
        rows["table lsst flux"], rows["table sources flux"][:, [BANDS["i"].code] * 2], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_fields": 0}, "at least one field of one scene"),
        ({"scenes_per_field": 0}, "at least one field of one scene"),
        ({"shear_range": (0.05, 0.01)}, "0 <= smallest <= largest < 1"),
        ({"shear_range": (-0.01, 0.01)}, "0 <= smallest <= largest < 1"),
        ({"shear_range": (0.0, 1.0)}, "0 <= smallest <= largest < 1"),
        ({"partners": True, "scenes_per_field": 3}, "scenes_per_field must be even"),
        ({"width_arcsec": 1.0}, "multiple of 0.6 arcsec"),
        ({"content": SKY.describe()["content"]}, "content is a Content"),
        ({"lens": 0.5}, "lens is a Slices, a ThinLens or None, not 0.5"),
        ({"chromatic": "VIS"}, "chromatic lists names of bands"),
    ],
)
def test_a_sky_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SKY, **changes)


def test_a_sky_describes_itself_in_plain_words():
    described = SKY.describe()
    assert described["visits"] == VISITS and described["shear_range"] == [0.01, 0.05]
    # Transients, which came later, are told of only where there are some.
    assert set(described) == set(vars(SKY)) - {"transients"}
