"""Mistakes at the command line, full disks, and the command as it is typed: all is explained, exit code 2."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest
from skysynergy.cli import main
from skysynergy.scoring.scorecard import Scorecard

COMMANDS = sorted(main.commands)
SCRIPT = Path(sys.executable).with_name("skysynergy")
ONE = ("--workers", "1")


def as_typed(*words, home=None, cwd=None):
    """The installed command in a process of its own."""
    environment = dict(os.environ) | ({"SKYSYNERGY_DATA": str(home)} if home else {})
    return subprocess.run(
        [SCRIPT, *map(str, words)], capture_output=True, text=True, env=environment, cwd=cwd, timeout=120
    )


class TestMistakes:
    """Names that nobody bears, files that cannot be written, data that are not there."""

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("get", "shaer"), "no challenge or dataset 'shaer'; did you mean shear"),
            (("get", "shear", "--tier", "tny"), "no tier 'tny'; did you mean tiny"),
            (("get", "shear", "--split", "vaildation"), "no split 'vaildation'; did you mean validation"),
            (("simulate", "ski"), "no dataset 'ski'; did you mean sky"),
            (("simulate", "sky", "--tier", "smal"), "no tier 'smal'; did you mean small"),
            (("verify", "skye"), "no dataset 'skye'; did you mean sky"),
            (("verify", "sky", "--split", "trian"), "no split 'trian'; did you mean train"),
            (("show", "shera"), "no challenge 'shera'; did you mean shear"),
            (("show", "shear", "--tier", "ful"), "no tier 'ful'; did you mean full"),
            (("baseline", "shaer", "null"), "no challenge 'shaer'; did you mean shear"),
            (("baseline", "shear", "momnets"), "no baseline of shear 'momnets'; did you mean moments"),
            (("baseline", "shear", "null", "--track", "jiont"), "no track 'jiont'; did you mean joint"),
            (("baseline", "shear", "null", "--track", ""), "no track ''. There are: joint, lsst"),
            (("baseline", "shear", "null", "--tier", "tny"), "no tier 'tny'; did you mean tiny"),
            (("validate", "shaer", "p.parquet"), "no challenge 'shaer'; did you mean shear"),
            (("score", "shear", "p.parquet", "--tier", "tny"), "no tier 'tny'; did you mean tiny"),
            (("score", "shear", "p.parquet", "--track", "joit"), "no track 'joit'; did you mean joint"),
            (("calibrate", "shaer", "null"), "no challenge 'shaer'; did you mean shear"),
        ],
    )
    def test_a_name_is_suggested(self, words, message, little_sky, tmp_path, monkeypatch, cli):
        monkeypatch.chdir(tmp_path)
        assert message in cli.fails(*words)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "words",
        [
            ("verify", "sky"),
            ("show", "shear"),
            ("baseline", "shear", "null"),
            ("validate", "shear", "p.parquet"),
            ("score", "shear", "p.parquet"),
        ],
    )
    def test_data_that_are_not_there_are_told_with_the_command_that_makes_them(
        self, words, empty_sky, tmp_path, monkeypatch, cli
    ):
        monkeypatch.chdir(tmp_path)
        said = cli.fails(*words)
        command = re.search(r"`skysynergy (.*)`", said)[1]
        assert command == "get sky --tier tiny --split validation"
        cli.parse(*shlex.split(command))
        assert str(empty_sky) in said and not empty_sky.exists()

    @pytest.mark.parametrize("out", ["no/such/folder/out", "file/out"])
    @pytest.mark.parametrize("words", [("baseline", "shear", "null"), ("show", "shear")])
    def test_a_place_that_cannot_be_written_is_named(self, words, out, little_sky, tmp_path, cli):
        (tmp_path / "file").write_bytes(b"")
        where = tmp_path / (out + ".png")
        said = cli.fails(*words, "--out", where)
        assert f"{where} cannot be written: make the folder {where.parent} first" in said
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_a_folder_is_no_file_to_write(self, little_sky, tmp_path, cli):
        folder = tmp_path / "folder.png"
        folder.mkdir()
        for words in (("baseline", "shear", "null"), ("show", "shear")):
            assert str(folder) in cli.fails(*words, "--out", folder)
        assert list(tmp_path.rglob("*")) == [folder]

    @pytest.mark.parametrize("words", [("get", "shear"), ("simulate", "sky")])
    def test_a_home_that_is_a_file_is_named(self, words, tmp_path, monkeypatch, cli):
        home = tmp_path / "home"
        home.write_bytes(b"")
        monkeypatch.setenv("SKYSYNERGY_DATA", str(home))
        assert str(home) in cli.fails(*words, *ONE)
        assert home.read_bytes() == b""


@pytest.fixture
def small_disk(tmp_path):
    """A disk with a megabyte of room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    command = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class TestFullDisk:
    """Nothing half written is taken for whole."""

    def test_get_is_resumed_where_there_is_room(self, small_disk, empty_sky, monkeypatch, cli):
        monkeypatch.setenv("SKYSYNERGY_DATA", str(small_disk / "data"))
        get = ("get", "shear", "--split", "validation", *ONE)
        done = cli.call(*get)
        assert done.exit_code == 2 and isinstance(done.exception, SystemExit), done.exception
        assert "the disk is full at" in done.stderr and "MB are free" in done.stderr
        for words in (("verify", "sky"), ("show", "shear"), ("baseline", "shear", "null")):
            said = cli.fails(*words)
            assert "incomplete" in said or "is not there" in said
        subprocess.run(["mount", "-o", "remount,size=64M", str(small_disk)], check=True)
        cli.works(*get)
        assert cli.works("verify", "sky").count(": whole") == 2

    def test_a_submission_is_written_whole_or_not_at_all(self, small_disk, little_sky, cli):
        out = small_disk / "p.parquet"
        out.write_bytes(b"before")
        with (
            open(small_disk / "filler", "wb", buffering=0) as filler,
            pytest.raises(OSError, match="No space"),
        ):
            while True:
                filler.write(bytes(4096))
        said = cli.fails("baseline", "shear", "moments", "--out", out)
        assert "No space left on device" in said and str(out) in said
        assert out.read_bytes() == b"before"
        assert sorted(path.name for path in small_disk.iterdir()) == ["filler", "p.parquet"]
        (small_disk / "filler").unlink()
        cli.works("baseline", "shear", "moments", "--out", out)
        assert cli.works("validate", "shear", out) == f"{out}: valid\n"

    def test_where_no_disk_can_be_mounted_it_is_made_up(
        self, little_sky, empty_sky, tmp_path, monkeypatch, cli
    ):
        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        out = tmp_path / "p.parquet"
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert "the disk is full at" in cli.fails("get", "shear", "--split", "validation", *ONE)
            patch.setenv("SKYSYNERGY_DATA", str(little_sky))
            assert "No space left on device" in cli.fails("baseline", "shear", "null", "--out", out)
        assert not out.exists()
        assert "is not there" in cli.fails("verify", "sky")
        cli.works("get", "shear", "--split", "validation", *ONE)
        assert cli.works("verify", "sky").count(": whole") == 2


