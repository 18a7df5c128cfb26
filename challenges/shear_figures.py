"""Pictures of how well a method measures shear: field by field, and its bias beside that of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ..scoring.metrics import DECISION_LEVEL, Metric, Requirement
from ..scoring.scorecard import Scorecard
from ..scoring.shear import ADDITIVE_LIMIT, bias_from_sums, shear_sums
from .canvas import COLOURS, INK, PAPER, SOFT, VERDICTS, drawn, footnote
from .typography import measured, power_of_ten

__all__ = ["bias_figure", "shear_figure"]

MANY_FIELDS = 40
"""From so many fields on, single ones are faint, and means of equally many are drawn over them."""

N_MEANS = 8
"""Means drawn over the single fields."""

OFF_SCALE = 10.0
"""An entry so many times further from zero than the one before it is named at the edge of its panel
instead of drawn, so that it does not squash the others."""

_COMPONENTS = (COLOURS["blue"], COLOURS["vermillion"])


@drawn
def shear_figure(
    true: ArrayLike,
    estimated: ArrayLike,
    covariance: ArrayLike | None = None,
    *,
    cluster: ArrayLike | None = None,
    limit_m: float | None = None,
    limit_c: float = ADDITIVE_LIMIT,
    title: str = "",
) -> Figure:
    """What is wrong with estimates of the shear of fields, against the true shear.

    The line is the fit that is scored, m g + c by least squares over fields; its interval (68 %)
    is in the titles.

    Arguments:
        true: (field, 2) true reduced shear g1, g2.
        estimated: (field, 2) estimates of it.
        covariance: (field, 3) predicted cov11, cov22, cov12; drawn as error bars.
        cluster: (field,) integers: fields that are not independent, such as a matched pair; each
            field by itself if None.
        limit_m, limit_c: the requirement |m| < limit_m, |c| < limit_c is shaded; no shade if
            limit_m is None.
        title: of the figure.

    Raises:
        ValueError: for another shape, no field, a number that is not finite, or a covariance
            that is not positive definite.
    """
    g, h = np.asarray(true, dtype=float), np.asarray(estimated, dtype=float)
    if g.ndim != 2 or len(g) == 0:
        raise ValueError(
            f"true has shape {g.shape}; a figure of the shear needs (field, 2) and a field or more"
        )
    clusters = np.arange(len(g)) if cluster is None else cluster
    sums = shear_sums(clusters, g, h, covariance=covariance)
    bias = bias_from_sums(sums)
    errors = None if covariance is None else np.sqrt(np.asarray(covariance, dtype=float)[:, :2])
    figure = Figure(figsize=(10.0, 4.6 if title else 4.2), layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    reach = 1.08 * max(float(np.abs(g).max()), 1e-3)
    line = np.array([-reach, reach])
    top = 1e-12
    for i, axes in enumerate(panels):
        error = None if errors is None else errors[:, i]
        axes.axhline(0, color=SOFT, linewidth=0.8)
        top = max(top, _residuals(axes, g[:, i], h[:, i] - g[:, i], error, _COMPONENTS[i]))
        m, c = bias[f"m{i + 1}"], bias[f"c{i + 1}"]
        if m.value is not None and c.value is not None:
            axes.plot(line, m.value * line + c.value, color=INK, linewidth=1.6, label="fit: m g + c")
        texts = []
        for name, one in (("m", m), ("c", c)):
            shown = one.interval(0.68)
            ends = (shown.low, shown.high) if shown else (None, None)
            value = "no value" if one.value is None else measured(one.value, *ends, plus=True)
            texts.append(f"{name}{'₁₂'[i]} = {value}")
        axes.set_title("      ".join(texts))
        axes.set_xlabel(f"true shear  g{'₁₂'[i]}")
    for axes in panels:
        _requirement(axes, line, limit_m, limit_c, top)
        axes.set(xlim=line, ylim=(-top, top))
    panels[0].set_ylabel("estimated − true shear")
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside lower right", ncols=3, handlelength=1.4, columnspacing=1.4
        )
    return figure


@drawn
def bias_figure(
    scorecards: Sequence[Scorecard],
    *,
    wide: Sequence[Scorecard] = (),
    names: Sequence[str] = ("m1", "m2", "c1", "c2"),
    title: str = "",
) -> Figure:
    """Bias of entries with their intervals, beside the requirement.

    Arguments:
        scorecards: one for each entry, drawn from top to bottom; thick intervals.
        wide: the same entries with wider intervals (95 %), in any order; drawn thin.
        names: metrics to draw, one panel each; a requirement is shaded in its panel.
        title: of the figure.

    Raises:
        ValueError: without scorecards, or if two entries have one name.
        KeyError: if a scorecard has no metric of that name.
    """
    entries = [card.entry for card in scorecards]
    if not entries or len(set(entries)) != len(entries):
        raise ValueError(
            f"give one scorecard for each entry, each with its own name: {entries or 'there is none'}"
        )
    wider = {card.entry: card for card in wide}
    n = len(entries)
    size = (1.6 + 2.75 * len(names), 1.5 + 0.62 * n + (0.35 if title else 0))
    figure = Figure(figsize=size, layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        metrics = [card[name] for card in scorecards]
        outer = [wider[entry][name] if entry in wider else None for entry in entries]
        _bias_panel(axes, name, metrics, outer)
        axes.set_ylim(n - 0.45, -0.6)
        axes.set_yticks(range(n), entries)
        axes.tick_params(axis="y", length=0, labelsize=9.5)
        axes.spines["left"].set_visible(False)
    levels = sorted({card[name].level for card in (*scorecards, *wider.values()) for name in names})
    intervals = " and ".join(f"{100 * level:g} %" for level in levels)
    footnote(
        figure,
        f"Intervals: {intervals}. Shaded: the requirement, decided by the {100 * DECISION_LEVEL:g} % "
        "interval: blue met, orange not met, grey undecided.",
    )
    return figure


def _requirement(axes: Axes, line: np.ndarray, limit_m: float | None, limit_c: float, top: float) -> None:
    if limit_m is None:
        return
    x = np.array([line[0], 0, line[1]])
    half = limit_m * np.abs(x) + limit_c
    label = f"required: |m| < {limit_m:g}, |c| < {limit_c:g}"
    if half.max() < 0.01 * top:
        label += " (too narrow to see here)"
    axes.fill_between(x, -half, half, color=COLOURS["green"], alpha=0.3, linewidth=0, label=label)


def _residuals(
    axes: Axes, g: np.ndarray, residual: np.ndarray, error: np.ndarray | None, colour: str
) -> float:
    """Residuals of one component with error bars, and means if there are many; returns how far to show."""
    many = len(g) >= MANY_FIELDS
    style: dict[str, Any] = {"fmt": "o", "color": colour, "markeredgewidth": 0}
    alpha = 0.3 if many else 0.9
    axes.errorbar(g, residual, error, **style, markersize=3 if many else 4.5, elinewidth=0.8, alpha=alpha)
    if not many:
        return 1.1 * float(np.max(np.abs(residual) + (0 if error is None else error)))
    parts = np.array_split(np.argsort(g), N_MEANS)
    mean = [(g[p].mean(), residual[p].mean(), residual[p].std(ddof=1) / math.sqrt(len(p))) for p in parts]
    x, y, e = np.transpose(mean)
    label = f"mean of {len(g) // N_MEANS} fields"
    axes.errorbar(x, y, e, **style, markersize=6.5, elinewidth=1.8, label=label, zorder=4)
    # The means and the fit are what one looks for: a few wild fields may leave the panel.
    return max(1.3 * float(np.quantile(np.abs(residual), 0.98)), 1.2 * float(np.max(np.abs(y) + e)))


def _bias_panel(axes: Axes, name: str, metrics: Sequence[Metric], outer: Sequence[Metric | None]) -> None:
    requirement = next((m.requirement for m in metrics if m.requirement is not None), None)
    reaches = [max(_reach(m), _reach(o)) for m, o in zip(metrics, outer, strict=True)]
    limit = _scale(reaches, requirement)
    power = math.floor(math.log10(limit)) if limit < 0.1 else 0
    scale = 10.0**power
    edge = 1.12 * limit / scale
    axes.set_xlim(-edge, edge)
    if requirement is not None:
        axes.axvspan(
            -requirement / scale, requirement / scale, color=COLOURS["green"], alpha=0.22, linewidth=0
        )
    axes.axvline(0, color=SOFT, linewidth=0.8)
    for row, (metric, wide) in enumerate(zip(metrics, outer, strict=True)):
        if metric.value is None:
            axes.text(0, row, "no value", ha="center", va="center", color=SOFT, path_effects=PAPER)
            continue
        colour = VERDICTS[metric.verdict]
        text = measured(metric.value, metric.low, metric.high, plus=True)
        if reaches[row] > limit:
            left = metric.value < 0
            x = -edge if left else edge
            axes.plot(0.97 * x, row, marker="<" if left else ">", color=colour, markersize=7, clip_on=False)
            style = {"va": "center", "color": colour, "fontsize": 8, "path_effects": PAPER}
            axes.text(0.88 * x, row, f"off scale: {text}", ha="left" if left else "right", **style)
            continue
        for one, width in ((wide, 1.2), (metric, 4.0)):
            if one is not None and one.low is not None and one.high is not None:
                ends = [one.low / scale, one.high / scale]
                axes.plot(ends, [row, row], color=colour, linewidth=width, solid_capstyle="butt")
        filled = "white" if metric.low is not None else "none"
        axes.plot(metric.value / scale, row, "o", color=colour, markerfacecolor=filled, markersize=6)
        at = float(np.clip(metric.value / scale, -0.35 * edge, 0.35 * edge))
        axes.text(at, row - 0.2, text, ha="center", va="bottom", color=colour, fontsize=8, path_effects=PAPER)
    if requirement is not None:
        rule = Requirement(metrics[0].better, requirement).describe(name)
        axes.set_title(f"required: {rule}", fontsize=8, color=SOFT)
    label = f"{name[:-1]}{'₀₁₂₃₄₅₆₇₈₉'[int(name[-1])]}" if name[-1:].isdecimal() else name
    unit = f"  [{power_of_ten(power)}]" if power else ""
    axes.set_xlabel(label + unit, fontsize=10)


def _reach(metric: Metric | None) -> float:
    """How far a metric and its interval go from zero."""
    if metric is None or metric.value is None:
        return 0.0
    return max(abs(number) for number in (metric.value, metric.low, metric.high) if number is not None)


def _scale(reaches: Sequence[float], requirement: float | None) -> float:
    """How far a panel goes: over all entries up to the first that leaves the others behind."""
    near = [reach for reach in sorted(reaches) if reach > 0]
    if not near:
        return 2 * requirement if requirement else 1.0
    limit = near[0]
    for reach in near[1:]:
        if reach > OFF_SCALE * max(limit, requirement or 0.0):
            break
        limit = reach
    return max(limit, 2 * requirement if requirement else 0.0)
