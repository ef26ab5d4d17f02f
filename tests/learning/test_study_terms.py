"""The term about the worst grade anywhere in a study: the published form, units and weights."""

import pytest
import torch
from torch.nn import functional

from overread.learning import LossSpec, grading_loss
from overread.learning.study_terms import any_worst
from overread.records import Rubric, Target

WEIGHTS = torch.tensor([1.0, 2.0, 4.0])
RUBRIC = Rubric("r", "site", (Target("canal", ("0", "1", "2"), (1.0, 2.0, 4.0)),), ("a", "b"))


def _case(studies: int = 6, units: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(studies, units, 3, generator=generator)
    grades = torch.randint(0, 3, (studies, units), generator=generator)
    grades[0] = 0
    return logits, grades


def _published(logits: torch.Tensor, grades: torch.Tensor, temperature: float) -> torch.Tensor:
    """The published loss, study by study, divided by the weights of the studies of the batch."""
    top, bottom = 0.0, 0.0
    for rows, true in zip(logits, grades, strict=True):
        severe = rows.softmax(-1)[:, 2]
        said = severe.max()
        if temperature:
            said = ((severe / temperature).softmax(0) * severe).sum()
        weight = (2.0**true).max()
        event = (true == 2).any().float()
        top += weight * functional.binary_cross_entropy(said, event)
        bottom += weight
    return top / bottom


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_equals_the_published_term(temperature) -> None:
    """The largest chance, or their attended mean, against whether any unit is severe."""
    logits, grades = _case()
    labels = functional.one_hot(grades, 3).float()
    known = torch.ones(grades.shape)
    found = any_worst(logits, labels, known, class_weights=WEIGHTS, temperature=temperature)

    torch.testing.assert_close(found, _published(logits, grades, temperature))


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_units_without_a_label_count_for_nothing(temperature) -> None:
    """Whatever is said of them, and a study without any label leaves value and gradient finite."""
    logits, grades = _case()
    labels, known = functional.one_hot(grades, 3).float(), torch.ones(grades.shape)
    known[1, 2:], known[2] = 0.0, 0.0
    losses = []
    for said in (9.0, -9.0):
        asked = logits.clone()
        asked[known == 0] = torch.tensor([0.0, 0.0, said])
        asked.requires_grad_()
        loss = any_worst(asked, labels, known, class_weights=WEIGHTS, temperature=temperature)
        loss.backward()
        assert asked.grad.isfinite().all()
        assert not asked.grad[known == 0].any()
        losses.append(float(loss.detach()))

    assert losses[0] == losses[1]


def test_is_a_term_of_the_loss_of_studies_alone() -> None:
    """The factor scales it, units that are padding are no units, and rows of units are refused."""
    logits, grades = _case(2, 2)
    labels = functional.one_hot(grades, 3).float()
    mask = torch.tensor([[True, True], [True, False]])
    batch = {"target.canal": labels, "weight.canal": mask.float(), "units.mask": mask}
    loss = grading_loss(LossSpec(any_worst={"canal": 0.5}), RUBRIC)
    alone = any_worst(logits, labels, mask.float(), class_weights=WEIGHTS, temperature=0.0)

    parts = loss({"logits.canal": logits}, batch)
    torch.testing.assert_close(parts["any_worst"], 0.5 * alone)
    torch.testing.assert_close(parts["total"], parts["overall"] + parts["any_worst"])
    with pytest.raises(ValueError, match="about whole studies"):
        loss({"logits.canal": logits[0]}, {"target.canal": labels[0]})
