"""Foreign checkpoint files: found by the words of their paths, read without running anything.

What is in them, and what becomes of it, is not known here.
"""

import re
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

__all__ = [
    "ImportFaultsError",
    "LazyState",
    "Wanted",
    "check_shapes",
    "find_checkpoints",
    "read_checkpoint",
]

SUFFIXES = (".pth", ".pt")
WRAPPERS = ("model", "state_dict", "model_state_dict")
SHOWN = 3
State = Mapping[str, Tensor]


class ImportFaultsError(ValueError):
    """Checkpoints that cannot be imported.

    Attributes:
        lines: one a fault.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Wanted:
    """A checkpoint that a system needs.

    Attributes:
        name: for people.
        words: that stand in its path, as whole words, in any order.
        example: where it may lie below the folder.
    """

    name: str
    words: tuple[str, ...]
    example: str


def find_checkpoints(folder: Path, wanted: Iterable[Wanted]) -> tuple[dict[str, Path], list[str]]:
    """Return {name: file} of the checkpoints that a folder holds, at any depth, and the faults.

    Raises:
        FileNotFoundError: if the folder does not exist.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: found no folder, expected one that holds checkpoints")
    files = {
        path: _words(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.suffix in SUFFIXES and path.is_file()
    }
    found: dict[str, Path] = {}
    faults: list[str] = []
    for one in wanted:
        fitting = [path for path, words in files.items() if set(one.words) <= words]
        best = [path for path in fitting if path.stem.endswith("best_score")] or fitting
        if len(best) == 1:
            found[one.name] = best[0]
        elif not best:
            faults.append(
                f"{one.name}: found no checkpoint in {folder}, expected one such as {one.example}"
            )
        else:
            names = ", ".join(str(path.relative_to(folder)) for path in best[:SHOWN])
            faults.append(
                f"{one.name}: found {len(best)} checkpoints ({names}), expected one; remove the "
                "others"
            )
    return found, faults


def _words(path: Path) -> set[str]:
    parts = re.split(r"[/\\_.\-\s]+", path.with_suffix("").as_posix())
    return {word.removeprefix("exp") for word in parts} | set(parts)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a torch file; tensors stay on disk until they are used.

    Raises:
        ImportFaultsError: if it holds more than plain tensors, or cannot be read.
    """
    try:
        content = _load(path)
    except UnpicklingError as error:
        reason = _reason(error)
        raise ImportFaultsError(
            [f"{path}: refused, for it holds more than plain tensors and is not run ({reason})"]
        ) from error
    except (RuntimeError, ValueError, OSError, EOFError, KeyError, AttributeError) as error:
        raise ImportFaultsError([f"{path}: no readable checkpoint ({_reason(error)})"]) from error
    for name in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    tensors = isinstance(content, dict) and all(isinstance(one, Tensor) for one in content.values())
    if not isinstance(content, dict) or not tensors or not content:
        raise ImportFaultsError(
            [f"{path}: found {type(content).__name__}, expected a state dict {{name: tensor}}"]
        )
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _load(path: Path) -> object:
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"  # older files cannot be mapped into memory
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split())
    told = re.search(r"(Unsupported \w+|GLOBAL [\w. ]+ was not an allowed global)[^.]*", words)
    return (told[0] if told else words)[:120] or type(error).__name__


def check_shapes(path: Path, found: State, wanted: State, foreign: Sequence[str]) -> list[str]:
    """Return a line that says how a state dict differs from what a network needs, or none.

    Args:
        path: of the checkpoint.
        found: under the network's names.
        wanted: the network's own.
        foreign: names in the checkpoint that mean nothing to the network.
    """
    missing = sorted(set(wanted) - set(found))
    extra = sorted({*foreign, *(set(found) - set(wanted))})
    wrong = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in sorted(set(found) & set(wanted))
        if found[name].shape != wanted[name].shape
    ]
    told = [
        f"{what} {len(names)} ({', '.join(names[:SHOWN])})"
        for what, names in (("lacks", missing), ("foreign", extra), ("wrong shape", wrong))
        if names
    ]
    return [f"{path}: the weights of another network: {'; '.join(told)}"] if told else []


class LazyState(Mapping[str, Tensor]):
    """A state dict that is made anew each time it is read through, and not kept."""

    def __init__(self, make: Callable[[], Mapping[str, Tensor]]) -> None:
        self._make = make

    def items(self) -> ItemsView[str, Tensor]:
        """Make the state dict once and return its items."""
        return self._make().items()

    def __iter__(self) -> Iterator[str]:
        """Make the state dict and go through its names."""
        return iter(self._make())

    def __len__(self) -> int:
        """Make the state dict and count its tensors."""
        return len(self._make())

    def __getitem__(self, name: str) -> Tensor:
        """Make the state dict and return one tensor."""
        return self._make()[name]
