"""Pseudo-labels: what networks say where nobody has graded, and beside what somebody has.

Cells without a grade are filled; graded cells change only where a student is to learn what its
teachers say besides (Hinton et al. 2015). Where the answers come from is not known here; whether a
network may learn from them is a matter of folds, see `PseudoSpec.honest`.
"""

from collections.abc import Sequence
from typing import Literal, Self

import polars as pl
from pydantic import Field, model_validator

from overread.records import Labels, Predictions, RecordError
from overread.shelf import Spec

__all__ = ["PseudoSource", "PseudoSpec", "fill_labels", "label_strangers"]


class PseudoSource(Spec):
    """Predictors whose mean fills cells.

    Attributes:
        of: their names: members, and with `teachers: out_of_fold` ensembles too.
        targets: that they fill; None = all that they answer.
    """

    of: tuple[str, ...] = Field(min_length=1)
    targets: tuple[str, ...] | None = None


class PseudoSpec(Spec):
    """A set of pseudo-labels.

    Attributes:
        sources: who fills which targets; a cell is the mean over all that answer it.
        teachers: "same_fold": what trains the network of fold k comes from the teachers' networks
            of fold k, none of which has seen a subject of fold k. "out_of_fold", as published: each
            subject's labels come from the fold that holds it out, whose networks have learnt from
            the labels of fold k; through them the network of fold k learns of its own test.
        doubt: graded cells are not learnt from where the probability of any grade differs by this
            or more from what the teachers say (RSNA 2024 lumbar, 2nd place: 0.8). Only teachers
            that are out of fold can doubt a label: others have learnt it. None = all are learnt.
        truth: share of the true grade in a graded cell; the rest is what the teachers say. 1 =
            graded cells stay as they are; less = a student learns of its teachers (distillation).
        external: datasets of the recipe whose units are labelled, in place of cells of its own that
            nobody graded. Pupils learn from them besides; nothing is ever scored on them.
    """

    sources: tuple[PseudoSource, ...] = Field(min_length=1)
    teachers: Literal["same_fold", "out_of_fold"] = "same_fold"
    doubt: float | None = Field(default=None, gt=0, le=1)
    truth: float = Field(default=1.0, ge=0, le=1)
    external: tuple[str, ...] = ()

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the options that came later and change nothing at their default."""
        return frozenset({"doubt", "external", "truth"})

    @model_validator(mode="after")
    def _check_doubt(self) -> Self:
        if self.doubt is not None and self.teachers == "same_fold":
            raise ValueError(
                "doubt needs teachers: out_of_fold; those of the same fold have learnt the labels"
            )
        return self

    @property
    def members(self) -> tuple[str, ...]:
        """All teachers, each once."""
        return tuple(dict.fromkeys(name for source in self.sources for name in source.of))


def fill_labels(labels: Labels, tables: Sequence[Predictions], *, truth: float = 1.0) -> Labels:
    """Fill cells without a grade with the mean of what the tables say of them, as soft labels.

    Args:
        labels: the truth; rows without probabilities are cells to fill.
        tables: of one predictor each, limited to the targets that it fills.
        truth: share of the true grade in graded cells that are answered.

    Returns:
        All rows of the labels, with origin "pseudo" where they were filled or mixed.

    Raises:
        RecordError: if a cell of a study that is answered otherwise has no answer.
    """
    said = pl.concat([table.frame for table in tables])
    joined = _means(said)
    frame = labels.frame.join(joined, on=("unit", "target"), how="left", suffix="_said")
    empty = pl.col("probabilities").is_null()
    wanted = empty & pl.col("study").is_in(said["study"].unique().implode())
    lost = frame.filter(wanted & pl.col("probabilities_said").is_null())
    if len(lost):
        unit, target = lost.select("unit", "target").row(0)
        raise RecordError(
            f"{len(lost)} cells without a grade have no answer to fill them, such as {target} of "
            f"{unit}; expected a teacher for each target"
        )
    filled = pl.col("probabilities_said").is_not_null() & (empty | (truth < 1))
    mixed = pl.col("probabilities") * truth + pl.col("probabilities_said") * (1 - truth)
    return Labels(
        frame.with_columns(
            probabilities=pl.coalesce(mixed, "probabilities", "probabilities_said")
            if truth < 1
            else pl.coalesce("probabilities", "probabilities_said"),
            origin=pl.when(filled).then(pl.lit("pseudo")).otherwise("origin"),
        )
    )


def label_strangers(labels: Labels, tables: Sequence[Predictions]) -> Labels:
    """Add units of other datasets, with the mean of what the tables say of them as soft labels.

    Args:
        labels: the truth, which stays as it is.
        tables: of one predictor each, limited to the targets that it fills.

    Returns:
        All rows of the labels, and a row of origin "pseudo" for each answer.

    Raises:
        RecordError: if a subject is among those of the labels: folds could not hold it out.
    """
    said = pl.concat([table.frame for table in tables])
    known = set(labels.frame["subject"]) & set(said["subject"])
    if known:
        raise RecordError(
            f"{len(known)} subjects of an external dataset are subjects of the labels too, such as "
            f"{sorted(known)[0]}; expected strangers, since folds cannot hold them out: take them "
            "out of the external dataset"
        )
    whose = said.select("unit", "target", "study", "subject", "site").unique(("unit", "target"))
    rows = _means(said).join(whose, on=("unit", "target"), how="left")
    rows = rows.with_columns(weight=pl.lit(1.0), origin=pl.lit("pseudo"))
    return Labels(pl.concat([labels.frame, rows.select(labels.frame.columns)]))


def _means(said: pl.DataFrame) -> pl.DataFrame:
    """Return the mean answer to each unit and target."""
    return (
        said.with_columns(part=pl.int_ranges(pl.col("probabilities").list.len()))
        .explode("probabilities", "part")
        .group_by("unit", "target", "part")
        .agg(pl.col("probabilities").mean())
        .sort("part")
        .group_by("unit", "target", maintain_order=True)
        .agg(pl.col("probabilities"))
    )
