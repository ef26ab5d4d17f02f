"""A torch network is written down as an ONNX graph, and the graph is asked whether it agrees.

Which networks there are, and what becomes of the files, is not known here.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overread.inference.engines.graph import Form, Graph
from overread.inference.engines.graph_network import open_graph
from overread.inference.engines.ways import EngineError, Way
from overread.inference.locator import LocatorSpec
from overread.models import ViewShape
from overread.models.slice_graph import SliceGraph
from overread.models.slice_network import SliceAttention

__all__ = ["UnwritableError", "as_arrays", "write_grader", "write_locator"]

OPSET = 17
# Sizes of the batch that a network is traced with, and of the one that its graph is checked with.
TRACED, CHECKED = 2, 3
# Logits of networks of random inputs; engines differ in the order of sums.
CLOSE = 1e-3
Batch = dict[str, Tensor]


class UnwritableError(EngineError):
    """A network that cannot be written down as a graph, or whose graph says something else."""


class _Named(nn.Module):
    """A network that takes and gives tensors in a fixed order."""

    def __init__(
        self, network: nn.Module, inputs: tuple[str, ...], outputs: tuple[str, ...], *, image: bool
    ) -> None:
        super().__init__()
        self.network, self.image = network, image
        self.inputs, self.outputs = inputs, outputs

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = tensors[0] if self.image else dict(zip(self.inputs, tensors, strict=True))
        answer = self.network(given)
        if isinstance(answer, Tensor):
            return (answer,)
        return tuple(answer[name] for name in self.outputs)


def write_locator(network: nn.Module, spec: LocatorSpec, path: Path) -> Form:
    """Write the network of a locator: image (B, C, H, W) -> maps (B, K, h, w), and classes.

    Raises:
        UnwritableError: if it cannot be done.
    """
    generator = torch.Generator().manual_seed(0)

    def image(size: int) -> Tensor:
        return torch.rand(size, spec.channels, *spec.pixels, generator=generator) * 2 - 1

    with torch.inference_mode():
        answer = network(image(TRACED))
    outputs = ("maps",) if isinstance(answer, Tensor) else tuple(answer)
    plain = _Named(network, ("image",), outputs, image=True)
    form = Form(kind="image", inputs=plain.inputs, outputs=plain.outputs)
    _write(plain, form, image, path)
    _agree(network, Graph(path, form, Way(engine="onnx")), image(CHECKED))
    return form


def write_grader(network: nn.Module, shapes: Mapping[str, ViewShape], path: Path) -> Form:
    """Write the network of a member: what it sees of units -> the logits of each target.

    Args:
        network: of a member that reads units.
        shapes: of its views.
        path: where.

    Raises:
        UnwritableError: if it cannot be done.
    """
    generator = torch.Generator().manual_seed(0)

    def batch(size: int) -> Batch:
        return _made_up(shapes, size, generator)

    plain: nn.Module
    if isinstance(network, SliceAttention):
        sizes = {view: (shape.height, shape.width) for view, shape in shapes.items()}
        plain = SliceGraph(network, sizes)
        form = Form(kind="slots", inputs=plain.inputs, outputs=plain.outputs, groups=plain.groups)
    else:
        with torch.inference_mode():
            answer = network(batch(TRACED))
        inputs = tuple(batch(1))
        outputs = tuple(name for name in answer if name.startswith("logits."))
        plain = _Named(network, inputs, outputs, image=False)
        form = Form(kind="batch", inputs=inputs, outputs=outputs)
    _write(plain, form, batch, path)
    _agree(network, Graph(path, form, Way(engine="onnx")), batch(CHECKED))
    return form


def _made_up(shapes: Mapping[str, ViewShape], size: int, generator: torch.Generator) -> Batch:
    """Return units with random images, some of them missing or repeated."""
    found: Batch = {}
    for view, shape in shapes.items():
        sizes = (size, shape.slices, shape.channels, shape.height, shape.width)
        found[view] = torch.rand(sizes, generator=generator) * 2 - 1
        found[view][-1, 0] = found[view][0, 0]
        mask = torch.rand(size, shape.slices, generator=generator) < 0.7
        mask[:, 0] = True
        found[f"{view}.mask"] = mask
        found[f"{view}.offsets"] = torch.randn(size, shape.slices, generator=generator) * 10
    found["site"] = torch.zeros(size, dtype=torch.int64)
    return found


def _write(plain: nn.Module, form: Form, made: Callable[[int], Batch | Tensor], path: Path) -> None:
    given = form.given(as_arrays(made(TRACED)))
    axes = {name: {0: "images" if name.startswith("images.") else "units"} for name in form.inputs}
    axes |= {name: {0: f"{name}.count"} for name in form.inputs if name.startswith("images.")}
    axes |= {name: {0: "units"} for name in form.outputs}
    try:
        with _plainly():
            torch.onnx.export(
                plain.eval(),
                tuple(torch.from_numpy(value) for value in given.values()),
                path.as_posix(),
                input_names=list(form.inputs),
                output_names=list(form.outputs),
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise UnwritableError(f"it cannot be written as a graph: {_line(error)}") from error


def _agree(network: nn.Module, graph: Graph, asked: Batch | Tensor) -> None:
    """Compare a graph with its network on a batch of another size."""
    try:
        said = open_graph(graph)(as_arrays(asked))
    except RuntimeError as error:
        raise UnwritableError(f"its graph does not run: {_line(error)}") from error
    with torch.inference_mode():
        answer = network(asked)
    meant = {"maps": answer} if isinstance(answer, Tensor) else answer
    for name in graph.form.outputs:
        off = float((meant[name].float() - torch.from_numpy(said[name])).abs().max())
        if not off <= CLOSE * max(1.0, float(meant[name].abs().max())):
            raise UnwritableError(f"its graph says something else: {name} is off by {off:.2g}")


def as_arrays(asked: Mapping[str, Tensor] | Tensor) -> dict[str, NDArray[Any]] | NDArray[Any]:
    """Return what a network of torch is given, for an engine that takes arrays."""
    if isinstance(asked, Tensor):
        return np.asarray(asked.cpu().numpy())
    return {name: value.cpu().numpy() for name, value in asked.items()}


@contextmanager
def _plainly() -> Iterator[None]:
    """Trace operators as they are written, without a word about how that is done."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(value=False)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(value=fast)


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
