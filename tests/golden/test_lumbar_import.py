"""Checkpoints under the original names become a bundle whose networks answer like the originals."""

from pathlib import Path
from typing import Any

import pytest
import torch
from golden_files import GOLDEN, golden_files, record
from test_lumbar_networks import answer, assert_near, base_of, state_of
from torch import Tensor

from overread.inference import Bundle
from overread.inference.importing import ImportFaultsError
from overread.inference.importing.lumbar_3rd_place import import_bundle
from overread.inference.importing.lumbar_3rd_settings import GRADERS, LOCATORS, Spec
from overread.models.published_lumbar import PLANES

FILES = [
    case
    for kind in ("moyashii", "tkmn", "suguuuuu")
    for case in golden_files(kind)
    if case.values[0].name
    and record(case.values[0])["meta"]["config"] in {one.config for one in GRADERS}
]
pytestmark = pytest.mark.slow


def state_file(golden: dict[str, Any], path: Path, *, whole: bool) -> None:
    """Write a checkpoint of a fixture, second names of tensors included."""
    state: dict[str, Tensor] = state_of(golden, base_of(golden))
    for name, other in golden["alias"].items():
        state[name] = state[other]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": state} if whole else state, path)


@pytest.mark.parametrize("path", FILES)
def test_imported_graders_answer_like_the_originals(path: Path, tmp_path: Path) -> None:
    """Each fixture's checkpoint is found, converted, saved, loaded, and gives its logits."""
    golden = record(path)
    author, config = golden["meta"]["user"], golden["meta"]["config"]
    grader = next(one for one in GRADERS if (one.author, one.config) == (author, config))
    fold = grader.folds[0]
    state_file(golden, tmp_path / grader.wanted(fold).example, whole=fold == 0)
    spec = Spec(members=(grader.name(fold),))
    import_bundle(spec, tmp_path, locators={}).save(tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")
    network = bundle.member_networks(grader.name(fold))[0]
    views = bundle.recipe.members[grader.name(fold)].views

    network.views = PLANES  # the fixture's batch names planes, not views
    found = answer(network, golden["inputs"])

    assert len(views) == len(PLANES)
    for name in ("logits", "level_logits"):
        if name in golden["outputs"]:
            assert_near(golden["outputs"][name], found[name], 1e-3)


def test_imported_locators_have_the_originals_weights(tmp_path: Path) -> None:
    """Key-point checkpoints of both kinds fit their networks; the grader alone is missed."""
    kinds = {"discs": "keypoint_sagittal", "canal": "keypoint_axial"}
    rows = {}
    for name, kind in kinds.items():
        found = sorted(GOLDEN.glob(f"{kind}_*.json"))
        if not found:
            pytest.skip(f"no {kind} fixture in {GOLDEN}")
        rows[name] = LOCATORS[name][-1:]
        state_file(record(found[0]), tmp_path / rows[name][0].wanted.example, whole=False)
    with pytest.raises(ImportFaultsError) as caught:
        import_bundle(Spec(members=("tkmn_0203_f1",)), tmp_path, locators=rows)

    assert [line.partition(":")[0] for line in caught.value.lines] == ["tkmn 0203, fold 1"]
