"""Labels whose empty cells are filled with what teachers say of them."""

from collections.abc import Iterator

import polars as pl

from overread.learning import PseudoSpec, drop_doubtful, fill_labels, label_strangers
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.stages.read import LABELS, studies_of
from overread.pipeline.step import Task
from overread.records import Predictions

__all__ = ["make"]


def make(task: Task) -> None:
    """Fill the cells that nobody has graded, or label the units of external datasets."""
    spec: PseudoSpec = task.step.spec
    labels, said = studies_of(task).labels, list(_said(task))
    if spec.external:
        filled = label_strangers(labels, said)
    else:
        filled = fill_labels(labels, said, truth=spec.truth)
        if spec.doubt is not None:
            filled = drop_doubtful(filled, said, spec.doubt)
    filled.frame.sort("unit", "target").write_parquet(task.folder / LABELS)


def _said(task: Task) -> Iterator[Predictions]:
    spec: PseudoSpec = task.step.spec
    for source in spec.sources:
        for name in source.of:
            for role, entry in task.inputs.items():
                if role.partition("@")[0] == f"predictor.{name}":
                    frame = load_predictions(entry).frame
                    if source.targets is not None:
                        frame = frame.filter(pl.col("target").is_in(source.targets))
                    yield Predictions(frame)
