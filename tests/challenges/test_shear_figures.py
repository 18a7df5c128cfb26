"""Pictures of the shear: the fit that is scored, the requirement, and every entry beside the others."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib import image as images
from skysynergy.challenges.canvas import save
from skysynergy.challenges.shear_figures import bias_figure, shear_figure
from skysynergy.challenges.typography import measured, power_of_ten, signed
from skysynergy.scoring.metrics import Metric
from skysynergy.scoring.scorecard import Scorecard
from skysynergy.scoring.shear import shear_bias, shear_sums


def fields(n, m=0.1, sigma=0.01, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.uniform(-0.05, 0.05, (n, 2))
    covariance = np.tile([sigma**2, sigma**2, 0.1 * sigma**2], (n, 1))
    return true, (1 + m) * true + sigma * rng.standard_normal((n, 2)), covariance


def card(entry, values, half=0.0, level=0.68):
    """A scorecard with these m1 and c1; an interval of the given half width, or none."""
    metrics = []
    for (name, value), limit in zip(values.items(), (2e-3, 2e-4), strict=True):
        if value is None:
            metrics.append(Metric(name, None, None, None, level, requirement=limit, reason="not measured"))
        else:
            width = half * limit
            metrics.append(Metric(name, value, value - width, value + width, level, requirement=limit))
    return Scorecard("shear", "joint", "tiny", "validation", entry, tuple(metrics))


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def contrast(figure, folder):
    save(figure, folder / "figure.png")
    return images.imread(folder / "figure.png")[..., :3].std()


@pytest.mark.parametrize("with_covariance", [True, False])
@pytest.mark.parametrize("n", [1, 4, 39, 40, 500])
def test_any_number_of_fields_is_drawn(n, with_covariance, tmp_path):
    true, estimated, covariance = fields(n)
    figure = shear_figure(
        true, estimated, covariance if with_covariance else None, limit_m=2e-3, title="a method"
    )
    assert contrast(figure, tmp_path) > 0.05


def test_the_line_is_the_fit_that_is_scored():
    true, estimated, covariance = fields(200)
    figure = shear_figure(true, estimated, covariance)
    bias = shear_bias(shear_sums(np.arange(200), true, estimated).total())
    for i, axes in enumerate(figure.axes):
        line = next(line for line in axes.lines if line.get_label() == "fit: m g + c")
        (x0, x1), (y0, y1) = line.get_xdata(), line.get_ydata()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(float(bias[f"m{i + 1}"]))
        assert (y0 + y1) / 2 == pytest.approx(float(bias[f"c{i + 1}"]), abs=1e-12)


def test_the_requirement_is_shaded_only_where_there_is_one():
    true, estimated, _ = fields(10, sigma=1e-5, m=0.001)
    assert "required: |m| < 0.002, |c| < 0.0002" in texts(shear_figure(true, estimated, limit_m=2e-3))
    assert "required" not in texts(shear_figure(true, estimated))
    assert "too narrow to see" in texts(shear_figure(true, true + 1, limit_m=2e-3))


def test_wrong_fields_are_refused():
    true, estimated, covariance = fields(5)
    with pytest.raises(ValueError, match="a field or more"):
        shear_figure(np.empty((0, 2)), np.empty((0, 2)))
    with pytest.raises(ValueError, match="estimated"):
        shear_figure(true, estimated[:4])
    with pytest.raises(ValueError, match="positive definite"):
        shear_figure(true, estimated, -covariance)


def test_an_entry_far_off_does_not_squash_the_others(tmp_path):
    cards = [
        card("null", {"m1": -1.0, "c1": 0.0}),
        card("good", {"m1": 1e-3, "c1": 1e-5}, half=0.3),
        card("wide", {"m1": 5e-3, "c1": 3e-4}, half=2),
    ]
    figure = bias_figure(cards, names=("m1", "c1"), title="bias")
    m, c = figure.axes
    assert m.get_xlim()[1] * 1e-3 < 0.02
    assert "off scale: −1" in texts(figure)
    assert texts(figure).count("off scale") == 1
    assert [label.get_text() for label in m.get_yticklabels()] == ["null", "good", "wide"]
    assert "10⁻³" in m.get_xlabel()
    assert "10⁻⁴" in c.get_xlabel()
    assert contrast(figure, tmp_path) > 0.05


def test_the_null_alone_is_on_the_scale():
    figure = bias_figure([card("null", {"m1": -1.0, "c1": 0.0})], names=("m1", "c1"))
    assert figure.axes[0].get_xlim()[0] < -1
    assert "off scale" not in texts(figure)


def test_wide_intervals_are_drawn_around_the_others():
    values = {"m1": 1e-3, "c1": 1e-5}
    narrow, wide = card("a", values, half=0.5), card("a", values, half=1.0, level=0.95)
    without = bias_figure([narrow], names=("m1",))
    figure = bias_figure([narrow], wide=[wide], names=("m1",))
    assert len(figure.axes[0].lines) == len(without.axes[0].lines) + 1
    assert "68 % and 95 %" in texts(figure)
    ends = [line.get_xdata()[1] for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert any(np.isclose(end * 1e-3, 3e-3) for end in ends)


def test_a_metric_without_a_value_says_so():
    assert "no value" in texts(bias_figure([card("a", {"m1": None, "c1": 0.0})], names=("m1", "c1")))


def test_wrong_scorecards_are_refused():
    one = card("a", {"m1": 0.0, "c1": 0.0})
    with pytest.raises(ValueError, match="there is none"):
        bias_figure([])
    with pytest.raises(ValueError, match="its own name"):
        bias_figure([one, one])
    with pytest.raises(KeyError, match="no metric 'm2'"):
        bias_figure([one])


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.00041, -0.0011, 0.0019), "(+0.4 ± 1.5) × 10⁻³"),
        ((1.034, 0.97, 1.12), "+1.034 −0.064/+0.086"),
        ((-1.0, -1.0, -1.0), "−1"),
        ((0.0, 0.0, 0.0), "0"),
        ((0.0, None, None), "0"),
        ((-1e-7, None, None), "−1 × 10⁻⁷"),
        ((0.0001, -0.02, 0.02), "0.000 ± 0.020"),
        ((123456.0, 123000.0, 124000.0), "(+1.2346 −0.0046/+0.0054) × 10⁵"),
        ((0.5, 0.5, 0.6), "+0.50 −0.00/+0.10"),
    ],
)
def test_numbers_have_the_digits_that_their_interval_allows(numbers, text):
    assert measured(*numbers, plus=True) == text


def test_signs_and_powers_are_typeset():
    assert signed(-0.0123, 3) == "−0.012"
    assert signed(0.5, 1) == "+0.5"
    assert power_of_ten(-12) == "10⁻¹²"
