"""Golden fixtures by kind: every file of the folder, and the generator of their inputs."""

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = Path(os.environ.get("OVERREAD_GOLDEN", ROOT / "../shared/golden/visible"))


def golden_files(kind: str) -> list[Any]:
    """Return one parameter a fixture file, or one that skips when there is none."""
    found = sorted(GOLDEN.glob(f"{kind}_*"))
    absent = pytest.mark.skip(reason=f"no {kind} fixture in {GOLDEN}; set OVERREAD_GOLDEN")
    return [pytest.param(path, id=path.stem) for path in found] or [
        pytest.param(Path(), marks=absent)
    ]


def record(path: Path) -> dict[str, Any]:
    """Return the JSON record of a fixture, of either format."""
    if path.suffix == ".json":
        return dict(json.loads(path.read_text(encoding="utf-8")))
    with np.load(path) as file:
        return dict(json.loads(str(file["meta"])))


def inputs() -> ModuleType:
    """Return the module that regenerates inputs: in the folder, or in the one above."""
    for path in (GOLDEN / "inputs.py", GOLDEN.parent / "inputs.py"):
        if path.is_file():
            spec = importlib.util.spec_from_file_location("golden_inputs", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    pytest.skip(f"inputs.py is neither in {GOLDEN} nor above it")


def generated(source: dict[str, Any]) -> Any:
    """Return what a generator entry stands for."""
    args = {key: tuple(value) if key == "shape" else value for key, value in source["args"].items()}
    return getattr(inputs(), source["generator"])(**args)
