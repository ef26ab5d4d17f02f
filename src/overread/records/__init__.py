"""What things are: frozen records, valid on construction, without I/O."""

from overread.records.conditions import conditions
from overread.records.grade_sets import GradeSets
from overread.records.keypoints import Keypoints
from overread.records.planes import GeometryError, Planes
from overread.records.rubric import Derived, Rubric, Scale, Target, UnitKind
from overread.records.study import (
    Finding,
    Frame,
    RecordError,
    Series,
    Severity,
    Stack,
    Study,
)
from overread.records.tables import Folds, Labels, Predictions, Scores
from overread.records.volume import Kind, Volume

__all__ = [
    "Derived",
    "Finding",
    "Folds",
    "Frame",
    "GeometryError",
    "GradeSets",
    "Keypoints",
    "Kind",
    "Labels",
    "Planes",
    "Predictions",
    "RecordError",
    "Rubric",
    "Scale",
    "Scores",
    "Series",
    "Severity",
    "Stack",
    "Study",
    "Target",
    "UnitKind",
    "Volume",
    "conditions",
]
