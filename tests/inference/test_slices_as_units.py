"""Slices as units: their names and places, and networks that also answer for their neighbours."""

import numpy as np
import pytest
import torch
from tiny_scans import RUBRIC, VIEW, cuts_of, labels_of, scan
from torch import nn

from overread.inference import (
    MemberSpec,
    member_examples,
    member_heads,
    member_loss,
    predict_member,
    units_of,
)
from overread.inference.examples import _site
from overread.inference.offsets import offset_rubric, partner_head, scan_numbers
from overread.records import Rubric, Target

VIEWS = {"near": VIEW}


def member(**settings):
    """A member without chance that sees a slice with its neighbours."""
    return MemberSpec.model_validate(
        {"views": ("near",), "mirror": "none", "model": {"use": "stack_channels"}, **settings}
    )


def examples(settings, *pixels, labels=None):
    """The units of some scans."""
    return member_examples(settings, VIEWS, RUBRIC, {"near": [cuts_of(p) for p in pixels]}, labels)


def test_units_of_a_scan_are_its_slices_from_the_feet() -> None:
    """Whatever the order of the files; a second series follows, with places of its own."""
    found = units_of(RUBRIC, scan(levels=(3, 2)).study)

    assert found == (
        ("t0-0", "1/0001"),
        ("t0-1", "1/0002"),
        ("t0-2", "1/0003"),
        ("t1-0", "2/0001"),
        ("t1-1", "2/0002"),
    )


def test_units_of_other_rubrics_need_no_files() -> None:
    """A study that is graded at sites has a unit at each, in the rubric's order."""
    target = Target("grade", ("0", "1"), (1.0, 1.0))
    rubric = Rubric("r", "site", (target,), sites=("upper", "lower"))

    assert units_of(rubric, scan().study) == (("t@upper", "upper"), ("t@lower", "lower"))


def test_a_place_is_no_site_of_the_rubric() -> None:
    """Networks are told a site's number in the rubric; a slice, which has none there, is told 0."""
    target = Target("grade", ("0", "1"), (1.0, 1.0))
    rubric = Rubric("r", "site", (target,), sites=("upper", "lower"))

    assert [_site(rubric, name) for name in ("upper", "lower", "elsewhere", None)] == [0, 1, 0, 0]
    assert _site(RUBRIC, "1/0003") == 0
    assert examples(member(), scan()).sites.tolist() == [0] * 8


def test_slices_know_their_scan() -> None:
    """Series of a study are scans of their own; a unit without a place is one, too."""
    assert examples(member(), scan("a", levels=(2, 1)), scan("b", levels=(2,))).scans.tolist() == [
        0,
        0,
        1,
        2,
        2,
    ]
    assert scan_numbers([0, 0, 0], [None, None, "1/0001"]).tolist() == [0, 1, 2]


def test_heads_at_offsets_and_their_partners() -> None:
    """Each target has a head at each offset; mirrored, a head becomes its partner's there."""
    sides = Rubric(
        "r",
        "slice",
        (
            Target("left_x", ("0", "1"), (1.0, 1.0), mirror="right_x"),
            Target("right_x", ("0", "1"), (1.0, 1.0), mirror="left_x"),
        ),
    )
    wanted = member(targets=("any",), offsets=(0, -2, 2))

    assert member_heads(RUBRIC, wanted) == {"any": 2, "any@-2": 2, "any@+2": 2}
    assert partner_head(sides, "left_x@-1") == "right_x@-1"
    assert offset_rubric(sides, (0, 1)).partner("left_x@+1") == "right_x@+1"


def test_offsets_need_the_slice_itself() -> None:
    """A member that never answers for its own slice is refused, with what was found."""
    with pytest.raises(ValueError, match=r"offsets need 0.*found \(-1, 1\)"):
        member(offsets=(-1, 1))


@pytest.mark.parametrize(("beyond", "weights"), [("drop", [0, 1, 1]), ("nearest", [1, 1, 1])])
def test_labels_of_neighbours(beyond, weights) -> None:
    """Each head learns the label of its slice; beyond the scan none, or the nearest one's."""
    rows = [(f"a0-{i}", "a", "any", i % 2) for i in range(3)]
    wanted = member(targets=("any",), offsets=(0, -1), beyond=beyond)
    batch = examples(wanted, scan("a", levels=(3,)), labels=labels_of(rows)).batch(
        range(3), generator=None
    )

    assert batch["target.any"][:, 1].tolist() == [0, 1, 0]
    assert batch["weight.any@-1"].tolist() == weights
    assert batch["target.any@-1"][1:, 1].tolist() == [0, 1]


class Counter(nn.Module):
    """A network whose answer for offset k is the HU of the slice that it was given, plus k."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, batch):
        """Answer log odds: the middle channel counts 1 for each 10 HU."""
        own = (batch["near"][:, 0, 1].mean((1, 2)) + 1) * 5 * self.scale
        return {
            f"logits.any{mark}": torch.stack([torch.zeros_like(own), own + step], 1)
            for mark, step in (("", 0), ("@-1", -1), ("@+1", 1))
        }


def odds(answers):
    """Log odds of "present"."""
    return np.log(answers["any"][:, 1] / answers["any"][:, 0])


def test_all_that_is_said_of_a_slice_is_averaged() -> None:
    """A network that is right about its neighbours says of each slice what it says alone.

    At the ends of a scan those that speak of a slice count, and scans do not mix.
    """
    wanted = member(targets=("any",), offsets=(0, -1, 1))
    given = examples(wanted, scan("a", levels=(4, 1)), scan("b", levels=(3,)))

    found = odds(predict_member([Counter()], given))
    assert found == pytest.approx([0, 1, 2, 3, 0, 0, 1, 2], abs=2e-2)


def test_the_loss_counts_all_heads_with_the_weight_of_their_target() -> None:
    """With `any` twice, the loss is 7/6 of the official score, averaged over the offsets."""
    rows = [
        (f"a0-{i}", "a", name, (i + j) % 2) for i in range(4) for j, name in enumerate(RUBRIC.names)
    ]
    wanted = member(offsets=(0, -1, 1), beyond="nearest", loss={"target_weights": {"any": 2}})
    given = examples(wanted, scan("a", levels=(4,)), labels=labels_of(rows))
    batch = given.batch(range(4), generator=None)
    generator = torch.Generator().manual_seed(0)
    outputs = {
        f"logits.{head}": torch.randn((4, 2), generator=generator)
        for head in member_heads(RUBRIC, wanted)
    }
    losses = {
        name: -(batch[f"target.{name}"] * outputs[f"logits.{name}"].log_softmax(-1)).sum(-1).mean()
        for name in member_heads(RUBRIC, wanted)
    }
    score = sum(
        (2 if name.startswith("any") else 1) * float(loss) / 7 for name, loss in losses.items()
    )
    found = float(member_loss(wanted, RUBRIC)(outputs, batch)["total"])
    assert found == pytest.approx(7 / 6 * score / 3, abs=1e-6)
