"""The shear challenge: scores by hand, in any order of rows, from a file or a mapping."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from skysynergy import __version__
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import Split, generate, open_split
from skysynergy.challenges.method import Field, SurveyExposures
from skysynergy.challenges.shear import psf_ellipticity
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.challenges.submissions import write_submission
from skysynergy.scoring.shear import shear_bias, shear_quality, shear_sums
from skysynergy.simulators import quantisation
from skysynergy.simulators.scenes import Content
from skysynergy.simulators.sky import Sky

N_FIELDS = 12


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Twelve fields of one small scene each: enough to fit five numbers to."""
    folder = tmp_path_factory.mktemp("fields")
    few = Sky(N_FIELDS, 1, {"i": 1, "VIS": 1}, width_arcsec=3.0, content=Content(i_limit=24.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TIERS, "tiny", replace(TIERS["tiny"], sky=few, scenes_per_shard=4))
        generate(Split.of("tiny", "validation", folder))
    return folder


@pytest.fixture
def shear(home, monkeypatch):
    monkeypatch.setenv("SKYSYNERGY_DATA", str(home))
    return load("shear")


@pytest.fixture
def given(shear):
    """Predictions with a bias, scatter, and a little leakage of the PSF; and what they are made of."""
    rng = np.random.default_rng(8)
    truth = shear.truth()
    true = np.stack([truth["fields/g1"].to_numpy(), truth["fields/g2"].to_numpy()], axis=1)
    psf = np.array([psf_ellipticity(field) for field in shear.given()])
    scatter = rng.normal(0, [0.003, 0.002], (N_FIELDS, 2))
    estimated = 1.1 * true + [0.002, -0.001] + 0.3 * psf + scatter
    correlation = rng.uniform(-0.5, 0.5, N_FIELDS)
    covariance = np.stack([*rng.uniform(4e-6, 2e-5, (2, N_FIELDS)), np.zeros(N_FIELDS)], axis=1)
    covariance[:, 2] = correlation * np.sqrt(covariance[:, 0] * covariance[:, 1])
    columns = dict(zip(("g1", "g2", "cov11", "cov22", "cov12"), [*estimated.T, *covariance.T], strict=True))
    return SimpleNamespace(
        true=true, psf=psf, estimated=estimated, covariance=covariance, rows={"id": shear.ids(), **columns}
    )


def metrics(card):
    return {m.name: (m.value, m.low, m.high, m.met) for m in card.metrics}


def test_the_scores_are_those_computed_by_hand(shear, given):
    card = shear.score(given.rows)
    # The least-squares solution of ĝ_i = (1 + m_i) g_i + c_i + α e_i, both components at once.
    (g1, g2), (e1, e2), zero, one = given.true.T, given.psf.T, np.zeros(N_FIELDS), np.ones(N_FIELDS)
    design = np.block([[g1, zero], [zero, g2], [one, zero], [zero, one], [e1, e2]]).T
    found = np.linalg.lstsq(design, given.estimated.T.ravel(), rcond=None)[0]
    for name, value in zip(("m1", "m2", "c1", "c2", "alpha"), found - [1, 1, 0, 0, 0], strict=True):
        assert card[name].value == pytest.approx(value, rel=1e-6, abs=1e-9), name
    residual = given.estimated - given.true
    assert card["rms"].value == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-12)
    matrices = given.covariance[:, [0, 2, 2, 1]].reshape(-1, 2, 2)
    chi2 = np.einsum("ni,nij,nj->n", residual, np.linalg.inv(matrices), residual)
    assert card["chi2_dof"].value == pytest.approx(np.mean(chi2) / 2, rel=1e-9)
    nll = (chi2 + np.log(np.linalg.det(2 * np.pi * matrices))) / 2
    assert card["nll"].value == pytest.approx(np.mean(nll), rel=1e-9)
    # 68 % of a Gaussian lie within 0.9945 sigma.
    inside = np.abs(residual) <= 0.99446 * np.sqrt(given.covariance[:, :2])
    assert card["coverage_68"].value == pytest.approx(inside.mean(), rel=1e-12)
    # The bias that was put in is found within what the scatter allows: σ/(sqrt(n)·rms of g), four times.
    assert card["m1"].value == pytest.approx(0.1, abs=4 * 0.003 / np.sqrt(np.sum((g1 - g1.mean()) ** 2)))
    assert card["c1"].value == pytest.approx(0.002, abs=4 * 0.003 / np.sqrt(N_FIELDS))


