"""Encoders of views and stacks: what is shared, what a head reads, what is told of the level."""

import pytest
import torch
from torch import nn

from overread.models import StudyUnits, ViewShape
from overread.models.view_encoders import Spec, build

INPUTS = {"t1": ViewShape(6, 1, 32, 32), "t2": ViewShape(3, 1, 32, 32)}
LARGE = {**INPUTS, "axial": ViewShape(3, 1, 64, 64)}
HEADS = {"canal": 3, "side": 2}
UNITS = StudyUnits(4)


def _network(inputs=INPUTS, units=None, **settings) -> nn.Module:
    spec = Spec.model_validate({"backbone": "tiny_conv", "width": 16, "hidden": 8, **settings})
    return build(spec, inputs=inputs, heads=HEADS, seed=0, units=units).eval()


def _batch(inputs=INPUTS, lead=(2,)) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    batch = {"site": torch.arange(lead[-1]).expand(lead).contiguous()}
    for view, shape in inputs.items():
        pixels = (*lead, shape.slices, shape.channels, shape.height, shape.width)
        batch[view] = torch.randn(pixels, generator=generator)
        batch[f"{view}.mask"] = torch.ones(*lead, shape.slices, dtype=torch.bool)
    if len(lead) == 2:
        batch["units.mask"] = torch.ones(lead, dtype=torch.bool)
    return batch


def _by_unit(inputs=INPUTS) -> dict[str, ViewShape]:
    return {
        view: ViewShape(one.slices, one.channels, one.height, one.width, by_unit=True)
        for view, one in inputs.items()
    }


def test_views_that_are_alike_share_their_encoder() -> None:
    """As triplets of slices, whatever the number of slices; otherwise each has its own."""
    shared = _network(images=3, alike=[["t1", "t2"]])
    own = _network(images=3)
    count = [sum(weight.numel() for weight in one.parameters()) for one in (shared, own)]
    encoder = sum(weight.numel() for weight in own.encoders["of_t1"].encoder.parameters())

    assert shared.encoders["of_t1"].encoder is shared.encoders["of_t2"].encoder
    assert count[1] - count[0] == encoder


def test_a_view_may_have_another_backbone() -> None:
    """The view's encoder is what its settings say; the others are the network's own."""
    network = _network(encoders={"t2": {"backbone": "test_convnext"}})

    assert type(network.encoders["of_t2"].encoder.encoder.body).__name__ == "ConvNeXt"
    assert type(network.encoders["of_t1"].encoder.encoder.body).__name__ == "TinyConv"


def test_a_head_reads_the_views_that_it_is_given() -> None:
    """What lies in another view does not move it; heads that are not named read all."""
    network, batch = _network(reads={"side": ["t1"]}), _batch()
    before = network(batch)
    batch["t2"] = batch["t2"] + 1
    after = network(batch)

    assert torch.equal(before["logits.side"], after["logits.side"])
    assert not torch.equal(before["logits.canal"], after["logits.canal"])


def test_what_is_missing_is_never_seen() -> None:
    """Pixels of masked slices change nothing, in views and in the stack."""
    network, batch = _network(parts="both"), _batch()
    batch["t1.mask"][0, 2] = False
    batch["t2.mask"][1] = False
    before = network(batch)
    batch["t1"][0, 2], batch["t2"][1] = 50.0, -50.0
    after = network(batch)

    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_stem_brings_a_larger_view_into_the_stack() -> None:
    """Twice the size is halved; without a stem the sizes are refused."""
    batch = _batch(LARGE)
    answer = _network(LARGE, parts="stack", stems={"axial": 8})(batch)

    assert answer["logits.canal"].shape == (2, 3)
    with pytest.raises(ValueError, match="twice the size and a stem"):
        _network(LARGE, parts="stack")


@pytest.mark.parametrize("code", ["one_hot", "embedding", "own"])
def test_the_level_is_told(code) -> None:
    """The same images at another level are graded otherwise; without a code alike."""
    batch = _batch()
    for told, settings in ((True, {"code": code, "levels": 5}), (False, {})):
        network = _network(**settings)
        here = network({**batch, "site": torch.tensor([0, 3])})["logits.canal"]
        there = network({**batch, "site": torch.tensor([3, 0])})["logits.canal"]
        assert torch.allclose(here, there, atol=1e-6) is not told


def test_own_networks_answer_in_the_order_of_the_units() -> None:
    """A unit gets the answer of the network of its level, wherever it stands in the batch."""
    network, batch = _network(code="own", levels=3), _batch(lead=(3,))
    batch["site"] = torch.tensor([2, 0, 2])
    answer = network(batch)["logits.side"]
    alone = network.networks[2]({key: value[[0, 2]] for key, value in batch.items()})

    torch.testing.assert_close(answer[[0, 2]], alone["logits.side"])


def test_a_recurrent_layer_carries_what_one_level_shows_to_the_others() -> None:
    """With it the answer for a level depends on its neighbours; units that are not there do not."""
    inputs, batch = _by_unit(), _batch(lead=(2, 4))
    batch["units.mask"][1, 3] = False
    for recurrent, carried in ((8, True), (0, False)):
        network = _network(inputs, UNITS, recurrent=recurrent)
        before = network(batch)["logits.canal"]
        there, absent = ({**batch, "t1": batch["t1"].clone()} for _ in range(2))
        there["t1"][1, 0] += 1
        absent["t1"][1, 3] += 1

        assert before.shape == (2, 4, 3)
        assert torch.allclose(before[1, 2], network(there)["logits.canal"][1, 2]) is not carried
        assert torch.equal(before[1, :3], network(absent)["logits.canal"][1, :3])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"images": 4}, "no multiple of 4"),
        ({"reads": {"side": ["t3"]}}, r"no views \['t3'\]"),
        ({"recurrent": 8}, "reads: study"),
        ({"code": "one_hot"}, "both or neither"),
        ({"stems": {"t1": 4}}, "parts: stack"),
        ({"recurrent": 8, "code": "own", "levels": 2}, "drop reads and code"),
    ],
)
def test_what_does_not_fit_is_refused(settings, words) -> None:
    """With what was found and what to do."""
    with pytest.raises(ValueError, match=words):
        _network(**settings)
