"""Visits, depths and gaps of our ten years against the real baseline: writes sky_cadence.md and figures.

    .venv/bin/python docs/results/sky_cadence.py

The real one is `cadence/lsst_baseline_v3.0_visits.parquet` in $SKYSYNERGY_TEST_DATA (by default
../shared/data beside the checkout): 150 wide-fast-deep pointings and the six deep fields of the
baseline v3.0 of the Rubin survey simulations. Ours is drawn as many times as --surveys says, each
with 150 places and six fields; the scatter of these is how far one survey wanders by chance. Takes
about half a minute on one core.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from skysynergy.challenges import canvas
from skysynergy.simulators.cadence import DEEP_FIELDS, survey_visits

HERE = Path(__file__).parent
BANDS = "ugrizy"
MEDIAN, RANGE = 0.10, 0.20  # limits: of the median, and of the 5-95 % range
BAND_COLOURS = tuple(canvas.BAND_COLOURS[band] for band in BANDS)
REAL, OURS = canvas.SOFT, canvas.COLOURS["blue"]
NIGHT_BEGINS = 0.67  # part of a day of MJD, noon at the telescope
SEASONS_APART = 80.0  # days


@dataclass(frozen=True)
class Place:
    """Visits of one pointing, sorted by time: code of the band, MJD, five-sigma depth."""

    code: np.ndarray
    mjd: np.ndarray
    m5: np.ndarray


Measure = Callable[[Sequence[Place]], np.ndarray]


def real_places(path: Path) -> tuple[list[Place], list[Place]]:
    """The wide pointings, and the deep fields in the order of `DEEP_FIELDS`."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    number = table["pointing"].to_numpy()
    names, mjd, m5 = (table[c].to_numpy(zero_copy_only=False) for c in ("program", "mjd", "m5"))
    code = np.array([BANDS.index(band) for band in table["band"].to_pylist()])
    places: dict[str, list[Place]] = {}
    for pointing in np.unique(number):
        mine = np.flatnonzero(number == pointing)
        mine = mine[np.argsort(mjd[mine], kind="stable")]
        name = names[mine[0]].removeprefix("DDF-")
        places.setdefault(name, []).append(Place(code[mine], mjd[mine], m5[mine].astype(float)))
    return places["WFD"], [places[name][0] for name in DEEP_FIELDS]


def our_places(rng: np.random.Generator, fields: Sequence[str]) -> list[Place]:
    """One place of each of the fields."""
    drawn = [survey_visits(rng, field=field) for field in fields]
    return [Place(visits.code, visits.mjd, visits.m5) for visits in drawn]


def visits(code: int) -> Measure:
    return lambda places: np.array([np.sum(place.code == code) for place in places], float)


def depths(code: int) -> Measure:
    return lambda places: np.concatenate([place.m5[place.code == code] for place in places])


def gaps(code: int, least: float = 0.5) -> Measure:
    """Days between visits in one band of one season; by default those from night to night."""

    def measure(places: Sequence[Place]) -> np.ndarray:
        apart = np.concatenate([np.diff(place.mjd[place.code == code]) for place in places])
        return apart[(apart > least) & (apart < SEASONS_APART)]

    return measure


def any_gaps(places: Sequence[Place]) -> np.ndarray:
    """Days from the first visit of a night to that of the next, in any band, within a season."""
    starts = []
    for place in places:
        night = np.floor(place.mjd - NIGHT_BEGINS)
        starts.append(place.mjd[np.flatnonzero(np.diff(night, prepend=-1.0))])
    apart = np.concatenate([np.diff(first) for first in starts])
    return apart[apart < SEASONS_APART]


def _seasons(places: Sequence[Place]) -> list[np.ndarray]:
    return [
        season
        for place in places
        for season in np.split(place.mjd, np.flatnonzero(np.diff(place.mjd) > SEASONS_APART) + 1)
    ]


def season_lengths(places: Sequence[Place]) -> np.ndarray:
    return np.array([np.ptp(season) for season in _seasons(places)])


def season_visits(places: Sequence[Place]) -> np.ndarray:
    return np.array([len(season) for season in _seasons(places)], float)


def pair_minutes(places: Sequence[Place]) -> np.ndarray:
    """Minutes between visits of one night, without the repeats that follow at once."""
    apart = np.concatenate([np.diff(place.mjd) for place in places]) * 1440
    return apart[(apart > 10) & (apart < 60)]


