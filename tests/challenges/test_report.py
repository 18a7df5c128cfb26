"""Reports: a folder that stands alone, and a well-formed page whose only markup is our own."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from matplotlib.figure import Figure
from skysynergy.challenges.canvas import save
from skysynergy.challenges.report import FigureFile, Section, Step, write_report
from skysynergy.scoring.metrics import Group, Metric
from skysynergy.scoring.scorecard import Scorecard

VOID = {"meta", "img", "br", "link", "hr", "input"}
NASTY = """<script>alert("1")</script> & 'x' </pre>"""
CARD = Scorecard(
    "shear",
    "joint",
    "tiny",
    "validation",
    "moments <b>",
    (
        Metric("m1", 0.0004, -0.0003, 0.0011, requirement=2e-3, met=True),
        Metric("m2", 0.5, 0.4, 0.6, requirement=2e-3, met=False),
        Metric("c1", 1e-4, -3e-4, 5e-4, requirement=2e-4),
        Metric("alpha", None, None, None, reason="no PSF <ellipticities>"),
        Metric("rms", 0.02, 0.01, 0.03, better="lower", unit="shear"),
    ),
    (Group("fwhm", (0.6, 0.8), (Metric("m1", 0.1, 0.0, 0.2),)),),
    {"code": "0.1 & more", "seconds": 12.3, "none": None},
)


class Page(HTMLParser):
    """Checks that elements are closed in order; keeps text, tags and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.alts: list[str] = []
        self.pre: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "pre":
            self.pre.append("")
        for name, value in attrs:
            assert not name.startswith("on"), "a page without scripts has no handlers"
            if name in ("src", "href"):
                self.addresses.append(value)
            elif name == "id":
                self.ids.append(value)
            elif name == "alt":
                self.alts.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        if "pre" in self.open:
            self.pre[-1] += data


def picture(path: Path, mark: float = 1.0) -> Path:
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, mark])
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path)
    return path


def written(folder, **changes):
    settings = {"title": "A title", "intro": "Words.", "sections": [Section("One", "Text.")]} | changes
    index = write_report(folder, **settings)
    assert index == folder / "index.html"
    return Page(index.read_text(encoding="utf-8"))


def test_a_full_report_is_well_formed_and_stands_alone(tmp_path):
    inside = picture(tmp_path / "report" / "pictures" / "a b#1.png")
    outside = picture(tmp_path / "elsewhere" / "c.png")
    page = written(
        tmp_path / "report",
        sections=[
            Section("Sky", "First.\n\nSecond.", (FigureFile(inside, "a scene", "Caption."),)),
            Section("Shear", figures=(FigureFile(outside, "the bias"),), scorecards=(CARD,)),
            Section("Relative", figures=(FigureFile(Path("pictures/a b#1.png"), "again"),)),
            Section("Type", commands=("skysynergy list", "skysynergy demo")),
        ],
        next_steps=[Step("Score it.", "skysynergy score shear predictions.parquet")],
    )
    assert page.alts == ["a scene", "the bias", "again"]
    for address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.ids
        else:
            assert not Path(address).is_absolute()
            assert (tmp_path / "report" / unquote(address)).is_file()
    assert sum(not address.startswith("#") for address in page.addresses) == 6
    assert len(set(page.ids)) == len(page.ids)
    assert page.pre == ["skysynergy list\nskysynergy demo", "skysynergy score shear predictions.parquet"]
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    for outside_world in ("http:", "https:", "@import", "url("):
        assert outside_world not in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_scorecards_become_tables_with_intervals_requirements_and_verdicts(tmp_path):
    page = written(tmp_path / "report", sections=[Section("Shear", scorecards=(CARD,))])
    assert page.tags.count("table") == 2
    for words in (
        "Of 3 requirements: 1 met, 1 not met, 1 undecided.",
        "(+4.0 ± 7.0) × 10⁻⁴",
        "−0.0003 to +0.0011 (68 %)",
        "|m1| < 0.002",
        "not met",
        "undecided",
        "no PSF <ellipticities>",
        "0.020 ± 0.010 shear",
        "fwhm from 0.6 to 0.8",
        "0.1 & more",
    ):
        assert words in page.text
    html = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    for kind in ("met", "not-met", "undecided", "free"):
        assert f'class="verdict {kind}"' in html


def test_everything_is_escaped(tmp_path):
    figure = picture(tmp_path / "a.png")
    page = written(
        tmp_path / "report",
        title=NASTY,
        intro=NASTY,
        sections=[Section(NASTY, NASTY, (FigureFile(figure, NASTY, NASTY),), (), (NASTY,))] * 3,
        next_steps=[Step(NASTY, NASTY)],
    )
    assert "script" not in page.tags
    assert page.alts == [NASTY] * 3
    assert page.pre == [NASTY] * 4
    assert page.text.count(NASTY) == 1 + 1 + 1 + 3 * 5 + 2  # title twice, intro; nav and four texts; a step


def test_an_empty_report_is_a_page_too(tmp_path):
    page = written(tmp_path / "new" / "report", intro="", sections=[])
    assert "A title" in page.text
    assert "nav" not in page.tags


def test_the_page_is_written_last_and_an_old_one_stays_until_then(tmp_path):
    folder = tmp_path / "report"
    written(folder, title="old")
    missing = Section("One", figures=(FigureFile(tmp_path / "none.png", "nothing"),))
    with pytest.raises(FileNotFoundError, match=r"write the figures before the report: .*none\.png"):
        write_report(folder, title="new", intro="", sections=[missing])
    assert "old" in (folder / "index.html").read_text(encoding="utf-8")
    written(folder, title="new")
    assert sorted(path.name for path in folder.iterdir()) == ["index.html"]


def test_two_pictures_of_one_name_are_refused_and_one_picture_twice_is_not(tmp_path):
    a, b = picture(tmp_path / "a" / "x.png"), picture(tmp_path / "b" / "x.png", 2.0)
    with pytest.raises(ValueError, match=r"x\.png is there twice"):
        written(
            tmp_path / "report", sections=[Section("s", figures=(FigureFile(a, "a"), FigureFile(b, "b")))]
        )
    written(tmp_path / "report", sections=[Section("s", figures=(FigureFile(a, "a"), FigureFile(a, "a")))])
    assert (tmp_path / "report" / "figures" / "x.png").read_bytes() == a.read_bytes()


def test_parts_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="PNG"):
        FigureFile(Path("a.jpg"), "a")
    with pytest.raises(ValueError, match="alt text"):
        FigureFile(Path("a.png"), " ")
    with pytest.raises(TypeError, match="sequence"):
        Section("s", commands="skysynergy list")
