"""Grading losses: one normalisation, missing labels, each kind against its definition."""

import math

import pytest
import torch
from torch import Tensor

from overread.learning import LossSpec, grading_loss
from overread.records import Rubric, Target

GRADES = ("normal", "moderate", "severe")
RUBRIC = Rubric(
    "two",
    "study",
    (Target("a", GRADES, (1.0, 2.0, 4.0)), Target("b", GRADES, (1.0, 2.0, 4.0))),
)
KINDS = ("cross_entropy", "hierarchical", "emd", "cumulative")


def case(
    labels: Tensor | None = None, seed: int = 0
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    outputs, batch = {}, {}
    for name in ("a", "b"):
        logits = torch.randn(6, 3, generator=generator)
        outputs[f"logits.{name}"] = logits.requires_grad_()
        grade = torch.randint(0, 3, (6,), generator=generator)
        batch[f"target.{name}"] = torch.eye(3)[grade] if labels is None else labels.clone()
        batch[f"weight.{name}"] = torch.ones(6)
    return outputs, batch


def total(spec: LossSpec, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
    return grading_loss(spec, RUBRIC)(outputs, batch)["total"]


def test_certain_labels_give_torchs_weighted_cross_entropy() -> None:
    """One-hot labels give nn.CrossEntropyLoss with class weights, the mean over targets."""
    outputs, batch = case()
    reference = torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 4.0]))
    expected = [
        reference(outputs[f"logits.{name}"], batch[f"target.{name}"].argmax(1)) for name in "ab"
    ]

    torch.testing.assert_close(torch.stack(expected).mean(), total(LossSpec(), outputs, batch))


@pytest.mark.parametrize("kind", ["cross_entropy", "emd", "cumulative"])
def test_soft_labels_are_between_the_hard_ones(kind: str) -> None:
    """A half-and-half label of one unit gives the weighted mean of both hard losses."""
    logits = torch.randn(1, 3, generator=torch.Generator().manual_seed(1))
    rubric = Rubric("one", "study", (Target("a", GRADES, (1.0, 1.0, 1.0)),))
    loss = grading_loss(LossSpec(kind=kind), rubric)
    eye = torch.eye(3)
    labels = {"low": eye[:1], "high": eye[2:], "both": (eye[:1] + eye[2:]) / 2}
    found = {
        name: float(loss({"logits.a": logits}, {"target.a": value})["total"])
        for name, value in labels.items()
    }

    mean = (found["low"] + found["high"]) / 2
    if kind == "emd":  # squared: less than the mean, by the variance of the label's steps
        assert found["both"] == pytest.approx(mean - 0.5, abs=1e-5)
    else:
        assert found["both"] == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_published", [False, True])
def test_missing_labels_have_no_part(kind: str, as_published: bool) -> None:
    """A missing label, by weight or as NaN, gets no gradient, and the rest is as without it."""
    spec = LossSpec(kind=kind, as_published=as_published)
    outputs, batch = case()
    batch["weight.a"][0] = 0
    batch["target.a"][1] = torch.nan
    fewer = {f"logits.{n}": outputs[f"logits.{n}"].detach() for n in "ab"}
    rest = {name: value[2:] if name.endswith(".a") else value for name, value in batch.items()}
    fewer["logits.a"] = fewer["logits.a"][2:]

    found = total(spec, outputs, batch)
    found.backward()

    assert torch.equal(torch.zeros(2, 3), outputs["logits.a"].grad[:2])
    torch.testing.assert_close(total(spec, fewer, rest), found.detach())


@pytest.mark.parametrize("kind", KINDS)
def test_batch_without_labels_gives_zero(kind: str) -> None:
    """No label at all gives loss 0 and gradients 0, not NaN; all terms."""
    spec = LossSpec(kind=kind, slices=1, severe=1, severe_targets=("a",))
    outputs, batch = case()
    for name in "ab":
        batch[f"weight.{name}"][:] = 0
        outputs[f"slices.{name}"] = torch.randn(6, 4, 3).requires_grad_()
        batch[f"slice_target.{name}"] = torch.zeros(6, 4, 3)
        batch[f"slice_weight.{name}"] = torch.zeros(6, 4)

    found = total(spec, outputs, batch)
    found.backward()

    assert found.item() == 0
    assert all(torch.equal(torch.zeros_like(v), v.grad) for v in outputs.values())


def test_target_without_labels_leaves_the_mean() -> None:
    """The mean is over targets that have a label in the batch."""
    outputs, batch = case()
    only = grading_loss(LossSpec(), RUBRIC)({"logits.a": outputs["logits.a"]}, batch)["total"]
    batch["weight.b"][:] = 0

    torch.testing.assert_close(only, total(LossSpec(), outputs, batch))


