"""Networks that read units, made to read whole studies; see `shapes.StudyUnits`.

Where a study has one crop for each unit they are asked unit by unit; where it has one crop in all
they get a grade for each unit and target. It does not know what the networks are made of.

Legend: B studies, U units, G grades.
"""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from overread.models.shapes import StudyUnits, ViewShape, check_study_views

__all__ = ["ByUnit", "WholeStudy", "read_studies", "spread", "unit_rows"]

MASK = "units.mask"
Build = Callable[[Mapping[str, int]], nn.Module]


class ByUnit(nn.Module):
    """A network that is asked about each unit of a study by itself."""

    def __init__(self, network: nn.Module, views: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.views = views

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what it says, (B, U, ...); zeros where no unit is."""
        mask = batch[MASK].bool()
        answers: dict[str, Tensor] = self.network(unit_rows(batch, self.views))
        return {name: spread(value, mask) for name, value in answers.items()}


class WholeStudy(nn.Module):
    """A network whose answer about a study is cut into one for each unit."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network = network
        self.count = count

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "logits.{target}" (B, U, G), "scale" (B, U), and the rest as it is."""
        answers: dict[str, Tensor] = self.network(batch)
        if "scale" in answers:
            answers = answers | {"scale": answers["scale"][:, None].expand(-1, self.count)}
        return {
            name: value.reshape(len(value), self.count, -1) if name.startswith("logits.") else value
            for name, value in answers.items()
        }


def unit_rows(batch: Mapping[str, Tensor], views: tuple[str, ...]) -> dict[str, Tensor]:
    """Return a batch of studies as one of the units that are there: (units, ...) for (B, U, ...).

    Args:
        batch: with "units.mask" (B, U).
        views: that have a crop for each unit; "site" goes with them, other keys are left out.
    """
    mask = batch[MASK].bool()
    keys = [f"{view}{kind}" for view in views for kind in ("", ".mask", ".offsets")]
    return {key: batch[key][mask] for key in (*keys, "site") if key in batch}


def spread(rows: Tensor, mask: Tensor) -> Tensor:
    """Return rows of units (units, ...) as (B, U, ...), zeros where `mask` (B, U) is False."""
    studies = rows.new_zeros((*mask.shape, *rows.shape[1:]))
    studies[mask] = rows
    return studies


def read_studies(
    build: Build,
    inputs: Mapping[str, ViewShape],
    heads: Mapping[str, int],
    units: StudyUnits | None,
) -> nn.Module:
    """Return a network that reads studies, or the one that reads units where none are given.

    Args:
        build: {target: logits} -> the network that reads units.
        inputs: its views.
        heads: {target: number of grades}.
        units: of the studies; None = units are read by themselves.

    Raises:
        ValueError: if some views are cut by unit and others are not, or a network of whole studies
            is to answer for units whose number differs.
    """
    check_study_views(inputs, units)
    if units is None:
        return build(heads)
    if units.count is None or all(shape.by_unit for shape in inputs.values()):
        return ByUnit(build(heads), tuple(inputs))
    network = build({target: grades * units.count for target, grades in heads.items()})
    return WholeStudy(network, units.count)
