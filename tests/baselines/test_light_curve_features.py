"""Hand-made features against loops, trees against scikit-learn, and what the simple classifiers say."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from skysynergy.baselines.boosted_trees import grow_trees
from skysynergy.baselines.features_classifier import FeaturesClassifier
from skysynergy.baselines.light_curve_features import PHASES, feature_names, light_curve_features
from skysynergy.baselines.light_curve_inputs import FLUX_SCALE_NJY, HISTORY_DAYS
from skysynergy.baselines.majority import MajorityClassifier
from skysynergy.challenges.light_curves import LightCurves
from skysynergy.scoring.probabilities import mutual_information


@pytest.fixture(scope="module")
def some(example):
    return example.example_curves(300, 0, visits=25)


@pytest.fixture(scope="module")
def fitted(some):
    return FeaturesClassifier(rounds=12, members=2).fit(*some, 4)


def column(features, name):
    return features[:, feature_names().index(name)]


def test_features_are_what_a_loop_measures(some):
    curves = some[0]
    features = light_curve_features(curves)
    assert (
        features.shape == (len(curves), len(feature_names()))
        and len(set(feature_names())) == features.shape[1]
    )
    assert not np.isinf(features).any()
    for k in range(0, len(curves), 17):
        one = curves.select([k])
        one = one.keep(one.mjd >= one.first_detection()[0] - HISTORY_DAYS)
        snr = one.flux.astype(float) / one.error
        phase = one.mjd - one.mjd[snr.argmax()]
        mine = dict(zip(feature_names(), features[k], strict=True))
        assert mine["n"] == one.mjd.size and mine["n_detections"] == one.detected.sum()
        assert mine["fall"] == pytest.approx(phase[one.detected].max(), abs=1e-3)
        assert mine["rise"] == pytest.approx(-phase[one.detected].min(), abs=1e-3)
        assert mine["length"] == pytest.approx(np.ptp(phase), abs=1e-3)
        s = np.arcsinh(snr)
        if s.size > 1:
            roughness = np.square(np.diff(s)).sum() / np.square(s - s.mean()).sum()
            assert mine["roughness"] == pytest.approx(roughness, rel=1e-4)
        for code, band in ((1, "g"), (3, "i")):
            of = one.band == code
            bright = of & (snr > 3)
            if bright.any():
                f, t = one.flux[bright].astype(float), phase[bright]
                assert mine[f"peak_{band}"] == pytest.approx(np.arcsinh(f.max() / FLUX_SCALE_NJY), rel=1e-4)
                center = (f * t).sum() / f.sum()
                assert mine[f"center_{band}"] == pytest.approx(center, abs=1e-2)
                assert mine[f"width_{band}"] == pytest.approx(
                    np.sqrt((f * (t - center) ** 2).sum() / f.sum()), abs=1e-2
                )
            else:
                assert np.isnan(mine[f"peak_{band}"])
            near = of & (phase > PHASES[2]) & (phase <= PHASES[3])
            if near.any():
                mean = np.average(one.flux[near], weights=one.error[near].astype(float) ** -2)
                assert mine[f"phase_2_{band}"] == pytest.approx(np.arcsinh(mean / FLUX_SCALE_NJY), abs=1e-4)
            else:
                assert np.isnan(mine[f"phase_2_{band}"])


def test_a_colour_is_a_difference_of_magnitudes_where_it_is_bright():
    flux = 1e5 * 10 ** (0.4 * np.array([0.0, 0.7]))
    one = LightCurves.of(id=[1], row_size=[2], mjd=[0, 1], band=[1, 2], flux=flux, error=[10, 10])
    colour = column(light_curve_features(one), "colour_2_g-r")[0]
    assert -colour / (0.4 * np.log(10)) == pytest.approx(0.7, abs=1e-4)


def test_curves_with_nothing_in_them():
    none = LightCurves.of(id=[1, 2], row_size=[0, 1], mjd=[0], band=[0], flux=[-1], error=[1])
    features = light_curve_features(none)
    assert column(features, "n").tolist() == [0, 0] and np.isnan(column(features, "peak_g")).all()
    assert light_curve_features(none.select(np.zeros(0, int))).shape == (0, len(feature_names()))


@pytest.mark.parametrize("n_present", [2, 3])
def test_trees_are_those_of_scikit_learn(n_present):
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    codes = np.array([0, 2, 3])[rng.integers(n_present, size=400)]
    x = rng.normal(size=(400, 3)) + codes[:, None] * [1, 0, 0.3]
    x[rng.random(x.shape) < 0.2] = np.nan
    ours = grow_trees(x, codes, 4, rounds=8, leaves=7)
    theirs = HistGradientBoostingClassifier(
        max_iter=8,
        max_leaf_nodes=7,
        l2_regularization=1.0,
        max_bins=64,
        max_features=0.5,
        early_stopping=False,
        random_state=0,
    ).fit(x, codes)
    fresh = rng.normal(size=(500, 3)) * 2
    fresh[::5, 0] = np.nan
    logits = ours.logits(fresh)
    with np.errstate(invalid="ignore"):
        p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    np.testing.assert_allclose(p[:, theirs.classes_], theirs.predict_proba(fresh), atol=1e-9)
    assert (p[:, 1] == 0).all()


def test_features_beat_the_majority(fitted, some, example):
    curves, codes = example.example_curves(300, 1, visits=25)
    p = fitted.predict(curves)
    right = np.mean(p.argmax(1) == codes)
    chance = MajorityClassifier().fit(*some, 4).predict(curves)
    assert right > np.mean(chance.argmax(1) == codes) + 0.3
    truth = np.arange(len(codes)), codes
    assert -np.log(p[truth]).mean() < -np.log(chance[truth]).mean() - 0.3
    # Calibrated: as often right as it says, within what 300 objects tell.
    top = p.max(1)
    assert abs(right - top.mean()) < 4 * np.sqrt((top * (1 - top)).sum()) / len(top)


def test_a_sample_is_a_member(fitted, some):
    drawn = fitted.samples(some[0], 4)
    assert drawn.shape == (4, len(some[0]), 4)
    assert np.array_equal(drawn[0], drawn[2]) and not np.array_equal(drawn[0], drawn[1])
    np.testing.assert_allclose(drawn[:2].mean(0), fitted.predict(some[0]))
    assert (mutual_information(drawn)[1] > 0).all()


def test_what_is_saved_needs_no_scikit_learn(fitted, some, tmp_path, monkeypatch):
    fitted.save(tmp_path / "trees.npz")
    real = builtins.__import__

    def without(name, *more, **options):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    loaded = FeaturesClassifier.load(tmp_path / "trees.npz")
    assert np.array_equal(loaded.predict(some[0]), fitted.predict(some[0]))
    with pytest.raises(ImportError, match=r"pip install 'skysynergy\[features\]'"):
        FeaturesClassifier().fit(*some, 4)
    (tmp_path / "bad.npz").write_bytes(b"")
    with pytest.raises(ValueError, match="holds no saved FeaturesClassifier"):
        FeaturesClassifier.load(tmp_path / "bad.npz")


def test_majority_counts(tmp_path, some):
    curves, codes = some
    majority = MajorityClassifier().fit(curves, codes, 5)
    expected = (np.bincount(codes, minlength=5) + 1) / (len(codes) + 5)
    np.testing.assert_allclose(majority.predict(curves), np.tile(expected, (len(curves), 1)))
    assert mutual_information(majority.samples(curves, 3))[1].max() < 1e-12
    majority.save(tmp_path / "majority.json")
    assert MajorityClassifier.load(tmp_path / "majority.json") == majority
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no saved MajorityClassifier"):
        MajorityClassifier.load(tmp_path / "bad.json")


def test_mistakes_of_classes(some):
    curves, codes = some
    for model in (MajorityClassifier(), FeaturesClassifier()):
        with pytest.raises(ValueError, match="fit it first"):
            model.predict(curves)
        with pytest.raises(ValueError, match="need as many classes"):
            model.fit(curves, codes[1:], 4)
        with pytest.raises(ValueError, match="codes from 0 to 3, but there are -1"):
            model.fit(curves, np.full(len(codes), -1), 4)
        with pytest.raises(ValueError, match="two classes or more, not 1"):
            model.fit(curves, codes, 1)
    with pytest.raises(ValueError, match="all objects are of one"):
        FeaturesClassifier().fit(curves, np.zeros(len(codes), int), 4)
