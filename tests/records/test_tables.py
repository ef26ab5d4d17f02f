"""Tables: columns are checked, missing is null, and nothing else gets in."""

import polars as pl
import pytest

from overread.records import Folds, Labels, Predictions, RecordError, Scores


def labels(**changes: object) -> pl.DataFrame:
    """Two rows of labels, one not graded."""
    columns = {
        "unit": ["1@a", "2@a"],
        "study": ["1", "2"],
        "subject": ["p", "q"],
        "site": ["a", "a"],
        "target": ["t", "t"],
        "probabilities": [[0.25, 0.75], None],
        "weight": [1.0, 1.0],
        "origin": ["truth", "truth"],
    }
    return pl.DataFrame({**columns, **changes}, schema=Labels.schema)


def predictions(**changes: object) -> pl.DataFrame:
    """Two rows of predictions, not in order."""
    plain = labels().drop("weight", "origin")
    columns = {
        "unit": ["2@a", "1@a"],
        "probabilities": [[0.5, 0.5], [1.0, 0.0]],
        "fold": [None, 0],
        "predictor": ["m", "m"],
        "role": ["oof", "new"],
    }
    added = [
        pl.Series(name, values, dtype=Predictions.schema[name])
        for name, values in {**columns, **changes}.items()
    ]
    return plain.with_columns(added)


def test_labels() -> None:
    """Missing grades are null and leave with `known`; extra columns are dropped."""
    table = Labels(labels().with_columns(extra=pl.lit(1)))

    assert table.frame.columns == list(Labels.schema)
    assert table.known().frame["unit"].to_list() == ["1@a"]
    assert len(Labels.concat([table, Labels.empty()])) == 2
    assert len(Labels.concat([])) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": ["1@a", "1@a"]}, "rows repeat"),
        ({"probabilities": [[0.5, 0.6], None]}, "must sum to 1"),
        ({"probabilities": [[1.5, -0.5], None]}, "finite and not negative"),
        ({"probabilities": [[None, 1.0], None]}, "finite and not negative"),
        ({"subject": ["p", None]}, "subject has 1 nulls"),
    ],
)
def test_impossible_labels(changes, words) -> None:
    """Repeated rows, wrong probabilities and missing subjects are refused."""
    with pytest.raises(RecordError, match=words):
        Labels(labels(**changes))


def test_missing_columns() -> None:
    """A table says which columns it lacks."""
    with pytest.raises(RecordError, match=r"Labels lacks the columns \['origin', 'weight'\]"):
        Labels(labels().drop("weight", "origin"))


def test_predictions() -> None:
    """Rows come out sorted by unit, whatever their order."""
    units, values = Predictions(predictions()).array("t")

    assert units == ["1@a", "2@a"]
    assert values.tolist() == [[1, 0], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"role": ["oof", "test"]}, r"roles are oof and new, found \['test'\]"),
        ({"unit": ["1@a", "1@a"]}, "rows repeat"),
        ({"probabilities": [None, [1.0, 0.0]]}, "nulls"),
    ],
)
def test_impossible_predictions(changes, words) -> None:
    """Unknown roles, repeated rows and missing probabilities are refused."""
    with pytest.raises(RecordError, match=words):
        Predictions(predictions(**changes))


def test_folds() -> None:
    """Each subject is held out once."""
    folds = Folds(pl.DataFrame({"subject": ["p", "q", "r"], "fold": [0, 1, 0]}))

    assert folds.count == 2
    assert folds.of() == {"p": 0, "q": 1, "r": 0}
    with pytest.raises(RecordError, match="rows repeat"):
        Folds(pl.DataFrame({"subject": ["p", "p"], "fold": [0, 1]}))


def test_scores() -> None:
    """Values and bounds may be null, the metric may not."""
    row = dict.fromkeys(Scores.schema, None) | {"predictor": "m", "metric": "x", "n": 3}

    assert len(Scores(pl.DataFrame([row], schema=Scores.schema))) == 1
    with pytest.raises(RecordError, match="metric has 1 nulls"):
        Scores(pl.DataFrame([{**row, "metric": None}], schema=Scores.schema))
