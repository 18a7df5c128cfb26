"""The command line: every command does what its help says, and every mistake is explained, exit code 2."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pyarrow.parquet as pq
import pytest
from skysynergy.baselines.baseline import BASELINES
from skysynergy.challenges import datasets, sealing
from skysynergy.challenges.challenge import CHALLENGES, load
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.challenges.submissions import write_submission
from skysynergy.challenges.tiers import DATASETS
from skysynergy.cli import main
from skysynergy.scoring.scorecard import Scorecard

COMMANDS = sorted(main.commands)
SCRIPT = Path(sys.executable).with_name("skysynergy")
ONE = ("--workers", "1")


def home_files(home):
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


class TestHelp:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_says_what_it_does_with_an_example_that_parses(self, name, cli):
        text = cli.works(name, "--help")
        command = main.commands[name]
        assert command.help and command.help.splitlines()[0].endswith((".", ":"))
        examples = re.findall(r"^\s*Example:  skysynergy (.*)$", text, flags=re.MULTILINE)
        assert examples and text == cli.works(name, "-h")
        for example in examples:
            first, *words = shlex.split(example)
            assert first == name
            given = cli.parse(name, *words)
            known = {"challenge": CHALLENGES, "dataset": list(DATASETS), "tier": TIERS}
            for key in given.keys() & known.keys():
                assert given[key] in known[key]

    @pytest.mark.parametrize("name", COMMANDS)
    def test_options_mean_the_same_everywhere(self, name, cli):
        command = main.commands[name]
        options = {o.name: o for o in command.params if isinstance(o, click.Option)}
        words = ["x" for argument in command.params if isinstance(argument, click.Argument)]
        given = cli.parse(name, *words)
        defaults = {"tier": "tiny", "split": "validation", "track": None, "seed": None, "as_json": False}
        for key in given.keys() & defaults.keys():
            # `get` takes several splits.
            assert given[key] == (() if (name, key) == ("get", "split") else defaults[key])
        assert all(option.help or key == "out" for key, option in options.items())

    def test_without_a_command_the_way_in_is_shown(self, cli):
        done = cli.call()
        assert "skysynergy demo" in done.output
        assert all(name in done.output for name in COMMANDS)

    def test_help_loads_nothing_heavy(self):
        """Of any command, in one fresh process."""
        script = (
            "import sys\nfrom click.testing import CliRunner\nfrom skysynergy.cli import main\n"
            "for name in main.commands:\n"
            "    done = CliRunner().invoke(main, [name, '--help'])\n"
            "    assert done.exit_code == 0 and 'Usage:' in done.output, name\n"
            "heavy = ('torch', 'galsim', 'xarray', 'zarr', 'numpy', 'astropy', 'matplotlib', 'pyarrow')\n"
            "assert not set(heavy) & set(sys.modules), set(heavy) & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    @pytest.mark.parametrize("name", [*COMMANDS, "--version"])
    def test_an_unknown_option_is_refused(self, name, cli):
        assert (
            "No such option" in cli.fails(name, "--no-such-option") if name in COMMANDS else cli.works(name)
        )


class TestList:
    def test_it_names_everything_there_is(self, cli):
        text = cli.works("list")
        for name in CHALLENGES:
            challenge = load(name)
            for word in (name, challenge.question, *challenge.tracks, *challenge.scenarios, *BASELINES[name]):
                assert word in text
        for word in (*TIERS, *sealing.SPLITS):
            assert word in text

    def test_a_program_reads_the_same(self, cli):
        record = json.loads(cli.works("list", "--json"))
        tiers = {name: list(dataset.tiers) for name, dataset in DATASETS.items()}
        assert {name: list(listed) for name, listed in record["datasets"].items()} == tiers
        assert record["splits"] == list(sealing.SPLITS)
        assert set(record["challenges"]) == set(CHALLENGES)
        for name, entry in record["challenges"].items():
            challenge = load(name)
            assert list(entry["tracks"]) == list(challenge.tracks)
            assert list(entry["scenarios"]) == list(challenge.scenarios)
            assert entry["baselines"] == list(BASELINES[name])


class TestData:
    def test_get_makes_what_is_missing_and_nothing_twice(self, own_sky, cli):
        split = datasets.Split.of("tiny", "validation")
        shutil.rmtree(split.data)
        shutil.rmtree(split.truth)
        first = cli.works("get", "shear", "--tier", "tiny", *ONE)
        assert first.split() == [
            str(path)
            for s in ("train", "validation")
            for path in (own_sky_split(s).data, own_sky_split(s).truth)
        ]
        stamps = {path: (own_sky / path).stat().st_mtime_ns for path in home_files(own_sky)}
        assert cli.works("get", "shear", *ONE) == first
        assert {path: (own_sky / path).stat().st_mtime_ns for path in home_files(own_sky)} == stamps

    def test_get_of_one_split_makes_one(self, empty_sky, cli):
        printed = cli.works("get", "sky", "--split", "validation", *ONE).split()
        assert [Path(line).name for line in printed] == ["validation.zarr", "validation.truth.zarr"]
        stores = {path.split("/")[3] for path in home_files(empty_sky) if not path.endswith(".lock")}
        assert stores == {Path(line).name for line in printed}

    def test_get_of_a_sealed_split_is_refused(self, empty_sky, cli):
        said = cli.fails("get", "shear", "--split", "test")
        assert "`skysynergy simulate sky --tier tiny --split test --secret-file FILE`" in said
        # A slip in the second split is told before the first one is made.
        assert "no split 'tset'" in cli.fails("get", "shear", "--split", "train", "--split", "tset")
        assert not empty_sky.exists()

    @pytest.mark.parametrize("split", sealing.OPEN_SPLITS)
    def test_an_open_split_takes_no_secret(self, split, empty_sky, tmp_path, cli):
        file = tmp_path / "some.secret"
        said = cli.fails("simulate", "sky", "--split", split, "--secret-file", file)
        assert f"{split} has a published secret: leave out --secret-file" in said
        assert not file.exists() and not empty_sky.exists()

    def test_verify_reads_both_stores(self, own_sky, cli):
        split = datasets.Split.of("tiny", "validation")
        assert cli.works("verify", "sky").splitlines() == [f"{split.data}: whole", f"{split.truth}: whole"]
        file = next((split.data / "lsst/image").glob("c.1.*"))
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
        said = cli.fails("verify", "sky")
        assert "damaged: lsst/image, shard 1" in said and "Delete the store, and simulate" in said

    def test_a_sealed_split_is_made_with_a_secret_that_stays_in_its_file(self, empty_sky, tmp_path, cli):
        file = tmp_path / "test.secret"
        command = ("simulate", "sky", "--tier", "tiny", "--split", "test", "--secret-file", file, *ONE)
        done = cli.call(*command)
        assert done.exit_code == 0, done.output
        assert done.stderr == f"made {file}: keep it, and keep it to yourself\n"
        assert file.stat().st_mode & 0o777 == 0o600
        secret = sealing.read_secret_file(file)
        split = datasets.Split.of("tiny", "test")
        data, truth, published = done.stdout.splitlines()
        assert (data, truth) == (str(split.data), str(split.truth))
        assert published == f"commitment {datasets.seal_of(split, secret)}"
        assert published.split()[1] == datasets.open_split(split).attrs["commitment"]
        for form in (secret, secret.hex().encode(), secret.hex().upper().encode()):
            assert form not in done.output.encode()
            assert not any(form in (empty_sky / path).read_bytes() for path in home_files(empty_sky))
        # The same secret again: nothing to do, and the same commitment; another one is refused.
        again = cli.call(*command)
        assert (again.stdout, again.stderr) == (done.stdout, "")
        other = tmp_path / "other.secret"
        sealing.write_secret_file(other, sealing.new_secret())
        assert "begun otherwise: attributes: commitment" in cli.fails(*command[:-3], other, *ONE)

        # An organiser's submission is written, not scored by chance; and is scored when asked.
        out = tmp_path / "null.parquet"
        done = cli.call("baseline", "shear", "null", "--split", "test", "--out", out)
        assert done.exit_code == 0 and done.stdout == f"{out}\n"
        assert done.stderr == f"test is sealed: submit {out} to have it scored\n"
        assert cli.works("validate", "shear", out, "--split", "test") == f"{out}: valid\n"
        shutil.rmtree(split.truth)
        assert "the truth of test is sealed until" in cli.fails("score", "shear", out, "--split", "test")
        assert cli.works("verify", "sky", "--split", "test") == f"{split.data}: whole\n"

    @pytest.mark.parametrize("bad", ["open to others", "text", "short", "folder"])
    def test_a_secret_file_that_is_none_is_refused(self, bad, empty_sky, tmp_path, cli):
        file = tmp_path / "bad.secret"
        content = {
            "open to others": "5a" * 32,
            "text": "to be or not to be",
            "short": "5a" * 31,
            "folder": "",
        }
        if bad == "folder":
            file.mkdir()
        else:
            file.write_text(content[bad])
            file.chmod(0o644 if bad == "open to others" else 0o600)
        said = cli.fails("simulate", "sky", "--split", "test", "--secret-file", file)
        assert str(file) in said
        assert {"open to others": "chmod 600", "folder": "is a directory"}.get(bad, "hexadecimal") in said
        assert "to be" not in said and not empty_sky.exists()

    def test_a_typing_slip_makes_no_secret(self, empty_sky, tmp_path, cli):
        file = tmp_path / "test.secret"
        cli.fails("simulate", "sky", "--split", "tset", "--secret-file", file)
        cli.fails("simulate", "ski", "--split", "test", "--secret-file", file)
        assert not file.exists()

    def test_sealed_without_a_secret_is_refused_with_the_option_that_is_missing(self, empty_sky, cli):
        assert "--secret-file FILE" in cli.fails("simulate", "sky", "--split", "test")


def own_sky_split(name):
    return datasets.Split.of("tiny", name)


class TestSubmissions:
    @pytest.fixture
    def null(self, little_sky, tmp_path, cli):
        out = tmp_path / "null.parquet"
        cli.works("baseline", "shear", "null", "--out", out)
        return out

    @pytest.mark.parametrize(
        ("name", "track"), [(n, "joint") for n in BASELINES["shear"]] + [("null", "lsst")]
    )
    def test_a_baseline_is_run_written_and_scored(self, name, track, little_sky, tmp_path, cli):
        out = tmp_path / "p.parquet"
        done = cli.call("baseline", "shear", name, "--track", track, "--out", out, "--json")
        assert done.exit_code == 0, done.output
        # Standard output is JSON and nothing else, for a program to read.
        card = Scorecard.from_json(done.stdout)
        assert done.stderr == f"{out}\n"
        assert (card.challenge, card.track, card.tier, card.split, card.entry) == (
            "shear", track, "tiny", "validation", name,
        )  # fmt: skip
        table = pq.read_table(out)
        assert sorted(table["id"].to_pylist()) == sorted(load("shear").ids().tolist())
        assert set(table.column_names) == {"id", *load("shear").schema.names}
        assert cli.works("validate", "shear", out, "--track", track) == f"{out}: valid\n"
        again = Scorecard.from_json(cli.works("score", "shear", out, "--track", track, "--json"))
        assert again.metrics == card.metrics and again.provenance == card.provenance and again.entry == "p"

    def test_a_scorecard_is_a_table_for_people(self, null, cli):
        text = cli.works("score", "shear", null)
        assert text.startswith("shear (joint, tiny, validation): null")
        card = Scorecard.from_json(cli.works("score", "shear", null, "--json"))
        for metric in card.metrics:
            assert re.search(rf"^\s*{metric.name} ", text, flags=re.MULTILINE)
        assert [card[name].value for name in ("m1", "m2", "c1", "c2")] == [-1.0, -1.0, 0.0, 0.0]

    @pytest.mark.parametrize("command", ["validate", "score"])
    def test_every_problem_of_a_submission_is_told(self, command, little_sky, tmp_path, cli):
        challenge = load("shear")
        ids = challenge.ids()
        bad = {
            "g1": [np.nan, 0.9],
            "g2": [0.0, 0.9],
            "cov11": [-1.0, 1e-4],
            "cov12": [0.0, 0.0],
            "seeing": [0.7, 0.8],
        }
        out = tmp_path / "bad.parquet"
        stated = challenge.metadata("tiny", "train")
        write_submission(out, [ids[0], 4], {name: np.array(v) for name, v in bad.items()}, stated)
        said = cli.fails(command, "shear", out)
        assert said.startswith("Error: bad.parquet has ") and "nothing of it is scored" in said
        for problem in (
            "made for split 'train', this is split 'validation'",
            "made for dataset 'sha256:",
            "missing column: cov22",
            "not asked for: seeing",
            "unknown in row 2 (id 4)",
            "1 of 2 ids have no row",
            f"column g1: NaN in row 1 (id {ids[0]})",
            f"column cov11: out of bounds in row 1 (id {ids[0]})",
            "reduced shear of 1 or more in row 2 (id 4)",
        ):
            assert problem in said, problem
        # Each with what to do.
        assert said.count("     -> ") == int(re.search(r"has (\d+) problems", said)[1]) >= 9

    @pytest.mark.parametrize("command", ["validate", "score"])
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "cannot be opened"),
            (b"", "is empty"),
            (b"\x80\x04\x95 pickle", "is a pickle, which is not read here"),
            (b"PAR1 and so on PAR", "Parquet cut off before its end"),
            (b"\x89PNG\r\n\x1a\n\0\0", "is neither Parquet, FITS nor CSV"),
        ],
    )
    def test_what_is_no_submission_is_refused(self, command, content, message, little_sky, tmp_path, cli):
        path = tmp_path / "p.parquet"
        if content is not None:
            path.write_bytes(content)
        said = cli.fails(command, "shear", path)
        assert message in said and "p.parquet" in said and "->" in said

    def test_a_submission_for_another_track_is_refused(self, null, cli):
        for command in ("validate", "score"):
            said = cli.fails(command, "shear", null, "--track", "lsst")
            assert "made for track 'joint', this is track 'lsst'" in said

    def test_a_damaged_dataset_is_told_where_it_matters(self, own_sky, tmp_path, cli):
        split = datasets.Split.of("tiny", "validation")
        max((split.data / "lsst/psf").glob("c.*")).unlink()
        for words in (
            ("baseline", "shear", "null", "--out", tmp_path / "p.parquet"),
            ("show", "shear"),
            ("verify", "sky"),
        ):
            said = cli.fails(*words)
            assert (
                "damaged: lsst/psf" in said and "Delete the store, and simulate or download it again" in said
            )
        assert not (tmp_path / "p.parquet").exists()


class TestCalibrate:
    @pytest.mark.parametrize("scenario", ["isolated", "field"])
    def test_null_has_m_of_minus_one_and_no_c(self, scenario, tmp_path, cli):
        """As typed, on the scenes as they are."""
        options = ("--scenario", scenario, "--pairs", "4", "--seed", "7", "--json", *ONE)
        done = cli.call("calibrate", "shear", "null", "--out", tmp_path / "run", *options)
        assert done.exit_code == 0, done.output
        card = Scorecard.from_json(done.stdout)
        assert [card[name].value for name in ("m1", "m2", "c1", "c2")] == [-1.0, -1.0, 0.0, 0.0]
        assert (card.entry, card.split, card.tier, card.track) == ("null", scenario, "4 pairs", "joint")
        assert card.provenance["method"] == "skysynergy.baselines.null:NullShear"
        # The folder holds the same, for people and programs.
        kept = {path.name for path in (tmp_path / "run").iterdir()}
        assert kept == {"scorecard.json", "scorecard.md", "bias.png"}
        assert Scorecard.from_json((tmp_path / "run" / "scorecard.json").read_text()) == card
        assert "| m1 |" in (tmp_path / "run" / "scorecard.md").read_text()

    def test_a_seed_repeats_a_run(self, tmp_path, monkeypatch, cli):
        (tmp_path / "my_methods.py").write_text(
            "class Pixel:\n"
            "    name = 'pixel'\n"
            "    def predict(self, field):\n"
            "        g = float(field.surveys['LSST'].image[0, 0, 48, 48]) * 1e-6\n"
            "        return {'g1': g, 'g2': -g, 'cov11': 1e-4, 'cov22': 1e-4, 'cov12': 0.0}\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        words = ("calibrate", "shear", "my_methods:Pixel", "--track", "lsst", "--pairs", "4", "--json", *ONE)
        cards = [
            Scorecard.from_json(cli.works(*words, *seed))
            for seed in (("--seed", "1"),) * 2 + (("--seed", "2"), ())
        ]
        values = [[metric.value for metric in card.metrics] for card in cards]
        assert values[0] == values[1]
        assert len({tuple(v[:4]) for v in values}) == 3
        assert {card.entry for card in cards} == {"my_methods:Pixel"}

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("nul",), "no baseline of shear 'nul'; did you mean null"),
            (("null", "--scenario", "feild"), "no scenario 'feild'; did you mean field"),
            (("null", "--track", "lssst"), "no track 'lssst'; did you mean lsst"),
            (("null", "--pairs", "3"), "at least 4 pairs of scenes, two fields of partners, not 3"),
            (("null", "--pairs", "many"), "'many' is not a valid integer"),
            (("null", "--seed", "-1"), "-1 is not in the range"),
            (("null", "--workers", "0"), "0 is not in the range"),
            (("no_such_package:Method", "--pairs", "4", *ONE), "is it installed, or on PYTHONPATH"),
            (("skysynergy.baselines.null:Nul", "--pairs", "4", *ONE), "null holds no Nul"),
        ],
    )
    def test_what_cannot_be_measured_is_explained(self, words, message, cli):
        assert message in cli.fails("calibrate", "shear", *words)

    def test_a_folder_that_cannot_be_is_told_before_the_work(self, tmp_path, monkeypatch, cli):
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setattr("skysynergy.challenges.harness.calibrate", None)
        said = cli.fails("calibrate", "shear", "null", "--out", tmp_path / "file")
        assert str(tmp_path / "file") in said

    def test_a_method_that_fails_is_told_with_its_own_words(self, tmp_path, monkeypatch, cli):
        (tmp_path / "broken_method.py").write_text(
            "class Broken:\n    name = 'broken'\n    def predict(self, field):\n        return 1 / 0\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        done = cli.call("calibrate", "shear", "broken_method:Broken", "--pairs", "4", *ONE)
        assert done.exit_code == 2 and isinstance(done.exception, SystemExit)
        assert "broken_method:Broken failed on a field (exit code 1)" in done.stderr
        # The traceback is that of the method, for its author.
        assert "ZeroDivisionError" in done.stderr and "return 1 / 0" in done.stderr
