"""Networks along a scan: what they read, bases that are brought together, and what they add."""

import pytest
import torch
from torch import Tensor

from overread.models import StudyUnits, ViewShape
from overread.models.sequence import Spec, build
from overread.models.sequence_network import Sequence, common_bases

HEADS = {"any": 2, "kind": 3}
ODDS, WIDTH, NETWORKS = 3, 6, 2
INPUTS = {
    "near:embedding": ViewShape(NETWORKS, 1, 1, WIDTH, by_unit=True),
    "near:logits": ViewShape(NETWORKS, 1, 1, ODDS, by_unit=True),
}


def network(**settings: object) -> Sequence:
    """A network in evaluation mode."""
    spec = Spec.model_validate({"width": 16, "components": 4, **settings})
    return build(spec, inputs=INPUTS, heads=HEADS, seed=0, units=StudyUnits(None)).eval()


def batch(lengths: tuple[int, ...], *, seed: int = 0) -> dict[str, Tensor]:
    """Scans of some lengths, all networks asked."""
    generator = torch.Generator().manual_seed(seed)
    rows = (len(lengths), max(lengths))
    found: dict[str, Tensor] = {}
    for name, shape in INPUTS.items():
        found[name] = torch.randn(*rows, NETWORKS, 1, 1, shape.width, generator=generator)
        found[f"{name}.mask"] = torch.ones(*rows, NETWORKS, dtype=torch.bool)
        found[f"{name}.offsets"] = (
            torch.arange(rows[1]).float()[None, :, None].expand(*rows, NETWORKS)
        )
    found["units.mask"] = torch.arange(rows[1]) < torch.tensor(lengths)[:, None]
    return found


def trained(**settings: object) -> Sequence:
    """A network whose last layer says something, with bases."""
    found = network(**settings)
    torch.nn.init.normal_(found.leave.weight)
    found.learn_bases({"near:embedding": torch.randn(40, NETWORKS, WIDTH)})
    return found


def test_at_the_start_it_says_what_the_slice_networks_say() -> None:
    """The mean of their log odds, against the first grade; next to nothing is added."""
    given = batch((5,))
    outputs = network()(given)
    odds = given["near:logits"].mean(2).flatten(2)

    assert torch.allclose(outputs["logits.any"][..., 1:], odds[..., :1], atol=0.05)
    assert torch.allclose(outputs["logits.kind"][..., 1:], odds[..., 1:], atol=0.05)
    assert outputs["logits.kind"][..., 0].abs().max() == 0


def test_by_target_all_targets_are_read_alike() -> None:
    """With the same weights: swapped log odds, names aside, give swapped answers."""
    model, given = trained(by_target=True, components=0), batch((5, 3))
    with torch.no_grad():
        model.enter.weight[:, -ODDS:] = 0  # not told which target it is
    swapped = dict(given) | {"near:logits": given["near:logits"][..., [2, 1, 0]]}

    straight, turned = model(given), model(swapped)

    assert tuple(model.enter.weight.shape) == (16, 2 + 3 + ODDS)
    torch.testing.assert_close(straight["logits.any"][..., 1], turned["logits.kind"][..., 2])
    torch.testing.assert_close(straight["logits.kind"][..., 1], turned["logits.kind"][..., 1])


@pytest.mark.parametrize("by_target", [False, True])
@pytest.mark.parametrize("mix", ["lstm", "transformer"])
def test_slices_see_along_their_scan_and_not_beyond(mix: str, *, by_target: bool) -> None:
    """A change at the top of a scan reaches its lowest slice, and nothing of another scan.

    What lies behind the end of a scan is never read.
    """
    model, given = trained(mix=mix, by_target=by_target), batch((4, 6))
    before = model(given)["logits.any"]
    given["near:logits"][1, 5] += 3
    given["near:logits"][0, 4:] = 99.0
    given["near:embedding"][0, 4:] = -99.0
    after = model(given)["logits.any"]

    assert torch.equal(after[0, :4], before[0, :4])
    assert not torch.allclose(after[1, 0], before[1, 0], atol=1e-6)


def test_networks_that_may_not_be_asked_are_not_heard() -> None:
    """Whatever stands in the place of a masked network, the answer is that of the other."""
    model, given = trained(), batch((3,))
    for name in INPUTS:
        given[f"{name}.mask"][:, :, 1] = False
    before = model(given)["logits.kind"]
    for name in INPUTS:
        given[name][:, :, 1] = 5.0

    assert torch.equal(model(given)["logits.kind"], before)


def test_turned_bases_are_brought_together() -> None:
    """Three networks with one embedding in three bases become one again, without labels."""
    generator = torch.Generator().manual_seed(3)
    first = torch.randn(200, WIDTH, generator=generator) * torch.tensor([3.0, 2, 1, 0.5, 0.3, 0.1])
    turns = [torch.eye(WIDTH)] + [
        torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator))[0] for _ in range(2)
    ]
    made = torch.stack([first @ turn + number for number, turn in enumerate(turns)], 1)
    means, bases, explained = common_bases(made, components=4, ridge=1e-6)
    moved = torch.einsum("nkd,kdc->nkc", made - means, bases)

    assert min(explained) > 0.999
    assert torch.allclose(moved[:, 1], moved[:, 0], atol=0.01)
    assert torch.allclose(moved[:, 2], moved[:, 0], atol=0.01)
    assert torch.allclose(moved[:, 0].std(0), torch.ones(4), atol=0.02)


def test_unlike_embeddings_explain_little() -> None:
    """Where a network made noise of the slices, its map says so, and shrinks to nothing."""
    generator = torch.Generator().manual_seed(4)
    made = torch.randn(400, 2, WIDTH, generator=generator)
    _, bases, explained = common_bases(made, components=4, ridge=1e-2)

    assert explained[0] > 0.99
    assert explained[1] < 0.1
    assert bases[1].norm() < 0.3 * bases[0].norm()


def test_fewer_directions_than_components_leave_zeros() -> None:
    """An embedding of one direction fills one component; the others stay 0 and finite."""
    line = torch.linspace(-1, 1, 30)[:, None, None] * torch.ones(1, 2, WIDTH)
    _, bases, _ = common_bases(line, components=4, ridge=1e-2)

    assert bases.isfinite().all()
    assert bases[..., 1:].abs().max() == 0


def test_without_components_answers_alone_are_read() -> None:
    """No maps, and embeddings change nothing."""
    model, given = trained(components=0), batch((3,))
    before = model(given)["logits.any"]
    given["near:embedding"] += 7

    assert dict(model.named_buffers()) == {}
    assert torch.equal(model(given)["logits.any"], before)


def test_views_and_units_are_refused_with_what_to_do() -> None:
    """It reads studies, by what other members say, who answer the same targets."""
    spec, views = Spec(), {"near": ViewShape(1, 3, 8, 8)}
    with pytest.raises(ValueError, match="set reads: study and embeds"):
        build(spec, inputs=INPUTS, heads=HEADS, seed=0)
    with pytest.raises(ValueError, match=r"found inputs \['near'\]"):
        build(spec, inputs=views, heads=HEADS, seed=0, units=StudyUnits(None))
    with pytest.raises(ValueError, match=r"answer its targets, 1 log odds; found \[3\]"):
        build(spec, inputs=INPUTS, heads={"any": 2}, seed=0, units=StudyUnits(None))
