"""Recipes that ship with the package: found by name, wherever the package is installed."""

from pathlib import Path

from overread.shelf import nearest

__all__ = ["find_recipe", "shipped_recipes"]

INSTALLED = Path(__file__).parents[1] / "recipes"
CHECKOUT = Path(__file__).parents[3] / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """Return {name: file} of the recipes of this installation, such as "tiny/lumbar_two_stage"."""
    folder = INSTALLED if INSTALLED.is_dir() else CHECKOUT
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.yaml"))
    }


def find_recipe(name: str) -> Path:
    """Return the file of a recipe: a path, or the name of a recipe that ships.

    Raises:
        FileNotFoundError: naming the nearest one that ships.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} and path.exists():
        return path
    shipped = shipped_recipes()
    short = name.removeprefix("recipes/").removesuffix(".yaml")
    if short in shipped:
        return shipped[short]
    if path.exists() and path.is_file():
        return path
    raise FileNotFoundError(f"{name}: found no such recipe; {nearest(short, shipped)}")
