"""Drawings of trust, as SVG: coverage of sets, referral, costs, what members add, readers."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from overread.records import Rubric, conditions
from overread.reporting.colours import INK, ORDERED, PREDICTORS, grade_colours
from overread.reporting.drawing import ALERT, SOFT, drawing, grid, mark_interval, one_legend
from overread.reporting.trust_report import ReaderBand

__all__ = [
    "draw_costs",
    "draw_coverage",
    "draw_effects",
    "draw_readers",
    "draw_referral",
    "measure",
    "words",
]

GREY = "#8a97a5"
HUMAN = "#e6c35c"
WAYS = {"confidence": PREDICTORS[0], "entropy": PREDICTORS[2], "set": PREDICTORS[1]}
# The lightest grade is too pale for a mark on white.
PALE_MARK = "#8db8da"


def words(name: str) -> str:
    """Return a name for people.

    Example:
        >>> words("left_hip_stenosis")
        'Left hip stenosis'
    """
    return name.replace("_", " ").capitalize()


def measure(name: str) -> str:
    """Return the name of a metric for people.

    Example:
        >>> measure("kappa[weights=linear]"), measure("log_loss")
        ('kappa (weights linear)', 'log loss')
    """
    plain = name.replace("[", " (").replace("]", ")").replace(",", ", ")
    return plain.replace("=", " ").replace("_", " ")


def draw_coverage(coverage: pl.DataFrame, rubric: Rubric, nominal: float) -> bytes:
    """Draw how often sets hold each true grade, and how large they are; a row a condition.

    Args:
        coverage: of `scoring.set_coverage`.
        rubric: tells the order and colours of grades.
        nominal: the coverage that was asked for.
    """
    rows = coverage.filter(
        pl.col("site").is_null(), pl.col("grade").is_not_null(), pl.col("coverage").is_not_null()
    )
    kinds = {name: targets[0] for name, targets in conditions(rubric).items()}
    shown = [name for name in kinds if name in rows["condition"]]
    lows = [row["low"] or row["coverage"] for row in rows.iter_rows(named=True)]
    least = min([*lows, nominal], default=nominal)
    heights = [max(rows.filter(pl.col("condition") == name).height, 1) for name in shown]

    def paint(figure: Figure) -> None:
        panels = figure.subplots(
            len(shown), 2, squeeze=False, sharex="col", height_ratios=heights, width_ratios=(3, 2)
        )
        for name, (left, right) in zip(shown, panels, strict=True):
            part = rows.filter(pl.col("condition") == name).to_dicts()
            tones = dict(zip(kinds[name].grades, grade_colours(kinds[name]), strict=True))
            _shares(left, part, tones, nominal)
            _sizes(right, part, tones)
            left.set_title(words(name))
        panels[0][0].set_xlim(least - 0.03, 1.005)
        panels[-1][0].set_xlabel("share of sets that hold the true grade; dashed: asked for")
        panels[-1][1].set_xlabel("mean number of grades in a set")

    return drawing((9.2, 0.9 + sum(0.42 * one + 0.45 for one in heights)), paint)


def _shares(
    axes: Axes, part: Sequence[Mapping[str, Any]], tones: Mapping[str, str], nominal: float
) -> None:
    axes.axvline(nominal, color=ALERT, linestyle="--", linewidth=1.2)
    for place, row in enumerate(part):
        low = row["coverage"] if row["low"] is None else row["low"]
        high = row["coverage"] if row["high"] is None else row["high"]
        tone = _dark(tones[row["grade"]])
        axes.plot([low, high], [place, place], color=tone, linewidth=5, alpha=0.45)
        axes.plot(row["coverage"], place, "o", color=tone, markersize=8, markeredgecolor="white")
    names = [f"{words(row['grade'])}, n {row['n']}" for row in part]
    axes.set_yticks(range(len(part)), names)
    _rows_only(axes, len(part))


def _sizes(axes: Axes, part: Sequence[Mapping[str, Any]], tones: Mapping[str, str]) -> None:
    for place, row in enumerate(part):
        axes.barh(place, row["size"], height=0.55, color=_dark(tones[row["grade"]]), alpha=0.8)
        axes.annotate(
            f"{row['size']:.2f}",
            (row["size"], place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK,
        )
    axes.set_yticks([])
    axes.margins(x=0.16)
    _rows_only(axes, len(part))


def _rows_only(axes: Axes, count: int) -> None:
    """Show rows from the top, named on the left, without lines between them."""
    axes.set_ylim(count - 0.45, -0.55)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _dark(colour: str) -> str:
    return PALE_MARK if colour == ORDERED[0] else colour


def draw_referral(curves: pl.DataFrame, areas: pl.DataFrame) -> bytes:
    """Draw the risk of what is kept against the share that is left to a person; by condition.

    Args:
        curves: of `scoring.referral_curves`.
        areas: of `scoring.referral_areas`.
    """
    names = curves["condition"].unique(maintain_order=True).to_list()

    def paint(figure: Figure) -> None:
        panels = figure.subplots(*grid(len(names)), squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            part = curves.filter(pl.col("condition") == name)
            whole = areas.filter(pl.col("condition") == name)["risk"]
            if len(whole):
                axes.axhline(whole[0], color=GREY, linestyle="--", linewidth=1.2, label="chance")
            for way in part["by"].unique(maintain_order=True):
                line = part.filter(pl.col("by") == way)
                style = {"color": WAYS[str(way)], "linewidth": 1.8, "label": str(way)}
                if way == "entropy":  # lies on the line of confidence nearly everywhere
                    style |= {"linestyle": ":", "linewidth": 2.2}
                axes.plot(100 * line["referred"], line["risk"], **style)
            axes.set(xlim=(0, 96), title=words(name), xlabel="left to a person")
            axes.xaxis.set_major_formatter(PercentFormatter(100))
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
            axes.set_ylabel("wrong among the rest")
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        one_legend(figure, list(panels))

    rows, columns = grid(len(names))
    return drawing((3.7 * columns, 3.5 * rows), paint)


def draw_costs(costs: pl.DataFrame) -> bytes:
    """Draw the mean cost of each rule of decision, a panel a condition.

    Args:
        costs: of `scoring.decision_costs`.
    """
    names = [name for name in costs["condition"].unique(maintain_order=True) if name is not None]
    rules = costs["rule"].unique(maintain_order=True).to_list()[::-1]

    def paint(figure: Figure) -> None:
        panels = figure.subplots(*grid(len(names)), squeeze=False, sharey=True).ravel()
        for axes, name in zip(panels, names, strict=False):
            for row in costs.filter(pl.col("condition") == name).iter_rows(named=True):
                first = row["rule"] == rules[-1]
                shown = {**row, "value": row["cost"]}
                mark_interval(
                    axes, rules.index(row["rule"]), shown, PREDICTORS[0] if first else GREY
                )
            axes.set_title(words(name))
            axes.set_yticks(range(len(rules)), rules)
            axes.tick_params(axis="y", length=0, labelcolor=INK)
            axes.set_ylim(-0.5, len(rules) - 0.35)
            axes.grid(visible=False, axis="y")
            axes.margins(x=0.2)
            axes.set_xlabel("mean cost a unit, out of fold")
        for axes in panels[len(names) :]:
            axes.set_axis_off()

    rows, columns = grid(len(names))
    return drawing((1.7 + 3.1 * columns, (0.75 + 0.5 * len(rules)) * rows), paint)


def draw_effects(effects: pl.DataFrame, metric: str, better: str) -> bytes:
    """Draw what each member adds: the ensemble without it, and the member alone.

    Args:
        effects: of `ensembling.member_effects`; the rows over all targets are drawn.
        metric: which.
        better: "lower" or "higher".
    """
    rows = effects.filter(
        pl.col("metric") == metric,
        pl.col("target").is_null(),
        pl.col("slice").is_null(),
        pl.col("value").is_not_null(),
    )
    members = rows["member"].unique(maintain_order=True).to_list()[::-1]
    kinds = {
        "left out": "The ensemble without it",
        "alone": "The member alone",
    }
    shown = [kind for kind in kinds if kind in rows["kind"]]

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        for axes, kind in zip(panels, shown, strict=True):
            axes.axvline(0, color=INK, linewidth=1)
            for row in rows.filter(pl.col("kind") == kind).iter_rows(named=True):
                worse = (row["value"] > 0) == (better == "lower")
                sure = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
                colour = (PREDICTORS[0] if worse else ALERT) if sure else GREY
                mark_interval(axes, members.index(row["member"]), row, colour, digits=4)
            axes.set_title(kinds[kind])
            axes.set_yticks(range(len(members)), members)
            axes.tick_params(axis="y", length=0, labelcolor=INK)
            axes.set_ylim(-0.5, len(members) - 0.3)
            axes.grid(visible=False, axis="y")
            axes.margins(x=0.18)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.set_xlabel(f"minus the whole ensemble ({better} is better)")

    return drawing((9.2, 1.3 + 0.5 * len(members)), paint)


def draw_readers(bands: Sequence[ReaderBand]) -> bytes:
    """Draw the run's agreement with its labels beside the agreement between people."""
    rows = [(band, one) for band in bands for one in band.ours]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, (band, one) in enumerate(rows):
            label = "between readers, published" if place == 0 else None
            width = max(band.high - band.low, 0.004)
            axes.barh(place, width, left=band.low, height=0.62, color=HUMAN, alpha=0.6, label=label)
            mark_interval(axes, place, one, PREDICTORS[0])
        names = [f"{words(one['target'])}\n{measure(band.metric)}" for band, one in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(rows) - 0.4, -0.7)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.plot([], [], "o-", color=PREDICTORS[0], label="ours with the labels, out of fold")
        axes.use_sticky_edges = False
        axes.margins(x=0.15)
        axes.set_xlabel("agreement beyond chance")
        axes.xaxis.label.set_color(SOFT)
        one_legend(figure, [axes])

    return drawing((8.6, 1.3 + 0.62 * max(len(rows), 1)), paint)
