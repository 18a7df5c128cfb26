"""Shear bias: a regression by hand, exact nulls, errors that are known or not, streaming."""

import numpy as np
import pytest
from skysynergy.scoring.scorecard import Scorecard
from skysynergy.scoring.shear import (
    bias_from_sums,
    multiplicative_limit,
    quality_from_sums,
    reachable_sigma_m,
    shear_bias,
    shear_scorecard,
    shear_sums,
)

CARD = {"track": "joint", "tier": "tiny", "split": "validation", "entry": "test"}


@pytest.fixture
def sky():
    """200 fields with m = (0.02, -0.03), c = (1e-3, -2e-3), alpha = 0.1 and noise of 3e-3."""
    rng = np.random.default_rng(42)
    n = 200
    true = rng.uniform(-0.05, 0.05, size=(n, 2)) + np.array([0.01, -0.02])
    psf = rng.normal(0, 0.03, size=(n, 2)) + np.array([0.02, 0.0])
    noise = rng.multivariate_normal([0, 0], [[9e-6, 2e-6], [2e-6, 9e-6]], size=n)
    estimated = true * [1.02, 0.97] + [1e-3, -2e-3] + 0.1 * psf + noise
    return {
        "cluster": np.arange(n),
        "true": true,
        "estimated": estimated,
        "psf": psf,
        "weight": rng.uniform(0.2, 3, size=n),
        "covariance": np.tile([9e-6, 9e-6, 2e-6], (n, 1)),
    }


def by_hand(true, estimated, weight, psf=None):
    """m1, m2, c1, c2 and alpha from one least-squares problem over both components."""
    n = len(true)
    rows = np.zeros((2 * n, 4 if psf is None else 5))
    rows[:n, 0], rows[n:, 1] = true.T
    rows[:n, 2], rows[n:, 3] = 1, 1
    if psf is not None:
        rows[:, 4] = psf.T.ravel()
    root = np.sqrt(np.tile(weight, 2))
    solution = np.linalg.lstsq(rows * root[:, None], estimated.T.ravel() * root, rcond=None)[0]
    return solution - [1, 1, 0, 0, 0][: solution.size]


