"""A recipe that trains in seconds on a handful of forged studies."""

from pathlib import Path

import yaml

from overread.pipeline import Recipe, read_recipe
from overread.shelf import take

TINY = Path(__file__).parents[2] / "recipes" / "tiny" / "lumbar_two_stage.yaml"
STUDIES = 6


def write_recipe(folder: Path, *, forged: int | None = None) -> Path:
    """Write the tiny recipe with small images and few steps, for given or for forged data.

    The first locator learns enough for slices to belong to levels; nothing else learns much.
    """
    recipe = yaml.safe_load(TINY.read_text())
    if forged is None:
        del recipe["dataset"]["forge"]
    else:
        recipe["dataset"]["forge"]["studies"] = forged
    for spec in (*recipe["keypoints"].values(), *recipe["views"].values()):
        spec["pixels"] = [32, 32]
    recipe["keypoints"]["discs"]["pixels"] = [64, 64]
    for spec in (*recipe["keypoints"].values(), recipe["defaults"]):
        spec["fit"] = {"epochs": 1, "batch": 4, "lr": 2e-3, "state_every": 0}
    recipe["keypoints"]["discs"]["fit"] |= {"epochs": 12, "batch": 2}
    path = folder / "mini.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def mini(folder: Path) -> Recipe:
    """Return the recipe that `write_recipe` writes."""
    return read_recipe(write_recipe(folder))


def forge(folder: Path, *, studies: int = STUDIES, seed: int = 5) -> Path:
    """Forge studies in the layout of the recipe's dataset."""
    take("overread.datasets", "rsna2024_lumbar").forge(
        folder, studies=studies, seed=seed, style="clean"
    )
    return folder
