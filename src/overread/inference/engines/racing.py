"""How long a bundle takes for studies on this host: to open it, for the first, for each one more.

What the grades are worth is not known here.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from overread.inference.asking import Network
from overread.inference.bundle import Bundle
from overread.inference.engines.graph_network import GraphNetwork
from overread.inference.engines.onnx_engine import Arrays
from overread.inference.engines.ways import EngineError
from overread.inference.grade import GradeSpec, grade_each
from overread.inference.grades import GradedStudy, Grades
from overread.inference.opening import open_studies
from overread.models import flush_denormals

__all__ = ["Race", "race"]


@dataclass(frozen=True)
class Race:
    """How long a bundle took.

    Attributes:
        grades: what it said.
        load_s: to open its networks.
        first_s: for the first study, with what is made when first used.
        study_s: for each further study, decoding and crops included; the median.
        networks_s: of that, {part: seconds in its networks}.
    """

    grades: Grades
    load_s: float
    first_s: float
    study_s: float
    networks_s: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON without the grades, in ms resolution."""
        return {
            "load_s": round(self.load_s, 3),
            "first_s": round(self.first_s, 3),
            "study_s": round(self.study_s, 3),
            "networks_s": {part: round(value, 4) for part, value in self.networks_s.items()},
        }


class _Timed(nn.Module):
    """A network that adds up how long it takes."""

    def __init__(self, network: nn.Module, spent: list[float]) -> None:
        super().__init__()
        self.network = network
        self.spent = spent

    def forward(self, asked: Any) -> Mapping[str, Tensor] | Tensor:
        start = time.perf_counter()
        answer: Mapping[str, Tensor] | Tensor = self.network(asked)
        self.spent[0] += time.perf_counter() - start
        return answer


def _timed(network: Network, spent: list[float]) -> Network:
    """Return a network that adds up how long it takes."""
    if not isinstance(network, GraphNetwork):
        return _Timed(network, spent)

    def ask(inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        start = time.perf_counter()
        answers = network.ask(inputs)
        spent[0] += time.perf_counter() - start
        return answers

    return replace(network, ask=ask)


def race(bundle: Bundle, path: Path, *, repeats: int = 2, most: int = 20) -> Race:
    """Grade studies and say how long it took.

    Args:
        bundle: asked as it is.
        path: a study, or a folder of studies.
        repeats: studies that are graded after the first, 1 at least; if there are fewer, the first
            is graded again.
        most: studies of the folder that are looked at.

    Raises:
        EngineError: if there is no study.
    """
    flush_denormals()
    reading = open_studies(bundle.recipe.dataset, path)
    studies = reading.studies[:most]
    if not studies:
        raise EngineError(f"{path}: found no study; expected one, or a folder of studies")
    start = time.perf_counter()
    networks = bundle.networks()
    load_s = time.perf_counter() - start
    spent = {part: [0.0] for part in networks}
    timed = replace(
        bundle,
        stand_ins={
            part: {fold: _timed(network, spent[part]) for fold, network in folds.items()}
            for part, folds in networks.items()
        },
    )
    graded: list[GradedStudy] = []
    seconds: list[float] = []
    inside: list[dict[str, float]] = []
    for study in [*studies, *studies[:1] * max(0, 1 + repeats - len(studies))]:
        before = {part: one[0] for part, one in spent.items()}
        start = time.perf_counter()
        graded.append(grade_each(timed, study, GradeSpec()))
        seconds.append(time.perf_counter() - start)
        inside.append({part: one[0] - before[part] for part, one in spent.items()})
    return Race(
        _as_grades(bundle, graded[: len(studies)]),
        load_s,
        seconds[0],
        median(seconds[1:]),
        {part: median(one[part] for one in inside[1:]) for part in networks},
    )


def _as_grades(bundle: Bundle, studies: Sequence[GradedStudy]) -> Grades:
    return Grades(bundle.rubric, bundle.hash, bundle.recipe.name, tuple(studies), ())
