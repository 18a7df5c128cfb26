"""The command `show`: scenes and light curves are drawn, and what cannot be is explained."""

from __future__ import annotations

import matplotlib.image
import pytest


class TestShow:
    @pytest.mark.parametrize(
        "options", [(), ("--no-truth",), ("--exposures",), ("--exposures", "--band", "VIS")]
    )
    def test_a_picture_is_written(self, options, little_sky, tmp_path, cli):
        out = tmp_path / "scene.png"
        assert cli.works("show", "shear", "--scene", "3", *options, "--out", out) == f"{out}\n"
        picture = matplotlib.image.imread(out)
        assert min(picture.shape[:2]) > 200 and picture.std() > 0.05
        assert [path.name for path in tmp_path.iterdir()] == ["scene.png"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--scene", "4"), "there is no scene 4: this split has scenes 0 to 3"),
            (("--scene", "-1"), "there is no scene -1"),
            (("--scene", "two"), "'two' is not a valid integer"),
            (("--out", "scene.jpg"), "end the name 'scene.jpg' with .png"),
            (("--exposures", "--band", "q"), "no band is called 'q'"),
            (("--exposures", "--band", "u"), "no exposure was taken in u"),
        ],
    )
    def test_what_cannot_be_shown_is_explained(
        self, options, message, little_sky, tmp_path, monkeypatch, cli
    ):
        monkeypatch.chdir(tmp_path)
        assert message in cli.fails("show", "shear", *options)
        assert not list(tmp_path.iterdir())


class TestShowTransients:
    @pytest.mark.parametrize("options", [(), ("--no-truth",), ("--object", "39")])
    def test_a_light_curve_is_drawn(self, options, little_transients, tmp_path, monkeypatch, cli):
        monkeypatch.chdir(tmp_path)
        assert cli.works("show", "transients", *options) == "object.png\n"
        picture = matplotlib.image.imread(tmp_path / "object.png")
        assert min(picture.shape[:2]) > 200 and picture.std() > 0.05

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("transients", "--object", "40"), "there is no object 40: this split has objects 0 to 39"),
            (("transients", "--object", "-1"), "there is no object -1"),
            (("transients", "--scene", "3"), "transients is about objects: choose one with --object"),
            (("transients", "--object", "3", "--scene", "3"), "choose one with --object"),
            (("shear", "--object", "3"), "shear is about scenes: choose one with --scene"),
            (("transients", "--exposures"), "transients have light curves, no exposures"),
            (("transients", "--exposures", "--band", "r"), "transients have light curves, no exposures"),
            (("transients", "--out", "curve.jpg"), "end the name 'curve.jpg' with .png"),
        ],
    )
    def test_what_cannot_be_shown_is_explained(
        self, words, message, little_transients, tmp_path, monkeypatch, cli
    ):
        monkeypatch.chdir(tmp_path)
        assert message in cli.fails("show", *words)
        assert not list(tmp_path.iterdir())
