"""Pictures of how good probabilities of classes are: are they frequencies, what is mistaken, how soon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ..scoring.calibration import N_BINS, ReliabilityCurve, calibration_estimates, reliability_curve
from ..scoring.classification_sums import ClassificationSums
from ..scoring.metrics import DISPLAY_LEVEL, Metric
from ..scoring.probabilities import OUT_OF_DISTRIBUTION
from ..scoring.scorecard import Scorecard
from ..simulators.transient_classes import CLASSES
from ..simulators.transients import KINDS
from .canvas import COLOURS, INK, SOFT, drawn, footnote
from .typography import measured

__all__ = ["confusion_figure", "early_figure", "reliability_figure"]

_TITLES = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "efficiency": "Ia efficiency",
    "purity": "Ia purity",
}
_ORIGINS = {"days_from_peak": "days from peak", "days_from_first_detection": "days from first detection"}
_SHADES = LinearSegmentedColormap.from_list("shares", ["#ffffff", COLOURS["sky"], COLOURS["blue"], "#00324f"])


@drawn
def reliability_figure(
    sums: ClassificationSums,
    *,
    names: Sequence[str] = tuple(CLASSES),
    of: int | None = None,
    level: float = DISPLAY_LEVEL,
    title: str = "",
) -> Figure:
    """How often what is predicted with a probability comes true, and how often it is predicted.

    One panel for the most probable class of each object, with the debiased calibration error, and one for
    a class of its own, such as Ia.

    Arguments:
        sums: from `classification_sums`.
        names: of the classes, by code.
        of: code of the class; that which is selected, else 0.
        level: of the intervals.
        title: of the figure.

    Raises:
        ValueError: if there is no such class, or names do not fit.
    """
    if len(names) != sums.n_classes:
        raise ValueError(f"{len(names)} names do not fit {sums.n_classes} classes: give one for each")
    code = of if of is not None else sums.positive or 0
    curves = [reliability_curve(sums.calibration, one, level=level) for one in (None, code)]
    error = Metric.of(
        "ece_debiased",
        calibration_estimates(sums.calibration)["ece_debiased"],
        better="lower",
        level=level,
    )
    figure = Figure(figsize=(9.0, 5.6 if title else 5.2), layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    panels = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=[3.0, 1.0])
    n = int(curves[0].count.sum())
    value = "none" if error.value is None else measured(error.value, error.low, error.high)
    titles = ("most probable class", f"probability of {names[code]}")
    notes = (f"debiased ECE {value}" if n else "", "")
    for k, (upper, lower, curve) in enumerate(zip(*panels, curves, strict=True)):
        upper.set_title(titles[k], fontweight="bold")
        upper.set_title(notes[k], loc="right", fontsize=8, color=SOFT)
        _draw_reliability(upper, curve)
        _draw_counts(lower, curve)
        lower.set_xlabel("predicted probability")
    panels[0, 0].set_ylabel("share that came true")
    panels[1, 0].set_ylabel("objects")
    # Powers of ten, so that both panels show few sure objects beside many others.
    top = max([float(curve.count.max()) for curve in curves if curve.count.size], default=1.0)
    panels[1, 0].set_yscale("log")
    panels[1, 0].set_ylim(0.7, 10 ** math.ceil(math.log10(2 * top)))
    text = f"{n:,} objects of predicted classes. Bars: {100 * level:g} % intervals for independent objects. "
    footnote(figure, text + "Below the line, predictions are too sure; above it, not sure enough.")
    return figure


@drawn
def confusion_figure(
    probabilities: ArrayLike,
    codes: ArrayLike,
    *,
    names: Sequence[str] = tuple(CLASSES),
    others: Sequence[str] = KINDS[len(CLASSES) :],
    title: str = "",
) -> Figure:
    """For the objects of each true class, in per cent, which class is the most probable.

    Arguments:
        probabilities: (object, class).
        codes: (object,) of the true classes, from 0; further ones, of classes that are not predicted, have
            rows below, and so has `OUT_OF_DISTRIBUTION`.
        names: of the classes that are predicted, by code.
        others: of the codes that follow.
        title: of the figure.

    Raises:
        ValueError: if shapes do not fit, a probability is not finite, or a code has no name.
    """
    p, true = np.asarray(probabilities, dtype=np.float64), np.asarray(codes)
    if p.ndim != 2 or p.shape[1] != len(names) or true.shape != p.shape[:1]:
        raise ValueError(
            f"probabilities have shape {p.shape} and codes {true.shape}: "
            f"give (object, {len(names)}) and (object,)"
        )
    if not np.isfinite(p).all():
        raise ValueError("probabilities that are not finite have no most probable class: validate them first")
    labels = [*names, *others]
    wrong = np.setdiff1d(true, [OUT_OF_DISTRIBUTION, *range(len(labels))])
    if wrong.size:
        raise ValueError(f"no class has code {wrong[0]}: they have codes 0 to {len(labels) - 1}")
    held_out = [code for code in range(len(names), len(labels)) if (true == code).any()]
    held_out += [OUT_OF_DISTRIBUTION] if (true == OUT_OF_DISTRIBUTION).any() else []
    rows = [*range(len(names)), *held_out]
    top = p.argmax(axis=1)
    counts = np.array([np.bincount(top[true == code], minlength=len(names)) for code in rows])
    total = counts.sum(axis=1)
    shares = np.divide(counts, total[:, None], out=np.full(counts.shape, np.nan), where=total[:, None] > 0)
    known = slice(0, len(names))
    height = 0.36 * len(rows) + 1.7 + (0.35 if title else 0.0) + (0.2 if held_out else 0.0)
    figure = Figure(figsize=(0.52 * len(names) + 2.6, height), layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    if held_out:
        parts: Any = figure.subplots(2, 1, sharex=True, height_ratios=[len(names), len(held_out)])
    else:
        parts = [figure.subplots()]
    _draw_shares(parts[0], shares[known], total[known], names)
    parts[0].set_ylabel("true class")
    if held_out:
        rest = slice(len(names), None)
        others_named = ["other" if code == OUT_OF_DISTRIBUTION else labels[code] for code in held_out]
        _draw_shares(parts[1], shares[rest], total[rest], others_named)
        parts[1].set_ylabel("held out", fontsize=8)
        parts[0].tick_params(axis="x", labelbottom=False)
    parts[-1].set_xticks(range(len(names)), list(names), rotation=45, ha="right", rotation_mode="anchor")
    parts[-1].set_xlabel("most probable class")
    footnote(figure, "Per cent of the objects of each true class; their number to the right.")
    return figure


@drawn
def early_figure(
    scorecards: Scorecard | Sequence[Scorecard],
    *,
    metrics: Sequence[str] = ("accuracy", "log_loss", "efficiency", "purity"),
    title: str = "",
) -> Figure:
    """How much is known how early: metrics against the days until which observations were seen.

    Arguments:
        scorecards: of the early track, one for each entry; values are those of their groups by days.
        metrics: one column each.
        title: of the figure.

    Raises:
        ValueError: if there is no scorecard, two have one entry's name, or one has no groups by days.
    """
    cards = [scorecards] if isinstance(scorecards, Scorecard) else list(scorecards)
    entries = [card.entry for card in cards]
    if not cards or len(set(entries)) != len(entries):
        raise ValueError(f"give one scorecard for each entry, each with its own name: {entries or 'none'}")
    for card in cards:
        if not any(group.by in _ORIGINS for group in card.groups):
            raise ValueError(
                f"the scorecard of {card.entry!r} on track {card.track!r} has no groups by "
                f"{' or '.join(_ORIGINS)}: score predictions for a track that is early"
            )
    origins = [name for name in _ORIGINS if any(g.by == name for card in cards for g in card.groups)]
    size = (1.0 + 2.6 * len(metrics), 1.2 + 2.1 * len(origins) + (0.35 if title else 0.0))
    figure = Figure(figsize=size, layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    panels = figure.subplots(len(origins), len(metrics), squeeze=False, sharex="row", sharey="col")
    looks = list(COLOURS.values())
    for row, origin in zip(panels, origins, strict=True):
        for axes, name in zip(row, metrics, strict=True):
            for k, card in enumerate(cards):
                _draw_early(
                    axes, card, origin, name, looks[k % len(looks)], (k - (len(cards) - 1) / 2) * 0.12
                )
            axes.set_xlabel(_ORIGINS[origin])
            axes.margins(x=0.1)
        phases = sorted({g.range[0] for card in cards for g in card.groups if g.by == origin})
        row[0].set_xticks(phases, [f"{days:+g}".replace("-", "−") if days else "0" for days in phases])
    for axes, name in zip(panels[0], metrics, strict=True):
        axes.set_title(_TITLES.get(name, name.replace("_", " ")), fontweight="bold")
    if len(cards) > 1:
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(cards))
    levels = sorted({m.level for card in cards for g in card.groups for m in g.metrics if m.name in metrics})
    footnote(
        figure,
        f"Bars: {' and '.join(f'{100 * level:g} %' for level in levels)} intervals. "
        "Each object is cut at one moment, so those of different days are different objects.",
    )
    return figure


def _draw_reliability(axes: Axes, curve: ReliabilityCurve) -> None:
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8)
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    if not curve.count.size:
        axes.text(0.5, 0.5, "no objects", ha="center", va="center", color=SOFT, transform=axes.transAxes)
        return
    below, above = curve.frequency - curve.low, curve.high - curve.frequency
    axes.errorbar(
        curve.probability, curve.frequency, [below, above], fmt="o-", color=COLOURS["blue"], markersize=4.5,
        linewidth=1.0, elinewidth=1.4, markeredgewidth=0, label="reliability", clip_on=False, zorder=4,
    )  # fmt: skip


def _draw_counts(axes: Axes, curve: ReliabilityCurve) -> None:
    counts = np.bincount(curve.place, curve.count, minlength=N_BINS)
    axes.stairs(
        counts, np.linspace(0, 1, N_BINS + 1), fill=True, baseline=0.5, color=COLOURS["sky"], alpha=0.7,
        label="objects",
    )  # fmt: skip


def _draw_shares(axes: Axes, shares: NDArray[Any], total: NDArray[Any], names: Sequence[str]) -> None:
    """Cells of shares with numbers, and the number of objects of each row."""
    n = shares.shape[1]
    axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1, origin="upper", aspect="auto")
    axes.set_yticks(range(len(names)), list(names))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e5e7eb", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    for row, number in enumerate(total):
        axes.text(n - 0.35, row, f"{number:,}", ha="left", va="center", fontsize=7.5, color=SOFT)
        if not number:
            axes.text((n - 1) / 2, row, "no objects", ha="center", va="center", fontsize=7.5, color=SOFT)
            continue
        for column, share in enumerate(shares[row]):
            # What rounds to nothing would hide what does not.
            if share >= 0.005:
                colour = "white" if share > 0.4 else INK
                axes.text(
                    column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5, color=colour
                )


def _draw_early(axes: Axes, card: Scorecard, origin: str, name: str, colour: str, shift: float) -> None:
    """A metric of one entry, with intervals where there are any; broken where it has no value."""
    found: list[tuple[float, float, float, float]] = []
    for group in sorted((g for g in card.groups if g.by == origin), key=lambda g: g.range[0]):
        metric = next((m for m in group.metrics if m.name == name), None)
        numbers = (None, None, None) if metric is None else (metric.value, metric.low, metric.high)
        value, low, high = (np.nan if x is None else x for x in numbers)
        # A number without an interval is drawn without a bar.
        low, high = (value, value) if np.isnan(low) or np.isnan(high) else (low, high)
        found.append((group.range[0], value, low, high))
    if not found:
        return
    days, value, low, high = np.transpose(found)
    axes.errorbar(
        days + shift, value, [value - low, high - value], fmt="o-", color=colour, markersize=4.5,
        markeredgewidth=0, linewidth=1.0, elinewidth=1.6, label=card.entry,
    )  # fmt: skip
    if not np.isfinite(value).any():
        axes.text(0.5, 0.5, "no value", ha="center", va="center", color=SOFT, transform=axes.transAxes)
