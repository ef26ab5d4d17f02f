"""Points of every study, found by networks that have not seen its subject."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from torch import nn

from overread.inference import LocatorSpec, locate, locator_network
from overread.pipeline.dataset_files import load_points, points_frame
from overread.pipeline.networks import load_network
from overread.pipeline.parts import map_parts, part_folder, without
from overread.pipeline.stages.decode import load_pixels
from overread.pipeline.stages.folds import fold_of_studies
from overread.pipeline.stages.read import studies_of
from overread.pipeline.step import Outcome, Stage, Task
from overread.records import Keypoints, Study

__all__ = ["STAGE", "load_located"]

POINTS = "points.parquet"


def make(task: Task) -> Outcome:
    """Locate study by study; a study without a fold is located by the networks of all folds."""
    spec: LocatorSpec = task.step.spec
    dataset = studies_of(task)
    folds = fold_of_studies(task.inputs["folds"], dataset)
    around = load_located(task.inputs["around"]) if "around" in task.inputs else {}
    networks = _networks(task, spec)

    def work(study: Study, folder: Path) -> None:
        fold = folds[study.id]
        found = around.get(study.id)
        points = locate(
            list(networks.values()) if fold is None else [networks[fold]],
            spec,
            load_pixels(task.inputs["decode"], study),
            {spec.around: found} if spec.around and found else {},
            fold=fold,
        )
        points_frame({study.id: points}).write_parquet(folder / POINTS)

    studies = without(dataset.studies, task.broken)
    outcome = map_parts(task, studies, work)
    parts = [
        pl.read_parquet(part_folder(task.folder, study.id) / POINTS)
        for study in without(studies, outcome.broken)
    ]
    pl.concat([points_frame({}), *parts]).write_parquet(task.folder / POINTS)
    return outcome


def _networks(task: Task, spec: LocatorSpec) -> dict[int, nn.Module]:
    return {
        int(role.removeprefix("fold")): load_network(locator_network(spec, seed=0), entry)
        for role, entry in task.inputs.items()
        if role.startswith("fold") and role != "folds"
    }


def load_located(entry: Path) -> Mapping[str, Keypoints]:
    """Return {study id: points} of a `locate` step; studies without any are absent."""
    return load_points(pl.read_parquet(entry / POINTS))


STAGE = Stage("locate", 2, make)
