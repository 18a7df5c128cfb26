"""Counts: against quadrature, published fields, and their own inverse."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest
from skysynergy.simulators.counts import (
    I_BRIGHTEST,
    I_FAINTEST,
    I_SHARED,
    VARIANTS,
    check_variant,
    cumulative_arcmin2,
    density_arcmin2,
    draw_magnitudes,
    per_magnitude,
)

# COSMOS2020, i band of The Farmer: Weaver et al. (2022), table 2, log10 per mag and deg^2.
COSMOS2020 = {20.25: 3.44, 21.25: 3.85, 22.25: 4.21, 23.25: 4.54, 24.25: 4.86, 24.75: 4.97, 25.25: 5.08}
# F775W of three ultra-deep fields in Driver et al. (2016), per 0.5 mag and deg^2: lowest, highest.
DEEP = {26.25: (87753.0, 99900.0), 27.25: (155577.0, 180000.0), 28.25: (245580.0, 308700.0)}


def test_gold_sample_density(record_figure):
    density = density_arcmin2(25.3)
    record_figure("gold_density_arcmin2", density)
    assert density == pytest.approx(48.0, rel=0.10)


@pytest.mark.parametrize(("mag_i", "log_count"), COSMOS2020.items())
def test_within_ten_percent_of_cosmos2020(mag_i, log_count):
    assert per_magnitude(mag_i) * 3600 == pytest.approx(10**log_count, rel=0.10)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("limit", [20.0, 25.3, 26.0, 28.5])
def test_cumulative_is_the_integral(variant, limit):
    bright, _ = quad(lambda m: float(per_magnitude(m, variant)), 0.0, min(limit, I_SHARED), epsabs=1e-10)
    faint, _ = quad(lambda m: float(per_magnitude(m, variant)), min(limit, I_SHARED), limit, epsabs=1e-10)
    # The parabola's own tail brighter than 0 is far below one galaxy in the sky.
    assert cumulative_arcmin2(limit, variant) == pytest.approx(bright + faint, rel=1e-8)


def test_variants_agree_to_the_shared_limit_and_bracket_the_deep_fields_beyond():
    bright = np.linspace(16.0, I_SHARED, 50)
    for variant in VARIANTS:
        assert np.array_equal(per_magnitude(bright, variant), per_magnitude(bright, "mid"))
        # No step at the limit.
        above, below = per_magnitude(np.array([I_SHARED - 1e-9, I_SHARED + 1e-9]), variant)
        assert above == pytest.approx(below, rel=1e-6)
    for mag_i, (fewest, most) in DEEP.items():
        low, mid, high = (float(per_magnitude(mag_i, variant)) * 1800 for variant in VARIANTS)
        assert low < mid < high
        if mag_i > 27:
            assert low < fewest < mid < most < high


@pytest.mark.parametrize("variant", VARIANTS)
def test_drawing_inverts_the_counts(variant):
    uniform = np.linspace(0.0, 1.0, 10_001)
    mag_i = draw_magnitudes(uniform, 28.0, variant)
    assert mag_i[0] == pytest.approx(I_BRIGHTEST, abs=1e-6)
    assert mag_i[-1] == pytest.approx(28.0)
    assert np.all(np.diff(mag_i) > 0)
    found = cumulative_arcmin2(mag_i, variant) - cumulative_arcmin2(I_BRIGHTEST)
    np.testing.assert_allclose(found, uniform * density_arcmin2(28.0, variant), atol=1e-9)


def test_brighter_limits_draw_from_the_same_curve():
    mag_i = draw_magnitudes(np.random.default_rng(1).uniform(size=20_000), 24.0, brightest=21.0)
    low, total = cumulative_arcmin2(21.0), density_arcmin2(24.0, brightest=21.0)
    assert kstest(mag_i, lambda m: (cumulative_arcmin2(m) - low) / total).pvalue > 1e-3


def test_shapes_are_kept():
    assert per_magnitude(np.full((2, 3), 24.0)).shape == (2, 3)
    assert draw_magnitudes(np.empty(0), 25.0).shape == (0,)


def test_refusals_say_what_to_do():
    with pytest.raises(ValueError, match="'low', 'mid' or 'high'"):
        check_variant("medium")
    with pytest.raises(ValueError, match="no variant is called 'best'"):
        per_magnitude(24.0, "best")
    with pytest.raises(ValueError, match="beyond i = 28.5"):
        per_magnitude([20.0, I_FAINTEST + 0.1])
    with pytest.raises(ValueError, match="a magnitude is nan"):
        cumulative_arcmin2(float("nan"))
    with pytest.raises(ValueError, match="in order, between 16.0 and 28.5"):
        density_arcmin2(17.0)
    with pytest.raises(ValueError, match="from i = 15.0 to 25.0"):
        draw_magnitudes(np.zeros(1), 25.0, brightest=15.0)
