"""A network that was written down: the file, what it takes and gives, and how it is to be run.

How it is written and run stands beside this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from overread.inference.engines.ways import Way
from overread.shelf import Spec

__all__ = ["GRAPH", "Form", "Graph", "read_engines", "write_engines"]

GRAPH = ".onnx"
Graphs = Mapping[str, Mapping[int, "Graph"]]


class Form(Spec):
    """How what a network is given becomes the inputs of its graph.

    Attributes:
        kind: "image" (of a locator), "batch" (the arrays of a batch by their names) or "slots"
            (each image once, and slots that point at images; see `models.pointing`).
        inputs, outputs: names in the graph, in order.
        groups: of "slots": the views whose images are encoded together.
    """

    kind: Literal["image", "batch", "slots"]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...] = ()

    def given(self, asked: Mapping[str, NDArray[Any]] | NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the inputs of the graph, by name."""
        if isinstance(asked, np.ndarray):
            return {self.inputs[0]: asked}
        if self.kind == "slots":
            from overread.models.pointing import point_at_images

            asked = point_at_images(asked, self.groups)
        return {name: asked[name] for name in self.inputs}


@dataclass(frozen=True)
class Graph:
    """One network as a file.

    Attributes:
        path: of the ONNX file.
        form: what it takes and gives.
        way: how it is to be run.
    """

    path: Path
    form: Form
    way: Way


def write_engines(graphs: Graphs, ways: Mapping[str, Way]) -> dict[str, Any]:
    """Return what a bundle notes of how its parts are run, as plain JSON; nothing if by torch."""
    found: dict[str, Any] = {
        part: {"way": one.way.model_dump(mode="json"), "form": one.form.model_dump(mode="json")}
        for part, folds in graphs.items()
        for one in list(folds.values())[:1]
    }
    found |= {part: {"way": way.model_dump(mode="json")} for part, way in ways.items()}
    return {"engines": found} if found else {}


def read_engines(
    folder: Path, content: Mapping[str, Any]
) -> tuple[dict[str, dict[int, Graph]], dict[str, Way]]:
    """Return the graphs of a bundle, and the ways of parts that torch runs, as it noted them."""
    graphs: dict[str, dict[int, Graph]] = {}
    ways: dict[str, Way] = {}
    for part, noted in content.get("engines", {}).items():
        way = Way.model_validate(noted["way"])
        if not way.written:
            ways[part] = way
            continue
        form = Form.model_validate(noted["form"])
        paths = {
            int(path.stem.removeprefix(f"{part}-")): path
            for path in (folder / "networks").glob(f"{part}-*{GRAPH}")
            if path.stem.removeprefix(f"{part}-").isdecimal()
        }
        graphs[part] = {fold: Graph(paths[fold], form, way) for fold in sorted(paths)}
    return graphs, ways
