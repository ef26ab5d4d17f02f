"""Drawings: the same numbers give the same bytes, odd numbers give a drawing all the same."""

from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest
from graded import RUBRIC

from overread.reporting import Curve
from overread.reporting.figures import (
    draw_confusion,
    draw_curves,
    draw_forest,
    draw_points,
    draw_reliability,
)
from overread.reporting.tallies import Tally


def made(count, *, seed=0, target=None):
    """Return a tally of random truths and answers."""
    rng = np.random.default_rng(seed)
    target = target or RUBRIC.targets[0]
    grades = len(target.grades)
    return Tally(
        target,
        tuple(f"u{n}" for n in range(count)),
        (None,) * count,
        np.eye(grades)[rng.integers(0, grades, count)],
        rng.dirichlet(np.ones(grades), size=count),
    )


def size_of(svg):
    """Return width and height of a drawing, in points; it must be well-formed."""
    root = ET.fromstring(svg)  # noqa: S314 - our own drawing
    return tuple(float(root.attrib[name].removesuffix("pt")) for name in ("width", "height"))


def events(count, *, scale=1.0):
    """Return the log of a fit with two validations."""
    steps = [{"event": "step", "step": n, "total": scale / (n + 1)} for n in range(count)]
    checks = [{"event": "validation", "step": n, "measure": scale / (n + 1)} for n in (1, count)]
    return [{"event": "begin"}, *steps, *checks, {"event": "end"}]


DRAWINGS = {
    "forest": lambda: draw_forest(
        [
            {"predictor": "final", "value": 0.5, "low": 0.4, "high": 0.6},
            {"predictor": "other", "value": 0.6, "low": None, "high": None},
            {"predictor": "floor:prior", "value": 0.9, "low": 0.8, "high": 1.0},
        ],
        final="final",
        axis="log loss",
    ),
    "curves": lambda: draw_curves([Curve(name, 0, events(40)) for name in "ab"]),
    "confusion": lambda: draw_confusion([made(30, seed=n) for n in range(4)]),
    "reliability": lambda: draw_reliability([made(200, seed=n) for n in range(2)]),
    "points": lambda: draw_points(
        pl.DataFrame({"point": ["a", "b"] * 20, "error_mm": np.linspace(0, 9, 40)})
    ),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_same_numbers_give_the_same_drawing(name):
    """A drawing is a function of its numbers: pages of equal runs are equal."""
    first, second = DRAWINGS[name](), DRAWINGS[name]()

    assert first == second
    assert min(size_of(first)) > 100


def test_forest_grows_with_its_predictors():
    """Each predictor has its own line, also when there are many."""
    rows = [{"predictor": f"p{n}", "value": n, "low": n, "high": n + 1} for n in range(12)]

    few = size_of(draw_forest(rows[:2], final="p0", axis="x"))
    many = size_of(draw_forest(rows, final="p0", axis="x"))

    assert many[0] == few[0]
    assert many[1] > 2.5 * few[1]


def test_forest_of_floors_alone():
    """Floors without a predictor are drawn too."""
    rows = [{"predictor": "floor:prior", "value": 0.9, "low": None, "high": None}]

    assert min(size_of(draw_forest(rows, final="x", axis="x"))) > 50


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_curves_of_any_length(count):
    """A fit that has just begun, or was resumed, has a panel all the same."""
    assert min(size_of(draw_curves([Curve("a", 0, events(count))]))) > 100


def test_losses_over_several_decades():
    """Losses that fall a thousandfold are drawn on a logarithmic axis, without a warning."""
    assert min(size_of(draw_curves([Curve("a", 0, events(2000))]))) > 100


def test_zero_loss_needs_no_logarithm():
    """A loss of exactly zero is drawn on a plain axis."""
    assert min(size_of(draw_curves([Curve("a", 0, events(20, scale=0.0))]))) > 100


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_units_still_have_matrices(count):
    """One unit is enough for a matrix and a diagram."""
    assert min(size_of(draw_confusion([made(count)]))) > 100
    assert min(size_of(draw_reliability([made(count)]))) > 100


def test_points_of_which_none_was_found():
    """A locator that found nothing has an empty drawing, not an error."""
    errors = pl.DataFrame(
        {"point": ["a", "b"], "error_mm": [None, None]},
        schema={"point": pl.String, "error_mm": pl.Float64},
    )

    assert min(size_of(draw_points(errors))) > 100


def test_one_wild_point_does_not_squeeze_the_rest():
    """The histogram ends near the 99th percentile; what lies beyond is in the last bar."""
    errors = pl.DataFrame({"point": ["a"] * 300, "error_mm": [1.0, 2.0, 3.0] * 99 + [900.0] * 3})

    assert min(size_of(draw_points(errors))) > 100
