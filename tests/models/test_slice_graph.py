"""The graph of a slice network says what the network says."""

import pytest
import torch

from overread.models import ViewShape, slice_attention
from overread.models.pointing import point_at_images
from overread.models.slice_graph import SliceGraph

VIEWS = {"a": ViewShape(3, 1, 32, 40), "b": ViewShape(4, 1, 32, 40), "c": ViewShape(2, 1, 24, 24)}
HEADS = {"x": 3, "y": 2}


def batch(units: int = 4) -> dict[str, torch.Tensor]:
    """Return units of which some slices are missing and the first two are alike in one view."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, view in VIEWS.items():
        size = (units, view.slices, view.channels, view.height, view.width)
        found[name] = torch.randn(size, generator=generator)
        found[f"{name}.mask"] = torch.rand(units, view.slices, generator=generator) > 0.3
        found[f"{name}.offsets"] = torch.randn(units, view.slices, generator=generator) * 10
    found["a"][1] = found["a"][0]
    found["a.mask"][:2] = True
    return found


def network(**settings):
    spec = slice_attention.Spec(backbone="tiny_conv", attention_heads=4, hidden=16, **settings)
    return slice_attention.build(spec, inputs=VIEWS, heads=HEADS, seed=0).eval()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"shared": True, "position": "learnt", "plane_embedding": True, "head": "gated"},
        {"shared": True, "width": 16, "mixer": "none", "heads": "cosine", "slice_heads": True},
    ],
    ids=["plain", "shared", "narrow"],
)
def test_graph_equals_network(settings) -> None:
    """With one encoder or several, with positions, gates and cosine heads."""
    whole, given = network(**settings), batch()
    sizes = {name: (view.height, view.width) for name, view in VIEWS.items()}
    graph = SliceGraph(whole, sizes)
    inputs = point_at_images({name: value.numpy() for name, value in given.items()}, graph.groups)
    with torch.inference_mode():
        expected = whole(given)
        said = graph(*(torch.from_numpy(inputs[name]) for name in graph.inputs))

    together = (("a", "b"), ("c",)) if settings.get("shared") else (("a",), ("b",), ("c",))
    assert graph.groups == together
    for name, value in zip(graph.outputs, said, strict=True):
        torch.testing.assert_close(value, expected[name], atol=1e-5, rtol=1e-5)
