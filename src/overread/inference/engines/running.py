"""Networks in other engines: they take and give what the network itself does.

So everything around a network, from crops to joined answers, is the same for all engines.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overread.inference.engines.graph import Graph
from overread.inference.engines.onnx_engine import open_with_onnx
from overread.inference.engines.openvino_engine import open_with_openvino
from overread.inference.engines.ways import Way, refuse_missing

__all__ = ["Compiled", "GraphNetwork", "LowPrecision", "in_way"]


class GraphNetwork(nn.Module):
    """A graph as a network: a batch, or an image, in; {output: tensor} out.

    Attributes:
        form: what the graph takes and gives.
    """

    def __init__(self, graph: Graph) -> None:
        """Open the graph in its engine.

        Raises:
            EngineError: if the library is not there.
        """
        super().__init__()
        refuse_missing(graph.way)
        threads = torch.get_num_threads()
        self.form = graph.form
        if graph.way.engine == "onnx":
            self.ask = open_with_onnx(graph.path, threads=threads)
        else:
            self.ask = open_with_openvino(graph.path, graph.way.precision, threads=threads)
        # Callers look at the weights of a network to learn where it lives.
        self.place = nn.Parameter(torch.zeros(0), requires_grad=False)

    def forward(self, asked: Mapping[str, Tensor] | Tensor) -> dict[str, Tensor]:
        """Return what the graph answers."""
        given = self.form.given(asked)
        answers = self.ask({name: value.cpu().numpy() for name, value in given.items()})
        return {
            name: torch.from_numpy(answers[name]).to(self.place.device)
            for name in self.form.outputs
        }


class LowPrecision(nn.Module):
    """A torch network in bf16 where that is safe."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, asked: Mapping[str, Tensor] | Tensor) -> Mapping[str, Tensor] | Tensor:
        """Return what the network answers."""
        device = next(self.network.parameters()).device.type
        with torch.autocast(device, dtype=torch.bfloat16):
            answer: Mapping[str, Tensor] | Tensor = self.network(asked)
        return answer


class Compiled(nn.Module):
    """A torch network that is compiled when it is first asked."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.compiled = torch.compile(network, dynamic=True)

    def forward(self, asked: Mapping[str, Tensor] | Tensor) -> Mapping[str, Tensor] | Tensor:
        """Return what the network answers."""
        answer: Mapping[str, Tensor] | Tensor = self.compiled(asked)
        return answer


def in_way(network: nn.Module, way: Way) -> nn.Module:
    """Return a torch network so that it runs in a way of torch."""
    if way.engine == "compiled":
        network = Compiled(network)
    return LowPrecision(network) if way.precision == "bf16" else network
