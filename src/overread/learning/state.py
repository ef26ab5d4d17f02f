"""The state of a fit on disk: whole, checked, and never without a predecessor.

Each state is `state-<step>.safetensors` with `state-<step>.json` beside it. The JSON comes last and
holds the digest of the tensors, so a pair is either whole or not there. The two newest are kept.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

__all__ = [
    "SavedState",
    "drop_states",
    "latest_state",
    "optimiser_tensors",
    "read_network",
    "restore_optimiser",
    "save_network",
    "save_state",
    "write_whole",
]

KEPT = 2


@dataclass(frozen=True, eq=False)
class SavedState:
    """What was saved: tensors by name, and plain values, with the step that comes next."""

    step: int
    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with `prefix.`, without it."""
        start = f"{prefix}."
        return {n.removeprefix(start): v for n, v in self.tensors.items() if n.startswith(start)}


def save_state(folder: Path, state: SavedState) -> None:
    """Write a state; older ones than the one before are removed.

    A process that is killed at any point leaves at least the state before.
    """
    stem = folder / f"state-{state.step:09d}"
    tensors = save(_plain(state.tensors))
    write_whole(stem.with_suffix(".safetensors"), tensors)
    digest = hashlib.sha256(tensors).hexdigest()
    record = {"step": state.step, "sha256": digest, "values": dict(state.values)}
    write_whole(stem.with_suffix(".json"), json.dumps(record).encode())
    keep = {path.stem for path in _newest_first(folder)[:KEPT]}
    for path in folder.glob("state-*"):
        if path.name.partition(".")[0] not in keep:
            path.unlink()


def latest_state(folder: Path) -> SavedState | None:
    """Read the newest state that is whole; None where there is none.

    A torn or damaged state is passed over for the one before.
    """
    for path in _newest_first(folder):
        try:
            record = json.loads(path.read_bytes())
            tensors = path.with_suffix(".safetensors").read_bytes()
        except (OSError, ValueError):
            continue
        if hashlib.sha256(tensors).hexdigest() == record.get("sha256"):
            return SavedState(record["step"], load(tensors), record["values"])
    return None


def drop_states(folder: Path) -> None:
    """Remove all states: the fit is finished."""
    for path in folder.glob("state-*"):
        path.unlink()


def save_network(path: Path, network: nn.Module, *, fingerprint: str) -> None:
    """Write the weights of a network; the same weights give the same bytes."""
    weights = _plain(network.state_dict())
    write_whole(path, save(weights, metadata={"fingerprint": fingerprint}))


def read_network(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return the weights and the fingerprint of a file of `save_network`."""
    with safe_open(path, framework="pt") as file:
        fingerprint = (file.metadata() or {}).get("fingerprint", "")
    return load(path.read_bytes()), fingerprint


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, bring to the disk, move into place."""
    beside = path.with_name(f"{path.name}.partial")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimiser as {"<weight number>.<name>": tensor}."""
    return {
        f"{number}.{name}": value
        for number, entries in optimiser.state_dict()["state"].items()
        for name, value in entries.items()
    }


@torch.no_grad()
def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave, in the memory layout of the weights."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        weight = weights[int(number)]
        if value.shape == weight.shape:
            own = torch.empty_like(weight, dtype=value.dtype)
            own.copy_(value)
        else:
            own = value.clone()
        optimiser.state[weight][key] = own


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.json"), reverse=True)


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
