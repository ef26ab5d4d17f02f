"""Losses for rare and close classes: each against torch, scikit-learn or its formula by hand."""

import math

import pytest
import torch
from sklearn.metrics import f1_score
from torch import Tensor
from torch.nn import functional

from overread.learning import LossSpec, grading_loss
from overread.learning.class_losses import focal_rows, soft_f1_loss, with_margin
from overread.records import Rubric, Target

GRADES = ("young", "middle", "old")
RUBRIC = Rubric("one", "photo", (Target("age", GRADES, (1.0, 2.0, 4.0)),))


def case(num: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits and true grades."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, 3, generator=generator), torch.arange(num) % 3


def loss(spec: LossSpec, logits: Tensor, grade: Tensor, **outputs: Tensor) -> Tensor:
    """The total of a spec for certain labels."""
    batch = {"target.age": torch.eye(3)[grade]}
    return grading_loss(spec, RUBRIC)({"logits.age": logits, **outputs}, batch)["total"]


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_is_the_formula(gamma: float) -> None:
    """Mean of -(1 - p)^gamma ln p of the true grade, as the published system computes it."""
    logits, grade = case()
    p = functional.softmax(logits, 1)[torch.arange(8), grade]
    expected = (-((1 - p) ** gamma) * p.log()).mean()
    spec = LossSpec(kind="focal", gamma=gamma, class_weights="none")

    torch.testing.assert_close(expected, loss(spec, logits, grade))


def test_focal_without_gamma_is_the_cross_entropy() -> None:
    """Gamma 0 neglects nothing, with class weights as well."""
    logits, grade = case()
    weights = torch.tensor([1.0, 2.0, 4.0])

    expected = functional.cross_entropy(logits, grade, weights)
    torch.testing.assert_close(expected, loss(LossSpec(kind="focal", gamma=0), logits, grade))


def test_focal_neglects_easy_rows() -> None:
    """A row that is right with 0.9 counts a hundredth of its cross entropy with gamma 2."""
    logits = torch.tensor([[0.9, 0.05, 0.05]]).log()
    found = focal_rows(logits, torch.eye(3)[:1], gamma=2.0)

    assert found.item() == pytest.approx(0.01 * -math.log(0.9), rel=1e-4)


def test_smoothing_is_the_published_one() -> None:
    """The true grade keeps 1 - s; the published loss gives each other grade s / (G - 1).

    Ours spreads s over all grades as torch does, so theirs of 0.2 is ours of 0.3 for three grades.
    """
    logits, grade = case()
    published = torch.full((8, 3), 0.2 / 2).scatter(1, grade[:, None], 0.8)
    expected = -(published * functional.log_softmax(logits, 1)).sum(1).mean()
    spec = LossSpec(smoothing=0.2 * 3 / 2, class_weights="none")

    torch.testing.assert_close(expected, loss(spec, logits, grade))


def test_soft_f1_is_the_published_formula() -> None:
    """1 - mean of 2PR / (P + R) of soft counts."""
    logits, grade = case()
    p, true = functional.softmax(logits, 1), torch.eye(3)[grade]
    right, wrong, missed = (true * p).sum(0), ((1 - true) * p).sum(0), (true * (1 - p)).sum(0)
    precision, recall = right / (right + wrong), right / (right + missed)
    expected = 1 - (2 * precision * recall / (precision + recall)).mean()
    spec = LossSpec(overall=0, f1=1)

    torch.testing.assert_close(expected, loss(spec, logits, grade), rtol=1e-5, atol=1e-6)


def test_soft_f1_of_certain_answers_is_scikit_learns() -> None:
    """With probabilities of 0 and 1 the loss is 1 minus the macro F1."""
    _, grade = case(12)
    said = (grade + (torch.arange(12) % 4 == 0).long()) % 3
    certain = 60.0 * torch.eye(3)[said]
    expected = 1 - f1_score(grade.numpy(), said.numpy(), average="macro")
    found = soft_f1_loss(certain, torch.eye(3)[grade], torch.ones(12))

    assert expected == pytest.approx(found.item(), abs=1e-5)


def test_soft_f1_and_cross_entropy_add_up() -> None:
    """CE + F1 is the sum of both, with the factor of the second."""
    logits, grade = case()
    both = loss(LossSpec(f1=0.5), logits, grade)
    expected = loss(LossSpec(), logits, grade) + 0.5 * loss(
        LossSpec(overall=0, f1=1), logits, grade
    )

    torch.testing.assert_close(expected, both)


def test_soft_f1_leaves_missing_labels_out() -> None:
    """Rows without a label change nothing; a batch without any gives 0 and no gradient."""
    logits, grade = case()
    labels = torch.eye(3)[grade]
    weight = torch.ones(8)
    weight[6:] = 0
    labels[6:] = 0
    expected = soft_f1_loss(logits[:6], labels[:6], weight[:6])
    nothing = logits.clone().requires_grad_()
    empty = soft_f1_loss(nothing, torch.zeros(8, 3), torch.zeros(8))
    empty.backward()  # type: ignore[no-untyped-call]

    torch.testing.assert_close(expected, soft_f1_loss(logits, labels, weight))
    assert empty.item() == 0
    assert torch.equal(torch.zeros(8, 3), nothing.grad)


def test_margin_turns_the_true_grade_away() -> None:
    """The true grade's cosine is that of an angle larger by the margin, the others stay."""
    angles = torch.tensor([[0.4, 1.2, 2.0]])
    scale = torch.tensor([30.0])
    logits = 30 * angles.cos()
    found = with_margin(logits, torch.eye(3)[1:2], scale=scale, margin=0.5)
    expected = 30 * torch.tensor([[0.4, 1.7, 2.0]]).cos()

    torch.testing.assert_close(expected, found, rtol=1e-5, atol=1e-4)


def test_margin_falls_in_a_line_beyond_half_a_turn() -> None:
    """Where the angle would pass pi, the cosine is lowered instead, and never rises again."""
    angles = torch.linspace(0, math.pi, 50)[:, None].repeat(1, 3)
    labels = torch.eye(3)[:1].repeat(50, 1)
    found = with_margin(30 * angles.cos(), labels, scale=torch.full((50,), 30.0), margin=0.5)

    assert (found[1:, 0] < found[:-1, 0]).all()
    assert found[-1, 0].item() == pytest.approx(30 * (-1 - 0.5 * math.sin(0.5)), rel=1e-3)


def test_margin_makes_the_loss_larger_and_has_gradients() -> None:
    """ArcFace costs more than the cross entropy of the same cosines, at cosine 1 as well."""
    logits = torch.tensor([[30.0, 0.0, 0.0], [3.0, 1.0, 2.0]], requires_grad=True)
    grade = torch.tensor([0, 1])
    scale = torch.full((2,), 30.0)
    plain = loss(LossSpec(), logits, grade, scale=scale)
    with_angle = loss(LossSpec(margin=0.5), logits, grade, scale=scale)
    with_angle.backward()  # type: ignore[no-untyped-call]

    assert with_angle > plain
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_margin_needs_cosine_heads() -> None:
    """A network with plain linear heads is refused: its logits are no cosines."""
    with pytest.raises(ValueError, match=r"set model\.heads: cosine"):
        loss(LossSpec(margin=0.5), *case())


def test_new_options_leave_old_fits_alone() -> None:
    """At their defaults the options of these terms are not part of a fit's identity."""
    assert {"gamma", "margin", "f1"}.isdisjoint(LossSpec().identity())
    assert LossSpec(f1=1).identity()["f1"] == 1
