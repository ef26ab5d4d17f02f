"""Members that read what other members made of units: inputs, who is asked, and their answers."""

import numpy as np
import pytest
import torch
from tiny_scans import RUBRIC, VIEW, cuts_of, labels_of, scan
from torch import nn

from overread.inference import (
    EmbedSpec,
    MemberSpec,
    as_read,
    embed_units,
    learn_bases,
    load_cuts,
    member_examples,
    member_network,
    predict_member,
    save_cuts,
)
from overread.records import RecordError

VIEWS = {"near": VIEW}
SPEC = EmbedSpec(width=128, networks=2)
SLICES = MemberSpec.model_validate(
    {
        "views": ("near",),
        "mirror": "average",
        "model": {"use": "stack_channels", "backbone": "tiny_conv"},
    }
)
ALONG = MemberSpec.model_validate(
    {
        "embeds": {"slices": SPEC.model_dump()},
        "reads": "study",
        "mirror": "none",
        "model": {"use": "sequence", "width": 8, "components": 4},
        "augment": {"mirror": 0.5, "rotate": 20},
    }
)
NETWORKS = {fold: member_network(SLICES, VIEWS, RUBRIC, seed=fold) for fold in (0, 1)}


def slices(*pixels):
    """All slices of some scans, as the slice networks see them."""
    return member_examples(SLICES, VIEWS, RUBRIC, {"near": [cuts_of(one) for one in pixels]})


def made(*pixels, asked=(1,), spec=SPEC):
    """What both networks make of them, as inputs of the sequence network."""
    found = embed_units(NETWORKS, slices(*pixels), asked, spec)
    return {f"slices{kind}": cuts for kind, cuts in found.items()}


def test_each_network_has_a_place_and_one_is_asked() -> None:
    """Shapes, the mask, log odds as the network says them, and heights along the scan."""
    [embedding], [odds] = made(scan(levels=(3,))).values()
    said = predict_member([NETWORKS[1]], slices(scan(levels=(3,))))
    expected = [np.log(said[name][:, 1] / said[name][:, 0]) for name in RUBRIC.names]

    assert embedding.pixels.shape == (3, 2, 1, 1, 128)
    assert odds.mask.tolist() == [[False, True]] * 3
    assert np.abs(odds.pixels[:, 1, 0, 0].T - np.stack(expected)).max() < 1e-4
    assert embedding.offsets_mm[:, 0].tolist() == [-5, 0, 5]
    assert not np.allclose(embedding.pixels[:, 0], embedding.pixels[:, 1])


def test_a_wrong_width_is_told_with_the_right_one() -> None:
    """The recipe says how wide an embedding is; the network knows better."""
    with pytest.raises(RecordError, match="is 128 wide, the recipe says 64"):
        made(scan(levels=(2,)), spec=EmbedSpec(width=64, networks=2))


def test_they_are_kept_like_crops(tmp_path) -> None:
    """Written and read they are the same."""
    [embedding] = made(scan(levels=(2,)))["slices:embedding"]
    save_cuts(tmp_path / "embedding", embedding)
    found = load_cuts(tmp_path / "embedding")

    assert found.units == embedding.units
    assert np.array_equal(found.pixels, embedding.pixels)
    assert np.array_equal(found.mask, embedding.mask)


def test_a_sequence_reads_scans_of_any_length() -> None:
    """A row of answers for each slice, in order; what is learnt from never varies by chance."""
    scans = (scan("a", levels=(4,)), scan("b", levels=(2,)))
    rows = [(f"a0-{i}", "a", "any", i % 2) for i in range(3)]
    inputs = made(*scans)
    examples = as_read(member_examples(ALONG, VIEWS, RUBRIC, inputs, labels_of(rows)))
    network = member_network(ALONG, VIEWS, RUBRIC, seed=0)
    learn_bases(network, examples)
    generator = torch.Generator().manual_seed(0)
    batch = examples.batch([0], generator=generator)
    asked = as_read(member_examples(ALONG, VIEWS, RUBRIC, inputs))
    answers = predict_member([network], asked)

    assert len(examples) == 1
    assert batch["slices:logits"].shape == (1, 4, 2, 1, 1, 6)
    assert torch.equal(batch["slices:logits"], examples.batch([0], generator=None)["slices:logits"])
    assert batch["weight.any"].tolist() == [[1, 1, 1, 0]]
    assert asked.units == ("a0-0", "a0-1", "a0-2", "a0-3", "b0-0", "b0-1")
    assert {one.shape for one in answers.values()} == {(6, 2)}


def test_answers_change_with_the_slices_beside() -> None:
    """A scan that is longer by a slice is answered otherwise from its first slice on."""
    network = member_network(ALONG, VIEWS, RUBRIC, seed=0)
    nn.init.normal_(network.leave.weight)
    few, many = (
        predict_member(
            [network],
            as_read(member_examples(ALONG, VIEWS, RUBRIC, made(scan(levels=(count,))))),
        )["any"]
        for count in (3, 4)
    )

    assert not np.allclose(few[0], many[0], atol=1e-5)


def test_bases_are_learnt_from_slices_without_labels() -> None:
    """Buffers are set; a network of another kind is left alone."""
    inputs = made(scan(levels=(8,)))
    examples = as_read(member_examples(ALONG, VIEWS, RUBRIC, inputs))
    network = member_network(ALONG, VIEWS, RUBRIC, seed=0)
    before = network.get_buffer("bases0").abs().sum()
    learn_bases(network, examples)
    learn_bases(NETWORKS[0], examples)

    assert before == 0
    assert network.get_buffer("bases0").abs().sum() > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reads": "unit"}, "found reads: unit"),
        ({"mirror": "average"}, "cannot mirror them"),
        ({"views": ("near",)}, "views, each once, or embeds"),
    ],
)
def test_what_cannot_be_is_refused(change, words) -> None:
    """Embeddings are read by studies, unmirrored, and in place of views."""
    with pytest.raises(ValueError, match=words):
        MemberSpec.model_validate(ALONG.model_dump() | change)
