"""Training losses of the head CT original, said with settings of ours, and flips in logit space."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_files import generated, golden_files, record
from torch import Tensor, nn

from overread.datasets import rsna2019_head_ct as heads
from overread.imaging import ViewSpec
from overread.inference import MemberExamples, MemberSpec, member_examples, predict_member
from overread.inference.cuts import StudyCuts
from overread.inference.member import member_heads, member_loss
from overread.learning import Batch
from overread.models.stack_channels import Spec
from overread.models.stack_network import _likeliest, _others

RUBRIC = heads.rubric(heads.Spec())
BLEEDS = tuple(name for name in RUBRIC.names if name != "any")
VIEW = ViewSpec.model_validate(
    {"series": "ct", "channels": [[0]], "windows": ["brain"], "pixels": (2, 2), "margin": 1}
)


def member(**settings: Any) -> MemberSpec:
    """A member whose loss is meant."""
    model = {"use": "stack_channels", "backbone": "tiny_conv"}
    content = {"views": ("st",), "mirror": "none", "model": model, **settings}
    return MemberSpec.model_validate(content)


def two(logits: Tensor) -> Tensor:
    """Two logits for one: 0 and theirs."""
    return torch.stack([torch.zeros_like(logits), logits], -1)


def loss_of(wanted: MemberSpec, logits: Any, targets: Any) -> float:
    """Our loss of their logits and labels, both (n, heads)."""
    names = list(member_heads(RUBRIC, wanted))
    said = torch.tensor(np.asarray(logits), dtype=torch.float32)
    truth = torch.tensor(np.asarray(targets), dtype=torch.float32)
    outputs = {f"logits.{name}": two(said[:, i]) for i, name in enumerate(names)}
    batch: Batch = {
        f"target.{name}": torch.stack([1 - truth[:, i], truth[:, i]], 1)
        for i, name in enumerate(names)
    }
    return float(member_loss(wanted, RUBRIC)(outputs, batch)["total"])


@pytest.mark.parametrize("path", golden_files("ich_metric"))
def test_losses(path: Path) -> None:
    """Six, eighteen, soft, and five with the greatest: each to 1e-6."""
    golden = record(path)
    known, tolerance = golden["losses"], golden["tolerance"]["losses"]
    logits = torch.tensor(generated(known["logits6"]), dtype=torch.float32)
    truth = np.array(golden["inputs"]["y"][: len(logits)])
    twice = {"target_weights": {"any": 2}}
    assert loss_of(member(loss=twice), logits, truth) == pytest.approx(
        known["weighted_bce_6"], abs=tolerance
    )
    many = member(loss=twice, offsets=(0, -1, 1))
    assert loss_of(many, generated(known["logits18"]), known["targets18"]) == pytest.approx(
        known["weighted_bce_18"], abs=tolerance
    )
    if "soft_targets" in known:
        assert loss_of(member(loss=twice), logits, known["soft_targets"]) == pytest.approx(
            known["weighted_bce_soft"], abs=tolerance
        )
    spec = Spec.model_validate({"backbone": "tiny_conv", "highest": {"any": BLEEDS}})
    others = _others(spec, "any", dict.fromkeys(RUBRIC.names, 2))
    places = [RUBRIC.names.index(name) for name in others]
    greatest = _likeliest(two(logits[:, places]))[:, 1]
    # The mean of six targets of which one counts twice; theirs is 6/5 of it.
    five = member(loss=twice | {"overall": 6 / 5})
    found = loss_of(five, torch.cat([greatest[:, None], logits[:, 1:]], 1), truth)

    assert found == pytest.approx(known["five_classes_plus_max"], abs=tolerance)


class Told(nn.Module):
    """Says what was recorded for a slice, as it is or with its columns reversed."""

    def __init__(self, views: list[Any]) -> None:
        super().__init__()
        self.views = nn.Parameter(torch.tensor(np.stack(views), dtype=torch.float32))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Know slice and direction by the pixels: number of the slice, and where it stands."""
        image = (batch["st"][:, 0, 0, 0] + 1) / 2 * 16
        number, turned = image.amax(1).round().long() - 1, (image[:, 0] < image[:, 1]).long()
        said = self.views[turned, number]
        return {f"logits.{name}": two(said[:, i]) for i, name in enumerate(RUBRIC.names)}


def examples_of(count: int) -> MemberExamples:
    """Slices that tell their number in the first column."""
    pixels = np.zeros((count, 1, 1, 2, 2), np.float16)
    pixels[:, 0, 0, :, 0] = (np.arange(count)[:, None] + 1) / 16
    names = tuple(str(i) for i in range(count))
    mask, places = np.ones((count, 1), np.bool_), np.zeros((count, 1), np.float32)
    cuts = {"st": [StudyCuts(names, (None,) * count, pixels, mask, places)]}
    return member_examples(member(flip=("st",)), {"st": VIEW}, RUBRIC, cuts)


@pytest.mark.parametrize("path", golden_files("ich_metric"))
def test_flips_are_averaged_as_logits(path: Path) -> None:
    """Asked as they are and reversed, slices get the sigmoid of the mean logit, to 1e-6."""
    golden = record(path)
    views = [generated(view) for view in golden["tta"]["views"][:2]]
    expected = np.array(golden["tta"]["probability"]["2"])
    answers = predict_member([Told(views)], examples_of(len(expected)))
    found = np.stack([answers[name][:, 1] for name in RUBRIC.names], 1)

    assert np.abs(found - expected).max() < golden["tolerance"]["tta"]
