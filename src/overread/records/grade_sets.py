"""Sets of grades: what a predictor does not rule out, of each unit."""

from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records.study import RecordError
from overread.records.tables import UNIT_COLUMNS, Table

__all__ = ["GradeSets"]


class GradeSets(Table):
    """The grades that stay possible: one row a unit and target.

    Columns: unit, study, subject, site, target, predictor, holds (a boolean for each grade of the
    target; at least one is true).
    """

    schema: ClassVar[dict[str, pl.DataType]] = {
        **{name: kind for name, kind in UNIT_COLUMNS.items() if name != "probabilities"},
        "predictor": pl.String(),
        "holds": pl.List(pl.Boolean()),
    }
    required: ClassVar[tuple[str, ...]] = (
        "unit",
        "study",
        "subject",
        "target",
        "predictor",
        "holds",
    )

    def check(self) -> None:
        """Rows are unique; no set is empty."""
        repeated = self.frame.filter(
            self.frame.select("unit", "target", "predictor").is_duplicated()
        )
        if len(repeated):
            raise RecordError(f"GradeSets: rows repeat, such as {repeated.row(0)[:5]}")
        empty = self.frame.filter(~pl.col("holds").list.any())
        if len(empty):
            raise RecordError(
                f"GradeSets: {len(empty)} sets are empty, such as {empty.row(0)[:5]}; "
                "a set holds one grade at least"
            )

    def array(self, target: str) -> tuple[list[str], NDArray[np.bool_]]:
        """Return the units and the (n, grades) membership of one target, sorted by unit."""
        rows = self.frame.filter(pl.col("target") == target).sort("unit")
        return rows["unit"].to_list(), np.array(rows["holds"].to_list(), np.bool_)
