"""The challenge of light curves: what is shown on which track, what may be learnt from, how it is judged."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from sklearn.metrics import log_loss, recall_score
from skysynergy.challenges.challenge import load
from skysynergy.challenges.light_curves import require_sound
from skysynergy.challenges.names import UnknownNameError
from skysynergy.challenges.submissions import SubmissionError, read_submission, validate, write_submission
from skysynergy.challenges.transient_submission import (
    MEAN_TOLERANCE,
    MOST_SAMPLES,
    PROBABILITIES,
    TRANSIENTS_SUBMISSION,
    columns_of,
    probabilities_of,
    samples_of,
)
from skysynergy.challenges.transients import natural_numbers
from skysynergy.simulators.transient_classes import CLASSES
from skysynergy.simulators.transient_population import expected_number

N = len(CLASSES)


@pytest.fixture
def challenge(little_transients):
    return load("transients")


@pytest.fixture
def kinds(challenge):
    return challenge.truth()["objects/kind"].to_numpy().astype(int)


def guesses(n, seed=1):
    return np.random.default_rng(seed).dirichlet(np.ones(N), size=n)


def submission(challenge, p, samples=None):
    return {"id": challenge.ids(), **columns_of(p, samples)}


def value(card, name):
    return next(metric for metric in card.metrics if metric.name == name).value


class TestWhatIsShown:
    def test_curves_are_sound_and_those_of_the_store(self, challenge):
        (curves,) = challenge.given()
        require_sound(curves)
        data = challenge.open()
        assert np.array_equal(curves.flux, data["observations/flux"].to_numpy())
        assert np.array_equal(curves.row_size, data["objects/row_size"].to_numpy())
        assert np.isnan(curves.host_z).all()

    def test_early_curves_end_in_time_and_begin_alike(self, challenge):
        (whole,), (early,) = challenge.given(), challenge.given(track="early")
        until = challenge.open()["objects/until"].to_numpy()
        assert np.all(early.mjd <= until[early.owner]) and early.mjd.size < whole.mjd.size
        assert np.array_equal(early.mjd, whole.mjd[whole.mjd <= until[whole.owner]])
        assert np.all(early.n_detections >= 1)

    def test_a_follow_up_programme_labels_what_is_bright(self, challenge):
        ((every, truth),) = challenge.examples()
        ((labelled, some),) = challenge.examples(track="spectroscopic")
        assert len(every) == len(truth["kind"]) > len(labelled) == len(some["kind"]) > 0
        true = challenge.truth("tiny", "train")["objects"]
        has = true["has_spectrum"].to_numpy()
        assert np.array_equal(labelled.id, true["id"].to_numpy()[has])
        assert np.median(true["peak_r"].to_numpy()[has]) < np.median(true["peak_r"].to_numpy()[~has])

    def test_batches_are_the_whole(self, challenge):
        from skysynergy.challenges.light_curves import LightCurves
        from skysynergy.challenges.transient_curves import batches

        track = challenge.track("full-redshift")
        (whole,) = challenge.given(track=track.name)
        joined = LightCurves.joined(list(batches(challenge.open(), track, 7)))
        for name in ("id", "row_size", "mjd", "flux", "host_z"):
            np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


class TestScore:
    def test_it_agrees_with_scikit_learn(self, challenge, kinds):
        p = guesses(len(kinds))
        card = challenge.score(submission(challenge, p))
        assert value(card, "log_loss") == pytest.approx(log_loss(kinds, p, labels=range(N)), rel=1e-9)
        assert value(card, "accuracy") == pytest.approx(np.mean(p.argmax(1) == kinds))
        balanced = recall_score(kinds, p.argmax(1), labels=np.unique(kinds), average="macro")
        assert value(card, "accuracy_balanced") == pytest.approx(balanced)

    def test_what_is_right_is_seen_to_be(self, challenge, kinds):
        card = challenge.score(submission(challenge, np.eye(N)[kinds]))
        assert value(card, "accuracy") == value(card, "purity") == value(card, "auc_macro") == 1.0
        assert value(card, "log_loss") == pytest.approx(0.0, abs=1e-12)

    def test_rates_are_natures_times_what_is_noticed(self, challenge, kinds):
        numbers = natural_numbers(challenge.truth())
        assert numbers.shape == (N,)
        p = guesses(len(kinds))
        hit = np.array(
            [np.mean(p[kinds == c].argmax(1) == c) if (kinds == c).any() else 0.0 for c in range(N)]
        )
        expected = np.sum(hit * numbers) / np.sum(numbers[[c in kinds for c in range(N)]])
        card = challenge.score(submission(challenge, p))
        assert value(card, "accuracy_rate_weighted") == pytest.approx(expected)

    def test_a_deep_field_counts_as_much_as_a_wide_one(self):
        # Of 100 Ia ten are noticed in one field, of 20 in the other: a tenth and a half.
        drawn, kept = np.zeros((2, 2, N), int)
        drawn[:, 0], kept[:, 0] = (100, 20), (10, 10)
        fields = xarray.Dataset({"drawn": (("field", "kind"), drawn), "kept": (("field", "kind"), kept)})
        numbers = natural_numbers(xarray.DataTree.from_dict({"fields": fields}))
        assert numbers[0] == pytest.approx(0.3 * expected_number("Ia", square_degrees=1.0, years=10.0))
        assert np.all(numbers[1:] == 0)

    def test_early_predictions_are_judged_by_phase(self, challenge):
        p = guesses(len(challenge.ids()))
        card = challenge.score(submission(challenge, p), track="early")
        phases = {(group.by, tuple(group.range)) for group in card.groups if group.by.startswith("days_from")}
        assert phases == {
            *(("days_from_peak", (d, d)) for d in (-2.0, 0.0, 2.0, 10.0)),
            *(("days_from_first_detection", (d, d)) for d in (0.0, 2.0, 10.0)),
        }
        full = challenge.score(submission(challenge, p))
        assert not any(group.by.startswith("days_from") for group in full.groups)

    def test_samples_tell_what_is_not_known(self, challenge):
        n = len(challenge.ids())
        samples = np.stack([guesses(n, seed) for seed in range(3)])
        given = submission(challenge, samples.mean(axis=0), samples)
        read = challenge.read(given)
        np.testing.assert_allclose(samples_of(read), samples)
        np.testing.assert_allclose(probabilities_of(read), samples.mean(axis=0))
        assert samples_of(challenge.read(submission(challenge, samples[0]))) is None
        challenge.score(given)

    def test_broken_curves_are_compared_with_data(self, challenge):
        n = len(challenge.ids())
        sure, unsure = np.full((n, N), 0.001), np.full((n, N), 1 / N)
        sure[:, 0] = 1 - 0.001 * (N - 1)
        card = challenge.score(submission(challenge, sure), broken={"shuffle": submission(challenge, unsure)})
        entropy = -np.sum(sure[0] * np.log(sure[0]))
        assert value(card, "entropy_shift_shuffle") == pytest.approx(np.log(N) - entropy)
        again = challenge.score(submission(challenge, sure), broken={"shuffle": submission(challenge, sure)})
        assert card.provenance["submission"] == again.provenance["submission"]
        assert card.provenance["submission_shuffle"] != again.provenance["submission_shuffle"]
        assert again.provenance["submission_shuffle"] == again.provenance["submission"]
        with pytest.raises(
            UnknownNameError, match="no kind of broken light curves 'shufle'; did you mean shuffle"
        ):
            challenge.score(submission(challenge, sure), broken={"shufle": submission(challenge, sure)})

    def test_faults_on_broken_curves_are_told_with_the_others(self, challenge):
        good, bad = guesses(len(challenge.ids())), guesses(len(challenge.ids()))
        bad[2] *= 0.5
        faulty = {kind: submission(challenge, bad) for kind in ("sin", "shuffle")}
        with pytest.raises(SubmissionError) as told:
            challenge.score(submission(challenge, bad), broken=faulty)
        assert [problem.what.partition(" do not add")[0] for problem in told.value.problems] == [
            "probabilities that",
            "on broken light curves (sin): probabilities that",
            "on broken light curves (shuffle): probabilities that",
        ]
        with pytest.raises(SubmissionError, match=r"on broken light curves \(sin\).* in row 3"):
            challenge.score(submission(challenge, good), broken={"sin": faulty["sin"]})

    def test_early_groups_are_of_what_is_shown(self, challenge, kinds):
        p = guesses(len(kinds))
        (early,), (whole,) = challenge.given(track="early"), challenge.given()
        ends = (1, 2, 5, 10, 30, np.inf)
        for track, shown, first in (("early", early, 0), ("full", whole, 1)):
            card = challenge.score(submission(challenge, p), track=track)
            groups = [group for group in card.groups if group.by == "detections"]
            assert [group.range[0] for group in groups] == list(ends[first:-1])
            for group, low, high in zip(groups, ends[first:], ends[first + 1 :], strict=False):
                its = (shown.n_detections >= low) & (shown.n_detections < high)
                accuracy = next(metric for metric in group.metrics if metric.name == "accuracy").value
                right = p[its].argmax(1) == kinds[its]
                assert accuracy == (pytest.approx(np.mean(right)) if its.any() else None)

    def test_a_file_has_one_digest_however_it_is_given(self, challenge, tmp_path):
        given = submission(challenge, guesses(len(challenge.ids())))
        path = tmp_path / "p.parquet"
        write_submission(path, given.pop("id"), given, challenge.metadata("tiny", "validation", "full"))
        cards = [challenge.score(one) for one in (path, read_submission(path))]
        assert cards[0].provenance["submission"] == cards[1].provenance["submission"]


class TestSubmission:
    ids = np.arange(4) + 10

    def problems(self, **changes):
        given = {"id": self.ids, **columns_of(guesses(4))} | changes
        from skysynergy.challenges.submissions import Table

        table = Table({name: values for name, values in given.items() if values is not None})
        return [str(problem) for problem in validate(table, TRANSIENTS_SUBMISSION, self.ids)]

    def test_a_good_one_has_no_problem(self):
        assert self.problems() == []
        two = np.stack([guesses(4, 1), guesses(4, 2)])
        assert self.problems(**columns_of(two.mean(axis=0), two)) == []

    def test_sums_and_bounds(self):
        p = guesses(4)
        p[2] *= 0.9
        (told,) = self.problems(**columns_of(p))
        assert "probabilities that do not add up to one in row 3 (id 12)" in told
        assert "divide each row by its sum" in told
        p = guesses(4)
        p[1, 0], p[1, 1] = -0.1, p[1, 1] + p[1, 0] + 0.1
        (told,) = self.problems(**columns_of(p))
        assert "column p_Ia: out of bounds in row 2 (id 11)" in told

    def test_everything_at_once(self):
        told = "\n".join(
            self.problems(id=np.array([10, 11, 11, 99]), p_Ia=np.array([np.nan, 0, 0, 0]), p_KN=None)
        )
        for word in ("column p_Ia: NaN", "unknown in row 4", "seen before", "2 of 4 ids have no row", "p_KN"):
            assert word in told, told

    def test_samples_are_there_whole_or_not_at_all(self):
        samples = np.stack([guesses(4, 1), guesses(4, 2)])
        two = columns_of(samples.mean(axis=0), samples)
        del two["p_Ia_0"]
        (told,) = self.problems(**two)
        assert "p_Ia_0" in told and "missing" in told
        two["p_Ia_0"] = np.array([0.9, 0.9, 0.9, 0.9])
        told = self.problems(**two)
        assert len(told) == 2 and "p_Ia_0" in told[0] and "do not add up to one" in told[0]
        assert "column p_Ia: is not the mean of its samples (p_Ia_0 to p_Ia_1) in 4 rows" in told[1]

    def test_samples_have_the_probabilities_as_their_mean(self):
        samples = np.stack([guesses(4, seed) for seed in range(5)])
        mean = samples.mean(axis=0)
        assert self.problems(**columns_of(mean.round(4), samples.round(4))) == []
        assert self.problems(**columns_of(mean.astype(np.float32), samples.astype(np.float32))) == []
        other = mean.copy()
        other[2] = np.median(samples, axis=0)[2] / np.median(samples, axis=0)[2].sum()
        off = np.abs(other - mean)[2] > MEAN_TOLERANCE
        told = self.problems(**columns_of(other, samples))
        assert [line.split(":")[0] for line in told] == [
            f"column {name}" for name, wrong in zip(PROBABILITIES, off, strict=True) if wrong
        ]
        for line in told:
            assert "is not the mean of its samples" in line and "in row 3 (id 12)" in line
            assert "give the mean of the samples as p_" in line and "off by 0.001; or send no samples" in line

    def test_means_are_told_with_everything_else(self):
        samples = np.stack([guesses(4, seed) for seed in range(3)])
        columns = columns_of(samples.mean(axis=0), samples)
        columns["p_KN_1"] = columns["p_KN_1"] + [0, 0, 0, 0.3]
        columns["p_Ia"] = np.array([np.nan, *columns["p_Ia"][1:]])
        columns["p_II"] = columns["p_II"] + [0, -0.01, 0, 0]
        columns["p_Ia-91bg"] = columns["p_Ia-91bg"] + [0, 0.01, 0, 0]
        told = "\n".join(self.problems(**columns, id=np.array([10, 11, 12, 12])))
        for words in (
            "column p_Ia: NaN in row 1", "column p_KN: is not the mean", "column p_II: is not the mean",
            "column p_Ia-91bg: is not the mean of its samples (p_Ia-91bg_0 to p_Ia-91bg_2) in row 2 (id 11)",
            "seen before in row 4", "do not add up to one in row 4",
        ):  # fmt: skip
            assert words in told, told

    def test_there_are_no_more_samples_than_are_read(self):
        many = {f"{name}_{MOST_SAMPLES}": np.full(4, 1 / N) for name in PROBABILITIES}
        assert any("not asked for" in told for told in self.problems(**many))

    def test_a_submission_of_another_split(self, challenge):
        p = guesses(len(challenge.ids("tiny", "train")))
        with pytest.raises(SubmissionError, match="are these predictions for another dataset"):
            challenge.score({"id": challenge.ids("tiny", "train"), **columns_of(p)})
