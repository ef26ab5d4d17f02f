"""All studies in the order in which a person should look at them."""

import polars as pl

from overread.auditing import Review, rank_studies

POINTS = pl.DataFrame(
    {
        "study": ["a", "a", "b", "c"],
        "target": ["canal", "left", "canal", "canal"],
        "site": ["L1", "L1", "L1", "L2"],
        "evidence": [1.0, 7.0, 3.0, 3.0],
    }
)
CHAINS = pl.DataFrame(
    {
        "study": ["a", "b", "c"],
        "evidence": [0.0, 0.0, 9.0],
        "targets": [["left"], ["canal"], ["canal", "right"]],
    }
)


def _ranked(scores: dict[str, pl.DataFrame], target: str | None) -> list[tuple[int, str, str]]:
    ranked = rank_studies(Review.of([], {}, scores))
    return ranked.filter(pl.col("target").eq_missing(target)).select("rank", "study", "kind").rows()


def test_a_study_counts_by_its_gravest_evidence() -> None:
    """Points and chains are one list, of the whole set and of each question."""
    scores = {"point": POINTS, "chain": CHAINS}

    assert _ranked(scores, None) == [(1, "c", "chain"), (2, "a", "point"), (3, "b", "point")]
    assert _ranked(scores, "canal") == [(1, "c", "chain"), (2, "b", "point"), (3, "a", "point")]
    assert _ranked(scores, "right") == [(1, "c", "chain")]


def test_labels_have_a_list_of_their_own() -> None:
    """What is of a whole study ranks in the whole set alone; equals are in order of their names."""
    label = pl.DataFrame({"study": ["b", "a"], "target": ["canal"] * 2, "evidence": [2.0, 2.0]})
    shift = pl.DataFrame({"study": ["b"], "evidence": [5.0], "steps": [1]})
    scores = {"point": POINTS, "label": label, "level_shift": shift}
    ranked = rank_studies(Review.of([], {}, scores)).filter(list="labels")

    assert ranked.select("target", "rank", "study", "kind").rows() == [
        (None, 1, "b", "level_shift"),
        (None, 2, "a", "label"),
        ("canal", 1, "a", "label"),
        ("canal", 2, "b", "label"),
    ]


def test_nothing_looked_at_is_an_empty_table() -> None:
    """With its columns."""
    found = rank_studies(Review.of([], {}, {}))

    assert (len(found), found.columns[:3]) == (0, ["list", "target", "rank"])
