"""What a recipe asks about trust: sets of grades, decisions, members, human readers."""

from typing import Self

from pydantic import Field, model_validator

from overread.ensembling import ConformalSpec, DecisionSpec
from overread.shelf import Named, Spec

__all__ = ["ReaderSpec", "TrustSpec"]


class ReaderSpec(Spec):
    """How well people agree, as published; drawn beside the run's agreement with its labels.

    Attributes:
        targets: that it is about.
        metric: of the shelf of scores, the one that was published.
        low, high: of the published values.
        who: between whom, such as "three radiologists, by pairs".
        source: where it was published.
    """

    targets: tuple[str, ...] = Field(min_length=1)
    metric: Named
    low: float
    high: float
    who: str
    source: str

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high, {self.high}; exchange them")
        return self


class TrustSpec(Spec):
    """What is found out about the final predictor, out of fold.

    Attributes:
        sets: sets of grades with the coverage that is asked for; a bundle keeps their thresholds,
            and new studies get a set beside each grade.
        decisions: what is done about a grade, and what mistakes cost.
        members: what each member adds to the final ensemble; joins it again without each.
        verdicts: which members of the final ensemble are over-confident, or know nothing of a
            condition: how they would be set right, and what that gains.
        readers: published agreement between people.
        bootstrap: replicates of the intervals, which draw subjects.
        seed: of the draws.
    """

    sets: ConformalSpec | None = None
    decisions: DecisionSpec | None = None
    members: bool = False
    verdicts: bool = False
    readers: tuple[ReaderSpec, ...] = ()
    bootstrap: int = Field(default=1000, ge=0)
    seed: int = Field(default=0, ge=0)

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return all questions: what was not asked makes no answer stale."""
        return frozenset(
            {"sets", "decisions", "members", "verdicts", "readers", "bootstrap", "seed"}
        )
