"""The command line with datasets in an object store, and with a cluster that isn't there."""

import pytest
from skysynergy.challenges import datasets, sealing
from skysynergy.challenges.datasets import Split
from skysynergy.challenges.tiers import SKY
from skysynergy.simulators import cluster

ONE = ("--workers", "1")


def test_a_dataset_in_a_bucket_is_used_as_one_in_a_folder(little_sky, bucket, cli, tmp_path, monkeypatch):
    expected = datasets.open_split(Split.of("tiny", "validation"))
    home = f"{bucket}/skies"
    said = cli.works("simulate", "sky", "--split", "validation", "--out", home, *ONE)
    assert said.splitlines()[0] == f"{home}/sky/{SKY.version}/tiny/validation.zarr"
    monkeypatch.setenv("SKYSYNERGY_DATA", home)
    found = datasets.open_split(Split.of("tiny", "validation"))
    assert found.attrs["content_sha256"] == expected.attrs["content_sha256"]
    assert found["lsst/image"][1, 0].identical(expected["lsst/image"][1, 0])
    assert cli.works("verify", "sky").count(": whole") == 2
    out = tmp_path / "null.parquet"
    assert "m1" in cli.works("baseline", "shear", "null", "--out", out)
    assert cli.works("show", "shear", "--scene", "1", "--out", tmp_path / "scene.png")
    assert f"{home}/sky" in cli.works("get", "shear", *ONE)  # train is made, validation is there
    assert datasets.open_split(Split.of("tiny", "train")).attrs["split"] == "train"
    assert "is not there: make it with" in cli.fails("verify", "sky", "--tier", "small")


def test_sealed_truth_does_not_lie_beside_public_data(empty_sky, bucket, cli, tmp_path, monkeypatch):
    file = tmp_path / "test.secret"
    sealing.write_secret_file(file, sealing.new_secret())
    command = ("simulate", "sky", "--split", "test", "--secret-file", file, "--out", bucket, *ONE)
    said = cli.fails(*command)
    assert f"whoever reads {bucket} would read it" in said and "--truth-out" in said
    for beside in (bucket, f"{bucket}/", f"{bucket}/within"):
        assert "would read it" in cli.fails(*command, "--truth-out", beside)
    done = cli.works(*command, "--truth-out", tmp_path / "mine")
    truth = tmp_path / "mine/sky" / SKY.version / "tiny/test.truth.zarr"
    assert done.splitlines()[:2] == [f"{bucket}/sky/{SKY.version}/tiny/test.zarr", str(truth)]
    assert truth.stat().st_mode & 0o777 == 0o700
    assert datasets.is_absent(f"{bucket}/sky/{SKY.version}/tiny/test.truth.zarr")
    # Whoever keeps the truth verifies and scores; others have the data only.
    monkeypatch.setenv("SKYSYNERGY_DATA", bucket)
    assert cli.works("verify", "sky", "--split", "test").count(": whole") == 1
    out = tmp_path / "null.parquet"
    cli.works("baseline", "shear", "null", "--split", "test", "--out", out)
    assert "is sealed until" in cli.fails("score", "shear", out, "--split", "test")
    monkeypatch.setenv("SKYSYNERGY_TRUTH", str(tmp_path / "mine"))
    assert cli.works("verify", "sky", "--split", "test").count(": whole") == 2
    assert "m1" in cli.works("score", "shear", out, "--split", "test")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--cluster", "tcp://127.0.0.1:9"), "no Dask scheduler at tcp://127.0.0.1:9"),
        (("--cluster", "tcp://127.0.0.1:9", *ONE), "has workers of its own: leave out --workers"),
        (("--out", "ftp://host/x"), "'ftp://host/x' is no place for a store"),
        (("--out", "s3://no-such-bucket/x"), "there is no such bucket: make it, or mend the URL"),
    ],
)
def test_mistakes_are_told(words, told, empty_sky, bucket, cli, monkeypatch):
    monkeypatch.setattr(cluster, "_REACH_SECONDS", 0.5)
    assert told in " ".join(cli.fails("simulate", "sky", "--split", "train", *words).split())


def test_an_unreachable_home_is_told(cli, bucket, monkeypatch):
    from skysynergy.simulators import object_storage

    monkeypatch.setenv("SKYSYNERGY_DATA", f"{bucket}/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setitem(object_storage._RETRY, "max_retries", 1)
    for words in (("get", "shear", *ONE), ("verify", "sky"), ("score", "shear", "x.parquet")):
        assert "can't be reached" in cli.fails(*words)
