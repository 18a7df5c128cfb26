"""Pictures of probabilities of classes: what is plotted is what the scores say, of odd objects too."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib import image as images
from matplotlib.container import ErrorbarContainer
from skysynergy.challenges.canvas import save
from skysynergy.challenges.classification_figures import confusion_figure, early_figure, reliability_figure
from skysynergy.scoring.classification_sums import classification_sums
from skysynergy.scoring.metrics import Group, Metric
from skysynergy.scoring.scorecard import Scorecard

NAMES = ("Ia", "II", "AGN")


def sums(p, true, **options):
    return classification_sums(np.arange(len(p)), p, true, positive=0, **options)


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def points(axes):
    """(x, y), and (low, high) of the bars, of each set of points."""
    found = []
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            ends = np.array(
                [segment[:, 1] for segment in container.lines[2][0].get_segments() if len(segment)]
            )
            found.append((*container.lines[0].get_data(), ends))
    return found


def contrast(figure, folder):
    save(figure, folder / "figure.png")
    return images.imread(folder / "figure.png")[..., :3].std()


class TestReliability:
    def test_points_are_shares_of_those_predicted_alike(self, tmp_path):
        # Ten with p(Ia) = 0.9, of which 8 are Ia; ten with p(II) = 0.62, of which 5 are II, none is Ia.
        p = np.repeat([[0.9, 0.05, 0.05], [0.2, 0.62, 0.18]], 10, axis=0)
        true = np.array([0] * 8 + [1] * 2 + [1] * 5 + [2] * 5)
        figure = reliability_figure(sums(p, true), names=NAMES, title="a method")
        top, ia, top_counts, ia_counts = figure.axes
        for axes, x, y in ((top, [0.62, 0.9], [0.5, 0.8]), (ia, [0.2, 0.9], [0.0, 0.8])):
            ((drawn_x, drawn_y, ends),) = points(axes)
            np.testing.assert_allclose(drawn_x, x)
            np.testing.assert_allclose(drawn_y, y)
            assert (ends[:, 0] <= y).all() and (ends[:, 1] >= y).all()
            # Wilson's interval of 8 of 10 at one sigma, in closed form.
            z = 0.99446
            middle, half = 0.8 + z**2 / 20, z * np.sqrt(0.016 + z**2 / 400)
            np.testing.assert_allclose(
                ends[1], (middle + half * np.array([-1, 1])) / (1 + z**2 / 10), rtol=1e-4
            )
        for axes, bins in ((top_counts, {9: 10, 13: 10}), (ia_counts, {3: 10, 13: 10})):
            counts = axes.patches[0].get_data().values
            assert {k: n for k, n in enumerate(counts) if n} == bins
        assert "probability of Ia" in texts(figure) and "debiased ECE" in texts(figure)
        assert "20 objects of predicted classes" in texts(figure)
        assert contrast(figure, tmp_path) > 0.05

    def test_another_class_can_be_asked_for(self):
        p = np.full((4, 3), [0.1, 0.2, 0.7])
        figure = reliability_figure(sums(p, np.array([2, 2, 2, 0])), names=NAMES, of=2)
        ((x, y, _),) = points(figure.axes[1])
        assert (x, y) == (pytest.approx([0.7]), [0.75]) and "probability of AGN" in texts(figure)

    @pytest.mark.parametrize("true", [[], [-1, -1]])
    def test_without_objects_of_a_predicted_class_it_says_so(self, true, tmp_path):
        p = np.full((len(true), 3), 1 / 3)
        figure = reliability_figure(sums(p, np.array(true, dtype=int)), names=NAMES)
        assert texts(figure).count("no objects") == 2 and "ECE" not in texts(figure)
        assert contrast(figure, tmp_path) > 0.02

    def test_one_object_has_a_point_and_no_error(self):
        figure = reliability_figure(sums(np.array([[0.5, 0.3, 0.2]]), np.array([0])), names=NAMES)
        assert len(points(figure.axes[0])) == 1 and "debiased ECE none" in texts(figure)

    def test_what_does_not_fit_is_refused(self):
        some = sums(np.full((4, 3), 1 / 3), np.zeros(4, int))
        with pytest.raises(ValueError, match="12 names do not fit 3 classes"):
            reliability_figure(some)
        with pytest.raises(ValueError, match="no class 5"):
            reliability_figure(some, names=NAMES, of=5)


class TestConfusion:
    def test_rows_add_up_and_cells_say_their_share(self):
        p = np.eye(3)[[0, 0, 0, 1, 1, 2, 2, 2]]
        figure = confusion_figure(p, [0, 0, 0, 0, 1, 2, 2, 1], names=NAMES, others=())
        (axes,) = figure.axes
        shares = np.asarray(axes.images[0].get_array())
        np.testing.assert_allclose(shares, [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 1]])
        cells = {
            tuple(t.get_position()[::-1]): t.get_text()
            for t in axes.texts
            if t.get_position()[0] in (0, 1, 2)
        }
        assert cells == {(0, 0): "75", (0, 1): "25", (1, 1): "50", (1, 2): "50", (2, 2): "100"}
        assert [t.get_text() for t in axes.texts if t.get_position()[0] > 2.5] == ["4", "2", "2"]
        assert [label.get_text() for label in axes.get_yticklabels()] == list(NAMES)
        assert [label.get_text() for label in axes.get_xticklabels()] == list(NAMES)

    def test_classes_that_are_not_predicted_have_rows_below(self, tmp_path):
        p = np.eye(3)[[0, 1, 2, 1, 1, 0]]
        figure = confusion_figure(
            p, [0, 1, 2, 4, 4, -1], names=NAMES, others=("Iax", "CaRT"), title="a method"
        )
        above, below = figure.axes
        np.testing.assert_allclose(above.images[0].get_array(), np.eye(3))
        # Iax has no object and no row.
        assert [label.get_text() for label in below.get_yticklabels()] == ["CaRT", "other"]
        np.testing.assert_allclose(below.images[0].get_array(), [[0, 1, 0], [1, 0, 0]])
        assert contrast(figure, tmp_path) > 0.05

    @pytest.mark.parametrize("true", [[], [0, 2]])
    def test_a_class_without_objects_is_named(self, true):
        figure = confusion_figure(np.eye(3)[true].reshape(-1, 3), np.array(true, int), names=NAMES, others=())
        shares = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
        assert np.isnan(shares[1]).all() and texts(figure).count("no objects") == 3 - len(true)

    @pytest.mark.parametrize(
        ("p", "codes", "message"),
        [
            (np.eye(2), [0, 1], r"shape \(2, 2\)"),
            (np.eye(3), [0, 1], r"codes \(2,\)"),
            (np.full((1, 3), np.nan), [0], "not finite"),
            (np.eye(3), [0, 1, 9], "no class has code 9"),
            (np.eye(3), [0, 1, -2], "no class has code -2"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, p, codes, message):
        with pytest.raises(ValueError, match=message):
            confusion_figure(p, codes, names=NAMES, others=("Iax",))


def early_card(
    entry="a", *, by="days_from_peak", values=((-2, 0.5), (0, 0.6), (10, 0.8)), half=0.1, level=0.68
):
    def metric(value):
        if value is None:
            return Metric("accuracy", None, None, None, level, reason="there are none")
        if half is None:
            return Metric("accuracy", value, None, None, level, reason="one cluster")
        return Metric("accuracy", value, value - half, value + 2 * half, level)

    whole = (Metric("accuracy", 0.7, 0.6, 0.8, level),)
    groups = [Group(by, (day, day), (metric(value),)) for day, value in values]
    groups.append(Group("redshift", (0.0, 0.5), whole))
    return Scorecard("transients", "early", "tiny", "validation", entry, whole, groups=tuple(groups))


class TestEarly:
    def test_points_and_bars_are_those_of_the_groups(self, tmp_path):
        # Groups come in any order.
        figure = early_figure(early_card(values=((10, 0.8), (-2, 0.5), (0, 0.6))), metrics=("accuracy",))
        (axes,) = figure.axes
        ((x, y, ends),) = points(axes)
        np.testing.assert_allclose(x, [-2, 0, 10])
        np.testing.assert_allclose(y, [0.5, 0.6, 0.8])
        np.testing.assert_allclose(ends, [[0.4, 0.7], [0.5, 0.8], [0.7, 1.0]])
        assert [label.get_text() for label in axes.get_xticklabels()] == ["−2", "0", "+10"]
        assert axes.get_xlabel() == "days from peak" and "68 %" in texts(figure)
        assert contrast(figure, tmp_path) > 0.02

    def test_rows_are_what_days_count_from(self):
        one, other = early_card("a"), early_card("b", by="days_from_first_detection")
        figure = early_figure([one, other], metrics=("accuracy",), title="early")
        assert [axes.get_xlabel() for axes in figure.axes] == ["days from peak", "days from first detection"]
        assert [len(points(axes)) for axes in figure.axes] == [1, 1]

    def test_a_value_that_is_not_there_breaks_the_line(self):
        figure = early_figure(early_card(values=((-2, 0.5), (0, None), (10, 0.8))), metrics=("accuracy",))
        ((_, y, ends),) = points(figure.axes[0])
        assert np.isnan(y).tolist() == [False, True, False]
        assert np.isfinite(ends[[0, -1]]).all()

    def test_a_value_without_an_interval_has_no_bar(self):
        ((_, y, ends),) = points(early_figure(early_card(half=None), metrics=("accuracy",)).axes[0])
        np.testing.assert_allclose(ends, np.stack([y, y], axis=1))

    def test_a_metric_without_any_value_says_so(self, tmp_path):
        figure = early_figure(early_card(), metrics=("accuracy", "purity"))
        assert texts(figure).count("no value") == 1
        assert contrast(figure, tmp_path) > 0.02

    def test_entries_are_told_apart(self):
        figure = early_figure([early_card("a"), early_card("b")], metrics=("accuracy",))
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
        first, second = figure.axes[0].containers
        assert first.lines[0].get_color() != second.lines[0].get_color()
        assert not np.allclose(first.lines[0].get_xdata(), second.lines[0].get_xdata())

    def test_wrong_scorecards_are_refused(self):
        with pytest.raises(ValueError, match="none"):
            early_figure([])
        with pytest.raises(ValueError, match="its own name"):
            early_figure([early_card(), early_card()])
        with pytest.raises(ValueError, match="score predictions for a track that is early"):
            early_figure(early_card(by="detections"))
