"""Pictures of light curves: what is plotted is what was observed, whatever is not known of an object."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import xarray
from matplotlib import image as images
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import StepPatch
from skysynergy.challenges import transient_figures
from skysynergy.challenges.canvas import BAND_COLOURS, SOFT, save
from skysynergy.challenges.challenge import load
from skysynergy.challenges.transient_figures import gallery_figure, light_curve_figure
from skysynergy.simulators.surveys import BANDS
from skysynergy.simulators.transient_classes import CLASSES
from skysynergy.simulators.transients import KINDS

IA, AGN, IAX = (KINDS.index(name) for name in ("Ia", "AGN", "Iax"))
Z = (0.30, 0.40, 0.50, 0.60, 0.70)


def an_object(
    bands="griz",
    n=12,
    *,
    kind=IA,
    start=61000.0,
    step=3.0,
    peak=12.0,
    until=20.0,
    z=Z,
    detected=True,
    error=50.0,
):
    """A bump of 2000 nJy, one observation in each step."""
    day = step * np.arange(n)
    flux = 2000 * np.exp(-(((day - 12) / 10) ** 2))
    return {
        "mjd": start + day,
        "band": np.array([BANDS[bands[k % len(bands)]].code for k in range(n)]),
        "true": flux,
        "flux": flux + 10,
        "error": np.full(n, error),
        "detected": (flux > 500) & detected,
        "kind": kind,
        "peak_mjd": start + peak,
        "until": start + until,
        "host_z": np.full(5, np.nan) if z is None else np.array(z),
        "z": 0.52,
    }


def split(*objects):
    """The data and the truth of a split of these objects."""
    n = len(objects)
    row_size = np.array([len(one["mjd"]) for one in objects], dtype=np.int64)

    def of_objects(name):
        return np.array([one[name] for one in objects])

    def flat(name, dtype):
        return ("observation", np.concatenate([one[name] for one in objects] or [[]]).astype(dtype))

    data = {
        "objects": xarray.Dataset({
            "id": ("object", 1000 + np.arange(n)),
            "row_size": ("object", row_size),
            "until": ("object", of_objects("until")),
            "host_z": (("object", "level"), of_objects("host_z").reshape(n, 5).astype(np.float32)),
            "host_spectrum": ("object", np.zeros(n, bool)),
            "galactic_excess": ("object", np.full(n, 0.05, np.float32)),
        }),
        "observations": xarray.Dataset({
            "mjd": flat("mjd", np.float64), "band": flat("band", np.uint8), "flux": flat("flux", np.float32),
            "error": flat("error", np.float32), "detected": flat("detected", bool),
        }),
    }  # fmt: skip
    truth = {
        "objects": xarray.Dataset({
            "id": ("object", 1000 + np.arange(n)),
            **{name: ("object", of_objects(name)) for name in ("kind", "z", "peak_mjd")},
        }),
        "observations": xarray.Dataset({"flux": flat("true", np.float32)}),
    }  # fmt: skip
    return xarray.DataTree.from_dict(data), xarray.DataTree.from_dict(truth)


def texts(figure):
    """All that is written, without breaks of lines."""
    return " | ".join(text.get_text().replace("\n", " ") for text in figure.findobj(matplotlib.text.Text))


def points(axes):
    """{label: (x, y, half bar)} of what has error bars."""
    found = {}
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        x, y = container.lines[0].get_data()
        bars = (
            np.array([segment[1, 1] - segment[0, 1] for segment in container.lines[2][0].get_segments()]) / 2
        )
        found[container.get_label()] = (np.asarray(x), np.asarray(y), bars)
    return found


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def flat_beliefs(curves):
    return np.full((len(curves), len(CLASSES)), 1 / len(CLASSES))


def test_points_are_the_observations_by_band_and_detection():
    one = an_object("griy")
    data, truth = split(an_object("g"), one)
    figure = light_curve_figure(data, truth, 1)
    drawn = points(figure.axes[0])
    assert set(drawn) == {f"{b} {what}" for b in "griy" for what in ("detected", "forced")}
    for label, (x, y, bars) in drawn.items():
        band, what = label.split()
        rows = (one["band"] == BANDS[band].code) & (one["detected"] == (what == "detected"))
        np.testing.assert_allclose(x, one["mjd"][rows])
        np.testing.assert_allclose(y, one["flux"][rows], rtol=1e-6)
        np.testing.assert_allclose(bars, one["error"][rows], rtol=1e-4)
    for container in figure.axes[0].containers:
        band, what = container.get_label().split()
        marks = container.lines[0]
        assert marks.get_color() == BAND_COLOURS[band]
        filled = to_hex(marks.get_markerfacecolor()).lower() == BAND_COLOURS[band].lower()
        assert filled == (what == "detected")


def test_strong_fluxes_are_in_microjansky():
    one = an_object("r")
    one |= {"flux": one["flux"] * 100}
    figure = light_curve_figure(*split(one))
    assert "µJy" in figure.axes[0].get_ylabel()
    y = np.sort(np.concatenate([y for _, y, _ in points(figure.axes[0]).values()]))
    np.testing.assert_allclose(y, np.sort(one["flux"]) / 1e3, rtol=1e-6)


def test_the_truth_is_drawn_only_where_it_is_given():
    one = an_object("r")
    data, truth = split(one)
    axes = (with_truth := light_curve_figure(data, truth)).axes[0]
    assert lines(axes)["peak"].get_xdata()[0] == one["peak_mjd"]
    np.testing.assert_allclose(lines(axes)["r true"].get_ydata(), one["true"], rtol=1e-6)
    assert "Ia at z = 0.520" in texts(with_truth)
    assert lines(with_truth.axes[1])["true"].get_xdata()[0] == 0.52
    without = light_curve_figure(data)
    assert not {"peak", "r true"} & set(lines(without.axes[0])) and "true" not in lines(without.axes[1])
    assert "Ia" not in texts(without) and "true" not in texts(without)
    # What the early track hides is no secret: it is in the data.
    for figure in (with_truth, without):
        (span,) = [p for p in figure.axes[0].patches if p.get_label() == "hidden"]
        assert span.get_extents().transformed(figure.axes[0].transData.inverted()).x0 == pytest.approx(
            one["until"]
        )


def test_true_fluxes_are_not_joined_over_a_season_without_observations():
    one = an_object("r", n=4)
    one["mjd"] = 61000.0 + np.array([0, 3, 200, 203])
    y = lines(light_curve_figure(*split(one)).axes[0])["r true"].get_ydata()
    assert np.isnan(y).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("changes", "shown", "said"),
    [
        ({"peak": np.nan, "kind": AGN}, False, ""),
        ({"peak": 40.0}, True, " peak"),
        ({"peak": 400.0}, False, "peak 367 days later →"),
        ({"peak": -100.0}, False, "← peak 100 days before"),
    ],
)
def test_a_peak_beyond_the_observations_is_named(changes, shown, said):
    figure = light_curve_figure(*split(an_object(**changes)))
    assert ("peak" in lines(figure.axes[0])) == shown
    assert said in texts(figure)
    if shown:
        assert figure.axes[0].get_xlim()[1] > 61040


def test_an_early_cut_after_the_last_observation_hides_nothing():
    figure = light_curve_figure(*split(an_object(until=500.0)))
    assert not figure.axes[0].patches and "hidden" not in texts(figure)


def test_p_of_z_has_the_mass_that_its_quantiles_say():
    data, truth = split(an_object(z=(0.1, 0.3, 0.5, 0.6, 1.0)))
    axes = light_curve_figure(data, truth).axes[1]
    (steps,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    values, edges, _ = steps.get_data()
    np.testing.assert_allclose(edges, (0.1, 0.3, 0.5, 0.6, 1.0), rtol=1e-6)
    mass = values * np.diff(edges)
    # 13.6 %, 34.1 %, 34.1 %, 13.6 % of a normal distribution between -2, -1, 0, 1, 2 sigma.
    np.testing.assert_allclose(
        mass / mass.sum(), np.array([0.1359, 0.3413, 0.3413, 0.1359]) / 0.9544, atol=1e-4
    )
    assert lines(axes)["median"].get_xdata()[0] == pytest.approx(0.5)


def test_a_host_without_redshift_or_without_width_is_drawn():
    data, truth = split(an_object(z=None), an_object(z=(0.2,) * 5))
    none = light_curve_figure(data, truth, 0)
    assert "no host was found" in texts(none) and "median" not in lines(none.axes[1])
    certain = light_curve_figure(data, truth, 1).axes[1]
    assert np.isfinite(certain.patches[0].get_data().values).all()
    assert lines(certain)["median"].get_xdata()[0] == pytest.approx(0.2)


def test_uncertain_observations_do_not_squash_the_others():
    one = an_object("r")
    one["flux"] = one["flux"].copy()
    one["flux"][0], one["error"][0] = -1e6, 1e6
    figure = light_curve_figure(*split(one))
    low, high = figure.axes[0].get_ylim()
    assert high < 3000 and low > -1000
    assert "1 uncertain observation lies beyond the frame" in texts(figure)
    assert "beyond the frame" not in texts(light_curve_figure(*split(an_object("r"))))


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("detected", [True, False])
def test_an_object_with_hardly_an_observation_is_drawn(n, detected, tmp_path):
    figure = light_curve_figure(*split(an_object(n=n, detected=detected)), probabilities=flat_beliefs)
    assert f"0 detections among {n} observations" in texts(figure)
    assert "nothing is believed yet" in texts(figure)
    save(figure, tmp_path / "figure.png")
    assert images.imread(tmp_path / "figure.png").std() > 0.05


def test_bands_of_euclid_and_unknown_ones_have_their_marks():
    one = an_object("griz", n=6)
    one["band"] = np.array([BANDS["VIS"].code, BANDS["H"].code, 200, BANDS["VIS"].code, BANDS["H"].code, 200])
    axes = light_curve_figure(*split(one)).axes[0]
    marks = {c.get_label().split(" ")[0]: c.lines[0] for c in axes.containers}
    assert {name: mark.get_marker() for name, mark in marks.items()} == {"VIS": "s", "H": "D", "band": "^"}
    assert marks["band"].get_color() == SOFT
    assert len({BAND_COLOURS[name] for name in BAND_COLOURS}) == len(BAND_COLOURS) == 10


class TestBeliefs:
    def test_a_classifier_is_asked_after_each_night_from_the_first_detection_on(self):
        one = an_object("r", n=12, step=3.0)
        # Twice in the first night with a detection.
        first = int(np.flatnonzero(one["detected"])[0])
        one["mjd"][first + 1] = one["mjd"][first] + 0.02
        asked = []

        def believes(curves):
            asked.append(curves)
            # The number of observations so far, in the probability of Ia.
            p = np.zeros((len(curves), len(CLASSES)))
            p[:, 0] = curves.row_size / 12
            p[:, 1] = 1 - p[:, 0]
            return p

        figure = light_curve_figure(*split(an_object("g"), one), 1, probabilities=believes)
        (curves,) = asked
        assert len(np.unique(curves.id)) == len(curves)
        assert curves.row_size.tolist() == list(range(first + 2, 13))
        assert np.isfinite(curves.host_z).all()
        below = figure.axes[3]
        ia = next(line for label, line in lines(below).items() if label.startswith("Ia (true)"))
        np.testing.assert_allclose(ia.get_xdata(), one["mjd"][first + 1 :])
        np.testing.assert_allclose(ia.get_ydata(), np.arange(first + 2, 13) / 12)
        assert ia.get_label() == "Ia (true)  1.00"

    def test_long_curves_are_asked_about_at_some_nights_up_to_the_last(self):
        one = an_object("r", n=400, step=1.0)
        asked = []
        light_curve_figure(*split(one), probabilities=lambda c: asked.append(c) or flat_beliefs(c))
        assert len(asked[0]) == transient_figures.MOST_MOMENTS
        assert asked[0].row_size[-1] == 400

    def test_probabilities_after_each_observation_are_drawn_where_there_are_any(self):
        one = an_object("r", n=5, kind=7)
        p = np.random.default_rng(0).dirichlet(np.ones(len(CLASSES)), 5)
        p[0] = np.nan
        below = light_curve_figure(*split(one), probabilities=p).axes[3]
        drawn = lines(below)
        shown = {label.split("  ")[0]: line for label, line in drawn.items() if "  " in label}
        truth = next(line for name, line in shown.items() if name == f"{KINDS[7]} (true)")
        np.testing.assert_allclose(truth.get_ydata(), p[1:, 7])
        np.testing.assert_allclose(truth.get_xdata(), one["mjd"][1:])
        # All lines together are all that is believed.
        np.testing.assert_allclose(sum(line.get_ydata() for line in shown.values()), 1)

    @pytest.mark.parametrize("kind", [IA, IAX])
    def test_a_class_is_called_true_only_if_it_is(self, kind):
        data, truth = split(an_object(kind=kind))
        assert ("(true)" in texts(light_curve_figure(data, truth, probabilities=flat_beliefs))) == (
            kind == IA
        )
        assert "(true)" not in texts(light_curve_figure(data, probabilities=flat_beliefs))

    def test_another_shape_is_refused(self):
        data, truth = split(an_object(n=12))
        with pytest.raises(
            ValueError, match=r"shape \(3, 12\): 12 observations and 12 classes need \(12, 12\)"
        ):
            light_curve_figure(data, truth, probabilities=np.ones((3, 12)))
        with pytest.raises(ValueError, match="light curves and 12 classes need"):
            light_curve_figure(data, truth, probabilities=lambda curves: np.ones((len(curves), 3)))


@pytest.mark.parametrize("number", [-1, 1])
def test_an_object_that_is_not_there_is_refused(number):
    data, truth = split(an_object())
    with pytest.raises(ValueError, match=f"no object {number}: this split has objects 0 to 0"):
        light_curve_figure(data, truth, number)


def test_what_is_no_split_of_transients_is_refused():
    data, truth = split(an_object(), an_object())
    with pytest.raises(ValueError, match="no groups /objects and /observations"):
        light_curve_figure(xarray.DataTree.from_dict({"scenes": xarray.Dataset()}))
    for draw in (light_curve_figure, gallery_figure):
        with pytest.raises(ValueError, match="open both from one split"):
            draw(data, split(an_object())[1])
    with pytest.raises(ValueError, match="at least one light curve"):
        gallery_figure(data, truth, per_class=0)


class TestGallery:
    def test_every_class_has_a_panel_and_held_out_ones_where_there_are_any(self):
        figure = gallery_figure(*split(an_object(kind=IA), an_object(kind=AGN, peak=np.nan)))
        titles = [axes.get_title("left") for axes in figure.axes]
        assert titles == list(CLASSES)
        assert texts(figure).count("no object of this class") == len(CLASSES) - 2
        held = gallery_figure(*split(an_object(kind=IAX)))
        assert [axes.get_title("left") for axes in held.axes][: len(CLASSES) + 1] == [
            *CLASSES,
            "Iax  (held out)",
        ]

    def test_days_count_from_the_peak_or_from_the_first_detection(self):
        one = an_object("r")
        figure = gallery_figure(*split(one, {**one, "kind": AGN, "peak_mjd": np.nan}))
        first = one["mjd"][one["detected"]].min()
        for axes, origin in ((figure.axes[IA], one["peak_mjd"]), (figure.axes[AGN], first)):
            x, y, _ = points(axes)["r detected"]
            np.testing.assert_allclose(x, one["mjd"][one["detected"]] - origin)
            np.testing.assert_allclose(y, one["flux"][one["detected"]] / 1e3, rtol=1e-6)

    def test_objects_with_many_nights_are_chosen(self):
        objects = [an_object("r", n=n) for n in range(3, 23)]
        figure = gallery_figure(*split(*objects))
        # Twenty with ever more nights, to four: the rest of the bump is too faint. Ties go by number.
        nights = [len(np.unique(np.floor(one["mjd"][one["detected"]]))) for one in objects]
        number = int(figure.axes[IA].get_title("right").split()[-1])
        assert nights[number] == np.sort(nights)[round(0.9 * 19)]

    def test_so_many_of_each_class_as_asked_for(self):
        figure = gallery_figure(*split(*[an_object("r", n=n) for n in (5, 6, 7)]), per_class=2)
        assert len(figure.axes) == 2 * len(CLASSES)
        numbers = {axes.get_title("right") for axes in figure.axes[:2]}
        assert len(numbers) == 2
        more = gallery_figure(*split(an_object("r")), per_class=2)
        assert "no other object" in texts(more)

    def test_an_object_that_was_never_detected_is_drawn(self):
        figure = gallery_figure(*split(an_object("r", detected=False)))
        assert figure.axes[IA].containers


def test_simulated_light_curves_are_drawn(little_transients, tmp_path):
    challenge = load("transients")
    data, truth = challenge.open(), challenge.truth()
    figure = challenge.draw(data, truth, 39)
    (curves,) = challenge.given()
    own = curves.select([39])
    assert sum(len(x) for x, _, _ in points(figure.axes[0]).values()) == own.row_size[0]
    save(gallery_figure(data, truth), tmp_path / "gallery.png")
    assert images.imread(tmp_path / "gallery.png").std() > 0.05
    with pytest.raises(ValueError, match="no exposures"):
        challenge.draw(data, truth, exposures=True)
