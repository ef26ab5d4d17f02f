"""What a network says of examples: no chance, no gradients, plain arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overread.learning.device import DTYPES, choose_device, to_device
from overread.learning.examples import (
    Batch,
    Examples,
    Outputs,
    Progress,
    call_network,
    takes_image,
)
from overread.learning.feed import ahead

__all__ = ["answers", "concatenate", "output_arrays", "predict"]

Precision = Literal["fp32", "bf16", "fp16"]


def predict(
    network: nn.Module,
    examples: Examples,
    *,
    batch: int = 8,
    precision: Precision = "fp32",
    device: str = "auto",
    on_progress: Progress | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return the outputs of a network for all examples, in their order.

    Args:
        network: moved to the device; its mode is left as it was.
        examples: n of them; asked for without a generator.
        batch: examples at once.
        precision: of the forward pass; fp16 on a CPU is computed as bf16.
        device: "auto", "cpu", "cuda" or "cuda:1".
        on_progress: told ("predict", done, n).

    Returns:
        {output: (n, ...)} as float32; a network that returns one tensor gives "logits". Without
        examples the result is empty.
    """
    place = choose_device(device)
    network.to(place)
    parts: list[dict[str, NDArray[np.float32]]] = []
    done = 0
    for outputs, given in answers(network, examples, batch=batch, precision=precision):
        parts.append(output_arrays(outputs))
        done += len(next(iter(given.values())))
        if on_progress is not None:
            on_progress("predict", done, len(examples))
    return concatenate(parts)


def answers(
    network: nn.Module, examples: Examples, *, batch: int, precision: Precision
) -> Iterator[tuple[Outputs, Batch]]:
    """Give outputs and batch, batch by batch, in evaluation mode."""
    device = next(network.parameters()).device
    image = takes_image(network)
    starts = range(0, len(examples), batch)

    def make(start: int) -> Batch:
        end = min(start + batch, len(examples))
        return examples.batch(range(start, end), generator=None)

    dtype = torch.bfloat16 if device.type == "cpu" else DTYPES.get(precision, torch.bfloat16)
    low = torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")
    with _evaluating(network), ahead(make, starts, workers=1) as feed:
        for given in feed:
            moved = to_device(given, device)
            with torch.inference_mode(), low:
                outputs = call_network(network, moved, image=image)
            yield outputs, moved


def concatenate(
    parts: list[dict[str, NDArray[np.float32]]],
) -> dict[str, NDArray[np.float32]]:
    """Join the outputs of batches; where some are longer, zeros fill up the others."""
    names = parts[0] if parts else {}
    return {name: _joined([part[name] for part in parts]) for name in names}


def _joined(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    longest = np.max([part.shape[1:] for part in parts], axis=0)
    if all(part.shape[1:] == tuple(longest) for part in parts):
        return np.concatenate(parts)
    joined, row = np.zeros((sum(map(len, parts)), *longest), np.float32), 0
    for part in parts:
        inside = tuple(slice(size) for size in part.shape[1:])
        joined[row : row + len(part), *inside] = part
        row += len(part)
    return joined


def output_arrays(outputs: Outputs) -> dict[str, NDArray[np.float32]]:
    """Return outputs as float32 arrays; one tensor is called "logits"."""
    named = {"logits": outputs} if isinstance(outputs, Tensor) else outputs
    return {name: value.float().cpu().numpy() for name, value in named.items()}


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
