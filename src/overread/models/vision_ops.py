"""Make `import torchvision` succeed where its compiled operators do not fit this torch.

timm imports torchvision, and torchvision registers shapes for operators of its compiled extension.
A torchvision that was built for another torch cannot load that extension, and the import fails.
Declaring the two operators is enough: nothing here ever calls them.
"""

import importlib.util
from pathlib import Path

import torch

__all__ = ["declare_vision_operators"]

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
OPERATORS = ("nms", "qnms")
_declared: list[torch.library.Library] = []  # a Library takes its operators with it when collected


def declare_vision_operators() -> tuple[str, ...]:
    """Declare the torchvision operators that are missing; do nothing where torchvision is whole.

    Returns:
        The names that were declared now; empty on the second call.
    """
    if not _exists("nms"):
        _load_extension()
    missing = tuple(name for name in OPERATORS if not _exists(name))
    if not missing or _exists("nms"):
        return ()  # a whole torchvision without qnms (it is younger) needs no help
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in missing:
        library.define(name + SIGNATURE)  # type: ignore[no-untyped-call]
    _declared.append(library)
    return missing


def _exists(name: str) -> bool:
    return hasattr(torch.ops.torchvision, name)


def _load_extension() -> None:
    """Try to load torchvision's own operators, as its import would; failing is the known case."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return
    for path in sorted(Path(found.origin).parent.glob("_C*.[spd]*")):
        try:
            torch.ops.load_library(str(path))  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError):
            continue
