"""Losses of grading networks: how wrong are logits, given labels that may be soft or missing.

Hard labels are soft labels that are certain; both have one normalisation. Source of the terms:
RSNA 2024 lumbar spine, 3rd place (section "Losses"); the ordinal ones say theirs.

Legend: B units, T slices, G grades.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from overread.learning.class_losses import focal_rows, soft_f1_loss, with_margin
from overread.learning.examples import Batch, Loss, Outputs
from overread.learning.loss_spec import LossSpec
from overread.learning.study_terms import any_worst
from overread.records import Rubric, Target

__all__ = ["grading_loss", "row_losses"]

TINY = 1e-8


def grading_loss(spec: LossSpec, rubric: Rubric) -> Loss:
    """Return the loss of (outputs, batch) for the targets that the network has heads for.

    The batch holds "target.{name}" (B, G), "weight.{name}" (B,), 0 = missing, for the level term
    "site" (B,), a number, or (B, levels), shares, and for the slice term "slice_target.{name}"
    (B, T, G) and "slice_weight.{name}" (B, T). Where the batch has "units.mask" (B, U), rows are
    studies: logits and labels have the axes (B, U, ...), and all units of all studies count alike.
    The result has "total" and each term that it is the sum of. A batch without any label gives 0,
    and no gradient.

    Raises:
        ValueError: if the spec names targets that the rubric does not have.
    """
    named = {*spec.target_weights, *spec.severe_targets, *spec.any_worst}
    unknown = named - set(rubric.names)
    if unknown:
        raise ValueError(f"no targets {sorted(unknown)} in {rubric.name}; known: {rubric.names}")

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        if isinstance(outputs, Tensor):
            raise TypeError("a grading loss needs a network with named outputs, not a tensor")
        terms = {"any_worst": _any_worst(spec, rubric, outputs, batch)} if spec.any_worst else {}
        if "units.mask" in batch:
            outputs, batch = _units_apart(outputs, batch)
        asked = [target for target in rubric.targets if f"logits.{target.name}" in outputs]
        terms["overall"] = spec.overall * _overall(spec, asked, outputs, batch)
        if spec.f1:
            terms["f1"] = spec.f1 * _soft_f1(spec, asked, outputs, batch)
        if spec.level:
            terms["level"] = spec.level * _level(outputs["level"], batch)
        if spec.slices:
            terms["slices"] = spec.slices * _slices(spec, asked, outputs, batch)
        if spec.severe:
            terms["severe"] = spec.severe * _severe(spec, asked, outputs, batch)
        return {"total": torch.stack(list(terms.values())).sum(), **terms}

    return loss


def row_losses(
    spec: LossSpec, logits: Tensor, labels: Tensor, class_weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the weighted loss (...) and the weight (...) of each row of labels.

    Args:
        spec: names the kind.
        logits: (..., G).
        labels: (..., G), sum 1; zeros give loss 0 and weight 0.
        class_weights: (G,).
    """
    weighted = labels * class_weights
    weight = weighted.sum(-1)
    if spec.kind == "focal":
        return focal_rows(logits, weighted, gamma=spec.gamma), weight
    log_p = logits.float().log_softmax(-1)
    if spec.kind in ("cross_entropy", "hierarchical"):
        rows = -(weighted * log_p).sum(-1)
        if spec.kind == "hierarchical":
            guess = logits.argmax(-1)
            rows = rows * (labels * _distances(spec, logits)[guess]).sum(-1)
        return rows, weight
    said, true = log_p.exp().cumsum(-1)[..., :-1], labels.cumsum(-1)[..., :-1]
    if spec.kind == "emd":
        return weight * (said - true).square().sum(-1), weight
    said = said.clamp(TINY, 1 - 1e-6)
    rows = -(true * said.log() + (1 - true) * (1 - said).log()).sum(-1)
    return weight * rows, weight


def _any_worst(
    spec: LossSpec, rubric: Rubric, outputs: Mapping[str, Tensor], batch: Batch
) -> Tensor:
    if "units.mask" not in batch:
        raise ValueError(
            f"any_worst: {dict(spec.any_worst)} is about whole studies; found rows of units: set "
            "reads: study, or leave any_worst out"
        )
    terms = []
    for name, factor in spec.any_worst.items():
        target, logits = rubric.target(name), outputs[f"logits.{name}"]
        labels, known = _labels(spec, batch, target, logits)
        weights = _class_weights(spec, target, logits)
        temperature = spec.any_worst_temperature
        term = any_worst(logits, labels, known, class_weights=weights, temperature=temperature)
        terms.append(factor * term)
    return torch.stack(terms).sum()


def _units_apart(outputs: Mapping[str, Tensor], batch: Batch) -> tuple[dict[str, Tensor], Batch]:
    """Return the answers and labels of whole studies as rows of the units that are there."""
    mask = batch["units.mask"].bool()
    kinds = ("logits.", "scale", "target.", "weight.")

    def apart(table: Mapping[str, Tensor]) -> dict[str, Tensor]:
        wanted = {name: value for name, value in table.items() if name.startswith(kinds)}
        return {name: value[mask.to(value.device)] for name, value in wanted.items()}

    return apart(outputs), apart(batch)


def _overall(
    spec: LossSpec, asked: list[Target], outputs: Mapping[str, Tensor], batch: Batch
) -> Tensor:
    """Return the mean over the targets that have a label in this batch."""
    losses, usable = [], []
    for target in asked:
        logits = outputs[f"logits.{target.name}"]
        labels, known = _labels(spec, batch, target, logits)
        if spec.margin:
            logits = with_margin(logits, labels, scale=_scale(outputs), margin=spec.margin)
        rows, weight = row_losses(spec, logits, labels, _class_weights(spec, target, logits))
        bottom = known.sum() if spec.as_published else (known * weight).sum()
        factor = spec.target_weights.get(target.name, 1.0)
        losses.append(factor * (known * rows).sum() / torch.where(bottom > 0, bottom, 1))
        usable.append((known.sum() > 0).float())
    return torch.stack(losses).sum() / torch.stack(usable).sum().clamp(min=1)


