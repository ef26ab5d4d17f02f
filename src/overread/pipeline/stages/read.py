"""A folder becomes studies, labels, true points and findings; no pixels are decoded."""

from pathlib import Path

import polars as pl

from overread.datasets import Dataset
from overread.pipeline.dataset_files import load_dataset, save_dataset
from overread.pipeline.stages import forge
from overread.pipeline.step import Outcome, Task
from overread.records import Labels
from overread.shelf import settings_of

__all__ = ["LABELS", "dataset_root", "file_below", "labels_to_learn", "studies_of"]

LABELS = "labels.parquet"


def make(task: Task) -> Outcome:
    """Read the dataset; studies that were refused are told as broken.

    A recipe that looks at no image reads the labels alone, whatever images there are.
    """
    module, spec = settings_of("overread.datasets", task.step.settings["dataset"])
    root = dataset_root(task)
    dataset: Dataset
    if task.step.settings.get("only") == "labels":
        dataset = Dataset((), (), module.read_labels(spec, root))
    else:
        dataset = module.read(spec, root, on_progress=task.context.on_progress)
    save_dataset(task.folder, dataset, root)
    broken = broken_studies(dataset)
    return Outcome(broken, len(dataset.studies) + len(broken))


def broken_studies(dataset: Dataset) -> dict[str, str]:
    """Return {study: why} of studies of which nothing could be read.

    A file that was refused before its study was known belongs to the study folder it lies in
    ({study}/{series}/{file}).
    """
    known = {study.id for study in dataset.studies}
    broken: dict[str, str] = {}
    for finding in dataset.findings:
        study = finding.study or _folder_of(finding.file)
        if finding.severity == "refuse" and study and study not in known:
            broken.setdefault(study, f"{finding.code}: {finding.message}")
    return broken


def _folder_of(file: str | None) -> str | None:
    parts = Path(file).parts if file else ()
    return parts[-3] if len(parts) >= 3 else None


def dataset_root(task: Task) -> Path:
    """Return the folder that the dataset's paths are relative to."""
    if "forge" in task.inputs:
        return task.inputs["forge"] / forge.STUDIES
    if task.context.data is None:
        raise FileNotFoundError("no data folder is known; name it with --data")
    return task.context.data


def file_below(root: Path, name: str) -> Path:
    """Return the file called `name` below a folder; the ending `.gz` may be left out."""
    packed = root / f"{name}.gz"
    return packed if packed.is_file() and not (root / name).is_file() else root / name


def studies_of(task: Task) -> Dataset:
    """Return the dataset of a step that has a `read` step among its inputs."""
    return load_dataset(task.inputs["read"], dataset_root(task))


def labels_to_learn(task: Task) -> Labels:
    """Return what a step learns from: the filled labels among its inputs, or the truth."""
    if "labels" in task.inputs:
        return Labels(pl.read_parquet(task.inputs["labels"] / LABELS))
    return studies_of(task).labels
