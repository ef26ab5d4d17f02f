"""Batches of a member: what networks and losses are given, for training and for serving."""

import numpy as np
import polars as pl
import pytest
import torch
from test_members import cuts_of, labels_of
from tiny_recipe import GRADER, RUBRIC, VIEWS, member
from tiny_studies import LEVELS
from torch import nn

from overread.inference import MemberSpec, member_examples, predict_member
from overread.inference.examples import unit_labels
from overread.inference.member import view_shapes
from overread.learning import FitSpec, fit, grading_loss
from overread.records import Labels, RecordError


class Reader(nn.Module):
    """A network whose answers are simple functions of its inputs."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, batch):
        """Answer by where the brightness lies: left, right, or anywhere."""
        pixels = batch["top"][:, :, 0].mean((1, 2))
        half = pixels.shape[-1] // 2
        parts = {
            "canal": pixels.mean(-1),
            "left_foramen": pixels[:, half:].mean(-1),
            "right_foramen": pixels[:, :half].mean(-1),
        }
        return {
            f"logits.{name}": self.scale * torch.stack([-3 * parts[name], 0 * parts[name],
                                                        3 * parts[name]], 1)
            for name in self.targets
        }  # fmt: skip


def examples(mirror="average", labels=None, **settings):
    """Return the units of the made-up study."""
    return member_examples(member(mirror, **settings), VIEWS, RUBRIC, cuts_of(), labels)


def test_batch_has_what_networks_read():
    """Pixels -1 to 1 of the views' size, masks, offsets and sites."""
    batch = examples().batch([0, 2, 4], generator=None)

    assert batch["side"].shape == (3, 5, 1, 24, 32)
    assert batch["top"].shape == (3, 3, 1, 32, 32)
    assert batch["side.mask"].dtype == torch.bool
    assert batch["side.offsets"].dtype == torch.float32
    assert batch["site"].tolist() == [0, 2, 4]
    assert float(batch["side"].min()) >= -1
    assert float(batch["side"].max()) <= 1


def test_new_studies_have_no_labels():
    """Without labels no unit is left out, and batches have none."""
    units = examples()

    assert len(units) == 5
    assert units.units == tuple(f"7@{site}" for site in LEVELS)
    assert not any(
        name.startswith(("target.", "weight.")) for name in units.batch([0], generator=None)
    )


def test_only_the_views_of_the_member_are_read():
    """A member of one view gets that view alone."""
    batch = examples(views=("top",)).batch([0], generator=None)

    assert {"top", "top.mask", "top.offsets", "site"} == set(batch)


def test_mirroring_twice_changes_nothing():
    """Mirrored examples of mirrored examples are the examples."""
    units = examples()
    here, there = (one.batch([1], generator=None) for one in (units, units.mirrored().mirrored()))

    assert all(torch.equal(here[name], there[name]) for name in here)


def test_sagittal_slices_change_sides():
    """In the mirrored unit slices are read backwards and their offsets change sign."""
    units = examples()
    here, there = (one.batch([1], generator=None) for one in (units, units.mirrored()))

    assert torch.equal(here["side"].flip(1), there["side"])
    assert torch.equal(-here["side.offsets"].flip(1), there["side.offsets"])
    assert torch.equal(here["top"].flip(-1), there["top"])


def test_some_units_can_be_taken():
    """Taking units keeps their labels beside them."""
    labels = labels_of([(f"7@{site}", "canal", n % 3) for n, site in enumerate(LEVELS)])
    some = examples(labels=labels).take([4, 1])

    assert some.units == ("7@L5/S1", "7@L2/L3")
    assert some.batch([0, 1], generator=None)["target.canal"].argmax(1).tolist() == [1, 1]


def test_chance_of_mirroring_is_the_augmentations():
    """`augment.mirror` decides, but `shared` heads see both sides equally often."""
    assert member("average", augment={"mirror": 0.25}).mirror_chance == 0.25
    assert member("shared", augment={"mirror": 0.25}).mirror_chance == 0.5


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 40)])
def test_training_units_are_mirrored_by_that_chance(share, expected):
    """With chance 0 none is mirrored, with 1 all are: the labels show it."""
    labels = labels_of(
        [(f"7@{site}", name, grade) for site in LEVELS
         for name, grade in (("left_foramen", 0), ("right_foramen", 2))]
    )  # fmt: skip
    units = examples("average", labels, augment={"mirror": share})
    generator = torch.Generator().manual_seed(0)

    batch = units.batch([0, 1, 2, 3, 4] * 8, generator=generator)

    assert int((batch["target.left_foramen"].argmax(1) == 2).sum()) == expected


def test_missing_labels_weigh_nothing():
    """A unit with one label of three takes part; its other labels have weight 0 and no mass."""
    batch = examples(labels=labels_of([("7@L4/L5", "canal", 2)])).batch([0], generator=None)

    assert batch["weight.canal"].tolist() == [1.0]
    assert batch["weight.left_foramen"].tolist() == [0.0]
    assert float(batch["target.left_foramen"].sum()) == 0.0


