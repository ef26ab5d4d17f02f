"""What every network on the shelf must do."""

import inspect
from collections.abc import Callable, Mapping

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from overread.models import ImageNetwork, StudyUnits, ViewShape
from overread.models.sequence_network import Sequence
from overread.shelf import Spec, names_on_shelf, take

ROOM = "overread.models"
VIEWS = {"near": ViewShape(3, 2, 64, 64), "far": ViewShape(2, 2, 64, 64)}
HEADS = {"narrow": 3, "present": 2}
# What two networks of another member made of each of five units.
MADE = {
    "other:embedding": ViewShape(2, 1, 1, 7, by_unit=True),
    "other:logits": ViewShape(2, 1, 1, 3, by_unit=True),
}
UNITS = 5
BACKBONES = ("tiny_conv", "test_convnext", "test_resnet")

Case = tuple[str, str]
CASES = [
    (name, backbone)
    for name in names_on_shelf(ROOM)
    for backbone in (BACKBONES if "backbone" in take(ROOM, name).Spec.model_fields else ("none",))
]


def build(case: Case, seed: int = 0) -> nn.Module:
    """Build a network with small settings, whichever of the two kinds it is of."""
    module = take(ROOM, case[0])
    if case[1] == "none":
        units = StudyUnits(None)
        return module.build(module.Spec(), inputs=MADE, heads=HEADS, seed=seed, units=units)
    fields = {"backbone": case[1], "levels": (0, 1, 2)} if _is_image(module) else {}
    spec = module.Spec.model_validate({"backbone": case[1]} | fields)
    if _is_image(module):
        network = module.build(spec, channels=2, points=4, seed=seed)
        assert isinstance(network, ImageNetwork)
        return network
    return module.build(spec, inputs=VIEWS, heads=HEADS, seed=seed)


def _is_image(module: object) -> bool:
    return "points" in inspect.signature(module.build).parameters


def ask(network: nn.Module, size: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    if isinstance(network, ImageNetwork):
        outputs = network(torch.randn(size, 2, 64, 64, generator=generator))
        return {"maps": outputs} if isinstance(outputs, Tensor) else outputs
    batch = {}
    studies = isinstance(network, Sequence)
    rows = (size, UNITS) if studies else (size,)
    for name, view in (MADE if studies else VIEWS).items():
        batch[name] = torch.randn(
            *rows, view.slices, view.channels, view.height, view.width, generator=generator
        )
        batch[f"{name}.mask"] = torch.ones(*rows, view.slices, dtype=torch.bool)
        batch[f"{name}.offsets"] = torch.zeros(*rows, view.slices)
    if studies:
        batch["units.mask"] = torch.ones(rows, dtype=torch.bool)
    outputs = network(batch)
    return {key: value.flatten(0, 1) for key, value in outputs.items()} if studies else outputs


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def test_offers_spec_and_build(case: Case) -> None:
    """A network's file has a Spec and a build with a seed, each with words about it."""
    module = take(ROOM, case[0])

    assert issubclass(module.Spec, Spec)
    assert "seed" in inspect.signature(module.build).parameters
    assert all(inspect.getdoc(part) for part in (module, module.Spec, module.build))


def test_logits_fit_the_heads(case: Case) -> None:
    """There is one finite logit for each grade or map."""
    outputs = ask(build(case).eval())

    if "maps" in outputs:
        assert tuple(outputs["maps"].shape[:2]) == (2, 4)
    else:
        shapes = {name: tuple(outputs[f"logits.{name}"].shape) for name in HEADS}
        rows = 2 * UNITS if case[1] == "none" else 2
        assert {name: (rows, grades) for name, grades in HEADS.items()} == shapes
    assert all(value.isfinite().all() for value in outputs.values())


def test_gradient_reaches_every_weight(case: Case) -> None:
    """After a step away from the start (where some are zero by design) no weight stands idle."""
    network = build(case).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        sum(value.square().mean() for value in ask(network).values()).backward()
        optimiser.step()

    idle = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert idle == []


def test_same_seed_same_network(case: Case) -> None:
    """One seed gives one network and one answer; another seed another."""
    same = [ask(build(case, seed=3).eval()) for _ in range(2)]
    other = ask(build(case, seed=4).eval())

    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])
    assert not all(torch.equal(same[0][name], other[name]) for name in other)


def test_one_sample_does_not_see_another(case: Case) -> None:
    """In evaluation the answer for a sample does not depend on its batch."""
    network = build(case).eval()

    both, one = ask(network), _first(network)

    for name in both:
        rows = len(one[name])
        torch.testing.assert_close(both[name][:rows], one[name], rtol=1e-4, atol=1e-5)


def test_weights_pass_through_safetensors(case: Case) -> None:
    """Saved and loaded into another network they give the same answer."""
    network, other = build(case, seed=0).eval(), build(case, seed=1).eval()

    other.load_state_dict(load(save(dict(network.state_dict()))))

    expected, found = ask(network), ask(other)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def _first(network: nn.Module) -> Mapping[str, Tensor]:
    """Ask about the first of the two samples of `ask` alone."""
    outputs: dict[str, Tensor] = {}
    hook: Callable[..., None] = lambda _, inputs: _shorten(inputs)  # noqa: E731
    handle = network.register_forward_pre_hook(hook)
    outputs |= ask(network)
    handle.remove()
    return outputs


def _shorten(inputs: tuple[Tensor | dict[str, Tensor]]) -> tuple[Tensor | dict[str, Tensor]]:
    given = inputs[0]
    return (given[:1] if isinstance(given, Tensor) else {n: v[:1] for n, v in given.items()},)
