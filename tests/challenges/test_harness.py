"""The harness: matched pairs that tell a method nothing, fresh processes, and the bias that was put in."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skysynergy.challenges import harness
from skysynergy.challenges.challenge import Scenario, load
from skysynergy.challenges.harness import SPLIT, calibrate, harness_field
from skysynergy.challenges.method import load_field
from skysynergy.challenges.names import UnknownNameError
from skysynergy.challenges.run_method import MethodError
from skysynergy.challenges.shear import Shear
from skysynergy.scoring.scorecard import Scorecard
from skysynergy.scoring.shear import shear_bias, shear_sums
from skysynergy.simulators import fields
from skysynergy.simulators.exposures import expose
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.scenes import Content, draw_scene
from skysynergy.simulators.sky import Sky, field_shear
from skysynergy.simulators.sources import sheared

SHEAR = load("shear")
SECRET = b"sixteen bytes of secret, no less"
NULL = "skysynergy.baselines.null:NullShear"
BIAS = ("m1", "m2", "c1", "c2")
# One galaxy in the middle of each scene, in exposures that cost little.
QUICK = Scenario(
    "quick",
    Sky(
        1, 4, {"i": 1, "VIS": 2},
        width_arcsec=9.6, content=Content("isolated", i_limit=22.5), shear_range=(0.02, 0.02), partners=True,
    ),
    "a galaxy",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def quick():
    """The scenario ``quick``, and the example methods where fresh processes find them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Shear.scenarios, "quick", QUICK)
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        yield


def run(method, **options):
    method = method if ":" in method else f"example_methods:{method}"
    return calibrate(SHEAR, method, **{"scenario": "quick", "pairs": 4, "secret": SECRET} | options)


def metrics(measured):
    return {m.name: (m.value, m.low, m.high) for m in measured.scorecard.metrics}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """What `Recorder` wrote down of four fields, by id; and the folder with the files it was given."""
    folder = tmp_path_factory.mktemp("record")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECORD", str(folder))
        run("Recorder", pairs=4)
    return {int(path.stem): json.loads(path.read_text()) for path in folder.glob("*.json")}, folder


@pytest.fixture(scope="module")
def shape():
    """A run of a method that measures pixels: 6 pairs of fields of 4 galaxies."""
    return run("Shape", pairs=24)


class TestPairs:
    """What the two fields of a pair share, and that nothing tells which is which."""

    @pytest.mark.parametrize("number", [0, 3])
    def test_they_share_all_but_the_shear_of_the_galaxies(self, number):
        track = SHEAR.track("joint")
        (plus, g), (minus, opposite) = (harness_field(QUICK, track, SECRET, number, s) for s in (1, -1))
        assert g == -opposite and abs(g) == pytest.approx(0.02, rel=1e-12)
        assert plus.id != minus.id and plus.width_arcsec == minus.width_arcsec
        assert list(plus.surveys) == list(minus.surveys) == ["LSST", "EUCLID_VIS"]
        for name, one in plus.surveys.items():
            other = minus.surveys[name]
            for key in vars(one):
                if key != "image":
                    np.testing.assert_array_equal(getattr(one, key), getattr(other, key), err_msg=key)
            # The galaxy changed; the noise beside it did not, not even by its quantisation.
            changed = one.image != other.image
            middle = slice(round(3.3 / one.pixel_arcsec), round(6.3 / one.pixel_arcsec))
            assert changed[..., middle, middle].mean() > max(0.05, 3 * changed.mean() / 2)
            sigma = np.sqrt(one.sky_variance + one.read_variance)[..., None, None]
            edge = (np.abs(one.image - other.image) / sigma)[..., :4, :]
            assert np.median(edge) == 0 and edge.max() < 0.5

    def test_without_galaxies_they_are_the_same(self):
        blank = replace(QUICK, sky=replace(QUICK.sky, content=Content(i_limit=18.01)))
        plus, minus = (harness_field(blank, SHEAR.track(), SECRET, 0, s)[0] for s in (1, -1))
        for name, one in plus.surveys.items():
            assert one.image.std() > 0
            np.testing.assert_array_equal(one.image, minus.surveys[name].image)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_their_images_are_decoded_to_the_flux_that_was_drawn(self, sign):
        """To half a step, a thirty-second of the noise, for a field that is not the first."""
        number, spec = 2, QUICK.sky
        field, g = harness_field(QUICK, SHEAR.track(), SECRET, number, sign)
        scene = number * spec.scenes_per_field
        rng = generator(SECRET, "galaxies", SPLIT, scene)
        drawn = draw_scene(rng, spec.content, width_arcsec=9.6)
        for name, observation in fields.observe(spec, SECRET, SPLIT, number).items():
            taken = expose(
                sheared(drawn, g.real, g.imag, in_place=True),
                observation,
                width_arcsec=9.6,
                secret=SECRET,
                indices=(SPLIT, number, scene),
            )
            found = field.surveys[name]
            step = np.array([noise.sigma for noise in observation.backgrounds])[:, None, None] / 16
            error = np.abs(found.image[0] - taken.image) / step
            assert error.max() < 0.501 and error.mean() == pytest.approx(0.25, abs=0.01)
            np.testing.assert_array_equal(found.wcs[0], taken.wcs)

    def test_a_track_decides_what_is_seen(self):
        field, _ = harness_field(QUICK, SHEAR.track("lsst"), SECRET, 0, 1)
        assert list(field.surveys) == ["LSST"] and field.surveys["LSST"].band.tolist() == ["i"]

    def test_no_two_fields_share_an_id_and_no_id_tells_the_sign(self):
        one = replace(QUICK, sky=replace(QUICK.sky, scenes_per_field=2, visits={"i": 1}, width_arcsec=0.6))
        ids = np.array(
            [
                [harness_field(one, SHEAR.track("lsst"), SECRET, n, s)[0].id for s in (1, -1)]
                for n in range(40)
            ]
        )
        assert len(np.unique(ids)) == 80
        # Of 40 pairs, +g has the larger id, and the odd one, in about half: 20 ± 3.2.
        assert 8 < np.sum(ids[:, 0] > ids[:, 1]) < 32
        assert 8 < np.sum(ids[:, 0] % 2) < 32 and 8 < np.sum(ids[:, 1] % 2) < 32


