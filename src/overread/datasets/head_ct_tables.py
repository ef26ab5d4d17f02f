"""Labels and submissions of the RSNA 2019 head CT challenge as tables, to and fro.

`ID_0002081b6_epidural` is the slice ID_0002081b6 and the target epidural. Knows no folders and no
images.
"""

from pathlib import Path

import polars as pl

from overread.datasets.dataset import DatasetError, read_table
from overread.records import Derived, Finding, Labels, Predictions, Rubric, Target
from overread.shelf import nearest

__all__ = [
    "BLEEDS",
    "TARGETS",
    "derive_any",
    "labels_of",
    "read_labels_table",
    "read_submission",
    "rubric_of",
    "submission",
]

BLEEDS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")
TARGETS = ("any", *BLEEDS)
GRADES = ("absent", "present")
# Column names of slices in tables with one column a target.
SLICE_COLUMNS = ("Image", "ImageID", "SOPInstanceUID", "unit")
ROW_ID = r"^(.*)_([a-z]+)$"


def rubric_of(*, learnt: bool) -> Rubric:
    """Return the rubric, with "any" as a target that counts twice, or derived as the maximum."""
    targets = tuple(
        Target(
            name,
            GRADES,
            (2.0, 2.0) if name == "any" else (1.0, 1.0),  # as the official score counts them
            "binary",
            title=f"{name.capitalize()} hemorrhage",
        )
        for name in (TARGETS if learnt else BLEEDS)
    )
    derived = () if learnt else (Derived("any", BLEEDS),)
    return Rubric("rsna2019_head_ct", "slice", targets, derived=derived)


