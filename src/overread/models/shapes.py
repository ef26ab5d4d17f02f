"""What a network is told of its inputs. It holds no network, so that plans need no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["StudyUnits", "ViewShape", "check_study_views"]


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


def check_study_views(inputs: Mapping[str, ViewShape], units: StudyUnits | None) -> None:
    """Check that a network of units can be made to read studies; see `studies.read_studies`.

    Args:
        inputs: its views.
        units: of the studies; None = it reads units, which is always right.

    Raises:
        ValueError: if some views are cut by unit and others are not, or a network of whole studies
            is to answer for units whose number differs.
    """
    by_unit = [view for view, shape in inputs.items() if shape.by_unit]
    if units is None or len(by_unit) == len(inputs):
        return
    if by_unit:
        raise ValueError(
            f"views {by_unit} have a crop for each unit and the others one for a study; this "
            "network takes one kind at a time: set `of: study` or give views of one kind"
        )
    if units.count is None:
        raise ValueError(
            "studies differ in the number of their units, and this network sees them as a whole, "
            "so it cannot answer for each; give views that are cut by unit"
        )