class TestSecrecy:
    """What a method can know of where it runs."""

    def test_every_field_has_a_process_of_its_own(self, record):
        known, _ = record
        assert len(known) == 4
        assert len({entry["pid"] for entry in known.values()}) == 4
        assert [entry["calls"] for entry in known.values()] == [1, 1, 1, 1]

    def test_it_has_one_thread_unless_told_otherwise(self, record):
        assert {entry["threads"] for entry in record[0].values()} == {"1"}

    def test_the_secret_is_nowhere(self, record):
        known, folder = record
        forms = (SECRET, SECRET.hex().encode(), str(SECRET).encode())
        for identity, entry in known.items():
            told = json.dumps([entry["argv"], entry["environment"]]).encode()
            given = (folder / f"{identity}.npz").read_bytes()
            for form in forms:
                assert form not in told and form not in given
            assert entry["folder"] == ["field.npz"]
            # Module, file and answer: nothing that counts or names the field.
            _, method, field, answer = entry["argv"]
            assert method == "example_methods:Recorder"
            assert (Path(field).name, Path(answer).name) == ("field.npz", "answer.json")

    def test_the_file_holds_neither_shear_nor_sign_nor_number(self, record):
        known, folder = record
        shears = [harness_field(QUICK, SHEAR.track(), SECRET, n, 1)[1] for n in range(2)]
        for identity in known:
            field = load_field(folder / f"{identity}.npz")
            assert field.id == identity
            numbers = [np.ravel(v) for x in field.surveys.values() for v in vars(x).values()]
            numbers = np.concatenate([v for v in numbers if v.dtype.kind in "fiu"]).astype(float)
            for g in shears:
                for part in (g.real, g.imag, abs(g)):
                    assert np.abs(np.abs(numbers) - abs(part)).min() > 1e-12 * abs(part)

    def test_files_of_a_pair_differ_in_images_and_id_alone(self, record):
        known, folder = record
        fields = [load_field(folder / f"{identity}.npz") for identity in known]
        shared = [x.surveys["LSST"].wcs.tobytes() for x in fields]
        assert sorted(shared.count(wcs) for wcs in shared) == [2, 2, 2, 2]
        for one in fields:
            other = next(
                x for x in fields if x is not one and shared[fields.index(x)] == shared[fields.index(one)]
            )
            for name, exposures in one.surveys.items():
                same = {
                    k
                    for k, v in vars(exposures).items()
                    if np.array_equal(v, getattr(other.surveys[name], k))
                }
                assert set(vars(exposures)) - same == {"image"}