def test_labels_are_laid_out_by_unit():
    """Labels come in any order, of more units than are asked for."""
    table = labels_of([("7@b", "canal", 2), ("7@a", "canal", 0), ("7@c", "canal", 1)])
    shuffled = Labels(table.frame.sample(fraction=1, shuffle=True, seed=3))

    laid = unit_labels(shuffled, RUBRIC, ["7@a", "7@b"])

    assert laid.probabilities["canal"].argmax(1).tolist() == [0, 2]
    assert laid.weight["canal"].tolist() == [1.0, 1.0]


def test_pseudo_labels_keep_their_weight():
    """The weight of a row in the table is the weight in the loss."""
    table = labels_of([("7@L1/L2", "canal", 1)])
    light = Labels(table.frame.with_columns(pl.lit(0.25).alias("weight")))

    assert examples(labels=light).batch([0], generator=None)["weight.canal"].tolist() == [0.25]


def test_sides_are_told_apart_by_where_they_are():
    """A network that looks at the image's halves gets right what left and right are."""
    units = examples("none")
    reader = Reader(RUBRIC.names)

    answers = predict_member([reader], units)
    batch = units.batch(range(5), generator=None)
    brighter = batch["top"][:, :, 0].mean((1, 2))

    expected = (brighter[:, 16:].mean(-1) > brighter[:, :16].mean(-1)).numpy()
    found = answers["left_foramen"][:, 2] > answers["right_foramen"][:, 2]
    assert expected.tolist() == found.tolist()


def test_shared_sides_agree_with_a_network_that_knows_both():
    """For a network that treats sides alike, `shared` and `none` say the same."""
    both = predict_member([Reader(RUBRIC.names)], examples("none"))
    shared = predict_member([Reader(("canal", "left_foramen"))], examples("shared"))

    for name in RUBRIC.names:
        np.testing.assert_allclose(both[name], shared[name], atol=1e-6)


def test_averaging_changes_nothing_for_such_a_network():
    """f(x) and swap(f(mirror(x))) are the same where the network treats sides alike."""
    plain = predict_member([Reader(RUBRIC.names)], examples("none"))
    averaged = predict_member([Reader(RUBRIC.names)], examples("average"))

    for name in RUBRIC.names:
        np.testing.assert_allclose(plain[name], averaged[name], atol=1e-6)


def test_batch_size_does_not_matter():
    """Predicting one by one or all at once gives the same answers."""
    reader = Reader(RUBRIC.names)

    one, all_ = (predict_member([reader], examples(batch=size)) for size in (1, 8))

    np.testing.assert_allclose(one["canal"], all_["canal"], atol=1e-7)


def test_batch_size_is_no_part_of_the_identity():
    """How many units are predicted at once does not make a member another one."""
    assert member(batch=1).identity() == member(batch=64).identity()
    assert member("none").identity() != member("shared").identity()


def test_views_must_be_named_once():
    """A member without views, or with one twice, is refused."""
    for views in ((), ("side", "side")):
        with pytest.raises(ValueError, match="needs views"):
            MemberSpec(views=views, model=GRADER)


def test_shapes_follow_the_views():
    """Slices, windows and pixels of the views are the network's input; photographs have colours."""
    windowed = VIEWS["side"].model_copy(update={"windows": (VIEWS["side"].windows[0],) * 2})
    photo = VIEWS["side"].model_copy(update={"series": ("photo",), "around": None})
    found = view_shapes(member(views=("a", "b")), {"a": windowed, "b": photo})

    assert (found["a"].slices, found["a"].channels) == (5, 2)
    assert (found["a"].height, found["a"].width) == (24, 32)
    assert found["b"].channels == 3


def test_unknown_view_names_the_known():
    """The error lists the views of the recipe."""
    with pytest.raises(RecordError, match="side, top"):
        view_shapes(member(views=("front",)), VIEWS)


def test_a_few_steps_of_training_lower_the_loss(tmp_path):
    """Examples, loss and loop fit together: a tiny network learns five units by heart."""
    labels = labels_of(
        [(f"7@{site}", name, n % 3) for n, site in enumerate(LEVELS) for name in RUBRIC.names]
    )
    settings = member("none", views=("top",))
    units = member_examples(settings, VIEWS, RUBRIC, {"top": cuts_of()["top"]}, labels)
    torch.manual_seed(0)
    network = Learner()
    loss = grading_loss(settings.loss, RUBRIC)
    batch = units.batch(range(5), generator=None)
    before = loss(network(batch), batch)["total"].item()

    spec = FitSpec(epochs=8, batch=5, lr=0.03, workers=0, device="cpu", schedule="constant")
    fit(network, units, spec, loss=loss, seed=1, folder=tmp_path, on_progress=None)

    assert loss(network(batch), batch)["total"].item() < 0.7 * before


class Learner(nn.Module):
    """The smallest network that can learn: one linear layer on the pixels."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(3 * 32 * 32, 3) for name in RUBRIC.names})

    def forward(self, batch):
        """Answer from all pixels at once."""
        flat = batch["top"].flatten(1)
        return {f"logits.{name}": head(flat) for name, head in self.heads.items()}
