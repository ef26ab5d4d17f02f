"""What every test can ask for: the folders of real data and golden fixtures, or a reasoned skip."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, ROOT / default))
    if not path.is_dir():
        pytest.skip(f"{path} is absent; name the folder in {variable}")
    return path


@pytest.fixture(autouse=True)
def tiny_numbers():
    """Let a test that ran a pipeline leave no flushed denormals to the next one."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data."""
    return folder("OVERREAD_DATA", "../shared/data")


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of golden fixtures."""
    return folder("OVERREAD_GOLDEN", "../shared/golden/visible")
