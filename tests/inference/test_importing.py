"""Checkpoints of the published lumbar system become a bundle, or are refused one by one."""

from pathlib import Path

import pytest
import torch
from published_files import GRADERS, LOCATORS, networks, published, write_all
from torch import nn

from overread.inference import Bundle, GradeSpec, grade
from overread.inference.bundle_files import write_checked
from overread.inference.importing import ImportFaultsError, lumbar_3rd_place
from overread.inference.importing.checkpoints import Wanted, find_checkpoints, read_checkpoint
from overread.inference.importing.lumbar_3rd_settings import GRADERS as PUBLISHED
from overread.inference.importing.lumbar_3rd_settings import LOCATORS as PUBLISHED_LOCATORS
from overread.inference.importing.lumbar_3rd_settings import Spec, bundle_recipe
from overread.phantoms import forge_lumbar
from overread.shelf import settings_of

MEMBERS = ("moyashii_0211_f0", "moyashii_0211_f4", "moyashii_0113_f1", "tkmn_0203_f1")


class Trap:
    """An object whose loading would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Tell pickle to evaluate."""
        return eval, ("1 + 1",)


@pytest.fixture(scope="module")
def made() -> dict[str, nn.Module]:
    """The networks, made once."""
    return networks()


@pytest.fixture
def folder(tmp_path: Path, made: dict[str, nn.Module]) -> Path:
    """A folder with all their checkpoints."""
    write_all(tmp_path / "checkpoints", made)
    return tmp_path / "checkpoints"


def imported(folder: Path, **settings: object) -> Bundle:
    """The bundle of the small system."""
    spec = Spec.model_validate(settings)
    return lumbar_3rd_place.import_bundle(spec, folder, graders=GRADERS, locators=LOCATORS)


def test_numbers_of_the_published_system() -> None:
    """26 checkpoints grade the canal, 26 the sides, and 21 locate, as its program lists them."""
    shipped = {
        task: sum(len(one.folds) for one in PUBLISHED if one.task == task)
        for task in ("full", "centre", "side")
    }

    assert shipped == {"full": 24, "centre": 2, "side": 26}
    assert {name: len(rows) for name, rows in PUBLISHED_LOCATORS.items()} == {
        "discs": 13,
        "canal": 8,
    }
    assert len({one.name(0) for one in PUBLISHED}) == 30


