"""Depthwise convolutions that train fast on a CPU where the map is narrower than the kernel.

There the usual kernels fall back to a loop that takes most of a training step: for EfficientNet on
crops of 64 x 76 px a third of it. Forwards nothing changes. Backwards each tap of the kernel is one
product of two pieces of the maps, channels last; results agree to rounding.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["DepthwiseConv2d", "quicken_depthwise"]

Pair = tuple[int, int]
Piece = tuple[slice, slice]
# Input, output, taps, stride and padding along one side.
Side = tuple[int, int, int, int, int]
WHOLE = slice(None)


class DepthwiseConv2d(nn.Conv2d):
    """A convolution with one filter per channel; takes the place of `nn.Conv2d`."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        if not self._is_slow(input):
            usual: Tensor = super()._conv_forward(input, weight, bias)
            return usual
        answer: Tensor = _ByTap.apply(input, weight, bias, self.stride, self.padding)  # type: ignore[no-untyped-call]
        return answer

    def _is_slow(self, images: Tensor) -> bool:
        narrow = any(
            side < kernel for side, kernel in zip(images.shape[-2:], self.kernel_size, strict=True)
        )
        return (
            narrow
            and torch.is_grad_enabled()
            and images.dtype == torch.float32
            and images.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
        )


def quicken_depthwise(network: nn.Module) -> None:
    """Let the depthwise convolutions of a network train fast on small maps; weights stay."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _is_depthwise(module):
            module.__class__ = DepthwiseConv2d


def _is_depthwise(module: nn.Conv2d) -> bool:
    alone = module.groups == module.in_channels == module.out_channels > 1
    plain = module.dilation == (1, 1) and module.padding_mode == "zeros"
    return alone and plain and isinstance(module.padding, tuple)


class _ByTap(torch.autograd.Function):
    """(N, C, H, W) and (C, 1, kh, kw) to (N, C, h, w)."""

    @staticmethod
    def forward(
        images: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, pad: Pair
    ) -> Any:
        return functional.conv2d(images, weight, bias, stride, pad, 1, len(weight))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        images, weight, _, ctx.stride, ctx.pad = inputs
        ctx.save_for_backward(images, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        inside, outside = _channels_last(images), _channels_last(outputs[0])
        taps = weight[:, 0].permute(1, 2, 0).contiguous()
        for_inside, for_taps = torch.zeros_like(inside), torch.zeros_like(taps)
        sides = (inside.shape[1:3], outside.shape[1:3], taps.shape[:2], ctx.stride, ctx.pad)
        for (row, column), seen, made in _pieces(*zip(*sides, strict=True)):
            gradient = outside[WHOLE, *made]
            for_taps[row, column] = (gradient * inside[WHOLE, *seen]).sum((0, 1, 2))
            for_inside[WHOLE, *seen].addcmul_(gradient, taps[row, column])
        for_bias = outside.sum((0, 1, 2)) if ctx.needs_input_grad[2] else None
        return (
            for_inside.permute(0, 3, 1, 2),
            for_taps.permute(2, 0, 1)[:, None],
            for_bias,
            None,
            None,
        )


def _channels_last(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1).contiguous()


def _pieces(height: Side, width: Side) -> Iterator[tuple[Pair, Piece, Piece]]:
    """Yield each tap, the part of the input that it sees and the part of the output it makes."""
    rows, columns = (
        [_part(inside, outside, tap - padding, step) for tap in range(taps)]
        for inside, outside, taps, step, padding in (height, width)
    )
    for row, down in enumerate(rows):
        for column, across in enumerate(columns):
            if down and across:
                yield (row, column), (down[0], across[0]), (down[1], across[1])


def _part(inside: int, outside: int, shift: int, step: int) -> Piece | None:
    """Return what a tap sees and makes along one side; None where it sees padding alone."""
    first = max(0, -(shift // step))
    last = min(outside - 1, (inside - 1 - shift) // step)
    if first > last:
        return None
    seen = slice(first * step + shift, last * step + shift + 1, step)
    return seen, slice(first, last + 1)
