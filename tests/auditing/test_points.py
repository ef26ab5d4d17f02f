"""Points that lie where no such point lies are found."""

import numpy as np
import planted
import polars as pl
import pytest

from overread.auditing import (
    AuditSpec,
    Review,
    move_points,
    point_evidence,
    point_suspicions,
    rank_studies,
)
from overread.records import RecordError

SPEC = AuditSpec()
SIZE = 400.0


def _marks(*, studies: int = 120, seed: int = 0) -> pl.DataFrame:
    """Two columns of five points on an image that shows both sides, the left one at the right."""
    rng = np.random.default_rng(seed)
    rows = []
    for study in range(studies):
        left, top, step = rng.normal(200, 15), rng.normal(80, 15), rng.normal(55, 4)
        for side, target in ((30, "left"), (-30, "right")):
            for level, site in enumerate(planted.LEVELS):
                x, y = np.array([left + side, top + level * step]) + rng.normal(0, 2, 2)
                rows.append((f"s{study:03d}", "1", 5.0 + level, target, site, x, y, SIZE, SIZE))
    names = ["study", "series", "slice", "target", "site", "x", "y", "rows", "columns"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _judged(marks: pl.DataFrame) -> pl.DataFrame:
    return point_evidence(marks, planted.RUBRIC, spec=SPEC)


def _with(marks: pl.DataFrame, study: str, target: str, site: str, **values: float):
    here = (pl.col("study") == study) & (pl.col("target") == target) & (pl.col("site") == site)
    return marks.with_columns(
        pl.when(here).then(value).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def test_sound_points_are_not_suspicious() -> None:
    """A set without errors has at most a stray suspicion in a thousand points."""
    assert len(point_suspicions(_judged(_marks()), spec=SPEC)) <= 1


def test_few_studies_accuse_nobody() -> None:
    """Ten studies tell too little of how points lie to one another."""
    found = [
        one
        for seed in range(3)
        for one in point_suspicions(_judged(_marks(studies=10, seed=seed)), spec=SPEC)
    ]

    assert found == []


def test_a_point_in_the_corner_comes_first() -> None:
    """It is named with the place where its neighbours expect it, and they are not suspected."""
    marks = _marks()
    true = marks.filter(study="s007", target="left", site="L3").row(0, named=True)
    found = point_suspicions(_judged(_with(marks, "s007", "left", "L3", x=5.0, y=5.0)), spec=SPEC)

    assert (found[0].study, found[0].target, found[0].site) == ("s007", "left", "L3")
    assert [one.study for one in found if one.study == "s007"] == ["s007"]
    assert pytest.approx(true["x"], abs=10) == found[0].place["expected_x"]
    assert pytest.approx(true["y"], abs=10) == found[0].place["expected_y"]


def test_exchanged_sides_of_one_level_are_found() -> None:
    """Both points are named, with the reason."""
    marks = _marks()
    left, right = (
        marks.filter(study="s009", target=side, site="L2").row(0, named=True)
        for side in ("left", "right")
    )
    swapped = _with(marks, "s009", "left", "L2", x=right["x"], y=right["y"])
    swapped = _with(swapped, "s009", "right", "L2", x=left["x"], y=left["y"])
    found = point_suspicions(_judged(swapped), spec=SPEC)

    assert {("s009", "left", "L2"), ("s009", "right", "L2")} <= {
        (one.study, one.target, one.site) for one in found
    }


def test_a_point_outside_its_image_is_told() -> None:
    """The reason is the bounds."""
    frame = _judged(_with(_marks(), "s001", "left", "L5", x=SIZE + 30))
    worst = frame.sort("evidence", descending=True).row(0, named=True)

    assert (worst["study"], worst["why"]) == ("s001", "bounds")


def test_a_wild_slice_is_told() -> None:
    """A point fifty slices from its partner is suspicious though its place is right."""
    frame = _judged(_with(_marks(), "s001", "left", "L4", slice=58.0))
    worst = frame.sort("evidence", descending=True).row(0, named=True)

    assert (worst["study"], worst["why"]) == ("s001", "slice")


def test_moved_points_come_first_with_and_without_sizes() -> None:
    """Points moved by a level or more rank before the others, also where no size is known."""
    moved, truth = move_points(_marks(), share=0.05, far=(60, 150), seed=1)
    for marks in (moved, moved.drop("rows", "columns")):
        ranked = rank_studies(Review.of([], {}, {"point": _judged(marks)}))

        assert truth == frozenset(ranked["study"][: len(truth)])


def test_missing_points_are_no_error() -> None:
    """A study with three points is judged by these."""
    marks = _marks(studies=40)
    few = marks.filter((pl.col("study") != "s004") | pl.col("site").is_in(["L1"]))
    frame = _judged(few.filter((pl.col("study") != "s004") | (pl.col("target") == "left")))

    assert len(frame.filter(study="s004")) == 1
    assert np.isfinite(frame["evidence"].to_numpy()).all()


def test_a_missing_column_is_told() -> None:
    """The words name it."""
    with pytest.raises(RecordError, match=r"points lack the columns \['slice'\]"):
        _judged(_marks(studies=2).drop("slice"))
