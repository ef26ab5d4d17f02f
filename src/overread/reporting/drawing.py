"""How drawings look, and what they share: one size of letters, one way to show an interval.

What is drawn is not known here.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from overread.reporting.colours import INK

__all__ = ["ALERT", "LINE", "SOFT", "drawing", "grid", "mark_interval", "one_legend"]

SOFT, LINE, ALERT = "#5b6876", "#dbe1e7", "#b3261e"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.edgecolor": "#aab4be",
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "none",
    "legend.fontsize": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "overread",
}


def drawing(size: tuple[float, float], paint: Callable[[Figure], None]) -> bytes:
    """Return a figure as SVG; the same content gives the same bytes."""
    with mpl.rc_context(STYLE):
        room = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08, hspace=0.04, wspace=0.03)
        figure = Figure(figsize=size, layout=room)
        paint(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def mark_interval(
    axes: Axes, place: int, row: Mapping[str, Any], colour: str, *, digits: int = 3
) -> None:
    """Draw a value at a height, with its interval behind it and the number above."""
    low = row["value"] if row["low"] is None else row["low"]
    high = row["value"] if row["high"] is None else row["high"]
    axes.plot(
        [low, high],
        [place, place],
        color=colour,
        linewidth=5,
        alpha=0.35,
        solid_capstyle="round",
    )
    axes.plot(row["value"], place, "o", color=colour, markersize=8)
    axes.annotate(
        f"{row['value']:.{digits}f}",
        (row["value"], place),
        (0, 9),
        textcoords="offset points",
        ha="center",
        color=INK,
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
    )


def one_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Name each line once, below all panels."""
    named = {
        label: line
        for axes in panels
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named))


def grid(count: int) -> tuple[int, int]:
    """Return rows and columns for some panels: at most three side by side.

    Example:
        >>> grid(2), grid(5)
        ((1, 2), (2, 3))
    """
    columns = max(1, min(count, 3))
    return max(1, -(-count // columns)), columns