class TestAsTyped:
    """The installed command, in processes of its own."""

    def test_from_a_baseline_to_a_score(self, little_sky, tmp_path):
        done = as_typed("baseline", "shear", "null", home=little_sky, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("predictions.parquet\n") and (tmp_path / "predictions.parquet").exists()
        done = as_typed("validate", "shear", "predictions.parquet", home=little_sky, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "predictions.parquet: valid\n", "")
        done = as_typed("score", "shear", "predictions.parquet", "--json", home=little_sky, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert Scorecard.from_json(done.stdout)["m1"].value == -1.0
        assert {path.name for path in tmp_path.iterdir()} == {"predictions.parquet"}

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (
                ("get", "shear", "--tier", "tny"),
                "no tier 'tny'; did you mean tiny? There are: tiny, tiny-survey, small",
            ),
            (("score", "shear", "nowhere.parquet"), "cannot be opened"),
            (("no-such-command",), "No such command 'no-such-command'"),
        ],
    )
    def test_a_mistake_is_explained_with_exit_code_2(self, words, message, little_sky, tmp_path):
        done = as_typed(*words, home=little_sky, cwd=tmp_path)
        assert done.returncode == 2 and done.stdout == ""
        assert message in done.stderr and "Traceback" not in done.stderr

    def test_a_method_in_the_folder_where_one_is_working_is_found(self, tmp_path):
        (tmp_path / "mine.py").write_text(
            "class Zero:\n    name = 'zero'\n    def predict(self, field):\n"
            "        return {'g1': 0.0, 'g2': 0.0, 'cov11': 1.0, 'cov22': 1.0, 'cov12': 0.0}\n"
        )
        done = as_typed("calibrate", "shear", "mine:Zero", "--pairs", "4", *ONE, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert Scorecard.from_json(done.stdout)["m2"].value == -1.0


def test_the_demo_leaves_a_report_and_commands_that_parse(empty_sky, tmp_path, monkeypatch, cli):
    """With fewer pairs, on a smaller sky: the same line from one end to the other."""
    monkeypatch.setattr("skysynergy.demo.PAIRS", {"null": 4, "moments": 4})
    monkeypatch.setattr("skysynergy.demo.SCENE", 1)
    folder = tmp_path / "report"
    printed = cli.works("demo", "--out", folder, *ONE)
    page = (folder / "index.html").read_text()
    for name in ("scene.png", "exposures.png", "bias.png", "fields.png"):
        assert name in page or "data:image/png" in page
        assert matplotlib.image.imread(folder / name).std() > 0.05
    for name in ("null", "moments"):
        assert Scorecard.from_json((folder / f"{name}.calibration.json").read_text()).entry == name
        assert cli.works("validate", "shear", folder / f"{name}.parquet").endswith(": valid\n")
    assert str(folder / "index.html") in printed
    commands = re.findall(r"^\s+skysynergy (.*)$", printed, flags=re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        cli.parse(*shlex.split(command))


def test_a_challenge_that_the_harness_draws_nothing_for(cli):
    said = cli.fails("calibrate", "transients", "majority")
    assert "nothing that the harness could draw for transients: predict a split and score that" in said
