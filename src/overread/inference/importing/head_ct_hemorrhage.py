"""RSNA 2019 head CT hemorrhage, 3rd place: its networks as one bundle.

Source: github.com/okotaku/kaggle_rsna2019_3rd_solution (MIT by its README); the weights are shared
by its authors. The system as settings stands in `head_ct_settings`; here its checkpoints find their
networks. Its boosted trees are not imported: those of six labels were saved under one name.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from overread.datasets import rsna2019_head_ct
from overread.inference.bundle import Bundle
from overread.inference.importing import head_ct_settings
from overread.inference.importing.checkpoints import (
    ImportFaultsError,
    LazyState,
    check_shapes,
    find_checkpoints,
    read_checkpoint,
)
from overread.inference.importing.head_ct_settings import (
    EXPERIMENTS,
    Experiment,
    bundle_recipe,
)
from overread.inference.member import member_network
from overread.models.published_head_ct import foreign_slice_names, slice_weights
from overread.models.stack_network import StackChannels
from overread.shelf import nearest

__all__ = ["Spec", "import_bundle"]


class Spec(head_ct_settings.Spec):
    """Settings, as `head_ct_settings` tells them; the shelf looks for them here."""


def import_bundle(
    spec: Spec, folder: Path, *, experiments: Sequence[Experiment] = EXPERIMENTS
) -> Bundle:
    """Return the bundle of the published networks; weights are read again when it is saved.

    Args:
        spec: settings.
        folder: with the checkpoints, at any depth; a path names the experiment, such as
            exp16/exp16_epoch5.pth.
        experiments: the networks.

    Raises:
        ImportFaultsError: with a line for each file that is missing, foreign, of another shape, or
            holds more than tensors.
    """
    chosen = _chosen(spec, experiments)
    rubric = rsna2019_head_ct.rubric(rsna2019_head_ct.Spec())
    recipe = bundle_recipe(spec, chosen)
    files, faults = find_checkpoints(folder, [one.wanted for one in chosen])
    states: dict[str, dict[int, Mapping[str, Tensor]]] = {}
    for one in chosen:
        path = files.get(one.name)
        if path is None:
            continue
        with torch.device("meta"):
            network = member_network(recipe.members[one.name], recipe.views, rubric, seed=0)
        shell = cast("StackChannels", network)
        try:
            faults += _faults(shell, path)
        except ImportFaultsError as error:
            faults += error.lines
        states[one.name] = {0: LazyState(partial(_converted, shell, path))}
    if faults:
        raise ImportFaultsError(faults)
    card = {
        "source": "RSNA 2019 head CT hemorrhage, 3rd place (okotaku and others), imported weights",
        "imported": {name: str(path.relative_to(folder)) for name, path in files.items()},
        "as_published": spec.as_published,
    }
    return Bundle(recipe, rubric, {}, states, card=card)


def _chosen(spec: Spec, experiments: Sequence[Experiment]) -> list[Experiment]:
    known = {one.name: one for one in experiments}
    if unknown := sorted(set(spec.members) - set(known)):
        raise ImportFaultsError([f'no member "{one}": {nearest(one, known)}' for one in unknown])
    return [one for one in experiments if one.name in spec.members]


def _faults(shell: StackChannels, path: Path) -> list[str]:
    """Return what is wrong with a checkpoint; its tensors are not read."""
    state = read_checkpoint(path)
    found = slice_weights(state, shell)
    return check_shapes(path, found, shell.state_dict(), foreign_slice_names(state))


def _converted(shell: StackChannels, path: Path) -> dict[str, Tensor]:
    return slice_weights(read_checkpoint(path), shell)