@pytest.mark.parametrize("with_psf", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_bias_is_that_of_a_regression_by_hand(sky, with_psf, weighted, record_figure):
    weight = sky["weight"] if weighted else np.ones(200)
    psf = sky["psf"] if with_psf else None
    # Clusters of three fields: how fields are grouped does not change the fit.
    sums = shear_sums(sky["cluster"] // 3, sky["true"], sky["estimated"], weight=weight, psf=psf)
    found = bias_from_sums(sums, n_resamples=100)
    expected = by_hand(sky["true"], sky["estimated"], weight, psf)
    names = ("m1", "m2", "c1", "c2", "alpha")[: expected.size]
    difference = np.abs([found[name].value for name in names] - expected).max()
    record_figure("difference", difference)
    assert difference < 1e-12
    if not with_psf:
        assert found["alpha"].value is None
        assert found["alpha"].reason == "no PSF ellipticities were given"


def test_the_intervals_hold_what_was_put_in(sky):
    sums = shear_sums(sky["cluster"], sky["true"], sky["estimated"], psf=sky["psf"])
    truth = {"m1": 0.02, "m2": -0.03, "c1": 1e-3, "c2": -2e-3, "alpha": 0.1}
    for name, estimate in bias_from_sums(sums).items():
        bounds = estimate.interval(0.997)
        assert bounds.low < truth[name] < bounds.high
        assert bounds.high - bounds.low < 0.06


@pytest.mark.parametrize("n", [4, 19, 200])
@pytest.mark.parametrize("with_psf", [False, True])
def test_estimates_of_zero_give_m_of_minus_one_exactly(sky, n, with_psf):
    sums = shear_sums(
        sky["cluster"][:n],
        sky["true"][:n],
        np.zeros((n, 2)),
        weight=sky["weight"][:n],
        psf=sky["psf"][:n] if with_psf else None,
    )
    for name, estimate in bias_from_sums(sums).items():
        if name == "alpha" and not with_psf:
            continue
        expected = -1.0 if name.startswith("m") else 0.0
        assert estimate.value == expected
        bounds = estimate.interval(0.95)
        assert (bounds.low, bounds.high) == (expected, expected)
    card = shear_scorecard(sums, use="calibrate", **CARD)
    assert [card[name].met for name in ("m1", "m2", "c1", "c2")] == [False, False, True, True]


def test_perfect_estimates_have_no_bias(sky):
    found = bias_from_sums(shear_sums(sky["cluster"], sky["true"], sky["true"], psf=sky["psf"]))
    for estimate in found.values():
        assert abs(estimate.value) < 1e-14
        assert estimate.interval().high - estimate.interval().low < 1e-12


@pytest.mark.parametrize("n", [6, 60])
def test_one_true_shear_cannot_calibrate(sky, n):
    true = np.full((n, 2), 0.03)
    true[:, 1] = sky["true"][:n, 1]
    found = bias_from_sums(shear_sums(np.arange(n), true, sky["estimated"][:n]))
    for name in ("m1", "c1"):
        assert found[name].value is None
        assert found[name].interval() is None
        assert "true g1 is the same in all fields" in found[name].reason
    assert found["m2"].interval() is not None


def test_psf_ellipticities_that_do_not_vary_leave_alpha_out(sky):
    constant = np.tile([0.02, -0.01], (200, 1))
    for psf in (constant, np.zeros((200, 2)), 0.3 * sky["true"] + 0.01):
        with_psf = bias_from_sums(shear_sums(sky["cluster"], sky["true"], sky["estimated"], psf=psf))
        without = bias_from_sums(shear_sums(sky["cluster"], sky["true"], sky["estimated"]))
        assert with_psf["alpha"].value is None
        assert "do not vary apart from the shear" in with_psf["alpha"].reason
        assert with_psf["m1"].value == without["m1"].value
        assert with_psf["c2"].value == without["c2"].value


def test_nothing_and_nothing_of_weight_are_null_with_a_reason():
    empty = shear_scorecard(shear_sums([], [], []), use="score", **CARD)
    assert all(m.value is None and m.reason for m in empty.metrics)
    true = np.random.default_rng(0).normal(size=(5, 2))
    weightless = bias_from_sums(shear_sums(np.arange(5), true, true, weight=0.0))
    assert weightless["m1"].reason == "all weights are zero"
    one = shear_scorecard(shear_sums([1], true[:1], true[:1]), use="score", **CARD)
    assert all(m.low is None and m.reason for m in one.metrics)


def test_two_fields_have_a_value_without_an_interval():
    true = np.array([[0.01, 0.02], [-0.01, 0.03]])
    found = bias_from_sums(shear_sums([0, 1], true, 1.1 * true))["m1"]
    assert found.value == pytest.approx(0.1)
    assert found.interval() is None
    assert "too few" in found.reason


def test_sums_of_workers_merge_to_the_same_scorecard(sky):
    whole = shear_sums(**sky)
    parts = []
    for start in (150, 0, 50):
        stop = {150: 200, 0: 50, 50: 150}[start]
        parts.append(shear_sums(**{key: array[start:stop] for key, array in sky.items()}))
    merged = parts[0].merge(*parts[1:])
    np.testing.assert_array_equal(merged.values, whole.values)
    assert shear_scorecard(merged, use="score", **CARD) == shear_scorecard(whole, use="score", **CARD)


def test_matched_pairs_cancel_what_they_share():
    rng = np.random.default_rng(3)
    n = 300
    true = rng.uniform(-0.04, 0.04, size=(n, 2))
    shared = rng.normal(0, 0.02, size=(n, 2))
    own = rng.normal(0, 1e-5, size=(2, n, 2))
    estimated = np.concatenate([1.001 * true + shared + own[0], -1.001 * true + shared + own[1]])
    both = np.concatenate([true, -true])
    paired = bias_from_sums(shear_sums(np.tile(np.arange(n), 2), both, estimated))["m1"]
    alone = bias_from_sums(shear_sums(np.arange(2 * n), both, estimated))["m1"]
    assert paired.value == pytest.approx(1e-3, abs=1e-4)
    assert paired.value == pytest.approx(alone.value, abs=1e-12)
    assert paired.standard_error < 1e-4 < 0.02 < alone.standard_error
    card = shear_scorecard(shear_sums(np.tile(np.arange(n), 2), both, estimated), use="calibrate", **CARD)
    assert [card[name].met for name in ("m1", "m2")] == [True, True]
    assert [m.name for m in card.metrics] == ["m1", "m2", "c1", "c2", "alpha"]


def test_the_standard_error_follows_the_noise(sky):
    """Of many skies the estimates of m1 scatter by what one sky says, and by what is reachable."""
    rng = np.random.default_rng(12)
    true = sky["true"]
    values, errors = [], []
    for _ in range(300):
        estimated = true + rng.normal(0, 3e-3, size=true.shape)
        sums = shear_sums(sky["cluster"], true, estimated, covariance=np.tile([9e-6, 9e-6, 0.0], (200, 1)))
        found = reachable_sigma_m({name: sums.column(name).sum() for name in sums.names})
        values.append(shear_bias({name: sums.column(name).sum() for name in sums.names})["m1"])
        errors.append([found["sigma_m"], found["sigma_m_predicted"]])
    scatter = np.std(values)
    np.testing.assert_allclose(np.mean(errors, axis=0), scatter, rtol=0.12)
    one = bias_from_sums(sums)["m1"].standard_error
    assert one == pytest.approx(scatter, rel=0.2)


def test_predicted_sigma_m_is_its_closed_form(sky):
    sums = shear_sums(sky["cluster"], sky["true"], sky["estimated"], covariance=sky["covariance"])
    spread = ((sky["true"] - sky["true"].mean(axis=0)) ** 2).sum(axis=0)
    expected = np.sqrt((9e-6 / spread).mean())
    assert quality_from_sums(sums)["sigma_m_predicted"].value == pytest.approx(expected, rel=1e-10)


def test_quality_is_its_closed_form(sky):
    sums = shear_sums(**sky)
    found = {name: estimate.value for name, estimate in quality_from_sums(sums).items()}
    r, w = sky["estimated"] - sky["true"], sky["weight"]
    matrix = np.array([[9e-6, 2e-6], [2e-6, 9e-6]])
    chi2 = np.einsum("ni,ij,nj->n", r, np.linalg.inv(matrix), r)
    assert found["rms"] == pytest.approx(np.sqrt((w @ r**2).mean() / w.sum()))
    assert found["chi2_dof"] == pytest.approx(chi2.mean() / 2)
    determinant = np.linalg.det(2 * np.pi * matrix)
    assert found["nll"] == pytest.approx(0.5 * chi2.mean() + 0.5 * np.log(determinant))
    assert found["coverage_68"] == pytest.approx((np.abs(r) < 0.99446 * 3e-3).mean())


@pytest.mark.parametrize(
    ("factor", "chi2", "coverage"), [(1.0, 1.0, 0.68), (4.0, 0.25, 0.953), (0.25, 4.0, 0.381)]
)
def test_a_method_that_knows_its_errors_is_told_from_one_that_does_not(factor, chi2, coverage):
    rng = np.random.default_rng(5)
    n = 4000
    true = rng.uniform(-0.05, 0.05, size=(n, 2))
    estimated = true + rng.multivariate_normal([0, 0], [[1e-4, 5e-5], [5e-5, 2e-4]], size=n)
    predicted = np.tile(factor * np.array([1e-4, 2e-4, 5e-5]), (n, 1))
    sums = shear_sums(np.arange(n), true, estimated, covariance=predicted)
    found = quality_from_sums(sums, n_resamples=500)
    for name, expected in (("chi2_dof", chi2), ("coverage_68", coverage)):
        bounds = found[name].interval(0.999)
        assert bounds.low < expected < bounds.high
        assert bounds.high - bounds.low < 0.15 * max(1, chi2)


def test_without_covariances_or_scatter_what_needs_them_is_null(sky):
    card = shear_scorecard(shear_sums(sky["cluster"], sky["true"], sky["estimated"]), use="score", **CARD)
    for name in ("sigma_m_predicted", "nll", "chi2_dof", "coverage_68"):
        assert card[name].value is None
        assert card[name].reason == "no covariances were predicted"
    assert card["rms"].low > 0
    wide = np.tile([1.0, 1.0, 0.0], (200, 1))
    sums = shear_sums(sky["cluster"], sky["true"], sky["estimated"], covariance=wide)
    coverage = shear_scorecard(sums, use="score", **CARD)["coverage_68"]
    assert coverage.value == 1.0
    assert coverage.low is None
    assert "no scatter" in coverage.reason


@pytest.mark.parametrize("use", ["calibrate", "score"])
def test_the_tiny_tier_of_four_fields_gives_a_whole_scorecard(sky, use):
    four = shear_sums(**{key: array[:4] for key, array in sky.items()})
    seeing = shear_sums(**{key: array[:3] for key, array in sky.items()})
    card = shear_scorecard(
        four, use=use, groups=[("seeing", (0.6, 0.8), seeing)], provenance={"code": "x"}, **CARD
    )
    assert Scorecard.from_json(card.to_json()) == card
    assert all(metric.value is not None and metric.low is not None for metric in card.metrics)
    assert card["m1"].verdict == "undecided"
    assert card.groups[0].by == "seeing"
    assert [m.name for m in card.groups[0].metrics] == [m.name for m in card.metrics]
    if use == "score":
        assert card["sigma_m"].low >= 0
        assert card["coverage_68"].high <= 1


def test_requirements_go_by_track(sky):
    assert multiplicative_limit("joint") == 2e-3
    assert multiplicative_limit("lsst") == 3e-3
    assert multiplicative_limit("joint-spectroscopic") == 2e-3
    with pytest.raises(ValueError, match="no requirement on m is known for the track 'roman'"):
        multiplicative_limit("roman")
    sums = shear_sums(sky["cluster"], sky["true"], sky["estimated"])
    other = shear_scorecard(sums, use="calibrate", limit_m=0.5, **(CARD | {"track": "roman"}))
    assert other["m1"].requirement == 0.5
    assert other["m1"].met is True
    assert other["c1"].requirement == 2e-4
    with pytest.raises(ValueError, match="use is"):
        shear_scorecard(sums, use="judge", **CARD)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"true": np.zeros((3, 3))}, r"true has shape \(3, 3\); 3 fields need \(3, 2\)"),
        ({"estimated": np.zeros((2, 2))}, r"estimated has shape \(2, 2\)"),
        ({"estimated": [[0, 0], [0, np.nan], [0, 0]]}, "estimated of field number 1"),
        ({"weight": [1, 1, -1]}, "weight of field number 2 is -1"),
        ({"weight": [1, np.inf, 1]}, "'w' is inf"),
        (
            {"covariance": [[1, 1, 0], [1, 1, 2], [1, 1, 1]]},
            "field number 1 .* one of 2 .* positive definite",
        ),
        ({"covariance": [[1, 1, 0], [-1, -1, 0], [1, 1, 0]]}, "positive definite"),
        ({"psf": [[0, 0]]}, "psf has shape"),
    ],
)
def test_wrong_fields_are_refused_with_their_place(change, words):
    good = {"cluster": np.arange(3), "true": np.zeros((3, 2)), "estimated": np.zeros((3, 2))}
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=words):
        shear_sums(**(good | change))
