"""What a network in training is worth on examples that it does not learn from."""

from typing import Any

from overread.learning.examples import Examples, Loss, Measure
from overread.learning.predict import answers, concatenate, output_arrays
from overread.learning.training import Training

__all__ = ["validate"]


def validate(
    training: Training, examples: Examples, loss: Loss, measure: Measure | None
) -> dict[str, float]:
    """Return the mean of each part of the loss, and "measure" (the mean loss where None)."""
    sums: dict[str, float] = {}
    parts: list[dict[str, Any]] = []
    spec = training.spec
    for outputs, batch in answers(
        training.network, examples, batch=spec.batch, precision=spec.precision
    ):
        size = len(next(iter(batch.values())))
        for name, value in loss(outputs, batch).items():
            sums[name] = sums.get(name, 0.0) + float(value) * size
        if measure is not None:
            parts.append(output_arrays(outputs))
    means = {name: value / len(examples) for name, value in sums.items()}
    return means | {"measure": means["total"] if measure is None else measure(concatenate(parts))}
