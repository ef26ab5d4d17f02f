"""Losses equal the originals' on every golden file, gradients included."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_files import generated, golden_files, inputs, record
from torch import Tensor

from overread.learning import LossSpec, grading_loss, map_focal_loss
from overread.records import Rubric, Target

FILES = golden_files("lumbar_losses")
GRADES = ("normal_mild", "moderate", "severe")
SEVERE_TARGET = "spinal_canal_stenosis"


def loss_cases(path: Path, *, network: bool) -> list[dict[str, Any]]:
    """Cases of one kind that ours can have: one site a unit, defects of the original left out."""
    return [
        case
        for case in record(path)["cases"]
        if ("config" in case and "conditions" in case["config"]) == network
        and "KNOWN" not in (case["note"] or "")
        and len(case["config"].get("levels", ["any"])) == 1
    ]


def loss_spec(config: dict[str, Any], *, soft: bool) -> LossSpec:
    weights = config.get("condition_weight", [1.0] * len(config["conditions"]))
    kinds = {"CrossEntropyLoss": "cross_entropy", "HierarchicalCrossEntropyLoss": "hierarchical"}
    return LossSpec(
        kind=kinds[config["ce_loss"]["name"]],
        class_weights=tuple(config["ce_loss"]["weight"]),
        distances=config["ce_loss"].get("distance_matrix"),
        target_weights=dict(zip(config["conditions"], weights, strict=True)),
        overall=config.get("overall_loss_weight", 1.0),
        level=config.get("level_loss_weight", 0.0),
        slices=config.get("slice_loss_weight", 0.0),
        slice_class_weights=config.get("slice_ce_loss", {}).get("weight"),
        severe=config.get("sevear_loss_weight", 1.0) if config.get("sevear_loss") else 0.0,
        severe_targets=(SEVERE_TARGET,) if config.get("sevear_loss") else (),
        as_published=soft,
    )


def tensors(case: dict[str, Any], names: list[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return outputs and batch in our layout; hard labels become certain ones."""
    given = {key: torch.tensor(np.array(value)) for key, value in case["inputs"].items()}
    logits = given["logits"][:, :, 0].float()
    targets = given["targets"][:, :, 0]
    outputs = {f"logits.{name}": logits[:, i] for i, name in enumerate(names)}
    batch: dict[str, Tensor] = {}
    for i, name in enumerate(names):
        hard = targets.ndim == 2
        batch[f"target.{name}"] = _one_hot(targets[:, i]) if hard else targets[:, i].float()
        if "slice_logits" in given:
            outputs[f"slices.{name}"] = given["slice_logits"][:, :, i].float()
            batch[f"slice_target.{name}"] = given["slice_labels"][:, :, i].float()
            batch[f"slice_weight.{name}"] = given["slice_weights"][:, :, i].float()
    if "level_logits" in given:
        outputs["level"] = given["level_logits"][:, 0].float()
        level = given["level_targets"]
        batch["site"] = level[:, 0].float() if level.ndim == 3 else level[:, 0].long()
    return {key: value.clone().requires_grad_() for key, value in outputs.items()}, batch


def _one_hot(grade: Tensor) -> Tensor:
    missing = (grade < 0)[:, None]
    return torch.eye(3)[grade.clamp(min=0)].masked_fill(missing, torch.nan)


@pytest.mark.parametrize("path", FILES)
def test_grading_losses(path: Path) -> None:
    """Total and gradient of each case, soft labels with the published normalisation."""
    golden = record(path)["tolerance"]
    for case in loss_cases(path, network=True):
        names = case["config"]["conditions"]
        target = [Target(name, GRADES, (1.0, 2.0, 4.0)) for name in names]
        outputs, batch = tensors(case, names)
        soft = len(case["shapes"]["targets"]) == 4
        loss = grading_loss(
            loss_spec(case["config"], soft=soft), Rubric("golden", "study", tuple(target))
        )

        found = loss(outputs, batch)["total"]
        found.backward()

        assert found.item() == pytest.approx(case["outputs"]["loss"], abs=golden["loss"]), case[
            "name"
        ]
        gradient = np.array(case["outputs"]["gradient"]["logits"])[:, :, 0]
        ours = torch.stack([outputs[f"logits.{name}"].grad for name in names], 1)
        np.testing.assert_allclose(ours, gradient, atol=golden["gradient"], err_msg=case["name"])


@pytest.mark.parametrize("path", FILES)
def test_focal_loss_of_maps(path: Path) -> None:
    """Value and gradient of the key-point loss."""
    tolerance = record(path)["tolerance"]
    for case in loss_cases(path, network=False):
        logits = torch.tensor(generated(case["inputs"]["logits"])).requires_grad_()
        stacked = [inputs().heatmaps(**_shaped(one)) for one in _sources(case)]
        targets = torch.tensor(np.stack(stacked), dtype=torch.float32)

        loss = map_focal_loss(logits, targets, alpha=0.25, gamma=2.0)
        loss.backward()

        expected = case["outputs"]
        assert loss.item() == pytest.approx(expected["loss"], abs=tolerance["loss"])
        row = logits.grad[0, 0, 5].numpy()
        np.testing.assert_allclose(row, expected["gradient_0_0_5"], atol=tolerance["gradient"])


def _sources(case: dict[str, Any]) -> list[dict[str, Any]]:
    return list(case["inputs"]["targets"]["stacked"])


def _shaped(args: dict[str, Any]) -> dict[str, Any]:
    return {**args, "shape": tuple(args["shape"])}
