"""Drawings of a run, as SVG: scores against floors, learning, confusion, reliability, points.

They are drawn dark on white, and stand on a white ground in dark pages too.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overread.reporting.colours import INK, ORDERED, PREDICTORS, grade_colours
from overread.reporting.drawing import ALERT, drawing, grid, mark_interval, one_legend
from overread.reporting.run_report import Curve
from overread.reporting.tallies import (
    Tally,
    confusion,
    expected_calibration_error,
    reliability,
)
from overread.scoring import wilson

__all__ = [
    "draw_confusion",
    "draw_curves",
    "draw_forest",
    "draw_points",
    "draw_reliability",
]

# The lightest grade is too pale for a line on white.
PALE_LINE = "#4f86b8"
FLOOR_STYLES = ("--", ":", "-.")


def draw_forest(rows: Sequence[Mapping[str, Any]], *, final: str, axis: str) -> bytes:
    """Draw predictors with their intervals; floors are vertical lines.

    Args:
        rows: predictor, value, low, high; floors are called "floor:...".
        final: drawn strongest.
        axis: what is drawn.
    """
    floors = [row for row in rows if row["predictor"].startswith("floor:")]
    others = [row for row in rows if not row["predictor"].startswith("floor:")]
    others.sort(key=lambda row: row["predictor"] == final)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, row in enumerate(others):
            colour = PREDICTORS[0] if row["predictor"] == final else "#8a97a5"
            mark_interval(axes, place, row, colour)
        for row, style in zip(floors, FLOOR_STYLES, strict=False):
            words = row["predictor"].removeprefix("floor:").replace("_", " ")
            label = f"floor: {words} ({row['value']:.3f})"
            axes.axvline(row["value"], color=ALERT, linestyle=style, linewidth=1.4, label=label)
        axes.set_yticks(range(len(others)), [row["predictor"] for row in others])
        axes.tick_params(axis="y", length=0, labelsize=10, labelcolor=INK)
        axes.set_ylim(-0.6, len(others) - 0.3)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.12)
        axes.set_xlabel(axis)
        if floors:
            figure.legend(loc="outside lower center", ncols=min(len(floors), 3), fontsize=8.5)

    return drawing((8.2, 1.35 + 0.5 * max(len(others), 1)), paint)


def draw_curves(curves: Sequence[Curve]) -> bytes:
    """Draw training loss (lines) and validation loss (points), a panel for each network."""
    names = list(dict.fromkeys(curve.name for curve in curves))

    def paint(figure: Figure) -> None:
        panels = figure.subplots(*grid(len(names)), squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            for curve in (one for one in curves if one.name == name):
                _curve(axes, curve)
            axes.set_title(name)
            axes.set_xlabel("step")
            axes.set_ylabel("loss")
            if _is_wide(axes):
                axes.set_yscale("log")
            axes.legend(ncols=2, handlelength=1.4, columnspacing=1.0)
        for axes in panels[len(names) :]:
            axes.set_axis_off()

    rows, columns = grid(len(names))
    return drawing((4.2 * columns, 2.9 * rows), paint)


def _is_wide(axes: Axes) -> bool:
    """Tell whether the drawn losses span more than a factor of ten."""
    values = [float(y) for line in axes.get_lines() for y in np.asarray(line.get_ydata())]
    least = min(values, default=0.0)
    return least > 0 and max(values) > 10 * least


def _curve(axes: Axes, curve: Curve) -> None:
    colour = PREDICTORS[curve.fold % len(PREDICTORS)]
    steps = [one for one in curve.events if one.get("event") == "step" and "total" in one]
    checks = [one for one in curve.events if one.get("event") == "validation"]
    axes.plot(
        [one["step"] for one in steps],
        [one["total"] for one in steps],
        color=colour,
        linewidth=1.1,
        alpha=0.55,
        label=None if checks else f"fold {curve.fold}",
    )
    if checks:
        axes.plot(
            [one["step"] for one in checks],
            [one.get("total", one.get("measure")) for one in checks],
            "o-",
            color=colour,
            markersize=3.5,
            linewidth=1.6,
            label=f"fold {curve.fold} held out",
        )


def draw_confusion(tallies: Sequence[Tally]) -> bytes:
    """Draw a confusion matrix for each target: rows are the truth, shades are shares of a row."""

    def paint(figure: Figure) -> None:
        panels = figure.subplots(*grid(len(tallies)), squeeze=False).ravel()
        for axes, one in zip(panels, tallies, strict=False):
            counts = confusion(one)
            shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            for row, column in np.ndindex(*counts.shape):
                dark = shares[row, column] > 0.55
                text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
                axes.text(
                    column,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="white" if dark else INK,
                    linespacing=1.3,
                )
            names = [grade.replace("_", "\n") for grade in one.target.grades]
            axes.set_xticks(range(len(names)), names, fontsize=8.5)
            axes.set_yticks(range(len(names)), names, fontsize=8.5)
            axes.tick_params(length=0)
            axes.grid(visible=False)
            for spine in axes.spines.values():
                spine.set_visible(False)
            axes.set_title(_title(one))
            axes.set_xlabel("answer")
            axes.set_ylabel("truth")
        for axes in panels[len(tallies) :]:
            axes.set_axis_off()

    rows, columns = grid(len(tallies))
    return drawing((3.6 * columns, 3.5 * rows), paint)


def draw_reliability(tallies: Sequence[Tally]) -> bytes:
    """Draw said against seen for each grade of each target; the diagonal is honest.

    Shades are 95 % intervals of each share, as if units were independent.
    """

    def paint(figure: Figure) -> None:
        panels = figure.subplots(*grid(len(tallies)), squeeze=False).ravel()
        for axes, one in zip(panels, tallies, strict=False):
            curves = reliability(one)
            axes.plot([0, 1], [0, 1], color="#8a97a5", linewidth=1, linestyle="--")
            for curve, colour in zip(curves, grade_colours(one.target), strict=True):
                shown = PALE_LINE if colour == ORDERED[0] else colour
                low, high = wilson(curve.seen, curve.count)
                axes.fill_between(curve.said, low, high, color=shown, alpha=0.16, linewidth=0)
                axes.plot(
                    curve.said,
                    curve.seen,
                    "o-",
                    color=shown,
                    markersize=4.5,
                    linewidth=1.5,
                    label=curve.grade.replace("_", " "),
                )
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            axes.set_title(f"{_title(one)}\nerror {expected_calibration_error(curves):.3f}")
            axes.set_xlabel("probability said")
            axes.set_ylabel("share seen")
        for axes in panels[len(tallies) :]:
            axes.set_axis_off()
        one_legend(figure, list(panels))

    rows, columns = grid(len(tallies))
    return drawing((3.6 * columns, 3.8 * rows), paint)


def draw_points(errors: pl.DataFrame) -> bytes:
    """Draw a histogram of the errors of points, and a box for each point.

    Args:
        errors: point, error_mm (null = not found) of one locator.
    """
    found = errors.drop_nulls("error_mm")
    values = found["error_mm"].to_numpy()
    names = list(dict.fromkeys(errors["point"]))
    most = float(np.percentile(values, 99)) * 1.25 if len(values) else 1.0

    def paint(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        left.hist(
            np.minimum(values, most),
            bins=np.linspace(0, most, 31),
            color=PREDICTORS[0],
            alpha=0.85,
            edgecolor="white",
            linewidth=0.5,
        )
        if len(values):
            for share, style in ((50, "-"), (95, "--")):
                place = float(np.percentile(values, share))
                name = "median" if share == 50 else "95th percentile"
                left.axvline(
                    place,
                    color=ALERT,
                    linestyle=style,
                    linewidth=1.3,
                    label=f"{name} {place:.1f} mm",
                )
            left.legend(loc="upper right")
        left.set(
            xlabel="distance from the true point, mm (the last bar holds all beyond)",
            ylabel="points",
            title="All points",
        )
        groups = [found.filter(pl.col("point") == name)["error_mm"].to_numpy() for name in names]
        right.boxplot(
            groups,
            orientation="horizontal",
            showfliers=False,
            widths=0.55,
            medianprops={"color": ALERT, "linewidth": 1.5},
            boxprops={"color": PREDICTORS[0]},
            whiskerprops={"color": PREDICTORS[0]},
            capprops={"color": PREDICTORS[0]},
        )
        right.set_yticks(range(1, len(names) + 1), names)
        right.invert_yaxis()
        right.set(xlabel="mm", title="Each point")

    return drawing((8.8, max(2.8, 1.4 + 0.3 * len(names))), paint)


def _title(one: Tally) -> str:
    """Return the name of a target in two lines at most."""
    words = one.target.title or one.target.name.replace("_", " ").capitalize()
    lines = textwrap.wrap(words, 28)
    return "\n".join(lines if len(lines) <= 2 else [lines[0], f"{lines[1]}…"])
