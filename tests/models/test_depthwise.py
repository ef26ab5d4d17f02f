"""Depthwise convolutions on maps narrower than their kernel give what torch gives."""

import copy

import pytest
import torch
from torch import nn

from overread.models.depthwise import DepthwiseConv2d, quicken_depthwise
from overread.models.encoder import build_encoder
from overread.models.encoder_spec import EncoderSpec

# Channels, height, width, kernel, stride and padding.
CASES = [
    (6, 2, 3, 5, 1, 2),
    (6, 3, 3, 5, 2, 2),
    (4, 1, 1, 3, 1, 1),
    (4, 2, 7, 3, 2, 1),
    (5, 4, 9, (5, 3), (2, 1), (2, 1)),
    (3, 5, 5, 7, 1, 3),
    (3, 4, 6, 5, 1, 4),
]


def pair(channels, kernel, stride, padding, *, bias=True):
    """The same convolution twice, the second quickened."""
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, channels, kernel, stride, padding, groups=channels, bias=bias)
    quick = nn.Sequential(copy.deepcopy(plain))
    quicken_depthwise(quick)
    return plain, quick[0]


def gradients(convolution, images):
    """What a loss that weighs each output differently sends back, and the answer."""
    images = images.clone().requires_grad_()
    answer = convolution(images)
    weights = torch.linspace(-1, 2, answer.numel()).reshape(answer.shape)
    (answer * weights).sum().backward()
    return [answer.detach(), images.grad, *(value.grad for value in convolution.parameters())]


@pytest.mark.parametrize("last", [True, False], ids=["channels last", "channels first"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_equal_those_of_torch(case, last):
    """Answers, and gradients of images, weights and biases, agree to rounding."""
    channels, height, width, *settings = case
    plain, quick = pair(channels, *settings)
    images = torch.randn(3, channels, height, width)
    images = images.to(memory_format=torch.channels_last) if last else images

    assert isinstance(quick, DepthwiseConv2d)
    assert quick._is_slow(images)
    for expected, actual in zip(gradients(plain, images), gradients(quick, images), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_a_wide_map_and_an_evaluation_go_the_usual_way():
    """Where torch is fast, and without gradients, nothing is done differently."""
    _, quick = pair(4, 3, 1, 1)

    assert not quick._is_slow(torch.zeros(1, 4, 3, 3))
    assert not quick._is_slow(torch.zeros(1, 4, 2, 3, dtype=torch.float64))
    with torch.no_grad():
        assert not quick._is_slow(torch.zeros(1, 4, 2, 3))


def test_other_convolutions_are_left_alone():
    """Full, grouped, dilated and one-channel convolutions keep their class."""
    network = nn.Sequential(
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, dilation=2, groups=4),
        nn.Conv2d(1, 1, 3),
        nn.Conv2d(4, 4, 3, groups=4, padding_mode="reflect"),
    )
    quicken_depthwise(network)

    assert {type(module) for module in network} == {nn.Conv2d}


def test_encoders_are_quickened():
    """An encoder of depthwise convolutions trains with them; names of weights are unchanged."""
    encoder = build_encoder(EncoderSpec(backbone="mobilenetv3_small_050"), channels=3)

    assert any(isinstance(module, DepthwiseConv2d) for module in encoder.modules())
    assert "body.conv_stem.weight" in encoder.state_dict()
