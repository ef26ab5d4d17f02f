"""Which names of backbones timm knows, read off its source text: importing it takes seconds.

It knows how timm writes down its networks and their weights; a name that it does not find may
exist all the same.
"""

import importlib.util
from functools import cache
from pathlib import Path

__all__ = ["is_spelled"]


def is_spelled(name: str) -> bool:
    """Return whether timm's sources define this network and, after a dot, these weights.

    Example:
        >>> is_spelled("resnet18.a1_in1k"), is_spelled("resnet18.nobody")
        (True, False)
    """
    network, _, weights = name.partition(".")
    text = _sources()
    return f"\ndef {network}(" in text and (not weights or f"'{name}'" in text)


@cache
def _sources() -> str:
    found = importlib.util.find_spec("timm")
    if found is None or found.origin is None:
        return ""
    files = sorted((Path(found.origin).parent / "models").glob("*.py"))
    return "".join(path.read_text(encoding="utf-8") for path in files)
