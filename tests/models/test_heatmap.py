"""Heat-map networks: sizes, dropout, classes."""

import pytest
import torch

from overread.models.heatmap import Spec, build
from overread.models.heatmap_network import Heatmap, HeatmapWithClasses


@pytest.mark.parametrize(("levels", "stride"), [((0, 1, 2, 3), 2), ((1, 2, 3), 4)])
def test_first_level_sets_the_stride(levels: tuple[int, ...], stride: int) -> None:
    """Maps have the size of the image over the stride of the first level."""
    built = build(Spec(backbone="tiny_conv", levels=levels), channels=3, points=5, seed=0)

    maps = built(torch.zeros(2, 3, 64, 96))

    assert (2, 5, 64 // stride, 96 // stride) == tuple(maps.shape)


def test_odd_sizes_are_carried_up() -> None:
    """An image whose maps do not halve evenly gives a map all the same."""
    built = build(Spec(backbone="tiny_conv", levels=(0, 1, 2, 3)), channels=1, points=1, seed=0)

    assert tuple(built.eval()(torch.zeros(1, 1, 95, 71)).shape) == (1, 1, 48, 36)


def test_classes_come_from_the_same_encoder() -> None:
    """Global questions add outputs and leave the maps alone."""
    settings = {"backbone": "tiny_conv", "levels": (0, 1, 2)}
    plain = build(Spec(**settings), channels=1, points=2, seed=0)
    asked = build(Spec(**settings, classes={"turn": 4}), channels=1, points=2, seed=0)

    outputs = asked.eval()(torch.ones(3, 1, 32, 32))

    assert isinstance(plain, Heatmap)
    assert isinstance(asked, HeatmapWithClasses)
    assert tuple(outputs["class.turn"].shape) == (3, 4)
    torch.testing.assert_close(outputs["maps"], plain.eval()(torch.ones(3, 1, 32, 32)))


def test_multi_sample_dropout_is_for_training_only() -> None:
    """Evaluation is repeatable; training draws."""
    spec = Spec(backbone="tiny_conv", levels=(0, 1), dropouts=(0.1, 0.5))
    built = build(spec, channels=1, points=1, seed=0)
    image = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))

    drawn = built.train()(image), built(image)
    still = built.eval()(image), built(image)

    assert not torch.equal(*drawn)
    assert torch.equal(*still)


def test_levels_must_rise() -> None:
    """Levels out of order are refused."""
    with pytest.raises(ValueError, match="must rise"):
        build(Spec(backbone="tiny_conv", levels=(2, 1)), channels=1, points=1, seed=0)


def test_levels_must_exist() -> None:
    """The error tells which levels there are."""
    with pytest.raises(ValueError, match="levels 0 to 3"):
        build(Spec(backbone="tiny_conv", levels=(0, 4)), channels=1, points=1, seed=0)
