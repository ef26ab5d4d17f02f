"""Networks as files in other engines: they take and give what the network itself does, as arrays.

So everything around a network, from crops to joined answers, is the same for all engines. Torch is
not known here, and nothing of it is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.inference.engines.graph import Form, Graph
from overread.inference.engines.onnx_engine import Ask, open_with_onnx
from overread.inference.engines.openvino_engine import open_with_openvino
from overread.inference.engines.ways import refuse_missing
from overread.models import num_threads

__all__ = ["GraphNetwork", "open_graph"]


@dataclass(frozen=True)
class GraphNetwork:
    """A graph as a network: a batch, or an image, in; {output: array} out.

    Attributes:
        form: what the graph takes and gives.
        ask: runs it.
        channels: of an image, how many in the middle the network looks at; None = all.
    """

    form: Form
    ask: Ask
    channels: int | None = None

    def __call__(
        self, asked: Mapping[str, NDArray[Any]] | NDArray[Any]
    ) -> dict[str, NDArray[np.float32]]:
        """Return what the graph answers."""
        if self.channels is not None and isinstance(asked, np.ndarray):
            first = (asked.shape[1] - self.channels) // 2
            asked = np.ascontiguousarray(asked[:, first : first + self.channels])
        answers = self.ask(self.form.given(asked))
        return {name: answers[name] for name in self.form.outputs}


def open_graph(graph: Graph) -> GraphNetwork:
    """Open a graph in its engine.

    Raises:
        EngineError: if the library is not there.
    """
    refuse_missing(graph.way)
    if graph.way.engine == "onnx":
        return GraphNetwork(graph.form, open_with_onnx(graph.path, threads=num_threads()))
    ask = open_with_openvino(graph.path, graph.way.precision, threads=num_threads())
    return GraphNetwork(graph.form, ask)