def split_ids(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Return the rows with `unit` and `target` in place of ID.

    Raises:
        DatasetError: for an ID that is empty, or ends on none of the six targets.
    """
    split = frame.with_columns(
        unit=pl.col("ID").str.extract(ROW_ID, 1), target=pl.col("ID").str.extract(ROW_ID, 2)
    )
    wrong = split.filter(~pl.col("target").is_in(TARGETS).fill_null(value=False))
    if len(wrong):
        found, ending = wrong.select("ID", "target").row(0)
        raise DatasetError(
            f'{path}: found {len(wrong)} rows such as ID "{found}", expected '
            f"ID_{{slice}}_{{target}} such as ID_0002081b6_epidural; correct them "
            f"({nearest(ending or '', TARGETS)})"
        )
    return split.drop("ID")


def read_labels_table(path: Path) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Read a table of labels: rows (ID, Label) as published, or one column a target.

    Rows that repeat are taken once; where they contradict each other the label is missing.

    Args:
        path: CSV (also .gz) or .parquet.

    Returns:
        Columns unit, target, value (0, 1 or null), unique and sorted; and what was odd.

    Raises:
        DatasetError: for a table of another layout, or a label that is neither 0 nor 1.
    """
    long = _long(path)
    value = pl.col("value").cast(pl.Float64, strict=False)
    wrong = long.filter(pl.col("value").is_not_null() & ~value.is_in([0.0, 1.0]).fill_null(False))
    if len(wrong):
        unit, target, found = wrong.select("unit", "target", "value").row(0)
        raise DatasetError(
            f'{path}: found {len(wrong)} labels such as "{found}" for slice {unit}, {target}; '
            "expected 0, 1 or an empty cell; correct them"
        )
    unique = _unique(long.select("unit", "target", value=value.cast(pl.Int8)))
    return unique.select("unit", "target", "value"), _oddities(unique, path)


def _unique(long: pl.DataFrame) -> pl.DataFrame:
    """Return one row a slice and target, with how many rows and values there were."""
    once = pl.lit(1, pl.UInt32)
    twice = long.select("unit", "target").is_duplicated()
    merged = (
        long.filter(twice)
        .group_by("unit", "target")
        .agg(
            value=pl.when(pl.col("value").n_unique() == 1).then(pl.col("value").first()),
            rows=pl.len(),
            kinds=pl.col("value").n_unique(),
        )
    )
    rest = long.filter(~twice).with_columns(rows=once, kinds=once)
    return pl.concat([rest, merged]).sort("unit", "target")


def _long(path: Path) -> pl.DataFrame:
    """Return unit, target, value (as text) of either layout."""
    frame = read_table(path, ())
    if {"ID", "Label"} <= set(frame.columns):
        return split_ids(frame.select("ID", value="Label"), path)
    named = next((name for name in SLICE_COLUMNS if name in frame.columns), None)
    missing = [name for name in TARGETS if name not in frame.columns]
    if named is None or missing:
        raise DatasetError(
            f"{path}: found columns {', '.join(frame.columns[:8])}; expected ID and Label, or "
            f"Image and a column for each of {', '.join(TARGETS)}; rename them "
            f"({nearest('Image' if named is None else missing[0], frame.columns)})"
        )
    return frame.unpivot(TARGETS, index=named, variable_name="target", value_name="value").rename(
        {named: "unit"}
    )


def _oddities(unique: pl.DataFrame, path: Path) -> tuple[Finding, ...]:
    """Tell rows that repeat, rows that contradict each other, and "any" that is not the maximum."""
    found = []
    repeated = unique.filter(pl.col("rows") > 1, pl.col("kinds") == 1)
    if len(repeated):
        unit, target = repeated.select("unit", "target").row(0)
        found.append(
            Finding(
                "labels_repeat",
                "repaired",
                f"{path.name}: found {len(repeated)} labels in several equal rows, such as "
                f"{unit}, {target}; expected one; each is taken once",
                str(path),
            )
        )
    contradicting = unique.filter(pl.col("kinds") > 1)
    if len(contradicting):
        unit, target = contradicting.select("unit", "target").row(0)
        found.append(
            Finding(
                "labels_contradict",
                "repaired",
                f"{path.name}: found {len(contradicting)} labels with rows that contradict each "
                f"other, such as {unit}, {target}; they are read as missing; correct the table",
                str(path),
            )
        )
    wide = unique.group_by("unit").agg(
        any=pl.col("value").filter(pl.col("target") == "any").first(),
        worst=pl.col("value").filter(pl.col("target") != "any").max(),
    )
    unlike = wide.filter(pl.col("any") != pl.col("worst")).sort("unit")
    if len(unlike):
        found.append(
            Finding(
                "any_contradicts",
                "note",
                f'{path.name}: found {len(unlike)} slices whose "any" is not the maximum of the '
                f"five bleeds, such as {unlike['unit'][0]}; they are kept as they are",
                str(path),
            )
        )
    return tuple(found)


def labels_of(values: pl.DataFrame, slices: pl.DataFrame | None = None) -> Labels:
    """Turn labels into records; the slices tell subject, study and site.

    Args:
        values: unit, target, value.
        slices: unit, subject, study, site; a slice that is not among them is its own subject and
            study, and has no site. None = there are no headers.
    """
    if slices is None:
        placed = values.with_columns(subject="unit", study="unit", site=pl.lit(None, pl.String))
    else:
        known = slices.select("unit", "subject", "study", "site")
        placed = values.join(known, on="unit", how="left").with_columns(
            pl.col("subject").fill_null(pl.col("unit")), pl.col("study").fill_null(pl.col("unit"))
        )
    present = pl.col("value").cast(pl.Float64)
    return Labels(
        placed.with_columns(
            probabilities=pl.when(present.is_not_null()).then(
                pl.concat_list(1.0 - present, present)
            ),
            weight=pl.lit(1.0),
            origin=pl.lit("truth"),
        )
    )


def derive_any(predictions: Predictions) -> Predictions:
    """Return the predictions with "any" as the maximum of the five bleeds of a slice.

    Rows of "any" that are there already are replaced; a slice without all five gets none.
    """
    others = predictions.frame.filter(pl.col("target") != "any")
    keys = ("unit", "study", "subject", "site", "fold", "predictor", "role")
    chance = pl.col("probabilities").list.get(1)
    worst = (
        others.filter(pl.col("target").is_in(BLEEDS))
        .group_by(keys, maintain_order=True)
        .agg(chance.max().alias("worst"), pl.len().alias("there"))
        .filter(pl.col("there") == len(BLEEDS))
        .with_columns(
            target=pl.lit("any"), probabilities=pl.concat_list(1.0 - pl.col("worst"), "worst")
        )
    )
    return Predictions(pl.concat([others, worst.select(others.columns)]))


def submission(predictions: Predictions, *, complete: bool = True) -> pl.DataFrame:
    """Write predictions of one predictor as a submission: six rows a slice, sorted by ID.

    Args:
        predictions: of one predictor.
        complete: refuse if one of the six rows of a slice is missing.

    Returns:
        Columns ID ("ID_{slice}_{target}") and Label (probability that it is present).

    Raises:
        DatasetError: if there are several predictors, or rows are missing.
    """
    frame = predictions.frame
    if frame["predictor"].n_unique() > 1:
        names = sorted(frame["predictor"].unique())
        raise DatasetError(f"found predictors {names}, expected one; choose the one to submit")
    frame = frame.filter(pl.col("target").is_in(TARGETS))
    if complete:
        counts = frame.group_by("unit").agg(there="target").sort("unit")
        short = counts.filter(pl.col("there").list.len() < len(TARGETS))
        if len(short):
            unit, there = short.row(0)
            lacking = ", ".join(name for name in TARGETS if name not in there)
            raise DatasetError(
                f"found {len(short)} slices without all six targets, such as {unit} without "
                f"{lacking}; submit an ensemble of all targets (derive any from the five bleeds)"
            )
    return frame.select(
        ID=pl.col("unit") + "_" + pl.col("target"), Label=pl.col("probabilities").list.get(1)
    ).sort("ID")


def read_submission(
    frame: pl.DataFrame | Path, predictor: str, slices: pl.DataFrame | None = None
) -> Predictions:
    """Read a submission.

    Args:
        frame: with columns ID and Label, or the path of such a table.
        predictor: the name to give it.
        slices: unit, subject, study, site, where headers are known; see `labels_of`.

    Raises:
        DatasetError: for a missing column, an unknown ID, a row twice, or a Label that is no
            probability.
    """
    path = frame if isinstance(frame, Path) else Path("submission")
    table = read_table(frame, ("ID", "Label")) if isinstance(frame, Path) else frame
    if missing := {"ID", "Label"} - set(table.columns):
        raise DatasetError(f"{path}: found no column {sorted(missing)}; expected ID and Label")
    if table.is_empty():
        raise DatasetError(
            f"{path}: found no rows below the header, expected six for each slice; export it again"
        )
    rows = split_ids(table.select("ID", "Label"), path)
    chance = pl.col("Label").cast(pl.Float64, strict=False)
    bad = rows.filter(~chance.is_between(0, 1).fill_null(value=False) | chance.is_nan())
    if len(bad):
        unit, target, found = bad.select("unit", "target", "Label").row(0)
        raise DatasetError(
            f"{path}: found {len(bad)} rows that are no probabilities, such as {found!r} for "
            f"slice {unit}, {target}; expected a number from 0 to 1; correct or delete them"
        )
    _refuse_twice(rows, path)
    placed = labels_of(rows.select("unit", "target", value=chance), slices).frame
    return Predictions(
        placed.with_columns(
            fold=pl.lit(None, pl.Int64), predictor=pl.lit(predictor), role=pl.lit("oof")
        )
    )


def _refuse_twice(rows: pl.DataFrame, path: Path) -> None:
    twice = rows.filter(rows.select("unit", "target").is_duplicated())
    if len(twice):
        unit, target = twice.select("unit", "target").row(0)
        raise DatasetError(
            f"{path}: found {len(twice)} rows that repeat, such as slice {unit}, {target}; "
            "expected one row for each slice and target; keep the right one"
        )
