"""What a network said of lumbar levels, in tables of slices: logits or probabilities, rows repeat.

Layout, as some teams of the RSNA 2024 lumbar challenge keep their out-of-fold answers; a row is a
slice or a crop, so that a level may stand in several rows:

    study_id
    level                     L1/L2 ... L5/S1; or pred_level, 1 (L1/L2) ... 5 (L5/S1)
    left_right                left or right; needed for conditions with sides
    pred_{condition}_normal, pred_{condition}_moderate, pred_{condition}_severe

for one condition or more: spinal_canal_stenosis, neural_foraminal_narrowing,
subarticular_stenosis. Other columns are not read. Knows no networks and does not calibrate.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread import shelf
from overread.datasets.dataset import DatasetError, read_table
from overread.datasets.lumbar_rows import LEVELS
from overread.records import Predictions

__all__ = ["LevelTable", "read_levels"]

Floats = NDArray[np.float64]
WORDS = ("normal", "moderate", "severe")
SIDES = ("left", "right")
CONDITIONS = {
    "spinal_canal_stenosis": False,
    "neural_foraminal_narrowing": True,
    "subarticular_stenosis": True,
}
SMALLEST = 1e-12  # probabilities below count as this before their logarithm


class LevelTable(shelf.Spec):
    """How to read such a table.

    Attributes:
        numbers: what the columns hold: "logits" of a softmax; "sigmoids", logits of three yes/no
            questions, whose probabilities are divided by their sum; or "probabilities".
        several: what several rows of a level become: "mean", the softmax of their mean logits;
            "worst", the row with the highest expected grade, the first of equal ones.
    """

    numbers: Literal["logits", "sigmoids", "probabilities"] = "logits"
    several: Literal["mean", "worst"] = "mean"


def read_levels(spec: LevelTable, table: Path, predictor: str) -> Predictions:
    """Read a table of slices as the predictions of one predictor, a row for each level and target.

    Args:
        spec: what the numbers are, and what several rows of a level become.
        table: CSV, may be compressed.
        predictor: the name to give it.

    Raises:
        DatasetError: for a missing column, an unknown level or side, or a row without three
            numbers.
    """
    frame = read_table(table, ("study_id",))
    found = [name for name in CONDITIONS if f"pred_{name}_{WORDS[0]}" in frame.columns]
    if not found or frame.is_empty():
        raise DatasetError(
            f"{table}: found columns {', '.join(frame.columns)} and {len(frame)} rows; expected "
            f"rows, and pred_<condition>_normal for one of {', '.join(CONDITIONS)}"
        )
    frame = frame.with_columns(site=_sites(frame, table))
    parts = [_condition(spec, frame, name, table) for name in found]
    units = pl.concat(parts).with_columns(
        unit=pl.col("study") + "@" + pl.col("site"),
        subject=pl.col("study"),
        fold=pl.lit(None, pl.Int64),
        predictor=pl.lit(predictor),
        role=pl.lit("oof"),
    )
    return Predictions(units)


def _sites(frame: pl.DataFrame, path: Path) -> pl.Series:
    column = next((one for one in ("level", "pred_level") if one in frame.columns), None)
    if column is None:
        raise DatasetError(f"{path}: found no column level or pred_level; add one of them")
    names = {
        **{level: level for level in LEVELS},
        **{str(i + 1): one for i, one in enumerate(LEVELS)},
    }
    sites = frame[column].replace_strict(names, default=None, return_dtype=pl.String)
    _refuse(frame, sites.is_null(), path, f"{column}: expected {', '.join(LEVELS)} or 1 to 5")
    return sites


def _condition(spec: LevelTable, frame: pl.DataFrame, name: str, path: Path) -> pl.DataFrame:
    """Return study, site, target, probabilities of one condition."""
    target = pl.lit(name)
    if CONDITIONS[name]:
        if "left_right" not in frame.columns:
            raise DatasetError(f"{path}: found no column left_right; {name} needs a side")
        wrong = ~frame["left_right"].is_in(SIDES).fill_null(value=False)
        _refuse(frame, wrong, path, "left_right: expected left or right")
        target = pl.col("left_right") + f"_{name}"
    columns = [f"pred_{name}_{word}" for word in WORDS]
    missing = sorted(set(columns) - set(frame.columns))
    if missing:
        raise DatasetError(f"{path}: found no columns {', '.join(missing)}; add them")
    numbers = frame.select(pl.col(columns).cast(pl.Float64, strict=False)).to_numpy()
    bad = ~np.isfinite(numbers).all(axis=1)
    if spec.numbers == "probabilities":
        bad |= (np.nan_to_num(numbers) < 0).any(axis=1) | (np.nan_to_num(numbers).sum(axis=1) <= 0)
    _refuse(frame, pl.Series(bad), path, f"pred_{name}: expected three {spec.numbers}")
    rows = frame.select(study=pl.col("study_id"), site="site", target=target)
    return _one_row(rows, _logits(spec, numbers), RULES[spec.several])


def _refuse(frame: pl.DataFrame, wrong: pl.Series, path: Path, words: str) -> None:
    if wrong.any():
        first = int(wrong.arg_max() or 0)
        raise DatasetError(
            f"{path}: {words}; found {wrong.sum()} other rows, the first is row {first}, counted "
            f"from 0, of study {frame['study_id'][first]}; correct or delete them"
        )


def _logits(spec: LevelTable, numbers: Floats) -> Floats:
    if spec.numbers == "logits":
        return numbers
    if spec.numbers == "sigmoids":
        return np.asarray(-np.logaddexp(0.0, -numbers))
    return np.asarray(np.log(np.maximum(numbers, SMALLEST)))


def _softmax(logits: Floats) -> Floats:
    chances = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=-1, keepdims=True))


def _mean(logits: Floats) -> Floats:
    return _softmax(logits.mean(axis=0))


def _worst(logits: Floats) -> Floats:
    chances = _softmax(logits)
    grades = np.arange(logits.shape[1])
    return np.asarray(chances[int((chances @ grades).argmax())])


RULES: dict[str, Callable[[Floats], Floats]] = {"mean": _mean, "worst": _worst}


def _one_row(rows: pl.DataFrame, logits: Floats, rule: Callable[[Floats], Floats]) -> pl.DataFrame:
    """Return each study, site and target once, with what the rule makes of its rows."""
    keys = ["study", "site", "target"]
    places = rows.with_row_index("place").group_by(keys, maintain_order=True).agg("place")
    chances = [rule(logits[place]).tolist() for place in places["place"].to_list()]
    return places.select(*keys, probabilities=pl.Series(chances, dtype=pl.List(pl.Float64)))
