"""How far found points lie from true ones, and whether they have the right names."""

import pytest

from overread.pipeline.stages.points import point_errors, summarise_errors
from overread.records import Keypoints

LEVELS = {f"disc{k}": (0.0, 0.0, 30.0 * k) for k in range(1, 6)}


def moved(by_mm, names=5):
    return Keypoints.of(
        {name: (0.0, 3.0, z + by_mm) for name, (_, _, z) in list(LEVELS.items())[:names]},
        source="network",
    )


def test_a_chain_one_level_off_is_not_named():
    """Small errors keep the names; a shift by one disc loses them, in that study alone."""
    truth = {"a": Keypoints.of(LEVELS), "b": Keypoints.of(LEVELS)}

    summary = summarise_errors(point_errors(truth, {"a": moved(0), "b": moved(30)}))

    assert summary["named"] == 0.5
    assert summary["found"] == 1.0
    assert summary["median"] == pytest.approx((3 + (30**2 + 9) ** 0.5) / 2, abs=0.1)


def test_what_was_not_found_is_told():
    """Missing points count as not found, and a study without any as not named."""
    truth = {"a": Keypoints.of(LEVELS), "b": Keypoints.of(LEVELS)}

    summary = summarise_errors(point_errors(truth, {"a": moved(0, names=4)}))

    assert summary["found"] == 0.4
    assert summary["named"] == 0.5


def test_nothing_found_at_all():
    """Without any point there are no errors to summarise."""
    summary = summarise_errors(point_errors({"a": Keypoints.of(LEVELS)}, {}))

    assert summary == {
        "named": 0.0,
        "n": 5,
        "found": 0.0,
        "mean": None,
        "median": None,
        "p95": None,
    }
