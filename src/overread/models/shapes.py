"""What a network is told of its inputs. It holds no network, so that plans need no torch."""

from dataclasses import dataclass

__all__ = ["StudyUnits", "ViewShape"]


@dataclass(frozen=True)
class ViewShape:
    """Shape of one view: (slices, channels, height, width), in px.

    Attributes:
        by_unit: for networks that read studies: a study has one such crop for each of its units.
    """

    slices: int
    channels: int
    height: int
    width: int
    by_unit: bool = False


@dataclass(frozen=True)
class StudyUnits:
    """The units of a study, for networks that read studies: their `build` takes it as `units`.

    Such a network answers "logits.{target}" (B, units, grades); "units.mask" (B, units) of its
    batch is False where a study has fewer units than another.

    Attributes:
        count: how many each study has, in the rubric's order; None = studies differ.
    """

    count: int | None
