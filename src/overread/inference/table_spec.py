"""What a member that is a table is: settings that training and serving share."""

from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import field_validator

from overread.shelf import Spec

__all__ = ["TableSpec"]


class TableSpec(Spec):
    """A member whose answers stand in a table, made elsewhere.

    Attributes:
        table: file below the dataset's folder, in the layout of its submissions; the ending `.gz`
            may be left out. Each subject's rows come from networks that have not seen it, by the
            recipe's folds: nothing in a table can tell, so it is taken on trust.
        rows: how rows are laid out: "submission" as the dataset's submissions; or a table of parts
            of units, such as slices, several rows a unit: {numbers: logits, several: mean}, as the
            dataset's `read_levels` takes it.
    """

    table: str
    rows: Literal["submission"] | dict[str, Any] = "submission"

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that came later and change nothing at their default."""
        return frozenset({"rows"})

    @field_validator("table")
    @classmethod
    def _below(cls, table: str) -> str:
        path = PurePosixPath(table)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise ValueError(
                f'found "{table}", expected a file below the dataset\'s folder, such as oof/a.csv'
            )
        return table
