"""What would fail in the end is refused in the beginning, and what is killed leaves nobody working."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from skysynergy.challenges import canvas, datasets
from skysynergy.challenges.run_method import MethodError, find_method

ONE = ("--workers", "1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("baseline", "shear", "null", "--out", "no/p.parquet"), "make the folder no first"),
        (("baseline", "shear", "null", "--out", "p.csv"), "end the name 'p.csv' with .parquet"),
        (("show", "shear", "--out", "no/s.png"), "make the folder no first"),
        (("show", "shear", "--out", "s.jpg"), "end the name 's.jpg' with .png"),
        (("show", "shear", "--band", "i"), "add --exposures"),
        (("demo", "--out", "file"), "a file is in its place"),
        (("calibrate", "shear", "null", "--out", "file/run"), "a file is in its place"),
        (("calibrate", "shear", "null", "--seed", str(2**63)), "is not in the range"),
        (("simulate", "sky", "--split", "train", "--secret-file", "s"), "leave out --secret-file"),
    ],
)
def test_nothing_is_begun(words, message, empty_sky, tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    assert message in cli.fails(*words)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_split_keeps_its_secret(empty_sky, tmp_path, cli):
    command = ("simulate", "sky", "--split", "test", *ONE, "--secret-file")
    cli.works(*command, tmp_path / "first")
    assert "give its own secret file" in cli.fails(*command, tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_a_scene_without_truth_can_be_drawn(own_sky, tmp_path, cli):
    split = datasets.Split.of("tiny", "validation")
    split.truth.rename(split.truth.with_name("elsewhere"))
    out = tmp_path / "s.png"
    assert "or draw without it: --no-truth" in cli.fails("show", "shear", "--out", out)
    cli.works("show", "shear", "--no-truth", "--out", out)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("import no_such_thing", "mine_a imports what is not there: No module named 'no_such_thing'"),
        ("class M:\n    def __init__(self, settings): pass", "must be made without arguments"),
    ],
)
def test_a_module_that_cannot_be_used_is_told_truthfully(content, message, tmp_path, monkeypatch):
    (tmp_path / "mine_a.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_a", raising=False)
    with pytest.raises(MethodError, match=message):
        find_method("mine_a:M")


def test_a_draft_that_fails_is_removed(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        canvas.write_whole(tmp_path / "file", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_told_with_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as error:
        canvas.write_whole(tmp_path / "file", b"content")
    assert error.value.filename == str(tmp_path / "file")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_calibration_leaves_nobody_working(workers, signal_, tmp_path):
    (tmp_path / "slow.py").write_text(
        "import os, time\nfrom pathlib import Path\n"
        "class Slow:\n    name = 'slow'\n    def predict(self, field):\n"
        "        Path(f'pid{os.getpid()}-{os.getppid()}').touch()\n        time.sleep(100)\n"
    )
    words = ["calibrate", "shear", "slow:Slow", "--pairs", "4", "--workers", str(workers)]
    process = subprocess.Popen(
        [Path(sys.executable).with_name("skysynergy"), *words],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while not (begun := list(tmp_path.glob("pid*"))) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal_)
    process.wait(20)
    assert begun
    for pid in begun[0].name[3:].split("-"):
        end = time.monotonic() + 10
        while alive(pid):
            assert time.monotonic() < end, f"process {pid} goes on"
            time.sleep(0.1)


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
