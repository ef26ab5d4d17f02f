"""What an ensemble is: predictors that are joined to one; settings that training and serving share.

How they are joined is the business of the shelf of ensembles.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl
from pydantic import Field

from overread.ensembling.joining import Split
from overread.records import Predictions
from overread.shelf import Named

__all__ = ["EnsembleSpec"]


class EnsembleSpec(Named):
    """Settings of one ensemble; what stands beside these is for the joiner.

    Attributes:
        of: the predictors that it joins.
        targets: that it answers; None = all that they answer.
        temperature: their logits are divided by it before they are joined.
        split: what is held out whole while it is fitted: "subjects", or single "units", as some
            published stackers had it, whose scores are then too good.
    """

    of: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None
    temperature: float = Field(default=1.0, gt=0)
    split: Split = "subjects"

    @property
    def joiner(self) -> Named:
        """Name and settings of the joiner alone."""
        return Named.model_validate({"use": self.use, **self.settings})

    def own(self) -> dict[str, Any]:
        """Return its settings without the joiner's, as plain JSON; those at a default left out."""
        limited = {} if self.targets is None else {"targets": list(self.targets)}
        warm = {} if self.temperature == 1 else {"temperature": self.temperature}
        rows = {} if self.split == "subjects" else {"split": self.split}
        return {"of": list(self.of), **limited, **warm, **rows}

    def prepared(self, tables: Sequence[Predictions]) -> list[Predictions]:
        """Return the answers to the ensemble's targets, at its temperature, ready to be joined.

        Tables without any are left out.
        """
        found = [self._prepared(table.frame) for table in tables]
        return [Predictions(frame) for frame in found if len(frame)]

    def _prepared(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self.targets is not None:
            frame = frame.filter(pl.col("target").is_in(self.targets))
        if self.temperature == 1:
            return frame
        # softmax(z / T) is p^(1 / T), made to sum to 1.
        power = pl.element() ** (1 / self.temperature)
        return frame.with_columns(pl.col("probabilities").list.eval(power / power.sum()))
