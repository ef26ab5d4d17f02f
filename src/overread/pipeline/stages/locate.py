"""Points of every study, found by networks that have not seen its subject."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from overread.datasets import Dataset
from overread.inference import LocatorSpec, Network, locate, locator_network, look_together
from overread.pipeline.dataset_files import load_points, points_frame
from overread.pipeline.networks import load_network
from overread.pipeline.parts import map_parts, part_folder, without
from overread.pipeline.stages.decode import load_pixels
from overread.pipeline.stages.folds import fold_of_studies
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Outcome, Task
from overread.records import Keypoints, Study

__all__ = ["load_located", "make"]

POINTS = "points.parquet"


def make(task: Task) -> Outcome:
    """Locate study by study.

    Of each locator that takes part, a study is looked at by the network of the study's fold, or by
    those of all folds where it has no fold, or its fold no network.
    """
    spec: LocatorSpec
    parts: Mapping[str, LocatorSpec]
    spec, parts = task.step.spec
    dataset = studies_of(task)
    around = load_located(task.inputs["around"]) if "around" in task.inputs else {}
    teams = [_Team(task, dataset, prefix, spec, part) for prefix, part in parts.items()]

    def work(study: Study, folder: Path) -> None:
        found = around.get(study.id)
        folds = {team.fold(study) for team in teams}
        points = locate(
            [network for team in teams for network in team.networks_for(study)],
            spec,
            load_pixels(task.inputs["decode"], study),
            {spec.around: found} if spec.around and found else {},
            fold=folds.pop() if len(folds) == 1 else None,
        )
        points_frame({study.id: points}).write_parquet(folder / POINTS)

    studies = without(dataset.studies, task.broken)
    outcome = map_parts(task, studies, work)
    found = [
        pl.read_parquet(part_folder(task.folder, study.id) / POINTS)
        for study in without(studies, outcome.broken)
    ]
    pl.concat([points_frame({}), *found]).write_parquet(task.folder / POINTS)
    return outcome


class _Team:
    """The networks of one locator, one a fold."""

    def __init__(
        self, task: Task, dataset: Dataset, prefix: str, spec: LocatorSpec, part: LocatorSpec
    ) -> None:
        self.folds = fold_of_studies(task.inputs[f"{prefix}folds"], dataset)
        self.networks: dict[int, Network] = {
            int(number): look_together(
                spec, part, load_network(locator_network(part, seed=0), entry)
            )
            for role, entry in task.inputs.items()
            if (number := role.removeprefix(f"{prefix}fold")).isdecimal()
        }

    def fold(self, study: Study) -> int | None:
        fold = self.folds[study.id]
        return fold if fold in self.networks else None

    def networks_for(self, study: Study) -> list[Network]:
        fold = self.fold(study)
        return list(self.networks.values()) if fold is None else [self.networks[fold]]


def load_located(entry: Path) -> Mapping[str, Keypoints]:
    """Return {study id: points} of a `locate` step; studies without any are absent."""
    return load_points(pl.read_parquet(entry / POINTS))
