"""What is seen around a unit, and how it is turned into numbers."""

import numpy as np
import polars as pl
import pytest

from overread.ensembling import lay_out
from overread.ensembling.context import look_around, surroundings_of
from overread.ensembling.features import (
    Features,
    Table,
    Weakness,
    normalise,
    scale_of,
    tables_of,
)
from overread.records import Predictions, Rubric, Target

GRADES, WEIGHTS = ("0", "1"), (1.0, 1.0)
RUBRIC = Rubric(
    "r",
    "site",
    (
        Target("middle", GRADES, WEIGHTS),
        Target("left_a", GRADES, WEIGHTS, mirror="right_a"),
        Target("right_a", GRADES, WEIGHTS, mirror="left_a"),
        Target("left_b", GRADES, WEIGHTS, mirror="right_b"),
        Target("right_b", GRADES, WEIGHTS, mirror="left_b"),
    ),
    ("top", "mid", "low"),
)
# {(target, site): log odds}; all else is not answered.
SAID = {
    ("middle", "top"): 1.0,
    ("middle", "mid"): 2.0,
    ("middle", "low"): 3.0,
    ("left_a", "mid"): 4.0,
    ("right_a", "mid"): 5.0,
    ("left_b", "mid"): 6.0,
    ("right_b", "mid"): 7.0,
    ("left_a", "low"): 8.0,
}


def member(said=SAID, name="a"):
    chances = [1 / (1 + np.exp(-odds)) for odds in said.values()]
    targets, sites = zip(*said, strict=True)
    return Predictions(
        pl.DataFrame(
            {
                "unit": [f"s@{site}" for site in sites],
                "study": ["s"] * len(sites),
                "subject": ["s"] * len(sites),
                "site": sites,
                "target": targets,
                "probabilities": [[1 - one, one] for one in chances],
                "fold": pl.Series([None] * len(sites), dtype=pl.Int64),
                "predictor": [name] * len(sites),
                "role": ["oof"] * len(sites),
            }
        )
    )


def around(target, site, *kinds):
    book = lay_out([member()], RUBRIC)
    sheet = book.sheet(target)
    rows = look_around(book, sheet, kinds, surroundings_of(book, floor=1e-9))
    return rows[sheet.units["site"].to_list().index(site)].tolist()


NAN = float("nan")


@pytest.mark.parametrize(
    ("target", "site", "kind", "expected"),
    [
        ("left_a", "mid", "side", [5]),
        ("right_a", "mid", "side", [4]),
        ("left_a", "low", "side", [NAN]),
        ("middle", "mid", "side", []),
        # The middle, then b of the own side, then b of the other side.
        ("left_a", "mid", "conditions", [2, 6, 7]),
        ("right_a", "mid", "conditions", [2, 7, 6]),
        # Seen from the middle: mean and worse of both sides.
        ("middle", "mid", "conditions", [4.5, 5, 6.5, 7]),
        ("middle", "low", "conditions", [NAN, 8, NAN, NAN]),
        ("middle", "mid", "neighbours", [1, 3]),
        ("middle", "top", "neighbours", [NAN, 2]),
        ("left_a", "mid", "neighbours", [NAN, 8]),
        ("middle", "top", "study", [2.5, 3]),
        ("left_b", "mid", "study", [NAN, NAN]),
    ],
)
def test_what_is_seen(target, site, kind, expected):
    """Each kind of context holds the log odds of the right units, and NaN where none is said."""
    assert around(target, site, kind) == pytest.approx(expected, nan_ok=True)


def test_columns_of_a_table():
    """Log odds of the mean, each member's difference from it, context, sites, and a shift."""
    other = member({("middle", "mid"): 3.0}, "b")
    spec = Features(around=("neighbours",), members=True, by_site=True, floor=1e-9)
    book = lay_out([member(), other], RUBRIC)
    table = tables_of(spec, book)["middle"]
    row = table.features[book.sheet("middle").units["site"].to_list().index("mid")].tolist()
    odds = table.logs[:, 1] - table.logs[:, 0]
    mean = float(odds[book.sheet("middle").units["site"].to_list().index("mid")])

    assert row == pytest.approx([mean, 2 - mean, 3 - mean, 1, 3, 0, 1, 0, 1])


def test_missing_counts_as_the_mean():
    """Columns have mean 0, and a spread of 1 over the root of how strongly they are drawn to 0."""
    spec = Features(around=("neighbours",), members=True, by_site=False, floor=1e-9)
    own, of_member, context = [1.0, 3.0, 2.0], [5.0, 5.0, np.nan], [2.0, 4.0, np.nan]
    features = np.array([own, of_member, context, [1.0] * 3]).T
    table, book = Table(np.zeros((3, 2)), features), lay_out([member()], RUBRIC)
    scale = scale_of(table, spec, book, Weakness(own=0.25, members=100))
    scaled = normalise(features, scale)

    assert scaled[:, 0] == pytest.approx(2 * np.sqrt(1.5) * np.array([-1, 1, 0]))
    assert scaled[:, 1].tolist() == [0, 0, 0]
    assert scale[1, 1] == 10
    assert scaled[:, 2].tolist() == [-1, 1, 0]
    assert scaled[:, 3].tolist() == [2, 2, 2]
