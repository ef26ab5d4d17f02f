"""RSNA 2024 lumbar spine, 3rd place: its 21 key-point and 52 grading networks as one bundle.

Source: github.com/Moyasii/Kaggle-2024-RSNA-Pub (MIT); the weights are a dataset of its authors.
The system as settings stands in `lumbar_3rd_settings`; here its checkpoints find their networks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from overread.datasets import rsna2024_lumbar
from overread.inference.bundle import Bundle
from overread.inference.importing import lumbar_3rd_settings
from overread.inference.importing.checkpoints import (
    ImportFaultsError,
    LazyState,
    Wanted,
    check_shapes,
    find_checkpoints,
    read_checkpoint,
)
from overread.inference.importing.lumbar_3rd_settings import (
    GRADERS,
    LOCATORS,
    Grader,
    KeypointFold,
    bundle_recipe,
    locator_spec,
)
from overread.inference.locator_networks import locator_network
from overread.inference.member import member_network
from overread.models.published_lumbar import (
    foreign_names,
    grading_weights,
    keypoint_weights,
)
from overread.models.slice_network import SliceAttention
from overread.records import Rubric
from overread.shelf import nearest

__all__ = ["Spec", "import_bundle"]


class Spec(lumbar_3rd_settings.Spec):
    """Settings, as `lumbar_3rd_settings` tells them; the shelf looks for them here."""


@dataclass(frozen=True, eq=False)
class _Network:
    """One network of the bundle: its checkpoint, its shapes and how its weights are renamed."""

    wanted: Wanted
    place: tuple[str, str, int]  # "locator" or "member", name, number
    shell: nn.Module  # without memory: names and shapes


def import_bundle(
    spec: Spec,
    folder: Path,
    *,
    graders: Sequence[Grader] = GRADERS,
    locators: Mapping[str, Sequence[KeypointFold]] = LOCATORS,
) -> Bundle:
    """Return the bundle of the published system; weights are read again when it is saved.

    Args:
        spec: settings.
        folder: with the checkpoints, at any depth; a path holds author, configuration and fold,
            such as moyashii/exp0152_fold1_best_score.pth.
        graders: the grading networks.
        locators: the key-point networks.

    Raises:
        ImportFaultsError: with a line for each file that is missing, foreign, of another shape, or
            holds more than tensors.
    """
    chosen = _chosen(spec, graders)
    rubric = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())
    recipe = bundle_recipe(spec, chosen, locators)
    networks = [*_locators(spec, locators), *_members(recipe.members, recipe.views, chosen, rubric)]
    files, faults = find_checkpoints(folder, [one.wanted for one in networks])
    states: dict[str, dict[str, dict[int, Mapping[str, Tensor]]]] = {"locator": {}, "member": {}}
    for one in networks:
        path = files.get(one.wanted.name)
        if path is None:
            continue
        try:
            faults += _faults(one, path)
        except ImportFaultsError as error:
            faults += error.lines
        kind, name, number = one.place
        states[kind].setdefault(name, {})[number] = LazyState(partial(_converted, one, path))
    if faults:
        raise ImportFaultsError(faults)
    card = {
        "source": "RSNA 2024 lumbar spine, 3rd place (Moyasii and others, MIT), imported weights",
        "imported": {name: str(path.relative_to(folder)) for name, path in files.items()},
        "as_published": spec.as_published,
    }
    return Bundle(recipe, rubric, states["locator"], states["member"], card=card)


def _chosen(spec: Spec, graders: Sequence[Grader]) -> list[Grader]:
    known = [one.name(fold) for one in graders for fold in one.folds]
    if unknown := sorted(set(spec.members) - set(known)):
        raise ImportFaultsError([f'no member "{one}": {nearest(one, known)}' for one in unknown])
    if not spec.members:
        return list(graders)
    kept = [
        replace(one, folds=tuple(fold for fold in one.folds if one.name(fold) in spec.members))
        for one in graders
    ]
    return [one for one in kept if one.folds]


def _locators(spec: Spec, locators: Mapping[str, Sequence[KeypointFold]]) -> Iterator[_Network]:
    for name, rows in locators.items():
        with torch.device("meta"):
            shell = locator_network(locator_spec(spec, name, rows), seed=0)
        for number, row in enumerate(rows):
            yield _Network(row.wanted, ("locator", name, number), shell)


def _members(
    members: Mapping[str, Any], views: Mapping[str, Any], graders: Sequence[Grader], rubric: Rubric
) -> Iterator[_Network]:
    for grader in graders:
        with torch.device("meta"):
            first = members[grader.name(grader.folds[0])]
            shell = member_network(first, views, rubric, seed=0)
        for fold in grader.folds:
            yield _Network(grader.wanted(fold), ("member", grader.name(fold), fold), shell)


def _faults(network: _Network, path: Path) -> list[str]:
    """Return what is wrong with a checkpoint; its tensors are not read."""
    state = read_checkpoint(path)
    conditions = _conditions(network.shell, state)
    foreign = foreign_names(state, network.shell, conditions)
    try:
        found = _renamed(network.shell, state, conditions)
    except (KeyError, RuntimeError) as error:
        return [f"{path}: the weights of another network: {error}"]
    return check_shapes(path, found, network.shell.state_dict(), foreign)


def _converted(network: _Network, path: Path) -> dict[str, Tensor]:
    state = read_checkpoint(path)
    return _renamed(network.shell, state, _conditions(network.shell, state))


def _renamed(
    shell: nn.Module, state: Mapping[str, Tensor], conditions: Sequence[str]
) -> dict[str, Tensor]:
    if isinstance(shell, SliceAttention):
        return grading_weights(state, shell, conditions)
    return keypoint_weights(state)


def _conditions(shell: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Return the checkpoint's names of the network's targets, in the network's order.

    One linear layer for all conditions has no names; side networks may call theirs without a side.
    """
    if not isinstance(shell, SliceAttention):
        return []
    named = list(dict.fromkeys(name.split(".")[1] for name in state if name.startswith("fcs.")))
    if not named:
        return list(shell.targets)
    order = {target: _likest(target, named) for target in shell.targets}
    return [order[target] for target in shell.targets]


def _likest(target: str, named: Sequence[str]) -> str:
    if target in named:
        return target
    bare = target.removeprefix("left_")
    return next((name for name in named if bare in name or name in bare), target)
