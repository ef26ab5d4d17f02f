"""Members: which heads they have, and that left and right are treated alike."""

import numpy as np
import polars as pl
import pytest
import torch
from tiny_recipe import RUBRIC, VIEWS, member
from tiny_studies import LEVELS, discs, mirrored_points, study_pixels

from overread.inference import (
    asked_targets,
    cut_study,
    load_cuts,
    member_examples,
    member_heads,
    member_predictions,
    predict_member,
    save_cuts,
    study_units,
)
from overread.inference.member import member_network, view_shapes
from overread.learning import grading_loss
from overread.records import Labels, RecordError


def cuts_of(*, mirrored=False, seed=0):
    """Return {view: crops of one study}."""
    points = mirrored_points(discs()) if mirrored else discs()
    pixels = study_pixels(seed, mirrored=mirrored)
    units = study_units(RUBRIC, "7")
    found = {"discs": points, "canal": points}
    return {name: [cut_study(view, pixels, found, units)[0]] for name, view in VIEWS.items()}


def labels_of(rows):
    """Return labels from (unit, target, grade)."""
    return Labels(
        pl.DataFrame(
            [
                {
                    "unit": unit,
                    "study": "7",
                    "subject": "person-7",
                    "site": unit.partition("@")[2],
                    "target": target,
                    "probabilities": np.eye(3)[grade].tolist(),
                    "weight": 1.0,
                    "origin": "truth",
                }
                for unit, target, grade in rows
            ]
        )
    )


@pytest.mark.parametrize("mirror", ["average", "shared"])
def test_mirrored_study_gets_swapped_grades(mirror):
    """A mirrored study gives exactly the swapped grades, whatever the weights."""
    settings = member(mirror)
    network = member_network(settings, VIEWS, RUBRIC, seed=5)

    here = predict_member([network], member_examples(settings, VIEWS, RUBRIC, cuts_of()))
    there = predict_member(
        [network], member_examples(settings, VIEWS, RUBRIC, cuts_of(mirrored=True))
    )

    for name in RUBRIC.names:
        np.testing.assert_allclose(here[name], there[RUBRIC.partner(name)], atol=1e-4)
    assert np.abs(here["left_foramen"] - here["right_foramen"]).max() > 1e-4


def test_without_mirror_sides_differ():
    """With `mirror: none` nothing makes a mirrored study give swapped grades."""
    settings = member("none")
    network = member_network(settings, VIEWS, RUBRIC, seed=5)

    here = predict_member([network], member_examples(settings, VIEWS, RUBRIC, cuts_of()))
    there = predict_member(
        [network], member_examples(settings, VIEWS, RUBRIC, cuts_of(mirrored=True))
    )

    assert np.abs(here["left_foramen"] - there["right_foramen"]).max() > 1e-3


def test_probabilities_are_means_over_networks():
    """Several networks answer with their mean; each row sums to 1."""
    settings = member("average")
    networks = [member_network(settings, VIEWS, RUBRIC, seed=seed) for seed in (1, 2)]
    examples = member_examples(settings, VIEWS, RUBRIC, cuts_of())

    both = predict_member(networks, examples)
    each = [predict_member([network], examples) for network in networks]

    for name in RUBRIC.names:
        np.testing.assert_allclose((each[0][name] + each[1][name]) / 2, both[name], atol=1e-12)
        np.testing.assert_allclose(1, both[name].sum(1), atol=1e-12)


def test_shared_heads_are_one_side():
    """With `shared` only the first of each pair and the unpaired have heads."""
    assert member_heads(RUBRIC, member("shared")) == {"canal": 3, "left_foramen": 3}
    assert list(RUBRIC.names) == list(member_heads(RUBRIC, member("average")))


def test_targets_must_be_known_and_paired():
    """Unknown targets, and one side of a pair where the member mirrors, are refused by name."""
    with pytest.raises(RecordError, match="colour"):
        asked_targets(RUBRIC, member(targets=("colour",)))
    with pytest.raises(RecordError, match="both sides"):
        asked_targets(RUBRIC, member(targets=("left_foramen",)))
    assert asked_targets(RUBRIC, member("none", targets=("left_foramen",))) == ("left_foramen",)


def test_views_must_be_in_the_recipe():
    """A view that the recipe lacks is told by name."""
    with pytest.raises(RecordError, match="back"):
        view_shapes(member(views=("back",)), VIEWS)


def test_training_swaps_labels_with_the_image():
    """A mirrored training unit brings its partner's label; one without labels is left out."""
    settings = member("shared", augment={"mirror": 0.0})
    labels = labels_of([("7@L4/L5", "left_foramen", 0), ("7@L4/L5", "right_foramen", 2)])
    examples = member_examples(settings, VIEWS, RUBRIC, cuts_of(), labels)

    assert examples.units == ("7@L4/L5",)
    straight = examples.batch([0], generator=None)
    turned = examples.mirrored().batch([0], generator=None)
    assert straight["target.left_foramen"][0].tolist() == [1.0, 0.0, 0.0]
    assert turned["target.left_foramen"][0].tolist() == [0.0, 0.0, 1.0]
    assert torch.equal(straight["side"].flip(1), turned["side"])
    assert straight["weight.canal"].item() == 0.0
    assert LEVELS.index("L4/L5") == straight["site"].item()


def test_training_batches_are_repeatable_and_varied():
    """The same generator state gives the same batch; augmentation changes the pixels."""
    settings = member("average", augment={"preset": "A", "mirror": 0.5})
    examples = member_examples(settings, VIEWS, RUBRIC, cuts_of())

    first, second = (
        examples.batch([0, 1], generator=torch.Generator().manual_seed(4)) for _ in range(2)
    )
    still = examples.batch([0, 1], generator=None)

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert still["side"].shape == first["side"].shape == (2, 5, 1, 24, 32)
    assert not torch.equal(still["side"], first["side"])


def test_loss_reaches_every_head():
    """Batches carry what the grading loss asks for."""
    settings = member("average")
    labels = labels_of([(f"7@{site}", name, 1) for site in LEVELS for name in RUBRIC.names])
    examples = member_examples(settings, VIEWS, RUBRIC, cuts_of(), labels)
    network = member_network(settings, VIEWS, RUBRIC, seed=1)
    batch = examples.batch([0, 1], generator=torch.Generator().manual_seed(1))

    grading_loss(settings.loss, RUBRIC)(network(batch), batch)["total"].backward()

    assert all(float(head.weight.grad.abs().sum()) > 0 for head in network.heads)


def test_cuts_on_disk_are_the_same(tmp_path):
    """Crops read back memory-mapped give the same batch."""
    settings = member("average")
    cuts = cuts_of()
    stored = {}
    for name, (one,) in cuts.items():
        save_cuts(tmp_path / name, one)
        stored[name] = [load_cuts(tmp_path / name)]

    here = member_examples(settings, VIEWS, RUBRIC, cuts).batch([1, 3], generator=None)
    there = member_examples(settings, VIEWS, RUBRIC, stored).batch([1, 3], generator=None)

    assert all(torch.equal(here[name], there[name]) for name in here)


def test_predictions_are_rows_of_units_and_targets():
    """Arrays become the table, with the fold and role that made them."""
    units = pl.DataFrame({"unit": ["7@a", "7@b"], "study": "7", "subject": "p", "site": ["a", "b"]})
    table = member_predictions(
        {"canal": np.eye(3)[:2]}, units, predictor="wide", role="oof", fold=2
    )

    assert table.array("canal")[0] == ["7@a", "7@b"]
    assert {2} == set(table.frame["fold"])