def test_published_normalisation_divides_by_the_count() -> None:
    """5 normal, 2 moderate and 1 severe of one loss each: 13 / 8 times ours."""
    labels = torch.eye(3)[torch.tensor([0] * 5 + [1] * 2 + [2])]
    outputs = {"logits.a": torch.zeros(8, 3)}
    ours = total(LossSpec(), outputs, {"target.a": labels})
    published = total(LossSpec(as_published=True), outputs, {"target.a": labels})

    assert ours.item() == pytest.approx(math.log(3))
    assert published.item() == pytest.approx(1.625 * math.log(3))


def test_hierarchy_doubles_only_normal_against_severe() -> None:
    """The factor is 2 where normal is taken for severe or the other way, else 1."""
    spec, plain = LossSpec(kind="hierarchical"), LossSpec()
    for true in range(3):
        for said in range(3):
            outputs = {"logits.a": torch.eye(3)[said : said + 1] * 2}
            batch = {"target.a": torch.eye(3)[true : true + 1]}
            factor = total(spec, outputs, batch) / total(plain, outputs, batch)

            assert factor.item() == pytest.approx(2 if abs(true - said) == 2 else 1)


@pytest.mark.parametrize("kind", ["emd", "cumulative"])
def test_ordinal_losses_count_the_distance(kind: str) -> None:
    """To say severe where normal is true costs more than to say moderate."""
    batch = {"target.a": torch.eye(3)[:1]}
    near, far = (
        total(LossSpec(kind=kind), {"logits.a": torch.eye(3)[g : g + 1] * 4}, batch) for g in (1, 2)
    )

    assert far > 1.5 * near


def test_row_weights_count() -> None:
    """A label of weight 2 counts as two labels."""
    outputs, batch = case()
    twice = (
        {name: torch.cat([v, v[:1]]) for name, v in outputs.items()},
        {name: torch.cat([v, v[:1]]) for name, v in batch.items()},
    )
    batch["weight.a"][0] = batch["weight.b"][0] = 2

    torch.testing.assert_close(total(LossSpec(), *twice), total(LossSpec(), outputs, batch))


def test_level_term_is_the_cross_entropy_of_the_site() -> None:
    """Whole sites and blended ones."""
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    outputs, batch = case()
    outputs = {"logits.a": outputs["logits.a"][:4], "level": logits}
    batch = {"target.a": batch["target.a"][:4], "site": torch.tensor([0, 4, 2, 1])}
    spec = LossSpec(level=0.5)

    whole = grading_loss(spec, RUBRIC)(outputs, batch)["level"]
    batch |= {"site.partner": torch.tensor([1, 1, 1, 1]), "site.share": torch.full((4,), 0.25)}
    blended = grading_loss(spec, RUBRIC)(outputs, batch)["level"]
    shares = 0.25 * torch.eye(5)[batch["site"]] + 0.75 * torch.eye(5)[1]

    cross_entropy = torch.nn.functional.cross_entropy
    torch.testing.assert_close(0.5 * cross_entropy(logits, batch["site"]), whole)
    torch.testing.assert_close(0.5 * cross_entropy(logits, shares), blended)


def test_smoothing_spreads_labels() -> None:
    """Smoothing is that of torch, without class weights."""
    outputs, batch = case()
    spec = LossSpec(smoothing=0.1, class_weights="none")
    grade = batch["target.a"].argmax(1)
    expected = torch.nn.functional.cross_entropy(outputs["logits.a"], grade, label_smoothing=0.1)

    found = total(spec, {"logits.a": outputs["logits.a"]}, batch)

    torch.testing.assert_close(expected, found)


def test_unknown_target_weight_is_refused() -> None:
    """A misspelt target is told, with the known ones."""
    with pytest.raises(ValueError, match=r"no targets \['c'\] in two; known: \('a', 'b'\)"):
        grading_loss(LossSpec(target_weights={"c": 1.0}), RUBRIC)


def test_wrong_number_of_class_weights_is_refused() -> None:
    """The error tells both counts and the target."""
    outputs, batch = case()

    with pytest.raises(ValueError, match="2 class weights for the 3 grades of a"):
        total(LossSpec(class_weights=(1.0, 2.0)), outputs, batch)


def test_severe_needs_its_targets() -> None:
    """Asked for without a target it is refused in the first batch."""
    outputs, batch = case()

    with pytest.raises(ValueError, match="needs severe_targets"):
        total(LossSpec(severe=0.5), outputs, batch)