def _scale(outputs: Mapping[str, Tensor]) -> Tensor:
    if "scale" not in outputs:
        raise ValueError(
            f"margin needs a network whose logits are cosines; found outputs {sorted(outputs)}: "
            "set model.heads: cosine, or margin: 0"
        )
    return outputs["scale"]


def _soft_f1(
    spec: LossSpec, asked: list[Target], outputs: Mapping[str, Tensor], batch: Batch
) -> Tensor:
    """Return the mean over the targets that have a label in this batch."""
    losses, usable = [], []
    for target in asked:
        logits = outputs[f"logits.{target.name}"]
        labels, known = _labels(spec, batch, target, logits)
        factor = spec.target_weights.get(target.name, 1.0)
        losses.append(factor * soft_f1_loss(logits, labels, known))
        usable.append((known.sum() > 0).float())
    return torch.stack(losses).sum() / torch.stack(usable).sum().clamp(min=1)


def _labels(spec: LossSpec, batch: Batch, target: Target, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return labels with zeros where missing, and the weight of each row."""
    labels = batch[f"target.{target.name}"].to(logits.device, torch.float32).nan_to_num()
    known = (labels.sum(-1) > 0).float()
    given = batch.get(f"weight.{target.name}")
    if given is not None:
        known = known * given.to(logits.device, torch.float32).nan_to_num()
    labels = labels * (known > 0).float().unsqueeze(-1)
    if spec.spread and target.scale == "ordered":
        grade = torch.arange(labels.shape[-1], device=labels.device, dtype=torch.float32)
        shares = torch.exp(-((grade[:, None] - grade) / spec.spread).square() / 2)
        labels = labels @ (shares / shares.sum(-1, keepdim=True))
    if spec.smoothing:
        spread = labels.sum(-1, keepdim=True) / labels.shape[-1]
        labels = (1 - spec.smoothing) * labels + spec.smoothing * spread
    return labels, known


def _class_weights(spec: LossSpec, target: Target, logits: Tensor) -> Tensor:
    if spec.class_weights == "none":
        weights: tuple[float, ...] = (1.0,) * len(target.grades)
    else:
        weights = target.weights if spec.class_weights == "rubric" else spec.class_weights
    return _grade_weights(weights, target, logits)


def _grade_weights(weights: tuple[float, ...], target: Target, logits: Tensor) -> Tensor:
    if len(weights) != logits.shape[-1]:
        raise ValueError(
            f"{len(weights)} class weights for the {logits.shape[-1]} grades of {target.name}"
        )
    return logits.new_tensor(weights, dtype=torch.float32)


def _distances(spec: LossSpec, logits: Tensor) -> Tensor:
    if spec.distances is not None:
        return logits.new_tensor(spec.distances, dtype=torch.float32)
    grade = torch.arange(logits.shape[-1], device=logits.device)
    return 1.0 + ((grade[:, None] - grade[None, :]).abs() >= 2).float()


def _level(logits: Tensor, batch: Batch) -> Tensor:
    """Return the cross entropy of the site; after mixup that of both sites, by their shares."""
    log_p = logits.float().log_softmax(-1)
    if batch["site"].is_floating_point():
        return -(batch["site"].to(log_p.device) * log_p).sum(-1).mean()
    own = -log_p.gather(1, batch["site"].to(logits.device)[:, None])[:, 0]
    if "site.partner" not in batch:
        return own.mean()
    other = -log_p.gather(1, batch["site.partner"].to(logits.device)[:, None])[:, 0]
    return torch.lerp(other, own, batch["site.share"].to(own.device)).mean()


def _slices(
    spec: LossSpec, asked: list[Target], outputs: Mapping[str, Tensor], batch: Batch
) -> Tensor:
    """Return the mean over labelled slices; slices without a label have weight 0."""
    top, bottom = [], []
    for target in asked:
        logits = outputs[f"slices.{target.name}"]
        labels = batch[f"slice_target.{target.name}"].to(logits.device).nan_to_num()
        weight = batch[f"slice_weight.{target.name}"].to(logits.device)
        classes = (
            _class_weights(spec, target, logits)
            if spec.slice_class_weights is None
            else _grade_weights(spec.slice_class_weights, target, logits)
        )
        rows = -(labels * classes * logits.float().log_softmax(-1)).sum(-1)
        top.append(spec.target_weights.get(target.name, 1.0) * (weight * rows).sum())
        bottom.append(weight.sum())
    total = torch.stack(bottom).sum()
    return torch.stack(top).sum() / torch.where(total > 0, total, 1)


def _severe(
    spec: LossSpec, asked: list[Target], outputs: Mapping[str, Tensor], batch: Batch
) -> Tensor:
    terms = []
    for target in asked:
        if target.name in spec.severe_targets:
            logits = outputs[f"logits.{target.name}"]
            labels, known = _labels(spec, batch, target, logits)
            worst = (logits.float().softmax(-1)[:, -1] + TINY).log()
            terms.append(-(known * labels[:, -1] * worst).mean())
    if not terms:
        raise ValueError(
            f"severe: {spec.severe} needs severe_targets among the network's targets "
            f"{[t.name for t in asked]}; found {spec.severe_targets}"
        )
    return torch.stack(terms).mean()
