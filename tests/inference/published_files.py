"""Small networks under the names of the published lumbar system, written like its checkpoints."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from overread.datasets import rsna2024_lumbar
from overread.inference.importing.lumbar_3rd_settings import (
    Grader,
    KeypointFold,
    Spec,
    bundle_recipe,
    locator_spec,
)
from overread.inference.locator_networks import locator_network
from overread.inference.member import member_network
from overread.models.published_lumbar import PLANES, _prefixes
from overread.models.slice_network import SliceAttention

SMALL = "mnasnet_small.lamb_in1k"
GRADERS = (
    Grader("moyashii", "0211", "full", "C", SMALL, "v11", 32, (0, 4)),
    Grader("moyashii", "0113", "centre", "A", SMALL, "v11", 32, (1,)),
    Grader("tkmn", "0203", "side", "A", SMALL, "v9", 32, (1,)),
)
LOCATORS = {
    "discs": (
        KeypointFold("moyashii", "v6_0002", 0, "mobilenetv3_small_050", (1, 2)),
        KeypointFold("tkmn", "v6_0002", 0, "mobilenetv3_small_050", (1, 2)),
    ),
    "canal": (KeypointFold("tkmn", "v5_0003", 0, "mobilenetv3_small_050", (1, 2)),),
}
RUBRIC = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())
NECK = {"neck.lateral": "neck.lateal_conv", "neck.down": "neck.upsample_conv",
        "neck.final": "neck.last"}  # fmt: skip


def networks() -> dict[str, nn.Module]:
    """The networks by the path of their checkpoint, each with weights of its own."""
    recipe = bundle_recipe(Spec(), GRADERS, LOCATORS)
    found: dict[str, nn.Module] = {}
    for name, rows in LOCATORS.items():
        for row in rows:
            path = f"{row.author}/stage1/exp{row.config}_fold{row.fold}_best_score.pth"
            found[path] = locator_network(locator_spec(Spec(), name, rows), seed=len(found))
    for one in GRADERS:
        member = recipe.members[one.name(one.folds[0])]
        for fold in one.folds:
            path = f"{one.author}/stage2/{one.config}/exp{one.config}_fold{fold}_best_score.pth"
            found[path] = member_network(member, recipe.views, RUBRIC, seed=len(found))
    return found


def published(network: nn.Module) -> dict[str, Tensor]:
    """The weights of a network under the published names."""
    if isinstance(network, SliceAttention):
        return _grading(network)
    state = {}
    for name, value in network.state_dict().items():
        theirs = name.replace("encoder.body.", "backbone.")
        for ours, other in NECK.items():
            theirs = theirs.replace(ours, other)
        state[theirs] = value
        if name.startswith("neck.") and name.endswith(".0.weight"):
            state[theirs.replace(".0.weight", ".0.bias")] = torch.zeros(len(value))
    return state


def _grading(network: SliceAttention) -> dict[str, Tensor]:
    gated = bool(network.slice_heads)
    prefixes = _prefixes(network, network.targets, PLANES)
    own = network.state_dict()
    state: dict[str, Tensor] = {}
    for name, value in own.items():
        for theirs, ours in prefixes.items():
            if name.startswith(ours) and (gated or not theirs.startswith("backbones.")):
                state.setdefault(theirs + name.removeprefix(ours), value)
                break
    if not gated:
        for leaf in ("weight", "bias"):
            state[f"fc.{leaf}"] = torch.cat(_values(own, "heads", leaf))
        state = {name: value for name, value in state.items() if not name.startswith("fcs.")}
        last = {n: v for n, v in state.items() if n.startswith(f"{PLANES[-1]}_backbone.")}
        state |= {name.replace(f"{PLANES[-1]}_", "", 1): value for name, value in last.items()}
    state["target_loss.ce_loss.weight"] = torch.tensor([1.0, 2.0, 4.0])
    return state


def _values(state: Mapping[str, Tensor], part: str, leaf: str) -> Sequence[Tensor]:
    return [value for name, value in state.items() if name.startswith(part) and
            name.endswith(leaf)]  # fmt: skip


def write_all(folder: Path, made: Mapping[str, nn.Module]) -> None:
    """Write every checkpoint below a folder."""
    for path, network in made.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.save(published(network), target)
