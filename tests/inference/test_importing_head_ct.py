"""Checkpoints of the published head CT system become a bundle, or are refused one by one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from tiny_scans import scan
from torch import Tensor

from overread.datasets import rsna2019_head_ct as heads
from overread.imaging import stretch
from overread.inference import Bundle, grade_study
from overread.inference.importing import ImportFaultsError, head_ct_hemorrhage
from overread.inference.importing.head_ct_settings import EXPERIMENTS, Spec, bundle_recipe
from overread.inference.member import member_network
from overread.models.stack_network import StackChannels
from overread.shelf import Named

RUBRIC = heads.rubric(heads.Spec())
SMALL = {"backbone": "legacy_seresnet18", "pixels": 64}
NUMBERS = ("16", "28", "32", "34")
FEW = tuple(replace(one, **SMALL) for one in EXPERIMENTS if one.number in NUMBERS)
NAMES = tuple(one.name for one in FEW)


def published(network: StackChannels) -> dict[str, Tensor]:
    """The weights of a network under the published names."""
    found: dict[str, Tensor] = {}
    own = network.state_dict()
    for name, value in own.items():
        if name.startswith("encoder.body."):
            found[f"net.{name.removeprefix('encoder.body.')}"] = value
        elif name.startswith("gate."):
            _, layer, leaf = name.split(".")
            found[f"net.last_linear.1.linear_{1 if layer == 'inside' else 2}.{leaf}"] = value
        elif name == "pool.p":
            found["net.avg_pool.p"] = value
    for leaf in ("weight", "bias"):
        rows = [own[f"heads.{i}.{leaf}"] for i in range(len(network.own))]
        found[f"net.last_linear.3.{leaf}"] = torch.stack([row[1] - row[0] for row in rows])
    return found


@pytest.fixture(scope="module")
def made() -> Mapping[str, StackChannels]:
    """Small networks of four kinds: plain, GeM, five bleeds, eighteen answers."""
    recipe = bundle_recipe(Spec(members=NAMES), FEW)
    return {
        name: cast(
            "StackChannels", member_network(recipe.members[name], recipe.views, RUBRIC, seed=number)
        )
        for number, name in enumerate(NAMES)
    }


@pytest.fixture
def folder(tmp_path: Path, made: Mapping[str, StackChannels]) -> Path:
    """A folder with their checkpoints."""
    for name, network in made.items():
        place = tmp_path / "weights" / name
        place.mkdir(parents=True)
        torch.save(published(network), place / f"{name}_epoch5.pth")
    return tmp_path / "weights"


def imported(folder: Path, **settings: object) -> Bundle:
    """The bundle of the small system."""
    spec = Spec.model_validate({"members": NAMES, **settings})
    return head_ct_hemorrhage.import_bundle(spec, folder, experiments=FEW)


def test_imported_networks_answer_like_the_published_ones(
    folder: Path, made: Mapping[str, StackChannels], tmp_path: Path
) -> None:
    """Log odds of each kind are those of the network whose weights were saved; a scan is graded."""
    imported(folder).save(tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")
    for name, network in made.items():
        [found] = bundle.member_networks(name)
        images = torch.rand(2, 1, 3, 64, 64) * 2 - 1
        batch = {name: images, f"{name}.mask": torch.ones(2, 1, dtype=torch.bool)}
        with torch.inference_mode():
            ours, theirs = found(batch), network.eval()(batch)
        for key in (key for key in theirs if key.startswith("logits.")):
            expected = theirs[key][:, 1] - theirs[key][:, 0]
            assert torch.allclose(ours[key][:, 1] - ours[key][:, 0], expected, atol=1e-4)
    graded = grade_study(bundle, scan(levels=(3,)))

    assert len(graded.predictions.frame) == 3 * 6


def test_faults_are_told_file_by_file(folder: Path) -> None:
    """A missing file, one of another network and one with strange names have a line each."""
    (folder / "exp16/exp16_epoch5.pth").unlink()
    torch.save({"net.fc.weight": torch.zeros(2, 2)}, folder / "exp28/exp28_epoch5.pth")
    path = folder / "exp34/exp34_epoch5.pth"
    state = torch.load(path, weights_only=True)
    torch.save(state | {"net.last_linear.3.bias": torch.zeros(6)}, path)

    with pytest.raises(ImportFaultsError) as caught:
        imported(folder)
    lines = caught.value.lines

    assert len(lines) == 3
    assert "exp16: found no checkpoint" in lines[0]
    assert "foreign 1 (net.fc.weight)" in lines[1]
    assert "wrong shape" in lines[2]


def test_a_wrong_member_is_told_with_the_nearest() -> None:
    """Names are those of the experiments."""
    with pytest.raises(ImportFaultsError, match='no member "exp61"'):
        imported(Path("nowhere"), members=("exp61",))


def test_blends_are_the_published_ones() -> None:
    """The nine of the demonstration weigh 0.8 in all, as their stack began; all weigh 1 less 0.15.

    Missing of the final blend are a network that was never published, and the three that saw means.
    """
    nine = bundle_recipe(Spec(), [one for one in EXPERIMENTS if one.stack]).ensembles["blend"]
    every = bundle_recipe(Spec(), EXPERIMENTS).ensembles["blend"]
    missing = 0.05 + 0.05 + 0.025 + 0.025

    assert sum(nine.settings["weights"].values()) == pytest.approx(0.8)
    assert sum(every.settings["weights"].values()) == pytest.approx(1 - missing)
    assert nine.settings["weights"]["exp16"] == 0.2


def brain_thrice(hu: Tensor) -> Tensor:
    """As experiment 10 saw them: the brain's window, scaled by three widths, less its means."""
    layers = torch.stack([hu.clip(0, 80) / width for width in (80, 200, 380)])
    return layers - layers.mean(1, keepdim=True)


def three_twice(hu: Tensor) -> Tensor:
    """As experiments 18, 23 and 24 saw them: 0 to 1, the third by wrong constants, then / 255."""
    layers = [
        (hu.clip(-20, 180) + 20) / 200,
        hu.clip(0, 80) / 80,
        (hu.clip(-110, 190) + 150) / 380,
    ]
    levels = zip(layers, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)
    return torch.stack([(layer / 255 - mean) / std for layer, mean, std in levels])


@pytest.mark.parametrize(("name", "theirs"), [("exp10", brain_thrice), ("exp18", three_twice)])
def test_networks_see_what_they_were_trained_on(name: str, theirs: Callable[..., Tensor]) -> None:
    """Faults of the original that its weights have learnt are given to them again, exactly."""
    recipe = bundle_recipe(Spec(), EXPERIMENTS)
    model = recipe.members[name].model
    tiny = Named.model_validate(model.model_dump() | {"backbone": "tiny_conv", "gate": 0})
    member = recipe.members[name].model_copy(update={"model": tiny})
    network = cast("StackChannels", member_network(member, recipe.views, RUBRIC, seed=0))
    hu = torch.linspace(-200, 300, 11)
    windows = [one.fixed or (0.0, 1.0) for one in recipe.views[name].windows]
    layers = [torch.from_numpy(stretch(hu.numpy(), low, high)) for low, high in windows]
    shown = torch.stack(layers * (3 // len(layers)))

    found = network.levels(shown[None, :, None] * 2 - 1)[0, :, 0]
    assert torch.allclose(found, theirs(hu), atol=1e-5)
