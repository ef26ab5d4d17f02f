"""Labels that were doubted out of fold are not learnt from."""

import polars as pl
import pytest
from pydantic import ValidationError

from overread.learning import PseudoSource, PseudoSpec, drop_doubtful, fill_labels
from overread.records import Labels, Predictions

LABELS = {"sure": [1.0, 0.0, 0.0], "doubted": [0.0, 0.0, 1.0], "open": None}
SAID = {"sure": [0.7, 0.2, 0.1], "doubted": [0.9, 0.08, 0.02], "open": [0.5, 0.3, 0.2]}


def labels() -> Labels:
    """A cell that is graded rightly, one wrongly, one not at all."""
    rows = [(unit, unit, unit, None, "canal", p, 1.0, "truth") for unit, p in LABELS.items()]
    return Labels(pl.DataFrame(rows, schema=Labels.schema, orient="row"))


def teacher(name: str, shares: dict[str, list[float]]) -> Predictions:
    """What one says of them."""
    rows = [
        (unit, unit, unit, None, "canal", share, 0, name, "oof") for unit, share in shares.items()
    ]
    return Predictions(pl.DataFrame(rows, schema=Predictions.schema, orient="row"))


def graded(found: Labels) -> dict[str, list[float]]:
    """Return the cells that have a label."""
    return dict(found.known().frame.select("unit", "probabilities").iter_rows())


@pytest.mark.parametrize(("far", "left"), [(0.8, ["sure"]), (0.3, []), (1.0, ["doubted", "sure"])])
def test_labels_far_from_what_is_said_are_emptied(far: float, left: list[str]) -> None:
    """The greatest difference of a grade's probability counts, and the border belongs to doubt."""
    found = graded(drop_doubtful(labels(), [teacher("a", SAID)], far))

    assert sorted(found) == left
    assert all(found[unit] == LABELS[unit] for unit in left)


def test_several_teachers_judge_together() -> None:
    """Their mean is compared; who is not answered is not doubted."""
    contrary = {"doubted": [0.0, 0.0, 1.0]}
    found = drop_doubtful(labels(), [teacher("a", SAID), teacher("b", contrary)], 0.8)

    assert sorted(graded(found)) == ["doubted", "sure"]
    assert sorted(graded(drop_doubtful(labels(), [teacher("b", contrary)], 0.1))) == [
        "doubted",
        "sure",
    ]


def test_filled_cells_are_not_doubted() -> None:
    """What the teachers themselves said stays."""
    tables = [teacher("a", SAID)]
    found = graded(drop_doubtful(fill_labels(labels(), tables), tables, 0.8))

    assert found == {"sure": LABELS["sure"], "open": SAID["open"]}


def test_only_teachers_out_of_fold_can_doubt() -> None:
    """Networks of the same fold have learnt the labels that they would judge."""
    sources = (PseudoSource(of=("a",)),)

    assert PseudoSpec(sources=sources, teachers="out_of_fold", doubt=0.8).doubt == 0.8
    assert "doubt" not in PseudoSpec(sources=sources).identity()
    with pytest.raises(ValidationError, match="doubt needs teachers: out_of_fold"):
        PseudoSpec(sources=sources, doubt=0.8)
