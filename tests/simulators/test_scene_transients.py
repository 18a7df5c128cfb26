"""Transients in the pixels: on the light of their hosts, as bright as the truth says, and nowhere else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.simulators.exposures import Points, expose
from skysynergy.simulators.fields import draw_sources, observe, simulate_field, simulate_shard
from skysynergy.simulators.realism import Realism
from skysynergy.simulators.scene_transients import CENTRAL, draw_in_scene, first_of_season, offset_on_light
from skysynergy.simulators.scenes import Content
from skysynergy.simulators.sky import Sky, field_shear
from skysynergy.simulators.sources import sersic_sources
from skysynergy.simulators.surveys import SURVEYS
from skysynergy.simulators.transient_classes import OUT_OF_DISTRIBUTION
from skysynergy.simulators.transient_options import SceneTransients
from skysynergy.simulators.transients import KINDS, class_shares

SECRET, KEY = b"transients in pixels", b"public"
SKY = Sky(
    2,
    2,
    {"i": 4, "VIS": 8, "H": 8},
    content=Content(i_limit=25.0),
    transients=SceneTransients(),
)
GROUPS = ("lsst", "euclid_vis", "euclid_nisp")

# SHA-256 of what each tier without transients is described as, in what was published before there were any.
DESCRIBED = {
    "tiny": "c65db7ccbe68cff7a5ff4ba5ea700be3168e5474235a8b5d22e5b0cb5246892a",
    "tiny-survey": "ade42425df170485562de21f465756608460aedd4b1f180a321308ce283f86a5",
    "small": "6c5d5f8b2e9b533554126eacde4db864f38089c71e75a6cb84fe42a2362ffab0",
    "small-survey": "c0757b66c142b2418d0891c65b7768f149d5e43b476cb89b1e78efd3e3a5d60f",
    "full": "366cce4c4bccf1309b8d17e8903df8b526f1edd09923a81790c29f9b0e8f9c91",
}


@pytest.fixture(scope="module")
def without(few_series):
    """The first field, the same visits and galaxies, with no transient."""
    sky = replace(SKY, transients=SceneTransients(share=0.0))
    return simulate_field(sky, SECRET, 0, 0, dither_key=KEY, shear=0j)


@pytest.fixture(scope="module")
def flat(few_series):
    """The first field alone, without shear."""
    return simulate_field(SKY, SECRET, 0, 0, dither_key=KEY, shear=0j)


@pytest.fixture(scope="module")
def shard(few_series):
    """Both fields."""
    return simulate_shard(0, sky=SKY, secret=SECRET, split=0, fields_per_shard=2, dither_key=KEY)


@pytest.mark.parametrize("tier", DESCRIBED)
def test_what_has_no_transients_is_described_as_ever(tier):
    told = json.dumps(TIERS[tier].describe(), sort_keys=True).encode()
    assert hashlib.sha256(told).hexdigest() == DESCRIBED[tier]


def test_a_transient_changes_the_pixels_around_it_and_nothing_else(flat, without):
    (data, truth), (still, true) = flat, without
    assert len(truth.tables["transients"]["id"]) == 2 and len(true.tables["transients"]["id"]) == 0
    assert len(still.tables["alerts"]["id"]) == 0
    for name, values in truth.tables["sources"].items():
        if not name.startswith("detection"):
            np.testing.assert_array_equal(values, true.tables["sources"][name], err_msg=name)
    for group in GROUPS:
        for name in ("wcs", "step", "mjd", "psf", "sky_variance"):
            np.testing.assert_array_equal(data.arrays[f"{group}/{name}"], still.arrays[f"{group}/{name}"])
        rows = truth.tables[f"{group}_transients"]
        survey = next(s for s in SURVEYS.values() if s.group == group)
        images = [side.arrays[f"{group}/image"].astype(float) for side in (data, still)]
        for row, scene in enumerate(truth.tables["transients"]["scene"]):
            changed = images[0][scene] != images[1][scene]
            # Where there is none of its light, not a pixel differs.
            assert not changed[rows["flux"][row] == 0].any()
            for e in np.flatnonzero(rows["flux"][row] > 0):
                # A Fourier transform leaves rounding everywhere, which may move a pixel by a step.
                y, x = np.nonzero(np.abs(images[0][scene, e] - images[1][scene, e]) > 1)
                away = np.hypot(x - rows["position"][row, e, 0], y - rows["position"][row, e, 1])
                # A PSF image ends there.
                assert away.max(initial=0) * survey.pixel_arcsec < survey.psf_width_arcsec


def test_it_lies_on_its_host_at_its_redshift(shard):
    data, truth = shard
    true, sources, alerts = truth.tables["transients"], truth.tables["sources"], data.tables["alerts"]
    for row, host in enumerate(true["host"]):
        (at,) = np.flatnonzero(sources["id"] == host)
        assert sources["z"][at] == true["z"][row] and sources["spectrum"][at] >= 0
        assert sources["scene"][at] == true["scene"][row]
        apart = np.hypot(sources["x"][at] - true["x"][row], sources["y"][at] - true["y"][row])
        assert apart < 8 * sources["half_light_arcsec"][at].max()
        if KINDS[true["kind"][row]] in CENTRAL:
            assert apart < 1e-12
    # What is given away is where and since when, and no more.
    assert set(alerts) == {"id", "scene", "x", "y", "quiet_until"}
    for name in ("id", "scene", "x", "y"):
        np.testing.assert_array_equal(alerts[name], true[name])


def test_the_reference_is_free_of_it_and_the_season_shows_it(shard):
    data, truth = shard
    fields = [observe(SKY, SECRET, 0, number) for number in (0, 1)]
    kinds = [KINDS[code] for code in truth.tables["transients"]["kind"]]
    assert len(kinds) > 2
    for row, kind in enumerate(kinds):
        observations = fields[truth.tables["transients"]["scene"][row] // SKY.scenes_per_field]
        begin = first_of_season(observations, SKY.transients)
        assert data.tables["alerts"]["quiet_until"][row] == begin
        strongest = 0.0
        for seen in observations.values():
            rows = truth.tables[f"{seen.survey.group}_transients"]
            mjd = np.array([visit.mjd for visit in seen.visits])
            changing = (rows["flux"] - rows["steady"])[row]
            if kind != "AGN":
                assert not np.any(rows["flux"][row][mjd < begin])
            depth = 10 ** (0.4 * (31.4 - np.array([visit.m5 for visit in seen.visits])))
            strongest = max(strongest, np.max(np.abs(changing) / depth))
        assert strongest > 0.9  # of five sigma; its own photons add a little


def test_shear_moves_it_with_its_host_and_changes_nothing_else_of_it(flat, shard):
    """And a field alone is that of the shard."""
    alone, bent, g = flat[1].tables, shard[1].tables, field_shear(SKY, SECRET, 0, 0)
    x, y = alone["transients"]["x"], alone["transients"]["y"]
    n = len(x)
    norm = 1 / np.sqrt(1 - abs(g) ** 2)
    np.testing.assert_allclose(
        bent["transients"]["x"][:n], norm * ((1 + g.real) * x + g.imag * y), atol=1e-12
    )
    np.testing.assert_allclose(
        bent["transients"]["y"][:n], norm * (g.imag * x + (1 - g.real) * y), atol=1e-12
    )
    for table in ("transients", *(f"{group}_transients" for group in GROUPS)):
        for name, values in alone[table].items():
            if name not in ("x", "y", "position", "masked_fraction"):
                np.testing.assert_array_equal(values, bent[table][name][:n], err_msg=f"{table}/{name}")


@pytest.mark.parametrize("realism", [Realism(), Realism(rotation=True, distortion=True)])
def test_flux_in_the_pixels_is_that_of_the_truth(realism, record_figure):
    """The light of a point, fitted with what GalSim draws of a unit of it: 1e-3 and better, without noise."""
    sky = replace(SKY, width_arcsec=19.2, realism=realism)
    nobody, worst = sersic_sources(x=[], y=[], flux=np.zeros((0, 18)), half_light_arcsec=[]), 0.0
    for name, seen in observe(sky, SECRET, 0, 1).items():
        flux = np.geomspace(30.0, 3e5, 2 * len(seen.visits)).reshape(2, -1)
        points = Points(np.array([-2.31, 3.4]), np.array([1.07, 2.2]), flux)
        options = {"width_arcsec": 19.2, "secret": SECRET, "indices": (0, 1, 2), "realism": realism}
        light = expose(nobody, seen, points=points, **options).light
        units = []
        for one in (0, 1):
            alone = np.zeros_like(flux)
            alone[one] = 1e6  # GalSim draws what is fainter than the noise more cheaply
            unit = replace(points, flux=alone)
            units.append(expose(nobody, seen, points=unit, drawn_by="galsim", **options).light / 1e6)
        for e in range(len(light)):
            design = np.stack([unit[e].ravel() for unit in units], axis=1)
            found = np.linalg.lstsq(design, light[e].ravel(), rcond=None)[0]
            error = np.abs(found / flux[:, e] - 1).max()
            assert error < 1e-3, (name, e)
            worst = max(worst, error)
            # And all of it is in the exposure, but for what the PSF sheds beyond.
            assert design.sum(axis=0) == pytest.approx(1.0, abs=0.02)
    record_figure("transient_flux_in_pixels", worst)


def test_offsets_follow_the_light():
    """Exponential disks, round and not: the share of offsets within a radius is that of the light."""
    rng, n = np.random.default_rng(3), 20_000
    disks = sersic_sources(x=[0, 0], y=[0, 0], flux=1.0, half_light_arcsec=0.5, e1=[0, 0.4], e2=0.0)
    for index, e in ((0, 0.0), (1, 0.4)):
        offset = offset_on_light(rng, disks, np.full(n, index))
        q = (1 - e) / (1 + e)
        radius = np.hypot(offset.real * np.sqrt(q), offset.imag / np.sqrt(q))
        for r in (0.25, 0.5, 1.0):
            s = 1.67834699 * r / 0.5
            share = (1 - np.exp(-s) * (1 + s)) / 0.98
            assert np.mean(radius < r) == pytest.approx(share, abs=4 * 0.5 / np.sqrt(n))


def test_classes_out_of_distribution_are_for_test_splits_alone():
    shares = {test: dict(zip(KINDS, class_shares(test=test), strict=True)) for test in (False, True)}
    for test, of in shares.items():
        assert sum(of.values()) == pytest.approx(1)
        assert all((of[name] > 0) == test for name in OUT_OF_DISTRIBUTION)


def test_a_scene_without_galaxies_has_none(few_series):
    seen = observe(SKY, SECRET, 0, 0)
    nobody = draw_sources(SKY, SECRET, 0, 0)[:0]
    placed = draw_in_scene(
        np.random.default_rng(0), SceneTransients(), nobody, seen, width_arcsec=19.2, test=False
    )
    assert len(placed) == 0 and placed.flux["LSST"].shape == (0, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transients": 1}, "a SceneTransients or None, not 1"),
        ({"partners": True}, "scenes with partners hold no transients"),
        ({"visits": {"i": 1}}, "too few for a reference and a season"),
    ],
)
def test_a_sky_that_cannot_have_them_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SKY, **changes)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"share": 1.5}, "lies between 0 and 1"), ({"source": "snana"}, "parametric or sncosmo, not 'snana'")],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SceneTransients(**options)