def test_every_network_finds_its_weights(
    folder: Path, made: dict[str, nn.Module], tmp_path: Path
) -> None:
    """The saved bundle's networks have exactly the checkpoints' weights, whatever the author."""
    imported(folder).save(tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")
    networks = [bundle.member_networks(name)[0] for name in MEMBERS]
    networks += [*bundle.locator_networks("discs"), *bundle.locator_networks("canal")]
    wanted = [made[path] for path in made if "stage2" in path]
    wanted += [made[path] for path in made if "stage1" in path]

    assert len(networks) == len(wanted) == 7
    for found, expected in zip(networks, wanted, strict=True):
        own = found.state_dict()
        assert all(torch.equal(own[name], v) for name, v in expected.state_dict().items())


def test_imported_bundle_grades(folder: Path, tmp_path: Path) -> None:
    """A forged study gets all 25 grades from the imported networks."""
    imported(folder).save(tmp_path / "bundle")
    forge_lumbar(tmp_path / "phantoms", num_studies=1, seed=3, workers=1)

    spec = GradeSpec(unseen="answer")
    grades = grade(Bundle.load(tmp_path / "bundle"), tmp_path / "phantoms", spec=spec)

    assert [study.refused for study in grades.studies] == [None]
    assert len(grades.predictions().frame) == 25


def test_all_faults_are_told_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    """A missing, a foreign, a wrongly shaped and a trapped file get one line each."""
    stage2 = folder / "moyashii/stage2"
    missing = folder / "tkmn/stage1/expv5_0003_fold0_best_score.pth"
    missing.unlink()
    foreign = stage2 / "0113/exp0113_fold1_best_score.pth"
    torch.save({"model.diffusion.weight": torch.zeros(3)}, foreign)
    wrong = stage2 / "0211/exp0211_fold0_best_score.pth"
    state = torch.load(wrong, weights_only=True)
    torch.save({**state, "level_fc.bias": torch.zeros(7)}, wrong)
    trapped = stage2 / "0211/exp0211_fold4_best_score.pth"
    torch.save({"weights": Trap()}, trapped)
    torn = folder / "tkmn/stage2/0203/exp0203_fold1_best_score.pth"
    torn.write_bytes(torn.read_bytes()[:1000])

    with pytest.raises(ImportFaultsError) as caught:
        imported(folder).save(tmp_path / "bundle")

    lines = caught.value.lines
    assert len(lines) == 5
    assert any("tkmn v5_0003, fold 0: found no checkpoint" in line for line in lines)
    assert any(str(foreign) in line and "another network: lacks" in line for line in lines)
    assert any("level.bias (7,) instead of (5,)" in line for line in lines)
    assert any(str(trapped) in line and "more than plain tensors" in line for line in lines)
    assert any(str(torn) in line and "no readable checkpoint" in line for line in lines)
    assert not list(tmp_path.glob("bundle*"))


def test_names_without_a_meaning_are_told(folder: Path) -> None:
    """A checkpoint with a layer more is the checkpoint of another network."""
    path = folder / "tkmn/stage2/0203/exp0203_fold1_best_score.pth"
    state = torch.load(path, weights_only=True)
    torch.save({**state, "second_head.weight": torch.zeros(2, 2)}, path)

    with pytest.raises(ImportFaultsError, match=r"foreign 1 \(second_head.weight\)"):
        imported(folder)


def test_some_members_alone(folder: Path) -> None:
    """Members that are named are imported, others need no file; a wrong name is told."""
    (folder / "moyashii/stage2/0113/exp0113_fold1_best_score.pth").unlink()
    bundle = imported(folder, members=["tkmn_0203_f1"])

    assert list(bundle.members) == ["tkmn_0203_f1"]
    assert list(bundle.recipe.ensembles) == ["sides", "final"]
    with pytest.raises(ImportFaultsError, match='no member "tkmn_0203": did you mean'):
        imported(folder, members=["tkmn_0203"])


def test_as_published_keeps_the_blend() -> None:
    """As published the two checkpoints of 0113 weigh as much as the 24 others together."""
    published_recipe = bundle_recipe(Spec(as_published=True), PUBLISHED, PUBLISHED_LOCATORS)
    weights = published_recipe.ensembles["spinal"].settings["weights"]
    corrected = bundle_recipe(Spec(), PUBLISHED, PUBLISHED_LOCATORS)

    assert weights == {"moyashii_0113_f0": 12.0, "moyashii_0113_f1": 12.0}
    assert corrected.ensembles["spinal"].settings["weights"] == {}
    assert published_recipe.locators["discs"].decode.method == "box"
    assert corrected.locators["discs"].decode.method == "softargmax"
    assert published_recipe.views["side_v9_224_axial_t2"].edges == "whole"
    assert published_recipe.views["full_v11_224_sagittal_t1"].curve == "spline"


def test_two_files_for_one_network(tmp_path: Path) -> None:
    """Of several checkpoints the best score's counts; of two such neither does."""
    for name in ("expS1_fold0_best_score.pth", "expS1_fold0_latest.pth"):
        (tmp_path / name).touch()
    wanted = [Wanted("one", ("S1", "fold0"), "here")]

    assert find_checkpoints(tmp_path, wanted)[0]["one"].name == "expS1_fold0_best_score.pth"
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/expS1_fold0_best_score.pth").touch()
    assert "found 2 checkpoints" in find_checkpoints(tmp_path, wanted)[1][0]


def test_wrapped_checkpoints(tmp_path: Path) -> None:
    """A state dict inside a checkpoint of a training, with names of parallel training, is found."""
    torch.save({"model": {"module.fc.bias": torch.ones(2)}, "epoch": 3}, tmp_path / "x.pth")

    assert list(read_checkpoint(tmp_path / "x.pth")) == ["fc.bias"]


def test_older_torch_files(tmp_path: Path, made: dict[str, nn.Module]) -> None:
    """Files of before torch 1.6 are read too."""
    state = published(next(iter(made.values())))
    torch.save(state, tmp_path / "x.pth", _use_new_zipfile_serialization=False)

    assert read_checkpoint(tmp_path / "x.pth").keys() == state.keys()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """When writing breaks off, no half bundle stays behind."""

    class Broken(dict[str, torch.Tensor]):
        def items(self) -> object:  # type: ignore[override]
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_checked(tmp_path / "bundle", {}, {"networks/a": Broken()}, {})

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("system", ["lumbar_3rd_place", "head_ct_hemorrhage"])
def test_a_system_is_found_by_its_name(system: str) -> None:
    """The command asks the shelf, which takes files that hold their own settings."""
    module, spec = settings_of("overread.inference.importing", {"use": system, "members": ["a"]})

    assert callable(module.import_bundle)
    assert spec.members == ("a",)