def test_the_scores_are_those_of_the_scoring_layer(shear, given):
    card = shear.score(given.rows)
    sums = shear_sums(
        np.arange(N_FIELDS), given.true, given.estimated, covariance=given.covariance, psf=given.psf
    )
    total = sums.total()
    for name, value in (shear_bias(total) | shear_quality(total)).items():
        assert card[name].value == pytest.approx(float(value), rel=1e-12), name
    assert card.title == "shear (joint, tiny, validation): submission"


@pytest.mark.parametrize("form", ["mapping", "file"])
def test_the_order_of_rows_changes_nothing(shear, given, form, tmp_path):
    order = np.random.default_rng(0).permutation(N_FIELDS)
    shuffled = {name: values[order] for name, values in given.rows.items()}
    if form == "file":
        values = {name: column for name, column in shuffled.items() if name != "id"}
        write_submission(tmp_path / "p.parquet", shuffled["id"], values, shear.metadata("tiny", "validation"))
        shuffled = tmp_path / "p.parquet"
    assert metrics(shear.score(shuffled)) == metrics(shear.score(given.rows))


def test_provenance_tells_code_data_and_submission(shear, given, tmp_path):
    mapping = shear.score(given.rows).provenance
    assert mapping["code"] == __version__
    assert mapping["dataset"] == open_split(Split.of("tiny", "validation")).attrs["content_sha256"]
    # Of a mapping: the same for any order of rows, another one for any other number.
    order = np.arange(N_FIELDS)[::-1]
    backwards = {name: values[order] for name, values in reversed(given.rows.items())}
    assert shear.score(backwards).provenance == mapping
    changed = given.rows | {"g1": given.rows["g1"] * (1 + 1e-15)}
    assert shear.score(changed).provenance["submission"] != mapping["submission"]
    # Of a file: what sha256sum prints.
    values = {name: column for name, column in given.rows.items() if name != "id"}
    path = tmp_path / "p.parquet"
    write_submission(path, given.rows["id"], values, shear.metadata("tiny", "validation"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for where in (path, str(path)):
        assert shear.score(where).provenance == mapping | {"submission": f"sha256:{digest}"}


def test_zero_shear_has_m_of_minus_one_and_no_c(shear, given):
    zero, variance = np.zeros(N_FIELDS), np.full(N_FIELDS, 4e-4)
    rows = {"id": shear.ids(), "g1": zero, "g2": zero, "cov11": variance, "cov22": variance, "cov12": zero}
    card = shear.score(rows, entry="null")
    assert [card[name].value for name in ("m1", "m2", "c1", "c2")] == [-1.0, -1.0, 0.0, 0.0]
    assert card["m1"].met is False and card["m2"].met is False
    assert card["alpha"].value == 0.0
    assert card["rms"].value == pytest.approx(np.sqrt(np.mean(given.true**2)), rel=1e-12)


def test_the_truth_scores_without_bias(shear, given):
    rows = given.rows | {"g1": given.true[:, 0], "g2": given.true[:, 1]}
    card = shear.score(rows)
    for name in ("m1", "m2", "c1", "c2", "alpha", "rms"):
        assert card[name].value == pytest.approx(0, abs=1e-13), name
    assert card["coverage_68"].value == 1.0


def test_a_track_is_judged_by_its_own_psf_and_requirement(shear, given):
    lsst, joint = shear.score(given.rows, track="lsst"), shear.score(given.rows, track="joint")
    assert (lsst.track, joint.track) == ("lsst", "joint")
    assert lsst["m1"].requirement > joint["m1"].requirement > 0
    assert lsst["alpha"].value != joint["alpha"].value
    assert lsst["rms"] == joint["rms"]


def test_scoring_reads_no_pixels(shear, given, monkeypatch):
    """A table of hundreds of rows is scored without reading gigabytes of images."""
    shapes = []
    decode = quantisation.LazyImage._decode

    def spied(self, key):
        shapes.append(decode(self, key).size)
        return decode(self, key)

    monkeypatch.setattr(quantisation.LazyImage, "_decode", spied)
    next(iter(shear.given()))
    assert max(shapes) > 0
    shapes.clear()
    shear.score(given.rows)
    assert not any(shapes)


def exposures(psf, wcs, fwhm=0.7) -> SurveyExposures:
    """One scene and as many exposures as there are PSFs, 0.1 arcsec a PSF sample."""
    n = len(psf)
    image = np.zeros((1, n, 4, 4), dtype=np.float32)
    ones = np.ones(n)
    maps = np.zeros((1, n, 2, 3))
    maps[0, :, :, :2] = np.asarray(wcs) / 0.2
    return SurveyExposures(
        "LSST", 0.2, 0.1, image, image.astype(np.uint8), ones[None], ones[None], ones, np.array(["i"] * n),
        ones, fwhm * ones, ones, ones, np.asarray(psf), maps,
    )  # fmt: skip


def gaussian(e1, e2, fwhm=0.7, size=61):
    """A Gaussian PSF with an ellipticity e = (1−q)/(1+q), 0.1 arcsec a sample."""
    y, x = (np.indices((size, size)) - size // 2) * 0.1
    sigma = fwhm / 2.3548
    norm = 1 / np.sqrt(1 - e1**2 - e2**2)
    u, v = norm * ((1 - e1) * x - e2 * y), norm * (-e2 * x + (1 + e1) * y)
    psf = np.exp(-(u**2 + v**2) / 2 / sigma**2)
    return psf / psf.sum()


SQUARE = np.eye(2)
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
MIRROR = np.array([[-1.0, 0.0], [0.0, 1.0]])
HALF_TURN = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)


@pytest.mark.parametrize("e", [(0.0, 0.0), (0.03, 0.0), (0.0, -0.02), (0.02, 0.01)])
@pytest.mark.parametrize(
    ("wcs", "on_sky"),
    [
        (SQUARE, lambda e1, e2: (e1, e2)),
        (TURN, lambda e1, e2: (-e1, -e2)),
        (MIRROR, lambda e1, e2: (e1, -e2)),
        (TURN @ MIRROR, lambda e1, e2: (-e1, e2)),
        # Pixels are turned by +45°: what lies along their x lies at −45° on the sky.
        (HALF_TURN, lambda e1, e2: (e2, -e1)),
    ],
)
def test_the_psf_ellipticity_is_that_on_the_sky(e, wcs, on_sky):
    field = Field(1, 9.6, {"LSST": exposures([gaussian(*e)], [wcs])})
    np.testing.assert_allclose(psf_ellipticity(field), on_sky(*e), atol=2e-4)


def test_the_psf_ellipticity_is_the_mean_of_all_exposures():
    lsst = exposures([gaussian(0.03, 0), gaussian(0, 0.01)], [SQUARE, SQUARE])
    vis = exposures([gaussian(-0.01, 0.01)], [SQUARE])
    field = Field(1, 9.6, {"LSST": lsst, "EUCLID_VIS": vis})
    np.testing.assert_allclose(psf_ellipticity(field), [0.02 / 3, 0.02 / 3], atol=2e-4)


def test_the_psf_ellipticity_does_not_depend_on_the_scenes(little_sky):
    """So it is not an estimate of the shear in disguise."""
    field = next(iter(load("shear").given()))
    blank = {n: replace(x, image=np.zeros_like(x.image)) for n, x in field.surveys.items()}
    np.testing.assert_array_equal(psf_ellipticity(field), psf_ellipticity(replace(field, surveys=blank)))
