"""Baselines on a split: what they answer is what is asked, and is written whole or not at all."""

from dataclasses import replace

import numpy as np
import pytest
import xarray
from skysynergy.baselines.baseline import BASELINES, Baseline, baseline
from skysynergy.baselines.solve import solve
from skysynergy.challenges.challenge import load
from skysynergy.challenges.datasets import DatasetError
from skysynergy.challenges.method import Field
from skysynergy.challenges.run_method import answer
from skysynergy.challenges.submissions import accept, read_submission

EVERY = [
    (challenge, name)
    for challenge, known in BASELINES.items()
    if load(challenge).dataset == "sky"
    for name in known
]


@pytest.fixture(params=EVERY, ids="-".join)
def known(request):
    return request.param


@pytest.fixture
def one(known):
    return baseline(*known)


def frozen(field: Field) -> Field:
    """The same field; writing into any of its arrays is an error."""
    for exposures in field.surveys.values():
        for values in vars(exposures).values():
            if isinstance(values, np.ndarray):
                values.flags.writeable = False
    return field


class TestOnADataset:
    @pytest.mark.parametrize("track", [None, "lsst"])
    def test_it_answers_what_is_asked_and_changes_nothing(self, known, one, track, little_sky):
        challenge = load(known[0])
        given = [frozen(field) for field in challenge.given(track=track)]
        rows = [answer(one, field) for field in given]
        columns = {name: [row[name] for row in rows] for name in challenge.schema.names}
        assert all(set(row) == set(challenge.schema.names) for row in rows)
        challenge.read({"id": [field.id for field in given], **columns})

    def test_it_answers_the_same_again_and_never_looks_at_the_id(self, known, one, little_sky):
        field = next(iter(load(known[0]).given()))
        assert one.predict(field) == one.predict(replace(field, id=field.id + 1))

    def test_it_solves_a_split(self, known, one, little_sky, tmp_path):
        challenge = load(known[0])
        out = solve(challenge, one, out=tmp_path / "predictions.parquet")
        stated = challenge.metadata("tiny", "validation")
        assert read_submission(out).metadata == stated
        found = accept(out, challenge.schema, challenge.ids(), stated)
        for row, field in enumerate(challenge.given()):
            predicted = one.predict(field)
            assert {name: values[row] for name, values in found.items()} == predicted
        assert challenge.score(out).provenance["dataset"] == stated["dataset"]


class Learner(Baseline):
    """Answers with the mean shear of what it was fitted to."""

    learns = True

    def fit(self, examples):
        self.seen.extend(examples)
        mean = np.mean([truth["g1"] for _, truth in self.seen])
        return replace(self, name=f"{mean:.17g}")

    def predict(self, field):
        return {"g1": float(self.name), "g2": 0.0, "cov11": 1e-4, "cov22": 1e-4, "cov12": 0.0}


def test_a_baseline_that_learns_is_fitted_to_the_training_split(little_sky, tmp_path, monkeypatch):
    monkeypatch.setattr(Learner, "seen", [], raising=False)
    challenge = load("shear")
    out = solve(challenge, Learner("learner"), track="lsst", out=tmp_path / "p.parquet")
    truth = challenge.truth("tiny", "train")
    shear = dict(zip(truth["fields/id"].to_numpy(), truth["fields/g1"].to_numpy(), strict=True))
    assert [field.id for field, _ in Learner.seen] == challenge.ids("tiny", "train").tolist()
    for field, row in Learner.seen:
        assert set(row) == {"g1", "g2"} and row["g1"] == shear[field.id]
        assert set(field.surveys) == {"LSST"}
    np.testing.assert_allclose(read_submission(out).columns["g1"], truth["fields/g1"].mean(), rtol=1e-15)


def test_all_splits_that_are_not_here_are_named(empty_sky, tmp_path, monkeypatch):
    monkeypatch.setattr(Learner, "seen", [], raising=False)
    out = tmp_path / "p.parquet"
    with pytest.raises(DatasetError) as told:
        solve(load("shear"), Learner("learner"), out=out)
    assert "train.zarr and " in str(told.value) and "validation.zarr are not there" in str(told.value)
    assert "`skysynergy get sky --tier tiny --split train --split validation`" in str(told.value)
    with pytest.raises(DatasetError) as told:
        solve(load("shear"), Learner("learner"), split="test", out=out)
    assert "get sky --tier tiny --split train`; test is sealed and comes from its" in str(told.value)
    with pytest.raises(DatasetError, match=r"train\.zarr is not there"):
        solve(load("shear"), Learner("learner"), split="train", out=out)


def test_examples_are_matched_to_their_truth_by_id(little_sky, monkeypatch):
    """Whatever the order in which the truth lists the fields."""
    challenge = load("shear")
    expected = {field.id: row for field, row in challenge.examples("tiny")}
    assert len({row["g1"] for row in expected.values()}) == 2
    rows = challenge.truth("tiny", "train")["fields"].to_dataset().isel(field=[1, 0])
    monkeypatch.setattr(type(challenge), "truth", lambda *_: {"fields": xarray.DataTree(rows)})
    assert {field.id: row for field, row in challenge.examples("tiny")} == expected


def test_a_submission_is_written_whole_or_not_at_all(little_sky, tmp_path, monkeypatch):
    """The second field fails: what was there before is still there."""
    out = tmp_path / "p.parquet"
    out.write_bytes(b"before")
    answered = []

    class Fails(Learner):
        learns = False

        def predict(self, field):
            answered.append(field.id)
            if len(answered) == 2:
                raise RuntimeError("no galaxies")
            return super().predict(field)

    with pytest.raises(RuntimeError, match="no galaxies"):
        solve(load("shear"), Fails("0"), out=out)
    assert out.read_bytes() == b"before" and [p.name for p in tmp_path.iterdir()] == ["p.parquet"]
