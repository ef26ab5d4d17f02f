"""Chains of points that stand one level off are found by the other chains of the study."""

import numpy as np
import planted
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from overread.auditing import (
    AuditSpec,
    Tables,
    audit,
    chain_evidence,
    chain_suspicions,
    shift_chain,
)
from overread.records import Labels

SPEC = AuditSpec()
SIZE = 400.0


def _marks(*, studies: int = 120, seed: int = 0, spots: float = 2.0) -> pl.DataFrame:
    """Two chains of five points on one series; spines lie higher or lower by more than a level."""
    rng = np.random.default_rng(seed)
    rows = []
    for study in range(studies):
        x, top, step = rng.normal(200, 15), rng.normal(100, 40), rng.normal(45, 4)
        for target in ("left", "right"):
            for level, site in enumerate(planted.LEVELS):
                at = np.array([x, top + level * step]) + rng.normal(0, spots, 2)
                rows.append((f"s{study:03d}", "1", 5.0, target, site, *at, SIZE, SIZE))
    names = ["study", "series", "slice", "target", "site", "x", "y", "rows", "columns"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _shifted(marks: pl.DataFrame, *, seed: int = 0) -> tuple[pl.DataFrame, frozenset[str]]:
    return shift_chain(marks, planted.RUBRIC, target="left", share=0.03, seed=seed)


def _judged(marks: pl.DataFrame) -> pl.DataFrame:
    return chain_evidence(marks, planted.RUBRIC, spec=SPEC)


def test_sound_chains_are_not_suspicious() -> None:
    """Also where the whole spine lies a level higher than in other images."""
    frame = _judged(_marks())

    assert (len(frame), chain_suspicions(frame, spec=SPEC)) == (120, [])


@pytest.mark.parametrize("sized", [True, False])
def test_a_chain_one_level_off_is_found(sized) -> None:
    """With and without the size of the image: both chains are on one series."""
    moved, truth = _shifted(_marks())
    frame = _judged(moved if sized else moved.drop("rows", "columns"))
    found = chain_suspicions(frame, spec=SPEC)

    assert truth == {one.study for one in found}
    assert roc_auc_score([one in truth for one in frame["study"]], frame["evidence"]) == 1.0


def test_the_reason_says_which_way() -> None:
    """One of the two chains has to be put on or back, and the first point belongs elsewhere."""
    marks = _marks()
    lower = (pl.col("study") == "s003") & (pl.col("target") == "left")
    moved = marks.with_columns(y=pl.when(lower).then(pl.col("y") + 45).otherwise(pl.col("y")))
    [found] = chain_suspicions(_judged(moved), spec=SPEC)
    ways = {"left": "one site on", "right": "one site back"}

    assert (found.kind, found.study) == ("chain", "s003")
    assert ways[found.target] in found.reason
    assert pytest.approx(45, abs=15) == abs(found.place["expected_y"] - found.place["y"])


def test_a_level_that_was_skipped_is_found() -> None:
    """From L3 on the points of one chain stand a level too low."""
    marks = _marks()
    low = (pl.col("study") == "s004") & (pl.col("target") == "right") & (pl.col("site") > "L2")
    moved = marks.with_columns(y=pl.when(low).then(pl.col("y") + 45).otherwise(pl.col("y")))
    [found] = chain_suspicions(_judged(moved), spec=SPEC)

    assert (found.study, found.target, found.site) == ("s004", "right", "L3")
    assert "(L3 to L5)" in found.reason


def test_one_wild_point_is_no_chain() -> None:
    """It is set aside before chains are compared."""
    wild = (pl.col("study") == "s005") & (pl.col("target") == "left") & (pl.col("site") == "L5")
    frame = _judged(_marks().with_columns(y=pl.when(wild).then(5.0).otherwise(pl.col("y"))))

    assert chain_suspicions(frame, spec=SPEC) == []


def test_a_single_chain_tells_nothing() -> None:
    """One question has nothing to be held against; a study with one chain has evidence 0."""
    marks = _marks()
    alone = marks.filter((pl.col("study") != "s006") | (pl.col("target") == "left"))
    short = alone.filter((pl.col("study") != "s006") | (pl.col("site") < "L3"))

    assert len(_judged(marks.filter(pl.col("target") == "left"))) == 0
    assert _judged(short).filter(study="s006")["evidence"].to_list() == [0.0]


def test_few_studies_accuse_nobody() -> None:
    """Ten studies tell too little of how chains lie to one another."""
    found = [
        one
        for seed in range(3)
        for one in chain_suspicions(_judged(_marks(studies=10, seed=seed)), spec=SPEC)
    ]

    assert found == []


def test_an_audit_looks_at_chains() -> None:
    """They are a check of their own, and say why where they cannot be compared."""
    moved, truth = _shifted(_marks())
    both = audit(Tables(planted.RUBRIC, Labels.empty(), points=moved), spec=SPEC)
    one = moved.filter(pl.col("target") == "left")
    alone = audit(Tables(planted.RUBRIC, Labels.empty(), points=one), spec=SPEC)

    assert truth == {one.study for one in both.suspicions if one.kind == "chain"}
    assert both.checks["chains"] == "120 studies"
    assert alone.checks["chains"].startswith("not made: fewer than two questions")
