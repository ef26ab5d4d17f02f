"""What the networks of a bundle are given when it grades studies: samples for int8."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from overread.inference.bundle import Bundle
from overread.inference.engines.racing import race
from overread.inference.engines.ways import EngineError

__all__ = ["Samples", "record_samples"]

Samples = Mapping[str, Mapping[int, Sequence[Any]]]
"""{part: {fold: batches or images that it was given}}."""
# Of each network; more say little more about its ranges and cost memory.
MOST = 32


class _Recorded(nn.Module):
    """A network that keeps what it is given."""

    def __init__(self, network: nn.Module, kept: list[Any]) -> None:
        super().__init__()
        self.network = network
        self.kept = kept

    def forward(self, asked: Mapping[str, Tensor] | Tensor) -> Mapping[str, Tensor] | Tensor:
        if len(self.kept) < MOST:
            copy = asked.clone() if isinstance(asked, Tensor) else dict(asked)
            self.kept.append(copy)
        answer: Mapping[str, Tensor] | Tensor = self.network(asked)
        return answer


def record_samples(bundle: Bundle, check: Path | None, *, most: int) -> dict[str, dict[int, Any]]:
    """Grade studies and return what each network was given.

    Args:
        bundle: whose networks torch runs.
        check: a study, or a folder of studies.
        most: studies that are looked at.

    Raises:
        EngineError: if there are no studies.
    """
    if check is None:
        raise EngineError("int8 is calibrated on studies; found none, name some with --check PATH")
    kept: dict[str, dict[int, list[Any]]] = {
        part: {fold: [] for fold in folds} for part, folds in bundle.networks().items()
    }
    recorded = {
        part: {
            fold: _Recorded(network, kept[part][fold])
            for fold, network in folds.items()
            if isinstance(network, nn.Module)
        }
        for part, folds in bundle.networks().items()
    }
    race(replace(bundle, stand_ins=recorded), check, repeats=1, most=most)
    return kept