def summary(values: np.ndarray) -> np.ndarray:
    """Median, and width of the range from 5 to 95 %."""
    low, middle, high = np.percentile(values, [5, 50, 95])
    return np.array([middle, high - low])


def table(
    real: Sequence[Place], ours: Sequence[Sequence[Place]], rows: dict[str, Measure]
) -> tuple[str, int, int]:
    """One line for each measure, and how many are met of how many."""
    lines, met = [], 0
    for name, measure in rows.items():
        true = summary(measure(real))
        drawn = np.array([summary(measure(places)) for places in ours])
        mean, error = drawn.mean(0), drawn.std(0, ddof=1)
        ratio = mean / true
        good = abs(ratio[0] - 1) <= MEDIAN and abs(ratio[1] - 1) <= RANGE
        met += bool(good)
        off = f"{mean[0] - true[0]:+.3f}" if name.startswith("m5") else f"{ratio[0] - 1:+.0%}"
        lines.append(
            f"| {name} | {true[0]:.4g} | {mean[0]:.4g} ± {error[0]:.2g} | {off} | {true[1]:.3g} "
            f"| {mean[1]:.3g} ± {error[1]:.2g} | {ratio[1] - 1:+.0%} | {'met' if good else 'not met'} |"
        )
    return "\n".join(lines), met, len(rows)


def by_band(what: str, measure: Callable[[int], Measure]) -> dict[str, Measure]:
    return {f"{what} {band}": measure(code) for code, band in enumerate(BANDS)}


@canvas.drawn
def distributions(real: Sequence[Place], ours: Sequence[Place], title: str) -> Figure:
    """Depths and gaps of each band, real and drawn."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    axes = figure.subplots(2, 6)
    for code, band in enumerate(BANDS):
        panel = axes[0, code]
        true, drawn = depths(code)(real), depths(code)(ours)
        bins = np.linspace(*np.percentile(np.append(true, drawn), [0.2, 99.9]), 45)
        panel.hist(true, bins, density=True, color=REAL, alpha=0.4, label="baseline v3.0")
        panel.hist(drawn, bins, density=True, histtype="step", color=OURS, lw=1.4, label="ours")
        panel.set(title=band, xlabel="5σ depth (AB mag)", yticks=[])
        panel = axes[1, code]
        for places, colour, style in ((real, REAL, {"lw": 4, "alpha": 0.5}), (ours, OURS, {"lw": 1.4})):
            apart = np.sort(gaps(code)(places))
            panel.step(apart, np.linspace(0, 1, len(apart)), color=colour, **style)
        panel.set(xscale="log", xlim=(0.5, 80), ylim=(0, 1), xlabel="gap of nights (days)")
        panel.set_xticks([1, 3, 10, 30], ["1", "3", "10", "30"])
    axes[0, 0].set_ylabel("visits (any unit)")
    axes[1, 0].set_ylabel("share of shorter gaps")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


@canvas.drawn
def histories(real: Sequence[tuple[str, Place]], ours: Sequence[tuple[str, Place]]) -> Figure:
    """Every visit of a few places: time, depth, band."""
    figure = Figure(figsize=(11, 1.75 * len(real) + 0.6), layout="constrained")
    axes = figure.subplots(len(real), 2, sharey="row", squeeze=False)
    for row, pair in enumerate(zip(real, ours, strict=True)):
        for column, (name, place) in enumerate(pair):
            panel = axes[row, column]
            years = (place.mjd - np.floor(place.mjd[0])) / 365.25
            size = 3.0 if len(place.mjd) < 2000 else 0.5
            colours = np.array(BAND_COLOURS)[place.code]
            panel.scatter(years, place.m5, s=size, c=colours, linewidths=0, rasterized=True)
            panel.set_title(f"{name}: {len(place.mjd):,} visits")
            panel.set(xlim=(-0.1, 10.1), ylim=(20.6, 25.3))
        axes[row, 0].set_ylabel("depth (AB mag)")
    for panel in axes[-1]:
        panel.set_xlabel("years from the first visit")
    handles = [
        axes[0, 0].scatter([], [], s=14, c=colour, label=band)
        for band, colour in zip(BANDS, BAND_COLOURS, strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=6)
    return figure


@canvas.drawn
def seasons(
    real: Sequence[Place], ours: Sequence[Place], deep: dict[str, tuple[Place, list[Place]]]
) -> Figure:
    """Visits of each band, seasons and nights."""
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    axes = figure.subplots(2, 3)
    pairs = ((real, REAL, -0.17, "baseline v3.0"), (ours, OURS, 0.17, "ours"))
    for places, colour, shift, label in pairs:
        low, middle, high = np.percentile([visits(code)(places) for code in range(6)], [5, 50, 95], axis=1)
        place = np.arange(6) + shift
        axes[0, 0].errorbar(
            place, middle, (middle - low, high - middle), fmt="o", ms=4, color=colour, label=label
        )
    axes[0, 0].set(title="visits to a wide place in ten years, 5 to 95 %", ylabel="visits", ylim=(0, None))
    axes[0, 0].set_xticks(range(6), list(BANDS))
    axes[0, 0].legend(loc="upper left")
    panels: list[tuple[Measure, np.ndarray, str, str]] = [
        (season_visits, np.arange(0, 181, 6.0), "visits of a season (rolling), wide", "visits"),
        (season_lengths, np.arange(0, 331, 10.0), "length of a season, wide", "days"),
        (any_gaps, np.arange(0.5, 31.5, 1.0), "from night to night, any band, wide", "days"),
        (pair_minutes, np.arange(10, 45, 1.0), "between the two of a pair, wide", "minutes"),
    ]
    for panel, (measure, bins, title, unit) in zip(axes.flat[1:5], panels, strict=True):
        panel.hist(measure(real), bins, density=True, color=REAL, alpha=0.4)
        panel.hist(measure(ours), bins, density=True, histtype="step", color=OURS, lw=1.4)
        panel.set(title=title, xlabel=unit, yticks=[])
    panel = axes[1, 2]
    for number, (true, drawn) in enumerate(deep.values()):
        ratio = np.array([[visits(code)([place])[0] for code in range(6)] for place in drawn])
        ratio = ratio / [visits(code)([true])[0] for code in range(6)]
        where = number + np.linspace(-0.3, 0.3, 6)
        for code, x in enumerate(where):
            panel.errorbar(
                x, ratio[:, code].mean(), ratio[:, code].std(), fmt="o", ms=3, color=BAND_COLOURS[code]
            )
    panel.axhline(1.0, color=canvas.SOFT, lw=0.8)
    panel.axhspan(1 - MEDIAN, 1 + MEDIAN, color=canvas.SOFT, alpha=0.15, lw=0)
    panel.set(title="visits to deep fields, ours / real, u to y", ylabel="ratio", ylim=(0.7, 1.3))
    panel.set_xticks(range(len(deep)), [name.replace("-LSS", "") for name in deep], fontsize=7)
    return figure


HEAD = """# Cadence: ten years of visits against the real baseline