class Fake:
    """Stands for simulation and method: answers (1 + m) g + c + noise, and writes down the order of calls."""

    def __init__(self, m=(0.0, 0.0), c=(0.0, 0.0), shared=0.0, own=0.0):
        self.m, self.c, self.shared, self.own, self.tasks, self.g = m, c, shared, own, [], {}

    def __call__(self, task, *, method, scenario, track, secret):
        number, sign = task
        self.tasks.append(task)
        g = sign * field_shear(scenario.sky, secret, SPLIT, number)
        self.g[task] = g
        noise = generator(secret, "shared", number).normal(0, self.shared, 2)
        noise = noise + generator(secret, "own", number, sign + 1).normal(0, self.own, 2)
        g1, g2 = (
            (1 + m) * part + c + n
            for m, part, c, n in zip(self.m, (g.real, g.imag), self.c, noise, strict=True)
        )
        psf = generator(secret, "psf", number).normal(0, 0.01, 2)
        return {"g1": g1, "g2": g2, "cov11": 1e-4, "cov22": 2e-4, "cov12": 0.0}, g, psf


class TestMeasure:
    """That the numbers are those of the method, whatever the order in which they come."""

    @pytest.fixture
    def measure(self, monkeypatch):
        def measured(fake, pairs=2000, **options):
            monkeypatch.setattr(harness, "_measure", fake)
            monkeypatch.setattr(harness, "_require_method", lambda method: None)
            return run("nobody:Nothing", scenario="isolated", pairs=pairs, **options)

        return measured

    def test_the_bias_that_was_put_in_is_found(self, measure):
        """What both fields of a pair share cancels exactly in m."""
        found = measure(Fake(m=(0.1, -0.03), c=(0.01, -0.002), shared=0.3e-3)).scorecard
        assert found["m1"].value == pytest.approx(0.1, abs=1e-12)
        assert found["m2"].value == pytest.approx(-0.03, abs=1e-12)
        for name, c in (("c1", 0.01), ("c2", -0.002)):
            assert found[name].value == pytest.approx(c, abs=4 * 0.3e-3 / math.sqrt(20))
            assert found[name].low < found[name].value < found[name].high
        assert found["m1"].met is False and found["c1"].met is False

    def test_scatter_of_its_own_is_in_the_interval(self, measure):
        found = measure(Fake(m=(0.1, -0.03), own=1e-3), pairs=20_000).scorecard
        for name, m in (("m1", 0.1), ("m2", -0.03)):
            # 400 fields with |g| = 0.02, rms 0.0141 a component: σ_m = 1e-3 / (0.0141·20) = 3.5e-3.
            assert found[name].value == pytest.approx(m, abs=4 * 3.5e-3)
            assert (found[name].high - found[name].low) / 2 == pytest.approx(3.5e-3, rel=0.3)

    def test_a_perfect_method_has_no_bias(self, measure):
        found = measure(Fake()).scorecard
        for name in BIAS:
            assert found[name].value == pytest.approx(0, abs=1e-14) and found[name].met is True

    def test_zero_has_m_of_minus_one_and_no_c(self, measure):
        found = measure(Fake(m=(-1.0, -1.0))).scorecard
        assert [found[name].value for name in BIAS] == [-1.0, -1.0, 0.0, 0.0]

    def test_answers_stay_with_their_fields(self, measure):
        fake = Fake(m=(0.1, 0.2), own=1e-3)
        found = measure(fake)
        expected = [fake.g[number, sign] for number in range(20) for sign in (1, -1)]
        np.testing.assert_array_equal(found.true, [[g.real, g.imag] for g in expected])
        np.testing.assert_array_equal(found.pair, np.repeat(np.arange(20), 2))
        np.testing.assert_array_equal(found.true[::2], -found.true[1::2])
        np.testing.assert_allclose(found.estimated, found.true * [1.1, 1.2], atol=5e-3)
        np.testing.assert_array_equal(found.covariance, [[1e-4, 2e-4, 0.0]] * 40)
        # And the scorecard is that of the scoring layer, the pairs as clusters.
        bias = shear_bias(shear_sums(found.pair, found.true, found.estimated).total())
        for name in ("m1", "m2"):
            assert found.scorecard[name].value == pytest.approx(float(bias[name]), abs=2e-3)

    def test_fields_come_in_an_order_that_tells_nothing(self, measure):
        fake = Fake()
        measure(fake)
        assert sorted(fake.tasks) == sorted((number, sign) for number in range(20) for sign in (1, -1))
        position = {task: place for place, task in enumerate(fake.tasks)}
        first = [position[number, 1] < position[number, -1] for number in range(20)]
        apart = [abs(position[number, 1] - position[number, -1]) for number in range(20)]
        # +g comes first in 10 ± 2.2 of 20 pairs; partners are neighbours in one pair or so.
        assert 2 < sum(first) < 18 and apart.count(1) < 6
        other = Fake()
        measure(other, secret=b"another")
        assert other.tasks != fake.tasks

    @pytest.mark.parametrize(
        ("pairs", "scenes", "fields"),
        [(4, 2, 2), (5, 2, 3), (20, 2, 10), (400, 40, 10), (1000, 100, 10), (2050, 100, 21)],
    )
    def test_pairs_are_rounded_up_to_whole_fields(self, measure, pairs, scenes, fields):
        fake = Fake(own=1e-4)
        card = measure(fake, pairs=pairs).scorecard
        assert len(fake.tasks) == 2 * fields and scenes * fields >= pairs
        assert (card.provenance["pairs"], card.provenance["fields"]) == (scenes * fields, 2 * fields)
        assert card.tier == f"{scenes * fields} pairs"

    def test_the_scorecard_says_what_was_measured(self, measure):
        card = measure(Fake(), pairs=20, track="lsst").scorecard
        assert (card.challenge, card.track, card.split, card.entry) == (
            "shear",
            "lsst",
            "isolated",
            "Nothing",
        )
        assert card.provenance["method"] == "nobody:Nothing"
        assert Scorecard.from_json(card.to_json()).to_json() == card.to_json()
        assert card["m1"].requirement > measure(Fake(), pairs=20).scorecard["m1"].requirement
        assert measure(Fake(), pairs=20, entry="mine").scorecard.entry == "mine"

    def test_the_secret_repeats_a_run_and_none_is_a_fresh_sky(self, measure):
        first, again = (measure(Fake(own=1e-3), pairs=40) for _ in range(2))
        assert metrics(first) == metrics(again)
        fresh = [measure(Fake(own=1e-3), pairs=40, secret=None) for _ in range(2)]
        assert metrics(fresh[0]) != metrics(fresh[1])
        assert not np.isin(fresh[0].true, fresh[1].true).any()