Written by `sky_cadence.py`. Real: 150 wide-fast-deep pointings and the six deep fields of the
ten-year baseline v3.0 (Rubin survey simulations). Ours: `survey_visits`, {surveys} surveys of 150
wide places and the six deep fields each; ± is their scatter, how far one survey wanders by chance.

Limits: medians within 10 %, ranges from 5 to 95 % within 20 %. For depths (m5), of which 10 % would
be trivial, the difference of the medians is given in mag; their ranges are in mag everywhere. Gaps
are days between nights in which the band is used, within a season (0.5 to 80 days): they are near
whole numbers, so that a median moves by whole days.

| | measures | met |
|---|---|---|
| wide, of each band: visits, depths, gaps | {wide_rows} | {wide_met} |
| deep, of each band: depths, gaps (six fields together) | {deep_rows} | {deep_met} |
| deep, of each band: visits (each field) | {count_rows} | {count_met} |

Over all wide places the largest difference of a median depth is {worst_wide:.3f} mag, over all deep
fields {worst_deep:.3f} mag.
"""
COLUMNS = "| | real median | ours | off | real range | ours | off | |\n|---|---|---|---|---|---|---|---|\n"


def count_table(real: Sequence[Place], ours: Sequence[Sequence[Place]]) -> tuple[str, int, int]:
    """Visits of each band to each deep field."""
    lines, met = [], 0
    for number, name in enumerate(DEEP_FIELDS):
        cells = []
        for code in range(6):
            true = visits(code)([real[number]])[0]
            drawn = np.array([visits(code)([places[number]])[0] for places in ours])
            off = np.median(drawn) / true - 1
            met += bool(abs(off) <= MEDIAN)
            cells.append(f"{true:.0f}, {np.median(drawn):.0f} ± {drawn.std(ddof=1):.0f} ({off:+.0%})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines), met, 6 * len(DEEP_FIELDS)


def worst_depth(real: Sequence[Place], ours: Sequence[Sequence[Place]]) -> float:
    """Largest difference of a band's median depth, mag."""
    off = [
        np.mean([np.median(depths(code)(places)) for places in ours]) - np.median(depths(code)(real))
        for code in range(6)
    ]
    return float(np.abs(off).max())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--surveys", type=int, default=10, help="surveys of ours, 2 or more")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.surveys < 2:
        parser.error(f"--surveys is {options.surveys}: their scatter needs 2 or more")
    default = HERE.resolve().parents[2] / "shared" / "data"
    path = (
        Path(os.environ.get("SKYSYNERGY_TEST_DATA", default))
        / "cadence"
        / "lsst_baseline_v3.0_visits.parquet"
    )
    if not path.is_file():
        print(
            f"no real visits to compare with: {path} is missing (set SKYSYNERGY_TEST_DATA)", file=sys.stderr
        )
        raise SystemExit(2)

    real_wide, real_deep = real_places(path)
    rng = np.random.default_rng(options.seed)
    wide = [our_places(rng, ["wide"] * len(real_wide)) for _ in range(options.surveys)]
    deep = [our_places(rng, list(DEEP_FIELDS)) for _ in range(options.surveys)]

    bands = by_band("m5 (mag)", depths) | by_band("gap between nights (d)", gaps)
    wide_text, wide_met, wide_rows = table(real_wide, wide, by_band("visits", visits) | bands)
    deep_text, deep_met, deep_rows = table(real_deep, deep, bands)
    count_text, count_met, count_rows = count_table(real_deep, deep)
    rest: dict[str, Measure] = {
        "night to night, any band (d)": any_gaps,
        "length of a season (d)": season_lengths,
        "visits of a season": season_visits,
        "between the two of a pair (min)": pair_minutes,
    }
    text = HEAD.format(
        surveys=options.surveys,
        wide_rows=wide_rows,
        wide_met=wide_met,
        deep_rows=deep_rows,
        deep_met=deep_met,
        count_rows=count_rows,
        count_met=count_met,
        worst_wide=worst_depth(real_wide, wide),
        worst_deep=worst_depth(real_deep, deep),
    )
    text += f"\n## Wide\n\n{COLUMNS}{wide_text}\n\n![Depths and gaps, wide](sky_cadence_wide.png)\n"
    text += f"\n## Deep, six fields together\n\n{COLUMNS}{deep_text}\n\n"
    text += "![Depths and gaps, deep](sky_cadence_deep.png)\n"
    text += "\nVisits of each band to each field: real, ours (off).\n\n| | " + " | ".join(BANDS) + " |\n"
    text += "|---" * 7 + f"|\n{count_text}\n"
    text += (
        "\n## Not required: seasons, nights and pairs\n\nWide:\n\n"
        + COLUMNS
        + table(real_wide, wide, rest)[0]
    )
    text += "\n\nDeep:\n\n" + COLUMNS + table(real_deep, deep, dict(list(rest.items())[:3]))[0]
    text += "\n\n![Visits, seasons, nights, pairs](sky_cadence_seasons.png)\n"
    text += "\n![Every visit of a wide place and of two deep fields](sky_cadence.png)\n"
    canvas.write_whole(HERE / "sky_cadence.md", text.encode())

    pooled_wide, pooled_deep = list(chain.from_iterable(wide)), list(chain.from_iterable(deep))
    wide_title = "150 wide places: visits of ten years"
    canvas.save(distributions(real_wide, pooled_wide, wide_title), HERE / "sky_cadence_wide.png")
    deep_title = "Six deep fields: visits of ten years"
    canvas.save(distributions(real_deep, pooled_deep, deep_title), HERE / "sky_cadence_deep.png")
    by_field = {
        name: (real_deep[number], [places[number] for places in deep])
        for number, name in enumerate(DEEP_FIELDS)
    }
    canvas.save(seasons(real_wide, pooled_wide, by_field), HERE / "sky_cadence_seasons.png")
    shown = ["COSMOS", "EDFS_a"]
    order = list(DEEP_FIELDS)
    examples = [
        [(f"wide, {label}", places[3])] + [(f"{name}, {label}", fields[order.index(name)]) for name in shown]
        for label, places, fields in (("baseline v3.0", real_wide, real_deep), ("ours", wide[0], deep[0]))
    ]
    canvas.save(histories(*examples), HERE / "sky_cadence.png")
    print(text)


if __name__ == "__main__":
    main()