class TestRun:
    """Real methods on real pixels."""

    def test_null_has_m_of_minus_one_and_no_c(self):
        found = run(NULL)
        assert [found.scorecard[name].value for name in BIAS] == [-1.0, -1.0, 0.0, 0.0]
        np.testing.assert_array_equal(found.estimated, np.zeros((4, 2)))
        np.testing.assert_array_equal(found.true[0], -found.true[1])

    def test_pixels_hold_the_shear_with_its_sign(self, shape):
        """Differences of pairs, whose noise cancels, follow the shear with a response below one."""
        g, h = (x[::2] - x[1::2] for x in (shape.true, shape.estimated))
        assert 0.05 < np.sum(g * h) / np.sum(g * g) < 1
        for i in range(2):
            assert np.sum(g[:, i] * h[:, i]) > 0
        assert np.corrcoef(g.ravel(), h.ravel())[0, 1] > 0.8

    def test_a_bias_that_is_put_into_a_method_is_found(self, shape):
        """Whatever m, c and α the pixels gave it: 1 + m, c and α scale, and c is shifted."""
        before, after = metrics(shape), metrics(run("Biased", pairs=24))
        for i, shift in (("1", 0.01), ("2", -0.003)):
            m, c = before[f"m{i}"][0], before[f"c{i}"][0]
            assert 1 + after[f"m{i}"][0] == pytest.approx(1.1 * (1 + m), rel=1e-9)
            assert after[f"c{i}"][0] == pytest.approx(1.1 * c + shift, abs=1e-12)
        assert after["alpha"][0] == pytest.approx(1.1 * before["alpha"][0], rel=1e-6)

    def test_workers_change_nothing(self, shape):
        shared = run("Shape", pairs=24, workers=2)
        assert metrics(shared) == metrics(shape)
        for name in ("true", "estimated", "covariance", "pair"):
            np.testing.assert_array_equal(getattr(shared, name), getattr(shape, name))

    def test_what_a_method_leaves_running_is_not_waited_for(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RECORD", str(tmp_path))
        started = time.monotonic()
        run("Forks")
        left = [int(path.name) for path in tmp_path.iterdir()]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert len(left) == 4 and time.monotonic() - started < 240

    def test_what_a_method_prints_is_not_its_answer(self):
        found = run("Talker")
        assert [found.scorecard[name].value for name in BIAS] == [-1.0, -1.0, 0.0, 0.0]


class TestFailures:
    """Whatever a method does, its author is told what and why."""

    @pytest.mark.parametrize(
        ("method", "message"),
        [
            ("Crashes", r"Crashes failed on a field \(exit code 1\)[\s\S]*the sky fell"),
            ("NeedsSettings", "must be made without arguments"),
            ("Leaves", "Leaves ended without an answer"),
            ("Vanishes", r"Vanishes failed on a field \(exit code 3\):\nit said nothing"),
            ("Killed", r"Killed was killed by signal 9 \(out of memory\?\)$"),
            ("WrongKeys", r"does not take[\s\S]*g1[\s\S]*e1"),
            ("TooMuch", r"does not take[\s\S]*kappa"),
            (
                "NotANumber",
                r"does not take[\s\S]*column g1: NaN in row 1[\s\S]*column g2: infinite in row 1",
            ),
            ("Empty", r"does not take[\s\S]*missing columns: g1, g2, cov11, cov22, cov12"),
            ("Pair", r"pair answered a tuple, not a mapping of columns"),
            ("Words", r"words answered something that is no number[\s\S]*small"),
            ("Impossible", r"does not take[\s\S]*reduced shear of 1 or more[\s\S]*not positive definite"),
            ("Mute", r"is no method: it needs a `name` and `predict"),
            ("no_class", "no_class is not callable: name the class"),
            ("Shap", "the module example_methods holds no Shap"),
            ("no_such_module:Shape", "No module named 'no_such_module'; is it installed, or on PYTHONPATH"),
            ("just_a_name:", "a method is named as my_package.my_module:MyMethod"),
        ],
    )
    def test_it_is_told_what_went_wrong(self, method, message):
        with pytest.raises(MethodError, match=message):
            run(method)

    def test_a_column_for_some_fields_only_is_told(self):
        with pytest.raises(MethodError, match=r"missing column: g2"):
            run("Fickle", pairs=6)

    @pytest.mark.parametrize("workers", [1, 2])
    def test_an_answer_is_refused_as_it_comes_not_after_hours(self, workers, monkeypatch):
        monkeypatch.setattr(harness, "shear_sums", None)
        asked = []
        accept = harness.accept
        monkeypatch.setattr(harness, "accept", lambda *given: asked.append(given) or accept(*given))
        with pytest.raises(MethodError, match="does not take"):
            run("WrongKeys", pairs=8, workers=workers)
        assert len(asked) == 1

    def test_a_failure_in_a_worker_is_told(self):
        with pytest.raises(MethodError, match="the sky fell"):
            run("Crashes", workers=2)

    def test_a_method_that_never_ends_is_stopped(self, monkeypatch):
        monkeypatch.setattr(harness, "FIELD_SECONDS", 1)
        with pytest.raises(MethodError, match="Sleeps took longer than 1 s for one field"):
            run("Sleeps")

    def test_a_failure_leaves_no_files(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with pytest.raises(MethodError):
            run("Crashes")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"scenario": "isolted"}, "no scenario 'isolted'; did you mean isolated"),
            ({"track": "jont"}, "no track 'jont'; did you mean joint"),
        ],
    )
    def test_unknown_names_are_refused_before_anything_is_drawn(self, options, message, monkeypatch):
        monkeypatch.setattr(harness, "_measure", None)
        with pytest.raises(UnknownNameError, match=message):
            run("Shape", **options)

    @pytest.mark.parametrize("pairs", [3, 0, -4])
    def test_too_few_pairs_are_refused(self, pairs):
        with pytest.raises(
            ValueError, match=f"at least 4 pairs of scenes, two fields of partners, not {pairs}"
        ):
            run("Shape", pairs=pairs)
